"""A non-delivery report or delay notice, read as its receiver would (RFC 3464, stdlib parser)."""

import email
import email.policy
import re
from dataclasses import dataclass
from email.message import Message

_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_SMTP = re.compile(r"([245]\d\d)[ -]")


@dataclass(frozen=True, slots=True)
class Notice:
    """One recipient's block of a delivery status notification."""

    recipient: str
    action: str
    status: str
    diagnostic: str
    remote: str

    @property
    def smtp(self) -> int:
        """The reply code in the Diagnostic-Code, 0 if it has none."""
        kind, _, text = self.diagnostic.partition(";")
        found = _SMTP.match(text.strip() + " ") if kind.strip().lower() == "smtp" else None
        return int(found[1]) if found else 0


def read_notices(content: bytes) -> tuple[Notice, ...]:
    """Every per-recipient block of a DSN, in order; empty if the mail is no DSN."""
    message = email.message_from_bytes(content, policy=email.policy.compat32)
    return tuple(
        _notice(block)
        for part in message.walk()
        if part.get_content_type() in ("message/delivery-status", "message/global-delivery-status")
        and isinstance(blocks := part.get_payload(), list)
        for block in blocks
        if isinstance(block, Message) and block.get("Final-Recipient")
    )


def _notice(block: Message) -> Notice:
    status = _STATUS.search(str(block.get("Status", "")))
    return Notice(
        recipient=str(block["Final-Recipient"]).partition(";")[2].strip(),
        action=str(block.get("Action", "")).strip().lower(),
        status=status[0] if status else "",
        diagnostic=" ".join(str(block.get("Diagnostic-Code", "")).split()),
        remote=str(block.get("Remote-MTA", "")).partition(";")[2].strip(),
    )
