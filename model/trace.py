"""Everything seen of one scenario, with the names and addresses it was given."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from model.events import Event

E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a scenario was put: absolute names and addresses.

    `hosts` maps a host's relative name to (absolute name, address). `domain` is the recipient
    domain, `sender` the envelope sender (empty for a null sender), `home` the sender's domain.
    """

    domain: str
    home: str
    sender: str
    recipients: tuple[str, ...]
    hosts: dict[str, tuple[str, str]]
    port: int

    def relative(self, absolute: str) -> str:
        """A name below the scenario's domain in relative form; `@` for the domain itself."""
        name = absolute.rstrip(".").lower()
        if name == self.domain:
            return "@"
        return name.removesuffix("." + self.domain)


@dataclass(frozen=True, slots=True)
class Trace:
    """The evidence: what was sent, where the scenario was, and every event in order.

    `sent` is what was handed in for each recipient; `lifetime` is the message's lifetime in
    seconds by the agent's clock; `sealed` tells whether SYNs could be seen, `own` whether the
    agent kept its own time-outs.
    """

    scenario: str
    placement: Placement
    sent: Mapping[str, bytes]
    lifetime: float
    sealed: bool
    events: tuple[Event, ...]
    own: bool = False

    def all(self, kind: type[E]) -> Iterator[E]:
        """The events of one kind, in order."""
        for event in self.events:
            if isinstance(event, kind):
                yield event

    def last(self, kind: type[E]) -> E | None:
        """The last event of one kind, or None."""
        return next((event for event in reversed(self.events) if isinstance(event, kind)), None)
