"""The sentence under test, and where it is written."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How binding a rule is (RFC 2119), or whose decision it is."""

    MUST = "must"
    SHOULD = "should"
    POLICY = "policy"


@dataclass(frozen=True, slots=True)
class Rule:
    """One requirement: its document, its place there, its level, and our own words for it."""

    document: str
    section: str
    level: Level
    words: str

    def __str__(self) -> str:
        return f"{self.document} {self.section} ({self.level}): {self.words}"
