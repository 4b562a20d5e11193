"""The sink: where the senders live. It accepts all mail and files it by the sender it is for.

It is aiosmtpd as it stands. Nothing is ever wrong with it, but of some scenarios the sender is not
at home, and its mail is refused.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope
from aiosmtpd.smtp import Session as Facts

from fakes.witness import Witness
from model.events import Did, Heard, Returned
from model.smtp import Stage

HOME = "home"
"""What the sink is called in the events of a scenario whose sender refuses mail."""
FOREVER = 24 * 3600.0
"""Seconds after which aiosmtpd itself would give a silent client up; longer than any run."""


@dataclass(eq=False)
class Sink:
    """A blameless host for every sender's domain; `label_of` finds the scenario by that domain."""

    witness: Witness
    fqdn: str
    ip: str
    port: int
    context: Callable[[], ssl.SSLContext]
    label_of: Callable[[str], str | None]
    refusals: Mapping[str, str] = field(default_factory=dict)
    """What is said to recipients whose scenario has this label."""
    sessions: set["_Session"] = field(default_factory=set)
    _server: asyncio.Server | None = None
    _context: ssl.SSLContext | None = None

    async def open(self) -> None:
        """Listen. Raises OSError if the address is taken."""
        self._context = self.context()
        self._server = await asyncio.get_running_loop().create_server(
            self._protocol, self.ip, self.port, backlog=512, reuse_address=True
        )

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        if self._server is not None:
            self._server.close()
        for session in tuple(self.sessions):
            session.drop()
        if self._server is not None:
            await self._server.wait_closed()

    def _protocol(self) -> "_Session":
        return _Session(
            self,
            self,
            hostname=self.fqdn,
            data_size_limit=None,
            enable_SMTPUTF8=True,
            timeout=FOREVER,
            tls_context=self._context,
            loop=asyncio.get_running_loop(),
        )

    async def handle_RCPT(
        self, server: Any, facts: Facts, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a recipient, or refuse it and note who wrote to it (aiosmtpd's hook)."""
        label = self.label_of(address.rpartition("@")[2].lower()) or ""
        if said := self.refusals.get(label):
            sender = (envelope.mail_from or "").strip("<>")
            at, line = self.witness.elapsed(label), f"MAIL FROM:<{sender}>"
            self.witness.saw(label, Heard(at, HOME, 0, Stage.MAIL, line, tls=True))
            self.witness.saw(label, Did(at, HOME, 0, Stage.RCPT, said, spoiled=True))
            return said
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 Recipient OK"

    async def handle_DATA(self, server: Any, facts: Facts, envelope: Envelope) -> str:
        """File returned mail under the scenario whose sender it is for (aiosmtpd's hook)."""
        recipients = tuple(envelope.rcpt_tos)
        label = self.label_of(recipients[0].rpartition("@")[2].lower())
        if label is None:
            self.witness.strayed(f"mail from <{envelope.mail_from}> for {recipients} came home")
            return "250 2.0.0 Stored"
        content = bytes(envelope.original_content or b"")
        sender = (envelope.mail_from or "").strip("<>")
        at = self.witness.elapsed(label)
        self.witness.saw(label, Returned(at, sender, recipients, content))
        return "250 2.0.0 Stored"


class _Session(SMTP):
    """One connection to the sink."""

    line_length_limit = 2**21

    def __init__(self, sink: Sink, *arguments: Any, **named: Any) -> None:
        self._sink = sink
        self._plain: Any = None
        super().__init__(*arguments, **named)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the connection, so that the sink can end it."""
        if self._plain is None:
            self._plain = transport
            self._sink.sessions.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Forget it."""
        self._sink.sessions.discard(self)
        super().connection_lost(error)

    def drop(self) -> None:
        """End the connection because the lab ends."""
        self._plain.abort()
