"""Every rule for a delivery status notification is seen to object, and to let pass."""

import random
from base64 import encodebytes
from collections.abc import Callable
from dataclasses import replace
from quopri import encodestring

import pytest

from model.dsn import Back, parse
from model.dsn_rules import (
    RULES,
    Look,
    Sending,
    adds_no_original_recipient,
    codes_agree,
    consists_of_fields,
    dates_are_dates,
    gives_the_details,
    goes_to_the_sender,
    has_a_full_name,
    has_a_mail_header,
    has_a_message_id,
    has_a_status,
    has_fields_once,
    has_its_parts,
    has_recipients,
    is_a_report,
    is_date,
    is_labelled_truly,
    is_no_gateway,
    is_seven_bits,
    keeps_the_envelope_id,
    keeps_the_original_recipient,
    label_fits,
    names_a_server,
    names_its_mta,
    names_who_was_sent_to,
    objections,
    quotes_a_reply,
    quotes_what_was_said,
    retries_only_what_waits,
    returns_no_less,
    returns_no_more,
    returns_what_was_sent,
    says_it_is_mime,
    says_what_was_done,
    server_is_a_domain,
    status_fits_action,
    tells_people,
    tells_which_mail,
    was_asked_for,
)
from model.wishes import Wishes
from selftests.worlds import PLACE, RECIPIENT, SENDER, ndr

SENDING = Sending(
    sender=SENDER,
    recipients=PLACE.recipients,
    envelope=(SENDER,),
    subject="x.y",
    servers=frozenset({"mx1.x-y.test", "198.18.1.1"}),
)
GOOD = ndr().content.decode()
MACHINE = "Content-Type: message/delivery-status"
HEADERS = "Content-Type: text/rfc822-headers"
STATUS = "Status: 5.4.316"
DIAGNOSTIC = "Diagnostic-Code: smtp;550 5.4.316 Message expired, connection refused"
FINAL = f"Final-Recipient: rfc822;{RECIPIENT}"
REMOTE = f"{STATUS}\r\nRemote-MTA: dns;"
ORIGINAL = f"{FINAL}\r\nOriginal-Recipient: rfc822;"
ARRIVAL = "Arrival-Date: Fri, 01 Mar 2019 11:00:00 +0000"
LATE = "Last-Attempt-Date: Fri, 01 Mar 2019 11:30:00 +0000"
MTA = "Reporting-MTA: dns;agent.test"
TYPE = "multipart/report; report-type=delivery-status"
BODY = "Subject: x.y\r\n\r\nbody\r\n"
DELAYED = ("Action: failed\r\nStatus: 5.4.316", "Action: delayed\r\nStatus: 4.4.316")
END = GOOD[GOOD.index("Action:") : GOOD.index("\r\n--b--")]

Case = tuple[Look, str, str, Sending]


def about(**difference: object) -> Sending:
    """What was sent, with a difference."""
    return replace(SENDING, **difference)  # type: ignore[arg-type]


def wishing(**wishes: object) -> Sending:
    """What was sent, by somebody who wanted to be told in a certain way."""
    return about(wishes=Wishes(**wishes))  # type: ignore[arg-type]


OBJECT: list[Case] = [
    (is_a_report, TYPE, "multipart/report", SENDING),
    (is_a_report, TYPE, "multipart/mixed; report-type=delivery-status", SENDING),
    (is_a_report, TYPE, "text/plain", SENDING),
    (is_a_report, "=delivery-status", "=global-delivery-status", SENDING),
    (has_its_parts, f"--b\r\n{HEADERS}", f"--b\r\n\r\nmore\r\n--b\r\n{HEADERS}", SENDING),
    (has_its_parts, MACHINE, "Content-Type: text/plain", SENDING),
    (has_its_parts, HEADERS, "Content-Type: text/plain", SENDING),
    (has_its_parts, TYPE, "text/plain", SENDING),
    (tells_people, "Your message could not be delivered.", "", SENDING),
    (tells_people, "Content-Type: text/plain; charset=us-ascii", MACHINE, SENDING),
    (is_seven_bits, MACHINE, f"{MACHINE}\r\nContent-Transfer-Encoding: 8bit", SENDING),
    (consists_of_fields, LATE, f"{LATE}\r\nand then it failed", SENDING),
    (has_fields_once, MTA, f"{MTA}\r\n{MTA}", SENDING),
    (has_fields_once, STATUS, f"{STATUS}\r\n{STATUS}", SENDING),
    (names_its_mta, f"{MTA}\r\n", "", SENDING),
    (names_its_mta, MTA, "Reporting-MTA: agent.test", SENDING),
    (has_a_full_name, MTA, "Reporting-MTA: dns;agent", SENDING),
    (is_no_gateway, MTA, f"{MTA}\r\nDSN-Gateway: dns;agent.test", SENDING),
    (dates_are_dates, ARRIVAL, "Arrival-Date: 2019-03-01T11:00:00Z", SENDING),
    (dates_are_dates, ARRIVAL, ARRIVAL.replace("+0000", "GMT"), SENDING),
    (dates_are_dates, LATE, LATE.replace("Fri", "Sat"), SENDING),
    (dates_are_dates, LATE, LATE.replace("01 Mar", "31 Feb"), SENDING),
    (dates_are_dates, LATE, "Will-Retry-Until: tomorrow", SENDING),
    (
        has_recipients,
        GOOD[GOOD.index("\r\nFinal") : GOOD.index("\r\n--b\r\nContent-Type: text/rfc")],
        "",
        SENDING,
    ),
    (names_who_was_sent_to, f"{FINAL}\r\n", "", SENDING),
    (names_who_was_sent_to, FINAL, f"Final-Recipient: {RECIPIENT}", SENDING),
    (names_who_was_sent_to, FINAL, "Final-Recipient: rfc822;User@x-y.test", SENDING),
    (says_what_was_done, "Action: failed", "Action: bounced", SENDING),
    (says_what_was_done, "Action: failed\r\n", "", SENDING),
    (has_a_status, f"{STATUS}\r\n", "", SENDING),
    (has_a_status, STATUS, "Status: 5.04.316", SENDING),
    (has_a_status, STATUS, "Status: 550", SENDING),
    (has_a_status, STATUS, "Status: 5.4.316 expired", SENDING),
    (status_fits_action, STATUS, "Status: 2.0.0", SENDING),
    (status_fits_action, "Action: failed", "Action: delayed", SENDING),
    (status_fits_action, "Action: failed", "Action: delivered", SENDING),
    (retries_only_what_waits, LATE, LATE.replace("Last-Attempt-Date", "Will-Retry-Until"), SENDING),
    (names_a_server, STATUS, f"{STATUS}\r\nRemote-MTA: mx1.x-y.test", SENDING),
    (names_a_server, STATUS, f"{REMOTE}mx.elsewhere.test", SENDING),
    (names_a_server, STATUS, f"{REMOTE}mx1.x-y.test", about(servers=frozenset())),
    (server_is_a_domain, STATUS, f"{REMOTE}mx1.x-y.test [198.18.1.1]", SENDING),
    (quotes_a_reply, DIAGNOSTIC, "Diagnostic-Code: 550 no", SENDING),
    (quotes_a_reply, DIAGNOSTIC, "Diagnostic-Code: smtp; RCPT 550 no", SENDING),
    (codes_agree, STATUS, "Status: 4.4.316", SENDING),
    (quotes_what_was_said, STATUS, f"{REMOTE}mx1.x-y.test", about(codes=frozenset({451}))),
    (gives_the_details, f"{DIAGNOSTIC}\r\n", "", about(codes=frozenset({550}))),
    (gives_the_details, "", "", about(codes=frozenset({550}))),
    (keeps_the_envelope_id, "", "", wishing(envid="QQ1")),
    (keeps_the_envelope_id, MTA, f"Original-Envelope-Id: qq1\r\n{MTA}", wishing(envid="QQ1")),
    (keeps_the_envelope_id, MTA, f"Original-Envelope-Id: QQ1\r\n{MTA}", SENDING),
    (keeps_the_original_recipient, "", "", wishing(orcpt=f"rfc822;{RECIPIENT}")),
    (keeps_the_original_recipient, FINAL, f"{ORIGINAL}other@x-y.test", SENDING),
    (
        keeps_the_original_recipient,
        FINAL,
        f"{ORIGINAL}{RECIPIENT}",
        wishing(orcpt="rfc822;other@x-y.test"),
    ),
    (adds_no_original_recipient, FINAL, f"{ORIGINAL}{RECIPIENT}", SENDING),
    (was_asked_for, "", "", wishing(notify=("NEVER",))),
    (was_asked_for, *DELAYED, wishing(notify=("FAILURE",))),
    (was_asked_for, "Action: failed", "Action: relayed", SENDING),
    (returns_no_more, "Subject: x.y\r\n", BODY, wishing(ret="HDRS")),
    (returns_what_was_sent, "Subject: x.y\r\n", BODY, about(body=b"another's\n")),
    (returns_what_was_sent, "Subject: x.y\r\n", BODY, about(body=b"another's\nlonger\nbody\n")),
    (returns_what_was_sent, "Subject: x.y\r\n", f"{BODY}more\r\n", about(body=b"body\n")),
    (
        returns_what_was_sent,
        "Subject: x.y\r\n",
        f"{BODY}2\r\n3\r\n",
        about(body=b"body\n0\n3\n4\n"),
    ),
    (returns_no_less, "", "", wishing(ret="FULL")),
    (returns_no_less, END, END.replace(*DELAYED).replace("Subject: x.y\r\n", BODY), SENDING),
    (label_fits, "Subject: x.y\r\n", BODY, SENDING),
    (label_fits, HEADERS, "Content-Type: message/rfc822", SENDING),
    (tells_which_mail, "Subject: x.y", "Subject: another", SENDING),
    (tells_which_mail, "", "", about(message_id="<1@x-y.home.test>")),
    (has_a_mail_header, "From: Mail", "Mail: ", SENDING),
    (has_a_mail_header, "<postmaster@agent.test>", "<>", SENDING),
    (has_a_mail_header, "\r\nDate: Fri, 01", "\r\nDate: Mon, 01", SENDING),
    (has_a_mail_header, "Subject: Und", "Subject: one\r\nSubject: Und", SENDING),
    (says_it_is_mime, "MIME-Version: 1.0\r\n", "", SENDING),
    (goes_to_the_sender, f"To: <{SENDER}>", "To: <somebody@x-y.home.test>", SENDING),
    (goes_to_the_sender, "", "", about(envelope=("somebody@x-y.home.test",))),
    (is_labelled_truly, "auto-replied", "auto-generated (failure)", SENDING),
    (is_labelled_truly, "auto-replied", "no", SENDING),
    (has_a_message_id, "Message-ID: <ndr.1@agent.test>\r\n", "", SENDING),
]
PASS: list[tuple[str, str, Sending]] = [
    ("", "", SENDING),
    (MACHINE, f"{MACHINE}\r\nContent-Transfer-Encoding: 7bit", SENDING),
    (MACHINE, "Content-Type:\r\n message/global-delivery-status", SENDING),
    ("text/rfc822-headers", "message/global-headers", SENDING),
    (GOOD[GOOD.index(f"--b\r\n{HEADERS}") : GOOD.index("--b--")], "", about(subject="")),
    ("Action: failed", "Action: FAILED", SENDING),
    (f"{STATUS}\r\n{DIAGNOSTIC}", "Status: 4.4.1 (gone)\r\nDiagnostic-Code: x-y;refused", SENDING),
    (f"{STATUS}\r\n{DIAGNOSTIC}", f"{STATUS}\r\nDiagnostic-Code: smtp;451-a\r\n 451 b", SENDING),
    (DIAGNOSTIC, "Diagnostic-Code: smtp; 999 what the server said", SENDING),
    ("dns;agent.test", "x-local-hostname;agent", SENDING),
    ("rfc822;user@x-y.test", "RFC822; user@X-Y.test", SENDING),
    ("rfc822;user@x-y.test", "utf-8;us\\x{65}r@x-y.test", SENDING),
    ("+0000", "+0000 (UTC)", SENDING),
    ("Fri, 01 Mar", "1 Mar", SENDING),
    ("Auto-Submitted: auto-replied\r\n", "", SENDING),
    ("MIME-Version: 1.0", "Mime-Version: 1.0 (agent)", SENDING),
    (f"To: <{SENDER}>", f"To: A <a@x-y.test>, {SENDER}", SENDING),
    (f"To: <{SENDER}>", "To: anybody", about(sender="")),
    (STATUS, f"{REMOTE}mx1.x-y.test. (198.18.1.1)", about(codes=frozenset({550}))),
    (STATUS, f"{REMOTE}[198.18.1.1]", about(codes=frozenset({550}))),
    (FINAL, f"{ORIGINAL}{RECIPIENT}", wishing(orcpt=f"rfc822;{RECIPIENT}")),
    (MTA, f"Original-Envelope-Id: QQ1\r\n{MTA}", wishing(envid="QQ1")),
    (HEADERS, "Content-Type: message/rfc822", about(has_body=False)),
    (
        f"{HEADERS}\r\n\r\nSubject: x.y\r\n",
        f"Content-Type: message/rfc822\r\n\r\n{BODY}",
        wishing(ret="FULL"),
    ),
    *(
        (
            f"{HEADERS}\r\n\r\nSubject: x.y\r\n",
            f"Content-Type: message/rfc822\r\n\r\n{BODY}{more}",
            about(body=b"body\n2\n3\n"),
        )
        for more in ("", "2\r\n3\r\n", "[cut]\r\n")
    ),
    ("", "", about(codes=frozenset({451}))),
    ("", "", wishing(ret="HDRS", notify=("FAILURE", "DELAY"))),
    (
        "Subject: Und",
        "References: <1@x-y.home.test>\r\nSubject: Und",
        about(message_id="<1@x-y.home.test>"),
    ),
    (*DELAYED, SENDING),
]


def spoiled(old: str, new: str) -> bytes:
    """The good notification with one thing different."""
    assert old in GOOD
    return GOOD.replace(old, new).encode()


@pytest.mark.parametrize(("look", "old", "new", "sending"), OBJECT)
def test_a_rule_objects(look: Look, old: str, new: str, sending: Sending) -> None:
    """What is wrong is named by its own rule, with both sides."""
    (_, expected, observed), *_ = look(parse(spoiled(old, new)), sending)

    assert expected != observed


@pytest.mark.parametrize(("old", "new", "sending"), PASS)
def test_what_is_allowed_is_let_pass(old: str, new: str, sending: Sending) -> None:
    """No rule objects to what a document allows."""
    content = spoiled(old, new)
    if DELAYED[1] in content.decode():
        content = content.replace(b"smtp;550 5", b"smtp;450 4")

    assert objections(parse(content), sending) == []


def test_every_rule_is_seen_to_object() -> None:
    """No rule without a case, and none that is not in force; each says where it is from."""
    assert {case[0] for case in OBJECT} == {rule[0] for rule in RULES}
    for look, document, _ in RULES:
        assert document.partition(" section")[0] in (look.__doc__ or "")


def test_mail_that_is_no_notification_is_read_as_well() -> None:
    """An empty mail, and one of nothing but text."""
    for content in (b"", b"\r\n", b"Subject: x\r\n\r\nIt failed.\r\n"):
        dsn = parse(content)

        assert (dsn.parts, dsn.recipients, dsn.back) == ((), (), Back.NOTHING)
        assert objections(dsn, SENDING)


@pytest.mark.parametrize("seed", range(20))
def test_whatever_comes_is_read(seed: int) -> None:
    """Octets at random anywhere in a notification."""
    dice = random.Random(seed)
    for _ in range(50):
        content = bytearray(GOOD.encode())
        for _ in range(dice.randrange(1, 30)):
            content[dice.randrange(len(content))] = dice.randrange(256)
        del content[dice.randrange(len(content)) :]

        objections(parse(bytes(content)), SENDING)


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [("base64", encodebytes), ("quoted-printable", encodestring), ("8bit", bytes)],
)
def test_a_part_for_machines_may_be_encoded(
    encoding: str, encode: Callable[[bytes], bytes]
) -> None:
    """RFC 6533 section 4.4 lets message/global-delivery-status have any encoding."""
    start, end = GOOD.index(MTA), GOOD.index(f"\r\n--b\r\n{HEADERS}")
    inside = GOOD[start:end].replace("expired", "expir\u00e9").encode()
    head = f"Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: {encoding}"
    content = GOOD[:start].replace(MACHINE, head).encode() + encode(inside) + GOOD[end:].encode()

    (block,) = parse(content).recipients

    assert (
        block.first("Diagnostic-Code") == "smtp;550 5.4.316 Message expir\u00e9, connection refused"
    )
    assert objections(parse(content), SENDING) == []


def test_a_date_needs_all_its_parts() -> None:
    """A name for a zone, or none, is no date."""
    assert is_date("Fri, 1 Mar 2019 11:00 -0130")
    assert not is_date("Fri, 1 Mar 2019 11:00:00")
    assert not is_date("Fri, 1 Mar 2019 25:00:00 +0000")
    assert not is_date("")
