"""How DNS misbehaves: a zone in relative names, and faults on single answers.

Theory of operation
-------------------
A zone is honest master-file text. A fault is attached to one question (name and type, `*` for
any) and is given the honest `Answer`; it returns another one, or None for silence. The fake
server counts the visits and measures the time since the question was first asked, so faults
are frozen and stateless.

Names are relative to the scenario's own domain: `@` is the domain itself. `{mx1}` stands for
the address of the host of that name; addresses are the plan's business.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from model.smtp import ALWAYS


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server is about to answer.

    `records` are master-file lines with absolute names. `delay` is a share of the target's own
    DNS time-out (0.25: a quarter of it), so that a pace can stretch it.
    """

    rcode: str = "NOERROR"
    records: tuple[str, ...] = ()
    truncated: bool = False
    wrong_id: bool = False
    garbage: bytes | None = None
    cut: bool = False
    """Over TCP: close the connection instead of answering."""
    delay: float = 0.0
    query: bool = False
    """Whether the message says of itself that it is a query (QR clear)."""
    question: str = ""
    """The absolute name in the question section; empty: the one that was asked for."""
    chopped: int = 0
    """How many octets are missing at the end of the last record, and of the message."""
    extended: int | None = None
    """The extended error (RFC 8914), if the question has an OPT."""
    additional: tuple[str, ...] = ()
    """Lines that nobody has asked for, in the additional section."""


@dataclass(frozen=True, slots=True)
class Query:
    """The question as the fault sees it: visit counts from 1, `elapsed` seconds since the first."""

    name: str
    qtype: str
    visit: int
    elapsed: float
    udp: bool
    unchecked: bool = False
    """Whether it wants data that did not pass validation, too (CD, RFC 4035 section 3.2.2)."""


class Fault(Protocol):
    """Spoils one answer."""

    def spoil(self, answer: Answer, query: Query) -> Answer | None:
        """The answer to give instead; the honest one unchanged; None: say nothing."""


@dataclass(frozen=True, slots=True)
class Rcode:
    """Answer with a response code and no records, the first `times` times."""

    rcode: str
    times: int = ALWAYS

    def spoil(self, answer: Answer, query: Query) -> Answer | None:
        """Replace the answer by the code."""
        return answer if query.visit > self.times else Answer(self.rcode)


@dataclass(frozen=True, slots=True)
class NoData:
    """The name exists, but has no record of this type."""

    def spoil(self, answer: Answer, query: Query) -> Answer | None:
        """Empty the answer."""
        return Answer()


@dataclass(frozen=True, slots=True)
class Silence:
    """Do not answer, over UDP or TCP, the first `times` times."""

    times: int = ALWAYS

    def spoil(self, answer: Answer, query: Query) -> Answer | None:
        """Say nothing."""
        return answer if query.visit > self.times else None


@dataclass(frozen=True, slots=True)
class Delay:
    """Answer honestly, but late: after a share of the target's DNS time-out."""

    share: float

    def spoil(self, answer: Answer, query: Query) -> Answer | None:
        """Put the answer off."""
        return replace(answer, delay=self.share)


@dataclass(frozen=True, slots=True)
class Truncate:
    """Answer over UDP with the TC bit and no records; over TCP in full, or hang up there.

    `after`: a share of the target's DNS time-out for which TCP is silent before it is hung up on.
    `mute`: over TCP the question is taken and never answered, and nobody hangs up.
    """

    tcp: bool = True
    after: float = 0.0
    mute: bool = False

    def spoil(self, answer: Answer, query: Query) -> Answer | None:
        """Truncate what goes over UDP."""
        if query.udp:
            return replace(answer, records=(), truncated=True)
        if self.mute:
            return None
        return answer if self.tcp else replace(answer, cut=True, delay=self.after)


@dataclass(frozen=True, slots=True)
class WrongId:
    """Answer with another transaction id than the question's."""

    def spoil(self, answer: Answer, query: Query) -> Answer | None:
        """Mark the answer."""
        return replace(answer, wrong_id=True)


@dataclass(frozen=True, slots=True)
class Garbage:
    """Answer with octets that are no DNS message."""

    octets: bytes = b"this is not DNS"

    def spoil(self, answer: Answer, query: Query) -> Answer | None:
        """Replace the message."""
        return replace(answer, garbage=self.octets)


@dataclass(frozen=True, slots=True)
class Stale:
    """Answer from a cache: the old records until their TTL has run, then the truth.

    `old` are lines like a zone's; the TTL counts down from `ttl` seconds as a cache's does.
    An old record set that is empty answers `rcode`.
    """

    old: tuple[str, ...]
    ttl: int = 2
    rcode: str = "NOERROR"

    def spoil(self, answer: Answer, query: Query) -> Answer | None:
        """Give the old records while the TTL runs."""
        if query.elapsed >= self.ttl:
            return answer
        left = max(1, round(self.ttl - query.elapsed))
        return Answer(self.rcode, tuple(_with_ttl(line, left) for line in self.old))


@dataclass(frozen=True, slots=True)
class Says:
    """Answer with these records instead, lines like a zone's; no alias in them is followed."""

    records: tuple[str, ...]

    def spoil(self, answer: Answer, query: Query) -> Answer | None:
        """Replace the records."""
        return Answer(records=self.records)


@dataclass(frozen=True, slots=True)
class AsQuery:
    """Answer with QR clear, so that the message claims to be a question (RFC 1035 section 4.1.1)."""

    def spoil(self, answer: Answer, query: Query) -> Answer | None:
        """Mark the answer."""
        return replace(answer, query=True)


@dataclass(frozen=True, slots=True)
class OtherQuestion:
    """Answer as if another name had been asked for: the question section names that one."""

    name: str = "someone-else.test."

    def spoil(self, answer: Answer, query: Query) -> Answer | None:
        """Mark the answer."""
        return replace(answer, question=self.name)


@dataclass(frozen=True, slots=True)
class Chop:
    """Cut the last octets off the answer, in the midst of its last record."""

    octets: int = 3

    def spoil(self, answer: Answer, query: Query) -> Answer | None:
        """Mark the answer."""
        return replace(answer, chopped=self.octets)


@dataclass(frozen=True, slots=True)
class Bogus:
    """Be a resolver that validates, before a zone whose signatures do not fit.

    SERVFAIL, but for who sets CD the data, with the extended error 6 in either case (RFC 4035
    section 5.5, RFC 8914).
    """

    def spoil(self, answer: Answer, query: Query) -> Answer | None:
        """Withhold what does not validate."""
        return replace(answer if query.unchecked else Answer("SERVFAIL"), extended=6)


@dataclass(frozen=True, slots=True)
class Glue:
    """Add records that were not asked for to the answer, lines like a zone's."""

    records: tuple[str, ...]

    def spoil(self, answer: Answer, query: Query) -> Answer | None:
        """Fill the additional section."""
        return replace(answer, additional=self.records)


def _with_ttl(line: str, ttl: int) -> str:
    name, rest = line.split(" ", 1)
    return f"{name} {ttl} {rest}"


@dataclass(frozen=True, slots=True)
class Spoiled:
    """A fault and the question it is for; name relative, `*` for any name or type."""

    fault: Fault
    name: str
    qtype: str

    def covers(self, name: str, qtype: str) -> bool:
        """Whether the question (relative name) meets this fault."""
        return self.name in ("*", name) and self.qtype in ("*", qtype)


@dataclass(frozen=True, slots=True)
class Zone:
    """Honest records of the scenario's domain, and the faults on them.

    A line is `name TYPE rdata`, names relative, `@` the domain, `{mx1}` an address.
    """

    records: tuple[str, ...]
    faults: tuple[Spoiled, ...] = ()

    def but(self, fault: Fault, name: str = "*", qtype: str = "*") -> "Zone":
        """The same zone, with a fault on one question."""
        return Zone(self.records, (*self.faults, Spoiled(fault, name, qtype)))


class Gone(StrEnum):
    """How a name server is gone that answers nobody, whatever the question."""

    CLOSED = "closed"
    """Nobody listens: the kernel says so by ICMP port unreachable, over TCP by RST."""
    SILENT = "silent"
    """It hears every question, over UDP and TCP, and answers none."""


@dataclass(frozen=True, slots=True)
class Outage:
    """The only name server is gone before the mail is handed in, and back after its first attempt.

    `orders` is how often the agent is told to try again meanwhile, one attempt after the other.
    """

    gone: Gone
    orders: int = 0
