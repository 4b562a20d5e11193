"""Which scenarios run in which lab: one for all, or more where a target cannot let time pass.

Most scenarios are over after an attempt or two, and share a lab. Those that are about hours of
waiting have labs of their own, because time passes for everybody there: one for each lifetime that
an agent is configured with. If its clock cannot be moved, the lifetimes are shortened to seconds.
Those in which the agent is killed share one more; so do those in which its machine runs short of
something, those with large messages, and those that hold it against its own schedule of attempts;
those in which the only name server is gone have one for each way in which it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from fakes.reach import NO_WAY, needs_sealed_room
from lab.lab import Order
from lab.pace import DELAY, RETRY, Pace, scaled
from lab.sealed import why_no_ipv6
from model.behaviours import Fragment, HalfReply, KeepThenStall, Late, LineEnds, Quota, StallAt
from model.dns import Delay, Gone, Silence, Truncate
from model.scenario import HOUR, Family, Kill, Reach, Scenario, Source
from model.shortage import OF_DISK, Shortage
from model.socks import Socks
from model.tls import REVOCATION, OwnCertificate, Tls
from model.trace import Clock
from model.wishes import Wishes
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
    if scenario.connector.proxy and Capability.PROXY not in can:
        return "the target makes no connections by a proxy"
    if scenario.connector.fallback and Capability.FALLBACK_RELAY not in can:
        return "the target has no fallback relay per route"
    if scenario.connector.tls is not Tls.NONE and Capability.TLS_PER_ROUTE not in can:
        return "the target has no TLS settings per route"
    if _asks_for_revocation(scenario) and Capability.CHECKS_REVOCATION not in can:
        return "the target looks at no revocation lists"
    if scenario.connector.reuses and Capability.REUSES_CONNECTIONS not in can:
        return "the target has a connection for each copy of a message"
    if _shows_itself(scenario) and Capability.CLIENT_CERTIFICATES not in can:
        return "the target has no certificate of its own per route"
    if _chooses_source(scenario) and Capability.SOURCE_PER_ROUTE not in can:
        return "the target has no source address per route"
    if not sealed and any(host.bars for host in scenario.all_hosts):
        return "who is turned away for the address is told so by ICMP, which needs the sealed room"
    if not sealed and any(needs_sealed_room(host.reach) for host in scenario.all_hosts):
        return "ICMP needs the sealed room"
    if not sealed and any(h.socks and h.reach is not Reach.UP for h in scenario.all_hosts):
        return "that a proxy is away which was tried is seen in the sealed room only"
    if any(host.family is Family.IPV6 for host in scenario.all_hosts):
        return why_no_ipv6() if sealed else "IPv6 needs the sealed room"
    if scenario.mail.wishes != Wishes() and Capability.TAKES_WISHES not in can:
        return "the target takes no wishes for notices (RFC 3461)"
    if scenario.is_killed and Capability.RESTARTS not in can:
        return "the target cannot be killed and started again"
    if scenario.short_of in OF_DISK and Capability.SPOOL_OF_ITS_OWN not in can:
        return "the target's queue cannot have a disk of its own"
    if scenario.short_of is not Shortage.NONE and not sealed:
        return "what the machine runs short of is its own in the sealed room only"
    if scenario.kill is Kill.SUBMITTING and Capability.TAKES_HALVES not in can:
        return "the target cannot be left with half a message"
    if any(change.connector for change in scenario.changes) and Capability.REROUTES not in can:
        return "the target's routes cannot be changed while it runs"
    if scenario.intervals and Capability.SCHEDULE not in can:
        return "the target does not say by which schedule it tries again"
    if (scenario.course or scenario.intervals) and Capability.PASS_TIME not in can:
        return "the target's clock cannot be moved"
    changed = [host for change in scenario.changes for host in change.hosts]
    if not sealed and any(scenario.host(one.name).reach in NO_WAY for one in changed):
        return "in the open room no way ever leads to an address that cannot be reached"
    return ""


def _asks_for_revocation(scenario: Scenario) -> bool:
    """Whether only an agent with revocation lists can know what is wrong."""
    checked = scenario.connector.demands in (Tls.CERTIFICATE, Tls.DOMAIN)
    return checked and any(host.certificate in REVOCATION for host in scenario.all_hosts)


def _shows_itself(scenario: Scenario) -> bool:
    return any(one.own_certificate is not OwnCertificate.NONE for one in scenario.connectors)


def _chooses_source(scenario: Scenario) -> bool:
    return any(one.source is not Source.USUAL for one in scenario.connectors)


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
    can = target.capabilities
    plan = _Plan(Capability.PASS_TIME in can, lifetime, pace)
    groups: dict[tuple[Kind, float], list[Scenario]] = {}
    for scenario in wanted:
        groups.setdefault(plan.group(scenario), []).append(scenario)
    setups = []
    for (kind, life), scenarios in groups.items():
        order = plan.configured(_order(scenarios, controls, whole), kind, life)
        setups.append(Setup(order, frozenset(s.id for s in scenarios)))
    return setups


class Kind(StrEnum):
    """What a lab is for."""

    PLAIN = "plain"
    """Attempts only: nobody waits for hours."""
    TIMED = "timed"
    """Hours pass, or a shortened lifetime does."""
    SCHEDULED = "scheduled"
    """Hours pass, and the agent keeps to its own schedule."""
    AGED = "aged"
    """Hours pass, and on the way the agent is killed, and started again."""
    KILLED = "killed"
    """The agent is killed, and started again."""
    SHORT = "short"
    """The agent's machine runs short of something, of one thing after another."""
    RESOLVER_CLOSED = "resolver-closed"
    RESOLVER_SILENT = "resolver-silent"
    """The only name server goes away, in this way, and comes back."""
    LARGE = "large"
    """It is at work on large messages for minutes, and late for all others."""


OUTAGES = {Gone.CLOSED: Kind.RESOLVER_CLOSED, Gone.SILENT: Kind.RESOLVER_SILENT}
"""The lab of each way to be gone: a name server that is gone is so for everybody."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a target's clock and lifetimes decide what runs in which lab."""

    moves: bool
    lifetime: float
    pace: Pace

    def group(self, scenario: Scenario) -> tuple[Kind, float]:
        """The kind of lab for a scenario, and the lifetime that the agent is configured with there."""
        if scenario.kill is not Kill.NEVER:
            return Kind.KILLED, self.lifetime
        if scenario.outage is not None:
            return OUTAGES[scenario.outage.gone], self.lifetime
        if scenario.mail.is_large:
            return Kind.LARGE, self.lifetime
        if scenario.short_of is not Shortage.NONE:
            return Kind.SHORT, self.lifetime
        own = scenario.own_lifetime
        if not scenario.is_timed:
            return Kind.PLAIN, self.lifetime
        if scenario.intervals:
            return Kind.SCHEDULED, own or self.lifetime
        if scenario.is_killed:
            return Kind.AGED, own or self.lifetime
        if self.moves:
            return Kind.TIMED, own or self.lifetime
        return Kind.TIMED, scaled(own, self.pace) if own else self.pace.short_life

    def configured(self, order: Order, kind: Kind, life: float) -> Order:
        """An order with the settings of its lab."""
        timed = kind in (Kind.TIMED, Kind.SCHEDULED, Kind.AGED)
        clock = Clock.RUNS if not timed else Clock.MOVED if self.moves else Clock.SHORTENED
        short = clock is Clock.SHORTENED
        return replace(
            order,
            lifetime=life,
            lifetimes={s.id: life for s in order.everything},
            retry=self._retry(kind, life, short),
            delay=life * DELAY / (48 * HOUR) if short else DELAY,
            clock=clock,
            short=kind is Kind.SHORT,
        )

    def _retry(self, kind: Kind, life: float, short: bool) -> float:
        if kind is Kind.SCHEDULED:
            return 0.0
        return life / ATTEMPTS_IN_A_SHORT_LIFE if short else RETRY


MANY = 10
"""Hosts, messages, or recipients beyond which an agent has much to do."""
SLOW = (StallAt, KeepThenStall, HalfReply, Late, Quota, Fragment, LineEnds)
"""What makes an agent wait for a time-out, or come again and again."""
AHEAD = 400
"""So many places before its turn a slow scenario starts: about what it takes, in launches."""


def _turns(scenarios: Sequence[Scenario]) -> list[Scenario]:
    """In which order they start: that in which they are asked for, but what takes long earlier.

    So each chapter is over soon after the one before it, and pytest judges while the rest is under
    way; what has very much to do starts before everything, since a run takes as long as its longest.
    """
    places = {s.id: place for place, s in enumerate(scenarios)}
    return sorted(scenarios, key=lambda s: (not is_crowded(s), places[s.id] - AHEAD * _is_slow(s)))


def is_crowded(scenario: Scenario) -> bool:
    """Whether the agent has much to do."""
    mail = scenario.mail
    return max(len(scenario.hosts), mail.messages, len(mail.recipients)) > MANY


def _is_slow(scenario: Scenario) -> bool:
    """Whether the agent has to wait, or to come again, before it can say what it has met."""
    away = any(host.reach in (Reach.SILENT, Reach.BACKLOG) for host in scenario.hosts)
    odd = any(h.box or h.swallows or h.socks is Socks.SILENT for h in scenario.hosts)
    faults = [spoiled.fault for zone in scenario.all_zones for spoiled in zone.faults]
    mute = any(isinstance(fault, Delay | Silence | Truncate) for fault in faults)
    behaviours = [getattr(b, "behaviour", b) for h in scenario.hosts for b in h.behaviours]
    slow = any(isinstance(behaviour, SLOW) for behaviour in behaviours)
    return away or odd or mute or slow or scenario.connector.reuses


def _order(wanted: Sequence[Scenario], controls: Mapping[str, Controls], whole: Controls) -> Order:
    """The wanted scenarios, and the controls of their chapters whether wanted or not."""
    used = [one for name, one in controls.items() if any(s.chapter == name for s in wanted)]
    openings = [whole.opening, *(one.opening for one in used)]
    closings = [one.closing for one in used]
    around = {s.id for s in (*openings, *closings, whole.closing)}
    middle = _turns([s for s in wanted if s.id not in around])
    return Order((*openings, *middle), tuple(closings), whole.closing, 0.0, {}, 0.0)
