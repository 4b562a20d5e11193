"""A scenario's page for the person who must mend mail at 3 a.m.: plain texts, most telling first."""

from collections.abc import Iterator

from model.events import Event, Returned, describe
from model.scenario import Scenario
from model.trace import Trace
from model.verdict import Holds, Judgement


def description(scenario: Scenario, judgement: Judgement) -> str:
    """Markdown: the rule, both sides, and the laws."""
    laws = ", ".join(f"{law} {holds}" for law, holds in judgement.laws.items())
    lines = [
        f"**Rule.** {scenario.rule}",
        f"**Expected.** {judgement.expected}",
        f"**Observed.** {judgement.observed or 'nothing'}",
        f"**Verdict.** {judgement.verdict}" + (f": {judgement.note}" if judgement.note else ""),
        f"**Laws.** {laws or 'not looked at'}",
    ]
    return "\n\n".join(lines)


def attachments(judgement: Judgement, trace: Trace) -> Iterator[tuple[str, str]]:
    """Name and text of each piece of evidence that is not empty."""
    if judgement.mismatches:
        yield "mismatches", "\n".join(str(mismatch) for mismatch in judgement.mismatches)
    yield "timeline", timeline(trace.events)
    for number, event in enumerate(trace.all(Returned), 1):
        yield f"returned mail {number}", event.content.decode("utf-8", "replace")
    placed = trace.placement
    hosts = [f"{name}: {fqdn} {ip}:{placed.port}" for name, (fqdn, ip) in placed.hosts.items()]
    sender = f"sender: <{placed.sender}>"
    yield "place", "\n".join([f"domain: {placed.domain}", sender, *hosts])
    broken = [law for law, holds in judgement.laws.items() if holds is Holds.BROKEN]
    if broken:
        yield "message as sent", trace.sent.decode("utf-8", "replace")


def timeline(events: tuple[Event, ...]) -> str:
    """Every event in time order, seconds since launch at the head of its line."""
    ordered = sorted(events, key=lambda event: event.at)
    return "\n".join(f"{event.at:8.3f}  {describe(event)}" for event in ordered)
