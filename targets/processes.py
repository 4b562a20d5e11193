"""An agent's processes, whoever their parents are: found by the programs they run.

Daemons have sessions, groups and parents of their own choice, and environments that they have
emptied; what a process runs, it cannot hide (proc(5)). A sealed room has a process table of its
own, so that no other agent's are met.
"""

import contextlib
import os
import re
import select
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from lab.room import AgentDied

END_TIMEOUT = 10.0
"""Seconds that a killed process may take to be gone: the kernel may have to end a write."""

_LOCKED = re.compile(r" [0-9a-f]+:[0-9a-f]+:(\d+) ")
"""Device and inode in a line of /proc/locks."""

Ours = Callable[[Path], bool]
"""Whether a program, by its path, is one of the agent's."""


def running(ours: Ours) -> list[int]:
    """The processes that run such a program, but for those that have ended already."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):  # it has ended meanwhile, or is the kernel's
                if ours(Path(os.readlink(f"/proc/{entry.name}/exe"))):
                    found.append(int(entry.name))
    return found


def kill(ours: Ours) -> None:
    """Kill all that run such a program, and what they start meanwhile; they are gone then.

    Raises AgentDied if one cannot be killed.
    """
    while pids := running(ours):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if left := outlive(pids, END_TIMEOUT):
            raise AgentDied(f"process {left[0]} of the agent's does not end, though killed")


def outlive(pids: Sequence[int], timeout: float) -> list[int]:
    """Which of the processes have not ended, after so many seconds at most."""
    deadline = time.monotonic() + timeout
    left = []
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            wait = max(0.0, deadline - time.monotonic())
            if not select.select([descriptor], [], [], wait)[0]:
                left.append(pid)
        finally:
            os.close(descriptor)
    return left


def locked() -> frozenset[int]:
    """The inodes of the files that a process in this room's process table has locked.

    Asked of the kernel (proc(5), /proc/locks), since to try a lock is to hold it for a moment.
    """
    return frozenset(map(int, _LOCKED.findall(Path("/proc/locks").read_text())))
