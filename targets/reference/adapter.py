"""The reference agent as a target.

Theory of operation
-------------------
The agent is a process that takes JSON lines on stdin and writes JSON lines on stdout (see
`serve.py`). One thread reads them: an answer wakes the call that waits for it, a report goes to
the queue behind `reports`, anything else is kept as the agent's last words. Calls come from any
thread; one lock guards the numbered requests, another keeps lines whole (the reader must never
wait for a writer, or two full pipes would hold each other). Once the agent has ended, every call
that waits and every later one raises AgentDied. Of one that was killed only this is left: its
spool, and the queue behind `reports`, which goes on with the next process.
"""

import base64
import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from lab.room import AgentDied, Room
from model.report import Report, Source, State
from model.schedule import Schedule, Steps
from model.timers import Timers
from targets.base import Capability, Envelope, InQueue, NotTaken, Route
from targets.reference import __version__
from targets.reference.config import Config
from targets.reference.policy import LAST_PAUSE, PAUSES

ANSWER_TIMEOUT = 30.0
"""Seconds for the agent to start, or to answer an order."""
STOP_TIMEOUT = 5.0
"""Seconds for the agent to end after its stdin was closed."""
PROJECT = Path(__file__).resolve().parents[2]


class Adapter:
    """Starts the agent and speaks with it; `agent` is its class as `module:Class`."""

    name = "reference"
    dialect = "m365-2019"
    spool = "spool"
    schedule: Schedule = Steps((*PAUSES, LAST_PAUSE), "targets/reference/policy.py, PAUSES")
    capabilities = frozenset(Capability)
    needs_sealed = False

    def __init__(self, agent: str = "targets.reference.agent:Agent") -> None:
        self._agent = agent
        self._room: Room | None = None
        self._config: Config | None = None
        self._killed = False
        self._heard = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._serial = 0
        self._pending: dict[int, Future[Any]] = {}
        self._reports: queue.SimpleQueue[Report | None] = queue.SimpleQueue()
        self._last_words = ""
        self._dead = ""

    def check(self) -> None:
        """The reference agent comes with the project, so it is always there."""

    def version(self) -> str:
        """The agent's version."""
        return __version__

    def start(self, room: Room, timers: Timers, routes: Sequence[Route]) -> None:
        """Start the agent and configure it. Raises AgentDied if it does not get ready."""
        self._room = room
        self._config = Config(
            room.dns,
            room.smtp_port,
            str(room.ca_file),
            timers,
            tuple(routes),
            self.dialect,
            crl_file=str(room.crl_file),
            spool=str(room.work / self.spool),
        )
        self._launch(room, self._config)

    def _launch(self, room: Room, config: Config) -> None:
        argv = [sys.executable, "-m", "targets.reference", "serve", "--agent", self._agent]
        paths = [str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        self._process = room.spawn(argv, env=environment, stdin=True)
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()
        self._ask("configure", config=config.as_json())

    def submit(self, envelope: Envelope) -> str:
        """Hand a message in; its queue id. Raises NotTaken."""
        answer = self._ask(
            "submit",
            sender=envelope.sender,
            recipients=envelope.recipients,
            content=base64.b64encode(envelope.content).decode("ascii"),
            **asdict(envelope.wishes),
        )
        return str(answer)

    def begin(self, envelope: Envelope) -> None:
        """Hand in the first half of a message, of which the rest never comes."""
        half = envelope.content[: len(envelope.content) // 2]
        self._ask(
            "begin",
            sender=envelope.sender,
            recipients=envelope.recipients,
            content=base64.b64encode(half).decode("ascii"),
        )

    def reports(self) -> Iterator[Report]:
        """Every report, until the agent ends."""
        while (report := self._reports.get()) is not None:
            yield report

    def queue(self) -> Sequence[InQueue]:
        """What waits in the queue."""
        return [
            InQueue(entry["queue_id"], tuple(entry["recipients"])) for entry in self._ask("queue")
        ]

    def retry(self, *queue_ids: str) -> None:
        """Make the agent try these messages again."""
        self._ask("retry", queue_ids=queue_ids)

    def pass_time(self, seconds: float) -> None:
        """Move the agent's clock ahead."""
        self._ask("advance", seconds=seconds)

    def kill(self) -> None:
        """Kill the agent, and return when it is gone and all that it said has been read."""
        if self._process is None or self._reader is None:
            raise AgentDied("the reference agent has not been started")
        with self._lock:
            self._killed = True
        self._process.kill()
        self._process.wait()
        self._reader.join()
        with self._writing:
            _close(self._process)

    def start_again(self) -> None:
        """Start another process on the spool of the last one, with the routes it had."""
        if self._room is None or self._config is None or not self._killed:
            raise AgentDied("the reference agent has not been killed")
        with self._lock:
            self._killed, self._dead = False, ""
        self._launch(self._room, replace(self._config, heard=self._heard))

    def reroute(self, routes: Sequence[Route]) -> None:
        """Give the agent other routes."""
        self._ask("reroute", routes=[asdict(route) for route in routes])
        if self._config is not None:
            self._config = replace(self._config, routes=tuple(routes))

    def stop(self) -> None:
        """Close the agent's stdin and wait for its end; kill it if it does not end."""
        if self._process is None:
            return
        if self._killed:
            self._reports.put(None)
            return
        with self._writing:
            _close(self._process)
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._reader is not None:
            self._reader.join(STOP_TIMEOUT)

    # Asking

    def _ask(self, verb: str, **values: Any) -> Any:
        answer: Future[Any] = Future()
        self._send(verb, values, answer)
        try:
            return answer.result(ANSWER_TIMEOUT)
        except TimeoutError:
            raise AgentDied(
                f"the reference agent did not answer {verb!r} within {ANSWER_TIMEOUT:g} s; "
                f"{self._words()}"
            ) from None

    def _send(self, verb: str, values: Mapping[str, Any], answer: Future[Any]) -> None:
        with self._lock:
            if self._dead or self._process is None or self._process.stdin is None:
                raise AgentDied(self._dead or "the reference agent has not been started")
            self._serial += 1
            self._pending[self._serial] = answer
            line = json.dumps({"id": self._serial, "do": verb, **values}).encode() + b"\n"
            pipe = self._process.stdin
        with self._writing, contextlib.suppress(OSError, ValueError):
            # A closed pipe: the reader is about to see the end, and fails all that is pending.
            pipe.write(line)
            pipe.flush()

    # Reading

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None, "the room gives the agent's output as a pipe"
        with process.stdout as lines:
            for line in lines:
                self._hear(line)
        self._mourn(process.wait())

    def _hear(self, line: bytes) -> None:
        try:
            said = json.loads(line)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            self._last_words = line.decode("utf-8", "replace").strip() or self._last_words
        elif "report" in said:
            self._heard += 1
            self._reports.put(_report(said["report"]))
        else:
            self._answered(said)

    def _answered(self, said: Mapping[str, Any]) -> None:
        with self._lock:
            waiting = self._pending.pop(said.get("id", 0), None)
        if waiting is None:
            return
        if "refused" in said:
            waiting.set_exception(NotTaken(said["refused"]))
        elif "error" in said:
            waiting.set_exception(AgentDied(f"the reference agent refused: {said['error']}"))
        else:
            waiting.set_result(said.get("ok"))

    def _mourn(self, status: int) -> None:
        with self._lock:
            self._dead = f"the reference agent ended with status {status}; {self._words()}"
            pending, self._pending = self._pending, {}
            goes_on = self._killed
        for waiting in pending.values():
            waiting.set_exception(AgentDied(self._dead))
        if not goes_on:
            self._reports.put(None)

    def _words(self) -> str:
        return f"its last words: {self._last_words or '(none)'}"


def _close(process: subprocess.Popen[bytes]) -> None:
    try:
        if process.stdin is not None:
            process.stdin.close()
    except OSError:
        return  # it is dead already


def _report(values: Mapping[str, Any]) -> Report:
    return Report(**{**values, "state": State(values["state"]), "source": Source(values["source"])})
