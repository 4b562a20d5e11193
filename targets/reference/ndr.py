"""Delivery status notifications (RFC 3464): non-delivery reports, laid out like those of Exchange
Online, delay notices, and notices that mail went where nobody can tell what becomes of it.

All is of seven bits and in lines that are not too long, but for a message that is returned whole.
"""

import quopri
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.message import Message as Part
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import compat32
from email.utils import format_datetime
from enum import StrEnum

from targets.reference.dialect import Statement
from targets.reference.outcome import Outcome, Server
from targets.reference.queue import Message

MOST_TEXT = 800
"""Characters of a peer's text in one line, which may have 998 (RFC 5322 section 2.1.1)."""
_PLAIN = re.compile(rb"(?:[\t -~]{0,998}\n)*")
_STRAY = re.compile(rb"\r(?!\n)|(?<!\r)\n|\x00")
_ODD = re.compile(r"[^!-~]|[+=\\]")
_CRLF = compat32.clone(linesep="\r\n")


class Action(StrEnum):
    """What a notice says of a recipient (RFC 3464 section 2.3.3)."""

    FAILED = "failed"
    DELAYED = "delayed"
    RELAYED = "relayed"


@dataclass(frozen=True, slots=True)
class Text:
    """What people read: the subject, and what stands above the recipients."""

    subject: str
    intro: str


TEXTS = {
    Action.FAILED: Text(
        "Undeliverable: your message could not be delivered",
        "Delivery has failed to these recipients:",
    ),
    Action.DELAYED: Text(
        "Delayed: your message could not be delivered yet",
        "Delivery to these recipients is delayed. It will be tried again, and you need not send the\n"
        "message once more:",
    ),
    Action.RELAYED: Text(
        "Relayed: your message has been handed on",
        "For these recipients the message has been handed on to a server that sends no notice of\n"
        "delivery:",
    ),
}


@dataclass(frozen=True, slots=True)
class Lost:
    """A recipient of whom the sender is told, as a rule one given up.

    It has the final statement, that of the last attempt as queued, and what came of the attempt.
    `until`: how long it will be tried, where it is only late.
    """

    recipient: str
    final: Statement
    attempt: Statement
    failure: Outcome
    attempted: datetime
    action: Action = Action.FAILED
    until: datetime | None = None


class Writer:
    """Writes notices in the name of `host`."""

    def __init__(self, host: str) -> None:
        self._host = host

    def write(self, message: Message, lost: Sequence[Lost], now: datetime, queue_id: str) -> bytes:
        """The notice about some recipients of a message, of one action, with CRLF line ends.

        RFC 6522 section 3: a part for people, one for machines, and what is returned.
        """
        report = MIMEMultipart("report", boundary=f"=_{queue_id}_{secrets.token_hex(8)}")
        report.set_param("report-type", "delivery-status")
        report["From"] = f"Mail Delivery System <postmaster@{self._host}>"
        report["To"] = _mailbox(message.sender)
        report["Subject"] = TEXTS[lost[0].action].subject
        report["Date"] = format_datetime(now)
        report["Message-ID"] = f"<{queue_id}@{self._host}>"
        report["Auto-Submitted"] = "auto-replied"
        report.attach(MIMEText(self.explanation(lost, now), "plain", "us-ascii"))
        report.attach(self.status(message, lost))
        if not (self.returns_whole(message.wishes.ret, lost) and _fits(message.content)):
            report.attach(_headers(message.header))
            return report.as_bytes(policy=_CRLF)
        place = f"({secrets.token_hex(16)})"
        original = Part()
        original["Content-Type"] = "message/rfc822"
        original.set_payload(place)
        report.attach(original)
        if not message.content.isascii():  # of what is in it, the whole says so too (RFC 2045 6.4)
            original["Content-Transfer-Encoding"] = report["Content-Transfer-Encoding"] = "8bit"
        return report.as_bytes(policy=_CRLF).replace(place.encode(), message.content)

    def returns_whole(self, ret: str, lost: Sequence[Lost]) -> bool:
        """Whether the whole message is returned, or its header only.

        Whole is returned only what has failed; where the sender does not say, the agent may choose
        (RFC 3461 section 4.3).
        """
        return ret == "FULL" and any(each.action is Action.FAILED for each in lost)

    def explanation(self, lost: Sequence[Lost], now: datetime) -> str:
        """The part for people."""
        intro = f"{TEXTS[lost[0].action].intro}\n\n"
        people = "".join(f"  {_ascii(each.recipient)}\n" for each in lost)
        details = "\n".join(self._details(each, _stamp(now)) for each in lost)
        return (
            f"{intro}{people}\n"
            "Diagnostic information for administrators:\n\n"
            f"Generating server: {self._host}\n\n{details}"
        )

    def status(self, message: Message, lost: Sequence[Lost]) -> Part:
        """The part for machines."""
        whole = Part()
        if message.wishes.envid:
            whole["Original-Envelope-Id"] = _ascii(message.wishes.envid)
        whole["Reporting-MTA"] = f"dns;{self._host}"
        whole["Arrival-Date"] = format_datetime(message.date)
        part = Part()
        part["Content-Type"] = "message/delivery-status"
        original = message.wishes.orcpt
        part.set_payload([whole, *(_about(original, self.block(each)) for each in lost)])
        return part

    def block(self, lost: Lost) -> Part:
        """The fields of one recipient."""
        block = Part()
        block["Final-Recipient"] = _address(lost.recipient)
        block["Action"] = lost.action
        block["Status"] = lost.final.enhanced
        if _is_quoted(lost):
            block["Remote-MTA"] = f"dns;{_ascii(lost.failure.server.host)}"
        block["Diagnostic-Code"] = f"smtp;{_ascii(lost.final.diagnostic)}"
        block["Last-Attempt-Date"] = format_datetime(lost.attempted)
        if lost.until is not None:  # in a delay notice only (RFC 3464 section 2.3.9)
            block["Will-Retry-Until"] = format_datetime(lost.until)
        return block

    def _details(self, lost: Lost, stamp: str) -> str:
        """The final statement and, below it, that of the last attempt (codes as Exchange's)."""
        place = _place(lost.failure.server)
        lines = [_ascii(lost.recipient)]
        if lost.final != lost.attempt:
            lines.append(f"{stamp} - Server at {self._host} returned '{_ascii(lost.final.text)}'")
        stamp = _stamp(lost.attempted)
        lines.append(f"{stamp} - Server at {place} returned '{_ascii(lost.attempt.text)}'")
        return "\n".join(lines) + "\n"


def _about(original: str, block: Part) -> Part:
    """A block with the recipient as the sender named it at its head, if it did."""
    if not original:
        return block
    whole = Part()
    whole["Original-Recipient"] = _ascii(original)
    for name, value in block.items():
        whole[name] = value
    return whole


def _is_quoted(lost: Lost) -> bool:
    """Whether the Diagnostic-Code is what the server said, so that Remote-MTA must name it.

    Beside a Remote-MTA it would be taken for that one's words, and without one for this agent's
    (RFC 3464 section 2.3.6). RFC 3461 section 6.3 (h) wants one in any case; of a code that the agent gives
    itself, as when mail has expired, it would not be true.
    """
    reply = lost.failure.reply
    return reply is not None and lost.final.diagnostic == str(reply)


def _headers(header: bytes) -> Part:
    """The header of a message; in quoted-printable if it is no plain text (RFC 6522 section 4)."""
    head = header.replace(b"\r\n", b"\n") + b"\n"
    if _PLAIN.fullmatch(head):
        return MIMEText(head.decode("ascii"), "rfc822-headers", "us-ascii")
    part = Part()
    part["Content-Type"] = "text/rfc822-headers"
    part["Content-Transfer-Encoding"] = "quoted-printable"
    part.set_payload(quopri.encodestring(head).decode("ascii"))
    return part


def _fits(content: bytes) -> bool:
    """Whether a message can stand in another: it cannot with a bare CR or LF (RFC 2045 section 2.8)."""
    return not _STRAY.search(content)


def _place(server: Server) -> str:
    return f"{_ascii(server.host)} ({server.ip or '0.0.0.0'})"


def _stamp(now: datetime) -> str:
    """M/D/YYYY h:mm:ss AM."""
    half = "AM" if now.hour < 12 else "PM"
    return f"{now.month}/{now.day}/{now.year} {now.hour % 12 or 12}:{now:%M:%S} {half}"


def _address(recipient: str) -> str:
    """An address with its type, which is another where it is not ASCII (RFC 6533 section 3)."""
    return f"rfc822;{recipient}" if recipient.isascii() else f"utf-8;{in_ascii(recipient)}"


def in_ascii(address: str) -> str:
    """An address of the type utf-8 in seven bits (RFC 6533 section 3, utf-8-addr-xtext)."""
    return _ODD.sub(lambda found: f"\\x{{{ord(found[0]):02X}}}", address)


def _mailbox(sender: str) -> str:
    """A sender as the address in To; beyond ASCII, a group without members (RFC 6857 section 3.1)."""
    if sender.isascii():
        return _ascii(sender)
    name = Header(f"Internationalized Address {sender} Removed", "utf-8")
    words = name.encode(maxlinelen=75).replace("\n", "")
    return f"{words} :;"


def _ascii(text: str) -> str:
    """On one line that is not too long, and without what a header field may not have."""
    line = " ".join(text.split()).encode("ascii", "replace").decode()
    shown = "".join(c if c.isprintable() else "?" for c in line)
    return shown if len(shown) <= MOST_TEXT else f"{shown[:MOST_TEXT]}[...]"
