"""4.4.312 for everybody: the only name server is gone, and comes back while the mail waits."""

from fixtures.outcomes import Outcome
from fixtures.shards import scenarios


@scenarios("resolver")
def test_resolver(outcome: Outcome) -> None:
    """The agent reports what the scenario is about, and breaks no law."""
    outcome.must_conform()
