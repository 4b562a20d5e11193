"""The lab: a world, a target in it, and every scenario's life.

Theory of operation
-------------------
A lab runs one order. It places all scenarios, opens the world and starts the target, and lets
every scenario live at once (`lab/life.py`); each ends in a trace that is handed out as soon as it
is there.

Scenarios that are about time hold at a barrier until all the others are done, because time passes
for everybody (`lab/timeline.py`). Those in which the agent is killed hold until all are where that
is to happen, and so do those whose agent runs short of something (`lab/shortages.py`); those in
which the name server is gone begin when it is (`lab/outage.py`). The control that closes a chapter
starts when the chapter has ended, the last one when everything has.

What holds always: the lab judges nothing; what goes wrong in it is a `LabBroken` with a
sentence, never a trace; if the agent dies, every scenario still alive is broken by that.
"""

import asyncio
import gc
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fakes.pki import Pki
from lab.governor import Governor
from lab.life import Life
from lab.outage import Outages
from lab.pace import Pace
from lab.plan import place_all
from lab.room import AgentDied, Room
from lab.shortages import Shortages, Supply, supplies
from lab.subject import Subject
from lab.timeline import Timeline
from lab.world import World
from model.scenario import Kill, Scenario
from model.shortage import Shortage
from model.trace import Clock, Trace
from targets.base import Capability, Target

Settled = tuple[str, "Trace | LabBroken"]
"""A scenario's id, and its evidence or what broke it."""
REMEDY = "mend the agent, then run again"
"""What to do about an agent that has died."""


class LabBroken(Exception):
    """Our fault, or the agent's death: the run cannot say anything. One sentence."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a lab is to run: scenarios, the controls that close them, and lifetimes.

    A scenario of `closing` starts when all others of its chapter have ended, `last` when everything
    has.

    `lifetimes` gives each id's lifetime in seconds of the agent's clock, `lifetime` and `retry`
    configure the agent as a whole, as does `delay`: all in seconds. `clock` says how hours pass.

    `kills` are seconds after the start, at which the agent is killed whatever it is doing; what
    becomes of the mail is waited for only when the last one is over. `short`: the agent's machine
    runs short of something on the way.
    """

    scenarios: tuple[Scenario, ...]
    closing: tuple[Scenario, ...]
    last: Scenario
    lifetime: float
    lifetimes: dict[str, float]
    retry: float
    delay: float = 0.0
    clock: Clock = Clock.RUNS
    kills: tuple[float, ...] = ()
    short: bool = False

    @property
    def everything(self) -> tuple[Scenario, ...]:
        """Every scenario, the last one last."""
        return (*self.scenarios, *self.closing, self.last)


class Lab:
    """One room, one target, many scenarios."""

    def __init__(self, room: Room, network: str, pki: Pki, target: Target, pace: Pace) -> None:
        self.world = World(room, network, pki, pace.timers)
        self._room, self._network, self._pace = room, network, pace
        self._settled: asyncio.Queue[tuple[str, Trace | BaseException]] = asyncio.Queue()
        self._governor = Governor(pace.launch)
        self._kills_over = asyncio.Event()
        self._subject = Subject(target, self.world.journal, self.world.look, pace.start)

    async def run(self, order: Order) -> AsyncIterator[Settled]:
        """Run everything in the order; yields each scenario's id and trace as it settles."""
        placed = place_all(order.everything, self._room, self._network, order.lifetimes)
        moves = order.clock is Clock.MOVED
        pace = self._pace.for_life(order.lifetime, order.retry, order.delay, moves)
        lives = [Life(self.world, self._subject, pace, one, order.clock) for one in placed]
        if order.kills:
            self._survive(lives)
        first = lives[: len(order.scenarios)]
        outages = Outages(self.world.dns, first, sealed=self._room.sealed)
        try:
            await self.world.open(placed)
            shortages = Shortages(self._supplies() if order.short else {}, first)
            await self._subject.start(self._room, pace.timers, placed)
            # What there is now stays; looking for garbage in it would take a fifth of a second every
            # few, and so long every fake would be late.
            gc.freeze()
            if moves:
                self.world.journal.let_time_pass()
            fates = [
                self._see_to(Timeline(self._subject, first).run()),
                self._see_to(self._kill(first)),
                self._see_to(outages.run()),
                self._see_to(self._kill_at(order.kills, lives)),
                self._see_to(shortages.run()),
            ]
            orders = _in_order(lives, len(first))
            tasks = {
                asyncio.create_task(self._one(life, before, outages)) for life, before in orders
            }
            for _ in tasks:
                name, result = await self._settled.get()
                if isinstance(result, Trace) or (name and isinstance(result, LabBroken)):
                    yield name, result
                else:
                    raise result
            for fate in fates:
                fate.cancel()
        finally:
            await self._subject.stop()
            await self.world.close()

    def _see_to(self, what: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do what is done to all lives together; its trouble is everybody's."""
        task = asyncio.create_task(what)
        task.add_done_callback(self._heed)
        return task

    def _heed(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (fault := task.exception()):
            known = isinstance(fault, AgentDied | OSError)
            broken = LabBroken(f"{fault}; {REMEDY}")
            self._settled.put_nowait(("", broken if known else fault))

    async def _one(self, life: Life, before: Sequence[Life], outages: Outages) -> None:
        """One life, when those before it are over; its trace is handed out, and not kept."""
        for other in before:
            await other.over.wait()
        await outages.is_due(life)
        if not before:  # who closes a chapter has waited for it, and is one of few
            await self._governor.admit()
        try:
            self._settled.put_nowait((life.id, await self._trace(life)))
        except Exception as fault:  # noqa: BLE001 - ours, and whoever waits for it must hear of it
            self._settled.put_nowait((life.id, fault))
        finally:
            life.at_barrier.set()  # however it ended: time must go on for the others
            life.did_without.set()
            life.over.set()

    async def _trace(self, life: Life) -> Trace | LabBroken:
        """The evidence, or what broke the life: trouble of its own, or the agent's death."""
        task, dead = asyncio.create_task(life.live()), self._subject.dead
        either: set[asyncio.Future[Any]] = {task, dead}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            return LabBroken(f"{dead.exception()}; {REMEDY}")
        except (AgentDied, OSError) as error:
            return LabBroken(f"{life.id}: {error}")
        finally:
            task.cancel()

    async def _kill(self, lives: Sequence[Life]) -> None:
        """Kill the agent and start it again, once everybody is where it is to be killed."""
        doomed = [life for life in lives if life.scenario.kill is not Kill.NEVER]
        for life in doomed:
            await life.at_barrier.wait()
        if not doomed:
            return

        def gone() -> None:
            for life in doomed:
                life.note_killed()

        await self._subject.restart(gone)
        for life in doomed:
            life.was_killed.set()

    def _supplies(self) -> Mapping[Shortage, Supply]:
        """What can be taken away, before the agent starts."""
        target = self._subject.target
        own = Capability.SPOOL_OF_ITS_OWN in target.capabilities
        return supplies(self._room.work / target.spool if own else None)

    async def _kill_at(self, moments: Sequence[float], lives: Sequence[Life]) -> None:
        """Kill the agent at these seconds after the start, and start it again each time."""
        loop = asyncio.get_running_loop()
        began = loop.time()

        def gone() -> None:
            for life in lives:
                life.note_killed()

        for moment in moments:
            await asyncio.sleep(began + moment - loop.time())  # chance's own time, not a wait
            await self._subject.restart(gone)
        self._kills_over.set()

    def _survive(self, lives: Sequence[Life]) -> None:
        for life in lives:
            life.kills_over = self._kills_over


def _in_order(lives: Sequence[Life], now: int) -> Iterator[tuple[Life, Sequence[Life]]]:
    """Each life with those that must be over before it starts.

    None for the first `now`; then for each the others of its chapter; for the last one all.
    """
    for life in lives[:now]:
        yield life, ()
    for life in lives[now:-1]:
        yield life, [one for one in lives[:now] if one.scenario.chapter == life.scenario.chapter]
    yield lives[-1], lives[:-1]
