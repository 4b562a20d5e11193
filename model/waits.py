"""How long an agent waited in silence, beside what RFC 5321 section 4.5.3.2 asks for.

A wait begins when the host falls silent and ends when the agent closes the connection. A host
that has stopped reading the body cannot see that, because what is unread stands before the FIN:
there it ends when the agent reports. A wait that goes on at the end of the trace is not measured.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from model.events import FALLS_SILENT, STOPS_READING, Closed, Did, Encrypted, Event, Reported
from model.smtp import Stage
from model.trace import Trace

MINUTE = 60.0
"""Seconds."""
MINIMA: dict[Stage, tuple[float, str]] = {
    Stage.GREETING: (5 * MINUTE, "4.5.3.2.1"),
    Stage.MAIL: (5 * MINUTE, "4.5.3.2.2"),
    Stage.RCPT: (5 * MINUTE, "4.5.3.2.3"),
    Stage.DATA: (2 * MINUTE, "4.5.3.2.4"),
    Stage.BODY: (3 * MINUTE, "4.5.3.2.5"),
    Stage.DOT: (10 * MINUTE, "4.5.3.2.6"),
}
"""The least that a client should wait, in seconds, and where RFC 5321 says so; of other stages it
says nothing."""
SLACK = 1.0
"""Seconds by which a wait may seem shorter than it was: the agent's begins before the host's."""


@dataclass(frozen=True, slots=True)
class Waited:
    """One silence: at which stage, within TLS or not, and for how many seconds."""

    stage: Stage
    tls: bool
    seconds: float

    @property
    def minimum(self) -> float:
        """What RFC 5321 asks for, in seconds; 0 where it asks for nothing."""
        return MINIMA.get(self.stage, (0.0, ""))[0]

    @property
    def hasty(self) -> bool:
        """Whether the agent has waited for less than that."""
        return self.seconds < self.minimum - SLACK

    @property
    def where(self) -> str:
        """The stage in words: EHLO comes twice in a session."""
        return f"{self.stage} in TLS" if self.tls and self.stage is Stage.EHLO else str(self.stage)


def waits(trace: Trace) -> Iterator[Waited]:
    """Every silence that the agent has put an end to, in order of its beginning."""
    secured = {event.conn for event in trace.all(Encrypted)}
    for begun in trace.all(Did):
        if (end := _end(begun, trace.events)) is not None:
            yield Waited(begun.stage, begun.conn in secured, round(end - begun.at, 3))


def in_silence(events: Sequence[Event]) -> bool:
    """Whether an agent is still connected to a host that has fallen silent."""
    silent = {e.conn for e in events if isinstance(e, Did) and e.deed == FALLS_SILENT}
    return not silent <= {e.conn for e in events if isinstance(e, Closed)}


def _end(begun: Did, events: Sequence[Event]) -> float | None:
    """When a silence was over; None if it is none, or goes on, or the host itself ended it."""
    if begun.deed.startswith(STOPS_READING):
        ends = (e.at for e in events if isinstance(e, Reported) and e.at > begun.at)
    elif begun.deed == FALLS_SILENT:
        closed = (e for e in events if isinstance(e, Closed) and e.conn == begun.conn)
        ends = (e.at for e in closed if e.by == "agent")
    else:
        return None
    return next(ends, None)
