"""Every port that a connection could be made from, taken; and given back.

Theory of operation
-------------------
The kernel picks the port that a connection comes from out of a range, which each network namespace
has for itself (ip(7), ip_local_port_range). Each port of a small range that is none of the usual one is
bound by a socket of ours that nobody can connect to, and then that range is the one to pick from: the
kernel skips what somebody has bound, so that connect(2) ends with EADDRNOTAVAIL, as it does where too
many connections are open or linger.

States: free -> taken -> free. What holds always: nothing of the agent's is touched; what is
connected stays so; UDP has ports of its own, and questions are asked as ever. In a sealed room
only, whose network is nobody else's.
"""

import socket
from pathlib import Path

from model.shortage import Shortage

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
FIRST, LAST = 61_000, 61_199
"""As many as questions may be under way by UDP at once, above the range that is usual."""


class Ports:
    """The ports of the room's network. Its calls raise OSError."""

    def __init__(self) -> None:
        self._usual = ""
        self._holders: list[socket.socket] = []

    def take(self, _: Shortage) -> None:
        """Leave no port to connect from."""
        for port in range(FIRST, LAST + 1):
            holder = socket.socket()
            self._holders.append(holder)
            holder.bind(("", port))
        self._usual = RANGE.read_text()
        RANGE.write_text(f"{FIRST} {LAST}")

    def give_back(self) -> None:
        """Leave all of them."""
        RANGE.write_text(self._usual)
        while self._holders:
            self._holders.pop().close()
