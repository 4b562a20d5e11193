"""4.4.318: the conversation breaks off, or the server falls silent in it."""

from fixtures.outcomes import Outcome
from fixtures.shards import scenarios


@scenarios("session")
def test_session(outcome: Outcome) -> None:
    """The agent reports what the scenario is about, and breaks no law."""
    outcome.must_conform()
