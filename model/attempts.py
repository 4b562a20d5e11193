"""What is wrong with the attempts as a whole: which hosts they went to, in which order, how often.

Each rule looks at one scenario's trace and returns what is wrong, an empty list if nothing is.
"""

from itertools import islice, takewhile
from math import inf

from model.events import Accepted, Changed, Connected, Knocked, Reported, Retried
from model.laws import copies_of
from model.report import State
from model.scenario import Reach, Scenario
from model.trace import Trace
from model.unmet import knocked
from model.verdict import Mismatch
from model.waits import MINIMA, waits

MANY = 5
"""Hosts beyond these need not all be tried: agents have limits (RFC 5321 section 5.1)."""


def amiss(scenario: Scenario, trace: Trace) -> list[Mismatch]:
    """Everything that is wrong with the attempts, whatever came of them."""
    return [
        *_left_out(scenario, trace),
        *_too_many(scenario, trace),
        *_out_of_order(scenario, trace),
        *_not_spread(scenario, trace),
        *_starved(scenario, trace),
    ]


def _left_out(scenario: Scenario, trace: Trace) -> list[Mismatch]:
    """What is wrong if addresses were left out, although none of the others answered.

    RFC 5321 section 5.1: each is tried until one works; an agent may have a limit, and should try
    two at least. Only where SYNs can be seen; if nothing was tried at all, the fault was never met.
    """
    if not trace.sealed or any(host.reach is Reach.UP for host in scenario.hosts):
        return []
    left = [host.name for host in scenario.hosts if not knocked(host, trace)]
    if not left or len(left) == len(scenario.hosts):
        return []
    if len(scenario.hosts) > MANY and len(scenario.hosts) - len(left) > 1:
        return []
    every = ", ".join(host.name for host in scenario.hosts)
    return [Mismatch("hosts tried", every, "all but " + ", ".join(left))]


def _too_many(scenario: Scenario, trace: Trace) -> list[Mismatch]:
    """What is wrong if the first attempt made more connections than the scenario allows."""
    most = scenario.most_connections
    ended = next((event.at for event in trace.all(Reported)), 0.0)
    knocks = [event.at for event in trace.all(Knocked)]
    tried = knocks if trace.sealed else [event.at for event in trace.all(Connected)]
    made = [at for at in tried if at <= ended]
    if not most or len(made) <= most:
        return []
    return [Mismatch("connections of the first attempt", f"at most {most}", str(len(made)))]


def _out_of_order(scenario: Scenario, trace: Trace) -> list[Mismatch]:
    """What is wrong if the first attempt went to other hosts, or in another order, than it must.

    RFC 5321 section 5.1. Where SYNs cannot be seen, only hosts that are up have any say.
    """
    if not scenario.order:
        return []
    seen = Knocked if trace.sealed else Connected
    first = takewhile(lambda event: not isinstance(event, Changed | Retried), trace.events)
    tried = list(dict.fromkeys(event.host for event in first if isinstance(event, seen)))
    away = {host.name for host in scenario.hosts if host.reach is not Reach.UP}
    unseen = set() if trace.sealed else away
    groups = [[name for name in word.split("|") if name not in unseen] for word in scenario.order]
    rest = iter(tried)
    found = [sorted(islice(rest, len(group))) for group in groups]
    if found == [sorted(group) for group in groups] and next(rest, None) is None:
        return []
    return [Mismatch("order of hosts", ", ".join(scenario.order), ", ".join(tried) or "none")]


def _not_spread(scenario: Scenario, trace: Trace) -> list[Mismatch]:
    """What is wrong if a host that should share the load took no message (RFC 5321 section 5.1)."""
    took = {event.host for event in trace.all(Accepted)}
    if took >= set(scenario.spread):
        return []
    wanted = "each of " + ", ".join(scenario.spread)
    return [Mismatch("hosts that took mail", wanted, ", ".join(sorted(took)) or "none")]


def _starved(scenario: Scenario, trace: Trace) -> list[Mismatch]:
    """What is wrong if mail for a live host had to wait for what was to become known of a dead one."""
    if not scenario.overtakes:
        return []
    *others, last = trace.placement.recipients
    through = min((copy.at for copy in copies_of(trace, last)), default=inf)
    tried = (
        next((e.at for e in trace.account(one).reports if e.report.state is not State.HELD), inf)
        for one in others
    )
    if through < sorted(tried)[len(others) // 2]:
        return []
    wanted = f"{last} has it before half of the dead host's is reported"
    return [Mismatch("mail for a live host", wanted, "behind it")]


def too_hasty(trace: Trace) -> list[Mismatch]:
    """What is wrong if the agent's own time-outs are shorter than RFC 5321 section 4.5.3.2 has them.

    Under any other pace they are not its own.
    """
    hasty = {one.where: one for one in waits(trace) if one.hasty} if trace.own else {}
    return [
        Mismatch(
            f"time-out ({MINIMA[one.stage][1]})",
            f"at least {one.minimum:.0f} s",
            f"waited {one.seconds:.0f} s at {where}",
        )
        for where, one in hasty.items()
    ]
