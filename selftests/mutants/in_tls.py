"""Mutants that the chapter tls is there for."""

from selftests.mutants.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = ()
