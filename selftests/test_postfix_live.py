"""The real Postfix in a sealed room, through its whole contract. Needs Postfix on the machine."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lab.room import Unavailable
from lab.sealed import command
from targets.base import load

ROOT = Path(__file__).resolve().parent.parent
DEADLINE = 60.0

SCRIPT = """
import json, time
from pathlib import Path
import trustme
from aiosmtpd.controller import Controller
from lab.room import AgentDied
from lab.sealed import seal
from model.timers import Timers
from model.tls import Tls
from targets.base import Envelope, Route, load

TIMERS = Timers(dns=1, connect=3, reply=3, lifetime=LIFETIME, retry=1)
room = seal(Path("/run/mailflow-test"), trustme.CA().cert_pem.bytes(), TIMERS)
got = []

class Host:
    async def handle_DATA(self, server, session, envelope):
        got.append(envelope.content.decode())
        return "250 2.0.0 accepted"

def open_host(ip):
    host = Controller(Host(), hostname=ip, port=25, server_hostname="mx.test")
    host.start()
    return host

def route(domain, ip):
    return Route(domain, (f"[{ip}]",), Tls.NONE, "", 60)

def mail(*recipients):
    return Envelope("s@home.test", recipients, b"Subject: x\\r\\n\\r\\n..dotted\\r\\n")

def said(report):
    return [report.recipient, report.state, report.code, report.host, report.queue_id]

hosts = [open_host("198.18.0.9")]
agent = load("postfix")
agent.check()
started = time.monotonic()
agent.start(room, TIMERS, [route("ok.test", "198.18.0.9"), route("closed.test", "198.18.0.10")])
seen = {"start": time.monotonic() - started, "version": agent.version()}
reports = agent.reports()
"""

END = """
agent.stop()
seen["after"] = [said(report) for report in reports]
for host in hosts:
    host.stop()
room.close()
print(json.dumps(seen))
"""


def run(script: str, lifetime: int = 3600) -> Any:
    """Run a script in a sealed room with Postfix; what it saw. Skips where there is none."""
    try:
        load("postfix").check()
        argv = command(
            [sys.executable, "-c", SCRIPT.replace("LIFETIME", str(lifetime)) + script + END]
        )
    except Unavailable as error:
        pytest.skip(str(error))
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, timeout=DEADLINE, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_delivers_defers_and_recovers() -> None:
    """One message arrives; one waits for a closed port, and leaves when it opens."""
    seen = run("""
seen["ok"] = agent.submit(mail("u@ok.test")), said(next(reports))
waits = agent.submit(mail("u@closed.test", "v@closed.test"))
seen["closed"] = waits, [said(next(reports)) for _ in range(2)]
seen["queue"] = [entry.recipients for entry in agent.queue() if entry.queue_id == waits]
hosts.append(open_host("198.18.0.10"))
agent.retry(waits)
seen["again"] = [said(next(reports)) for _ in range(2)]
seen["got"] = got
""")
    assert seen["start"] < 1.0
    assert seen["version"][0].isdigit()
    queue_id, report = seen["ok"]
    assert report == ["u@ok.test", "delivered", "2.0.0", "198.18.0.9", queue_id]
    assert "\r\n\r\n..dotted\r\n" in seen["got"][0]
    queue_id, reports = seen["closed"]
    both = ["u@closed.test", "v@closed.test"]
    assert reports == [[to, "deferred", "4.4.1", "198.18.0.10", queue_id] for to in both]
    assert seen["queue"] == [both]
    assert seen["again"] == [[to, "delivered", "2.0.0", "198.18.0.10", queue_id] for to in both]
    assert seen["after"] == []


def test_gives_up_when_the_lifetime_is_over() -> None:
    """Deferred first, and expired in the end, without a code of its own."""
    seen = run(
        """
waits = agent.submit(mail("u@closed.test"))
seen["states"] = []
for report in reports:
    if report.queue_id == waits:
        seen["states"].append([report.state, report.code])
    if report.state == "expired":
        break
""",
        lifetime=2,
    )
    first, *_, last = seen["states"]
    assert first == ["deferred", "4.4.1"]
    assert last == ["expired", ""]


def test_says_why_it_does_not_start() -> None:
    """Its door is taken: one sentence with Postfix's own last words."""
    seen = run("""
agent.stop()
hosts.append(open_host("127.0.0.1"))
other = load("postfix")
room.work = room.work / "other"
room.work.mkdir()
try:
    other.start(room, TIMERS, [])
except AgentDied as error:
    seen["error"] = str(error)
""")
    assert seen["error"].startswith("Postfix did not start: fatal: ")
    assert "Address already in use" in seen["error"]


def test_passes_on_what_the_loader_says() -> None:
    """A Postfix that cannot even be loaded is no riddle either."""
    seen = run("""
agent.stop()
broken = Path("/run/broken")
(broken / "usr/lib/postfix/sbin").mkdir(parents=True)
(broken / "usr/sbin").mkdir()
(broken / "usr/sbin/postfix").touch()
master = broken / "usr/lib/postfix/sbin/master"
master.write_text("#!/bin/sh\\necho cannot open shared object file >&2; exit 127\\n")
master.chmod(0o755)
import os
os.environ["MAILFLOW_POSTFIX_TREE"] = str(broken)
room.work = room.work / "other"
room.work.mkdir()
other = load("postfix")
try:
    other.start(room, TIMERS, [])
except AgentDied as error:
    seen["error"] = str(error)
""")
    assert seen["error"] == "Postfix did not start: cannot open shared object file"
