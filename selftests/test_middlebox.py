"""Boxes as data: every filter as a pure function of what passes; what the judge makes of them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from catalogue import CATALOGUE, dialects
from catalogue.rules import DELIVER
from catalogue.truth import flaws
from lab.plan import place_all
from model import middlebox
from model.events import Did, Event
from model.judge import judge
from model.middlebox import (
    Act,
    Answer,
    AnswersItself,
    Box,
    DelaysReplies,
    DropsIdle,
    End,
    Filter,
    Hold,
    Intercept,
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
    Part,
    Pass,
    Passage,
    RefusesOn,
    RemovesCapability,
    Resigns,
    SplitsDot,
    Swallow,
    SwallowsAhead,
    decide,
)
from model.report import State
from model.scenario import Host, Scenario
from model.smtp import Say, Stage
from model.tls import Flaw
from model.verdict import Verdict
from selftests.test_lab_parts import SomeRoom
from selftests.worlds import RECIPIENT, connected, deferred, queued, said, stored, trace

EHLO = b"250-mx1\r\n250-SIZE 1000\r\n250-STARTTLS\r\n250 HELP\r\n"
DROP, RESET = End(Manner.DROPPED), End(Manner.RESET)


def passage(part: Part, octets: bytes, stage: Stage = Stage.OTHER, **rest: Any) -> Passage:
    """Something that passes, with nothing decided about it yet."""
    return Passage(part, octets, rest.pop("usual", Pass(octets)), stage, **rest)


def command(line: bytes, stage: Stage, **rest: Any) -> Passage:
    """A command line."""
    return passage(Part.COMMAND, line + b"\r\n", stage, **rest)


def reply(octets: bytes, stage: Stage, **rest: Any) -> Passage:
    """A reply of the host's."""
    return passage(Part.REPLY, octets, stage, **rest)


def dot(**rest: Any) -> Passage:
    """The end of a message."""
    return passage(Part.DOT, b".\r\n", Stage.DOT, **rest)


MAIL = command(b"MAIL FROM:<abcde@x.test> SIZE=10", Stage.MAIL)
GREETING = reply(b"220 mx20.x.test ESMTP\r\n", Stage.GREETING)
HELLO = reply(EHLO, Stage.EHLO)
LINE = passage(Part.BODY, b"a bad line\r\n", Stage.BODY, content=500)
FILE = passage(Part.HEADER, b'Content-Type: text/plain; name="abcdef"\r\n', Stage.BODY)

ACTING: list[tuple[Filter, Passage, Act]] = [
    (MasksGreeting(), GREETING, Pass(b"220 **20*************\r\n")),
    (
        MasksCapabilities(("SIZE",)),
        HELLO,
        Pass(b"250-mx1\r\n250-SIZE 1000\r\n250-XXXXXXXA\r\n250 XXXA\r\n"),
    ),
    (RemovesCapability("HELP"), HELLO, Pass(b"250-mx1\r\n250-SIZE 1000\r\n250 STARTTLS\r\n")),
    (
        OffersCapability("DSN"),
        HELLO,
        Pass(b"250-mx1\r\n250-DSN\r\n250-SIZE 1000\r\n250-STARTTLS\r\n250 HELP\r\n"),
    ),
    (DelaysReplies(0.5), reply(b"451 no\r\n", Stage.MAIL), Hold(0.5, Pass(b"451 no\r\n"))),
    (MasksCommands(("HELO",)), command(b"EHLO c", Stage.EHLO), Pass(b"XXXX c\r\n")),
    (AnswersItself("^mail", "250 OK"), MAIL, Answer("250 OK")),
    (LimitsCommands(31), MAIL, DROP),
    (
        LimitsRecipients(2, Manner.RESET),
        command(b"RCPT TO:<c@x.test>", Stage.RCPT, recipients=3),
        RESET,
    ),
    (LimitsSender(11), MAIL, DROP),
    (SwallowsAhead(), command(b"DATA", Stage.DATA, ahead=True), Swallow()),
    (LimitsHeaderLines(38), FILE, DROP),
    (LimitsHeader(100), replace(FILE, content=101), DROP),
    (LimitsFilenames(5), FILE, DROP),
    (LimitsFilenames(5), replace(FILE, part=Part.BODY), DROP),
    (LimitsContent(499), LINE, RESET),
    (KillsOn(b"bad"), LINE, RESET),
    (KillsOn(b"text/plain", Manner.CLOSED), FILE, End(Manner.CLOSED)),
    (RefusesOn(b"bad", "554 no"), dot(message=b"a bad line\r\n"), Answer("554 no", close=True)),
    (SplitsDot(0.2), dot(), Pass(b".\r\n", cut=1, pause=0.2)),
    (LosesSplitDot(), dot(usual=Pass(b".\r\n", cut=1)), Swallow()),
    (DropsIdle(0.3), passage(Part.SEALED, b"\x17\x03", quiet=0.31), DROP),
    (DropsIdle(0.3, Manner.RESET), replace(LINE, quiet=2.0), RESET),
    (Resigns(), command(b"STARTTLS", Stage.STARTTLS), Intercept(Flaw.UNKNOWN_CA)),
    (Resigns(), replace(HELLO, tls=True), Pass(b"250-mx1\r\n250-SIZE 1000\r\n250 HELP\r\n")),
]

IDLE: list[tuple[Filter, Passage]] = [
    (MasksGreeting(), HELLO),
    (MasksGreeting(), reply(b"554 no service\r\n", Stage.GREETING)),
    (MasksCapabilities(), reply(b"250 mx1\r\n", Stage.HELO)),
    (MasksCapabilities(), reply(b"502 what?\r\n", Stage.EHLO)),
    (MasksCapabilities(("SIZE", "STARTTLS", "HELP")), HELLO),
    (RemovesCapability("DSN"), HELLO),
    (RemovesCapability("STARTTLS"), command(b"STARTTLS", Stage.STARTTLS)),
    (OffersCapability("DSN"), GREETING),
    (DelaysReplies(0.5), MAIL),
    (MasksCommands(("EHLO",)), command(b"ehlo c", Stage.EHLO)),
    (MasksCommands(()), passage(Part.BODY, b"EHLO c\r\n")),
    (AnswersItself("^MAIL", "250 OK"), command(b"RCPT TO:<mail@x.test>", Stage.RCPT)),
    (AnswersItself("^MAIL", "250 OK"), passage(Part.BODY, b"MAIL is here\r\n")),
    (LimitsCommands(32), MAIL),
    (LimitsCommands(5), LINE),
    (LimitsRecipients(2), command(b"RCPT TO:<b@x.test>", Stage.RCPT, recipients=2)),
    (LimitsRecipients(2), command(b"DATA", Stage.DATA, recipients=3)),
    (LimitsRecipients(2), reply(b"250 OK\r\n", Stage.RCPT, recipients=3)),
    (LimitsSender(12), MAIL),
    (LimitsSender(3), command(b"RCPT TO:<abcde@x.test>", Stage.RCPT)),
    (SwallowsAhead(), MAIL),
    (LimitsHeaderLines(39), FILE),
    (LimitsHeaderLines(5), LINE),
    (LimitsHeader(100), replace(FILE, content=100)),
    (LimitsHeader(100), LINE),
    (LimitsFilenames(6), FILE),
    (LimitsFilenames(1), LINE),
    (LimitsContent(500), LINE),
    (KillsOn(b"good"), LINE),
    (KillsOn(b"MAIL"), MAIL),
    (RefusesOn(b"good", "554 no"), dot(message=b"a bad line\r\n")),
    (RefusesOn(b"bad", "554 no"), LINE),
    (SplitsDot(), LINE),
    (LosesSplitDot(), dot()),
    (LosesSplitDot(), replace(LINE, usual=Pass(LINE.octets, cut=1))),
    (DropsIdle(0.3), replace(LINE, quiet=0.3)),
    (Resigns(), HELLO),
    (Resigns(), command(b"STARTTLS", Stage.STARTTLS, tls=True)),
    (Resigns(), MAIL),
]


def ids(cases: Sequence[tuple[Any, ...]]) -> list[str]:
    """The filter's name and the case's number."""
    return [f"{type(case[0]).__name__}-{n}" for n, case in enumerate(cases)]


@pytest.mark.parametrize(("one", "at", "act"), ACTING, ids=ids(ACTING))
def test_a_filter_acts(one: Filter, at: Passage, act: Act) -> None:
    assert one.react(at) == act


@pytest.mark.parametrize(("one", "at"), IDLE, ids=ids(IDLE))
def test_a_filter_leaves_the_rest_alone(one: Filter, at: Passage) -> None:
    assert one.react(at) == at.usual


def test_every_filter_is_seen_both_ways() -> None:
    every = {
        one
        for name, one in vars(middlebox).items()
        if isinstance(one, type) and hasattr(one, "react") and one is not Filter
        if not name.startswith("_")  # what filters are made of
    }

    assert {type(case[0]) for case in ACTING} == every == {type(case[0]) for case in IDLE}


def test_filters_are_asked_in_order_and_each_is_told_by_name() -> None:
    """Each is given what the one before it decided; who has nothing to do is not told."""
    box = Box((SplitsDot(0.1), LosesSplitDot()), besides=(DropsIdle(0.3), MasksGreeting()))

    act, changes = decide(box, dot())

    assert act == Swallow()
    assert changes == (
        ("SplitsDot", Pass(b".\r\n", cut=1, pause=0.1)),
        ("LosesSplitDot", Swallow()),
    )


# The judge -----------------------------------------------------------------------------------


def did(by: str, spoiled: bool = True) -> Did:
    """Something done, by a filter or by the host itself."""
    return Did(0.6, "mx1", 1, Stage.EHLO, "250 mx1", spoiled, by)


def verdict(box: Box, *events: Event, lost: bool = False) -> tuple[Verdict, str]:
    """The verdict on healthy mail through a box, or on mail that is put off for no reason."""
    scenario = Scenario(id="x.y", title="t", rule=DELIVER, hosts=(Host(box=box),))
    arrived = (stored(), said(State.DELIVERED, 250, "2.0.0"), queued())
    mail = (connected(), *events, *((deferred(), queued(RECIPIENT)) if lost else arrived))
    found = judge(scenario, trace(*mail), dialects.load("rfc"))
    return found.verdict, found.note


def test_a_box_that_finds_nothing_to_do_proves_nothing() -> None:
    box = Box((MasksGreeting(), KillsOn(b"bad")))

    assert verdict(box, did("MasksGreeting"), did("KillsOn"))[0] is Verdict.PASS
    found, note = verdict(box, did("MasksGreeting"))
    assert (found, note) == (Verdict.INCONCLUSIVE, "a box found nothing to do for KillsOn")


def test_an_agent_that_goes_astray_early_is_not_excused_by_what_comes_later() -> None:
    """It has met something of the box; if it has met nothing at all, nothing is proved."""
    box = Box((MasksGreeting(), KillsOn(b"bad")))

    assert verdict(box, did("MasksGreeting"), lost=True)[0] is Verdict.FAIL
    assert verdict(box, did(""), lost=True)[0] is Verdict.INCONCLUSIVE


def test_what_the_host_does_is_not_taken_for_the_box() -> None:
    assert verdict(Box((MasksGreeting(),)), did(""))[0] is Verdict.INCONCLUSIVE


def test_a_box_without_filters_and_the_filters_besides_may_be_idle() -> None:
    assert verdict(Box())[0] is Verdict.PASS
    assert verdict(Box(besides=(KillsOn(b"bad"),)))[0] is Verdict.PASS


# The catalogue and the plan ------------------------------------------------------------------


def test_a_box_that_cannot_be_is_found_in_the_catalogue() -> None:
    def wrong(host: Host) -> list[str]:
        scenario = Scenario(id="x.y", title="t", rule=DELIVER, hosts=(host,))
        return list(flaws("x", scenario))

    twice = Box((RemovesCapability("HELP"),), besides=(RemovesCapability("SIZE"),))
    assert wrong(Host(box=Box((MasksGreeting(),)))) == []
    assert "script" in wrong(Host(script=(Say("220 x"),), box=Box()))[0]
    assert "RemovesCapability" in wrong(Host(box=twice))[0]


def test_a_host_behind_a_box_has_an_address_that_nobody_is_told() -> None:
    lives = dict.fromkeys(CATALOGUE, 3600.0)
    room: Any = SomeRoom(sealed=True, work=Path())
    placed = place_all(list(CATALOGUE.values()), room, "198.18.0.0/15", lives)
    outer = {ip for one in placed for _, ip in one.placement.hosts.values()}
    inner = [ip for one in placed for ip in one.inner.values()]

    boxed = [s for s in CATALOGUE.values() if any(host.box for host in s.all_hosts)]
    assert len(inner) == len(set(inner)) >= len(boxed) > 0
    assert not outer & set(inner)
    assert all(set(one.inner) <= set(one.placement.hosts) for one in placed)
