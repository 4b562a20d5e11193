"""Mutants that go wrong about the return of mail: too early, too often, to the wrong people."""

from collections.abc import Sequence
from dataclasses import replace
from email import message_from_bytes
from email.message import Message as Part
from email.utils import parseaddr

from model.report import State
from model.verdict import Law
from selftests.mutants.mutant import Mutant
from selftests.mutants.where import both, expires, is_refused_for_good, is_unheard, waits_for_hours
from targets.reference.agent import Agent, Parts
from targets.reference.dialect import Dialect, Statement
from targets.reference.ndr import Action, Lost, Writer
from targets.reference.outcome import Failure
from targets.reference.policy import Policy
from targets.reference.queue import Fate, Message, Parcel, Queue

DAY = 24 * 3600.0
"""Seconds."""


class _Silent(Policy):
    def ndrs(self, sender: str) -> int:
        return 0


class Silent(Agent):
    """Tells nobody that their mail is lost."""

    parts = Parts(policy=_Silent)


class _Twice(Policy):
    def ndrs(self, sender: str) -> int:
        return 2 * super().ndrs(sender)


class TwoNotices(Agent):
    """Returns lost mail twice."""

    parts = Parts(policy=_Twice)


class AnswersNull(Agent):
    """Returns mail of the null sender to the author in its header."""

    def give_back(self, message: Message, lost: Sequence[Lost]) -> None:
        """Send the NDR to whoever stands in From."""
        author = parseaddr(message_from_bytes(message.content)["From"])[1]
        super().give_back(replace(message, sender=message.sender or author), lost)


class Postmaster(Agent):
    """Sends its NDRs from an address, so that they can be answered by NDRs."""

    ndr_sender = "postmaster@outbound.reference.test"


class AtOnce(Agent):
    """Sends an NDR at the first deferral, and keeps the mail."""

    def told(self, message: Message, fates: Sequence[Fate]) -> None:
        """Report as ever, and then return what is only deferred."""
        super().told(message, fates)
        early = [
            self._lost(fate, fate.outcome)
            for fate in fates
            if fate.state is State.DEFERRED and isinstance(fate.outcome, Failure)
        ]
        if early:
            self.give_back(message, early)


class _Hasty(Policy):
    def is_over(self, age: float, lifetime: float) -> bool:
        return super().is_over(age, lifetime / 4)


class TooEarly(Agent):
    """Gives mail up when a quarter of its lifetime is over."""

    parts = Parts(policy=_Hasty)


class OneDay(Agent):
    """Gives all mail up after 24 hours."""

    def lifetime(self, domain: str) -> float:
        """A day at most."""
        return min(super().lifetime(domain), DAY)


class _Patient(Policy):
    def is_over(self, age: float, lifetime: float) -> bool:
        return False


class NeverExpires(Agent):
    """Keeps trying for ever."""

    parts = Parts(policy=_Patient)


class _SaysReturned(Queue):
    def _settle(self, parcel: Parcel, fates: Sequence[Fate]) -> None:
        super()._settle(parcel, [_as_returned(fate) for fate in fates])


def _as_returned(fate: Fate) -> Fate:
    return replace(fate, state=State.RETURNED) if fate.state is State.EXPIRED else fate


class _LikeExpired(Dialect):
    def returned(self, failure: Failure) -> Statement:
        usual = super().returned(failure)
        return usual if usual.enhanced.startswith("5") else self.expired(failure)


class ReturnedEarly(Agent):
    """Gives mail up when a quarter of its lifetime is over, and calls it a refusal."""

    parts = Parts(policy=_Hasty, queue=_SaysReturned, dialect=_LikeExpired)


class _NobodyHears(Queue):
    def _over(self, parcel: Parcel) -> bool:
        age = self._clock.now() - parcel.message.arrived
        unheard = not parcel.message.sender and age >= parcel.lifetime / 4
        return unheard or super()._over(parcel)


class DropsUnheardEarly(Agent):
    """Gives mail up early of which nobody is told."""

    parts = Parts(queue=_NobodyHears)


class _OtherDetail(Writer):
    def block(self, lost: Lost) -> Part:
        block = super().block(lost)
        if lost.action is Action.FAILED:
            block.replace_header("Status", f"{lost.final.enhanced[0]}.3.5")
        return block


class OtherDetail(Agent):
    """Gives another reason in its NDRs than in its reports."""

    parts = Parts(writer=_OtherDetail)


class _OtherDelay(Writer):
    def block(self, lost: Lost) -> Part:
        block = super().block(lost)
        if lost.action is Action.DELAYED:
            block.replace_header("Status", "4.3.5")
        return block


class OtherDelay(Agent):
    """Gives another reason in its notices of delay than in its reports."""

    parts = Parts(writer=_OtherDelay)


class _ClassFour(Writer):
    def block(self, lost: Lost) -> Part:
        block = super().block(lost)
        block.replace_header("Status", f"4{lost.final.enhanced[1:]}")
        return block


class ClassFour(Agent):
    """Writes Status 4.x.x beside a 5yz in its NDRs."""

    parts = Parts(writer=_ClassFour)


class _AboutTheSender(Writer):
    def block(self, lost: Lost) -> Part:
        block = super().block(lost)
        block.replace_header("Final-Recipient", "rfc822;postmaster@outbound.reference.test")
        return block


class AboutAnother(Agent):
    """Names somebody else than the recipient in its NDRs."""

    parts = Parts(writer=_AboutTheSender)


class _KeepsExpired(Policy):
    def stays(self, state: State) -> bool:
        return super().stays(state) or state is State.EXPIRED


class KeepsExpired(Agent):
    """Returns the mail at the end of its lifetime, and keeps it in the queue."""

    parts = Parts(policy=_KeepsExpired)


GIVEN_UP = (expires, is_refused_for_good)
"""Wherever mail comes back in the end."""
TOLD = (*GIVEN_UP, waits_for_hours)
"""And wherever a notice of delay may come home."""

MUTANTS = (
    Mutant(Silent, GIVEN_UP, Law.ACCOUNTED, hours=True),
    Mutant(NeverExpires, (expires,), hours=True),
    Mutant(TwoNotices, GIVEN_UP, Law.NDR_IN_TIME, hours=True),
    # Where little else is going on: nobody waits for an NDR that must not come.
    Mutant(
        AnswersNull,
        ("expiry.null-sender",),
        Law.NDR_IN_TIME,
        scope=("control.*", "expiry.null-sender", "expiry.connection-refused"),
        hours=True,
    ),
    Mutant(Postmaster, TOLD, Law.NDR_IN_TIME, hours=True),
    # Through the chapter expiry only: elsewhere its NDR may come home when all is settled already.
    Mutant(AtOnce, (expires,), Law.NDR_IN_TIME, scope=("control.*", "expiry.*"), hours=True),
    Mutant(TooEarly, (waits_for_hours,), Law.NDR_IN_TIME, hours=True),
    Mutant(OneDay, (waits_for_hours,), Law.NDR_IN_TIME, hours=True),
    Mutant(ReturnedEarly, (expires,), scope=("control.*", "expiry.*"), hours=True),
    Mutant(
        DropsUnheardEarly,
        (both(expires, is_unheard),),
        Law.NDR_IN_TIME,
        scope=("control.*", "expiry.*"),
        hours=True,
    ),
    Mutant(OtherDetail, (is_refused_for_good,), scope=("control.*", "reply.*")),
    Mutant(OtherDelay, (expires,), scope=("control.*", "expiry.*"), hours=True),
    Mutant(ClassFour, GIVEN_UP, Law.CODE_CLASS, hours=True),
    Mutant(AboutAnother, TOLD, Law.ACCOUNTED, hours=True),
    Mutant(KeepsExpired, (expires,), Law.ACCOUNTED, hours=True),
)
