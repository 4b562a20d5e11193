"""The judge, over traces made by hand: every verdict is reached, for the right reason."""

from dataclasses import replace

import pytest

from catalogue import dialects
from model.behaviours import CutAt, Quota
from model.events import Accepted, Asked, Did, Elapsed, Event, Heard, Knocked, Reported, Retried
from model.expect import AnyOf, Arrives, Delivers, Each, Expectation, Expires, Fails, Recovers
from model.failure import Cause, Failure
from model.judge import judge
from model.report import Report, State
from model.scenario import Connector, Host, Mail, Reach, Scenario, Source
from model.smtp import Stage
from model.trace import Trace
from model.unmet import unmet_faults
from model.verdict import Judgement, Verdict
from selftests.worlds import (
    PLACE,
    RECIPIENT,
    SENDER,
    SENT,
    connected,
    deferred,
    ndr,
    queued,
    said,
    scenario,
    stored,
    trace,
    worded,
)

REFUSED = Cause(Failure.CONNECTION_REFUSED, "reset")
KNOCK = Knocked(0.5, "mx1", "198.18.1.1")
AGAIN = Knocked(2.5, "mx1", "198.18.1.1")
KEPT = queued(RECIPIENT)
M365, RFC = dialects.load("m365-2019"), dialects.load("rfc")
END = "Message expired"


def refusing(expect: Expectation) -> Scenario:
    """A scenario whose only host refuses."""
    return scenario(expect=expect, hosts=(Host(reach=Reach.REFUSED),))


def verdict_on(seen: Trace, dialect: str = "m365-2019") -> Judgement:
    """The verdict on a refused connection."""
    return judge(refusing(Fails(REFUSED)), seen, dialects.load(dialect))


@pytest.mark.parametrize(
    ("smtp", "enhanced", "dialect", "verdict"),
    [
        (450, "4.4.316", "m365-2019", Verdict.PASS),
        (0, "4.4.316", "m365-2019", Verdict.PASS),
        (451, "4.4.316", "m365-2019", Verdict.FAIL),
        (450, "4.4.317", "m365-2019", Verdict.FAIL),
        (450, "4.4.0", "m365-2019", Verdict.WEAK),
        (0, "4.0.0", "m365-2019", Verdict.WEAK),
        (450, "", "m365-2019", Verdict.WEAK),
        (0, "", "rfc", Verdict.WEAK),
        (0, "4.4.1", "rfc", Verdict.PASS),
        (0, "4.4.2", "rfc", Verdict.FAIL),
        (550, "5.4.1", "rfc", Verdict.FAIL),
    ],
)
def test_a_code_is_judged_by_the_dialect(
    smtp: int, enhanced: str, dialect: str, verdict: Verdict
) -> None:
    """Exact passes, unspecific is weak, anything else of the same class fails."""
    found = verdict_on(trace(KNOCK, deferred(smtp, enhanced), KEPT), dialect)

    assert found.verdict is verdict


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("connection refused by mx1.x-y.test", Verdict.PASS),
        ("mx1.x-y.test did not answer", Verdict.FAIL),
    ],
)
def test_a_code_has_its_words_with_it(text: str, verdict: Verdict) -> None:
    """Where the dialect's source has some, in whatever case; by the standard any will do."""
    assert verdict_on(trace(KNOCK, deferred(text=text), KEPT)).verdict is verdict
    assert verdict_on(trace(KNOCK, deferred(0, "4.4.1", text), KEPT), "rfc").verdict is Verdict.PASS


def test_an_alternative_code_is_accepted() -> None:
    """The observed 4.4.317 stands for the documented 4.4.315."""
    silent = Fails(Cause(Failure.CONNECTION_TIMED_OUT, "silent"))
    found = judge(refusing(silent), trace(KNOCK, deferred(450, "4.4.317"), KEPT), M365)

    assert found.verdict is Verdict.ACCEPTED
    assert (found.primary, found.accepted) == ("450 4.4.315", ("450 4.4.317",))


def test_a_peers_reply_is_passed_on() -> None:
    """Its own codes are the primary ones; a peer without an enhanced code gets class.0.0."""
    about = scenario(expect=Fails(Cause(Failure.PEER_REPLY, "permanent"), "550 No"))
    returned = trace(said(State.RETURNED, 550, "5.0.0"), ndr(at=2.0, status="5.0.0"), queued())

    assert judge(about, returned, RFC).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("quote", "verdict"), [("", Verdict.PASS), ("x-y", Verdict.PASS), ("S3140", Verdict.FAIL)]
)
def test_words_of_the_peer_are_looked_for(quote: str, verdict: Verdict) -> None:
    """Where the scenario asks for them, the right codes without them are not enough."""
    about = scenario(expect=Fails(Cause(Failure.PEER_REPLY, "permanent"), "550 No", quote))
    returned = trace(said(State.RETURNED, 550, "5.0.0"), ndr(at=2.0, status="5.0.0"), queued())

    assert judge(about, returned, RFC).verdict is verdict


def test_a_broken_law_fails_whatever_the_code() -> None:
    """The right code does not excuse lost mail; the observation names the law."""
    found = verdict_on(trace(KNOCK, deferred(), queued()))

    assert found.verdict is Verdict.FAIL
    assert found.observed == "deferred 450 4.4.316 [breaks accounted]"


@pytest.mark.parametrize("code", ["4.4.316", "4.4.999"])
def test_a_fault_never_met_proves_nothing(code: str) -> None:
    """Neither the right code nor a wrong one."""
    found = verdict_on(trace(deferred(450, code), KEPT))

    assert found.verdict is Verdict.INCONCLUSIVE
    assert "was tried" in found.note


def test_nothing_reported_fails() -> None:
    """An agent that keeps silent does not conform."""
    found = verdict_on(trace(KNOCK, KEPT))

    assert (found.verdict, found.observed) == (Verdict.FAIL, "nothing reported")


def test_delivery_to_the_host_expected() -> None:
    """Another host, or another fate, is a mismatch."""
    right, wrong = trace(stored(), queued()), trace(stored(host="mx2"), queued())

    assert judge(scenario(), right, M365).verdict is Verdict.PASS
    assert judge(scenario(), wrong, M365).verdict is Verdict.FAIL
    assert judge(scenario(), trace(deferred(), KEPT), M365).verdict is Verdict.FAIL


def test_a_tolerated_failure_is_accepted() -> None:
    """Where documents leave it open, the other way out is no mistake."""
    about = scenario(expect=AnyOf(Delivers(), Fails(REFUSED)))

    assert judge(about, trace(deferred(), KEPT), M365).verdict is Verdict.ACCEPTED
    assert judge(about, trace(deferred(450, "4.4.999"), KEPT), M365).verdict is Verdict.FAIL


def test_recovery() -> None:
    """First the failure, then the delivery, once; twice only where the host set the trap."""
    once, twice = Recovers(Fails(REFUSED)), Recovers(Fails(REFUSED), twice=True)
    copy = stored(acknowledged=False)
    single = trace(KNOCK, deferred(), stored(), queued())
    double = trace(KNOCK, deferred(), copy, stored(), queued())
    never = trace(KNOCK, deferred(), KEPT)

    assert judge(refusing(once), single, M365).verdict is Verdict.PASS
    assert judge(refusing(once), double, M365).verdict is Verdict.FAIL
    assert judge(refusing(twice), double, M365).verdict is Verdict.PASS
    assert judge(refusing(once), never, M365).verdict is Verdict.FAIL


def test_arriving_in_the_end() -> None:
    """Whatever came before, and a copy that was never acknowledged; but once, and there."""
    arrives = refusing(Arrives())
    copy, home = stored(acknowledged=False), said(State.DELIVERED, 250, "2.0.0", at=3.0)

    def verdict(*events: Event) -> Verdict:
        return judge(arrives, trace(KNOCK, *events), M365).verdict

    assert verdict(deferred(0, "4.9.9"), deferred(), stored(), home, queued()) is Verdict.PASS
    assert verdict(deferred(), copy, stored(), home, queued()) is Verdict.PASS
    assert verdict(deferred(), stored(), stored(), home, queued()) is Verdict.FAIL
    assert verdict(deferred(), KEPT) is Verdict.FAIL
    assert verdict(deferred(), stored(host="mx2"), home, queued()) is Verdict.FAIL


def test_what_a_dialect_lets_be_final_need_not_recover() -> None:
    """5.4.4 for an MX host that does not exist ends the matter under RFC 5321, not under M365."""
    gone = Recovers(Fails(Cause(Failure.DNS_QUERY_FAILED, "mx-host-nxdomain")))
    seen = trace(
        said(State.RETURNED, 0, "5.4.4"),
        ndr(at=2.0, status="5.4.4", diagnostic="x-y; no"),
        queued(),
    )

    assert judge(scenario(expect=gone), seen, RFC).verdict is Verdict.PASS
    assert judge(scenario(expect=gone), seen, M365).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("status", "diagnostic", "dialect", "verdict"),
    [
        ("5.4.316", f"smtp;550 5.4.316 {END}, connection refused", "m365-2019", Verdict.PASS),
        ("5.4.316", f"smtp;550 5.4.316 {END}, Connection refused(x)", "m365-2019", Verdict.PASS),
        ("5.4.316", f"smtp;550 5.4.316 {END}", "m365-2019", Verdict.FAIL),
        ("5.4.316", "smtp;550 5.4.316 Connection refused", "m365-2019", Verdict.FAIL),
        ("5.4.317", f"smtp;550 5.4.317 {END}, connection refused", "m365-2019", Verdict.FAIL),
        ("5.4.7", "x-agent; expired", "m365-2019", Verdict.FAIL),
    ],
)
def test_expiry(status: str, diagnostic: str, dialect: str, verdict: Verdict) -> None:
    """The NDR carries the twin of the attempt's code, and the words that belong to it."""
    seen = trace(
        KNOCK,
        deferred(),
        AGAIN,
        Elapsed(2.0, 160.0),
        said(State.EXPIRED, at=2.5),
        ndr(3.0, status, diagnostic),
        queued(),
    )

    assert judge(refusing(Expires(Fails(REFUSED))), seen, dialects.load(dialect)).verdict is verdict


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        ("5.4.7", Verdict.PASS),
        ("4.4.1", Verdict.ACCEPTED),
        ("5.4.1", Verdict.ACCEPTED),
        ("5.1.1", Verdict.FAIL),
    ],
)
def test_expiry_by_the_standard(status: str, verdict: Verdict) -> None:
    """X.4.7, or the last attempt's code, as it was or with class 5 (RFC 3463 section 3.5)."""
    seen = trace(
        KNOCK, deferred(0, "4.4.1"), AGAIN, ndr(status=status, diagnostic="x-agent; no"), queued()
    )

    assert judge(refusing(Expires(Fails(REFUSED))), seen, RFC).verdict is verdict


def test_one_attempt_is_not_enough() -> None:
    """Mail is tried again before it is given up; questions about the sender's home do not count.

    Where SYNs cannot be seen, nothing can be said.
    """
    about = refusing(Expires(Fails(REFUSED)))
    home = Asked(2.5, "x-y.home.test.", "MX", "udp", "", False)
    way = Asked(2.5, "x-y.test.", "MX", "udp", "", False)
    late = Elapsed(2.0, 160.0), ndr(3.0), queued()
    unseen = trace(
        Asked(0.1, "mx1.x-y.test.", "A", "udp", "", False), deferred(), *late, sealed=False
    )

    assert judge(about, trace(KNOCK, deferred(), home, *late), M365).verdict is Verdict.FAIL
    slow = Knocked(1.1, "mx1", "198.18.1.1")

    assert judge(about, trace(slow, deferred(), *late), M365).verdict is Verdict.FAIL
    assert judge(about, unseen, M365).verdict is Verdict.PASS
    assert judge(about, trace(KNOCK, deferred(), way, *late), M365).verdict is Verdict.PASS
    assert judge(about, trace(KNOCK, deferred(), deferred(), *late), M365).verdict is Verdict.PASS


def test_every_address_is_tried() -> None:
    """One that was left out fails; where SYNs cannot be seen, nothing can be said."""
    hosts = tuple(Host(name, reach=Reach.REFUSED) for name in ("mx1", "mx2"))
    about = scenario(hosts=hosts, expect=Fails(REFUSED))
    other = Knocked(0.6, "mx2", "198.18.1.2")

    def verdict(*events: Event, sealed: bool = True) -> Verdict:
        return judge(about, trace(*events, deferred(), KEPT, sealed=sealed), M365).verdict

    assert verdict(KNOCK, other) is Verdict.PASS
    assert verdict(KNOCK) is Verdict.FAIL
    assert verdict(Asked(0.1, "mx1.x-y.test.", "A", "udp", "", False), sealed=False) is Verdict.PASS


@pytest.mark.parametrize(
    ("order", "tried", "verdict"),
    [
        (("mx1", "mx2"), ("mx1", "mx2"), Verdict.PASS),
        (("mx1", "mx2"), ("mx1", "mx1", "mx2", "mx1"), Verdict.PASS),
        (("mx1", "mx2"), ("mx2", "mx1"), Verdict.FAIL),
        (("mx1|mx2",), ("mx2", "mx1"), Verdict.PASS),
        (("mx1|mx2", "mx3"), ("mx2", "mx1", "mx3"), Verdict.PASS),
        (("mx1|mx2", "mx3"), ("mx2", "mx3", "mx1"), Verdict.FAIL),
        (("mx1",), ("mx1", "mx2"), Verdict.FAIL),
        (("mx1", "mx2"), ("mx1",), Verdict.FAIL),
        ((), ("mx2",), Verdict.PASS),
    ],
)
def test_hosts_are_gone_to_in_order(
    order: tuple[str, ...], tried: tuple[str, ...], verdict: Verdict
) -> None:
    """Each once at least, and no others; between some there is no order."""
    knocks = [Knocked(0.5, name, "198.18.1.1") for name in tried]

    assert judge(scenario(order=order), trace(*knocks, stored(), queued()), M365).verdict is verdict


def test_only_the_first_attempt_has_an_order() -> None:
    """What comes after the agent was told to try again is another matter."""
    about = scenario(order=("mx1",), expect=Recovers(Fails(REFUSED)))
    other = Knocked(2.5, "mx2", "198.18.1.2")
    events = (KNOCK, deferred(), Retried(2.0), other, stored(), queued())

    assert judge(about, trace(*events), M365).verdict is Verdict.PASS
    assert judge(about, trace(other, *events), M365).verdict is Verdict.FAIL


def test_in_an_open_room_hosts_that_are_up_have_an_order() -> None:
    """Whoever is away cannot be seen there."""
    hosts = (Host("mx1", reach=Reach.REFUSED), Host("mx2"), Host("mx3"))
    about = scenario(hosts=hosts, order=("mx1", "mx2"), expect=Delivers("mx2"))
    knock = Asked(0.1, "mx1.x-y.test.", "A", "udp", "", False)

    def verdict(*events: Event) -> Verdict:
        seen = trace(knock, *events, stored(host="mx2"), queued(), sealed=False)
        return judge(about, seen, M365).verdict

    assert verdict(connected("mx2")) is Verdict.PASS
    assert verdict(connected("mx3"), connected("mx2")) is Verdict.FAIL


def test_the_load_is_spread() -> None:
    """A host that took nothing is told."""
    about = scenario(spread=("mx1", "mx2"), expect=Recovers(Fails(REFUSED), twice=True))
    first = stored(acknowledged=False)

    def verdict(*copies: Event) -> Verdict:
        return judge(about, trace(KNOCK, deferred(), *copies, queued()), M365).verdict

    assert verdict(stored(host="mx2", acknowledged=False), stored()) is Verdict.PASS
    assert verdict(first, stored()) is Verdict.FAIL


def test_some_may_be_delivered_at_once() -> None:
    """Where the fault is for some of the messages only, the others need not fail first."""
    busy = Fails(Cause(Failure.CANNOT_CONNECT, "service-unavailable"), "421 4.7.0 Busy")
    some, all_of_them = Recovers(busy, some=True), Recovers(busy)
    told = Did(0.2, "mx1", 1, Stage.GREETING, "421 4.7.0 Busy", True)
    waited = Did(0.2, "mx1", 1, Stage.GREETING, "* waits", True)

    def verdict(expect: Expectation, *events: Event) -> Verdict:
        about = scenario(expect=expect, hosts=(Host(behaviours=(Quota(1),)),))
        return judge(about, trace(*events, said(State.DELIVERED), queued()), M365).verdict

    later = deferred(450, "4.4.317"), stored()
    assert verdict(some, told, stored()) is Verdict.PASS
    assert verdict(some, waited, stored()) is Verdict.INCONCLUSIVE
    assert verdict(some, told, *later) is Verdict.PASS
    assert verdict(some, told, stored(host="mx2")) is Verdict.FAIL
    assert verdict(all_of_them, told, stored()) is Verdict.FAIL


def test_a_black_hole_is_met_by_a_body() -> None:
    """Small commands pass it."""
    about = scenario(hosts=(Host(swallows=1400),))
    data = Heard(0.3, "mx1", 1, Stage.DATA, "DATA", False)

    assert unmet_faults(about, trace()) == ["no body was sent into the black hole"]
    assert unmet_faults(about, trace(data)) == []


def test_a_firewall_is_met_by_whom_it_turns_away() -> None:
    """A connection from elsewhere passes it; and who is not told to come from there never meets it."""
    about = scenario(hosts=(Host(bars=Source.FIRST),), connector=Connector(source=Source.FIRST))
    place = replace(PLACE, sources={Source.FIRST: "198.18.0.26"})
    unmet = ["nobody came from the address that a host turns away"]

    assert unmet_faults(about, trace(Knocked(0.4, "mx1", "x", "198.18.1.1"), place=place)) == unmet
    assert unmet_faults(about, trace(Knocked(0.4, "mx1", "x", "198.18.0.26"), place=place)) == []
    elsewhere = replace(about, connector=Connector(source=Source.SECOND))
    assert unmet_faults(elsewhere, trace(place=place)) == []


def test_expiry_without_an_ndr_fails() -> None:
    """The sender must be told."""
    found = judge(refusing(Expires(Fails(REFUSED))), trace(KNOCK, deferred(), KEPT), M365)

    assert (found.verdict, found.observed) == (
        Verdict.FAIL,
        "deferred 450 4.4.316 once, then no NDR",
    )


def test_every_kind_of_fault_leaves_a_sign() -> None:
    """Each sign silences its own complaint and no other."""
    from model.dns import Rcode, Zone
    from model.tls import Flaw

    zone = Zone(("@ MX 10 mx1",)).but(Rcode("SERVFAIL"))
    about = scenario(
        zone=zone,
        hosts=(
            Host("mx1", reach=Reach.REFUSED),
            Host("mx2", (CutAt(Stage.EHLO),), certificate=Flaw.EXPIRED),
        ),
    )
    signs = (
        Asked(0.1, "x-y.test", "MX", "udp", "SERVFAIL", True),
        KNOCK,
        Did(0.2, "mx2", 1, Stage.EHLO, "* closes", True),
    )

    assert len(unmet_faults(about, trace())) == 4
    assert len(unmet_faults(about, trace(*signs))) == 1
    for sign in signs:
        assert len(unmet_faults(about, trace(sign))) == 3


def test_what_a_host_does_besides_its_fault_does_not_count() -> None:
    """Where the scenario says where its fault is, another spoiled moment is no sign of it."""
    hosts = (Host(behaviours=(CutAt(Stage.RSET), CutAt(Stage.EHLO))),)
    besides = trace(Did(1.0, "mx1", 1, Stage.EHLO, "250 mx1", True))
    met = trace(Did(1.0, "mx1", 1, Stage.RSET, "* closes (FIN)", True))

    assert unmet_faults(scenario(hosts=hosts), besides) == []
    assert unmet_faults(scenario(hosts=hosts, fault_at=(Stage.RSET,)), met) == []
    assert unmet_faults(scenario(hosts=hosts, fault_at=(Stage.RSET,)), besides) == [
        "no host came to misbehave"
    ]


@pytest.mark.parametrize(("at", "verdict"), [(2.0, Verdict.PASS), (4.5, Verdict.FAIL)])
def test_a_live_hosts_mail_overtakes_a_dead_hosts(at: float, verdict: Verdict) -> None:
    """Before half of the dead host's messages are known to have failed."""
    names = ("user-1@x-y.test", "user-2@x-y.test", "user-3@x-y.test", "last@live.x-y.test")
    place = replace(PLACE, recipients=names)
    dead = (
        Reported(at, Report(name, State.DEFERRED, 450, "4.4.316", worded("4.4.316")))
        for at, name in zip((3.0, 4.0, 5.0), names, strict=False)
    )
    live = Accepted(at, "mx2", 9, SENDER, (names[3],), SENT, True, True)
    done = Reported(at, Report(names[3], State.DELIVERED, 250, "2.0.0", "mx2.x-y.test"))
    about = scenario(
        hosts=(Host(reach=Reach.REFUSED), Host("mx2")),
        mail=Mail(messages=3, last="last@live"),
        expect=Each(
            (*((f"user-{n}", Fails(REFUSED)) for n in (1, 2, 3)), ("last", Delivers("mx2")))
        ),
        overtakes=True,
    )
    seen = trace(KNOCK, *dead, live, done, queued(*names[:3]), place=place)

    assert judge(about, replace(seen, sent=dict.fromkeys(names, SENT)), M365).verdict is verdict


OVER = (Elapsed(3.0, 160.0), said(State.EXPIRED, at=3.1), ndr(3.2), queued())
LATER = replace(deferred(), at=2.6)


def expiring(*events: Event) -> Judgement:
    """The verdict on mail for a host that refuses until the end."""
    return judge(refusing(Expires(Fails(REFUSED))), trace(KNOCK, *events), M365)


def test_every_attempt_until_the_end_has_its_code() -> None:
    """Not the first only."""
    other = replace(LATER, report=replace(LATER.report, enhanced="4.3.5"))

    assert expiring(deferred(), AGAIN, LATER, *OVER).verdict is Verdict.PASS
    assert expiring(deferred(), AGAIN, other, *OVER).verdict is Verdict.FAIL


def test_nothing_is_given_up_before_its_time() -> None:
    """Whatever the agent calls it: a refusal need not wait, but there was none."""
    early = (said(State.RETURNED, 550, "5.4.316", at=2.7), ndr(2.8), queued())
    late = (Elapsed(2.65, 160.0), *early)

    assert expiring(deferred(), AGAIN, LATER, *late).verdict is Verdict.PASS
    found = expiring(deferred(), AGAIN, LATER, *early)
    assert (found.verdict, "given up early" in found.observed) == (Verdict.FAIL, True)


@pytest.mark.parametrize(
    ("action", "status", "verdict"),
    [
        ("delayed", "4.4.316", Verdict.PASS),
        ("delayed", "4.0.0", Verdict.PASS),
        ("delayed", "4.3.5", Verdict.FAIL),
    ],
)
def test_a_notice_of_delay_tells_the_same(action: str, status: str, verdict: Verdict) -> None:
    """Its Status is that of the attempts, or says nothing in particular."""
    told = ndr(2.7, status, f"smtp;450 {status}", action=action)
    seen = replace(trace(KNOCK, deferred(), AGAIN, LATER, told, *OVER), delay=2.0)

    assert judge(refusing(Expires(Fails(REFUSED))), seen, M365).verdict is verdict


@pytest.mark.parametrize(
    ("status", "verdict"),
    [("5.1.1", Verdict.PASS), ("5.0.0", Verdict.PASS), ("5.3.5", Verdict.FAIL)],
)
def test_an_ndr_tells_the_same(status: str, verdict: Verdict) -> None:
    """The code in the report is none that the sender sees."""
    about = scenario(expect=Fails(Cause(Failure.PEER_REPLY, "permanent"), "550 5.1.1 No"))
    home = ndr(2.0, status, "smtp;550 5.1.1 No")
    seen = trace(said(State.RETURNED, 550, "5.1.1"), home, queued())

    assert judge(about, seen, RFC).verdict is verdict


def test_what_is_amiss_besides_is_observed() -> None:
    """So that a deviation on record for one thing is none for another."""
    about = replace(refusing(Fails(REFUSED)), most_connections=1)
    found = judge(about, trace(KNOCK, replace(AGAIN, at=0.6), deferred(), KEPT), M365)

    assert found.observed == "deferred 450 4.4.316 [amiss: connections of the first attempt]"


def test_mail_that_is_held_is_deferred() -> None:
    """An agent that gives no code has at least not refused it for good."""
    held = said(State.HELD)

    assert verdict_on(trace(KNOCK, held, KEPT)).verdict is Verdict.WEAK
