"""By which schedule an agent tries again: what its own documents say, as values.

A schedule is asked after each failed attempt how long the agent waits until the next. `attempts` is how
many there have been, `age` the message's age in seconds at the last of them, `pause` the pause before
that one (0 after the first).
"""

from dataclasses import dataclass
from typing import Protocol

GUARD = 60.0
"""Seconds before an attempt is due, and after, at which it is looked for: a lab's own time passes, too."""


class Schedule(Protocol):
    """How long mail waits between two attempts; `source` is the document that says so."""

    @property
    def source(self) -> str:
        """Where it is written."""

    def pause(self, attempts: int, age: float, pause: float) -> float:
        """Seconds until the next attempt is due."""


@dataclass(frozen=True, slots=True)
class Steps:
    """The pauses one after the other, the last of them again and again."""

    pauses: tuple[float, ...]
    source: str

    def pause(self, attempts: int, age: float, pause: float) -> float:
        """The pause of that number."""
        return self.pauses[min(attempts, len(self.pauses)) - 1]


@dataclass(frozen=True, slots=True)
class ByAge:
    """As long as the mail is old, but within limits: so the pause doubles."""

    least: float
    most: float
    source: str

    def pause(self, attempts: int, age: float, pause: float) -> float:
        """The age, within the limits."""
        return min(max(age, self.least), self.most)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Until mail is of this age, the pause is `first`, or grows from there by a factor each time."""

    until: float
    first: float
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Stretches:
    """One stretch after the other; the last has no end."""

    stretches: tuple[Stretch, ...]
    source: str

    def pause(self, attempts: int, age: float, pause: float) -> float:
        """What the stretch has that the age is in; one that grows, grows from the pause before."""
        here = next((one for one in self.stretches if age <= one.until), self.stretches[-1])
        grown = pause * here.factor
        return here.first if here.factor == 1.0 or pause < here.first else grown


def marks(schedule: Schedule, count: int) -> tuple[float, ...]:
    """Just before each of so many attempts is due and just after, when it is then made; ages."""
    ages: list[float] = []
    age = pause = 0.0
    for attempts in range(1, count + 1):
        pause = schedule.pause(attempts, age, pause)
        ages += (age + pause - GUARD, age + pause + GUARD)
        age += pause + GUARD
    return tuple(ages)
