"""The SMTP fakes over real sockets: honest by default, spoiled exactly as told."""

import asyncio
import contextlib
import os
import smtplib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest

from fakes.pki import Pki
from fakes.raw import RawHost
from fakes.sink import Sink
from fakes.smtp import MailHost
from model.behaviours import (
    CutAt,
    CutBody,
    Fragment,
    HalfClose,
    HalfReply,
    ImplicitTls,
    InBody,
    KeepThenCut,
    KeepThenStall,
    Late,
    MaskCapabilities,
    MaskGreeting,
    MostRecipients,
    OnReuse,
    Reply,
    SendAt,
    SizeLimit,
    StallAt,
    Withhold,
)
from model.events import (
    FALLS_SILENT,
    STOPS_READING,
    Accepted,
    Closed,
    Did,
    Encrypted,
    Heard,
    Returned,
    TlsFailed,
)
from model.smtp import Behaviour, Say, Send, Stage
from model.tls import Flaw
from selftests.witness import Notebook

T = TypeVar("T")
IP, PORT = "127.42.0.9", 2599
MESSAGE = b"Subject: x\r\n\r\n..a line that began with a dot\r\n"


@pytest.fixture(scope="module")
def pki() -> Pki:
    """One set of authorities for all."""
    return Pki()


class Client:
    """A client that says exactly what it is told and hears exactly what comes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def hear(self) -> str:
        """One reply, its lines joined; empty if the connection was closed."""
        lines = []
        async with asyncio.timeout(3):
            while line := await self.reader.readline():
                lines.append(line.decode().rstrip("\r\n"))
                if line[3:4] != b"-":
                    break
        return "\n".join(lines)

    async def ask(self, line: str) -> str:
        """Send a line and hear the reply."""
        self.writer.write(line.encode() + b"\r\n")
        return await self.hear()

    async def up_to(self, stage: Stage) -> str:
        """Go through a session up to a stage; the reply there."""
        reply = await self.hear()
        lines = {
            Stage.EHLO: "EHLO client.test",
            Stage.MAIL: "MAIL FROM:<a@a.test>",
            Stage.RCPT: "RCPT TO:<u@x.test>",
            Stage.DATA: "DATA",
            Stage.DOT: MESSAGE.decode() + ".",
        }
        if stage is Stage.GREETING:
            return reply
        for now, line in lines.items():
            reply = await self.ask(line)
            if now is stage:
                return reply
        raise AssertionError(stage)


@asynccontextmanager
async def session(
    pki: Pki, *behaviours: Behaviour, flaw: Flaw = Flaw.VALID, swallows: int = 0
) -> AsyncIterator[tuple[Client, Notebook]]:
    """A host with behaviours, and a client connected to it."""
    notes = Notebook()
    host = MailHost(
        notes,
        "x",
        "mx1",
        "mx1.x.test",
        IP,
        PORT,
        lambda: pki.context(flaw, ("mx1.x.test",)),
        behaviours,
        domain="x.test",
        swallows=swallows,
    )
    await host.open()
    reader, writer = await asyncio.open_connection(IP, PORT)
    try:
        yield Client(reader, writer), notes
    finally:
        writer.transport.abort()
        await host.close()


def run(body: Callable[[], Awaitable[T]]) -> T:
    """Run an async test body; it may take ten seconds."""

    async def bounded() -> T:
        async with asyncio.timeout(10):
            return await body()

    return asyncio.run(bounded())


def test_an_honest_host_takes_the_message_byte_for_byte(pki: Pki) -> None:
    """Dot-stuffing is undone, the envelope is kept, the 250 is said."""

    async def body() -> None:
        async with session(pki) as (client, notes):
            reply = await client.up_to(Stage.DOT)
            assert reply.startswith("250 2.0.0")
            stored = await notes.told(Accepted)
            assert isinstance(stored, Accepted)
            assert stored.content == MESSAGE.replace(b"\r\n..", b"\r\n.")
            assert (stored.sender, stored.recipients) == ("a@a.test", ("u@x.test",))
            assert stored.acknowledged
            assert not stored.tls
            assert not any(e.spoiled for e in notes.events if isinstance(e, Did))

    run(body)


@pytest.mark.parametrize(
    "stage", [Stage.GREETING, Stage.EHLO, Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.DOT]
)
@pytest.mark.parametrize("behaviour", [Reply, CutAt, StallAt], ids=lambda b: b.__name__)
def test_a_behaviour_acts_at_its_stage_and_nowhere_before(
    pki: Pki, stage: Stage, behaviour: type
) -> None:
    """A refusal is said, a cut is a closed connection, a stall is silence."""
    made = Reply(stage, "451 4.3.0 no") if behaviour is Reply else behaviour(stage)

    async def body() -> None:
        async with session(pki, made) as (client, notes):
            if behaviour is StallAt:
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.2):
                        await client.up_to(stage)
            else:
                wanted = "451 4.3.0 no" if behaviour is Reply else ""
                assert await client.up_to(stage) == wanted
            deeds = [e for e in notes.events if isinstance(e, Did) and e.spoiled]
            assert [deed.stage for deed in deeds] == [stage]
            assert not any(isinstance(e, Accepted) for e in notes.events)

    run(body)


def test_a_refused_command_leaves_no_state_behind(pki: Pki) -> None:
    """After a 451 to MAIL, RCPT is out of order."""

    async def body() -> None:
        async with session(pki, Reply(Stage.MAIL, "451 4.3.0 no")) as (client, _):
            await client.up_to(Stage.MAIL)
            assert (await client.ask("RCPT TO:<u@x.test>")).startswith("503")

    run(body)


def test_times_counts_over_connections(pki: Pki) -> None:
    """`times=1` spoils the first visit only, whichever connection makes it."""

    async def body() -> None:
        async with session(pki, CutAt(Stage.EHLO, times=1)) as (client, _):
            assert await client.up_to(Stage.EHLO) == ""
            reader, writer = await asyncio.open_connection(IP, PORT)
            second = Client(reader, writer)
            assert (await second.up_to(Stage.EHLO)).startswith("250-")
            writer.transport.abort()

    run(body)


def test_reset_is_a_rst_and_close_is_a_fin(pki: Pki) -> None:
    """The client sees ECONNRESET in one case and the end of file in the other."""

    async def body(reset: bool) -> str:
        async with session(pki, CutAt(Stage.EHLO, reset=reset)) as (client, notes):
            await client.hear()
            try:
                found = await client.ask("EHLO c")
            except ConnectionResetError:
                found = "RST"
            closed = await notes.told(Closed)
            assert isinstance(closed, Closed)
            assert closed.by == "host"
            return found

    assert run(lambda: body(True)) == "RST"
    assert run(lambda: body(False)) == ""


def test_a_cut_in_the_body_comes_after_so_many_octets(pki: Pki) -> None:
    """Nothing is stored; the deed says how much had come."""

    async def body() -> None:
        async with session(pki, CutBody(100)) as (client, notes):
            await client.up_to(Stage.DATA)
            client.writer.write(b"x" * 60 + b"\r\n")
            client.writer.write(b"y" * 60 + b"\r\n")
            await notes.told(Closed)
            assert not any(isinstance(e, Accepted) for e in notes.events)
            assert any(isinstance(e, Did) and e.stage is Stage.BODY for e in notes.events)

    run(body)


def test_most_recipients_are_counted_by_transaction(pki: Pki) -> None:
    """The third is turned away, and the first of the next transaction is not."""

    async def body() -> None:
        async with session(pki, MostRecipients(2)) as (client, _):
            await client.up_to(Stage.RCPT)
            assert (await client.ask("RCPT TO:<v@x.test>")).startswith("250")
            assert (await client.ask("RCPT TO:<w@x.test>")).startswith("452 4.5.3")
            await client.ask("RSET")
            await client.ask("MAIL FROM:<a@a.test>")
            assert (await client.ask("RCPT TO:<w@x.test>")).startswith("250")

    run(body)


def test_a_size_limit_is_said_and_held_to(pki: Pki) -> None:
    """At EHLO, at MAIL if the client says how much is coming, and at the dot if it does not."""

    async def body() -> None:
        async with session(pki, SizeLimit(30)) as (client, notes):
            assert "250-SIZE 30\n" in await client.up_to(Stage.EHLO)
            assert (await client.ask("MAIL FROM:<a@a.test> SIZE=31")).startswith("552 5.3.4")
            assert (await client.ask("MAIL FROM:<a@a.test> SIZE=30")).startswith("250")
            await client.ask("RCPT TO:<u@x.test>")
            await client.ask("DATA")
            assert (await client.ask(MESSAGE.decode() + ".")).startswith("552 5.3.4")
            assert not any(isinstance(e, Accepted) for e in notes.events)

    run(body)


@pytest.mark.parametrize("offered", [True, False])
def test_eight_bits_are_taken_where_they_are_offered(pki: Pki, offered: bool) -> None:
    """A host without 8BITMIME says what is wrong with the client, not with the content."""
    behaviours = () if offered else (Withhold("8BITMIME"),)

    async def body() -> None:
        async with session(pki, *behaviours) as (client, notes):
            await client.up_to(Stage.DATA)
            client.writer.write(b"Subject: x\r\n\r\n\x80\r\n.\r\n")
            assert (await client.hear()).startswith("250" if offered else "554 5.5.2")
            assert any(isinstance(e, Accepted) for e in notes.events) is offered

    run(body)


def test_keep_then_cut_stores_without_a_word(pki: Pki) -> None:
    """The message is there, and marked as never acknowledged."""

    async def body() -> None:
        async with session(pki, KeepThenCut()) as (client, notes):
            assert await client.up_to(Stage.DOT) == ""
            stored = await notes.told(Accepted)
            assert isinstance(stored, Accepted)
            assert not stored.acknowledged

    run(body)


def test_a_withheld_capability_is_refused_too(pki: Pki) -> None:
    """STARTTLS is neither offered nor taken."""

    async def body() -> None:
        async with session(pki, Withhold("STARTTLS")) as (client, _):
            assert "STARTTLS" not in await client.up_to(Stage.EHLO)
            assert (await client.ask("STARTTLS")).startswith("502")

    run(body)


def test_inspection_masks_greeting_and_capabilities(pki: Pki) -> None:
    """Codes and line count stay, the words are gone."""

    async def body() -> None:
        async with session(pki, MaskGreeting(), MaskCapabilities()) as (client, _):
            greeting = await client.hear()
            assert set(greeting.removeprefix("220 ")) == {"*"}
            first, *rest = (await client.ask("EHLO c")).split("\n")
            assert first == "250-mx1.x.test"
            assert rest
            assert all(set(line[4:]) == {"X"} for line in rest)

    run(body)


def test_starttls_with_a_valid_certificate(pki: Pki) -> None:
    """TLS facts and SNI are taken down, EHLO no longer offers STARTTLS."""

    async def body() -> None:
        async with session(pki) as (client, notes):
            assert "STARTTLS" in await client.up_to(Stage.EHLO)
            assert (await client.ask("STARTTLS")).startswith("220")
            trust = ssl.create_default_context(cadata=pki.ca_pem.decode())
            await client.writer.start_tls(trust, server_hostname="mx1.x.test")
            assert "STARTTLS" not in await client.ask("EHLO client.test")
            seen = await notes.told(Encrypted)
            assert isinstance(seen, Encrypted)
            assert (seen.sni, seen.version) == ("mx1.x.test", "TLSv1.3")
            assert [e.tls for e in notes.events if isinstance(e, Heard)] == [False, False, True]

    run(body)


def test_a_failed_handshake_is_taken_down(pki: Pki) -> None:
    """A client that distrusts the certificate leaves its alert in the trace."""

    def distrustful() -> None:
        trust = ssl.create_default_context(cadata=pki.ca_pem.decode())
        with smtplib.SMTP(IP, PORT, local_hostname="c", timeout=5) as client:
            client.starttls(context=trust)

    async def body() -> None:
        async with session(pki, flaw=Flaw.UNKNOWN_CA) as (_, notes):
            with pytest.raises(ssl.SSLCertVerificationError):
                await asyncio.to_thread(distrustful)
            failed = await notes.told(TlsFailed)
            assert isinstance(failed, TlsFailed)
            assert "UNKNOWN_CA" in failed.error.upper()

    run(body)


def test_garbage_in_place_of_the_handshake(pki: Pki) -> None:
    """The 220 is honest, what follows is not TLS."""

    async def body() -> None:
        async with session(pki, SendAt(Stage.HANDSHAKE, b"no tls\r\n")) as (client, _):
            await client.up_to(Stage.EHLO)
            assert (await client.ask("STARTTLS")).startswith("220")
            assert await client.hear() == "no tls"

    run(body)


def test_mail_for_another_domain_is_a_stray(pki: Pki) -> None:
    """A host belongs to one scenario."""

    async def body() -> None:
        async with session(pki) as (client, notes):
            await client.up_to(Stage.MAIL)
            await client.ask("RCPT TO:<u@other.test>")
            await client.ask("DATA")
            await client.ask("x\r\n.")
            assert notes.strays == ["mail for u@other.test came to mx1.x.test"]

    run(body)


def test_a_raw_host_plays_its_script(pki: Pki) -> None:
    """First action at once, the next for a line, then it closes as told."""

    async def body() -> None:
        notes = Notebook()
        script = (Say("220 raw"), Send(b"250-ra", close=True))
        host = RawHost(
            notes, "x", "mx1", "mx1.x.test", IP, PORT, ssl.create_default_context, script=script
        )
        await host.open()
        reader, writer = await asyncio.open_connection(IP, PORT)
        client = Client(reader, writer)
        assert await client.hear() == "220 raw"
        writer.write(b"EHLO c\r\n")
        assert await reader.read() == b"250-ra"
        writer.close()
        await host.close()

    run(body)


def test_the_sink_files_returned_mail_by_sender(pki: Pki) -> None:
    """What comes home is Returned, with its envelope."""

    async def body() -> None:
        notes = Notebook()
        sink = Sink(
            notes,
            "mx.home.test",
            IP,
            PORT,
            lambda: pki.context(Flaw.VALID, ("mx.home.test",)),
            label_of=lambda domain: domain.removesuffix(".home.test"),
        )
        await sink.open()
        reader, writer = await asyncio.open_connection(IP, PORT)
        client = Client(reader, writer)
        await client.hear()
        for line in ("EHLO c", "MAIL FROM:<>", "RCPT TO:<s@x.home.test>", "DATA", "x\r\n."):
            await client.ask(line)
        event = await notes.told(Returned)
        assert isinstance(event, Returned)
        assert (event.sender, event.recipients) == ("", ("s@x.home.test",))
        writer.close()
        await sink.close()

    run(body)


def test_the_sink_turns_mail_away_from_who_is_not_at_home(pki: Pki) -> None:
    """The refusal is told with the sender it was said to; others' mail is still taken."""

    async def body() -> None:
        notes = Notebook()
        sink = Sink(
            notes,
            "mx.home.test",
            IP,
            PORT,
            lambda: pki.context(Flaw.VALID, ("mx.home.test",)),
            label_of=lambda domain: domain.removesuffix(".home.test"),
            refusals={"x": "550 5.1.1 No such sender here"},
        )
        await sink.open()
        reader, writer = await asyncio.open_connection(IP, PORT)
        client = Client(reader, writer)
        await client.hear()
        replies = [
            await client.ask(line)
            for line in (
                "EHLO c",
                "MAIL FROM:<>",
                "RCPT TO:<s@x.home.test>",
                "RCPT TO:<s@y.home.test>",
            )
        ]
        assert replies[2].startswith("550 5.1.1")
        assert replies[3].startswith("250")
        line, deed = await notes.told(Heard), await notes.told(Did)
        assert isinstance(line, Heard)
        assert isinstance(deed, Did)
        assert (line.host, line.line) == ("home", "MAIL FROM:<>")
        assert (deed.host, deed.deed, deed.spoiled) == (
            "home",
            "550 5.1.1 No such sender here",
            True,
        )
        writer.close()
        await sink.close()

    run(body)


REPLY_TIMEOUT = 3.0
"""Seconds that a host's shares are parts of, unless it is told otherwise."""
BEFORE = {
    Stage.EHLO: (Stage.GREETING, b"EHLO client.test\r\n"),
    Stage.MAIL: (Stage.EHLO, b"MAIL FROM:<a@a.test>\r\n"),
    Stage.DATA: (Stage.RCPT, b"DATA\r\n"),
    Stage.DOT: (Stage.DATA, b"x\r\n.\r\n"),
}
"""The stage before each, and the line that leads from there to it."""


def deeds(notes: Notebook) -> list[tuple[Stage, str]]:
    """Every spoiled deed, with its stage."""
    return [(e.stage, e.deed) for e in notes.events if isinstance(e, Did) and e.spoiled]


@pytest.mark.parametrize("stage", [Stage.GREETING, Stage.EHLO, Stage.MAIL, Stage.DATA, Stage.DOT])
@pytest.mark.parametrize("close", [True, False])
def test_half_a_reply_and_then_the_end_or_nothing(pki: Pki, stage: Stage, close: bool) -> None:
    """What comes begins like the reply, is not the end of one, and carries nothing out."""

    async def body() -> None:
        async with session(pki, HalfReply(stage, close)) as (client, notes):
            if stage is not Stage.GREETING:
                before, line = BEFORE[stage]
                await client.up_to(before)
                client.writer.write(line)
            half = b""
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.3):
                    while octets := await client.reader.read(1000):
                        half += octets
                    assert close  # the end of the file
            assert half[:3] in (b"220", b"250", b"354")
            assert all(line[3:4] == b"-" for line in half.split(b"\r\n")[:-1])
            assert not any(isinstance(e, Accepted) for e in notes.events)
            assert any(isinstance(e, Closed) and e.by == "host" for e in notes.events) == close

    run(body)


def test_a_late_reply_is_the_usual_one_after_a_while(pki: Pki) -> None:
    """A share of the agent's time-out goes by first; then it is said and carried out."""

    async def body() -> None:
        async with session(pki, Late(Stage.MAIL, 0.05)) as (client, notes):
            assert (await client.up_to(Stage.MAIL)).startswith("250")
            assert (await client.ask("RCPT TO:<u@x.test>")).startswith("250")
            said = [e.at for e in notes.events if isinstance(e, Did) and e.stage is Stage.MAIL]
            assert len(said) == 2
            assert deeds(notes)[0] == (Stage.MAIL, "* waits for 0.05 of the time-out")

    run(body)


def test_what_comes_meanwhile_is_heard_and_answered_afterwards(pki: Pki) -> None:
    """A client that does not wait is served in order once the reply is out."""

    async def body() -> None:
        async with session(pki, Late(Stage.EHLO, 0.05)) as (client, _):
            await client.hear()
            client.writer.write(b"EHLO client.test\r\nNOOP\r\n")
            assert (await client.hear()).startswith("250-")
            assert (await client.hear()).startswith("250 ")

    run(body)


def test_nothing_is_said_to_an_agent_that_has_left(pki: Pki) -> None:
    """The reply that comes too late is never sent, and a message is not stored by it."""

    async def body() -> None:
        async with session(pki, Late(Stage.DOT, 0.1)) as (client, notes):
            await client.up_to(Stage.DATA)
            client.writer.write(b"x\r\n.\r\n")
            await notes.until(lambda: bool(deeds(notes)))
            client.writer.transport.abort()
            closed = await notes.told(Closed)
            assert isinstance(closed, Closed)
            assert closed.by == "agent"
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1 * REPLY_TIMEOUT + 0.1):
                    await notes.told(Accepted)

    run(body)


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_half_close_ends_one_direction_only(pki: Pki, encrypted: bool) -> None:
    """The client reads the end, and what it still says is heard; then it is the one that closes."""

    async def body() -> None:
        async with session(pki, HalfClose(Stage.MAIL)) as (client, notes):
            await client.up_to(Stage.EHLO)
            if encrypted:
                assert (await client.ask("STARTTLS")).startswith("220")
                trust = ssl.create_default_context(cadata=pki.ca_pem.decode())
                await client.writer.start_tls(trust, server_hostname="mx1.x.test")
                await client.ask("EHLO client.test")
            client.writer.write(b"MAIL FROM:<a@a.test>\r\n")
            assert await client.reader.read() == b""
            assert deeds(notes) == [(Stage.MAIL, "* closes (FIN, half)")]
            if not encrypted:  # a TLS client has nobody to talk to any more
                client.writer.write(b"QUIT\r\n")
                await notes.until(lambda: isinstance(notes.events[-1], Heard))
            client.writer.close()
            closed = await notes.told(Closed)
            assert isinstance(closed, Closed)
            assert closed.by == "agent"

    run(body)


def test_keep_then_stall_stores_without_a_word_and_stays(pki: Pki) -> None:
    """The message is there, never acknowledged, and the connection is open."""

    async def body() -> None:
        async with session(pki, KeepThenStall()) as (client, notes):
            await client.up_to(Stage.DATA)
            client.writer.write(b"x\r\n.\r\n")
            stored = await notes.told(Accepted)
            assert isinstance(stored, Accepted)
            assert not stored.acknowledged
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await client.reader.read(1)
            assert not any(isinstance(e, Closed) for e in notes.events)
            assert deeds(notes) == [(Stage.DOT, FALLS_SILENT)]

    run(body)


def test_a_reply_in_drops_arrives_whole(pki: Pki) -> None:
    """In pieces with pauses between them; only then is the next line served."""

    async def body() -> None:
        async with session(pki, Fragment(Stage.MAIL, piece=6, pause=0.01)) as (client, _):
            await client.up_to(Stage.EHLO)
            client.writer.write(b"MAIL FROM:<a@a.test>\r\nRCPT TO:<u@x.test>\r\n")
            first = await client.reader.read(100)
            assert first == b"250 2."
            assert (await client.hear()) == "1.0 Sender OK"
            assert (await client.hear()).startswith("250 2.1.5")

    run(body)


def test_a_host_that_stops_reading_fills_the_buffers(pki: Pki) -> None:
    """What the client writes goes nowhere after a while; nothing is stored."""

    async def body() -> None:
        async with session(pki, InBody(4000, StallAt(Stage.BODY))) as (client, notes):
            await client.up_to(Stage.DATA)
            for _ in range(200):
                client.writer.write(b"x" * 98 + b"\r\n")
            await notes.until(lambda: bool(deeds(notes)))
            client.writer.write(b"y" * 16_000_000)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await client.writer.drain()
            ((stage, deed),) = deeds(notes)
            assert stage is Stage.BODY
            assert deed.startswith(STOPS_READING)
            assert not any(isinstance(e, Accepted) for e in notes.events)

    run(body)


@pytest.mark.parametrize(
    ("behaviour", "heard"),
    [
        (CutAt(Stage.BODY), b""),
        (Reply(Stage.BODY, "421 4.3.2 bye", close=True), b"421 4.3.2 bye\r\n"),
        (HalfClose(Stage.BODY), b""),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_else_a_host_may_do_in_the_body(pki: Pki, behaviour: Behaviour, heard: bytes) -> None:
    """Close, say 421 and close, close its side; not before so many octets have come."""

    async def body() -> None:
        async with session(pki, InBody(1000, behaviour)) as (client, notes):
            await client.up_to(Stage.DATA)
            client.writer.write(b"x" * 500 + b"\r\n")
            await client.writer.drain()
            assert not deeds(notes)
            client.writer.write(b"y" * 600 + b"\r\n")
            assert await client.reader.read() == heard
            with contextlib.suppress(OSError):  # there may be nobody to take it
                client.writer.write(b"QUIT\r\n")
                await client.writer.drain()
            client.writer.close()
            await notes.told(Closed)
            assert [stage for stage, _ in deeds(notes)] == [Stage.BODY]
            assert "QUIT" not in [e.line for e in notes.events if isinstance(e, Heard)]
            assert not any(isinstance(e, Accepted) for e in notes.events)

    run(body)


def test_a_reply_can_be_the_last_before_a_reset(pki: Pki) -> None:
    """The reply can still be read; then comes ECONNRESET."""

    async def body() -> None:
        async with session(pki, Reply(Stage.MAIL, "550 5.7.1 no", reset=True)) as (client, _):
            assert await client.up_to(Stage.MAIL) == "550 5.7.1 no"
            with pytest.raises(ConnectionResetError):
                await client.reader.read(1)

    run(body)


def test_a_reused_connection_is_known_by_what_it_has_carried(pki: Pki) -> None:
    """The second message of one connection meets the fault, the first of another does not."""

    async def body() -> None:
        async with session(pki, OnReuse(CutAt(Stage.MAIL))) as (client, notes):
            assert (await client.up_to(Stage.DOT)).startswith("250")
            assert await client.ask("MAIL FROM:<a@a.test>") == ""
            assert deeds(notes) == [(Stage.MAIL, "* closes (FIN)")]
            reader, writer = await asyncio.open_connection(IP, PORT)
            assert (await Client(reader, writer).up_to(Stage.DOT)).startswith("250")
            writer.transport.abort()

    run(body)


def test_an_implicit_tls_server_waits_for_the_client(pki: Pki) -> None:
    """Silent for whoever waits for a greeting; who begins with TLS is greeted within it."""

    async def body() -> None:
        async with session(pki, ImplicitTls()) as (client, notes):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await client.hear()
            context = ssl.create_default_context(cadata=pki.ca_pem.decode())
            await client.writer.start_tls(context, server_hostname="mx1.x.test")
            assert (await client.hear()).startswith("220 ")
            assert "STARTTLS" not in await client.ask("EHLO client.test")
            deeds = [e.deed for e in notes.events if isinstance(e, Did) and e.spoiled]
            assert deeds == ["* expects a handshake"]

    run(body)


def test_clear_text_is_no_handshake(pki: Pki) -> None:
    """Who speaks SMTP to such a server gets no reply, but the end."""

    async def body() -> None:
        async with session(pki, ImplicitTls()) as (client, notes):
            client.writer.write(b"EHLO client.test\r\n")
            assert await client.hear() == ""
            assert isinstance(await notes.told(TlsFailed), TlsFailed)

    run(body)


def test_a_black_hole_swallows_what_is_large_and_nothing_else(pki: Pki) -> None:
    """Commands come, a large segment does not, and TCP still waits for it."""

    async def body() -> None:
        async with session(pki, swallows=1000) as (client, notes):
            assert (await client.up_to(Stage.DATA)).startswith("354")
            client.writer.write(b"x" * 2000 + b"\r\n.\r\n")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.7):  # longer than the first retransmission takes
                    await client.hear()
            assert not any(isinstance(e, Accepted) for e in notes.events)
        async with session(pki, swallows=1000) as (client, _):
            assert (await client.up_to(Stage.DOT)).startswith("250")

    run(body)


def test_an_address_is_free_once_its_host_is_closed(pki: Pki) -> None:
    """Also while a copy of the listener is left, as in a process that is just being started."""

    async def body() -> None:
        first, second = (
            MailHost(
                Notebook(), "x", "mx1", "mx1.x.test", IP, PORT, lambda: pki.context(Flaw.VALID, ())
            )
            for _ in range(2)
        )
        await first.open()
        assert first._server is not None
        copy = os.dup(first._server.sockets[0].fileno())
        try:
            await first.close()
            await second.open()
            await second.close()
        finally:
            os.close(copy)

    run(body)
