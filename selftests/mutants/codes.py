"""Mutants that say the wrong thing: codes, classes, names."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from model.failure import Failure as Cause
from model.report import Report, State
from model.verdict import Law
from selftests.mutants.mutant import Mutant
from selftests.mutants.where import arrives, expires, fails, fails_by, fails_for
from targets.reference import dialect
from targets.reference.agent import Agent, Parts, Say
from targets.reference.clock import Clock
from targets.reference.config import Config
from targets.reference.dialect import Dialect, Entry, Statement
from targets.reference.outcome import Failure, Kind, Server
from targets.reference.queue import Fate, Message

SIX = tuple(set(Cause) - {Cause.PEER_REPLY, Cause.MESSAGE_UNSUITABLE})
"""The failures that have a code of the page's own."""


class _Mistaken(Dialect):
    """Takes some kinds of failure for others."""

    def __init__(self, kinds: Mapping[Kind, Kind]) -> None:
        self._kinds = kinds

    def entry(self, failure: Failure) -> tuple[Entry, str]:
        kind = self._kinds.get(failure.kind, failure.kind)
        return super().entry(replace(failure, kind=kind))


class RefusedIsCannotConnect(Agent):
    """Says 4.4.317 for a connection that was refused."""

    parts = Parts(dialect=partial(_Mistaken, {Kind.REFUSED: Kind.GARBAGE}))


class Swapped(Agent):
    """Says 4.4.315 for refused and 4.4.316 for timed out."""

    parts = Parts(
        dialect=partial(_Mistaken, {Kind.REFUSED: Kind.TIMED_OUT, Kind.TIMED_OUT: Kind.REFUSED})
    )


class HangIsTimeout(Agent):
    """Says 4.4.315, as if it had never connected, when a server falls silent."""

    parts = Parts(dialect=partial(_Mistaken, {Kind.HUNG: Kind.TIMED_OUT}))


class HandshakeIsCertificate(Agent):
    """Says 4.7.320 when the handshake failed and no certificate was at fault."""

    parts = Parts(dialect=partial(_Mistaken, {Kind.TLS_FAILED: Kind.CERTIFICATE}))


class _ClassFive(Dialect):
    def queued(self, failure: Failure) -> Statement:
        said = super().queued(failure)
        return replace(said, enhanced=f"5{said.enhanced[1:]}")


class ClassFive(Agent):
    """Says 5.x.x beside its 4yz while the mail is kept."""

    parts = Parts(dialect=_ClassFive)


class _NoTwin(Dialect):
    def expired(self, failure: Failure) -> Statement:
        return replace(super().expired(failure), enhanced="5.4.7", diagnostic="550 5.4.7 Expired")


class NoTwin(Agent):
    """Forgets the cause at expiry: 5.4.7 in place of the cause's twin of class 5."""

    parts = Parts(dialect=_NoTwin)


class _Expiry(Dialect):
    def expired(self, failure: Failure) -> Statement:
        said = super().expired(failure)
        text = f"{said.smtp} {said.enhanced} Delivery time expired"
        return replace(said, text=text, diagnostic=text)


class OwnWordsAtExpiry(Agent):
    """Gives the right code in the NDR, and other words than Message expired and the cause."""

    parts = Parts(dialect=_Expiry)


class _Wordy(Dialect):
    def queued(self, failure: Failure) -> Statement:
        said = super().queued(failure)
        if self.passed_on(failure) is not None:
            return said
        entry, _ = self.entry(failure)
        return replace(said, text=said.text.replace(entry.queued, "Delivery failed"))


class OwnWordsWhileQueued(Agent):
    """Gives the right one of the six codes while mail waits, and other words than the page."""

    parts = Parts(dialect=_Wordy)


class _OwnWords(Dialect):
    def passed_on(self, failure: Failure) -> Statement | None:
        if failure.kind is not Kind.REPLY:
            return super().passed_on(failure)
        return super().passed_on(replace(failure, kind=Kind.GARBAGE))


class OwnWords(Agent):
    """Says 451 4.5.0 in place of what the server replied."""

    parts = Parts(dialect=_OwnWords)


class Nameless(Agent):
    """Does not name the server."""

    def report(self, message: Message, fate: Fate) -> Report:
        """The report, less host, address and the brackets of the text."""
        text = self.statement(fate.state, fate.outcome).diagnostic
        return replace(super().report(message, fate), host="", ip="", text=text)


class NamesTheDomain(Agent):
    """Names the recipient's domain where the name of the server that failed belongs."""

    def report(self, message: Message, fate: Fate) -> Report:
        """The report with another server in it."""
        said = super().report(message, fate)
        if said.state is State.DELIVERED:
            return said
        domain = Server(fate.recipient.rpartition("@")[2])
        text = self.statement(fate.state, fate.outcome).diagnostic + dialect._where(domain)
        return replace(said, host=domain.host, ip="", text=text)


class SaysElsewhere(Agent):
    """Says that it has delivered to a server that it has never met."""

    def report(self, message: Message, fate: Fate) -> Report:
        """Report as ever, but for the server of a delivery."""
        said = super().report(message, fate)
        elsewhere = replace(said, host="mx.stranger.test", ip="192.0.2.1")
        return elsewhere if said.state is State.DELIVERED else said


class OtherCodeLater(Agent):
    """Gives the right code for the first attempt only."""

    def __init__(self, config: Config, say: Say, clock: Clock | None = None) -> None:
        self._told: set[tuple[str, str]] = set()
        super().__init__(config, say, clock)

    def report(self, message: Message, fate: Fate) -> Report:
        """Report as ever once, and then something vague."""
        said, whose = super().report(message, fate), (message.queue_id, fate.recipient)
        again = whose in self._told and said.state is State.DEFERRED
        self._told.add(whose)
        return replace(said, enhanced="4.3.5") if again else said


MUTANTS = (
    Mutant(RefusedIsCannotConnect, (fails_by(Cause.CONNECTION_REFUSED),)),
    Mutant(Swapped, (fails_by(Cause.CONNECTION_REFUSED, Cause.CONNECTION_TIMED_OUT),)),
    Mutant(HangIsTimeout, (fails_for("hang"),)),
    Mutant(HandshakeIsCertificate, (fails_for("handshake-failed"),)),
    Mutant(ClassFive, (fails,), Law.CODE_CLASS),
    Mutant(NoTwin, (expires,), hours=True),
    Mutant(OwnWordsAtExpiry, (expires,), hours=True),
    Mutant(OwnWordsWhileQueued, (fails_by(*SIX),)),
    Mutant(OwnWords, (fails_by(Cause.PEER_REPLY),), Law.CODE_CLASS),
    Mutant(Nameless, (fails,), Law.NAMES_SERVER),
    Mutant(NamesTheDomain, (fails,), Law.NAMES_SERVER),
    Mutant(SaysElsewhere, (arrives,), Law.NAMES_SERVER),
    Mutant(OtherCodeLater, (expires,), scope=("control.*", "expiry.*"), hours=True),
)
