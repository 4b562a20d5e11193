"""What becomes of a connection to an address where no mail host listens.

Theory of operation
-------------------
`Reaches` holds, for every address and port that it blocks, the sockets that make it so:

- REFUSED: none; nobody listens, so the kernel answers with RST.
- SILENT: a listener with a filter that lets nothing through, as a firewall that drops: TCP never
  sees a SYN, so none is answered.
- BACKLOG: a listener that never accepts and whose queue is full. `listen(0)` leaves room for one
  connection, which a filler of our own takes; the kernel drops every further SYN.
- what is said by ICMP (`_CODES`), in a sealed room: as SILENT, and the tap answers each SYN.
- whom a host `bars`, in a sealed room: the host listens with a filter of its own that lets nothing
  through from one source, and the tap answers each SYN of that source's as a firewall would.
- UNREACHABLE, NET_UNREACHABLE in an open room: the address `NOWHERE`, the broadcast address of
  127/8, to which no connection can be made: ENETUNREACH at once, and nothing leaves the machine.

What holds always: nothing that is blocked ever accepts, and our own fillers are not told as
somebody's SYN. Blocks are added one by one; they go one by one, by `free`, or all, by `close`.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable

from fakes.wire import (
    HOST_UNREACHABLE,
    NET_PROHIBITED,
    NET_UNREACHABLE,
    NOTHING,
    PORT_UNREACHABLE,
    PROHIBITED,
    Tap,
    attach,
    has_code,
)
from model.scenario import Reach

NOWHERE = "127.255.255.255"
"""The one address that UNREACHABLE can have in an open room."""
_FILLER_TIMEOUT = 5.0
"""Seconds; the kernel completes a connection on loopback by itself and at once."""
_DISTANCE = 0.002
"""Seconds that the router is away. While connect(2) still holds its socket, Linux only notes an
ICMP error and tries again after a second; on loopback the answer could come that early."""
_CODES = {
    Reach.UNREACHABLE: HOST_UNREACHABLE,
    Reach.NET_UNREACHABLE: NET_UNREACHABLE,
    Reach.PORT_UNREACHABLE: PORT_UNREACHABLE,
    Reach.PROHIBITED: PROHIBITED,
    Reach.NET_PROHIBITED: NET_PROHIBITED,
}
"""What is said by ICMP, and its code."""
NO_WAY = frozenset({Reach.UNREACHABLE, Reach.NET_UNREACHABLE})
"""What an open room has at `NOWHERE`."""

OnSyn = Callable[[str, int, str, int], None]
"""Source address and port, destination address and port."""


def needs_sealed_room(reach: Reach) -> bool:
    """Whether this can be had in a sealed room only: a user may not send ICMP errors."""
    return reach in _CODES and reach not in NO_WAY


class Reaches:
    """The addresses that cannot be reached. Make it on the running loop.

    In a sealed room `on_syn` is told of every connection that anybody tries, blocked or not;
    in an open room of none. Raises PermissionError if `sealed` is claimed where it is not so.
    """

    def __init__(self, *, sealed: bool, on_syn: OnSyn) -> None:
        self._told = on_syn
        self._sockets: dict[tuple[str, int], list[socket.socket]] = {}
        self._codes: dict[tuple[str, int], int] = {}
        self._barred: dict[tuple[str, int], str] = {}
        self._fillers: set[tuple[str, int]] = set()
        self._tap = Tap(self._on_syn) if sealed else None

    async def block(self, ip: str, port: int, reach: Reach) -> None:
        """Make the address unreachable in this way.

        Raises ValueError for what cannot be had in this room, OSError if the port is taken.
        """
        if reach is Reach.UP:
            raise ValueError(f"{ip} is to be up: open a mail host there instead")
        if reach is Reach.REFUSED:
            return
        if reach in _CODES and self._tap is None:
            _check_open_room(ip, reach)
            return
        if reach in _CODES and not has_code(_CODES[reach], _family(ip)):
            raise ValueError(f"{reach} cannot be had at {ip}: ICMPv6 has no code that says so")
        full = reach is Reach.BACKLOG
        self._sockets[ip, port] = self._fill_up(ip, port) if full else [_listen_silently(ip, port)]
        if reach in _CODES:
            self._codes[ip, port] = _CODES[reach]

    def bar(self, ip: str, port: int, source: str) -> None:
        """Answer SYNs from a source by ICMP: prohibited. The host there drops them by itself.

        Raises ValueError in an open room, where they would just vanish.
        """
        if self._tap is None:
            raise ValueError(f"{source} cannot be turned away at {ip} in an open room")
        self._barred[ip, port] = source

    def look(self) -> None:
        """Tell at once of every SYN that has been sent."""
        if self._tap is not None:
            self._tap.look()

    async def close(self) -> None:
        """Free every address."""
        if self._tap is not None:
            self._tap.close()
            self._tap = None
        for ip, port in tuple(self._sockets):
            self.free(ip, port)

    def free(self, ip: str, port: int) -> None:
        """Take a block away, so that somebody may listen there; nothing if there is none."""
        for one in self._sockets.pop((ip, port), ()):
            with contextlib.suppress(OSError):  # a filler whose listener has gone
                one.shutdown(socket.SHUT_RDWR)  # see smtp.stop_listening
            one.close()
        self._codes.pop((ip, port), None)
        self._barred.pop((ip, port), None)

    def _fill_up(self, ip: str, port: int) -> list[socket.socket]:
        listener = _bound(ip, port)
        listener.listen(0)
        filler = socket.socket(_family(ip), socket.SOCK_STREAM)
        filler.bind((ip, 0))
        self._fillers.add(filler.getsockname()[:2])
        filler.settimeout(_FILLER_TIMEOUT)
        filler.connect((ip, port))
        return [listener, filler]

    def _on_syn(self, source: str, source_port: int, ip: str, port: int, packet: bytes) -> None:
        if (source, source_port) in self._fillers:
            return
        self._told(source, source_port, ip, port)
        barred = self._barred.get((ip, port)) == source
        code = PROHIBITED if barred else self._codes.get((ip, port))
        if code is not None:
            asyncio.get_running_loop().call_later(_DISTANCE, self._answer, code, packet)

    def _answer(self, code: int, packet: bytes) -> None:
        if self._tap is not None:  # else all was closed meanwhile
            self._tap.icmp_unreachable(code, packet)


def _family(ip: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in ip else socket.AF_INET


def _bound(ip: str, port: int) -> socket.socket:
    listener = socket.socket(_family(ip), socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((ip, port))
    return listener


def _listen_silently(ip: str, port: int) -> socket.socket:
    listener = _bound(ip, port)
    attach(listener, NOTHING)
    listener.listen()
    return listener


def _check_open_room(ip: str, reach: Reach) -> None:
    if needs_sealed_room(reach):
        raise ValueError(f"{reach} cannot be had in an open room; run it in the sealed one")
    if ip != NOWHERE:
        raise ValueError(f"{ip} can be reached; in an open room unreachable is {NOWHERE} only")
