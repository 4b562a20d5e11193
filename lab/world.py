"""The little internet of one lab: DNS, mail hosts, what is out of reach, and the sink.

Theory of operation
-------------------
States: made -> open (every scenario's hosts listen, every zone is served) -> closed. The world is
opened once, with all scenarios. What changes in it is what the behaviours and faults decide, and,
between two attempts, what a scenario's own `Change` says (`change`). Every connection in it belongs
to one scenario by its address; one that does not is a stray.
"""

import itertools
import ssl
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from fakes import own_certificate
from fakes.dns import Nameserver
from fakes.middlebox import Hidden, Middlebox
from fakes.pki import Pki
from fakes.raw import RawHost
from fakes.reach import Reaches
from fakes.sink import Sink
from fakes.smtp import MailHost
from fakes.socks import SocksProxy
from lab.journal import Journal
from lab.plan import HOME, Placed, certificates, sink_address
from lab.room import Room
from model.address import AGENT
from model.events import Knocked
from model.scenario import Change, Home, Host, Reach
from model.timers import Timers
from model.tls import Flaw

REFUSALS = {
    Home.REFUSES: "550 5.1.1 No such sender here",
    Home.BUSY: "451 4.3.0 Not now",
}
"""What the sink says to mail for a sender who is not at home."""

M = TypeVar("M", bound=MailHost)


class World:
    """Everything that the agent can ask or reach in a room."""

    def __init__(self, room: Room, network: str, pki: Pki, timers: Timers) -> None:
        """`network` is where the hosts get their addresses, `timers` are the agent's own."""
        self.room, self.journal = room, Journal()
        self.dns = Nameserver(self.journal, timers.dns)
        self._sink_ip = sink_address(network)
        self._pki = pki
        self._timers = timers
        self._hosts: dict[str, MailHost | Middlebox] = {}
        self._home: Sink | None = None
        self._refusals: dict[str, str] = {}
        self._next_conn: dict[str, Callable[[], int]] = {}
        self._by_ip: dict[str, tuple[str, str]] = {}
        self._inner: dict[str, str] = {}
        self._proxies: set[tuple[str, str]] = set()
        self._syns: set[tuple[str, int]] = set()
        self._reaches: Reaches | None = None

    async def open(self, placed: Sequence[Placed]) -> None:
        """Serve every scenario, and lay out the agent's certificates.

        Raises OSError if an address is taken.
        """
        own_certificate.write(certificates(self.room), partial(self._pki.client, AGENT))
        await self.dns.start(*self.room.dns)
        self._reaches = Reaches(sealed=self.room.sealed, on_syn=self._on_syn)
        self.dns.fixed(HOME, ("@ A " + self._sink_ip, "mx A " + self._sink_ip))
        self.dns.fixed(AGENT, ("@ A 127.0.0.1",))
        self.dns.fixed("localhost", ("@ A 127.0.0.1", "@ AAAA ::1"))  # RFC 6761 section 6.3
        self._home = self._sink()
        await self._home.open()
        for one in placed:
            await self._open_scenario(one)

    async def close(self) -> None:
        """Free every address and drop every connection."""
        for host in self._hosts.values():
            await host.close()
        if self._home is not None:
            await self._home.close()
        if self._reaches is not None:
            await self._reaches.close()
        await self.dns.stop()

    def look(self) -> None:
        """Take down every SYN that has been sent, and every question that nobody heard."""
        self.dns.look()
        if self._reaches is not None:
            self._reaches.look()

    async def change(self, one: Placed, change: Change) -> None:
        """Make of a scenario's world what it becomes."""
        label = one.scenario.label
        if change.zone is not None:
            self.dns.host(one.placement.domain, change.zone, _addresses(one), label)
        for host in change.hosts:
            _, ip = one.placement.hosts[host.name]
            old = self._hosts.get(ip)
            if isinstance(old, MailHost) and _may_take_over(old, host):
                made = self._served(_kind(host), one, host, ip)
                made.succeed(old)
                self._hosts[ip] = made
            else:
                await self._close_host(one, host.name)
                await self._open_host(one, host)

    async def _open_scenario(self, one: Placed) -> None:
        scenario, placement = one.scenario, one.placement
        self.dns.host(placement.domain, scenario.records, _addresses(one), scenario.label)
        home = scenario.mail.home
        takes = home is not Home.NOWHERE
        self.dns.home(placement.home, f"mx.{HOME}", self._sink_ip, scenario.label, takes)
        if home in REFUSALS:
            self._refusals[scenario.label] = REFUSALS[home]
        self._next_conn[scenario.label] = itertools.count(1).__next__
        self._proxies |= {(scenario.label, ip) for ip in _proxies(one)}
        for host in scenario.hosts:
            await self._open_host(one, host)

    async def _open_host(self, one: Placed, host: Host) -> None:
        _, ip = one.placement.hosts[host.name]
        self._by_ip[ip] = (one.scenario.label, host.name)
        if host.reach is Reach.UP:
            if host.bars is not None and self._reaches is not None:
                self._reaches.bar(ip, one.placement.port, one.placement.sources[host.bars])
            made = self._host(one, host)
            await made.open()
            self._hosts[ip] = made
        elif self._reaches is not None:
            await self._reaches.block(ip, one.placement.port, host.reach)

    async def _close_host(self, one: Placed, name: str) -> None:
        """Free the address of a host, whether it was up or away."""
        _, ip = one.placement.hosts[name]
        if ip in self._hosts:
            await self._hosts.pop(ip).close()
        if self._reaches is not None:
            self._reaches.free(ip, one.placement.port)

    def _host(self, one: Placed, host: Host) -> MailHost | Middlebox:
        fqdn, ip = one.placement.hosts[host.name]
        if host.box is None:
            return self._served(_kind(host), one, host, ip)
        inner = one.inner[host.name]
        self._inner[inner] = ip
        return Middlebox(
            box=host.box,
            host=self._served(Hidden, one, host, inner),
            ip=ip,
            context=lambda flaw: self._pki.context(flaw, (fqdn,)),
            next_conn=self._next_conn[one.scenario.label],
        )

    def _served(self, kind: Callable[..., M], one: Placed, host: Host, ip: str) -> M:
        fqdn, _ = one.placement.hosts[host.name]
        return kind(
            witness=self.journal,
            label=one.scenario.label,
            name=host.name,
            fqdn=fqdn,
            ip=ip,
            port=one.placement.port,
            context=self._context(host, _name_of(one, host), ip),
            behaviours=host.behaviours,
            script=host.script,
            domain=one.placement.domain,
            beside=_beside(one),
            next_conn=self._next_conn[one.scenario.label],
            reply_timeout=self._timers.reply,
            flaw=host.certificate,
            swallows=host.swallows,
            bars=one.placement.sources[host.bars] if host.bars else "",
        )

    def _sink(self) -> Sink:
        name = f"mx.{HOME}"
        return Sink(
            witness=self.journal,
            fqdn=name,
            ip=self._sink_ip,
            port=self.room.smtp_port,
            context=self._context(Host("sink"), name, self._sink_ip),
            label_of=lambda domain: domain.removesuffix(f".{HOME}"),
            refusals=self._refusals,
        )

    def _context(self, host: Host, name: str, ip: str) -> Callable[[], ssl.SSLContext]:
        """How to make a host's context; its address is in the certificate only if that is odd."""
        ips = (ip,) if host.certificate is Flaw.ADDRESS_ONLY else ()
        return lambda: self._pki.context(host.certificate, (name,), ips, host.handshake)

    def _on_syn(self, source: str, port: int, ip: str, to_port: int) -> None:
        """Somebody wants to connect: to a scenario's host, to the sink, or where nobody lives."""
        if source == self._inner.get(ip):
            return  # a box to the host behind it
        where = self._by_ip.get(ip)
        # Whoever does not choose has, within one machine, the address that he connects to.
        if where is not None and source != ip and (where[0], source) in self._proxies:
            return  # a proxy to whom it was asked for
        if where is None:
            loopback = ip.startswith("127.") or ip == "::1"  # the agent's own door
            theirs = ip == self._sink_ip or loopback
            if to_port == self.room.smtp_port and not theirs:
                self.journal.strayed(f"a connection to {ip}:{to_port}, where nobody lives")
        elif (ip, port) not in self._syns:  # else the kernel sends it again
            self._syns.add((ip, port))
            label, host = where
            self.journal.saw(label, Knocked(self.journal.elapsed(label), host, ip, source))


def _name_of(one: Placed, host: Host) -> str:
    """The name that the host's certificate is for."""
    own, _ = one.placement.hosts[host.name]
    return one.route.tls_domain if host.certificate is Flaw.FOR_TLS_DOMAIN else own


def _kind(host: Host) -> Callable[..., MailHost]:
    """What makes the machine that stands for a host."""
    if host.socks is not None:
        return partial(SocksProxy, manner=host.socks)
    return RawHost if host.script else MailHost


def _proxies(one: Placed) -> list[str]:
    """The addresses of a scenario's proxies."""
    return [one.placement.hosts[h.name][1] for h in one.scenario.hosts if h.socks is not None]


def _beside(one: Placed) -> str:
    """The domain of the recipient who has another than all the rest; empty if there is none."""
    last = one.placement.recipients[-1] if one.scenario.mail.last else ""
    return last.rpartition("@")[2]


def _may_take_over(old: MailHost, new: Host) -> bool:
    """Whether the new host can have the old one's socket: nothing hangs on that itself."""
    filtered = old.swallows or old.bars or new.swallows or new.bars
    return new.reach is Reach.UP and new.box is None and not filtered


def _addresses(one: Placed) -> dict[str, str]:
    return {name: ip for name, (_, ip) in one.placement.hosts.items()}
