"""The real Exim in a sealed room, through its whole contract. Needs Exim on the machine."""

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
import json, os, signal, subprocess, sys, threading, time
from pathlib import Path
import trustme
from aiosmtpd.controller import Controller
from lab.room import AgentDied
from lab.sealed import seal
from model.timers import Timers
from model.tls import Tls
from targets.base import Envelope, Route, load

TIMERS = Timers(dns=1, connect=3, reply=3, lifetime=LIFETIME, retry=RETRY)
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

def route(domain, *ips):
    return Route(domain, tuple(f"[{ip}]" for ip in ips), Tls.NONE, "", 60)

def mail(*recipients):
    return Envelope("s@home.test", recipients, b"Subject: x\\r\\n\\r\\n..dotted\\r\\n")

def said(report):
    return [report.recipient, report.state, report.code, report.host, report.queue_id]

def start_another():
    room.work = room.work / "other"
    room.work.mkdir()
    try:
        load("exim").start(room, TIMERS, [])
    except AgentDied as error:
        return str(error)

hosts = [open_host("198.18.0.9")]
agent = load("exim")
agent.check()
started = time.monotonic()
agent.start(
    room,
    TIMERS,
    [
        route("ok.test", "198.18.0.9"),
        route("closed.test", "198.18.0.10"),
        route("second.test", "198.18.0.10", "198.18.0.9"),
    ],
)
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


def run(script: str, lifetime: int = 3600, retry: int = 3600) -> Any:
    """Run a script in a sealed room with Exim; what it saw. Skips where there is none."""
    times = SCRIPT.replace("LIFETIME", str(lifetime)).replace("RETRY", str(retry))
    try:
        load("exim").check()
        argv = command([sys.executable, "-c", times + script + END])
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
agent.retry(waits)
seen["got"] = got
""")
    assert seen["start"] < 5.0
    assert seen["version"][0].isdigit()
    queue_id, report = seen["ok"]
    assert report == ["u@ok.test", "delivered", "250 2.0.0", "198.18.0.9", queue_id]
    assert "\r\n\r\n..dotted\r\n" in seen["got"][0]
    queue_id, reports = seen["closed"]
    both = ["u@closed.test", "v@closed.test"]
    assert reports == [[to, "deferred", "", "198.18.0.10", queue_id] for to in both]
    assert seen["queue"] == [both]
    assert seen["again"] == [[to, "delivered", "250 2.0.0", "198.18.0.10", queue_id] for to in both]
    assert seen["after"] == []


def test_goes_on_to_the_second_smart_host() -> None:
    """The first one of the list is closed."""
    seen = run("""
queue_id = agent.submit(mail("u@second.test"))
seen["second"] = queue_id, said(next(reports))
""")
    queue_id, report = seen["second"]
    assert report == ["u@second.test", "delivered", "250 2.0.0", "198.18.0.9", queue_id]


def test_retries_a_message_when_it_is_unlocked() -> None:
    """Not earlier: Exim passes over a message that is locked."""
    seen = run("""
waits = agent.submit(mail("u@closed.test"))
next(reports)
data = room.work / "spool" / "input" / f"{waits}-D"
lock = "import fcntl, sys; f = open(sys.argv[1], 'rb+'); fcntl.lockf(f, fcntl.LOCK_EX)"
wait = "print(flush=True); sys.stdin.read()"
argv = [sys.executable, "-c", f"{lock}; {wait}", str(data)]
with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
    holder.stdout.readline()
    thread = threading.Thread(target=agent.retry, args=(waits,))
    thread.start()
    thread.join(0.3)
    seen["waits"] = thread.is_alive()
seen["again"] = said(next(reports))
thread.join()
""")
    assert seen["waits"]
    assert seen["again"][:2] == ["u@closed.test", "deferred"]
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
        retry=1,
    )
    first, *_, last = seen["states"]
    assert first == ["deferred", ""]
    assert last == ["expired", ""]


def test_its_death_is_noticed() -> None:
    """The reports end, and the queue, which is still on disk, is the queue of a dead agent."""
    seen = run("""
agent.submit(mail("u@ok.test"))
os.kill(agent._daemon.pid, signal.SIGKILL)
seen["reports"] = [report.state for report in reports]
reports = []
for ask in (agent.queue, lambda: agent.submit(mail("u@ok.test"))):
    try:
        ask()
    except AgentDied as error:
        seen.setdefault("errors", []).append(str(error))
""")
    ended, refused = seen["errors"]
    assert seen["reports"] in ([], ["delivered"])
    assert ended.startswith("Exim has ended: ")
    assert refused.startswith("Exim did not take the message: ")


def test_says_why_it_does_not_start() -> None:
    """Its door is taken: one sentence with Exim's own last words."""
    seen = run("""
agent.stop()
hosts.append(open_host("127.0.0.1"))
seen["error"] = start_another()
""")
    assert seen["error"].startswith("Exim did not start: socket bind() to port 25 ")
    assert "Address already in use" in seen["error"]


def test_passes_on_what_the_loader_says() -> None:
    """An Exim that cannot even be loaded is no riddle either."""
    seen = run("""
agent.stop()
broken = Path("/run/broken")
(broken / "usr/sbin").mkdir(parents=True)
exim = broken / "usr/sbin/exim4"
exim.write_text("#!/bin/sh\\necho cannot open shared object file >&2; exit 127\\n")
exim.chmod(0o755)
os.environ["MAILFLOW_EXIM_TREE"] = str(broken)
seen["error"] = start_another()
""")
    assert seen["error"] == "Exim did not start: cannot open shared object file"
