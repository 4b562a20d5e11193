"""The dialects, read from the TOML files of this folder."""

import functools
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from model.dialect import Code, Dialect, Entry, Provenance
from model.failure import REASONS, Cause, Failure

HERE = Path(__file__).parent


class BadDialect(ValueError):
    """A dialect file says something it must not; one sentence naming file and entry."""


def names() -> list[str]:
    """The dialects there are."""
    return sorted(path.stem for path in HERE.glob("*.toml"))


@functools.cache
def load(name: str) -> Dialect:
    """The dialect of that name. Raises BadDialect if there is none or its file is wrong."""
    if name not in names():
        raise BadDialect(f"there is no dialect {name!r}; known are {', '.join(names())}")
    return read(name, (HERE / f"{name}.toml").read_text())


def read(name: str, text: str) -> Dialect:
    """A dialect out of TOML text; with `like`, the entries it has not come from that dialect.

    Raises BadDialect, also if a failure is left without an entry.
    """
    try:
        data = tomllib.loads(text)
        own = tuple(_entry(name, raw) for raw in data.get("entry", ()))
        dialect = Dialect(name, data["title"], data["lifetime_hours"] * 3600.0, own)
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise BadDialect(f"dialect {name}: {error!r}; mend its file") from error
    if base := data.get("like"):
        have = {(entry.failure, entry.reason) for entry in own}
        theirs = [e for e in load(base).entries if (e.failure, e.reason) not in have]
        dialect = replace(dialect, entries=(*own, *theirs))
    for failure, reasons in REASONS.items():
        for reason in sorted(reasons):
            _check(dialect, Cause(failure, reason))
    return dialect


def _check(dialect: Dialect, cause: Cause) -> None:
    try:
        dialect.entry(cause)
    except KeyError:
        raise BadDialect(
            f"dialect {dialect.name} says nothing about {cause}; add an entry"
        ) from None


def _entry(name: str, raw: dict[str, Any]) -> Entry:
    failure, reason = raw["failure"], raw.get("reason", "*")
    if failure not in set(Failure) or reason not in {"*", *REASONS[Failure(failure)]}:
        raise BadDialect(f"dialect {name}: there is no failure {failure}/{reason}")
    return Entry(failure, reason, _codes(raw["attempt"]), _codes(raw["expired"]))


def _codes(raw: list[list[str]]) -> tuple[Code, ...]:
    return tuple(Code(code, Provenance(how), source, *words) for code, how, source, *words in raw)
