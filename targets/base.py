"""The contract between the lab and a delivery agent.

Theory of operation
-------------------
An adapter is synchronous. The lab makes one, `start`s it in a room with every route it will
ever need, and then calls `submit`, `queue`, `retry` and `pass_time` from worker threads while
another thread iterates over `reports`. `stop` ends the agent; `reports` then ends too.

States: made -> started [-> killed -> started]* -> stopped. Only the lab moves an adapter from one
to the next. Between `kill` and `start_again` nothing else is called, and `reports` goes on.
What holds always: an adapter judges nothing, and it reports only what the agent itself said.
"""

import contextlib
import importlib
import smtplib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from lab.room import Room, Unavailable
from model.report import Report
from model.schedule import Schedule
from model.timers import Timers
from model.tls import Tls
from model.wishes import Wishes

BATCH = 2
"""Recipients of one copy on a route that reuses connections."""
TOGETHER = 100
"""Commands that a door is sent at once; their replies are few enough for any buffer."""
CLOSING = 221
"""The reply to QUIT."""


class NotTaken(Exception):
    """The agent refused a message at its own door; the message of this is what it replied."""


class Capability(StrEnum):
    """What an agent can do beyond delivering mail by MX; lacking one makes scenarios unsupported."""

    SMART_HOSTS = "smart-hosts"
    """Routes a domain to named hosts."""
    TLS_PER_ROUTE = "tls-per-route"
    """Has the four TLS settings, each per route."""
    PASS_TIME = "pass-time"
    """Has a clock that can be moved, where `Timers.moves` says so; otherwise lifetimes are shortened."""
    REUSES_CONNECTIONS = "reuses-connections"
    """Sends mail in small batches over one connection, and does so on chosen routes only."""
    CHECKS_REVOCATION = "checks-revocation"
    """Looks whether a certificate has been revoked, where it checks the chain."""
    TAKES_WISHES = "takes-wishes"
    """Has the DSN extension at its own door (RFC 3461): NOTIFY, RET, ENVID, ORCPT."""
    RESTARTS = "restarts"
    """Can be killed at any moment, and started again on the same queue."""
    REROUTES = "reroutes"
    """Takes changed routes while it runs, for mail that waits already."""
    CLIENT_CERTIFICATES = "client-certificates"
    """Shows a certificate of its own to hosts that ask for one, another on each route."""
    SOURCE_PER_ROUTE = "source-per-route"
    """Connects from an address that is chosen per route, and from that one only."""
    FALLBACK_RELAY = "fallback-relay"
    """Hands what no regular host of a route would take for now to a relay, per route."""
    PROXY = "proxy"
    """Makes a route's connections by a SOCKS proxy (RFC 1928)."""
    TAKES_HALVES = "takes-halves"
    """Has a door at which a message can be left half handed in."""
    SCHEDULE = "schedule"
    """Says by which schedule it tries again, and keeps to it where `Timers.retry` is 0."""
    SPOOL_OF_ITS_OWN = "spool-of-its-own"
    """Keeps its queue in one folder, which may be the root of a file system, and be there already."""


@dataclass(frozen=True, slots=True)
class Route:
    """How mail for one recipient domain leaves, in absolute names.

    `smart_hosts` are host names, or addresses in brackets; none: by MX. `tls_domain` is the name
    to look for in the certificate under Tls.DOMAIN. `lifetime` is in seconds of the agent's clock.
    `enabled` is the connector's switch; what is left of one that is off is `in_force`. Where it
    `reuses` connections, a message goes to at most BATCH recipients at a time, and its next copy
    over the same connection as long as that holds. `certificate_file` and `key_file` (PEM) are what
    the agent shows of itself; empty: nothing. It connects from the address `source`, from no other if
    it has not that one; empty: from whichever the system takes. `fallback` are named as smart hosts
    are, and asked when none of the regular hosts has taken the mail, nor refused it for good. `proxy` is
    the address of a SOCKS proxy that all connections are made by, at the port that mail hosts have;
    empty: none.
    """

    domain: str
    smart_hosts: tuple[str, ...]
    tls: Tls
    tls_domain: str
    lifetime: float
    enabled: bool = True
    reuses: bool = False
    certificate_file: str = ""
    key_file: str = ""
    source: str = ""
    fallback: tuple[str, ...] = ()
    proxy: str = ""

    @property
    def in_force(self) -> "Route":
        """The route as mail takes it: if the connector is off, by MX with opportunistic TLS."""
        if self.enabled:
            return self
        off = replace(self, smart_hosts=(), tls=Tls.NONE, fallback=(), proxy="")
        return replace(off, certificate_file="", key_file="", source="")


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message as handed in: sender (empty: null), recipients, content with CRLF line ends.

    `wishes` are what the sender wants to be told, of every recipient alike.
    """

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    wishes: Wishes = field(default_factory=Wishes)


@dataclass(frozen=True, slots=True)
class InQueue:
    """What the queue holds of one message: its id and the recipients still waiting."""

    queue_id: str
    recipients: tuple[str, ...]


class Target(Protocol):
    """A delivery agent."""

    name: str
    dialect: str
    """The dialect it is held to unless the run says otherwise."""
    capabilities: frozenset[Capability]
    spool: str
    """The folder of its queue below the room's `work` (capability SPOOL_OF_ITS_OWN)."""
    schedule: Schedule
    """By what its documents say it tries again (capability SCHEDULE)."""
    needs_sealed: bool
    """Whether it runs in the sealed room only."""

    def check(self) -> None:
        """Raise Unavailable, with the package to install, if the agent is not on this machine."""

    def version(self) -> str:
        """The agent's own version, for the report and for deviations."""

    def start(self, room: Room, timers: Timers, routes: Sequence[Route]) -> None:
        """Start the agent and return when it takes mail. Raises AgentDied if it will not."""

    def submit(self, envelope: Envelope) -> str:
        """Hand in a message by the agent's own door; its queue id, as far as it tells one.

        Raises NotTaken if the agent refuses it, AgentDied if it does not answer.
        """

    def begin(self, envelope: Envelope) -> None:
        """Hand in the first half of a message, and no more until the agent is killed (TAKES_HALVES).

        Raises NotTaken, AgentDied.
        """

    def reports(self) -> Iterator[Report]:
        """Every statement about a recipient, as the agent makes it; ends when the agent does."""

    def queue(self) -> Sequence[InQueue]:
        """What waits in the queue now."""

    def retry(self, *queue_ids: str) -> None:
        """Make the agent try these messages again now, as its administrator would."""

    def pass_time(self, seconds: float) -> None:
        """Let the agent's clock run ahead (capability PASS_TIME) and wait for nothing.

        Then what is due by the agent's own schedule is tried, as its own timers would see to if
        the time had truly passed; what is not due is left alone.
        """

    def kill(self) -> None:
        """Kill every process of the agent with SIGKILL, and return when they are gone (RESTARTS)."""

    def start_again(self) -> None:
        """Start the agent on the queue that it left, and return when it takes mail (RESTARTS).

        Raises AgentDied if it will not.
        """

    def reroute(self, routes: Sequence[Route]) -> None:
        """Have mail take these routes from now on, all there are, without a restart (REROUTES).

        What waits already goes the new way at its next attempt.
        """

    def stop(self) -> None:
        """End the agent."""


CONTRACT = sorted(
    {*Target.__annotations__, *(name for name in vars(Target) if not name.startswith("_"))}
)
"""What an adapter must have."""
ONLY_WITH = {
    "pass_time": Capability.PASS_TIME,
    "begin": Capability.TAKES_HALVES,
    "kill": Capability.RESTARTS,
    "start_again": Capability.RESTARTS,
    "reroute": Capability.REROUTES,
    "spool": Capability.SPOOL_OF_ITS_OWN,
    "schedule": Capability.SCHEDULE,
}
"""What it must have only if it says that it can do so."""


def load(name: str) -> Target:
    """The adapter for a target's name, or for `module:Class`.

    Raises Unavailable if there is none of that name, or it is no adapter.
    """
    module, _, cls = name.partition(":")
    if not cls:
        module, cls = f"targets.{name}.adapter", "Adapter"
        if not (Path(__file__).parent / name / "adapter.py").is_file():
            raise Unavailable(
                f"there is no target {name!r}; known are {', '.join(names())}, "
                "or give your own adapter as module:Class"
            )
    try:
        made: Target = getattr(importlib.import_module(module), cls)()
    except Exception as error:  # whatever somebody's own module may raise
        raise Unavailable(
            f"the target {name!r} cannot be loaded ({type(error).__name__}: {error}); "
            "give module:Class of an adapter that can be imported from here"
        ) from error
    if lacks := lacking(made):
        raise Unavailable(
            f"the target {name!r} is no adapter: it has no {', '.join(lacks)}; see targets/base.py"
        )
    return made


def lacking(made: Target) -> list[str]:
    """The parts of the contract that an adapter has not."""
    parts = [part for part in CONTRACT if not hasattr(made, part)]
    can: frozenset[Capability] = getattr(made, "capabilities", frozenset())
    return [part for part in parts if ONLY_WITH.get(part) in can or part not in ONLY_WITH]


def names() -> list[str]:
    """The names of the targets that come with the project."""
    here = Path(__file__).parent
    return sorted(folder.parent.name for folder in here.glob("*/adapter.py"))


def submit_by_smtp(host: str, port: int, envelope: Envelope, timeout: float) -> str:
    """Hand a message in over SMTP, for agents whose door is a port; the text after the 250.

    The content goes over the wire as it is, its dots doubled after CRLF (RFC 5321 section 4.5.2)
    and nowhere else; smtplib's own `data` would mend its line ends. A door that sees the end of
    the message before its end takes the rest for commands: what it says of them is waited for, so
    that all that it makes of the message has been made. Raises NotTaken, OSError.
    """
    client = smtplib.SMTP(host, port, local_hostname="submitter.test", timeout=timeout)
    try:
        _announce(client, envelope)
        client.send(on_the_wire(envelope.content))
        answer = client.getreply()
        _leave(client)
        return _heed(answer)
    finally:
        client.close()


def begin_by_smtp(host: str, port: int, envelope: Envelope, timeout: float) -> smtplib.SMTP:
    """Hand in the first half of a message's octets; the connection, to be closed by the caller.

    Raises NotTaken, OSError.
    """
    client = smtplib.SMTP(host, port, local_hostname="submitter.test", timeout=timeout)
    _announce(client, envelope)
    octets = on_the_wire(envelope.content)
    client.send(octets[: len(octets) // 2])
    return client


def _announce(client: smtplib.SMTP, envelope: Envelope) -> None:
    """Say all that comes before the content."""
    client.command_encoding = "utf-8"
    client.ehlo_or_helo_if_needed()
    _heed(client.mail(envelope.sender, _parameters(client, envelope)))
    _name(client, envelope)
    _heed(client.docmd("DATA"), 354)


def _name(client: smtplib.SMTP, envelope: Envelope) -> None:
    """Name the recipients, some at a time where the door takes several commands at once (RFC 2920)."""
    asked = "".join(f" {word}" for word in envelope.wishes.for_rcpt())
    some = TOGETHER if client.has_extn("PIPELINING") else 1
    for at in range(0, len(envelope.recipients), some):
        names = envelope.recipients[at : at + some]
        client.send("".join(f"RCPT TO:<{name}>{asked}\r\n" for name in names).encode())
        for _ in names:
            _heed(client.getreply())


def _parameters(client: smtplib.SMTP, envelope: Envelope) -> list[str]:
    """What MAIL must announce: the eighth bit in addresses (RFC 6531) and content (RFC 6152)."""
    odd = not all(address.isascii() for address in (envelope.sender, *envelope.recipients))
    if odd and not client.has_extn("SMTPUTF8"):
        raise NotTaken("it does not offer SMTPUTF8")
    eight = client.has_extn("8BITMIME") and (odd or not envelope.content.isascii())
    wishes = envelope.wishes
    if wishes != Wishes() and not client.has_extn("DSN"):
        raise NotTaken("it does not offer DSN")
    return ["SMTPUTF8"] * odd + ["BODY=8BITMIME"] * eight + wishes.for_mail()


def _leave(client: smtplib.SMTP) -> None:
    """Say QUIT, and hear everything up to its 221."""
    with contextlib.suppress(OSError):  # smtplib's errors are, too
        client.putcmd("quit")
        while client.getreply()[0] != CLOSING:
            continue


def on_the_wire(content: bytes) -> bytes:
    """Content with its dots doubled and the final dot behind it (RFC 5321 section 4.5.2)."""
    body = content if content.endswith(b"\r\n") or not content else content + b"\r\n"
    dotted = body.replace(b"\r\n.", b"\r\n..")
    return (b"." if dotted.startswith(b".") else b"") + dotted + b".\r\n"


def _heed(answer: tuple[int, bytes], wanted: int = 250) -> str:
    code, reply = answer
    if code not in (wanted, 251):
        raise NotTaken(f"{code} {reply.decode('ascii', 'replace')}")
    return reply.decode("ascii", "replace")
