"""Wrong agents: each is caught as declared, and by nothing unrelated.

All of them are hunted at once when the first is asked for, each in a lab of its own; see
`selftests/mutants`. What is checked is the suite: a mutant that nobody objects to shows a check
that cannot fail, and one that somebody else objects to shows a check that fails for nothing.
"""

from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from catalogue import CATALOGUE
from lab.setups import unsupported
from model.verdict import Law, Verdict
from selftests.mutants import codes, hunt
from selftests.mutants.hunt import REFERENCE, Catch, Caught, catches, complaints, hunt_all
from selftests.mutants.known import MUTANTS
from selftests.mutants.mutant import Mutant
from targets.base import load

PATIENCE = 2400.0
"""Seconds for all of them."""
MUTANT = Mutant(codes.HangIsTimeout, ("session.*.hang",), Law.CODE_CLASS)
CATCH = Catch(Verdict.FAIL, frozenset({Law.CODE_CLASS}), "")


@pytest.fixture(scope="module")
def hunts(request: pytest.FixtureRequest) -> Iterator[dict[str, "Future[Caught]"]]:
    """The hunts for what this run has selected, and for the blameless agent."""
    sealed = hunt.sealed_room()
    selected = {item.name.partition("[")[2].rstrip("]") for item in request.session.items}
    wanted = [m for m in MUTANTS if m.name in selected and (sealed or not m.needs_sealed)]
    found = hunt_all(wanted, sealed)
    yield found
    for each in found.values():
        each.cancel()


def test_the_reference_agent_is_blameless(hunts: dict[str, "Future[Caught]"]) -> None:
    """The control: run in the same way, unchanged, it is never objected to."""
    assert hunts[REFERENCE].result(PATIENCE) == {}


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name for mutant in MUTANTS])
def test_mutant(hunts: dict[str, "Future[Caught]"], mutant: Mutant) -> None:
    """Its scenarios and its law catch it, and no others."""
    if mutant.name not in hunts:
        pytest.skip("what it does wrong can be seen in a sealed room only, and there is none here")

    assert complaints(mutant, hunts[mutant.name].result(PATIENCE), hunt.sealed_room()) == []


def test_every_scenario_catches_a_mutant(hunts: dict[str, "Future[Caught]"]) -> None:
    """A scenario that no wrong agent fails cannot fail. Only where all mutants were hunted."""
    sealed = hunt.sealed_room()
    if not {m.name for m in MUTANTS} <= set(hunts):
        pytest.skip("some mutants were left out: run them all, in a sealed room")
    found = {name: future.result(PATIENCE) for name, future in hunts.items()}
    runnable = [s.id for s in CATALOGUE.values() if not unsupported(s, load(REFERENCE), sealed)]

    assert [s for s in runnable if not catches(found)[s]] == []


def test_names_are_unique() -> None:
    """A name is an adapter's, and stands once."""
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize(
    ("caught", "words"),
    [
        ({}, "nothing objects to it"),
        ({"session.dot.hang": CATCH, "reply.dot.550": CATCH}, "reply.dot.550 objects too"),
        ({"reply.dot.550": CATCH}, "nothing of `session.*.hang` objects"),
        ({"session.dot.hang": Catch(Verdict.FAIL, frozenset(), "")}, "is never broken"),
        (
            {"session.dot.hang": Catch(Verdict.INCONCLUSIVE, CATCH.laws, "")},
            "session.dot.hang is inconclusive",
        ),
    ],
)
def test_a_wrong_declaration_is_found(caught: Caught, words: str) -> None:
    """Each way in which a declaration can be wrong."""
    assert any(words in sentence for sentence in complaints(MUTANT, caught, sealed=True))


def test_a_right_declaration_is_let_pass() -> None:
    """Nothing to complain about."""
    assert complaints(MUTANT, {"session.dot.hang": CATCH}, sealed=True) == []
