"""The box over real sockets: it passes on, its filters act, both sides end, nothing stays open."""

import asyncio
import os
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import pytest

from fakes.middlebox import Hidden, Middlebox
from fakes.pki import Pki
from lab.pace import PACES
from lab.world import World
from model.behaviours import CutAt, HalfClose, HalfReply, KeepThenCut, Late, Offer, Reply, StallAt
from model.events import Accepted, Closed, Connected, Did, Encrypted, Event, Heard, TlsFailed
from model.middlebox import (
    AnswersItself,
    Box,
    DelaysReplies,
    DropsIdle,
    Filter,
    KillsOn,
    LimitsCommands,
    LimitsContent,
    LimitsFilenames,
    LimitsHeader,
    LimitsHeaderLines,
    LimitsRecipients,
    LimitsSender,
    LosesSplitDot,
    Manner,
    MasksCapabilities,
    MasksCommands,
    MasksGreeting,
    OffersCapability,
    RefusesOn,
    RemovesCapability,
    Resigns,
    SplitsDot,
    SwallowsAhead,
)
from model.smtp import Behaviour, Stage
from model.tls import Flaw
from selftests.test_fake_smtp import MESSAGE, Client, run
from selftests.test_lab_parts import SomeRoom
from selftests.witness import Notebook

E = TypeVar("E", bound=Event)
OUTER, INNER, PORT = "127.42.0.11", "127.42.0.12", 2599
REPLY_TIMEOUT = 0.4
"""Seconds; what shares are parts of here."""


@pytest.fixture(scope="module")
def pki() -> Pki:
    """One set of authorities for all."""
    return Pki()


def made(pki: Pki, notes: Notebook, box: Box, *behaviours: Behaviour) -> Middlebox:
    """A box and the host behind it, not open yet."""
    numbers = iter(range(1, 1000))
    host = Hidden(
        notes,
        "x",
        "mx1",
        "mx1.x.test",
        INNER,
        PORT,
        lambda: pki.context(Flaw.VALID, ("mx1.x.test",)),
        behaviours,
        domain="x.test",
        reply_timeout=REPLY_TIMEOUT,
    )
    return Middlebox(
        box,
        host,
        OUTER,
        lambda flaw: pki.context(flaw, ("mx1.x.test",)),
        lambda: next(numbers),
    )


@asynccontextmanager
async def through(
    pki: Pki, *filters: Filter, host: tuple[Behaviour, ...] = ()
) -> AsyncIterator[tuple[Client, Notebook, Middlebox]]:
    """A client connected to a host through a box; in the end nothing of it is left open."""
    before = open_files()
    notes = Notebook()
    box = made(pki, notes, Box(filters), *host)
    await box.open()
    reader, writer = await asyncio.open_connection(OUTER, PORT)
    try:
        yield Client(reader, writer), notes, box
    finally:
        writer.transport.abort()
        await box.close()
        await until(lambda: not box.crossings and not box.host.sessions)
        await until(lambda: open_files() <= before)


def open_files() -> set[str]:
    """What sockets this process has open."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            found.add(os.readlink(f"/proc/self/fd/{number}"))
    return {name for name in found if name.startswith("socket:")}


async def until(wanted: Callable[[], bool]) -> None:
    """Wait until it is so, a few seconds at most."""
    for _ in range(1000):
        if wanted():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not come about")


def all_of(notes: Notebook, kind: type[E]) -> list[E]:
    """The events of one kind."""
    return [event for event in notes.events if isinstance(event, kind)]


def acted(notes: Notebook) -> list[str]:
    """The filters that have acted, each once."""
    return list(dict.fromkeys(event.by for event in all_of(notes, Did) if event.by))


SILENCE = "silence"


async def ask_all(client: Client, *lines: str, patience: float = 3.0) -> str:
    """Hear the greeting, say the lines; the last reply, or how it ended."""
    try:
        said = await client.hear()
        for line in lines:
            async with asyncio.timeout(patience):
                said = await client.ask(line)
    except ConnectionResetError:
        return "RST"
    except TimeoutError:
        return SILENCE
    return said


# Passing on ----------------------------------------------------------------------------------


def test_a_box_without_filters_changes_nothing(pki: Pki) -> None:
    """Every octet, every event once, by the number that the agent's connection has."""

    async def body() -> None:
        async with through(pki) as (client, notes, _):
            assert (await client.up_to(Stage.DOT)).startswith("250 2.0.0")
            assert (await client.ask("QUIT")).startswith("221")
            assert await client.hear() == ""
            client.writer.close()
            await notes.told(Closed)

            (stored,) = all_of(notes, Accepted)
            assert stored.content == MESSAGE.replace(b"\r\n..", b"\r\n.")
            assert (stored.conn, stored.acknowledged, stored.tls) == (1, True, False)
            assert [e.conn for e in all_of(notes, Connected)] == [1]
            assert [e.line for e in all_of(notes, Heard)] == [
                "EHLO client.test",
                "MAIL FROM:<a@a.test>",
                "RCPT TO:<u@x.test>",
                "DATA",
                f"(body of {len(MESSAGE) + 3} octets) .",
                "QUIT",
            ]
            assert [e.by for e in all_of(notes, Closed)] == ["host"]
            assert not any(e.spoiled for e in all_of(notes, Did))

    run(body)


def test_tls_passes_unread(pki: Pki) -> None:
    """The host's certificate is seen, the host tells what is said within, the filters see nothing."""

    async def body() -> None:
        async with through(pki, KillsOn(b"."), LimitsSender(1)) as (client, notes, _):
            await ask_all(client, "EHLO client.test", "STARTTLS")
            trust = ssl.create_default_context(cadata=pki.ca_pem.decode())
            await client.writer.start_tls(trust, server_hostname="mx1.x.test")
            for line in ("EHLO client.test", "MAIL FROM:<a@a.test>", "RCPT TO:<u@x.test>", "DATA"):
                await client.ask(line)
            assert (await client.ask(MESSAGE.decode() + ".")).startswith("250")

            (seen,) = all_of(notes, Encrypted)
            assert (seen.certificate, seen.sni, seen.conn) == (Flaw.VALID, "mx1.x.test", 1)
            heard = [(e.line.split(" ")[0], e.tls) for e in all_of(notes, Heard)]
            assert heard[:3] == [("EHLO", False), ("STARTTLS", False), ("EHLO", True)]
            assert len(heard) == 7
            (stored,) = all_of(notes, Accepted)
            assert (stored.tls, stored.acknowledged) == (True, True)
            assert acted(notes) == []

    run(body)


def test_many_connections_keep_their_numbers_apart(pki: Pki) -> None:
    """What the host sees on each is told under the number of the agent's."""

    async def talk(number: int) -> None:
        reader, writer = await asyncio.open_connection(OUTER, PORT)
        client = Client(reader, writer)
        await ask_all(client, "EHLO c", f"MAIL FROM:<s{number}@a.test>", "RCPT TO:<u@x.test>")
        await client.ask("DATA")
        await client.ask("x\r\n.")
        writer.close()

    async def body() -> None:
        async with through(pki) as (_, notes, _box):
            await asyncio.gather(*(talk(n) for n in range(12)))
            said = {e.conn: e.line for e in all_of(notes, Heard) if e.stage is Stage.MAIL}
            kept = {e.conn: f"MAIL FROM:<{e.sender}>" for e in all_of(notes, Accepted)}
            assert len(kept) == 12
            assert said == kept

    run(body)


def test_a_chunk_is_no_command(pki: Pki) -> None:
    """The octets behind BDAT are content, whatever they look like, and pass."""

    async def body() -> None:
        chunk = "Subject: x\r\n\r\nRCPT TO:<b@x.test>\r\nno line end"
        offer = (Offer(("CHUNKING",)),)
        async with through(pki, LimitsRecipients(1), host=offer) as (client, notes, _):
            await ask_all(client, "EHLO c", "MAIL FROM:<a@a.test>", "RCPT TO:<u@x.test>")
            client.writer.write(f"BDAT {len(chunk)} LAST\r\n{chunk}".encode())
            assert (await client.hear()).startswith("250")
            assert (await client.ask("NOOP")).startswith("250")
            (stored,) = all_of(notes, Accepted)
            assert stored.content == chunk.encode()
            assert acted(notes) == []

    run(body)


def test_a_chunk_is_searched_as_any_content(pki: Pki) -> None:
    """Its lines are shown to the filters."""

    async def body() -> None:
        offer = (Offer(("CHUNKING",)),)
        async with through(pki, KillsOn(b"bad"), host=offer) as (client, notes, _):
            await ask_all(client, "EHLO c", "MAIL FROM:<a@a.test>", "RCPT TO:<u@x.test>")
            client.writer.write(b"BDAT 8 LAST\r\nso bad\r\n")
            with pytest.raises(ConnectionResetError):
                await client.hear()
            assert acted(notes) == ["KillsOn"]

    run(body)


def test_half_a_reply_is_passed_on_when_the_host_ends(pki: Pki) -> None:
    """A box that waits for the line end does not keep what has come for good."""

    async def body() -> None:
        cut = (HalfReply(Stage.MAIL, close=True),)
        async with through(pki, host=cut) as (client, _, _box):
            await ask_all(client, "EHLO c")
            client.writer.write(b"MAIL FROM:<a@a.test>\r\n")
            assert await client.reader.read() == b"250 2.1.0 "

    run(body)


def test_a_slow_host_slows_the_agent(pki: Pki) -> None:
    """The box does not take in more than it can get rid of."""

    async def body() -> None:
        async with through(pki, host=(StallAt(Stage.BODY),)) as (client, _, box):
            await client.up_to(Stage.DATA)
            for _ in range(400):
                client.writer.write(b"x" * 99_998 + b"\r\n")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await client.writer.drain()
            (crossing,) = box.crossings
            assert crossing.host.transport.get_write_buffer_size() < 2_000_000

    run(body)


# Filters -------------------------------------------------------------------------------------

TO_RCPT = ("EHLO c", "MAIL FROM:<a@a.test>", "RCPT TO:<u@x.test>")
TO_DATA = (*TO_RCPT, "DATA")
FIRST = "250-mx1.x.test\n250-SIZE 67108864"
LETTER = 'Subject: x\r\nX: name="long-name"\r\n\r\na bad line\r\n.'

ACTING: list[tuple[tuple[Filter, ...], tuple[str, ...], str]] = [
    ((MasksGreeting(),), (), "220 ****************"),
    (
        (MasksCapabilities(("SIZE",)),),
        ("EHLO c",),
        f"{FIRST}\n250-XXXXXXXA\n250-XXXXXXXXXXXXXXXXXXA\n250-XXXXXXXA\n250 XXXA",
    ),
    (
        (RemovesCapability("STARTTLS"),),
        ("EHLO c",),
        f"{FIRST}\n250-8BITMIME\n250-ENHANCEDSTATUSCODES\n250 HELP",
    ),
    (
        (OffersCapability("DSN"), RemovesCapability("STARTTLS")),
        ("EHLO c",),
        f"{FIRST}\n250-8BITMIME\n250-ENHANCEDSTATUSCODES\n250 HELP".replace(
            "test", "test\n250-DSN"
        ),
    ),
    ((DelaysReplies(0.2),), ("EHLO c", "NOOP"), "250 2.0.0 OK"),
    ((MasksCommands(("HELO",)),), ("EHLO c",), "502 5.5.1 Command not implemented"),
    ((MasksCommands(("EHLO",)),), ("EHLO c", "STARTTLS"), "502 5.5.1 Command not implemented"),
    ((AnswersItself("^NOOP", "250 from the box"),), ("EHLO c", "NOOP"), "250 from the box"),
    ((LimitsCommands(20),), ("EHLO c", "MAIL FROM:<aa@aa.test>"), SILENCE),
    ((LimitsCommands(20, Manner.CLOSED),), ("EHLO c", "MAIL FROM:<aa@aa.test>"), ""),
    ((LimitsRecipients(1, Manner.RESET),), (*TO_RCPT, "RCPT TO:<v@x.test>"), "RST"),
    ((LimitsSender(5, Manner.RESET),), TO_RCPT, "RST"),
    ((LimitsHeaderLines(10, Manner.RESET),), (*TO_DATA, LETTER), "RST"),
    ((LimitsHeader(20, Manner.RESET),), (*TO_DATA, LETTER), "RST"),
    ((LimitsFilenames(8, Manner.RESET),), (*TO_DATA, LETTER), "RST"),
    ((LimitsContent(30),), (*TO_DATA, LETTER), "RST"),
    ((KillsOn(b"bad"),), (*TO_DATA, LETTER), "RST"),
    ((KillsOn(b"bad", Manner.CLOSED),), (*TO_DATA, LETTER), ""),
    ((KillsOn(b"bad", Manner.DROPPED),), (*TO_DATA, LETTER), SILENCE),
    ((RefusesOn(b"bad", "554 5.7.1 no"),), (*TO_DATA, LETTER), "554 5.7.1 no"),
    ((SplitsDot(0.2),), (*TO_DATA, LETTER), "250 2.0.0 Stored"),
    ((SplitsDot(0.2), LosesSplitDot()), (*TO_DATA, LETTER), SILENCE),
    ((SwallowsAhead(),), ("EHLO c\r\nNOOP", "NOOP"), "250 2.0.0 OK"),
]
"""Filters, what is said to them, and what is heard last."""


@pytest.mark.parametrize(
    ("filters", "lines", "heard"),
    ACTING,
    ids=[f"{type(filters[-1]).__name__}-{n}" for n, (filters, _, _) in enumerate(ACTING)],
)
def test_a_filter_acts(
    pki: Pki, filters: tuple[Filter, ...], lines: tuple[str, ...], heard: str
) -> None:
    """What the agent meets is what the filter says, and it is told under its name."""

    async def body() -> None:
        async with through(pki, *filters) as (client, notes, _):
            patience = 0.6 if heard == SILENCE else 3.0
            assert await ask_all(client, *lines, patience=patience) == heard
            assert acted(notes) == [type(one).__name__ for one in filters]
            assert all(e.spoiled for e in all_of(notes, Did) if e.by)
            kept = [e.acknowledged for e in all_of(notes, Accepted)]
            assert kept == ([True] if heard == "250 2.0.0 Stored" else [])

    run(body)


LENIENT = (
    *(MasksCommands(("EHLO", "MAIL", "RCPT", "DATA", "QUIT")), AnswersItself("^VRFY", "252 no")),
    *(LimitsCommands(512), LimitsRecipients(1), LimitsSender(8), SwallowsAhead()),
    *(LimitsHeaderLines(998), LimitsHeader(1000), LimitsFilenames(255), LimitsContent(1000)),
    *(KillsOn(b"worse"), RefusesOn(b"worse", "554 no"), LosesSplitDot(), DropsIdle(10.0)),
    *(RemovesCapability("DSN"), Resigns()),
    MasksCapabilities(("SIZE", "8BITMIME", "ENHANCEDSTATUSCODES", "STARTTLS", "HELP")),
)


def test_filters_that_find_nothing_let_everything_pass(pki: Pki) -> None:
    """All of them at once, and mail that offends none."""

    async def body() -> None:
        async with through(pki, *LENIENT) as (client, notes, _):
            assert (await ask_all(client, *TO_DATA, LETTER)).startswith("250")
            assert acted(notes) == []
            (stored,) = all_of(notes, Accepted)
            assert stored.content == LETTER.removesuffix(".").encode()

    run(body)


def test_a_second_message_is_counted_anew(pki: Pki) -> None:
    """Recipients and octets are those of one transaction."""

    async def body() -> None:
        filters = (LimitsRecipients(1, Manner.RESET), LimitsContent(60), LimitsHeader(40))
        async with through(pki, *filters) as (client, notes, _):
            await ask_all(client, *TO_DATA, LETTER)
            for line in TO_DATA[1:]:
                await client.ask(line)
            assert (await client.ask(LETTER)).startswith("250")
            assert len(all_of(notes, Accepted)) == 2

    run(body)


def test_a_split_dot_is_complete_after_its_pause(pki: Pki) -> None:
    """The host hears the first half at once, and cannot answer before the second."""

    async def body() -> None:
        async with through(pki, SplitsDot(0.8)) as (client, _, _box):
            loop = asyncio.get_running_loop()
            await ask_all(client, *TO_DATA)
            sent = loop.time()
            assert (await client.ask(LETTER)).startswith("250")
            assert loop.time() - sent >= 0.8 * REPLY_TIMEOUT
            assert (await client.ask("NOOP")).startswith("250")

    run(body)


def test_an_answer_of_the_box_waits_for_the_replies_before_it(pki: Pki) -> None:
    """Commands that come in one go are answered in their order."""

    async def body() -> None:
        async with through(pki, AnswersItself("^NOOP", "250 box")) as (client, _, _box):
            await client.hear()
            client.writer.write(b"NOOP\r\nEHLO c\r\nNOOP\r\nRSET\r\n")
            heard = [(await client.hear()).split("\n")[0] for _ in range(4)]
            assert heard == ["250 box", "250-mx1.x.test", "250 box", "250 2.0.0 Reset"]

    run(body)


def test_delayed_replies_are_late_and_mail_counts_once_they_pass(pki: Pki) -> None:
    """The host has stored the message; until its word has gone on that is not told."""

    async def body() -> None:
        async with through(pki, DelaysReplies(0.5)) as (client, notes, _):
            loop = asyncio.get_running_loop()
            await ask_all(client, *TO_DATA)
            sent = loop.time()
            client.writer.write(LETTER.encode() + b"\r\n")
            await until(lambda: any(e.stage is Stage.DOT for e in all_of(notes, Did)))
            assert not all_of(notes, Accepted)
            assert (await client.hear()).startswith("250")
            assert loop.time() - sent >= 0.5 * REPLY_TIMEOUT
            assert [e.acknowledged for e in all_of(notes, Accepted)] == [True]

    run(body)


@pytest.mark.parametrize(
    ("manner", "found"), [(Manner.DROPPED, SILENCE), (Manner.RESET, "RST"), (Manner.CLOSED, "")]
)
def test_an_idle_connection_is_forgotten_and_the_copy_never_acknowledged(
    pki: Pki, manner: Manner, found: str
) -> None:
    """The host stores the message and says so, and nobody hears it."""

    async def body() -> None:
        slow = (Late(Stage.DOT, 0.6),)
        async with through(pki, DropsIdle(0.3, manner), host=slow) as (client, notes, _):
            assert await ask_all(client, *TO_DATA, LETTER, patience=1.0) == found
            assert [e.acknowledged for e in all_of(notes, Accepted)] == [False]
            assert acted(notes) == ["DropsIdle"]

    run(body)


def test_a_busy_connection_is_not_forgotten(pki: Pki) -> None:
    """Late, but not as late as the box's patience."""

    async def body() -> None:
        slow = (Late(Stage.DOT, 0.2),)
        async with through(pki, DropsIdle(0.9), host=slow) as (client, notes, _):
            assert (await ask_all(client, *TO_DATA, LETTER)).startswith("250")
            assert acted(notes) == []

    run(body)


# TLS of the box's own ------------------------------------------------------------------------


def test_a_box_that_signs_itself_reads_what_is_in_tls(pki: Pki) -> None:
    """The agent sees a certificate of an unknown authority; the host goes on in clear."""

    async def body() -> None:
        async with through(pki, Resigns(), KillsOn(b"bad")) as (client, notes, _):
            assert (await ask_all(client, "EHLO c", "STARTTLS")).startswith("220")
            blind = ssl.create_default_context()
            blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
            await client.writer.start_tls(blind, server_hostname="mx1.x.test")
            assert "STARTTLS" not in await client.ask("EHLO c")
            (seen,) = all_of(notes, Encrypted)
            assert (seen.certificate, seen.sni) == (Flaw.UNKNOWN_CA, "mx1.x.test")
            for line in TO_DATA[1:]:
                await client.ask(line)
            client.writer.write(LETTER.encode() + b"\r\n")
            with pytest.raises(ConnectionResetError):
                await client.hear()
            assert acted(notes) == ["Resigns", "KillsOn"]
            heard = [(e.line.split(" ")[0], e.tls) for e in all_of(notes, Heard)]
            assert heard[:2] == [("EHLO", False), ("STARTTLS", False)]
            assert heard[2:] == [(word, True) for word in ("EHLO", "MAIL", "RCPT", "DATA")]

    run(body)


def test_mail_through_a_box_that_signs_itself_counts_as_encrypted(pki: Pki) -> None:
    """To the agent it was, and the answer came through."""

    async def body() -> None:
        async with through(pki, Resigns(Flaw.VALID)) as (client, notes, _):
            await ask_all(client, "EHLO c", "STARTTLS")
            trust = ssl.create_default_context(cadata=pki.ca_pem.decode())
            await client.writer.start_tls(trust, server_hostname="mx1.x.test")
            for line in TO_DATA:
                await client.ask(line)
            assert (await client.ask(LETTER)).startswith("250")
            assert (await client.ask("QUIT")).startswith("221")
            (stored,) = all_of(notes, Accepted)
            assert (stored.tls, stored.acknowledged) == (True, True)

    run(body)


def test_a_box_whose_certificate_is_refused_tells_of_it(pki: Pki) -> None:
    """A client that distrusts it leaves its alert in the trace."""

    async def body() -> None:
        async with through(pki, Resigns()) as (client, notes, _):
            await ask_all(client, "EHLO c", "STARTTLS")
            trust = ssl.create_default_context(cadata=pki.ca_pem.decode())
            with pytest.raises(ssl.SSLCertVerificationError):
                await client.writer.start_tls(trust, server_hostname="mx1.x.test")
            failed = await notes.told(TlsFailed)
            assert isinstance(failed, TlsFailed)
            await notes.told(Closed)
            assert not all_of(notes, Encrypted)

    run(body)


# The ends ------------------------------------------------------------------------------------


@pytest.mark.parametrize("reset", [False, True])
def test_the_hosts_end_is_passed_on_to_the_agent(pki: Pki, reset: bool) -> None:
    """FIN as FIN, RST as RST; the host has done it."""

    async def body() -> None:
        cut = (CutAt(Stage.MAIL, reset=reset),)
        async with through(pki, host=cut) as (client, notes, _):
            found = await ask_all(client, "EHLO c", "MAIL FROM:<a@a.test>")
            assert found == ("RST" if reset else "")
            client.writer.close()
            closed = await notes.told(Closed)
            assert isinstance(closed, Closed)
            assert closed.by == "host"

    run(body)


@pytest.mark.parametrize("reset", [False, True])
def test_the_agents_end_is_passed_on_to_the_host(pki: Pki, reset: bool) -> None:
    """The host's session ends with the agent's."""

    async def body() -> None:
        async with through(pki) as (client, notes, box):
            await client.up_to(Stage.DATA)
            assert len(box.host.sessions) == 1
            if reset:
                raw = client.writer.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.writer.transport.abort()
            await until(lambda: not box.host.sessions and not box.crossings)
            assert [e.by for e in all_of(notes, Closed)] == ["agent"]
            assert not all_of(notes, Accepted)

    run(body)


def test_a_host_that_closes_one_way_only_is_still_sent_to(pki: Pki) -> None:
    """The agent sees the end of file; what it says then arrives all the same."""

    async def body() -> None:
        half = (HalfClose(Stage.MAIL),)
        async with through(pki, host=half) as (client, notes, box):
            assert await ask_all(client, "EHLO c", "MAIL FROM:<a@a.test>") == ""
            client.writer.write(b"NOOP\r\n")
            await until(lambda: any(e.line == "NOOP" for e in all_of(notes, Heard)))
            client.writer.close()
            await until(lambda: not box.crossings)

    run(body)


def test_a_copy_that_the_host_kept_in_silence_stays_unacknowledged(pki: Pki) -> None:
    """The box does not make an acknowledgement of it."""

    async def body() -> None:
        async with through(pki, host=(KeepThenCut(),)) as (client, notes, _):
            assert await ask_all(client, *TO_DATA, LETTER) == ""
            assert [e.acknowledged for e in all_of(notes, Accepted)] == [False]

    run(body)


def test_a_dropped_connection_stays_open_on_both_sides(pki: Pki) -> None:
    """Neither hears of the other any more, until the agent leaves, or the lab ends."""

    async def body() -> None:
        async with through(pki, LimitsCommands(8, Manner.DROPPED)) as (client, notes, box):
            assert await ask_all(client, "NOOP", "EHLO long.test", patience=0.6) == SILENCE
            assert len(box.host.sessions) == 1
            client.writer.close()
            closed = await notes.told(Closed)
            assert isinstance(closed, Closed)
            assert closed.by == "agent"
            assert len(box.host.sessions) == 1

    run(body)


def test_a_box_before_a_host_that_is_not_there_resets(pki: Pki) -> None:
    """It has accepted before it knows."""

    async def body() -> None:
        async with through(pki) as (_, _notes, box):
            await box.host.close()
            reader, writer = await asyncio.open_connection(OUTER, PORT)
            with pytest.raises(ConnectionResetError):
                await reader.read()
            writer.close()

    run(body)


def test_a_refusal_of_the_host_passes_through(pki: Pki) -> None:
    """The host's own behaviours are told as the host's, not as the box's."""

    async def body() -> None:
        no = (Reply(Stage.MAIL, "451 4.3.0 no"),)
        async with through(pki, host=no) as (client, notes, _):
            assert await ask_all(client, "EHLO c", "MAIL FROM:<a@a.test>") == "451 4.3.0 no"
            assert [e.by for e in all_of(notes, Did) if e.spoiled] == [""]

    run(body)


def test_agents_that_leave_at_once_leave_nothing_behind(pki: Pki) -> None:
    """Whether or not the way to the host is open yet."""

    async def body() -> None:
        async with through(pki) as (_, notes, box):
            for _ in range(20):
                _, writer = await asyncio.open_connection(OUTER, PORT)
                writer.transport.abort()
            await until(lambda: len(all_of(notes, Closed)) == 20)
            await until(lambda: len(box.crossings) == len(box.host.sessions) == 1)

    run(body)


def test_a_box_that_is_closed_while_it_connects_leaves_nothing_behind(pki: Pki) -> None:
    """The way to the host may be half open."""

    async def body() -> None:
        async with through(pki) as (_, _notes, box):
            made = [asyncio.open_connection(OUTER, PORT) for _ in range(20)]
            writers = [writer for _, writer in await asyncio.gather(*made)]
            await box.close()
            await until(lambda: not box.host.sessions and not box.crossings)
            for writer in writers:
                writer.transport.abort()

    run(body)


def test_whoever_goes_round_the_box_is_a_stray(pki: Pki) -> None:
    """The inner address is known to the box only."""

    async def body() -> None:
        async with through(pki) as (_, notes, box):
            reader, writer = await asyncio.open_connection(INNER, PORT)
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
            writer.close()
            assert notes.strays == [
                "a connection to mx1.x.test behind its box, from "
                + writer.get_extra_info("sockname")[0]
            ]
            await until(lambda: len(box.crossings) == 1)
            assert not any(event.conn == 0 for event in all_of(notes, Connected))

    run(body)


# The lab -------------------------------------------------------------------------------------


def test_only_the_box_may_connect_to_the_inner_address(pki: Pki) -> None:
    """Its own SYN is nobody's; one from anywhere else is a stray."""

    async def body() -> None:
        room: Any = SomeRoom(sealed=True)
        world = World(room, "198.18.0.0/15", pki, PACES["fast"].timers)
        world._inner["198.18.1.9"] = "198.18.1.8"
        world._on_syn("198.18.1.8", 40001, "198.18.1.9", 25)
        assert world.journal.strays == []
        world._on_syn("198.18.0.1", 40002, "198.18.1.9", 25)
        assert world.journal.strays == ["a connection to 198.18.1.9:25, where nobody lives"]

    run(body)
