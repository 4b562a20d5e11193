"""Mutants that the chapter dns is there for."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import dns.flags
import dns.message

from model.verdict import Law
from selftests.mutants.mutant import Mutant
from targets.base import Route
from targets.reference.agent import Agent, Parts
from targets.reference.courier import Courier
from targets.reference.outcome import DnsProblem, Failure, Server
from targets.reference.resolver import DnsFailure, Exchanger, NullMx, Resolver

Found = tuple[Exchanger, ...] | DnsFailure | NullMx


class _TrustsGlue(Resolver):
    async def query(self, name: str, qtype: str) -> dns.message.Message:
        answer = await super().query(name, qtype)
        for rrset in answer.additional:
            self._glue[rrset.name.to_text(omit_final_dot=True)] = tuple(map(str, rrset))
        return answer

    def __init__(self, server: tuple[str, int], timeout: float) -> None:
        super().__init__(server, timeout)
        self._glue: dict[str, tuple[str, ...]] = {}

    async def addresses(self, name: str) -> tuple[str, ...] | DnsFailure:
        return self._glue.get(name) or await super().addresses(name)


class TrustsGlue(Agent):
    """Takes an address that came unasked with the MX record, and asks no more."""

    parts = Parts(resolver=_TrustsGlue)


class _Signed(Resolver):
    def order(self, records: Sequence[Exchanger]) -> tuple[Exchanger, ...]:
        signed = [
            replace(r, preference=(r.preference + 0x8000) % 0x10000 - 0x8000) for r in records
        ]
        return super().order(signed)


class SignedPreference(Agent):
    """Reads a preference as a signed number, so that the upper half comes first."""

    parts = Parts(resolver=_Signed)


class _Orderly(Resolver):
    def order(self, records: Sequence[Exchanger]) -> tuple[Exchanger, ...]:
        return tuple(sorted(records, key=lambda r: (r.preference, r.host)))


class FirstOfEquals(Agent):
    """Takes MX hosts of equal preference by the alphabet."""

    parts = Parts(resolver=_Orderly)


class _Unchecked(Resolver):
    async def _exchange(self, question: dns.message.Message) -> dns.message.Message:
        question.flags |= dns.flags.CD
        return await super()._exchange(question)


class Unchecked(Agent):
    """Asks for data that has not passed validation, too, and does not validate it either."""

    parts = Parts(resolver=_Unchecked)


class _FallsBack(Resolver):
    async def exchangers(self, domain: str) -> Found:
        found = await super().exchangers(domain)
        failed = isinstance(found, DnsFailure) and found.problem is DnsProblem.RETRY
        return (Exchanger(0, domain),) if failed else found


class FallsBackToAddress(Agent):
    """Takes the domain's own address where its MX records cannot be had for now."""

    parts = Parts(resolver=_FallsBack)


class _NullIsNone(Resolver):
    async def mx_hosts(self, domain: str) -> Found:
        found = await super().mx_hosts(domain)
        if isinstance(found, NullMx):
            return DnsFailure(domain, DnsProblem.NO_RECORDS)
        return found


class NullMxIsNone(Agent):
    """Takes a null MX for no MX record, and sends to the domain's own address."""

    parts = Parts(resolver=_NullIsNone)


class _DropsItselfOnly(Courier):
    async def _exchangers(self, found: Found) -> AsyncIterator[Server | Failure]:
        if isinstance(found, tuple):
            found = tuple(one for one in found if not self.is_self(one.host, ())) or found
        async for server in super()._exchangers(found):
            yield server


class DropsItselfOnly(Agent):
    """Leaves itself out of the MX hosts by its name, and not those that are no better."""

    parts = Parts(courier=_DropsItselfOnly)


class _OneFamily(Resolver):
    async def addresses(self, name: str) -> tuple[str, ...] | DnsFailure:
        found = await super().addresses(name)
        if isinstance(found, DnsFailure):
            return found
        return tuple(ip for ip in found if (":" in ip) is (":" in found[0]))


class OneFamily(Agent):
    """Knows a host's IPv6 addresses only, if it has any."""

    parts = Parts(resolver=_OneFamily)


class _NoColons(Courier):
    async def servers(self, route: Route) -> AsyncIterator[Server | Failure]:
        if any(":" in host for host in route.smart_hosts):
            route = replace(route, smart_hosts=())
        async for server in super().servers(route):
            yield server


class NoColons(Agent):
    """Takes no smart host that is an IPv6 address: the mail goes by MX."""

    parts = Parts(courier=_NoColons)


CHAPTER = ("control.*", "dns.*")

MUTANTS: tuple[Mutant, ...] = (
    Mutant(TrustsGlue, ("dns.mx.false-glue",), scope=CHAPTER),
    Mutant(SignedPreference, ("dns.mx.preference-65535",), scope=CHAPTER),
    Mutant(FirstOfEquals, ("dns.mx.equal",), scope=CHAPTER),
    Mutant(Unchecked, ("dns.*.bogus",), scope=CHAPTER),
    Mutant(
        FallsBackToAddress,
        (
            "dns.mx.servfail*",
            "dns.mx.refused",
            "dns.mx.formerr",
            "dns.mx.notimp",
            "dns.mx.silent*",
            "dns.mx.late",
            "dns.mx.bogus",
            "dns.mx.wrong-id",
            "dns.mx.other-question",
            "dns.mx.as-query",
            "dns.mx.garbage",
            "dns.mx.empty",
            "dns.mx.chopped",
            "dns.mx.truncated-*",
        ),
        scope=CHAPTER,
    ),
    Mutant(
        NullMxIsNone,
        ("dns.mx.null", "dns.mx.null.not-zero", "dns.mx.null.later"),
        scope=CHAPTER,
    ),
    Mutant(
        DropsItselfOnly,
        ("dns.mx.own-name.best", "dns.mx.own-name.equal", "dns.mx.own-name.backup"),
        scope=CHAPTER,
    ),
    # Not through ipv4-dead: it never comes to the address that is dead, which is inconclusive.
    Mutant(
        OneFamily,
        ("dns.mx-host.ipv6-dead.*", "dns.mx-host.both-dead.refused"),
        scope=("control.*", "dns.mx-host.ipv6-*", "dns.mx-host.both-*"),
        needs_sealed=True,
    ),
    Mutant(
        NoColons,
        (
            "dns.smart-host.literal.ipv6*",
            "dns.smart-host.literal.ipv4-dead",
            "certificate.address*.ipv6.*",
        ),
        Law.CONFINED,
        scope=("control.*", "dns.smart-host.*", "certificate.address*"),
        needs_sealed=True,
    ),
)
