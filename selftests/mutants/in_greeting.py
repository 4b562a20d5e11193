"""Mutants that the chapter greeting is there for."""

from selftests.mutants.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = ()
