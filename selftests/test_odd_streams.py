"""Odd streams of octets over real sockets: from the fakes, and at an agent's door."""

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from fakes.pki import Pki
from fakes.smtp import MailHost
from model.behaviours import Fragment, LineEnds, Offer, Reply, Surplus
from model.events import Accepted, Closed
from model.smtp import Stage
from selftests.test_fake_smtp import IP, PORT, Client, run, session
from selftests.witness import Notebook
from targets.base import Envelope, NotTaken, submit_by_smtp

COMMANDS = b"MAIL FROM:<a@a.test>\r\nRCPT TO:<u@x.test>\r\nDATA\r\n"


@pytest.fixture(scope="module")
def pki() -> Pki:
    """One set of authorities for all."""
    return Pki()


def segments(client: Client) -> int:
    """How many segments with data have come so far (tcp_info, tcpi_data_segs_in; linux/tcp.h)."""
    plain: socket.socket = client.writer.get_extra_info("socket")
    info = plain.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 160)
    return int(struct.unpack_from("=I", info, 152)[0])


def test_commands_that_come_together_are_answered_in_one_segment(pki: Pki) -> None:
    """RFC 2920 section 3.2."""

    async def body() -> None:
        async with session(pki, Offer(("PIPELINING",))) as (client, _):
            await client.up_to(Stage.EHLO)
            before = segments(client)
            client.writer.write(COMMANDS)
            replies = [await client.hear() for _ in range(3)]
            assert [reply[:3] for reply in replies] == ["250", "250", "354"]
            assert segments(client) == before + 1

    run(body)


@pytest.mark.parametrize("ends", [b"\n", b"\r\r\n", b"\r"])
def test_other_line_ends_are_sent_and_commands_carried_out(pki: Pki, ends: bytes) -> None:
    async def body() -> None:
        async with session(pki, LineEnds(ends)) as (client, notes):
            client.writer.write(b"EHLO c\r\n" + COMMANDS + b"x\r\n.\r\nQUIT\r\n")
            replies = await client.reader.read()
            assert b"\r\n" not in replies.replace(b"\r\r\n", b"")
            assert replies.count(ends) >= 7
            assert isinstance(await notes.told(Accepted), Accepted)

    run(body)


def test_a_surplus_reply_comes_in_the_same_segment(pki: Pki) -> None:
    async def body() -> None:
        async with session(pki, Surplus(Stage.EHLO, "421 4.3.2 bye", close=True)) as (
            client,
            notes,
        ):
            await client.hear()
            client.writer.write(b"EHLO c\r\n")
            said = await client.reader.read(4096)
            assert said.startswith(b"250-mx1")
            assert said.endswith(b"\r\n421 4.3.2 bye\r\n")
            assert isinstance(await notes.told(Closed), Closed)

    run(body)


def test_a_reply_in_pieces_is_the_same_reply(pki: Pki) -> None:
    stages = (Stage.GREETING, Stage.EHLO, Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.DOT)

    async def body() -> None:
        async with session(pki, *map(Fragment, stages)) as (client, notes):
            assert (await client.up_to(Stage.DOT)).startswith("250 2.0.0")
            assert isinstance(await notes.told(Accepted), Accepted)

    run(body)


def test_an_empty_last_chunk_ends_the_message(pki: Pki) -> None:
    """RFC 3030 section 2: BDAT 0 LAST."""

    async def body() -> None:
        async with session(pki, Offer(("CHUNKING",))) as (client, notes):
            await client.up_to(Stage.RCPT)
            assert (await client.ask("BDAT 3\r\na\n.")).startswith("250")
            assert (await client.hear()).startswith("502")  # the rest of that line, no chunk
            assert (await client.ask("BDAT 0 LAST")).startswith("250")
            stored = await notes.told(Accepted)
            assert isinstance(stored, Accepted)
            assert (stored.content, stored.wire) == (b"a\n.", b"")

    run(body)


def test_a_domain_has_no_dot_at_its_end_and_may_be_an_address(pki: Pki) -> None:
    async def body() -> None:
        async with session(pki) as (client, notes):
            await client.up_to(Stage.MAIL)
            assert (await client.ask("RCPT TO:<u@x.test.>")).startswith("501")
            assert (await client.ask(f"RCPT TO:<u@[{IP}]>")).startswith("250")
            await client.ask("DATA")
            await client.ask("x\r\n.")
            assert notes.strays == []

    run(body)


def test_a_host_takes_anothers_place_without_a_break() -> None:
    """Old connections end, new ones come to the successor, and its end frees the address."""

    def made(*behaviours: Reply) -> MailHost:
        return MailHost(Notebook(), "x", "mx1", "mx1.x.test", IP, PORT, Pki, behaviours)  # type: ignore[arg-type]

    async def body() -> None:
        old, new = made(), made(Reply(Stage.GREETING, "421 4.3.2 new"))
        await old.open()
        first = Client(*await asyncio.open_connection(IP, PORT))
        assert (await first.hear()).startswith("220")
        new.succeed(old)
        assert await first.reader.read() == b""
        second = Client(*await asyncio.open_connection(IP, PORT))
        assert await second.hear() == "421 4.3.2 new"
        for client in (first, second):
            client.writer.transport.abort()
        await old.close()
        await new.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(IP, PORT)

    run(body)


@contextmanager
def door(*replies: str) -> Iterator[tuple[int, list[bytes]]]:
    """An agent's door: each reply for the next thing said; its port, and what it has heard."""
    heard: list[bytes] = []
    listening = socket.create_server((IP, 0))

    def serve() -> None:
        peer, _ = listening.accept()
        with peer, peer.makefile("rb") as lines:
            for reply in replies:
                peer.sendall(reply.encode() + b"\r\n")
                if reply.startswith("221"):
                    return
                while line := lines.readline():
                    heard.append(line)
                    if not reply.startswith("354") or line == b".\r\n":
                        break

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with listening:
        yield listening.getsockname()[1], heard
        thread.join(5)


MAIL = Envelope("s@home.test", ("u@x.test",), b"a\n.\nb\rc\r\n.d\r\n")
BEGINNING = ("220 door", "250 door", "250 ok", "250 ok")


def test_odd_content_is_handed_in_as_it_is() -> None:
    with door(*BEGINNING, "354 go", "250 queued as Q1", "221 bye") as (port, heard):
        assert submit_by_smtp(IP, port, MAIL, 5.0) == "queued as Q1"
    assert b"".join(heard[4:-1]) == b"a\n.\nb\rc\r\n..d\r\n.\r\n"
    assert heard[-1] == b"quit\r\n"


def test_recipients_are_named_together_where_a_door_takes_that() -> None:
    """RFC 2920; and each reply is heeded."""
    crowd = replace(MAIL, recipients=("u@x.test", "v@x.test"))
    offers = "250-door\r\n250 PIPELINING"
    replies = ("220 door", offers, "250 ok", "250 ok\r\n550 no")
    with door(*replies) as (port, heard), pytest.raises(NotTaken, match="550 no"):
        submit_by_smtp(IP, port, crowd, 5.0)
    assert heard[2] == b"RCPT TO:<u@x.test>\r\n"


def test_what_a_door_makes_of_the_rest_is_waited_for() -> None:
    """It took one message for two: the first one's name counts, and the last reply is heard."""
    more = ("250 queued as Q1\r\n250 ok\r\n250 ok\r\n354 go\r\n250 queued as Q2", "221 bye")
    with door(*BEGINNING, "354 go", *more) as (port, heard):
        assert submit_by_smtp(IP, port, MAIL, 5.0) == "queued as Q1"
    assert heard[-1] == b"quit\r\n"


@pytest.mark.parametrize(
    ("replies", "words"),
    [
        (("220 door", "250 door", "550 no"), "550 no"),
        ((*BEGINNING, "554 no"), "554 no"),
        ((*BEGINNING, "354 go", "550 5.5.2 bare", "221 bye"), "550 5.5.2 bare"),
    ],
)
def test_a_refusal_is_no_death(replies: tuple[str, ...], words: str) -> None:
    with door(*replies) as (port, _), pytest.raises(NotTaken, match=words):
        submit_by_smtp(IP, port, MAIL, 5.0)


def test_the_eighth_bit_is_announced_where_it_may_be() -> None:
    odd = Envelope("s@home.test", ("jörg@x.test",), "ü\r\n".encode())
    offers = "250-door\r\n250-8BITMIME\r\n250 SMTPUTF8"
    replies = ("220 door", offers, "250 ok", "250 ok", "354 go", "250 Q1", "221 bye")
    with door(*replies) as (port, heard):
        submit_by_smtp(IP, port, odd, 5.0)
    assert heard[1] == b"mail FROM:<s@home.test> SMTPUTF8 BODY=8BITMIME\r\n"
    assert heard[2] == "RCPT TO:<jörg@x.test>\r\n".encode()
    with door("220 door", "250 door") as (port, _), pytest.raises(NotTaken, match="SMTPUTF8"):
        submit_by_smtp(IP, port, odd, 5.0)
