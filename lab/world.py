"""The little internet of one lab: DNS, mail hosts, what is out of reach, and the sink.

Theory of operation
-------------------
States: made -> open (every scenario's hosts listen, every zone is served) -> closed. The world
is opened once, with all scenarios, and does not change afterwards: what changes in it is what the
behaviours and faults decide. Every connection in it belongs to one scenario by its address;
one that does not is a stray.
"""

import itertools
import ssl
from collections.abc import Callable, Sequence

from fakes.dns import Nameserver
from fakes.pki import Pki
from fakes.raw import RawHost
from fakes.reach import Reaches
from fakes.sink import Sink
from fakes.smtp import MailHost
from lab.journal import Journal
from lab.plan import HOME, Placed, sink_address
from lab.room import Room
from model.events import Knocked
from model.scenario import Host, Reach
from model.tls import Flaw


class World:
    """Everything that the agent can ask or reach in a room."""

    def __init__(self, room: Room, network: str, pki: Pki, dns_timeout: float) -> None:
        """`network` is where the hosts get their addresses, `dns_timeout` the agent's own."""
        self.room, self.journal = room, Journal()
        self.dns = Nameserver(self.journal, dns_timeout)
        self._sink_ip = sink_address(network)
        self._pki = pki
        self._hosts: list[MailHost] = []
        self._by_ip: dict[str, tuple[str, str]] = {}
        self._syns: set[tuple[str, int]] = set()
        self._reaches: Reaches | None = None

    async def open(self, placed: Sequence[Placed]) -> None:
        """Serve every scenario. Raises OSError if an address is taken."""
        await self.dns.start(*self.room.dns)
        self._reaches = Reaches(sealed=self.room.sealed, on_syn=self._on_syn)
        self.dns.fixed(HOME, ("@ A " + self._sink_ip, "mx A " + self._sink_ip))
        self.dns.fixed("agent.test", ("@ A 127.0.0.1",))
        await self._open(self._sink())
        for one in placed:
            await self._open_scenario(one, self._reaches)

    async def close(self) -> None:
        """Free every address and drop every connection."""
        for host in self._hosts:
            await host.close()
        if self._reaches is not None:
            await self._reaches.close()
        await self.dns.stop()

    async def _open_scenario(self, one: Placed, reaches: Reaches) -> None:
        scenario, placement = one.scenario, one.placement
        addresses = {name: ip for name, (_, ip) in placement.hosts.items()}
        self.dns.host(placement.domain, scenario.records, addresses, scenario.label)
        self.dns.home(placement.home, f"mx.{HOME}", self._sink_ip, scenario.label)
        number = itertools.count(1).__next__
        for host in scenario.hosts:
            ip = addresses[host.name]
            self._by_ip[ip] = (scenario.label, host.name)
            if host.reach is Reach.UP:
                await self._open(self._host(one, host, number))
            else:
                await reaches.block(ip, placement.port, host.reach)

    async def _open(self, host: MailHost) -> None:
        await host.open()
        self._hosts.append(host)

    def _host(self, one: Placed, host: Host, next_conn: Callable[[], int]) -> MailHost:
        fqdn, ip = one.placement.hosts[host.name]
        return (RawHost if host.script else MailHost)(
            witness=self.journal,
            label=one.scenario.label,
            name=host.name,
            fqdn=fqdn,
            ip=ip,
            port=one.placement.port,
            context=self._context(host.certificate, fqdn),
            behaviours=host.behaviours,
            script=host.script,
            domain=one.placement.domain,
            next_conn=next_conn,
        )

    def _sink(self) -> Sink:
        name = f"mx.{HOME}"
        return Sink(
            witness=self.journal,
            label="",
            name="sink",
            fqdn=name,
            ip=self._sink_ip,
            port=self.room.smtp_port,
            context=self._context(Flaw.VALID, name),
            label_of=lambda domain: domain.removesuffix(f".{HOME}"),
        )

    def _context(self, flaw: Flaw, name: str) -> Callable[[], ssl.SSLContext]:
        return lambda: self._pki.context(flaw, (name,))

    def _on_syn(self, source: str, port: int, ip: str, to_port: int) -> None:
        """Somebody wants to connect: to a scenario's host, to the sink, or where nobody lives."""
        if (where := self._by_ip.get(ip)) is None:
            theirs = ip == self._sink_ip or ip.startswith("127.")  # loopback: the agent's own door
            if to_port == self.room.smtp_port and not theirs:
                self.journal.strayed(f"a connection to {ip}:{to_port}, where nobody lives")
        elif (ip, port) not in self._syns:  # else the kernel sends it again
            self._syns.add((ip, port))
            label, host = where
            self.journal.saw(label, Knocked(self.journal.elapsed(label), host, ip))
