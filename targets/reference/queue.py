"""The queue: what waits, when it is tried again, and when it is given up.

Theory of operation
-------------------
A message is split into parcels, one a recipient domain; each parcel is one task. A task
attempts, settles each recipient's fate, and waits on the clock for the next attempt, for the
moment when the mail is late, for the end of the lifetime, or for an order. Only the task changes
its parcel, so an order given during an attempt is carried out right after it. Of one domain only
so many are attempted at once.

States of a recipient: waiting [-> taken] -> delivered | returned | expired; there is no way back,
and each change is told once. Taken: a server has it, and the attempt goes on for others. A parcel
is late at most once, after an attempt has failed, and is gone when nobody waits in it any more.
The keeper writes every change down at the moment of the change, a fate and the notice of it at
once; what it kept is carried on where it was (`resume`).
"""

import asyncio
import re
import sys
import traceback
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from model.report import Report, State
from model.wishes import Wishes
from targets.base import InQueue
from targets.reference.clock import Clock
from targets.reference.outcome import Failure, Outcome, Outcomes, Sent
from targets.reference.policy import Policy

AT_ONCE = 20
"""Attempts for one domain at the same time (Exchange, MaxPerDomainOutboundConnections)."""
_RECEIVED = re.compile(rb"^Received[ \t]*:", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Message:
    """A message taken on: its envelope and content, and when it came (clock and date)."""

    queue_id: str
    sender: str
    recipients: tuple[str, ...]
    content: bytes
    arrived: float
    date: datetime
    wishes: Wishes = field(default_factory=Wishes)

    @property
    def hops(self) -> int:
        """How many hosts have handed it on: `Received:` fields in its header (RFC 5321 section 6.3)."""
        return len(_RECEIVED.findall(self.header))

    @property
    def header(self) -> bytes:
        """Its header, without the empty line behind it; empty if the content begins with that line."""
        return b"" if self.content.startswith(b"\r\n") else self.content.split(b"\r\n\r\n", 1)[0]


@dataclass(slots=True, eq=False)
class Parcel:
    """What is left to do for one domain of one message; `lifetime` in seconds.

    `attempted` is when the last attempt ended (by the clock: `tried`), `last` how it failed for each
    recipient; `taken` are those whom a server took in an attempt that is not over. `warned`: the
    time for a delay notice has been. `due` is when, by the clock, the task wakes by itself (0: it is at
    work).
    """

    message: Message
    domain: str
    lifetime: float
    waiting: list[str]
    attempted: datetime
    attempts: int = 0
    last: dict[str, Failure] = field(default_factory=dict)
    due: float = 0.0
    order: asyncio.Event = field(default_factory=asyncio.Event)
    tried: float = 0.0
    taken: dict[str, Sent] = field(default_factory=dict)
    warned: bool = False

    @property
    def end(self) -> float:
        """When, by the clock, its lifetime is over."""
        return self.message.arrived + self.lifetime

    @property
    def until(self) -> datetime:
        """The date of its end."""
        return self.message.date + timedelta(seconds=self.lifetime)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A parcel as others may see it: `last` of the recipients that wait still, `lifetime` in seconds.

    `due` is when, by the clock, the next attempt is due, or the end; 0: it is under way, or ordered.
    Without an entry in `last` no attempt has ended yet.
    """

    message: Message
    domain: str
    recipients: tuple[str, ...]
    lifetime: float
    attempts: int
    attempted: datetime
    last: Mapping[str, Failure]
    due: float


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a recipient in one attempt, or at the end of the lifetime.

    `outcome` is that of the last attempt, which ended at `attempted`.
    """

    recipient: str
    state: State
    outcome: Outcome
    attempted: datetime


class Listener(Protocol):
    """Is told everything that becomes of a message."""

    def told(self, message: Message, fates: Sequence[Fate]) -> None:
        """The fates of some recipients, settled at the same moment."""

    def late(self, message: Message, fates: Sequence[Fate], until: datetime) -> None:
        """Recipients who have waited for long, and will be tried until then."""


class Keeper(Protocol):
    """Writes down what becomes of mail, so that it outlives the process. May raise OSError.

    What it could not keep but for lack of room it keeps as soon as it can; only what it did not take on is
    forgotten.
    """

    def together(self) -> AbstractContextManager[None]:
        """All that is written in its context is kept as one, or not at all."""

    def report(self, report: Report) -> None:
        """Say this when all that belongs together has been written, and at least once."""

    def took(self, message: Message, parcels: Sequence[Parcel]) -> None:
        """A message has been taken on."""

    def changed(self, parcel: Parcel) -> None:
        """The state of a parcel has changed."""

    def moved(self, clock: Clock) -> None:
        """The clock has been moved ahead."""

    def restore(self, clock: Clock) -> Sequence[Parcel]:
        """Set the clock as an earlier process left it; the parcels that it left."""


def _deaf(report: Report) -> None:
    """For a queue of which nobody wants to hear."""


class Forgetful:
    """A keeper that keeps nothing: the queue ends with the process. Reports go to `say`."""

    def __init__(self, say: Callable[[Report], None] = _deaf) -> None:
        self._say = say

    def together(self) -> AbstractContextManager[None]:
        """Nothing is written."""
        return nullcontext()

    def report(self, report: Report) -> None:
        """Say it at once."""
        self._say(report)

    def took(self, message: Message, parcels: Sequence[Parcel]) -> None:
        """Nor here."""

    def changed(self, parcel: Parcel) -> None:
        """Nor here."""

    def moved(self, clock: Clock) -> None:
        """Nor here."""

    def restore(self, clock: Clock) -> Sequence[Parcel]:
        """Nothing was left."""
        return ()


Attempt = Callable[[Message, str, Sequence[str]], Awaitable[Outcomes]]
"""Makes one attempt for a message, a domain, and the recipients there. Does not raise."""


class Queue:
    """Keeps parcels and lets each live its life."""

    def __init__(
        self,
        clock: Clock,
        policy: Policy,
        attempt: Attempt,
        listener: Listener,
        *,
        delay: float = 0.0,
        keeper: Keeper | None = None,
    ) -> None:
        """Mail is late after `delay` seconds, if that is not 0."""
        self._clock = clock
        self._policy = policy
        self._attempt = attempt
        self._listener = listener
        self._delay = delay
        self._keeper = keeper or Forgetful()
        self._parcels: dict[Parcel, asyncio.Task[None]] = {}
        self._named: dict[tuple[str, str], Parcel] = {}
        self._moved = asyncio.Event()
        self._lanes: dict[str, asyncio.Semaphore] = defaultdict(partial(asyncio.Semaphore, AT_ONCE))

    def add(self, message: Message, lifetime: Callable[[str], float]) -> None:
        """Take a message on; `lifetime` gives the seconds for a domain."""
        parcels = [
            Parcel(message, domain, lifetime(domain), recipients, message.date)
            for domain, recipients in by_domain(message.recipients).items()
        ]
        self._keeper.took(message, parcels)
        self.resume(parcels)

    def resume(self, parcels: Iterable[Parcel]) -> None:
        """Let parcels live on from where they are."""
        for parcel in parcels:
            self._named[parcel.message.queue_id, parcel.domain] = parcel
            self._parcels[parcel] = asyncio.create_task(self._live(parcel))

    def taken(self, message: Message, domain: str, sent: Mapping[str, Sent]) -> None:
        """Hear at once, in the middle of an attempt, whom a server has taken."""
        parcel = self._named.get((message.queue_id, domain))
        if sent and parcel is not None:
            parcel.taken |= sent
            self._told(parcel, lambda: None)

    def retry(self, *queue_ids: str) -> None:
        """Order an attempt now for each; nothing happens where a message is gone."""
        wanted = frozenset(queue_ids)
        for parcel in self._parcels:
            if parcel.message.queue_id in wanted:
                parcel.order.set()

    def waiting(self) -> list[InQueue]:
        """The messages in the queue, each with the recipients that wait."""
        found: dict[str, tuple[str, ...]] = {}
        for parcel in self._parcels:
            name = parcel.message.queue_id
            found[name] = (*found.get(name, ()), *parcel.waiting)
        return [InQueue(name, recipients) for name, recipients in found.items() if recipients]

    def view(self) -> list[Waiting]:
        """Every parcel in which somebody waits, in the order they came."""
        return [_seen(parcel) for parcel in self._parcels if parcel.waiting]

    async def at_rest(self) -> None:
        """Return when nothing is being attempted, nor about to be."""
        while any(self._is_busy(parcel) for parcel in self._parcels):
            self._moved.clear()
            await self._moved.wait()

    def _is_busy(self, parcel: Parcel) -> bool:
        return parcel.due <= self._clock.now() or parcel.order.is_set()

    async def _live(self, parcel: Parcel) -> None:
        try:
            if parcel.taken:
                self._settle(parcel, [self._fate(parcel, r, s) for r, s in parcel.taken.items()])
            if parcel.waiting and parcel.attempts:
                await self._pause(parcel)
            while parcel.waiting:
                await self._try(parcel)
                if parcel.waiting:
                    await self._pause(parcel)
        finally:
            del self._parcels[parcel]
            del self._named[parcel.message.queue_id, parcel.domain]
            self._moved.set()

    async def _try(self, parcel: Parcel) -> None:
        parcel.order.clear()
        recipients = tuple(parcel.waiting)
        async with self._lanes[parcel.domain]:
            outcomes = await self._attempt(parcel.message, parcel.domain, recipients)
        parcel.attempts += 1
        parcel.attempted, parcel.tried = self._clock.date(), self._clock.now()
        self._settle(parcel, [self._fate(parcel, r, outcomes[r]) for r in recipients])

    async def _pause(self, parcel: Parcel) -> None:
        due = parcel.tried + self._policy.pause(parcel.attempts)
        # Mail that a lax policy keeps beyond its end follows the schedule, not a busy loop.
        wake = min(due, parcel.end) if parcel.end > parcel.tried else due
        mark = parcel.message.arrived + self._delay
        if self._delay and not parcel.warned and mark < wake:
            await self._sleep(parcel, mark)
            self._mind_delay(parcel)
        await self._sleep(parcel, wake)
        if self._over(parcel):
            self._settle(parcel, self._waiting(parcel, State.EXPIRED))
        else:
            self._mind_delay(parcel)

    def _mind_delay(self, parcel: Parcel) -> None:
        """Say, once, that the mail is late; not of mail whose end has come as well."""
        age = self._clock.now() - parcel.message.arrived
        if parcel.warned or self._over(parcel) or not self._policy.is_late(age, self._delay):
            return
        parcel.warned = True
        late = self._waiting(parcel, State.DEFERRED)
        self._told(parcel, lambda: self._listener.late(parcel.message, late, parcel.until))

    def _waiting(self, parcel: Parcel, state: State) -> list[Fate]:
        """Those who wait, with what the last attempt met; a fate for each."""
        last = parcel.last
        return [Fate(r, state, last[r], parcel.attempted) for r in parcel.waiting]

    async def _sleep(self, parcel: Parcel, until: float) -> None:
        """Rest until then, or until an order comes."""
        parcel.due = until
        self._moved.set()
        await self._clock.wait_until(until, parcel.order)
        parcel.due = 0.0

    def _over(self, parcel: Parcel) -> bool:
        age = self._clock.now() - parcel.message.arrived
        return self._policy.is_over(age, parcel.lifetime)

    def _fate(self, parcel: Parcel, recipient: str, outcome: Outcome) -> Fate:
        return Fate(recipient, self._state(parcel, outcome), outcome, parcel.attempted)

    def _state(self, parcel: Parcel, outcome: Outcome) -> State:
        if not isinstance(outcome, Failure):
            return State.DELIVERED
        if self._policy.is_permanent(outcome):
            return State.RETURNED
        return State.EXPIRED if self._over(parcel) else State.DEFERRED

    def _settle(self, parcel: Parcel, fates: Sequence[Fate]) -> None:
        for fate in fates:
            if isinstance(fate.outcome, Failure):
                parcel.last[fate.recipient] = fate.outcome
            if not self._policy.stays(fate.state):
                parcel.waiting.remove(fate.recipient)
        parcel.taken.clear()
        self._told(parcel, lambda: self._listener.told(parcel.message, fates))

    def _told(self, parcel: Parcel, tell: Callable[[], None]) -> None:
        """Tell, and write down what has become of the parcel together with the notices of it."""
        try:
            with self._keeper.together():
                self._keeper.changed(parcel)
                tell()
        except OSError as error:
            sys.stderr.write(f"the spool cannot be written for now: {error}\n")
        except Exception:  # noqa: BLE001 - a notice that cannot be written must not stop the mail
            traceback.print_exc(file=sys.stderr)


def _seen(parcel: Parcel) -> Waiting:
    recipients = tuple(parcel.waiting)
    return Waiting(
        parcel.message,
        parcel.domain,
        recipients,
        parcel.lifetime,
        parcel.attempts,
        parcel.attempted,
        {r: parcel.last[r] for r in recipients if r in parcel.last},
        0.0 if parcel.order.is_set() else parcel.due,
    )


def by_domain(recipients: Sequence[str]) -> dict[str, list[str]]:
    """The recipients of each domain, each once, in the order given."""
    found: dict[str, list[str]] = {}
    for recipient in dict.fromkeys(recipients):
        found.setdefault(recipient.rpartition("@")[2].lower().rstrip("."), []).append(recipient)
    return found
