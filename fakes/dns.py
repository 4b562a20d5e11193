"""The one resolver of the lab: honest by default, spoiled by the faults of each zone.

Theory of operation
-------------------
A `Nameserver` listens on one address over UDP and TCP. Each message goes one way: `read` it,
find its zone, `_decide` what to answer (the honest answer, handed through the zone's faults in
order), put it into octets, journal it, send it. Only `_decide` counts: how often a question
(name and type, over both transports) was asked, and when it was asked first.

States: made -> answering [-> gone -> answering]* -> stopped. While it is gone (`go`, `come_back`) it
answers nobody, and journals what it is asked all the same: silent, it still hears; closed, its
sockets are, and in a sealed room what is sent to its port is overheard.

A fault meets the question that is asked, not the names that a CNAME leads to. What is said where
there are no faults is remembered by the octets of the question, until a zone comes or changes.

What holds always: a question of a scenario is journaled once, and before it is answered; a
TCP connection is closed by the client, by a fault, or when the server stops; what belongs to no zone is
told to the witness as stray and gets NXDOMAIN, so that the agent goes on.
"""

import asyncio
import contextlib
import functools
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from fakes.dnscodec import ID, REMEMBERED, Question, Reply, malformed, read, write
from fakes.overheard import Overheard
from fakes.witness import Witness
from fakes.zones import Table, Zones, answer_honestly, authority, parsed, table
from model.dns import Answer, Gone, Query, Stale, Zone
from model.events import Asked

RECEIVE_BUFFER = 4 * 1024 * 1024
"""Octets of UDP questions that may wait: all scenarios are launched at once."""

LARGEST = 1 << 16
"""Octets; no datagram is larger."""
BURST = 64
"""Datagrams that are answered in one turn of the loop."""

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


@dataclass(frozen=True, slots=True)
class _Said:
    """What is said to a question, and what is written down of it.

    `octets` go behind the question's id, or, if `whole`, are all there is; None: silence.
    """

    question: Question
    label: str | None
    summary: str
    spoiled: bool
    octets: bytes | None
    whole: bool
    wrong_id: bool
    delay: float

    def message(self, ident: bytes) -> bytes | None:
        """The whole message for a question with this id."""
        if self.whole or self.octets is None:
            return self.octets
        return (bytes(octet ^ 0xFF for octet in ident) if self.wrong_id else ident) + self.octets


class Nameserver:
    """A recursive resolver over made-up zones. `timeout` is the target's own, in seconds."""

    def __init__(self, witness: Witness, timeout: float) -> None:
        self._witness = witness
        self._timeout = timeout
        self._zones = Zones()
        self._visits: dict[tuple[str, str], _Visits] = {}
        self._known: dict[tuple[str, bytes], _Said] = {}
        self._stale: dict[str, float] = {}
        self._late: set[asyncio.TimerHandle] = set()
        self._streams: set[_Stream] = set()
        self._tcp: asyncio.Server | None = None
        self._udp: _Datagrams | None = None
        self._overheard: Overheard | None = None
        self.gone: Gone | None = None
        self.address = ("", 0)

    async def start(self, ip: str, port: int) -> None:
        """Listen on UDP and TCP; port 0 takes a free one (see `address`). Raises OSError."""
        self._loop = loop = asyncio.get_running_loop()
        self._tcp = await loop.create_server(
            lambda: _Stream(self._streams, self._heed), ip, port, backlog=512
        )
        self.address = (ip, self._tcp.sockets[0].getsockname()[1])
        try:
            self._udp = _Datagrams(self.address, self._heed)
        except OSError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Close every socket; answers that were put off are never sent."""
        for handle in self._late:
            handle.cancel()
        if self._tcp is not None:
            self._tcp.close()
        if self._udp is not None:
            self._udp.close()
            self._udp = None
        if self._overheard is not None:
            self._overheard.close()
            self._overheard = None
        closing = tuple(self._streams)
        for one in closing:
            one.abort()
        await asyncio.gather(*(one.lost for one in closing))
        if self._tcp is not None:
            await self._tcp.wait_closed()
            self._tcp = None

    async def go(self, gone: Gone, *, sealed: bool) -> None:
        """Answer nobody from now on; what comes to a closed port is seen in a `sealed` room only."""
        if gone is Gone.CLOSED:
            await self.stop()
            if sealed:
                self._overheard = Overheard(*self.address, self._miss_closed)
        self.gone = gone

    async def come_back(self) -> None:
        """Answer again, at the same address. Raises OSError if it is taken."""
        gone, self.gone = self.gone, None
        if gone is Gone.CLOSED:
            await self.stop()
            await self.start(*self.address)

    def look(self) -> None:
        """Take down what has been sent to the closed port so far."""
        if self._overheard is not None:
            self._overheard.look()

    # Zones ---------------------------------------------------------------------------------

    def host(self, domain: str, zone: Zone, addresses: Mapping[str, str], label: str) -> None:
        """Add a scenario's zone. Raises ValueError for a line or a fault that cannot be."""
        self._add(table(domain, zone.records, addresses, label, zone.faults))

    def fixed(self, domain: str, records: Iterable[str], owner: str | None = None) -> None:
        """Add an honest zone of the lab's own; questions are journaled to `owner` only."""
        self._add(table(domain, records, label=owner))

    def home(self, domain: str, sink_name: str, sink_ip: str, label: str, takes: bool) -> None:
        """Add the domain of a scenario's sender: its mail goes to the sink, or nowhere."""
        mx = f"@ MX 10 {sink_name}." if takes else "@ MX 0 ."
        self._add(table(domain, (mx,), label=label))
        if self._zones.find(sink_name.lower()) is None:
            self.fixed(sink_name, (f"@ A {sink_ip}",))

    def _add(self, zone: Table) -> None:
        self._zones.add(zone)
        self._known.clear()

    def stale_until(self, label: str) -> float | None:
        """Loop time when the scenario's last stale answer has run out, in the last cache too.

        None if no Stale fault was met yet.
        """
        return self._stale.get(label)

    # One question --------------------------------------------------------------------------

    def _heed(self, octets: bytes, transport: str, send: Send) -> None:
        if self.gone is not None:
            self._miss(octets, transport, "silence")
            return
        key = transport, octets[ID:]
        said = self._known.get(key)
        if said is None:
            question = read(octets)
            if question is None:
                self._witness.strayed("a DNS message that is no standard query")
                if (error := malformed(octets)) is not None:
                    send(error)
                return
            zone = self._zones.find(question.name)
            said = self._work_out(question, zone, transport)
            if zone is not None and not zone.faults:
                self._remember(key, said)
        if said.label is not None:
            self._take_down(said, transport)
        if (message := said.message(octets[:ID])) is not None:
            self._send(send, message, said.delay)

    def _remember(self, key: tuple[str, bytes], said: _Said) -> None:
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[key] = said

    def _take_down(self, said: _Said, transport: str) -> None:
        assert said.label is not None
        self._saw(said.label, said.question, transport, said.summary, said.spoiled)

    def _saw(
        self, label: str, question: Question, transport: str, summary: str, spoiled: bool
    ) -> None:
        at = self._witness.elapsed(label)
        asked = Asked(at, question.name, question.qtype, transport, summary, spoiled)
        self._witness.saw(label, asked)

    def _miss(self, octets: bytes, transport: str, why: str) -> None:
        """Take down a question to a name server that is gone."""
        question = read(octets)
        zone = self._zones.find(question.name) if question else None
        if question is not None and zone is None and not self._harmless(question):
            self._witness.strayed(f"DNS {question.name or '.'} {question.qtype}")
        if question is not None and zone is not None and zone.label is not None:
            self._saw(zone.label, question, transport, why, spoiled=True)

    def _miss_closed(self, octets: bytes) -> None:
        self._miss(octets, "udp", "port unreachable")

    def _work_out(self, question: Question, zone: Table | None, transport: str) -> _Said:
        """What to say to a question."""
        if zone is None and not self._harmless(question):
            self._witness.strayed(f"DNS {question.name or '.'} {question.qtype}")
        answer, spoiled = self._decide(question, zone, transport)
        octets = None if answer is None else self._encode(question, answer, transport)
        whole = answer is not None and (answer.garbage is not None or octets == HANG_UP)
        return _Said(
            question,
            label=zone.label if zone else None,
            summary=_summary(answer, octets),
            spoiled=spoiled,
            octets=octets,
            whole=whole,
            wrong_id=answer is not None and answer.wrong_id,
            delay=answer.delay * self._timeout if answer else 0.0,
        )

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
        query = Query(
            name, qtype, visits.count, now - visits.first, transport == "udp", question.unchecked
        )
        for fault in (s.fault for s in zone.faults if s.covers(zone.relative(name), qtype)):
            spoiled = fault.spoil(answer, query)
            if spoiled is None:
                return None, True
            if spoiled is answer:
                continue
            answer = replace(
                spoiled,
                records=tuple(map(zone.absolute, spoiled.records)),
                additional=tuple(map(zone.absolute, spoiled.additional)),
            )
            if isinstance(fault, Stale) and zone.label is not None:
                self._note_stale(zone.label, now, visits.first + fault.ttl, answer)
        return answer, answer is not honest

    def _note_stale(self, label: str, now: float, ends: float, answer: Answer) -> None:
        """The agent's own cache may keep the answer a little longer: TTLs are whole seconds."""
        kept = now + max((parsed(line).ttl for line in answer.records), default=1)
        self._stale[label] = max(self._stale.get(label, 0.0), ends, kept)

    def _encode(self, question: Question, answer: Answer, transport: str) -> bytes:
        """The message behind its id, or the whole of what is no message."""
        if answer.cut and transport == "tcp":
            return HANG_UP
        if answer.garbage is not None:
            return answer.garbage
        reply = Reply(
            answer.rcode,
            answer.records,
            authority(self._zones, question.name, question.qtype, answer),
            answer.truncated,
            answer.query,
            answer.question,
            answer.extended,
            answer.additional,
            answer.chopped,
        )
        octets = write(question, reply)
        if transport == "udp" and ID + len(octets) > question.limit:
            return write(question, replace(reply, records=(), soa=None, truncated=True))
        return octets

    def _harmless(self, question: Question) -> bool:
        """What agents ask by themselves, outside every scenario, or because a zone points there."""
        name = question.name
        return (
            name in ("in-addr.arpa", "ip6.arpa", "localhost")
            or name.endswith((".in-addr.arpa", ".ip6.arpa", ".localhost"))
            or (name == "test" and question.qtype in ("SOA", "NS"))
            or self._zones.points_to(name)
        )

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


def _summary(answer: Answer | None, octets: bytes | None) -> str:
    """The answer in a few words, for the trace."""
    if answer is None or octets is None:
        return "silence"
    late = "late: " if answer.delay else ""
    if answer.garbage is not None:
        return f"{late}{len(answer.garbage)} octets of garbage"
    if octets == HANG_UP:
        return f"{late}hung up"
    late += "".join(words for words, there in _oddities(answer) if there)
    if octets[2 - ID] & 2:  # TC
        return f"{late}truncated"
    if answer.rcode == "NOERROR" and not answer.records:
        return f"{late}NODATA"
    glue = (
        f" and, unasked, {', '.join(map(_short, answer.additional))}" if answer.additional else ""
    )
    codes = () if answer.rcode == "NOERROR" else (answer.rcode,)
    return late + ", ".join((*codes, *map(_short, answer.records))) + glue


def _oddities(answer: Answer) -> tuple[tuple[str, bool], ...]:
    """What may be odd about a message, whatever it says."""
    return (
        ("wrong id: ", answer.wrong_id),
        ("as a query: ", answer.query),
        (f"to the question for {answer.question.rstrip('.')}: ", bool(answer.question)),
        (f"less {answer.chopped} octets: ", bool(answer.chopped)),
    )


def _short(line: str) -> str:
    """A line without name and TTL: `MX 10 mx1.x.test`."""
    _, _, qtype, rdata = line.split(" ", 3)
    return f"{qtype} {rdata.rstrip('.') or '.'}" if rdata != "0 ." else f"{qtype} 0 ."


# The two transports ------------------------------------------------------------------------


class _Datagrams:
    """UDP: a message is a datagram.

    The socket is read by hand, because asyncio's own transport allocates 256 KiB for each datagram.
    """

    def __init__(self, address: tuple[str, int], heed: Heed) -> None:
        """Listen. Raises OSError if the address is taken."""
        self._heed = heed
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._socket.bind(address)
        except OSError:
            self._socket.close()
            raise
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self._loop.add_reader(self._socket, self._readable)

    def close(self) -> None:
        """Stop listening."""
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def _readable(self) -> None:
        """Take what there is, but let others have their turn."""
        for _ in range(BURST):
            try:
                octets, asker = self._socket.recvfrom(LARGEST)
            except BlockingIOError:
                return
            self._heed(octets, "udp", functools.partial(self._send, asker))

    def _send(self, asker: tuple[str, int], octets: bytes) -> None:
        with contextlib.suppress(OSError):  # a datagram may be lost
            self._socket.sendto(octets, asker)


class _Stream(asyncio.Protocol):
    """TCP: messages follow each other, each behind its length (RFC 7766 section 8).

    It is in the set of open ones until it is `lost`.
    """

    _pending = b""

    def __init__(self, all_streams: "set[_Stream]", heed: Heed) -> None:
        self._all, self._heed = all_streams, heed
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._all.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._all.discard(self)
        self.lost.set_result(None)

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

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
