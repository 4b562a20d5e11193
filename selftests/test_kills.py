"""Kills at random moments: the ledger of an agent that keeps its spool balances, no other's does."""

import pytest

from selftests.mutants.hunt import sealed_room
from tools.kills import order_of, run

SEED = 2
"""By which the mail is under way when the agent is killed."""


@pytest.mark.parametrize(
    ("target", "balances"),
    [
        ("reference", True),
        ("selftests.mutants.known:LosesOnRestart", False),
        ("selftests.mutants.known:DeliversAgainAfterRestart", False),
    ],
)
def test_the_books_of_an_agent_that_is_killed(target: str, balances: bool) -> None:
    """One run of each."""
    books = run(target, SEED, sealed_room())

    assert books.kills >= 2
    assert books.messages == 201
    assert (books.wrongs == ()) is balances


def test_a_seed_is_a_whole_run() -> None:
    """The same seed gives the same hosts and the same moments; another one does not."""
    assert order_of(1, 10.0) == order_of(1, 10.0)
    assert order_of(1, 10.0).kills != order_of(2, 10.0).kills
