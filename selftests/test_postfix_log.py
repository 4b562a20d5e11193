"""What Postfix's log lines are read as. The lines are Postfix's own, as it wrote them."""

import pytest

from model.report import Report, State
from targets.base import InQueue
from targets.postfix.adapter import parse_queue
from targets.postfix.maillog import Maillog

HEAD = "Nov 23 20:27:34 agent postfix/smtp[17]: 4jYHYf38KLzT1: "
QMGR = "Nov 23 20:28:06 agent postfix/qmgr[10]: 4jYHYf38KLzT1: "


def attempt(relay: str, dsn: str, status: str, text: str, to: str = "u@a.test") -> str:
    """A delivery agent's line about one attempt."""
    return (
        f"{HEAD}to=<{to}>, relay={relay}, delay=0.03, delays=0.01/0.02/0/0, "
        f"dsn={dsn}, status={status} ({text})"
    )


MX = "mx.a.test[198.51.100.24]:25"


@pytest.mark.parametrize(
    ("line", "state", "code", "host", "ip"),
    [
        (
            attempt(MX, "2.0.0", "sent", "250 2.0.0 accepted"),
            State.DELIVERED,
            "2.0.0",
            "mx.a.test",
            "198.51.100.24",
        ),
        (
            attempt(
                "none",
                "4.4.1",
                "deferred",
                "connect to mx.a.test[198.51.100.17]:25: Connection refused",
            ),
            State.DEFERRED,
            "4.4.1",
            "mx.a.test",
            "198.51.100.17",
        ),
        (
            attempt(
                "none",
                "5.4.4",
                "bounced",
                "Host or domain name not found. "
                "Name service error for name=a.test type=A: Host not found",
            ),
            State.RETURNED,
            "5.4.4",
            "",
            "",
        ),
        (
            attempt(
                MX,
                "4.7.1",
                "deferred",
                "host mx.a.test[198.51.100.24] refused to talk to me: 554 5.7.1 no service for you",
            ),
            State.DEFERRED,
            "4.7.1",
            "mx.a.test",
            "198.51.100.24",
        ),
        (
            attempt(
                MX,
                "5.1.1",
                "bounced",
                "host mx.a.test[198.51.100.24] said: 550 5.1.1 no such user here "
                "(in reply to RCPT TO command)",
            ),
            State.RETURNED,
            "550 5.1.1",
            "mx.a.test",
            "198.51.100.24",
        ),
        (
            attempt(
                MX,
                "4.7.1",
                "deferred",
                "host mx.a.test[198.51.100.24] said: 450-4.7.1 wait 450 4.7.1 a little "
                "(in reply to end of DATA command)",
            ),
            State.DEFERRED,
            "450 4.7.1",
            "mx.a.test",
            "198.51.100.24",
        ),
        (
            attempt(
                MX,
                "5.5.0",
                "bounced",
                "Protocol error: host mx.a.test[198.51.100.24] said: 250 2.1.5 OK "
                "(in reply to DATA command)",
            ),
            State.RETURNED,
            "5.5.0",
            "mx.a.test",
            "198.51.100.24",
        ),
        (
            attempt(
                "none",
                "4.4.1",
                "deferred",
                "delivery temporarily suspended: "
                "connect to 198.18.0.12[198.18.0.12]:25: Connection refused",
            ).replace("postfix/smtp", "postfix/error"),
            State.DEFERRED,
            "4.4.1",
            "198.18.0.12",
            "198.18.0.12",
        ),
        (
            attempt("none", "4.7.5", "deferred", "Server certificate not verified"),
            State.DEFERRED,
            "4.7.5",
            "",
            "",
        ),
    ],
)
def test_an_attempt_is_one_report(line: str, state: State, code: str, host: str, ip: str) -> None:
    """State, codes and server; the peer's reply code only where Postfix passes it on."""
    (report,) = Maillog().read(line)
    text = line[line.index("(") + 1 : -1]
    assert (report.state, report.code, report.host, report.ip) == (state, code, host, ip)
    assert (report.recipient, report.queue_id, report.text) == ("u@a.test", "4jYHYf38KLzT1", text)


def test_a_line_that_postfix_has_cut_is_a_report() -> None:
    """Its log has lines of 2 KB; the end of a server's long text is missing then."""
    said = "host mx.a.test[198.51.100.24] said: 550 5.1.1 " + "x" * 1900
    (report,) = Maillog().read(attempt(MX, "5.1.1", "bounced", said)[:-1])
    assert (report.state, report.code, report.text) == (State.RETURNED, "550 5.1.1", said)


@pytest.mark.parametrize(
    "line",
    [
        "Nov 23 20:26:59 agent postfix/smtp[16]: warning: host mx.a.test greeted me with mine",
        "Nov 23 20:27:34 agent postfix/smtp[17]: connect to mx.a.test[198.51.100.17]:25: refused",
        QMGR + "from=<s@home.test>, size=185, nrcpt=2 (queue active)",
        HEAD + "removed",
        attempt(MX, "2.1.5", "deliverable", "250 2.1.5 Ok"),
        "",
    ],
)
def test_other_lines_are_no_reports(line: str) -> None:
    """Warnings, connections, the queue manager's book-keeping, and address probes."""
    assert Maillog().read(line) == []


def test_expiry_is_about_those_who_still_wait() -> None:
    """The queue manager names no recipient; those who got their mail are not meant."""
    log = Maillog()
    for name in ("one@a.test", "two@a.test", "three@a.test"):
        log.read(attempt(MX, "4.4.2", "deferred", "lost connection", to=name))
    log.read(attempt(MX, "2.0.0", "sent", "250 2.0.0 Ok", to="two@a.test"))
    log.read(
        attempt(MX, "5.0.0", "bounced", "host x[198.51.100.1] said: 550 no", to="three@a.test")
    )
    reports = log.read(QMGR + "from=<s@home.test>, status=expired, returned to sender")
    assert reports == [
        Report("one@a.test", State.EXPIRED, text="returned to sender", queue_id="4jYHYf38KLzT1")
    ]


def test_a_removed_message_is_forgotten() -> None:
    """Nobody waits for it any more."""
    log = Maillog()
    log.read(attempt(MX, "4.4.2", "deferred", "lost connection"))
    log.read(QMGR + "removed")
    assert log.read(QMGR + "from=<>, status=expired, returned to sender") == []


def test_the_queue_is_read() -> None:
    """One line of `postqueue -j`."""
    line = (
        '{"queue_name": "deferred", "queue_id": "4jYHYf38KLzT1", "arrival_time": 1795465654, '
        '"message_size": 185, "forced_expire": false, "sender": "s@home.test", "recipients": '
        '[{"address": "u@a.test", "delay_reason": "connect to x"}, {"address": "v@a.test"}]}'
    )
    assert parse_queue(line) == InQueue("4jYHYf38KLzT1", ("u@a.test", "v@a.test"))
