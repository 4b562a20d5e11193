"""What a sender is told, when, and in which form; and what of its wishes goes on to the next host."""

import asyncio
import email
import email.policy
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest

from model.ndr import unreadable
from model.wishes import Wishes
from selftests.bench import (
    BUSY,
    CONTENT,
    HOUR,
    RECIPIENT,
    REFUSED,
    SENDER,
    SENT,
    SERVER,
    TIMERS,
    UNKNOWN,
    Bench,
    run,
)
from targets.base import Route
from targets.reference.agent import NO_WISHES, Agent, Parts
from targets.reference.config import Config
from targets.reference.courier import Courier
from targets.reference.dialect import Dialect
from targets.reference.ndr import Lost, Writer
from targets.reference.outcome import Failure, Kind, Outcome, Outcomes, Stage
from targets.reference.policy import MOST_HOPS, Policy
from targets.reference.queue import Message
from targets.reference.wishes import asked

DELAY = replace(TIMERS, delay=4 * HOUR)
NOW = datetime(2019, 3, 20, 13, 5, 9, tzinfo=UTC)


class Read:
    """A notice as the standard library reads it."""

    def __init__(self, content: bytes) -> None:
        read = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(read, EmailMessage)
        self.mail = read
        self.parts = [part for part in read.iter_parts() if isinstance(part, EmailMessage)]
        blocks = self.parts[1].get_payload()
        assert isinstance(blocks, list)
        self.whole, *self.blocks = (
            {name: str(value) for name, value in block.items()}
            for block in blocks
            if isinstance(block, EmailMessage)
        )
        self.block = self.blocks[0]


def submitting(
    *passes: float, wishes: Wishes = NO_WISHES, sender: str = SENDER, content: bytes = CONTENT
) -> Callable[[Bench], Awaitable[None]]:
    """A scene: a message, and then time."""

    async def scene(bench: Bench) -> None:
        bench.agent.submit(sender, [RECIPIENT], content, wishes)
        await bench.rest()
        await bench.passes(*passes)

    return scene


def told(
    answer: Outcome,
    *passes: float,
    wishes: Wishes = NO_WISHES,
    sender: str = SENDER,
    content: bytes = CONTENT,
    agent: type[Agent] = Agent,
) -> list[Read]:
    """The notices that a sender gets of a message whose every attempt is answered so."""
    scene = submitting(*passes, wishes=wishes, sender=sender, content=content)
    return [Read(one) for one in run(lambda _: answer, scene, DELAY, agent).returned]


# Delay notices


def test_a_late_message_is_worth_one_notice_at_the_mark() -> None:
    """At four hours, though no attempt falls there, and never again."""
    bench = run(lambda _: REFUSED, submitting(4 * HOUR - 1), DELAY)
    assert not bench.returned
    assert len(told(REFUSED, 4 * HOUR - 1, 1)) == 1
    assert len(told(REFUSED, 4 * HOUR, *[HOUR] * 19)) == 1
    assert not run(lambda _: REFUSED, submitting(23 * HOUR)).returned


def test_the_fields_of_a_delay_notice() -> None:
    (notice,) = told(BUSY, 4 * HOUR - 60, 60)
    assert notice.mail["Subject"].startswith("Delayed: ")
    assert notice.block == {
        "Final-Recipient": "rfc822;u@d.test",
        "Action": "delayed",
        "Status": "4.2.0",
        "Remote-MTA": "dns;mx.d.test",
        "Diagnostic-Code": "smtp;451 4.2.0 later",
        "Last-Attempt-Date": "Thu, 01 Jan 1970 03:59:00 +0000",
        "Will-Retry-Until": "Fri, 02 Jan 1970 00:00:00 +0000",
    }
    assert notice.parts[2].get_content_type() == "text/rfc822-headers"


def test_only_what_a_server_said_has_its_name_beside_it() -> None:
    """RFC 3464 section 2.3.6: that mail has expired is said by the agent, not by the server."""
    (notice,) = told(BUSY, 25 * HOUR)
    assert notice.block["Diagnostic-Code"].startswith("smtp;550 5.4.300 Message expired")
    assert "Remote-MTA" not in notice.block


def test_where_no_host_was_met_a_delay_notice_names_none() -> None:
    (notice,) = told(REFUSED, 5 * HOUR)
    assert notice.block["Status"] == "4.4.316"
    assert "Remote-MTA" not in notice.block


def test_time_that_passes_over_the_end_gives_no_delay_notice_of_what_is_returned() -> None:
    for passes in ((30 * HOUR,), (4 * HOUR - 60, 21 * HOUR)):
        assert [notice.block["Action"] for notice in told(REFUSED, *passes)] == ["failed"]


def test_a_message_that_is_late_at_its_first_failure_gets_its_notice_then() -> None:
    """Not before: while the first attempt is under way nothing is known."""

    async def scene(bench: Bench) -> None:
        bench.agent.submit(SENDER, [RECIPIENT], CONTENT)
        bench.clock.advance(5 * HOUR)
        assert not bench.returned
        await bench.rest()

    assert len(run(lambda _: REFUSED, scene, DELAY).returned) == 1


@pytest.mark.parametrize(
    ("notify", "sender", "notices"),
    [
        ((), SENDER, 1),
        (("DELAY",), SENDER, 1),
        (("SUCCESS", "DELAY"), SENDER, 1),
        (("FAILURE",), SENDER, 0),
        (("NEVER",), SENDER, 0),
        ((), "", 0),
    ],
)
def test_who_is_told_of_a_delay(notify: tuple[str, ...], sender: str, notices: int) -> None:
    assert len(told(REFUSED, 5 * HOUR, wishes=Wishes(notify), sender=sender)) == notices


def test_the_policy_says_how_many_delay_notices() -> None:
    """So that a wrong agent is a subclass with one method."""

    class Two(Policy):
        def delay_notices(self, sender: str, notify: object) -> int:
            return 2

    class Twice(Agent):
        parts = Parts(policy=Two)

    assert len(told(REFUSED, 5 * HOUR, agent=Twice)) == 2


# Wishes


@pytest.mark.parametrize(
    ("notify", "answer", "action"),
    [
        ((), UNKNOWN, "failed"),
        (("FAILURE",), UNKNOWN, "failed"),
        (("NEVER",), UNKNOWN, ""),
        (("SUCCESS",), UNKNOWN, ""),
        (("SUCCESS", "DELAY"), UNKNOWN, ""),
        ((), SENT, ""),
        (("FAILURE", "DELAY"), SENT, ""),
        (("NEVER",), SENT, ""),
        (("SUCCESS",), SENT, "relayed"),
        (("SUCCESS",), replace(SENT, told=True), ""),
    ],
)
def test_what_is_told_of_the_end(notify: tuple[str, ...], answer: Outcome, action: str) -> None:
    notices = told(answer, wishes=Wishes(notify))
    assert [notice.block["Action"] for notice in notices] == [action] * bool(action)


def test_the_fields_of_a_relay_notice() -> None:
    (notice,) = told(SENT, wishes=asked(["success"], "FULL", "a b+c", "rfc822;U@d.test"))
    assert notice.whole["Original-Envelope-Id"] == "a b+c"
    assert notice.block == {
        "Original-Recipient": "rfc822;U@d.test",
        "Final-Recipient": "rfc822;u@d.test",
        "Action": "relayed",
        "Status": "2.0.0",
        "Remote-MTA": "dns;mx.d.test",
        "Diagnostic-Code": "smtp;250 2.0.0 ok",
        "Last-Attempt-Date": "Thu, 01 Jan 1970 00:00:00 +0000",
    }
    assert notice.parts[2].get_content_type() == "text/rfc822-headers"


def test_a_null_sender_is_told_of_nothing() -> None:
    for answer in (SENT, UNKNOWN, REFUSED):
        assert not told(answer, 5 * HOUR, wishes=Wishes(("SUCCESS", "FAILURE")), sender="")


@pytest.mark.parametrize("octet", [b"x", b"\xc3\xbc"])
def test_the_whole_message_comes_back_octet_by_octet_if_it_is_asked_for(octet: bytes) -> None:
    content = b"Subject: one\r\n\r\n" + octet + b" body\r\n.\r\nlast line"
    scene = submitting(wishes=Wishes(ret="FULL"), content=content)
    (returned,) = run(lambda _: UNKNOWN, scene).returned
    assert b"Content-Type: message/rfc822\r\n" in returned
    assert b"\r\n\r\n" + content + b"\r\n--=_" in returned
    assert (b"Content-Transfer-Encoding: 8bit\r\n" in returned) == (not content.isascii())
    assert unreadable(returned) == []


@pytest.mark.parametrize("ret", ["", "HDRS"])
def test_otherwise_the_header_comes_back(ret: str) -> None:
    """In quoted-printable where it is not plain, so that no octet of it is lost."""
    (notice,) = told(UNKNOWN, wishes=Wishes(ret=ret))
    part = notice.parts[2]
    assert part.get_content_type() == "text/rfc822-headers"
    assert part.get_payload(decode=True) == b"Subject: one\r\nX-Odd: \xff\r\n"


def test_of_a_message_without_a_header_none_comes_back() -> None:
    (notice,) = told(UNKNOWN, content=b"\r\nReceived: the body\r\n\r\nmore\r\n")
    assert b"body" not in notice.parts[2].as_bytes()


def test_a_message_that_cannot_stand_in_another_is_not_returned_whole() -> None:
    (notice,) = told(UNKNOWN, wishes=Wishes(ret="FULL"), content=b"Subject: x\r\n\r\na\nb\r\n")
    assert notice.parts[2].get_content_type() == "text/rfc822-headers"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"notify": ["NEVER", "DELAY"]}, "notify is NEVER,DELAY; give NEVER, or some of"),
        ({"notify": ["ALWAYS"]}, "notify is ALWAYS"),
        ({"ret": "BODY"}, "ret is 'BODY'; give FULL or HDRS"),
        ({"envid": "a\r\nRSET"}, "printable"),
        ({"envid": "x" * 101}, "at most 100"),
        ({"orcpt": "u@d.test"}, "give type;address"),
        ({"orcpt": "rfc822;u\n@d.test"}, "printable"),
    ],
)
def test_wishes_that_cannot_be_are_refused_in_a_sentence(wrong: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        asked(**wrong)


def test_an_original_recipient_beyond_ascii_is_kept_in_seven_bits() -> None:
    wishes = asked(orcpt="utf-8;j\u00fc+x@d.test")
    assert wishes.orcpt == r"utf-8;j\x{FC}\x{2B}x@d.test"
    assert wishes.for_rcpt() == [r"ORCPT=utf-8;j\x{FC}\x{2B}x@d.test"]


# The form of an NDR


def ndr(sender: str = SENDER, recipient: str = RECIPIENT, failure: Failure = UNKNOWN) -> bytes:
    """An NDR for one recipient."""
    message = Message("Q1", sender, (recipient,), CONTENT, 0.0, NOW)
    final = Dialect().returned(failure)
    lost = Lost(recipient, final, final, failure, NOW + timedelta(seconds=1))
    return Writer("out.test").write(message, [lost], NOW + timedelta(seconds=2), "N1")


def test_the_form_of_an_ndr() -> None:
    content = ndr()
    read = Read(content)
    assert read.mail.get_content_type() == "multipart/report"
    assert read.mail.get_param("report-type") == "delivery-status"
    assert [part.get_content_type() for part in read.parts] == [
        "text/plain",
        "message/delivery-status",
        "text/rfc822-headers",
    ]
    assert {name: str(read.mail[name]) for name in read.mail if name != "Content-Type"} == {
        "MIME-Version": "1.0",
        "From": "Mail Delivery System <postmaster@out.test>",
        "To": SENDER,
        "Subject": "Undeliverable: your message could not be delivered",
        "Date": "Wed, 20 Mar 2019 13:05:11 +0000",
        "Message-ID": "<N1@out.test>",
        "Auto-Submitted": "auto-replied",
    }
    assert read.whole == {
        "Reporting-MTA": "dns;out.test",
        "Arrival-Date": "Wed, 20 Mar 2019 13:05:09 +0000",
    }
    assert read.block == {
        "Final-Recipient": "rfc822;u@d.test",
        "Action": "failed",
        "Status": "5.1.1",
        "Remote-MTA": "dns;mx.d.test",
        "Diagnostic-Code": "smtp;550 5.1.1 unknown",
        "Last-Attempt-Date": "Wed, 20 Mar 2019 13:05:10 +0000",
    }
    assert unreadable(content) == []


@pytest.mark.parametrize("stage", [Stage.DNS, Stage.CONNECT, Stage.INTERNAL])
def test_a_host_that_was_not_met_is_not_named(stage: Stage) -> None:
    assert "Remote-MTA" not in Read(ndr(failure=Failure(stage, Kind.LOOP, SERVER))).block


@pytest.mark.parametrize("local", ["j\u00f6", "j\u00f6" * 60], ids=["short", "long"])
def test_addresses_beyond_ascii_have_their_own_type(local: str) -> None:
    """RFC 6533 section 3: in seven bits, what would be ambiguous there is escaped as well."""
    content = ndr(sender=f"{local}@home.test", recipient="j\u00fc+\\x=@d.test")
    block = Read(content).block
    assert block["Final-Recipient"] == r"utf-8;j\x{FC}\x{2B}\x{5C}x\x{3D}@d.test"
    assert unreadable(content) == []
    to = Read(content).mail["To"]
    assert to.groups[0].addresses == ()
    shown = to.groups[0].display_name.replace(" ", "")  # the parser leaves some between two words
    assert shown == f"InternationalizedAddress{local}@home.testRemoved"
    assert max(map(len, re.findall(rb"=[?]\S+[?]=", content))) <= 75  # RFC 2047 section 2


# Loops


class Blind(Courier):
    """Has delivered everything at once."""

    async def deliver(
        self, sender: str, recipients: Sequence[str], content: bytes, route: Route
    ) -> Outcomes:
        """Look at nothing."""
        return dict.fromkeys(recipients, SENT)


class BlindAgent(Agent):
    """With that courier."""

    parts = Parts(courier=Blind)


@pytest.mark.parametrize(("more", "code"), [(0, "250 2.0.0"), (1, "554 5.4.14")])
def test_a_message_that_has_been_handed_on_too_often_is_returned(more: int, code: str) -> None:
    """Fields are counted in the header only, in any case."""
    received = b"RECEIVED: from a by b\r\n" * (MOST_HOPS + more)
    content = received + b"Subject: x\r\n\r\nReceived: in the body\r\n"

    async def play() -> list[str]:
        codes: list[str] = []
        config = Config(("127.0.0.1", 53), 25, "ca.pem", TIMERS)
        agent = BlindAgent(config, lambda report: codes.append(report.code))
        agent.submit("", [RECIPIENT], content)
        for _ in range(20):
            await asyncio.sleep(0)
        return codes

    assert asyncio.run(play()) == [code]
