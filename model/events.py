"""What was seen of one scenario, in time order. `at` is in seconds since its launch."""

from dataclasses import dataclass

from model.dns import Gone
from model.report import Report
from model.shortage import Shortage
from model.smtp import Stage
from model.tls import Flaw

FALLS_SILENT = "* falls silent"
"""What a host did that says nothing more and keeps the connection open."""
STOPS_READING = "* stops reading"
"""What a host did that takes nothing more of the body; how much it had taken stands behind it."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """A message was handed to the agent and accepted by it."""

    at: float
    queue_id: str


@dataclass(frozen=True, slots=True)
class Declined:
    """The agent did not take a message at its own door; `reply` is what it said.

    `recipients` are those of the message; none named: all there are.
    """

    at: float
    reply: str
    recipients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Changed:
    """The world was changed, as the scenario has it."""

    at: float


@dataclass(frozen=True, slots=True)
class Asked:
    """A DNS question and what was answered; `spoiled` if a fault had its hand in it."""

    at: float
    name: str
    qtype: str
    transport: str
    answer: str
    spoiled: bool


@dataclass(frozen=True, slots=True)
class ResolverGone:
    """The only name server was gone when the scenario began, and in this way."""

    at: float
    gone: Gone


@dataclass(frozen=True, slots=True)
class ResolverBack:
    """It answers again."""

    at: float


@dataclass(frozen=True, slots=True)
class Knocked:
    """A SYN to an address of the scenario, seen on the wire (sealed room only); `source`: whence."""

    at: float
    host: str
    ip: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection was accepted. `conn` numbers the connections of one scenario from 1.

    `source` is the address that it came from.
    """

    at: float
    host: str
    conn: int
    source: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """A line from the agent (without CRLF); for the body one event with its length."""

    at: float
    host: str
    conn: int
    stage: Stage | None
    line: str
    tls: bool


@dataclass(frozen=True, slots=True)
class Did:
    """What the host did at a stage: the reply said, or `*` and a deed; spoiled or honest.

    `by` is the filter, where a box in front of the host did it.
    """

    at: float
    host: str
    conn: int
    stage: Stage
    deed: str
    spoiled: bool
    by: str = ""


@dataclass(frozen=True, slots=True)
class Encrypted:
    """TLS was established."""

    at: float
    host: str
    conn: int
    version: str
    cipher: str
    sni: str
    certificate: Flaw = Flaw.VALID
    """What is wrong with the certificate that was shown."""
    client: str = ""
    """The common name in the agent's own certificate, if it showed one and the host trusts it."""
    resumed: bool = False
    """Whether a session of before was taken up again, and no certificate shown anew."""


@dataclass(frozen=True, slots=True)
class TlsFailed:
    """The handshake failed; `error` as the TLS library puts it, the peer's alert included."""

    at: float
    host: str
    conn: int
    error: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The connection ended; `by` is `host`, `agent`, or `box` for one in between."""

    at: float
    host: str
    conn: int
    by: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """A host stored a message; `acknowledged` unless it cut before its 250."""

    at: float
    host: str
    conn: int
    sender: str
    recipients: tuple[str, ...]
    content: bytes
    tls: bool
    acknowledged: bool
    wire: bytes = b""
    """The content as it came over the wire, its dots still doubled, without the final dot."""


@dataclass(frozen=True, slots=True)
class Returned:
    """Mail came back to the scenario's sender (or to an address in its domain)."""

    at: float
    sender: str
    recipients: tuple[str, ...]
    content: bytes


@dataclass(frozen=True, slots=True)
class Reported:
    """The agent said something about a recipient."""

    at: float
    report: Report


@dataclass(frozen=True, slots=True)
class Queued:
    """The agent's queue was read: whether it still holds the message, and for whom."""

    at: float
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Retried:
    """The agent was told to try again now."""

    at: float


@dataclass(frozen=True, slots=True)
class Killed:
    """Every process of the agent is gone, killed; it is about to be started again."""

    at: float


@dataclass(frozen=True, slots=True)
class RanShort:
    """The agent's machine has run short of something."""

    at: float
    of: Shortage


@dataclass(frozen=True, slots=True)
class Supplied:
    """It has enough of it again."""

    at: float


@dataclass(frozen=True, slots=True)
class Elapsed:
    """Time was let pass: `seconds` of age the message has reached by the agent's clock."""

    at: float
    age: float


@dataclass(frozen=True, slots=True)
class Strayed:
    """Something asked or connected where this scenario has nothing."""

    at: float
    what: str


Event = (
    Submitted
    | Declined
    | Changed
    | Asked
    | ResolverGone
    | ResolverBack
    | Knocked
    | Connected
    | Heard
    | Did
    | Encrypted
    | TlsFailed
    | Closed
    | Accepted
    | Returned
    | Reported
    | Queued
    | Retried
    | Killed
    | RanShort
    | Supplied
    | Elapsed
    | Strayed
)


def describe(event: Event) -> str:
    """One line for a person: who did what."""
    match event:
        case Submitted():
            return f"submitted, queue id {event.queue_id or '-'}"
        case Declined():
            return f"not taken by the agent: {event.reply}"
        case Changed():
            return "the world changes"
        case Asked():
            flag = " (spoiled)" if event.spoiled else ""
            return f"DNS  {event.name} {event.qtype}/{event.transport} -> {event.answer}{flag}"
        case ResolverGone():
            return f"DNS  the only name server is gone: {event.gone}"
        case ResolverBack():
            return "DNS  the name server is back"
        case Knocked():
            chosen = event.source not in ("", event.ip)  # the usual one is the address itself
            whence = f" from {event.source}" if chosen else ""
            return f"SYN  {event.host} {event.ip}{whence}"
        case Connected():
            return f"#{event.conn}  {event.host} connected"
        case Heard():
            return f"#{event.conn}  C: {event.line}" + ("" if event.tls else "  [clear]")
        case Did():
            flag = "  (spoiled)" if event.spoiled else ""
            who = f"B: {event.by}: " if event.by else "S: "
            return f"#{event.conn}  {who}{event.deed}{flag}".replace("\n", " | ")
        case Encrypted():
            more = "" if event.certificate is Flaw.VALID else f", certificate {event.certificate}"
            more += f", client {event.client}" if event.client else ""
            more += ", a session taken up again" if event.resumed else ""
            return f"#{event.conn}  ** {event.version} {event.cipher}, SNI {event.sni or '-'}{more}"
        case TlsFailed():
            return f"#{event.conn}  ** handshake failed: {event.error}"
        case Closed():
            return f"#{event.conn}  {event.host} closed by {event.by}"
        case Accepted():
            word = "" if event.acknowledged else ", never acknowledged"
            return f"#{event.conn}  {event.host} stored {len(event.content)} octets{word}"
        case Returned():
            return f"NDR  from <{event.sender}> to {', '.join(event.recipients)}"
        case Reported():
            return f"says {event.report}: {event.report.text}"
        case Queued():
            return "queue holds " + (", ".join(event.recipients) or "nothing")
        case Retried():
            return "told to try again"
        case Killed():
            return "the agent is killed, and started again"
        case RanShort():
            return f"the agent's machine runs short: {event.of}"
        case Supplied():
            return "the agent's machine has enough again"
        case Elapsed():
            return f"time passes: the message is {event.age / 3600:.2f} h old"
        case Strayed():
            return f"STRAY {event.what}"
