"""What may come of an attempt, as values: sent, or a failure with all that is known of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

_ENHANCED = re.compile(r"([245])\.\d{1,3}\.\d{1,3}(?= |\n|$)")


class Stage(StrEnum):
    """How far an attempt had come."""

    DNS = "dns"
    CONNECT = "connect"
    GREETING = "greeting"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    HANDSHAKE = "handshake"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    DOT = "dot"
    RSET = "rset"
    QUIT = "quit"
    INTERNAL = "internal"


class Kind(StrEnum):
    """What went wrong there."""

    DNS = "dns"
    """No address could be learnt; `detail` is a DnsProblem."""
    NULL_MX = "null-mx"
    LOOP = "loop"
    """The best mail host of the domain is this agent itself."""
    TIMED_OUT = "timed-out"
    HOST_UNREACHABLE = "host-unreachable"
    NET_UNREACHABLE = "net-unreachable"
    REFUSED = "refused"
    PROHIBITED = "prohibited"
    CLOSED = "closed"
    RESET = "reset"
    HUNG = "hung"
    """Connected, but then no reply in time."""
    REPLY = "reply"
    """The peer replied 4yz or 5yz."""
    GARBAGE = "garbage"
    """The peer sent what is no SMTP reply, or not one for this command."""
    UNSUITABLE = "unsuitable"
    """The message cannot go to this peer as it is; `reply` is what we ourselves say of it."""
    TLS_NOT_OFFERED = "tls-not-offered"
    TLS_REFUSED = "tls-refused"
    TLS_FAILED = "tls-failed"
    """The handshake failed, and not because of the certificate."""
    CERTIFICATE = "certificate"
    """The certificate was refused; `detail` begins with the reason in one word."""
    OWN_CERTIFICATE = "own-certificate"
    """What this agent was to show of itself cannot be used; `detail` says why."""
    NO_SOURCE = "no-source"
    """The address to connect from cannot be had; `detail` is that address."""
    INTERNAL = "internal"


class DnsProblem(StrEnum):
    """Why a name gave no address, in Exchange's words."""

    RETRY = "ErrorRetry"
    NONEXISTENT = "InfoDomainNonexistent"
    NO_RECORDS = "InfoNoRecords"


@dataclass(frozen=True, slots=True)
class Server:
    """An address of a host; `ip` is empty while only the name is known."""

    host: str
    ip: str = ""
    port: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """An SMTP reply; the lines of `text` are joined by newlines, without their codes."""

    code: int
    text: str

    @property
    def transient(self) -> bool:
        """Whether this is a 4yz reply."""
        return 400 <= self.code < 500

    @property
    def in_range(self) -> bool:
        """Whether the code begins with a digit that SMTP has (RFC 5321 section 4.2)."""
        return 200 <= self.code < 600

    @property
    def enhanced(self) -> str:
        """The enhanced status code given; X.0.0 if there is none or it contradicts the reply.

        RFC 3463 section 2; RFC 2034 section 4: the class is the first digit of the reply.
        """
        found = _ENHANCED.match(self.text)
        digit = str(self.code)[0]
        return found[0] if found and found[1] == digit else f"{digit}.0.0"

    def __str__(self) -> str:
        """On one line, and fit to be shown: a peer's control characters are nobody's business."""
        line = " ".join(f"{self.code:03d} {self.text}".split())
        return "".join(c if c.isprintable() else "?" for c in line)


@dataclass(frozen=True, slots=True)
class Sent:
    """The server took the message for this recipient; `told`: and the sender's wishes with it."""

    server: Server
    reply: Reply
    told: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """The attempt failed at a stage: what kind, with which server, and the peer's reply if any."""

    stage: Stage
    kind: Kind
    server: Server
    reply: Reply | None = None
    detail: str = ""


Outcome = Sent | Failure
Outcomes = Mapping[str, Outcome]
"""The outcome of each recipient."""


class Broken(Exception):
    """Carries a failure out of nested calls; never leaves the courier."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure
