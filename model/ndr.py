"""A non-delivery report or delay notice, read as its receiver would (RFC 3464, stdlib parser)."""

import email
import email.policy
import re
from dataclasses import dataclass
from email.message import Message

_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_GLOBAL = re.compile(rb"message/global-delivery-status", re.IGNORECASE)
_NUMBERED = re.compile(r"\\x\{([0-9A-Fa-f]{1,6})\}")
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
    """Every per-recipient block of a DSN, in order; empty if the mail is no DSN.

    The standard parser takes the blocks of `message/delivery-status` apart, and those of its sister
    for addresses beyond ASCII (RFC 6533 section 4) only if it has the same name.
    """
    content = _GLOBAL.sub(b"message/delivery-status", content)
    message = email.message_from_bytes(content, policy=email.policy.compat32)
    return tuple(
        _notice(block)
        for part in message.walk()
        if part.get_content_type() == "message/delivery-status"
        and isinstance(blocks := part.get_payload(), list)
        for block in blocks
        if isinstance(block, Message) and block.get("Final-Recipient")
    )


def _notice(block: Message) -> Notice:
    fields = {name.lower(): _plain(value) for name, value in block.raw_items()}
    status = _STATUS.search(fields.get("status", ""))
    return Notice(
        recipient=_recipient(fields["final-recipient"]),
        action=fields.get("action", "").lower(),
        status=status[0] if status else "",
        diagnostic=fields.get("diagnostic-code", ""),
        remote=fields.get("remote-mta", "").partition(";")[2].strip(),
    )


def _plain(value: str) -> str:
    """A field's value on one line; the parser keeps octets above 127 as surrogates."""
    return " ".join(value.encode("utf-8", "surrogateescape").decode("utf-8", "replace").split())


def _recipient(field: str) -> str:
    """The address; in the type `utf-8` characters may be written as numbers (RFC 6533 section 3)."""
    kind, _, address = field.partition(";")
    if kind.strip().lower() != "utf-8":
        return address.strip()
    return _NUMBERED.sub(lambda found: chr(int(found[1], 16)), address.strip())
