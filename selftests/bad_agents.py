"""Agents that go wrong on purpose, and adapters that let them: `selftests.bad_agents:Class`."""

import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import replace

from lab.room import Room
from model.report import Report, State
from model.timers import Timers
from targets.base import Route
from targets.postfix.adapter import Adapter as Postfix
from targets.reference.adapter import Adapter as Reference
from targets.reference.agent import Agent, Parts
from targets.reference.dialect import Dialect, Statement
from targets.reference.outcome import Failure


class DiesAtStart(Reference):
    """Its process ends at once: there is no such agent."""

    def __init__(self) -> None:
        super().__init__("selftests.bad_agents:Nobody")


class DiesInMidRun(Reference):
    """Its process is killed when the first slow failure is reported."""

    def reports(self) -> Iterator[Report]:
        """Pass reports on until one is about a server that was silent."""
        assert self._process is not None
        for report in super().reports():
            if is_late(report):
                os.kill(self._process.pid, signal.SIGKILL)
            yield report


class PostfixDiesInMidRun(Postfix):
    """Its `master` is killed when the first slow failure is reported."""

    def reports(self) -> Iterator[Report]:
        """Pass reports on until one is about a server that was silent."""
        assert self._master is not None
        for report in super().reports():
            if is_late(report) and self._master.poll() is None:
                self._master.kill()
            yield report


def is_late(report: Report) -> bool:
    """Whether a report is about a scenario that waits for the longest time-out."""
    return report.state is State.DEFERRED and "connect-silent" in report.recipient


class LabDies(Reference):
    """Kills the lab itself, which it is a part of, when the first slow failure is reported."""

    def reports(self) -> Iterator[Report]:
        """Pass reports on until one is about a server that was silent."""
        for report in super().reports():
            if is_late(report):
                os.kill(os.getpid(), signal.SIGKILL)
            yield report


class Astray(Reference):
    """Sends all mail where nobody listens, so that even the controls fail."""

    def start(self, room: Room, timers: Timers, routes: Sequence[Route]) -> None:
        """Start with every route led astray."""
        nowhere = f"[{room.dns[0]}]"
        super().start(room, timers, [replace(r, smart_hosts=(nowhere,)) for r in routes])


class Hasty(Reference):
    """Has time-outs of its own that are far too short, and waits as long as it is told otherwise."""

    def start(self, room: Room, timers: Timers, routes: Sequence[Route]) -> None:
        """Start with a second for each reply, if it is left to the agent."""
        own = replace(timers, own=False, reply=1.0) if timers.own else timers
        super().start(room, own, routes)


class Raises(Reference):
    """An adapter with a mistake of its own."""

    def submit(self, envelope: object) -> str:
        """Fail as a program does."""
        raise KeyError("queue_id")


class Miscodes(Reference):
    """Reports a code that no dialect has."""

    def __init__(self) -> None:
        super().__init__("selftests.bad_agents:Miscoding")


class Vague(Reference):
    """Reports the right class and subject, without a detail."""

    def __init__(self) -> None:
        super().__init__("selftests.bad_agents:Mumbling")


class MiscodingDialect(Dialect):
    """Every failure is a full mailbox."""

    def queued(self, failure: Failure) -> Statement:
        """The wrong words."""
        return _recoded(super().queued(failure), "4.2.2")


class MumblingDialect(Dialect):
    """Every failure of the network is some failure of the network."""

    def queued(self, failure: Failure) -> Statement:
        """The vague words."""
        return _recoded(super().queued(failure), "4.4.0")


def _recoded(said: Statement, enhanced: str) -> Statement:
    return replace(said, enhanced=enhanced, text=said.text.replace(said.enhanced, enhanced))


class Miscoding(Agent):
    """The agent of `Miscodes`."""

    parts = Parts(dialect=MiscodingDialect)


class Mumbling(Agent):
    """The agent of `Vague`."""

    parts = Parts(dialect=MumblingDialect)
