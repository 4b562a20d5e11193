"""Agents that go wrong when the disk that their queue is on is full."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from model.verdict import Law
from model.wishes import Wishes
from selftests.mutants.mutant import Mutant
from targets.base import NotTaken
from targets.reference.agent import Agent, Parts, Say
from targets.reference.outcome import Outcomes, Reply, Sent, Server
from targets.reference.policy import Policy
from targets.reference.queue import Keeper, Message, Parcel, Queue
from targets.reference.spool import Spool, keeper


def _kept_by(cls: type[Spool]) -> Callable[[str, Say, int], Keeper]:
    """The factory of keepers with a spool of this class."""

    def make(folder: str, say: Say, heard: int) -> Keeper:
        return cls(folder, say, heard) if folder else keeper(folder, say, heard)

    return make


class _Final(Policy):
    def no_room(self) -> str:
        return "552 5.3.1 Mail system full"


class RefusesForGoodWhenFull(Agent):
    """Says 552 to who hands mail in while the disk is full, and so the client gives it up."""

    parts = Parts(policy=_Final)


class TakesWhatItCannotKeep(Agent):
    """Says 250 to mail for which there is no room, and forgets it."""

    def take(self, message: Message) -> None:
        """Put it into the queue, or nowhere."""
        with contextlib.suppress(OSError):
            super().take(message)


class StaysFull(Agent):
    """Takes no mail any more, once its disk has been full."""

    _was_full = False

    def submit(
        self,
        sender: str,
        recipients: Sequence[str],
        content: bytes,
        wishes: Wishes = Wishes(),  # noqa: B008 - a frozen value
    ) -> str:
        """Take a message, unless one could not be taken."""
        if self._was_full and sender:
            raise NotTaken(self.policy.no_room())
        try:
            return super().submit(sender, recipients, content, wishes)
        except NotTaken:
            self._was_full = True
            raise


class CutsShortWhatDoesNotFit(Agent):
    """Takes as much of a message as there is room for."""

    def take(self, message: Message) -> None:
        """Put it into the queue, or its beginning, or nothing."""
        try:
            super().take(message)
        except OSError:
            short = message.content[:16_000].rpartition(b"\n")[0] + b"\n"
            super().take(_with(message, short))


def _with(message: Message, content: bytes) -> Message:
    return replace(message, content=content)


class _Dropping(Spool):
    full = False

    def _flush(self) -> None:
        try:
            super()._flush()
        except OSError:
            self._entries.clear()
            self.full = True
            raise


class _Dropped(Queue):
    def _told(self, parcel: Parcel, tell: Callable[[], None]) -> None:
        super()._told(parcel, tell)
        if isinstance(self._keeper, _Dropping) and self._keeper.full and parcel.waiting:
            parcel.waiting.clear()


class DropsWhatFailsWhileFull(Agent):
    """Loses mail whose failure it cannot write down."""

    parts = Parts(keeper=_kept_by(_Dropping), queue=_Dropped)


class _Doubtful(Queue):
    async def _try(self, parcel: Parcel) -> None:
        before = list(parcel.waiting)
        await super()._try(parcel)
        if isinstance(self._keeper, _Dropping) and self._keeper.full and not parcel.waiting:
            self._keeper.full = False
            parcel.waiting = before
            parcel.lifetime += 1


class SendsAgainWhatItCouldNotNote(Agent):
    """Delivers once more what it delivered while the disk was full."""

    parts = Parts(keeper=_kept_by(_Dropping), queue=_Doubtful)


class NoNdrWhenFull(Agent):
    """Tells nobody of mail that is lost while there is no room for a notice."""

    def notify(self, message: Message, lost: Sequence[Any], notices: int) -> None:
        """Write the notice if it can be kept."""
        if _has_room(Path(self.config.spool), message.content):
            super().notify(message, lost, notices)


class LosesWhatItCannotLock(Agent):
    """Loses mail for which no lock file can be made."""

    async def attempt(self, message: Message, domain: str, recipients: Sequence[str]) -> Outcomes:
        """Attempt, or forget, and say that it was sent."""
        if _has_room(Path(self.config.spool)):
            return await super().attempt(message, domain, recipients)
        return dict.fromkeys(recipients, Sent(Server("mx1"), Reply(250, "2.0.0 OK")))


def _has_room(folder: Path, content: bytes = b"") -> bool:
    """Whether one more file can be made that has this in it."""
    draft = folder / "draft"
    try:
        draft.write_bytes(content)
    except OSError:
        return False
    finally:
        draft.unlink(missing_ok=True)
    return True


NEW = ("spool.*.new-mail", "spool.*.large-mail")
SCOPE = ("control.*", "spool.*")
"""Nowhere else is a disk full."""

MUTANTS = tuple(
    Mutant(agent, caught_by, law, scope=SCOPE, needs_sealed=True, hours=True)
    for agent, caught_by, law in (
        (RefusesForGoodWhenFull, NEW, None),
        (TakesWhatItCannotKeep, NEW, Law.ACCOUNTED),
        (StaysFull, NEW, None),
        (CutsShortWhatDoesNotFit, ("spool.nearly-full.large-mail",), Law.INTACT),
        (DropsWhatFailsWhileFull, ("spool.full.fails-again",), Law.ACCOUNTED),
        (SendsAgainWhatItCouldNotNote, ("spool.full.waiting",), Law.ACCOUNTED),
        (NoNdrWhenFull, ("spool.full.ndr",), Law.ACCOUNTED),
        (LosesWhatItCannotLock, ("spool.no-inodes.*",), Law.ACCOUNTED),
    )
)
