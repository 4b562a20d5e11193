"""A connection to a mail host by a SOCKS proxy (RFC 1928), without authentication.

Theory of operation
-------------------
Greeting and request are sent one after the other, and each answer is read in full before anything
else, so that not an octet of the host's is lost. Whatever goes wrong is a failure of the host that
was asked for: the proxy is part of the way to it. No way leads round a proxy.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import replace

from model import socks
from targets.reference.dial import dial
from targets.reference.outcome import Broken, Failure, Kind, Server, Stage

GREETING = bytes((5, 1, 0))
"""Version 5, one method: no authentication."""
CONNECT = bytes((5, 1, 0))
"""Version 5, CONNECT, reserved."""
_SIZES = {1: 4, 4: 16}
"""Octets of an address, by the type in front of it."""
_KINDS: Mapping[int, Kind] = {
    socks.PROHIBITED: Kind.PROHIBITED,
    socks.NET_UNREACHABLE: Kind.NET_UNREACHABLE,
    socks.REFUSED: Kind.REFUSED,
}
"""What is meant by a reply; any other says that the host cannot be reached."""


async def through(proxy: Server, server: Server, seconds: float, source: str = "") -> socket.socket:
    """A socket connected to the server by a proxy; raises Broken if there is none within the time.

    `source` is the address to go to the proxy from, as in `dial`.
    """
    try:
        async with asyncio.timeout(seconds):
            return await _through(proxy, server, seconds, source)
    except TimeoutError as error:
        raise _broken(server, Kind.TIMED_OUT) from error


async def _through(proxy: Server, server: Server, seconds: float, source: str) -> socket.socket:
    try:
        sock = await dial(proxy, seconds, source)
    except Broken as broken:
        raise Broken(replace(broken.failure, server=server)) from broken
    try:
        await _ask(sock, server)
    except OSError as error:
        sock.close()
        raise _broken(server, Kind.RESET) from error
    except BaseException:
        sock.close()
        raise
    return sock


async def _ask(sock: socket.socket, server: Server) -> None:
    """Have the proxy connect. Raises Broken, OSError."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(sock, GREETING)
    if await _read(sock, 2, server) != bytes((5, 0)):
        raise _broken(server, Kind.GARBAGE)
    address = ipaddress.ip_address(server.ip)
    kind = bytes((1 if address.version == 4 else 4,))
    await loop.sock_sendall(sock, CONNECT + kind + address.packed + server.port.to_bytes(2))
    version, reply, _, bound = await _read(sock, 4, server)
    if version != 5 or (reply == socks.CONNECTED and bound not in _SIZES):
        raise _broken(server, Kind.GARBAGE)
    if reply != socks.CONNECTED:
        raise _broken(server, _KINDS.get(reply, Kind.HOST_UNREACHABLE))
    await _read(sock, _SIZES[bound] + 2, server)


async def _read(sock: socket.socket, octets: int, server: Server) -> bytes:
    """So many octets, and no more. Raises Broken if the proxy closes before them."""
    come = b""
    while len(come) < octets:
        more = await asyncio.get_running_loop().sock_recv(sock, octets - len(come))
        if not more:
            raise _broken(server, Kind.CLOSED)
        come += more
    return come


def _broken(server: Server, kind: Kind) -> Broken:
    return Broken(Failure(Stage.CONNECT, kind, server))
