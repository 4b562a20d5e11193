"""A scenario: one failure, or one healthy case, as data in relative names."""

from dataclasses import dataclass, field
from enum import StrEnum

from model.dns import Zone
from model.expect import Delivers, Expectation
from model.rule import Rule
from model.smtp import Action, Behaviour
from model.tls import Flaw, Tls

HOUR = 3600.0
"""Seconds."""


class Reach(StrEnum):
    """What becomes of a connection to a host's address."""

    UP = "up"
    REFUSED = "refused"
    """A RST from a closed port."""
    SILENT = "silent"
    """The SYN is dropped."""
    UNREACHABLE = "unreachable"
    """ICMP host unreachable (in the open room: no route)."""
    PROHIBITED = "prohibited"
    """ICMP communication administratively prohibited; needs the sealed room."""


@dataclass(frozen=True, slots=True)
class Host:
    """A mail host: a relative name, whether it can be reached, and how it misbehaves.

    The default is blameless: up, STARTTLS offered, a valid certificate for its own name.
    """

    name: str = "mx1"
    behaviours: tuple[Behaviour, ...] = ()
    reach: Reach = Reach.UP
    certificate: Flaw = Flaw.VALID
    script: tuple[Action, ...] = ()
    """Played octet by octet instead of SMTP: the first action at once, one more per line heard."""


@dataclass(frozen=True, slots=True)
class Connector:
    """How mail for the scenario's domain leaves, in Exchange's words and relative names.

    No smart hosts: the MX record is used. A smart host in brackets is the address of the host
    of that name, so nothing is asked of DNS. `tls_domain` is TlsDomain, below the scenario's
    own domain; empty: the first host's name. `lifetime` is in seconds; None: the dialect's.
    A connector that is not `enabled` is as good as none: mail goes by MX.
    """

    smart_hosts: tuple[str, ...] = ()
    tls: Tls = Tls.NONE
    tls_domain: str = ""
    lifetime: float | None = None
    enabled: bool = True

    @property
    def demands(self) -> Tls:
        """The TLS setting in force."""
        return self.tls if self.enabled else Tls.NONE

    @property
    def way(self) -> tuple[str, ...]:
        """The smart hosts in force."""
        return self.smart_hosts if self.enabled else ()


@dataclass(frozen=True, slots=True)
class Mail:
    """The message submitted: its recipients' local parts, its size, and its sender."""

    recipients: tuple[str, ...] = ("user",)
    octets: int = 600
    """Roughly how long the body is."""
    null_sender: bool = False


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
        """The zone; where none is given, the obvious one: every host an MX with its address."""
        if self.zone is not None:
            return self.zone
        mx = tuple(f"@ MX {10 * n} {h.name}" for n, h in enumerate(self.hosts, 1))
        return Zone((*mx, *(f"{h.name} A {{{h.name}}}" for h in self.hosts)))

    def host(self, name: str) -> Host:
        """The host of that relative name; KeyError if there is none."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise KeyError(name)
