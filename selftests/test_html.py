"""The HTML pages: nothing calls outside, and the plain one shows what somebody must know."""

import json
import os
from pathlib import Path

import pytest

from reports.html import NoReport, newest, without_analytics
from reports.page import MOST_LINES, shortened
from reports.plain import page

TAG = """<script async src="https://www.googletagmanager.com/gtag/js?id=G-1"></script>
    <script>
        function gtag(){dataLayer.push(arguments);}
        gtag('config', 'G-1', {"report": "awesome"});
    </script>
"""
SCENARIO = {
    "id": "reply.550",
    "title": "A <550> to RCPT",
    "verdict": "fail",
    "expected": {"primary": "550 5.1.1", "accepted": ["550 5.1.10"]},
    "observed": "deferred 4.1.1",
    "report": {"text": "451 4.1.1 later", "host": "mx1.test", "ip": None},
    "laws": {"accounted": "ok", "code-class": "broken"},
    "attempts": 2,
    "note": "",
}
RUN = {
    "target": "some-agent",
    "target_version": "1.0",
    "dialect": "rfc",
    "suite_version": "0.1.0",
    "started": "2026-01-01T00:00:00+00:00",
    "wall_s": 1.5,
    "counts": dict.fromkeys(
        ("accepted", "weak", "fail", "unsupported", "known", "inconclusive", "broken"), 0
    )
    | {"pass": 1, "fail": 1},
    "scenarios": [{**SCENARIO, "id": "reply.250", "verdict": "pass"}, SCENARIO],
}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """The folder of a run with one failure and its evidence."""
    (tmp_path / "verdicts.json").write_text(json.dumps(RUN))
    allure = tmp_path / "allure-results"
    allure.mkdir()
    (allure / "1-attachment.txt").write_text("0.100  S: 451 <later>")
    attached = [{"name": "timeline", "source": "1-attachment.txt"}]
    result = {"name": "reply.550: A <550> to RCPT", "attachments": attached}
    (allure / "1-result.json").write_text(json.dumps(result))
    return tmp_path


def test_the_analytics_tag_is_taken_out_and_nothing_else() -> None:
    """Before and after it everything stays."""
    before, after = "<script>let a = 1;</script>\n", "<script>let b = 2;</script>"

    assert without_analytics(before + TAG + after) == before + after


def test_a_page_that_would_still_call_outside_is_refused() -> None:
    """Should Allure write its tag otherwise one day, no page is made of it."""
    with pytest.raises(NoReport, match="analytics"):
        without_analytics(TAG.replace("<script async", "<script data-x='>' async"))


def test_the_plain_page_shows_the_failure_first_and_its_evidence(results: Path) -> None:
    """Both sides, the reported text, the broken law, the timeline; all of it escaped."""
    html = page(results)

    assert html.index("reply.550") < html.index("reply.250")
    for shown in ("550 5.1.10", "deferred 4.1.1", "451 4.1.1 later", "code-class", "mx1.test"):
        assert shown in html
    assert "S: 451 &lt;later&gt;" in html
    assert "<550>" not in html


def test_the_newest_run_is_taken(tmp_path: Path) -> None:
    """By the age of its verdicts."""
    for age, name in enumerate(("new", "old")):
        (tmp_path / name).mkdir()
        file = tmp_path / name / "verdicts.json"
        file.write_text("{}")
        os.utime(file, (1000 - age, 1000 - age))

    assert newest(tmp_path).name == "new"


def test_without_results_there_is_a_sentence(tmp_path: Path) -> None:
    """It says what makes some."""
    with pytest.raises(NoReport, match="make run"):
        newest(tmp_path)


def test_of_very_many_lines_the_first_and_the_last_are_shown() -> None:
    """And how many are left out; a text of the usual length is left alone."""
    usual = "\n".join(map(str, range(MOST_LINES)))
    assert shortened(usual) == usual
    lines = shortened(f"{usual}\nlast but one\nlast").splitlines()
    assert (lines[0], lines[-1], len(lines)) == ("0", "last", MOST_LINES + 1)
    assert "2 lines more" in lines[MOST_LINES // 2]
