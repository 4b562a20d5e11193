"""Time-outs are measured in a real run, printed, written down, and required only where asked."""

import json
from pathlib import Path

import pytest

from selftests.running import DEVIATES, OK, run

HASTY = "--target=selftests.bad_agents:Hasty"


@pytest.mark.parametrize(
    ("options", "code", "verdict"),
    [
        ((HASTY,), OK, "pass"),
        ((HASTY, "--pace=own"), OK, "fail"),
        ((HASTY, "--pace=own", "--gate=should"), DEVIATES, "fail"),
    ],
)
def test_a_hasty_agent_is_found_at_its_own_pace(
    tmp_path: Path, options: tuple[str, ...], code: int, verdict: str
) -> None:
    """RFC 5321 section 4.5.3.2 says SHOULD, so it is no failure unless what is advised is asked for."""
    ran = run(tmp_path, *options, only="session.mail.hang")

    assert ran.code == code, ran.said
    assert ran.verdicts["session.mail.hang"] == verdict


def test_the_silences_are_printed_and_written_down(tmp_path: Path) -> None:
    """One at MAIL, one at QUIT, which no document speaks of; and who got two copies."""
    hangs = "session.mail.hang or session.quit.hang or session.dot.kept-reset"
    ran = run(tmp_path, HASTY, only=hangs)
    records = json.loads((tmp_path / "verdicts.json").read_text())["scenarios"]
    written = {record["id"]: record for record in records}

    rows = [line.split() for line in ran.said.splitlines() if line.endswith((" 300 s", " -"))]
    assert [(stage, *minimum) for stage, _, _, *minimum in rows] == [
        ("mail", "300", "s"),
        ("quit", "-"),
    ]
    assert "(compressed: it was told 3 s)" in ran.said
    assert "delivered twice: session.dot.kept-reset\n" in ran.said
    assert written["session.dot.kept-reset"]["copies"] == 2
    (wait,) = written["session.quit.hang"]["waits"]
    assert (wait["stage"], wait["minimum"]) == ("quit", None)
    assert 2.5 < wait["seconds"] < 30
