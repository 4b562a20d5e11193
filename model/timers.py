"""Every timer of a target, as plain seconds. The pace (`lab/pace.py`) makes them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timers:
    """The time-outs a target is configured with, in seconds.

    `dns` is one try of one question, `connect` a TCP connection, `reply` any one SMTP reply or
    block of data, `lifetime` how long mail may wait, `retry` the pause between attempts (a target
    with a clock of its own keeps its own schedule instead; 0: every target does). `own` leaves
    connect and reply to the target's own defaults: what stands here is then only what the lab
    reckons with. `delay` is how long mail has waited when its sender is told so, once; 0: never.
    `moves`: the lab will let time pass.
    """

    dns: float
    connect: float
    reply: float
    lifetime: float
    retry: float
    own: bool = False
    delay: float = 0.0
    moves: bool = False
