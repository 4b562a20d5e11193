"""How fake hosts shake hands, over real sockets: every oddity is met, and no other."""

import asyncio
import select
import smtplib
import socket
import ssl
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fakes import own_certificate
from fakes.pki import Pki
from fakes.smtp import MailHost
from model.behaviours import (
    BreakHandshake,
    CutAt,
    EndTls,
    ImplicitTls,
    InClear,
    InTls,
    Late,
    Reply,
    SendAt,
)
from model.events import Accepted, Did, Encrypted, Heard, TlsFailed
from model.smtp import Behaviour, HangUp, Send, Stage, Stall
from model.tls import Flaw, Handshake, OwnCertificate
from selftests.test_fake_smtp import run
from selftests.witness import Notebook

IP, PORT = "127.42.0.10", 2599
NAME = "mx1.x.test"


@pytest.fixture(scope="module")
def pki() -> Pki:
    """One set of authorities for all."""
    return Pki()


@asynccontextmanager
async def host(
    pki: Pki, *behaviours: Behaviour, handshake: Handshake = Handshake.USUAL
) -> AsyncIterator[Notebook]:
    """A host that listens; what it has seen."""
    notes = Notebook()
    made = MailHost(
        notes,
        "x",
        "mx1",
        NAME,
        IP,
        PORT,
        lambda: pki.context(Flaw.VALID, (NAME,), handshake=handshake),
        behaviours,
        reply_timeout=0.4,
    )
    await made.open()
    try:
        yield notes
    finally:
        await made.close()


def blind(**wanted: Any) -> ssl.SSLContext:
    """A client that looks at no certificate; `wanted` are attributes of its context."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for name, value in wanted.items():
            setattr(context, name, value)
    return context


def send(context: ssl.SSLContext, sni: str = NAME) -> str:
    """Send a message over STARTTLS, as a client without any special knowledge; the version."""
    with smtplib.SMTP(IP, PORT, local_hostname="c", timeout=2) as client:
        client._host = sni  # type: ignore[attr-defined] # what starttls asks for
        client.starttls(context=context)
        client.sendmail("a@a.test", ["u@x.test"], "Subject: x\r\n\r\nx\r\n")
        assert isinstance(client.sock, ssl.SSLSocket)
        return client.sock.version() or ""


def outcome(pki: Pki, handshake: Handshake, context: ssl.SSLContext, sni: str = NAME) -> str:
    """The version if the message came through, else what went wrong."""

    async def body() -> str:
        async with host(pki, handshake=handshake):
            try:
                return await asyncio.to_thread(send, context, sni)
            except (OSError, smtplib.SMTPException) as error:
                return str(error)

    return run(body)


@pytest.mark.parametrize(
    ("handshake", "wanted"),
    [
        (Handshake.USUAL, "TLSv1.3"),
        (Handshake.OTHER_KEYS, "TLSv1.3"),
        (Handshake.ONLY_TLS_1_2, "TLSv1.2"),
        (Handshake.ONLY_TLS_1_3, "TLSv1.3"),
        (Handshake.CLIENT_ASKED, "TLSv1.3"),
        (Handshake.NAME_DEMANDED, "TLSv1.3"),
        (Handshake.NAME_CHOOSES, "TLSv1.3"),
        (Handshake.ONLY_TLS_1_0, "protocol version"),
        (Handshake.ONLY_TLS_1_1, "protocol version"),
        (Handshake.NO_COMMON_VERSION, "protocol version"),
        (Handshake.NO_COMMON_CIPHER, "handshake failure"),
        (Handshake.WEAK_DH, "dh key too small"),
        (Handshake.CLIENT_DEMANDED_1_2, "handshake failure"),
        (Handshake.CLIENT_DEMANDED_1_3, "certificate required"),
        (Handshake.NAME_REFUSED, "unrecognized name"),
    ],
)
def test_a_modern_client_meets_what_the_handshake_says(
    pki: Pki, handshake: Handshake, wanted: str
) -> None:
    """Delivery, or the very alert."""
    said = outcome(pki, handshake, blind()).replace("_", " ")
    assert wanted.lower() in said.lower()


@pytest.mark.parametrize(
    "handshake", [Handshake.CLIENT_DEMANDED_1_2, Handshake.CLIENT_DEMANDED_1_3]
)
def test_who_shows_a_certificate_is_let_in(pki: Pki, handshake: Handshake, tmp_path: Path) -> None:
    """If the host knows its authority; and the trace says who it was."""

    def client(of: Pki, folder: Path) -> ssl.SSLContext:
        own_certificate.write(folder, lambda: of.client("agent.test"))
        context = blind()
        context.load_cert_chain(*own_certificate.paths(folder, OwnCertificate.VALID))
        return context

    known, stranger = client(pki, tmp_path / "known"), client(Pki(), tmp_path / "stranger")

    async def body() -> str:
        async with host(pki, handshake=handshake) as notes:
            await asyncio.to_thread(send, known)
            event = await notes.told(Encrypted)
            assert isinstance(event, Encrypted)
            return event.client

    assert run(body) == "agent.test"
    assert "unknown ca" in outcome(pki, handshake, stranger).replace("_", " ").lower()


@pytest.mark.parametrize(
    ("handshake", "version"),
    [(Handshake.ONLY_TLS_1_0, "TLSv1"), (Handshake.ONLY_TLS_1_1, "TLSv1.1")],
)
def test_old_versions_are_truly_spoken(pki: Pki, handshake: Handshake, version: str) -> None:
    """With a client that still knows them, and their ciphers."""
    old = blind(minimum_version=ssl.TLSVersion.TLSv1)
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    assert outcome(pki, handshake, old) == version


def test_weak_keys_are_truly_agreed_upon(pki: Pki) -> None:
    """With a client that takes them."""
    lax = blind()
    lax.set_ciphers("DEFAULT:@SECLEVEL=0")
    assert outcome(pki, Handshake.WEAK_DH, lax) == "TLSv1.2"


@pytest.mark.parametrize(
    ("behaviours", "ends"),
    [
        ((), "in order"),
        ((Reply(Stage.QUIT, "221 2.0.0 Bye", close=True),), "cut"),
        ((EndTls(Stage.QUIT),), "in order"),
        ((EndTls(Stage.QUIT, half=True),), "in order, and TCP goes on"),
        ((CutAt(Stage.QUIT),), "cut"),
    ],
)
def test_tls_is_ended_in_order_or_not(
    pki: Pki, behaviours: tuple[Behaviour, ...], ends: str
) -> None:
    """As a client sees it that can tell close_notify from a bare FIN."""
    attentive = blind()
    attentive.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)

    def leave() -> str:
        with smtplib.SMTP(IP, PORT, local_hostname="c", timeout=2) as client:
            client.starttls(context=attentive)
            client.putcmd("quit")
            secured: Any = client.sock
            client.sock = None  # nothing more is said
        secured.suppress_ragged_eofs = False
        with secured:
            try:
                while secured.recv(100):
                    continue
            except (ssl.SSLEOFError, ssl.SSLSyscallError):
                return "cut"
            more, _, _ = select.select([secured], [], [], 0.2)
            return "in order" if more else "in order, and TCP goes on"

    async def body() -> str:
        async with host(pki, *behaviours):
            return await asyncio.to_thread(leave)

    assert run(body) == ends


@pytest.mark.parametrize(
    ("handshake", "again"), [(Handshake.USUAL, True), (Handshake.OTHER_KEYS, False)]
)
def test_a_session_is_taken_up_by_who_has_its_keys(
    pki: Pki, handshake: Handshake, again: bool
) -> None:
    """And the trace says so."""
    context = blind(maximum_version=ssl.TLSVersion.TLSv1_2)  # its ticket comes at once

    def visit(session: ssl.SSLSession | None) -> ssl.SSLSession | None:
        with smtplib.SMTP(IP, PORT, local_hostname="c", timeout=2) as client:
            client.ehlo()
            client.docmd("STARTTLS")
            assert client.sock is not None
            with context.wrap_socket(client.sock, session=session) as secured:
                client.sock = None
                return secured.session

    async def body() -> list[bool]:
        async with host(pki) as first:
            session = await asyncio.to_thread(visit, None)
            await first.told(Encrypted)
        async with host(pki, handshake=handshake) as then:
            await asyncio.to_thread(visit, session)
            await then.told(Encrypted)
        return [e.resumed for e in (*first.events, *then.events) if isinstance(e, Encrypted)]

    assert run(body) == [False, again]


def test_who_asks_for_another_name_is_refused(pki: Pki) -> None:
    """Where the own name is demanded."""
    said = outcome(pki, Handshake.NAME_DEMANDED, blind(), "other.test")
    assert "unrecognized" in said.lower()


def test_who_asks_for_an_address_asks_for_no_name(pki: Pki) -> None:
    """The one is refused where the own name is demanded, the other is not where no name is known."""
    assert "missing" in outcome(pki, Handshake.NAME_DEMANDED, blind(), "127.0.0.1").lower()
    assert outcome(pki, Handshake.NAME_REFUSED, blind(), "127.0.0.1") == "TLSv1.3"


@pytest.mark.parametrize(("sni", "shown"), [(NAME, Flaw.VALID), ("other.test", Flaw.WRONG_NAME)])
def test_the_certificate_shown_is_taken_down(pki: Pki, sni: str, shown: Flaw) -> None:
    """By the name that was asked for."""

    async def body() -> None:
        async with host(pki, handshake=Handshake.NAME_CHOOSES) as notes:
            await asyncio.to_thread(send, blind(), sni)
            seen = await notes.told(Encrypted)
            assert isinstance(seen, Encrypted)
            assert (seen.sni, seen.certificate) == (sni, shown)

    run(body)


@pytest.mark.parametrize(
    ("then", "error"),
    [
        (HangUp(), "EOF"),
        (HangUp(reset=True), "reset"),
        (Stall(), "timed out"),
        (Send(b"\0" * 900), "SSL"),
    ],
    ids=["closed", "reset", "silence", "garbage"],
)
def test_a_handshake_breaks_off_after_so_many_octets(
    pki: Pki, then: HangUp | Stall | Send, error: str
) -> None:
    """And the deed is taken down, whatever it is."""

    async def body() -> None:
        async with host(pki, BreakHandshake(100, then)) as notes:
            with pytest.raises(OSError, match=error):
                await asyncio.to_thread(send, blind())
            deeds = [e.deed for e in notes.events if isinstance(e, Did) and e.spoiled]
            assert deeds[0] == "* shakes hands, for 100 octets"
            assert len(deeds) == 2
            assert not any(isinstance(e, Encrypted) for e in notes.events)
            await notes.told(TlsFailed)

    run(body)


def test_no_octet_leaves_beyond_the_ration(pki: Pki) -> None:
    """Counted at the socket."""

    def count() -> int:
        with socket.create_connection((IP, PORT), 5) as plain, plain.makefile("rb") as heard:
            heard.readline()
            plain.sendall(b"STARTTLS\r\n")
            heard.readline()
            to, back = ssl.MemoryBIO(), ssl.MemoryBIO()
            with pytest.raises(ssl.SSLWantReadError):
                blind().wrap_bio(back, to, server_hostname=NAME).do_handshake()
            plain.sendall(to.read())
            return len(heard.read())

    async def body() -> None:
        async with host(pki, BreakHandshake(100, HangUp())):
            assert await asyncio.to_thread(count) == 100

    run(body)


def test_a_handshake_may_begin_late(pki: Pki) -> None:
    """What the client has sent meanwhile is TLS, and is not lost."""

    async def body() -> None:
        async with host(pki, Late(Stage.HANDSHAKE, 0.5)) as notes:
            assert await asyncio.to_thread(send, blind()) == "TLSv1.3"
            await notes.told(Accepted)

    run(body)


def test_tls_at_once_waits_for_a_handshake_and_greets_within(pki: Pki) -> None:
    """In clear nothing is said."""

    def implicit() -> None:
        with smtplib.SMTP_SSL(IP, PORT, "c", context=blind(), timeout=2) as client:
            client.sendmail("a@a.test", ["u@x.test"], "Subject: x\r\n\r\nx\r\n")

    def silence() -> bytes:
        with socket.create_connection((IP, PORT), 0.3) as plain, pytest.raises(TimeoutError):
            plain.recv(1)
        return b""

    async def body() -> None:
        async with host(pki, ImplicitTls()) as notes:
            await asyncio.to_thread(silence)
            await asyncio.to_thread(implicit)
            stored = await notes.told(Accepted)
            assert isinstance(stored, Accepted)
            assert stored.tls
            assert all(e.tls for e in notes.events if isinstance(e, Heard))

    run(body)


@pytest.mark.parametrize("behaviour", [InClear, InTls])
def test_behaviours_keep_to_their_side_of_the_handshake(
    pki: Pki, behaviour: Callable[[Behaviour], Behaviour]
) -> None:
    """A 530 in clear does not stand in the way of TLS, one within does."""
    refusal = behaviour(Reply(Stage.MAIL, "530 5.7.0 Must issue a STARTTLS command first"))

    async def body() -> None:
        async with host(pki, refusal) as notes:
            if behaviour is InClear:
                await asyncio.to_thread(send, blind())
                await notes.told(Accepted)
            else:
                with pytest.raises(smtplib.SMTPSenderRefused):
                    await asyncio.to_thread(send, blind())

    run(body)


def test_octets_in_place_of_a_handshake_are_not_taken_for_lines(pki: Pki) -> None:
    """A client that sends its hello all the same is not answered by SMTP."""

    def hello() -> bytes:
        with socket.create_connection((IP, PORT), 1) as plain, plain.makefile("rb") as heard:
            heard.readline()
            plain.sendall(b"STARTTLS\r\n")
            heard.readline()
            assert heard.readline() == b"no tls\r\n"
            plain.sendall(b"\x16\x03\x01\n\nQUIT\r\n")
            with pytest.raises(TimeoutError):
                heard.readline()
        return b""

    async def body() -> None:
        async with host(pki, SendAt(Stage.HANDSHAKE, b"no tls\r\n")) as notes:
            await asyncio.to_thread(hello)
            assert [e.line for e in notes.events if isinstance(e, Heard)] == ["STARTTLS"]

    run(body)
