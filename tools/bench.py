"""What a run costs: `python tools/bench.py [NAME ...]`, by default every agent that is here.

Whatever depends on the machine is set against a figure of the same run: the wall time against
the longest single wait, and against what the scenarios would take one after another.
"""

import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
USAGE_ERROR = 4
"""pytest's exit code for a run that cannot be made."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run's verdict file, what its labs cost, and the processor seconds of all it started."""

    verdicts: dict[str, Any]
    labs: list[dict[str, float]]
    cpu: float

    @property
    def count(self) -> int:
        """How many scenarios were run."""
        return len(self.verdicts["scenarios"])

    @property
    def wall(self) -> float:
        """Seconds from pytest's start to its end."""
        return float(self.verdicts["wall_s"])

    def waits(self, hours: bool = True) -> list[float]:
        """How long each scenario was under way, with or without those about hours in the queue."""
        found = self.verdicts["scenarios"]
        return [s["seconds"] for s in found if hours or s["clock"] == "runs"]

    def lab(self, figure: str) -> float:
        """A figure of all labs together."""
        return sum(lab[figure] for lab in self.labs)


ROWS: dict[str, Callable[[Run], str]] = {
    "scenarios": lambda run: str(run.count),
    "conform or known": lambda run: str(
        sum(run.verdicts["counts"][v] for v in ("pass", "accepted", "weak", "known"))
    ),
    "wall time": lambda run: f"{run.wall:.1f} s",
    "longest single wait": lambda run: f"{max(run.waits()):.1f} s",
    "  attempts only": lambda run: f"{max(run.waits(hours=False)):.1f} s",
    "wall / longest wait": lambda run: f"{run.wall / max(run.waits()):.2f}",
    "waits added up": lambda run: f"{sum(run.waits()):.0f} s",
    "added up / wall": lambda run: f"{sum(run.waits()) / run.wall:.1f}",
    "lab's CPU a scenario": lambda run: f"{1000 * run.lab('cpu') / run.count:.1f} ms",
    "lab's CPU / wall": lambda run: f"{run.lab('cpu') / run.wall:.2f}",
    "all CPU, agent's too": lambda run: f"{run.cpu:.1f} s",
    "lab's memory": lambda run: f"{run.lab('memory') / 1024:.0f} MB",
}


def main() -> None:
    """Run the suites against each agent in turn and print one column for each."""
    names = sys.argv[1:] or sorted(p.parent.name for p in ROOT.glob("targets/*/adapter.py"))
    runs = {name: run for name in names if (run := measure(name)) is not None}
    if not runs:
        sys.exit("nothing could be measured")
    _line("", runs)
    for row, figure in ROWS.items():
        _line(row, [figure(run) for run in runs.values()])


def measure(name: str) -> Run | None:
    """One run; None, with pytest's sentence said, if it cannot be made."""
    with tempfile.TemporaryDirectory() as made:
        verdicts, costs = Path(made) / "verdicts.json", Path(made) / "costs.json"
        before = _children()
        files = [f"--verdicts={verdicts}", f"--costs={costs}"]
        pytest = [sys.executable, "-m", "pytest", "suites/", "-q", f"--target={name}", *files]
        done = subprocess.run(pytest, cwd=ROOT, check=False, capture_output=True, text=True)
        if done.returncode == USAGE_ERROR or not costs.exists():
            sys.stdout.write(f"{name} is left out: {(done.stderr or done.stdout).strip()}\n")
            return None
        return Run(
            json.loads(verdicts.read_text()), json.loads(costs.read_text()), _children() - before
        )


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _line(head: str, cells: Iterable[str]) -> None:
    sys.stdout.write(f"{head:<22}" + "".join(f"{cell:>14}" for cell in cells) + "\n")


if __name__ == "__main__":
    main()
