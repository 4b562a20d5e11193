"""Mutants that the chapter session is there for."""

from selftests.mutants.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = ()
