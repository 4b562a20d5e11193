"""Evidence comes in its own order: what comes while a test waits is judged meanwhile."""

from typing import Any

import pytest

from catalogue.control import OPENING
from fixtures.runs import Runs
from model.trace import Trace
from selftests.running import REFUSED
from selftests.worlds import connected, trace

CAME_FIRST, SENSELESS = "connect.refused", "connect.refused.first-smart-host"
TRACE = trace(connected())
NO_TRACE: Any = None


class SomeLab:
    """Has a trace for each scenario; they come in this order."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        """Whose traces were looked at."""
        self._coming = [CAME_FIRST, SENSELESS, OPENING.id, "connect.opening", REFUSED]
        self._came: set[str] = set()

    def has(self, scenario: str) -> bool:
        """Whether its trace has come."""
        return scenario in self._came

    def read(self) -> str:
        """The next trace comes."""
        self._came.add(self._coming[0])
        return self._coming.pop(0)

    def trace(self, scenario: str) -> Trace:
        """A trace that has come."""
        assert scenario in self._came
        self.asked.append(scenario)
        return NO_TRACE if scenario == SENSELESS else TRACE


class SomeRuns(Runs):
    """Runs with that lab."""

    def _start(self, number: int) -> None:
        lab: Any = SomeLab()
        self._labs = dict.fromkeys([CAME_FIRST, SENSELESS, REFUSED], lab)


@pytest.fixture
def runs(pytestconfig: pytest.Config) -> SomeRuns:
    """Runs in which nothing has been asked yet."""
    return SomeRuns(pytestconfig, [])


def test_what_comes_while_a_test_waits_is_judged(runs: SomeRuns) -> None:
    """And not again when its own test asks."""
    runs.judgement(REFUSED)
    (lab,) = runs.labs()
    asked: list[str] = lab.asked  # type: ignore[attr-defined] # SomeLab's
    assert CAME_FIRST in asked
    asked.clear()

    judged, evidence = runs.judgement(CAME_FIRST)
    assert judged.expected
    assert evidence is TRACE
    assert asked.count(CAME_FIRST) == 1, "for the report alone"


def test_a_trace_that_cannot_be_judged_is_told_of_by_its_own_test(runs: SomeRuns) -> None:
    """Not by the one that waits when it comes."""
    judged, _ = runs.judgement(REFUSED)
    assert judged.expected
    with pytest.raises(AttributeError, match="NoneType"):
        runs.judgement(SENSELESS)
