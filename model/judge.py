"""From a trace to a verdict.

Theory of operation
-------------------
The report is judged by the dialect, the trace by the laws, and the fault by the trace: a
scenario whose fault was never met proves nothing, whatever the agent said. The order is: a
broken law fails; a mismatch with the fault met fails; a fault never met is inconclusive; a
time-out of the agent's own that is too short fails what is only advised; what is left is as good
as its code (pass, accepted, weak).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

from model.attempts import amiss, too_hasty
from model.course import out_of_course
from model.dialect import Code, Dialect, Fit, best_fit, codes_of, resolve, without_words
from model.events import Asked, Connected, Declined, Knocked, Reported
from model.expect import (
    AnyOf,
    Arrives,
    Delivers,
    Each,
    Expires,
    Fails,
    One,
    PutOff,
    Recorded,
    Recovers,
    Refuses,
    Turns,
    failures,
    ways,
)
from model.laws import GRACE, age_at, check, copies_of, is_below, ndrs_of, refusal_of, reports_of
from model.ndr_law import advice
from model.report import Report, Source, State
from model.scenario import Scenario
from model.trace import Trace
from model.unmet import unmet_faults
from model.verdict import Holds, Judgement, Mismatch, Verdict

BY_FIT = {Fit.PRIMARY: Verdict.PASS, Fit.ACCEPTED: Verdict.ACCEPTED, Fit.WEAK: Verdict.WEAK}


_CODES = re.compile(r"(4\d\d)\b(?![ -]+[25]\.\d)(?:[ -]+(4\.\d{1,3}\.\d{1,3}))?")
"""A 4yz, and an enhanced code of the same class if there is one."""
NO_ROOM = "452"
"""The reply of an agent that has no room for a message now (RFC 5321 section 4.2.2)."""


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
    besides = [*amiss(scenario, trace), *out_of_course(scenario, trace)]
    wrongs += besides
    observed = "; ".join(dict.fromkeys(finding.observed for finding in findings))
    laws = [law for law, state in holds.items() if state is Holds.BROKEN]
    if laws:
        observed += " [breaks " + ", ".join(laws) + "]"
    if besides:
        observed += " [amiss: " + ", ".join(dict.fromkeys(one.what for one in besides)) + "]"
    unmet = unmet_faults(scenario, trace, astray=bool(wrongs))
    hasty = too_hasty(trace)
    advised = bool(hasty) and not (wrongs or unmet)
    if hasty:
        observed += " [" + ", ".join(mismatch.observed for mismatch in hasty) + "]"
    if broken or (wrongs and not unmet) or advised:
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
        mismatches=(*wrongs, *hasty),
        laws=holds,
        primary=primary,
        accepted=tuple(accepted),
        note="; ".join(unmet or _advice(scenario, trace)),
        advised=advised,
    )


def _advice(scenario: Scenario, trace: Trace) -> list[str]:
    """What is only advised of mail that came home, and not done: worth a word, and no more."""
    wrongs = advice(scenario, trace)
    return [f"advised, {m.what}: {m.expected}; observed: {m.observed}" for m in wrongs]


def expected_codes(scenario: Scenario, dialect: Dialect) -> list[str]:
    """The codes of the tier that the scenario ends in, primary first; `250` for a delivery."""
    codes = [code for way in ways(scenario.expect) for code in _codes_of(way, dialect)]
    return list(dict.fromkeys(codes))


def _codes_of(way: One, dialect: Dialect) -> list[str]:
    match way:
        case Delivers() | Arrives():
            return ["250"]
        case Refuses():
            return ["refused"]
        case PutOff():
            return [NO_ROOM]
        case Recorded():
            return ["any"]
    return [
        resolve(code.code, fails.peer, None) or code.code
        for fails in failures(way)
        for code in _tier(dialect, fails, _is_last(fails, way))
    ]


def _is_last(fails: Fails, way: One) -> bool:
    """Whether a failure is the one that a lifetime ends with."""
    return isinstance(way, Expires) and fails is way.last


def _tier(dialect: Dialect, fails: Fails, expired: bool = False) -> tuple[Code, ...]:
    entry = dialect.entry(fails.cause)
    return entry.expired if expired else entry.attempt


def describe(scenario: Scenario, dialect: Dialect) -> str:
    """The expectation in words, with its codes and where they come from."""
    codes = [
        str(code)
        for way in ways(scenario.expect)
        for fails in failures(way)
        for code in _tier(dialect, fails, _is_last(fails, way))
    ]
    said = ", else ".join(dict.fromkeys(codes))
    return f"{scenario.expect}: {said}" if said else str(scenario.expect)


def _find_recipient(scenario: Scenario, trace: Trace, dialect: Dialect, recipient: str) -> Finding:
    expect = scenario.expect
    if isinstance(expect, Each):
        expect = expect.of(recipient.rpartition("@")[0])
    hears = scenario.mail.hears
    if not isinstance(expect, AnyOf):
        return _follow(trace, dialect, recipient, expect, hears)
    first, *others = (_follow(trace, dialect, recipient, way, hears) for way in expect.ways)
    accepted = [replace(one, fit=min(one.fit, Fit.ACCEPTED)) for one in others if not one.wrongs]
    if not first.wrongs:
        return first
    return max(accepted, key=lambda one: one.fit, default=first)


def _follow(trace: Trace, dialect: Dialect, recipient: str, way: One, hears: bool) -> Finding:
    """How one recipient's mail fared against one way, and what its sender was told on that way."""
    found = _find(trace, dialect, recipient, way, hears)
    mistold = _mistold(trace, dialect, recipient, way)
    if found.wrongs or not mistold:
        return found  # a notice that repeats what is wrong already is not wrong once more
    amiss_too = ", ".join(dict.fromkeys(one.what for one in mistold))
    return Finding(Fit.WRONG, f"{found.observed} ({amiss_too})", tuple(mistold))


def _mistold(trace: Trace, dialect: Dialect, recipient: str, way: One) -> list[Mismatch]:
    """What is wrong if a notice has a Status that none of the way's failures has; it has no words.

    The NDR at the end of a lifetime has a tier of its own, and is looked at there.
    """
    tiers = [(without_words(_tier(dialect, f)), f.peer) for f in failures(way)]
    looked_at = {"delayed": State.DEFERRED}
    if not isinstance(way, Expires):
        looked_at["failed"] = State.RETURNED
    wanted = ", else ".join(
        dict.fromkeys(resolve(code.code, peer, None) for tier, peer in tiers for code in tier)
    )
    wrongs = []
    for _, notice in trace.account(recipient).notices:
        state = looked_at.get(notice.action)
        if state is None or not tiers or not notice.status:
            continue
        said = Report(recipient, state, enhanced=notice.status, source=Source.DSN)
        if all(best_fit(said, tier, peer, None) is Fit.WRONG for tier, peer in tiers):
            what = f"Status in the notice: {notice.action}"
            wrongs.append(Mismatch(what, wanted, notice.status))
    return wrongs


def _find(trace: Trace, dialect: Dialect, recipient: str, way: One, hears: bool) -> Finding:
    """How one recipient's mail fared against one way; `hears`: its sender is told of a failure."""
    declined = refusal_of(trace, recipient)
    if isinstance(way, Refuses):
        return _refused(trace, recipient, declined)
    if isinstance(way, PutOff):
        return _put_off(trace, recipient, declined, way)
    if declined is not None and not isinstance(way, Recorded):
        wrong = Mismatch("fate of the message", str(way), f"not taken: {declined.reply}")
        return Finding(Fit.WRONG, "refused when submitted", (wrong,))
    match way:
        case Delivers():
            return _delivered(trace, recipient, way)
        case Fails(_, peer, quote):
            return _failed(trace, _tier(dialect, way), recipient, peer, quote)
        case Recovers():
            return _recovered(trace, dialect, recipient, way)
        case Arrives():
            return _arrived(trace, recipient, way)
        case Turns():
            return _turned(trace, dialect, recipient, way)
        case Expires():
            return _expired(trace, dialect, recipient, way, hears)
        case Recorded():
            return _recorded(trace, recipient, declined)


def _refused(trace: Trace, recipient: str, declined: Declined | None) -> Finding:
    if declined is not None:
        return Finding(Fit.PRIMARY, "refused when submitted")
    fate = _fate(trace, recipient, next(iter(reports_of(trace, recipient)), None))
    return Finding(Fit.WRONG, fate, (Mismatch("fate of the message", str(Refuses()), fate),))


def _put_off(trace: Trace, recipient: str, declined: Declined | None, way: PutOff) -> Finding:
    """A 4yz at the door, since the client then keeps the mail; and one copy in the end."""
    if declined is None:
        fate = _fate(trace, recipient, next(iter(reports_of(trace, recipient)), None))
        fate = f"taken while there was no room, {fate}"
        return Finding(Fit.WRONG, fate, (Mismatch("fate of the message", str(way), fate),))
    codes = _CODES.match(declined.reply)
    said = " ".join(filter(None, codes.groups())) if codes else declined.reply
    wrongs = [] if codes else [Mismatch("reply at the agent's door", "4yz", declined.reply)]
    hosts = [copy.host for copy in copies_of(trace, recipient) if copy.acknowledged]
    fate = f"refused with {said}, then delivered to " + (", ".join(hosts) or "nobody")
    if hosts != [way.to]:
        wrongs.append(Mismatch("fate when its client comes again", f"delivered to {way.to}", fate))
    usual = Fit.PRIMARY if said.startswith(NO_ROOM) else Fit.ACCEPTED
    return Finding(Fit.WRONG if wrongs else usual, fate, tuple(wrongs))


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
    copies = copies_of(trace, recipient)
    fate += " twice" if len(copies) > 1 and fate.startswith("delivered") else ""
    wanted = [f"delivered to {host}{also}" for host in way.hosts for also in _copies(way.twice)]
    if fate in wanted:
        return Finding(Fit.PRIMARY, fate)
    wrong = Mismatch("fate of the message", f"{way} at once", _in_full(fate, first))
    return Finding(Fit.WRONG, fate, (wrong,))


def _copies(twice: bool) -> tuple[str, ...]:
    return ("", " twice") if twice else ("",)


def _failed(
    trace: Trace, tier: tuple[Code, ...], recipient: str, peer: str, quote: str = ""
) -> Finding:
    first = next((r for r in reports_of(trace, recipient) if r.state is not State.DELIVERED), None)
    fate = _fate(trace, recipient, first)
    wanted = codes_of(tier, peer)
    if first is None:
        return Finding(Fit.WRONG, fate, (Mismatch("report", wanted, fate),))
    found = best_fit(first, tier, peer, None)
    if found is Fit.WRONG:
        return Finding(found, fate, (Mismatch("code reported", wanted, _in_full(fate, first)),))
    if quote not in first.text:
        wrong = Mismatch("words of the server", f"{quote!r} among them", first.text)
        return Finding(Fit.WRONG, f"{fate} without the server's words", (wrong,))
    return Finding(found, fate)


def _recovered(trace: Trace, dialect: Dialect, recipient: str, way: Recovers) -> Finding:
    reports, first = reports_of(trace, recipient), way.first
    if way.some and reports and reports[0].state is State.DELIVERED:
        return _delivered(trace, recipient, Delivers(way.to))
    failed = _failed(trace, _tier(dialect, first), recipient, first.peer, first.quote)
    if failed.fit is not Fit.WRONG and failed.observed.startswith(State.RETURNED):
        return failed  # the dialect lets this failure be final, so there is nothing to recover
    if way.then and not failed.wrongs:
        failed = _in_series(trace, dialect, recipient, (first, *way.then))
    copies = copies_of(trace, recipient)
    last = next((e.host for e in copies if e.acknowledged), "")
    fate = f"{failed.observed}, then " + (f"delivered to {last}" if last else "nothing")
    fate += " twice" if len(copies) > 1 else ""
    wrongs = failed.wrongs
    if last != way.to or (len(copies) > 1 and not way.twice):
        wrongs = (*wrongs, Mismatch("fate once the fault is gone", f"delivered to {way.to}", fate))
    return Finding(failed.fit, fate, wrongs)


def _arrived(trace: Trace, recipient: str, way: Arrives) -> Finding:
    last = next(iter(reports_of(trace, recipient)[::-1]), None)
    fate = _fate(trace, recipient, last)
    if fate == f"delivered to {way.to}":
        return Finding(Fit.PRIMARY, fate)
    wrong = Mismatch("fate of the message in the end", str(way), _in_full(fate, last))
    return Finding(Fit.WRONG, fate, (wrong,))


def _turned(trace: Trace, dialect: Dialect, recipient: str, way: Turns) -> Finding:
    first = _failed(trace, _tier(dialect, way.first), recipient, way.first.peer)
    last = next(iter(reports_of(trace, recipient)[:0:-1]), None)
    fate = f"{first.observed}, then {_fate(trace, recipient, last)}"
    tier = _tier(dialect, way.then)
    found = best_fit(last, tier, way.then.peer, None) if last else Fit.WRONG
    if found is not Fit.WRONG:
        return Finding(min(first.fit, found), fate, first.wrongs)
    wanted = codes_of(tier, way.then.peer)
    wrong = Mismatch("code of the later attempt", wanted, _in_full(fate, last))
    return Finding(Fit.WRONG, fate, (*first.wrongs, wrong))


def _in_series(trace: Trace, dialect: Dialect, recipient: str, series: Sequence[Fails]) -> Finding:
    """How the attempts fared that must have failed in one way after another.

    A weak code fits more than one of them, so every way to read the reports is followed: `reached`
    are the failures that may be the present one, each with the worst fit so far.
    """
    failed = [r for r in reports_of(trace, recipient) if r.state is State.DEFERRED]
    seen = ", then ".join(dict.fromkeys(map(str, failed))) or "nothing reported"
    reached = {-1: Fit.PRIMARY}
    for report in failed:
        fits = [best_fit(report, _tier(dialect, one), one.peer, None) for one in series]
        before, reached = reached, {}
        for at, worst in before.items():
            for here in (at, at + 1):
                if 0 <= here < len(series) and fits[here] is not Fit.WRONG:
                    found = min(worst, fits[here])
                    reached[here] = max(found, reached.get(here, Fit.WRONG))
    if len(series) - 1 in reached:
        return Finding(reached[len(series) - 1], seen)
    wrong = Mismatch("failed attempts", ", then ".join(map(str, series)), seen)
    return Finding(Fit.WRONG, seen, (wrong,))


def _expired(trace: Trace, dialect: Dialect, recipient: str, way: Expires, hears: bool) -> Finding:
    last = way.last
    entry = dialect.entry(last.cause)
    reports = reports_of(trace, recipient)
    if any(report.state is State.DEFERRED for report in reports):
        tried = _in_series(trace, dialect, recipient, (*way.before, last))
    else:
        tried = _failed(trace, entry.attempt, recipient, last.peer)
    if never := _never_again(trace, recipient):
        tried = Finding(tried.fit, f"{tried.observed} once", (*tried.wrongs, *never))
    if early := _ended_early(trace, recipient):
        tried = Finding(tried.fit, f"{tried.observed}, given up early", (*tried.wrongs, *early))
    attempt = next((r for r in reversed(reports) if r.state is State.DEFERRED), None)
    if not hears:
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
        wanted = codes_of(entry.expired, last.peer, attempt)
        wrong = Mismatch("code in the NDR", wanted, f"{said}: {notice.diagnostic}")
        return Finding(found, fate, (*tried.wrongs, wrong))
    return Finding(min(found, tried.fit), fate, tried.wrongs)


def _ended_early(trace: Trace, recipient: str) -> list[Mismatch]:
    """What is wrong if mail was given up, as expired or as whatever, before its lifetime was over."""
    account = trace.account(recipient)
    over = (State.RETURNED, State.EXPIRED)
    ends = [event.at for event in account.reports if event.report.state in over]
    ends += [event.at for event, _ in ndrs_of(trace, recipient)]
    age = min((age_at(trace, at) for at in ends), default=inf)
    if age >= trace.lifetime - GRACE:
        return []
    return [Mismatch("end", f"not before {trace.lifetime:.0f} s", f"after {age:.0f} s")]


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
    return [Mismatch("failed attempts", "more than one", "one")]


def _on_the_way_again(trace: Trace, since: float) -> bool:
    """Whether the wire shows another attempt after the one that was reported.

    SYNs are counted: they may be seen later than the report on the attempt that they belong to.
    """
    knocks = [event.host for event in trace.all(Knocked)]
    asked = (e.at for e in trace.all(Asked) if is_below(e.name, trace.placement.domain))
    seen = [*asked, *(event.at for event in trace.all(Connected))]
    return len(knocks) > len(set(knocks)) or any(at > since for at in seen)


def _dropped(tried: Finding, reports: list[Report]) -> Finding:
    """Mail whose sender is told nothing: it must be given up all the same."""
    if any(report.state in (State.EXPIRED, State.RETURNED) for report in reports):
        return Finding(tried.fit, f"{tried.observed}, then given up", tried.wrongs)
    wrong = Mismatch("fate at expiry", "given up", "still tried")
    return Finding(Fit.WRONG, f"{tried.observed}, then still tried", (*tried.wrongs, wrong))


def _fate(trace: Trace, recipient: str, report: Report | None) -> str:
    """What became of it, in few words that are the same in every run."""
    if report is not None and report.state is not State.DELIVERED:
        return str(report)
    hosts = [copy.host for copy in copies_of(trace, recipient) if copy.acknowledged]
    return f"delivered to {hosts[0]}" if hosts else "nothing reported"


def _in_full(fate: str, report: Report | None) -> str:
    return f"{fate}: {report.text}" if report and report.text else fate
