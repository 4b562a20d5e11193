"""The sink: where the senders live. It accepts all mail and files it by the sender it is for."""

from collections.abc import Callable
from dataclasses import dataclass

from aiosmtpd.smtp import Envelope

from fakes.smtp import MailHost
from model.events import Returned


@dataclass(eq=False)
class Sink(MailHost):
    """A blameless host for every sender's domain; `label_of` finds the scenario by that domain."""

    label_of: Callable[[str], str | None] = lambda domain: None

    def store(self, envelope: Envelope, conn: int, tls: bool, acknowledged: bool) -> None:
        """File returned mail under the scenario whose sender it is for."""
        recipients = tuple(envelope.rcpt_tos)
        label = self.label_of(recipients[0].rpartition("@")[2].lower())
        if label is None:
            self.witness.strayed(f"mail from <{envelope.mail_from}> for {recipients} came home")
            return
        content = bytes(envelope.original_content or b"")
        at = self.witness.elapsed(label)
        sender = (envelope.mail_from or "").strip("<>")
        self.witness.saw(label, Returned(at, sender, recipients, content))
