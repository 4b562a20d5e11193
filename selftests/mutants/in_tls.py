"""Mutants that the chapter tls is there for."""

import asyncio
import ssl
import warnings
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from model.tls import Tls
from model.verdict import Law
from selftests.mutants.mutant import Mutant
from targets.base import Route
from targets.reference.agent import Agent, Parts
from targets.reference.client import Session, Wire
from targets.reference.courier import Courier
from targets.reference.outcome import Broken, Failure, Kind, Outcome, Reply, Sent, Server, Stage
from targets.reference.policy import Policy
from targets.reference.tls import Contexts

HERE = ("control.*", "tls.*")


class _Abrupt(Session):
    greeted = False

    async def hello(self) -> None:
        if not self.greeted:
            await super().hello()
        self.greeted = True


class _NoSecondHello(Courier):
    session = _Abrupt


class NoSecondHello(Agent):
    """Says EHLO before TLS and not within it."""

    parts = Parts(courier=_NoSecondHello)


class _Shy(Courier):
    async def secure(self, session: Session, route: Route) -> None:
        if self._policy.demands_tls(route.tls):
            await super().secure(session, route)


class NeverByItself(Agent):
    """Starts TLS only where it is told to."""

    parts = Parts(courier=_Shy)


class _Remembers(Courier):
    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.clear: set[str] = set()

    async def prepare(self, server: Server, route: Route, *, encrypt: bool) -> Session:
        if not encrypt:
            self.clear.add(server.ip)
        known = server.ip in self.clear and route.tls is Tls.NONE
        return await super().prepare(server, route, encrypt=encrypt and not known)


class RemembersClear(Agent):
    """Never tries TLS again with a host that it once was in vain with."""

    parts = Parts(courier=_Remembers)


class _AsksFor(Courier):
    def name(self, server: Server, route: Route) -> str:
        """What is sent as SNI."""
        raise NotImplementedError

    async def _start_tls(self, session: Session, route: Route) -> None:
        checked = self._policy.checks_chain(route.tls)
        context = self._contexts.verifying if checked else self._contexts.blind
        await session.starttls(context, self.name(session.server, route))
        if self._policy.checks_name(route.tls):
            session.check_name(route.tls_domain)


class _AsksForDomain(_AsksFor):
    def name(self, server: Server, route: Route) -> str:
        return route.domain


class AsksForDomain(Agent):
    """Asks for the recipient's domain (SNI) in place of the host."""

    parts = Parts(courier=_AsksForDomain)


class _AsksForAddress(_AsksFor):
    def name(self, server: Server, route: Route) -> str:
        # With a dot behind it, lest the module ssl takes it for an address and leaves it out.
        return server.host if server.host != server.ip else f"{server.ip}."


class AsksForAddress(Agent):
    """Sends the address of a smart host as if it were its name (SNI)."""

    parts = Parts(courier=_AsksForAddress)


class _Leaky(Wire):
    def forget(self) -> None:
        """Keep it."""

    def unasked(self) -> bytes:
        """See nothing amiss."""
        return b""


class _Trusting(Session):
    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self._wire = _Leaky(asyncio.get_running_loop())


class _KeepsInjected(Courier):
    session = _Trusting


class KeepsInjected(Agent):
    """Reads within TLS what had come in clear before it."""

    parts = Parts(courier=_KeepsInjected)


class _Nostalgic(Session):
    sized = False

    async def hello(self) -> None:
        await super().hello()
        self.sized = self.sized or self.offers("size")

    def _parameters(self, addresses: Sequence[str], content: bytes) -> str:
        size = f" SIZE={len(content)}" if self.sized else ""
        return size + super()._parameters(addresses, content)


class _OldCapabilities(Courier):
    session = _Nostalgic


class OldCapabilities(Agent):
    """Uses within TLS what was offered in clear only."""

    parts = Parts(courier=_OldCapabilities)


class _Twice(Courier):
    async def secure(self, session: Session, route: Route) -> None:
        await super().secure(session, route)
        if session.offers("starttls") and session._tls is not None:
            reply = await session._say(Stage.STARTTLS, "STARTTLS")
            raise Broken(Failure(Stage.STARTTLS, Kind.TLS_REFUSED, session.server, reply))


class TlsTwice(Agent):
    """Starts TLS within TLS if it is offered."""

    parts = Parts(courier=_Twice)


class _Lenient(Contexts):
    @cached_property
    def blind(self) -> ssl.SSLContext:
        context = super().blind
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
        return context


class StoopsToOldVersions(Agent):
    """Speaks TLS 1.0 and 1.1 with whoever knows no better."""

    parts = Parts(contexts=_Lenient)


class _Shouting(Session):
    async def _say(self, stage: Stage, *words: str) -> Reply:
        reply = await super()._say(stage, *words)
        self.heard = frozenset(line.split(" ")[0] for line in reply.text.split("\n"))
        return reply

    def offers(self, capability: str) -> bool:
        return capability.upper() in self.heard


class _UpperCase(Courier):
    session = _Shouting


class UpperCaseOnly(Agent):
    """Knows a keyword in upper case only."""

    parts = Parts(courier=_UpperCase)


class _Final(Policy):
    def is_permanent(self, failure: Failure) -> bool:
        refused = failure.kind is Kind.TLS_REFUSED and failure.reply is not None
        if refused and failure.reply is not None and not failure.reply.transient:
            return True
        return super().is_permanent(failure)


class RefusedTlsIsFinal(Agent):
    """Returns mail at once when STARTTLS is answered by a 5yz."""

    parts = Parts(policy=_Final)


class _Polite(Session):
    async def _send(self, content: bytes) -> Outcome:
        try:
            return await super()._send(content)
        except Broken as lost:
            if self._tls is None or lost.failure.kind is not Kind.CLOSED:
                raise
            return Sent(self.server, Reply(250, "2.0.0 OK"))


class _PoliteCourier(Courier):
    session = _Polite


class TakesGoodbyeForYes(Agent):
    """Takes the end of TLS where a reply to the final dot should be for a 250."""

    parts = Parts(courier=_PoliteCourier)


MUTANTS: tuple[Mutant, ...] = (
    Mutant(NoSecondHello, ("tls.*",), Law.GREETS_AGAIN, scope=("tls.*",)),
    # Elsewhere it does not come to where the fault is, and nothing can be said of it.
    Mutant(
        NeverByItself,
        ("tls.required-by-host.under-none",),
        scope=("control.*", "tls.valid.*", "tls.required-by-host.*"),
    ),
    Mutant(RemembersClear, ("tls.fallback.not-remembered",), scope=HERE),
    Mutant(AsksForDomain, ("tls.sni.[dcn]*",), scope=HERE),
    Mutant(AsksForAddress, ("tls.sni.no-address",), scope=HERE),
    Mutant(KeepsInjected, ("tls.injected.*",), scope=HERE),
    Mutant(OldCapabilities, ("tls.capabilities.gone",), scope=HERE),
    Mutant(TlsTwice, ("tls.capabilities.starttls-again",), scope=HERE),
    Mutant(StoopsToOldVersions, ("tls.only-tls-1-[01].under-encrypt",), scope=HERE),
    Mutant(UpperCaseOnly, ("tls.lower-case.under-encrypt",), scope=HERE),
    Mutant(TakesGoodbyeForYes, ("tls.close-notify.at-dot*",), Law.ACCOUNTED, scope=HERE),
    Mutant(RefusedTlsIsFinal, ("tls.starttls-5*.under-encrypt",), scope=HERE),
)
