"""What the sender is told: what it wished for, and nothing to who cannot or will not hear it."""

from fixtures.outcomes import Outcome
from fixtures.shards import scenarios


@scenarios("notices")
def test_notices(outcome: Outcome) -> None:
    """The agent reports what the scenario is about, and breaks no law."""
    outcome.must_conform()
