"""Mutants that the chapter connect is there for."""

import asyncio
from dataclasses import replace
from functools import partial

from model.report import Report
from model.verdict import Law
from selftests.mutants.codes import _Mistaken
from selftests.mutants.mutant import Mutant
from targets.base import Route
from targets.reference.agent import Agent, Parts
from targets.reference.client import Session, Wire
from targets.reference.courier import Courier
from targets.reference.outcome import Broken, Failure, Kind, Reply, Server, Stage
from targets.reference.policy import Policy
from targets.reference.queue import Fate, Message

SCOPE = ("control.*", "connect.*")
PORTS = ("control.*", "connect.ports.*")
PROXY = ("control.*", "connect.proxy.*")
BAD_PROXY = ("connect.proxy.[!h]*", "connect.proxy.hangs-up")
"""Where a proxy fails."""


class NetIsRefused(Agent):
    """Says 4.4.316, as for a RST, when a router says that the net cannot be reached."""

    parts = Parts(dialect=partial(_Mistaken, {Kind.NET_UNREACHABLE: Kind.REFUSED}))


class FirstErrorForEver(Agent):
    """Reports what the first attempt met, whatever later ones meet."""

    def report(self, message: Message, fate: Fate) -> Report:
        """The report, with the oldest failure in place of the newest."""
        kept = self.__dict__.setdefault("first", {})
        if isinstance(fate.outcome, Failure):
            fate = replace(fate, outcome=kept.setdefault(fate.recipient, fate.outcome))
        return super().report(message, fate)


class _InAHurry(Session):
    async def open(self) -> None:
        timers = self._timers
        self._timers = replace(timers, reply=0.4 * timers.reply)
        try:
            await super().open()
        finally:
            self._timers = timers


class _InAHurryCourier(Courier):
    session = _InAHurry


class InAHurry(Agent):
    """Waits for the greeting two fifths of the time that it should."""

    parts = Parts(courier=_InAHurryCourier)


class _Prodding(Session):
    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        prod = loop.call_later(0.85 * self._timers.reply, self._prod)
        try:
            await super().open()
        finally:
            prod.cancel()

    def _prod(self) -> None:
        if isinstance(self._wire.transport, asyncio.WriteTransport):
            self._wire.transport.write(b"EHLO outbound.reference.test\r\n")


class _ProddingCourier(Courier):
    session = _Prodding


class SpeaksFirst(Agent):
    """Says EHLO without having been greeted, when the greeting is long in coming."""

    parts = Parts(courier=_ProddingCourier)


class _Insisting(Session):
    async def open(self) -> None:
        for _ in range(3):
            try:
                return await super().open()
            except Broken as broken:
                if broken.failure.kind is not Kind.REPLY:
                    raise
                self.abort()
                self._wire = Wire(asyncio.get_running_loop())
        return await super().open()


class _InsistingCourier(Courier):
    session = _Insisting


class Insists(Agent):
    """Connects again at once when it has been told that there are too many connections."""

    parts = Parts(courier=_InsistingCourier)


class _TooBusyIsFinal(Courier):
    async def _converse(self, server: Server, *rest: object) -> dict[str, object]:  # type: ignore[override]
        try:
            return await super()._converse(server, *rest)  # type: ignore[arg-type,return-value]
        except Broken as broken:
            failure = broken.failure
            if failure.stage is Stage.GREETING and failure.kind is Kind.REPLY:
                said = Reply(550, "5.7.0 " + str(failure.reply))
                raise Broken(replace(failure, stage=Stage.MAIL, reply=said)) from None
            raise


class TooBusyIsFinal(Agent):
    """Returns the mail that a quota has turned away."""

    parts = Parts(courier=_TooBusyIsFinal)


class _AnySource(Courier):
    async def prepare(self, server: Server, route: Route, *, encrypt: bool) -> Session:
        return await super().prepare(server, replace(route, source=""), encrypt=encrypt)


class AnySource(Agent):
    """Connects from whichever address the system takes, whatever the connector names."""

    parts = Parts(courier=_AnySource)


class _OtherSource(Courier):
    async def prepare(self, server: Server, route: Route, *, encrypt: bool) -> Session:
        try:
            return await super().prepare(server, route, encrypt=encrypt)
        except Broken as broken:
            if broken.failure.kind is not Kind.NO_SOURCE:
                raise
            return await super().prepare(server, replace(route, source=""), encrypt=encrypt)


class OtherSource(Agent):
    """Connects from another address if it has not the one that the connector names."""

    parts = Parts(courier=_OtherSource)


class _SourceIsFinal(Policy):
    def is_permanent(self, failure: Failure) -> bool:
        return failure.kind is Kind.NO_SOURCE or super().is_permanent(failure)


class SourceIsFinal(Agent):
    """Returns mail because it has not the address that the connector names."""

    parts = Parts(policy=_SourceIsFinal)


class _WithoutPort(Courier):
    """Makes something else of having no port to connect from."""

    async def prepare(self, server: Server, route: Route, *, encrypt: bool) -> Session:
        try:
            return await super().prepare(server, route, encrypt=encrypt)
        except Broken as broken:
            if broken.failure.kind is not Kind.NO_SOURCE or route.source:
                raise
            raise Broken(self.instead(broken.failure)) from None

    def instead(self, failure: Failure) -> Failure:
        raise NotImplementedError


class _NoPortIsFinal(_WithoutPort):
    def instead(self, failure: Failure) -> Failure:
        said = Reply(550, "5.3.0 Too many connections")
        return replace(failure, kind=Kind.REPLY, stage=Stage.MAIL, reply=said)


class NoPortIsFinal(Agent):
    """Returns mail because no port was left to connect from."""

    parts = Parts(courier=_NoPortIsFinal)


class _NoPortIsHostDown(_WithoutPort):
    def instead(self, failure: Failure) -> Failure:
        return replace(failure, kind=Kind.REFUSED)


class BlamesTheHostForNoPort(Agent):
    """Says that the host has refused the connection that there was no port for."""

    parts = Parts(courier=_NoPortIsHostDown)


class _Direct(Courier):
    async def prepare(self, server: Server, route: Route, *, encrypt: bool) -> Session:
        return await super().prepare(server, replace(route, proxy=""), encrypt=encrypt)


class KnowsNoProxy(Agent):
    """Connects to the hosts itself, whatever proxy the route has."""

    parts = Parts(courier=_Direct)


class _RoundProxy(Session):
    async def open(self) -> None:
        try:
            await super().open()
        except Broken:
            if self.proxy is None:
                raise
            self.proxy = None
            await super().open()


class _RoundProxyCourier(Courier):
    session = _RoundProxy


class GoesRoundProxy(Agent):
    """Connects to the host itself when the proxy fails."""

    parts = Parts(courier=_RoundProxyCourier)


class _ProxyIsFinal(Session):
    async def open(self) -> None:
        try:
            await super().open()
        except Broken as broken:
            if self.proxy is None:
                raise
            said = Reply(550, "5.7.1 The proxy does not let it pass")
            final = replace(broken.failure, kind=Kind.REPLY, stage=Stage.MAIL, reply=said)
            raise Broken(final) from None


class _ProxyIsFinalCourier(Courier):
    session = _ProxyIsFinal


class ProxyIsFinal(Agent):
    """Returns the mail that a proxy has not let pass."""

    parts = Parts(courier=_ProxyIsFinalCourier)


MUTANTS: tuple[Mutant, ...] = (
    Mutant(NetIsRefused, ("connect.net-unreachable*",), scope=SCOPE, needs_sealed=True),
    Mutant(FirstErrorForEver, ("connect.*.then-*",), scope=SCOPE),
    # Only where greetings are not late for another reason.
    Mutant(InAHurry, ("connect.banner.trickled",), scope=("control.*", "connect.banner.*")),
    Mutant(
        SpeaksFirst,
        ("connect.wrong-service.http", "connect.banner.trickled-to-a-stop"),
        scope=SCOPE,
    ),
    Mutant(Insists, ("connect.quota.*",), scope=SCOPE),
    Mutant(TooBusyIsFinal, ("connect.quota.*",), scope=SCOPE),
    Mutant(AnySource, ("connect.source.*",), Law.SOURCE, scope=SCOPE),
    Mutant(OtherSource, ("connect.source.absent",), Law.SOURCE, scope=SCOPE),
    Mutant(SourceIsFinal, ("connect.source.absent",), Law.CODE_CLASS, scope=SCOPE),
    # Elsewhere there are ports.
    *(
        Mutant(agent, ("connect.ports.*",), scope=PORTS, needs_sealed=True, hours=True)
        for agent in (NoPortIsFinal, BlamesTheHostForNoPort)
    ),
    # Elsewhere it never meets the proxy's fault.
    Mutant(
        KnowsNoProxy,
        ("connect.proxy.healthy",),
        Law.CONFINED,
        scope=("control.*", "connect.proxy.healthy"),
    ),
    Mutant(GoesRoundProxy, BAD_PROXY, Law.CONFINED, scope=PROXY),
    Mutant(ProxyIsFinal, BAD_PROXY, scope=PROXY),
)
