"""The verdict file's schema takes what a run writes, and nothing else."""

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest

from reports.verdict_file import check

ROOT = Path(__file__).resolve().parent.parent
LAWS = ("scenarios", 0, "laws")
SPOILED = {
    "no target": ((), "target", ...),
    "an empty target": ((), "target", ""),
    "a date without a time": ((), "started", "2026-01-01"),
    "a time below zero": ((), "wall_s", -1),
    "a count of nothing known": (("counts",), "flaky", 1),
    "a count that is missing": (("counts",), "pass", ...),
    "a key that nobody expects": ((), "remarks", ""),
    "an id of two words": (("scenarios", 0), "id", "Control opening"),
    "an unknown verdict": (("scenarios", 0), "verdict", "passed"),
    "no note": (("scenarios", 0), "note", ...),
    "a code that is text": (("scenarios", 0, "report"), "code", "250"),
    "an unknown state": (("scenarios", 0, "report"), "state", "lost"),
    "no copies": (("scenarios", 0), "copies", ...),
    "a wait without an end": (("scenarios", 0), "waits", [{"stage": "mail", "minimum": 300}]),
    "a law neither kept nor broken": (LAWS, "accounted", True),
}
"""Where something is put, under which key, and what; an ellipsis takes it away."""


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a run of the two controls writes."""
    file = tmp_path_factory.mktemp("run") / "verdicts.json"
    suite = ["suites/test_control.py", "--target=reference", "--room=open", f"--verdicts={file}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *suite],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return json.loads(file.read_text())


def test_a_real_file_is_accepted(real: Any) -> None:
    """It has both controls, and they passed."""
    check(real)

    assert [one["id"] for one in real["scenarios"]] == ["control.opening", "control.closing"]
    assert real["counts"]["pass"] == 2


@pytest.mark.parametrize("spoiled", SPOILED)
def test_a_spoiled_file_is_refused(real: Any, spoiled: str) -> None:
    """Each key and each value is looked at."""
    where, key, value = SPOILED[spoiled]
    data = copy.deepcopy(real)
    place = data
    for step in where:
        place = place[step]
    if value is ...:
        del place[key]
    else:
        place[key] = value

    with pytest.raises(fastjsonschema.JsonSchemaException):
        check(data)
