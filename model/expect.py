"""What a scenario expects of the agent: four ways for a message to fare."""

from dataclasses import dataclass

from model.failure import Cause


@dataclass(frozen=True, slots=True)
class Delivers:
    """The message reaches this host at the first attempt. `or_fails`: what is tolerated instead."""

    to: str = "mx1"
    or_fails: Cause | None = None

    def __str__(self) -> str:
        also = f" (tolerated: {self.or_fails})" if self.or_fails else ""
        return f"delivered to {self.to}{also}"


@dataclass(frozen=True, slots=True)
class Fails:
    """The attempt fails with this cause; the dialect says with which code, and if mail is kept.

    `peer` is the reply that the host gave, where the agent is to pass it on.
    """

    cause: Cause
    peer: str = ""

    def __str__(self) -> str:
        return f"{self.cause}" + (f" passing on {self.peer!r}" if self.peer else "")


@dataclass(frozen=True, slots=True)
class Recovers:
    """The first attempt fails so; once the fault is gone, a later one delivers, once.

    `twice` allows a second copy: the host stored the first and cut before saying so
    (RFC 1047), which no client can know.
    """

    first: Fails
    to: str = "mx1"
    twice: bool = False

    def __str__(self) -> str:
        return f"{self.first}, then delivered to {self.to}" + (" (twice)" if self.twice else "")


@dataclass(frozen=True, slots=True)
class Expires:
    """Every attempt fails so until the lifetime is over; then one NDR (none to a null sender)."""

    last: Fails

    def __str__(self) -> str:
        return f"{self.last} until expiry, then returned to the sender"


Expectation = Delivers | Fails | Recovers | Expires
