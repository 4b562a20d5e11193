"""The catalogue tells the truth about itself, and its checks object when it does not."""

from dataclasses import replace

import pytest

from catalogue import CATALOGUE, CHAPTERS, BadCatalogue, dialects, flaws, index
from catalogue.control import OPENING
from catalogue.dialects import BadDialect, read
from fakes.zones import table
from lab.pace import PACES
from model.expect import Delivers, failures, ways
from model.failure import REASONS, Cause, Failure
from model.judge import describe, expected_codes
from model.scenario import Connector, Family, Host, Scenario
from model.smtp import Stage
from model.tls import Tls
from reports.record import cause_of

ALL = list(CATALOGUE.values())


def test_there_are_enough() -> None:
    """At least one for every cause the page names, 36 in all."""
    assert len(ALL) >= 36
    assert {cause.failure for s in ALL if (cause := cause_of(s))} == set(Failure)


@pytest.mark.parametrize("name", dialects.names())
@pytest.mark.parametrize("scenario", ALL, ids=lambda s: s.id)
def test_every_dialect_has_a_code_for_every_scenario(scenario: Scenario, name: str) -> None:
    """No scenario is without a primary code, a provenance and a source."""
    dialect = dialects.load(name)

    assert expected_codes(scenario, dialect)[0]
    assert describe(scenario, dialect)


def test_an_id_that_names_a_stage_has_its_fault_there() -> None:
    """`reply.rcpt.450` answers RCPT, `session.mail.reset` cuts at MAIL."""
    stages = {str(stage): stage for stage in Stage}
    for scenario in (*CHAPTERS["session"], *CHAPTERS["reply"]):
        stage = stages.get(scenario.id.split(".")[1])
        if stage is None or scenario.hosts[0].script:
            continue
        at = [getattr(b, "at", None) for b in scenario.hosts[0].behaviours]
        kinds = " ".join(type(b).__name__ for b in scenario.hosts[0].behaviours)
        assert stage in at or (stage, kinds) in {
            (Stage.BODY, "CutBody"),
            (Stage.DOT, "KeepThenCut"),
        }, scenario.id


def test_an_id_that_names_a_setting_has_it() -> None:
    """`….under-domain` is under domain."""
    for scenario in ALL:
        last = scenario.id.rpartition(".")[2]
        if last.startswith("under-"):
            assert scenario.connector.tls is Tls(last.removeprefix("under-")), scenario.id


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


def test_every_reason_is_used_or_spoken_of() -> None:
    """No reason stands in the list that no scenario is about."""
    used = {
        (fails.cause.failure, fails.cause.reason)
        for s in ALL
        for way in ways(s.expect)
        for fails in failures(way)
    }

    assert {(f, r) for f, reasons in REASONS.items() for r in reasons} == used


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (replace(OPENING, id="dns.opening"), "stands in the chapter"),
        (replace(OPENING, id="control." + "x" * 70), "longer than the 63"),
        (replace(OPENING, title=""), "lacks a title"),
        (replace(OPENING, connector=Connector(smart_hosts=("mx7",))), "none of its hosts"),
        (replace(OPENING, expect=Delivers("mx7")), "none of its hosts"),
    ],
)
def test_a_scenario_that_cannot_be_is_refused(wrong: Scenario, words: str) -> None:
    """Each in one sentence."""
    assert any(words in flaw for flaw in flaws("control", wrong))
    with pytest.raises(BadCatalogue, match=r"control|dns"):
        index({"control": (wrong,)})


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
    """Two questions tried twice, two hosts that are down, and three replies that never come."""
    timers = pace.timers

    assert pace.patience > 4 * timers.dns + 2 * timers.connect + 3 * timers.reply


def test_defaults_are_the_happy_path() -> None:
    """A scenario that states nothing has one blameless host and expects delivery there."""
    assert OPENING.hosts == (Host(),)
    assert OPENING.expect == Delivers("mx1")
    assert OPENING.records.records == ("@ MX 10 mx1", "mx1 A {mx1}")
