"""How our fakes compare with stock servers under the same load: `python -m tools.peers`.

Each server runs in a process of its own and is asked by the same client, one after another, in
rounds. What is compared is the server's own processor time for a session or a question, which
does not depend on how fast the client is; beside it stands what went through in a second. A
ratio above 1 says that the fake needs less than the stock server of that row.
"""

import asyncio
import contextlib
import itertools
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiosmtpd.controller import UnthreadedController
from aiosmtpd.handlers import Sink as Swallow
from dnslib import DNSRecord
from dnslib.server import DNSServer
from dnslib.zoneresolver import ZoneResolver

from fakes.dns import Nameserver
from fakes.smtp import MailHost
from model.dns import Zone
from model.events import Event
from targets.packages import place

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.77.0.1"
PORTS = itertools.count(2601)
ROUNDS = 3
SEEDS = itertools.count()
"""One for each load of new questions."""
SESSIONS, AT_ONCE = 1500, 20
QUESTIONS, WINDOW, DOMAINS = 12000, 40, 300
READY_WITHIN = 10.0
MESSAGE = b"Subject: load\r\n\r\n" + 10 * b"A line of some fifty octets, as messages have them.\r\n"
TALK = (
    b"EHLO client.test\r\n",
    b"MAIL FROM:<a@client.test>\r\n",
    b"RCPT TO:<b@host.test>\r\n",
    b"DATA\r\n",
    MESSAGE + b".\r\n",
    b"QUIT\r\n",
)


@dataclass(frozen=True, slots=True)
class Reached:
    """One round: units a second, and the server's processor time for one, in microseconds."""

    rate: float
    cpu: float


class _Deaf:
    """A witness that keeps nothing."""

    def elapsed(self, label: str) -> float:
        """No time passes."""
        return 0.0

    def saw(self, label: str, event: Event) -> None:
        """Forget it."""

    def strayed(self, what: str) -> None:
        """Forget it."""


# Servers: each runs until its stdin closes ---------------------------------------------------


async def _our_smtp(port: int) -> Callable[[], None]:
    host = MailHost(_Deaf(), "x", "mx1", "mx1.test", HOST, port, lambda: None)  # type: ignore[arg-type, return-value] # no TLS is asked for
    await host.open()
    return lambda: None


async def _aiosmtpd(port: int) -> Callable[[], None]:
    controller = UnthreadedController(
        Swallow(), hostname=HOST, port=port, loop=asyncio.get_running_loop()
    )
    controller.server = await controller._create_server()
    return lambda: None


async def _our_dns(port: int) -> Callable[[], None]:
    server = Nameserver(_Deaf(), 2.0)
    for n in range(DOMAINS):
        zone = Zone(("@ MX 10 mx1", "mx1 A {mx1}"))
        server.host(f"d{n}.test", zone, {"mx1": "192.0.2.1"}, f"d{n}")
    await server.start(HOST, port)
    return lambda: None


async def _dnslib(port: int) -> Callable[[], None]:
    lines = [
        f"d{n}.test. 5 MX 10 mx1.d{n}.test.\nmx1.d{n}.test. 5 A 192.0.2.1" for n in range(DOMAINS)
    ]
    made = DNSServer(ZoneResolver("\n".join(lines)), port=port, address=HOST, logger=_Quiet())
    made.start_thread()
    return lambda: None


class _Quiet:
    """dnslib's logger, with nothing to say."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *words: None


SERVERS = {
    "our mail host": _our_smtp,
    "aiosmtpd": _aiosmtpd,
    "our name server": _our_dns,
    "dnslib": _dnslib,
}


def serve(name: str, port: int) -> None:
    """Serve until stdin closes."""

    async def until_closed() -> None:
        await SERVERS[name](port)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)

    asyncio.run(until_closed())
    os._exit(0)  # dnslib's threads have no end of their own


# The client ----------------------------------------------------------------------------------


class _Talk(asyncio.Protocol):
    """One session: the next line for every reply that is complete."""

    def __init__(self) -> None:
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines = iter(TALK)
        self._heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._heard += data
        last = self._heard[self._heard.rfind(b"\n", 0, -1) + 1 :]
        if last.endswith(b"\n") and last[3:4] == b" ":
            self._heard = b""
            if (line := next(self._lines, None)) is None:
                self._transport.close()
            else:
                self._transport.write(line)

    def connection_lost(self, error: Exception | None) -> None:
        self.over.set_result(None)


async def _sessions(port: int) -> None:
    loop, left = asyncio.get_running_loop(), itertools.count()

    async def one_after_another() -> None:
        while next(left) < SESSIONS:
            _, talk = await loop.create_connection(_Talk, HOST, port)
            await talk.over

    await asyncio.gather(*(one_after_another() for _ in range(AT_ONCE)))


def ask_smtp(port: int) -> int:
    """Hold the sessions; how many."""
    asyncio.run(_sessions(port))
    return SESSIONS


def ask_dns(port: int) -> int:
    """Ask the same questions over and over, a window of them at a time; how many."""
    names = [(f"d{n}.test", "MX") for n in range(DOMAINS)]
    names += [(f"mx1.{name}", "A") for name, _ in names]
    return _ask(port, names)


def ask_new_dns(port: int) -> int:
    """Ask as many questions of which no two are spelt alike (RFC 4343: case makes no difference)."""
    spelt = random.Random(next(SEEDS))
    names = [
        "".join(letter.upper() if spelt.random() < 0.5 else letter for letter in f"mx1.d{n}.test")
        for n in itertools.islice(itertools.cycle(range(DOMAINS)), QUESTIONS)
    ]
    return _ask(port, [(name, "A") for name in names])


def _ask(port: int, names: Sequence[tuple[str, str]]) -> int:
    octets = [DNSRecord.question(name, qtype).pack()[2:] for name, qtype in names]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(READY_WITHIN)
        asking.connect((HOST, port))
        for start in range(0, QUESTIONS, WINDOW):
            for number in range(start, start + WINDOW):
                asking.send(number.to_bytes(2, "big") + octets[number % len(octets)])
            for _ in range(WINDOW):
                asking.recv(4096)
    return QUESTIONS


DNS_LOADS = {", asked again": ask_dns, ", always new": ask_new_dns}


# Measuring -----------------------------------------------------------------------------------


@contextlib.contextmanager
def running(
    argv: list[str], env: dict[str, str] | None = None
) -> Iterator["subprocess.Popen[str]"]:
    """A server process, ended by the closing of its stdin, or else killed."""
    process = subprocess.Popen(
        argv,
        cwd=ROOT,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def used(pid: int) -> float:
    """Processor seconds of a process so far (proc(5), fields utime and stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(name: str, ask: Callable[[int], int]) -> Reached:
    """One round with a server of ours or of a library's."""
    port = next(PORTS)
    argv = [sys.executable, "-m", "tools.peers", "serve", name, str(port)]
    with running(argv) as server:
        assert server.stdout is not None
        server.stdout.readline()
        return _load(server.pid, port, ask)


def measure_sink(tree: Path) -> Reached:
    """One round with Postfix's smtp-sink."""
    port = next(PORTS)
    libraries = [tree / "usr/lib/postfix", *sorted((tree / "usr/lib").glob("*-linux-gnu"))]
    env = {
        "LD_LIBRARY_PATH": ":".join(map(str, libraries)),
        "MAIL_CONFIG": str(ROOT / "targets/postfix"),
    }
    with running(
        [str(tree / "usr/sbin/smtp-sink"), "-u", "nobody", f"{HOST}:{port}", "100"], env
    ) as server:
        _wait_for(port)
        return _load(server.pid, port, ask_smtp)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline:
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection((HOST, port)).close()
            return


def _load(pid: int, port: int, ask: Callable[[int], int]) -> Reached:
    ask(port)  # once to warm up
    before, began = used(pid), time.monotonic()
    count = ask(port)
    seconds, cpu = time.monotonic() - began, used(pid) - before
    return Reached(count / seconds, 1e6 * cpu / count)


def rounds() -> dict[str, list[Reached]]:
    """Every server in turn, some rounds."""
    found: dict[str, list[Reached]] = {}
    tree = _sink_tree()
    for _ in range(ROUNDS):
        for name in SERVERS:
            asks = DNS_LOADS if name in ("our name server", "dnslib") else {"": ask_smtp}
            for load, ask in asks.items():
                found.setdefault(name + load, []).append(measure(name, ask))
        if tree is not None:
            found.setdefault("smtp-sink", []).append(measure_sink(tree))
    return found


def _sink_tree() -> Path | None:
    if shutil.which("smtp-sink", path="/usr/sbin"):
        return Path("/")
    tree = place("postfix")
    return tree if (tree / "usr/sbin/smtp-sink").is_file() else None


def main() -> None:
    """Print the table."""
    say = sys.stdout.write
    found = rounds()
    say(f"{'server':<30}{'a second':>12}{'CPU for one':>14}{'ours needs less by':>20}\n")
    for name, reached in found.items():
        _, comma, load = name.partition(",")
        is_dns = comma + load in DNS_LOADS
        ours = found[f"our name server{comma}{load}" if is_dns else "our mail host"]
        ratios = [peer.cpu / own.cpu for peer, own in zip(reached, ours, strict=True)]
        rate = statistics.median(one.rate for one in reached)
        cpu = statistics.median(one.cpu for one in reached)
        factor = "" if reached is ours else f"{statistics.median(ratios):.1f} x"
        say(f"{name:<30}{rate:>12.0f}{cpu:>11.0f} us{factor:>20}\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2], int(sys.argv[3]))
    else:
        main()
