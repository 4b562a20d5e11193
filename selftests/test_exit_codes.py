"""The exit code says whose fault it is: 0 nobody's, 1 the target's, 3 ours or nobody knows."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from selftests.running import DEVIATES, HARNESS, OK, REFUSED, run

AGENTS = "--target=selftests.bad_agents:"
ENTRY = """
[[deviation]]
scenario = "connect.refused.*"
verdict = "fail"
observed = "{observed}"
reason = "it does so"
link = "https://example.org/"
"""


@pytest.mark.parametrize(
    ("options", "code", "verdict"),
    [
        (["--target=reference"], OK, "pass"),
        (["--target=reference", "-n2"], OK, "pass"),
        (["--target=reference", "--dialect=rfc"], DEVIATES, "fail"),
        ([AGENTS + "Miscodes"], DEVIATES, "fail"),
        ([AGENTS + "Miscodes", "-n2"], DEVIATES, "fail"),
        ([AGENTS + "Vague"], OK, "weak"),
        ([AGENTS + "Vague", "--gate=should"], DEVIATES, "weak"),
        ([AGENTS + "Astray"], HARNESS, "inconclusive"),
        ([AGENTS + "Astray", "-n2"], HARNESS, "inconclusive"),
        ([AGENTS + "DiesAtStart"], HARNESS, "broken"),
        ([AGENTS + "DiesAtStart", "-n2"], HARNESS, "broken"),
    ],
)
def test_the_code_of_a_run(tmp_path: Path, options: Sequence[str], code: int, verdict: str) -> None:
    """It is decided by the verdict and the gate, with one worker or more."""
    ran = run(tmp_path, *options)

    assert (ran.code, ran.verdicts) == (code, {REFUSED: verdict})


@pytest.mark.parametrize(
    ("target", "observed", "code", "verdict", "says"),
    [
        (AGENTS + "Miscodes", "deferred 450 4.2.2", OK, "known", "known"),
        (AGENTS + "Miscodes", "deferred 450 4.2.1", DEVIATES, "fail", "look again"),
        ("--target=reference", "deferred 450 4.2.2", DEVIATES, "fail", "remove the entry"),
        (AGENTS + "DiesAtStart", "deferred 450 4.2.2", HARNESS, "broken", "mend the agent"),
        (AGENTS + "Astray", "deferred 450 4.2.2", HARNESS, "inconclusive", "control failed"),
    ],
)
def test_the_code_with_a_deviation_on_record(
    tmp_path: Path, target: str, observed: str, code: int, verdict: str, says: str
) -> None:
    """Seen again it is excused; changed, gone, or not to be judged it is not."""
    file = tmp_path / "deviations.toml"
    file.write_text(ENTRY.format(observed=observed))
    ran = run(tmp_path, target, f"--deviations={file}")

    assert (ran.code, ran.verdicts) == (code, {REFUSED: verdict})
    assert says in ran.said


def test_a_failed_control_is_no_failure_of_the_target(tmp_path: Path) -> None:
    """Even though the control's own test fails: the harness's code wins."""
    ran = run(tmp_path, AGENTS + "Astray", only=f"control or {REFUSED}")

    assert ran.code == HARNESS
    assert set(ran.verdicts.values()) == {"inconclusive"}


def test_a_run_about_nothing(tmp_path: Path) -> None:
    """A selection without scenarios is no success (pytest's own code 5)."""
    ran = run(tmp_path, only="no-such-scenario")

    assert (ran.code, ran.verdicts) == (5, {})
