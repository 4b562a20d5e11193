"""A non-delivery report or delay notice, read as its receiver would (RFC 3464, stdlib parser).

Where mail is internationalised the machines' part has another type, and addresses are in UTF-8,
escaped where that part is of seven bits (RFC 6533).
"""

import email
import email.policy
import re
from dataclasses import dataclass

from model.dsn import Block, address_in, parse, typed

_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_SMTP = re.compile(r"([245]\d\d)[ -]")
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
        kind, text = typed(self.diagnostic)
        found = _SMTP.match(text + " ") if kind == "smtp" else None
        return int(found[1]) if found else 0


def read_notices(content: bytes) -> tuple[Notice, ...]:
    """Every per-recipient block of a DSN, in order; empty if the mail is no DSN."""
    return tuple(
        _notice(block) for block in parse(content).recipients if block.first("Final-Recipient")
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


def _notice(block: Block) -> Notice:
    status = _STATUS.search(block.first("Status"))
    return Notice(
        recipient=address_in(block.first("Final-Recipient")),
        action=block.first("Action").lower(),
        status=status[0] if status else "",
        diagnostic=block.first("Diagnostic-Code"),
        remote=typed(block.first("Remote-MTA"))[1],
    )
