"""Finds mail hosts and their addresses (RFC 5321 section 5.1, RFC 7505).

Theory of operation
-------------------
A resolver asks one server, over UDP and, if the answer is truncated, over TCP. It keeps no
state and no cache, so no answer outlives its TTL. Whatever goes wrong is returned as a
`DnsFailure` that says which name was asked; nothing is raised.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass

import dns.asyncquery
import dns.exception
import dns.message
import dns.name
import dns.rcode

from targets.reference.outcome import DnsProblem

MAX_ALIASES = 8
"""How long a chain of CNAMEs may be that the server does not follow itself."""
TRIES = 2
"""How often a question is asked before its time-out counts."""
_GRAVEST = (DnsProblem.RETRY, DnsProblem.NONEXISTENT, DnsProblem.NO_RECORDS)
"""Which problem counts if both families of addresses have one: what may pass comes first."""


@dataclass(frozen=True, slots=True)
class DnsFailure:
    """A name that was asked for and gave nothing."""

    name: str
    problem: DnsProblem


@dataclass(frozen=True, slots=True)
class NullMx:
    """The domain says that it takes no mail (RFC 7505)."""

    name: str


@dataclass(frozen=True, slots=True)
class Exchanger:
    """One MX record."""

    preference: int
    host: str


class Resolver:
    """Asks one server; `timeout` is in seconds, for one try of one question."""

    def __init__(self, server: tuple[str, int], timeout: float) -> None:
        self._server = server
        self._timeout = timeout

    async def addresses(self, name: str) -> tuple[str, ...] | DnsFailure:
        """All addresses of a host, those of IPv6 first (RFC 5321 section 5.1, RFC 6724).

        One family is enough: many a name server answers for one of them only (RFC 4074).
        """
        both = await asyncio.gather(self._records(name, "AAAA"), self._records(name, "A"))
        found = [ip for one in both if isinstance(one, tuple) for ip in one]
        problems = {one.problem for one in both if isinstance(one, DnsFailure)}
        return tuple(found) or DnsFailure(name, next(p for p in _GRAVEST if p in problems))

    async def exchangers(self, domain: str) -> tuple[Exchanger, ...] | DnsFailure | NullMx:
        """The mail hosts of a domain in the order to try; itself if it has no MX record."""
        found = await self.mx_hosts(domain)
        if isinstance(found, DnsFailure) and found.problem is DnsProblem.NO_RECORDS:
            return (Exchanger(0, domain),)
        return found

    async def mx_hosts(self, domain: str) -> tuple[Exchanger, ...] | DnsFailure | NullMx:
        """The hosts of a domain's MX records in the order to try."""
        found = await self._records(domain, "MX")
        if isinstance(found, DnsFailure):
            return found
        records = [_exchanger(text) for text in found]
        hosts = self.order([record for record in records if record.host])
        return hosts or NullMx(domain)

    def order(self, records: Sequence[Exchanger]) -> tuple[Exchanger, ...]:
        """By preference, equal ones shuffled (RFC 5321 section 5.1)."""
        shuffled = random.sample(records, len(records))
        return tuple(sorted(shuffled, key=lambda r: r.preference))

    async def _records(self, name: str, qtype: str) -> tuple[str, ...] | DnsFailure:
        asked = name
        for _ in range(MAX_ALIASES):
            try:
                answer = await self.query(asked, qtype)
                result = _read(answer)
            except (dns.exception.DNSException, OSError, EOFError):
                return DnsFailure(name, DnsProblem.RETRY)
            if isinstance(result, DnsProblem):
                return DnsFailure(name, result)
            if isinstance(result, tuple):
                return result
            asked = result
        return DnsFailure(name, DnsProblem.RETRY)

    async def query(self, name: str, qtype: str) -> dns.message.Message:
        """One question's answer. Raises DNSException or OSError if none can be had."""
        question = dns.message.make_query(dns.name.from_text(name), qtype)
        for _ in range(TRIES - 1):
            try:
                return await self._exchange(question)
            except dns.exception.Timeout:
                continue
        return await self._exchange(question)

    async def _exchange(self, question: dns.message.Message) -> dns.message.Message:
        host, port = self._server
        answer, _ = await dns.asyncquery.udp_with_fallback(
            question, host, timeout=self._timeout, port=port, ignore_errors=True
        )
        return answer


def _read(answer: dns.message.Message) -> tuple[str, ...] | DnsProblem | str:
    """The records; or what is wrong; or an alias's target that has still to be asked for."""
    if answer.rcode() == dns.rcode.NXDOMAIN:
        return DnsProblem.NONEXISTENT
    if answer.rcode() != dns.rcode.NOERROR or not isinstance(answer, dns.message.QueryMessage):
        return DnsProblem.RETRY
    chain = answer.resolve_chaining()
    if chain.answer is not None:
        return tuple(record.to_text() for record in chain.answer)
    if chain.cnames:
        return chain.canonical_name.to_text()
    return DnsProblem.NO_RECORDS


def _exchanger(text: str) -> Exchanger:
    """An MX record from its text; the host is empty for the null MX."""
    preference, host = text.split()
    return Exchanger(int(preference), host.rstrip(".").lower())
