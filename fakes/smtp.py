"""Mail hosts that start from the honest answer and are spoiled by behaviours, octet by octet.

Theory of operation
-------------------
A `MailHost` is one address with its behaviours; it counts how often it was at each stage, over
all its connections. A `Session` is one connection, driven by what arrives: octets are put into a
buffer, `_pump` takes lines (or a body) out of it, each opens a stage, and at each stage the
behaviours are asked (`model.smtp.decide`) and the action is carried out in one place
(`_perform`). What may be said when, and what a command does, is in `fakes/transaction.py`,
which knows no sockets.

States of a session: reading commands -> reading a body -> reading commands ...; at any time
idle (waiting, or silent for good: octets are kept, and noted as heard) or over. After the 220 to
STARTTLS it is shaking hands: what comes is TLS, and no lines are looked for in it. TLS is put
below it by `Secured`, and its octets then come the same way.

What holds always: every line heard, everything done and every message stored is told to the
witness before the agent can react to it; a connection that ends is told exactly once; a command
is carried out if and only if its reply is 2yz or 3yz.

Not on aiosmtpd, whose streams cannot send half a reply, cut a body after k octets, inject
octets behind a 220, or be as quick; the sink, which is never at fault, is (`fakes/sink.py`). TLS
is asyncio's, with what it lacks in `fakes/secured.py`.
"""

import asyncio
import collections
import functools
import socket
import ssl
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from fakes.receiver import Receiver
from fakes.secured import Rationed, Secured, client_of, words_of
from fakes.transaction import Transaction
from fakes.wire import Program, attach, no_more_than, not_from
from fakes.witness import Witness
from model.address import canonical
from model.events import (
    FALLS_SILENT,
    STOPS_READING,
    Accepted,
    Closed,
    Connected,
    Did,
    Encrypted,
    Event,
    Heard,
    TlsFailed,
)
from model.smtp import (
    Action,
    Behaviour,
    HangUp,
    Listen,
    Moment,
    Negotiate,
    Pour,
    Say,
    Send,
    Stage,
    Stall,
    Wait,
    decide,
)
from model.tls import Flaw

SHOWN = 60
"""Octets of something sent raw that the trace shows."""
LINE_LIMIT = 1 << 16
"""Octets of a command line; a longer one is answered 500 and forgotten."""
CHUNK = 1 << 16
HANDSHAKE_PATIENCE = 20.0
"""Shares of the agent's own time-out before asyncio gives a handshake up: it never comes first."""
_END = b"\r\n.\r\n"


class Connection(Protocol):
    """A connection that the host can end."""

    def drop(self) -> None:
        """End it because the lab ends."""


def stop_listening(server: asyncio.Server) -> None:
    """Close a server's listeners, so that their addresses are free at once.

    Each is shut down first: a process that is being started at this moment holds a copy of it until
    its exec, and the address would still be taken.
    """
    for listener in server.sockets:
        listener.shutdown(socket.SHUT_RDWR)
    server.close()


@dataclass(eq=False)
class MailHost:
    """One host of a scenario at one address.

    `context` makes the TLS context when STARTTLS is first asked for; `flaw` is what is wrong with
    its certificate; `reply_timeout` is the agent's own, in seconds, which shares are parts of.
    Segments with more than `swallows` octets vanish on their way to the host (0: none do), and so
    does whatever comes from the address `bars`, unless that is empty.
    """

    witness: Witness
    label: str
    name: str
    fqdn: str
    ip: str
    port: int
    context: Callable[[], ssl.SSLContext]
    behaviours: tuple[Behaviour, ...] = ()
    script: tuple[Action, ...] = ()
    domain: str = ""
    next_conn: Callable[[], int] = lambda: 1
    reply_timeout: float = 3.0
    flaw: Flaw = Flaw.VALID
    swallows: int = 0
    bars: str = ""
    beside: str = ""
    """One more domain whose mail is its business."""
    visits: collections.Counter[Stage] = field(default_factory=collections.Counter)
    sessions: set["Connection"] = field(default_factory=set)
    _context: ssl.SSLContext | None = None
    _server: asyncio.Server | None = None
    _successor: "MailHost | None" = None

    async def open(self) -> None:
        """Listen. Raises OSError if the address is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            self.accept, self.ip, self.port, backlog=512, reuse_address=True
        )
        if program := self._program():
            for listener in self._server.sockets:  # what it accepts inherits the filter
                attach(listener, program)

    def _program(self) -> Program:
        """What of the packets on their way to the host gets there; empty: all."""
        if self.bars:
            return not_from(self.bars)
        return no_more_than(self.swallows) if self.swallows else ()

    def succeed(self, other: "MailHost") -> None:
        """Take the place of another host at its address, which is listened at without a break.

        It could not be left and taken again: a process that is just being started has, for a
        moment, all sockets of its parent.
        """
        self._server, other._server, other._successor = other._server, None, self
        for session in tuple(other.sessions):
            session.drop()

    def accept(self) -> asyncio.BaseProtocol:
        """What serves a new connection: a session with this host, or with its successor."""
        return self._successor.accept() if self._successor is not None else self.protocol()

    def protocol(self) -> asyncio.BaseProtocol:
        """A session of this host's."""
        return Session(self)

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        if self._server is not None:
            stop_listening(self._server)
        for session in tuple(self.sessions):
            session.drop()
        if self._server is not None:
            await self._server.wait_closed()

    def tls(self) -> ssl.SSLContext:
        """The TLS context, made once; it remembers the SNI on the connection's SSL object."""
        if self._context is None:
            self._context = self.context()
        return self._context

    def now(self) -> float:
        """What an event's `at` is."""
        return self.witness.elapsed(self.label)

    def saw(self, event: Event) -> None:
        """Tell the witness."""
        self.witness.saw(self.label, event)

    def choose(
        self,
        stage: Stage,
        usual: Action,
        tls: bool,
        octets: int = 0,
        line: str = "",
        carried: int = 0,
        recipients: int = 0,
    ) -> tuple[Action, bool]:
        """The action at a stage, and whether a behaviour had its hand in it."""
        if stage is not Stage.BODY:
            self.visits[stage] += 1
        if not self.behaviours:
            return usual, False
        visit = self.visits[stage]
        moment = Moment(
            stage, visit, usual, tls, octets, len(self.sessions), line, carried, recipients
        )
        action = decide(self.behaviours, moment)
        return action, action != usual

    def store(self, accepted: Accepted) -> None:
        """Take a message in; a recipient outside the scenario's domain is a stray."""
        for recipient in accepted.recipients:
            domain = canonical(recipient).rpartition("@")[2]
            if self.domain and domain not in (self.domain, self.beside, f"[{self.ip}]"):
                self.witness.strayed(f"mail for {recipient} came to {self.fqdn}")
        self.saw(accepted)


class Session(Receiver):
    """One connection to a mail host."""

    def __init__(self, host: MailHost) -> None:
        self.host = host
        self.conn = host.next_conn()
        self._transaction = Transaction(host.fqdn)
        self._encrypted = False
        self._over = False
        self._deaf = False
        self._idle = False
        self._in_body = False
        self._carried = 0
        self._shaking = False
        self._to_greet = False
        self._buffer = bytearray()
        self._searched = 0
        self._noted = 0
        self._by = "agent"
        self._timer: asyncio.TimerHandle | None = None
        self._pouring: Pour | None = None
        self._poured = 0
        self._raw: Any = None
        self._secure: Secured | None = None
        self._said_goodbye = False
        self._transport: Any = None

    # What comes and goes -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands, or TLS has been established on it."""
        self._transport = transport
        if self._raw is None:
            self._raw = transport
            self.host.sessions.add(self)
            source = peer_of(transport)
            self.host.saw(Connected(self.host.now(), self.host.name, self.conn, source))
            self._at(Stage.GREETING, self._transaction.usual(Stage.GREETING, "", False))
        else:
            self._encrypted, self._shaking = True, False
            self.host.saw(self._secured(transport.get_extra_info("ssl_object")))
            if self._to_greet:
                self._at(Stage.GREETING, self._transaction.usual(Stage.GREETING, "", True))

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone, by whoever."""
        if self._over:
            return
        self._over = True
        self.host.sessions.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        if isinstance(error, ssl.SSLError) and not self._said_goodbye:
            self._handshake_failed(error)
        self.host.saw(Closed(self.host.now(), self.host.name, self.conn, self._by))

    def data_received(self, data: bytes) -> None:
        """Octets from the agent."""
        if self._deaf:
            return
        self._buffer += data
        if self._shaking:
            return  # TLS, not lines: kept for a handshake that begins late
        if not self._idle:
            self._pump()
        elif not self._in_body:
            self._note_ahead()

    def drop(self) -> None:
        """End the connection because the lab ends."""
        if self._raw is not None:
            self._by = "host"
            self._raw.abort()

    def _pump(self) -> None:
        """Take lines and bodies out of the buffer, until it is empty or the session is idle.

        Commands that came together are answered together, in one segment (RFC 2920 section 3.2).
        """
        together = not self._in_body and self._buffer.count(b"\n") > 1
        if together:
            self._cork(True)
        while self._buffer and not (self._idle or self._deaf):
            taken = self._take_body() if self._in_body else self._take_line()
            if not taken:
                break
        if together:
            self._cork(False)

    def _cork(self, shut: bool) -> None:
        """Hold segments back, or let them go (tcp(7))."""
        plain = self._raw.get_extra_info("socket")
        if plain is not None and plain.fileno() >= 0:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, int(shut))

    # Lines ---------------------------------------------------------------------------------

    def _take_line(self) -> bool:
        end = self._buffer.find(b"\n", self._searched)
        if end < 0:
            self._searched = len(self._buffer)
            if self._searched > LINE_LIMIT:
                self._forget(self._searched)
                self._did(Stage.OTHER, "500 5.5.2 Line too long", False)
                self._say("500 5.5.2 Line too long")
            return False
        line = bytes(self._buffer[:end]).rstrip(b"\r").decode("utf-8", "backslashreplace")
        noted = end < self._noted
        self._forget(end + 1)
        stage = self._transaction.stage_of(line)
        if not noted:
            self._heard(stage, line)
        if stage is Stage.BODY:  # BDAT: what follows is a chunk, which may be empty
            self._in_body = True
            return bool(self._transaction.chunk) or self._take_chunk(0)
        self._at(stage, self._transaction.usual(stage, line, self._encrypted), line)
        return True

    def _forget(self, octets: int) -> None:
        del self._buffer[:octets]
        self._searched = 0
        self._noted = max(0, self._noted - octets)

    def _note_ahead(self) -> None:
        """Note lines that come while the session is idle: they have been sent all the same."""
        while (end := self._buffer.find(b"\n", self._noted)) >= 0:
            raw = bytes(self._buffer[self._noted : end])
            line = raw.rstrip(b"\r").decode("utf-8", "backslashreplace")
            self._noted = end + 1
            self._heard(self._transaction.stage_of(line, only_look=True), line)

    # Bodies --------------------------------------------------------------------------------

    def _take_body(self) -> bool:
        """Take a whole body out of the buffer, by its final dot or its length, if it is there."""
        if self.host.behaviours and not self._may_go_on():
            return False
        chunk = self._transaction.chunk
        if chunk:
            return self._take_chunk(chunk)
        if self._buffer.startswith(b".\r\n"):
            end, length = 0, 3
        else:
            found = self._buffer.find(_END, max(0, self._searched - len(_END)))
            if found < 0:
                self._searched = len(self._buffer)
                return False
            end, length = found + 2, found + len(_END)
        with memoryview(self._buffer) as buffer:  # large ones are copied once, not twice
            wire = bytes(buffer[:end])
        self._forget(length)
        self._in_body = False
        self._heard(Stage.DOT, f"(body of {length} octets) .")
        self._at_dot(wire)
        return True

    def _take_chunk(self, octets: int) -> bool:
        if len(self._buffer) < octets:
            return False
        self._in_body = False
        last = self._transaction.add_chunk(bytes(self._buffer[:octets]))
        self._forget(octets)
        if last:
            self._heard(Stage.DOT, f"(last chunk, {octets} octets)")
            self._at_dot(b"")
        else:
            self._say(f"250 2.0.0 {octets} octets")
        return True

    def _may_go_on(self) -> bool:
        """Ask the behaviours how they like the body so far."""
        octets = len(self._buffer)
        action, spoiled = self.host.choose(
            Stage.BODY, Listen(), self._encrypted, octets, carried=self._carried
        )
        match action:
            case Listen():
                return True
            case Say(text):
                self._did(Stage.BODY, f"{text} (after {octets} octets of body)", spoiled)
                self._say(text)
                self._idle = True
                if action.close:
                    self._hang_up(HangUp(action.reset))
            case HangUp():
                deed = "* closes its side" if action.half else "* closes"
                self._did(Stage.BODY, f"{deed} after {octets} octets of body", spoiled)
                self._hang_up(action)
            case _:
                self._did(Stage.BODY, f"{STOPS_READING} after {octets} octets of body", spoiled)
                self._idle = True
                self._transport.pause_reading()
        return False

    def _at_dot(self, wire: bytes) -> None:
        self._transaction.wire = wire
        usual = self._transaction.usual(Stage.DOT, "", self._encrypted)
        self._at(Stage.DOT, usual, octets=len(wire))

    # Acting: the one place -----------------------------------------------------------------

    def _at(self, stage: Stage, usual: Action, line: str = "", octets: int = 0) -> None:
        carried, taken = self._carried, self._transaction.taken
        tls = self._encrypted
        action, spoiled = self.host.choose(stage, usual, tls, octets, line, carried, taken)
        self._perform(stage, action, spoiled)

    def _perform(self, stage: Stage, action: Action, spoiled: bool) -> None:
        match action:
            case Say(text, close, reset):
                self._did(stage, text or "* says nothing, and does it", spoiled)
                if text:
                    self._say(text)
                self._effect(stage, text, close, reset)
            case Send(octets):
                self._did(stage, f"* sends {shown(octets)}", spoiled)
                self._send(stage, action)
            case Pour():
                self._did(stage, f"* sends {shown(action.octets)} over and over", spoiled)
                self._idle, self._pouring = True, action
                self._pour()
            case Stall(keep):
                self._did(stage, FALLS_SILENT, spoiled)
                self._keep(keep)
                self._idle = True
            case Wait(share, then, keep):
                self._did(stage, f"* waits for {share} of the time-out", spoiled)
                self._keep(keep)
                self._later(share * self.host.reply_timeout, stage, then)
            case HangUp(keep=keep):
                self._did(stage, f"* closes ({_how(action)})", spoiled)
                self._keep(keep)
                self._hang_up(action)
            case Negotiate():
                if spoiled:
                    self._did(stage, _terms_of(action), spoiled)
                self._negotiate(stage, action)
            case Listen():
                pass

    def _later(self, seconds: float, stage: Stage, then: Action) -> None:
        """Be idle for a while, and then act; what has come meanwhile is taken up after that."""

        def resume() -> None:
            self._idle = False
            self._perform(stage, then, spoiled=True)
            self._pump()

        self._idle = True
        self._timer = asyncio.get_running_loop().call_later(seconds, resume)

    def _send(self, stage: Stage, action: Send, start: int = 0) -> None:
        """Send octets, in pieces if so told."""
        piece = action.piece or len(action.octets)
        pause = action.pause * self.host.reply_timeout
        for at in range(start, len(action.octets), max(1, piece)):
            self._transport.write(action.octets[at : at + piece])
            if pause and at + piece < len(action.octets):
                self._idle = True
                loop = asyncio.get_running_loop()
                self._timer = loop.call_later(pause, self._send_on, stage, action, at + piece)
                return
        if action.takes:
            text = action.octets.decode("utf-8", "replace").replace("\r\n", "\n").strip()
            self._effect(stage, text, action.close)
        elif action.close:
            self._hang_up(HangUp())

    def _send_on(self, stage: Stage, action: Send, start: int) -> None:
        self._idle = False
        self._send(stage, action, start)
        self._pump()

    def _pour(self) -> None:
        """Write as fast as the agent reads, up to the limit."""
        pour = self._pouring
        if pour is None or self._over:
            return
        block = pour.octets * max(1, CHUNK // len(pour.octets))
        while self._poured < pour.most and not self._transport.get_write_buffer_size():
            self._transport.write(block)
            self._poured += len(block)
        if self._poured < pour.most:
            self._timer = asyncio.get_running_loop().call_later(0.005, self._pour)

    def _effect(self, stage: Stage, text: str, close: bool, reset: bool = False) -> None:
        """Carry the command out if the reply (or silence instead of one) says so."""
        done = not text or text[0] in "23"
        if done and stage is Stage.DOT:
            self._store(acknowledged=True)
            self._carried += 1
        self._transaction.answered(stage, text, done)
        self._in_body = done and stage is Stage.DATA
        if self._in_body:
            self.host.visits[Stage.BODY] += 1
        if close or (done and stage is Stage.QUIT):
            self._hang_up(HangUp(reset, notify=not close))
        elif done and stage is Stage.STARTTLS:
            self._forget(len(self._buffer))  # RFC 3207 section 4.2: what came in clear is void
            self._shaking = True
            self._at(Stage.HANDSHAKE, Negotiate())

    def _keep(self, keep: bool) -> None:
        if keep:
            self._store(acknowledged=False)

    def _store(self, acknowledged: bool) -> None:
        mail = self._transaction.mail()
        self.host.store(
            Accepted(
                self.host.now(),
                self.host.name,
                self.conn,
                mail.sender,
                mail.recipients,
                mail.content,
                self._encrypted,
                acknowledged,
                mail.wire,
            )
        )

    def _say(self, text: str) -> None:
        self._transport.write(_octets(text))

    def _hang_up(self, action: HangUp) -> None:
        if self._over:
            return  # the agent was faster
        if action.notify and self._secure is not None:
            self._said_goodbye = True
            self._secure.say_goodbye()
            if action.half:
                self._idle = True
                return
        if action.half:
            self._idle = True
            self._raw.write_eof()
            return
        self._by, self._deaf = "host", True
        if action.reset:
            plain = self._raw.get_extra_info("socket")
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._raw.abort()
        else:
            self._raw.close()

    # TLS -----------------------------------------------------------------------------------

    def _negotiate(self, stage: Stage, action: Negotiate) -> None:
        """The handshake; its octets go by this session until it is done."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        patience = 1 + int(HANDSHAKE_PATIENCE * self.host.reply_timeout)
        below = Secured(
            loop,
            self,
            self.host.tls(),
            done,
            server_side=True,
            ssl_handshake_timeout=patience,
        )
        done.add_done_callback(self._shaken)
        self._to_greet, self._secure = stage is Stage.GREETING, below
        self._raw.set_protocol(below)
        raw = self._raw
        if action.then is not None:
            raw = Rationed(raw, action.most, partial(self._perform, stage, action.then, True))
        below.connection_made(raw)
        if early := bytes(self._buffer):
            self._forget(len(early))
            below.get_buffer(len(early))[: len(early)] = early
            below.buffer_updated(len(early))

    def _shaken(self, done: "asyncio.Future[None]") -> None:
        """The handshake is over: well, or the connection is as good as lost."""
        error = done.exception()
        if self._encrypted or self._over:
            return
        self._handshake_failed(error or ConnectionResetError("closed in the handshake"))
        self._raw.close()
        self.connection_lost(None)

    def _handshake_failed(self, error: BaseException) -> None:
        self.host.saw(TlsFailed(self.host.now(), self.host.name, self.conn, words_of(error)))

    def _secured(self, made: Any) -> Encrypted:
        return Encrypted(
            self.host.now(),
            self.host.name,
            self.conn,
            made.version() or "",
            (made.cipher() or ("",))[0],
            getattr(made, "offered_sni", ""),
            getattr(made, "shown", self.host.flaw),
            client_of(made),
            bool(made.session_reused),
        )

    # Telling -------------------------------------------------------------------------------

    def _heard(self, stage: Stage | None, line: str) -> None:
        stage = None if stage is Stage.OTHER else stage
        host = self.host
        host.saw(Heard(host.now(), host.name, self.conn, stage, line, self._encrypted))

    def _did(self, stage: Stage, deed: str, spoiled: bool) -> None:
        host = self.host
        host.saw(Did(host.now(), host.name, self.conn, stage, deed, spoiled))


def _how(action: HangUp) -> str:
    """How a connection is ended."""
    if action.notify:
        return "close_notify" if action.half else "close_notify, FIN"
    return "RST" if action.reset else "FIN, half" if action.half else "FIN"


def _terms_of(action: Negotiate) -> str:
    """How a handshake that is not the usual one is told."""
    if action.then is None:
        return "* expects a handshake"
    return f"* shakes hands, for {action.most} octets"


@functools.lru_cache(maxsize=4096)
def _octets(text: str) -> bytes:
    """A reply as it goes over the wire."""
    return text.replace("\n", "\r\n").encode() + b"\r\n"


def shown(octets: bytes) -> str:
    """Octets for the trace, not too many."""
    return repr(octets) if len(octets) <= SHOWN else f"{octets[:SHOWN]!r}... ({len(octets)} octets)"


def peer_of(transport: asyncio.BaseTransport) -> str:
    """The address at the other end; empty if it is gone already."""
    peer = transport.get_extra_info("peername")
    return str(peer[0]) if peer else ""
