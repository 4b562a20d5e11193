"""The life of one scenario: submit, wait for what the agent says, settle, and make the trace.

Theory of operation
-------------------
States: launched -> answered (the first report about each recipient) -> [recovered or expired,
where the scenario is about that] -> settled (quiet, books balanced) -> over. A step that does
not come in the pace's patience is not an error here: the trace then shows that it never came.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from lab.plan import Placed
from model.events import Accepted, Event, Queued, Reported, Retried, Returned, Submitted
from model.expect import Expires, Recovers
from model.report import State
from model.scenario import Scenario
from model.trace import Trace

if TYPE_CHECKING:
    from lab.lab import Lab

Wanted = Callable[[tuple[Event, ...]], bool]
ATTEMPTS = 4
"""How often a recovery is tried before it counts as not coming."""
OVER = (State.RETURNED, State.EXPIRED)


def expires(scenario: Scenario) -> bool:
    """Whether the scenario is about the end of a lifetime."""
    return isinstance(scenario.expect, Expires)


class Life:
    """One scenario in a lab."""

    def __init__(self, lab: "Lab", placed: Placed) -> None:
        self._lab, self._placed = lab, placed
        self.scenario, self.id, self.label = (
            placed.scenario,
            placed.scenario.id,
            placed.scenario.label,
        )
        self.lifetime = placed.route.lifetime
        self.at_barrier = asyncio.Event()
        self.over = asyncio.Event()
        self._recipients = frozenset(placed.placement.recipients)
        self._submitted = 0.0
        self._queue_id = ""

    async def live(self) -> Trace:
        """From launch to trace."""
        self._lab.journal.open(self.label)
        self._queue_id = str(await self._lab.in_thread(self._submit))
        self._submitted = self._now()
        self._saw(Submitted(self._submitted, self._queue_id))
        await self._until(self._answered)
        if isinstance(self.scenario.expect, Recovers):
            await self._recover()
        if expires(self.scenario):
            self.at_barrier.set()
            await self._until(self._given_up, more=self._time_to_expiry())
        await self._settle()
        return Trace(
            scenario=self.id,
            placement=self._placed.placement,
            sent=self._placed.envelope.content,
            lifetime=self.lifetime,
            sealed=self._lab.room.sealed,
            events=self._lab.journal.events(self.label),
        )

    def age(self, at: float, passed: float) -> float:
        """The message's age by the agent's clock, `passed` seconds having been let pass."""
        return passed + at - self._submitted

    def _submit(self) -> str:
        return self._lab.target.submit(self._placed.envelope)

    def _now(self) -> float:
        return self._lab.journal.elapsed(self.label)

    def _saw(self, event: Event) -> None:
        self._lab.journal.saw(self.label, event)

    async def _until(self, wanted: Wanted, more: float = 0.0) -> bool:
        deadline = asyncio.get_running_loop().time() + self._lab.pace.patience + more
        return await self._lab.journal.until(self.label, wanted, deadline)

    def _time_to_expiry(self) -> float:
        """What waiting for the expiry may cost: others' lives first, or the shortened lifetime."""
        return max(self._lab.pace.patience * 3, min(self.lifetime, 600.0))

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
            events = self._lab.journal.events(self.label)
            if self._delivered(events) or self._gone(events):
                return
            await self._repaired()
            attempts = self._failures(events)
            await self._lab.in_thread(self._lab.target.retry, self._queue_id)
            self._saw(Retried(self._now()))
            await self._until(
                lambda now, n=attempts: self._delivered(now) or self._failures(now) > n  # type: ignore[misc]
            )

    def _gone(self, events: tuple[Event, ...]) -> bool:
        return any(isinstance(e, Reported) and e.report.state in OVER for e in events)

    def _failures(self, events: tuple[Event, ...]) -> int:
        return sum(
            isinstance(e, Reported) and e.report.state is not State.DELIVERED for e in events
        )

    async def _repaired(self) -> None:
        """Wait until stale answers have run out; all other faults end by being met."""
        until = self._lab.dns.stale_until(self.label)
        if until is not None:
            await self._lab.journal.until(self.label, lambda _: False, until + 0.05)

    async def _settle(self) -> None:
        """Let what is on its way arrive, let it be quiet, and read the queue."""
        events = self._lab.journal.events(self.label)
        if self._gone(events) and not self.scenario.mail.null_sender:
            await self._until(self._came_home)
        loop = asyncio.get_running_loop()
        for _ in range(ATTEMPTS):
            quiet = loop.time() + self._lab.pace.quiet
            await self._lab.journal.until(self.label, lambda _: False, quiet)
            waiting = await self._lab.waiting(self._queue_id)
            self._saw(Queued(self._now(), waiting))
            if not (waiting and self._left(self._lab.journal.events(self.label))):
                return  # else the agent is still tidying up what it has finished

    def _left(self, events: tuple[Event, ...]) -> bool:
        delivered = any(isinstance(e, Accepted) and e.acknowledged for e in events)
        return delivered or self._came_home(events)
