"""What Exim's log lines are read as. The lines are Exim's own, as it wrote them."""

import pytest

from model.report import Report, State
from targets.base import InQueue
from targets.exim.adapter import parse_queue
from targets.exim.maillog import Maillog

QUEUE_ID = "1xVbJz-00000U-0j"
HEAD = f"2026-11-23 21:11:31 {QUEUE_ID} "
MX = "H=mx1.a.test [198.18.1.7]"
TLS = "X=TLS1.3:ECDHE_SECP256R1__ECDSA_SECP256R1_SHA256__AES_256_GCM:256 CV=yes"


@pytest.mark.parametrize(
    ("rest", "state", "code"),
    [
        (f'=> u@a.test R=mx T=smtp {MX} {TLS} C="250 2.0.0 Stored"', State.DELIVERED, "250 2.0.0"),
        (f'-> u@a.test R=mx T=smtp {MX} C="250 2.0.0 accepted"', State.DELIVERED, "250 2.0.0"),
        (f'=> other@b.test <u@a.test> R=mx T=smtp {MX} C="250 Ok"', State.DELIVERED, "250"),
        (f'=> alias@a.test <u@a.test> R=mx T=smtp {MX} C="250 Ok"', State.DELIVERED, "250"),
        (
            (
                f"== u@a.test R=mx T=smtp defer (-44) {MX}: SMTP error from remote mail server "
                "after RCPT TO:<u@a.test>: 450 4.2.1 Mailbox busy"
            ),
            State.DEFERRED,
            "450 4.2.1",
        ),
        (
            (
                f"== u@a.test R=mx T=smtp defer (-45) {MX}: SMTP error from remote mail server "
                "after pipelined MAIL FROM:<me@sender.test> SIZE=1376: 452 insufficient storage"
            ),
            State.DEFERRED,
            "452",
        ),
        (
            (
                f"== u@a.test R=mx T=smtp defer (0) {MX}: SMTP error from remote mail server "
                "after initial connection: 421 4.3.2 Service not available"
            ),
            State.DEFERRED,
            "421 4.3.2",
        ),
        (
            (
                f"== u@a.test R=mx T=smtp defer (110): Connection timed out {MX}: "
                "SMTP timeout after end of data (1107 bytes written)"
            ),
            State.DEFERRED,
            "",
        ),
        (
            (
                f"== u@a.test R=mx T=smtp defer (-37) {MX}: TLS session: "
                "(certificate verification failed): certificate invalid"
            ),
            State.DEFERRED,
            "",
        ),
        (
            (
                f"== u@a.test R=mx T=smtp defer (-18) {MX}: Remote host closed connection in "
                "response to HELO agent.test (EHLO response was: 421 4.3.2 Service not available)"
            ),
            State.DEFERRED,
            "",
        ),
        (
            (
                f"** u@a.test R=mx T=smtp {MX} {TLS}: SMTP error from remote mail server "
                "after RCPT TO:<u@a.test>: 550 5.1.1 No such user"
            ),
            State.RETURNED,
            "550 5.1.1",
        ),
        (
            (
                f"== u@a.test R=mx T=smtp defer (0) {MX}: SMTP error from remote mail server "
                "after DATA: 250 2.1.5 Recipient OK"
            ),
            State.DEFERRED,
            "",
        ),
        (
            (
                f"== xn--u@a.test <u@a.test> R=mx T=smtp defer (-44) {MX}: SMTP error from remote "
                "mail server after RCPT TO:<xn--u@a.test>: 450 5.1.1 No such user"
            ),
            State.DEFERRED,
            "450",
        ),
        (
            (
                f"** u@a.test R=mx T=smtp {MX}: SMTP error from remote mail server "
                "after initial connection: 554 5.7.1 No SMTP service here"
            ),
            State.RETURNED,
            "554 5.7.1",
        ),
    ],
)
def test_an_attempt_is_one_report(rest: str, state: State, code: str) -> None:
    """State, codes and server; a code only where Exim passes a server's reply on."""
    (report,) = Maillog().read(HEAD + rest)
    assert (report.state, report.code) == (state, code)
    assert (report.host, report.ip) == ("mx1.a.test", "198.18.1.7")
    assert (report.recipient, report.queue_id) == ("u@a.test", QUEUE_ID)
    assert rest.endswith(report.text)


@pytest.mark.parametrize(
    ("rest", "state", "text"),
    [
        (
            "== u@a.test R=mx defer (-1): host lookup did not complete",
            State.DEFERRED,
            "R=mx defer (-1): host lookup did not complete",
        ),
        (
            '== u@a.test R=smart_host defer (-32): lookup of host "h.test" failed in x router',
            State.DEFERRED,
            'R=smart_host defer (-32): lookup of host "h.test" failed in x router',
        ),
        ("** u@a.test: Unrouteable address", State.RETURNED, ": Unrouteable address"),
        (
            "** u@a.test: all relevant MX records point to non-existent hosts",
            State.RETURNED,
            ": all relevant MX records point to non-existent hosts",
        ),
        ("** u@a.test: retry timeout exceeded", State.EXPIRED, ": retry timeout exceeded"),
    ],
)
def test_without_a_server_none_is_named(rest: str, state: State, text: str) -> None:
    """Routing failed, or time is up: the server of an earlier attempt is not meant."""
    log = Maillog()
    log.read(f"{HEAD}{MX} Connection refused")
    assert log.read(HEAD + rest) == [Report("u@a.test", state, text=text, queue_id=QUEUE_ID)]


def test_an_unreached_server_is_named_before() -> None:
    """On a line of its own, the last one for all recipients that follow, of this message only."""
    log = Maillog()
    assert log.read(f"{HEAD}H=mx0.a.test [198.18.1.6] Connection timed out") == []
    assert log.read(f"{HEAD}{MX} Connection refused") == []
    deferred = "R=mx T=smtp defer (111): Connection refused"
    for recipient in ("u@a.test", "v@a.test"):
        (report,) = log.read(f"{HEAD}== {recipient} {deferred}")
        assert report.recipient == recipient
        assert (report.host, report.ip, report.text) == ("mx1.a.test", "198.18.1.7", deferred)
    other = HEAD.replace(QUEUE_ID, "1xVbJz-00000V-0j")
    assert [r.host for r in log.read(f"{other}== u@b.test {deferred}")] == [""]


def test_who_has_not_been_tried_at_all_is_held() -> None:
    """Said once of each: at the queue runs after an attempt it is no news."""
    log = Maillog()
    too_soon = "R=mx T=smtp defer (-53): retry time not reached for any host for 'a.test'"
    (held,) = log.read(f"{HEAD}== u@a.test {too_soon}")
    assert held == Report("u@a.test", State.HELD, text=too_soon, queue_id=QUEUE_ID)
    assert log.read(f"{HEAD}== u@a.test {too_soon}") == []
    (tried,) = log.read(f"{HEAD}== v@a.test R=mx T=smtp defer (111): Connection refused")
    assert tried.state is State.DEFERRED
    assert log.read(f"{HEAD}== v@a.test {too_soon}") == []


def test_a_completed_message_is_forgotten() -> None:
    """Ids come again some day."""
    log = Maillog()
    log.read(f"{HEAD}{MX} Connection refused")
    log.read(f"{HEAD}Completed")
    (report,) = log.read(f"{HEAD}== u@a.test R=mx T=smtp defer (111): Connection refused")
    assert (report.host, report.ip) == ("", "")


@pytest.mark.parametrize(
    "line",
    [
        "2026-11-23 21:11:30 exim 4.96 daemon started: pid=8, -q3s, listening for SMTP on x",
        "2026-11-23 21:11:31 Start queue run: pid=12",
        HEAD + "<= s@home.test H=(submitter.test) [127.0.0.1] P=esmtp S=1068 id=x@home.test",
        f"{HEAD}{MX}: a TLS session is required, but the server did not offer TLS support",
        HEAD + "TLS session: (gnutls_handshake): Handshake failed: delivering unencrypted",
        HEAD + "u@a.test: error ignored",
        HEAD + "Frozen (delivery error message)",
        HEAD + "Completed",
        "",
    ],
)
def test_other_lines_are_no_reports(line: str) -> None:
    """The daemon, arrivals, servers without a recipient, and Exim's book-keeping."""
    assert Maillog().read(line) == []


def test_ids_of_newer_versions_are_read() -> None:
    """Since 4.97 they are longer."""
    line = HEAD.replace(QUEUE_ID, "1xVbJz-000000000Uk-0j3c") + "** u@a.test: Unrouteable address"
    assert [r.queue_id for r in Maillog().read(line)] == ["1xVbJz-000000000Uk-0j3c"]


def test_the_queue_is_read() -> None:
    """Messages with their recipients, frozen ones and notices too; errors are no recipients."""
    listing = (
        " 0m   194 1xVbMj-00000B-0K <s@home.test>\n"
        "          u@closed.test\n          v@closed.test\n\n"
        "25h  2.4K 1xVbMj-00000C-0K <> *** frozen ***\n          s@home.test\n\n"
        "12d  1.2M 1xVbMj-00000D-0K\n    *** spool format error: size=3 ***\n\n"
        " 0m   215 1xVbMj-00000O-1C <s@home.test>\n          u@nodomain.test\n\n"
    )
    assert [entry for entry in parse_queue(listing) if entry.recipients] == [
        InQueue("1xVbMj-00000B-0K", ("u@closed.test", "v@closed.test")),
        InQueue("1xVbMj-00000C-0K", ("s@home.test",)),
        InQueue("1xVbMj-00000O-1C", ("u@nodomain.test",)),
    ]
