"""One SMTP session with one server.

Theory of operation
-------------------
A session is made -> opened -> (secured) -> used for one transaction -> left. Only its courier
moves it on. Every step that fails before MAIL is answered raises `Broken` with a failure that
says the stage, the kind and the peer's reply; from then on each recipient has an outcome of its
own. Whatever happens, `leave` or `abort` closes the connection, and how QUIT fares never matters.

aiosmtplib's protocol does the framing; its `SMTP` class would send EHLO and close by itself,
and hide at which stage a connection broke.
"""

import asyncio
import re
import ssl
from collections.abc import Awaitable, Sequence
from typing import NoReturn

from aiosmtplib.errors import SMTPResponseException
from aiosmtplib.esmtp import parse_esmtp_extensions
from aiosmtplib.protocol import SMTPProtocol
from aiosmtplib.response import SMTPResponse

from model.timers import Timers
from targets.reference import tls
from targets.reference.dial import dial
from targets.reference.outcome import Broken, Failure, Kind, Outcome, Reply, Sent, Server, Stage

BARE = "5.6.11 SMTPSEND.BareLinefeedsAreIllegal; bare linefeeds cannot be sent via DATA"
"""Exchange Online's words where the host has no BDAT."""
EIGHT = "5.6.3 The message has octets above 127, and the host does not offer 8BITMIME"
ADDRESS = "5.6.7 The address is not ASCII, and the host does not offer SMTPUTF8"
_STRAY = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_REPLY = re.compile(rb"(?:[0-9]{3}-[^\n]*\n)*[0-9]{3}(?: [^\n]*)?\r?\n")


class Wire(SMTPProtocol):
    """aiosmtplib's protocol, which also keeps what was heard in clear since the last `clear`.

    The original silently drops what comes after a reply, so that clear text instead of a TLS
    handshake would look like silence.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.heard = bytearray()

    def data_received(self, data: bytes) -> None:
        """Keep the octets and let the original frame them."""
        self.heard += data
        super().data_received(data)

    def early(self) -> bytes:
        """What has come behind the last reply, and is no reply to anything; forgotten by this."""
        surplus = bytes(self._buffer)
        self._buffer.clear()
        return surplus


class Session:
    """A session with `server` as the client `name`."""

    def __init__(self, server: Server, name: str, timers: Timers) -> None:
        self.server = server
        self._name = name
        self._timers = timers
        self._wire = Wire(asyncio.get_running_loop())
        self._capabilities: frozenset[str] = frozenset()

    # Before the transaction

    async def open(self) -> None:
        """Connect and read the greeting. Raises Broken."""
        sock = await dial(self.server, self._timers.connect)
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: self._wire, sock=sock)
        except OSError as error:
            sock.close()
            self._break(Stage.GREETING, Kind.CLOSED, cause=error)
        greeting = await self._reply(
            Stage.GREETING, self._wire.read_response(timeout=self._timers.reply)
        )
        self._want(greeting, 220, Stage.GREETING)

    async def hello(self) -> None:
        """Say EHLO, or HELO to whoever does not know EHLO. Raises Broken."""
        reply = await self._say(Stage.EHLO, "EHLO", self._name)
        if 500 <= reply.code < 600:
            self._capabilities = frozenset()
            self._want(await self._say(Stage.EHLO, "HELO", self._name), 250, Stage.EHLO)
            return
        self._want(reply, 250, Stage.EHLO)
        self._capabilities = frozenset(parse_esmtp_extensions(reply.text)[0])

    def offers(self, capability: str) -> bool:
        """Whether the server's last EHLO reply has the keyword."""
        return capability.lower() in self._capabilities

    async def starttls(self, context: ssl.SSLContext, sni: str | None) -> None:
        """Ask for TLS and take part in the handshake. Raises Broken.

        A refusal (stage STARTTLS, kind TLS_REFUSED) leaves the session usable in clear.
        """
        self._wire.heard.clear()
        reply = await self._say(Stage.STARTTLS, "STARTTLS")
        if reply.code != 220:
            kind = Kind.TLS_REFUSED if reply.code >= 400 else Kind.GARBAGE
            self._break(Stage.STARTTLS, kind, reply)
        if surplus := bytes(_REPLY.sub(b"", self._wire.heard, count=1)):
            # Clear text where TLS should begin: no handshake, and perhaps an injection.
            self._break(Stage.HANDSHAKE, Kind.TLS_FAILED, detail=repr(surplus[:40]))
        self._capabilities = frozenset()
        await self._shake_hands(context, sni)

    async def _shake_hands(self, context: ssl.SSLContext, sni: str | None) -> None:
        transport = self._wire.transport
        if not isinstance(transport, asyncio.WriteTransport) or transport.is_closing():
            self._break(Stage.HANDSHAKE, Kind.CLOSED)
        try:
            self._wire.transport = await asyncio.get_running_loop().start_tls(
                transport,
                self._wire,
                context,
                server_hostname=sni,
                ssl_handshake_timeout=self._timers.reply,
            )
        except ssl.SSLCertVerificationError as error:
            self._break(Stage.HANDSHAKE, Kind.CERTIFICATE, detail=tls.word(error), cause=error)
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
            self._break(Stage.HANDSHAKE, Kind.CLOSED, cause=error)
        except ssl.SSLError as error:
            self._break(Stage.HANDSHAKE, Kind.TLS_FAILED, detail=str(error), cause=error)
        except ConnectionAbortedError as error:  # asyncio's word for a handshake out of time
            self._break(Stage.HANDSHAKE, Kind.HUNG, cause=error)
        except OSError as error:
            self._break(Stage.HANDSHAKE, _kind_of_loss(error), cause=error)
        if self._tls is None:
            self._break(Stage.HANDSHAKE, Kind.CLOSED)

    def check_name(self, wanted: str) -> None:
        """Raise Broken if the verified certificate is not for the wanted name."""
        assert self._tls is not None, "the name is checked after the handshake"
        shown = tls.presented(self._tls)
        if not shown.covers(wanted):
            self._break(Stage.HANDSHAKE, Kind.CERTIFICATE, detail=shown.mismatch(wanted))

    # The transaction

    async def transact(
        self, sender: str, recipients: Sequence[str], content: bytes
    ) -> dict[str, Outcome]:
        """Hand the message over; the outcome of each recipient.

        Raises Broken if the connection is lost before MAIL is answered.
        """
        outcomes = self.unsuitable(sender, recipients, content)
        left = [recipient for recipient in recipients if recipient not in outcomes]
        if not left:
            return outcomes
        announced = self._announced((sender, *left), content)
        reply = await self._say(Stage.MAIL, f"MAIL FROM:<{sender}>{announced}")
        if reply.code >= 300:
            return outcomes | dict.fromkeys(left, self._refusal(Stage.MAIL, reply))
        try:
            for recipient in left:
                reply = await self._say(Stage.RCPT, f"RCPT TO:<{recipient.rstrip('.')}>")
                if reply.code >= 300:
                    outcomes[recipient] = self._refusal(Stage.RCPT, reply)
            accepted = [r for r in left if r not in outcomes]
            if accepted:
                outcomes |= dict.fromkeys(accepted, await self._send(content))
        except Broken as lost:
            for recipient in recipients:
                outcomes.setdefault(recipient, lost.failure)
        return outcomes

    def unsuitable(
        self, sender: str, recipients: Sequence[str], content: bytes
    ) -> dict[str, Outcome]:
        """Those to whom the message cannot go as this host is, and why.

        RFC 5321 section 2.3.8 (no bare CR or LF), RFC 6152 section 3 (no eighth bit without
        8BITMIME), RFC 6531 section 3.2 (no address beyond ASCII without SMTPUTF8).
        """
        if _STRAY.search(content) and not self.offers("chunking"):
            return dict.fromkeys(recipients, self._unsuitable(BARE))
        if not content.isascii() and not self.offers("8bitmime"):
            return dict.fromkeys(recipients, self._unsuitable(EIGHT))
        if self.offers("smtputf8"):
            return {}
        odd = [recipient for recipient in recipients if not (sender + recipient).isascii()]
        return dict.fromkeys(odd, self._unsuitable(ADDRESS))

    def _unsuitable(self, why: str) -> Failure:
        return Failure(Stage.MAIL, Kind.UNSUITABLE, self.server, detail=why)

    async def _send(self, content: bytes) -> Outcome:
        if _STRAY.search(content):
            octets = b"BDAT %d LAST\r\n" % len(content) + content
        else:
            reply = await self._say(Stage.DATA, "DATA")
            if reply.code != 354:
                return self._refusal(Stage.DATA, reply)
            octets = self.framed(content)
        self._heed_early(Stage.DOT)
        try:
            self._wire.write(octets)
        except ConnectionError as error:
            self._break(Stage.DOT, Kind.CLOSED, cause=error)
        reply = await self._reply(Stage.DOT, self._wire.read_response(self._timers.reply))
        if reply.code >= 300:
            return self._refusal(Stage.DOT, reply)
        return Sent(self.server, reply)

    def framed(self, content: bytes) -> bytes:
        """What follows the 354."""
        return stuffed(content)

    # The end

    async def leave(self) -> None:
        """Say QUIT, whatever comes of it, and close."""
        try:
            await self._say(Stage.DOT, "QUIT")
        except Broken:
            pass
        finally:
            self.abort()

    def abort(self) -> None:
        """Close at once."""
        if isinstance(self._wire.transport, asyncio.WriteTransport):
            self._wire.transport.abort()

    # The wire

    @property
    def _tls(self) -> ssl.SSLObject | None:
        transport = self._wire.transport
        found = transport.get_extra_info("ssl_object") if transport is not None else None
        return found if isinstance(found, ssl.SSLObject) else None

    def _announced(self, addresses: Sequence[str], content: bytes) -> str:
        """The parameters of MAIL (RFC 6152 section 2, RFC 6531 section 3.4)."""
        odd = not all(address.isascii() for address in addresses)
        eight = self.offers("8bitmime") and (odd or not content.isascii())
        return " SMTPUTF8" * odd + " BODY=8BITMIME" * eight

    async def _say(self, stage: Stage, *words: str) -> Reply:
        self._heed_early(stage)
        octets = " ".join(words).encode()
        return await self._reply(
            stage, self._wire.execute_command(octets, timeout=self._timers.reply)
        )

    async def _reply(self, stage: Stage, answer: Awaitable[SMTPResponse]) -> Reply:
        try:
            code, text = await answer
        except SMTPResponseException as error:
            self._break(stage, Kind.GARBAGE, detail=error.message, cause=error)
        except OSError as error:
            self._break(stage, _kind_of_loss(error), cause=error)
        reply = Reply(code, text)
        if not 200 <= code < 600:
            self._break(stage, Kind.GARBAGE, reply)
        return reply

    def _heed_early(self, stage: Stage) -> None:
        """Nothing is said to a host that has spoken out of turn (RFC 5321 sections 4.2 and 3.8)."""
        surplus = self._wire.early()
        if surplus.startswith(b"421"):
            text = surplus.decode("ascii", "replace").partition("\r\n")[0]
            self._break(stage, Kind.REPLY, Reply(421, text[4:]))
        if surplus:
            self._break(stage, Kind.GARBAGE, detail=repr(surplus[:40]))

    def _want(self, reply: Reply, code: int, stage: Stage) -> None:
        if reply.code != code:
            raise Broken(self._refusal(stage, reply))

    def _refusal(self, stage: Stage, reply: Reply) -> Failure:
        kind = Kind.REPLY if reply.code >= 400 else Kind.GARBAGE
        return Failure(stage, kind, self.server, reply)

    def _break(
        self,
        stage: Stage,
        kind: Kind,
        reply: Reply | None = None,
        *,
        detail: str = "",
        cause: Exception | None = None,
    ) -> NoReturn:
        raise Broken(Failure(stage, kind, self.server, reply, detail)) from cause


def stuffed(content: bytes) -> bytes:
    """The octets of a message on the wire, dots doubled and the final dot added (RFC 5321 4.5.2).

    The content has CRLF line ends; one is added at its end if it is missing.
    """
    body = content if content.endswith(b"\r\n") or not content else content + b"\r\n"
    dotted = body.replace(b"\r\n.", b"\r\n..")
    return (b"." if dotted.startswith(b".") else b"") + dotted + b".\r\n"


def _kind_of_loss(error: OSError) -> Kind:
    """How a connection was lost: aiosmtplib's exceptions are OSErrors too, with causes."""
    if isinstance(error, TimeoutError):
        return Kind.HUNG
    cause = error.__cause__ or error
    return Kind.RESET if isinstance(cause, ConnectionResetError) else Kind.CLOSED
