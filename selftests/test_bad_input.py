"""Mistakes and missing things: each is answered by one sentence with the remedy, and no trace."""

import os
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path

import pytest

from fixtures.runs import Runs
from lab.lab import LabBroken
from lab.room import Unavailable
from lab.sealed import command
from selftests.running import HARNESS, OK, REFUSED, ROOT, USAGE, Ran, run

IN_MID_RUN = "control or silent or decommissioned"
"""Scenarios of which two are over long before the others."""
SHORT = 20.0
"""Seconds that a run with a dead agent may take at most; one time-out a scenario is more."""


def sealable() -> str:
    """Why a room cannot be sealed on this machine; empty if it can."""
    try:
        command([])
    except Unavailable as error:
        return str(error)
    return ""


def one_sentence(ran: Ran, *words: str) -> str:
    """The run's answer, which must be one line with these words and no traceback."""
    answers = [line for line in ran.said.splitlines() if all(word in line for word in words)]
    assert len(answers) == 1, ran.said
    assert "Traceback" not in ran.said
    assert "INTERNALERROR" not in ran.said
    return answers[0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--target=nonesuch"], ["no target 'nonesuch'", "reference", "module:Class"]),
        (["--target=../reference"], ["no target '../reference'", "reference", "module:Class"]),
        (["--target=no.such:Class"], ["'no.such:Class' cannot be loaded", "give module:Class"]),
        (["--target=lab.room:Nobody"], ["has no attribute 'Nobody'", "give module:Class"]),
        (["--target=:Class"], ["':Class' cannot be loaded", "give module:Class"]),
        (["--target=lab.room:Room"], ["'lab.room:Room' cannot be loaded", "give module:Class"]),
        (["--target=pathlib:Path"], ["is no adapter", "submit", "see targets/base.py"]),
        (["--dialect=klingon"], ["no dialect 'klingon'", "known are m365-2019"]),
        (["--dialect=../dialects/rfc"], ["no dialect '../dialects/rfc'", "known are m365-2019"]),
        (["--pace=slow"], ["--pace", "'slow'", "choose from", "fast"]),
        (["--room=attic"], ["--room", "'attic'", "choose from", "sealed"]),
        (["--gate=may"], ["--gate", "'may'", "choose from", "must"]),
        (["--port=smtp"], ["--port", "'smtp'"]),
        (["--port=99999", "--room=open"], ["--port=99999 is no port", "give one"]),
        (["--port=-1", "--room=open"], ["--port=-1 is no port", "give one"]),
        (["--verdicts={tmp}/absent/v.json"], ["no folder", "absent", "make it first"]),
        (["--verdicts={tmp}"], ["is a folder", "give the name of a file"]),
        (["--verdicts="], ["is a folder", "give the name of a file"]),
        (["--target=postfix", "--room=open"], ["sealed room only", "leave --room=open out"]),
    ],
    ids=lambda value: value[0] if value[0].startswith("--") else "",
)
def test_a_wrong_option(tmp_path: Path, options: Sequence[str], words: Sequence[str]) -> None:
    """It is named, with what may stand there, before anything is started."""
    if "--target=postfix" in options and postfix_missing():
        pytest.skip(postfix_missing())
    ran = run(tmp_path, *(option.format(tmp=tmp_path) for option in options))

    assert ran.code == USAGE
    one_sentence(ran, *words)


ENTRY = {
    "scenario": '"connect.refused.*"',
    "verdict": '"fail"',
    "observed": '"deferred 4.4.1"',
    "reason": '"it does so"',
    "link": '"https://example.org/"',
}


def entry(**other: str) -> str:
    """A deviation as TOML; an empty value leaves the key out."""
    lines = [f"{key} = {value}" for key, value in {**ENTRY, **other}.items() if value]
    return "\n".join(["[[deviation]]", *lines, ""])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, ["cannot be read", "give another"]),
        (b"[[deviation", ["is no TOML", "mend it"]),
        (b"\xff\xfe", ["is no TOML", "mend it"]),
        (b"deviation = 3", ["only [[deviation]] entries", "remove the rest"]),
        (b'[excuse]\nreason = "x"', ["only [[deviation]] entries", "remove the rest"]),
        (b"deviation = [3]", ["deviation 1 must have", "observed"]),
        (entry(reason="").encode(), ["deviation 1 must have", "reason"]),
        (entry(until='"2030"').encode(), ["deviation 1 must have", "nothing else"]),
        (entry(reason='" "').encode(), ["deviation 1", "no text for 'reason'", "give one"]),
        (entry(observed="4").encode(), ["deviation 1", "no text for 'observed'", "give one"]),
        (entry(verdict='"pass"').encode(), ["deviation 1", "must have the verdict fail"]),
        (entry(versions='"3.5"').encode(), ["deviation 1", "versions like '>=3.5, <3.9'"]),
        (entry(versions='">=3.5 <4"').encode(), ["deviation 1", "versions like '>=3.5, <3.9'"]),
        (entry(scenario='"conect.*"').encode(), ["'conect.*'", "matches no", "correct the id"]),
    ],
)
def test_a_broken_deviations_file(
    tmp_path: Path, content: bytes | None, words: Sequence[str]
) -> None:
    """The sentence names the file, the entry and what to do."""
    file = tmp_path / "deviations.toml"
    if content is not None:
        file.write_bytes(content)
    ran = run(tmp_path, f"--deviations={file}")

    assert ran.code == USAGE
    one_sentence(ran, str(file), *words)


def test_a_port_with_a_sealed_room(tmp_path: Path) -> None:
    """An option that would be ignored is refused; where no room can be sealed, it counts."""
    ran = run(tmp_path, "--port=2600")

    assert ran.code == (OK if sealable() else USAGE)
    if ran.code:
        one_sentence(ran, "--port is for an open room", "add --room=open")


def test_verdicts_that_may_not_be_written(tmp_path: Path) -> None:
    """Found out before the run, or, where root may do everything but this, in a sentence."""
    ran = run(tmp_path, "--verdicts=/proc/version")

    assert ran.code == (HARNESS if os.geteuid() == 0 else USAGE)
    one_sentence(ran, "--verdicts", "/proc/version", "give another file")


# Missing things ------------------------------------------------------------------------------


def postfix_missing() -> str:
    """Why Postfix cannot be had here; empty if it can."""
    from targets.base import load

    try:
        load("postfix").check()
    except Unavailable as error:
        return str(error)
    return sealable()


def test_a_package_that_is_missing(tmp_path: Path) -> None:
    """The sentence names the package and both ways to get it; an installed one is found."""
    homes = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "MAILFLOW_POSTFIX_TREE": ""}
    ran = run(tmp_path, "--target=postfix", env=homes)

    if Path("/usr/sbin/postfix").is_file() and not sealable():
        assert ran.verdicts[REFUSED] in ("pass", "accepted")
    elif Path("/usr/sbin/postfix").is_file():
        one_sentence(ran, "a sealed room")
    else:
        assert ran.code == USAGE
        one_sentence(ran, "Postfix", "apt-get install postfix", "make agent NAME=postfix")


def test_a_tree_that_is_none(tmp_path: Path) -> None:
    """The variable is named, and what is not in the tree."""
    ran = run(tmp_path, "--target=postfix", env={"MAILFLOW_POSTFIX_TREE": str(tmp_path)})

    assert ran.code == USAGE
    one_sentence(ran, "MAILFLOW_POSTFIX_TREE", str(tmp_path), "no usr/sbin/postfix")


POWERLESS = {
    "root without the privilege": ("setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"),
    "a user without subuids": (  # who may read all files, since the interpreter may be root's
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--bounding-set=-all,+dac_read_search,+dac_override",
        "--inh-caps=-all,+dac_read_search,+dac_override",
        "--ambient-caps=-all,+dac_read_search,+dac_override",
    ),
}
REMEDIES = ("--privileged", "usermod --add-subuids", "apt-get install", "run as root")


@pytest.mark.parametrize("who", POWERLESS)
def test_a_room_that_cannot_be_sealed(tmp_path: Path, who: str) -> None:
    """Asked for, it is refused with the remedy; else the room is open, and the run says why."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can give its privilege up, with setpriv of util-linux")
    before = POWERLESS[who]
    refused = run(tmp_path, "--room=sealed", before=before)
    needed = run(tmp_path, "--target=postfix", before=before)
    opened = run(tmp_path, "-p", "no:cacheprovider", before=before)

    assert refused.code == USAGE
    answer = one_sentence(refused, "a sealed room")
    assert any(remedy in answer for remedy in REMEDIES)
    assert needed.code == USAGE
    assert (opened.code, opened.verdicts) == (OK, {REFUSED: "pass"})
    assert "room: open (a sealed room" in opened.said


# Deaths --------------------------------------------------------------------------------------


def test_an_agent_that_dies_at_start(tmp_path: Path) -> None:
    """Everything is broken, at once, by its last words."""
    ran = run(tmp_path, "--target=selftests.bad_agents:DiesAtStart", only=IN_MID_RUN)

    assert ran.code == HARNESS
    assert set(ran.verdicts.values()) == {"broken"}
    one_sentence(ran, "the reference agent ended", "there is no agent", "mend the agent")
    assert ran.seconds < SHORT


@pytest.mark.parametrize(
    ("adapter", "words"),
    [
        ("DiesInMidRun", ["the reference agent ended with status -9", "mend the agent"]),
        ("PostfixDiesInMidRun", ["Postfix's master ended with status -9", "mend the agent"]),
        ("LabDies", ["the lab's process ended unexpectedly", "signal 9", "run again"]),
    ],
)
def test_a_death_in_mid_run(tmp_path: Path, adapter: str, words: Sequence[str]) -> None:
    """What is over keeps its verdict, the rest is broken, and nobody waits for the dead."""
    if adapter.startswith("Postfix") and postfix_missing():
        pytest.skip(postfix_missing())
    ran = run(tmp_path, f"--target=selftests.bad_agents:{adapter}", only=IN_MID_RUN)

    assert ran.code == HARNESS
    assert ran.verdicts["control.opening"] == "pass"
    assert ran.verdicts[REFUSED] in ("pass", "accepted")
    for late in ("connect.silent", "control.closing"):
        assert ran.verdicts[late] == "broken"
        assert all(word in ran.notes[late] for word in words)
    one_sentence(ran, *words)
    assert ran.seconds < SHORT


def test_an_adapter_with_a_mistake(tmp_path: Path) -> None:
    """An exception nobody foresaw is a sentence with its place, not a traceback or a hang."""
    ran = run(tmp_path, "--target=selftests.bad_agents:Raises")

    assert ran.code == HARNESS
    assert ran.verdicts == {REFUSED: "broken"}
    one_sentence(ran, "KeyError", "bad_agents.py:", "report it")


class Exhausted(Runs):
    """The labs of a machine that can start no more processes."""

    def _start(self, number: int) -> None:
        raise OSError("Too many open files")


def test_a_lab_that_cannot_be_started(pytestconfig: pytest.Config) -> None:
    """Every scenario is told, not only the first that asks."""
    runs = Exhausted(pytestconfig, [])
    for _ in range(2):
        with pytest.raises(LabBroken, match="could not be started: Too many open files"):
            runs.judgement(REFUSED)


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """On every address that an open room could take."""
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        ran = run(tmp_path, "--room=open", f"--port={port}")

    assert ran.code == HARNESS
    assert ran.verdicts == {REFUSED: "broken"}
    one_sentence(ran, f"port {port} is taken", "stop what listens there", "--port=N")


def test_the_messages_are_about_this_project() -> None:
    """The scenario that all these runs select is there; else they would prove nothing."""
    from catalogue import CATALOGUE

    assert REFUSED in CATALOGUE
    assert (ROOT / "suites").is_dir()
