"""Deviations: known only when seen again exactly as recorded."""

from pathlib import Path

import pytest

from catalogue import CATALOGUE
from fixtures.deviations import BadDeviations, Deviation, as_toml, excuse, load_deviations
from model.verdict import Judgement, Verdict

ENTRY = """
[[deviation]]
scenario = "{scenario}"
verdict = "fail"
observed = "returned 5.4.4"
reason = "it does so"
link = "https://example.org/"
{more}
"""
RECORDED = Deviation("dns.*", "fail", "returned 5.4.4", "it does so", "https://example.org/")


def judged(verdict: Verdict, observed: str = "returned 5.4.4") -> Judgement:
    """A judgement as it came out of the judge."""
    return Judgement(verdict, "4.4.3", observed)


def test_the_same_again_is_known() -> None:
    """With the reason as its note."""
    found = excuse(judged(Verdict.FAIL), RECORDED)

    assert (found.verdict, found.note) == (Verdict.KNOWN, "it does so")


def test_something_else_fails_and_says_so() -> None:
    """A deviation is no licence."""
    found = excuse(judged(Verdict.FAIL, "deferred 4.4.2"), RECORDED)

    assert found.verdict is Verdict.FAIL
    assert "look again" in found.mismatches[0].what


@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.ACCEPTED, Verdict.WEAK])
def test_conforming_now_fails_until_the_entry_is_removed(verdict: Verdict) -> None:
    """Excuses expire."""
    found = excuse(judged(verdict, "deferred 4.4.3"), RECORDED)

    assert found.verdict is Verdict.FAIL
    assert "remove the entry" in found.mismatches[0].what


def test_without_a_deviation_nothing_changes() -> None:
    """A failure stays one."""
    assert excuse(judged(Verdict.FAIL), None).verdict is Verdict.FAIL


@pytest.mark.parametrize("verdict", [Verdict.BROKEN, Verdict.UNSUPPORTED])
def test_what_says_nothing_of_the_target_stays_as_it_is(verdict: Verdict) -> None:
    """An agent without libfaketime, say, has no scenarios of hours, deviations on record or not."""
    assert excuse(judged(verdict, "no clock"), RECORDED).verdict is verdict


@pytest.mark.parametrize(
    ("versions", "version", "concerned"),
    [
        ("", "3.7.11", True),
        (">=3.5", "3.7.11", True),
        (">=3.5, <3.7", "3.7.11", False),
        ("==3.7", "3.7.11", True),
        ("<3.10", "3.7.11", True),
        (">3.7", "3.7.11", False),
    ],
)
def test_version_ranges(versions: str, version: str, concerned: bool) -> None:
    """Compared as numbers, as far as the range is written out."""
    deviation = Deviation("x", "fail", "y", "z", "l", versions)

    assert deviation.concerns(version) is concerned


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[deviation]", "is no TOML"),
        ("[other]\nx = 1", "only \\[\\[deviation\\]\\]"),
        ('[[deviation]]\nscenario = "dns.*"', "must have"),
        (ENTRY.format(scenario="dns.*", more='why = "x"'), "nothing else"),
        (ENTRY.format(scenario="nowhere.*", more=""), "matches no scenario"),
        (ENTRY.format(scenario="dns.*", more='versions = "new"'), "write versions"),
        (ENTRY.format(scenario="dns.*", more="").replace("it does so", " "), "no text"),
        (ENTRY.format(scenario="dns.*", more="").replace('"fail"', '"pass"'), "verdict fail"),
    ],
)
def test_a_bad_file_gets_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    """Naming the file."""
    path = tmp_path / "deviations.toml"
    path.write_text(text)
    with pytest.raises(BadDeviations, match=words) as caught:
        load_deviations(path, CATALOGUE)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_good_file_is_read(tmp_path: Path) -> None:
    """Every field arrives."""
    path = tmp_path / "deviations.toml"
    path.write_text(ENTRY.format(scenario="dns.*", more=""))

    assert load_deviations(path, CATALOGUE) == (RECORDED,)


def test_a_missing_file_gets_one_sentence(tmp_path: Path) -> None:
    """With the remedy."""
    with pytest.raises(BadDeviations, match="--deviations=FILE, or none"):
        load_deviations(tmp_path / "nothing", CATALOGUE)


def test_what_is_written_can_be_read_again(tmp_path: Path) -> None:
    """Once a person has given reason and link."""
    path = tmp_path / "deviations.toml"
    text = as_toml("dns.mx.servfail", judged(Verdict.FAIL))
    path.write_text(text.replace('reason = ""', 'reason = "r"').replace('link = ""', 'link = "l"'))

    assert load_deviations(path, CATALOGUE)[0].observed == "returned 5.4.4"
