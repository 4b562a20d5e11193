"""Mail hosts on aiosmtpd that start from the honest answer and are spoiled by behaviours.

Theory of operation
-------------------
A `MailHost` is one address with its behaviours; it counts how often it was at each stage, over
all its connections. A `Session` is one connection: aiosmtpd's own state machine, in which every
stage first asks the behaviours (`model.smtp.decide`) and then acts in one place (`_perform`).

What a blameless host does is carried out by aiosmtpd itself, so its state is never wrong: a
reply of 2yz or 3yz lets aiosmtpd execute the command and only lends it the words; any other
action leaves its state as if the command had not come.

What holds always: every line heard, everything done and every message stored is told to the
witness before the agent can react to it; a connection that ends is told exactly once.

It leans on three private seams of aiosmtpd 1.4: `_tls_protocol`, `_original_transport` and `_writer`;
and on one of asyncio's, `SSLProtocol._on_handshake_complete`.
"""

import asyncio
import collections
import socket
import ssl
import struct
from asyncio import sslproto
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from aiosmtpd.smtp import SMTP, Envelope
from aiosmtpd.smtp import Session as Facts

from fakes.witness import Witness
from model.events import Accepted, Closed, Connected, Did, Encrypted, Heard, TlsFailed
from model.smtp import (
    Action,
    Behaviour,
    HangUp,
    Listen,
    Moment,
    Negotiate,
    Say,
    Send,
    Stage,
    Stall,
    decide,
)

HONEST = {
    Stage.HELO: "250 {name}",
    Stage.EHLO: "250-{name}\n250-SIZE 33554432\n250-8BITMIME\n250-ENHANCEDSTATUSCODES\n250 HELP",
    Stage.GREETING: "220 {name} ESMTP",
    Stage.STARTTLS: "220 2.0.0 Ready to start TLS",
    Stage.MAIL: "250 2.1.0 Sender OK",
    Stage.RCPT: "250 2.1.5 Recipient OK",
    Stage.DATA: "354 End data with <CR><LF>.<CR><LF>",
    Stage.DOT: "250 2.0.0 Stored",
    Stage.RSET: "250 2.0.0 Reset",
    Stage.NOOP: "250 2.0.0 OK",
    Stage.QUIT: "221 2.0.0 Bye",
}
"""What a blameless host says at each stage (RFC 5321 section 4.3.2)."""

FOREVER = 24 * 3600.0
"""Seconds after which aiosmtpd itself would give a silent client up; longer than any run."""

_VERBS = {str(stage).upper(): stage for stage in Stage}


class Connection(Protocol):
    """A connection that the host can end."""

    def drop(self) -> None:
        """End it because the lab ends."""


@dataclass(eq=False)
class MailHost:
    """One host of a scenario at one address, or the sink of everybody's returned mail.

    `store` takes what is accepted (it decides whether it becomes Accepted or Returned);
    `context` makes the TLS context when STARTTLS is first asked for.
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
    visits: collections.Counter[Stage] = field(default_factory=collections.Counter)
    sessions: set["Connection"] = field(default_factory=set)
    _context: ssl.SSLContext | None = None
    _server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen. Raises OSError if the address is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            self.protocol, self.ip, self.port, backlog=512, reuse_address=True
        )

    def protocol(self) -> asyncio.BaseProtocol:
        """What serves one connection."""
        return Session(self)

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        if self._server is not None:
            self._server.close()
        for session in tuple(self.sessions):
            session.drop()
        if self._server is not None:
            await self._server.wait_closed()

    def tls(self) -> ssl.SSLContext:
        """The TLS context, made once; it remembers the SNI on the connection's SSL object."""
        if self._context is None:
            self._context = self.context()
            self._context.sni_callback = _remember_sni
        return self._context

    def now(self) -> float:
        """What an event's `at` is."""
        return self.witness.elapsed(self.label)

    def honest(self, stage: Stage, tls: bool) -> Action:
        """What a blameless host does at a stage."""
        if stage is Stage.BODY:
            return Listen()
        if stage is Stage.HANDSHAKE:
            return Negotiate()
        text = HONEST[stage].format(name=self.fqdn)
        if stage is Stage.EHLO and not tls:
            text = text.replace("\n250 HELP", "\n250-STARTTLS\n250 HELP")
        return Say(text)

    def choose(self, stage: Stage, tls: bool, octets: int = 0) -> tuple[Action, bool]:
        """The action at a stage, and whether a behaviour had its hand in it."""
        if stage is not Stage.BODY or not octets:
            self.visits[stage] += 1
        usual = self.honest(stage, tls)
        action = decide(self.behaviours, Moment(stage, self.visits[stage], usual, tls, octets))
        return action, action != usual

    def store(self, envelope: Envelope, conn: int, tls: bool, acknowledged: bool) -> None:
        """Take a message in; a recipient outside the scenario's domain is a stray."""
        recipients = tuple(envelope.rcpt_tos)
        for recipient in recipients:
            if self.domain and not recipient.lower().endswith("@" + self.domain):
                self.witness.strayed(f"mail for {recipient} came to {self.fqdn}")
        self.witness.saw(
            self.label,
            Accepted(
                self.now(),
                self.name,
                conn,
                (envelope.mail_from or "").strip("<>"),
                recipients,
                bytes(envelope.original_content or b""),
                tls,
                acknowledged,
            ),
        )


class _Hooks:
    """aiosmtpd's handler hooks, sent back to the session."""

    async def handle_DATA(self, server: "Session", facts: Facts, envelope: Envelope) -> str:
        return await server.at_dot(envelope)

    async def handle_EHLO(
        self, server: "Session", facts: Facts, envelope: Envelope, name: str, lines: list[str]
    ) -> list[str]:
        facts.host_name = name
        return ["250 EHLO"]  # `push` replaces it by what the behaviours decided

    async def handle_exception(self, error: Exception) -> str:
        raise error


class Session(SMTP):
    """One connection to a mail host."""

    line_length_limit = 2**21

    def __init__(self, host: MailHost) -> None:
        self.host = host
        self.conn = host.next_conn()
        self.encrypted = False
        self.over = False
        self._in_body = False
        self._octets = 0
        self._line = bytearray()
        self._stage = Stage.GREETING
        self._pending: tuple[str, bool] | None = None
        self._refused = False
        self._mute = False
        self._by = "agent"
        self._socket: Any = None
        super().__init__(
            _Hooks(),
            hostname=host.fqdn,
            data_size_limit=None,
            timeout=FOREVER,
            loop=asyncio.get_running_loop(),
        )
        self.command_size_limits = collections.defaultdict(lambda: 4096)
        self.command_size_limit = 4096

    # What comes and goes -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands, or TLS has been established on it."""
        if self._original_transport is None:
            self.host.sessions.add(self)
            self._socket = transport.get_extra_info("socket")
            self.host.witness.saw(
                self.host.label, Connected(self.host.now(), self.host.name, self.conn)
            )
        else:
            self.encrypted = True
            secured = transport.get_extra_info("ssl_object")
            self.host.witness.saw(self.host.label, self._encrypted(secured))
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone, by whoever."""
        if not self.over:
            self.over = True
            self.host.sessions.discard(self)
            if isinstance(error, ssl.SSLError):
                self._handshake_failed(error)
            self.host.witness.saw(
                self.host.label, Closed(self.host.now(), self.host.name, self.conn, self._by)
            )
        super().connection_lost(error)

    def data_received(self, data: bytes) -> None:
        """Octets from the agent: noted down as lines, or counted as body."""
        if self._in_body:
            self._octets += len(data)
            action, spoiled = self.host.choose(Stage.BODY, self.encrypted, self._octets)
            if isinstance(action, HangUp):
                self._did(Stage.BODY, f"* closes after {self._octets} octets of body", spoiled)
                self._hang_up(action)
                return
        else:
            self._note(data)
        super().data_received(data)

    def _note(self, data: bytes) -> None:
        self._line += data
        while (end := self._line.find(b"\n")) >= 0:
            line = bytes(self._line[:end]).rstrip(b"\r").decode("utf-8", "backslashreplace")
            del self._line[: end + 1]
            stage = _VERBS.get(line.partition(" ")[0].upper())
            self._heard(stage, line)

    def _heard(self, stage: Stage | None, line: str) -> None:
        event = Heard(self.host.now(), self.host.name, self.conn, stage, line, self.encrypted)
        self.host.witness.saw(self.host.label, event)

    def _did(self, stage: Stage, deed: str, spoiled: bool) -> None:
        event = Did(self.host.now(), self.host.name, self.conn, stage, deed, spoiled)
        self.host.witness.saw(self.host.label, event)

    def _encrypted(self, secured: Any) -> Encrypted:
        return Encrypted(
            self.host.now(),
            self.host.name,
            self.conn,
            secured.version() or "",
            (secured.cipher() or ("",))[0],
            getattr(secured, "offered_sni", ""),
        )

    # Acting: the one place -----------------------------------------------------------------

    async def _perform(
        self, stage: Stage, action: Action, spoiled: bool, effect: Callable[[], Awaitable[None]]
    ) -> None:
        match action:
            case Say(text, close):
                if text[:1] in ("2", "3"):
                    self._pending = (text, spoiled)
                    await effect()
                    self._pending = None
                else:
                    self._did(stage, text, spoiled)
                    self._say(text)
                if close:
                    self._hang_up(HangUp())
                    raise asyncio.CancelledError
            case Send(octets, close):
                self._did(stage, f"* sends {octets!r}", spoiled)
                self._writer.write(octets)
                if close:
                    self._hang_up(HangUp())
                    raise asyncio.CancelledError
            case Stall():
                self._did(stage, "* falls silent", spoiled)
                await asyncio.get_running_loop().create_future()
            case HangUp(reset):
                self._did(stage, f"* closes ({'RST' if reset else 'FIN'})", spoiled)
                self._hang_up(action)
                raise asyncio.CancelledError
            case Listen() | Negotiate():
                await effect()

    def _say(self, text: str) -> None:
        self._writer.write(text.replace("\n", "\r\n").encode() + b"\r\n")

    def _hang_up(self, action: HangUp) -> None:
        self._by = "host"
        transport = self._raw_transport()
        if transport is None:
            return  # the agent was faster
        if action.reset:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        else:
            transport.close()

    def _raw_transport(self) -> Any:
        """The TCP transport, below TLS if there is any; None once the connection is gone."""
        return self._original_transport or self.transport

    def drop(self) -> None:
        """End the connection because the lab ends."""
        if (transport := self._raw_transport()) is not None:
            transport.abort()

    async def push(self, status: str | bytes) -> None:
        """Say aiosmtpd's reply, in the words that the behaviours decided on."""
        if self._mute:
            self._mute = False
            return
        text = status.decode("ascii", "replace") if isinstance(status, bytes) else status
        spoiled = False
        if self._pending is not None and text[:1] in ("2", "3"):
            (text, spoiled), self._pending = self._pending, None
        self._did(self._stage, text, spoiled)
        self._in_body = text.startswith("354")
        self._say(text)
        await self._writer.drain()

    # The stages ----------------------------------------------------------------------------

    async def _at(self, stage: Stage, effect: Callable[[], Awaitable[None]]) -> None:
        self._stage = stage
        if self._refused and stage is not Stage.QUIT:
            self._say("503 5.5.1 No service here")  # RFC 5321 section 3.1, after a 554 greeting
            return
        action, spoiled = self.host.choose(stage, self.encrypted)
        await self._perform(stage, action, spoiled, effect)

    async def _handle_client(self) -> None:
        try:
            action, spoiled = self.host.choose(Stage.GREETING, self.encrypted)
            await self._perform(Stage.GREETING, action, spoiled, self._greet)
            self._refused = not (isinstance(action, Say) and action.text.startswith("2"))
            self._mute = True  # aiosmtpd need not greet again
            await super()._handle_client()
        except ConnectionError:
            pass  # told by connection_lost

    async def _greet(self) -> None:
        await self.push("220")

    async def _nothing(self) -> None:
        pass

    async def smtp_HELO(self, hostname: str) -> None:
        """HELO (RFC 5321 section 4.1.1.1)."""
        await self._at(Stage.HELO, lambda: super(Session, self).smtp_HELO(hostname))

    async def smtp_EHLO(self, hostname: str) -> None:
        """EHLO (RFC 5321 section 4.1.1.1)."""
        await self._at(Stage.EHLO, lambda: super(Session, self).smtp_EHLO(hostname))

    async def smtp_MAIL(self, arg: str) -> None:
        """MAIL (RFC 5321 section 4.1.1.2)."""
        await self._at(Stage.MAIL, lambda: super(Session, self).smtp_MAIL(arg))

    async def smtp_RCPT(self, arg: str) -> None:
        """RCPT (RFC 5321 section 4.1.1.3)."""
        await self._at(Stage.RCPT, lambda: super(Session, self).smtp_RCPT(arg))

    async def smtp_RSET(self, arg: str) -> None:
        """RSET (RFC 5321 section 4.1.1.5)."""
        await self._at(Stage.RSET, lambda: super(Session, self).smtp_RSET(arg))

    async def smtp_NOOP(self, arg: str) -> None:
        """NOOP (RFC 5321 section 4.1.1.9)."""
        await self._at(Stage.NOOP, lambda: super(Session, self).smtp_NOOP(arg))

    async def smtp_QUIT(self, arg: str) -> None:
        """QUIT (RFC 5321 section 4.1.1.10)."""
        await self._at(Stage.QUIT, lambda: super(Session, self).smtp_QUIT(arg))

    async def smtp_DATA(self, arg: str) -> None:
        """DATA up to and including the reply to the final dot (RFC 5321 section 4.1.1.4)."""
        self._octets = 0
        await self._at(Stage.DATA, lambda: super(Session, self).smtp_DATA(arg))

    async def at_dot(self, envelope: Envelope) -> str:
        """The message is there; returns the reply that aiosmtpd is to give."""
        self._in_body = False
        self._heard(Stage.DOT, f"(body of {self._octets} octets) .")
        self._stage = Stage.DOT
        action, spoiled = self.host.choose(Stage.DOT, self.encrypted)
        if isinstance(action, Say) and action.text.startswith("2") and not action.close:
            self.host.store(envelope, self.conn, self.encrypted, acknowledged=True)
            self._pending = (action.text, spoiled)
            return action.text
        if isinstance(action, HangUp) and action.keep:
            self.host.store(envelope, self.conn, self.encrypted, acknowledged=False)
        await self._perform(Stage.DOT, action, spoiled, self._nothing)
        self._mute = True  # it has been said; aiosmtpd's own reply is not wanted
        return ""

    async def smtp_STARTTLS(self, arg: str) -> None:
        """STARTTLS and the handshake (RFC 3207 section 4)."""
        await self._at(Stage.STARTTLS, lambda: self._secure(arg))

    async def _secure(self, arg: str) -> None:
        action, spoiled = self.host.choose(Stage.HANDSHAKE, self.encrypted)
        await self.push("220")
        await self._perform(Stage.HANDSHAKE, action, spoiled, self._negotiate)

    async def _negotiate(self) -> None:
        """The handshake, in the way of aiosmtpd's own STARTTLS, but failing with an alert."""
        raw = self.transport
        assert isinstance(raw, asyncio.Transport)
        done = self.loop.create_future()
        self._tls_protocol = Secured(self.loop, self, self.host.tls(), done, server_side=True)
        self._original_transport = raw
        raw.set_protocol(self._tls_protocol)
        self.transport = self._tls_protocol._app_transport
        self._tls_protocol.connection_made(raw)
        try:
            await done
        except OSError as error:  # ssl.SSLError is one
            self._handshake_failed(error)
            self._hang_up(HangUp())
            raise asyncio.CancelledError from None

    def _handshake_failed(self, error: BaseException) -> None:
        event = TlsFailed(self.host.now(), self.host.name, self.conn, _words_of(error))
        self.host.witness.saw(self.host.label, event)


class Secured(sslproto.SSLProtocol):
    """asyncio's TLS, which forgets to send the alert of a handshake that failed."""

    def _on_handshake_complete(self, error: BaseException | None) -> None:
        if error is not None:
            self._process_outgoing()  # type: ignore[attr-defined] # private, so untyped
        super()._on_handshake_complete(error)


def _remember_sni(secured: Any, name: str | None, context: ssl.SSLContext) -> None:
    """Keep the name that the client asked for where the session finds it."""
    secured.offered_sni = name or ""


def _words_of(error: BaseException) -> str:
    reason = getattr(error, "reason", None)
    return str(reason) if reason else (str(error) or type(error).__name__)
