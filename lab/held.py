"""What the agent's queue holds, as one reading found it: by queue id, and by recipients' domain.

Whoever asks looks his own up and goes through nobody else's, or a lab's cost would grow with the
square of its scenarios.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

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
    by_domain: dict[str, tuple[str, ...]] = {}
    for one in queue:
        by_id[one.queue_id] = recipients = tuple(one.recipients)
        for domain, names in _sorted_out(recipients).items():
            by_domain[domain] = (*by_domain.get(domain, ()), *names)
    return Held(by_id, by_domain)


@lru_cache(maxsize=4096)  # most of a queue is as it was at the last reading
def _sorted_out(recipients: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    """The recipients of each domain."""
    found: dict[str, list[str]] = {}
    for recipient in recipients:
        domain = recipient.rpartition("@")[2].lower().rstrip(".")
        found.setdefault(domain, []).append(recipient)
    return {domain: tuple(names) for domain, names in found.items()}
