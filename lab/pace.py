"""Every timer of the run, in one place.

A pace says how long the target waits for DNS, connections and replies, how long the lab waits
for the target, and how short a lifetime is where an agent's clock cannot be moved. Patience is
the sum of what the slowest scenario may legitimately cost, with room for a busy machine: it is
a deadline for failures, and costs nothing where the agent does what it should.
"""

from dataclasses import dataclass, replace

from model.scenario import HOUR, Mail
from model.timers import Timers


@dataclass(frozen=True, slots=True)
class Pace:
    """All durations in seconds.

    `launch` is the pause between two launches, `quiet` is how long nothing must happen before a
    scenario counts as settled; `patience` how long one step of a scenario may take; `start` how
    long an agent may take to start; `short_life` stands for 48 hours where time cannot be let pass.
    """

    name: str
    timers: Timers
    launch: float
    quiet: float
    patience: float
    start: float
    short_life: float

    @property
    def silence(self) -> float:
        """Seconds without any event of a scenario, after which no attempt is under way."""
        return max(self.timers.dns, self.timers.connect, self.timers.reply) + 3

    def for_mail(self, mail: Mail) -> "Pace":
        """The pace for a message: a large one may take the agent minutes to take in."""
        return replace(self, start=LARGE) if mail.is_large else self

    def for_life(self, lifetime: float, retry: float, delay: float, moves: bool) -> "Pace":
        """The pace with the target's timers for a lifetime, pauses between attempts and a notice of
        delay, all in seconds; `moves`: the target's clock will be moved."""
        timers = replace(self.timers, lifetime=lifetime, retry=retry, delay=delay, moves=moves)
        return replace(self, timers=timers)


RETRY = HOUR
"""Seconds between attempts, for agents that are told."""
DELAY = 4 * HOUR
"""Seconds that mail waits before its sender is told so (Exchange, DelayNotificationTimeout)."""
BEFORE, AFTER = 300.0, RETRY + 300.0
"""Seconds of the agent's clock: how close before a lifetime nothing may have expired, and how long
after it everything must have: an agent may see that at its next attempt only."""

LARGE = 600.0
"""Seconds that an agent may take to take in a large message."""

LAUNCH = 0.004
"""Seconds. What one launch costs lab and agent is a few times this: the governor sees to the rest."""


def _pace(
    name: str, dns: float, connect: float, reply: float, short_life: float, silences: int = 4
) -> Pace:
    """A pace that has patience for so many silences in one step; with one, time-outs are `own`."""
    own = silences == 1
    timers = Timers(dns, connect, reply, lifetime=48 * HOUR, retry=HOUR, own=own)
    patience = 4 * dns + 3 * connect + silences * reply + 10
    return Pace(name, timers, LAUNCH, 0.3, patience, start=30, short_life=short_life)


PACES = {
    pace.name: pace
    for pace in (
        _pace("fast", dns=2, connect=3, reply=3, short_life=10),
        _pace("normal", dns=5, connect=10, reply=10, short_life=25),
        _pace("patient", dns=10, connect=30, reply=300, short_life=60),
        _pace("own", dns=5, connect=30, reply=600, short_life=60, silences=1),
    )
}
"""The paces by name; `patient` comes near an agent's defaults and takes many minutes.

Under `own` the agent keeps the time-outs of its own default configuration, so that they can be
measured: `pytest suites/ --pace=own -k hang` takes as long as the longest of them. For scenarios
with several silences in a row it has no patience.
"""


def scaled(lifetime: float, pace: Pace) -> float:
    """A lifetime in seconds as it is shortened for an agent whose clock cannot be moved."""
    return pace.short_life * lifetime / (48 * HOUR)
