"""The end of the queue: after its lifetime the mail goes back to its sender, once."""

from fixtures.outcomes import Outcome
from fixtures.shards import scenarios


@scenarios("expiry")
def test_expiry(outcome: Outcome) -> None:
    """The agent reports what the scenario is about, and breaks no law."""
    outcome.must_conform()
