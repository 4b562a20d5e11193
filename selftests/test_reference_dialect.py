"""The reference agent's words against the literal forms of public traces."""

import re

import pytest

from targets.reference.dialect import Dialect
from targets.reference.outcome import DnsProblem, Failure, Kind, Reply, Server, Stage

SERVER = Server("mail.contoso.test", "127.0.0.9", 25)
NAME = Server("mail.contoso.test")
WHERE = "[LastAttemptedServerName=mail.contoso.test] [LastAttemptedIP=127.0.0.9:25]"
FORM = re.compile(
    r"(?P<smtp>[45]\d\d)[ -](?P<code>[45]\.\d{1,3}\.\d{1,3})[ ](?P<text>[^\[\(]+?)\s*"
    r"(?:\[Message=(?P<msg>.*?)\])?\s*(?:\[LastAttemptedServerName=(?P<host>[^\]]*)\])?\s*"
    r"(?:\[LastAttemptedIP=(?P<ip>[^\]]*?)(?::(?P<port>\d+))?\])?\s*(?:\((?P<paren>.*)\))?"
)
STARTTLS = "451 5.7.3 STARTTLS is required to send mail"
NEGOTIATION = "451 4.4.0 TLS negotiation failed with error SocketError"
SUSPICIOUS = "SuspiciousRemoteServerError"
MISMATCH = "SubjectMismatch Expected Subject: *.a.test. Presented Subject: CN=b. Thumbprint: D0."


def socket_failure(kind: Kind) -> Failure:
    return Failure(Stage.CONNECT, kind, SERVER)


CASES = [
    (
        Failure(Stage.DNS, Kind.DNS, NAME, detail=DnsProblem.RETRY),
        (
            "450 4.4.312 DNS query failed [Message=ErrorRetry] "
            "[LastAttemptedServerName=mail.contoso.test](ErrorRetry)"
        ),
        "550 5.4.312 Message expired, DNS query failed(ErrorRetry)",
    ),
    *(
        (
            socket_failure(kind),
            (
                f"450 4.4.{detail} {words} [Message=Socket error code {number}] {WHERE}"
                f"(Socket error code {number})"
            ),
            f"550 5.4.{detail} Message expired, {words.lower()}(Socket error code {number})",
        )
        for kind, detail, words, number in (
            (Kind.TIMED_OUT, 315, "Connection timed out", 10060),
            (Kind.HOST_UNREACHABLE, 315, "Connection timed out", 10065),
            (Kind.NET_UNREACHABLE, 315, "Connection timed out", 10051),
            (Kind.REFUSED, 316, "Connection refused", 10061),
            (Kind.PROHIBITED, 316, "Connection refused", 10061),
        )
    ),
    *(
        (
            failure,
            f"450 4.4.317 Cannot connect to remote server [Message={message}] {WHERE}({message})",
            f"550 5.4.317 Message expired, cannot connect to remote server({message})",
        )
        for failure, message in (
            (Failure(Stage.STARTTLS, Kind.TLS_NOT_OFFERED, SERVER), STARTTLS),
            (Failure(Stage.STARTTLS, Kind.TLS_REFUSED, SERVER, Reply(454, "no")), STARTTLS),
            (Failure(Stage.HANDSHAKE, Kind.TLS_FAILED, SERVER), NEGOTIATION),
            (
                Failure(Stage.GREETING, Kind.REPLY, SERVER, Reply(421, "4.3.2 Not\nnow")),
                "421 4.3.2 Not now",
            ),
        )
    ),
    *(
        (
            Failure(stage, kind, SERVER),
            (
                f"450 4.4.318 Connection was closed abruptly [Message={SUSPICIOUS}] {WHERE}"
                f"({SUSPICIOUS})"
            ),
            f"550 5.4.318 Message expired, connection reset({SUSPICIOUS})",
        )
        for stage, kind in (
            (Stage.GREETING, Kind.CLOSED),
            (Stage.HANDSHAKE, Kind.RESET),
            (Stage.DOT, Kind.HUNG),
        )
    ),
    (
        Failure(Stage.HANDSHAKE, Kind.CERTIFICATE, SERVER, detail=MISMATCH),
        f"450 4.7.320 Certificate validation failed [Message={MISMATCH}] {WHERE}({MISMATCH})",
        "550 5.7.320 Message expired, certificate validation failed(SubjectMismatch)",
    ),
    (
        Failure(Stage.RCPT, Kind.REPLY, SERVER, Reply(452, "4.2.2 Mailbox full")),
        f"452 4.2.2 Mailbox full {WHERE}",
        "550 5.4.300 Message expired -> 452 4.2.2 Mailbox full",
    ),
]


@pytest.mark.parametrize(("failure", "queued", "expired"), CASES)
def test_a_failure_has_its_literal_words(failure: Failure, queued: str, expired: str) -> None:
    assert Dialect().queued(failure).text == queued
    assert Dialect().expired(failure).text == expired


@pytest.mark.parametrize("failure", [case[0] for case in CASES])
def test_the_text_reads_by_the_regex_of_the_traces(failure: Failure) -> None:
    said = Dialect().queued(failure)
    found = FORM.fullmatch(said.text)
    assert found is not None, said.text
    assert (found["smtp"], found["code"]) == (str(said.smtp), said.enhanced)
    assert found["host"] == "mail.contoso.test"
    assert found["port"] == ("25" if failure.server.ip else None)


def test_a_diagnostic_code_has_no_brackets() -> None:
    said = Dialect().expired(socket_failure(Kind.REFUSED))
    assert said.diagnostic == "550 5.4.316 Message expired, connection refused"


@pytest.mark.parametrize(
    ("reply", "enhanced"),
    [
        (Reply(550, "5.1.1 unknown"), "5.1.1"),
        (Reply(550, "unknown"), "5.0.0"),
        (Reply(450, "5.1.1 contradicts itself"), "4.0.0"),
        (Reply(250, "2.0.0"), "2.0.0"),
        (Reply(421, "4.3.2\nlater"), "4.3.2"),
        (Reply(550, "5.7.1234 too long"), "5.0.0"),
    ],
)
def test_the_enhanced_code_is_the_peers_own_if_it_has_a_sound_one(
    reply: Reply, enhanced: str
) -> None:
    assert reply.enhanced == enhanced


def test_our_own_words_and_null_mx() -> None:
    null = Dialect().returned(Failure(Stage.DNS, Kind.NULL_MX, NAME))
    inside = Dialect().queued(Failure(Stage.INTERNAL, Kind.INTERNAL, NAME, detail="KeyError"))
    assert (null.smtp, null.enhanced) == (556, "5.1.10")
    assert null.text.startswith("556 5.1.10 Recipient address has null MX [LastAttempted")
    assert (inside.smtp, inside.enhanced) == (451, "4.3.0")
    assert "KeyError" in inside.text


def test_what_is_amiss_on_our_own_side() -> None:
    own = Failure(Stage.STARTTLS, Kind.OWN_CERTIFICATE, SERVER, detail="no PEM")
    said = Dialect().queued(own)
    assert (said.smtp, said.enhanced) == (454, "4.7.5")
    assert said.text.endswith(f"of the SendConnector could not be found: no PEM {WHERE}")
    assert Dialect().expired(own).text.startswith("550 5.4.300 Message expired -> 454 4.7.5")
    nowhere = Dialect().queued(Failure(Stage.CONNECT, Kind.NO_SOURCE, SERVER, detail="203.0.113.9"))
    assert (nowhere.smtp, nowhere.enhanced) == (450, "4.4.317")
    assert "10049" in nowhere.text
