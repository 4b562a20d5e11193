"""Mutants that the chapter resolver is there for: wrong about a name server that is gone."""

from collections.abc import AsyncIterator

import dns.exception
import dns.message

from model.report import State
from selftests.mutants.mutant import Mutant
from targets.base import Route
from targets.reference.agent import Agent, Parts
from targets.reference.courier import Courier
from targets.reference.outcome import DnsProblem, Failure, Outcome, Server
from targets.reference.policy import Policy
from targets.reference.queue import Parcel, Queue
from targets.reference.resolver import Resolver

PATIENT_FOR = 2
"""Attempts without an answer that one of these agents makes before it gives mail up."""


def _unanswered(failure: Failure) -> bool:
    return failure.detail == DnsProblem.RETRY


class _Final(Policy):
    def is_permanent(self, failure: Failure) -> bool:
        return _unanswered(failure) or super().is_permanent(failure)


class BouncesUnanswered(Agent):
    """Returns mail at once if no name server answers."""

    parts = Parts(policy=_Final)


class _Tires(Queue):
    def _state(self, parcel: Parcel, outcome: Outcome) -> State:
        tired = parcel.attempts > PATIENT_FOR
        if tired and isinstance(outcome, Failure) and _unanswered(outcome):
            return State.RETURNED
        return super()._state(parcel, outcome)


class TiresOfAsking(Agent):
    """Returns mail if the third attempt, too, finds no name server."""

    parts = Parts(queue=_Tires)


class _Grudge(Resolver):
    def __init__(self, server: tuple[str, int], timeout: float) -> None:
        super().__init__(server, timeout)
        self._failed: set[tuple[str, str]] = set()

    async def query(self, name: str, qtype: str) -> dns.message.Message:
        if (name, qtype) in self._failed:
            raise dns.exception.Timeout
        try:
            return await super().query(name, qtype)
        except dns.exception.Timeout:
            self._failed.add((name, qtype))
            raise


class RemembersSilence(Agent):
    """Never asks again what once was not answered."""

    parts = Parts(resolver=_Grudge)


class _AsksAnyway(Courier):
    async def _smart_host(self, name: str) -> AsyncIterator[Server | Failure]:
        async for server in super()._smart_host(name):
            if isinstance(server, Server) and name.startswith("["):
                for failure in self._at(name, await self._resolver.addresses(server.ip)):
                    if isinstance(failure, Failure) and _unanswered(failure):
                        yield failure
                        return
            yield server


class AsksForAddresses(Agent):
    """Asks a name server for smart hosts that are addresses, and cannot do without its answer."""

    parts = Parts(courier=_AsksAnyway)


class _AllFirst(Courier):
    async def servers(self, route: Route) -> AsyncIterator[Server | Failure]:
        found = [server async for server in super().servers(route)]
        failures = [one for one in found if isinstance(one, Failure)]
        for server in failures or found:
            yield server


class LooksUpAllFirst(Agent):
    """Tries no host before every host's address is known."""

    parts = Parts(courier=_AllFirst)


WAITS = ("resolver.*.mx", "resolver.*.smart-host", "resolver.*.retried", "resolver.*.many")
CHAPTER = ("control.*", "resolver.*")

MUTANTS: tuple[Mutant, ...] = (
    # Of the scope of all of them: what they are wrong about is in many chapters, and here is all of it.
    Mutant(BouncesUnanswered, (*WAITS,), scope=CHAPTER, hours=True),
    Mutant(TiresOfAsking, ("resolver.*.retried",), scope=CHAPTER, hours=True),
    Mutant(RemembersSilence, (*WAITS,), scope=CHAPTER, hours=True),
    Mutant(AsksForAddresses, ("resolver.*.literal*",), scope=CHAPTER, hours=True),
    Mutant(
        LooksUpAllFirst,
        ("resolver.*.literal-first", "resolver.*.literal-last"),
        scope=CHAPTER,
        hours=True,
    ),
)
