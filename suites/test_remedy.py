"""What the page says mends each failure, done: and the mail that waited leaves."""

from fixtures.outcomes import Outcome
from fixtures.shards import scenarios


@scenarios("remedy")
def test_remedy(outcome: Outcome) -> None:
    """The agent reports what the scenario is about, and breaks no law."""
    outcome.must_conform()
