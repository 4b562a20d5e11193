"""A scenario's page for the person who must mend mail at 3 a.m.: plain texts, most telling first."""

from collections.abc import Iterator

from model.course import history
from model.events import Event, Returned, describe
from model.scenario import HOUR, Scenario
from model.trace import Clock, Trace
from model.verdict import Holds, Judgement

MOST_LINES = 400
"""Lines of a timeline that are shown where all evidence is; hundreds of messages leave thousands."""


def description(scenario: Scenario, judgement: Judgement, trace: Trace | None) -> str:
    """Markdown: the rule, both sides, the laws, what is wrong, and what happened."""
    lines = [
        f"**Rule.** {scenario.rule}",
        f"**Expected.** {judgement.expected}",
        f"**Observed.** {judgement.observed or 'nothing'}",
        f"**Verdict.** {judgement.verdict}" + (f": {judgement.note}" if judgement.note else ""),
        f"**Laws.** {_laws(judgement)}",
    ]
    if judgement.mismatches:
        lines += ["**What is wrong.**", *map(_verbatim, map(str, judgement.mismatches))]
    lines += [f"**Remedy.** {one.words} ({one.party})" for one in scenario.remedies]
    if trace is not None and trace.clock is not Clock.RUNS:
        lines += [f"**In the queue,** by age ({trace.clock} clock):", _verbatim(ages(trace))]
    if trace is not None:
        lines += ["**What happened,** by seconds:", _verbatim(shortened(timeline(trace.events)))]
    return "\n\n".join(lines)


def ages(trace: Trace) -> str:
    """What became of the mail as it grew older, hours at the head of each line."""
    return "\n".join(f"{age / HOUR:8.3f} h  {what}" for age, what in history(trace))


def _laws(judgement: Judgement) -> str:
    """Which are broken, or how many were kept."""
    looked_at = [law for law, holds in judgement.laws.items() if holds is not Holds.NOT_APPLICABLE]
    broken = [law for law in looked_at if judgement.laws[law] is Holds.BROKEN]
    if broken:
        return f"broken: {', '.join(broken)}"
    return f"all kept: {', '.join(looked_at)}" if looked_at else "not looked at"


def _verbatim(text: str) -> str:
    """A Markdown block that is shown as it stands."""
    return f"~~~~\n{text}\n~~~~"


def attachments(judgement: Judgement, trace: Trace) -> Iterator[tuple[str, str]]:
    """Name and text of each piece of evidence that is not empty."""
    yield "timeline", timeline(trace.events)
    for number, event in enumerate(trace.all(Returned), 1):
        yield f"returned mail {number}", event.content.decode("utf-8", "replace")
    placed = trace.placement
    hosts = [f"{name}: {fqdn} {ip}:{placed.port}" for name, (fqdn, ip) in placed.hosts.items()]
    sender = f"sender: <{placed.sender}>"
    yield "place", "\n".join([f"domain: {placed.domain}", sender, *hosts])
    broken = [law for law, holds in judgement.laws.items() if holds is Holds.BROKEN]
    if broken:
        sent = next(iter(trace.sent.values()), b"")
        yield "message as sent", sent.decode("utf-8", "replace")


def shortened(text: str) -> str:
    """A text to look at: of one with very many lines, the beginning and the end."""
    lines = text.splitlines()
    left_out = len(lines) - MOST_LINES
    if left_out <= 0:
        return text
    half = MOST_LINES // 2
    note = f"     ...  {left_out} lines more, which the report's timeline has"
    return "\n".join([*lines[:half], note, *lines[-half:]])


def timeline(events: tuple[Event, ...]) -> str:
    """Every event in time order, seconds since launch at the head of its line."""
    ordered = sorted(events, key=lambda event: event.at)
    return "\n".join(f"{event.at:8.3f}  {describe(event)}" for event in ordered)
