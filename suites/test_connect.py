"""4.4.315 and 4.4.316: no connection comes about."""

from fixtures.outcomes import Outcome
from fixtures.shards import scenarios


@scenarios("connect")
def test_connect(outcome: Outcome) -> None:
    """The agent reports what the scenario is about, and breaks no law."""
    outcome.must_conform()
