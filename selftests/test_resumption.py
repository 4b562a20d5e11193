"""A session is taken up again where it can be, and the trace shows it."""

from pathlib import Path

from selftests.running import OK, run

HONEST = "--target=selftests.mutants.resuming:Honest"


def test_an_agent_that_keeps_sessions_conforms(tmp_path: Path) -> None:
    """And of the hosts only that which can takes one up again."""
    results = tmp_path / "allure"
    ran = run(tmp_path, HONEST, f"--alluredir={results}", only="tls.resumption or looked-at-later")
    traces = [file.read_text() for file in results.glob("*-attachment.txt")]
    again = [text for text in traces if "a session taken up again" in text]

    assert ran.code == OK, ran.said
    assert set(ran.verdicts.values()) == {"pass"}
    assert again
    assert all("tls-resumption-possible" in text for text in again)
