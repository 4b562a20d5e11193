"""The scenarios, one module a chapter; data only.

The catalogue checks itself at import: an id stands once, begins with its chapter, and has a DNS
label of its own; a scenario names only hosts that it has.
"""

from collections.abc import Iterable

from catalogue import (
    certificate,
    connect,
    control,
    dns,
    expiry,
    greeting,
    hosts,
    middlebox,
    reply,
    robustness,
    session,
    tls,
)
from model.expect import Arrives, Delivers, Each, Recovers, ways
from model.scenario import Scenario

CHAPTERS: dict[str, tuple[Scenario, ...]] = {
    "control": control.SCENARIOS,
    "dns": dns.SCENARIOS,
    "connect": connect.SCENARIOS,
    "greeting": greeting.SCENARIOS,
    "tls": tls.SCENARIOS,
    "certificate": certificate.SCENARIOS,
    "session": session.SCENARIOS,
    "middlebox": middlebox.SCENARIOS,
    "reply": reply.SCENARIOS,
    "hosts": hosts.SCENARIOS,
    "robustness": robustness.SCENARIOS,
    "expiry": expiry.SCENARIOS,
}
"""Every scenario by chapter, in the order of the report."""


class BadCatalogue(ValueError):
    """A scenario says something that cannot be; one sentence that names it."""


def index(chapters: dict[str, tuple[Scenario, ...]]) -> dict[str, Scenario]:
    """The scenarios by id. Raises BadCatalogue."""
    found: dict[str, Scenario] = {}
    labels: set[str] = set()
    for chapter, scenarios in chapters.items():
        for scenario in scenarios:
            if scenario.id in found or scenario.label in labels:
                raise BadCatalogue(f"there are two scenarios {scenario.id!r} (or one label)")
            for wrong in flaws(chapter, scenario):
                raise BadCatalogue(f"scenario {scenario.id!r}: {wrong}")
            found[scenario.id] = scenario
            labels.add(scenario.label)
    return found


def flaws(chapter: str, scenario: Scenario) -> Iterable[str]:
    """What is wrong with a scenario, each in a few words."""
    names = {host.name for host in scenario.hosts}
    if scenario.chapter != chapter:
        yield f"it stands in the chapter {chapter!r}"
    if len(scenario.label) > 63:
        yield "its label is longer than the 63 octets of RFC 1035"
    if not scenario.title or not scenario.rule.words:
        yield "it lacks a title or its rule's words"
    for hop in scenario.connector.smart_hosts:
        if hop.strip("[]") not in names:
            yield f"its smart host {hop!r} is none of its hosts"
    for way in ways(scenario.expect):
        for target in way.hosts if isinstance(way, Delivers) else (getattr(way, "to", "mx1"),):
            if isinstance(way, Delivers | Recovers | Arrives) and target not in names:
                yield f"it expects delivery to {target!r}, which is none of its hosts"
    for changed in scenario.change.hosts if scenario.change else ():
        if changed.name not in names:
            yield f"its change is about {changed.name!r}, which is none of its hosts"
    if isinstance(scenario.expect, Each):
        spoken = {name for name, _ in scenario.expect.fates}
        if spoken != {name for names in scenario.mail.envelopes for name in names}:
            yield "it does not say how each recipient fares"


def controls_of(chapter: str) -> tuple[Scenario, Scenario]:
    """The first and the last scenario of a chapter: its controls."""
    return CHAPTERS[chapter][0], CHAPTERS[chapter][-1]


CATALOGUE: dict[str, Scenario] = index(CHAPTERS)
"""Every scenario by id."""
