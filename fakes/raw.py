"""A mail host that plays a script octet by octet: for what aiosmtpd cannot be made to say.

Theory of operation
-------------------
The first action of the script is carried out when the connection stands, one more for every line
heard; when the script is over, the host listens in silence. No SMTP is spoken beyond the script.
"""

import asyncio
import socket
import struct
from dataclasses import dataclass

from fakes.receiver import Receiver
from fakes.smtp import MailHost, peer_of, shown
from model.events import Closed, Connected, Did, Heard
from model.smtp import Action, HangUp, Say, Send, Stage


@dataclass(eq=False)
class RawHost(MailHost):
    """One host of a scenario that follows its script on every connection."""

    def protocol(self) -> asyncio.BaseProtocol:
        """A connection of this host's."""
        return RawConnection(self)


def _stage_of(line: str) -> Stage:
    """The stage that a command line opens; that of the greeting for anything unknown."""
    verb = line.partition(" ")[0].lower()
    return Stage(verb) if verb in set(Stage) else Stage.GREETING


def _deed(action: Action) -> str:
    """What the trace says of an action."""
    match action:
        case Say(text):
            return text
        case Send(octets):
            return f"* sends {shown(octets)}"
        case HangUp(reset):
            return f"* closes ({'RST' if reset else 'FIN'})"
        case _:
            return f"* {action}"


class RawConnection(Receiver):
    """One connection to a raw host."""

    def __init__(self, host: RawHost) -> None:
        self.host = host
        self._conn = host.next_conn()
        self._script = iter(host.script)
        self._line = bytearray()
        self._by = "agent"
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands: the first action."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.host.sessions.add(self)
        host = self.host
        host.witness.saw(
            host.label, Connected(host.now(), host.name, self._conn, peer_of(transport))
        )
        self._act(Stage.GREETING)

    def data_received(self, data: bytes) -> None:
        """One more action for each line."""
        self._line += data
        while (end := self._line.find(b"\n")) >= 0:
            line = bytes(self._line[:end]).rstrip(b"\r").decode("utf-8", "backslashreplace")
            del self._line[: end + 1]
            host = self.host
            event = Heard(host.now(), host.name, self._conn, None, line, False)
            host.witness.saw(host.label, event)
            self._act(_stage_of(line))

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        host = self.host
        host.sessions.discard(self)
        host.witness.saw(host.label, Closed(host.now(), host.name, self._conn, self._by))

    def drop(self) -> None:
        """End the connection because the lab ends."""
        if self._transport is not None:
            self._transport.abort()

    def _act(self, stage: Stage) -> None:
        action = next(self._script, None)
        if action is None or self._transport is None:
            return
        host = self.host
        host.witness.saw(
            host.label, Did(host.now(), host.name, self._conn, stage, _deed(action), True)
        )
        if isinstance(action, Say):
            action = Send(action.text.replace("\n", "\r\n").encode() + b"\r\n", action.close)
        if isinstance(action, Send):
            self._transport.write(action.octets)
        if isinstance(action, HangUp) or (isinstance(action, Send) and action.close):
            self._close(action)

    def _close(self, action: Action) -> None:
        assert self._transport is not None
        self._by = "host"
        if isinstance(action, HangUp) and action.reset:
            raw = self._transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()
        else:
            self._transport.close()
