"""Addresses that are the same and look different: compared, placed, read in logs and notices."""

import pytest

from lab.plan import place_all
from model.address import canonical
from model.laws import copies_of, ndrs_of, reports_of
from model.ndr import read_notices
from model.report import State
from model.scenario import Mail
from selftests.test_lab_parts import SomeRoom
from selftests.worlds import RECIPIENT, ndr, said, scenario, stored, trace
from targets.exim.maillog import Maillog as EximLog
from targets.postfix.maillog import Maillog as PostfixLog


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("u@a.test", "u@A.Test.", True),
        ('"u"@a.test', "u@a.test", True),
        (r'"a\b"@a.test', '"ab"@a.test', True),
        (r'"a\"b"@a.test', r'"a\"b"@a.test', True),
        ('"a@b"@a.test', "a@b@a.test", True),
        ("u@a.test", "U@a.test", False),
        ('"u v"@a.test', '"u  v"@a.test', False),
        ("u@a.test", "u@b.test", False),
    ],
)
def test_two_spellings_of_a_mailbox(one: str, other: str, same: bool) -> None:
    assert (canonical(one) == canonical(other)) is same


def test_an_account_is_kept_by_mailbox_and_copies_by_case() -> None:
    seen = trace(
        stored(recipient='"user"@X-Y.test'),
        stored(recipient="USER@x-y.test"),
        said(State.DELIVERED),
        ndr(),
    )

    assert [copy.recipients for copy in copies_of(seen, RECIPIENT)] == [('"user"@X-Y.test',)]
    assert len(copies_of(seen, "USER@x-y.test")) == 1
    assert len(reports_of(seen, "USER@x-y.test")) == 1
    assert len(ndrs_of(seen, RECIPIENT)) == 1
    assert copies_of(seen, "nobody@x-y.test") == []


@pytest.mark.parametrize(
    ("mail", "recipient", "content"),
    [
        (Mail(domain="{domain}."), "user@x-y.test.", None),
        (Mail(domain="[{mx1}]"), "user@[198.18.1.0]", None),
        (Mail(whole=b""), "user@x-y.test", b""),
        (Mail(whole=b"\r\nfor {domain}\r\n"), "user@x-y.test", b"\r\nfor x-y.test\r\n"),
    ],
)
def test_odd_mail_is_placed_as_it_is(mail: Mail, recipient: str, content: bytes | None) -> None:
    room = SomeRoom(sealed=True)
    (placed,) = place_all([scenario(mail=mail)], room, "198.18.0.0/15", {"x.y": 1.0})  # type: ignore[arg-type]

    assert placed.placement.recipients == placed.envelopes[0].recipients == (recipient,)
    assert content is None or placed.envelopes[0].content == content
    assert placed.route.domain == "x-y.test"


@pytest.mark.parametrize(
    ("shown", "submitted"),
    [
        ("u@a.test", "u@a.test"),
        ('john doe@a.test <"john doe"@a.test>', '"john doe"@a.test'),
        ('a@b@a.test <"a@b"@a.test>', '"a@b"@a.test'),
        ('<a>,b@a.test <"<a>,b"@a.test>', '"<a>,b"@a.test'),
        ("xn--jrg-sna@a.test <jörg@a.test>", "jörg@a.test"),
    ],
)
def test_exim_logs_who_was_submitted_behind_whom_it_sent_to(shown: str, submitted: str) -> None:
    line = f'2026-11-25 10:44:58 1xWAUk-00000I-2k => {shown} R=mx T=smtp C="250 2.0.0 Stored"'
    (report,) = EximLog().read(line)

    assert canonical(report.recipient) == canonical(submitted)
    assert (report.state, report.code) == (State.DELIVERED, "250 2.0.0")


@pytest.mark.parametrize("address", ['"john doe"@a.test', '"<a>,b"@a.test', r'"a\"b\\c"@a.test'])
def test_postfix_logs_addresses_as_in_smtp(address: str) -> None:
    line = (
        f"Nov 25 10:44:58 agent postfix/smtp[11]: 4jZGP10X1wzTJ: to=<{address}>, "
        "relay=mx1.a.test[198.18.1.2]:25, delay=0.1, delays=0/0/0/0.1, dsn=2.0.0, "
        "status=sent (250 2.0.0 Stored)"
    )
    (report,) = PostfixLog().read(line)

    assert (report.recipient, report.state) == (address, State.DELIVERED)


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("message/global-delivery-status", "utf-8; jörg@x-y.test"),
        ("Message/Global-Delivery-Status", "utf-8;jörg@x-y.test"),
        ("message/delivery-status", r"utf-8; j\x{F6}rg@x-y.test"),
        ("message/delivery-status", "rfc822; jörg@x-y.test"),
    ],
)
def test_a_notice_may_name_an_address_beyond_ascii(kind: str, field: str) -> None:
    content = ndr().content.replace(b"message/delivery-status", kind.encode())
    content = content.replace(b"rfc822;" + RECIPIENT.encode(), field.encode())
    (notice,) = read_notices(content)

    assert (notice.recipient, notice.status) == ("jörg@x-y.test", "5.4.316")
