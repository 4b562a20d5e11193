"""What a run leaves behind on the machine: processes, namespaces, mounts, sockets, files.

Theory of operation
-------------------
A run is recognised by a mark in its environment, which its processes inherit. Agents may be
started without it, so the network namespaces of marked processes count as well. `Watch` is
taken while the run lives; afterwards it waits, by pidfd, until all it has seen is gone.
"""

import os
import select
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

MARK = "MAILFLOW_RUN"
"""The environment variable that marks the processes of a run."""
PROC = Path("/proc")
LOOK_AGAIN = 0.02
"""Seconds."""


def marked(mark: str) -> set[int]:
    """The processes of the run, this one excluded."""
    wanted = f"{MARK}={mark}".encode()
    pids = {int(path.name) for path in PROC.glob("[0-9]*")} - {os.getpid()}
    return {pid for pid in pids if wanted in _read(pid, "environ").split(b"\0")}


def words(pid: int) -> list[str]:
    """The command line of a process; empty if it is gone."""
    return _read(pid, "cmdline").decode(errors="replace").split("\0")


def lab_processes(mark: str) -> set[int]:
    """The lab's own processes in a run, without what is wrapped around them."""
    return {pid for pid in marked(mark) if words(pid)[1:3] == ["-m", "lab.process"]}


def _read(pid: int, name: str) -> bytes:
    try:
        return (PROC / str(pid) / name).read_bytes()
    except OSError:
        return b""  # gone meanwhile, or another user's


def _link(pid: int, name: str) -> str:
    try:
        return os.readlink(PROC / str(pid) / name)
    except OSError:
        return ""


def in_rooms(rooms: set[str]) -> set[int]:
    """The processes in these network namespaces."""
    pids = [int(path.name) for path in PROC.glob("[0-9]*")] if rooms else []
    return {pid for pid in pids if _link(pid, "ns/net") in rooms}


def sockets_of(pids: set[int]) -> set[str]:
    """The inodes of the sockets that processes hold."""
    found = set()
    for pid in pids:
        try:
            links = [_link(pid, f"fd/{fd.name}") for fd in (PROC / str(pid) / "fd").iterdir()]
        except OSError:
            continue
        found |= {link[8:-1] for link in links if link.startswith("socket:[")}
    return found


def bound_sockets() -> set[str]:
    """The inodes of the internet sockets in this network namespace."""
    found = set()
    for name in ("tcp", "tcp6", "udp", "udp6"):
        table = PROC / "net" / name
        rows = table.read_text().splitlines()[1:] if table.is_file() else []
        # sl local rem st queues timer retransmits uid timeout inode (proc(5)); 0A is LISTEN
        states = ("0A",) if name.startswith("tcp") else ("07", "01")
        found |= {row.split()[9] for row in rows if row.split()[3] in states}
    return found


def _mounts() -> set[str]:
    return set((PROC / "self/mounts").read_text().splitlines())


def _named_rooms() -> set[str]:
    folder = Path("/run/netns")
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


@dataclass
class Watch:
    """One run, seen from outside; `temp` is its own temp directory, empty at the start."""

    mark: str
    temp: Path
    mounts: set[str] = field(default_factory=_mounts)
    named: set[str] = field(default_factory=_named_rooms)
    rooms: set[str] = field(default_factory=set)
    sockets: set[str] = field(default_factory=set)

    def look(self) -> None:
        """Note the namespaces and sockets of the processes that the run has now."""
        pids = marked(self.mark)
        ours = _link(os.getpid(), "ns/net")
        self.rooms |= {_link(pid, "ns/net") for pid in pids} - {ours, ""}
        self.sockets |= sockets_of(pids)

    def alive(self) -> set[int]:
        """The processes of the run and of its rooms."""
        return marked(self.mark) | in_rooms(self.rooms)

    def wait(self, seconds: float) -> set[int]:
        """Wait until no process of the run is left; those that outlive the deadline."""
        deadline = time.monotonic() + seconds
        while (left := self.alive()) and (rest := deadline - time.monotonic()) > 0:
            _await_one(left, rest)
        return left

    def leftovers(self, seconds: float) -> list[str]:
        """What is left when all should be over, each in words; empty if nothing is."""
        found = [f"process {pid}: {' '.join(words(pid))}" for pid in self.wait(seconds)]
        until(lambda: not bound_sockets() & self.sockets, seconds)
        found += [f"mount {line}" for line in _mounts() - self.mounts]
        found += [f"namespace {name}" for name in _named_rooms() - self.named]
        found += [f"file {path}" for path in self.temp.rglob("*")]
        found += [f"socket {inode}" for inode in bound_sockets() & self.sockets]
        return found


def until(wanted: Callable[[], bool], seconds: float) -> bool:
    """Look again and again until it is so, or the deadline is over; whether it is so.

    For what the kernel tidies up after a process has gone, which no event tells of: the last files
    are closed, and the last namespaces left, when its environment can no longer be read.
    """
    deadline = time.monotonic() + seconds
    while not (so := wanted()) and time.monotonic() < deadline:
        select.select([], [], [], LOOK_AGAIN)
    return so


def _await_one(pids: set[int], seconds: float) -> None:
    """Wait until one of the processes has ended."""
    poll = select.poll()
    with ExitStack() as descriptors:
        for pid in pids:
            try:
                descriptor = os.pidfd_open(pid)
            except ProcessLookupError:
                return
            descriptors.callback(os.close, descriptor)
            poll.register(descriptor, select.POLLIN)
        poll.poll(seconds * 1000)
