"""The target in the lab: a synchronous adapter, its reports, its queue, and its death.

Theory of operation
-------------------
States: made -> running [-> restarting -> running]* -> stopped, or dead if the agent ends unbidden.
Adapter calls run in worker threads; one more thread follows the reports and hands each to the
journal page of the scenario that its recipient belongs to. `dead` is a future that fails when the
agent dies.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from lab.held import Held, held
from lab.journal import Journal
from lab.plan import Placed
from lab.room import AgentDied, Room
from model.address import canonical
from model.events import Reported
from model.report import Report
from model.timers import Timers
from targets.base import Route, Target

T = TypeVar("T")


class Subject:
    """One running target."""

    def __init__(
        self, target: Target, journal: Journal, look: Callable[[], None], patience: float
    ) -> None:
        """`look` takes down what has happened on the wire so far: a report must not come before
        the SYN that it is about. `patience` is how many seconds any one call of the adapter may
        take.
        """
        self.target = target
        self._patience = patience
        self.dead: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._journal = journal
        self._look = look
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(32, "target")
        self._stopping = False
        self._by_recipient: dict[str, str] = {}
        self._routes: dict[str, Route] = {}
        self._up = asyncio.Event()
        self._up.set()
        self._calls = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._reading: asyncio.Task[Held] | None = None

    async def call(
        self, function: Callable[..., T], *args: object, patience: float | None = None
    ) -> T:
        """Call an adapter from a worker thread: adapters are synchronous.

        `patience` is how many seconds this call may take, if not as many as any other. Raises
        AgentDied if the call does not come back: a thread cannot be ended, but the lab can.
        Who calls while the agent is being restarted waits until it is up again.
        """
        await self._up.wait()
        self._calls += 1
        self._idle.clear()
        try:
            return await self._run(function, *args, patience=patience)
        finally:
            self._calls -= 1
            if not self._calls:
                self._idle.set()

    async def _run(
        self, function: Callable[..., T], *args: object, patience: float | None = None
    ) -> T:
        seconds = self._patience if patience is None else patience
        try:
            async with asyncio.timeout(seconds):
                return await self._loop.run_in_executor(self._threads, function, *args)
        except TimeoutError:
            raise AgentDied(
                f"the adapter's `{function.__name__}` has not returned for {seconds:.0f} s"
            ) from None

    async def restart(self, gone: Callable[[], object]) -> None:
        """Kill the agent, say that it is `gone`, and start it again; no call may be under way."""
        self._up.clear()
        try:
            await self._idle.wait()
            await self._run(self.target.kill)
            gone()
            await self._run(self.target.start_again)
        finally:
            self._up.set()

    async def reroute(self, changed: Sequence[Route]) -> None:
        """Have the agent's mail for some domains take other routes; the others stay."""
        if changed:
            self._routes |= {route.domain: route for route in changed}
            await self.call(self.target.reroute, list(self._routes.values()))

    async def start(self, room: Room, timers: Timers, placed: Sequence[Placed]) -> None:
        """Start the agent with every route. Raises AgentDied, Unavailable."""
        for one in placed:
            recipients = (canonical(name).lower() for name in one.placement.recipients)
            self._by_recipient |= dict.fromkeys(recipients, one.scenario.label)
        self._routes = {one.route.domain: one.route for one in placed}
        await self.call(self.target.start, room, timers, list(self._routes.values()))
        threading.Thread(target=self._follow, name="reports", daemon=True).start()

    async def stop(self) -> None:
        """End the agent; from now on its end is no death."""
        self._stopping = True
        await self.call(self.target.stop)
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def held(self) -> Held:
        """What the queue holds; who comes together shares a reading.

        Somebody who comes while a reading is under way needs a newer one.
        """
        if self._reading is not None and not self._reading.done():
            await asyncio.wait([self._reading])
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        return await self._reading

    async def _read(self) -> Held:
        return held(await self.call(self.target.queue))

    def _follow(self) -> None:
        """Pass the agent's reports on to the loop; runs in a thread until the agent ends."""
        sentence = "the agent ended in mid-run and left no word"
        try:
            for report in self.target.reports():
                self._loop.call_soon_threadsafe(self._reported, report)
            if not self._stopping:
                self.target.queue()  # a dead agent cannot answer, and the adapter says why
        except AgentDied as error:
            sentence = str(error)
        with contextlib.suppress(RuntimeError):  # the loop may be gone already
            self._loop.call_soon_threadsafe(self._ended, sentence)

    def _reported(self, report: Report) -> None:
        label = self._by_recipient.get(canonical(report.recipient).lower())
        if label is not None:  # else it is about an NDR
            self._look()
            self._journal.saw(label, Reported(self._journal.elapsed(label), report))

    def _ended(self, sentence: str) -> None:
        if not self._stopping and not self.dead.done():
            self.dead.set_exception(AgentDied(sentence))
            self.dead.exception()  # it is told to every scenario; asyncio need not warn
