"""The life of one scenario: submit, wait for what the agent says, settle, and make the trace.

Theory of operation
-------------------
States: launched -> answered (the first report about each recipient) -> [tried again, in a world
that may have changed, or expired, where the scenario is about that] -> settled (quiet, books
balanced) -> over. A message that the agent does not take settles at once. A step that does not
come in the pace's patience is not an error here: the trace then shows that it never came.
"""

import asyncio
from collections.abc import Callable

from lab.pace import Pace
from lab.plan import Placed
from lab.subject import Subject
from lab.world import World
from model.events import (
    Accepted,
    Changed,
    Declined,
    Elapsed,
    Event,
    Queued,
    Reported,
    Retried,
    Returned,
    Submitted,
)
from model.expect import Turns, expires, is_tried_again, ways
from model.report import State
from model.trace import Trace
from model.waits import in_silence
from targets.base import Capability, Envelope, NotTaken

Wanted = Callable[[tuple[Event, ...]], bool]
ATTEMPTS = 4
"""How often a recovery is tried before it counts as not coming."""
OVER = (State.RETURNED, State.EXPIRED)


def _never(events: tuple[Event, ...]) -> bool:
    return False


class Life:
    """One scenario in a lab."""

    def __init__(self, world: World, subject: Subject, pace: Pace, placed: Placed) -> None:
        self.scenario, self.id = placed.scenario, placed.scenario.id
        self.lifetime = placed.route.lifetime
        self.at_barrier = asyncio.Event()
        self.time_is_up = asyncio.Event()
        self.over = asyncio.Event()
        self._world, self._subject, self._pace, self._placed = world, subject, pace, placed
        self._journal, self._label = world.journal, placed.scenario.label
        self._recipients = frozenset(map(str.lower, placed.placement.recipients))
        self._submitted = 0.0
        self._queue_ids: list[str] = []

    async def live(self) -> Trace:
        """From launch to trace."""
        self._journal.open(self._label)
        envelopes = self._placed.envelopes
        await asyncio.gather(*(self._submit(one) for one in envelopes))
        self._submitted = self._now()
        if self._queue_ids:
            await self._follow()
        return Trace(
            scenario=self.id,
            placement=self._placed.placement,
            sent={r: e.content for e in envelopes for r in e.recipients},
            lifetime=self.lifetime,
            sealed=self._world.room.sealed,
            events=self._journal.settle(self._label),
            own=self._pace.timers.own,
        )

    async def _submit(self, envelope: Envelope) -> None:
        """Hand a message in; whether it was taken is written down."""
        try:
            queue_id = await self._subject.call(self._subject.target.submit, envelope)
        except NotTaken as refusal:
            self._saw(Declined(self._now(), str(refusal)))
            return
        self._queue_ids.append(queue_id)
        self._saw(Submitted(self._now(), queue_id))

    async def _follow(self) -> None:
        """What becomes of the messages that were taken."""
        await self._until(self._answered)
        if is_tried_again(self.scenario.expect):
            await self._try_again()
        if expires(self.scenario.expect):
            self.at_barrier.set()
            await self._expire()
        await self._settle()

    def grow_older(self, passed: float) -> None:
        """Note the message's age by the agent's clock, `passed` seconds having been let pass."""
        now = self._now()
        self._saw(Elapsed(now, passed + now - self._submitted))

    async def stay_quiet(self) -> None:
        """Give the agent the time to do what it must not do."""
        await self._until(_never, self._pace.quiet)

    def _events(self) -> tuple[Event, ...]:
        return self._journal.events(self._label)

    def _now(self) -> float:
        return self._journal.elapsed(self._label)

    def _saw(self, event: Event) -> None:
        self._journal.saw(self._label, event)

    async def _until(self, wanted: Wanted, seconds: float | None = None) -> bool:
        """Wait until the events satisfy `wanted`, by default as long as the pace is patient."""
        patience = self._pace.patience if seconds is None else seconds
        deadline = asyncio.get_running_loop().time() + patience
        return await self._journal.until(self._label, wanted, deadline)

    # What is waited for --------------------------------------------------------------------

    def _answered(self, events: tuple[Event, ...]) -> bool:
        return self._recipients <= self._in_states(events, tuple(State))

    def _delivered(self, events: tuple[Event, ...]) -> bool:
        return self._recipients <= self._in_states(events, (State.DELIVERED,))

    def _settled_for_all(self, events: tuple[Event, ...]) -> bool:
        """Whether nobody waits any more."""
        return self._recipients <= self._in_states(events, (State.DELIVERED, *OVER))

    def _in_states(self, events: tuple[Event, ...], states: tuple[State, ...]) -> set[str]:
        """The recipients that have been reported in one of the states."""
        return {
            e.report.recipient.lower()
            for e in events
            if isinstance(e, Reported) and e.report.state in states
        }

    def _moved_on(self, now: tuple[Event, ...], then: tuple[Event, ...]) -> bool:
        """Whether everybody who waited then has been reported again."""
        waited = self._recipients - self._in_states(then, (State.DELIVERED, *OVER))
        return waited <= self._in_states(now[len(then) :], tuple(State))

    def _given_up(self, events: tuple[Event, ...]) -> bool:
        returned = any(isinstance(e, Returned) for e in events)
        said = any(isinstance(e, Reported) and e.report.state in OVER for e in events)
        return self._delivered(events) or (said and (returned or self.scenario.mail.null_sender))

    def _came_home(self, events: tuple[Event, ...]) -> bool:
        return any(isinstance(e, Returned) for e in events)

    # Steps ---------------------------------------------------------------------------------

    async def _try_again(self) -> None:
        """Change the world, and tell the agent to try again until it delivers, or fails anew."""
        await self._world.change(self._placed)
        if self.scenario.change is not None:
            self._saw(Changed(self._now()))
        once = any(isinstance(way, Turns) for way in ways(self.scenario.expect))
        for _ in range(1 if once else ATTEMPTS):
            before = self._events()
            if self._settled_for_all(before):
                return
            await self._repaired()
            await self._retry()
            self._saw(Retried(self._now()))
            tried = await self._until(lambda now, then=before: self._moved_on(now, then))  # type: ignore[misc]
            if not tried and not await self._waiting():
                return  # it was dropped: nobody is left to try

    async def _retry(self) -> None:
        """Have every message tried that still waits."""
        waiting = self._queue_ids
        if len(waiting) > 1:
            held = await self._subject.held()
            waiting = [one for one in waiting if one in held]
        calls = [self._subject.call(self._subject.target.retry, one) for one in waiting]
        await asyncio.gather(*calls)

    async def _waiting(self) -> tuple[str, ...]:
        """Whom the queue still holds any of the messages for."""
        held = await self._subject.held()
        return tuple(recipient for one in self._queue_ids for recipient in held.get(one, ()))

    async def _expire(self) -> None:
        """Wait until the mail is given up: not before its time, however long the others take."""
        if Capability.PASS_TIME in self._subject.target.capabilities:
            await self.time_is_up.wait()
            await self._until(self._given_up)
        else:
            await self._until(self._given_up, self.lifetime + self._pace.patience)

    def _gone(self, events: tuple[Event, ...]) -> bool:
        return bool(self._in_states(events, OVER))

    async def _repaired(self) -> None:
        """Wait until stale answers have run out; all other faults end by being met."""
        until = self._world.dns.stale_until(self._label)
        if until is not None:
            await self._journal.until(self._label, _never, until + 0.05)

    async def _settle(self) -> None:
        """Let what is on its way arrive and silences end, let it be quiet, and read the queue."""
        events = self._events()
        told = self.scenario.mail.null_sender or expires(self.scenario.expect)  # or waited for
        if self._gone(events) and not told:
            await self._until(self._came_home)
        for _ in range(ATTEMPTS):
            await self.stay_quiet()
            if self._answered(self._events()):  # else it waits for ever, and we have waited for it
                await self._until(lambda now: not in_silence(now))
            waiting = await self._waiting()
            self._saw(Queued(self._now(), waiting))
            if not (waiting and self._left(self._events(), waiting)):
                return  # else the agent is still tidying up what it has finished

    def _left(self, events: tuple[Event, ...], waiting: tuple[str, ...]) -> bool:
        """Whether something is still in the queue that has been delivered or returned."""
        taken = {
            r for e in events if isinstance(e, Accepted) and e.acknowledged for r in e.recipients
        }
        return bool(taken & set(waiting)) or self._came_home(events)
