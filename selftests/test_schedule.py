"""By which schedule agents say that they try again, and how attempts are held against it."""

from dataclasses import replace

import pytest

from model.course import out_of_course
from model.events import Elapsed, Event, Knocked
from model.scenario import HOUR
from model.schedule import GUARD, ByAge, Schedule, Steps, Stretch, Stretches, marks
from model.trace import Trace
from selftests.worlds import scenario, trace

STEPS = Steps((300.0, 900.0), "its manual")
GROWS = Stretches((Stretch(2 * HOUR, 900.0), Stretch(float("inf"), HOUR, 1.5)), "its manual")


@pytest.mark.parametrize(
    ("schedule", "attempts", "age", "before", "pause"),
    [
        (STEPS, 1, 0.0, 0.0, 300.0),
        (STEPS, 2, 300.0, 300.0, 900.0),
        (STEPS, 9, 9000.0, 900.0, 900.0),
        (ByAge(300, 4000, ""), 1, 0.0, 0.0, 300.0),
        (ByAge(300, 4000, ""), 3, 1200.0, 600.0, 1200.0),
        (ByAge(300, 4000, ""), 7, 9000.0, 4000.0, 4000.0),
        (GROWS, 1, 0.0, 0.0, 900.0),
        (GROWS, 9, 7500.0, 900.0, HOUR),
        (GROWS, 10, 3 * HOUR, HOUR, 1.5 * HOUR),
    ],
)
def test_the_pause_after_an_attempt(
    schedule: Schedule, attempts: int, age: float, before: float, pause: float
) -> None:
    """By its number, by the mail's age, or by the pause before."""
    assert schedule.pause(attempts, age, before) == pause


def test_marks_stand_around_each_attempt() -> None:
    """The next pause begins where the attempt was made, which is at the later mark."""
    first = 300.0 + GUARD
    assert marks(STEPS, 2) == (300 - GUARD, first, first + 900 - GUARD, first + 900 + GUARD)


def seen(*attempts: int) -> Trace:
    """Marks around the second and the third attempt, and attempts at some of the marks."""
    events: list[Event] = [Knocked(0.5, "mx1", "198.18.1.1")]
    for number, age in enumerate(marks(STEPS, 2), start=1):
        events.append(Elapsed(float(number), age))
        if number in attempts:
            events.append(Knocked(number + 0.5, "mx1", "198.18.1.1"))
    return replace(trace(*events), schedule=STEPS)


@pytest.mark.parametrize(
    ("attempts", "wrong"),
    [
        ((2, 4), ""),
        ((1, 2, 4), "attempt 2, due at 5 min"),
        ((4,), "attempt 2, due at 5 min"),
        ((2,), "attempt 3, due at 21 min"),
        ((2, 3), "attempt 3, due at 21 min"),
    ],
)
def test_attempts_are_held_against_the_schedule(attempts: tuple[int, ...], wrong: str) -> None:
    """One just after each is due, none just before; what is wrong first is told, with its source."""
    found = [one.what for one in out_of_course(scenario(intervals=2), seen(*attempts))]

    assert found == ([f"{wrong} (its manual)"] if wrong else [])
    assert out_of_course(scenario(), seen(*attempts)) == []
