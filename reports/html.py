"""`make report`: one HTML page of a run, by Allure 3 if Node is here, else a plain one of ours.

Allure's own page calls an analytics service whenever it is opened, and has no option against
it: its tag is taken out. Allure adds to an output folder that exists, so that goes first.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from reports.plain import page

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "reports" / "out"
CONFIG = ROOT / "reports" / "allurerc.json"
ALLURE = "allure@3.18.0"
HOME = OUT / ".allure"
COMMAND = HOME / "node_modules" / ".bin" / "allure"
NODE = 18
"""The oldest Node that Allure runs on."""
PATIENCE = 120.0
"""Seconds for npm, which without a network would try for ten minutes."""
_ANALYTICS = re.compile(
    r"<script[^>]*\bsrc=\"https://www\.googletagmanager\.com/[^\"]*\"[^>]*>\s*</script>\s*"
    r"<script>[^<]*\bgtag\([^<]*</script>\s*"
)


class NoReport(Exception):
    """What was asked for cannot be made; one sentence."""


def main() -> None:
    """Make the page of the folder given, or of the newest results, and say which was made."""
    try:
        folder = Path(sys.argv[1]).resolve() if sys.argv[1:] else newest(OUT)
        if not (folder / "verdicts.json").is_file():
            raise NoReport(f"there are no results in {folder}: `make run` makes some")
        why_not = allure(folder)
    except NoReport as error:
        sys.exit(str(error))
    if why_not:
        (folder / "report.html").write_text(page(folder))
    kind = f"a plain page, because {why_not}" if why_not else f"by {ALLURE}"
    sys.stdout.write(f"{os.path.relpath(folder)}/report.html: {kind}\n")


def newest(out: Path) -> Path:
    """The folder of the newest run. Raises NoReport."""
    runs = sorted(out.glob("*/verdicts.json"), key=lambda path: path.stat().st_mtime)
    if not runs:
        raise NoReport("there are no results yet: `make run` makes some")
    return runs[-1].parent


def allure(folder: Path) -> str:
    """Have Allure make the page; why not, empty if it did."""
    if sentence := _no_node() or _no_allure():
        return sentence
    with tempfile.TemporaryDirectory(dir=folder) as made:
        run = json.loads((folder / "verdicts.json").read_text())
        options: list[str | Path] = ["--config", CONFIG, "--name", f"Mail flow: {run['target']}"]
        options += ["--output", f"{made}/page", folder / "allure-results"]
        done = _run([COMMAND, "generate", *options])
        index = Path(made) / "page" / "index.html"
        if done.returncode or not index.is_file():
            return f"{ALLURE} failed ({_error(done)})"
        (folder / "report.html").write_text(without_analytics(index.read_text()))
    return ""


def without_analytics(html: str) -> str:
    """The page without what reports to the outside when it is opened. Raises NoReport."""
    stripped = _ANALYTICS.sub("", html)
    if "googletagmanager" in stripped:
        raise NoReport(
            "Allure's page would report to an analytics service: look at reports/html.py"
        )
    return stripped


def _no_node() -> str:
    if not (node := shutil.which("node")) or not shutil.which("npm"):
        return f"Allure needs Node {NODE} or newer with npm, which are not here"
    version = _run([node, "--version"])
    number = re.match(r"v(\d+)", version.stdout)
    if not number or int(number[1]) < NODE:
        return f"Allure needs Node {NODE} or newer, and this is {version.stdout.strip()}"
    return ""


def _no_allure() -> str:
    """Install Allure once; why that failed, empty if it is there."""
    if COMMAND.exists():
        return ""
    HOME.mkdir(parents=True, exist_ok=True)
    options = ["--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
    try:
        done = _run(["npm", "install", "--prefix", HOME, *options, ALLURE], PATIENCE)
    except subprocess.TimeoutExpired:
        shutil.rmtree(HOME, ignore_errors=True)
        return f"{ALLURE} could not be installed: npm was not done after {PATIENCE:.0f} s"
    if done.returncode:
        shutil.rmtree(HOME, ignore_errors=True)
        return f"{ALLURE} could not be installed ({_error(done)})"
    return ""


def _run(
    argv: Sequence[str | Path], seconds: float | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, check=False, capture_output=True, text=True, timeout=seconds)


def _error(done: subprocess.CompletedProcess[str]) -> str:
    """The line that tells most of a command that failed."""
    said = (done.stderr or done.stdout).strip().splitlines()
    errors = [line for line in said if "error" in line.lower()]
    return (errors or said or [f"exit code {done.returncode}"])[0]


if __name__ == "__main__":
    main()
