"""What Exchange Online calls each failure: while queued, when given up, and in the NDR.

Literal forms as seen in public traces and documented in "Mail flow intelligence in EOP"; a text
that has never been seen is built by the same pattern and marked inferred.
"""

from dataclasses import dataclass

from targets.reference.outcome import Failure, Kind, Reply, Server, Stage

STARTTLS_REQUIRED = "451 5.7.3 STARTTLS is required to send mail"
TLS_FAILED = "451 4.4.0 TLS negotiation failed with error SocketError"
UNAVAILABLE = "421 4.3.2 Service not available"
VIOLATION = "451 4.5.0 SMTP protocol violation"
"""Inferred; for what is no SMTP reply."""
LOOP = "5.4.14 Hop count exceeded - possible mail loop"
SUSPICIOUS = "SuspiciousRemoteServerError"
OWN_CERTIFICATE = (
    "4.7.5 The certificate specified in TlsCertificateName of the SendConnector could not be found"
)
"""Exchange Server's words; Exchange Online has no connector that names a certificate."""
ADDRESS_NOT_AVAILABLE = "Failed to connect. Winsock error code: 10049"
"""WSAEADDRNOTAVAIL, in the words that were seen with 995."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What is said of a failure: reply code, enhanced code, and the whole text with both.

    `diagnostic` is the text without brackets, as an NDR's Diagnostic-Code has it.
    """

    smtp: int
    enhanced: str
    text: str
    diagnostic: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One documented code: detail, and its words while queued and after expiry."""

    enhanced: str
    queued: str
    expired: str


DNS = Entry("4.312", "DNS query failed", "DNS query failed")
TIMED_OUT = Entry("4.315", "Connection timed out", "connection timed out")
REFUSED = Entry("4.316", "Connection refused", "connection refused")
CANNOT_CONNECT = Entry(
    "4.317", "Cannot connect to remote server", "cannot connect to remote server"
)
CLOSED = Entry("4.318", "Connection was closed abruptly", "connection reset")
CERTIFICATE = Entry("7.320", "Certificate validation failed", "certificate validation failed")

ENTRIES: dict[Kind, tuple[Entry, str]] = {
    Kind.DNS: (DNS, ""),
    Kind.TIMED_OUT: (TIMED_OUT, "Socket error code 10060"),
    Kind.HOST_UNREACHABLE: (TIMED_OUT, "Socket error code 10065"),
    Kind.NET_UNREACHABLE: (TIMED_OUT, "Socket error code 10051"),
    Kind.REFUSED: (REFUSED, "Socket error code 10061"),
    Kind.PROHIBITED: (REFUSED, "Socket error code 10061"),
    Kind.REPLY: (CANNOT_CONNECT, UNAVAILABLE),
    Kind.GARBAGE: (CANNOT_CONNECT, VIOLATION),
    Kind.UNSUITABLE: (CANNOT_CONNECT, ""),
    Kind.TLS_NOT_OFFERED: (CANNOT_CONNECT, STARTTLS_REQUIRED),
    Kind.TLS_REFUSED: (CANNOT_CONNECT, STARTTLS_REQUIRED),
    Kind.TLS_FAILED: (CANNOT_CONNECT, TLS_FAILED),
    Kind.CLOSED: (CLOSED, SUSPICIOUS),
    Kind.RESET: (CLOSED, SUSPICIOUS),
    Kind.HUNG: (CLOSED, SUSPICIOUS),
    Kind.CERTIFICATE: (CERTIFICATE, ""),
    Kind.NO_SOURCE: (CANNOT_CONNECT, ADDRESS_NOT_AVAILABLE),
}
"""The code of each kind of failure and its [Message=]; empty: the failure's own detail.

A reply that the peer gave before the transaction is quoted instead.
"""

TRANSACTION = (Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.DOT)


class Dialect:
    """Exchange Online's words."""

    def queued(self, failure: Failure) -> Statement:
        """What is said after an attempt that will be repeated."""
        if (own := self.passed_on(failure)) is not None:
            return own
        entry, message = self.entry(failure)
        head = f"450 4.{entry.enhanced} {entry.queued}"
        text = f"{head} [Message={message}]{_where(failure.server)}({message})"
        return Statement(450, f"4.{entry.enhanced}", text, head)

    def expired(self, failure: Failure) -> Statement:
        """What is said when the lifetime is over and this was the last failure."""
        if (own := self.passed_on(failure)) is not None:
            text = f"550 5.4.300 Message expired -> {own.diagnostic}"
            return Statement(550, "5.4.300", text, text)
        entry, message = self.entry(failure)
        head = f"550 5.{entry.enhanced} Message expired, {entry.expired}"
        reason = message if failure.kind is not Kind.CERTIFICATE else message.split(" ")[0]
        return Statement(550, f"5.{entry.enhanced}", f"{head}({reason})", head)

    def returned(self, failure: Failure) -> Statement:
        """What is said when mail is given up at once."""
        return self.queued(failure)

    def entry(self, failure: Failure) -> tuple[Entry, str]:
        """The code of a failure of our own finding, and its [Message=]."""
        entry, message = ENTRIES[failure.kind]
        if failure.kind is Kind.REPLY and failure.reply is not None:
            message = str(failure.reply)
        return entry, message or failure.detail

    def passed_on(self, failure: Failure) -> Statement | None:
        """The statement where the code is not one of the six: the peer's own, or ours."""
        if failure.kind is Kind.NULL_MX:
            return _plain(Reply(556, "5.1.10 Recipient address has null MX"), failure.server)
        if failure.kind is Kind.LOOP:
            return _plain(Reply(554, LOOP), failure.server)
        if failure.kind is Kind.INTERNAL:
            said = Reply(451, f"4.3.0 Temporary server error: {failure.detail}")
            return _plain(said, failure.server)
        if failure.kind is Kind.OWN_CERTIFICATE:
            said = Reply(454, f"{OWN_CERTIFICATE}: {failure.detail}")
            return _plain(said, failure.server)
        if failure.stage not in TRANSACTION:
            return None
        if failure.kind in (Kind.REPLY, Kind.UNSUITABLE) and failure.reply is not None:
            return _plain(failure.reply, failure.server)
        if failure.kind is Kind.GARBAGE:
            return _plain(_nonsense(failure), failure.server)
        return None


def _nonsense(failure: Failure) -> Reply:
    """What is said of no reply, or of a reply that is no answer here."""
    said = failure.reply
    if said is None or said.in_range:
        return Reply(451, VIOLATION.removeprefix("451 "))
    return Reply(550, f"5.5.0 SMTP protocol violation: the server said {said}")


def _plain(reply: Reply, server: Server) -> Statement:
    said = str(reply)
    return Statement(reply.code, reply.enhanced, f"{said}{_where(server)}", said)


def _where(server: Server) -> str:
    name = f" [LastAttemptedServerName={server.host}]"
    return f"{name} [LastAttemptedIP={server.ip}:{server.port}]" if server.ip else name
