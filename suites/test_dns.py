"""4.4.312: the DNS query for the next hop fails, or its answer is old."""

from fixtures.outcomes import Outcome
from fixtures.shards import scenarios


@scenarios("dns")
def test_dns(outcome: Outcome) -> None:
    """The agent reports what the scenario is about, and breaks no law."""
    outcome.must_conform()
