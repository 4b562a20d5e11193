"""What goes over the pipe between pytest and a lab process: plain, frozen values.

One Settled or Broke comes for each scenario in the order of their settling, then Done. A Broke
without an id is about the whole lab: it could not start, or has ended.
"""

from dataclasses import dataclass

from lab.lab import Order
from model.trace import Trace


@dataclass(frozen=True, slots=True)
class Spec:
    """What a lab process is told: the target's name, the room, the pace, and the order."""

    target: str
    sealed: bool
    port: int
    pace: str
    order: Order


@dataclass(frozen=True, slots=True)
class Settled:
    """One scenario's evidence."""

    id: str
    trace: Trace


@dataclass(frozen=True, slots=True)
class Broke:
    """What went wrong, in a sentence; `id` empty: for the whole lab."""

    id: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Done:
    """The end: strays that belong to no scenario, and what the lab itself cost.

    `cpu` is the lab's own processor time in seconds (the agent's excluded), `wall` how long it
    ran, `memory` its peak resident size in KiB.
    """

    strays: tuple[str, ...]
    cpu: float
    wall: float
    memory: int


Message = Settled | Broke | Done
