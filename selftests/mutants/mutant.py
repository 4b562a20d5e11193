"""A mutant and what is said about it."""

import fnmatch
from dataclasses import dataclass

from model.verdict import Law
from targets.reference.agent import Agent


@dataclass(frozen=True, slots=True)
class Mutant:
    """A wrong agent, the scenarios that catch it (globs over ids), and the law it breaks.

    Every scenario that objects matches a glob, every glob one that objects. `scope` (globs) are
    the scenarios it is run through, and is narrower than everything only where a wrong agent
    would make the lab wait its whole patience over and over, with the reason beside it.
    `needs_sealed`: only there can be seen what it does wrong.
    """

    agent: type[Agent]
    caught_by: tuple[str, ...]
    law: Law | None = None
    scope: tuple[str, ...] = ("*",)
    needs_sealed: bool = False

    @property
    def name(self) -> str:
        """The name of its class."""
        return self.agent.__name__

    @property
    def wrong(self) -> str:
        """What it does, in a sentence."""
        return (self.agent.__doc__ or "").strip().splitlines()[0]

    @property
    def path(self) -> str:
        """Its class as `module:Class`."""
        return f"{self.agent.__module__}:{self.name}"


def matches(scenario: str, globs: tuple[str, ...]) -> bool:
    """Whether a scenario's id matches one of the globs."""
    return any(fnmatch.fnmatchcase(scenario, glob) for glob in globs)
