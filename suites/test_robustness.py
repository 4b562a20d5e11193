"""Odd messages, odd addresses, odd streams of octets, and many messages at once."""

from fixtures.outcomes import Outcome
from fixtures.shards import scenarios


@scenarios("robustness")
def test_robustness(outcome: Outcome) -> None:
    """The agent reports what the scenario is about, and breaks no law."""
    outcome.must_conform()
