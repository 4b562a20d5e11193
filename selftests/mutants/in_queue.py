"""Agents that go wrong in the hours after a failure: in attempts, notices, wishes, restarts, routes."""

from collections import defaultdict
from collections.abc import Sequence

from model.report import State
from model.verdict import Law
from model.wishes import Wishes
from selftests.mutants.mutant import Mutant
from selftests.mutants.where import (
    changes_its_connector,
    expires,
    survives_a_kill,
    waits_for_hours,
)
from targets.base import Route
from targets.reference.agent import Agent, Parts, Say
from targets.reference.clock import Clock
from targets.reference.outcome import Failure
from targets.reference.policy import MINUTE, Policy
from targets.reference.queue import Fate, Forgetful, Keeper, Parcel, Queue
from targets.reference.spool import Spool, keeper

HOUR = 60 * MINUTE


# The end -------------------------------------------------------------------------------------


class _Late(Policy):
    def is_over(self, age: float, lifetime: float) -> bool:
        return age >= lifetime + 2 * HOUR


class ExpiresLate(Agent):
    """Keeps mail for two hours beyond its lifetime."""

    parts = Parts(policy=_Late)


class _Younger(Queue):
    def _over(self, parcel: Parcel) -> bool:
        return self._policy.is_over(self._clock.now() - parcel.tried, parcel.lifetime)


class ResetsExpiry(Agent):
    """Reckons the lifetime from the last attempt."""

    parts = Parts(queue=_Younger)


class _Flushed(Queue):
    def retry(self, *queue_ids: str) -> None:
        for parcel in self._parcels:
            if parcel.message.queue_id in queue_ids:
                parcel.lifetime += self._clock.now() - parcel.message.arrived
        super().retry(*queue_ids)


class FlushingResetsExpiry(Agent):
    """Gives mail a new lifetime when it is told to try it."""

    parts = Parts(queue=_Flushed)


class _FirstError(Queue):
    def _settle(self, parcel: Parcel, fates: Sequence[Fate]) -> None:
        first = dict(parcel.last)
        super()._settle(parcel, fates)
        parcel.last |= first


class TellsFirstError(Agent):
    """Tells in the NDR how the first attempt failed, not the last."""

    parts = Parts(queue=_FirstError)


# Attempts ------------------------------------------------------------------------------------


class _OneDay(Policy):
    def pause(self, attempts: int) -> float:
        return super().pause(attempts) if attempts < 4 else 365 * 24 * HOUR


class StopsTrying(Agent):
    """Does not try again after the fourth attempt, and lets the mail lie."""

    parts = Parts(policy=_OneDay)


class _Eager(Policy):
    def pause(self, attempts: int) -> float:
        return MINUTE


class TriesEveryMinute(Agent):
    """Knocks again every minute."""

    parts = Parts(policy=_Eager)


class _Twice(Policy):
    def pause(self, attempts: int) -> float:
        return super().pause(attempts) / 2


class TriesTwiceAsOften(Agent):
    """Waits half as long between attempts as its schedule has it."""

    parts = Parts(policy=_Twice)


class _Half(Policy):
    def pause(self, attempts: int) -> float:
        return super().pause(attempts) * 2


class TriesHalfAsOften(Agent):
    """Waits twice as long between attempts as its schedule has it."""

    parts = Parts(policy=_Half)


class _Level(Policy):
    def pause(self, attempts: int) -> float:
        return super().pause(min(attempts, 2))


class StopsGrowing(Agent):
    """Tries every 15 minutes to the end, where the pause should have grown to an hour."""

    parts = Parts(policy=_Level)


class _Endless(Policy):
    def loops(self, hops: int) -> bool:
        return False


class CountsNoHops(Agent):
    """Lets mail go round for ever."""

    parts = Parts(policy=_Endless)


class _Dizzy(Policy):
    def loops(self, hops: int) -> bool:
        return hops > 20


class CountsFewHops(Agent):
    """Takes for a loop what has passed 21 hosts."""

    parts = Parts(policy=_Dizzy)


# Notices of delay ----------------------------------------------------------------------------


class _NeverLate(Policy):
    def is_late(self, age: float, delay: float) -> bool:
        return False


class NoDelayNotice(Agent):
    """Never tells that mail is late."""

    parts = Parts(policy=_NeverLate)


class _SoonLate(Policy):
    def is_late(self, age: float, delay: float) -> bool:
        return super().is_late(age, delay / 2)


class HastyDelayNotice(Agent):
    """Tells of a delay in half the time that is configured."""

    parts = Parts(policy=_SoonLate)


class _TwiceLate(Policy):
    def delay_notices(self, sender: str, notify: Sequence[str]) -> int:
        return 2 * super().delay_notices(sender, notify)


class TwoDelayNotices(Agent):
    """Tells of a delay twice."""

    parts = Parts(policy=_TwiceLate)


class _AlwaysLate(Queue):
    def _mind_delay(self, parcel: Parcel) -> None:
        parcel.warned = False
        super()._mind_delay(parcel)


class DelayNoticeEachTime(Agent):
    """Tells of the delay after each attempt anew."""

    parts = Parts(queue=_AlwaysLate)


class _FailsLate(Queue):
    def _mind_delay(self, parcel: Parcel) -> None:
        warned = parcel.warned
        super()._mind_delay(parcel)
        if parcel.warned and not warned:
            parcel.lifetime = 0.0


class DelayIsTheEnd(Agent):
    """Gives mail up once it has told that it is late."""

    parts = Parts(queue=_FailsLate)


# Wishes --------------------------------------------------------------------------------------


class _TellsAll(Policy):
    def tells_failure(self, notify: Sequence[str]) -> bool:
        return True


class TellsWhoAskedForSilence(Agent):
    """Sends an NDR whatever NOTIFY says."""

    parts = Parts(policy=_TellsAll)


class _TellsOfDelay(Policy):
    def delay_notices(self, sender: str, notify: Sequence[str]) -> int:
        return 1 if sender else 0


class TellsOfDelayUnasked(Agent):
    """Sends a notice of delay whatever NOTIFY says."""

    parts = Parts(policy=_TellsOfDelay)


class _Taciturn(Policy):
    def delay_notices(self, sender: str, notify: Sequence[str]) -> int:
        return 0 if notify else super().delay_notices(sender, notify)


class NoDelayNoticeOnRequest(Agent):
    """Sends no notice of delay to who asked for one."""

    parts = Parts(policy=_Taciturn)


class _Talkative(Policy):
    def passes_on(self, wishes: Wishes, offered: bool) -> Wishes:
        return wishes


class PassesWishesToAll(Agent):
    """Uses the DSN extension with hosts that do not offer it."""

    parts = Parts(policy=_Talkative)


class _Discreet(Policy):
    def passes_on(self, wishes: Wishes, offered: bool) -> Wishes:
        return Wishes()


class KeepsWishes(Agent):
    """Passes no wish on, though the host offers DSN."""

    parts = Parts(policy=_Discreet)


class _Unrelayed(Policy):
    def relay_notices(self, sender: str, notify: Sequence[str]) -> int:
        return 0


class NoRelayNotice(Agent):
    """Does not tell that mail has gone to a host that cannot tell of success."""

    parts = Parts(policy=_Unrelayed)


# Restarts ------------------------------------------------------------------------------------


def _nothing(folder: str, say: Say, heard: int) -> Keeper:
    return Forgetful(say)


class LosesOnRestart(Agent):
    """Keeps its queue in memory only."""

    parts = Parts(keeper=_nothing)


class _Deaf(Spool):
    def changed(self, parcel: Parcel) -> None:
        if not parcel.attempts and not parcel.taken:
            super().changed(parcel)


def _unwritten(folder: str, say: Say, heard: int) -> Keeper:
    return _Deaf(folder, say, heard) if folder else keeper(folder, say, heard)


class DeliversAgainAfterRestart(Agent):
    """Writes down what it takes on, and never what becomes of it."""

    parts = Parts(keeper=_unwritten)


class _NoNull(Spool):
    def restore(self, clock: Clock) -> list[Parcel]:
        return [parcel for parcel in super().restore(clock) if parcel.message.sender]


def _without_null(folder: str, say: Say, heard: int) -> Keeper:
    return _NoNull(folder, say, heard) if folder else keeper(folder, say, heard)


class LosesNullSender(Agent):
    """Forgets mail without a sender when it is started again."""

    parts = Parts(keeper=_without_null)


class _Reborn(Spool):
    def restore(self, clock: Clock) -> list[Parcel]:
        found = super().restore(clock)
        for parcel in found:
            parcel.lifetime += clock.now() - parcel.message.arrived
        return found


def _rejuvenated(folder: str, say: Say, heard: int) -> Keeper:
    return _Reborn(folder, say, heard) if folder else keeper(folder, say, heard)


class RestartResetsExpiry(Agent):
    """Gives mail a new lifetime when it is started again."""

    parts = Parts(keeper=_rejuvenated)


class _Unwarned(Spool):
    def restore(self, clock: Clock) -> list[Parcel]:
        found = super().restore(clock)
        for parcel in found:
            parcel.warned = False
        return found


def _forgetful_of_notices(folder: str, say: Say, heard: int) -> Keeper:
    return _Unwarned(folder, say, heard) if folder else keeper(folder, say, heard)


class WarnsAgainAfterRestart(Agent):
    """Tells of a delay once more when it is started again."""

    parts = Parts(keeper=_forgetful_of_notices)


class TakesHalves(Agent):
    """Takes a message on before it has come to its end."""

    def begin(self, sender: str, recipients: Sequence[str], content: bytes) -> None:
        """Take what there is of it, to be tried when the rest is there, or in a while."""
        self.submit(sender, recipients, content)


# Fairness ------------------------------------------------------------------------------------


class _OneLane(Queue):
    async def _try(self, parcel: Parcel) -> None:
        lane = self._lanes[""]
        self._lanes = defaultdict(lambda: lane)
        await super()._try(parcel)


class Starves(Agent):
    """Attempts twenty messages at a time, whoever they are for."""

    parts = Parts(queue=_OneLane)


# Routes --------------------------------------------------------------------------------------


class KeepsRoutes(Agent):
    """Sends what waits by the connectors as they were when it was started."""

    def reroute(self, routes: Sequence[Route]) -> None:
        """Hear, and forget."""


class _Grudge(Queue):
    def _state(self, parcel: Parcel, outcome: object) -> State:
        state = super()._state(parcel, outcome)  # type: ignore[arg-type]
        late = isinstance(outcome, Failure) and parcel.attempts > 4
        return State.RETURNED if late else state


class TiresOfTrying(Agent):
    """Returns mail after the fourth attempt, whatever its lifetime."""

    parts = Parts(queue=_Grudge)


MUTANTS = (
    Mutant(ExpiresLate, (expires,), hours=True),
    Mutant(ResetsExpiry, (expires,), hours=True),
    Mutant(FlushingResetsExpiry, ("queue.flush.*",), hours=True),
    Mutant(TellsFirstError, ("queue.turns.*",), hours=True),
    Mutant(StopsTrying, (waits_for_hours,), hours=True),
    Mutant(
        TriesEveryMinute,
        ("queue.schedule.not-at-once", "queue.schedule.overloaded", "queue.profile.*"),
        hours=True,
    ),
    Mutant(TriesTwiceAsOften, ("queue.profile.*",), hours=True),
    Mutant(TriesHalfAsOften, ("queue.profile.*",), hours=True),
    Mutant(StopsGrowing, ("queue.profile.*",), hours=True),
    Mutant(CountsNoHops, ("queue.hops.too-many",), hours=True),
    Mutant(CountsFewHops, ("queue.hops.few", "queue.hops.ninety"), hours=True),
    Mutant(NoDelayNotice, (waits_for_hours,), hours=True),
    Mutant(HastyDelayNotice, (waits_for_hours,), Law.NDR_IN_TIME, hours=True),
    Mutant(TwoDelayNotices, (waits_for_hours,), hours=True),
    Mutant(DelayNoticeEachTime, (waits_for_hours,), hours=True),
    Mutant(DelayIsTheEnd, (waits_for_hours,), Law.NDR_IN_TIME, hours=True),
    Mutant(TellsWhoAskedForSilence, ("notices.*",), hours=True),
    Mutant(TellsOfDelayUnasked, ("notices.failure.expired", "notices.never.expired"), hours=True),
    Mutant(NoDelayNoticeOnRequest, ("notices.delay.*", "notices.both.expired"), hours=True),
    # Outside: where a host that refuses the parameter at MAIL never gets to its fault.
    Mutant(
        PassesWishesToAll,
        ("notices.*",),
        outside=("notices.ret.*", "notices.envid"),
        hours=True,
    ),
    Mutant(KeepsWishes, ("notices.*.passed-on",), hours=True),
    Mutant(NoRelayNotice, ("notices.success.relayed",), hours=True),
    Mutant(LosesOnRestart, (survives_a_kill,), Law.ACCOUNTED, hours=True),
    Mutant(DeliversAgainAfterRestart, (survives_a_kill,), Law.ACCOUNTED, hours=True),
    Mutant(LosesNullSender, ("restart.waiting.null-sender",), Law.ACCOUNTED, hours=True),
    Mutant(KeepsRoutes, (changes_its_connector,), hours=True),
    Mutant(RestartResetsExpiry, ("restart.aged.expires",), hours=True),
    Mutant(WarnsAgainAfterRestart, ("restart.aged.*",), hours=True),
    Mutant(TakesHalves, ("restart.submitting.*",), Law.INTACT, hours=True),
    Mutant(Starves, ("queue.dead-host.*",), scope=("control.*", "queue.dead-host.*")),
    Mutant(TiresOfTrying, (waits_for_hours,), hours=True),
)
