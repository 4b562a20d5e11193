"""The world, assembled: a room, the fakes, a target, and every scenario's life in it.

Theory of operation
-------------------
A lab is opened once with all the scenarios it will ever run. It places them, starts the fakes
and the target, and lets every scenario live at once (`lab/life.py`); each ends in a trace that
is handed out as soon as it is there.

Scenarios that wait for their expiry hold at a barrier until all the others are done, because
time passes for everybody; then the agent's clock is moved, lifetime by lifetime (`_let_time_pass`).
The closing scenarios start when everything else has ended.

What holds always: the lab judges nothing; what goes wrong in it is a `LabBroken` with a
sentence, never a trace; if the agent dies, every scenario still alive is broken by that.
"""

import asyncio
import contextlib
import itertools
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from fakes.dns import Nameserver
from fakes.pki import Pki
from fakes.raw import RawHost
from fakes.reach import Reaches
from fakes.sink import Sink
from fakes.smtp import MailHost
from lab.journal import Journal
from lab.life import Life, expires
from lab.pace import Pace
from lab.plan import HOME, Placed, place_all, sink_address
from lab.room import AgentDied, Room
from model.events import Elapsed, Knocked, Reported
from model.report import Report
from model.scenario import Host, Reach, Scenario
from model.tls import Flaw
from model.trace import Trace
from targets.base import Capability, Target

BEFORE, AFTER = 300.0, 60.0
"""Seconds of the agent's clock: how close before a lifetime nothing may have expired, and how
long after it everything must have."""


class LabBroken(Exception):
    """Our fault, or the agent's death: the run cannot say anything. One sentence."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a lab is to run: scenarios, those to start when all else has ended, and lifetimes."""

    scenarios: tuple[Scenario, ...]
    closing: tuple[Scenario, ...]
    lifetime: float
    lifetimes: dict[str, float]
    retry: float


class Lab:
    """One room, one target, many scenarios."""

    def __init__(self, room: Room, network: str, pki: Pki, target: Target, pace: Pace) -> None:
        self.room, self.network, self.pki, self.target, self.pace = (
            room,
            network,
            pki,
            target,
            pace,
        )
        self.journal = Journal()
        self.dead: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(32, "target")
        self._hosts: list[MailHost] = []
        self._stopping = False
        self._by_ip: dict[str, tuple[str, str]] = {}
        self._syns: set[tuple[str, int]] = set()
        self._by_recipient: dict[str, str] = {}
        self._lives: list[Life] = []
        self._queue_read: asyncio.Task[dict[str, tuple[str, ...]]] | None = None

    async def run(self, order: Order) -> AsyncIterator[tuple[str, Trace | LabBroken]]:
        """Run everything in the order; yields each scenario's id and trace as it settles."""
        everything = (*order.scenarios, *order.closing)
        placed = place_all(everything, self.room, self.network, order.lifetimes)
        await self._open_fakes(placed)
        timers = self.pace.for_life(order.lifetime, order.retry)
        await self.in_thread(self.target.start, self.room, timers, [p.route for p in placed])
        threading.Thread(target=self._follow, name="reports", daemon=True).start()
        try:
            async for result in self._live(placed, order):
                yield result
        finally:
            await self._close()

    async def in_thread(self, call: Callable[..., object], *args: object) -> object:
        """Call an adapter from a worker thread: adapters are synchronous."""
        return await self._loop.run_in_executor(self._threads, call, *args)

    # Opening and closing -------------------------------------------------------------------

    async def _open_fakes(self, placed: Sequence[Placed]) -> None:
        self.dns = Nameserver(self.journal, self.pace.timers.dns)
        await self.dns.start(*self.room.dns)
        self.reaches = Reaches(sealed=self.room.sealed, on_syn=self._on_syn)
        await self._open_sink()
        for one in placed:
            await self._open_scenario(one)

    async def _open_sink(self) -> None:
        ip, name = sink_address(self.network), f"mx.{HOME}"
        sink = Sink(
            witness=self.journal,
            label="",
            name="sink",
            fqdn=name,
            ip=ip,
            port=self.room.smtp_port,
            context=lambda: self.pki.context(Flaw.VALID, (name,)),
            label_of=lambda domain: domain.removesuffix(f".{HOME}"),
        )
        self.dns.fixed(HOME, ("@ A " + ip, "mx A " + ip))
        self.dns.fixed("agent.test", ("@ A 127.0.0.1",))
        await sink.open()
        self._hosts.append(sink)

    async def _open_scenario(self, one: Placed) -> None:
        scenario, placement = one.scenario, one.placement
        addresses = {name: ip for name, (_, ip) in placement.hosts.items()}
        self.dns.host(placement.domain, scenario.records, addresses, scenario.label)
        self.dns.home(placement.home, f"mx.{HOME}", sink_address(self.network), scenario.label)
        self._by_recipient |= dict.fromkeys(placement.recipients, scenario.label)
        numbers = itertools.count(1)
        for host in scenario.hosts:
            fqdn, ip = placement.hosts[host.name]
            self._by_ip[ip] = (scenario.label, host.name)
            if host.reach is not Reach.UP:
                await self.reaches.block(ip, self.room.smtp_port, host.reach)
                continue
            kind = RawHost if host.script else MailHost
            server = kind(
                witness=self.journal,
                label=scenario.label,
                name=host.name,
                fqdn=fqdn,
                ip=ip,
                port=self.room.smtp_port,
                context=self._context(host, fqdn),
                behaviours=host.behaviours,
                script=host.script,
                domain=placement.domain,
                next_conn=numbers.__next__,
            )
            await server.open()
            self._hosts.append(server)

    def _context(self, host: Host, fqdn: str) -> Callable[[], ssl.SSLContext]:
        return lambda: self.pki.context(host.certificate, (fqdn,))

    async def _close(self) -> None:
        self._stopping = True
        await self.in_thread(self.target.stop)
        for host in self._hosts:
            await host.close()
        await self.reaches.close()
        await self.dns.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)

    # Evidence ------------------------------------------------------------------------------

    def _on_syn(self, source: str, port: int, ip: str, to_port: int) -> None:
        where = self._by_ip.get(ip)
        if where is None:
            if to_port == self.room.smtp_port and ip != sink_address(self.network):
                if ip.startswith("127."):
                    return  # the agent's own door
                self.journal.strayed(f"a connection to {ip}:{to_port}, where nobody lives")
        elif (ip, port) not in self._syns:
            self._syns.add((ip, port))
            label, host = where
            self.journal.saw(label, Knocked(self.journal.elapsed(label), host, ip))

    def _follow(self) -> None:
        """Pass the agent's reports on to the loop; runs in a thread until the agent ends."""
        sentence = "the agent ended in mid-run"
        try:
            for report in self.target.reports():
                self._loop.call_soon_threadsafe(self._reported, report)
        except AgentDied as error:
            sentence = str(error)
        if not self._stopping:
            with contextlib.suppress(RuntimeError):  # the loop may be gone already
                self._loop.call_soon_threadsafe(self._died, sentence)

    def _reported(self, report: Report) -> None:
        label = self._by_recipient.get(report.recipient.lower())
        if label is not None:
            self.journal.saw(label, Reported(self.journal.elapsed(label), report))

    def _died(self, sentence: str) -> None:
        if not self.dead.done():
            self.dead.set_exception(LabBroken(sentence))
            self.dead.exception()  # it is told to every scenario; asyncio need not warn

    async def waiting(self, queue_id: str) -> tuple[str, ...]:
        """Whom the queue still holds this message for; readers who come together share a reading.

        Somebody who comes while a reading is under way needs a newer one.
        """
        if self._queue_read is not None and not self._queue_read.done():
            await asyncio.wait([self._queue_read])
        if self._queue_read is None or self._queue_read.done():
            self._queue_read = asyncio.ensure_future(self._read_queue())
        return (await self._queue_read).get(queue_id, ())

    async def _read_queue(self) -> dict[str, tuple[str, ...]]:
        held = await self.in_thread(self.target.queue)
        assert isinstance(held, Sequence)
        return {one.queue_id: tuple(one.recipients) for one in held}

    # Lives ---------------------------------------------------------------------------------

    async def _live(
        self, placed: Sequence[Placed], order: Order
    ) -> AsyncIterator[tuple[str, Trace | LabBroken]]:
        closing = {scenario.id for scenario in order.closing}
        self._lives = [Life(self, p) for p in placed if p.scenario.id not in closing]
        last = [Life(self, p) for p in placed if p.scenario.id in closing]
        time = asyncio.create_task(self._let_time_pass())
        try:
            for lives in (self._lives, last):
                tasks = [asyncio.create_task(self._one(life)) for life in lives]
                for next_done in asyncio.as_completed(tasks):
                    yield await next_done
        finally:
            time.cancel()

    async def _one(self, life: Life) -> tuple[str, Trace | LabBroken]:
        task = asyncio.create_task(life.live())
        try:
            either: set[asyncio.Future[Any]] = {task, self.dead}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return life.id, task.result()
            return life.id, LabBroken(str(self.dead.exception()))
        except (LabBroken, AgentDied, OSError) as error:
            return life.id, LabBroken(f"{life.id}: {error}")
        finally:
            task.cancel()
            life.at_barrier.set()  # however it ended: time must go on for the others
            life.over.set()

    async def _let_time_pass(self) -> None:
        """Once all others are done, move the agent's clock from lifetime to lifetime."""
        if Capability.PASS_TIME not in self.target.capabilities:
            return
        waiting = [life for life in self._lives if expires(life.scenario)]
        for life in self._lives:
            await (life.at_barrier if life in waiting else life.over).wait()
        passed = 0.0
        for lifetime in sorted({life.lifetime for life in waiting}):
            for mark in (lifetime - BEFORE, lifetime + AFTER):
                await self.in_thread(self.target.pass_time, mark - passed)
                passed = mark
                for life in waiting:
                    at = self.journal.elapsed(life.label)
                    self.journal.saw(life.label, Elapsed(at, life.age(at, passed)))
                await self._quiet()
            for life in waiting:
                if life.lifetime == lifetime:
                    await life.over.wait()

    async def _quiet(self) -> None:
        """Give the agent the time to do what it must not do."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.pace.quiet):
                await asyncio.get_running_loop().create_future()
