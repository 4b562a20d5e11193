"""What must be seen while mail waits, over traces made by hand: each check objects and lets pass."""

import pytest

from catalogue import dialects
from model.course import history, out_of_course
from model.events import (
    Accepted,
    Asked,
    Changed,
    Did,
    Elapsed,
    Event,
    Heard,
    Killed,
    Knocked,
    RanShort,
    Submitted,
)
from model.expect import Arrives, Expires, Fails
from model.failure import Cause, Failure
from model.judge import judge
from model.laws import accounted, ndr_in_time, no_clear_text
from model.report import State
from model.scenario import (
    HOUR,
    Change,
    Connector,
    Home,
    Host,
    Kill,
    Mail,
    Mark,
    Reach,
    Scenario,
)
from model.shortage import Shortage
from model.smtp import Stage
from model.tls import Tls
from model.trace import Trace
from model.unmet import unmet_faults
from model.verdict import Verdict
from model.wishes import Wishes
from selftests.worlds import (
    PLACE,
    RECIPIENT,
    SENDER,
    SENT,
    deferred,
    ndr,
    queued,
    said,
    scenario,
    stored,
    trace,
)

KNOCK = Knocked(4.0, "mx1", "198.18.1.1")
AT_FIVE, AT_TEN = Elapsed(3.0, 5 * HOUR + 3), Elapsed(5.0, 10 * HOUR + 5)
QUESTION = Asked(4.0, "x-y.test.", "MX", "udp", "MX 10 mx1", False)
HELD = said(State.HELD, at=4.0)
M365 = dialects.load("m365-2019")
REFUSED = Fails(Cause(Failure.CONNECTION_REFUSED, "reset"))
SERVFAIL = Fails(Cause(Failure.DNS_QUERY_FAILED, "servfail"))


def at_mark(tries: bool | None) -> Scenario:
    """A scenario that says at five hours whether there is an attempt."""
    return scenario(course=(Mark(5 * HOUR, tries=tries),))


@pytest.mark.parametrize(
    ("tries", "events", "wrong"),
    [
        (True, (AT_FIVE, KNOCK, AT_TEN), False),
        (True, (AT_FIVE, AT_TEN, KNOCK), True),
        (True, (KNOCK, AT_FIVE, AT_TEN), True),
        (False, (AT_FIVE, KNOCK, AT_TEN), True),
        (False, (KNOCK, AT_FIVE, AT_TEN, KNOCK), False),
        (None, (AT_FIVE, AT_TEN), False),
        (True, (AT_FIVE, QUESTION, AT_TEN), True),
        (True, (AT_FIVE, HELD, AT_TEN), True),
        (False, (AT_FIVE, QUESTION, HELD, AT_TEN), False),
    ],
)
def test_an_attempt_at_a_mark(tries: bool | None, events: tuple[Event, ...], wrong: bool) -> None:
    """It counts between the mark and the next, and nowhere else."""
    assert bool(out_of_course(at_mark(tries), trace(*events))) is wrong


@pytest.mark.parametrize(
    ("told", "events", "wrong"),
    [
        (None, (ndr(),), False),
        ((), (), False),
        ((), (ndr(),), True),
        (("failed",), (ndr(),), False),
        (("delayed", "failed"), (ndr(action="delayed"), ndr(action="failed")), False),
        (("delayed", "failed"), (ndr(action="failed"), ndr(action="delayed")), True),
        (("delayed",), (ndr(action="delayed"), ndr(action="delayed")), True),
    ],
)
def test_the_notices_that_come_home(
    told: tuple[str, ...] | None, events: tuple[Event, ...], wrong: bool
) -> None:
    """By their actions, in order, as many as there are."""
    assert bool(out_of_course(scenario(told=told), trace(*events))) is wrong


def test_what_is_said_to_a_host() -> None:
    """Words that must stand in a line of a stage, and words that must not."""
    line = Heard(1.0, "mx1", 1, Stage.RCPT, "RCPT TO:<user@x-y.test> NOTIFY=NEVER", True)
    says = scenario(says=((Stage.RCPT, "NOTIFY=NEVER"),))
    unsaid = scenario(unsaid=((Stage.RCPT, "NOTIFY="),))

    assert out_of_course(says, trace(line)) == []
    assert [w.observed for w in out_of_course(says, trace())] == ["nothing"]
    assert [w.observed for w in out_of_course(unsaid, trace(line))] == [line.line]
    assert out_of_course(unsaid, trace()) == []


def test_the_history_tells_each_turn_once_by_age() -> None:
    """Repeated attempts that fare alike are one line."""
    seen = trace(deferred(), AT_FIVE, deferred(), ndr(at=4.0, action="delayed"))

    assert list(history(seen)) == [
        (1.0, "deferred 450 4.4.316"),
        (5 * HOUR + 4, "notice: delayed"),
    ]


def with_delay(delay: float, *events: Event) -> Trace:
    """A trace of an agent that tells of delays after so many seconds."""
    return Trace(
        "x.y", PLACE, {RECIPIENT: SENT}, 100.0, True, (Submitted(0.0, "Q"), *events), delay=delay
    )


@pytest.mark.parametrize(
    ("delay", "age", "wrong"), [(40.0, 41.0, False), (40.0, 20.0, True), (0.0, 41.0, True)]
)
def test_a_notice_of_delay_is_not_hasty(delay: float, age: float, wrong: bool) -> None:
    """Never where none is configured, and else no sooner than is."""
    seen = with_delay(delay, Elapsed(1.0, age), ndr(1.0, action="delayed"))

    assert bool(ndr_in_time(scenario(), seen)) is wrong


@pytest.mark.parametrize(("age", "wrong"), [(60.0, False), (2 * HOUR, True)])
def test_the_news_of_an_end_is_not_late(age: float, wrong: bool) -> None:
    """It comes within the hour of the agent's clock."""
    seen = trace(said(State.RETURNED, 550, "5.1.1"), Elapsed(2.0, age), ndr(2.0))

    assert bool(ndr_in_time(scenario(), seen)) is wrong


def copy_at(at: float) -> Accepted:
    """A copy that a host acknowledged."""
    return Accepted(at, "mx1", 1, SENDER, (RECIPIENT,), SENT, True, True)


@pytest.mark.parametrize(("killed", "wrong"), [(1.1, False), (1.9, True), (0.9, True)])
def test_a_second_copy_is_let_pass_only_where_the_kill_came_at_the_first(
    killed: float, wrong: bool
) -> None:
    """An agent that has had the time to write a delivery down must not repeat it."""
    seen = trace(copy_at(1.0), Killed(killed), copy_at(3.0), queued())

    assert bool(accounted(scenario(), seen)) is wrong


def test_a_copy_in_doubt_is_still_a_delivery() -> None:
    """It counts as one if no other came."""
    assert accounted(scenario(), trace(copy_at(1.0), Killed(1.1), queued())) == []


@pytest.mark.parametrize(
    "mail",
    [
        Mail(null_sender=True),
        Mail(home=Home.REFUSES),
        Mail(wishes=Wishes(notify=("NEVER",))),
        Mail(wishes=Wishes(notify=("SUCCESS", "DELAY"))),
    ],
)
def test_mail_of_which_nobody_hears_is_accounted_for_by_what_the_agent_says(mail: Mail) -> None:
    """Given up, or else lost."""
    given_up = trace(said(State.EXPIRED), queued())

    assert not mail.hears
    assert accounted(scenario(mail=mail), given_up) == []
    assert accounted(scenario(mail=mail), trace(deferred(), queued()))
    assert accounted(scenario(), given_up), "this sender hears, and heard nothing"


def test_clear_text_is_right_once_the_connector_no_longer_demands_tls() -> None:
    """And wrong before."""
    line = Heard(1.0, "mx1", 1, Stage.MAIL, "MAIL FROM:<>", False)
    change = Change(connector=Connector())
    relaxed = scenario(connector=Connector(tls=Tls.ENCRYPT), course=(Mark(HOUR, change=change),))

    assert no_clear_text(relaxed, trace(line, Changed(2.0)))
    assert no_clear_text(relaxed, trace(Changed(0.5), line)) == []


SERIES = scenario(hosts=(Host(reach=Reach.REFUSED),), expect=Expires(REFUSED, before=(SERVFAIL,)))
DNS, REFUSAL = deferred(450, "4.4.312"), deferred(450, "4.4.316")
WEAK = deferred(450, "4.0.0")
END = (Elapsed(6.0, 160.0), said(State.EXPIRED, at=6.0), ndr(6.5), queued())


@pytest.mark.parametrize(
    ("events", "verdict"),
    [
        ((DNS, REFUSAL), Verdict.PASS),
        ((DNS, DNS, REFUSAL, REFUSAL), Verdict.PASS),
        ((REFUSAL,), Verdict.FAIL),
        ((DNS,), Verdict.FAIL),
        ((REFUSAL, DNS), Verdict.FAIL),
        ((DNS, REFUSAL, DNS), Verdict.FAIL),
        ((), Verdict.FAIL),
        ((WEAK, WEAK), Verdict.WEAK),
        ((WEAK,), Verdict.FAIL),
        ((WEAK, DNS, WEAK), Verdict.WEAK),
    ],
)
def test_attempts_fail_in_the_order_in_which_the_world_changes(
    events: tuple[Event, ...], verdict: Verdict
) -> None:
    """Each failure at least once, none after the next, and the NDR tells of the last."""
    assert judge(SERIES, trace(KNOCK, *events, *END), M365).verdict is verdict


def test_what_was_not_met_at_the_sender_or_by_a_kill() -> None:
    """A sender that was never written to, and an agent that was never killed, prove nothing."""
    at_home = Did(1.0, "home", 0, Stage.RCPT, "550 5.1.1 No", True)
    refuses = scenario(mail=Mail(home=Home.REFUSES))
    killed = scenario(kill=Kill.WAITING, expect=Arrives())

    assert unmet_faults(refuses, trace()) == ["the sender was never written to"]
    assert unmet_faults(refuses, trace(at_home)) == []
    assert unmet_faults(killed, trace()) == ["the agent was never killed"]
    assert unmet_faults(killed, trace(Killed(1.0))) == []
    full = scenario(short_of=Shortage.DISK_FULL, expect=Arrives())
    assert unmet_faults(full, trace()) == ["the agent's machine never ran short"]
    assert unmet_faults(full, trace(RanShort(1.0, Shortage.DISK_FULL))) == []


def test_one_fault_that_was_met_is_enough_for_who_went_astray() -> None:
    """Who stops at the first host never meets the second."""
    two = scenario(hosts=(Host(reach=Reach.REFUSED), Host("mx2")), mail=Mail(home=Home.REFUSES))
    knocked = trace(KNOCK)

    assert unmet_faults(two, knocked) == ["the sender was never written to"]
    assert unmet_faults(two, knocked, astray=True) == []
    assert len(unmet_faults(two, trace(stored()), astray=True)) == 2
