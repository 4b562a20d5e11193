"""What the resolver makes of answers, without sockets."""

import asyncio
from collections.abc import Callable, Mapping
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.rrset
import pytest

from targets.reference.outcome import DnsProblem
from targets.reference.resolver import DnsFailure, Exchanger, NullMx, Resolver

Script = Mapping[tuple[str, str], str | Exception]
"""What is answered to a name and type: a response code, or records a line each."""

TIMEOUT: Exception = dns.exception.Timeout()  # type: ignore[no-untyped-call]
MALFORMED: Exception = dns.exception.FormError()  # type: ignore[no-untyped-call]


class Scripted(Resolver):
    """Answers from a script; NODATA to what is not in it."""

    def __init__(self, script: Script) -> None:
        super().__init__(("127.0.0.1", 53), 1.0)
        self.script = script
        self.asked: list[tuple[str, str]] = []

    async def query(self, name: str, qtype: str) -> dns.message.Message:
        """Look it up in the script."""
        name = name.rstrip(".")
        self.asked.append((name, qtype))
        said = self.script.get((name, qtype), "NOERROR")
        if isinstance(said, Exception):
            raise said
        rcode, records = (said, "") if said.isupper() else ("NOERROR", said)
        return dns.message.from_text(
            f"id 1\nopcode QUERY\nrcode {rcode}\nflags QR\n;QUESTION\n{name}. IN {qtype}\n"
            f";ANSWER\n{records}\n;AUTHORITY\n;ADDITIONAL\n"
        )


def addresses(script: Script, name: str = "h.test") -> tuple[str, ...] | DnsFailure:
    return asyncio.run(Scripted(script).addresses(name))


def exchangers(script: Script) -> tuple[str, ...] | DnsFailure | NullMx:
    found = asyncio.run(Scripted(script).exchangers("d.test"))
    return tuple(record.host for record in found) if isinstance(found, tuple) else found


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("SERVFAIL", DnsProblem.RETRY),
        ("REFUSED", DnsProblem.RETRY),
        ("FORMERR", DnsProblem.RETRY),
        (TIMEOUT, DnsProblem.RETRY),
        (MALFORMED, DnsProblem.RETRY),
        (ConnectionRefusedError(), DnsProblem.RETRY),
        ("NXDOMAIN", DnsProblem.NONEXISTENT),
        ("NOERROR", DnsProblem.NO_RECORDS),
        ("h.test. 60 IN CNAME h.test.", DnsProblem.RETRY),
    ],
)
def test_what_gives_no_address_is_told_apart(said: str | Exception, problem: DnsProblem) -> None:
    assert addresses({("h.test", "A"): said}) == DnsFailure("h.test", problem)
    assert addresses({("h.test", "AAAA"): said}) == DnsFailure("h.test", problem)


def test_addresses_are_those_of_both_families_ipv6_first() -> None:
    four = "h.test. 60 IN A 127.0.0.1\nh.test. 60 IN A 127.0.0.2"
    six = "h.test. 60 IN AAAA ::1"
    both = addresses({("h.test", "A"): four, ("h.test", "AAAA"): six})
    assert isinstance(both, tuple)
    assert both[0] == "::1"
    assert sorted(both[1:]) == ["127.0.0.1", "127.0.0.2"]
    assert addresses({("h.test", "AAAA"): six}) == ("::1",)


@pytest.mark.parametrize("said", ["SERVFAIL", "NXDOMAIN", TIMEOUT])
def test_one_family_of_addresses_is_enough(said: str | Exception) -> None:
    found = addresses({("h.test", "AAAA"): said, ("h.test", "A"): "h.test. 60 IN A 127.0.0.1"})
    assert found == ("127.0.0.1",)


def test_what_may_pass_counts_more_than_what_is_final() -> None:
    found = addresses({("h.test", "AAAA"): "SERVFAIL", ("h.test", "A"): "NXDOMAIN"})
    assert found == DnsFailure("h.test", DnsProblem.RETRY)


def test_an_alias_is_followed_in_the_answer_and_by_asking() -> None:
    whole = "h.test. 60 IN CNAME t.test.\nt.test. 60 IN A 127.0.0.3"
    half = "h.test. 60 IN CNAME t.test."
    target = {("t.test", "A"): "t.test. 60 IN A 127.0.0.3"}
    assert addresses({("h.test", "A"): whole}) == ("127.0.0.3",)
    assert addresses({("h.test", "A"): half, **target}) == ("127.0.0.3",)


def test_exchangers_come_by_preference() -> None:
    records = "d.test. 60 IN MX 20 b.test.\nd.test. 60 IN MX 10 a.test."
    assert exchangers({("d.test", "MX"): records}) == ("a.test", "b.test")


def test_equal_preference_is_shuffled() -> None:
    records = [Exchanger(10, name) for name in "abcdef"] + [Exchanger(5, "first")]
    orders = {Scripted({}).order(records) for _ in range(50)}
    assert len(orders) > 1
    assert {order[0].host for order in orders} == {"first"}


def test_no_mx_means_the_domain_itself_and_null_mx_nobody() -> None:
    assert exchangers({}) == ("d.test",)
    assert exchangers({("d.test", "MX"): "d.test. 60 IN MX 0 ."}) == NullMx("d.test")


def test_a_failed_mx_question_is_never_taken_for_no_mx() -> None:
    servfail = DnsFailure("d.test", DnsProblem.RETRY)
    nxdomain = DnsFailure("d.test", DnsProblem.NONEXISTENT)
    assert exchangers({("d.test", "MX"): "SERVFAIL"}) == servfail
    assert exchangers({("d.test", "MX"): "NXDOMAIN"}) == nxdomain


class Datagrams(asyncio.DatagramProtocol):
    """A DNS server over UDP that gives each question's answer to `spoil`, and sends what it says."""

    def __init__(self, spoil: Callable[[dns.message.Message], bytes]) -> None:
        self.spoil = spoil
        self.transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer."""
        self.transport.sendto(self.spoil(full(data)), addr)


def full(question: bytes) -> dns.message.Message:
    """The honest answer: one address."""
    answer = dns.message.make_response(dns.message.from_wire(question))
    answer.answer.append(dns.rrset.from_text("h.test.", 60, "IN", "A", "127.0.0.3"))
    return answer


async def over_tcp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one question honestly."""
    size = int.from_bytes(await reader.readexactly(2))
    wire = full(await reader.readexactly(size)).to_wire()
    writer.write(len(wire).to_bytes(2) + wire)
    writer.close()


def truncated(answer: dns.message.Message) -> bytes:
    """No records, and the TC bit."""
    answer.answer.clear()
    answer.flags |= dns.flags.TC
    return answer.to_wire()


def with_wrong_id(answer: dns.message.Message) -> bytes:
    """An answer to another question."""
    answer.id ^= 1
    return answer.to_wire()


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda answer: answer.to_wire(), ("127.0.0.3",)),
        (truncated, ("127.0.0.3",)),
        (with_wrong_id, DnsFailure("h.test", DnsProblem.RETRY)),
        (lambda _: b"this is not DNS", DnsFailure("h.test", DnsProblem.RETRY)),
    ],
    ids=["honest", "truncated", "wrong-id", "garbage"],
)
def test_answers_are_read_from_the_wire(
    spoil: Callable[[dns.message.Message], bytes], expected: tuple[str, ...] | DnsFailure
) -> None:
    async def scene() -> tuple[str, ...] | DnsFailure:
        server = await asyncio.start_server(over_tcp, "127.0.0.35", 0)
        address = server.sockets[0].getsockname()
        loop = asyncio.get_running_loop()
        udp, _ = await loop.create_datagram_endpoint(lambda: Datagrams(spoil), local_addr=address)
        try:
            return await Resolver(address, 0.1).addresses("h.test")
        finally:
            udp.close()
            server.close()
            await server.wait_closed()

    assert asyncio.run(scene()) == expected
