"""The reference agent's courier against small real servers on loopback."""

import asyncio
import contextlib
import errno
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from model.timers import Timers
from model.tls import Tls
from model.wishes import Wishes
from targets.base import Route
from targets.reference.agent import NO_WISHES
from targets.reference.client import has_strays, stuffed
from targets.reference.config import Config
from targets.reference.courier import Courier, Taken
from targets.reference.dial import dial, is_prohibition, kind_of
from targets.reference.dialect import Dialect
from targets.reference.outcome import (
    Broken,
    DnsProblem,
    Failure,
    Kind,
    Outcome,
    Sent,
    Server,
    Stage,
)
from targets.reference.policy import Policy
from targets.reference.resolver import DnsFailure, Resolver
from targets.reference.tls import Contexts

IP = "127.0.0.31"
NAME = "mail.contoso.test"
TIMERS = Timers(dns=0.3, connect=0.3, reply=0.3, lifetime=1, retry=1)
BODY = b"Subject: dots\r\n\r\n.\r\n..two\r\nlone \x0b octet\r\n.end\r\n"
EIGHT_BITS = BODY.replace(b"\x0b", b"\x80")

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Names(Resolver):
    """Knows one host, at the address of the small server (and at a closed port before it)."""

    def __init__(self, ips: tuple[str, ...] = (IP,)) -> None:
        super().__init__(("127.0.0.1", 1), 0.1)
        self.ips = ips

    async def addresses(self, name: str) -> tuple[str, ...] | DnsFailure:
        """Always the same."""
        return self.ips


class Peer:
    """A small SMTP server; `replies` overrides what it says to a command, None closes."""

    def __init__(
        self,
        replies: dict[str, str | None] | None = None,
        certificate: trustme.LeafCert | None = None,
        instead_of_tls: Callable[[asyncio.StreamWriter], None] | None = None,
    ) -> None:
        self.replies = replies or {}
        self.certificate = certificate
        self.instead_of_tls = instead_of_tls
        self.lines: list[str] = []
        self.connections = 0
        self.body = b""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.connections += 1
        if not self._say(writer, "GREETING", "220 hello"):
            return
        while line := (await reader.readline()).decode().strip():
            self.lines.append(line)
            verb = line.split()[0].upper()
            offered = "250-me\r\n250 8BITMIME"
            if self.certificate is not None:
                offered = "250-me\r\n250-8BITMIME\r\n250 STARTTLS"
            usual = {"EHLO": offered, "DATA": "354 go", "QUIT": "221 bye", "STARTTLS": "220 go"}
            if verb == "BDAT":
                self.body = await reader.readexactly(int(line.split()[1]))
            if not self._say(writer, verb, usual.get(verb, "250 2.0.0 fine")):
                return
            if verb == "DATA" and (self.replies.get("DATA") or "354").startswith("354"):
                self.body = await reader.readuntil(b"\r\n.\r\n")
                if not self._say(writer, "DOT", "250 2.6.0 stored"):
                    return
            if verb == "STARTTLS" and "STARTTLS" not in self.replies:
                if self.instead_of_tls is not None:
                    self.instead_of_tls(writer)
                    return
                await self._start_tls(writer)

    def _say(self, writer: asyncio.StreamWriter, verb: str, usual: str) -> bool:
        reply = self.replies.get(verb, usual)
        if reply is not None:
            writer.write(reply.encode() + b"\r\n")
        return reply is not None

    async def _start_tls(self, writer: asyncio.StreamWriter) -> None:
        assert self.certificate is not None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.certificate.configure_cert(context)
        await writer.start_tls(context)


def deliver(
    handler: Handler,
    *,
    setting: Tls = Tls.NONE,
    tls_domain: str = NAME,
    ca_file: Path = Path("none"),
    recipients: tuple[str, ...] = ("u@d.test",),
    ips: tuple[str, ...] = (IP,),
    content: bytes = BODY,
    reuses: bool = False,
    domain: str = "d.test",
    wishes: Wishes = NO_WISHES,
    taken: Taken = lambda sent: None,
) -> dict[str, Outcome]:
    """One attempt against a server; what came of it."""

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except (OSError, EOFError):
            return
        finally:
            writer.close()

    async def scene() -> dict[str, Outcome]:
        server = await asyncio.start_server(served, IP, 0)
        port = server.sockets[0].getsockname()[1]
        config = Config(("127.0.0.1", 1), port, str(ca_file), TIMERS)
        courier = Courier(config, Names(ips), Policy(), Contexts(str(ca_file)))
        hosts = () if domain.startswith("[") else (NAME,)
        route = Route(domain, hosts, setting, tls_domain, 1.0, reuses=reuses)
        courier = courier.on_behalf(wishes, taken)
        async with server:
            return dict(await courier.deliver("s@home.test", recipients, content, route))

    return asyncio.run(scene())


def failure(outcomes: dict[str, Outcome]) -> Failure:
    """The one failure."""
    (outcome,) = outcomes.values()
    assert isinstance(outcome, Failure)
    return outcome


def kinds(outcomes: dict[str, Outcome]) -> tuple[Stage, Kind]:
    """Stage and kind of the one failure."""
    return failure(outcomes).stage, failure(outcomes).kind


async def _silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def _reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    _linger(writer)


def _linger(writer: asyncio.StreamWriter) -> None:
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def test_a_body_arrives_octet_for_octet() -> None:
    peer = Peer()
    (outcome,) = deliver(peer).values()
    assert isinstance(outcome, Sent)
    assert str(outcome.reply) == "250 2.6.0 stored"
    dotted = peer.body.removesuffix(b".\r\n")
    assert b"".join(line.removeprefix(b".") for line in dotted.splitlines(True)) == BODY


@pytest.mark.parametrize(
    ("content", "wire"),
    [
        (b"", b".\r\n"),
        (b".\r\n", b"..\r\n.\r\n"),
        (b"a\r\n.b", b"a\r\n..b\r\n.\r\n"),
        (b"a\r\n.\r\n..\r\n", b"a\r\n..\r\n...\r\n.\r\n"),
    ],
)
def test_dots_are_doubled(content: bytes, wire: bytes) -> None:
    assert stuffed(content) == wire


OFFERING = {"EHLO": "250-me\r\n250-8BITMIME\r\n250-CHUNKING\r\n250 SMTPUTF8"}


@pytest.mark.parametrize(
    ("recipient", "content", "code"),
    [
        ("u@d.test", b"a\nb\r\n", "5.6.11"),
        ("u@d.test", b"a\rb\r\n", "5.6.11"),
        ("u@d.test", b"a\r\r\n", "5.6.11"),
        ("u@d.test", b"\xc3\xbc\r\n", "5.6.3"),
        ("j\u00f6rg@d.test", b"a\r\n", "5.6.7"),
    ],
)
def test_what_the_host_does_not_take_is_not_sent(recipient: str, content: bytes, code: str) -> None:
    peer = Peer({"EHLO": "250 me"})
    found = failure(deliver(peer, recipients=(recipient,), content=content))
    assert found.kind is Kind.UNSUITABLE
    assert found.reply is not None
    assert found.reply.enhanced == code
    assert not [line for line in peer.lines if line.startswith("MAIL")]


def test_of_several_recipients_only_the_unsuitable_are_left_out() -> None:
    peer = Peer()
    outcomes = deliver(peer, recipients=("j\u00f6rg@d.test", "u@d.test"), content=b"a\r\n")
    assert [isinstance(outcome, Sent) for outcome in outcomes.values()] == [False, True]
    assert [line for line in peer.lines if line.startswith("RCPT")] == ["RCPT TO:<u@d.test>"]


def test_what_the_host_takes_is_announced() -> None:
    peer = Peer(dict(OFFERING))
    assert isinstance(deliver(peer, recipients=("j\u00f6rg@d.test",))["j\u00f6rg@d.test"], Sent)
    assert "MAIL FROM:<s@home.test> BODY=8BITMIME SMTPUTF8" in peer.lines
    assert "RCPT TO:<j\u00f6rg@d.test>" in peer.lines


@pytest.mark.parametrize(
    ("content", "strays"),
    [
        (b"", False),
        (b"a\r\nb\r\n", False),
        (b"a\r\n\r\n", False),
        (b"a\nb\r\n", True),
        (b"a\rb\r\n", True),
        (b"a\r\r\nb\r\n", True),
        (b"a\n\rb\r\n", True),
        (b"\n", True),
        (b"a\r", True),
    ],
)
def test_a_cr_or_lf_that_stands_alone_is_seen(content: bytes, strays: bool) -> None:
    """RFC 5321 section 2.3.8, also where there are as many of the one as of the other."""
    assert has_strays(content) is strays


def test_bare_line_feeds_go_in_a_chunk_as_they_are() -> None:
    peer = Peer(dict(OFFERING))
    assert isinstance(deliver(peer, content=b"a\nb\r\n")["u@d.test"], Sent)
    assert peer.lines[-1 - ("QUIT" in peer.lines)] == "BDAT 5 LAST"
    assert peer.body == b"a\nb\r\n"


@pytest.mark.parametrize(
    ("replies", "stage", "kind"),
    [
        ({"EHLO": "250 me\r\n250 twice"}, Stage.MAIL, Kind.GARBAGE),
        ({"RCPT": "250 fine\r\n421 4.3.2 bye"}, Stage.DATA, Kind.REPLY),
        ({"DATA": "354 go\r\n250 stored"}, Stage.DATA, Kind.GARBAGE),
    ],
)
def test_who_speaks_out_of_turn_is_left(
    replies: dict[str, str | None], stage: Stage, kind: Kind
) -> None:
    assert kinds(deliver(Peer(replies), content=b"a\r\n")) == (stage, kind)


def test_a_domain_that_is_an_address_is_where_it_goes() -> None:
    domain = f"[{IP}]"
    outcomes = deliver(Peer(), recipients=(f"u@{domain}",), domain=domain)
    assert isinstance(outcomes[f"u@{domain}"], Sent)


@pytest.mark.parametrize(
    ("handler", "stage", "kind"),
    [
        (Peer({"GREETING": "421 4.3.2 no"}), Stage.GREETING, Kind.REPLY),
        (Peer({"GREETING": "554 no"}), Stage.GREETING, Kind.REPLY),
        (Peer({"GREETING": "\x16\x03\x01 what"}), Stage.GREETING, Kind.GARBAGE),
        (Peer({"GREETING": None}), Stage.GREETING, Kind.CLOSED),
        (_reset, Stage.GREETING, Kind.RESET),
        (_silent, Stage.GREETING, Kind.HUNG),
        (Peer({"EHLO": "550 no", "HELO": "550 no"}), Stage.EHLO, Kind.REPLY),
        (Peer({"EHLO": None}), Stage.EHLO, Kind.CLOSED),
        (Peer({"MAIL": None}), Stage.MAIL, Kind.CLOSED),
        (Peer({"MAIL": "451 later"}), Stage.MAIL, Kind.REPLY),
        (Peer({"RCPT": None}), Stage.RCPT, Kind.CLOSED),
        (Peer({"RCPT": "550 5.1.1 no"}), Stage.RCPT, Kind.REPLY),
        (Peer({"DATA": "452 full"}), Stage.DATA, Kind.REPLY),
        (Peer({"DATA": "250 what"}), Stage.DATA, Kind.GARBAGE),
        (Peer({"DOT": "554 5.6.0 no"}), Stage.DOT, Kind.REPLY),
        (Peer({"DOT": None}), Stage.DOT, Kind.CLOSED),
    ],
)
def test_a_failure_says_stage_and_kind(handler: Handler, stage: Stage, kind: Kind) -> None:
    found = failure(deliver(handler))
    assert (found.stage, found.kind) == (stage, kind)
    assert (found.server.host, found.server.ip) == (NAME, IP)


def test_helo_is_said_to_whoever_does_not_know_ehlo() -> None:
    peer = Peer({"EHLO": "500 what"})
    assert isinstance(deliver(peer, content=b"a\r\n")["u@d.test"], Sent)
    assert [line.split()[0] for line in peer.lines[:3]] == ["EHLO", "HELO", "MAIL"]


@pytest.mark.parametrize(
    ("replies", "stage", "kind"),
    [
        ({"GREETING": "220 me\r\n250 me"}, Stage.EHLO, Kind.GARBAGE),
        ({"MAIL": "250 fine\r\n250 fine"}, Stage.RCPT, Kind.GARBAGE),
        ({"MAIL": "250 fine\r\n421 4.3.2 bye"}, Stage.RCPT, Kind.REPLY),
        ({"DATA": "354 go\r\n250 stored"}, Stage.DATA, Kind.GARBAGE),
    ],
)
def test_a_reply_before_its_command_is_no_answer(
    replies: dict[str, str | None], stage: Stage, kind: Kind
) -> None:
    assert kinds(deliver(Peer(replies))) == (stage, kind)


def test_a_2yz_of_any_kind_is_a_yes() -> None:
    peer = Peer({"GREETING": "250 hello", "EHLO": "220 hello", "MAIL": "299 yes", "RCPT": "252"})
    assert isinstance(deliver(peer)["u@d.test"], Sent)


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        ("552 too many recipients", 452),
        ("552 5.5.3 too many recipients", 452),
        ("552 5.2.2 mailbox full", 552),
        ("550 5.5.3 too many recipients", 550),
    ],
)
def test_552_to_rcpt_may_mean_452(reply: str, code: int) -> None:
    found = failure(deliver(Peer({"RCPT": reply})))
    assert found.reply is not None
    assert found.reply.code == code
    assert Policy().is_permanent(found) is (code >= 500)


@pytest.mark.parametrize(
    ("ehlo", "recipient", "code"),
    [
        ("250-me\r\n250-8BITMIME\r\n250 SIZE 10", "u@d.test", "552 5.3.4"),
        ("250-me\r\n250 SIZE 0", "u@d.test", "550 5.6.3"),
        ("250-me\r\n250 8BITMIME", "ü@d.test", "550 5.6.7"),
    ],
)
def test_what_a_server_cannot_take_is_not_sent(ehlo: str, recipient: str, code: str) -> None:
    peer = Peer({"EHLO": ehlo})
    found = failure(deliver(peer, recipients=(recipient,), content=EIGHT_BITS))
    assert (found.stage, found.kind) == (Stage.MAIL, Kind.UNSUITABLE)
    assert str(found.reply).startswith(code)
    assert Policy().is_permanent(found)
    assert not [line for line in peer.lines if line.startswith("MAIL")]


def test_mail_says_what_it_needs() -> None:
    peer = Peer({"EHLO": "250-me\r\n250-8BITMIME\r\n250 SMTPUTF8"})
    deliver(peer, recipients=("ü@d.test",), content=EIGHT_BITS)
    assert "MAIL FROM:<s@home.test> BODY=8BITMIME SMTPUTF8" in peer.lines
    assert b"lone \x80 octet" in peer.body


@pytest.mark.parametrize("code", ["000", "199", "650", "999"])
def test_a_code_that_smtp_has_not_is_fatal(code: str) -> None:
    found = failure(deliver(Peer({"RCPT": f"{code} what"})))
    assert found.kind is Kind.GARBAGE
    assert Policy().is_permanent(found)
    said = Dialect().returned(found)
    assert said.diagnostic == f"550 5.5.0 SMTP protocol violation: the server said {code} what"
    early = failure(deliver(Peer({"GREETING": f"{code} what"})))
    assert not Policy().is_permanent(early)


def test_each_recipient_has_its_own_outcome() -> None:
    class Choosy(Peer):
        def _say(self, writer: asyncio.StreamWriter, verb: str, usual: str) -> bool:
            bad = verb == "RCPT" and "<b@" in self.lines[-1]
            return super()._say(writer, verb, "550 5.1.1 no" if bad else usual)

    outcomes = deliver(Choosy(), recipients=("a@d.test", "b@d.test"))
    assert isinstance(outcomes["a@d.test"], Sent)
    assert isinstance(outcomes["b@d.test"], Failure)


def test_a_closed_port_is_refused_and_the_next_address_tried() -> None:
    assert kinds(deliver(Peer(), ips=("127.0.0.32",))) == (Stage.CONNECT, Kind.REFUSED)
    assert isinstance(deliver(Peer(), ips=("127.0.0.32", IP))["u@d.test"], Sent)


@pytest.mark.parametrize(
    ("replies", "connections"),
    [
        ({"MAIL": "550 no"}, 1),
        ({"RCPT": "550 no"}, 1),
        ({"DOT": "554 no"}, 1),
        ({"DOT": None}, 1),
        ({"MAIL": "450 later"}, 2),
        ({"RCPT": "450 later"}, 2),
        ({"DATA": None}, 2),
        ({"DOT": "452 later"}, 2),
    ],
)
def test_only_what_may_pass_is_taken_to_the_next_address(
    replies: dict[str, str | None], connections: int
) -> None:
    """A refusal is not shopped around, and mail that a host may have is not sent twice."""
    peer = Peer(replies)
    failure(deliver(peer, ips=(IP, IP)))
    assert peer.connections == connections


def test_who_was_taken_is_not_sent_to_the_next_address() -> None:
    class Greylist(Peer):
        def _say(self, writer: asyncio.StreamWriter, verb: str, usual: str) -> bool:
            early = verb == "RCPT" and "<b@" in self.lines[-1] and self.connections == 1
            return super()._say(writer, verb, "450 4.7.1 later" if early else usual)

    peer = Greylist()
    outcomes = deliver(peer, recipients=("a@d.test", "b@d.test"), ips=(IP, IP))
    assert all(isinstance(outcome, Sent) for outcome in outcomes.values())
    asked = [line.partition("<")[2][:1] for line in peer.lines if line.startswith("RCPT")]
    assert asked == ["a", "b", "b"]


def test_a_name_without_address_does_not_hide_what_a_server_did() -> None:
    class Lost(Names):
        async def addresses(self, name: str) -> tuple[str, ...] | DnsFailure:
            return DnsFailure(name, DnsProblem.NONEXISTENT) if name == "lost.test" else self.ips

    async def scene(*smart_hosts: str) -> Failure:
        config = Config(("127.0.0.1", 1), 1, "none", TIMERS)
        courier = Courier(config, Lost(), Policy(), Contexts("none"))
        route = Route("d.test", smart_hosts, Tls.NONE, NAME, 1.0)
        return failure(dict(await courier.deliver("s@home.test", ("u@d.test",), BODY, route)))

    assert asyncio.run(scene(NAME, "lost.test")).kind is Kind.REFUSED
    assert asyncio.run(scene("lost.test", NAME)).kind is Kind.REFUSED
    assert asyncio.run(scene("lost.test")).kind is Kind.DNS


def test_without_starttls_mail_leaves_in_clear_only_where_it_may() -> None:
    assert isinstance(deliver(Peer())["u@d.test"], Sent)
    peer = Peer()
    assert kinds(deliver(peer, setting=Tls.ENCRYPT)) == (Stage.STARTTLS, Kind.TLS_NOT_OFFERED)
    assert not [line for line in peer.lines if line.startswith("MAIL")]


class Certificates:
    """An authority, and leaves of it."""

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        self.file = folder / "ca.pem"
        self.authority.cert_pem.write_to_path(self.file)

    def leaf(self, name: str = NAME, days: int = 1) -> trustme.LeafCert:
        """A leaf for a name that is good until so many days from now."""
        now = datetime.now(UTC)
        return self.authority.issue_cert(
            name, not_before=now - timedelta(days=9), not_after=now + timedelta(days=days)
        )


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("ca"))


@pytest.mark.parametrize(
    ("setting", "name", "days", "word"),
    [
        (Tls.NONE, "other.test", -1, ""),
        (Tls.ENCRYPT, "other.test", -1, ""),
        (Tls.CERTIFICATE, "other.test", 1, ""),
        (Tls.CERTIFICATE, NAME, -1, "CertificateExpired"),
        (Tls.DOMAIN, NAME, 1, ""),
        (Tls.DOMAIN, "*.contoso.test", 1, ""),
        (Tls.DOMAIN, "other.test", 1, "SubjectMismatch"),
        (Tls.DOMAIN, NAME, -1, "CertificateExpired"),
    ],
)
def test_the_certificate_is_looked_at_as_the_setting_says(
    certificates: Certificates, setting: Tls, name: str, days: int, word: str
) -> None:
    peer = Peer(certificate=certificates.leaf(name, days))
    outcomes = deliver(peer, setting=setting, ca_file=certificates.file)
    if word:
        assert kinds(outcomes) == (Stage.HANDSHAKE, Kind.CERTIFICATE)
        assert failure(outcomes).detail.split()[0] == word
        assert not [line for line in peer.lines if line.startswith("MAIL")]
    else:
        assert isinstance(outcomes["u@d.test"], Sent)
        assert [line.split()[0] for line in peer.lines[:3]] == ["EHLO", "STARTTLS", "EHLO"]


def test_an_unknown_authority_is_not_trusted(certificates: Certificates) -> None:
    peer = Peer(certificate=trustme.CA().issue_cert(NAME))
    outcomes = deliver(peer, setting=Tls.CERTIFICATE, ca_file=certificates.file)
    assert failure(outcomes).detail == "UntrustedRoot"


@pytest.mark.parametrize(
    ("instead", "lost"),
    [
        (lambda writer: writer.write(b"this is no TLS\r\n"), False),
        (lambda writer: writer.write(b"\x15\x03\x01\x00\x02\x02\x46"), False),
        (lambda writer: writer.close(), True),
        (_linger, True),
    ],
    ids=["garbage", "alert", "closed", "reset"],
)
def test_a_failed_handshake_ends_in_clear_only_where_it_may(
    certificates: Certificates, instead: Callable[[asyncio.StreamWriter], None], lost: bool
) -> None:
    strict = Peer(certificate=certificates.leaf(), instead_of_tls=instead)
    found = failure(deliver(strict, setting=Tls.ENCRYPT))
    assert found.stage is Stage.HANDSHAKE
    # Whether a FIN or a RST ended it depends on who was faster; the code is the same.
    assert found.kind in ({Kind.CLOSED, Kind.RESET} if lost else {Kind.TLS_FAILED})
    assert not [line for line in strict.lines if line.startswith("MAIL")]
    loose = Peer(certificate=certificates.leaf(), instead_of_tls=instead)
    assert isinstance(deliver(loose)["u@d.test"], Sent)
    assert loose.connections == 2


def test_a_refused_starttls_ends_in_clear_on_the_same_session(certificates: Certificates) -> None:
    peer = Peer({"STARTTLS": "454 no"}, certificates.leaf())
    assert isinstance(deliver(peer)["u@d.test"], Sent)
    assert peer.connections == 1
    strict = Peer({"STARTTLS": "454 no"}, certificates.leaf())
    assert kinds(deliver(strict, setting=Tls.ENCRYPT)) == (Stage.STARTTLS, Kind.TLS_REFUSED)


def test_any_2yz_starts_tls(certificates: Certificates) -> None:
    class Odd(Peer):
        def _say(self, writer: asyncio.StreamWriter, verb: str, usual: str) -> bool:
            return super()._say(writer, verb, "250 go" if verb == "STARTTLS" else usual)

    peer = Odd(certificate=certificates.leaf())
    assert isinstance(deliver(peer, setting=Tls.ENCRYPT)["u@d.test"], Sent)


def test_after_a_421_to_starttls_the_session_is_over(certificates: Certificates) -> None:
    peer = Peer({"STARTTLS": "421 going down"}, certificates.leaf())
    assert isinstance(deliver(peer)["u@d.test"], Sent)
    assert peer.connections == 2


def test_replies_put_behind_the_220_are_void(certificates: Certificates) -> None:
    class Injected(Peer):
        def _say(self, writer: asyncio.StreamWriter, verb: str, usual: str) -> bool:
            more = "\r\n250 SIZE 1\r\n550 no" if verb == "STARTTLS" else ""
            return super()._say(writer, verb, usual + more)

    peer = Injected(certificate=certificates.leaf())
    assert isinstance(deliver(peer, setting=Tls.ENCRYPT)["u@d.test"], Sent)


def test_a_refusal_after_the_handshake_is_one_of_the_handshake(
    certificates: Certificates,
) -> None:
    class Demanding(Peer):
        async def _start_tls(self, writer: asyncio.StreamWriter) -> None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            certificates.leaf().configure_cert(context)
            context.load_verify_locations(certificates.file)
            context.verify_mode = ssl.CERT_REQUIRED
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            loop = asyncio.get_running_loop()
            plain = writer.get_extra_info("socket").dup()
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            await loop.run_in_executor(None, _refuse, context, plain)

    peer = Demanding(certificate=certificates.leaf())
    found = failure(deliver(peer, setting=Tls.ENCRYPT))
    assert (found.stage, found.kind) == (Stage.HANDSHAKE, Kind.TLS_FAILED)
    assert "certificate required" in found.detail.lower().replace("_", " ")


def _refuse(context: ssl.SSLContext, plain: socket.socket) -> None:
    """Shake hands on a blocking socket, so that OpenSSL's alert is sent."""
    plain.setblocking(True)
    with contextlib.suppress(ssl.SSLError), plain:
        context.wrap_socket(plain, server_side=True).close()


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ECONNREFUSED, Kind.REFUSED),
        (errno.ETIMEDOUT, Kind.TIMED_OUT),
        (errno.EHOSTUNREACH, Kind.HOST_UNREACHABLE),
        (errno.ENETUNREACH, Kind.NET_UNREACHABLE),
        (errno.EADDRNOTAVAIL, Kind.NO_SOURCE),
    ],
)
def test_an_errno_has_its_kind(number: int, kind: Kind) -> None:
    assert kind_of(OSError(number, "no")) is kind


@pytest.mark.parametrize(
    ("origin", "icmp_type", "code", "answer"),
    [(2, 3, 13, True), (2, 3, 10, True), (2, 3, 1, False), (2, 11, 13, False), (1, 3, 13, False)],
)
def test_a_firewalls_icmp_is_told_from_a_routers(
    origin: int, icmp_type: int, code: int, answer: bool
) -> None:
    note = struct.pack("=IBBBBII", errno.EHOSTUNREACH, origin, icmp_type, code, 0, 0, 0)
    assert is_prohibition(note) is answer


@pytest.mark.parametrize("offered", [True, False])
def test_wishes_go_to_who_offers_dsn_and_to_nobody_else(offered: bool) -> None:
    wishes = Wishes(("SUCCESS", "DELAY"), "HDRS", "a b+c", "rfc822;u=x@d.test")
    peer = Peer({"EHLO": "250-me\r\n250 DSN"} if offered else {})
    taken: list[str] = []
    outcome = deliver(peer, wishes=wishes, taken=taken.extend)["u@d.test"]
    assert isinstance(outcome, Sent)
    assert outcome.told is offered
    assert taken == ["u@d.test"]
    assert peer.lines[1:3] == [
        "MAIL FROM:<s@home.test>" + " RET=HDRS ENVID=a+20b+2Bc" * offered,
        "RCPT TO:<u@d.test>" + " NOTIFY=SUCCESS,DELAY ORCPT=rfc822;u+3Dx@d.test" * offered,
    ]


def test_who_wishes_for_nothing_says_nothing_of_it() -> None:
    peer = Peer({"EHLO": "250-me\r\n250 DSN"})
    deliver(peer)
    assert peer.lines[1:3] == ["MAIL FROM:<s@home.test>", "RCPT TO:<u@d.test>"]


def test_whom_a_server_took_is_known_before_the_attempt_is_over() -> None:
    """One recipient is taken by the first server, the other is asked for at the second."""
    seen: list[tuple[str, int]] = []

    class Picky(Peer):
        """Refuses the second recipient for now."""

        def _say(self, writer: asyncio.StreamWriter, verb: str, usual: str) -> bool:
            if verb == "RCPT" and "later" in self.lines[-1]:
                usual = "451 4.2.0 later"
            return super()._say(writer, verb, usual)

    peer = Picky()
    deliver(
        peer,
        recipients=("u@d.test", "later@d.test"),
        ips=(IP, IP),
        taken=lambda sent: seen.extend((name, peer.connections) for name in sent),
    )
    assert (seen, peer.connections) == ([("u@d.test", 1)], 2)


def test_a_connection_comes_from_the_address_that_is_named() -> None:
    async def scene(source: str) -> str:
        with socket.create_server((IP, 0)) as listener:
            server = Server(NAME, IP, listener.getsockname()[1])
            with await dial(server, 1.0, source):
                peer, (whence, _) = listener.accept()
                peer.close()
                return str(whence)

    assert asyncio.run(scene("127.0.0.77")) == "127.0.0.77"
    assert asyncio.run(scene("")) == "127.0.0.1"


@pytest.mark.parametrize("source", ["203.0.113.9", "::1"])
def test_an_address_that_cannot_be_had_is_no_source(source: str) -> None:
    with pytest.raises(Broken) as broken:
        asyncio.run(dial(Server(NAME, IP, 9), 1.0, source))
    found = broken.value.failure
    assert (found.stage, found.kind, found.detail) == (Stage.CONNECT, Kind.NO_SOURCE, source)
