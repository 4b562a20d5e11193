"""The agent's disk is full for a while: what it had taken on is kept, and new mail is put off."""

from fixtures.outcomes import Outcome
from fixtures.shards import scenarios


@scenarios("spool")
def test_spool(outcome: Outcome) -> None:
    """The agent reports what the scenario is about, and breaks no law."""
    outcome.must_conform()
