"""All mutants, and an adapter for each: `selftests.mutants.known:NAME` is a target."""

from functools import partial

from selftests.mutants import codes, custody, notices, secrecy, ways
from selftests.mutants.mutant import Mutant
from targets.reference.adapter import Adapter

MUTANTS: tuple[Mutant, ...] = (
    *codes.MUTANTS,
    *notices.MUTANTS,
    *custody.MUTANTS,
    *ways.MUTANTS,
    *secrecy.MUTANTS,
)
"""Every mutant."""

globals().update({mutant.name: partial(Adapter, mutant.path) for mutant in MUTANTS})


def target_of(mutant: Mutant) -> str:
    """What `--target` would be told."""
    return f"{__name__}:{mutant.name}"
