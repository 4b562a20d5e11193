"""The dialects, read from the TOML files of this folder."""

import functools
import tomllib
from pathlib import Path
from typing import Any

from model.dialect import Code, Dialect, Entry, Provenance
from model.failure import REASONS, Failure

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
    """A dialect out of TOML text. Raises BadDialect."""
    try:
        data = tomllib.loads(text)
        if base := data.get("like"):
            data = tomllib.loads((HERE / f"{base}.toml").read_text()) | data
        entries = tuple(_entry(name, raw) for raw in data["entry"])
        return Dialect(name, data["title"], data["lifetime_hours"] * 3600.0, entries)
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise BadDialect(f"dialect {name}: {error!r}") from error


def _entry(name: str, raw: dict[str, Any]) -> Entry:
    failure, reason = raw["failure"], raw.get("reason", "*")
    if failure not in set(Failure) or reason not in {"*", *REASONS[Failure(failure)]}:
        raise BadDialect(f"dialect {name}: there is no failure {failure}/{reason}")
    return Entry(failure, reason, _codes(raw["attempt"]), _codes(raw["expired"]))


def _codes(raw: list[list[str]]) -> tuple[Code, ...]:
    return tuple(Code(code, Provenance(how), source) for code, how, source in raw)
