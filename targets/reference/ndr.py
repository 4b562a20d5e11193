"""Non-delivery reports (RFC 3464), laid out like those of Exchange Online."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import Message as Part
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import compat32
from email.utils import format_datetime

from targets.reference.dialect import Statement
from targets.reference.outcome import Failure, Server, Stage
from targets.reference.queue import Message

MOST_TEXT = 800
"""Characters of a peer's text in one line, which may have 998 (RFC 5322 section 2.1.1)."""
_CRLF = compat32.clone(linesep="\r\n")


@dataclass(frozen=True, slots=True)
class Lost:
    """A recipient given up: the final statement, and the failure of the last attempt as queued."""

    recipient: str
    final: Statement
    attempt: Statement
    failure: Failure
    attempted: datetime


class Writer:
    """Writes NDRs in the name of `host`."""

    def __init__(self, host: str) -> None:
        self._host = host

    def write(self, message: Message, lost: Sequence[Lost], now: datetime, queue_id: str) -> bytes:
        """The NDR for some recipients of a message, with CRLF line ends."""
        report = MIMEMultipart("report")
        report.set_param("report-type", "delivery-status")
        report["From"] = f"Mail Delivery System <postmaster@{self._host}>"
        report["To"] = _ascii(message.sender)
        report["Subject"] = "Undeliverable: your message could not be delivered"
        report["Date"] = format_datetime(now)
        report["Message-ID"] = f"<{queue_id}@{self._host}>"
        report["Auto-Submitted"] = "auto-replied"
        report.attach(MIMEText(self.explanation(lost, now), "plain", "us-ascii"))
        report.attach(self.status(message, lost))
        report.attach(_headers(message.content))
        return report.as_bytes(policy=_CRLF)

    def explanation(self, lost: Sequence[Lost], now: datetime) -> str:
        """The part for people."""
        intro = "Delivery has failed to these recipients:\n\n"
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
        whole["Reporting-MTA"] = f"dns;{self._host}"
        whole["Arrival-Date"] = format_datetime(message.date)
        part = Part()
        part["Content-Type"] = "message/delivery-status"
        part.set_payload([whole, *(self.block(each) for each in lost)])
        return part

    def block(self, lost: Lost) -> Part:
        """The fields of one recipient."""
        block = Part()
        block["Final-Recipient"] = _address(lost.recipient)
        block["Action"] = "failed"
        block["Status"] = lost.final.enhanced
        block["Diagnostic-Code"] = f"smtp;{_ascii(lost.final.diagnostic)}"
        if lost.failure.stage not in (Stage.DNS, Stage.CONNECT, Stage.INTERNAL):
            block["Remote-MTA"] = f"dns;{_ascii(lost.failure.server.host)}"
        block["Last-Attempt-Date"] = format_datetime(lost.attempted)
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


def _headers(content: bytes) -> Part:
    head, _, _ = content.partition(b"\r\n\r\n")
    text = head.decode("ascii", "backslashreplace").replace("\r\n", "\n") + "\n"
    return MIMEText(text, "rfc822-headers", "us-ascii")


def _place(server: Server) -> str:
    return f"{_ascii(server.host)} ({server.ip or '0.0.0.0'})"


def _stamp(now: datetime) -> str:
    """M/D/YYYY h:mm:ss AM."""
    half = "AM" if now.hour < 12 else "PM"
    return f"{now.month}/{now.day}/{now.year} {now.hour % 12 or 12}:{now:%M:%S} {half}"


def _address(recipient: str) -> str:
    """An address with its type; one that is not ASCII is escaped (RFC 6533 section 3)."""
    if recipient.isascii():
        return f"rfc822;{recipient}"
    escaped = (c if c.isascii() else f"\\x{{{ord(c):X}}}" for c in recipient)
    return f"utf-8;{''.join(escaped)}"


def _ascii(text: str) -> str:
    """On one line that is not too long, and without what a header field may not have."""
    line = " ".join(text.split()).encode("ascii", "replace").decode()
    shown = "".join(c if c.isprintable() else "?" for c in line)
    return shown if len(shown) <= MOST_TEXT else f"{shown[:MOST_TEXT]}[...]"
