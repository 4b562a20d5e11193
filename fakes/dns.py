"""The one resolver of the lab: honest by default, spoiled by the faults of each zone.

Theory of operation
-------------------
A `Nameserver` listens on one address over UDP and TCP. Each message goes one way: `read` it,
find its zone, `_decide` what to answer (the honest answer, handed through the zone's faults in
order), put it into octets, journal it, send it. Only `_decide` counts: how often a question
(name and type, over both transports) was asked, and when it was asked first.

A fault meets the question that is asked, not the names that a CNAME leads to.

What holds always: a question of a scenario is journaled once, and before it is answered; a
TCP connection is closed by the client, by a fault, or when the server stops; what belongs to no zone is
told to the witness as stray and gets NXDOMAIN, so that the agent goes on.
"""

import asyncio
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from fakes.dnscodec import Question, Reply, malformed, read, write
from fakes.witness import Witness
from fakes.zones import Table, Zones, answer_honestly, authority, parsed, table
from model.dns import Answer, Query, Stale, Zone
from model.events import Asked

RECEIVE_BUFFER = 4 * 1024 * 1024
"""Octets of UDP questions that may wait: all scenarios are launched at once."""

HANG_UP = b""
"""Sent over TCP: no message, but the end of the connection."""

Send = Callable[[bytes], None]
Heed = Callable[[bytes, str, Send], None]
"""Takes a message, its transport, and how to answer."""


@dataclass(slots=True)
class _Visits:
    """How often a question was asked, and when first (loop time)."""

    first: float
    count: int = 0


class Nameserver:
    """A recursive resolver over made-up zones. `timeout` is the target's own, in seconds."""

    def __init__(self, witness: Witness, timeout: float) -> None:
        self._witness = witness
        self._timeout = timeout
        self._zones = Zones()
        self._visits: dict[tuple[str, str], _Visits] = {}
        self._stale: dict[str, float] = {}
        self._late: set[asyncio.TimerHandle] = set()
        self._sockets: set[_Socket] = set()
        self._tcp: asyncio.Server | None = None
        self.address = ("", 0)

    async def start(self, ip: str, port: int) -> None:
        """Listen on UDP and TCP; port 0 takes a free one (see `address`). Raises OSError."""
        self._loop = loop = asyncio.get_running_loop()
        self._tcp = await loop.create_server(
            lambda: _Stream(self._sockets, self._heed), ip, port, backlog=512
        )
        self.address = (ip, self._tcp.sockets[0].getsockname()[1])
        try:
            transport, _ = await loop.create_datagram_endpoint(
                lambda: _Datagrams(self._sockets, self._heed), local_addr=self.address
            )
        except OSError:
            await self.stop()
            raise
        listener = transport.get_extra_info("socket")
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)

    async def stop(self) -> None:
        """Close every socket; answers that were put off are never sent."""
        for handle in self._late:
            handle.cancel()
        if self._tcp is not None:
            self._tcp.close()
        closing = tuple(self._sockets)
        for one in closing:
            one.abort()
        await asyncio.gather(*(one.lost for one in closing))
        if self._tcp is not None:
            await self._tcp.wait_closed()

    # Zones ---------------------------------------------------------------------------------

    def host(self, domain: str, zone: Zone, addresses: Mapping[str, str], label: str) -> None:
        """Add a scenario's zone. Raises ValueError for a line or a fault that cannot be."""
        self._zones.add(table(domain, zone.records, addresses, label, zone.faults))

    def fixed(self, domain: str, records: Iterable[str], owner: str | None = None) -> None:
        """Add an honest zone of the lab's own; questions are journaled to `owner` only."""
        self._zones.add(table(domain, records, label=owner))

    def home(self, domain: str, sink_name: str, sink_ip: str, label: str) -> None:
        """Add the domain of a scenario's sender: its mail goes to the sink."""
        self._zones.add(table(domain, (f"@ MX 10 {sink_name}.",), label=label))
        if self._zones.find(sink_name.lower()) is None:
            self.fixed(sink_name, (f"@ A {sink_ip}",))

    def stale_until(self, label: str) -> float | None:
        """Loop time when the scenario's last stale answer has run out, in the last cache too.

        None if no Stale fault was met yet.
        """
        return self._stale.get(label)

    # One question --------------------------------------------------------------------------

    def _heed(self, octets: bytes, transport: str, send: Send) -> None:
        question = read(octets)
        if question is None:
            self._witness.strayed("a DNS message that is no standard query")
            if (error := malformed(octets)) is not None:
                send(error)
            return
        zone = self._zones.find(question.name)
        if zone is None and not _harmless(question):
            self._witness.strayed(f"DNS {question.name or '.'} {question.qtype}")
        answer, spoiled = self._decide(question, zone, transport)
        said = None if answer is None else self._encode(question, answer, transport)
        if zone is not None and zone.label is not None:
            summary = _summary(answer, said)
            at = self._witness.elapsed(zone.label)
            asked = Asked(at, question.name, question.qtype, transport, summary, spoiled)
            self._witness.saw(zone.label, asked)
        if answer is not None and said is not None:
            self._send(send, said, answer.delay * self._timeout)

    def _decide(
        self, question: Question, zone: Table | None, transport: str
    ) -> tuple[Answer | None, bool]:
        """What to answer (None: nothing), and whether a fault had its hand in it."""
        name, qtype = question.name, question.qtype
        answer = honest = answer_honestly(self._zones, name, qtype)
        if zone is None or not zone.faults:
            return honest, False
        now = self._loop.time()
        visits = self._visits.setdefault((name, qtype), _Visits(now))
        visits.count += 1
        query = Query(name, qtype, visits.count, now - visits.first, transport == "udp")
        for fault in (s.fault for s in zone.faults if s.covers(zone.relative(name), qtype)):
            spoiled = fault.spoil(answer, query)
            if spoiled is None:
                return None, True
            if spoiled is answer:
                continue
            answer = replace(spoiled, records=tuple(map(zone.absolute, spoiled.records)))
            if isinstance(fault, Stale) and zone.label is not None:
                self._note_stale(zone.label, now, visits.first + fault.ttl, answer)
        return answer, answer is not honest

    def _note_stale(self, label: str, now: float, ends: float, answer: Answer) -> None:
        """The agent's own cache may keep the answer a little longer: TTLs are whole seconds."""
        kept = now + max((parsed(line).ttl for line in answer.records), default=1)
        self._stale[label] = max(self._stale.get(label, 0.0), ends, kept)

    def _encode(self, question: Question, answer: Answer, transport: str) -> bytes:
        if answer.cut and transport == "tcp":
            return HANG_UP
        if answer.garbage is not None:
            return answer.garbage
        soa = authority(self._zones, question.name, question.qtype, answer)
        reply = Reply(answer.rcode, answer.records, soa, answer.truncated, answer.wrong_id)
        octets = write(question, reply)
        if transport == "udp" and len(octets) > question.limit:
            return write(question, replace(reply, records=(), soa=None, truncated=True))
        return octets

    def _send(self, send: Send, octets: bytes, delay: float) -> None:
        """Send now, or after `delay` seconds."""
        if not delay:
            send(octets)
            return

        def late() -> None:
            self._late.discard(handle)
            send(octets)

        handle = self._loop.call_later(delay, late)
        self._late.add(handle)


def _harmless(question: Question) -> bool:
    """What resolvers and agents ask by themselves, outside every scenario."""
    name = question.name
    return (
        name in ("in-addr.arpa", "ip6.arpa", "localhost")
        or name.endswith((".in-addr.arpa", ".ip6.arpa", ".localhost"))
        or (name == "test" and question.qtype in ("SOA", "NS"))
    )


def _summary(answer: Answer | None, octets: bytes | None) -> str:
    """The answer in a few words, for the trace."""
    if answer is None or octets is None:
        return "silence"
    late = "late: " if answer.delay else ""
    if answer.garbage is not None:
        return f"{late}{len(answer.garbage)} octets of garbage"
    if octets == HANG_UP:
        return f"{late}hung up"
    if answer.wrong_id:
        late += "wrong id: "
    if octets[2] & 2:  # TC
        return f"{late}truncated"
    if answer.rcode == "NOERROR" and not answer.records:
        return f"{late}NODATA"
    codes = () if answer.rcode == "NOERROR" else (answer.rcode,)
    return late + ", ".join((*codes, *map(_short, answer.records)))


def _short(line: str) -> str:
    """A line without name and TTL: `MX 10 mx1.x.test`."""
    _, _, qtype, rdata = line.split(" ", 3)
    return f"{qtype} {rdata.rstrip('.') or '.'}" if rdata != "0 ." else f"{qtype} 0 ."


# The two transports ------------------------------------------------------------------------


class _Socket(asyncio.BaseProtocol):
    """What UDP and TCP share: it is in the set of open ones until it is `lost`."""

    def __init__(self, all_sockets: "set[_Socket]", heed: Heed) -> None:
        self._all, self._heed = all_sockets, heed
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._all.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._all.discard(self)
        self.lost.set_result(None)

    def abort(self) -> None:
        self._transport.abort()


class _Datagrams(_Socket, asyncio.DatagramProtocol):
    """UDP: a message is a datagram."""

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._heed(data, "udp", lambda octets: self._transport.sendto(octets, addr))


class _Stream(_Socket, asyncio.Protocol):
    """TCP: messages follow each other, each behind its length (RFC 7766 section 8)."""

    _pending = b""

    def data_received(self, data: bytes) -> None:
        self._pending += data
        while len(self._pending) >= 2:
            end = 2 + int.from_bytes(self._pending[:2], "big")
            if len(self._pending) < end:
                return
            message, self._pending = self._pending[2:end], self._pending[end:]
            self._heed(message, "tcp", self._send)

    def _send(self, octets: bytes) -> None:
        if octets == HANG_UP:
            self._transport.close()
        elif not self._transport.is_closing():
            self._transport.write(len(octets).to_bytes(2, "big") + octets)
