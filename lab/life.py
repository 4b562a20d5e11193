"""The life of one scenario: submit, wait for what the agent says, settle, and make the trace.

Theory of operation
-------------------
States: launched -> answered (the first report about each recipient) -> [one of: tried again, in a
world that may have changed; grown old, mark by mark, with everybody else (`lab/timeline.py`);
killed and started again; through with the attempts that the name server is gone for
(`lab/outage.py`); left short of something for a while (`lab/shortages.py`)] -> settled (quiet,
books balanced) -> over. If the agent takes no message, there is only the settling. A step that does
not come in the pace's patience is not an error here: the trace then shows that it never came.
"""

import asyncio
import itertools
from collections.abc import Callable

from fakes.sink import HOME
from lab.journal import Word
from lab.pace import AFTER, BEFORE, RETRY, Pace
from lab.plan import Placed
from lab.subject import Subject
from lab.world import World
from model.address import canonical
from model.dns import Outage
from model.events import (
    Accepted,
    Changed,
    Declined,
    Did,
    Elapsed,
    Event,
    Killed,
    Queued,
    RanShort,
    Reported,
    ResolverBack,
    ResolverGone,
    Retried,
    Returned,
    Submitted,
    Supplied,
)
from model.expect import Turns, is_tried_again, ways
from model.ndr import read_notices
from model.report import State
from model.scenario import Change, Home, Kill, Mark
from model.schedule import marks as schedule_marks
from model.shortage import Shortage
from model.trace import Clock, Trace
from model.waits import in_silence
from targets.base import Capability, Envelope, NotTaken, Route

Words = tuple[Word, ...]
Wanted = Callable[[Words], bool]
ATTEMPTS = 4
"""How often a recovery is tried before it counts as not coming."""
REPAIRS = 20
"""How often mail that has outlived the agent, or a shortage, is tried before it counts as stuck."""
AT_ONCE = 8
"""Messages of one scenario that are handed in at the same time: it is not alone."""
OVER = (State.RETURNED, State.EXPIRED)
TRIED = (State.DELIVERED, State.DEFERRED, *OVER)
LOOKED_AT = (*TRIED, State.HELD)
"""Tried, or left alone because another message for the same host has just failed."""


def _never(words: Words) -> bool:
    return False


class Life:
    """One scenario in a lab."""

    def __init__(
        self, world: World, subject: Subject, pace: Pace, placed: Placed, clock: Clock = Clock.RUNS
    ) -> None:
        self.scenario, self.id = placed.scenario, placed.scenario.id
        self.lifetime = placed.route.lifetime
        self.at_barrier = asyncio.Event()
        self.time_is_up = asyncio.Event()
        self.was_killed = asyncio.Event()
        self._resolver_is_back = asyncio.Event()
        self.is_short = asyncio.Event()
        self.did_without = asyncio.Event()
        self.is_supplied = asyncio.Event()
        self.kills_over: asyncio.Event | None = None
        self.over = asyncio.Event()
        self._world, self._subject, self._placed = world, subject, placed
        self._pace = pace.for_mail(placed.scenario.mail)
        self._journal, self._label = world.journal, placed.scenario.label
        self._recipients = frozenset(map(_name, placed.addressed))
        self._door = asyncio.Semaphore(AT_ONCE)
        self._submitted = 0.0
        self._before: Words = ()
        self._clock = clock if placed.scenario.is_timed else Clock.RUNS
        self._queue_ids: list[str] = []

    async def live(self) -> Trace:
        """From launch to trace."""
        self._journal.open(self._label)
        if (gone := self._world.dns.gone) is not None:
            self._saw(ResolverGone(self._now(), gone))
        envelopes = self._placed.envelopes
        every = filter(None, (*envelopes, self._placed.meanwhile))
        if self.scenario.kill is Kill.SUBMITTING:
            await self._be_killed_at_the_door()
        await asyncio.gather(*(self._submit(one) for one in envelopes))
        self._submitted = self._now()
        await (self._follow() if self._queue_ids else self._settle())
        return Trace(
            scenario=self.id,
            placement=self._placed.placement,
            sent={r: e.content for e in every for r in e.recipients},
            lifetime=self.lifetime,
            sealed=self._world.room.sealed,
            events=self._journal.settle(self._label),
            own=self._pace.timers.own,
            delay=self._pace.timers.delay,
            clock=self._clock,
            schedule=self._subject.target.schedule if self.scenario.intervals else None,
        )

    async def _submit(self, envelope: Envelope) -> None:
        """Hand a message in; whether it was taken is written down."""
        try:
            async with self._door:
                queue_id = await self._subject.call(
                    self._subject.target.submit, envelope, patience=self._pace.start
                )
        except NotTaken as refusal:
            self._saw(Declined(self._now(), str(refusal), envelope.recipients))
            self._recipients -= set(map(_name, envelope.recipients))
            return
        self._queue_ids.append(queue_id)
        self._recipients |= set(map(_name, envelope.recipients))
        self._saw(Submitted(self._now(), queue_id))

    async def _follow(self) -> None:
        """What becomes of the messages that were taken."""
        if self.kills_over is not None:
            await self.kills_over.wait()
            await self._outlive()
        elif self.scenario.kill in (Kill.WAITING, Kill.BUSY):
            await self._be_killed()
        elif self.scenario.outage is not None:
            await self._bear(self.scenario.outage)
        elif self.scenario.short_of is not Shortage.NONE:
            await self._do_without()
        else:
            await self._see_first_attempts()
            await self._go_on()
        await self._settle()

    async def _see_first_attempts(self) -> None:
        """Wait for a report on everybody; of a large message, as long as anything happens."""
        if self.scenario.mail.is_large:
            await self._while_busy(self._answered, self._pace.patience)
        else:
            await self._until(self._answered)

    async def _go_on(self) -> None:
        """What comes after the first report on everybody, where the scenario is about that."""
        if self.scenario.is_timed:
            self.at_barrier.set()
            await self._grow_old()
        elif is_tried_again(self.scenario.expect):
            await self._try_again()

    async def _be_killed_at_the_door(self) -> None:
        """Hand in half of each message, and wait until the agent is back without the rest."""
        for envelope in self._placed.envelopes:
            await self._subject.call(self._subject.target.begin, envelope)
        self.at_barrier.set()
        await self.was_killed.wait()

    async def _be_killed(self) -> None:
        """Wait until the agent is where it is to be killed, and until it is back."""
        if self.scenario.kill is Kill.BUSY:
            await self._journal.until_met(self._label, self._deadline())
        else:
            await self._until(self._answered)
        self.at_barrier.set()
        await self.was_killed.wait()
        await self._try_again()

    async def _bear(self, outage: Outage) -> None:
        """See the attempts that are made without a name server, and what comes of it when it is back."""
        await self._until(self._answered)
        for _ in range(outage.orders):
            await self._order()
        self.at_barrier.set()
        await self._resolver_is_back.wait()
        if is_tried_again(self.scenario.expect):
            await self._try_again()

    def resolver_is_back(self) -> None:
        """Note that questions are answered again, and go on."""
        if self._journal.is_open(self._label):
            self._saw(ResolverBack(self._now()))
        self._resolver_is_back.set()

    async def _do_without(self) -> None:
        """Be tried, and hand a message in, while there is not enough; both once more when there is."""
        await self._until(self._answered)
        self.at_barrier.set()
        await self.is_short.wait()
        if self.scenario.change is not None:
            await self._change(self.scenario.change)
        meanwhile = self._placed.meanwhile
        if meanwhile is not None:
            await self._submit(meanwhile)
        if not self._settled_for_all(self._words()):
            await self._order_in_vain()
        self.did_without.set()
        await self.is_supplied.wait()
        if meanwhile is not None and not set(map(_name, meanwhile.recipients)) <= self._recipients:
            await self._submit(meanwhile)
            await self._until(self._answered)
        await self._be_rid_of()

    async def _be_rid_of(self) -> None:
        """Have the agent try until its queue has none of the messages.

        It may hold one for whose recipients all is done but the notice to the sender.
        """
        for _ in range(REPAIRS):
            await self.stay_quiet()
            if not set(self._queue_ids) & set((await self._subject.held()).by_id):
                return
            await self._order_in_vain()

    def run_short(self) -> None:
        """Note that the agent's machine has run short of what this is about."""
        self._saw(RanShort(self._now(), self.scenario.short_of))
        self.is_short.set()

    def be_supplied(self) -> None:
        """Note that it has enough again."""
        self._saw(Supplied(self._now()))
        self.is_supplied.set()

    # What the timeline does with it --------------------------------------------------------

    @property
    def ages(self) -> list[float]:
        """When, in seconds of age, something happens to it, or must or must not; in order."""
        if self.scenario.intervals:
            return [*self._profile, self.lifetime - BEFORE, self.lifetime + AFTER]
        marks = (mark.age for mark in self.scenario.course)
        return sorted({*marks, self.lifetime - BEFORE, self.lifetime + AFTER})

    @property
    def _profile(self) -> tuple[float, ...]:
        """Just before and just after each attempt that is held against the agent's own schedule."""
        return schedule_marks(self._subject.target.schedule, self.scenario.intervals)

    def _is_due(self, age: float, passed: float) -> bool:
        """Whether an attempt is due at an age, `passed` seconds after the last mark."""
        if age in (profile := self._profile if self.scenario.intervals else ()):
            return bool(profile.index(age) % 2)
        return passed >= RETRY

    def _mark(self, age: float) -> Mark | None:
        return next((mark for mark in self.scenario.course if mark.age == age), None)

    def dies_at(self, age: float) -> bool:
        """Whether the agent is to be killed at the end of this age."""
        mark = self._mark(age)
        return mark is not None and mark.kill

    async def prepare(self, age: float) -> Route | None:
        """Make of the world what it becomes at this age; the new route, if there is one."""
        mark = self._mark(age)
        return await self._change(mark.change) if mark and mark.change else None

    def grow_older(self, passed: float) -> None:
        """Note the message's age by the agent's clock, `passed` seconds having been let pass."""
        now = self._now()
        self._before = self._words()
        self._saw(Elapsed(now, passed + now - self._submitted))

    async def reach(self, age: float, passed: float) -> None:
        """See the agent do what it does at this age; if an attempt is due, wait for its end.

        `passed` are the seconds since the last mark.
        """
        mark = self._mark(age)
        await self.stay_quiet()
        if self._is_due(age, passed):
            await self._see_attempts()
            await self.stay_quiet()  # what was said of an attempt may be said before its end
        await self._hear_of_the_end()
        for _ in range(mark.orders if mark else 0):
            await self._order()

    async def _hear(self, wanted: Wanted) -> bool:
        """Wait for mail to the sender, as long as anything happens; whether it has come."""
        return await self._while_busy(wanted, 2 * self._pace.silence)

    async def _hear_of_the_end(self) -> None:
        """Wait for the NDR, if there is to be one."""
        if self.scenario.mail.hears and self._gone(self._words()):
            await self._hear(self._came_home)

    async def _while_busy(self, wanted: Wanted, silence: float) -> bool:
        """Wait until the agent's words satisfy `wanted`, or nothing at all has happened for long.

        In the whole lab: an agent may be at work on the others first, one after the other.
        """
        left, came = silence, False
        while left > 0 and not came:
            came = await self._until(wanted, left)
            left = silence - self._journal.silence()
        return came

    async def _see_attempts(self) -> None:
        """Wait for news of everybody who waits.

        Of a message that an agent leaves alone for its host's sake it may say nothing.
        """
        await self._while_busy(self._has_news, self._pace.silence)

    def _has_news(self, words: Words) -> bool:
        return self._moved_on(words, self._before, LOOKED_AT)

    async def _change(self, change: Change) -> Route | None:
        await self._world.change(self._placed, change)
        self._saw(Changed(self._now()))
        return self._placed.route_by(change.connector) if change.connector else None

    def note_killed(self) -> None:
        """Note that the agent is gone, and is about to be back."""
        if self._journal.is_open(self._label):
            self._saw(Killed(self._now()))

    async def _outlive(self) -> None:
        """Have what the queue still holds tried until it holds nothing.

        The queue is asked and not the reports: one may have been lost with the agent.
        """
        for _ in range(REPAIRS):
            waiting = frozenset(map(_name, await self._waiting()))
            if not waiting:
                return
            await self._tried(waiting)

    async def _tried(self, waiting: frozenset[str]) -> None:
        before = len(self._words())
        await self._retry()
        await self._until(lambda now: waiting <= self._in_states(now[before:], TRIED))

    async def stay_quiet(self) -> None:
        """Give the agent the time to do what it must not do."""
        await self._until(_never, self._pace.quiet)

    def _events(self) -> tuple[Event, ...]:
        return self._journal.events(self._label)

    def _words(self) -> Words:
        return self._journal.words(self._label)

    def _now(self) -> float:
        return self._journal.elapsed(self._label)

    def _saw(self, event: Event) -> None:
        self._journal.saw(self._label, event)

    async def _until(self, wanted: Wanted, seconds: float | None = None) -> bool:
        """Wait until the agent's words satisfy `wanted`, by default as long as the pace is patient."""
        return await self._journal.until(self._label, wanted, self._deadline(seconds))

    def _deadline(self, seconds: float | None = None) -> float:
        patience = self._pace.patience if seconds is None else seconds
        return asyncio.get_running_loop().time() + patience

    # What is waited for --------------------------------------------------------------------

    def _answered(self, words: Words) -> bool:
        return self._all_in_states(words, tuple(State))

    def _delivered(self, words: Words) -> bool:
        return self._all_in_states(words, (State.DELIVERED,))

    def _settled_for_all(self, words: Words) -> bool:
        """Whether nobody waits any more."""
        return self._all_in_states(words, (State.DELIVERED, *OVER))

    def _all_in_states(self, words: Words, states: tuple[State, ...]) -> bool:
        """Whether every recipient has been reported in one of the states; it is asked at each word."""
        enough = len(words) >= len(self._recipients)
        return enough and self._recipients <= self._in_states(words, states)

    def _in_states(self, words: Words, states: tuple[State, ...]) -> set[str]:
        """The recipients that have been reported in one of the states."""
        return {
            _name(word.report.recipient)
            for word in words
            if isinstance(word, Reported) and word.report.state in states
        }

    def _moved_on(self, now: Words, then: Words, states: tuple[State, ...] = TRIED) -> bool:
        """Whether everybody who waited then has been reported again, in one of these states."""
        waited = self._recipients - self._in_states(then, (State.DELIVERED, *OVER))
        return waited <= self._in_states(now[len(then) :], states)

    def _is_over(self, words: Words) -> bool:
        return self._delivered(words) or self._gone(words)

    def _came_home(self, words: Words) -> bool:
        """Whether mail has come home that tells of an end; a notice of delay does not."""
        return any(isinstance(word, Returned) and not _only_delays(word) for word in words)

    def _told_all(self, words: Words) -> bool:
        """Whether as many notices have come home as are to come, about everybody together."""
        homes = (word.content for word in words if isinstance(word, Returned))
        wanted = len(self.scenario.told or ()) * len(self._recipients)
        return sum(len(read_notices(content)) for content in homes) >= wanted

    def _was_turned_away(self) -> bool:
        """Whether mail to the sender was refused."""
        return any(isinstance(event, Did) and event.host == HOME for event in self._events())

    # Steps ---------------------------------------------------------------------------------

    async def _try_again(self) -> None:
        """Change the world, and tell the agent to try again until it delivers, or fails anew."""
        if self.scenario.change is not None:
            await self._change(self.scenario.change)
        once = any(isinstance(way, Turns) for way in ways(self.scenario.expect))
        for _ in range(1 if once else ATTEMPTS):
            if self._settled_for_all(self._words()):
                return
            await self._repaired()
            if not await self._order():
                return  # it was dropped: nobody is left to try

    async def _order(self) -> bool:
        """Tell the agent to try again, and see what comes of it; whether anybody is left to try."""
        before = self._words()
        await self._retry()
        self._saw(Retried(self._now()))
        tried = await self._until(lambda now: self._moved_on(now, before))
        return tried or bool(await self._waiting())

    async def _order_in_vain(self) -> None:
        """Tell the agent to try again, whether or not it can say what comes of it."""
        before = self._words()
        await self._retry()
        self._saw(Retried(self._now()))
        await self._while_busy(lambda now: self._moved_on(now, before), self._pace.silence)

    async def _retry(self) -> None:
        """Have every message tried that still waits."""
        waiting = self._queue_ids
        if len(waiting) > 1:
            held = await self._subject.held()
            waiting = [one for one in waiting if one in held.by_id]
        await self._subject.call(self._subject.target.retry, *waiting)

    async def _waiting(self) -> tuple[str, ...]:
        """Whom the queue still holds mail for, of the scenario's messages or what became of them.

        Who waits is told in the scenario's own spelling.
        """
        held = await self._subject.held()
        ours = {canonical(one): one for one in self._placed.placement.recipients}
        of_ours = (one for name in self._queue_ids for one in held.by_id.get(name, ()))
        names = (*of_ours, *held.by_domain.get(self._placed.placement.domain, ()))
        return tuple(dict.fromkeys(ours.get(canonical(one), one) for one in names))

    async def _is_on_its_way_home(self) -> bool:
        """Whether the queue still has something to tell a sender who can be told."""
        if self.scenario.told is None or self.scenario.mail.home is not Home.LISTENS:
            return False
        return self._placed.placement.home in (await self._subject.held()).by_domain

    async def _grow_old(self) -> None:
        """Wait until the mail is given up: not before its time, however long the others take."""
        if Capability.PASS_TIME in self._subject.target.capabilities:
            await self.time_is_up.wait()
            await self._until(self._is_over)
        else:
            await self._until(self._is_over, self.lifetime + self._pace.patience)
        await self._hear_of_the_end()

    def _gone(self, words: Words) -> bool:
        return bool(self._in_states(words, OVER))

    async def _repaired(self) -> None:
        """Wait until stale answers have run out; all other faults end by being met."""
        until = self._world.dns.stale_until(self._label)
        if until is not None:
            await self._journal.until(self._label, _never, until + 0.05)

    async def _settle(self) -> None:
        """Let what is on its way arrive and silences end, let it be quiet, and read the queue."""
        await self._hear_of_the_end()
        if self.scenario.told:
            await self._hear(self._told_all)
        if self._gone(self._words()) and self.scenario.mail.home in (Home.REFUSES, Home.BUSY):
            await self._until(lambda words: self._was_turned_away())
        enough = self._now() + self._pace.silence
        for look in itertools.count(1):
            await self.stay_quiet()
            if self._answered(self._words()):  # else it waits for ever, and we have waited for it
                await self._until(lambda words: not in_silence(self._events()))
            waiting = await self._waiting()
            self._saw(Queued(self._now(), waiting))
            left, more = self._left(waiting), await self._may_say_more(waiting)
            if not left and (look >= ATTEMPTS or not more):
                return
            if self._now() > enough:  # else the agent is still tidying up, on a busy machine slowly
                return

    def _left(self, waiting: tuple[str, ...]) -> bool:
        """Whether something is still in the queue that has been delivered or returned, or is new."""
        new = set(waiting) - set(self._placed.placement.recipients)
        taken = {
            canonical(recipient)
            for event in self._events()
            if isinstance(event, Accepted) and event.acknowledged
            for recipient in event.recipients
        }
        done = taken & set(map(canonical, waiting))
        over = self._in_states(self._words(), OVER) & set(map(_name, waiting))
        return bool(new or done or over)

    async def _may_say_more(self, waiting: tuple[str, ...]) -> bool:
        """Whether somebody waits, of whom all has perhaps been said, or a sender is to be told."""
        if waiting and self._came_home(self._words()):
            return True
        return await self._is_on_its_way_home()


def _only_delays(word: Returned) -> bool:
    actions = {notice.action for notice in read_notices(word.content)}
    return actions == {"delayed"}


def _name(recipient: str) -> str:
    """What a recipient is called here: agents write addresses, and their case, as they like."""
    return canonical(recipient).lower()
