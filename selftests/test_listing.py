"""What there is can be listed and selected: by chapter, by level, by words."""

import subprocess
import sys
from collections.abc import Sequence

import pytest

from catalogue import CATALOGUE, CHAPTERS
from fixtures.listing import listing
from selftests.running import OK, ROOT, USAGE, environment


def pytest_says(*options: str) -> tuple[int, str]:
    """The exit code and output of a run over the suites."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "suites/", "-q", *options],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_whole_list_has_every_scenario_once_with_title_level_and_rule() -> None:
    """By chapter, in the order of the report."""
    lines = listing(list(CATALOGUE))
    heads = [line.split()[0] for line in lines if line.startswith("  ") and line.endswith("]")]

    assert heads == list(CATALOGUE)
    chapters = [line.split(" (")[0] for line in lines if line and not line.startswith(" ")]
    assert chapters[:-1] == list(CHAPTERS)
    assert lines[-1] == f"{len(CATALOGUE)} scenarios"


@pytest.mark.parametrize(
    ("options", "there", "missing"),
    [
        ([], "connect.refused  [must]", "passed in"),
        (["--chapter=reply"], "reply.rcpt.550", "connect.refused"),
        (["--chapter=control"], "2 scenarios", "connect.refused"),
        (["--chapter=dns, reply"], "reply.rcpt.550", "connect.refused"),
        (["--chapter=dns", "-n2"], "dns.mx.servfail", "0 scenarios"),
        (["-k", "mx and servfail"], "dns.mx.servfail", "dns.mx.slow"),
        (["-m", "policy"], "tls.not-offered.under-none  [policy]", "[must]"),
        (["-m", "chapter(name='dns')"], "dns.mx.servfail", "reply."),
    ],
)
def test_the_list_is_of_what_is_selected(options: Sequence[str], there: str, missing: str) -> None:
    """Nothing is run."""
    code, said = pytest_says("--list", *options)

    assert code == OK
    assert there in said
    assert missing not in said


@pytest.mark.parametrize(
    ("options", "left_out"), [([], True), (["--large"], False), (["-k", "connect"], None)]
)
def test_large_messages_are_for_who_asks(options: Sequence[str], left_out: bool | None) -> None:
    """Whoever has selected some is told how to; to others nothing is said."""
    _, said = pytest_says("--collect-only", "-k", "robustness.large", *options)

    assert ("robustness.large.fifty-million-octets" in said) is (left_out is False)
    assert ("left out: 3 with large messages; --large runs them" in said) is (left_out is True)


@pytest.mark.parametrize("option", ["--chapter=", "--chapter=,", "--connector="])
def test_an_option_that_names_nothing_is_refused(option: str) -> None:
    """It is a script's empty variable more often than a wish for everything."""
    code, said = pytest_says(option)

    assert code == USAGE
    assert "is named; name" in said


def test_a_selection_of_nothing_says_so() -> None:
    """And what to do."""
    code, said = pytest_says("-k", "no-such-scenario")

    assert code == pytest.ExitCode.NO_TESTS_COLLECTED
    assert "no scenario is selected; --list prints those there are" in said


def test_a_chapter_that_is_not_there_is_refused() -> None:
    """In one sentence that names those that are."""
    code, said = pytest_says("--chapter=smtp")

    assert code == USAGE
    assert "there is no chapter 'smtp'; there are control, dns, " in said


def test_a_chapter_runs_alone() -> None:
    """With its controls and those of the whole run."""
    code, said = pytest_says("--chapter=greeting", "--collect-only")

    assert code == OK
    assert "greeting.opening" in said
    assert "control.closing" in said
    assert "dns." not in said
