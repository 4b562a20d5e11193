"""Where each scenario is put: its domains, its addresses, its route, its message.

A pure function of the scenarios, the room's networks and its port. The scenario's id is its
domain, so `grep connect-refused` finds it in any log.
"""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from fakes import own_certificate
from fakes.reach import NO_WAY, NOWHERE
from lab.room import Room
from lab.sealed import NETWORK6
from model.scenario import Connector, Family, Scenario, Source
from model.trace import Placement
from targets.base import Envelope, Route

PLAIN = ("MIME-Version: 1.0", "Content-Type: text/plain; charset=us-ascii")
"""Header fields of a message whose scenario has none of its own."""
HOME = "home.test"
"""The domain below which every scenario's sender lives."""
NOBODYS = "203.0.113.9"
"""An address for documentation (RFC 5737): no machine has it."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A scenario with its place and its route; its messages are written when they are asked for.

    `inner` are the addresses that hosts behind a box have, by relative name; nobody else may know.
    `certificates` is the folder of the agent's own.
    """

    scenario: Scenario
    placement: Placement
    route: Route
    inner: Mapping[str, str]
    certificates: Path

    @property
    def addressed(self) -> tuple[str, ...]:
        """The recipients of the messages, in their order."""
        return self.placement.recipients[: -1 if self.scenario.mail.meanwhile else None]

    @property
    def envelopes(self) -> tuple[Envelope, ...]:
        """The messages, the same each time; not kept, since large ones add up."""
        left = iter(self.placement.recipients)
        return tuple(
            _envelope(self.scenario, self.placement, tuple(islice(left, len(names))))
            for names in self.scenario.mail.envelopes
        )

    @property
    def meanwhile(self) -> Envelope | None:
        """The message that is handed in while the agent's disk has no room."""
        if not self.scenario.mail.meanwhile:
            return None
        return _envelope(self.scenario, self.placement, self.placement.recipients[-1:])

    def route_by(self, connector: Connector) -> Route:
        """The route that mail takes by another connector; its lifetime stays."""
        lifetime = self.route.lifetime
        return _route(self.scenario, connector, self.placement, lifetime, self.certificates)


def place_all(
    scenarios: Sequence[Scenario],
    room: Room,
    network: str,
    lifetimes: Mapping[str, float],
) -> list[Placed]:
    """Place every scenario; `lifetimes` gives each id's lifetime by the agent's clock."""
    addresses = {Family.IPV4: _addresses(network), Family.IPV6: _addresses(NETWORK6)}
    own = sources(network)
    return [_place(s, addresses, own, room, lifetimes[s.id]) for s in scenarios]


def sink_address(network: str) -> str:
    """Where returned mail goes: the same in every room of the network."""
    return str(ipaddress.ip_network(network)[25])


def sources(network: str) -> dict[Source, str]:
    """The addresses that mail may be told to come from, the same in every room of the network."""
    net = ipaddress.ip_network(network)
    return {Source.FIRST: str(net[26]), Source.SECOND: str(net[27]), Source.ABSENT: NOBODYS}


def certificates(room: Room) -> Path:
    """The folder of the agent's own certificates."""
    return room.work / "certificates"


def _addresses(network: str) -> Iterator[str]:
    net = ipaddress.ip_network(network)
    return (str(net[number]) for number in range(256, net.num_addresses - 1))


def _place(
    scenario: Scenario,
    addresses: Mapping[Family, Iterator[str]],
    own: Mapping[Source, str],
    room: Room,
    lifetime: float,
) -> Placed:
    domain = f"{scenario.label}.test"
    home = f"{scenario.label}.{HOME}"
    hosts = {}
    for host in scenario.hosts:
        away = host.reach in NO_WAY and not room.sealed
        ip = NOWHERE if away else next(addresses[host.family])
        hosts[host.name] = (f"{host.name}.{domain}", ip)
    addresses_of = {name: ip for name, (_, ip) in hosts.items()}
    at = "@" + scenario.mail.domain.format(domain=domain, **addresses_of)
    placement = Placement(
        domain=domain,
        home=home,
        sender="" if scenario.mail.null_sender else f"{scenario.mail.sender}@{home}",
        recipients=tuple(
            f"{name}.{domain}" if name == scenario.mail.last else name + at
            for each in scenario.mail.envelopes
            for name in each
        )
        + tuple(name + at for name in filter(None, [scenario.mail.meanwhile])),
        hosts=hosts,
        port=room.smtp_port,
        sources=own,
    )
    boxed = {host.name: host.family for host in scenario.all_hosts if host.box}
    inner = {name: next(addresses[family]) for name, family in boxed.items()}
    folder = certificates(room)
    route = _route(scenario, scenario.connector, placement, lifetime, folder)
    return Placed(scenario, placement, route, inner, folder)


def _route(
    scenario: Scenario,
    connector: Connector,
    placement: Placement,
    lifetime: float,
    folder: Path,
) -> Route:
    first = scenario.hosts[0].name
    certificate, key = own_certificate.paths(folder, connector.own_certificate)
    return Route(
        domain=placement.domain,
        smart_hosts=tuple(_next_hop(host, placement) for host in connector.smart_hosts),
        tls=connector.tls,
        tls_domain=f"{connector.tls_domain or first}.{placement.domain}",
        lifetime=lifetime,
        enabled=connector.enabled,
        reuses=connector.reuses,
        certificate_file=certificate,
        key_file=key,
        source=placement.sources.get(connector.source, ""),
        fallback=tuple(_next_hop(relay, placement) for relay in connector.fallback),
        proxy=placement.hosts[connector.proxy][1] if connector.proxy else "",
    )


def _next_hop(name: str, placement: Placement) -> str:
    if name.startswith("["):
        return f"[{placement.hosts[name.strip('[]')][1]}]"
    return f"{name}.{placement.domain}"


def _envelope(scenario: Scenario, placement: Placement, recipients: tuple[str, ...]) -> Envelope:
    wishes = scenario.mail.wishes
    asked = replace(wishes, orcpt=wishes.orcpt.format(domain=placement.domain))
    content = _message(scenario, placement, recipients[0])
    return Envelope(placement.sender, recipients, content, asked)


def _message(scenario: Scenario, placement: Placement, recipient: str) -> bytes:
    """The message, CRLF line ends; every tenth line begins with a dot (RFC 5321 section 4.5.2)."""
    if scenario.mail.whole is not None:
        return _filled(scenario.mail.whole, placement)
    serial = recipient.partition("@")[0].rpartition("-")[2]
    mail = scenario.mail
    number = f".{serial}" if mail.messages > 1 or mail.last or mail.meanwhile else ""
    head = [
        f"From: Sender <{scenario.mail.sender}@{placement.home}>",
        f"To: <{recipient}>",
        f"Subject: {scenario.id}",
        "Date: Fri, 01 Mar 2019 12:00:00 +0000",
        f"Message-ID: <{scenario.label}{number}@{placement.home}>",
        *scenario.mail.headers,
        *(() if scenario.mail.headers else PLAIN),
        "",
    ]
    if scenario.mail.body is not None:
        return _filled("\r\n".join([*head, ""]).encode() + scenario.mail.body, placement)
    line = f"{scenario.id} carries this line, and nobody on its way may change a letter."
    count = max(3, scenario.mail.octets // (len(line) + 6))
    body = [f"{'.' * (n % 10 == 0)}{n:04d} {line}" for n in range(count)]
    return _filled("\r\n".join([*head, *body, ""]).encode(), placement)


def _filled(content: bytes, placement: Placement) -> bytes:
    """A message with the recipients' domain in its place."""
    return content.replace(b"{domain}", placement.domain.encode())
