"""The hours in the queue: attempts, notices of delay, recoveries at the last minute, the end."""

from fixtures.outcomes import Outcome
from fixtures.shards import scenarios


@scenarios("queue")
def test_queue(outcome: Outcome) -> None:
    """The agent reports what the scenario is about, and breaks no law."""
    outcome.must_conform()
