"""What happens below TCP in a sealed room: see every SYN on `lo`, and answer it by ICMP.

Theory of operation
-------------------
A `Tap` is one packet socket on `lo` with a filter in the kernel that lets nothing through but
the first packet of an IPv4 TCP connection (SYN without ACK), and one raw socket for ICMP. It
changes nothing by itself: whoever is told of a SYN decides whether to answer it.

What holds always: a SYN is told once (a packet on `lo` is seen going out and coming in; the
former is dropped), retransmitted ones again. All calls come on the loop. It needs CAP_NET_RAW,
which the lab has in its own network namespace, so nothing of the machine's can be seen.
"""

import asyncio
import ctypes
import socket
import struct
from collections.abc import Callable, Sequence

NET_UNREACHABLE = 0
HOST_UNREACHABLE = 1
PORT_UNREACHABLE = 3
"""ICMP type 3 codes 0, 1 and 3 (RFC 792)."""
NET_PROHIBITED = 9
"""ICMP type 3 code 9, network administratively prohibited (RFC 1122 section 3.2.2.1)."""
PROHIBITED = 13
"""ICMP type 3 code 13, communication administratively prohibited (RFC 1812 section 5.2.7.1)."""

_DESTINATION_UNREACHABLE = 3
_ETH_P_IP = 0x0800
_PACKET_OUTGOING = 4
_SO_ATTACH_FILTER = 26
_QUOTED = 128
"""Octets kept of a packet: its IP and TCP headers at their longest, and no more is needed."""

_FILTER: tuple[tuple[int, int, int, int], ...] = (
    (0x30, 0, 0, 9),  # ldb [9]           protocol
    (0x15, 0, 6, 6),  # jeq #6            TCP, else drop
    (0x28, 0, 0, 6),  # ldh [6]           flags and fragment offset
    (0x45, 4, 0, 0x1FFF),  # jset #0x1fff  a later fragment: drop
    (0xB1, 0, 0, 0),  # ldxb 4*([0]&0xf)  length of the IP header
    (0x50, 0, 0, 13),  # ldb [x+13]       TCP flags
    (0x54, 0, 0, 0x12),  # and #0x12       SYN and ACK
    (0x15, 1, 0, 0x02),  # jeq #2          SYN alone: keep
    (0x06, 0, 0, 0),  # ret #0
    (0x06, 0, 0, _QUOTED),  # ret #128
)
"""Classic BPF over the IP packet: (code, jump if true, jump if false, operand)."""

NOTHING: tuple[tuple[int, int, int, int], ...] = ((0x06, 0, 0, 0),)
"""The filter that lets no packet through: ret #0."""

OnSyn = Callable[[str, int, str, int, bytes], None]
"""Source address and port, destination address and port, and the packet itself."""


class Tap:
    """Tells of every SYN on `lo`. Raises PermissionError where packets may not be read."""

    def __init__(self, on_syn: OnSyn) -> None:
        self._on_syn = on_syn
        self._loop = asyncio.get_running_loop()
        self._packets, self._icmp = _open_sockets()
        self._loop.add_reader(self._packets, self.look)

    def icmp_unreachable(self, code: int, packet: bytes) -> None:
        """Answer a packet with `destination unreachable`, as a router on its way would.

        `code` is one of those above. The connecting kernel gives up at once and makes
        EHOSTUNREACH of 1 and 13, ENETUNREACH of 0 and 9, ECONNREFUSED of 3 (RFC 1122 section
        4.2.3.9; icmp(7)).
        """
        source = socket.inet_ntoa(packet[12:16])
        self._icmp.sendto(unreachable(code, packet), (source, 0))

    def look(self) -> None:
        """Take what there is; a burst of SYNs must not wait for a turn of the loop each."""
        while True:
            try:
                packet, address = self._packets.recvfrom(_QUOTED)
            except BlockingIOError:
                return
            if address[2] != _PACKET_OUTGOING and (ends := endpoints(packet)) is not None:
                self._on_syn(*ends, packet)

    def close(self) -> None:
        """Stop listening. May be called twice."""
        if self._packets.fileno() >= 0:
            self._loop.remove_reader(self._packets)
        self._packets.close()
        self._icmp.close()


def endpoints(packet: bytes) -> tuple[str, int, str, int] | None:
    """Source address and port, destination address and port of a TCP packet; None if cut off."""
    start = (packet[0] & 0x0F) * 4 if packet else 0
    if start < 20 or len(packet) < start + 4:
        return None
    source_port, port = struct.unpack_from("!HH", packet, start)
    return (
        socket.inet_ntoa(packet[12:16]),
        source_port,
        socket.inet_ntoa(packet[16:20]),
        port,
    )


def unreachable(code: int, packet: bytes) -> bytes:
    """The ICMP message of type 3 that quotes a packet (RFC 792)."""
    head = struct.pack("!BBHI", _DESTINATION_UNREACHABLE, code, 0, 0)
    total = checksum(head + packet)
    return struct.pack("!BBHI", _DESTINATION_UNREACHABLE, code, total, 0) + packet


def checksum(octets: bytes) -> int:
    """The internet checksum (RFC 1071)."""
    padded = octets + b"\0" * (len(octets) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


def _open_sockets() -> tuple[socket.socket, socket.socket]:
    try:
        icmp = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    except PermissionError as error:
        raise PermissionError(
            "packets on lo cannot be read here: use the sealed room, which has a network of its own"
        ) from error
    try:
        # Protocol 0 receives nothing; bind starts it, so no packet slips in before the filter.
        packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, 0)
    except OSError:
        icmp.close()
        raise
    try:
        attach(packets, _FILTER)
        packets.bind(("lo", _ETH_P_IP))
    except OSError:
        icmp.close()
        packets.close()
        raise
    return packets, icmp


def no_more_than(octets: int) -> tuple[tuple[int, int, int, int], ...]:
    """The filter that lets through only what is so long at most, its TCP header included."""
    return (
        (0x80, 0, 0, 0),  # ld len
        (0x25, 1, 0, octets),  # jgt #octets: drop
        (0x06, 0, 0, 0xFFFFFFFF),  # ret all
        (0x06, 0, 0, 0),  # ret #0
    )


def attach(sock: socket.socket, steps: Sequence[tuple[int, int, int, int]]) -> None:
    """Give the kernel a filter for what a socket receives (socket(7), SO_ATTACH_FILTER).

    It takes a struct sock_fprog, which holds a pointer. Any user may do so; what the filter lets
    through nobody is not seen by TCP either, so that a SYN is neither answered nor refused.
    """
    program = b"".join(struct.pack("HBBI", *step) for step in steps)
    memory = ctypes.create_string_buffer(program, len(program))
    fprog = struct.pack("HL", len(steps), ctypes.addressof(memory))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, fprog)
