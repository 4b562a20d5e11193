"""A box on the way to a mail host: two real connections, and filters between them.

Theory of operation
-------------------
A `Middlebox` listens where its host is thought to be; the host itself, `Hidden`, listens at an
inner address. For each connection a `Crossing` opens a second one from the box to the host, and
carries what arrives on one `Side` to the other. What can be read is taken piece by piece (a line, a
whole reply), shown to the filters (`model.middlebox.decide`), and what they decide is carried out
in one place, `_perform`.

States of a crossing: joining (the host's side is being opened, nothing is read) -> reading ->
reading in TLS of the box's own, or sealed: once the host has agreed to STARTTLS, octets pass that
nobody here can read. From any of these: forgotten (what comes goes nowhere, both sides stand open)
or over. A side that is held keeps what arrives until its timer ends.

What holds always: whatever the filters change is told to the witness before anybody can react to
it, under the filter's name. A line of the agent's is told once: by the box where it can be read, by
the host where it is sealed. The host's own connection is not told. A message that the host has
stored counts as acknowledged only if its reply is passed on to the agent.
"""

import asyncio
import collections
import contextlib
import socket
import ssl
import struct
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from fakes.receiver import Receiver
from fakes.secured import Secured
from fakes.smtp import LINE_LIMIT, MailHost, Session, peer_of, stop_listening
from fakes.transaction import Transaction
from model.events import Accepted, Closed, Connected, Did, Encrypted, Event, Heard, TlsFailed
from model.middlebox import (
    Act,
    Answer,
    Box,
    End,
    Hold,
    Intercept,
    Manner,
    Part,
    Pass,
    Passage,
    Swallow,
    decide,
)
from model.smtp import Stage
from model.tls import Flaw

READY = "220 2.0.0 Ready to start TLS"
"""What a box says that ends TLS itself (RFC 3207 section 4)."""


@dataclass(eq=False)
class Hidden(MailHost):
    """The host behind a box; what it sees is told by the crossing that it belongs to.

    `coming` are the crossings by the address that they connect from, `joined` by connection.
    """

    coming: dict[tuple[str, int], "Crossing"] = field(default_factory=dict)
    joined: dict[int, "Crossing"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.next_conn = lambda: 0  # the crossing has the number

    def protocol(self) -> asyncio.BaseProtocol:
        """What serves one connection."""
        return Inner(self)

    def saw(self, event: Event) -> None:
        """Have the crossing tell it; all events of a host are about a connection."""
        self.joined[getattr(event, "conn", 0)].told(event)


class Inner(Session):
    """A session behind the box, with the number of the connection that the agent has."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands, or TLS has been established on it."""
        if self._raw is not None or self._joins(transport):
            super().connection_made(transport)

    def _joins(self, transport: asyncio.BaseTransport) -> bool:
        """Find the crossing by the address that it comes from; without one this is a stray."""
        host, peer = self.host, transport.get_extra_info("peername")
        assert isinstance(host, Hidden)
        assert isinstance(transport, asyncio.Transport)
        crossing = host.coming.pop(peer, None)
        if crossing is None:
            host.witness.strayed(f"a connection to {host.fqdn} behind its box, from {peer[0]}")
            self._over = True
            transport.abort()
            return False
        self.conn = crossing.conn
        host.joined[crossing.conn] = crossing
        return True


@dataclass(eq=False)
class Middlebox:
    """A box at a host's address. `context` makes a TLS context with a certificate of its own."""

    box: Box
    host: Hidden
    ip: str
    context: Callable[[Flaw], ssl.SSLContext]
    next_conn: Callable[[], int]
    crossings: set["Crossing"] = field(default_factory=set)
    _server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen, and have the host listen. Raises OSError if an address is taken."""
        await self.host.open()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Crossing(self).agent, self.ip, self.host.port, backlog=512, reuse_address=True
        )

    async def close(self) -> None:
        """Stop listening and drop every connection, those to the host included."""
        if self._server is not None:
            stop_listening(self._server)
        crossings = tuple(self.crossings)
        for crossing in crossings:
            crossing.drop()
        await asyncio.gather(*(c.joining for c in crossings if c.joining), return_exceptions=True)
        await self.host.close()
        if self._server is not None:
            await self._server.wait_closed()


class Side(Receiver):
    """One of the two connections of a crossing: `agent` or `host`."""

    def __init__(self, crossing: "Crossing", name: str) -> None:
        self.name = name
        self.buffer = bytearray()
        self.raw: Any = None
        self.transport: Any = None
        self.held = False
        self.ended = False
        """Whether it will send no more."""
        self.lost = False
        self.timer: asyncio.TimerHandle | None = None
        self._crossing = crossing

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands, or TLS has been established on it."""
        self.transport = transport
        if self.raw is None:
            self.raw = transport
            self._crossing.stands(self)
        else:
            self._crossing.secured(transport.get_extra_info("ssl_object"))

    def data_received(self, data: bytes) -> None:
        """Octets to carry over."""
        self.buffer += data
        self._crossing.arrived(self)

    def eof_received(self) -> bool:
        """It will send no more; in clear it may still be sent to."""
        self.ended = True
        self._crossing.pump(self)
        return self.transport is self.raw

    def connection_lost(self, error: Exception | None) -> None:
        """It is gone."""
        if not self.lost:
            self.lost = True
            if self.timer is not None:
                self.timer.cancel()
            self._crossing.gone(self, error)

    def pause_writing(self) -> None:
        """It reads more slowly than the other one writes."""
        self._crossing.slow(self, True)

    def resume_writing(self) -> None:
        """It has caught up."""
        self._crossing.slow(self, False)

    def write(self, octets: bytes) -> None:
        """Send octets to whoever is at this side."""
        if self.raw is not None and not self.transport.is_closing():
            self.transport.write(octets)

    def finish(self) -> None:
        """Send the FIN behind what has been written, and go on reading if that is possible."""
        if self.raw is None or self.transport.is_closing():
            return
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

    def close(self) -> None:
        """Send the FIN and read no more."""
        if self.raw is not None:
            self.transport.close()

    def reset(self) -> None:
        """Send the RST."""
        if self.raw is None or self.lost:
            return
        plain = self.raw.get_extra_info("socket")
        with contextlib.suppress(OSError):  # it may have been closed a moment ago
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.raw.abort()


class Crossing:
    """One connection of the agent's, and the one to the host that belongs to it."""

    def __init__(self, middlebox: Middlebox) -> None:
        self.conn = middlebox.next_conn()
        self.agent, self.host = Side(self, "agent"), Side(self, "host")
        self.joining: asyncio.Task[None] | None = None
        self._box = middlebox
        self._reader = Transaction(middlebox.host.fqdn)
        self._awaited: collections.deque[Stage | Answer] = collections.deque([Stage.GREETING])
        """What the agent waits for, in order: replies of the host's, and answers of the box's."""
        self._pending: list[Accepted] = []
        self._flaw = Flaw.VALID
        self._tls = self._sealed = self._forgotten = self._over = False
        self._in_message = self._in_header = False
        self._message = bytearray()
        self._recipients = 0
        self._chunk = 0
        self._quiet = self._last = 0.0
        self._by = ""

    # What comes and goes -------------------------------------------------------------------

    def stands(self, side: Side) -> None:
        """A side has been connected: the agent's first."""
        if side is self.host:
            if self.agent.lost:
                side.close()
            self.agent.transport.resume_reading()
            return
        self._box.crossings.add(self)
        self._last = asyncio.get_running_loop().time()
        self._saw(Connected(self._now(), self._box.host.name, self.conn, peer_of(side.transport)))
        side.transport.pause_reading()
        self.joining = asyncio.create_task(self._join())

    async def _join(self) -> None:
        """Open the connection to the host, from an address by which it is known there."""
        loop, host = asyncio.get_running_loop(), self._box.host
        sock = socket.socket()
        try:
            sock.setblocking(False)
            sock.bind((self._box.ip, 0))
            host.coming[sock.getsockname()] = self
            await loop.sock_connect(sock, (host.ip, host.port))
            await loop.create_connection(lambda: self.host, sock=sock)
        except OSError:
            sock.close()
            self.agent.reset()
        except asyncio.CancelledError:
            sock.close()
            raise

    def arrived(self, side: Side) -> None:
        """Octets have come; first, how long none had."""
        now = asyncio.get_running_loop().time()
        self._quiet = (now - self._last) / self._box.host.reply_timeout
        self._last = now
        self.pump(side)

    def pump(self, side: Side) -> None:
        """Take pieces out of a side's buffer and see to them; then see to the side's end."""
        while side.buffer and not (side.held or self._over):
            if self._forgotten:
                side.buffer.clear()
            elif (passage := self._next(side)) is None:
                break
            else:
                self._see_to(side, passage)
        if side.ended and not (side.held or self._over):
            self._pass_end_on(side)

    def _pass_end_on(self, side: Side) -> None:
        """A side has sent its FIN; what is left of a line goes before it."""
        if self._forgotten:
            side.close()
            return
        self._by = self._by or side.name
        other = self._other(side)
        other.write(bytes(side.buffer))
        side.buffer.clear()
        if other.ended:
            side.close()
            other.close()
        else:
            other.finish()

    def gone(self, side: Side, error: Exception | None) -> None:
        """A side's connection is over, by whoever."""
        self._settle(acknowledged=False)
        other = self._other(side)
        if not self._forgotten:
            self._by = self._by or side.name
            if isinstance(error, ConnectionResetError):
                other.reset()
            else:
                other.close()
        if side is self.agent:
            if isinstance(error, ssl.SSLError) and not self._tls:
                self._handshake_failed(error)
            by = self._by or side.name
            self._saw(Closed(self._now(), self._box.host.name, self.conn, by))
        if other.lost or other.raw is None:
            self._box.crossings.discard(self)

    def slow(self, side: Side, is_slow: bool) -> None:
        """Let the other side wait while this one cannot take more."""
        other = self._other(side)
        if other.raw is None or other.transport.is_closing():
            return
        if is_slow:
            other.transport.pause_reading()
        else:
            other.transport.resume_reading()

    def drop(self) -> None:
        """End both connections because the lab ends."""
        if self.joining is not None:
            self.joining.cancel()
        for side in (self.agent, self.host):
            if side.raw is not None:
                side.raw.abort()

    # Pieces --------------------------------------------------------------------------------

    def _next(self, side: Side) -> Passage | None:
        """The next piece of what a side has sent; None if it is not complete."""
        if self._sealed:
            return self._passage(Part.SEALED, self._take(side, len(side.buffer)), Stage.OTHER)
        if side is self.host:
            return self._next_reply()
        if self._in_message or self._chunk:
            return self._next_line_of_message()
        octets = self._take_line(side)
        return None if octets is None else self._command(octets)

    def _next_reply(self) -> Passage | None:
        start = 0
        while (end := self.host.buffer.find(b"\n", start)) >= 0:
            line = self.host.buffer[start:end]
            start = end + 1
            if not (line[:3].isdigit() and line[3:4] == b"-"):
                first = self._awaited.popleft() if self._awaited else Stage.OTHER
                stage = first if isinstance(first, Stage) else Stage.OTHER
                return self._passage(Part.REPLY, self._take(self.host, start), stage)
        return None

    def _command(self, octets: bytes) -> Passage:
        line = octets.decode("utf-8", "backslashreplace").rstrip("\r\n")
        stage = self._reader.stage_of(line, only_look=True)
        self._heard(stage, line)
        if stage in (Stage.MAIL, Stage.RSET, Stage.EHLO, Stage.HELO):
            self._recipients = 0
            self._begin_message()
        self._recipients += stage is Stage.RCPT
        return self._passage(Part.COMMAND, octets, stage, ahead=bool(self._awaited))

    def _begin_message(self) -> None:
        self._in_header = True
        self._message.clear()

    def _next_line_of_message(self) -> Passage | None:
        octets = self._take_line(self.agent, self._chunk)
        if octets is None:
            return None
        if self._chunk:
            self._chunk -= len(octets)
        elif octets in (b".\r\n", b".\n"):
            self._heard(Stage.DOT, f"(body of {len(self._message) + len(octets)} octets) .")
            return self._passage(Part.DOT, octets, Stage.DOT)
        self._message += octets
        part = Part.HEADER if self._in_header else Part.BODY
        self._in_header = self._in_header and octets.strip(b"\r\n") != b""
        return self._passage(part, octets, Stage.BODY)

    def _take_line(self, side: Side, most: int = 0) -> bytes | None:
        """A line with its end, or the rest of `most` octets, or what is too long for a line."""
        end = side.buffer.find(b"\n", 0, most or len(side.buffer)) + 1
        if not end and most and len(side.buffer) >= most:
            end = most
        if not end and len(side.buffer) > LINE_LIMIT:
            end = LINE_LIMIT
        return self._take(side, end) if end else None

    def _take(self, side: Side, end: int) -> bytes:
        octets = bytes(side.buffer[:end])
        del side.buffer[:end]
        return octets

    def _passage(self, part: Part, octets: bytes, stage: Stage, ahead: bool = False) -> Passage:
        return Passage(
            part,
            octets,
            Pass(octets),
            stage,
            self._tls,
            self._recipients,
            len(self._message),
            bytes(self._message) if part is Part.DOT else b"",
            ahead,
            self._quiet,
        )

    # Acting: the one place -----------------------------------------------------------------

    def _see_to(self, side: Side, passage: Passage) -> None:
        """Ask the filters, tell what they have made of it, and do it."""
        act, changes = decide(self._box.box, passage)
        for name, made in changes:
            host = self._box.host.name
            deed = _words_of(made)
            self._saw(Did(self._now(), host, self.conn, passage.stage, deed, True, name))
        self._perform(side, passage, act)

    def _perform(self, side: Side, passage: Passage, act: Act) -> None:
        match act:
            case Pass(octets, cut, pause) if cut:
                self._other(side).write(octets[:cut])
                rest = Pass(octets[cut:])
                self._later(side, pause, lambda: self._perform(side, passage, rest))
            case Pass(octets):
                if side is self.host:
                    self._settle(acknowledged=True)
                self._other(side).write(octets)
                self._passed(passage, octets)
                self._answer()
            case Swallow():
                if side is self.host:
                    self._settle(acknowledged=False)
                self._answer()
            case Answer():
                self._awaited.append(act)
                self._answer()
            case End(manner):
                self._end(manner)
            case Hold(share, then):
                self._later(side, share, lambda: self._perform(side, passage, then))
            case Intercept(flaw):
                self._intercept(flaw)

    def _answer(self) -> None:
        """Give the box's own answers whose turn has come: replies keep their order."""
        while self._awaited and isinstance(answer := self._awaited[0], Answer):
            self._awaited.popleft()
            self.agent.write(answer.text.encode() + b"\r\n")
            if answer.close:
                self._end(Manner.CLOSED)

    def _passed(self, passage: Passage, octets: bytes) -> None:
        """What has gone over: what is to come now is another thing."""
        match passage.part:
            case Part.COMMAND:
                self._awaited.append(passage.stage)
                self._chunk = _size_of_chunk(octets)
            case Part.DOT:
                self._in_message = False
                self._awaited.append(Stage.DOT)
            case Part.REPLY if passage.stage is Stage.DATA and octets.startswith(b"3"):
                self._begin_message()
                self._in_message = True
            case Part.REPLY if passage.stage is Stage.STARTTLS and octets.startswith(b"2"):
                self._sealed = True

    def _later(self, side: Side, share: float, do: Callable[[], None]) -> None:
        """Hold a side for a while, and then act; what has come meanwhile is taken up after that."""

        def resume() -> None:
            side.held = False
            self._last = asyncio.get_running_loop().time()
            if not (self._over or self._forgotten):
                do()
            self.pump(side)

        side.held = True
        seconds = share * self._box.host.reply_timeout
        side.timer = asyncio.get_running_loop().call_later(seconds, resume)

    def _end(self, manner: Manner) -> None:
        """Be over, or forget."""
        self._settle(acknowledged=False)
        if manner is Manner.DROPPED:
            self._forgotten = True
            return
        self._by, self._over = "box", True
        for side in (self.agent, self.host):
            if manner is Manner.RESET:
                side.reset()
            else:
                side.close()

    # TLS -----------------------------------------------------------------------------------

    def _intercept(self, flaw: Flaw) -> None:
        """The handshake with the agent; its octets go by its side until it is done."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self.agent.write(READY.encode() + b"\r\n")
        self.agent.buffer.clear()  # RFC 3207 section 4.2: what came in clear is void
        self.agent.held, self._flaw = True, flaw
        context = self._box.context(flaw)
        below = Secured(loop, self.agent, context, done, server_side=True)
        done.add_done_callback(self._shaken)
        self.agent.raw.set_protocol(below)
        below.connection_made(self.agent.raw)

    def secured(self, made: Any) -> None:
        """TLS with the agent stands."""
        self._tls, self.agent.held = True, False
        self._saw(
            Encrypted(
                self._now(),
                self._box.host.name,
                self.conn,
                made.version() or "",
                (made.cipher() or ("",))[0],
                getattr(made, "offered_sni", ""),
                self._flaw,
            )
        )

    def _shaken(self, done: "asyncio.Future[None]") -> None:
        """The handshake is over: well, or the connection is as good as lost."""
        error = done.exception()
        if self._tls or self.agent.lost:
            return
        self._handshake_failed(error or ConnectionResetError("closed in the handshake"))
        self.agent.raw.close()
        self.agent.connection_lost(None)

    def _handshake_failed(self, error: BaseException) -> None:
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        self._saw(TlsFailed(self._now(), self._box.host.name, self.conn, str(reason)))

    # Telling -------------------------------------------------------------------------------

    def told(self, event: Event) -> None:
        """What the host has seen, as far as it is not seen here."""
        match event:
            case Connected() | Closed():
                return
            case Heard() if not self._sealed:
                return
            case Accepted(acknowledged=acknowledged):
                self._pending.append(replace(event, tls=event.tls or self._tls))
                if not acknowledged or self._forgotten or self._over or self.agent.lost:
                    self._settle(acknowledged=False)
            case _:
                self._saw(event)

    def _settle(self, acknowledged: bool) -> None:
        """The host's word on what it has stored has been passed on, or never will be."""
        for event in self._pending:
            self._saw(replace(event, at=self._now(), acknowledged=acknowledged))
        self._pending.clear()

    def _heard(self, stage: Stage, line: str) -> None:
        shown = None if stage is Stage.OTHER else stage
        host = self._box.host.name
        self._saw(Heard(self._now(), host, self.conn, shown, line, self._tls))

    def _saw(self, event: Event) -> None:
        host = self._box.host
        host.witness.saw(host.label, event)

    def _now(self) -> float:
        return self._box.host.now()

    def _other(self, side: Side) -> Side:
        return self.host if side is self.agent else self.agent


def _size_of_chunk(octets: bytes) -> int:
    """How many octets follow a BDAT command (RFC 3030 section 2); 0 for any other."""
    verb, _, rest = octets.strip().partition(b" ")
    size = rest.split(b" ")[0]
    return int(size) if verb.upper() == b"BDAT" and size.isdigit() else 0


def _words_of(act: Act) -> str:
    """An act for the trace."""
    match act:
        case Pass(octets, cut):
            text = octets.decode("utf-8", "backslashreplace").replace("\r\n", "\n").strip()
            return (
                f"* sends it in two pieces, {cut} and {len(octets) - cut} octets" if cut else text
            )
        case Swallow():
            return "* swallows it"
        case Answer(text, close):
            return text + (" (and closes)" if close else "")
        case End(manner):
            return f"* ends the connection ({manner})"
        case Hold(share):
            return f"* holds it for {share} of the time-out"
        case Intercept(flaw):
            return f"{READY} (with a certificate that is {flaw})"
