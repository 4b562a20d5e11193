"""The comparison of repeated runs: it objects to every kind of difference."""

import threading
from pathlib import Path

import pytest

from tools.repeat import Run, burning, differences, line_of, summary

GOOD = Run(0, 9.0, {"a.b": "pass: deferred 4.4.1", "a.c": "pass: delivered"}, [], "2 passed")


def test_runs_that_are_alike() -> None:
    """Seconds may differ, nothing else."""
    later = Run(0, 11.0, dict(GOOD.found), [], "2 passed")

    assert differences([GOOD, later]) == {}
    assert summary([GOOD, later]) == 0
    assert line_of(1, GOOD) == "run 1: exit code 0, 9.0 s, 2 pass"


@pytest.mark.parametrize(
    "other",
    [
        Run(0, 9.0, {**GOOD.found, "a.b": "fail: deferred 4.4.1"}, [], ""),
        Run(0, 9.0, {**GOOD.found, "a.b": "pass: deferred 4.4.2"}, [], ""),
        Run(0, 9.0, {"a.b": GOOD.found["a.b"]}, [], ""),
        Run(3, 9.0, GOOD.found, [], ""),
        Run(0, 9.0, GOOD.found, ["process 1: init"], ""),
        Run(4, 0.5, {}, [], "ERROR: there is no target"),
    ],
    ids=["verdict", "observation", "scenario missing", "exit code", "left behind", "no run"],
)
def test_runs_that_differ(other: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Each difference makes the exit code 1, and is shown."""
    assert summary([GOOD, other]) == 1
    assert "2 runs" in capsys.readouterr().out


def test_no_run_is_no_success() -> None:
    """Nothing compared is nothing proved."""
    assert summary([]) == 1
    assert summary([Run(4, 0.5, {}, [], "ERROR")]) == 1


def test_burners_end_with_the_runs() -> None:
    """They are there while they should be, and are reaped."""

    def children() -> list[str]:
        me = Path(f"/proc/self/task/{threading.get_native_id()}/children")
        return me.read_text().split()

    before = children()
    with burning(2):
        assert len(children()) == len(before) + 2
    assert children() == before
