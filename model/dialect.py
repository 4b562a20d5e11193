"""A dialect: which code an agent family reports for which failure, and who says so.

Theory of operation
-------------------
A dialect is a list of entries. The entry for a cause is the one that names its reason, else the
one whose reason is `*`. An entry has two tiers: `attempt`, while the mail is tried, and
`expired`, when it is given up. Each tier is a primary code and accepted alternatives, each
with its provenance and source.

A code is written as an agent writes it: `450 4.4.316`, or `4.4.1` where the SMTP code is
nobody's business; or as a word for a code that only the scenario knows:

    peer            the reply the host gave, both codes of it
    peer-deferred   the host's enhanced code with class 4, for a refusal that is taken as transient
    attempt         at expiry: the enhanced code of the last attempt, unchanged
    attempt-final   at expiry: the same with class 5 (RFC 3463 section 3.5 on X.4.7)
"""

import re
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum

from model.failure import Cause
from model.report import Report, State


class Provenance(StrEnum):
    """How we know that a code is right."""

    DOCUMENTED = "documented"
    OBSERVED = "observed"
    STANDARD = "standard"
    INFERRED = "inferred"


class Fit(IntEnum):
    """How well a report's code fits a tier, best last."""

    WRONG = 0
    WEAK = 1
    """The right class, but a code that says nothing more: X.0.0, X.4.0 for X.4.1, or none."""
    ACCEPTED = 2
    PRIMARY = 3


@dataclass(frozen=True, slots=True)
class Code:
    """One code, its provenance, and the document or observation behind it.

    `words` stand behind the code, in whatever case, wherever it is said; empty: no source has any.
    """

    code: str
    provenance: Provenance
    source: str
    words: str = ""

    def is_said_in(self, text: str) -> bool:
        """Whether a text has the words."""
        return self.words.casefold() in text.casefold()

    def __str__(self) -> str:
        return f"{self.code} ({self.provenance}: {self.source})"


@dataclass(frozen=True, slots=True)
class Entry:
    """The two tiers of one cause; `reason` may be `*`. The first code of a tier is primary."""

    failure: str
    reason: str
    attempt: tuple[Code, ...]
    expired: tuple[Code, ...]


@dataclass(frozen=True, slots=True)
class Dialect:
    """A family's codes and its lifetime in seconds."""

    name: str
    title: str
    lifetime: float
    entries: tuple[Entry, ...]

    def entry(self, cause: Cause) -> Entry:
        """The entry for a cause. Raises KeyError if the dialect is silent about it."""
        for reason in (cause.reason, "*"):
            for entry in self.entries:
                if (entry.failure, entry.reason) == (cause.failure, reason):
                    return entry
        raise KeyError(f"dialect {self.name} has no entry for {cause}")


def resolve(code: str, peer: str, attempt: Report | None) -> str:
    """A code with its words replaced by what the scenario and the last attempt say."""
    smtp, enhanced = split(peer)
    match code:
        case "peer":
            return f"{smtp} {enhanced}".strip() if enhanced else f"{smtp} {smtp[:1]}.0.0"
        case "peer-deferred":
            return f"4{enhanced[1:]}" if enhanced else "4.0.0"
        case "attempt":
            return attempt.enhanced if attempt else ""
        case "attempt-final":
            return f"5{attempt.enhanced[1:]}" if attempt and attempt.enhanced else ""
    return code


def split(text: str) -> tuple[str, str]:
    """The reply code and the enhanced code at the head of a text; empty where there is none."""
    found = re.match(r"(?:(\d{3})(?:[ -]|$))?(\d\.\d{1,3}\.\d{1,3}(?!\d|\.))?", text)
    assert found is not None  # both parts are optional
    return found[1] or "", found[2] or ""


def fit(report: Report, wanted: str) -> Fit:
    """How well a report fits one resolved code; PRIMARY stands for an exact match."""
    smtp, enhanced = split(wanted)
    said_smtp = str(report.smtp or "")
    if enhanced and report.enhanced == enhanced and said_smtp in ("", smtp or said_smtp):
        return Fit.PRIMARY
    if report.enhanced and said_smtp and said_smtp[0] != report.enhanced[0]:
        return Fit.WRONG
    kind = (report.enhanced or said_smtp or _class_of(report.state))[0]
    if kind != enhanced[:1]:
        return Fit.WRONG
    subject = enhanced.split(".")[1] if enhanced else "0"
    return Fit.WEAK if report.enhanced in ("", f"{kind}.0.0", f"{kind}.{subject}.0") else Fit.WRONG


def without_words(tier: tuple[Code, ...]) -> tuple[Code, ...]:
    """The codes of a tier, where they are looked for in a field that has nothing else."""
    return tuple(replace(code, words="") for code in tier)


def codes_of(tier: tuple[Code, ...], peer: str, attempt: Report | None = None) -> str:
    """What may be said: the codes of a tier with their words, in order."""
    return ", else ".join(
        f"{resolve(code.code, peer, attempt)} {code.words}".strip() for code in tier
    )


def _class_of(state: State) -> str:
    return {State.DELIVERED: "2", State.DEFERRED: "4", State.HELD: "4"}.get(state, "5")


def best_fit(report: Report, tier: tuple[Code, ...], peer: str, attempt: Report | None) -> Fit:
    """The best fit of a report to a tier: PRIMARY to its first code, ACCEPTED to another.

    A code that is said exactly must have its words with it.
    """
    found = Fit.WRONG
    for position, code in enumerate(tier):
        this = fit(report, resolve(code.code, peer, attempt))
        if this is Fit.PRIMARY and not code.is_said_in(report.text):
            this = Fit.WRONG
        if this is Fit.PRIMARY and position:
            this = Fit.ACCEPTED
        found = max(found, this)
    return found
