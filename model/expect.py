"""What a scenario expects of the agent: the ways for a message to fare, and how they combine.

`Delivers`, `Fails`, `Recovers`, `Turns`, `Expires`, `Arrives`, `Refuses` and `PutOff` each name one
way. `AnyOf` accepts several where the documents leave it open, `Each` gives every recipient its
own, and `Recorded` asks for nothing: the laws hold all the same, and what was observed is kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from model.failure import Cause


@dataclass(frozen=True, slots=True)
class Delivers:
    """The message reaches this host, or one of `others`, at the first attempt.

    `twice` allows a second copy: the host stored the first and did not say so (RFC 1047).
    """

    to: str = "mx1"
    others: tuple[str, ...] = ()
    twice: bool = False

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every host that is as good."""
        return (self.to, *self.others)

    def __str__(self) -> str:
        return "delivered to " + " or ".join(self.hosts)


@dataclass(frozen=True, slots=True)
class Fails:
    """The attempt fails with this cause; the dialect says with which code, and if mail is kept.

    `peer` is the reply that the host gave, where the agent is to pass it on. `quote` is what of
    its words must be found in the report: what an administrator would look for.
    """

    cause: Cause
    peer: str = ""
    quote: str = ""

    def __str__(self) -> str:
        return f"{self.cause}" + (f" passing on {self.peer!r}" if self.peer else "")


@dataclass(frozen=True, slots=True)
class Recovers:
    """The first attempt fails so; once the fault is gone, a later one delivers, once.

    `twice` allows a second copy: the host stored the first and cut before saying so
    (RFC 1047), which no client can know. `some`: of several messages, only those that meet the
    fault need fail at first; which these are is chance, and the others are delivered at once.
    `then`: before that, later attempts fail otherwise, in this order.
    """

    first: Fails
    to: str = "mx1"
    twice: bool = False
    some: bool = False
    then: tuple[Fails, ...] = ()

    def __str__(self) -> str:
        first = f"{self.first} for some" if self.some else f"{self.first}"
        first = ", then ".join([first, *map(str, self.then)])
        return f"{first}, then delivered to {self.to}" + (" (twice)" if self.twice else "")


@dataclass(frozen=True, slots=True)
class Turns:
    """The first attempt fails so, and the next, in a world that has changed, otherwise."""

    first: Fails
    then: Fails

    def __str__(self) -> str:
        return f"{self.first}, then {self.then}"


@dataclass(frozen=True, slots=True)
class Expires:
    """Every attempt fails so until the lifetime is over; then one NDR (none to a null sender).

    `before`: earlier attempts fail otherwise, in this order, as the world changes.
    """

    last: Fails
    before: tuple[Fails, ...] = ()

    def __str__(self) -> str:
        earlier = "".join(f"{one}, then " for one in self.before)
        return f"{earlier}{self.last} until expiry, then returned to the sender"


@dataclass(frozen=True, slots=True)
class Arrives:
    """However each attempt fares, the mail reaches this host in the end, and is acknowledged once.

    It is tried again for as long as the lab has patience. No failure on the way is asked for; the
    laws hold for each. A copy that the host kept without saying so may come on top (RFC 1047).
    """

    to: str = "mx1"

    def __str__(self) -> str:
        return f"delivered to {self.to} in the end"


@dataclass(frozen=True, slots=True)
class Refuses:
    """The agent does not take the message at its own door."""

    def __str__(self) -> str:
        return "refused when it is submitted"


@dataclass(frozen=True, slots=True)
class Recorded:
    """Nothing is asked beyond the laws, because no document decides; what happened is kept."""

    def __str__(self) -> str:
        return "recorded only"


@dataclass(frozen=True, slots=True)
class PutOff:
    """The agent does not take the message for now (4yz), and does when its client comes again.

    Then the message reaches this host, once.
    """

    to: str = "mx1"

    def __str__(self) -> str:
        return f"put off when it is submitted, later delivered to {self.to}"


One = Delivers | Fails | Recovers | Turns | Expires | Arrives | Refuses | PutOff | Recorded


@dataclass(frozen=True, slots=True, init=False)
class AnyOf:
    """Where documents leave it open: the first is what they favour, the others are accepted."""

    ways: tuple[One, ...]

    def __init__(self, *ways: One) -> None:
        object.__setattr__(self, "ways", ways)

    def __str__(self) -> str:
        return "; or ".join(map(str, self.ways))


@dataclass(frozen=True, slots=True)
class Each:
    """Every recipient fares in a way of its own: pairs of a local part and what it expects."""

    fates: tuple[tuple[str, One | AnyOf], ...]

    def of(self, local_part: str) -> One | AnyOf:
        """What one recipient expects. Raises KeyError if it is not spoken of."""
        return dict(self.fates)[local_part]

    def __str__(self) -> str:
        return "; ".join(f"{name}: {fate}" for name, fate in self.fates)


Expectation = One | AnyOf | Each


def ways(expect: Expectation) -> Iterator[One]:
    """Every single way in an expectation, in order."""
    match expect:
        case AnyOf(found):
            yield from found
        case Each(fates):
            for _, fate in fates:
                yield from ways(fate)
        case _:
            yield expect


def failures(way: One) -> tuple[Fails, ...]:
    """The failures that a way speaks of, in order."""
    match way:
        case Fails():
            return (way,)
        case Recovers(first, then=then):
            return (first, *then)
        case Turns(first, then):
            return (first, then)
        case Expires(last, before):
            return (*before, last)
    return ()


def main_failure(expect: Expectation) -> Fails | None:
    """The failure that an expectation stands for: the first that its first way names."""
    match expect:
        case AnyOf(found):
            return main_failure(found[0])
        case Each(fates):
            found_here = (main_failure(fate) for _, fate in fates)
            return next((one for one in found_here if one), None)
    return next(iter(failures(expect)), None)


def is_tried_again(expect: Expectation) -> bool:
    """Whether the scenario goes on after the first attempt: the agent is told to try again."""
    return any(isinstance(way, Recovers | Turns | Arrives) for way in ways(expect))


def expires(expect: Expectation) -> bool:
    """Whether the scenario is about the end of a lifetime."""
    return any(isinstance(way, Expires) for way in ways(expect))
