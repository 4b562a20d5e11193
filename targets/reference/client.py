"""One SMTP session with one server.

Theory of operation
-------------------
A session is made -> opened -> (secured) -> used for one transaction -> left. Only its courier
moves it on. Every step that fails before MAIL is answered raises `Broken` with a failure that
says the stage, the kind and the peer's reply; from then on each recipient has an outcome of its
own. `renew` makes a session that has been used ready for another transaction, if it still holds.
Whatever happens, `leave` or `abort` closes the connection, and how QUIT fares never matters.

aiosmtplib's protocol does the framing; its `SMTP` class would send EHLO and close by itself,
and hide at which stage a connection broke.
"""

import asyncio
import re
import ssl
from collections.abc import Awaitable, Mapping, Sequence
from typing import NoReturn

from aiosmtplib.errors import SMTPResponseException
from aiosmtplib.esmtp import parse_esmtp_extensions
from aiosmtplib.protocol import SMTPProtocol
from aiosmtplib.response import SMTPResponse

from model.timers import Timers
from model.wishes import Wishes
from targets.reference import tls
from targets.reference.dial import dial
from targets.reference.outcome import Broken, Failure, Kind, Outcome, Reply, Sent, Server, Stage
from targets.reference.socks import through

OWN: Mapping[Stage, float] = {Stage.DATA: 120.0, Stage.DOT: 600.0, Stage.QUIT: 5.0}
"""Seconds to wait for a reply by the agent's own default, where it is not `OTHERWISE`."""
OTHERWISE = 300.0
"""The rest. RFC 5321 section 4.5.3.2 asks for at least that; about QUIT it says nothing, and
nothing depends on it."""

EIGHT = "5.6.3 Content needs 8BITMIME, which the server does not offer"
ADDRESS = "5.6.7 Address needs SMTPUTF8, which the server does not offer"
BARE = "5.6.11 SMTPSEND.BareLinefeedsAreIllegal; bare linefeeds cannot be sent via DATA"
"""Exchange Online's words where the host has no BDAT."""
_REPLY = re.compile(rb"(?:[0-9]{3}-[^\n]*\n)*[0-9]{3}(?: [^\n]*)?\r?\n")


class Wire(SMTPProtocol):
    """aiosmtplib's protocol, which also keeps what was heard in clear since the last `clear`.

    The original silently drops what comes after a reply, so that clear text instead of a TLS
    handshake would look like silence; or, if it comes in one packet with a reply, takes it for
    the next one.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.heard = bytearray()
        self._early = bytearray()

    def data_received(self, data: bytes) -> None:
        """Keep the octets and let the original frame them."""
        self.heard += data
        if not self._response_pending or self._response_waiter is None:
            self._early += data
        super().data_received(data)

    def unasked(self) -> bytes:
        """What has come that answers nothing (RFC 5321 section 4.2); it is forgotten."""
        early = bytes(self._buffer + self._early)
        self._buffer.clear()
        self._early.clear()
        return early

    def forget(self) -> None:
        """Drop what has come and has not been read, here and in the original's buffer."""
        self.heard.clear()
        self.unasked()


class Session:
    """A session with `server` as the client `name`."""

    def __init__(self, server: Server, name: str, timers: Timers) -> None:
        self.server = server
        self._name = name
        self._timers = timers
        self._wire = Wire(asyncio.get_running_loop())
        self._capabilities: dict[str, str] = {}
        self.lost = False
        """Whether the connection has broken, or the peer cannot be understood."""
        self.wishes = Wishes()
        """What is asked for in each transaction; only for a server that offers DSN."""
        self.source = ""
        """The address to connect from; empty: whichever the system takes."""
        self.proxy: Server | None = None
        """Who makes the connection, if the agent does not itself."""

    # Before the transaction

    async def open(self) -> None:
        """Connect and read the greeting. Raises Broken."""
        seconds, by = self._timers.connect, self.proxy
        if by is None:
            sock = await dial(self.server, seconds, self.source)
        else:
            sock = await through(by, self.server, seconds, self.source)
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: self._wire, sock=sock)
        except OSError as error:
            sock.close()
            self._break(Stage.GREETING, Kind.CLOSED, cause=error)
        greeting = await self._reply(
            Stage.GREETING, self._wire.read_response(timeout=self.patience(Stage.GREETING))
        )
        self._want_yes(greeting, Stage.GREETING)

    async def hello(self) -> None:
        """Say EHLO, or HELO to whoever does not know EHLO. Raises Broken."""
        reply = await self._say(Stage.EHLO, "EHLO", self._name)
        if 500 <= reply.code < 600:
            self._capabilities = {}
            self._want_yes(await self._say(Stage.EHLO, "HELO", self._name), Stage.EHLO)
            return
        self._want_yes(reply, Stage.EHLO)
        self._capabilities = parse_esmtp_extensions(reply.text)[0]

    def offers(self, capability: str) -> bool:
        """Whether the server's last EHLO reply has the keyword."""
        return capability.lower() in self._capabilities

    async def starttls(self, context: ssl.SSLContext, sni: str | None) -> None:
        """Ask for TLS and take part in the handshake. Raises Broken.

        A refusal (stage STARTTLS, kind TLS_REFUSED) leaves the session usable in clear.
        """
        self._wire.heard.clear()
        reply = await self._say(Stage.STARTTLS, "STARTTLS")
        if reply.code >= 300:
            kind = Kind.TLS_REFUSED if reply.code >= 400 else Kind.GARBAGE
            self._break(Stage.STARTTLS, kind, reply)
        # Further replies were put there by somebody, and are void (RFC 3207 section 4.2). Any
        # other clear text where TLS should begin is no handshake.
        if surplus := bytes(_REPLY.sub(b"", self._wire.heard)):
            self._break(Stage.HANDSHAKE, Kind.TLS_FAILED, detail=repr(surplus[:40]))
        self._wire.forget()
        self._capabilities = {}
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
                ssl_handshake_timeout=self.patience(Stage.HANDSHAKE),
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
        parameters = self._parameters((sender, *left), content) + _words(self.wishes.for_mail())
        asked = _words(self.wishes.for_rcpt())
        reply = await self._say(Stage.MAIL, f"MAIL FROM:<{sender}>{parameters}")
        if reply.code >= 300:
            return outcomes | dict.fromkeys(left, self._refusal(Stage.MAIL, reply))
        try:
            for recipient in left:
                reply = await self._say(Stage.RCPT, f"RCPT TO:<{recipient.rstrip('.')}>{asked}")
                if reply.code >= 300:
                    outcomes[recipient] = self._refusal(Stage.RCPT, _as_meant(reply))
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

        RFC 1870 section 6.1 (size), RFC 5321 section 2.3.8 (no bare CR or LF), RFC 6152 section 3
        (no eighth bit without 8BITMIME), RFC 6531 section 3.2 (no address beyond ASCII without
        SMTPUTF8).
        """
        if (unfit := self._unfit(content)) is not None:
            return dict.fromkeys(recipients, self._unsuitable(unfit))
        if self.offers("smtputf8"):
            return {}
        odd = [recipient for recipient in recipients if not (sender + recipient).isascii()]
        return dict.fromkeys(odd, self._unsuitable(Reply(550, ADDRESS)))

    def _unfit(self, content: bytes) -> Reply | None:
        """Why the content cannot go to this host as it is, if so."""
        limit = self._capabilities.get("size", "")
        if limit.isdigit() and 0 < int(limit) < len(content):
            return Reply(552, f"5.3.4 Message size exceeds the {limit} octets of the server")
        if has_strays(content) and not self.offers("chunking"):
            return Reply(550, BARE)
        if not content.isascii() and not self.offers("8bitmime"):
            return Reply(550, EIGHT)
        return None

    def _unsuitable(self, why: Reply) -> Failure:
        return Failure(Stage.MAIL, Kind.UNSUITABLE, self.server, why)

    async def _send(self, content: bytes) -> Outcome:
        if has_strays(content):
            octets = b"BDAT %d LAST\r\n" % len(content) + content
        else:
            reply = await self._say(Stage.DATA, "DATA")
            if not 300 <= reply.code < 400:
                return self._refusal(Stage.DATA, reply)
            octets = self.framed(content)
        self._mind_the_unasked(Stage.DATA)
        try:
            self._wire.write(octets)
        except ConnectionError as error:
            self._break(Stage.DOT, Kind.CLOSED, cause=error)
        reply = await self._reply(Stage.DOT, self._wire.read_response(self.patience(Stage.DOT)))
        if reply.code >= 300:
            return self._refusal(Stage.DOT, reply)
        return Sent(self.server, reply, told=self.offers("dsn"))

    def framed(self, content: bytes) -> bytes:
        """What follows the 354."""
        return stuffed(content)

    # The end

    async def renew(self) -> None:
        """Ask whether the connection still holds, and begin anew. Raises Broken if not."""
        self._want_yes(await self._say(Stage.RSET, "RSET"), Stage.RSET)

    async def leave(self) -> None:
        """Say QUIT, whatever comes of it, and close; to a peer that is lost say nothing."""
        try:
            if not self.lost:
                await self._say(Stage.QUIT, "QUIT")
        except Broken:
            pass
        finally:
            self.abort()

    def abort(self) -> None:
        """Close at once."""
        if isinstance(self._wire.transport, asyncio.WriteTransport):
            self._wire.transport.abort()

    # The wire

    def patience(self, stage: Stage) -> float:
        """Seconds to wait for the reply at a stage (RFC 5321 section 4.5.3.2: one each)."""
        return OWN.get(stage, OTHERWISE) if self._timers.own else self._timers.reply

    @property
    def _tls(self) -> ssl.SSLObject | None:
        transport = self._wire.transport
        found = transport.get_extra_info("ssl_object") if transport is not None else None
        return found if isinstance(found, ssl.SSLObject) else None

    def _parameters(self, addresses: Sequence[str], content: bytes) -> str:
        """What MAIL has to say beyond the sender (RFC 6152 section 2, RFC 6531 section 3.4)."""
        odd = not _ascii_only(addresses)
        eight = self.offers("8bitmime") and (odd or not content.isascii())
        return " BODY=8BITMIME" * eight + " SMTPUTF8" * odd

    async def _say(self, stage: Stage, *words: str) -> Reply:
        octets = " ".join(words).encode()
        self._mind_the_unasked(stage)
        return await self._reply(
            stage, self._wire.execute_command(octets, timeout=self.patience(stage))
        )

    def _mind_the_unasked(self, stage: Stage) -> None:
        """Go no further if a reply is there before its question: whose is it?

        A 421 may come at any time (RFC 5321 section 3.8), and counts as such.
        """
        early = self._wire.unasked()
        if early.startswith(b"421"):
            text = early[4:].partition(b"\n")[0].decode(errors="replace").strip()
            raise Broken(self._refusal(stage, Reply(421, text)))
        if early:
            self._break(stage, Kind.GARBAGE, detail=repr(early[:40]))

    async def _reply(self, stage: Stage, answer: Awaitable[SMTPResponse]) -> Reply:
        try:
            code, text = await answer
        except SMTPResponseException as error:
            self._break(stage, Kind.GARBAGE, detail=error.message, cause=error)
        except OSError as error:
            if isinstance(error.__cause__, ssl.SSLError):
                # Over TLS 1.3 a server may refuse when the client takes the handshake for done.
                detail = str(error.__cause__)
                self._break(Stage.HANDSHAKE, Kind.TLS_FAILED, detail=detail, cause=error)
            self._break(stage, _kind_of_loss(error), cause=error)
        reply = Reply(code, text.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
        if not reply.in_range:
            self._break(stage, Kind.GARBAGE, reply)
        return reply

    def _want_yes(self, reply: Reply, stage: Stage) -> None:
        """Take any 2yz: an unexpected code goes by its first digit (RFC 5321 section 4.3.2)."""
        if reply.code >= 300:
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
        self.lost = self.lost or kind is not Kind.TLS_REFUSED
        raise Broken(Failure(stage, kind, self.server, reply, detail)) from cause


def has_strays(content: bytes) -> bool:
    """Whether a CR or an LF stands alone (RFC 5321 section 2.3.8)."""
    return not content.count(b"\r") == content.count(b"\n") == content.count(b"\r\n")


def stuffed(content: bytes) -> bytes:
    """The octets of a message on the wire, dots doubled and the final dot added (RFC 5321 4.5.2).

    The content has CRLF line ends; one is added at its end if it is missing.
    """
    body = content if content.endswith(b"\r\n") or not content else content + b"\r\n"
    dotted = body.replace(b"\r\n.", b"\r\n..")
    return (b"." if dotted.startswith(b".") else b"") + dotted + b".\r\n"


def _words(parameters: Sequence[str]) -> str:
    """Parameters of a command as they stand behind it."""
    return "".join(f" {parameter}" for parameter in parameters)


def _ascii_only(addresses: Sequence[str]) -> bool:
    return all(address.isascii() for address in addresses)


def _as_meant(reply: Reply) -> Reply:
    """The reply to RCPT, in which 552 may mean 452, too many (RFC 5321 section 4.5.3.1.10).

    It does not where the enhanced code says that something else is exhausted.
    """
    if reply.code == 552 and reply.enhanced in ("5.5.3", "5.0.0"):
        return Reply(452, f"4.5.3 Too many recipients: {reply}")
    return reply


def _kind_of_loss(error: OSError) -> Kind:
    """How a connection was lost: aiosmtplib's exceptions are OSErrors too, with causes."""
    if isinstance(error, TimeoutError):
        return Kind.HUNG
    cause = error.__cause__ or error
    return Kind.RESET if isinstance(cause, ConnectionResetError) else Kind.CLOSED
