"""4.4.317: the connection stands, and the server errs at once."""

from fixtures.outcomes import Outcome
from fixtures.shards import scenarios


@scenarios("greeting")
def test_greeting(outcome: Outcome) -> None:
    """The agent reports what the scenario is about, and breaks no law."""
    outcome.must_conform()
