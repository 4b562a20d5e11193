"""Mutants that do not find the way: DNS, hosts, addresses."""

import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from time import time
from typing import ClassVar

import dns.asyncbackend
import dns.asyncquery
import dns.flags
import dns.message

from model.dns import Truncate, WrongId
from model.verdict import Law
from selftests.mutants.mutant import Mutant
from selftests.mutants.where import (
    both,
    changes_its_zone,
    goes_by_mx,
    goes_by_smart_host,
    has_fault,
    has_several_hosts,
)
from targets.base import Route
from targets.reference.agent import Agent, Parts, Say
from targets.reference.client import Session
from targets.reference.clock import Clock
from targets.reference.config import Config
from targets.reference.courier import Courier
from targets.reference.outcome import Broken, Failure, Kind, Reply, Server, Stage
from targets.reference.policy import Policy
from targets.reference.resolver import DnsFailure, Exchanger, NullMx, Resolver


class _SearchList(Resolver):
    async def mx_hosts(self, domain: str) -> tuple[Exchanger, ...] | DnsFailure | NullMx:
        await self._records(f"{domain}.localdomain", "MX")
        return await super().mx_hosts(domain)


class SearchList(Agent):
    """Asks for the domain below a search suffix first."""

    parts = Parts(resolver=_SearchList)


class _Www(Resolver):
    async def mx_hosts(self, domain: str) -> tuple[Exchanger, ...] | DnsFailure | NullMx:
        return await super().mx_hosts(f"www.{domain}")


class WrongName(Agent):
    """Asks for the MX of another name than the domain's."""

    parts = Parts(resolver=_Www)


class _KeepsForEver(Resolver):
    _kept: ClassVar[dict[tuple[str, str], tuple[str, ...]]] = {}

    async def _records(self, name: str, qtype: str) -> tuple[str, ...] | DnsFailure:
        if (name, qtype) in self._kept:
            return self._kept[name, qtype]
        found = await super()._records(name, qtype)
        if isinstance(found, tuple):
            self._kept[name, qtype] = found
        return found


class KeepsForEver(Agent):
    """Keeps an answer of DNS beyond its TTL."""

    parts = Parts(resolver=_KeepsForEver)


class _NoTcp(Resolver):
    async def _exchange(self, question: dns.message.Message) -> dns.message.Message:
        host, port = self._server
        return await dns.asyncquery.udp(question, host, timeout=self._timeout, port=port)


class NoTcp(Agent):
    """Takes a truncated answer for the whole one."""

    parts = Parts(resolver=_NoTcp)


class _Credulous(Resolver):
    async def _exchange(self, question: dns.message.Message) -> dns.message.Message:
        end = time() + self._timeout
        backend = dns.asyncbackend.get_default_backend()
        made = await backend.make_socket(socket.AF_INET, socket.SOCK_DGRAM, 0, ("0.0.0.0", 0))  # type: ignore[no-untyped-call]
        async with made as asking:
            await dns.asyncquery.send_udp(asking, question, self._server, end)
            answer, _, _ = await dns.asyncquery.receive_udp(asking, self._server, end)
        truncated = answer.flags & dns.flags.TC
        return await super()._exchange(question) if truncated else answer


class Credulous(Agent):
    """Believes an answer that carries another id than its question."""

    parts = Parts(resolver=_Credulous)


class Impatient(Agent):
    """Waits for an answer of DNS a twentieth of the time it was told to."""

    parts = Parts(resolver=lambda server, timeout: Resolver(server, timeout / 20))


class _FirstOnly(Policy):
    def tries_next(self, failure: Failure) -> bool:
        return False


class FirstHostOnly(Agent):
    """Gives the attempt up after the first address of the first host."""

    parts = Parts(policy=_FirstOnly)


class _FirstSmartHost(Courier):
    async def servers(self, route: Route) -> AsyncIterator[Server | Failure]:
        async for server in super().servers(replace(route, smart_hosts=route.smart_hosts[:1])):
            yield server


class FirstSmartHostOnly(Agent):
    """Knows the first smart host only."""

    parts = Parts(courier=_FirstSmartHost)


class _FirstAddress(Resolver):
    async def addresses(self, name: str) -> tuple[str, ...] | DnsFailure:
        found = await super().addresses(name)
        return found if isinstance(found, DnsFailure) else found[:1]


class FirstAddressOnly(Agent):
    """Forgets all addresses of a host but the first."""

    parts = Parts(resolver=_FirstAddress)


class _NoSmartHosts(Courier):
    async def servers(self, route: Route) -> AsyncIterator[Server | Failure]:
        async for server in super().servers(replace(route, smart_hosts=())):
            yield server


class NoSmartHosts(Agent):
    """Delivers by MX, whatever the connector says."""

    parts = Parts(courier=_NoSmartHosts)


class ConnectorsNeverOff(Agent):
    """Uses a connector although it is disabled."""

    def __init__(self, config: Config, say: Say, clock: Clock | None = None) -> None:
        routes = tuple(replace(route, enabled=True) for route in config.routes)
        super().__init__(replace(config, routes=routes), say, clock)


class _Startled(Session):
    async def hello(self) -> None:
        await super().hello()
        if any(word.startswith("xx") for word in self._capabilities):
            reply = Reply(250, "masked")
            raise Broken(Failure(Stage.EHLO, Kind.GARBAGE, self.server, reply))


class _StartledCourier(Courier):
    session = _Startled


class Startled(Agent):
    """Stops at an EHLO reply that a firewall has masked."""

    parts = Parts(courier=_StartledCourier)


MUTANTS = (
    Mutant(SearchList, (goes_by_mx, "dns.smart-host.no-records"), Law.CONFINED),
    # Only where nothing is wrong: elsewhere the fault is never met, which is inconclusive.
    Mutant(
        WrongName,
        ("control.*", "tls.valid.under-*"),
        scope=("control.*", "tls.valid.under-*"),
    ),
    Mutant(KeepsForEver, (changes_its_zone,)),
    Mutant(NoTcp, (has_fault(Truncate),)),
    Mutant(Credulous, (has_fault(WrongId),)),
    # Only where little else is going on: its time-out is so short that a busy lab would miss it.
    Mutant(Impatient, ("dns.mx.slow",), scope=("control.*", "dns.mx.s*")),
    # Outside: where only those who go on to the second host meet its fault.
    Mutant(
        FirstHostOnly,
        (has_several_hosts,),
        outside=("dns.mx-host.ipv4-dead.*", "hosts.different.*"),
        needs_sealed=True,
    ),
    Mutant(FirstSmartHostOnly, (both(goes_by_smart_host, has_several_hosts),)),
    Mutant(
        FirstAddressOnly,
        (has_several_hosts,),
        outside=("dns.mx-host.ipv4-dead.*",),
        needs_sealed=True,
    ),
    Mutant(NoSmartHosts, (goes_by_smart_host,), Law.CONFINED),
    Mutant(ConnectorsNeverOff, ("connect.connector-off",)),
    # Not in `session.inspected`, whose fault is further on: it never gets there.
    Mutant(Startled, ("middlebox.*",), scope=("control.*", "middlebox.*")),
)
