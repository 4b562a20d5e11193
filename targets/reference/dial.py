"""One TCP connection, and why it failed: the errno, and the ICMP message behind it.

A firewall that says "administratively prohibited" and a router that says "host unreachable"
both end a connect over IPv4 with EHOSTUNREACH. Linux tells them apart in the socket's error
queue (ip(7), IP_RECVERR); elsewhere they look the same. Over IPv6 the former is EACCES.
"""

import asyncio
import errno
import socket
import struct
import sys

from targets.reference.outcome import Broken, Failure, Kind, Server, Stage

IP_RECVERR = 11
MSG_ERRQUEUE = 0x2000
ICMP_UNREACHABLE = 3
PROHIBITED_CODES = frozenset({9, 10, 13})
"""Network, host, communication administratively prohibited (RFC 1122, RFC 1812)."""

_EXTENDED = struct.Struct("=IBBBB")
"""The head of struct sock_extended_err: errno, origin, type, code, pad."""
_ORIGIN_ICMP = 2

_KINDS = {
    errno.ECONNREFUSED: Kind.REFUSED,
    errno.ETIMEDOUT: Kind.TIMED_OUT,
    errno.ENETUNREACH: Kind.NET_UNREACHABLE,
    errno.ECONNRESET: Kind.RESET,
    errno.EACCES: Kind.PROHIBITED,
    errno.EPERM: Kind.PROHIBITED,
    errno.EADDRNOTAVAIL: Kind.NO_SOURCE,
}


async def dial(server: Server, seconds: float, source: str = "") -> socket.socket:
    """A connected socket; raises Broken if there is none within so many seconds.

    It comes from the address `source` and no other; empty: from whichever the system takes.
    """
    sock = socket.socket(_family(server.ip))
    try:
        sock.setblocking(False)
        _bind(sock, server, source)
        _listen_to_icmp(sock, True)
        await _connect(sock, server, seconds)
        _listen_to_icmp(sock, False)
    except BaseException:
        sock.close()
        raise
    return sock


async def _connect(sock: socket.socket, server: Server, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await asyncio.get_running_loop().sock_connect(sock, (server.ip, server.port))
    except TimeoutError as error:
        raise Broken(Failure(Stage.CONNECT, Kind.TIMED_OUT, server)) from error
    except OSError as error:
        kind = Kind.PROHIBITED if _prohibited(sock) else kind_of(error)
        raise Broken(Failure(Stage.CONNECT, kind, server)) from error


def _bind(sock: socket.socket, server: Server, source: str) -> None:
    """Take the source address. One of the other family is no more to be had than a stranger's."""
    if not source:
        return
    try:
        sock.bind((source, 0))
    except OSError as error:
        raise Broken(Failure(Stage.CONNECT, Kind.NO_SOURCE, server, detail=source)) from error


def kind_of(error: OSError) -> Kind:
    """The kind of failure that a connect's errno stands for."""
    return _KINDS.get(error.errno or 0, Kind.HOST_UNREACHABLE)


def _family(ip: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in ip else socket.AF_INET


def _listen_to_icmp(sock: socket.socket, on: bool) -> None:
    """While connecting only: afterwards a stray ICMP must not end the connection."""
    if sys.platform == "linux" and sock.family == socket.AF_INET:
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, int(on))


def _prohibited(sock: socket.socket) -> bool:
    """Whether an ICMP message of a firewall waits in the error queue."""
    try:
        _, notes, _, _ = sock.recvmsg(512, 512, MSG_ERRQUEUE)
    except OSError:
        return False
    return any(
        level == socket.IPPROTO_IP and kind == IP_RECVERR and is_prohibition(data)
        for level, kind, data in notes
    )


def is_prohibition(data: bytes) -> bool:
    """Whether a struct sock_extended_err tells of an ICMP "administratively prohibited"."""
    _, origin, kind, code, _ = _EXTENDED.unpack_from(data)
    return origin == _ORIGIN_ICMP and kind == ICMP_UNREACHABLE and code in PROHIBITED_CODES
