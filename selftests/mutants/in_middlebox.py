"""Mutants that the chapter middlebox is there for."""

from selftests.mutants.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = ()
