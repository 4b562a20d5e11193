"""Silences are measured from the trace, and found too short where documents ask for more."""

import pytest

from catalogue import dialects
from fixtures.deviations import Deviation, excuse
from model.behaviours import StallAt
from model.events import FALLS_SILENT, STOPS_READING, Closed, Did, Encrypted, Event
from model.expect import Fails
from model.failure import Cause, Failure
from model.judge import judge
from model.scenario import Host, Scenario
from model.smtp import Stage
from model.trace import Trace
from model.verdict import Judgement, Verdict
from model.waits import MINIMA, in_silence, waits
from selftests.worlds import RECIPIENT, connected, deferred, queued, scenario, trace

RFC = dialects.load("rfc")
SECURED = Encrypted(0.6, "mx1", 1, "TLSv1.3", "c", "")


def silent(stage: Stage, at: float = 1.0, conn: int = 1) -> Did:
    """The host says nothing more."""
    return Did(at, "mx1", conn, stage, FALLS_SILENT, True)


def closed(at: float, by: str = "agent", conn: int = 1) -> Closed:
    """The connection is gone."""
    return Closed(at, "mx1", conn, by)


@pytest.mark.parametrize(
    ("events", "found"),
    [
        ((silent(Stage.MAIL), closed(301.0)), [("mail", 300.0)]),
        ((SECURED, silent(Stage.EHLO), closed(4.0)), [("ehlo in TLS", 3.0)]),
        ((silent(Stage.EHLO), closed(4.0)), [("ehlo", 3.0)]),
        ((silent(Stage.MAIL), closed(4.0, "host")), []),
        ((silent(Stage.MAIL), closed(4.0, conn=2)), []),
        ((silent(Stage.MAIL),), []),
        ((Did(1.0, "mx1", 1, Stage.MAIL, "250 OK", False), closed(4.0)), []),
        (
            (silent(Stage.RSET), silent(Stage.MAIL, 2.0, 2), closed(5.0, conn=2), closed(9.0)),
            [("rset", 8.0), ("mail", 3.0)],
        ),
    ],
)
def test_a_wait_ends_when_the_agent_closes(
    events: tuple[Event, ...], found: list[tuple[str, float]]
) -> None:
    """From the host's silence on the same connection; what has no end is not measured."""
    assert [(one.where, one.seconds) for one in waits(trace(*events))] == found


def test_a_host_that_does_not_read_sees_no_close() -> None:
    """The agent's report ends the wait, not one that came before."""
    stalled = Did(0.9, "mx1", 1, Stage.BODY, f"{STOPS_READING} after 9 octets of body", True)
    early = trace(deferred(), Did(5.0, "mx1", 1, Stage.BODY, f"{STOPS_READING} ...", True))

    assert [one.where for one in waits(trace(stalled, deferred()))] == ["body"]
    assert list(waits(early)) == []


def test_a_silence_goes_on_until_somebody_closes() -> None:
    """Whoever; and a host that merely stops reading is not silent, because it cannot see the end."""
    stalled = Did(1.0, "mx1", 1, Stage.BODY, f"{STOPS_READING} after 9 octets of body", True)

    assert in_silence((connected(), silent(Stage.QUIT)))
    assert not in_silence((connected(), silent(Stage.QUIT), closed(2.0, "host")))
    assert not in_silence((connected(), stalled))


@pytest.mark.parametrize("stage", MINIMA)
def test_a_minimum_is_kept_or_not(stage: Stage) -> None:
    """A second of slack, because the agent's clock starts before the host's."""
    least, _ = MINIMA[stage]
    (enough,) = waits(trace(silent(stage, 0.0), closed(least - 0.5)))
    (hasty,) = waits(trace(silent(stage, 0.0), closed(least - 1.5)))

    assert not enough.hasty
    assert hasty.hasty


def test_where_no_document_asks_nothing_is_hasty() -> None:
    """EHLO, STARTTLS, RSET and QUIT have no minimum."""
    (one,) = waits(trace(silent(Stage.QUIT), closed(1.1)))

    assert (one.minimum, one.hasty) == (0.0, False)


# What the judge makes of it --------------------------------------------------------------------


HANG = Fails(Cause(Failure.CLOSED_ABRUPTLY, "hang"))
HANGING: Scenario = scenario(expect=HANG, hosts=(Host(behaviours=(StallAt(Stage.MAIL),)),))


def verdict_on(after: float, own: bool, code: str = "4.4.2") -> Judgement:
    """An agent that has given up so many seconds after MAIL."""
    seen = trace(silent(Stage.MAIL), closed(1.0 + after), deferred(0, code), queued(RECIPIENT))
    measured = Trace(
        seen.scenario, seen.placement, seen.sent, seen.lifetime, seen.sealed, seen.events, own
    )
    return judge(HANGING, measured, RFC)


def test_an_own_time_out_that_is_too_short_is_found() -> None:
    """It is only advised, whatever the level of the scenario's rule, and the numbers are told."""
    found = verdict_on(20.0, own=True)

    assert (found.verdict, found.advised) == (Verdict.FAIL, True)
    assert found.observed == "deferred 4.4.2 [waited 20 s at mail]"
    assert [(m.what, m.expected) for m in found.mismatches] == [
        ("time-out (4.5.3.2.2)", "at least 300 s")
    ]


def test_one_that_is_long_enough_or_not_its_own_is_not() -> None:
    """What the lab has told it to wait says nothing about the agent."""
    assert verdict_on(300.0, own=True).verdict is Verdict.PASS
    assert verdict_on(3.0, own=False).verdict is Verdict.PASS


def test_what_is_required_stays_required() -> None:
    """A wrong code is no matter of advice, however long the agent has waited."""
    found = verdict_on(20.0, own=True, code="4.4.1")

    assert (found.verdict, found.advised) == (Verdict.FAIL, False)


def test_a_deviation_that_is_no_longer_true_is_more_than_advice() -> None:
    """Records must be mended, even where only advice is missed."""
    record = Deviation("x.*", "fail", "deferred 4.4.2 [waited 30 s at mail]", "r", "l")
    same = Deviation("x.*", "fail", "deferred 4.4.2 [waited 20 s at mail]", "r", "l")

    assert not excuse(verdict_on(20.0, own=True), record).advised
    assert excuse(verdict_on(20.0, own=True), same).verdict is Verdict.KNOWN
