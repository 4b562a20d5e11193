"""Prints which scenarios and laws catch which mutant, and which mutants each scenario catches.

Two tables in Markdown; names on the command line are those of the mutants to hunt.
"""

import sys

from selftests.mutants.hunt import REFERENCE, Caught, catches, complaints, hunt_all, sealed_room
from selftests.mutants.known import MUTANTS
from selftests.mutants.mutant import Mutant, words

MANY = 6
"""More scenarios than these are counted instead of listed."""


def main() -> int:
    """Hunt them all and print the table; 1 if one is not caught as declared."""
    sealed = sealed_room()
    wanted = [m for m in MUTANTS if not sys.argv[1:] or m.name in sys.argv[1:]]
    hunts = hunt_all([m for m in wanted if sealed or not m.needs_sealed], sealed)
    say = sys.stdout.write
    say("| mutant | what it does | caught by | laws broken |\n|---|---|---|---|\n")
    found = {}
    wrong = [f"{REFERENCE}: {name} objects" for name in hunts[REFERENCE].result()]
    for mutant in wanted:
        if mutant.name not in hunts:
            say(f"| {mutant.name} | {mutant.wrong} | (needs the sealed room) | |\n")
            continue
        caught = hunts[mutant.name].result()
        found[mutant.name] = caught
        say(row(mutant, caught))
        wrong += [f"{mutant.name}: {sentence}" for sentence in complaints(mutant, caught, sealed)]
    say("\n| scenario | mutants that it catches |\n|---|---|\n")
    for scenario, names in catches(found).items():
        if names or not sys.argv[1:]:
            say(f"| {scenario} | {', '.join(names) or 'none'} |\n")
    say("".join(f"\n{sentence}" for sentence in wrong) + ("\n" if wrong else ""))
    return int(bool(wrong))


def row(mutant: Mutant, caught: Caught) -> str:
    """One line of the table."""
    names = ", ".join(caught) if len(caught) <= MANY else _counted(mutant, caught)
    laws = sorted({law for catch in caught.values() for law in catch.laws})
    return f"| {mutant.name} | {mutant.wrong} | {names} | {', '.join(laws)} |\n"


def _counted(mutant: Mutant, caught: Caught) -> str:
    globs = ", ".join(map(words, mutant.caught_by))
    return f"{len(caught)} scenarios: {globs}"


if __name__ == "__main__":
    sys.exit(main())
