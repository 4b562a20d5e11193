"""Running mutants: a lab for each, a few at once, every scenario of its scope judged.

Theory of operation
-------------------
Each hunt is one lab process of its own with one wrong agent in it, from launch to its last
trace. Labs mostly wait, so a few share the processors; too many at once would let an honest
answer come too late for an agent's time-outs. What objects where nobody expected it is asked again
by itself, and counts only if it objects again: on a busy machine a host's answer may come late, which
says nothing of any check.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from catalogue import CATALOGUE, dialects
from fixtures.runs import CONTROLS, WHOLE
from lab.client import LabClient
from lab.messages import Spec
from lab.pace import PACES
from lab.room import Unavailable
from lab.sealed import command
from lab.setups import arrange, unsupported
from model.judge import judge
from model.scenario import Kill, Scenario
from model.shortage import Shortage
from model.verdict import Holds, Judgement, Law, Verdict
from selftests.mutants.known import target_of
from selftests.mutants.mutant import Mutant, matches, words
from selftests.mutants.where import Where
from targets.base import load

AT_ONCE = 3
"""Labs that run at the same time."""
SAMPLE = 10
"""Of so many scenarios where a mutant is not to be caught, one is run."""
DEADLINE = 400.0
"""Seconds for one trace to come after another."""
PACE = PACES["fast"]
REFERENCE = "reference"


@dataclass(frozen=True, slots=True)
class Catch:
    """A scenario that objects: the verdict, the laws broken, and what was observed."""

    verdict: Verdict
    laws: frozenset[Law]
    observed: str


Caught = dict[str, Catch]
"""By scenario id, whatever does not conform."""


def sealed_room() -> bool:
    """Whether this machine gives sealed rooms."""
    try:
        command([])
    except Unavailable:
        return False
    return True


def ground(mutant: Mutant) -> list[Scenario]:
    """Where a mutant is hunted, of its scope: wherever it may be caught, and a sample of the rest.

    The rest is there to show that nothing unrelated objects, and that needs no thousand cases.
    """
    scope = [
        s
        for s in CATALOGUE.values()
        if matches(s, mutant.scope)
        and not matches(s, mutant.outside)
        and (mutant.hours or not _takes_long(s))
        and (mutant.large or not s.mail.is_large)
    ]
    return [s for s in scope if matches(s, mutant.caught_by) or _is_sampled(s)]


def _takes_long(scenario: Scenario) -> bool:
    crowded = scenario.short_of is not Shortage.NONE
    gone = scenario.outage is not None
    return scenario.is_timed or scenario.kill is not Kill.NEVER or crowded or gone


def _is_sampled(scenario: Scenario) -> bool:
    return zlib.crc32(scenario.id.encode()) % SAMPLE == 0


def hunt(
    target: str, wanted: Sequence[Scenario], sealed: bool, expected: Sequence[str | Where] = ()
) -> Caught:
    """Run some scenarios against a target; those that object, and were `expected` to or not.

    Raises LabBroken: a mutant is wrong, but never dead.
    """
    caught = _run(target, wanted, sealed)
    odd = [CATALOGUE[name] for name, one in caught.items() if not _is_plain(name, one, expected)]
    if odd:
        again = _run(target, odd, sealed)
        gone = {scenario.id for scenario in odd} - set(again)
        caught = {name: one for name, one in caught.items() if name not in gone} | again
    return caught


def _is_plain(name: str, catch: Catch, expected: Sequence[str | Where]) -> bool:
    """Whether a scenario fails, and is one that was to object."""
    return catch.verdict is Verdict.FAIL and matches(CATALOGUE[name], expected)


def _run(target: str, wanted: Sequence[Scenario], sealed: bool) -> Caught:
    agent = load(target)
    runnable = [s for s in wanted if not unsupported(s, agent, sealed)]
    dialect = dialects.load(agent.dialect)
    setups = arrange(runnable, CONTROLS, WHOLE, agent, dialect.lifetime, PACE)
    labs = [
        (LabClient(Spec(target, sealed, 0, PACE.name, setup.order), DEADLINE), setup.wanted)
        for setup in setups
    ]
    try:
        judged = {
            s.id: judge(s, lab.trace(s.id), dialect)
            for lab, wanted_here in labs
            for s in runnable
            if s.id in wanted_here
        }
    finally:
        for lab, _ in labs:
            lab.close()
    return {name: _catch(one) for name, one in judged.items() if not one.conforms}


def hunt_all(mutants: Iterable[Mutant], sealed: bool) -> dict[str, "Future[Caught]"]:
    """Start to hunt them all, and the blameless agent under its own name; by name."""
    pool = ThreadPoolExecutor(AT_ONCE, "hunt")
    everyday = [s for s in CATALOGUE.values() if not s.mail.is_large]
    hunts = {REFERENCE: pool.submit(hunt, REFERENCE, everyday, sealed)}
    for mutant in mutants:
        hunts[mutant.name] = pool.submit(
            hunt, target_of(mutant), ground(mutant), sealed, mutant.caught_by
        )
    pool.shutdown(wait=False)
    return hunts


def complaints(mutant: Mutant, caught: Caught, sealed: bool) -> Sequence[str]:
    """What is not as declared, each in a sentence; empty if all is.

    In an open room the agent's own words may be the only sign that a host that is away was
    tried, and if it is the words that are wrong, the scenario is inconclusive.
    """
    failed = any(catch.verdict is Verdict.FAIL for catch in caught.values())
    found = [] if failed else ["nothing objects to it"]
    for scenario, catch in caught.items():
        if not matches(CATALOGUE[scenario], mutant.caught_by):
            found.append(f"{scenario} objects too: {catch.observed}")
        if sealed and catch.verdict is not Verdict.FAIL:
            found.append(f"{scenario} is {catch.verdict}: {catch.observed}")
    objecting = [CATALOGUE[name] for name in caught]
    idle = [one for one in mutant.caught_by if not any(matches(s, (one,)) for s in objecting)]
    found += [f"nothing of {words(one)} objects" for one in idle]
    if mutant.law and not any(mutant.law in catch.laws for catch in caught.values()):
        found.append(f"the law {mutant.law} is never broken")
    return found


def _catch(judged: Judgement) -> Catch:
    broken = frozenset(law for law, holds in judged.laws.items() if holds is Holds.BROKEN)
    return Catch(judged.verdict, broken, judged.observed)


def catches(hunts: Mapping[str, Caught]) -> dict[str, list[str]]:
    """The mutants that each scenario catches, whether any or not."""
    return {
        scenario: [name for name, caught in hunts.items() if scenario in caught]
        for scenario in CATALOGUE
    }
