"""A name server that goes away and comes back: the fake, the lab's turns, and what is judged."""

import asyncio
import errno
import json
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dns.message
import dns.rcode
import pytest

from catalogue import CATALOGUE
from catalogue.truth import flaws
from fakes.dns import Nameserver
from lab.outage import Outages
from model.dns import Gone, Outage, Zone
from model.events import Asked, Event, ResolverBack, ResolverGone, describe
from model.expect import Arrives, Fails, Recovers
from model.failure import Cause, Failure
from model.scenario import Connector, Kill, Scenario
from model.unmet import unmet_faults
from selftests.witness import Notebook
from selftests.worlds import deferred, queued, scenario, stored, trace

ROOT = Path(__file__).resolve().parent.parent
UNSHARE = ["unshare", *(["--user", "--map-root-user"] if os.geteuid() else []), "--net"]
IP = "127.0.9.4"
PATIENCE = 5.0
"""Seconds for what must come."""
SHORT = 0.2
"""Seconds for what must not."""
ZONE = Zone(("@ MX 10 mx1", "mx1 A {mx1}"))
QUESTION = dns.message.make_query("x.test", "MX").to_wire()


# The fake ------------------------------------------------------------------------------------


def with_server(test: Callable[[Nameserver, Notebook], Awaitable[None]]) -> None:
    """Run a test against a server of one scenario's zone."""

    async def run() -> None:
        notebook = Notebook()
        server = Nameserver(notebook, PATIENCE)
        await server.start(IP, 0)
        server.host("x.test", ZONE, {"mx1": "127.0.0.9"}, "x")
        try:
            async with asyncio.timeout(30):
                await test(server, notebook)
        finally:
            await server.stop()

    asyncio.run(run())


async def ask(server: Nameserver, limit: float = PATIENCE) -> str:
    """What becomes of a question over UDP."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as udp:
        udp.connect(server.address)
        try:
            async with asyncio.timeout(limit):
                udp.send(QUESTION)
                octets = await asyncio.get_running_loop().sock_recv(udp, 512)
        except TimeoutError:
            return "silence"
        except OSError as error:
            return errno.errorcode[error.errno or 0]
    return dns.rcode.to_text(dns.message.from_wire(octets).rcode())


async def ask_over_tcp(server: Nameserver, limit: float = PATIENCE) -> str:
    """What becomes of a question over TCP."""
    try:
        reader, writer = await asyncio.open_connection(*server.address)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    try:
        writer.write(len(QUESTION).to_bytes(2, "big") + QUESTION)
        async with asyncio.timeout(limit):
            return "an answer" if await reader.read(2) else "hung up"
    except TimeoutError:
        return "silence"
    finally:
        writer.close()


def answers(notebook: Notebook) -> list[tuple[str, str, bool]]:
    """What has been journaled of questions."""
    return [(e.transport, e.answer, e.spoiled) for e in notebook.events if isinstance(e, Asked)]


def test_a_silent_server_hears_and_says_nothing() -> None:
    """Over both transports, its connections stay open, and then it answers again."""

    async def test(server: Nameserver, notebook: Notebook) -> None:
        await server.go(Gone.SILENT, sealed=False)
        assert server.gone is Gone.SILENT
        assert await ask(server, SHORT) == "silence"
        assert await ask_over_tcp(server, SHORT) == "silence"
        assert answers(notebook) == [("udp", "silence", True), ("tcp", "silence", True)]
        await server.come_back()
        assert await ask(server) == "NOERROR"
        assert await ask_over_tcp(server) == "an answer"

    with_server(test)


def test_a_closed_port_is_closed_and_opens_again() -> None:
    """ICMP over UDP, RST over TCP, and the same address afterwards, twice over."""

    async def test(server: Nameserver, notebook: Notebook) -> None:
        for _ in range(2):
            address = server.address
            await server.go(Gone.CLOSED, sealed=False)
            assert await ask(server) == "ECONNREFUSED"
            assert await ask_over_tcp(server) == "ECONNREFUSED"
            server.look()
            assert not notebook.events
            await server.come_back()
            assert server.address == address
            assert await ask(server) == "NOERROR"
            assert await ask_over_tcp(server) == "an answer"
            notebook.events.clear()

    with_server(test)


@pytest.mark.parametrize("gone", Gone)
def test_it_can_be_stopped_while_it_is_gone(gone: Gone) -> None:
    """More than once, too."""

    async def test(server: Nameserver, notebook: Notebook) -> None:
        await server.go(gone, sealed=False)
        await server.stop()
        await server.stop()
        assert await ask(server) == "ECONNREFUSED"

    with_server(test)


def test_what_belongs_to_nobody_is_a_stray_even_then() -> None:
    """Nobody else's name may be asked for, whether anybody answers or not."""

    async def test(server: Nameserver, notebook: Notebook) -> None:
        await server.go(Gone.SILENT, sealed=False)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            for name in ("1.0.0.127.in-addr.arpa", "elsewhere.example"):
                udp.sendto(dns.message.make_query(name, "A").to_wire(), server.address)
            udp.sendto(b"junk", server.address)
        assert await ask(server, SHORT) == "silence"
        assert notebook.strays == ["DNS elsewhere.example A"]

    with_server(test)


INSIDE = """
import asyncio, json, socket, subprocess
import dns.message
from fakes.dns import Nameserver
from model.dns import Gone, Zone
from selftests.witness import Notebook

async def main():
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    notebook, said = Notebook(), {}
    server = Nameserver(notebook, 1.0)
    await server.start("127.0.0.53", 53)
    server.host("x.test", Zone(("@ A 127.0.0.9",)), {}, "x")
    await server.go(Gone.CLOSED, sealed=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.connect(server.address)
        udp.send(dns.message.make_query("x.test", "A").to_wire())
        try:
            udp.recv(512)
        except ConnectionRefusedError:
            said["refused"] = True
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.sendto(dns.message.make_query("x.test", "MX").to_wire(), ("127.0.0.54", 53))
        udp.sendto(dns.message.make_query("x.test", "MX").to_wire(), ("127.0.0.53", 54))
    server.look()
    said["seen"] = [(e.name, e.qtype, e.answer, e.spoiled) for e in notebook.events]
    await server.come_back()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.setblocking(False)
        udp.connect(server.address)
        udp.send(dns.message.make_query("x.test", "A").to_wire())
        answer = await asyncio.get_running_loop().sock_recv(udp, 512)
    said["then"] = len(dns.message.from_wire(answer).answer)
    said["events"] = len(notebook.events)
    await server.stop()
    print(json.dumps(said))

asyncio.run(main())
"""


def test_in_a_network_of_its_own_what_comes_to_the_closed_port_is_seen() -> None:
    """Each question once, those for other addresses and ports not; the kernel's ICMP goes out."""
    probe = subprocess.run([*UNSHARE, "true"], capture_output=True, text=True, check=False)
    if probe.returncode:
        pytest.skip(f"no network namespace can be made here: {probe.stderr.strip()}")
    ran = subprocess.run(
        [*UNSHARE, sys.executable, "-W", "error", "-c", INSIDE],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {
        "refused": True,
        "seen": [["x.test", "A", "port unreachable", True]],
        "then": 1,
        "events": 2,
    }


# The lab's turns -----------------------------------------------------------------------------


@dataclass
class SomeServer:
    """Writes down what it is told."""

    told: list[str] = field(default_factory=list)

    async def go(self, gone: Gone, *, sealed: bool) -> None:
        """Away."""
        self.told.append(f"gone: {gone}")

    async def come_back(self) -> None:
        """And back."""
        self.told.append("back")


@dataclass(eq=False)
class SomeLife:
    """As much of a life as an outage needs."""

    scenario: Scenario
    told: list[str]
    over: asyncio.Event = field(default_factory=asyncio.Event)
    at_barrier: asyncio.Event = field(default_factory=asyncio.Event)

    def resolver_is_back(self) -> None:
        """Hear it."""
        self.told.append("heard")


WITHOUT = scenario(outage=Outage(Gone.SILENT))


def test_it_goes_when_the_others_are_over_and_is_back_when_all_have_met_it() -> None:
    """And not before either; who wants it gone begins when it is."""

    async def test() -> None:
        server = SomeServer()
        healthy = SomeLife(scenario(), server.told)
        hit = [SomeLife(WITHOUT, server.told) for _ in range(2)]
        lives: Any = [healthy, *hit]
        outages = Outages(server, lives, sealed=True)  # type: ignore[arg-type]
        running = asyncio.create_task(outages.run())
        due = asyncio.create_task(outages.is_due(lives[1]))
        await outages.is_due(lives[0])
        await asyncio.sleep(0)
        assert server.told == []
        assert not due.done()
        healthy.over.set()
        await due
        hit[0].at_barrier.set()
        await asyncio.sleep(0)
        assert server.told == ["gone: silent"]
        hit[1].at_barrier.set()
        await running
        assert server.told == ["gone: silent", "back", "heard", "heard"]

    asyncio.run(test())


def test_where_nobody_wants_it_gone_it_stays() -> None:
    """At once over."""

    async def test() -> None:
        server = SomeServer()
        lives: Any = [SomeLife(scenario(), server.told)]
        await Outages(server, lives, sealed=True).run()  # type: ignore[arg-type]
        assert server.told == []

    asyncio.run(test())


# What is judged ------------------------------------------------------------------------------

NO_ANSWER = Fails(Cause(Failure.DNS_QUERY_FAILED, "no-answer"))
LATER = Recovers(NO_ANSWER)
HOME = Asked(0.1, "x-y.home.test", "MX", "udp", "silence", True)
WAY = Asked(0.1, "x-y.test", "MX", "udp", "silence", True)
ANSWERED = Asked(2.0, "x-y.test", "MX", "udp", "MX 10 mx1.x-y.test", False)


@pytest.mark.parametrize(
    ("gone", "way", "sealed", "events", "words"),
    [
        (Gone.SILENT, (), True, (ResolverGone(0.0, Gone.SILENT), WAY), ""),
        (Gone.SILENT, (), False, (ResolverGone(0.0, Gone.SILENT), WAY), ""),
        (Gone.CLOSED, (), True, (ResolverGone(0.0, Gone.CLOSED), WAY), ""),
        (Gone.CLOSED, (), False, (ResolverGone(0.0, Gone.CLOSED),), ""),
        (Gone.CLOSED, ("[mx1]",), True, (ResolverGone(0.0, Gone.CLOSED),), ""),
        (Gone.CLOSED, ("mx1",), True, (ResolverGone(0.0, Gone.CLOSED),), "nobody asked"),
        (Gone.SILENT, (), False, (ResolverGone(0.0, Gone.SILENT), HOME), "nobody asked"),
        (Gone.SILENT, (), True, (ResolverGone(0.0, Gone.SILENT), ANSWERED), "nobody asked"),
        (Gone.SILENT, ("[mx1]",), True, (WAY,), "was not gone"),
    ],
)
def test_an_outage_that_nobody_met_proves_nothing(
    gone: Gone, way: tuple[str, ...], sealed: bool, events: tuple[Event, ...], words: str
) -> None:
    """It must have been gone; and whoever has to ask must be seen to, wherever that can be seen."""
    about = scenario(outage=Outage(gone), connector=Connector(smart_hosts=way), expect=LATER)
    seen = trace(*events, deferred(), ResolverBack(1.5), stored(), queued(), sealed=sealed)
    found = "; ".join(unmet_faults(about, seen))

    assert words in found
    assert bool(words) is bool(found)


def test_the_trace_tells_of_it() -> None:
    """In words for a person."""
    assert describe(ResolverGone(0.0, Gone.CLOSED)) == "DNS  the only name server is gone: closed"
    assert describe(ResolverBack(0.0)) == "DNS  the name server is back"


@pytest.mark.parametrize(
    "more",
    [{"kill": Kill.WAITING, "expect": Arrives()}, {"course": CATALOGUE["queue.delay.once"].course}],
)
def test_an_outage_has_a_lab_to_itself(more: dict[str, Any]) -> None:
    """Neither is the agent killed in it, nor does time pass."""
    assert any(
        "different labs" in flaw
        for flaw in flaws("x", scenario(outage=Outage(Gone.CLOSED), **more))
    )
