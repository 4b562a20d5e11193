"""Which scenarios run in which lab: one for all, or more where a target cannot let time pass.

A target with a clock of its own runs everything in one lab with true lifetimes. For the others
the scenarios that wait for their expiry go to labs with a shortened lifetime, one for each
lifetime there is; the rest keep the true one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lab.lab import Order
from lab.life import expires
from lab.pace import Pace, scaled
from model.scenario import HOUR, Reach, Scenario
from model.tls import Tls
from targets.base import Capability, Target

ATTEMPTS_IN_A_SHORT_LIFE = 4


@dataclass(frozen=True, slots=True)
class Setup:
    """The order of one lab, and the ids of the scenarios that were asked for."""

    order: Order
    wanted: frozenset[str]


def unsupported(scenario: Scenario, target: Target, sealed: bool) -> str:
    """Why the target, or the room, cannot run the scenario; empty if it can."""
    can = target.capabilities
    if scenario.connector.smart_hosts and Capability.SMART_HOSTS not in can:
        return "the target routes to no smart hosts"
    if scenario.connector.tls is not Tls.NONE and Capability.TLS_PER_ROUTE not in can:
        return "the target has no TLS settings per route"
    if not sealed and any(host.reach is Reach.PROHIBITED for host in scenario.hosts):
        return "ICMP needs the sealed room"
    return ""


def arrange(
    wanted: Sequence[Scenario],
    opening: Scenario,
    closing: Scenario,
    target: Target,
    lifetime: float,
    pace: Pace,
) -> list[Setup]:
    """Divide the scenarios among labs; each lab begins with the opening control.

    `lifetime` is the dialect's, in seconds.
    """
    if Capability.PASS_TIME in target.capabilities:
        lives = {s.id: s.connector.lifetime or lifetime for s in (*wanted, opening, closing)}
        return [_setup(wanted, opening, closing, lifetime, HOUR, lives)]
    groups: dict[float, list[Scenario]] = {lifetime: []}
    for scenario in wanted:
        explicit = scenario.connector.lifetime
        short = scaled(explicit, pace) if explicit else pace.short_life
        groups.setdefault(short if expires(scenario) else lifetime, []).append(scenario)
    setups = []
    for life, scenarios in groups.items():
        retry = HOUR if life == lifetime else life / ATTEMPTS_IN_A_SHORT_LIFE
        lives = dict.fromkeys([s.id for s in (*scenarios, opening, closing)], life)
        if scenarios:
            setups.append(_setup(scenarios, opening, closing, life, retry, lives))
    return setups


def _setup(
    wanted: Sequence[Scenario],
    opening: Scenario,
    closing: Scenario,
    lifetime: float,
    retry: float,
    lives: dict[str, float],
) -> Setup:
    middle = [s for s in wanted if s.id not in (opening.id, closing.id)]
    order = Order((opening, *middle), (closing,), lifetime, lives, retry)
    return Setup(order, frozenset(s.id for s in wanted))
