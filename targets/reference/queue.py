"""The queue: what waits, when it is tried again, and when it is given up.

Theory of operation
-------------------
A message is split into parcels, one a recipient domain; each parcel is one task. A task
attempts, settles each recipient's fate, and waits on the clock for the next attempt, for the
end of the lifetime, or for an order. Only the task changes its parcel, so an order given during
an attempt is carried out right after it. Of one domain only so many are attempted at once.

States of a recipient: waiting -> delivered | returned | expired; there is no way back, and each
change is told once. A parcel is gone when nobody waits in it any more.
"""

import asyncio
import sys
import traceback
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Protocol

from model.report import State
from targets.base import InQueue
from targets.reference.clock import Clock
from targets.reference.outcome import Failure, Outcome, Outcomes
from targets.reference.policy import Policy

AT_ONCE = 20
"""Attempts for one domain at the same time (Exchange, MaxPerDomainOutboundConnections)."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message taken on: its envelope and content, and when it came (clock and date)."""

    queue_id: str
    sender: str
    recipients: tuple[str, ...]
    content: bytes
    arrived: float
    date: datetime


@dataclass(slots=True, eq=False)
class Parcel:
    """What is left to do for one domain of one message; `lifetime` in seconds.

    `attempted` is when the last attempt ended, `last` how it failed for each recipient, `due` when,
    by the clock, the task wakes by itself (0: it is at work).
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

    @property
    def end(self) -> float:
        """When, by the clock, its lifetime is over."""
        return self.message.arrived + self.lifetime


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


Attempt = Callable[[Message, str, Sequence[str]], Awaitable[Outcomes]]
"""Makes one attempt for a message, a domain, and the recipients there. Does not raise."""


class Queue:
    """Keeps parcels and lets each live its life."""

    def __init__(self, clock: Clock, policy: Policy, attempt: Attempt, listener: Listener) -> None:
        self._clock = clock
        self._policy = policy
        self._attempt = attempt
        self._listener = listener
        self._parcels: dict[Parcel, asyncio.Task[None]] = {}
        self._moved = asyncio.Event()
        self._lanes: dict[str, asyncio.Semaphore] = defaultdict(partial(asyncio.Semaphore, AT_ONCE))

    def add(self, message: Message, lifetime: Callable[[str], float]) -> None:
        """Take a message on; `lifetime` gives the seconds for a domain."""
        for domain, recipients in by_domain(message.recipients).items():
            parcel = Parcel(message, domain, lifetime(domain), recipients, message.date)
            self._parcels[parcel] = asyncio.create_task(self._live(parcel))

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
            while parcel.waiting:
                await self._try(parcel)
                if parcel.waiting:
                    await self._pause(parcel)
        finally:
            del self._parcels[parcel]
            self._moved.set()

    async def _try(self, parcel: Parcel) -> None:
        parcel.order.clear()
        parcel.attempts += 1
        recipients = tuple(parcel.waiting)
        async with self._lanes[parcel.domain]:
            outcomes = await self._attempt(parcel.message, parcel.domain, recipients)
        parcel.attempted = self._clock.date()
        self._settle(parcel, [self._fate(parcel, r, outcomes[r]) for r in recipients])

    async def _pause(self, parcel: Parcel) -> None:
        now = self._clock.now()
        due = now + self._policy.pause(parcel.attempts)
        # Mail that a lax policy keeps beyond its end follows the schedule, not a busy loop.
        wake = min(due, parcel.end) if parcel.end > now else due
        await self._sleep(parcel, wake)
        if self._over(parcel):
            last = parcel.last
            fates = [Fate(r, State.EXPIRED, last[r], parcel.attempted) for r in parcel.waiting]
            self._settle(parcel, fates)

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
        try:
            self._listener.told(parcel.message, fates)
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
