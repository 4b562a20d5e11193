"""What the agent's machine runs short of for a while."""

from enum import StrEnum


class Shortage(StrEnum):
    """It begins once the first attempt is over; the agent is told to try what waits; it ends.

    For the first three the agent's queue has a file system of its own, and a real file takes up
    its room.
    """

    NONE = "none"
    DISK_NEARLY_FULL = "disk-nearly-full"
    """There is room for a small message, not for a large one."""
    DISK_FULL = "disk-full"
    """There is no room for one octet more (ENOSPC)."""
    NO_INODES = "no-inodes"
    """There is room, but no file more can be made (ENOSPC)."""
    NO_PORTS = "no-ports"
    """Every port that a connection could be made from is taken (connect(2), EADDRNOTAVAIL)."""


OF_DISK = frozenset({Shortage.DISK_NEARLY_FULL, Shortage.DISK_FULL, Shortage.NO_INODES})
"""Those of the file system that the queue is on."""
