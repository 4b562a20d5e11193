"""Every fault does what its docstring says, to an answer and without a socket."""

from dataclasses import replace
from typing import Any

import pytest

from model.dns import (
    Answer,
    AsQuery,
    Bogus,
    Chop,
    Delay,
    Fault,
    Garbage,
    Glue,
    NoData,
    OtherQuestion,
    Query,
    Rcode,
    Says,
    Silence,
    Spoiled,
    Stale,
    Truncate,
    WrongId,
    Zone,
)

HONEST = Answer(records=("x.test. 5 MX 10 mx1.x.test.", "x.test. 5 MX 20 mx2.x.test."))


def ask(visit: int = 1, elapsed: float = 0.0, udp: bool = True) -> Query:
    """A question to spoil the answer of."""
    return Query("x.test", "MX", visit, elapsed, udp)


def test_rcode_has_no_records() -> None:
    """Only the code is left, at every visit."""
    assert Rcode("SERVFAIL").spoil(HONEST, ask(visit=1000)) == Answer("SERVFAIL")


@pytest.mark.parametrize("fault", [Rcode("REFUSED", times=2), Silence(times=2)])
def test_times_counts_visits_and_then_the_very_answer_passes(fault: Fault) -> None:
    """The same object, by which the server knows that nothing was spoiled."""
    assert fault.spoil(HONEST, ask(visit=1)) is not HONEST
    assert fault.spoil(HONEST, ask(visit=2)) is not HONEST
    assert fault.spoil(HONEST, ask(visit=3)) is HONEST


def test_nodata_says_that_the_name_exists() -> None:
    """NOERROR without records."""
    assert NoData().spoil(HONEST, ask()) == Answer("NOERROR", ())


@pytest.mark.parametrize("udp", [True, False])
def test_silence_is_none_over_both_transports(udp: bool) -> None:
    """Neither UDP nor TCP is answered, ever."""
    assert Silence().spoil(HONEST, ask(visit=9, udp=udp)) is None


def test_delay_is_honest_but_late() -> None:
    """The records stay."""
    assert Delay(0.5).spoil(HONEST, ask()) == Answer(records=HONEST.records, delay=0.5)


def test_delay_keeps_what_was_spoiled_before() -> None:
    """An error can come late too."""
    assert Delay(0.5).spoil(Answer("SERVFAIL"), ask()) == Answer("SERVFAIL", delay=0.5)


def test_truncate_empties_udp_and_passes_tcp() -> None:
    """Over TCP the very answer passes."""
    assert Truncate().spoil(HONEST, ask(udp=True)) == Answer(truncated=True)
    assert Truncate().spoil(HONEST, ask(udp=False)) is HONEST


def test_truncate_without_tcp_hangs_up_there() -> None:
    """So the agent never gets the records."""
    assert Truncate(tcp=False).spoil(HONEST, ask(udp=True)) == Answer(truncated=True)
    assert Truncate(tcp=False).spoil(HONEST, ask(udp=False)) == Answer(
        records=HONEST.records, cut=True
    )


def test_truncate_may_be_silent_over_tcp_before_it_hangs_up() -> None:
    """For a share of the time-out; UDP is answered at once."""
    slow = Truncate(tcp=False, after=1.5)
    assert slow.spoil(HONEST, ask(udp=True)) == Answer(truncated=True)
    assert slow.spoil(HONEST, ask(udp=False)) == replace(HONEST, cut=True, delay=1.5)


def test_truncate_may_be_mute_over_tcp() -> None:
    """There nothing is said at all; UDP is answered as ever."""
    assert Truncate(mute=True).spoil(HONEST, ask(udp=True)) == Answer(truncated=True)
    assert Truncate(mute=True).spoil(HONEST, ask(udp=False)) is None


@pytest.mark.parametrize(
    ("fault", "difference"),
    [
        (AsQuery(), {"query": True}),
        (OtherQuestion("b.test."), {"question": "b.test."}),
        (Chop(5), {"chopped": 5}),
        (Glue(("mx1 A 127.0.0.1",)), {"additional": ("mx1 A 127.0.0.1",)}),
    ],
)
def test_a_mark_leaves_the_records_alone(fault: Fault, difference: dict[str, Any]) -> None:
    """Only the one field is different."""
    assert fault.spoil(HONEST, ask()) == replace(HONEST, **difference)


def test_says_replaces_the_records() -> None:
    """Whatever they were, and whatever the code was."""
    assert Says(("@ CNAME a",)).spoil(Answer("SERVFAIL"), ask()) == Answer(records=("@ CNAME a",))


def test_bogus_withholds_unless_told_not_to_check() -> None:
    """With CD the records pass; that they are bogus is said all the same."""
    unchecked = replace(ask(), unchecked=True)
    assert Bogus().spoil(HONEST, ask()) == Answer("SERVFAIL", extended=6)
    assert Bogus().spoil(HONEST, unchecked) == replace(HONEST, extended=6)


def test_wrong_id_is_marked_only() -> None:
    """The records stay."""
    assert WrongId().spoil(HONEST, ask()) == Answer(records=HONEST.records, wrong_id=True)


def test_garbage_replaces_the_message() -> None:
    """The octets given, and no others."""
    spoiled = Garbage(b"\0\1").spoil(HONEST, ask())
    assert spoiled is not None
    assert spoiled.garbage == b"\0\1"


@pytest.mark.parametrize(
    ("elapsed", "left"), [(0.0, 3), (0.6, 2), (1.0, 2), (1.9, 1), (2.4, 1), (2.9, 1)]
)
def test_stale_counts_the_ttl_down_to_one(elapsed: float, left: int) -> None:
    """As a cache does; never to zero, which would mean: do not cache."""
    stale = Stale(("@ MX 10 old", "@ MX 20 older"), ttl=3)
    assert stale.spoil(HONEST, ask(elapsed=elapsed)) == Answer(
        records=(f"@ {left} MX 10 old", f"@ {left} MX 20 older")
    )


@pytest.mark.parametrize("elapsed", [2.0, 2.1, 100.0])
def test_stale_tells_the_truth_when_the_ttl_has_run(elapsed: float) -> None:
    """From the very second on."""
    assert Stale(("@ MX 10 old",)).spoil(HONEST, ask(elapsed=elapsed)) is HONEST


def test_stale_counts_time_and_not_visits() -> None:
    """However often it is asked."""
    assert Stale(("@ MX 10 old",)).spoil(HONEST, ask(visit=50, elapsed=1.0)) is not HONEST


def test_stale_can_be_an_error() -> None:
    """A cache holds NXDOMAIN too."""
    assert Stale((), rcode="NXDOMAIN").spoil(HONEST, ask()) == Answer("NXDOMAIN")


@pytest.mark.parametrize(
    ("name", "qtype", "covered"),
    [("@", "MX", True), ("@", "A", False), ("mx1", "MX", False)],
)
def test_a_fault_covers_its_own_question(name: str, qtype: str, covered: bool) -> None:
    """Name and type must both fit."""
    assert Spoiled(NoData(), "@", "MX").covers(name, qtype) is covered


def test_a_star_covers_any_name_or_any_type() -> None:
    """Each star stands for its own half."""
    assert Spoiled(NoData(), "*", "MX").covers("nowhere", "MX")
    assert not Spoiled(NoData(), "*", "MX").covers("nowhere", "A")
    assert Spoiled(NoData(), "mx1", "*").covers("mx1", "AAAA")
    assert not Spoiled(NoData(), "mx1", "*").covers("mx2", "AAAA")


def test_but_adds_a_fault_behind_the_others_and_leaves_the_zone_alone() -> None:
    """Zones are values."""
    zone = Zone(("@ A {mx1}",))
    two = zone.but(NoData(), "@").but(Silence(), qtype="MX")
    assert zone.faults == ()
    assert two == Zone(zone.records, (Spoiled(NoData(), "@", "*"), Spoiled(Silence(), "*", "MX")))
