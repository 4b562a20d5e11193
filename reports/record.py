"""One scenario's line in the verdict file: plain values only."""

import collections
from typing import Any

from model.course import history
from model.events import Accepted, Reported
from model.expect import main_failure
from model.failure import Cause
from model.report import Report, State
from model.scenario import HOUR, Scenario
from model.trace import Clock, Trace
from model.verdict import Judgement
from model.waits import waits


def record_of(
    name: str, scenario: Scenario, judgement: Judgement, trace: Trace | None
) -> dict[str, Any]:
    """The record of one scenario, as `reports/verdicts.schema.json` describes it."""
    cause = cause_of(scenario)
    return {
        "id": name,
        "chapter": scenario.chapter,
        "title": scenario.title,
        "failure": str(cause.failure) if cause else None,
        "reason": cause.reason if cause else None,
        "verdict": str(judgement.verdict),
        "expected": {"primary": judgement.primary, "accepted": list(judgement.accepted)},
        "observed": judgement.observed,
        "report": _report(trace),
        "laws": {str(law): str(holds) for law, holds in judgement.laws.items()},
        "attempts": _attempts(trace),
        "copies": _copies(trace),
        "waits": _waits(trace),
        "clock": str(trace.clock) if trace else None,
        "history": _history(trace),
        "seconds": round(trace.events[-1].at, 3) if trace and trace.events else 0.0,
        "note": judgement.note,
    }


def cause_of(scenario: Scenario) -> Cause | None:
    """The failure that a scenario stands for; None for a healthy one."""
    found = main_failure(scenario.expect)
    return found.cause if found else None


def _reports(trace: Trace | None) -> list[Report]:
    return [event.report for event in trace.all(Reported)] if trace else []


def _report(trace: Trace | None) -> dict[str, Any] | None:
    """The report that was judged: the first failure, or the delivery."""
    found = _reports(trace)
    chosen = next((r for r in found if r.state is not State.DELIVERED), found[0] if found else None)
    if chosen is None:
        return None
    return {
        "state": str(chosen.state),
        "code": chosen.smtp or None,
        "enhanced": chosen.enhanced or None,
        "text": chosen.text,
        "host": chosen.host or None,
        "ip": chosen.ip or None,
        "source": str(chosen.source),
    }


def _copies(trace: Trace | None) -> int:
    """How often the recipient who got most copies got one: two are a duplicate, as of RFC 1047."""
    stored = trace.all(Accepted) if trace else ()
    counts = collections.Counter(r for copy in stored for r in copy.recipients)
    return max(counts.values(), default=0)


def _waits(trace: Trace | None) -> list[dict[str, Any]]:
    """How long the agent waited for a host that had fallen silent, and the least it should."""
    found = waits(trace) if trace else ()
    return [
        {"stage": one.where, "seconds": one.seconds, "minimum": one.minimum or None}
        for one in found
    ]


def _history(trace: Trace | None) -> list[dict[str, Any]]:
    """What became of mail that waited for hours, by its age; empty if it did not."""
    if trace is None or trace.clock is Clock.RUNS:
        return []
    return [{"hours": round(age / HOUR, 3), "what": what} for age, what in history(trace)]


def _attempts(trace: Trace | None) -> int:
    return sum(report.state is not State.EXPIRED for report in _reports(trace))
