"""A SOCKS proxy that stands between the agent and the mail hosts (RFC 1928), and fails as told.

Theory of operation
-------------------
A `SocksProxy` is one address. Each connection to it is a `Request`, which has these states:
greeting (the client's methods are awaited) -> asking (its request is) -> joining (a second
connection, from the proxy's own address to the host, is being opened) -> joined: octets are carried
both ways, and when one side ends, so does the other. What is odd about the proxy happens at one of
these steps, after which it is over or idle: silent for good.

What holds always: the proxy connects to nobody before it is asked to, and to nobody but whom it is
asked for. What it does is told to the witness before the agent can react to it; what it carries
is told by the host at its other end, which sees it come from the proxy's address.
"""

import asyncio
import ipaddress
from dataclasses import dataclass

from fakes.receiver import Receiver
from fakes.smtp import MailHost, peer_of, shown
from model.events import FALLS_SILENT, Closed, Connected, Did, Event, Heard
from model.smtp import Stage
from model.socks import (
    CONNECTED,
    FAILED,
    NO_ADDRESS_TYPE,
    NO_COMMAND,
    REFUSED,
    UNREACHABLE,
    Socks,
)

VERSION, CONNECT = 5, 1
NO_AUTHENTICATION, NO_METHOD = 0, 0xFF
IPV4, IPV6 = 1, 4
_SIZES = {IPV4: 4, IPV6: 16}
"""Octets of an address, by its type."""
GARBAGE = b"220 proxy FTP server ready\r\n"


@dataclass(eq=False)
class SocksProxy(MailHost):
    """One proxy of a scenario; of a mail host it has the address and the way to listen."""

    manner: Socks = Socks.HEALTHY

    def protocol(self) -> asyncio.BaseProtocol:
        """What serves one connection."""
        return Request(self)


class Onward(Receiver):
    """The connection from the proxy to a host: what comes goes back to the agent."""

    def __init__(self, agent: asyncio.Transport) -> None:
        self._agent = agent

    def data_received(self, data: bytes) -> None:
        """Octets from the host."""
        self._agent.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        """The host has ended it, or the agent has."""
        self._agent.close()


class Request(Receiver):
    """One connection of the agent's."""

    def __init__(self, proxy: SocksProxy) -> None:
        self.proxy = proxy
        self._conn = proxy.next_conn()
        self._come = bytearray()
        self._step = self._greeting
        self._by = "agent"
        self._agent: asyncio.Transport
        self._host: asyncio.Transport | None = None
        self._joining: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands; the client speaks first."""
        assert isinstance(transport, asyncio.Transport)
        self._agent = transport
        self.proxy.sessions.add(self)
        source = peer_of(transport)
        self._saw(Connected(self.proxy.now(), self.proxy.name, self._conn, source))

    def data_received(self, data: bytes) -> None:
        """Octets from the agent: for the host, if there is one; else for the present step."""
        if self._host is not None:
            self._host.write(data)
            return
        self._come += data
        self._step()

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone, and so is the one behind it."""
        self.proxy.sessions.discard(self)
        if self._joining is not None:
            self._joining.cancel()
        if self._host is not None:
            self._host.close()
        self._saw(Closed(self.proxy.now(), self.proxy.name, self._conn, self._by))

    def drop(self) -> None:
        """End the connection because the lab ends."""
        self._by = "host"
        self._agent.abort()

    # Steps ---------------------------------------------------------------------------------

    def _greeting(self) -> None:
        """Version, the number of methods, and so many methods (section 3)."""
        if self.proxy.manner is Socks.GARBAGE:
            self._did(f"* sends {shown(GARBAGE)}", spoiled=True)
            self._end(GARBAGE)
        elif len(self._come) >= 2 and len(self._come) >= 2 + self._come[1]:
            methods = bytes(self._come[2 : 2 + self._come[1]])
            del self._come[: 2 + self._come[1]]
            if NO_AUTHENTICATION not in methods:
                self._end(bytes((VERSION, NO_METHOD)))
                return
            self._agent.write(bytes((VERSION, NO_AUTHENTICATION)))
            self._step = self._asking
            self._step()

    def _asking(self) -> None:
        """Version, command, a zero, the type of the address, the address, the port (section 4)."""
        if len(self._come) < 4:
            return
        _, command, _, kind = self._come[:4]
        if kind not in _SIZES or command != CONNECT:
            self._refuse(NO_ADDRESS_TYPE if command == CONNECT else NO_COMMAND)
            return
        end = 4 + _SIZES[kind]
        if len(self._come) < end + 2:
            return
        ip = str(ipaddress.ip_address(bytes(self._come[4:end])))
        port = int.from_bytes(self._come[end : end + 2])
        del self._come[: end + 2]
        line = f"SOCKS CONNECT {ip}:{port}"
        self._saw(Heard(self.proxy.now(), self.proxy.name, self._conn, None, line, False))
        self._step = self._idle
        self._decide(ip, port)

    def _decide(self, ip: str, port: int) -> None:
        """What becomes of a request."""
        manner = self.proxy.manner
        if (says := manner.says) is not None:
            self._refuse(says, spoiled=True)
        elif manner is Socks.HANGS_UP:
            self._did("* closes (FIN)", spoiled=True)
            self._end()
        elif manner is Socks.SILENT:
            self._did(FALLS_SILENT, spoiled=True)
        else:
            self._joining = asyncio.create_task(self._join(ip, port))

    def _idle(self) -> None:
        """What comes now is kept."""

    async def _join(self, ip: str, port: int) -> None:
        """Connect from the proxy's own address, tell the client, and carry what has come already."""
        loop, own = asyncio.get_running_loop(), (self.proxy.ip, 0)
        try:
            made, _ = await loop.create_connection(
                lambda: Onward(self._agent), ip, port, local_addr=own
            )
        except ConnectionRefusedError:
            self._refuse(REFUSED)
        except OSError as error:
            self._refuse(UNREACHABLE if isinstance(error, TimeoutError) else FAILED)
        else:
            self._did(f"SOCKS connected to {ip}:{port}")
            self._agent.write(self._reply(CONNECTED))
            self._host = made
            made.write(bytes(self._come))

    # Acting --------------------------------------------------------------------------------

    def _reply(self, rep: int) -> bytes:
        """A reply (section 6); the address bound is nobody's business, and all zeros."""
        return bytes((VERSION, rep, 0, IPV4)) + bytes(6)

    def _refuse(self, rep: int, spoiled: bool = False) -> None:
        self._did(f"SOCKS reply {rep:02d}", spoiled)
        self._end(self._reply(rep))

    def _end(self, last: bytes = b"") -> None:
        """Say the last words and close: after a failure within ten seconds (section 6)."""
        self._by, self._step = "host", self._idle
        self._agent.write(last)
        self._agent.close()

    def _did(self, deed: str, spoiled: bool = False) -> None:
        now = self.proxy.now()
        self._saw(Did(now, self.proxy.name, self._conn, Stage.OTHER, deed, spoiled))

    def _saw(self, event: Event) -> None:
        self.proxy.saw(event)
