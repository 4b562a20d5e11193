"""What several hosts, addresses and smart hosts do to a message: order, fallback, limits."""

from fixtures.outcomes import Outcome
from fixtures.shards import scenarios


@scenarios("hosts")
def test_hosts(outcome: Outcome) -> None:
    """The agent reports what the scenario is about, and breaks no law."""
    outcome.must_conform()
