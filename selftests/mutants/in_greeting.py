"""Mutants that the chapter greeting is there for."""

import asyncio

from aiosmtplib.errors import SMTPResponseException

from model.timers import Timers
from model.verdict import Law
from selftests.mutants.mutant import Mutant
from targets.base import Route
from targets.reference.agent import Agent, Parts
from targets.reference.client import Session, Wire
from targets.reference.courier import Courier
from targets.reference.outcome import Reply, Server, Stage

SCOPE = ("control.*", "greeting.*")
"""Its own chapter, because a wrong agent costs a run of all it goes through."""


class _NoHelo(Session):
    async def hello(self) -> None:
        self._want_yes(await self._say(Stage.EHLO, "EHLO", self._name), Stage.EHLO)
        await super().hello()


class _NoHeloCourier(Courier):
    session = _NoHelo


class KnowsNoHelo(Agent):
    """Gives the attempt up where EHLO is refused, without trying HELO."""

    parts = Parts(courier=_NoHeloCourier)


class _Only250(Session):
    def _want_yes(self, reply: Reply, stage: Stage) -> None:
        code = 599 if stage is Stage.EHLO and reply.code != 250 else reply.code
        super()._want_yes(Reply(code, reply.text), stage)


class _Only250Courier(Courier):
    session = _Only250


class Only250(Agent):
    """Takes no other 2yz than 250 after EHLO and HELO."""

    parts = Parts(courier=_Only250Courier)


class _CaseSensitive(Session):
    def offers(self, capability: str) -> bool:
        return capability.upper().encode() in self._wire.heard


class _CaseSensitiveCourier(Courier):
    session = _CaseSensitive


class CaseSensitive(Agent):
    """Knows keywords of an EHLO reply in capital letters only."""

    parts = Parts(courier=_CaseSensitiveCourier)


class _ZeroCounts(Session):
    async def hello(self) -> None:
        await super().hello()
        if self._capabilities.get("size") == "0":
            self._capabilities["size"] = "1"


class _ZeroCountsCourier(Courier):
    session = _ZeroCounts


class ZeroCounts(Agent):
    """Takes a SIZE of 0 for a limit that no message keeps to."""

    parts = Parts(courier=_ZeroCountsCourier)


class _NeedsEsmtp(Session):
    async def open(self) -> None:
        await super().open()
        self._extended = b"ESMTP" in self._wire.heard

    async def hello(self) -> None:
        await super().hello()
        if not self._extended:
            self._capabilities = {}


class _NeedsEsmtpCourier(Courier):
    session = _NeedsEsmtp


class NeedsEsmtp(Agent):
    """Uses no extension of a server whose greeting does not say ESMTP."""

    parts = Parts(courier=_NeedsEsmtpCourier)


class _HeloIsClear(Courier):
    async def secure(self, session: Session, route: Route) -> None:
        if session._capabilities:
            await super().secure(session, route)


class HeloIsClear(Agent):
    """Sends in clear where TLS is demanded, to a server that knows HELO only."""

    parts = Parts(courier=_HeloIsClear)


class _SmallWire(Wire):
    def data_received(self, data: bytes) -> None:
        waiter = self._response_waiter
        if len(self._buffer) + len(data) > 4096 and waiter is not None and not waiter.done():
            self._set_response_exception(waiter, SMTPResponseException(-1, "Reply too long"))
        else:
            super().data_received(data)


class _SmallBuffer(Session):
    def __init__(self, server: Server, name: str, timers: Timers) -> None:
        super().__init__(server, name, timers)
        self._wire = _SmallWire(asyncio.get_running_loop())


class _SmallBufferCourier(Courier):
    session = _SmallBuffer


class SmallBuffer(Agent):
    """Has room for 4 KB of a reply, and takes a longer one for nonsense."""

    parts = Parts(courier=_SmallBufferCourier)


class _Nameless(Session):
    def __init__(self, server: Server, name: str, timers: Timers) -> None:
        super().__init__(server, "localhost", timers)


class _NamelessCourier(Courier):
    session = _Nameless


class SaysLocalhost(Agent):
    """Introduces itself as localhost."""

    parts = Parts(courier=_NamelessCourier)


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        KnowsNoHelo,
        (
            "greeting.ehlo-50[02]",
            "greeting.ehlo-502.in-tls",
            "greeting.ehlo-500.late",
            "greeting.helo-299",
            "greeting.helo.*",
        ),
        scope=SCOPE,
    ),
    Mutant(Only250, ("greeting.helo-299",), scope=SCOPE),
    Mutant(CaseSensitive, ("greeting.ehlo.*-case",), scope=SCOPE),
    Mutant(ZeroCounts, ("greeting.ehlo.size-0",), scope=SCOPE),
    Mutant(NeedsEsmtp, ("greeting.no-esmtp.under-encrypt",), scope=SCOPE),
    Mutant(HeloIsClear, ("greeting.ehlo-502.under-encrypt",), Law.NO_CLEAR_TEXT, scope=SCOPE),
    Mutant(SaysLocalhost, ("greeting.ehlo.own-name",), scope=SCOPE),
    Mutant(SmallBuffer, ("greeting.ehlo.1000-keywords*",), scope=SCOPE),
)
