"""Run the suite again and again and compare: `python -m tools.repeat --target=NAME --times=N`.

Every run must give every scenario the same verdict and the same observation, and leave nothing
behind. `--burners=K` keeps K processors busy meanwhile. One line for each run, then what
differed; the exit code is 1 if anything did. What is not known here goes on to pytest.
"""

import argparse
import collections
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.leftovers import MARK, Watch

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 15.0
"""Seconds that a run's processes may outlive it."""
BURNER = "while True: pass"


@dataclass(frozen=True, slots=True)
class Run:
    """One run: exit code, seconds, `verdict: observed` by scenario, what was left, last words."""

    code: int
    seconds: float
    found: dict[str, str]
    left: list[str]
    last: str


@contextmanager
def burning(number: int) -> Iterator[None]:
    """Keep so many processors busy."""
    burners = [subprocess.Popen([sys.executable, "-c", BURNER]) for _ in range(number)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def run_once(target: str, more: Sequence[str]) -> Run:
    """One run in a temp directory of its own."""
    with tempfile.TemporaryDirectory() as folder:
        temp, pytests_own, file = (Path(folder) / name for name in ("temp", "pytest", "v.json"))
        temp.mkdir()
        pytests_own.mkdir()
        watch = Watch(uuid.uuid4().hex, temp)
        env = {MARK: watch.mark, "TMPDIR": str(temp), "PYTEST_DEBUG_TEMPROOT": str(pytests_own)}
        options = [f"--target={target}", f"--verdicts={file}", "-q", "--tb=no", *more]
        started = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "suites/", *options],
            cwd=ROOT,
            env={**os.environ, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        with process.stdout as said:
            last = ""
            for line in said:
                watch.look()
                last = line.strip() or last
        code, seconds = process.wait(), time.monotonic() - started
        records = json.loads(file.read_text())["scenarios"] if file.is_file() else []
        found = {one["id"]: f"{one['verdict']}: {one['observed']}" for one in records}
        return Run(code, seconds, found, watch.leftovers(PATIENCE), last)


def line_of(number: int, run: Run) -> str:
    """What is said of one run."""
    counts = collections.Counter(what.partition(":")[0] for what in run.found.values())
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
    left = f"; left behind: {'; '.join(run.left)}" if run.left else ""
    return f"run {number}: exit code {run.code}, {run.seconds:.1f} s, {verdicts or run.last}{left}"


def differences(runs: Sequence[Run]) -> dict[str, collections.Counter[str]]:
    """The scenarios that did not come out alike in all runs, with how often each way."""
    ids = dict.fromkeys(one for run in runs for one in run.found)
    ways = {one: collections.Counter(run.found.get(one, "missing") for run in runs) for one in ids}
    return {one: seen for one, seen in ways.items() if len(seen) > 1}


def main() -> None:
    """Repeat, and say what differed."""
    parser = argparse.ArgumentParser(prog="python -m tools.repeat", description=__doc__)
    parser.add_argument("--target", default="reference")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--burners", type=int, default=0)
    ours, more = parser.parse_known_args()
    runs = []
    with burning(ours.burners):
        for number in range(1, ours.times + 1):
            runs.append(run_once(ours.target, more))
            sys.stdout.write(line_of(number, runs[-1]) + "\n")
            sys.stdout.flush()
    sys.exit(summary(runs))


def summary(runs: Sequence[Run]) -> int:
    """Print what differed and how long it took; 1 if anything differed or was left behind."""
    different = differences(runs)
    for scenario, seen in different.items():
        ways = "; ".join(f"{count} x {what}" for what, count in seen.most_common())
        sys.stdout.write(f"{scenario}: {ways}\n")
    codes = sorted({run.code for run in runs})
    seconds = sorted(run.seconds for run in runs) or [0.0]
    left = sum(bool(run.left) for run in runs)
    sys.stdout.write(
        f"{len(runs)} runs of {min((len(r.found) for r in runs), default=0)} scenarios, "
        f"{seconds[0]:.1f} to {seconds[-1]:.1f} s, exit codes {codes}: "
        f"{len(different)} scenarios differ, {left} runs left something behind\n"
    )
    alike = runs and not different and len(codes) == 1 and all(run.found for run in runs)
    return 0 if alike and not left else 1


if __name__ == "__main__":
    main()
