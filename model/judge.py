"""From a trace to a verdict.

Theory of operation
-------------------
The report is judged by the dialect, the trace by the laws, and the fault by the trace: a
scenario whose fault was never met proves nothing, whatever the agent said. The order is: a
broken law fails; a mismatch with the fault met fails; a fault never met is inconclusive; what
is left is as good as its code (pass, accepted, weak).
"""

from dataclasses import dataclass, replace

from model.dialect import Code, Dialect, Fit, best_fit, resolve
from model.events import (
    Accepted,
    Asked,
    Connected,
    Declined,
    Did,
    Encrypted,
    Knocked,
    Reported,
    TlsFailed,
)
from model.expect import (
    AnyOf,
    Delivers,
    Each,
    Expires,
    Fails,
    One,
    Recorded,
    Recovers,
    Refuses,
    Turns,
    failures,
    ways,
)
from model.laws import check, is_below, ndrs_of, reports_of
from model.report import Report, Source, State
from model.scenario import Host, Reach, Scenario
from model.tls import Flaw, Handshake
from model.trace import Trace
from model.verdict import Holds, Judgement, Mismatch, Verdict

BY_FIT = {Fit.PRIMARY: Verdict.PASS, Fit.ACCEPTED: Verdict.ACCEPTED, Fit.WEAK: Verdict.WEAK}


MANY = 5
"""Hosts beyond these need not all be tried: agents have limits (RFC 5321 section 5.1)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one recipient's mail did against the expectation."""

    fit: Fit
    observed: str
    wrongs: tuple[Mismatch, ...] = ()


def judge(scenario: Scenario, trace: Trace, dialect: Dialect) -> Judgement:
    """The verdict on one scenario by one dialect. Raises KeyError if the dialect is silent."""
    holds, broken = check(scenario, trace)
    findings = [_find_recipient(scenario, trace, dialect, r) for r in trace.placement.recipients]
    wrongs = [*broken, *(wrong for finding in findings for wrong in finding.wrongs)]
    wrongs += _left_out(scenario, trace)
    wrongs += _too_many(scenario, trace)
    wrongs += _one_sided(scenario, trace)
    observed = "; ".join(dict.fromkeys(finding.observed for finding in findings))
    laws = [law for law, state in holds.items() if state is Holds.BROKEN]
    if laws:
        observed += " [breaks " + ", ".join(laws) + "]"
    unmet = unmet_faults(scenario, trace)
    if broken or (wrongs and not unmet):
        verdict = Verdict.FAIL
    elif unmet:
        verdict = Verdict.INCONCLUSIVE
    else:
        verdict = BY_FIT[min(finding.fit for finding in findings)]
    primary, *accepted = expected_codes(scenario, dialect)
    return Judgement(
        verdict=verdict,
        expected=describe(scenario, dialect),
        observed=observed,
        mismatches=tuple(wrongs),
        laws=holds,
        primary=primary,
        accepted=tuple(accepted),
        note="; ".join(unmet),
    )


def expected_codes(scenario: Scenario, dialect: Dialect) -> list[str]:
    """The codes of the tier that the scenario ends in, primary first; `250` for a delivery."""
    codes = [code for way in ways(scenario.expect) for code in _codes_of(way, dialect)]
    return list(dict.fromkeys(codes))


def _codes_of(way: One, dialect: Dialect) -> list[str]:
    match way:
        case Delivers():
            return ["250"]
        case Refuses():
            return ["refused"]
        case Recorded():
            return ["any"]
    expired = isinstance(way, Expires)
    return [
        resolve(code.code, fails.peer, None) or code.code
        for fails in failures(way)
        for code in _tier(dialect, fails, expired)
    ]


def _tier(dialect: Dialect, fails: Fails, expired: bool = False) -> tuple[Code, ...]:
    entry = dialect.entry(fails.cause)
    return entry.expired if expired else entry.attempt


def describe(scenario: Scenario, dialect: Dialect) -> str:
    """The expectation in words, with its codes and where they come from."""
    codes = [
        str(code)
        for way in ways(scenario.expect)
        for fails in failures(way)
        for code in _tier(dialect, fails, isinstance(way, Expires))
    ]
    said = ", else ".join(dict.fromkeys(codes))
    return f"{scenario.expect}: {said}" if said else str(scenario.expect)


def _find_recipient(scenario: Scenario, trace: Trace, dialect: Dialect, recipient: str) -> Finding:
    expect = scenario.expect
    if isinstance(expect, Each):
        expect = expect.of(recipient.rpartition("@")[0])
    if not isinstance(expect, AnyOf):
        return _find(trace, dialect, recipient, expect)
    first, *others = (_find(trace, dialect, recipient, way) for way in expect.ways)
    accepted = [replace(one, fit=min(one.fit, Fit.ACCEPTED)) for one in others if not one.wrongs]
    if not first.wrongs:
        return first
    return max(accepted, key=lambda one: one.fit, default=first)


def _find(trace: Trace, dialect: Dialect, recipient: str, way: One) -> Finding:
    declined = trace.last(Declined)
    if isinstance(way, Refuses):
        return _refused(trace, recipient, declined)
    if declined is not None and not isinstance(way, Recorded):
        wrong = Mismatch("fate of the message", str(way), f"not taken: {declined.reply}")
        return Finding(Fit.WRONG, "refused when submitted", (wrong,))
    match way:
        case Delivers():
            return _delivered(trace, recipient, way)
        case Fails(_, peer):
            return _failed(trace, _tier(dialect, way), recipient, peer)
        case Recovers():
            return _recovered(trace, dialect, recipient, way)
        case Turns():
            return _turned(trace, dialect, recipient, way)
        case Expires(last):
            return _expired(trace, dialect, recipient, last)
        case Recorded():
            return _recorded(trace, recipient, declined)


def _refused(trace: Trace, recipient: str, declined: Declined | None) -> Finding:
    if declined is not None:
        return Finding(Fit.PRIMARY, "refused when submitted")
    fate = _fate(trace, recipient, next(iter(reports_of(trace, recipient)), None))
    return Finding(Fit.WRONG, fate, (Mismatch("fate of the message", str(Refuses()), fate),))


def _recorded(trace: Trace, recipient: str, declined: Declined | None) -> Finding:
    """Whatever it is, so long as something is said of it."""
    if declined is not None:
        return Finding(Fit.PRIMARY, "refused when submitted")
    first = next(iter(reports_of(trace, recipient)), None)
    fate = _fate(trace, recipient, first)
    wrong = () if first else (Mismatch("report", "any", fate),)
    return Finding(Fit.PRIMARY if first else Fit.WRONG, fate, wrong)


def _delivered(trace: Trace, recipient: str, way: Delivers) -> Finding:
    first = next(iter(reports_of(trace, recipient)), None)
    fate = _fate(trace, recipient, first)
    copies = [e for e in trace.all(Accepted) if recipient in e.recipients]
    fate += " twice" if len(copies) > 1 and fate.startswith("delivered") else ""
    wanted = [f"delivered to {host}{also}" for host in way.hosts for also in _copies(way.twice)]
    if fate in wanted:
        return Finding(Fit.PRIMARY, fate)
    wrong = Mismatch("fate of the message", f"{way} at once", _in_full(fate, first))
    return Finding(Fit.WRONG, fate, (wrong,))


def _copies(twice: bool) -> tuple[str, ...]:
    return ("", " twice") if twice else ("",)


def _failed(trace: Trace, tier: tuple[Code, ...], recipient: str, peer: str) -> Finding:
    first = next((r for r in reports_of(trace, recipient) if r.state is not State.DELIVERED), None)
    fate = _fate(trace, recipient, first)
    wanted = ", else ".join(resolve(code.code, peer, None) for code in tier)
    if first is None:
        return Finding(Fit.WRONG, fate, (Mismatch("report", wanted, fate),))
    found = best_fit(first, tier, peer, None)
    if found is Fit.WRONG:
        return Finding(found, fate, (Mismatch("code reported", wanted, _in_full(fate, first)),))
    return Finding(found, fate)


def _recovered(trace: Trace, dialect: Dialect, recipient: str, way: Recovers) -> Finding:
    failed = _failed(trace, _tier(dialect, way.first), recipient, way.first.peer)
    if failed.fit is not Fit.WRONG and failed.observed.startswith(State.RETURNED):
        return failed  # the dialect lets this failure be final, so there is nothing to recover
    copies = [e for e in trace.all(Accepted) if recipient in e.recipients]
    last = next((e.host for e in copies if e.acknowledged), "")
    fate = f"{failed.observed}, then " + (f"delivered to {last}" if last else "nothing")
    fate += " twice" if len(copies) > 1 else ""
    wrongs = failed.wrongs
    if last != way.to or (len(copies) > 1 and not way.twice):
        wrongs = (*wrongs, Mismatch("fate once the fault is gone", f"delivered to {way.to}", fate))
    return Finding(failed.fit, fate, wrongs)


def _turned(trace: Trace, dialect: Dialect, recipient: str, way: Turns) -> Finding:
    first = _failed(trace, _tier(dialect, way.first), recipient, way.first.peer)
    last = next(iter(reports_of(trace, recipient)[:0:-1]), None)
    fate = f"{first.observed}, then {_fate(trace, recipient, last)}"
    tier = _tier(dialect, way.then)
    found = best_fit(last, tier, way.then.peer, None) if last else Fit.WRONG
    if found is not Fit.WRONG:
        return Finding(min(first.fit, found), fate, first.wrongs)
    wanted = ", else ".join(resolve(code.code, way.then.peer, None) for code in tier)
    wrong = Mismatch("code of the later attempt", wanted, _in_full(fate, last))
    return Finding(Fit.WRONG, fate, (*first.wrongs, wrong))


def _expired(trace: Trace, dialect: Dialect, recipient: str, last: Fails) -> Finding:
    entry = dialect.entry(last.cause)
    tried = _failed(trace, entry.attempt, recipient, last.peer)
    tried = replace(tried, wrongs=(*tried.wrongs, *_never_again(trace, recipient)))
    reports = reports_of(trace, recipient)
    attempt = next((r for r in reversed(reports) if r.state is State.DEFERRED), None)
    if not trace.placement.sender:
        return _dropped(tried, reports)
    notices = [notice for _, notice in ndrs_of(trace, recipient)]
    if not notices:
        wrong = Mismatch("NDR at expiry", "one", "none came")
        return Finding(Fit.WRONG, f"{tried.observed}, then no NDR", (*tried.wrongs, wrong))
    notice = notices[0]
    quoted = notice.smtp // 100 == 4 and notice.status.startswith("5")  # see laws.code_class
    smtp = 0 if quoted else notice.smtp
    said = Report(
        recipient, State.EXPIRED, smtp, notice.status, notice.diagnostic, source=Source.DSN
    )
    found = best_fit(said, entry.expired, last.peer, attempt)
    fate = f"{tried.observed}, then {said}"
    if found is Fit.WRONG:
        wanted = ", else ".join(resolve(c.code, last.peer, attempt) for c in entry.expired)
        wrong = Mismatch("code in the NDR", wanted, f"{said}: {notice.diagnostic}")
        return Finding(found, fate, (*tried.wrongs, wrong))
    return Finding(min(found, tried.fit), fate, tried.wrongs)


def _never_again(trace: Trace, recipient: str) -> list[Mismatch]:
    """What is wrong if nothing was tried between the first failure and the end.

    RFC 5321 section 4.5.4.1. Another report is a sign of another attempt, and so is anything on
    the wire, because an attempt that ends after the lifetime is reported as the expiry only.
    Where SYNs cannot be seen, an agent that keeps its DNS answers may try and leave no sign.
    """
    if not trace.sealed:
        return []
    failed = [
        event.at
        for event in trace.all(Reported)
        if event.report.recipient.lower() == recipient.lower()
        and event.report.state is State.DEFERRED
    ]
    if len(failed) != 1 or _on_the_way_again(trace, failed[0]):
        return []
    return [Mismatch("attempts until expiry", "more than one", "one")]


def _on_the_way_again(trace: Trace, since: float) -> bool:
    """Whether the wire shows another attempt after the one that was reported.

    SYNs are counted: they may be seen later than the report on the attempt that they belong to.
    """
    knocks = [event.host for event in trace.all(Knocked)]
    asked = (e.at for e in trace.all(Asked) if is_below(e.name, trace.placement.domain))
    seen = [*asked, *(event.at for event in trace.all(Connected))]
    return len(knocks) > len(set(knocks)) or any(at > since for at in seen)


def _dropped(tried: Finding, reports: list[Report]) -> Finding:
    """Mail without a sender: it must be given up, and nobody is told."""
    if any(report.state in (State.EXPIRED, State.RETURNED) for report in reports):
        return Finding(tried.fit, f"{tried.observed}, then given up", tried.wrongs)
    wrong = Mismatch("fate at expiry", "given up", "still tried")
    return Finding(Fit.WRONG, f"{tried.observed}, then still tried", (*tried.wrongs, wrong))


def _fate(trace: Trace, recipient: str, report: Report | None) -> str:
    """What became of it, in few words that are the same in every run."""
    if report is not None and report.state is not State.DELIVERED:
        return str(report)
    hosts = [e.host for e in trace.all(Accepted) if recipient in e.recipients and e.acknowledged]
    return f"delivered to {hosts[0]}" if hosts else "nothing reported"


def _in_full(fate: str, report: Report | None) -> str:
    return f"{fate}: {report.text}" if report and report.text else fate


def unmet_faults(scenario: Scenario, trace: Trace) -> list[str]:
    """The faults of the scenario that the trace has no sign of."""
    unmet = []
    faulty = any(zone.faults for zone in scenario.all_zones)
    if faulty and not any(e.spoiled for e in trace.all(Asked)):
        unmet.append("no question met the DNS fault")
    spoiled = {e.host for e in trace.all(Did) if e.spoiled}
    shaken = {e.host for e in trace.all(Encrypted)} | {e.host for e in trace.all(TlsFailed)}
    bad = [host for host in scenario.all_hosts if host.behaviours or host.script]
    if bad and not any(host.name in spoiled for host in bad):
        unmet.append("no host came to misbehave")
    flawed = [host for host in scenario.all_hosts if _shows(host)]
    if flawed and not any(host.name in shaken for host in flawed):
        unmet.append("nobody shook hands with the host whose TLS is odd")
    away = [host for host in scenario.hosts if host.reach is not Reach.UP]
    if away and not any(_knocked(host, trace) for host in away):
        unmet.append("no connection to a host that is away was tried")
    return unmet


def _shows(host: Host) -> bool:
    """Whether there is something about the host that only a handshake shows."""
    return host.certificate is not Flaw.VALID or host.handshake is not Handshake.USUAL


def _left_out(scenario: Scenario, trace: Trace) -> list[Mismatch]:
    """What is wrong if addresses were left out, although none of the others answered.

    RFC 5321 section 5.1: each is tried until one works; an agent may have a limit, and should try
    two at least. Only where SYNs can be seen; if nothing was tried at all, the fault was never met.
    """
    if not trace.sealed or any(host.reach is Reach.UP for host in scenario.hosts):
        return []
    left = [host.name for host in scenario.hosts if not _knocked(host, trace)]
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


def _one_sided(scenario: Scenario, trace: Trace) -> list[Mismatch]:
    """What is wrong if a host got nothing, although the mail was to be spread (RFC 5321 section 5.1)."""
    way = scenario.expect
    if not (isinstance(way, Delivers) and way.spread):
        return []
    got = {event.host for event in trace.all(Accepted)}
    none = [host for host in way.hosts if host not in got]
    every = " and ".join(way.hosts)
    return [Mismatch("hosts that got mail", every, "none for " + ", ".join(none))] if none else []


def _knocked(host: Host, trace: Trace) -> bool:
    """Whether a connection was tried; where SYNs cannot be seen, whether its address was learnt."""
    if trace.sealed:
        return any(event.host == host.name for event in trace.all(Knocked))
    name, ip = trace.placement.hosts[host.name]
    asked = any(e.name.rstrip(".") == name and e.qtype == "A" for e in trace.all(Asked))
    said = any(ip in r.ip for one in trace.placement.recipients for r in reports_of(trace, one))
    return asked or said
