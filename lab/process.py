"""The lab's own process: one order in, traces out, over a pipe in plain values.

Theory of operation
-------------------
pytest starts this module (in a sealed room as PID 1, see `lab/sealed.py`), sends one `Spec`, and
reads messages until `Done`. Two threads serve the pipe, so that the loop never waits for pytest:
one sends, one listens. When the pipe closes, by whatever death on the other side, the listening
thread ends this process at once; in a sealed room the kernel then takes everything with it.
Whatever goes wrong here becomes a `Broke` with a sentence, and nothing is written outside the
room's own directory, so that no death leaves anything behind.
"""

import asyncio
import contextlib
import ctypes
import logging
import os
import queue
import resource
import sys
import tempfile
import threading
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path

from fakes.pki import Pki
from lab.lab import REMEDY, Lab, LabBroken
from lab.messages import Broke, Done, Message, Settled, Spec
from lab.open import OpenRoom
from lab.pace import PACES, Pace
from lab.room import AgentDied, Unavailable
from lab.sealed import SealedRoom, seal
from model.trace import Trace
from targets.base import load

WORK = Path("/run/mailflow")
"""Where a sealed room has its work directory: on the room's own tmpfs, not on the host."""

M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
"""Of glibc's malloc.h."""
LARGE_BLOCK = 128 * 1024
"""Octets; where glibc begins, too, before it raises that by itself."""


class Pipe:
    """The lab's end of the pipe to pytest."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._out: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._sender = threading.Thread(target=self._send, name="sender")
        self.room: OpenRoom | SealedRoom | None = None

    def open(self) -> Spec:
        """Read the spec and start serving."""
        spec: Spec = self._connection.recv()
        self._sender.start()
        threading.Thread(target=self._listen, name="listener", daemon=True).start()
        return spec

    def say(self, message: Message) -> None:
        """Send a message without waiting for it to be read."""
        self._out.put(message)

    def close(self) -> None:
        """Wait until everything has been read."""
        self._out.put(None)
        self._sender.join()

    def _send(self) -> None:
        with contextlib.suppress(OSError):  # pytest is gone; the listener sees to it
            while (message := self._out.get()) is not None:
                self._connection.send(message)

    def _listen(self) -> None:
        with contextlib.suppress(EOFError, OSError):
            self._connection.recv()
        if self.room is not None:
            self.room.close()
        os._exit(0)


def main() -> None:
    """Run the lab that the pipe asks for."""
    be_frugal()
    logging.getLogger("mail").setLevel(logging.CRITICAL)  # aiosmtpd's; our journal is better
    pipe = Pipe(Connection(int(sys.argv[1])))
    spec = pipe.open()
    try:
        asyncio.run(_run(spec, pipe))
    except AgentDied as error:
        pipe.say(Broke("", f"{error}; {REMEDY}"))
    except (Unavailable, LabBroken) as error:
        pipe.say(Broke("", str(error)))
    except Exception as error:  # noqa: BLE001 - a fault of ours: whatever it is, pytest must hear of it
        pipe.say(Broke("", fault(error)))
    pipe.close()
    os._exit(0)  # a thread that still waits for a dead agent must not keep the room


def be_frugal() -> None:
    """Have glibc give large blocks back at once, and keep one heap for all threads (mallopt(3)).

    Its messages are large, its threads many and mostly idle: it would hold a third more. Not by
    variables of the environment, which an agent would inherit; elsewhere than on glibc nothing is done.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK)


def fault(error: Exception) -> str:
    """The sentence about an error that nobody foresaw, with the place it came from."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"the lab failed with {type(error).__name__} ({error}) in {Path(place.filename).name}:"
        f"{place.lineno}; please report it as a fault of the suite, or of your own adapter"
    )


async def _run(spec: Spec, pipe: Pipe) -> None:
    started = time.monotonic()
    pki = Pki()
    pace = PACES[spec.pace]
    room = pipe.room = _room(spec, pki, pace)
    tempfile.tempdir = str(room.work)
    try:
        lab = Lab(room, room.network, pki, load(spec.target), pace)
        async for name, result in lab.run(spec.order):
            pipe.say(
                Settled(name, result) if isinstance(result, Trace) else Broke(name, str(result))
            )
        usage = resource.getrusage(resource.RUSAGE_SELF)
        cpu = usage.ru_utime + usage.ru_stime
        wall = time.monotonic() - started
        pipe.say(Done(tuple(lab.world.journal.strays), cpu, wall, usage.ru_maxrss))
    finally:
        room.close()


def _room(spec: Spec, pki: Pki, pace: Pace) -> OpenRoom | SealedRoom:
    """The room that the spec asks for. Raises LabBroken, or Unavailable for a port."""
    try:
        if spec.sealed:
            return seal(WORK, pki.ca_pem, pace.timers, pki.crl_pem)
        return OpenRoom(pki.ca_pem, spec.port, pki.crl_pem)
    except OSError as error:
        raise LabBroken(
            f"the room could not be made: {error}; the reference agent may run with --room=open"
            if spec.sealed
            else f"the room could not be made: {error}; is there room left in the temp directory?"
        ) from error


if __name__ == "__main__":
    main()
