"""The reference agent says each of the six codes literally, while it tries and at the end."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TWINS = {
    "expiry.dns-query-failed": "deferred 450 4.4.312, then expired 550 5.4.312",
    "expiry.connection-timed-out": "deferred 450 4.4.315, then expired 550 5.4.315",
    "expiry.connection-refused": "deferred 450 4.4.316, then expired 550 5.4.316",
    "expiry.cannot-connect": "deferred 450 4.4.317, then expired 550 5.4.317",
    "expiry.closed-abruptly": "deferred 450 4.4.318, then expired 550 5.4.318",
    "expiry.certificate-invalid": "deferred 450 4.7.320, then expired 550 5.7.320",
}


def test_each_code_appears_in_both_tiers(tmp_path: Path) -> None:
    """450 4.x.3yy while it waits, 550 5.x.3yy in the NDR, and no other code."""
    verdicts = tmp_path / "verdicts.json"
    suite = [sys.executable, "-m", "pytest", "-q", "suites/test_expiry.py", "--target=reference"]
    subprocess.run([*suite, f"--verdicts={verdicts}"], cwd=ROOT, check=True, capture_output=True)
    observed = {s["id"]: s["observed"] for s in json.loads(verdicts.read_text())["scenarios"]}

    assert {name: observed[name] for name in TWINS} == TWINS
