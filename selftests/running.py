"""pytest over the suites, as a process of its own: what it said, what it wrote, how it ended."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DEADLINE = 60.0
OK, DEVIATES, INTERRUPTED, HARNESS, USAGE = 0, 1, 2, 3, 4
"""Exit codes: pytest's own, but for HARNESS."""
REFUSED = "connect.refused.decommissioned"
"""A scenario that is over in no time."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A run that is over: exit code, all that was printed, verdicts by id, seconds."""

    code: int
    said: str
    verdicts: dict[str, str]
    notes: dict[str, str]
    seconds: float


def argv_of(*options: str, only: str = REFUSED) -> list[str]:
    """The command line of a run of some scenarios."""
    pytest = [sys.executable, "-m", "pytest", "suites/", "-k", only]
    return [*pytest, "--deviations=none", *options]


def environment(**more: str) -> dict[str, str]:
    """This process's environment without what an outer pytest says to inner ones."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    return {**ours, **more}


def run(
    folder: Path,
    *options: str,
    only: str = REFUSED,
    env: Mapping[str, str] | None = None,
    before: Sequence[str] = (),
) -> Ran:
    """Run the suites with some options; `before` is put in front of the command line."""
    file = folder / "verdicts.json"
    wanted = [] if any(o.startswith("--verdicts") for o in options) else [f"--verdicts={file}"]
    started = time.monotonic()
    done = subprocess.run(
        [*before, *argv_of(*wanted, *options, only=only)],
        cwd=ROOT,
        env=environment(**(env or {})),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=DEADLINE,
        check=False,
        text=True,
    )
    records: list[dict[str, Any]] = []
    if file.is_file():
        records = json.loads(file.read_text())["scenarios"]
    verdicts = {record["id"]: record["verdict"] for record in records}
    notes = {record["id"]: record["note"] for record in records}
    return Ran(done.returncode, done.stdout, verdicts, notes, time.monotonic() - started)
