"""Every behaviour, as a pure function of the moment."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from model.behaviours import (
    A_MOMENT,
    BreakHandshake,
    CutAt,
    CutBody,
    EndTls,
    Flap,
    Fragment,
    HalfClose,
    HalfReply,
    ImplicitTls,
    InBody,
    InClear,
    KeepThenCut,
    KeepThenStall,
    Late,
    LineEnds,
    MaskCapabilities,
    MaskGreeting,
    MostRecipients,
    OnReuse,
    Reply,
    SendAt,
    SizeLimit,
    StallAt,
    Surplus,
    Withhold,
)
from model.smtp import (
    Behaviour,
    HangUp,
    Listen,
    Moment,
    Negotiate,
    Say,
    Send,
    Stage,
    Stall,
    Wait,
    decide,
)

EHLO = "250-mx1\n250-SIZE 1000\n250-STARTTLS\n250 HELP"
OK = b"250 OK\r\n"
USUAL: dict[Stage, Say | Listen | Negotiate] = {
    Stage.EHLO: Say(EHLO),
    Stage.GREETING: Say("220 mx1 ESMTP"),
    Stage.BODY: Listen(),
    Stage.HANDSHAKE: Negotiate(),
}


def moment(
    stage: Stage, visit: int = 1, octets: int = 0, carried: int = 0, tls: bool = False
) -> Moment:
    """A moment with what a blameless host would do."""
    usual = USUAL.get(stage, Say("250 OK"))
    return Moment(stage, visit, usual, tls, octets=octets, carried=carried)


ACTING: list[tuple[Behaviour, Moment, object]] = [
    (Reply(Stage.MAIL, "451 no"), moment(Stage.MAIL), Say("451 no")),
    (Reply(Stage.MAIL, "421 bye", close=True), moment(Stage.MAIL), Say("421 bye", close=True)),
    (CutAt(Stage.RCPT), moment(Stage.RCPT), HangUp()),
    (CutAt(Stage.RCPT, reset=True), moment(Stage.RCPT), HangUp(reset=True)),
    (CutAt(Stage.GREETING), moment(Stage.GREETING), HangUp()),
    (
        CutAt(Stage.GREETING, reset=True),
        moment(Stage.GREETING),
        Wait(A_MOMENT, HangUp(reset=True)),
    ),
    (EndTls(Stage.RCPT), moment(Stage.RCPT, tls=True), HangUp(notify=True)),
    (EndTls(Stage.RCPT, half=True), moment(Stage.RCPT, tls=True), HangUp(half=True, notify=True)),
    (KeepThenCut(), moment(Stage.DOT), HangUp(keep=True)),
    (CutBody(100), moment(Stage.BODY, octets=100), HangUp()),
    (StallAt(Stage.EHLO), moment(Stage.EHLO), Stall()),
    (Reply(Stage.MAIL, "550 no", reset=True), moment(Stage.MAIL), Say("550 no", True, True)),
    (HalfReply(Stage.DOT), moment(Stage.DOT), Send(b"250 ")),
    (HalfReply(Stage.GREETING, close=True), moment(Stage.GREETING), Send(b"220 mx1", close=True)),
    (Late(Stage.MAIL, 2.0), moment(Stage.MAIL), Wait(2.0, Say("250 OK"))),
    (HalfClose(Stage.RCPT, since=3), moment(Stage.RCPT, visit=3), HangUp(half=True)),
    (KeepThenStall(), moment(Stage.DOT), Stall(keep=True)),
    (Fragment(Stage.MAIL, 4, 0.1), moment(Stage.MAIL), Send(b"250 OK\r\n", False, True, 4, 0.1)),
    (InBody(100, StallAt(Stage.BODY)), moment(Stage.BODY, octets=100), Stall()),
    (OnReuse(CutAt(Stage.MAIL)), moment(Stage.MAIL, carried=1), HangUp()),
    (SendAt(Stage.HANDSHAKE, b"x"), moment(Stage.HANDSHAKE), Send(b"x")),
    (Withhold("STARTTLS"), moment(Stage.EHLO), Say("250-mx1\n250-SIZE 1000\n250 HELP")),
    (Withhold("HELP"), moment(Stage.EHLO), Say("250-mx1\n250-SIZE 1000\n250 STARTTLS")),
    (Withhold("STARTTLS"), moment(Stage.STARTTLS), Say("502 5.5.1 Command not implemented")),
    (MaskGreeting(), moment(Stage.GREETING), Say("220 *********")),
    (
        MaskCapabilities(),
        moment(Stage.EHLO),
        Say("250-mx1\n250-XXXXXXXXX\n250-XXXXXXXX\n250 XXXX"),
    ),
    (MaskCapabilities(), moment(Stage.STARTTLS), Say("502 5.5.1 Command not implemented")),
    (ImplicitTls(), moment(Stage.GREETING), Negotiate()),
    (
        MostRecipients(2, "452 no more"),
        replace(moment(Stage.RCPT), recipients=2),
        Say("452 no more"),
    ),
    (SizeLimit(99), moment(Stage.EHLO), Say("250-mx1\n250-SIZE 99\n250-STARTTLS\n250 HELP")),
    (
        SizeLimit(99, "552 no"),
        replace(moment(Stage.MAIL), line="MAIL FROM:<a@b> SIZE=100"),
        Say("552 no"),
    ),
    (SizeLimit(99, "552 no"), moment(Stage.DOT, octets=100), Say("552 no")),
    (InClear(CutAt(Stage.MAIL)), moment(Stage.MAIL), HangUp()),
    (BreakHandshake(9, HangUp()), moment(Stage.HANDSHAKE), Negotiate(9, HangUp())),
    (LineEnds(b"\n"), moment(Stage.EHLO), Send(EHLO.encode() + b"\n", takes=True)),
    (Surplus(Stage.RCPT, "421 bye"), moment(Stage.RCPT), Send(OK + b"421 bye\r\n", takes=True)),
    (
        Surplus(Stage.RCPT, "421 bye", close=True),
        moment(Stage.RCPT),
        Send(OK + b"421 bye\r\n", close=True, takes=True),
    ),
    (Flap(1, share=1.0), moment(Stage.MAIL, visit=2), HangUp(reset=True)),
    (Flap(1, share=1.0, keeps=True), moment(Stage.DOT, visit=3), HangUp(keep=True)),
]

IDLE: list[tuple[Behaviour, Moment]] = [
    (Reply(Stage.MAIL, "451 no", times=1), moment(Stage.MAIL, visit=2)),
    (Reply(Stage.MAIL, "451 no"), moment(Stage.RCPT)),
    (CutAt(Stage.RCPT, times=2), moment(Stage.RCPT, visit=3)),
    (EndTls(Stage.RCPT), moment(Stage.RCPT)),
    (KeepThenCut(), moment(Stage.DOT, visit=2)),
    (CutBody(100), moment(Stage.BODY, octets=99)),
    (CutBody(100, times=1), moment(Stage.BODY, visit=2, octets=500)),
    (StallAt(Stage.EHLO), moment(Stage.GREETING)),
    (HalfReply(Stage.DOT), moment(Stage.MAIL)),
    (Late(Stage.MAIL, 2.0, times=1), moment(Stage.MAIL, visit=2)),
    (HalfClose(Stage.RCPT, since=3), moment(Stage.RCPT, visit=2)),
    (KeepThenStall(), moment(Stage.DOT, visit=2)),
    (Fragment(Stage.MAIL), moment(Stage.RCPT)),
    (InBody(100, StallAt(Stage.BODY)), moment(Stage.BODY, octets=99)),
    (InBody(0, StallAt(Stage.DOT)), moment(Stage.DOT)),
    (OnReuse(CutAt(Stage.MAIL)), moment(Stage.MAIL)),
    (SendAt(Stage.HANDSHAKE, b"x"), moment(Stage.STARTTLS)),
    (Withhold("SIZE"), moment(Stage.STARTTLS)),
    (MaskGreeting(), moment(Stage.EHLO)),
    (MaskCapabilities(), moment(Stage.GREETING)),
    (ImplicitTls(), moment(Stage.EHLO)),
    (ImplicitTls(), replace(moment(Stage.GREETING), tls=True)),
    (MostRecipients(2), replace(moment(Stage.RCPT), recipients=1)),
    (MostRecipients(2), replace(moment(Stage.MAIL), recipients=2)),
    (SizeLimit(99), replace(moment(Stage.MAIL), line="MAIL FROM:<a@b> SIZE=99")),
    (SizeLimit(99), moment(Stage.DOT, octets=99)),
    (SizeLimit(99), moment(Stage.BODY, octets=100)),
    (InClear(CutAt(Stage.MAIL)), moment(Stage.MAIL, tls=True)),
    (BreakHandshake(9, HangUp()), moment(Stage.STARTTLS)),
    (BreakHandshake(9, HangUp(), times=1), moment(Stage.HANDSHAKE, visit=2)),
    (LineEnds(b"\n"), moment(Stage.BODY)),
    (Surplus(Stage.RCPT, "421 bye"), moment(Stage.MAIL)),
    (Surplus(Stage.RCPT, "421 bye", times=1), moment(Stage.RCPT, visit=2)),
    (Flap(1, share=0.0), moment(Stage.MAIL)),
    (Flap(1, share=1.0, times=1), moment(Stage.MAIL, visit=2)),
]


def ids(cases: Sequence[tuple[Any, ...]]) -> list[str]:
    """The behaviour's name and the case's number."""
    return [f"{type(case[0]).__name__}-{n}" for n, case in enumerate(cases)]


@pytest.mark.parametrize(("behaviour", "at", "action"), ACTING, ids=ids(ACTING))
def test_a_behaviour_acts(behaviour: Behaviour, at: Moment, action: object) -> None:
    assert behaviour.react(at) == action


@pytest.mark.parametrize(("behaviour", "at"), IDLE, ids=ids(IDLE))
def test_a_behaviour_leaves_the_rest_alone(behaviour: Behaviour, at: Moment) -> None:
    assert behaviour.react(at) is at.usual


def test_every_behaviour_is_seen_both_ways() -> None:
    assert {type(case[0]) for case in ACTING} == {type(case[0]) for case in IDLE}


def test_behaviours_are_asked_in_order() -> None:
    """Each is given what the one before it decided."""
    found = decide((Withhold("STARTTLS"), Withhold("HELP")), moment(Stage.EHLO))

    assert found == Say("250-mx1\n250 SIZE 1000")


def test_a_flapping_host_keeps_at_the_dot_only_and_not_each_time() -> None:
    """What happens follows from seed, stage and visit, and is the same each time."""
    flap = Flap(7, share=0.5, keeps=True)

    def kept(stage: Stage) -> list[bool]:
        deeds = [flap.react(moment(stage, visit)) for visit in range(1, 200)]
        return [deed.keep for deed in deeds if isinstance(deed, HangUp)]

    assert set(kept(Stage.DOT)) == {True, False}
    assert set(kept(Stage.MAIL)) == {False}
    assert kept(Stage.DOT) == kept(Stage.DOT)
