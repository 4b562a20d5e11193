"""A non-delivery report or delay notice, read as its receiver would (RFC 3464, stdlib parser).

Where mail is internationalised the machines' part has another type, and addresses are in UTF-8,
escaped where that part is of seven bits (RFC 6533).
"""

import email
import email.policy
import re
from dataclasses import dataclass
from email.message import Message

_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_GLOBAL = re.compile(rb"message/global-delivery-status", re.IGNORECASE)
_NUMBERED = re.compile(r"\\x\{([0-9A-Fa-f]{1,6})\}")
_SMTP = re.compile(r"([245]\d\d)[ -]")
_EMPTY_LINE = re.compile(rb"\r?\n[ \t]*\r?\n")
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n")
_EIGHTH_BIT = re.compile(rb"[\x80-\xff]")
_DECLARED = re.compile(
    rb"Content-Type:\s*(?:text/|message/global-)(?s:.*)Content-Transfer-Encoding:\s*8bit",
    re.IGNORECASE,
)
"""The header of a part that may have eight bits; message/delivery-status may not (RFC 3464
section 2.1), its twin of RFC 6533 may."""
MOST_OCTETS = 998
"""Octets of a line without its CRLF (RFC 5322 section 2.1.1)."""
_ESCAPED = re.compile(r"\\x\{([0-9A-Fa-f]{1,6})\}")


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
        for block in _blocks(part)
        if _field(block, "Final-Recipient")
    )


def unreadable(content: bytes) -> list[tuple[str, str]]:
    """What of a DSN's own octets nobody need be able to read: pairs of what is wrong and where.

    The returned message behind them is its author's, and not looked at.
    """
    boundary = email.message_from_bytes(content, policy=email.policy.compat32).get_boundary("")
    own = content.split(b"\r\n--" + boundary.encode())[:3] if boundary else [content]
    found = [("line of more than 998 octets", repr(one[:40])) for one in own for one in _long(one)]
    found += [
        ("control character", _shown(part, at)) for part in own for at in _CONTROL.finditer(part)
    ]
    return found + [
        ("eighth bit that is not declared", _shown(part, at))
        for part in own
        if not _DECLARED.search(part.partition(b"\r\n\r\n")[0])
        for at in list(_EIGHTH_BIT.finditer(part))[:1]
    ]


def _long(octets: bytes) -> list[bytes]:
    return [line for line in octets.split(b"\r\n") if len(line) > MOST_OCTETS]


def _shown(octets: bytes, at: re.Match[bytes]) -> str:
    return repr(octets[max(0, at.start() - 20) : at.end() + 20])


def _blocks(part: Message) -> list[Message]:
    """The blocks of fields in a part for machines; none if it is another part.

    The parser knows message/delivery-status, and takes the other for a message in itself, with
    the first block for its header and the others for its body.
    """
    inside = part.get_payload()
    if not isinstance(inside, list):
        return []
    if part.get_content_type() == "message/delivery-status":
        return [block for block in inside if isinstance(block, Message)]
    if part.get_content_type() != "message/global-delivery-status":
        return []
    bodies = (one.get_payload(decode=True) for one in inside if isinstance(one, Message))
    return [
        email.message_from_bytes(block.lstrip(), policy=email.policy.compat32)
        for body in bodies
        if isinstance(body, bytes)
        for block in _EMPTY_LINE.split(body)
    ]


def _field(block: Message, name: str) -> str:
    """A field's value on one line, whatever its octets; empty if there is none."""
    for key, value in block.raw_items():
        if key.lower() == name.lower():
            octets = str(value).encode("utf-8", "surrogateescape")
            return " ".join(octets.decode("utf-8", "replace").split())
    return ""


def _address(field: str) -> str:
    """The address in a field `type; address` (RFC 6533 section 3: `\\x{..}` in utf-8)."""
    kind, _, address = field.partition(";")
    if kind.strip().lower() != "utf-8":
        return address.strip()
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), address.strip())


def _notice(block: Message) -> Notice:
    status = _STATUS.search(_field(block, "Status"))
    return Notice(
        recipient=_address(_field(block, "Final-Recipient")),
        action=_field(block, "Action").lower(),
        status=status[0] if status else "",
        diagnostic=_field(block, "Diagnostic-Code"),
        remote=_field(block, "Remote-MTA").partition(";")[2].strip(),
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
