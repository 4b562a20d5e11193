"""What must be seen while mail waits: attempts at the right time, the right notices, the right words.

The trace has an `Elapsed` for every mark of the lab's timeline; what stands between two of them
happened at the age of the first.
"""

from collections.abc import Iterator
from itertools import dropwhile, islice, takewhile

from model.events import (
    Asked,
    Changed,
    Connected,
    Elapsed,
    Event,
    Heard,
    Knocked,
    Reported,
    Returned,
)
from model.laws import age_at, is_below
from model.ndr import read_notices
from model.report import State
from model.scenario import Mark, Scenario
from model.trace import Trace
from model.verdict import Mismatch

NEAR = 15.0
"""Seconds around the moment when an attempt is due, in which it may have come or not."""


def out_of_course(scenario: Scenario, trace: Trace) -> list[Mismatch]:
    """What is wrong with how the agent spent the time, and with what it told on the way."""
    wrongs = [wrong for mark in scenario.course for wrong in _tries(mark, trace)]
    wrongs += _off_schedule(scenario, trace)
    return [*wrongs, *_notices(scenario, trace), *_words(scenario, trace)]


def history(trace: Trace) -> Iterator[tuple[float, str]]:
    """What the agent said and what came home, by the message's age in seconds; each once in a row."""
    last = ""
    for event in trace.events:
        match event:
            case Reported(report=report):
                what = f"{report.state} {report.smtp or ''} {report.enhanced}".replace("  ", " ")
            case Returned(content=content):
                actions = (notice.action for notice in read_notices(content))
                what = "notice: " + (", ".join(dict.fromkeys(actions)) or "other mail")
            case Changed():
                what = "the world changes"
            case _:
                continue
        if what != last:
            yield age_at(trace, event.at), what.strip()
        last = what


def _tries(mark: Mark, trace: Trace) -> Iterator[Mismatch]:
    if mark.tries is None:
        return
    tried = any(_is_attempt(event, trace) for event in _at(mark, trace))
    if tried is not mark.tries:
        what = f"attempt when the mail is {mark.age / 3600:.2f} h old"
        yield Mismatch(what, *(("one", "none") if mark.tries else ("none", "one")))


def _off_schedule(scenario: Scenario, trace: Trace) -> Iterator[Mismatch]:
    """The first attempt that comes too early by the agent's own schedule, or not when it is due.

    RFC 5321 section 4.5.4.1 leaves the schedule to the agent; its own documents do not.
    """
    if not scenario.intervals or trace.schedule is None:
        return
    attempts, tried = 1, 0.0
    pause = trace.schedule.pause(attempts, tried, 0.0)
    for age, events in _stretches(trace):
        if attempts > scenario.intervals:
            return
        at = next((age_at(trace, one.at) for one in events if _is_attempt(one, trace)), None)
        due = tried + pause
        if abs(age - due) > NEAR and (at is not None) is not (age > due):
            what = f"attempt {attempts + 1}, due at {due / 60:.0f} min ({trace.schedule.source})"
            seen = f"when it is {age / 60:.0f} min old"
            wanted, found = ("one", "none") if age > due else ("none", "one")
            yield Mismatch(what, f"{wanted} {seen}", found)
            return
        if at is not None:
            attempts, tried = attempts + 1, at
            pause = trace.schedule.pause(attempts, tried, pause)


def _stretches(trace: Trace) -> Iterator[tuple[float, list[Event]]]:
    """The age at each mark, and what happened between it and the next."""
    here: list[Event] | None = None
    age = 0.0
    for event in trace.events:
        if isinstance(event, Elapsed):
            if here is not None:
                yield age, here
            age, here = event.age, []
        elif here is not None:
            here.append(event)
    if here is not None:
        yield age, here


def _at(mark: Mark, trace: Trace) -> Iterator[Event]:
    """The events between a mark and the next.

    At a mark a message is a little older than the mark says: the first attempt took time, too.
    """

    def before(event: Event) -> bool:
        return not (isinstance(event, Elapsed) and event.age >= mark.age)

    since = islice(dropwhile(before, trace.events), 1, None)
    return takewhile(lambda event: not isinstance(event, Elapsed), since)


def _is_attempt(event: Event, trace: Trace) -> bool:
    """Whether an event is a sign of one: where SYNs are seen, a question alone is none."""
    if isinstance(event, Asked):
        return not trace.sealed and is_below(event.name, trace.placement.domain)
    if isinstance(event, Reported):
        return event.report.state is not State.HELD
    return isinstance(event, Knocked | Connected)


def _notices(scenario: Scenario, trace: Trace) -> Iterator[Mismatch]:
    if scenario.told is None:
        return
    for recipient in trace.placement.recipients:
        told = tuple(notice.action for _, notice in trace.account(recipient).notices)
        if told != scenario.told:
            wanted = f"{', '.join(scenario.told) or 'none'} about {recipient}"
            yield Mismatch("notices that came home", wanted, ", ".join(told) or "none")


def _words(scenario: Scenario, trace: Trace) -> Iterator[Mismatch]:
    """RFC 3461 section 5.2 and others: what is said to a host is seen on the wire only."""
    for stage, words in scenario.says:
        lines = [event.line for event in trace.all(Heard) if event.stage is stage]
        if not any(words in line for line in lines):
            yield Mismatch(f"said at {stage}", words, "; ".join(lines) or "nothing")
    for stage, words in scenario.unsaid:
        for event in trace.all(Heard):
            if event.stage is stage and words in event.line:
                yield Mismatch(f"said at {stage}", f"nothing with {words}", event.line)
