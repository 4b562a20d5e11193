"""The healthy deliveries that open and close every run."""

from fixtures.outcomes import Outcome
from fixtures.shards import scenarios


@scenarios("control")
def test_control(outcome: Outcome) -> None:
    """The agent reports what the scenario is about, and breaks no law."""
    outcome.must_conform()
