"""Mutants that do not look after the mail: they drop, double, alter, or give it up too easily."""

import math
from collections.abc import Sequence
from dataclasses import replace

from model.failure import Failure as Cause
from model.report import State
from model.verdict import Law
from selftests.mutants.mutant import Mutant
from selftests.mutants.where import (
    arrives,
    fails_by,
    flaps,
    is_kept,
    is_refused_for_good,
    waits_for_hours,
)
from targets.base import Route
from targets.reference.agent import Agent, Parts
from targets.reference.client import Session
from targets.reference.courier import Courier
from targets.reference.outcome import (
    Broken,
    Failure,
    Kind,
    Outcome,
    Outcomes,
    Reply,
    Sent,
    Stage,
)
from targets.reference.policy import Policy
from targets.reference.queue import Fate, Message, Parcel, Queue

DONE = Reply(250, "2.0.0 OK")


class _Bounces(Policy):
    def is_permanent(self, failure: Failure) -> bool:
        return True


class BouncesAtOnce(Agent):
    """Gives mail up at the first failure, of whatever kind."""

    parts = Parts(policy=_Bounces)


class _DnsIsFinal(Policy):
    def is_permanent(self, failure: Failure) -> bool:
        return failure.kind is Kind.DNS or super().is_permanent(failure)


class DnsIsFinal(Agent):
    """Gives mail up when DNS fails once."""

    parts = Parts(policy=_DnsIsFinal)


class _FourIsFinal(Policy):
    def is_permanent(self, failure: Failure) -> bool:
        return super().is_permanent(failure) or (
            failure.reply is not None
            and failure.stage
            in (
                Stage.MAIL,
                Stage.RCPT,
                Stage.DATA,
                Stage.DOT,
            )
        )


class FourIsFinal(Agent):
    """Takes a 4yz for a 5yz."""

    parts = Parts(policy=_FourIsFinal)


class _FivePasses(Policy):
    def is_permanent(self, failure: Failure) -> bool:
        return failure.stage is not Stage.RCPT and super().is_permanent(failure)


class FivePasses(Agent):
    """Takes a 5yz to RCPT for a 4yz, and tries again."""

    parts = Parts(policy=_FivePasses)


class _Never(Policy):
    def pause(self, attempts: int) -> float:
        return math.inf


class NeverRetries(Agent):
    """Keeps mail to the end of its lifetime, but never tries again unless told to."""

    parts = Parts(policy=_Never)


class _CutIsSent(Session):
    async def _send(self, content: bytes) -> Outcome:
        try:
            return await super()._send(content)
        except Broken as lost:
            if lost.failure.stage is not Stage.DOT:
                raise
            return Sent(self.server, DONE)


class _CutIsSentCourier(Courier):
    session = _CutIsSent


class CutIsSent(Agent):
    """Drops the mail when the connection breaks after the dot, as if it had been taken."""

    parts = Parts(courier=_CutIsSentCourier)


class _RefusalIsSent(Session):
    async def _send(self, content: bytes) -> Outcome:
        outcome = await super()._send(content)
        return Sent(self.server, DONE) if isinstance(outcome, Failure) else outcome


class _RefusalIsSentCourier(Courier):
    session = _RefusalIsSent


class RefusalIsSent(Agent):
    """Reports as delivered what was refused at the dot."""

    parts = Parts(courier=_RefusalIsSentCourier)


class _Twice(Courier):
    async def deliver(
        self, sender: str, recipients: Sequence[str], content: bytes, route: Route
    ) -> Outcomes:
        outcomes = await super().deliver(sender, recipients, content, route)
        if sender and any(isinstance(outcome, Sent) for outcome in outcomes.values()):
            return await super().deliver(sender, recipients, content, route)
        return outcomes


class DeliversTwice(Agent):
    """Delivers once more what has been taken, except its own NDRs."""

    parts = Parts(courier=_Twice)


class _Forgets421(Queue):
    def _settle(self, parcel: Parcel, fates: Sequence[Fate]) -> None:
        super()._settle(parcel, fates)
        for fate in fates:
            if isinstance(fate.outcome, Failure) and fate.outcome.stage is Stage.GREETING:
                parcel.waiting.clear()


class Forgets421(Agent):
    """Loses mail whose server refused in its greeting, having reported it as deferred."""

    parts = Parts(queue=_Forgets421)


class _Footer(Policy):
    def content(self, content: bytes) -> bytes:
        return content + b"-- \r\nNo virus was found in this message.\r\n"


class Footer(Agent):
    """Appends a line to what it delivers."""

    parts = Parts(policy=_Footer)


class _Trims(Policy):
    def content(self, content: bytes) -> bytes:
        head, _, body = content.partition(b"\r\nMIME-Version: 1.0")
        return head + body


class LosesHeader(Agent):
    """Loses a field of the header on the way."""

    parts = Parts(policy=_Trims)


class _OtherSender(Courier):
    async def deliver(
        self, sender: str, recipients: Sequence[str], content: bytes, route: Route
    ) -> Outcomes:
        own = sender and f"bounces@{sender.rpartition('@')[2]}"
        return await super().deliver(own, recipients, content, route)


class OtherSender(Agent):
    """Puts an address of its own in the place of the envelope's sender."""

    parts = Parts(courier=_OtherSender)


class TakesBack(Agent):
    """Says of mail that it has delivered that it has returned it."""

    def told(self, message: Message, fates: Sequence[Fate]) -> None:
        """Report as ever, and then the contrary."""
        super().told(message, fates)
        for fate in fates:
            if fate.state is State.DELIVERED:
                said = replace(self.report(message, fate), state=State.RETURNED)
                self.keeper.report(replace(said, smtp=550, enhanced="5.0.0"))


class _Unstuffed(Session):
    def framed(self, content: bytes) -> bytes:
        return content + b".\r\n"


class _UnstuffedCourier(Courier):
    session = _Unstuffed


class Unstuffed(Agent):
    """Does not double the dots at the beginning of lines."""

    parts = Parts(courier=_UnstuffedCourier)


MUTANTS = (
    Mutant(BouncesAtOnce, (is_kept,), Law.CODE_CLASS),
    Mutant(DnsIsFinal, (fails_by(Cause.DNS_QUERY_FAILED),), Law.CODE_CLASS),
    Mutant(FourIsFinal, (fails_by(Cause.PEER_REPLY), flaps), Law.CODE_CLASS),
    Mutant(FivePasses, (is_refused_for_good,), Law.CODE_CLASS),
    Mutant(NeverRetries, (waits_for_hours,), needs_sealed=True, hours=True),
    Mutant(CutIsSent, (fails_by(Cause.CLOSED_ABRUPTLY), flaps), Law.ACCOUNTED),
    Mutant(RefusalIsSent, (fails_by(Cause.PEER_REPLY), flaps), Law.ACCOUNTED),
    Mutant(DeliversTwice, (arrives,), Law.ACCOUNTED),
    # Not through the chapter expiry: what has been dropped never expires, and that is waited for.
    Mutant(
        Forgets421,
        (fails_by(Cause.CANNOT_CONNECT), fails_by(Cause.CLOSED_ABRUPTLY)),
        Law.ACCOUNTED,
        scope=("control.*", "greeting.*", "reply.*"),
    ),
    Mutant(Footer, (arrives,), Law.INTACT),
    Mutant(LosesHeader, (arrives,), Law.INTACT),
    Mutant(Unstuffed, (arrives,), Law.INTACT),
    Mutant(OtherSender, (arrives,), Law.INTACT),
    # Where little else is going on: nobody waits for an NDR that never comes.
    Mutant(TakesBack, ("*",), Law.ACCOUNTED, scope=("control.*", "tls.valid.*")),
)
