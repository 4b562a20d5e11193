"""The agent is killed and started again: what it had taken on is neither lost nor doubled."""

from fixtures.outcomes import Outcome
from fixtures.shards import scenarios


@scenarios("restart")
def test_restart(outcome: Outcome) -> None:
    """The agent reports what the scenario is about, and breaks no law."""
    outcome.must_conform()
