"""Everything seen of one scenario, with the names and addresses it was given."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from model.address import canonical
from model.events import Accepted, Event, Reported, Returned
from model.ndr import Notice, read_notices
from model.scenario import Source
from model.schedule import Schedule

E = TypeVar("E")


class Clock(StrEnum):
    """How the hours passed for which mail waits."""

    RUNS = "runs"
    """They did not: the scenario is about attempts only."""
    MOVED = "moved"
    """The agent's clock was moved, its own settings kept."""
    SHORTENED = "shortened"
    """The agent's clock cannot be moved, and its settings were shortened to seconds."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a scenario was put: absolute names and addresses.

    `hosts` maps a host's relative name to (absolute name, address). `domain` is the recipient
    domain, `sender` the envelope sender (empty for a null sender), `home` the sender's domain,
    `sources` what address each source is; that of USUAL is nobody's choice, and not in it.
    """

    domain: str
    home: str
    sender: str
    recipients: tuple[str, ...]
    hosts: dict[str, tuple[str, str]]
    port: int
    sources: Mapping[Source, str] = field(default_factory=dict)

    def relative(self, absolute: str) -> str:
        """A name below the scenario's domain in relative form; `@` for the domain itself."""
        name = absolute.rstrip(".").lower()
        if name == self.domain:
            return "@"
        return name.removesuffix("." + self.domain)


@dataclass(frozen=True, slots=True)
class Trace:
    """The evidence: what was sent, where the scenario was, and every event in order.

    `sent` is what was handed in for each recipient; `lifetime` is the message's lifetime in seconds
    by the agent's clock; `sealed` tells whether SYNs could be seen, `own` whether the agent kept
    its own time-outs; `delay` is how long mail waits, in seconds of the agent's clock, before its
    sender is told so (0: never); `clock` is how hours passed, `schedule` by which the agent says
    that it tries again. The events are sorted out once, by kind and by recipient, so that hundreds
    of recipients can be judged one by one.
    """

    scenario: str
    placement: Placement
    sent: Mapping[str, bytes]
    lifetime: float
    sealed: bool
    events: tuple[Event, ...]
    own: bool = False
    delay: float = 0.0
    clock: Clock = Clock.RUNS
    schedule: Schedule | None = None

    _kinds: dict[type, list[Event]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _ledger: dict[str, "Account"] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        for event in self.events:
            self._kinds.setdefault(type(event), []).append(event)
            self._enter(event)

    def all(self, kind: type[E]) -> Iterator[E]:
        """The events of one kind, in order."""
        yield from self._kinds.get(kind, ())  # type: ignore[misc] # sorted by their very type

    def last(self, kind: type[E]) -> E | None:
        """The last event of one kind, or None."""
        found = self._kinds.get(kind)
        return found[-1] if found else None  # type: ignore[return-value]

    def account(self, recipient: str) -> "Account":
        """What was seen of one recipient."""
        return self._ledger.get(canonical(recipient).lower(), Account())

    def _enter(self, event: Event) -> None:
        match event:
            case Accepted(recipients=recipients):
                for one in dict.fromkeys(map(canonical, recipients)):
                    self._page(one).copies.append((one, event))
            case Reported(report=report):
                self._page(canonical(report.recipient)).reports.append(event)
            case Returned(content=content):
                for notice in read_notices(content):
                    self._page(canonical(notice.recipient)).notices.append((event, notice))

    def _page(self, recipient: str) -> "Account":
        return self._ledger.setdefault(recipient.lower(), Account())


@dataclass(frozen=True, slots=True)
class Account:
    """What was seen of one recipient, or of those that differ in case only.

    `copies` are the messages that hosts stored, each with the recipient in the case it came in:
    a local part's case counts (RFC 5321 section 2.4). What agents say is not held to it.
    """

    copies: list[tuple[str, Accepted]] = field(default_factory=list)
    reports: list[Reported] = field(default_factory=list)
    notices: list[tuple[Returned, Notice]] = field(default_factory=list)
