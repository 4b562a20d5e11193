"""The catalogue tells the truth about itself, and its checks object when it does not."""

from dataclasses import replace
from typing import Any

import pytest

from catalogue import CATALOGUE, BadCatalogue, dialects, index, whole
from catalogue.control import OPENING
from catalogue.dialects import BadDialect, read
from catalogue.truth import flaws, places, unused
from fakes.zones import table
from lab.pace import PACES
from model.behaviours import CutAt, CutBody, InTls, KeepThenCut, Quota, StallAt, Withhold
from model.dns import Zone
from model.expect import AnyOf, Delivers, Each, Fails, Recovers, Refuses, main_failure
from model.failure import Cause, Failure
from model.judge import describe, expected_codes
from model.rule import Level, Rule
from model.scenario import (
    Change,
    Connector,
    Family,
    Host,
    Kill,
    Mail,
    Mark,
    Reach,
    Scenario,
    Source,
)
from model.shortage import Shortage
from model.smtp import Behaviour, Stage
from model.tls import Flaw, Tls
from reports.record import cause_of

ALL = list(CATALOGUE.values())


def test_there_are_enough() -> None:
    """At least one for every failure, 350 in all."""
    assert len(ALL) >= 350
    assert {cause.failure for s in ALL if (cause := cause_of(s))} == set(Failure)


@pytest.mark.parametrize("name", dialects.names())
@pytest.mark.parametrize("scenario", ALL, ids=lambda s: s.id)
def test_every_dialect_has_a_code_for_every_scenario(scenario: Scenario, name: str) -> None:
    """No scenario is without a primary code, a provenance and a source."""
    dialect = dialects.load(name)

    assert expected_codes(scenario, dialect)[0]
    assert describe(scenario, dialect)


BUSY = Fails(Cause(Failure.PEER_REPLY, "transient"), "451 4.3.0 busy")
CUT_AT_MAIL = (Host(behaviours=(CutAt(Stage.MAIL),)),)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"id": "dns.opening"}, "stands in the chapter"),
        ({"id": "control." + "x" * 70}, "longer than the 63"),
        ({"title": ""}, "lacks a title"),
        ({"rule": Rule("RFC 5321", "", Level.MUST, "words")}, "lacks its document, its place"),
        ({"connector": Connector(smart_hosts=("mx7",))}, "smart host 'mx7' is none"),
        ({"connector": Connector(fallback=("mx7",))}, "relay 'mx7' is none"),
        ({"connector": Connector(proxy="mx1")}, "proxy 'mx1' is none"),
        ({"expect": Delivers("mx7")}, "delivery to 'mx7', which is none"),
        ({"change": Change(hosts=(Host("mx7"),))}, "change is about 'mx7'"),
        ({"expect": Each((("other", BUSY),))}, "does not say how each recipient fares"),
        ({"expect": AnyOf(BUSY, BUSY)}, "a choice that is none"),
        ({"hosts": (Host(reach=Reach.REFUSED),)}, "which never listens"),
        (
            {
                "hosts": (Host(certificate=Flaw.EXPIRED),),
                "connector": Connector(tls=Tls.CERTIFICATE),
            },
            "whose certificate must be refused",
        ),
        ({"expect": Recovers(BUSY), "hosts": CUT_AT_MAIL}, "nothing in it ever changes"),
        ({"order": ("mx1|mx7",)}, "order of 'mx7'"),
        ({"spread": ("mx7",)}, "order of 'mx7'"),
        ({"order": ("mx1",), "mail": Mail(messages=2)}, "have no order"),
        ({"expect": Refuses()}, "nothing odd about it"),
        ({"zone": Zone(("@ A {mx7}",))}, "address of 'mx7', which is none"),
        ({"zone": Zone(("@ AAAA {mx1}",))}, "another family"),
        (
            {"hosts": (Host(family=Family.IPV6, reach=Reach.NET_PROHIBITED),)},
            "ICMPv6 has no code",
        ),
        ({"hosts": (Host(family=Family.IPV6),), "zone": Zone(("@ A {mx1}",))}, "another family"),
        ({"id": "control.x.under-domain"}, "its id says under-domain"),
        (
            {"hosts": (Host(family=Family.IPV6),), "connector": Connector(source=Source.FIRST)},
            "are IPv4",
        ),
        ({"hosts": (Host(bars=Source.USUAL),)}, "no known address"),
        ({"hosts": (Host(bars=Source.FIRST, swallows=9),)}, "a second thing is in front"),
        ({"id": "control.rcpt.x", "hosts": CUT_AT_MAIL, "expect": BUSY}, "its id says rcpt"),
    ],
)
def test_a_scenario_that_cannot_be_is_refused(wrong: dict[str, Any], words: str) -> None:
    """Each in one sentence."""
    bad = replace(OPENING, **wrong)

    assert [flaw for flaw in flaws("control", bad) if words in flaw]
    assert not list(flaws("control", OPENING))
    with pytest.raises(BadCatalogue, match=r"control|dns"):
        index({"control": (bad,)})


@pytest.mark.parametrize("scenario", ALL, ids=lambda s: s.id)
def test_every_zone_can_be_served(scenario: Scenario) -> None:
    """Its lines are zone lines, its addresses are of its hosts, and of their family."""
    addresses = {
        host.name: "2001:2::1" if host.family is Family.IPV6 else "127.0.0.1"
        for host in scenario.hosts
    }
    for zone in scenario.all_zones:
        made = table(f"{scenario.label}.test", zone.records, addresses, faults=zone.faults)
        for name, types in made.rrsets.items():
            for qtype, lines in types.items():
                assert qtype not in ("A", "AAAA") or all(
                    (":" in line.rpartition(" ")[2]) is (qtype == "AAAA") for line in lines
                ), name


@pytest.mark.parametrize(
    "words",
    [
        "the behaviour CutAt",
        "the DNS fault Rcode",
        "is expired",
        "no-common-version",
        "reset",
        "certificate that is garbage",
        "source is absent",
    ],
)
def test_what_no_scenario_is_about_is_found(words: str) -> None:
    """If all there were was one healthy delivery, everything would be left out."""
    assert any(words in sentence for sentence in unused([OPENING]))
    with pytest.raises(BadCatalogue, match="write one, or remove"):
        whole({"control": (OPENING,)})


@pytest.mark.parametrize(
    ("behaviour", "stages"),
    [
        (CutAt(Stage.MAIL), {Stage.MAIL}),
        (CutBody(100), {Stage.BODY}),
        (KeepThenCut(), {Stage.DOT}),
        (Withhold("STARTTLS"), {Stage.EHLO, Stage.STARTTLS}),
        (InTls(StallAt(Stage.EHLO)), {Stage.EHLO}),
        (Quota(3), {Stage.GREETING}),
    ],
)
def test_where_a_behaviour_acts_is_found_out(behaviour: Behaviour, stages: set[Stage]) -> None:
    """By the stage it names, or else by asking it."""
    assert set(places(behaviour)) == stages


def test_an_id_stands_once() -> None:
    """Two scenarios with one id, or one label, are refused."""
    twin = replace(OPENING, id="control-opening")
    with pytest.raises(BadCatalogue, match="two scenarios"):
        index({"control": (OPENING, OPENING)})
    assert twin.label == OPENING.label


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("title = ", "Invalid value"),
        ("title = 'x'\nlifetime_hours = 1", "says nothing about dns-query-failed"),
        (
            "title='x'\nlifetime_hours=1\n[[entry]]\nfailure='dns'\nattempt=[]\nexpired=[]",
            "no failure",
        ),
    ],
)
def test_a_bad_dialect_is_refused(text: str, words: str) -> None:
    """One sentence, not a traceback from the depths."""
    with pytest.raises(BadDialect, match=words):
        read("mine", text)


def test_a_cause_refuses_a_reason_it_does_not_have() -> None:
    """And says which it has."""
    with pytest.raises(ValueError, match="it has: prohibited, reset"):
        Cause(Failure.CONNECTION_REFUSED, "silent")


@pytest.mark.parametrize("pace", PACES.values(), ids=lambda p: p.name)
def test_patience_exceeds_what_the_slowest_step_may_cost(pace) -> None:  # type: ignore[no-untyped-def]
    """Two questions tried twice, two hosts that are down, and three replies that never come.

    Where the agent keeps its own time-outs, one reply.
    """
    timers = pace.timers
    replies = 1 if timers.own else 3

    assert pace.patience > 4 * timers.dns + 2 * timers.connect + replies * timers.reply


def test_defaults_are_the_happy_path() -> None:
    """A scenario that states nothing has one blameless host and expects delivery there."""
    assert OPENING.hosts == (Host(),)
    assert OPENING.expect == Delivers("mx1")
    assert OPENING.records.records == ("@ MX 10 mx1", "mx1 A {mx1}")


SIX = [
    failure
    for failure in Failure
    if failure not in (Failure.PEER_REPLY, Failure.MESSAGE_UNSUITABLE, Failure.LOCAL_FAULT)
]


@pytest.mark.parametrize("failure", SIX)
def test_each_documented_failure_is_mended_somewhere(failure: Failure) -> None:
    """With a remedy that says whose turn it is; and what is mended must recover."""
    mended = [
        s
        for s in CATALOGUE.values()
        if s.remedies and (main := main_failure(s.expect)) and main.cause.failure is failure
    ]

    assert mended
    assert all(isinstance(s.expect, Recovers) for s in mended)
    assert all(remedy.words for s in mended for remedy in s.remedies)


@pytest.mark.parametrize(
    ("flawed", "words"),
    [
        ({"course": (Mark(2.0), Mark(1.0))}, "not in order"),
        ({"course": (Mark(0.0),)}, "not in order"),
        ({"course": (Mark(49 * 3600.0),)}, "beyond its lifetime"),
        ({"course": (Mark(1.0),), "change": Change()}, "nobody knows when"),
        ({"course": (Mark(1.0),), "kill": Kill.WAITING}, "different labs"),
        ({"course": (Mark(1.0),), "short_of": Shortage.DISK_FULL}, "nothing else happens"),
        ({"mail": Mail(meanwhile="new")}, "there always is"),
    ],
)
def test_a_course_that_cannot_be_is_found(flawed: dict[str, Any], words: str) -> None:
    """Each in a sentence."""
    found = list(flaws("queue", replace(CATALOGUE["queue.delay.once"], **flawed)))

    assert any(words in sentence for sentence in found)
