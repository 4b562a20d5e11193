"""Mutants that the chapter middlebox is there for."""

import asyncio
import re
from collections.abc import Sequence

from model.verdict import Law
from selftests.mutants.mutant import Mutant
from targets.base import Route
from targets.reference.agent import Agent, Parts
from targets.reference.client import Session
from targets.reference.courier import Courier
from targets.reference.outcome import Broken, Failure, Kind, Outcome, Reply, Sent, Server, Stage

SCOPE = ("control.*", "middlebox.*")
CODES = frozenset(
    {
        *(421, 450, 451, 452, 455),
        *(500, 501, 502, 503, 504, 550, 551, 552, 553, 554, 555),
    }
)
"""The replies of refusal that RFC 5321 section 4.2.3 lists."""


class _AsksForAName(Session):
    def _want_yes(self, reply: Reply, stage: Stage) -> None:
        super()._want_yes(reply, stage)
        if stage is Stage.GREETING and not re.match(r"[\w-]+(\.[\w-]+)+ ", reply.text):
            self._break(stage, Kind.GARBAGE, reply)


class _CourierAsksForAName(Courier):
    session = _AsksForAName


class AsksForAName(Agent):
    """Talks to nobody whose greeting does not begin with a host name."""

    parts = Parts(courier=_CourierAsksForAName)


class _EhloOnly(Session):
    async def hello(self) -> None:
        reply = await self._say(Stage.EHLO, "EHLO", self._name)
        self._want_yes(reply, Stage.EHLO)
        await super().hello()


class _CourierEhloOnly(Courier):
    session = _EhloOnly


class EhloOnly(Agent):
    """Gives up on a server that does not know EHLO."""

    parts = Parts(courier=_CourierEhloOnly)


class _OneDeadline(Courier):
    async def _converse(
        self,
        server: Server,
        sender: str,
        recipients: Sequence[str],
        content: bytes,
        route: Route,
    ) -> dict[str, Outcome]:
        try:
            async with asyncio.timeout(self._config.timers.reply):
                return await super()._converse(server, sender, recipients, content, route)
        except TimeoutError:
            return dict.fromkeys(recipients, Failure(Stage.DOT, Kind.HUNG, server))


class OneDeadline(Agent):
    """Has one time-out for the whole session instead of one a command."""

    parts = Parts(courier=_OneDeadline)


class _Pipelines(Session):
    async def transact(
        self, sender: str, recipients: Sequence[str], content: bytes
    ) -> dict[str, Outcome]:
        parameters = self._parameters((sender, *recipients), content)
        group = [f"MAIL FROM:<{sender}>{parameters}"]
        group += [f"RCPT TO:<{recipient}>" for recipient in recipients]
        try:
            said = await self._say_all(group)
            if said[0].code >= 300:
                return dict.fromkeys(recipients, self._refusal(Stage.MAIL, said[0]))
            outcomes: dict[str, Outcome] = {
                recipient: self._refusal(Stage.RCPT, reply)
                for recipient, reply in zip(recipients, said[1:], strict=True)
                if reply.code >= 300
            }
            accepted = [r for r in recipients if r not in outcomes]
            if accepted:
                outcomes |= dict.fromkeys(accepted, await self._send(content))
        except Broken as lost:
            return dict.fromkeys(recipients, lost.failure)
        return outcomes

    async def _say_all(self, group: Sequence[str]) -> list[Reply]:
        """Every reply is one line, and all of them are kept in what was heard."""
        self._wire.heard.clear()
        self._wire.write("".join(f"{line}\r\n" for line in group).encode())
        while self._wire.heard.count(b"\n") < len(group):
            await self._reply(Stage.RCPT, self._wire.read_response(self._timers.reply))
        self._wire._buffer.clear()  # the library reads the first reply only, and keeps the others
        lines = self._wire.heard.decode().splitlines()
        return [Reply(int(line[:3]), line[4:]) for line in lines]


class _CourierPipelines(Courier):
    session = _Pipelines


class Pipelines(Agent):
    """Sends MAIL and RCPT in one go, whether PIPELINING is offered or not."""

    parts = Parts(courier=_CourierPipelines)


class _RemembersNoTls(Courier):
    async def secure(self, session: Session, route: Route) -> None:
        if session.server in _WITHOUT and self._policy.demands_tls(route.tls):
            raise Broken(Failure(Stage.STARTTLS, Kind.TLS_NOT_OFFERED, session.server))
        if not session.offers("starttls"):
            _WITHOUT.add(session.server)
        await super().secure(session, route)


_WITHOUT: set[Server] = set()
"""Who has ever offered no STARTTLS."""


class RemembersNoTls(Agent):
    """Believes for ever that a host has no TLS because it once offered none."""

    parts = Parts(courier=_RemembersNoTls)


class _SilenceIsYes(Session):
    async def _send(self, content: bytes) -> Outcome:
        try:
            return await super()._send(content)
        except Broken as lost:
            if lost.failure.kind is not Kind.HUNG or lost.failure.stage is not Stage.DOT:
                raise
            return Sent(self.server, Reply(250, "2.0.0 nothing to the contrary"))


class _CourierSilenceIsYes(Courier):
    session = _SilenceIsYes


class SilenceIsYes(Agent):
    """Takes a message for delivered that nobody objects to in time."""

    parts = Parts(courier=_CourierSilenceIsYes)


class _KnowsItsCodes(Session):
    def _refusal(self, stage: Stage, reply: Reply) -> Failure:
        if reply.code in CODES:
            return super()._refusal(stage, reply)
        return Failure(stage, Kind.GARBAGE, self.server, reply)


class _CourierKnowsItsCodes(Courier):
    session = _KnowsItsCodes


class KnowsItsCodes(Agent):
    """Takes a code that RFC 5321 does not list for no reply at all."""

    parts = Parts(courier=_CourierKnowsItsCodes)


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        AsksForAName,
        ("middlebox.greeting-masked.*", "middlebox.default-inspection"),
        scope=SCOPE,
    ),
    Mutant(EhloOnly, ("middlebox.ehlo-rewritten.under-none",), scope=SCOPE),
    Mutant(OneDeadline, ("middlebox.tarpit",), scope=SCOPE),
    Mutant(Pipelines, ("middlebox.pipelining.masked",), scope=SCOPE),
    Mutant(RemembersNoTls, ("middlebox.starttls-removed.turned-off",), scope=SCOPE),
    Mutant(
        SilenceIsYes,
        (
            "middlebox.idle-at-dot.dropped",
            "middlebox.dot.lost",
            "middlebox.*-long.dropped",
            "middlebox.content-blocked.dropped",
        ),
        Law.ACCOUNTED,
        scope=SCOPE,
    ),
    Mutant(KnowsItsCodes, ("middlebox.content-blocked.541",), scope=SCOPE),
)
