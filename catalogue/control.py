"""The healthy deliveries that open and close every run and every chapter.

Without them nothing else counts: if the run's own fail, the whole run is inconclusive, if a
chapter's fail, the chapter is.
"""

from collections.abc import Iterable
from typing import Any

from catalogue.rules import DELIVER
from model.scenario import Scenario


def opening(chapter: str, **healthy: Any) -> Scenario:
    """The healthy delivery at the beginning of a chapter; `healthy` is what its world is like."""
    title = "A healthy host gets the mail"
    return Scenario(id=f"{chapter}.opening", title=title, rule=DELIVER, **healthy)


def closing(chapter: str, **healthy: Any) -> Scenario:
    """The same when all else in the chapter is over."""
    title = "A healthy host gets the mail when all else is over"
    return Scenario(id=f"{chapter}.closing", title=title, rule=DELIVER, **healthy)


def around(chapter: str, scenarios: Iterable[Scenario], **healthy: Any) -> tuple[Scenario, ...]:
    """A chapter's scenarios between its two controls."""
    return (opening(chapter, **healthy), *scenarios, closing(chapter, **healthy))


OPENING = opening("control")
CLOSING = closing("control")

SCENARIOS = (OPENING, CLOSING)
