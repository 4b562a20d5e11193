"""pytest's end of a lab process: start it, hand over the order, wait for one trace at a time."""

import contextlib
import errno
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO

from lab.lab import LabBroken
from lab.messages import Broke, Done, Settled, Spec
from lab.room import Unavailable
from lab.sealed import command
from model.trace import Trace

ROOT = Path(__file__).resolve().parent.parent
FOR_A_MOMENT = (errno.EAGAIN, errno.ENOMEM, errno.EFAULT)
"""Why a kernel may refuse a new process now and give it the next moment. EFAULT was seen once, on
6.18, among some ten thousand: execve could not read what it had been given (execve(2))."""
STARTS = 5


def started(
    start: Callable[[], subprocess.Popen[bytes]], tries: int = STARTS
) -> subprocess.Popen[bytes]:
    """A process by `start`, which is asked again if the kernel says no for the moment.

    Nothing of a run has happened before, so no verdict is asked for twice. Raises Unavailable.
    """
    try:
        return start()
    except OSError as error:
        if error.errno in FOR_A_MOMENT and tries > 1:
            return started(start, tries - 1)
        raise Unavailable(
            f"a lab's process could not be started ({error}); see whether the machine has run "
            "out of memory or of processes (`free`, `ulimit -u`), and run again"
        ) from error


def _process(sealed: bool, pipe: int, errors: IO[bytes]) -> subprocess.Popen[bytes]:
    """A lab's process with its end of the pipe."""
    argv: Sequence[str] = [sys.executable, "-m", "lab.process", str(pipe)]
    whole = command(argv) if sealed else argv
    return started(
        lambda: subprocess.Popen(
            whole,
            pass_fds=[pipe],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            start_new_session=True,  # Ctrl-C is ours: the lab ends when the pipe closes
        )
    )


class LabClient:
    """One lab process. Close it, or use it as a context manager."""

    def __init__(self, spec: Spec, deadline: float) -> None:
        """Start the process. `deadline` is how many seconds a trace may take to come.

        Raises Unavailable if a sealed room cannot be had, or no process.
        """
        self._deadline = deadline
        self._traces: dict[str, Trace | str] = {}
        self._lost = ""
        self.done: Done | None = None
        self.started = time.monotonic()
        with contextlib.ExitStack() as undo:
            ours, theirs = map(undo.enter_context, socket.socketpair())
            self._errors = undo.enter_context(tempfile.TemporaryFile())
            self._process = _process(spec.sealed, theirs.fileno(), self._errors)
            theirs.close()
            undo.pop_all()  # it lives as long as the process does
        self._connection = Connection(ours.detach())
        with contextlib.suppress(OSError):  # it has ended already; reading will say so
            self._connection.send(spec)

    def trace(self, scenario: str) -> Trace:
        """The evidence of one scenario, once it is there. Raises LabBroken if it cannot come."""
        while not self.has(scenario):
            self.read()
        found = self._traces.get(scenario, self._lost)
        if isinstance(found, str):
            raise LabBroken(found)
        return found

    def has(self, scenario: str) -> bool:
        """Whether its evidence is there, or cannot come: then `trace` does not wait."""
        return scenario in self._traces or bool(self._lost)

    def finish(self) -> Done | None:
        """Read on until the lab is done; None if it broke."""
        while self.done is None and not self._lost:
            self.read()
        return self.done

    def close(self) -> None:
        """Close the pipe, upon which the lab ends, and wait for that."""
        self._connection.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()

    def read(self) -> str:
        """Wait for one message; the id of the scenario whose trace it is, empty if it is none."""
        message = None
        with contextlib.suppress(EOFError, OSError):
            if self._connection.poll(self._deadline):
                message = self._connection.recv()
            else:
                self._lost = f"the lab said nothing for {self._deadline:.0f} s"
        match message:
            case Settled(name, trace):
                self._traces[name] = trace
                return name
            case Broke("", sentence):
                self._lost = sentence
            case Broke(name, sentence):
                self._traces[name] = sentence
            case Done():
                self.done = message
                self._lost = "the lab has ended without running this scenario"
            case None:
                self._lost = self._lost or self._obituary()
        return ""

    def _obituary(self) -> str:
        """How the process ended, as far as can be told, and what to do."""
        how = "its pipe was closed"
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = self._process.wait(5)
            # A shell says 128 + n of a process that was killed by signal n.
            killed = -status if status < 0 else status - 128
            how = f"killed by signal {killed}" if killed > 0 else f"exit code {status}"
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        words = lines[-1] if lines else "none"
        return (
            f"the lab's process ended unexpectedly ({how}; last words: {words}); run again, "
            "and if it was killed see whether the machine ran out of memory (`dmesg`)"
        )
