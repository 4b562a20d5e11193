"""A firewall between agent and host that understands, or misunderstands, SMTP."""

from fixtures.outcomes import Outcome
from fixtures.shards import scenarios


@scenarios("middlebox")
def test_middlebox(outcome: Outcome) -> None:
    """The agent reports what the scenario is about, and breaks no law."""
    outcome.must_conform()
