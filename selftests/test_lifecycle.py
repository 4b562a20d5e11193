"""However a run ends, nothing of it is left: no process, mount, namespace, file or socket."""

import errno
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from catalogue import CHAPTERS
from fixtures.runs import CONTROLS, WHOLE
from lab.client import STARTS, LabClient, started
from lab.messages import Spec
from lab.pace import PACES
from lab.room import Unavailable
from lab.sealed import command
from lab.setups import arrange, unsupported
from model.scenario import HOUR
from selftests.running import DEADLINE, HARNESS, INTERRUPTED, OK, ROOT, argv_of, environment
from targets.base import load
from tools.leftovers import MARK, Watch, lab_processes, marked, words

PATIENCE = 15.0
"""Seconds that the processes of a run may outlive its end."""
SLOW = "control or silent"
"""Scenarios of which some wait for time-outs while the first is over at once."""


@dataclass(frozen=True, slots=True)
class Running:
    """A run in the middle: its first scenario is over, others are waiting."""

    pytest: subprocess.Popen[str]
    watch: Watch

    def end(self) -> tuple[int, str]:
        """Wait for the end of pytest; its exit code and what it has said since."""
        said, _ = self.pytest.communicate(timeout=DEADLINE)
        return self.pytest.returncode, said

    def workers(self) -> set[int]:
        """The workers of a run with -n."""
        pids = marked(self.watch.mark)
        return {pid for pid in pids if "sys.stdin.readline" in " ".join(words(pid))}


KINDS = {
    "reference, sealed": ("--target=reference", "--room=sealed"),
    "reference, open": ("--target=reference", "--room=open"),
    "postfix": ("--target=postfix", "--room=sealed"),
}


@pytest.fixture(params=KINDS)
def options(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The command line of each kind of run; skips what this machine cannot run."""
    kind: str = request.param
    try:
        if "open" not in kind:
            command([])
        load(kind.partition(",")[0]).check()
    except Unavailable as error:
        pytest.skip(str(error))
    return KINDS[kind]


Starter = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Starter]:
    """Start a run and wait until it is in the middle."""
    started: list[Running] = []

    def _start(*options: str, only: str = SLOW) -> Running:
        temp, pytests_own = tmp_path / "temp", tmp_path / "pytest"
        temp.mkdir()
        pytests_own.mkdir()  # xdist keeps the last directories of its workers
        watch = Watch(uuid.uuid4().hex, temp)
        env = {MARK: watch.mark, "TMPDIR": str(temp), "PYTEST_DEBUG_TEMPROOT": str(pytests_own)}
        process = subprocess.Popen(
            argv_of("-v", *options, only=only),
            cwd=ROOT,
            env=environment(**env),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(Running(process, watch))
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if "PASSED" in line:
                break
        else:
            pytest.fail("".join(said))
        watch.look()
        return started[-1]

    yield _start
    for running in started:
        if running.pytest.poll() is None:
            running.pytest.kill()
        running.pytest.wait()
        if running.pytest.stdout is not None:
            running.pytest.stdout.close()


def test_a_run_in_the_middle_is_seen(start: Starter, options: tuple[str, ...]) -> None:
    """The watch sees what it will later miss: else finding nothing would mean nothing."""
    running = start(*options)

    assert lab_processes(running.watch.mark)
    assert bool(running.watch.rooms) == ("--room=sealed" in options)
    assert bool(running.watch.sockets)
    assert running.pytest.pid in running.watch.wait(0.0)
    assert running.end()[0] == OK
    assert running.watch.leftovers(PATIENCE) == []


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, INTERRUPTED),
        (signal.SIGTERM, -signal.SIGTERM),
        (signal.SIGKILL, -signal.SIGKILL),
    ],
)
def test_pytest_is_ended_in_mid_run(
    start: Starter, options: tuple[str, ...], number: signal.Signals, code: int
) -> None:
    """By Ctrl-C, politely, or by force."""
    running = start(*options)
    running.pytest.send_signal(number)

    assert running.end()[0] == code
    assert running.watch.leftovers(PATIENCE) == []


def test_the_lab_is_killed_in_mid_run(start: Starter, options: tuple[str, ...]) -> None:
    """The run goes on to its end, says so, and the room is gone."""
    running = start(*options)
    for pid in lab_processes(running.watch.mark):
        os.kill(pid, signal.SIGKILL)
    code, said = running.end()

    assert code == HARNESS
    assert "the lab's process ended unexpectedly (killed by signal 9" in said
    assert running.watch.leftovers(PATIENCE) == []


def test_a_worker_is_killed_in_mid_run(start: Starter, options: tuple[str, ...]) -> None:
    """Another takes its place; the crash is no fault of the target's, and its room is gone."""
    running = start(*options, "-n", "2")
    workers = running.workers()
    assert len(workers) == 2
    os.kill(min(workers), signal.SIGKILL)
    code, said = running.end()

    assert code == HARNESS, said
    assert "crashed" in said
    assert running.watch.leftovers(PATIENCE) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_shared_run_is_ended(
    start: Starter, options: tuple[str, ...], number: signal.Signals
) -> None:
    """The workers and their rooms go with the controller."""
    running = start(*options, "-n", "2")
    running.pytest.send_signal(number)
    code, said = running.end()

    assert code in (INTERRUPTED, -number), said
    assert running.watch.leftovers(PATIENCE) == []


def test_a_file_that_is_left_is_seen(tmp_path: Path) -> None:
    """The watch's own check: it objects."""
    watch = Watch(uuid.uuid4().hex, tmp_path)
    (tmp_path / "left").touch()

    assert watch.leftovers(0.0) == [f"file {tmp_path / 'left'}"]


def test_a_process_that_is_left_is_seen(tmp_path: Path) -> None:
    """A marked process is waited for no longer than the deadline, then named."""
    watch = Watch(uuid.uuid4().hex, tmp_path)
    sleeper = subprocess.Popen(
        ["sleep", "1000"], env=environment(**{MARK: watch.mark}), start_new_session=True
    )
    try:
        while not marked(watch.mark):
            assert sleeper.poll() is None  # between fork and exec it has our environment
        assert watch.leftovers(0.2) == [f"process {sleeper.pid}: sleep 1000 "]
    finally:
        sleeper.kill()
        sleeper.wait()
    assert watch.leftovers(PATIENCE) == []


class _Kernel:
    """Refuses some processes, and gives the next."""

    def __init__(self, *refusals: int) -> None:
        self.refusals = list(refusals)

    def start(self) -> subprocess.Popen[bytes]:
        """A process, or the next refusal."""
        if self.refusals:
            raise OSError(self.refusals.pop(0), "no")
        return subprocess.Popen([sys.executable, "-c", ""])


def test_a_process_that_the_kernel_refuses_for_a_moment_is_asked_for_again() -> None:
    """EAGAIN, ENOMEM and EFAULT pass; the run has not begun, so nothing is repeated."""
    kernel = _Kernel(errno.EAGAIN, errno.EFAULT)

    assert started(kernel.start).wait(PATIENCE) == 0


@pytest.mark.parametrize("refusals", [(errno.ENOENT,), (errno.EAGAIN,) * STARTS])
def test_a_process_that_cannot_be_had_is_one_sentence(refusals: tuple[int, ...]) -> None:
    """What will not pass, or does not, is said with the remedy, and is not the target's fault."""
    with pytest.raises(Unavailable, match=r"could not be started .* run again"):
        started(_Kernel(*refusals, errno.ENOENT).start)


def test_a_chapter_is_over_before_the_next_ones_are() -> None:
    """The control that closes it does not wait for what is launched after it."""
    target = load("reference")
    wanted = [
        one
        for one in (*CHAPTERS["tls"][:5], *CHAPTERS["reply"][:200])
        if not unsupported(one, target, sealed=False)
    ]
    (setup,) = arrange(wanted, CONTROLS, WHOLE, target, 48 * HOUR, PACES["fast"])
    lab = LabClient(Spec("reference", False, 0, "fast", setup.order), PATIENCE)
    try:
        came = [lab.read() for _ in setup.order.everything]
    finally:
        lab.close()

    assert came.index(CHAPTERS["tls"][-1].id) < len(came) / 2
