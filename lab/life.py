"""The life of one scenario: submit, wait for what the agent says, settle, and make the trace.

Theory of operation
-------------------
States: launched -> answered (the first report about each recipient) -> [recovered or expired,
where the scenario is about that] -> settled (quiet, books balanced) -> over. A step that does
not come in the pace's patience is not an error here: the trace then shows that it never came.
"""

import asyncio
from collections.abc import Callable

from lab.pace import Pace
from lab.plan import Placed
from lab.subject import Subject
from lab.world import World
from model.events import Accepted, Elapsed, Event, Queued, Reported, Retried, Returned, Submitted
from model.expect import Expires, Recovers
from model.report import State
from model.scenario import Scenario
from model.trace import Trace
from targets.base import Capability

Wanted = Callable[[tuple[Event, ...]], bool]
ATTEMPTS = 4
"""How often a recovery is tried before it counts as not coming."""
OVER = (State.RETURNED, State.EXPIRED)


def _never(events: tuple[Event, ...]) -> bool:
    return False


def expires(scenario: Scenario) -> bool:
    """Whether the scenario is about the end of a lifetime."""
    return isinstance(scenario.expect, Expires)


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
        self._recipients = frozenset(placed.placement.recipients)
        self._submitted = 0.0
        self._queue_id = ""

    async def live(self) -> Trace:
        """From launch to trace."""
        self._journal.open(self._label)
        self._queue_id = await self._subject.call(
            self._subject.target.submit, self._placed.envelope
        )
        self._submitted = self._now()
        self._saw(Submitted(self._submitted, self._queue_id))
        await self._until(self._answered)
        if isinstance(self.scenario.expect, Recovers):
            await self._recover()
        if expires(self.scenario):
            self.at_barrier.set()
            await self._expire()
        await self._settle()
        self._journal.settle(self._label)
        return Trace(
            scenario=self.id,
            placement=self._placed.placement,
            sent=self._placed.envelope.content,
            lifetime=self.lifetime,
            sealed=self._world.room.sealed,
            events=self._events(),
        )

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
        said = {e.report.recipient for e in events if isinstance(e, Reported)}
        return self._recipients <= said

    def _delivered(self, events: tuple[Event, ...]) -> bool:
        done = {
            e.report.recipient
            for e in events
            if isinstance(e, Reported) and e.report.state is State.DELIVERED
        }
        return self._recipients <= done

    def _given_up(self, events: tuple[Event, ...]) -> bool:
        returned = any(isinstance(e, Returned) for e in events)
        said = any(isinstance(e, Reported) and e.report.state in OVER for e in events)
        return self._delivered(events) or (said and (returned or self.scenario.mail.null_sender))

    def _came_home(self, events: tuple[Event, ...]) -> bool:
        return any(isinstance(e, Returned) for e in events)

    # Steps ---------------------------------------------------------------------------------

    async def _recover(self) -> None:
        """Tell the agent to try again, once the fault has had its time, until it delivers."""
        for _ in range(ATTEMPTS):
            events = self._events()
            if self._delivered(events) or self._gone(events):
                return
            await self._repaired()
            attempts = self._failures(events)
            await self._subject.call(self._subject.target.retry, self._queue_id)
            self._saw(Retried(self._now()))
            tried = await self._until(
                lambda now, n=attempts: self._delivered(now) or self._failures(now) > n  # type: ignore[misc]
            )
            if not tried and not await self._subject.waiting(self._queue_id):
                return  # it was dropped: nobody is left to try

    async def _expire(self) -> None:
        """Wait until the mail is given up: not before its time, however long the others take."""
        if Capability.PASS_TIME in self._subject.target.capabilities:
            await self.time_is_up.wait()
            await self._until(self._given_up)
        else:
            await self._until(self._given_up, self.lifetime + self._pace.patience)

    def _gone(self, events: tuple[Event, ...]) -> bool:
        return any(isinstance(e, Reported) and e.report.state in OVER for e in events)

    def _failures(self, events: tuple[Event, ...]) -> int:
        return sum(
            isinstance(e, Reported) and e.report.state is not State.DELIVERED for e in events
        )

    async def _repaired(self) -> None:
        """Wait until stale answers have run out; all other faults end by being met."""
        until = self._world.dns.stale_until(self._label)
        if until is not None:
            await self._journal.until(self._label, _never, until + 0.05)

    async def _settle(self) -> None:
        """Let what is on its way arrive, let it be quiet, and read the queue."""
        events = self._events()
        told = self.scenario.mail.null_sender or expires(self.scenario)  # or waited for already
        if self._gone(events) and not told:
            await self._until(self._came_home)
        for _ in range(ATTEMPTS):
            await self.stay_quiet()
            waiting = await self._subject.waiting(self._queue_id)
            self._saw(Queued(self._now(), waiting))
            if not (waiting and self._left(self._events())):
                return  # else the agent is still tidying up what it has finished

    def _left(self, events: tuple[Event, ...]) -> bool:
        delivered = any(isinstance(e, Accepted) and e.acknowledged for e in events)
        return delivered or self._came_home(events)
