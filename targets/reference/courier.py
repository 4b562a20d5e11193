"""One attempt: which hosts, which addresses, in which order, and over what kind of TLS.

Theory of operation
-------------------
For each attempt the hosts of the route are found anew. Each address of each host is tried in turn
for the recipients that still wait: those that no server has taken, nor refused for good. After the
regular ones come the route's fallback relays. The last failure is a recipient's outcome, that of a
server before that of a name. Where the route reuses connections the recipients are served in
batches, and a session that turns out to be dead between two of them is replaced by a fresh one.
Nothing is raised: an error of our own is a failure too, with its traceback on stderr.
"""

import asyncio
import ipaddress
import itertools
import ssl
import sys
import traceback
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from copy import copy

from model.wishes import Wishes
from targets.base import BATCH, Route
from targets.reference.client import Session
from targets.reference.config import Config
from targets.reference.outcome import (
    Broken,
    DnsProblem,
    Failure,
    Kind,
    Outcome,
    Outcomes,
    Sent,
    Server,
    Stage,
)
from targets.reference.policy import Policy
from targets.reference.resolver import DnsFailure, Exchanger, NullMx, Resolver
from targets.reference.tls import Contexts, Unusable

Taken = Callable[[Mapping[str, Sent]], None]
"""Is told of recipients whom a server has just taken."""
OWN = frozenset({"127.0.0.1", "::1", "0.0.0.0", "::"})
"""The agent's own addresses: whoever connects there meets the agent itself (so Linux has it)."""


class Courier:
    """Carries one message for one domain to whoever takes it."""

    session: type[Session] = Session
    """What conversations are held with; a variant holds them otherwise."""

    def __init__(
        self, config: Config, resolver: Resolver, policy: Policy, contexts: Contexts
    ) -> None:
        self._config = config
        self._resolver = resolver
        self._policy = policy
        self._contexts = contexts
        self._leaving: set[asyncio.Task[None]] = set()
        self._wishes = Wishes()
        self._taken: Taken = _nobody_asks

    def on_behalf(self, wishes: Wishes, taken: "Taken") -> "Courier":
        """The same courier with a sender's wishes; `taken` hears at once whom a server took."""
        other = copy(self)
        other._wishes, other._taken = wishes, taken
        return other

    async def deliver(
        self, sender: str, recipients: Sequence[str], content: bytes, route: Route
    ) -> Outcomes:
        """Make one attempt; the outcome of each recipient."""
        try:
            return await self._attempt(sender, recipients, content, route)
        except Exception as error:  # noqa: BLE001 - whatever it is, the mail must stay in the queue
            traceback.print_exc(file=sys.stderr)
            failure = Failure(
                Stage.INTERNAL, Kind.INTERNAL, Server(route.domain), detail=type(error).__name__
            )
            return dict.fromkeys(recipients, failure)

    async def _attempt(
        self, sender: str, recipients: Sequence[str], content: bytes, route: Route
    ) -> Outcomes:
        nowhere = _dns_failure(DnsFailure(route.domain, DnsProblem.NO_RECORDS))
        outcomes: dict[str, Outcome] = dict.fromkeys(recipients, nowhere)
        waiting = list(recipients)
        async for server in self.servers(route):
            if isinstance(server, Server):
                outcomes |= await self._try(server, sender, waiting, content, route)
            else:  # what a server did says more than that another has no address
                outcomes |= {r: server for r in waiting if not _reached(outcomes[r])}
            waiting = [r for r in waiting if self._goes_on(outcomes[r])]
            if not waiting:
                break
        return outcomes

    async def _try(
        self,
        server: Server,
        sender: str,
        waiting: Sequence[str],
        content: bytes,
        route: Route,
    ) -> dict[str, Outcome]:
        """What one server makes of the recipients that still wait."""
        try:
            return await self._converse(server, sender, waiting, content, route)
        except Broken as broken:
            return dict.fromkeys(waiting, broken.failure)

    def _goes_on(self, outcome: Outcome) -> bool:
        """Whether the next server is asked for a recipient."""
        return isinstance(outcome, Failure) and self._policy.tries_next(outcome)

    # Where to

    async def servers(self, route: Route) -> AsyncIterator[Server | Failure]:
        """The addresses to try, in order, the fallback relays last; a failure where a name gives none."""
        async for server in self.regular(route):
            yield server
            if route.smart_hosts or isinstance(server, Server):
                continue
            if not self._policy.leaves_to_relay(server):
                return
        for relay in route.fallback:
            async for server in self._smart_host(relay):
                yield server

    async def regular(self, route: Route) -> AsyncIterator[Server | Failure]:
        """The same without the fallback relays."""
        for smart_host in route.smart_hosts:
            async for server in self._smart_host(smart_host):
                yield server
        if not route.smart_hosts and (literal := _literal(route.domain)):
            yield self._server(literal, literal)
        elif not route.smart_hosts:
            async for server in self._exchangers(await self._resolver.exchangers(route.domain)):
                yield server

    async def _smart_host(self, name: str) -> AsyncIterator[Server | Failure]:
        """A smart host is an address in brackets, a host name, or else the owner of MX records."""
        if literal := _literal(name):
            yield self._server(literal, literal)
            return
        found = await self._resolver.addresses(name)
        if isinstance(found, DnsFailure) and found.problem is DnsProblem.NO_RECORDS:
            async for server in self._exchangers(await self._resolver.mx_hosts(name)):
                yield server
            return
        for server in self._at(name, found):
            yield server

    async def _exchangers(
        self, found: tuple[Exchanger, ...] | DnsFailure | NullMx
    ) -> AsyncIterator[Server | Failure]:
        """Preference by preference, as far as this agent is not one of the hosts itself.

        RFC 5321 section 5.1: where it is, all hosts that are not preferred to it are left out.
        """
        if not isinstance(found, tuple):
            yield _dns_failure(found)
            return
        by_preference = itertools.groupby(found, lambda record: record.preference)
        for number, (_, records) in enumerate(by_preference):
            hosts = [record.host for record in records]
            learnt = await asyncio.gather(*map(self._resolver.addresses, hosts))
            pairs = list(zip(hosts, learnt, strict=True))
            if any(self.is_self(host, addresses) for host, addresses in pairs):
                if number == 0:
                    yield Failure(Stage.DNS, Kind.LOOP, Server(hosts[0]))
                return
            for host, addresses in pairs:
                for server in self._at(host, addresses):
                    yield server

    def is_self(self, host: str, addresses: tuple[str, ...] | DnsFailure) -> bool:
        """Whether a mail host is this agent, by its name or by an address."""
        named = host.rstrip(".").lower() == self._config.name
        return named or (isinstance(addresses, tuple) and not OWN.isdisjoint(addresses))

    def _at(self, host: str, addresses: tuple[str, ...] | DnsFailure) -> list[Server | Failure]:
        if isinstance(addresses, DnsFailure):
            return [_dns_failure(addresses)]
        return [self._server(host, ip) for ip in addresses]

    def _server(self, host: str, ip: str) -> Server:
        return Server(host, ip, self._config.smtp_port)

    # What is said there

    async def _converse(
        self,
        server: Server,
        sender: str,
        recipients: Sequence[str],
        content: bytes,
        route: Route,
    ) -> dict[str, Outcome]:
        """One session, or one for each batch that finds the last one dead."""
        session = await self._fresh(server, route)
        outcomes: dict[str, Outcome] = {}
        try:
            for batch in _batches(recipients, route):
                if outcomes:
                    session = await self._renewed(session, route)
                came = await session.transact(sender, batch, content)
                self._taken({r: one for r, one in came.items() if isinstance(one, Sent)})
                outcomes |= came
        except Broken as broken:
            session.abort()
            if not outcomes:
                raise
            return {**dict.fromkeys(recipients, broken.failure), **outcomes}
        except BaseException:
            session.abort()
            raise
        self._leave(session)
        return outcomes

    async def _renewed(self, session: Session, route: Route) -> Session:
        """The session made ready for another transaction, or a fresh one. Raises Broken."""
        try:
            if not session.lost:
                await session.renew()
                return session
        except Broken:
            pass
        session.abort()
        return await self._fresh(session.server, route)

    async def _fresh(self, server: Server, route: Route) -> Session:
        """A session ready for MAIL; one in clear where TLS was only a wish and could not be had."""
        try:
            return await self.prepare(server, route, encrypt=True)
        except Broken as broken:
            if not self._policy.falls_back(route.tls, broken.failure):
                raise
        return await self.prepare(server, route, encrypt=False)

    async def prepare(self, server: Server, route: Route, *, encrypt: bool) -> Session:
        """A session ready for MAIL. Raises Broken."""
        session = self.session(server, self._config.name, self._config.timers)
        session.source = route.source
        if route.proxy:
            session.proxy = self._server(route.proxy, route.proxy)
        try:
            await session.open()
            await session.hello()
            if encrypt:
                await self.secure(session, route)
        except BaseException:
            session.abort()
            raise
        session.wishes = self._policy.passes_on(self._wishes, session.offers("dsn"))
        return session

    async def secure(self, session: Session, route: Route) -> None:
        """Start TLS as the route demands, or where it is offered. Raises Broken."""
        demanded = self._policy.demands_tls(route.tls)
        if not session.offers("starttls"):
            if demanded:
                raise Broken(Failure(Stage.STARTTLS, Kind.TLS_NOT_OFFERED, session.server))
            return
        try:
            await self._start_tls(session, route)
        except Broken as broken:
            if demanded or not self._policy.goes_on(broken.failure):
                raise
            return
        await session.hello()

    async def _start_tls(self, session: Session, route: Route) -> None:
        context = self._context(session.server, route)
        await session.starttls(context, _sni(session.server))
        if self._policy.checks_name(route.tls):
            session.check_name(route.tls_domain)

    def _context(self, server: Server, route: Route) -> ssl.SSLContext:
        """What the handshake goes by; raises Broken if a certificate of our own is wanted and amiss."""
        checked = self._policy.checks_chain(route.tls)
        context = self._contexts.verifying if checked else self._contexts.blind
        if not route.certificate_file:
            return context
        try:
            return self._contexts.showing(route.certificate_file, route.key_file, checked=checked)
        except Unusable as why:
            if self._policy.goes_unnamed(route.tls):
                return context
            failure = Failure(Stage.STARTTLS, Kind.OWN_CERTIFICATE, server, detail=str(why))
            raise Broken(failure) from why

    def _leave(self, session: Session) -> None:
        """Let the session say QUIT by itself: the outcome does not wait for it."""
        task = asyncio.create_task(session.leave())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)


def _nobody_asks(sent: Mapping[str, Sent]) -> None:
    """For deliveries of which nobody keeps a record."""


def _batches(recipients: Sequence[str], route: Route) -> Iterator[Sequence[str]]:
    """The recipients of each transaction: all in one, if the route does not say otherwise."""
    size = BATCH if route.reuses else len(recipients)
    return (recipients[at : at + size] for at in range(0, len(recipients), size))


def _reached(outcome: Outcome) -> bool:
    """Whether there was an address to try."""
    return bool(outcome.server.ip)


def _dns_failure(why: DnsFailure | NullMx) -> Failure:
    server = Server(why.name.rstrip("."))
    if isinstance(why, NullMx):
        return Failure(Stage.DNS, Kind.NULL_MX, server)
    return Failure(Stage.DNS, Kind.DNS, server, detail=why.problem)


def _literal(name: str) -> str:
    """The address in brackets (RFC 5321 section 4.1.3); empty if it is a name."""
    if not (name.startswith("[") and name.endswith("]")):
        return ""
    return str(ipaddress.ip_address(name[1:-1].removeprefix("IPv6:")))


def _sni(server: Server) -> str | None:
    """The host name connected to; an address is never sent (RFC 6066 section 3)."""
    return server.host if server.host != server.ip else None
