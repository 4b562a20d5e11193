"""What the agent still knows after it was killed: at any moment, and whatever it was doing."""

import asyncio
import base64
import errno
import json
import os
import resource
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model.ndr import read_notices
from model.report import Report, State
from model.wishes import Wishes
from selftests.bench import (
    BUSY,
    CONTENT,
    HOUR,
    RECIPIENT,
    REFUSED,
    SENDER,
    SENT,
    TIMERS,
    UNKNOWN,
    Bench,
)
from targets.base import NotTaken
from targets.reference.agent import Agent, Parts
from targets.reference.clock import Clock
from targets.reference.outcome import Outcome, Outcomes, Sent
from targets.reference.queue import Keeper, Message
from targets.reference.spool import MOST_IDLE, Spool, SpoolError

DELAY = replace(TIMERS, delay=4 * HOUR)


def lives(
    folder: Path,
    *scenes: Callable[[Bench], Any],
    answer: Outcome = REFUSED,
    away: float = 0.0,
) -> list[Bench]:
    """Agents one after the other on one spool, each for a scene and then gone without a word."""
    benches: list[Bench] = []

    async def life(scene: Callable[[Bench], Any]) -> None:
        at = away * len(benches)
        bench = Bench(lambda _: answer, DELAY, spool=str(folder), source=lambda: at)
        benches.append(bench)
        await bench.rest()
        await scene(bench)
        raise SystemExit  # nothing runs any more, not even what is about to

    for scene in scenes:
        with pytest.raises(SystemExit):
            asyncio.run(life(scene))
        spool = benches[-1].agent.keeper
        assert isinstance(spool, Spool)
        spool.close()
    return benches


async def submits(bench: Bench) -> None:
    """A message, whose first attempt is over."""
    bench.agent.submit(SENDER, [RECIPIENT], CONTENT, Wishes(("FAILURE", "DELAY"), "FULL", "e", ""))
    await bench.rest()


async def nothing(bench: Bench) -> None:
    """Only look."""


def passing(*seconds: float) -> Callable[[Bench], Any]:
    """A scene: time passes."""

    async def scene(bench: Bench) -> None:
        await bench.passes(*seconds)

    return scene


def test_what_waits_is_there_again_and_goes_by_its_old_schedule(tmp_path: Path) -> None:
    """Two attempts were made: the third is due 15 minutes after the second, 10 of which are over."""

    async def first(bench: Bench) -> None:
        await submits(bench)
        await bench.passes(300, 600)

    one, two = lives(tmp_path, first, passing(299))
    assert (len(one.attempts), len(two.attempts)) == (2, 0)
    (two,) = lives(tmp_path, passing(1))
    assert len(two.attempts) == 1


def test_a_message_that_was_never_tried_is_tried_at_once(tmp_path: Path) -> None:
    async def hands_in(bench: Bench) -> None:
        bench.agent.submit(SENDER, [RECIPIENT], CONTENT)

    one, two = lives(tmp_path, hands_in, nothing)
    assert (one.attempts, two.attempts) == ([], [RECIPIENT])
    assert two.left == (RECIPIENT,)


def test_age_and_clock_survive(tmp_path: Path) -> None:
    """Ten hours let pass, one without a process, and 13 more: that is a day."""

    async def first(bench: Bench) -> None:
        await submits(bench)
        await bench.passes(10 * HOUR)

    _, two, three = lives(tmp_path, first, passing(12 * HOUR - 1), passing(0, 1), away=HOUR)
    assert two.clock.offset == 22 * HOUR - 1
    assert State.EXPIRED not in two.states()
    assert three.states()[-1] is State.EXPIRED
    (ndr,) = three.returned
    assert b"Original-Envelope-Id: e\r\n" in ndr
    assert b"Arrival-Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n" in ndr
    assert b"message/rfc822" in ndr


def test_a_delay_notice_is_sent_once_over_all_lives(tmp_path: Path) -> None:
    async def first(bench: Bench) -> None:
        await submits(bench)
        await bench.passes(5 * HOUR)

    one, two = lives(tmp_path, first, passing(5 * HOUR))
    assert (len(one.returned), len(two.returned)) == (1, 0)


def test_a_delay_notice_whose_time_came_meanwhile_is_sent(tmp_path: Path) -> None:
    one, two = lives(tmp_path, submits, nothing, away=6 * HOUR)
    (notice,) = two.returned
    assert not one.returned
    assert read_notices(notice)[0].action == "delayed"


def test_what_is_over_is_over(tmp_path: Path) -> None:
    _, two = lives(tmp_path, submits, nothing, answer=SENT)
    assert (two.attempts, two.left, two.reports) == ([], (), [])


def test_an_ndr_that_could_not_go_home_yet_goes_home_later(tmp_path: Path) -> None:
    """It is in the same line as the end of what it is about."""

    async def hands_in(bench: Bench) -> None:
        bench.agent.submit(SENDER, [RECIPIENT], CONTENT)
        await asyncio.sleep(0)

    one, two = lives(tmp_path, hands_in, nothing, answer=UNKNOWN)
    assert one.states() == [State.RETURNED]
    assert not one.returned
    assert len(two.returned) == 1
    assert two.states() == []


# Killed at every moment


class World:
    """What the mail hosts have: mail taken, and NDRs, by recipient."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.ndrs: list[str] = []
        self.reports: list[Report] = []
        self.busy = True


RECIPIENTS = ("sent@d.test", "gone@d.test", "later@d.test", "late@e.test")


def mortal(world: World, moment: int, before: bool) -> type[Agent]:
    """An agent that is killed before or after it writes its line of a number; 0: never."""

    class Mortal(Spool):
        lines = 0

        def _flush(self) -> None:
            self.lines += bool(self._entries)
            dies = self.lines == moment and bool(self._entries)
            if dies and before:
                self._entries = []
                raise SystemExit
            super()._flush()
            if dies:
                raise SystemExit

    class Subject(Agent):
        parts = Parts(keeper=Mortal)

        async def attempt(
            self, message: Message, domain: str, recipients: Sequence[str]
        ) -> Outcomes:
            """Each server takes one recipient a time."""
            outcomes: dict[str, Outcome] = {}
            for recipient in recipients:
                outcomes[recipient] = self.one(message, recipient)
                if isinstance(outcomes[recipient], Sent):
                    self.queue.taken(message, domain, {recipient: SENT})
                await asyncio.sleep(0)
            return outcomes

        def one(self, message: Message, recipient: str) -> Outcome:
            if recipient == SENDER:
                world.ndrs += [notice.recipient for notice in read_notices(message.content)]
                return SENT
            if recipient.startswith("gone"):
                return UNKNOWN
            if recipient.startswith("late") and world.busy:
                return BUSY
            world.taken.append(recipient)
            return SENT

    return Subject


def live(folder: Path, agent: type[Agent], world: World, submits: bool) -> tuple[bool, int]:
    """One life on the spool: whether it was killed, and how many lines it wrote."""
    spools: list[Any] = []

    async def scene() -> None:
        # That a task has ended the loop is what is wanted, and no news.
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        bench = Bench(lambda _: SENT, DELAY, spool=str(folder))
        old = bench.agent.keeper
        assert isinstance(old, Spool)
        old.close()
        config = replace(bench.agent.config, spool=str(folder))
        subject = agent(config, world.reports.append, Clock(lambda: 0.0, lambda: 0.0))
        spools.append(subject.keeper)
        if submits:
            subject.submit(SENDER, RECIPIENTS, CONTENT)
        for _ in range(40):
            await asyncio.sleep(0)
        world.busy = False
        subject.advance(HOUR)
        for _ in range(40):
            await asyncio.sleep(0)

    try:
        asyncio.run(scene())
        killed = False
    except SystemExit:
        killed = True
    spools[0].close()
    return killed, spools[0].lines


LINES = 16
"""Lines that an undisturbed life writes."""


def test_an_undisturbed_life_is_as_long_as_is_supposed(tmp_path: Path) -> None:
    world = World()
    assert live(tmp_path, mortal(world, 0, True), world, True) == (False, LINES)
    assert sorted(world.taken) == ["late@e.test", "later@d.test", "sent@d.test"]
    assert world.ndrs == ["gone@d.test"]


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("moment", range(1, LINES + 1))
def test_killed_at_any_moment_it_loses_nothing(tmp_path: Path, moment: int, before: bool) -> None:
    """Nothing comes twice but what was taken, and its line not yet written."""
    world = World()
    killed, _ = live(tmp_path, mortal(world, moment, before), world, True)
    accepted = moment > 1 or not before
    had = list(world.taken), list(world.ndrs)
    live(tmp_path, mortal(world, 0, True), world, False)
    assert killed
    wanted = ["late@e.test", "later@d.test", "sent@d.test"] if accepted else []
    assert sorted(set(world.taken)) == wanted
    assert set(world.ndrs) == ({"gone@d.test"} if accepted else set())
    ends = {report.recipient for report in world.reports if report.state is not State.DEFERRED}
    assert ends == ({*RECIPIENTS, SENDER} if accepted else set())
    doubles = len(world.taken) + len(world.ndrs) - len(wanted) - accepted
    assert doubles <= (1 if before else 0), (had, world.taken, world.ndrs)


def test_what_is_said_has_been_written(tmp_path: Path) -> None:
    """At every report the journal already tells of the fate, and of the NDR."""
    seen: list[tuple[State, bool, int]] = []
    journal = tmp_path / "journal"

    async def scene(bench: Bench) -> None:
        def say(report: Report) -> None:
            last = json.loads(journal.read_text().splitlines()[-1])
            waiting = [values["waiting"] for kind, values in last if kind == "parcel"]
            ndrs = [values["id"] for kind, values in last if kind == "message"]
            seen.append((report.state, [] in waiting, len(ndrs)))

        spool = bench.agent.keeper
        assert isinstance(spool, Spool)
        spool._say = say
        await submits(bench)
        bench.agent.submit(SENDER, ["v@e.test"], CONTENT)
        bench.answer = lambda _: UNKNOWN
        await bench.rest()

    lives(tmp_path, scene)
    assert seen[:2] == [(State.DEFERRED, False, 0), (State.RETURNED, True, 1)]


def test_whom_a_server_took_is_reported_after_all(tmp_path: Path) -> None:
    """And is not asked for again, though the attempt was not over."""
    world = World()
    for moment in range(2, LINES):
        live(tmp_path / str(moment), mortal(world, moment, before=False), world, True)
        journal = (tmp_path / str(moment) / "journal").read_text().splitlines()
        last = json.loads(journal[-1])[-1][1]
        if isinstance(last, Mapping) and last.get("taken"):
            break
    else:
        raise AssertionError("there was no such moment")
    (bench,) = lives(tmp_path / str(moment), nothing, answer=BUSY)
    (recipient,) = last["taken"]
    assert bench.states(recipient) == [State.DELIVERED]
    assert recipient not in bench.attempts


# The file


def test_a_line_without_its_end_does_not_count(tmp_path: Path) -> None:
    lives(tmp_path, submits)
    journal = tmp_path / "journal"
    whole = journal.read_bytes()
    (at,) = [place for place in range(len(whole)) if whole.startswith(b'[["message"', place)]
    journal.write_bytes(whole[: at + 40])
    (bench,) = lives(tmp_path, nothing)
    assert bench.left == ()


@pytest.mark.parametrize(
    ("line", "where"),
    [
        (b"nonsense\n", "line 3"),
        (b'{"a": 1}\n', "line 3"),
        (b'[["parcel", {"id": "X", "domain": "d", "waiting": ["u"]}]]\n', "message X for d"),
        (b'[["clock", "noon"]]\n', "line 3"),
    ],
)
def test_a_damaged_spool_is_named_in_a_sentence(tmp_path: Path, line: bytes, where: str) -> None:
    lives(tmp_path, submits)
    with (tmp_path / "journal").open("ab") as journal:
        lines = (tmp_path / "journal").read_bytes().count(b"\n")
        journal.write(line)
    where = where.replace("line 3", f"line {lines + 1}")
    with pytest.raises(SpoolError, match=rf"journal is damaged \({where}: \w+\); mend it, or move"):
        lives(tmp_path, nothing)


def test_a_spool_belongs_to_one_process(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path), print)
    with pytest.raises(SpoolError, match="is in use by another process; stop that one"):
        Spool(str(tmp_path), print)
    spool.close()
    Spool(str(tmp_path), print).close()


def test_a_journal_in_which_nothing_waits_does_not_grow_for_ever(tmp_path: Path) -> None:
    kept: list[bool] = []

    async def much(bench: Bench) -> None:
        spool = bench.agent.keeper
        assert isinstance(spool, Spool)
        spool._say = lambda report: kept.append(b'"say"' in (tmp_path / "journal").read_bytes())
        for _ in range(4):
            bench.agent.submit("", [RECIPIENT], b"x" * (MOST_IDLE // 3))
            await bench.rest()

    lives(tmp_path, much, answer=SENT)
    assert kept == [True] * 4  # not before the reports have been said
    assert (tmp_path / "journal").stat().st_size < MOST_IDLE


def test_the_journal_is_written_anew_at_the_start(tmp_path: Path) -> None:
    async def two(bench: Bench) -> None:
        bench.agent.submit("", [RECIPIENT], b"kept")
        await bench.rest()
        bench.answer = lambda _: SENT
        bench.agent.submit("", ["v@d.test"], b"over")
        await bench.rest()

    lives(tmp_path, two, nothing)
    journal = (tmp_path / "journal").read_text()
    assert base64.b64encode(b"kept").decode() in journal
    assert base64.b64encode(b"over").decode() not in journal


def test_a_report_that_was_perhaps_not_said_is_said_again_once(tmp_path: Path) -> None:
    lives(tmp_path, submits)
    journal = tmp_path / "journal"
    lines = journal.read_bytes().splitlines(keepends=True)
    assert lines[-1] == b'[["said",null]]\n'
    journal.write_bytes(b"".join(lines[:-1]))
    two, three = lives(tmp_path, nothing, nothing)
    assert (two.states(), three.states()) == ([State.DEFERRED], [])


@pytest.mark.parametrize(("heard", "said"), [(0, 2), (4, 2), (5, 1), (6, 0)])
def test_a_report_that_was_heard_is_not_said_again(tmp_path: Path, heard: int, said: int) -> None:
    """Of six reports, over two lives, the last two are in doubt."""

    async def two_are_late(bench: Bench) -> None:
        bench.agent.submit("", ["a@d.test", "b@d.test"], CONTENT)
        await bench.rest()
        await bench.passes(300)

    async def again(bench: Bench) -> None:
        await bench.passes(900)

    lives(tmp_path, two_are_late, again)
    journal = tmp_path / "journal"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-1]))
    reports: list[Report] = []
    spool = Spool(str(tmp_path), reports.append, heard)
    spool.restore(Clock(lambda: 0.0, lambda: 0.0))
    spool.close()
    assert [report.recipient for report in reports] == ["a@d.test", "b@d.test"][2 - said :]


def test_without_a_folder_nothing_is_kept() -> None:
    async def scene() -> Keeper:
        return Bench(lambda _: SENT).agent.keeper

    assert not isinstance(asyncio.run(scene()), Spool)


def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is refused, and the next line stands by itself."""
    write = os.write

    def half(file: int, octets: bytes) -> int:
        write(file, octets[:20])
        raise OSError(errno.ENOSPC, "No space left on device")

    async def full(bench: Bench) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", half)
            with pytest.raises(NotTaken, match=r"^452 "):
                bench.agent.submit("", [RECIPIENT], b"too much")
        bench.agent.submit("", [RECIPIENT], b"fits")

    _, two = lives(tmp_path, full, nothing)
    assert two.left == (RECIPIENT,)


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """No file may grow any more: the kernel refuses (EFBIG, setrlimit(2)), as it does on a full disk."""
    size = (folder / "journal").stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_mail_for_which_there_is_no_room_is_put_off_and_leaves_no_trace(tmp_path: Path) -> None:
    """It is refused for now, neither tried nor found later; the next is taken when there is room."""

    async def hands_in(bench: Bench) -> None:
        await submits(bench)
        with full(tmp_path), pytest.raises(NotTaken, match=r"^452 4\.3\.1 "):
            bench.agent.submit(SENDER, ["other@d.test"], CONTENT)
        await bench.rest()
        await submits(bench)

    one, two = lives(tmp_path, hands_in, nothing)
    assert one.attempts == [RECIPIENT, RECIPIENT]
    assert two.left == (RECIPIENT, RECIPIENT)


@pytest.mark.parametrize(("answer", "told"), [(SENT, 0), (UNKNOWN, 1)])
def test_what_could_not_be_noted_is_noted_when_there_is_room(
    tmp_path: Path, answer: Outcome, told: int
) -> None:
    """Mail was delivered, or lost and returned, while the disk was full: it is not so once more."""

    async def goes_out(bench: Bench) -> None:
        bench.agent.submit(SENDER, [RECIPIENT], CONTENT)
        with full(tmp_path):
            await bench.rest()
        await submits(bench)

    one, two = lives(tmp_path, goes_out, nothing, answer=answer)
    assert one.attempts.count(RECIPIENT) == 2
    assert len(one.returned) == 2 * told
    assert (two.attempts, two.left, two.returned) == ([], (), [])
