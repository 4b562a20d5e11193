"""What happens below TCP in a sealed room: see every SYN on `lo`, and answer it by ICMP.

Theory of operation
-------------------
A `Tap` is, for IPv4 and for IPv6 if the kernel has it, one packet socket on `lo` with a filter in
the kernel that lets nothing through but the first packet of a TCP connection (SYN without ACK),
and one raw socket for ICMP. It changes nothing by itself: whoever is told of a SYN decides whether
to answer it.

What holds always: a SYN is told once (a packet on `lo` is seen going out and coming in; the
former is dropped), retransmitted ones again. All calls come on the loop. It needs CAP_NET_RAW,
which the lab has in its own network namespace, so nothing of the machine's can be seen.
"""

import asyncio
import ctypes
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass

NET_UNREACHABLE = 0
HOST_UNREACHABLE = 1
PORT_UNREACHABLE = 3
"""ICMP type 3 codes 0, 1 and 3 (RFC 792)."""
NET_PROHIBITED = 9
"""ICMP type 3 code 9, network administratively prohibited (RFC 1122 section 3.2.2.1)."""
PROHIBITED = 13
"""ICMP type 3 code 13, communication administratively prohibited (RFC 1812 section 5.2.7.1)."""

_DESTINATION_UNREACHABLE = 3
_DESTINATION_UNREACHABLE_6 = 1
_TWINS = {NET_UNREACHABLE: 0, PROHIBITED: 1, HOST_UNREACHABLE: 3, PORT_UNREACHABLE: 4}
"""The same codes in ICMPv6 (RFC 4443 section 3.1), which has none for NET_PROHIBITED."""
_PACKET_OUTGOING = 4
IPV4, _ETHERTYPE_6 = 0x0800, 0x86DD
"""How Ethernet names the protocols (IEEE 802 numbers)."""
_SO_ATTACH_FILTER = 26
_NETWORK_HEADER = 0xFFF00000
"""SKF_NET_OFF: where the IP header begins, for a filter that is shown TCP segments."""
_QUOTED = 128
"""Octets kept of a packet: its IP and TCP headers at their longest, and no more is needed."""

Program = tuple[tuple[int, int, int, int], ...]
"""Classic BPF over an IP packet: (code, jump if true, jump if false, operand)."""

_SYN_OF_4: Program = (
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
_SYN_OF_6: Program = (
    (0x30, 0, 0, 6),  # ldb [6]           next header
    (0x15, 0, 3, 6),  # jeq #6            TCP at once, without extension headers; else drop
    (0x30, 0, 0, 53),  # ldb [40+13]      TCP flags
    (0x54, 0, 0, 0x12),  # and #0x12       SYN and ACK
    (0x15, 1, 0, 0x02),  # jeq #2          SYN alone: keep
    (0x06, 0, 0, 0),  # ret #0
    (0x06, 0, 0, _QUOTED),  # ret #128
)


@dataclass(frozen=True, slots=True)
class _Protocol:
    """What is to be known of an internet protocol to watch it."""

    ethertype: int
    program: Program
    family: socket.AddressFamily
    icmp: int


_IPV4 = _Protocol(IPV4, _SYN_OF_4, socket.AF_INET, socket.IPPROTO_ICMP)
_IPV6 = _Protocol(_ETHERTYPE_6, _SYN_OF_6, socket.AF_INET6, socket.IPPROTO_ICMPV6)

NOTHING: Program = ((0x06, 0, 0, 0),)
"""The filter that lets no packet through: ret #0."""

OnSyn = Callable[[str, int, str, int, bytes], None]
"""Source address and port, destination address and port, and the packet itself."""


class Tap:
    """Tells of every SYN on `lo`. Raises PermissionError where packets may not be read."""

    def __init__(self, on_syn: OnSyn) -> None:
        self._on_syn = on_syn
        self._loop = asyncio.get_running_loop()
        protocols = (_IPV4, _IPV6) if has_ipv6() else (_IPV4,)
        self._icmp: dict[int, socket.socket] = {}
        self._packets: list[socket.socket] = []
        try:
            for protocol in protocols:
                self._watch(protocol)
        except OSError:
            self.close()
            raise

    def _watch(self, protocol: _Protocol) -> None:
        self._icmp[protocol.family] = _raw(protocol)
        packets = packets_on_lo(protocol.program, protocol.ethertype)
        self._packets.append(packets)
        self._loop.add_reader(packets, self.look)

    def icmp_unreachable(self, code: int, packet: bytes) -> None:
        """Answer a packet with `destination unreachable`, as a router on its way would.

        `code` is one of those above that the packet's protocol has (`has_code`). The connecting
        kernel gives up at once and makes EHOSTUNREACH of 1 and 13, ENETUNREACH of 0 and 9,
        ECONNREFUSED of 3 (RFC 1122 section 4.2.3.9; icmp(7)); over IPv6 EACCES of 13.
        """
        family = _family(packet)
        source = _address(packet, 0)
        self._icmp[family].sendto(unreachable(code, packet), (source, 0))

    def look(self) -> None:
        """Take what there is; a burst of SYNs must not wait for a turn of the loop each."""
        for packets in self._packets:
            self._take(packets)

    def _take(self, packets: socket.socket) -> None:
        while True:
            try:
                packet, address = packets.recvfrom(_QUOTED)
            except BlockingIOError:
                return
            if is_coming(address) and (ends := endpoints(packet)) is not None:
                self._on_syn(*ends, packet)

    def close(self) -> None:
        """Stop listening. May be called twice."""
        for packets in self._packets:
            if packets.fileno() >= 0:
                self._loop.remove_reader(packets)
            packets.close()
        for icmp in self._icmp.values():
            icmp.close()


def is_coming(address: tuple[str, int, int, int, bytes]) -> bool:
    """Whether a packet's address (packet(7)) marks it as received: on `lo` each is also sent."""
    return address[2] != _PACKET_OUTGOING


def has_ipv6() -> bool:
    """Whether this kernel has IPv6 at all."""
    try:
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).close()
    except OSError:
        return False
    return True


def has_code(code: int, family: socket.AddressFamily) -> bool:
    """Whether the ICMP of this protocol can say so."""
    return family is not socket.AF_INET6 or code in _TWINS


def endpoints(packet: bytes) -> tuple[str, int, str, int] | None:
    """Source address and port, destination address and port of a TCP packet; None if cut off."""
    start = _head(packet)
    if start < 20 or len(packet) < start + 4:
        return None
    source_port, port = struct.unpack_from("!HH", packet, start)
    return _address(packet, 0), source_port, _address(packet, 1), port


def _family(packet: bytes) -> socket.AddressFamily:
    return socket.AF_INET6 if packet[0] >> 4 == 6 else socket.AF_INET


def _head(packet: bytes) -> int:
    """Octets of the IP header; extension headers of IPv6 are not let through by the filter."""
    if not packet:
        return 0
    return 40 if _family(packet) is socket.AF_INET6 else (packet[0] & 0x0F) * 4


def _address(packet: bytes, which: int) -> str:
    """The source (0) or the destination (1) of a packet."""
    family = _family(packet)
    first, octets = (8, 16) if family is socket.AF_INET6 else (12, 4)
    start = first + which * octets
    return socket.inet_ntop(family, packet[start : start + octets])


def unreachable(code: int, packet: bytes) -> bytes:
    """The ICMP message that quotes a packet: type 3 (RFC 792), for IPv6 type 1 (RFC 4443).

    The checksum of ICMPv6 is left to the kernel (RFC 3542 section 3.1).
    """
    if _family(packet) is socket.AF_INET6:
        return struct.pack("!BBHI", _DESTINATION_UNREACHABLE_6, _TWINS[code], 0, 0) + packet
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


def _raw(protocol: _Protocol) -> socket.socket:
    """What ICMP messages are sent with."""
    try:
        return socket.socket(protocol.family, socket.SOCK_RAW, protocol.icmp)
    except PermissionError as error:
        raise PermissionError(
            "packets on lo cannot be read here: use the sealed room, which has a network of its own"
        ) from error


def packets_on_lo(program: Program, ethertype: int = IPV4) -> socket.socket:
    """What packets are read from that a filter lets through; see `is_coming`.

    Raises PermissionError where packets may not be read.
    """
    # Protocol 0 receives nothing; bind starts it, so no packet slips in before the filter.
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, 0)
    try:
        attach(packets, program)
        packets.bind(("lo", ethertype))
    except OSError:
        packets.close()
        raise
    return packets


def no_more_than(octets: int) -> Program:
    """The filter that lets through only what is so long at most, its TCP header included."""
    return (
        (0x80, 0, 0, 0),  # ld len
        (0x25, 1, 0, octets),  # jgt #octets: drop
        (0x06, 0, 0, 0xFFFFFFFF),  # ret all
        (0x06, 0, 0, 0),  # ret #0
    )


def not_from(source: str) -> Program:
    """The filter that lets nothing through from one address (IPv4); the IP header is in front."""
    (address,) = struct.unpack("!I", socket.inet_aton(source))
    return (
        (0x20, 0, 0, _NETWORK_HEADER + 12),  # ld [12]
        (0x15, 0, 1, address),  # jeq #source: drop
        (0x06, 0, 0, 0),  # ret #0
        (0x06, 0, 0, 0xFFFFFFFF),  # ret all
    )


def attach(sock: socket.socket, steps: Program) -> None:
    """Give the kernel a filter for what a socket receives (socket(7), SO_ATTACH_FILTER).

    It takes a struct sock_fprog, which holds a pointer. Any user may do so; what the filter lets
    through nobody is not seen by TCP either, so that a SYN is neither answered nor refused.
    """
    program = b"".join(struct.pack("HBBI", *step) for step in steps)
    memory = ctypes.create_string_buffer(program, len(program))
    fprog = struct.pack("HL", len(steps), ctypes.addressof(memory))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, fprog)
