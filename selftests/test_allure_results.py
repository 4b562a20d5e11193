"""What a run writes for Allure: a result for each scenario, and nothing that says nothing."""

import json
from pathlib import Path

from selftests.running import HARNESS, OK, run


def test_a_run_writes_no_empty_containers(tmp_path: Path) -> None:
    """What pytest did before and after is left out where nothing failed."""
    folder = tmp_path / "allure"
    ran = run(tmp_path, f"--alluredir={folder}")

    assert ran.code == OK, ran.said
    assert len(list(folder.glob("*-result.json"))) == len(ran.verdicts)
    assert list(folder.glob("*-container.json")) == []


def test_what_failed_before_a_test_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "allure"
    ran = run(tmp_path, "--target=selftests.bad_agents:DiesAtStart", f"--alluredir={folder}")

    assert ran.code == HARNESS
    (container,) = (json.loads(file.read_text()) for file in folder.glob("*-container.json"))
    (before,) = container["befores"]
    assert (before["name"], before["status"]) == ("outcome", "broken")
    (result,) = (json.loads(file.read_text()) for file in folder.glob("*-result.json"))
    assert container["children"] == [result["uuid"]]
