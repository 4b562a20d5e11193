"""The resolver: its honest answers without a socket, its faults and transports with real ones."""

import asyncio
import itertools
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import pytest

from fakes.dns import Nameserver
from fakes.dnscodec import malformed, read
from fakes.zones import Zones, absolute, answer_honestly, authority, table
from model.dns import (
    Answer,
    AsQuery,
    Bogus,
    Chop,
    Delay,
    Fault,
    Garbage,
    Glue,
    NoData,
    OtherQuestion,
    Query,
    Rcode,
    Says,
    Silence,
    Stale,
    Truncate,
    WrongId,
    Zone,
)
from model.events import Asked
from selftests.witness import Notebook

IP = "127.0.9.3"
TIMEOUT = 0.4
"""The target's DNS time-out in these tests, in seconds."""
PATIENCE = 5.0
"""How long an answer may take that must come."""

RECORDS = (
    "@ MX 10 mx1",
    "@ MX 20 mx2.other.test.",
    "mx1 A {mx1}",
    "alias CNAME mx1",
    "abroad CNAME www.other.test.",
    "dangling CNAME nowhere",
    "outside CNAME nobody.example.",
    "loop1 CNAME loop2",
    "loop2 CNAME loop1",
    "deep.er A 127.0.0.2",
    '@ TXT "v=spf1 {mx1} -all"',
    "null MX 0 .",
    *(f"many A 127.1.0.{n}" for n in range(1, 60)),
)
ZONE = Zone(RECORDS)
MX = ("x.test. 5 MX 10 mx1.x.test.", "x.test. 5 MX 20 mx2.other.test.")
SOA = "x.test. 5 SOA ns.x.test. hostmaster.x.test. 1 3600 600 86400 1"


def zones() -> Zones:
    """Three zones, one of them below another."""
    made = Zones()
    made.add(table("x.test", RECORDS, {"mx1": "127.0.0.9"}))
    made.add(table("other.test", ("www A 127.0.0.3",)))
    made.add(table("sub.x.test", ("@ A 127.0.0.4",)))
    return made


# Honest answers ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "qtype", "answer"),
    [
        ("x.test", "MX", Answer(records=MX)),
        ("mx1.x.test", "A", Answer(records=("mx1.x.test. 5 A 127.0.0.9",))),
        ("mx1.x.test", "AAAA", Answer()),
        ("x.test", "A", Answer()),
        ("nobody.x.test", "A", Answer("NXDOMAIN")),
        ("er.x.test", "A", Answer()),
        ("null.x.test", "MX", Answer(records=("null.x.test. 5 MX 0 .",))),
        ("x.test", "TXT", Answer(records=('x.test. 5 TXT "v=spf1 127.0.0.9 -all"',))),
        ("mx1.x.test", "ANY", Answer(records=("mx1.x.test. 5 A 127.0.0.9",))),
        ("sub.x.test", "A", Answer(records=("sub.x.test. 5 A 127.0.0.4",))),
        ("alias.x.test", "CNAME", Answer(records=("alias.x.test. 5 CNAME mx1.x.test.",))),
        ("loop1.x.test", "A", Answer("SERVFAIL")),
        ("nobody.example", "A", Answer("NXDOMAIN")),
    ],
)
def test_the_honest_answer(name: str, qtype: str, answer: Answer) -> None:
    """What a recursive resolver says of these zones."""
    assert answer_honestly(zones(), name, qtype) == answer


@pytest.mark.parametrize(
    ("name", "rcode", "chain"),
    [
        ("alias", "NOERROR", ("CNAME mx1.x.test.", "A 127.0.0.9")),
        ("abroad", "NOERROR", ("CNAME www.other.test.", "A 127.0.0.3")),
        ("dangling", "NXDOMAIN", ("CNAME nowhere.x.test.",)),
        ("outside", "NXDOMAIN", ("CNAME nobody.example.",)),
    ],
)
def test_a_cname_is_followed(name: str, rcode: str, chain: tuple[str, ...]) -> None:
    """In the zone, across zones, and into nothing."""
    answer = answer_honestly(zones(), f"{name}.x.test", "A")
    assert answer.rcode == rcode
    assert tuple(line.split(" 5 ", 1)[1] for line in answer.records) == chain


@pytest.mark.parametrize(
    ("name", "qtype", "soa"),
    [
        ("nobody.x.test", "A", SOA),
        ("x.test", "A", SOA),
        ("dangling.x.test", "A", SOA),
        ("alias.x.test", "AAAA", SOA),
        ("x.test", "MX", None),
        ("alias.x.test", "CNAME", None),
        ("loop1.x.test", "A", None),
        ("nobody.example", "A", ". 5 SOA ns. hostmaster. 1 3600 600 86400 1"),
    ],
)
def test_negative_answers_come_with_their_soa(name: str, qtype: str, soa: str | None) -> None:
    """So that they may be cached, and for one second."""
    answer = answer_honestly(zones(), name, qtype)
    assert authority(zones(), name, qtype, answer) == soa


@pytest.mark.parametrize(
    ("line", "full"),
    [
        ("@ MX 10 mx1", "x.test. 5 MX 10 mx1.x.test."),
        ("a.b 2 CNAME @", "a.b.x.test. 2 CNAME x.test."),
        ("mx1 IN A {mx1}", "mx1.x.test. 5 A 127.0.0.9"),
        ("y.test. SRV 0 0 25 mx1", "y.test. 5 SRV 0 0 25 mx1.x.test."),
        ("@ MX 10 {mx1}.", "x.test. 5 MX 10 127.0.0.9."),
        ('@ TXT "two  spaces"', 'x.test. 5 TXT "two  spaces"'),
    ],
)
def test_lines_become_absolute_and_stay_so(line: str, full: str) -> None:
    """Owner, TTL, and the names in the rdata."""
    assert absolute(line, "x.test", {"mx1": "127.0.0.9"}) == full
    assert absolute(full, "x.test", {}) == full


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        (Zone(("@ MX",)), "write it as: name TYPE rdata"),
        (Zone(("@ MX ten mx1",)), "malformed"),
        (Zone(("@ A 127.0.0",)), "malformed"),
        (Zone(("@ MXX 10 mx1",)), "malformed"),
        (Zone(("@ A {mx2}",)), "no host 'mx2'; known are mx1"),
        (Zone(()).but(Stale(("@ MX old",))), "malformed"),
        (Zone(()).but(Says(("@ MX old",))), "malformed"),
        (Zone(()).but(Glue(("mx1 A {mx2}",))), "no host 'mx2'; known are mx1"),
        (Zone(()).but(Rcode("SERVEFAIL")), "no response code"),
    ],
)
def test_a_bad_zone_is_refused_at_the_door(zone: Zone, words: str) -> None:
    """And not when the question comes."""
    with pytest.raises(ValueError, match=words):
        Nameserver(Notebook(), TIMEOUT).host("x.test", zone, {"mx1": "127.0.0.9"}, "x")


# The server --------------------------------------------------------------------------------


class Client:
    """Asks one server; keeps the notebook that it writes in."""

    def __init__(self, server: Nameserver, notebook: Notebook) -> None:
        self.server, self.notebook = server, notebook

    async def udp(self, name: str, qtype: str = "MX", limit: float = PATIENCE) -> Any:
        """The answer over UDP; TimeoutError after `limit` seconds."""
        return await self.send(dns.message.make_query(name, qtype), limit)

    async def send(self, query: dns.message.Message, limit: float = PATIENCE) -> Any:
        """The answer to a message over UDP."""
        ip, port = self.server.address
        try:
            return await dns.asyncquery.udp(query, ip, limit, port)
        except dns.exception.Timeout:
            raise TimeoutError from None

    async def tcp(self, name: str, qtype: str = "MX", limit: float = PATIENCE) -> Any:
        """The answer over TCP, on a connection of its own."""
        ip, port = self.server.address
        try:
            return await dns.asyncquery.tcp(dns.message.make_query(name, qtype), ip, limit, port)
        except dns.exception.Timeout:
            raise TimeoutError from None

    async def raw(self, octets: bytes) -> bytes:
        """The octets that answer octets over UDP."""
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.setblocking(False)
            udp.connect(self.server.address)
            udp.send(octets)
            async with asyncio.timeout(PATIENCE):
                return await loop.sock_recv(udp, 65535)

    def asked(self) -> list[tuple[str, bool]]:
        """Answers journaled so far, and whether they were spoiled."""
        return [(e.answer, e.spoiled) for e in self.notebook.events if isinstance(e, Asked)]


@asynccontextmanager
async def serving(zone: Zone = ZONE) -> AsyncIterator[Client]:
    """A server with this zone for the scenario x, and an honest one of the lab's own."""
    notebook = Notebook()
    server = Nameserver(notebook, TIMEOUT)
    await server.start(IP, 0)
    server.host("x.test", zone, {"mx1": "127.0.0.9"}, "x")
    server.fixed("other.test", ("www A 127.0.0.3",))
    try:
        yield Client(server, notebook)
    finally:
        await server.stop()


def with_server(
    test: Callable[[Client], Awaitable[None]], zone: Zone = ZONE, limit: float = 30.0
) -> None:
    """Run a test against a server that has this zone."""

    async def run() -> None:
        async with asyncio.timeout(limit), serving(zone) as client:
            await test(client)

    asyncio.run(run())


def lines(message: Any) -> list[str]:
    """The answer section, a record a line."""
    return [line for rrset in message.answer for line in rrset.to_text().splitlines()]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_it_answers_as_a_resolver_does(transport: str) -> None:
    """RA set, AA and AD clear, over both transports; and it is journaled."""

    async def test(client: Client) -> None:
        answer = await getattr(client, transport)("X.tESt")
        assert lines(answer) == [
            "x.test. 5 IN MX 10 mx1.x.test.",
            "x.test. 5 IN MX 20 mx2.other.test.",
        ]
        assert answer.flags == dns.flags.QR | dns.flags.RD | dns.flags.RA
        assert answer.question[0].name.to_text() == "X.tESt."
        summary = "MX 10 mx1.x.test, MX 20 mx2.other.test"
        assert client.notebook.events == [Asked(0.0, "x.test", "MX", transport, summary, False)]

    with_server(test)


def test_negative_answers_on_the_wire() -> None:
    """NXDOMAIN and NODATA, both with the SOA."""

    async def test(client: Client) -> None:
        for name, rcode in (("nobody.x.test", "NXDOMAIN"), ("mx1.x.test", "NOERROR")):
            answer = await client.udp(name, "AAAA")
            assert dns.rcode.to_text(answer.rcode()) == rcode
            assert answer.authority[0].to_text() == SOA.replace(" SOA", " IN SOA")
        assert client.asked() == [("NXDOMAIN", False), ("NODATA", False)]

    with_server(test)


HONESTLY = "MX 10 mx1.x.test, MX 20 mx2.other.test"
SPOILED: list[tuple[Fault, str]] = [
    (Rcode("SERVFAIL"), "SERVFAIL"),
    (Rcode("REFUSED"), "REFUSED"),
    (Rcode("NXDOMAIN"), "NXDOMAIN"),
    (NoData(), "NODATA"),
    (Truncate(), "truncated"),
    (Stale(("@ MX 5 old",)), "MX 5 old.x.test"),
    (Stale((), rcode="SERVFAIL"), "SERVFAIL"),
    (Delay(0.1), "late: MX 10 mx1.x.test, MX 20 mx2.other.test"),
    (Says(("@ CNAME alias",)), "CNAME alias.x.test"),
    (Glue(("mx1 A 127.0.0.8",)), f"{HONESTLY} and, unasked, A 127.0.0.8"),
    (Bogus(), "SERVFAIL"),
]


@pytest.mark.parametrize(("fault", "summary"), SPOILED)
def test_a_fault_is_met_and_journaled(fault: Fault, summary: str) -> None:
    """On its own question only."""

    async def test(client: Client) -> None:
        answer = await client.udp("x.test")
        assert lines(answer) == [_with_class(line) for line in _expected(fault)], summary
        await client.udp("mx1.x.test", "A")
        assert client.asked() == [(summary, True), ("A 127.0.0.9", False)]

    with_server(test, ZONE.but(fault, "@", "MX"))


def _with_class(line: str) -> str:
    """A line as the client's library writes it."""
    owner, ttl, rest = line.split(" ", 2)
    return f"{owner} {ttl} IN {rest}"


def _expected(fault: Fault) -> tuple[str, ...]:
    spoiled = fault.spoil(Answer(records=MX), Query("x.test", "MX", 1, 0.0, udp=True))
    assert spoiled is not None
    return tuple(absolute(line, "x.test", {}) for line in spoiled.records)


IGNORED: list[tuple[Fault, str]] = [
    (AsQuery(), f"as a query: {HONESTLY}"),
    (OtherQuestion(), f"to the question for someone-else.test: {HONESTLY}"),
    (Chop(), f"less 3 octets: {HONESTLY}"),
    (Garbage(b""), "0 octets of garbage"),
]


@pytest.mark.parametrize(("fault", "summary"), IGNORED)
def test_what_is_no_answer_is_none_to_a_client(fault: Fault, summary: str) -> None:
    """It comes, and a client that looks at it closely waits on or gives up."""

    async def test(client: Client) -> None:
        query = dns.message.make_query("x.test", "MX", use_edns=0)
        octets = await client.raw(query.to_wire())
        try:
            assert not query.is_response(dns.message.from_wire(octets))
        except dns.exception.DNSException:
            assert isinstance(fault, Chop | Garbage)
        assert client.asked() == [(summary, True)]

    with_server(test, ZONE.but(fault, "@", "MX"))


def test_a_chopped_answer_ends_within_its_last_record() -> None:
    """Where there is an OPT, too: that would come behind it."""

    async def test(client: Client) -> None:
        query = dns.message.make_query("x.test", "MX", use_edns=0).to_wire()
        whole = await client.raw(query[:3] + b"\0" + query[4:12] + query[12:])
        assert b"mx1" in whole
        assert b"mx2" in whole
        assert not whole.endswith(b"test\0")

    with_server(test, ZONE.but(Chop(), "@", "MX"))


def test_a_validating_resolver_withholds_what_is_bogus() -> None:
    """With the extended error where there is an OPT; not from a client that sets CD."""

    async def test(client: Client) -> None:
        query = dns.message.make_query("x.test", "MX", use_edns=0)
        answer = await client.send(query)
        assert answer.rcode() == dns.rcode.SERVFAIL
        assert [option.code for option in answer.extended_errors()] == [6]
        query.flags |= dns.flags.CD
        assert len(lines(await client.send(query))) == 2
        assert client.asked() == [("SERVFAIL", True), (HONESTLY, True)]

    with_server(test, ZONE.but(Bogus(), "@", "MX"))


def test_glue_stands_in_the_additional_section() -> None:
    """And nowhere else."""

    async def test(client: Client) -> None:
        answer = await client.udp("x.test")
        assert len(lines(answer)) == 2
        assert answer.additional[0].to_text() == "mx1.x.test. 5 IN A 127.0.0.8"

    with_server(test, ZONE.but(Glue(("mx1 A 127.0.0.8",)), "@", "MX"))


def test_tcp_may_be_silent_before_it_hangs_up() -> None:
    """For a share of the time-out."""

    async def test(client: Client) -> None:
        before = time.monotonic()
        with pytest.raises(EOFError):
            await client.tcp("x.test")
        assert 0.4 <= time.monotonic() - before < PATIENCE
        assert client.asked() == [("late: hung up", True)]

    with_server(test, ZONE.but(Truncate(tcp=False, after=1.0), "@", "MX"))


def test_an_answer_is_remembered_until_a_zone_changes() -> None:
    """By its octets less the id; each question has its own id back, and is journaled."""

    async def test(client: Client) -> None:
        query = dns.message.make_query("mx1.x.test", "A").to_wire()[2:]
        octets = [await client.raw(ident + query) for ident in (b"\0\1", b"\xff\xfe")]
        assert [one[:2] for one in octets] == [b"\0\1", b"\xff\xfe"]
        assert octets[0][2:] == octets[1][2:]
        client.server.host("x.test", Zone(("mx1 A 127.0.0.10",)), {}, "x")
        assert lines(await client.udp("mx1.x.test", "A")) == ["mx1.x.test. 5 IN A 127.0.0.10"]
        assert [a for a, _ in client.asked()] == ["A 127.0.0.9", "A 127.0.0.9", "A 127.0.0.10"]

    with_server(test)


def test_where_a_record_points_to_is_no_stray() -> None:
    """Be it an address in place of a name, or a name without its domain."""

    async def test(client: Client) -> None:
        for name in ("127.0.0.9", "mx1"):
            assert (await client.udp(name, "A")).rcode() == dns.rcode.NXDOMAIN
        assert client.notebook.strays == []
        assert (await client.udp("mx2", "A")).rcode() == dns.rcode.NXDOMAIN
        assert client.notebook.strays == ["DNS mx2 A"]

    with_server(test, Zone(("@ MX 10 {mx1}.", "@ MX 20 mx1.")))


def test_silence_ends_after_its_times() -> None:
    """Retransmissions and TCP count as visits."""

    async def test(client: Client) -> None:
        with pytest.raises(TimeoutError):
            await client.udp("x.test", limit=0.2)
        with pytest.raises(TimeoutError):
            await client.tcp("x.test", limit=0.2)
        assert len(lines(await client.udp("x.test"))) == 2
        assert [spoiled for _, spoiled in client.asked()] == [True, True, False]
        assert client.asked()[0][0] == "silence"

    with_server(test, ZONE.but(Silence(times=2), "@", "MX"))


def test_visits_are_counted_by_name_and_type() -> None:
    """Another type of the same name is another question."""

    async def test(client: Client) -> None:
        rcodes = [
            dns.rcode.to_text((await client.udp("x.test", qtype)).rcode())
            for qtype in ("MX", "A", "MX", "A")
        ]
        assert rcodes == ["SERVFAIL", "SERVFAIL", "NOERROR", "NOERROR"]

    with_server(test, ZONE.but(Rcode("SERVFAIL", times=1)))


def test_a_star_meets_names_that_do_not_exist() -> None:
    """And several faults work on one answer, in order."""

    async def test(client: Client) -> None:
        answer = await client.udp("nobody.x.test", "A")
        assert answer.rcode() == dns.rcode.SERVFAIL
        assert client.asked() == [("late: SERVFAIL", True)]

    with_server(test, ZONE.but(Rcode("SERVFAIL")).but(Delay(0.1)))


def test_delay_is_a_share_of_the_timeout() -> None:
    """The answer comes when the share is over, and not before."""

    async def test(client: Client) -> None:
        before = time.monotonic()
        await client.udp("x.test")
        assert 0.2 <= time.monotonic() - before < PATIENCE

    with_server(test, ZONE.but(Delay(0.5), "@", "MX"))


def test_wrong_id_is_ignored_by_clients() -> None:
    """The octets come, with another id."""

    async def test(client: Client) -> None:
        query = dns.message.make_query("x.test", "MX").to_wire()
        octets = await client.raw(query)
        assert octets[:2] != query[:2]
        assert read(query) is not None
        assert client.asked()[0][0].startswith("wrong id: MX 10")

    with_server(test, ZONE.but(WrongId(), "@", "MX"))


def test_garbage_comes_as_it_is() -> None:
    """Nothing of it is a DNS message."""

    async def test(client: Client) -> None:
        octets = await client.raw(dns.message.make_query("x.test", "MX").to_wire())
        assert octets == b"this is not DNS"
        assert client.asked() == [("15 octets of garbage", True)]

    with_server(test, ZONE.but(Garbage(), "@", "MX"))


def test_truncation_leads_to_tcp() -> None:
    """TC over UDP; over TCP everything, or the end of the connection."""

    async def test(client: Client) -> None:
        assert (await client.udp("x.test")).flags & dns.flags.TC
        assert len(lines(await client.tcp("x.test"))) == 2
        assert (await client.udp("mx1.x.test", "A")).flags & dns.flags.TC
        with pytest.raises(EOFError):
            await client.tcp("mx1.x.test", "A")
        assert client.asked() == [
            ("truncated", True),
            ("MX 10 mx1.x.test, MX 20 mx2.other.test", False),
            ("truncated", True),
            ("hung up", True),
        ]

    zone = ZONE.but(Truncate(), "@", "MX").but(Truncate(tcp=False), "mx1", "A")
    with_server(test, zone)


def test_stale_answers_end_with_their_ttl() -> None:
    """The TTL counts down, then comes the truth; and the lab can tell when."""

    async def test(client: Client) -> None:
        loop = asyncio.get_running_loop()
        assert client.server.stale_until("x") is None
        before = loop.time()
        answer = await client.udp("x.test")
        assert lines(answer) == ["x.test. 1 IN MX 5 old.x.test."]
        until = client.server.stale_until("x")
        assert until is not None
        assert 1.0 <= until - before < 1.0 + PATIENCE
        over: asyncio.Future[None] = loop.create_future()
        loop.call_at(until, over.set_result, None)
        await over
        assert len(lines(await client.udp("x.test"))) == 2
        assert client.server.stale_until("x") == until
        assert [spoiled for _, spoiled in client.asked()] == [True, False]

    with_server(test, ZONE.but(Stale(("@ MX 5 old",), ttl=1), "@", "MX"))


# Sizes and transports ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "truncated"), [(None, True), (512, True), (300, True), (4096, False)]
)
def test_edns_sets_the_limit(payload: int | None, truncated: bool) -> None:
    """512 octets without; never less; an OPT is answered with an OPT."""

    async def test(client: Client) -> None:
        edns = -1 if payload is None else 0
        query = dns.message.make_query(
            "many.x.test", "A", use_edns=edns, payload=payload or 0, want_dnssec=edns == 0
        )
        if payload is None:
            query.use_edns(-1)
        answer = await client.send(query)
        assert bool(answer.flags & dns.flags.TC) is truncated
        assert len(lines(answer)) == (0 if truncated else 59)
        assert (answer.edns == 0) is (payload is not None)
        assert bool(answer.ednsflags & dns.flags.DO) is (payload is not None)
        assert client.asked()[0][1] is False
        assert (client.asked()[0][0] == "truncated") is truncated

    with_server(test)


def test_tcp_carries_several_questions() -> None:
    """In pieces or together, on one connection, which a silent question does not close."""

    async def test(client: Client) -> None:
        reader, writer = await asyncio.open_connection(*client.server.address)
        queries = [dns.message.make_query(n, "A") for n in ("quiet.x.test", "x.test", "mx1.x.test")]
        for octet in queries[0].to_wire(prepend_length=True):
            writer.write(bytes([octet]))
            await writer.drain()
        writer.write(b"".join(q.to_wire(prepend_length=True) for q in queries[1:]))
        for query in queries[1:]:
            size = int.from_bytes(await reader.readexactly(2), "big")
            answer = dns.message.from_wire(await reader.readexactly(size))
            assert query.is_response(answer)
        writer.close()
        await writer.wait_closed()

    with_server(test, ZONE.but(Silence(), "quiet"))


def test_stop_closes_connections_and_forgets_late_answers() -> None:
    """And the port is free again."""

    async def test() -> None:
        async with serving(ZONE.but(Delay(100.0), "@", "MX")) as client:
            address = client.server.address
            reader, writer = await asyncio.open_connection(*address)
            writer.write(dns.message.make_query("x.test", "MX").to_wire(prepend_length=True))
            await client.notebook.told(Asked)
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        again = Nameserver(Notebook(), TIMEOUT)
        await again.start(*address)
        await again.stop()

    asyncio.run(test())


# What belongs to whom ----------------------------------------------------------------------


def test_strays_are_told_and_answered() -> None:
    """NXDOMAIN, so that the agent goes on."""

    async def test(client: Client) -> None:
        for name in ("mx.example.org", "nobody.test"):
            assert (await client.udp(name)).rcode() == dns.rcode.NXDOMAIN
        assert client.notebook.strays == ["DNS mx.example.org MX", "DNS nobody.test MX"]
        assert client.asked() == []

    with_server(test)


def test_what_resolvers_ask_by_themselves_is_no_stray() -> None:
    """Reverse names, localhost, and the top of the lab's own domain."""

    async def test(client: Client) -> None:
        for name, qtype in (
            ("9.0.0.127.in-addr.arpa", "PTR"),
            ("1.ip6.arpa", "PTR"),
            ("localhost", "A"),
            ("test", "SOA"),
            ("test", "NS"),
        ):
            assert (await client.udp(name, qtype)).rcode() == dns.rcode.NXDOMAIN
        assert client.notebook.strays == []

    with_server(test)


def test_fixed_zones_are_journaled_to_their_owner_only() -> None:
    """The lab's own questions belong to nobody."""

    async def test(client: Client) -> None:
        await client.udp("www.other.test", "A")
        assert client.notebook.events == []
        client.server.fixed("owned.test", ("@ A 127.0.0.5",), owner="somebody")
        await client.udp("owned.test", "A")
        assert client.asked() == [("A 127.0.0.5", False)]

    with_server(test)


def test_the_senders_domain_leads_to_the_sink() -> None:
    """Journaled to the scenario; the sink's own address can be asked for too."""

    async def test(client: Client) -> None:
        client.server.home("x.home.test", "mx.home.test", "127.0.0.8", "x", True)
        assert lines(await client.udp("x.home.test")) == ["x.home.test. 5 IN MX 10 mx.home.test."]
        assert lines(await client.udp("mx.home.test", "A")) == ["mx.home.test. 5 IN A 127.0.0.8"]
        assert client.asked() == [("MX 10 mx.home.test", False)]

    with_server(test)


@pytest.mark.parametrize("octets", [b"\x12\x34" + b"\xff" * 20, b"\x12\x34\x10" + bytes(9)])
def test_what_is_no_question_gets_formerr(octets: bytes) -> None:
    """With its id, or nothing if it is an answer itself."""
    assert read(octets) is None
    error = malformed(octets)
    if octets[2] & 0x80:
        assert error is None
    else:
        assert error is not None
        assert dns.message.from_wire(error).rcode() == dns.rcode.FORMERR
        assert error[:2] == octets[:2]


@pytest.mark.parametrize("octets", [b"", b"x", b"\0" * 11, b"\x12\x34" + b"\xff" * 40])
def test_the_server_outlives_any_octets(octets: bytes) -> None:
    """Junk is a stray; the next question is answered."""

    async def test(client: Client) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.sendto(octets, client.server.address)
            assert len(lines(await client.udp("x.test"))) == 2
        assert client.notebook.strays == ["a DNS message that is no standard query"]

    with_server(test)


def test_every_cut_of_a_question_is_survived() -> None:
    """No prefix of a message, and no single octet changed, makes the codec fail."""
    whole = dns.message.make_query("mx1.x.test", "MX", use_edns=0).to_wire()
    cuts = [whole[:end] for end in range(len(whole))]
    changed = [
        whole[:at] + bytes([value]) + whole[at + 1 :]
        for at, value in itertools.product(range(len(whole)), (0, 1, 63, 64, 192, 255))
    ]
    assert all(read(octets) is None for octets in cuts[:28])
    assert any(read(octets) is not None for octets in changed)


def test_it_is_fast_enough() -> None:
    """The way of one question through the server, without a socket; the best of five rounds."""

    async def test() -> None:
        async with serving(ZONE.but(Rcode("SERVFAIL"), "@", "A")) as client:
            query = dns.message.make_query("x.test", "MX", use_edns=0).to_wire()
            best = min(_round(client.server, query) for _ in range(5))
            assert best < 500 / 5000

    asyncio.run(test())


def _round(server: Nameserver, query: bytes) -> float:
    before = time.perf_counter()
    for _ in range(500):
        server._heed(query, "udp", lambda octets: None)
    return time.perf_counter() - before
