"""Mutants that the chapter dns is there for."""

from selftests.mutants.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = ()
