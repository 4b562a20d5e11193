"""Mutants that the chapter hosts is there for."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from model.tls import Tls
from model.verdict import Law
from selftests.mutants.mutant import Mutant
from targets.base import Route
from targets.reference.agent import Agent, Parts
from targets.reference.courier import Courier
from targets.reference.outcome import Failure, Kind, Outcome, Outcomes, Server
from targets.reference.policy import Policy, refused_for_good
from targets.reference.resolver import DnsFailure, Exchanger, Resolver

SCOPE = ("control.*", "hosts.*")
FALLBACK = ("control.*", "hosts.fallback.*")
FALLS_BACK = (
    "hosts.fallback.refused",
    "hosts.fallback.silent",
    "hosts.fallback.greeting-421",
    "hosts.fallback.rcpt-450",
    "hosts.fallback.smart-host",
    "hosts.fallback.all-refuse",
    "hosts.fallback.*.under-*",
    "hosts.fallback.one-deferred",
)
"""Where the fallback relay must be asked."""


def _by(records: Sequence[Exchanger], key: Callable[[Exchanger], Any]) -> list[Exchanger]:
    """The records with other preferences: their rank by a key."""
    ranks = sorted({key(record) for record in records})
    return [Exchanger(ranks.index(key(record)), record.host) for record in records]


class _ByText(Resolver):
    def order(self, records: Sequence[Exchanger]) -> Any:
        return super().order(_by(records, lambda r: str(r.preference)))


class PreferenceIsText(Agent):
    """Sorts MX records by their preference as text, so that 100 comes before 9."""

    parts = Parts(resolver=_ByText)


class _Signed(Resolver):
    def order(self, records: Sequence[Exchanger]) -> Any:
        return super().order(_by(records, lambda r: (r.preference + (1 << 15)) % (1 << 16)))


class PreferenceIsSigned(Agent):
    """Takes the sixteen bits of a preference for a signed number: 65535 is the best."""

    parts = Parts(resolver=_Signed)


class _Unshuffled(Resolver):
    def order(self, records: Sequence[Exchanger]) -> Any:
        return super().order(_by(records, lambda r: (r.preference, r.host)))


class NeverShuffles(Agent):
    """Goes to hosts of equal preference in the order of their names."""

    parts = Parts(resolver=_Unshuffled)


class _ThenTheDomain(Courier):
    async def servers(self, route: Route) -> AsyncIterator[Server | Failure]:
        async for server in super().servers(route):
            yield server
        if not route.smart_hosts:
            found = await self._resolver.addresses(route.domain)
            for ip in () if isinstance(found, DnsFailure) else found:
                yield self._server(route.domain, ip)


class ThenTheDomain(Agent):
    """Goes to the domain's own address when the MX hosts have failed."""

    parts = Parts(courier=_ThenTheDomain)


class _HostByHost(Courier):
    async def servers(self, route: Route) -> AsyncIterator[Server | Failure]:
        found = [server async for server in super().servers(route)]
        names = [server.host for server in found if isinstance(server, Server)]
        late = [n for n, name in enumerate(names) if name in names[:n]]
        for one in (*_without(found, late), *(found[n] for n in late)):
            yield one


def _without(found: Sequence[Server | Failure], late: Sequence[int]) -> list[Server | Failure]:
    return [server for n, server in enumerate(found) if n not in late]


class NextHostFirst(Agent):
    """Tries the first address of every host before the second of any."""

    parts = Parts(courier=_HostByHost)


class _Shopper(Policy):
    def tries_next(self, failure: Failure) -> bool:
        return failure.kind is Kind.REPLY or super().tries_next(failure)


class ShopsAround(Agent):
    """Takes what a host has refused for good to the next one."""

    parts = Parts(policy=_Shopper)


class _SendsToAll(Courier):
    async def _try(
        self,
        server: Server,
        sender: str,
        waiting: Sequence[str],
        content: bytes,
        route: Route,
    ) -> dict[str, Outcome]:
        kept: dict[bytes, Sequence[str]] = self.__dict__.setdefault("everyone", {})
        everyone = kept.setdefault(content, tuple(waiting))
        outcomes = await super()._try(server, sender, everyone, content, route)
        return {r: outcome for r, outcome in outcomes.items() if r in waiting}


class SendsToAll(Agent):
    """Goes to the next host, and to the next attempt, with all recipients again."""

    parts = Parts(courier=_SendsToAll)


class _KeepsHosts(Resolver):
    _kept: ClassVar[dict[str, Any]] = {}

    async def mx_hosts(self, domain: str) -> Any:
        if domain not in self._kept:
            found = await super().mx_hosts(domain)
            if not isinstance(found, tuple):
                return found
            self._kept[domain] = found
        return self._kept[domain]


class KeepsItsHosts(Agent):
    """Looks a domain's MX hosts up once, and goes to the same ones at every attempt."""

    parts = Parts(resolver=_KeepsHosts)


class _Twice(Courier):
    async def servers(self, route: Route) -> AsyncIterator[Server | Failure]:
        async for server in super().servers(route):
            yield server
            yield server


class TriesTwice(Agent):
    """Tries every address twice in one attempt."""

    parts = Parts(courier=_Twice)


class _TwoOnly(Courier):
    async def servers(self, route: Route) -> AsyncIterator[Server | Failure]:
        left = 2
        async for server in super().servers(route):
            if left:
                left -= 1
                yield server


class TwoOnly(Agent):
    """Never tries more than two addresses."""

    parts = Parts(courier=_TwoOnly)


class _NoRelay(Courier):
    async def servers(self, route: Route) -> AsyncIterator[Server | Failure]:
        async for server in super().servers(replace(route, fallback=())):
            yield server


class NeverFallsBack(Agent):
    """Knows no fallback relay."""

    parts = Parts(courier=_NoRelay)


class _RelayFirst(Courier):
    async def servers(self, route: Route) -> AsyncIterator[Server | Failure]:
        for relay in route.fallback:
            async for server in self._smart_host(relay):
                yield server
        async for server in self.regular(route):
            yield server


class RelayFirst(Agent):
    """Goes to the fallback relay before anybody else."""

    parts = Parts(courier=_RelayFirst)


class _RelayEarly(Courier):
    async def servers(self, route: Route) -> AsyncIterator[Server | Failure]:
        found = [server async for server in super().servers(route)]
        relays = route.fallback and found[-1:]
        for one in (*found[:1], *relays, *found[1:]):
            yield one


class RelayAfterFirst(Agent):
    """Goes to the fallback relay when the first host has failed, whatever others there are."""

    parts = Parts(courier=_RelayEarly)


class _Relaying(Courier):
    """Makes the attempt without the relay, and then gives it whom `wanted` names."""

    async def _attempt(
        self, sender: str, recipients: Sequence[str], content: bytes, route: Route
    ) -> Outcomes:
        alone = replace(route, fallback=())
        outcomes = await super()._attempt(sender, recipients, content, alone)
        if route.fallback and (left := self.wanted(outcomes)):
            relay = replace(alone, smart_hosts=route.fallback)
            return {**outcomes, **await super()._attempt(sender, left, content, relay)}
        return outcomes

    def wanted(self, outcomes: Outcomes) -> list[str]:
        """Whom the relay is given."""
        return [r for r, one in outcomes.items() if isinstance(one, Failure)]


class RelaysTheRejected(Agent):
    """Gives the fallback relay what a host has refused for good."""

    parts = Parts(courier=_Relaying)


class _RelaysAll(_Relaying):
    def wanted(self, outcomes: Outcomes) -> list[str]:
        failed = [one for one in outcomes.values() if isinstance(one, Failure)]
        waits = any(not refused_for_good(one) for one in failed)
        return list(outcomes) if waits else []


class RelaysEverybody(Agent):
    """Gives the fallback relay all recipients as soon as one of them has been put off."""

    parts = Parts(courier=_RelaysAll)


class _RelaysInClear(Courier):
    async def _converse(
        self,
        server: Server,
        sender: str,
        recipients: Sequence[str],
        content: bytes,
        route: Route,
    ) -> dict[str, Outcome]:
        if server.host in route.fallback:
            route = replace(route, tls=Tls.NONE)
        return await super()._converse(server, sender, recipients, content, route)


class RelaysInClear(Agent):
    """Demands TLS of the regular hosts, and not of the fallback relay."""

    parts = Parts(courier=_RelaysInClear)


class _GivesUpDomain(Courier):
    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.dead: dict[str, Failure] = {}

    async def _attempt(
        self, sender: str, recipients: Sequence[str], content: bytes, route: Route
    ) -> Outcomes:
        if route.domain in self.dead:
            return dict.fromkeys(recipients, self.dead[route.domain])
        return await super()._attempt(sender, recipients, content, route)

    async def _try(
        self,
        server: Server,
        sender: str,
        waiting: Sequence[str],
        content: bytes,
        route: Route,
    ) -> dict[str, Outcome]:
        outcomes = await super()._try(server, sender, waiting, content, route)
        for one in outcomes.values():
            if isinstance(one, Failure) and one.kind in (Kind.TIMED_OUT, Kind.HUNG):
                self.dead[route.domain] = one
        return outcomes


class OneDeadAllDead(Agent):
    """Puts off a domain's mail once one of its hosts has not answered, whatever others it has."""

    parts = Parts(courier=_GivesUpDomain)


class _Unforgiving(Courier):
    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.bad: set[str] = set()

    async def servers(self, route: Route) -> AsyncIterator[Server | Failure]:
        found = [server async for server in super().servers(route)]
        good = [one for one in found if not (isinstance(one, Server) and one.ip in self.bad)]
        for one in good or found[-1:]:
            yield one

    async def _try(
        self,
        server: Server,
        sender: str,
        waiting: Sequence[str],
        content: bytes,
        route: Route,
    ) -> dict[str, Outcome]:
        outcomes = await super()._try(server, sender, waiting, content, route)
        if any(isinstance(one, Failure) for one in outcomes.values()):
            self.bad.add(server.ip)
        return outcomes


class NeverForgives(Agent):
    """Goes no more to a host that has failed once, as long as there is another."""

    parts = Parts(courier=_Unforgiving)


MUTANTS: tuple[Mutant, ...] = (
    Mutant(PreferenceIsText, ("hosts.order.numeric",), scope=SCOPE),
    Mutant(PreferenceIsSigned, ("hosts.order.extremes",), scope=SCOPE),
    Mutant(NeverShuffles, ("hosts.order.equal",), scope=SCOPE),
    Mutant(ThenTheDomain, ("hosts.order.domain-address",), scope=SCOPE),
    Mutant(NextHostFirst, ("hosts.next-address.*",), scope=SCOPE),
    Mutant(
        ShopsAround,
        (
            "hosts.first-*-55*.*",
            "hosts.next-address.rejected",
            "hosts.recipients.one-rejected",
            "hosts.recipients.all-different",
            "hosts.fallback.*rejected",
            "hosts.fallback.rcpt-550",
        ),
        scope=SCOPE,
    ),
    Mutant(SendsToAll, ("hosts.recipients.*",), Law.ACCOUNTED, scope=SCOPE),
    Mutant(KeepsItsHosts, ("hosts.recovers.*",), scope=SCOPE),
    Mutant(TriesTwice, ("hosts.many.*",), scope=SCOPE),
    Mutant(
        TwoOnly,
        (
            "hosts.order.third",
            "hosts.order.equal-then-worse",
            "hosts.next-address.after-all",
            "hosts.many.busy",
        ),
        scope=SCOPE,
    ),
    Mutant(NeverFallsBack, FALLS_BACK, scope=FALLBACK),
    # Elsewhere it never meets the fault of the regular host.
    Mutant(RelayFirst, ("hosts.fallback.healthy",), scope=("control.*", "hosts.fallback.healthy")),
    Mutant(RelayAfterFirst, ("hosts.fallback.second-mx",), scope=FALLBACK),
    Mutant(
        RelaysTheRejected,
        ("hosts.fallback.rcpt-550", "hosts.fallback.one-rejected"),
        scope=FALLBACK,
    ),
    Mutant(
        OneDeadAllDead,
        ("hosts.memory.silent", "hosts.memory.no-banner"),
        scope=("control.*", "hosts.memory.*"),
    ),
    Mutant(
        NeverForgives,
        ("hosts.memory.comes-back",),
        scope=("control.*", "hosts.memory.*"),
        hours=True,
    ),
    Mutant(RelaysEverybody, ("hosts.fallback.one-deferred",), Law.ACCOUNTED, scope=FALLBACK),
    Mutant(
        RelaysInClear,
        ("hosts.fallback.no-starttls.under-encrypt", "hosts.fallback.expired.under-certificate"),
        Law.NO_CLEAR_TEXT,
        scope=FALLBACK,
    ),
)
