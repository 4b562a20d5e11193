"""The scenarios, one module a chapter; data only.

The catalogue checks itself at import: an id stands once and tells the truth, every scenario has its
rule and can be satisfied, and every behaviour, DNS fault, flaw and reason is used (`truth.py`).
"""

from catalogue import (
    certificate,
    connect,
    control,
    dns,
    expiry,
    greeting,
    hosts,
    middlebox,
    notices,
    queue,
    remedy,
    reply,
    resolver,
    restart,
    robustness,
    session,
    spool,
    tls,
)
from catalogue.truth import flaws, unused
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
    "resolver": resolver.SCENARIOS,
    "expiry": expiry.SCENARIOS,
    "queue": queue.SCENARIOS,
    "notices": notices.SCENARIOS,
    "restart": restart.SCENARIOS,
    "spool": spool.SCENARIOS,
    "remedy": remedy.SCENARIOS,
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


def whole(chapters: dict[str, tuple[Scenario, ...]]) -> dict[str, Scenario]:
    """The scenarios of all chapters by id. Raises BadCatalogue, also if something is not used."""
    found = index(chapters)
    for wrong in unused(found.values()):
        raise BadCatalogue(f"{wrong}: write one, or remove what it would be about")
    return found


def controls_of(chapter: str) -> tuple[Scenario, Scenario]:
    """The first and the last scenario of a chapter: its controls."""
    return CHAPTERS[chapter][0], CHAPTERS[chapter][-1]


CATALOGUE: dict[str, Scenario] = whole(CHAPTERS)
"""Every scenario by id."""
