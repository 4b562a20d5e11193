"""A mutant and what is said about it."""

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass

from model.scenario import Scenario
from model.verdict import Law
from selftests.mutants.where import Where
from targets.reference.agent import Agent


@dataclass(frozen=True, slots=True)
class Mutant:
    """A wrong agent, the scenarios that catch it, and the law it breaks.

    `caught_by` are globs over ids, or conditions on scenarios (`where.py`). Every scenario that
    objects matches one of them, and each of them one that objects. `scope` (globs) are
    the scenarios it is run through, and is narrower than everything only where a wrong agent
    would make the lab wait its whole patience over and over, or would never meet the fault, with
    the reason beside it; what matches one of `outside` is left out of it.
    `needs_sealed`: only there can be seen what it does wrong. `hours`: it goes wrong while mail
    waits, over a restart, without a name server, or in a shortage; only then are scenarios run in
    which time is let pass, the agent killed, the name server gone, or the machine short of
    something, because each of these labs takes long. `large`: only then are large messages sent.
    """

    agent: type[Agent]
    caught_by: tuple[str | Where, ...]
    law: Law | None = None
    scope: tuple[str, ...] = ("*",)
    outside: tuple[str, ...] = ()
    needs_sealed: bool = False
    hours: bool = False
    large: bool = False

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


def matches(scenario: Scenario, wanted: Sequence[str | Where]) -> bool:
    """Whether a scenario's id matches one of the globs, or the scenario one of the conditions."""
    return any(
        fnmatch.fnmatchcase(scenario.id, one) if isinstance(one, str) else one(scenario)
        for one in wanted
    )


def words(where: str | Where) -> str:
    """A glob, or a condition's name."""
    return f"`{where}`" if isinstance(where, str) else where.__qualname__.partition(".")[0]
