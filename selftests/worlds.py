"""Traces made by hand, so that laws and judge can be tested without a socket."""

from collections.abc import Iterable

from model.events import Accepted, Connected, Event, Queued, Reported, Returned, Submitted
from model.report import Report, State
from model.scenario import Scenario
from model.trace import Placement, Trace

RECIPIENT = "user@x-y.test"
SENDER = "sender@x-y.home.test"
SENT = b"Subject: x.y\r\n\r\nbody\r\n"
PLACE = Placement(
    domain="x-y.test",
    home="x-y.home.test",
    sender=SENDER,
    recipients=(RECIPIENT,),
    hosts={"mx1": ("mx1.x-y.test", "198.18.1.1"), "mx2": ("mx2.x-y.test", "198.18.1.2")},
    port=25,
)
NOBODY = Placement(PLACE.domain, PLACE.home, "", PLACE.recipients, PLACE.hosts, PLACE.port)


def scenario(**difference: object) -> Scenario:
    """A scenario with id `x.y`, healthy but for the difference."""
    from catalogue.rules import DELIVER

    return Scenario(id="x.y", title="t", rule=DELIVER, **difference)  # type: ignore[arg-type]


def trace(
    *events: Event,
    place: Placement = PLACE,
    lifetime: float = 100.0,
    sealed: bool = True,
    sent: bytes = SENT,
) -> Trace:
    """A trace of these events, submitted at second 0."""
    return Trace("x.y", place, {RECIPIENT: sent}, lifetime, sealed, (Submitted(0.0, "Q1"), *events))


WORDS = {
    "4.312": "DNS query failed",
    "4.315": "Connection timed out",
    "4.316": "Connection refused",
    "4.317": "Cannot connect to remote server",
    "4.318": "Connection was closed abruptly",
    "7.320": "Certificate validation failed",
}
"""What the page has behind each of its codes, by subject and detail."""


def worded(enhanced: str) -> str:
    """What an agent says with a code: the page's words if it is one of its codes, and the host."""
    return f"{WORDS.get(enhanced[2:], '')} mx1.x-y.test".strip()


def deferred(smtp: int = 450, enhanced: str = "4.4.316", text: str | None = None) -> Reported:
    """The agent says that it could not, for now; with the words of the code, unless others are given."""
    said_with_it = worded(enhanced) if text is None else text
    return Reported(1.0, Report(RECIPIENT, State.DEFERRED, smtp, enhanced, said_with_it))


def said(state: State, smtp: int = 0, enhanced: str = "", at: float = 1.0) -> Reported:
    """The agent says anything else."""
    return Reported(at, Report(RECIPIENT, state, smtp, enhanced, worded(enhanced)))


def stored(
    content: bytes = SENT,
    host: str = "mx1",
    tls: bool = True,
    acknowledged: bool = True,
    wire: bytes = b"",
    recipient: str = RECIPIENT,
) -> Accepted:
    """A host has the message."""
    return Accepted(1.0, host, 1, SENDER, (recipient,), content, tls, acknowledged, wire)


def connected(host: str = "mx1", source: str = "") -> Connected:
    """A connection stands."""
    return Connected(0.5, host, 1, source)


def queued(*recipients: str) -> Queued:
    """The queue was read."""
    return Queued(2.0, recipients)


def ndr(
    at: float = 200.0,
    status: str = "5.4.316",
    diagnostic: str = "smtp;550 5.4.316 Message expired, connection refused",
    sender: str = "",
    action: str = "failed",
) -> Returned:
    """Mail that came home, by the book but for what is asked for otherwise."""
    lines: Iterable[str] = (
        "From: Mail Delivery System <postmaster@agent.test>",
        f"To: <{SENDER}>",
        "Subject: Undeliverable",
        "Date: Fri, 01 Mar 2019 12:00:00 +0000",
        "Message-ID: <ndr.1@agent.test>",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b",
        "",
        "--b",
        "Content-Type: text/plain; charset=us-ascii",
        "",
        "Your message could not be delivered.",
        "--b",
        "Content-Type: message/delivery-status",
        "",
        "Reporting-MTA: dns;agent.test",
        "Arrival-Date: Fri, 01 Mar 2019 11:00:00 +0000",
        "",
        f"Final-Recipient: rfc822;{RECIPIENT}",
        f"Action: {action}",
        f"Status: {status}",
        f"Diagnostic-Code: {diagnostic}",
        "Last-Attempt-Date: Fri, 01 Mar 2019 11:30:00 +0000",
        "",
        "--b",
        "Content-Type: text/rfc822-headers",
        "",
        "Subject: x.y",
        "",
        "--b--",
        "",
    )
    return Returned(at, sender, (SENDER,), "\r\n".join(lines).encode())
