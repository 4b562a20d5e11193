"""An agent in a sealed room with mail hosts that can be told what to do: for scripts in there.

A script runs in a process of its own (`witnessed`), makes an `Inside`, writes down what it sees in
`Inside.seen`, and ends with `Inside.close`. All waiting is for events, with deadlines.
"""

import json
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import trustme

from lab.room import Unavailable
from lab.sealed import command, seal
from model.report import Report
from model.timers import Timers
from model.tls import Tls
from model.wishes import Wishes
from targets.base import Capability, Envelope, Route, load

ROOT = Path(__file__).resolve().parent.parent
DEADLINE = 120.0
PATIENCE = 30.0
"""Seconds that a report may take on a busy machine."""
QUIET = 0.7
"""Seconds in which nothing more must be reported."""
HOUR = 3600.0
OPEN, CLOSED, LATER = "198.18.0.9", "198.18.0.10", "198.18.0.11"
TIMERS = Timers(dns=1, connect=3, reply=3, lifetime=48 * HOUR, retry=HOUR, delay=4 * HOUR)


def witnessed(name: str, script: str, needs: Capability) -> Any:
    """What a script has seen with an agent in a sealed room. Skips where that cannot be."""
    agent = load(name)
    try:
        agent.check()
        argv = command([sys.executable, "-c", f"from selftests.live import *\n{script}", name])
    except Unavailable as error:
        pytest.skip(str(error))
    if needs not in agent.capabilities:
        pytest.skip(f"{name} lacks {needs} on this machine")
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, timeout=DEADLINE, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


class Host:
    """A mail host that keeps what it gets, or answers DATA with silence as long as `hangs`."""

    def __init__(self, ip: str, hangs: bool = False) -> None:
        self.hangs = hangs
        self.inside = threading.Event()
        """Set once somebody waits for the answer to DATA."""
        self.got: list[str] = []
        self.envelopes: list[str] = []
        self.silences: list[float] = []
        """How long peers have waited for an answer to DATA until they went."""
        self._door = socket.create_server((ip, 25))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._door.accept()
            threading.Thread(target=self._session, args=(connection,), daemon=True).start()

    def _session(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rwb", buffering=0) as wire:
            try:
                self._talk(wire)  # type: ignore[arg-type]
            except OSError:
                return

    def _talk(self, wire: BinaryIO) -> None:
        wire.write(b"220 mx.test\r\n")
        for octets in iter(wire.readline, b""):
            line = octets.decode().strip()
            match line.upper().split(":")[0]:
                case "DATA" if self.hangs:
                    began = time.monotonic()
                    self.inside.set()
                    wire.read(1)
                    self.silences.append(time.monotonic() - began)
                    return
                case "DATA":
                    wire.write(b"354 go ahead\r\n")
                    content = b"".join(iter(wire.readline, b".\r\n"))
                    self.got.append(content.decode())
                    wire.write(b"250 2.0.0 accepted\r\n")
                case "QUIT":
                    wire.write(b"221 bye\r\n")
                    return
                case word if word.startswith("EHLO"):
                    wire.write(b"250-mx.test\r\n250 DSN\r\n")
                case _:
                    self.envelopes.append(line)
                    wire.write(b"250 ok\r\n")


class Inside:
    """The room, the agent, and one open host; `home.test` is the sender's."""

    def __init__(self, moves: bool = False) -> None:
        timers = Timers(**{**{f: getattr(TIMERS, f) for f in TIMERS.__slots__}, "moves": moves})
        ca = trustme.CA().cert_pem.bytes()
        self.room = seal(Path("/run/mailflow-test"), ca, timers)
        self.host = Host(OPEN)
        self.agent = load(sys.argv[1])
        ways = {"home": OPEN, "ok": OPEN, "closed": CLOSED, "later": LATER}
        self.routes = [route(f"{name}.test", ip) for name, ip in ways.items()]
        self.agent.start(self.room, timers, self.routes)
        self.seen: dict[str, Any] = {}
        self._news: queue.SimpleQueue[Report] = queue.SimpleQueue()
        self.follower = threading.Thread(target=self._follow, daemon=True)
        """Ends with the agent's reports."""
        self.follower.start()

    def _follow(self) -> None:
        for report in self.agent.reports():
            self._news.put(report)

    def submit(self, recipient: str, wishes: Wishes | None = None) -> str:
        """Hand a message in; its queue id."""
        content = b"Subject: x\r\n\r\nhello\r\n"
        envelope = Envelope("s@home.test", (recipient,), content, wishes or Wishes())
        return self.agent.submit(envelope)

    def one(self) -> Report:
        """The next report, as soon as it is there."""
        return self._news.get(timeout=PATIENCE)

    def told(self, wanted: int, quiet: float = QUIET) -> list[str]:
        """So many reports, waiting for them, and whatever follows: `recipient state`."""
        reports = [self.one() for _ in range(wanted)]
        try:
            while True:
                reports.append(self._news.get(timeout=quiet))
        except queue.Empty:
            return [f"{report.recipient} {report.state}" for report in reports]

    def waiting(self) -> list[Sequence[str]]:
        """Who waits in the queue."""
        return [entry.recipients for entry in self.agent.queue()]

    def close(self) -> None:
        """End all, and print what has been seen."""
        self.agent.stop()
        self.room.close()
        sys.stdout.write(json.dumps(self.seen))


def route(domain: str, ip: str) -> Route:
    """A route to one address."""
    return Route(domain, (f"[{ip}]",), Tls.NONE, "", 48 * HOUR)
