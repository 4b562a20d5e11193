"""4.4.317: the connector requires TLS, and the server does not come up to it."""

from fixtures.outcomes import Outcome
from fixtures.shards import scenarios


@scenarios("tls")
def test_tls(outcome: Outcome) -> None:
    """The agent reports what the scenario is about, and breaks no law."""
    outcome.must_conform()
