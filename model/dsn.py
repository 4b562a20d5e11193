"""A delivery status notification, taken apart by the standard library (RFC 3464, RFC 6522).

Nothing is judged here, and nothing is refused: whatever the octets, a `Dsn` comes out, with empty
values for what is not there.
"""

import email
import email.policy
import re
from collections.abc import Iterable
from dataclasses import dataclass
from email.message import Message
from enum import StrEnum
from functools import lru_cache

_OPAQUE = re.compile(rb"^(Content-Type:\s*)message/", re.IGNORECASE | re.MULTILINE)
"""The parser would take a `message/` part apart by its own ideas, whatever its encoding; as
`text/` it hands out the octets."""
_EMPTY_LINE = re.compile(rb"(?:\r?\n)[ \t]*(?=\r?\n)")
_ESCAPED = re.compile(r"\\x\{([0-9A-Fa-f]{1,6})\}")
MACHINE = ("message/delivery-status", "message/global-delivery-status")
"""The part for machines, and its twin for addresses beyond ASCII (RFC 6533 section 4.1)."""
WHOLE = ("message/rfc822", "message/global")
HEADERS = ("text/rfc822-headers", "message/global-headers")
_LIKE_MESSAGES = {
    one.replace("message/", "text/"): one for one in (*MACHINE, *WHOLE, "message/global-headers")
}


class Back(StrEnum):
    """How much of the original comes back, whatever its label says."""

    FULL = "the whole message"
    HEADERS = "its headers"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Block:
    """A group of header fields, in order; a name's case does not count.

    `rest` is what stands there and is no field.
    """

    fields: tuple[tuple[str, str], ...] = ()
    rest: str = ""

    def all(self, name: str) -> tuple[str, ...]:
        """The values of every field of that name."""
        return tuple(value for key, value in self.fields if key.lower() == name.lower())

    def first(self, name: str) -> str:
        """The value of the first field of that name; empty if there is none."""
        return next(iter(self.all(name)), "")


@dataclass(frozen=True, slots=True)
class Dsn:
    """What a mail says as a delivery status notification.

    `kind` is the type of the mail, `parts` are those of its parts in order. `people` is the text
    for people; `encoding` is that of the part for machines, which has the fields of the `message`
    and a block for each of the `recipients`. `original` is the header that came back, `body` what
    came back behind it, with bare LFs.
    """

    header: Block
    kind: str
    report_type: str
    parts: tuple[str, ...]
    people: str
    encoding: str
    message: Block
    recipients: tuple[Block, ...]
    back: Back
    original: Block
    body: bytes


@lru_cache(maxsize=16)  # one after the other, several rules ask about the same mail
def parse(content: bytes) -> Dsn:
    """A mail as a notification, whatever it is."""
    mail = email.message_from_bytes(_OPAQUE.sub(rb"\1text/", content), policy=email.policy.compat32)
    inside = mail.get_payload()
    parts = [part for part in inside if isinstance(part, Message)] if mail.is_multipart() else []
    machine = next((part for part in mail.walk() if _kind(part) in MACHINE), None)
    blocks = _groups(_octets(machine)) if machine is not None else ()
    back, original, body = _original(parts[2:])
    headless = bool(blocks and blocks[0].first("Final-Recipient"))
    return Dsn(
        header=_block(mail),
        kind=mail.get_content_type(),
        report_type=one_line(str(mail.get_param("report-type", ""))).lower(),
        parts=tuple(_kind(part) for part in parts),
        people=_people(parts[0]) if parts else "",
        encoding=one_line(str(machine.get("Content-Transfer-Encoding", ""))).lower()
        if machine is not None
        else "",
        message=Block() if headless or not blocks else blocks[0],
        recipients=blocks if headless else blocks[1:],
        back=back,
        original=original,
        body=body,
    )


def one_line(value: str) -> str:
    """A field's value on one line; the parser keeps octets above 127 as surrogates."""
    return " ".join(value.encode("utf-8", "surrogateescape").decode("utf-8", "replace").split())


def typed(value: str) -> tuple[str, str]:
    """A field `type; value` as both (RFC 3464 section 2.1.2); the type in small letters.

    Without a semicolon there is no type.
    """
    kind, semicolon, rest = value.partition(";")
    return (kind.strip().lower(), rest.strip()) if semicolon else ("", value.strip())


def address_in(value: str) -> str:
    """The address in a field `type; address` (RFC 6533 section 3: `\\x{..}` in utf-8)."""
    kind, address = typed(value)
    if kind != "utf-8":
        return address
    return _ESCAPED.sub(lambda found: _character(found[1]), address)


def _character(number: str) -> str:
    return chr(int(number, 16)) if int(number, 16) < 0x110000 else "\ufffd"


def _kind(part: Message) -> str:
    kind = part.get_content_type()
    return _LIKE_MESSAGES.get(kind, kind)


def _octets(part: Message) -> bytes:
    decoded = part.get_payload(decode=True)
    return decoded if isinstance(decoded, bytes) else b""


def _groups(octets: bytes) -> tuple[Block, ...]:
    """The groups of fields between empty lines."""
    groups = (group.strip(b"\r\n") for group in _EMPTY_LINE.split(octets))
    return tuple(_read(group + b"\r\n") for group in groups if group.strip())


def _read(octets: bytes) -> Block:
    return _block(email.message_from_bytes(octets, policy=email.policy.compat32))


def _block(message: Message) -> Block:
    fields = tuple((name, one_line(str(value))) for name, value in message.raw_items())
    rest = message.get_payload()
    return Block(fields, one_line(rest) if isinstance(rest, str) else "")


def _people(part: Message) -> str:
    """The text of a part for people, which may be a multipart of several."""
    texts = (_octets(one) for one in part.walk() if one.get_content_maintype() == "text")
    return b"\n".join(texts).decode("utf-8", "replace").strip()


def _original(rest: Iterable[Message]) -> tuple[Back, Block, bytes]:
    for part in rest:
        if _kind(part) in (*WHOLE, *HEADERS):
            head, _, body = _octets(part).replace(b"\r\n", b"\n").partition(b"\n\n")
            back = Back.FULL if body.strip() else Back.HEADERS
            return back, _read(head + b"\n\n"), body
    return Back.NOTHING, Block(), b""
