"""What an agent said about one recipient."""

import re
from dataclasses import dataclass
from enum import StrEnum

_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")


class State(StrEnum):
    """What the agent says became of the mail for a recipient."""

    DELIVERED = "delivered"
    DEFERRED = "deferred"
    HELD = "held"
    """Not tried: it is not yet the time for its host, where another message has just failed."""
    RETURNED = "returned"
    """Given up at once: a permanent failure."""
    EXPIRED = "expired"
    """Given up because its lifetime was over."""


class Source(StrEnum):
    """Where a report was read."""

    LOG = "log"
    QUEUE = "queue"
    DSN = "dsn"
    API = "api"


@dataclass(frozen=True, slots=True)
class Report:
    """One statement about one recipient.

    `smtp` is the three-digit reply code the agent itself gives (0: none), `enhanced` the
    enhanced status code (RFC 3463; empty: none), `host` and `ip` the server it names, `queue_id`
    the agent's own name of the message.
    """

    recipient: str
    state: State
    smtp: int = 0
    enhanced: str = ""
    text: str = ""
    host: str = ""
    ip: str = ""
    source: Source = Source.LOG
    queue_id: str = ""

    def __post_init__(self) -> None:
        if self.enhanced and not _ENHANCED.fullmatch(self.enhanced):
            raise ValueError(f"{self.enhanced!r} is not an enhanced status code")

    def values(self) -> dict[str, str | int]:
        """Its fields as plain values, by name."""
        return {name: getattr(self, name) for name in self.__match_args__}

    @property
    def code(self) -> str:
        """Both codes as one would write them: `450 4.4.316`, `4.4.1`, or empty."""
        return " ".join(part for part in (str(self.smtp or ""), self.enhanced) if part)

    def __str__(self) -> str:
        return f"{self.state} {self.code}".strip()
