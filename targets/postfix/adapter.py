"""Stock Postfix 3.5 or newer: a private instance in a sealed room that serves all routes.

Theory of operation
-------------------
`master` runs in the foreground and its log daemon writes to the pipe that `spawn` made. One
thread reads the pipe to its end: every line goes through the `Maillog`, every report into a
queue that `reports` empties. When `master` ends, so do the reports, unless it was killed in
order to be started again: then the next one has a pipe and a thread of its own, and the same
`Maillog` goes on.

Where the clock moves, `pass_time` moves it and asks for a scan of the deferred queue, as the
queue manager's own timer does now and then (qmgr(8), "D"): only that heeds the time for which
the queue manager has put each message off, which is the date of its file.

Until the log daemon runs, `master` can only complain to /dev/log; while it starts, a socket
listens there, and what it got is the reason of an AgentDied. It is closed once Postfix is up:
nobody would read it then, and writers to a full socket hang.

States: made -> started [-> killed -> started]* -> stopped.
"""

import contextlib
import json
import os
import queue
import re
import select
import shutil
import signal
import smtplib
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from lab.room import Account, AgentDied, Room, Unavailable
from model.report import Report
from model.schedule import ByAge, Schedule
from model.timers import Timers
from targets import faketime, processes
from targets.base import Capability, Envelope, InQueue, Route, begin_by_smtp, submit_by_smtp
from targets.packages import find
from targets.postfix.config import render, tables
from targets.postfix.maillog import Maillog

ACCOUNTS = (Account("postfix", 5001), Account("postdrop", 5002))
SYSLOG = "/dev/log"
DOOR = ("127.0.0.1", 25)
START_TIMEOUT = 30.0
STOP_TIMEOUT = 5.0
PUT_BACK_TIMEOUT = 5.0
LOOK_AGAIN = 0.02
"""Seconds between two looks at the queue: Postfix tells nobody when it has put a message back."""
COMMAND_TIMEOUT = 60.0
RELOAD_TIMEOUT = 5.0
"""Seconds for what has read the old tables to end; a delivery under way ends when it is over."""
DAEMONS = Path("/usr/lib/postfix/sbin")
_READERS = frozenset({"qmgr", "trivial-rewrite", "smtp"})
"""The daemons that know a table of routes, or whom the routes were told."""
_DIRECTORIES = {
    **dict.fromkeys(("active", "bounce", "corrupt", "defer", "deferred", "flush"), 0o700),
    **dict.fromkeys(("hold", "incoming", "private", "saved", "trace"), 0o700),
    "maildrop": 0o730,
    "public": 0o710,
}
_QUEUED_AS = re.compile(r"queued as (\w+)")
_ACTIVE = re.compile(r"/qmgr\[\d+\]: (\w+): from=.*\(queue active\)$")
_LAST_WORDS = re.compile(r"(?:fatal|panic|error): .*")


_CAPABILITIES = frozenset(
    {
        Capability.SMART_HOSTS,
        Capability.TLS_PER_ROUTE,
        Capability.REUSES_CONNECTIONS,
        Capability.TAKES_WISHES,
        Capability.RESTARTS,
        Capability.REROUTES,
        Capability.CLIENT_CERTIFICATES,
        Capability.SOURCE_PER_ROUTE,
        Capability.FALLBACK_RELAY,
        Capability.SCHEDULE,
        Capability.SPOOL_OF_ITS_OWN,
        Capability.TAKES_HALVES,
    }
)


class Adapter:
    """Postfix."""

    name = "postfix"
    dialect = "rfc"
    spool = "spool"
    schedule: Schedule = ByAge(300, 4000, "postconf(5), minimal_ and maximal_backoff_time")
    needs_sealed = True

    def __init__(self) -> None:
        self.capabilities = _CAPABILITIES | ({Capability.PASS_TIME} if _library() else set())
        self._room: Room | None = None
        self._clock: faketime.Clock | None = None
        self._log = Maillog()
        self._tried: set[str] = set()
        self._begun: list[smtplib.SMTP] = []
        self._killed = False
        self._master: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._watcher: threading.Thread | None = None
        self._reports: queue.SimpleQueue[Report | None] = queue.SimpleQueue()
        self._up = threading.Event()
        self._running = False
        self._last_line = ""
        self._conf = Path()

    def check(self) -> None:
        """Raise Unavailable if there is neither an installed nor an unpacked Postfix."""
        installed_or_unpacked()

    def version(self) -> str:
        """The version, e.g. 3.7.11, as `postconf` tells it."""
        root = installed_or_unpacked() or Path("/")
        libraries = [root / "usr/lib/postfix", *sorted((root / "usr/lib").glob("*-linux-gnu"))]
        path = ":".join(map(str, libraries))
        argv = [str(root / "usr/sbin/postconf"), "-d", "-h", "mail_version"]
        done = subprocess.run(
            argv,
            env={"LD_LIBRARY_PATH": path, "MAIL_CONFIG": str(Path(__file__).parent)},
            capture_output=True,
            check=False,
            timeout=COMMAND_TIMEOUT,
        )
        if done.returncode:
            raise Unavailable(f"Postfix does not run here: {done.stderr.decode().strip()}")
        return done.stdout.decode().strip()

    def start(self, room: Room, timers: Timers, routes: Sequence[Route]) -> None:
        """Start `master` and return when it takes mail."""
        room.install(installed_or_unpacked(), ACCOUNTS)
        self._room, self._conf = room, room.work / "conf"
        _make_directories(room.work)
        if timers.moves and (library := _library()):
            self._clock = faketime.Clock(library, room.work / "clock")
        files = render(room.work, room.ca_file, room.smtp_port, timers, routes, self._environment())
        self._write(files)
        self._launch(room)

    def _write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            (self._conf / name).write_text(text)
            os.utime(self._conf / name, (0, 0))  # Postfix waits while main.cf is 2 s young

    def _environment(self) -> Mapping[str, str]:
        """What the clock wants to be in every process's environment."""
        return self._clock.environment if self._clock else {}

    def _launch(self, room: Room) -> None:
        """Run `master`, and wait until it takes mail."""
        self._up.clear()
        self._running = self._killed = False
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as complaints:
            complaints.bind(SYSLOG)
            self._run(room)
            self._up.wait(START_TIMEOUT)
            Path(SYSLOG).unlink()
            if not self._running:
                self.stop()
                words = _last_words(complaints) or self._last_line or "it said nothing"
                raise AgentDied(f"Postfix did not start: {words}")
        socket.create_connection(DOOR, START_TIMEOUT).close()

    def _run(self, room: Room) -> None:
        """Run `master` and read its log."""
        # -s: in the foreground, log on stdout (what `postfix start-fg` runs; postfix-script)
        argv = [str(DAEMONS / "master"), "-c", str(self._conf), "-s"]
        self._master = room.spawn(argv, env=self._environment())
        self._reader = threading.Thread(target=self._read, name="postfix-log", daemon=True)
        self._reader.start()
        self._watcher = threading.Thread(target=self._watch, name="postfix-master", daemon=True)
        self._watcher.start()

    def submit(self, envelope: Envelope) -> str:
        """Hand in a message at port 25; the queue id of the reply."""
        try:
            reply = submit_by_smtp(*DOOR, envelope, COMMAND_TIMEOUT)
        except OSError as error:  # smtplib's errors are, too
            raise AgentDied(f"Postfix did not take the message: {error}") from error
        queued_as = _QUEUED_AS.search(reply)
        return queued_as[1] if queued_as else ""

    def begin(self, envelope: Envelope) -> None:
        """Hand in half a message at port 25, and keep the connection until the kill."""
        try:
            self._begun.append(begin_by_smtp(*DOOR, envelope, COMMAND_TIMEOUT))
        except OSError as error:  # smtplib's errors are, too
            raise AgentDied(f"Postfix did not listen to the message: {error}") from error

    def reports(self) -> Iterator[Report]:
        """The log's statements, until Postfix ends."""
        return iter(self._reports.get, None)

    def queue(self) -> Sequence[InQueue]:
        """What `postqueue -j` lists."""
        return [parse_queue(line) for line in self._postqueue("-j").splitlines()]

    def retry(self, *queue_ids: str) -> None:
        """Flush messages one by one, the destinations marked as dead included.

        Postfix logs a deferral a moment before it puts the message back into the deferred queue;
        a flush in that moment would pass it by.
        """
        spool = self._conf.parent / "spool"
        _wait_while(
            lambda: any(
                (spool / "active" / one).exists() or _is_locked(spool.glob(f"deferred/?/{one}"))
                for one in queue_ids
            )
        )
        for queue_id in queue_ids:
            self._postqueue("-i", queue_id)

    def pass_time(self, seconds: float) -> None:
        """Move the clock, and have the deferred queue scanned.

        First what has been tried is put back, which takes a moment after the log has told of it:
        the queue manager has notices made then, and would take a clock that moves in the middle
        for a bounce daemon that does not answer. A delivery that is under way goes on.
        """
        if self._clock is None:
            raise Unavailable(
                "Postfix's clock cannot be moved: it was not started with Timers.moves, "
                "or libfaketime is not on this machine"
            )
        spool = self._conf.parent / "spool"
        tried = [
            spool / "active" / one for one in os.listdir(spool / "active") if one in self._tried
        ]
        _wait_while(lambda: any(map(Path.exists, tried)) or _is_locked(spool.glob("deferred/?/*")))
        self._clock.advance(seconds)
        self._scan()

    def _scan(self) -> None:
        """Have the deferred queue scanned; the queue manager need not be up to be told.

        What `postkick public qmgr D` does; that one dies of SIGPIPE where the answer is quick.
        """
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trigger:
            trigger.settimeout(COMMAND_TIMEOUT)
            try:
                trigger.connect(str(self._conf.parent / "spool/public/qmgr"))
                trigger.sendall(b"D")
            except OSError as error:
                raise AgentDied(f"Postfix's queue manager cannot be told: {error}") from error

    def kill(self) -> None:
        """Kill `master` and all its daemons, and read what they had logged."""
        assert self._reader is not None
        assert self._watcher is not None
        self._killed = True
        processes.kill(_is_ours)
        while self._begun:
            self._begun.pop().close()
        self._watcher.join()
        self._reader.join()

    def start_again(self) -> None:
        """Start `master` on the same queue; its queue manager takes up what was active first."""
        assert self._room is not None
        self._launch(self._room)

    def reroute(self, routes: Sequence[Route]) -> None:
        """Write tables and services anew and reload, as `postfix reload` does.

        When this returns, everybody has ended who knew the old ones. If deliveries are under way,
        Postfix looks at their messages again a minute later only (QMGR_MESSAGE_LOCKED).
        """
        assert self._master is not None
        self._write(tables(routes))
        old = processes.running(lambda program: _is_ours(program) and program.name in _READERS)
        self._master.send_signal(signal.SIGHUP)
        processes.outlive(old, RELOAD_TIMEOUT)

    def stop(self) -> None:
        """End `master`, which ends the others; whatever is left then falls with its session."""
        if self._master is None:
            return
        self._master.terminate()
        try:
            self._master.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._master.pid, signal.SIGKILL)
            self._master.wait()
        if self._reader is not None:
            self._reader.join(STOP_TIMEOUT)
        if self._killed:
            self._reports.put(None)  # nobody has said so yet
            self._killed = False

    def _watch(self) -> None:
        """The reports end with `master`: its children may live on for a while, and hold the log."""
        assert self._master is not None
        self._master.wait()
        self._end()

    def _end(self) -> None:
        """No more reports, unless Postfix was killed to be started again."""
        if not self._killed:
            self._reports.put(None)

    def _postqueue(self, *words: str) -> str:
        if self._master is not None and (status := self._master.poll()) is not None:
            raise AgentDied(f"Postfix's master ended with status {status}")
        argv = ["postqueue", "-c", str(self._conf), *words]
        done = subprocess.run(argv, capture_output=True, check=False, timeout=COMMAND_TIMEOUT)
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip()
            raise AgentDied(f"`postqueue {' '.join(words)}` failed: {said}")
        return done.stdout.decode()

    def _read(self) -> None:
        """The reader's thread: the log, line by line, to its end."""
        assert self._master is not None
        assert self._master.stdout is not None
        with self._master.stdout as lines:
            for octets in lines:
                line = octets.decode(errors="replace").rstrip()
                self._last_line = line
                if " daemon started " in line:
                    self._running = True
                    self._up.set()
                if active := _ACTIVE.search(line):
                    self._tried.discard(active[1])
                for report in self._log.read(line):
                    self._tried.add(report.queue_id)
                    self._reports.put(report)
        self._end()
        self._up.set()


def installed_or_unpacked() -> Path | None:
    """The tree of an unpacked Postfix; None if Postfix is installed. Raises Unavailable."""
    return find("postfix", "Postfix", "/usr/sbin/postfix", "postfix")


def _library() -> Path | None:
    """What moves the clock; None where it is not, or where there is no Postfix."""
    with contextlib.suppress(Unavailable):
        return faketime.library(installed_or_unpacked())
    return None


def _wait_while(busy: Callable[[], bool]) -> None:
    """Wait as long as Postfix is busy with something, but not for long."""
    deadline = time.monotonic() + PUT_BACK_TIMEOUT
    while busy() and time.monotonic() < deadline:
        select.select([], [], [], LOOK_AGAIN)


def _is_locked(files: Iterable[Path]) -> bool:
    """Whether a delivery agent still has one of the queue files locked.

    It lets go a moment after the queue manager has put the message back; whoever asks for the
    message in between has it put off for a minute ("skipped, still being delivered").
    """
    locked = processes.locked()
    return any(_inode(file) in locked for file in files)


def _inode(file: Path) -> int:
    """A file's inode; 0, which no file has, if it has gone on meanwhile."""
    try:
        return file.stat().st_ino
    except FileNotFoundError:
        return 0


def _is_ours(program: Path) -> bool:
    return program.parent == DAEMONS


def _last_words(complaints: socket.socket) -> str:
    """The last fatal line that has been sent to the socket; empty if there is none."""
    said = ""
    complaints.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while octets := complaints.recv(4096):
            if words := _LAST_WORDS.search(octets.decode(errors="replace")):
                said = words[0].rstrip("\0\n")
    return said


@lru_cache(maxsize=4096)  # most of a queue is as it was a moment ago
def parse_queue(line: str) -> InQueue:
    """One message of `postqueue -j` (postqueue(1), JSON object format)."""
    entry = json.loads(line)
    waiting = tuple(recipient["address"] for recipient in entry["recipients"])
    return InQueue(entry["queue_id"], waiting)


def _make_directories(work: Path) -> None:
    """The queue and data directories, with the owners and modes of Postfix's own scripts.

    `master` makes none of them: `postfix check` does, which costs more than all the rest.
    """
    (work / "conf").mkdir()
    (work / Adapter.spool / "pid").mkdir(parents=True)
    queues = {work / "spool" / name: mode for name, mode in _DIRECTORIES.items()}
    for path, mode in {work / "data": 0o700, **queues}.items():
        path.mkdir()
        shutil.chown(path, "postfix", "postdrop")
        path.chmod(mode)
