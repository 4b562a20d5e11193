"""Stock Exim 4.94 or newer: a private instance in a sealed room that serves all routes.

Theory of operation
-------------------
The daemon runs in the foreground. Exim's many processes each append to the main log, which here
is a named pipe: Exim opens its logs for appending and cares no further, and lines shorter than
PIPE_BUF arrive whole (pipe(7)). One thread reads the pipe, which never ends by itself because
the adapter has it open for writing, too. Another thread reads what the daemon says outside its
log, waits for the daemon's end, and then puts the mark `_END` into the pipe: what was logged
before is still read, and deliveries that outlive the daemon keep nobody waiting. There is no
mark if the daemon was killed in order to be started again: pipe and reader serve both lives.

Where the clock moves, `pass_time` moves it and begins queue runs, as the daemon does now and
then: they heed the times for which Exim has put off each host, domain and address (specification,
chapter 32). A few run at a time, each over its own stretch of the queue.

States: made -> started [-> killed -> started]* -> stopped.
"""

import contextlib
import fcntl
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
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lab.room import Account, AgentDied, Room, Unavailable
from model.report import Report
from model.schedule import Schedule
from model.timers import Timers
from targets import faketime, processes
from targets.base import Capability, Envelope, InQueue, Route, begin_by_smtp, submit_by_smtp
from targets.exim.config import RUNS, SCHEDULE, render, seconds, tables
from targets.exim.maillog import Maillog
from targets.packages import find

USER = "Debian-exim"
ACCOUNTS = (Account(USER, 5003),)
DOOR = ("127.0.0.1", 25)
CONFIGURATION = Path("/etc/exim4/exim4.conf")
"""Where Exim looks first; for a file named with -C it would give up its privileges."""
START_TIMEOUT = 30.0
STOP_TIMEOUT = 5.0
COMMAND_TIMEOUT = 60.0
PUT_BACK_TIMEOUT = 5.0
LOOK_AGAIN = 0.02
"""Seconds between two looks at a lock, which nobody tells the end of within a time."""
AT_ONCE = 8
"""Messages that are delivered at the same time when many are tried again."""
_EXIM = "/usr/sbin/exim4"
_END = b"\0\n"
"""A line that Exim cannot log: control characters are escaped."""
_VERSION = re.compile(r"build: (\S+)")
_QUEUED_AS = re.compile(r"\bid=(\S+)")
_LISTED = re.compile(r" *\d+[mhd] +[\d.]+[KM]? +(?P<id>\S+) <")
_INDENT = " " * 10
_STAMP = re.compile(r"\d{4}-\d\d-\d\d \S+ ")


_CAPABILITIES = frozenset(
    {
        Capability.SMART_HOSTS,
        Capability.TLS_PER_ROUTE,
        Capability.REUSES_CONNECTIONS,
        Capability.CHECKS_REVOCATION,
        Capability.TAKES_WISHES,
        Capability.RESTARTS,
        Capability.REROUTES,
        Capability.CLIENT_CERTIFICATES,
        Capability.SOURCE_PER_ROUTE,
        Capability.FALLBACK_RELAY,
        Capability.PROXY,
        Capability.SCHEDULE,
        Capability.SPOOL_OF_ITS_OWN,
        Capability.TAKES_HALVES,
    }
)


class Adapter:
    """Exim."""

    name = "exim"
    dialect = "rfc"
    spool = "spool"
    schedule: Schedule = SCHEDULE
    needs_sealed = True

    def __init__(self) -> None:
        self.capabilities = _CAPABILITIES | ({Capability.PASS_TIME} if _library() else set())
        self._room: Room | None = None
        self._clock: faketime.Clock | None = None
        self._tried: set[str] = set()
        self._begun: list[smtplib.SMTP] = []
        self._killed = False
        self._argv: list[str] = []
        self._pipe = -1
        self._daemon: subprocess.Popen[bytes] | None = None
        self._attempts: list[subprocess.Popen[bytes]] = []
        self._reader: threading.Thread | None = None
        self._listener: threading.Thread | None = None
        self._reports: queue.SimpleQueue[Report | None] = queue.SimpleQueue()
        self._up = threading.Event()
        self._running = False
        self._complaint = ""
        self._last_line = "it said nothing"
        self._spool = Path()

    def check(self) -> None:
        """Raise Unavailable if there is neither an installed nor an unpacked Exim."""
        installed_or_unpacked()

    def version(self) -> str:
        """The version, e.g. 4.96, as `exinext` tells it.

        That is a shell script of the same source. `exim` itself tells nothing where its account
        is missing, and outside the room it is.
        """
        root = installed_or_unpacked() or Path("/")
        done = subprocess.run(
            [root / "usr/sbin/exinext", "--version"],
            capture_output=True,
            check=False,
            timeout=COMMAND_TIMEOUT,
        )
        found = _VERSION.search(done.stdout.decode(errors="replace"))
        if not found:
            said = (done.stderr or done.stdout).decode(errors="replace").strip()
            raise Unavailable(f"Exim does not tell its version: {said}")
        return found[1]

    def start(self, room: Room, timers: Timers, routes: Sequence[Route]) -> None:
        """Start the daemon and return when it takes mail."""
        room.install(installed_or_unpacked(), ACCOUNTS)
        log = _make_directories(room.work)
        self._room, self._spool = room, room.work / "spool"
        if timers.moves and (library := _library()):
            self._clock = faketime.Clock(library, room.work / "clock")
        self._write(
            render(
                *(room.work, room.ca_file, room.crl_file, room.smtp_port, timers, routes),
                self._environment(),
            )
        )
        CONFIGURATION.parent.mkdir(exist_ok=True)
        shutil.copy(room.work / "conf" / CONFIGURATION.name, CONFIGURATION)
        self._pipe = os.open(log, os.O_RDWR)  # Exim cannot open a pipe that nobody reads
        self._reader = threading.Thread(target=self._read_log, name="exim-log", daemon=True)
        self._reader.start()
        self._argv = [_EXIM, "-bdf", f"-q{seconds(timers.retry or RUNS)}"]
        self._launch(room)

    def _write(self, files: Mapping[str, str]) -> None:
        """Put files into the configuration's directory, each at once: Exim reads as it likes."""
        assert self._room is not None
        for name, text in files.items():
            path = self._room.work / "conf" / name
            new = path.with_name(f".{name}")
            new.write_text(text)
            new.rename(path)

    def _environment(self) -> Mapping[str, str]:
        """What the clock wants to be in every process's environment."""
        return self._clock.environment if self._clock else {}

    def _launch(self, room: Room) -> None:
        """Run the daemon, and wait until it takes mail. It begins with a run of the queue."""
        self._up.clear()
        self._running = self._killed = False
        self._daemon = room.spawn(self._argv, env=self._environment())
        self._listener = threading.Thread(target=self._read_words, name="exim-words", daemon=True)
        self._listener.start()
        self._up.wait(START_TIMEOUT)
        if not self._running:
            self.stop()
            raise AgentDied(f"Exim did not start: {self._last_words()}")
        socket.create_connection(DOOR, START_TIMEOUT).close()

    def submit(self, envelope: Envelope) -> str:
        """Hand in a message at port 25; the queue id of the reply."""
        try:
            reply = submit_by_smtp(*DOOR, envelope, COMMAND_TIMEOUT)
        except OSError as error:  # smtplib's errors are, too
            raise AgentDied(f"Exim did not take the message: {error}") from error
        queued_as = _QUEUED_AS.search(reply)
        return queued_as[1] if queued_as else ""

    def begin(self, envelope: Envelope) -> None:
        """Hand in half a message at port 25, and keep the connection until the kill."""
        try:
            self._begun.append(begin_by_smtp(*DOOR, envelope, COMMAND_TIMEOUT))
        except OSError as error:  # smtplib's errors are, too
            raise AgentDied(f"Exim did not listen to the message: {error}") from error

    def reports(self) -> Iterator[Report]:
        """The log's statements, until the daemon ends."""
        return iter(self._reports.get, None)

    def queue(self) -> Sequence[InQueue]:
        """What `exim -bpru` lists: all messages, with the recipients that are not done."""
        if self._daemon is None or self._daemon.poll() is not None:
            raise AgentDied(f"Exim has ended: {self._last_words()}")  # the queue outlives it
        return parse_queue(self._command("-bpru"))

    def retry(self, *queue_ids: str) -> None:
        """Begin to deliver messages now, whatever the retry rules say; a few at a time, if many.

        Exim passes over a message that another of its processes has locked, as the one of the
        last attempt has for a moment after it has logged its result.
        """
        for queue_id in queue_ids:
            self._unlocked(queue_id)
            self._tried.discard(queue_id)
        for some in filter(None, (queue_ids[n::AT_ONCE] for n in range(AT_ONCE))):
            self._begin("-M", *some)  # one after the other

    def _begin(self, *words: str) -> None:
        """Start a command of Exim's, and do not wait for it."""
        self._attempts.append(
            subprocess.Popen(
                [_EXIM, *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=self._environment(),
                start_new_session=True,
            )
        )

    def pass_time(self, seconds: float) -> None:
        """Move the clock, and begin queue runs.

        First what has been tried is put back, which takes a moment after the log has told of it:
        Exim reckons the next time and makes notices then. A delivery that is under way goes on.
        """
        if self._clock is None:
            raise Unavailable(
                "Exim's clock cannot be moved: it was not started with Timers.moves, "
                "or libfaketime is not on this machine"
            )
        queue_ids = sorted(path.name[:-2] for path in (self._spool / "input").glob("*-D"))
        self._put_back([one for one in queue_ids if one in self._tried])
        self._tried.clear()
        self._clock.advance(seconds)
        size = -(-len(queue_ids) // AT_ONCE)
        for some in (queue_ids[n * size : (n + 1) * size] for n in range(AT_ONCE)):
            if some:
                self._begin("-q", some[0], some[-1])

    def _put_back(self, queue_ids: Sequence[str]) -> None:
        """Wait until no process is at work on any of the messages, but not for long."""
        deadline = time.monotonic() + PUT_BACK_TIMEOUT
        while any(map(self._is_locked, queue_ids)) and time.monotonic() < deadline:
            select.select([], [], [], LOOK_AGAIN)

    def kill(self) -> None:
        """Kill the daemon and all deliveries; the log that they have written will be read."""
        assert self._daemon is not None
        assert self._listener is not None
        self._killed = True
        processes.kill(_is_ours)
        while self._begun:
            self._begun.pop().close()
        self._listener.join()
        for process in self._attempts:
            process.wait()
        self._attempts.clear()

    def start_again(self) -> None:
        """Start the daemon on the same spool; its first queue run takes up what was under way."""
        assert self._room is not None
        self._launch(self._room)

    def reroute(self, routes: Sequence[Route]) -> None:
        """Write the tables anew: every delivery opens them for itself."""
        self._write(tables(routes))

    def stop(self) -> None:
        """End the daemon; whatever is left, of it and of `retry`, then falls with its session."""
        if self._daemon is None:
            return
        self._daemon.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._daemon.wait(STOP_TIMEOUT)
        for process in (self._daemon, *self._attempts):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if self._killed:
            os.write(self._pipe, _END)  # nobody has said so yet
            self._killed = False
        for thread in filter(None, (self._listener, self._reader)):
            thread.join(STOP_TIMEOUT)

    def _last_words(self) -> str:
        """The first that the daemon said outside its log, or else the log's last line."""
        return self._complaint or self._last_line

    def _unlocked(self, queue_id: str) -> None:
        """Wait until no process is at work on a message.

        Who is holds a lock on the message's data file (specification, "Format of spool files").
        """
        with (
            contextlib.suppress(FileNotFoundError),  # it has been delivered meanwhile
            (self._spool / "input" / f"{queue_id}-D").open("rb") as data,
        ):
            fcntl.lockf(data, fcntl.LOCK_SH)

    def _is_locked(self, queue_id: str) -> bool:
        """Whether a process is at work on a message."""
        try:
            with (self._spool / "input" / f"{queue_id}-D").open("rb") as data:
                fcntl.lockf(data, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def _command(self, *words: str) -> str:
        done = subprocess.run(
            [_EXIM, *words],
            capture_output=True,
            check=False,
            timeout=COMMAND_TIMEOUT,
            env=self._environment(),
        )
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip()
            raise AgentDied(f"`exim {' '.join(words)}` failed: {said}")
        return done.stdout.decode()

    def _read_log(self) -> None:
        """A thread: the log, line by line, until the mark."""
        maillog = Maillog()
        with os.fdopen(self._pipe, "rb") as lines:
            for octets in iter(lines.readline, _END):
                line = octets.decode(errors="replace").rstrip()
                self._last_line = _STAMP.sub("", line)
                if " daemon started: " in line:
                    self._running = True
                    self._up.set()
                for report in maillog.read(line):
                    self._tried.add(report.queue_id)
                    self._reports.put(report)
        self._reports.put(None)
        self._up.set()

    def _read_words(self) -> None:
        """A thread: what the daemon says outside its log, and its end."""
        assert self._daemon is not None
        assert self._daemon.stdout is not None
        with self._daemon.stdout as lines:
            for octets in lines:
                said = _STAMP.sub("", octets.decode(errors="replace").strip())
                self._complaint = self._complaint or said
        self._daemon.wait()
        if not self._killed:
            os.write(self._pipe, _END)


def installed_or_unpacked() -> Path | None:
    """The tree of an unpacked Exim; None if Exim is installed. Raises Unavailable."""
    return find("exim", "Exim", _EXIM, "exim4-daemon-heavy")


def _library() -> Path | None:
    """What moves the clock; None where it is not, or where there is no Exim."""
    with contextlib.suppress(Unavailable):
        return faketime.library(installed_or_unpacked())
    return None


def _is_ours(program: Path) -> bool:
    return program == Path(_EXIM).resolve()


def parse_queue(listing: str) -> list[InQueue]:
    """The messages of `exim -bpru` (specification, chapter 5).

    A message begins with age, size, id and sender; below it stands a recipient a line.
    """
    found: list[InQueue] = []
    for line in listing.splitlines():
        if message := _LISTED.match(line):
            found.append(InQueue(message["id"], ()))
        elif found and line.startswith(_INDENT):
            last = found.pop()
            found.append(InQueue(last.queue_id, (*last.recipients, line.strip())))
    return found


def _make_directories(work: Path) -> Path:
    """The directories, and the main log, which is a pipe; Exim makes all else. The log's path."""
    for name in ("conf", "log", Adapter.spool):
        (work / name).mkdir(exist_ok=True)
    log = work / "log" / "main"
    os.mkfifo(log)
    for path in (log, log.parent, work / "spool"):
        shutil.chown(path, USER, USER)
    return log
