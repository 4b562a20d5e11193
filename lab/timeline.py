"""Time, let pass for everybody in a lab at once.

Theory of operation
-------------------
Scenarios that are about time hold at a barrier once their first attempt is over; when all of them
do, and all others have ended, time is let pass from mark to mark: the ages at which something
happens to one of them (`Life.ages`). At each mark the age is noted, the worlds change that must,
then routes, then the agent's clock is moved, and then everybody sees what the agent does. Last it
may be killed, and started again. Who has reached the last of its own marks goes on by itself.

What holds always: the clock is moved by nobody else, and never back; nothing is under way, as far
as the agent's own schedule goes, when it is moved.
"""

import asyncio
from collections.abc import Sequence

from lab.life import Life
from lab.subject import Subject
from targets.base import Capability


class Timeline:
    """The hours that the scenarios of one lab live through together."""

    def __init__(self, subject: Subject, lives: Sequence[Life]) -> None:
        self._subject = subject
        self._lives = [life for life in lives if life.scenario.is_timed]
        self._others = [life for life in lives if not life.scenario.is_timed]

    async def run(self) -> None:
        """Let everybody's time pass. Where the clock cannot be moved, there is nothing to do."""
        if Capability.PASS_TIME not in self._subject.target.capabilities:
            return
        for life in self._others:
            await life.over.wait()
        for life in self._lives:
            await life.at_barrier.wait()
        passed = 0.0
        for age in sorted({age for life in self._lives for age in life.ages}):
            await self._let_pass(passed, age)
            passed = age

    async def _let_pass(self, passed: float, age: float) -> None:
        """From one mark to the next, for who is still there."""
        alive = [life for life in self._lives if not life.over.is_set()]
        for life in alive:
            life.grow_older(age)  # first: what the agent does may be seen before its answer is
        routes = [await life.prepare(age) for life in alive]
        await self._subject.reroute([route for route in routes if route])
        await self._subject.call(self._subject.target.pass_time, age - passed)
        await asyncio.gather(*(life.reach(age, age - passed) for life in alive))
        if any(life.dies_at(age) for life in alive):
            await self._kill(alive)
        ended = [life for life in alive if age >= life.ages[-1]]
        for life in ended:
            life.time_is_up.set()
        for life in ended:
            await life.over.wait()

    async def _kill(self, alive: Sequence[Life]) -> None:
        """Kill the agent and start it again; everybody notes it."""

        def gone() -> None:
            for life in alive:
                life.note_killed()

        await self._subject.restart(gone)
