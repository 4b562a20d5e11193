"""Datagrams to a port where nobody listens, seen on `lo` in a sealed room.

Theory of operation
-------------------
A packet socket with a filter in the kernel that lets nothing through but whole IPv4 datagrams to one
address and port. It changes nothing: the kernel answers them as it would, with ICMP port
unreachable. Each is told once. States: listening -> closed. All calls come on the loop.
"""

import asyncio
import socket
from collections.abc import Callable

from fakes.wire import Program, is_coming, packets_on_lo

LARGEST = 1 << 16
"""Octets; no packet is larger."""
_UDP_HEADER = 8


class Overheard:
    """Tells of every datagram to an address. Raises PermissionError where packets may not be read."""

    def __init__(self, ip: str, port: int, told: Callable[[bytes], None]) -> None:
        self._told = told
        self._loop = asyncio.get_running_loop()
        self._packets = packets_on_lo(_datagrams_to(ip, port))
        self._loop.add_reader(self._packets, self.look)

    def look(self) -> None:
        """Take what there is."""
        while True:
            try:
                packet, address = self._packets.recvfrom(LARGEST)
            except BlockingIOError:
                return
            if is_coming(address):
                self._told(packet[(packet[0] & 0x0F) * 4 + _UDP_HEADER :])

    def close(self) -> None:
        """Stop listening."""
        self._loop.remove_reader(self._packets)
        self._packets.close()


def _datagrams_to(ip: str, port: int) -> Program:
    """The filter for them; datagrams in fragments are none of a resolver's."""
    address = int.from_bytes(socket.inet_aton(ip), "big")
    return (
        (0x30, 0, 0, 9),  # ldb [9]           protocol
        (0x15, 0, 7, socket.IPPROTO_UDP),  # jeq: UDP, else drop
        (0x20, 0, 0, 16),  # ld [16]           destination
        (0x15, 0, 5, address),  # jeq: this one, else drop
        (0x28, 0, 0, 6),  # ldh [6]           flags and fragment offset
        (0x45, 3, 0, 0x3FFF),  # jset #0x3fff   a fragment: drop
        (0xB1, 0, 0, 0),  # ldxb 4*([0]&0xf)  length of the IP header
        (0x48, 0, 0, 2),  # ldh [x+2]         destination port
        (0x15, 1, 0, port),  # jeq: this one: keep
        (0x06, 0, 0, 0),  # ret #0
        (0x06, 0, 0, 0xFFFFFFFF),  # ret all
    )
