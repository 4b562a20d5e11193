"""A small disk for an agent's queue, and a real file that takes up its room.

Theory of operation
-------------------
The disk is a tmpfs of fixed size, mounted over the queue's folder before the agent starts. A file in
its root is made as long as it may be: the kernel gives out no block more then, to anybody, and a
write ends with ENOSPC. Where it is the inodes that are used up, they are so by links to nowhere. Giving
the room back is to remove them.

States: mounted -> [crowded -> mounted]*. What holds always: the size is that of the mount, nothing
of the agent's is touched, and nobody else's disk is filled.

Read-only is not among the ways to spoil it: a file system that somebody writes to cannot be made so
(EBUSY, mount(2)), and a mount on top of it does not stop who has a file open below.
"""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from lab.sealed import mount
from model.shortage import Shortage

SIZE = 48 << 20
"""Octets of the disk: there are agents that want 10 MB free by default."""
INODES = 2000
"""Files on it: and that want room for a hundred more."""
LEFT = 64 << 10
"""Octets that are left where the disk is nearly full: several small messages."""
STEPS = (1 << 20, 1 << 12)
"""Octets that are asked for at once, and down to which there is no room at all."""
BALLAST = ".ballast"


class SmallDisk:
    """The disk of one queue; the folder is made."""

    def __init__(self, folder: Path) -> None:
        """Mount it. Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        options = f"mode=755,size={SIZE},nr_inodes={INODES}"
        mount("tmpfs", folder, "tmpfs", options=options)
        self._ballast = folder / BALLAST

    def take(self, how: Shortage) -> None:
        """Take the room. Raises OSError for anything but a disk that is full."""
        self._ballast.mkdir(mode=0o700)
        if how is Shortage.NO_INODES:
            self._use_up_inodes()
            return
        with (self._ballast / "file").open("wb") as file:
            size = _grown(file.fileno())
            if how is Shortage.DISK_NEARLY_FULL:
                os.ftruncate(file.fileno(), size - LEFT)

    def give_back(self) -> None:
        """Give it back."""
        for path in self._ballast.iterdir():
            path.unlink()
        self._ballast.rmdir()

    def _use_up_inodes(self) -> None:
        with _until_full():
            for number in range(INODES + 1):
                (self._ballast / str(number)).symlink_to("nowhere")


def _grown(file: int) -> int:
    """Make a file as long as the disk lets it; its octets."""
    size = 0
    for step in STEPS:
        with _until_full():
            while True:
                os.posix_fallocate(file, size, step)
                size += step
    return size


@contextlib.contextmanager
def _until_full() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
