"""What the agent's queue holds, as one reading found it: by queue id, and by recipients' domain.

Whoever asks looks his own up and goes through nobody else's, or a lab's cost would grow with the
square of its scenarios.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from targets.base import InQueue


@dataclass(frozen=True, slots=True)
class Held:
    """One reading of the queue."""

    by_id: Mapping[str, tuple[str, ...]]
    """Whom each message still waits for."""
    by_domain: Mapping[str, tuple[str, ...]]
    """Everybody in a domain (lower case) who still waits, in whatever message."""


def held(queue: Iterable[InQueue]) -> Held:
    """The reading of a queue."""
    by_id: dict[str, tuple[str, ...]] = {}
    by_domain: dict[str, list[str]] = {}
    for one in queue:
        by_id[one.queue_id] = tuple(one.recipients)
        for recipient in one.recipients:
            domain = recipient.rpartition("@")[2].lower().rstrip(".")
            by_domain.setdefault(domain, []).append(recipient)
    return Held(by_id, {domain: tuple(names) for domain, names in by_domain.items()})
