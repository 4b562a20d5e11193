"""Which scenarios run in which lab: one for all, or more where a target cannot let time pass.

A target with a clock of its own runs everything in one lab with true lifetimes. For the others
the scenarios that wait for their expiry go to labs with a shortened lifetime, one for each
lifetime there is; the rest keep the true one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fakes.reach import NO_WAY, needs_sealed_room
from lab.lab import Order
from lab.pace import Pace, scaled
from lab.sealed import why_no_ipv6
from model.expect import expires
from model.scenario import HOUR, Family, Scenario
from model.tls import REVOCATION, Tls
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
    if _asks_for_revocation(scenario) and Capability.CHECKS_REVOCATION not in can:
        return "the target looks at no revocation lists"
    if scenario.connector.reuses and Capability.REUSES_CONNECTIONS not in can:
        return "the target has a connection for each copy of a message"
    if not sealed and any(needs_sealed_room(host.reach) for host in scenario.all_hosts):
        return "ICMP needs the sealed room"
    if any(host.family is Family.IPV6 for host in scenario.all_hosts):
        return why_no_ipv6() if sealed else "IPv6 needs the sealed room"
    changed = scenario.change.hosts if scenario.change else ()
    if not sealed and any(scenario.host(one.name).reach in NO_WAY for one in changed):
        return "in the open room no way ever leads to an address that cannot be reached"
    return ""


def _asks_for_revocation(scenario: Scenario) -> bool:
    """Whether only an agent with revocation lists can know what is wrong."""
    checked = scenario.connector.demands in (Tls.CERTIFICATE, Tls.DOMAIN)
    return checked and any(host.certificate in REVOCATION for host in scenario.all_hosts)


@dataclass(frozen=True, slots=True)
class Controls:
    """The healthy scenarios of one chapter: at its beginning, and when all else in it is over."""

    opening: Scenario
    closing: Scenario


def arrange(
    wanted: Sequence[Scenario],
    controls: Mapping[str, Controls],
    whole: Controls,
    target: Target,
    lifetime: float,
    pace: Pace,
) -> list[Setup]:
    """Divide the scenarios among labs; each lab has the controls of the chapters that are in it.

    `controls` are those of the chapters by name, `whole` those of a whole lab, `lifetime` is the
    dialect's, in seconds.
    """
    if Capability.PASS_TIME in target.capabilities:
        order = _order(wanted, controls, whole, lifetime, HOUR)
        lives = {s.id: s.connector.lifetime or lifetime for s in order.everything}
        return [Setup(replace(order, lifetimes=lives), frozenset(s.id for s in wanted))]
    groups: dict[float, list[Scenario]] = {lifetime: []}
    for scenario in wanted:
        explicit = scenario.connector.lifetime
        short = scaled(explicit, pace) if explicit else pace.short_life
        groups.setdefault(short if expires(scenario.expect) else lifetime, []).append(scenario)
    setups = []
    for life, scenarios in groups.items():
        retry = HOUR if life == lifetime else life / ATTEMPTS_IN_A_SHORT_LIFE
        if scenarios:
            order = _order(scenarios, controls, whole, life, retry)
            lives = dict.fromkeys([s.id for s in order.everything], life)
            made = replace(order, lifetimes=lives)
            setups.append(Setup(made, frozenset(s.id for s in scenarios)))
    return setups


def _order(
    wanted: Sequence[Scenario],
    controls: Mapping[str, Controls],
    whole: Controls,
    lifetime: float,
    retry: float,
) -> Order:
    """The wanted scenarios, and the controls of their chapters whether wanted or not."""
    used = [one for name, one in controls.items() if any(s.chapter == name for s in wanted)]
    openings = [whole.opening, *(one.opening for one in used)]
    closings = [one.closing for one in used]
    around = {s.id for s in (*openings, *closings, whole.closing)}
    middle = [s for s in wanted if s.id not in around]
    return Order((*openings, *middle), tuple(closings), whole.closing, lifetime, {}, retry)
