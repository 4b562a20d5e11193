"""Mutants that the chapter session is there for: they mistake how a conversation ends."""

import asyncio
import re
from collections.abc import Awaitable, Sequence

from aiosmtplib.response import SMTPResponse

from model.verdict import Law
from selftests.mutants.mutant import Mutant
from targets.base import Route
from targets.reference.agent import Agent, Parts
from targets.reference.client import Session
from targets.reference.courier import Courier
from targets.reference.outcome import Broken, Failure, Kind, Outcome, Reply, Sent, Server, Stage

CHAPTER = ("control.*", "session.*")
DONE = Reply(250, "2.0.0 OK")
LOSSES = (Kind.CLOSED, Kind.RESET, Kind.HUNG)


class _Patient(Session):
    def patience(self, stage: Stage) -> float:
        return 2.5 * super().patience(stage)


class _PatientCourier(Courier):
    session = _Patient


class WaitsTooLong(Agent):
    """Waits for a reply more than twice as long as it is told to."""

    parts = Parts(courier=_PatientCourier)


class _OneTimer(Session):
    _ends = 0.0

    def patience(self, stage: Stage) -> float:
        now = asyncio.get_running_loop().time()
        self._ends = self._ends or now + 1.7 * super().patience(stage)
        return max(0.01, self._ends - now)


class _OneTimerCourier(Courier):
    session = _OneTimer


class OneTimerForAll(Agent):
    """Has one time-out for the whole session instead of one for each command."""

    parts = Parts(courier=_OneTimerCourier)


class _Halves(Session):
    async def _reply(self, stage: Stage, answer: Awaitable[SMTPResponse]) -> Reply:
        try:
            return await super()._reply(stage, answer)
        except Broken as lost:
            half = re.search(rb"\n([2-5][0-9]{2}) [^\n]*\Z", self._wire.heard)
            if half is None or stage is not Stage.DOT or lost.failure.kind is not Kind.CLOSED:
                raise
            return Reply(int(half[1]), "")


class _HalvesCourier(Courier):
    session = _Halves


class TakesHalfForWhole(Agent):
    """Believes the first half of the reply to the dot, whose second half never comes."""

    parts = Parts(courier=_HalvesCourier)


class _AsksAgain(Session):
    async def transact(
        self, sender: str, recipients: Sequence[str], content: bytes
    ) -> dict[str, Outcome]:
        outcomes = await super().transact(sender, recipients, content)
        if any(_is_refusal(outcome) for outcome in outcomes.values()):
            try:
                await self.renew()
            except Broken as lost:
                return dict.fromkeys(recipients, lost.failure)
        return outcomes


def _is_refusal(outcome: Outcome) -> bool:
    reply = outcome.reply if isinstance(outcome, Failure) else None
    return reply is not None and not reply.transient


class _AsksAgainCourier(Courier):
    session = _AsksAgain


class LostAfterRefusal(Agent):
    """Takes a 5yz for a lost connection if the connection is lost behind it."""

    parts = Parts(courier=_AsksAgainCourier)


class _Hopeful(Session):
    async def transact(
        self, sender: str, recipients: Sequence[str], content: bytes
    ) -> dict[str, Outcome]:
        outcomes = await super().transact(sender, recipients, content)
        for recipient in recipients[:-1]:
            outcome = outcomes[recipient]
            if isinstance(outcome, Failure) and outcome.stage is Stage.RCPT:
                accepted = outcome.kind in LOSSES
                outcomes[recipient] = Sent(self.server, DONE) if accepted else outcome
        return outcomes


class _HopefulCourier(Courier):
    session = _Hopeful


class AcceptedIsSent(Agent):
    """Counts recipients as served that were accepted before the connection was lost."""

    parts = Parts(courier=_HopefulCourier)


class _Polite(Session):
    async def transact(
        self, sender: str, recipients: Sequence[str], content: bytes
    ) -> dict[str, Outcome]:
        outcomes = await super().transact(sender, recipients, content)
        if any(isinstance(outcome, Failure) for outcome in outcomes.values()):
            return outcomes
        try:
            self._want_yes(await self._say(Stage.DOT, "QUIT"), Stage.DOT)
        except Broken as lost:
            return dict.fromkeys(recipients, lost.failure)
        return outcomes


class _PoliteCourier(Courier):
    session = _Polite


class QuitDecides(Agent):
    """Counts mail as sent only once QUIT has been answered, and else sends it again."""

    parts = Parts(courier=_PoliteCourier)


class _Abrupt(Session):
    async def leave(self) -> None:
        self.abort()


class _AbruptCourier(Courier):
    session = _Abrupt


class LeavesUnsaid(Agent):
    """Closes the connection without QUIT."""

    parts = Parts(courier=_AbruptCourier)


class _StartsOver(Courier):
    async def _renewed(self, session: Session, route: Route) -> Session:
        renewed = await super()._renewed(session, route)
        if renewed is not session:
            raise _Dead
        return renewed

    async def _converse(
        self,
        server: Server,
        sender: str,
        recipients: Sequence[str],
        content: bytes,
        route: Route,
    ) -> dict[str, Outcome]:
        try:
            return await super()._converse(server, sender, recipients, content, route)
        except _Dead:
            session = await self._fresh(server, route)
            return await session.transact(sender, recipients, content)


class _Dead(Exception):
    """A connection did not live to be used again."""


class StartsOver(Agent):
    """Sends to everybody again if a connection turns out to be dead between two batches."""

    parts = Parts(courier=_StartsOver)


MUTANTS = (
    Mutant(
        WaitsTooLong,
        (
            "session.greeting.late",
            "session.*ehlo.late",
            "session.starttls.late",
            "session.mail.late",
            "session.rcpt*.late",
            "session.d*.late",
        ),
        scope=CHAPTER,
    ),
    Mutant(OneTimerForAll, ("session.every.slow",), scope=CHAPTER),
    Mutant(TakesHalfForWhole, ("session.dot.half-reply",), Law.ACCOUNTED, scope=CHAPTER),
    Mutant(LostAfterRefusal, ("session.*.55*", "session.rset.*"), scope=CHAPTER),
    Mutant(AcceptedIsSent, ("session.rcpt-n.*",), Law.ACCOUNTED, scope=CHAPTER),
    # Not where a connection is used again: it has said QUIT by then.
    Mutant(
        QuitDecides,
        ("session.quit.*",),
        Law.ACCOUNTED,
        scope=("control.*", "session.quit.*", "session.mail.*", "session.dot.*"),
    ),
    Mutant(
        LeavesUnsaid,
        ("session.quit.said",),
        scope=("control.*", "session.quit.said", "session.mail.*", "session.rcpt.*"),
    ),
    Mutant(StartsOver, ("session.reused.*", "session.idle.*"), Law.ACCOUNTED, scope=CHAPTER),
)
