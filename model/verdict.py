"""What becomes of a scenario, and both sides of it."""

from dataclasses import dataclass, field
from enum import StrEnum


class Verdict(StrEnum):
    """The outcome of one scenario."""

    PASS = "pass"
    ACCEPTED = "accepted"
    """An alternative code that is documented or was observed."""
    WEAK = "weak"
    """The right class, but a code that does not tell what is wrong."""
    FAIL = "fail"
    UNSUPPORTED = "unsupported"
    """The target lacks a capability, or the room cannot make the fault."""
    KNOWN = "known"
    """A recorded deviation, seen again as recorded."""
    INCONCLUSIVE = "inconclusive"
    """The control failed, or the fault was never met: nothing can be said."""
    BROKEN = "broken"
    """Our fault."""


class Law(StrEnum):
    """What must hold in every scenario, whatever it is about."""

    ACCOUNTED = "accounted"
    NO_CLEAR_TEXT = "no-clear-text"
    CODE_CLASS = "code-class"
    NAMES_SERVER = "names-server"
    NDR_IN_TIME = "ndr-in-time"
    INTACT = "intact"
    CONFINED = "confined"
    UNAMBIGUOUS = "unambiguous"
    GREETS_AGAIN = "greets-again"
    LEGIBLE = "legible"
    OFFERED = "offered"
    NDR_CONFORMS = "ndr-conforms"
    SOURCE = "source"


class Holds(StrEnum):
    """Whether a law holds."""

    OK = "ok"
    BROKEN = "broken"
    NOT_APPLICABLE = "n/a"


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One difference: what was looked at, what was expected, what was observed."""

    what: str
    expected: str
    observed: str

    def __str__(self) -> str:
        return f"{self.what}\n    expected: {self.expected}\n    observed: {self.observed}"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with both sides of it.

    `observed` is short and the same in every run of the same behaviour, so that a deviation can
    quote it; `mismatches` and `laws` say what is wrong in full. `advised`: a document only
    advises what is missed (SHOULD), whatever the level of the scenario's own rule.
    """

    verdict: Verdict
    expected: str
    observed: str
    mismatches: tuple[Mismatch, ...] = ()
    laws: dict[Law, Holds] = field(default_factory=dict)
    primary: str = ""
    accepted: tuple[str, ...] = ()
    note: str = ""
    advised: bool = False

    @property
    def conforms(self) -> bool:
        """Whether the target did what it must; a weak code is not a wrong one."""
        return self.verdict in (Verdict.PASS, Verdict.ACCEPTED, Verdict.WEAK)
