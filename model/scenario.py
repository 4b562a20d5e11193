"""A scenario: one failure, or one healthy case, as data in relative names."""

from dataclasses import dataclass, field
from enum import StrEnum

from model.dns import Outage, Zone
from model.expect import Delivers, Expectation, expires
from model.middlebox import Box
from model.rule import Rule
from model.shortage import Shortage
from model.smtp import Action, Behaviour, Stage
from model.socks import Socks
from model.tls import Flaw, Handshake, OwnCertificate, Tls
from model.wishes import Wishes

HOUR = 3600.0
"""Seconds."""
MANY_OCTETS, MANY_RECIPIENTS = 20_000_000, 10_000
"""From these on a message takes an agent minutes."""


class Family(StrEnum):
    """Which internet protocol a host is reached by."""

    IPV4 = "ipv4"
    IPV6 = "ipv6"
    """Needs the sealed room, and a kernel that has it."""

    @property
    def qtype(self) -> str:
        """The type of its address records."""
        return "AAAA" if self is Family.IPV6 else "A"


class Reach(StrEnum):
    """What becomes of a connection to a host's address."""

    UP = "up"
    REFUSED = "refused"
    """A RST from a closed port."""
    SILENT = "silent"
    """The SYN is dropped."""
    BACKLOG = "backlog"
    """The host listens and never accepts, and its queue is full."""
    UNREACHABLE = "unreachable"
    """ICMP host unreachable (in the open room: no route)."""
    NET_UNREACHABLE = "net-unreachable"
    """ICMP net unreachable (in the open room: no route)."""
    PORT_UNREACHABLE = "port-unreachable"
    """ICMP port unreachable, a packet filter's plain REJECT; needs the sealed room."""
    PROHIBITED = "prohibited"
    """ICMP communication administratively prohibited; needs the sealed room."""
    NET_PROHIBITED = "net-prohibited"
    """ICMP network administratively prohibited; needs the sealed room."""


class Source(StrEnum):
    """The address of its own that the agent connects from (Set-SendConnector, SourceIPAddress)."""

    USUAL = "usual"
    """Whichever the system takes."""
    FIRST = "first"
    SECOND = "second"
    """Two addresses that the machine has."""
    ABSENT = "absent"
    """An address that it has not: a network card that was taken out, a container that has moved."""


@dataclass(frozen=True, slots=True)
class Host:
    """A mail host: a relative name, whether it can be reached, and how it misbehaves.

    The default is blameless: up, STARTTLS offered, a valid certificate for its own name.
    """

    name: str = "mx1"
    behaviours: tuple[Behaviour, ...] = ()
    reach: Reach = Reach.UP
    certificate: Flaw = Flaw.VALID
    handshake: Handshake = Handshake.USUAL
    script: tuple[Action, ...] = ()
    """Played octet by octet instead of SMTP: the first action at once, one more per line heard."""
    family: Family = Family.IPV4
    swallows: int = 0
    """Octets beyond which a TCP segment vanishes on its way to the host, and no ICMP message says
    so: a black hole of path MTU discovery (RFC 2923 section 2.1). 0: none does."""
    bars: Source | None = None
    """Whom a firewall turns away, by ICMP (administratively prohibited): who comes from this address,
    and nobody else. Needs the sealed room."""
    box: Box | None = None
    """What stands in front of it and reads along; not in front of a script."""
    socks: Socks | None = None
    """Not None: it is no mail host but a SOCKS proxy, at the same port as they are."""


@dataclass(frozen=True, slots=True)
class Connector:
    """How mail for the scenario's domain leaves, in Exchange's words and relative names.

    No smart hosts: the MX record is used. A smart host in brackets is the address of the host
    of that name, so nothing is asked of DNS. `tls_domain` is TlsDomain, below the scenario's
    own domain; empty: the first host's name. `lifetime` is in seconds; None: the dialect's.
    A connector that is not `enabled` is as good as none: mail goes by MX. One that `reuses` its
    connections sends a message for more than two recipients in several copies, two recipients
    each, one after the other over one connection; that way agents reuse one whenever asked.
    `own_certificate` is shown to hosts that ask for one; mail comes from the address `source` and, if it
    cannot be had, from no other.
    `fallback` are relays that take what none of the regular hosts would take for now, written as
    smart hosts are. `proxy` is the host that all connections go by; empty: they go to the hosts.
    """

    smart_hosts: tuple[str, ...] = ()
    tls: Tls = Tls.NONE
    tls_domain: str = ""
    lifetime: float | None = None
    enabled: bool = True
    reuses: bool = False
    own_certificate: OwnCertificate = OwnCertificate.NONE
    source: Source = Source.USUAL
    fallback: tuple[str, ...] = ()
    proxy: str = ""

    @property
    def demands(self) -> Tls:
        """The TLS setting in force."""
        return self.tls if self.enabled else Tls.NONE

    @property
    def goes_by(self) -> str:
        """The proxy in force."""
        return self.proxy if self.enabled else ""

    @property
    def way(self) -> tuple[str, ...]:
        """The smart hosts in force."""
        return self.smart_hosts if self.enabled else ()

    @property
    def comes_from(self) -> Source:
        """The source address in force."""
        return self.source if self.enabled else Source.USUAL


class Home(StrEnum):
    """What becomes of mail to the sender."""

    LISTENS = "listens"
    REFUSES = "refuses"
    """Its host says 550 to every recipient."""
    BUSY = "busy"
    """Its host says 451 to every recipient."""
    NOWHERE = "nowhere"
    """Its domain takes no mail: a null MX (RFC 7505)."""


class Alike(StrEnum):
    """How much of a message must arrive as it was sent."""

    OCTETS = "octets"
    """Byte for byte, as RFC 5321 section 2.3.1 has it for lines that end in CRLF."""
    LINES = "lines"
    """Line for line: what does not belong there (bare CR, bare LF, NUL) may be mended.

    RFC 5321 sections 2.3.8 and 4.1.1.4 say what does not, and nothing of how: it may become a
    line end, a blank, or nothing.
    """
    TEXT = "text"
    """Letter for letter: lines may be broken anew, and blanks put in (RFC 5321 section 4.5.3.1.6)."""
    FREE = "free"
    """Documents let the agent convert it, or say nothing."""


@dataclass(frozen=True, slots=True)
class Mail:
    """What is submitted: recipients' local parts, size or body, sender, and how many times.

    `headers` are fields added to the usual ones. `body` is given raw, in octets, where it must be
    odd; else it is made of plain lines, `octets` long. `whole` stands in place of header and body
    both. In all three `{domain}` stands for the recipients' domain. `messages` beyond one are that
    many messages to one recipient each, whose local part gets a number: `user-1`, `user-2`, ...
    `last` is one message more, handed in behind all others; its recipient `user@sub` is at `sub`
    below the domain, for which no connector is meant.
    """

    recipients: tuple[str, ...] = ("user",)
    octets: int = 600
    """Roughly how long the body is."""
    sender: str = "sender"
    """The sender's local part."""
    null_sender: bool = False
    headers: tuple[str, ...] = ()
    body: bytes | None = None
    messages: int = 1
    alike: Alike = Alike.OCTETS
    whole: bytes | None = None
    domain: str = "{domain}"
    """How the recipients' domain is written: `{domain}.` with a dot, `[{mx1}]` as a host's address."""
    wishes: Wishes = field(default_factory=Wishes)
    """What the sender wants to be told; in its `orcpt` `{domain}` stands for the recipients' domain."""
    home: Home = Home.LISTENS
    last: str = ""
    meanwhile: str = ""
    """The recipient of one message more, handed in while the agent's disk has no room; if it is not
    taken, its client comes again when there is room."""

    @property
    def is_large(self) -> bool:
        """Whether an agent is at work on it for minutes; it is run only where that is asked for."""
        return self.octets >= MANY_OCTETS or len(self.recipients) >= MANY_RECIPIENTS

    @property
    def hears(self) -> bool:
        """Whether its sender can and wants to hear of a failure (RFC 3461 section 4.1)."""
        wanted = not self.wishes.notify or "FAILURE" in self.wishes.notify
        return wanted and not self.null_sender and self.home is Home.LISTENS

    @property
    def envelopes(self) -> tuple[tuple[str, ...], ...]:
        """The recipients' local parts, message by message."""
        last = ((self.last,),) if self.last else ()
        if self.messages == 1:
            return (self.recipients, *last)
        numbers = range(1, self.messages + 1)
        numbered = (tuple(f"{name}-{n}" for name in self.recipients) for n in numbers)
        return (*numbered, *last)


class Party(StrEnum):
    """Who must act so that waiting mail can leave."""

    DNS_HOSTER = "DNS hoster"
    NETWORK = "network administrator"
    SERVER = "administrator of the mail server"
    CONNECTOR = "administrator of the connector"


@dataclass(frozen=True, slots=True)
class Remedy:
    """What mends a failure, in a few words, and whose turn it is."""

    words: str
    party: Party


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes different in the world once the first attempt has failed.

    `hosts` take the place of those of the same names, `zone` that of the old zone, `connector` that
    of the old connector, in the running agent. It is carried out after the agent's first report on
    every recipient, before it is told to try again, or at the `Mark` that has it. `remedy` says
    what has been mended by it, where that is its point.
    """

    hosts: tuple[Host, ...] = ()
    zone: Zone | None = None
    connector: Connector | None = None
    remedy: Remedy | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment in the life of waiting mail: the message's age in seconds by the agent's clock.

    The lab lets time pass from mark to mark, all scenarios' marks together. At a mark the world
    changes first, then the clock is moved, and what is due by the agent's own schedule is tried.
    `orders` is how often the agent is then told to try again, one attempt after the other, as an
    impatient administrator would. `tries` says whether there must be an attempt between this mark
    and the next of anybody's, or must not; None: either.
    """

    age: float
    change: Change | None = None
    orders: int = 0
    tries: bool | None = None
    kill: bool = False
    """Whether the agent is killed when all this is over, and started again at once."""


class Kill(StrEnum):
    """When every process of the agent is killed (SIGKILL); it is started again at once."""

    NEVER = "never"
    WAITING = "waiting"
    """When the first attempt has failed, and the mail waits in the queue."""
    BUSY = "busy"
    """In mid-session, when the host has just shown what is odd about it."""
    SUBMITTING = "submitting"
    """In the middle of a submission, with half of the content handed in; its client comes again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One world, what is sent through it, and what the agent must make of it.

    `id` reads `place.flaw[.variant]` and is an API: people write it in deviations and in CI.
    """

    id: str
    title: str
    rule: Rule
    expect: Expectation = field(default_factory=Delivers)
    hosts: tuple[Host, ...] = (Host(),)
    zone: Zone | None = None
    connector: Connector = Connector()
    mail: Mail = Mail()
    change: Change | None = None
    most_connections: int = 0
    """How many connections the first attempt may make in all; 0: any number."""
    fault_at: tuple[Stage, ...] = ()
    """Where the fault is, if the hosts do more than that: at one of these it must have been met."""
    order: tuple[str, ...] = ()
    """The hosts that the first attempt goes to, in this order, and no others; hosts between which
    there is no order stand in one word with a `|` between them. Empty: whatever."""
    spread: tuple[str, ...] = ()
    """Hosts of which each is to take some of the messages."""
    course: tuple[Mark, ...] = ()
    """What happens while the mail waits, in order of age; with it, time is let pass to the end."""
    overtakes: bool = False
    """Whether the message that is handed in last must be through before half of the others are."""
    told: tuple[str, ...] | None = None
    """The notices that come home about each recipient, by their Action, in order; None: whatever."""
    says: tuple[tuple[Stage, str], ...] = ()
    """What the agent must say to a host: a stage, and words that stand in a line of it."""
    unsaid: tuple[tuple[Stage, str], ...] = ()
    """What it must not say."""
    kill: Kill = Kill.NEVER
    outage: Outage | None = None
    """Whether the only name server is gone when the mail comes; in a lab of its own."""
    short_of: Shortage = Shortage.NONE
    intervals: int = 0
    """How many pauses between attempts are held against the agent's own schedule; it keeps that then."""

    @property
    def chapter(self) -> str:
        """The place: the id up to its first dot."""
        return self.id.partition(".")[0]

    @property
    def label(self) -> str:
        """The scenario's DNS label; its domain is `label.test`, so that logs can be searched."""
        return self.id.replace(".", "-")

    @property
    def records(self) -> Zone:
        """The zone; where none is given, the obvious one: every host an MX with its address.

        A fallback relay has an address only, and so has a proxy.
        """
        if self.zone is not None:
            return self.zone
        others = self.connector.fallback
        mail_hosts = [h for h in self.hosts if h.name not in others and h.socks is None]
        mx = tuple(f"@ MX {10 * n} {h.name}" for n, h in enumerate(mail_hosts, 1))
        return Zone((*mx, *(f"{h.name} {h.family.qtype} {{{h.name}}}" for h in self.hosts)))

    @property
    def is_timed(self) -> bool:
        """Whether time must pass by the agent's clock: beyond the first attempts, for hours."""
        return bool(self.course or self.intervals) or expires(self.expect)

    @property
    def is_killed(self) -> bool:
        """Whether the agent is killed on the way."""
        return self.kill is not Kill.NEVER or any(mark.kill for mark in self.course)

    @property
    def own_lifetime(self) -> float | None:
        """Its mail's lifetime in seconds whatever the dialect's is: a course is one of two days."""
        return self.connector.lifetime or (48 * HOUR if self.course or self.intervals else None)

    @property
    def changes(self) -> tuple[Change, ...]:
        """Everything that becomes different, in order."""
        later = tuple(mark.change for mark in self.course if mark.change)
        return (self.change, *later) if self.change else later

    @property
    def remedies(self) -> tuple[Remedy, ...]:
        """What is mended in it, in order."""
        return tuple(change.remedy for change in self.changes if change.remedy)

    @property
    def connectors(self) -> tuple[Connector, ...]:
        """The connector as it is at first, and as it becomes."""
        return (self.connector, *(change.connector for change in self.changes if change.connector))

    @property
    def all_hosts(self) -> tuple[Host, ...]:
        """The hosts as they are at first, and as they become."""
        return (*self.hosts, *(host for change in self.changes for host in change.hosts))

    @property
    def all_zones(self) -> tuple[Zone, ...]:
        """The zone as it is at first, and as it becomes."""
        return (self.records, *(change.zone for change in self.changes if change.zone))

    def host(self, name: str) -> Host:
        """The host of that relative name; KeyError if there is none."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise KeyError(name)
