"""The room is sealed: nothing is asked or connected where no scenario lives."""

from fixtures.runs import Runs
from fixtures.shards import scenarios


@scenarios("room")
def test_nothing_strays(runs: Runs, scenario_id: str) -> None:
    """Whatever reached a fake belonged to a scenario."""
    assert runs.strays(scenario_id) == []
