"""Other codes: the server answers, and its answer is passed on."""

from fixtures.outcomes import Outcome
from fixtures.shards import scenarios


@scenarios("reply")
def test_reply(outcome: Outcome) -> None:
    """The agent reports what the scenario is about, and breaks no law."""
    outcome.must_conform()
