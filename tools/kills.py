"""Kill an agent at random moments and balance its books: `python -m tools.kills [NAME [RUNS [SEED]]]`.

Each run has a seed, from which everything in it follows: how the mail hosts break down, and the
seconds at which every process of the agent is killed (SIGKILL) and started again. Hundreds of
messages are under way, to hosts that cut, reset and refuse some of the time. When the last kill is
over, what still waits is tried until nothing does. Then the ledger must balance: each message is
delivered or returned, nothing is lost, and a second copy is there only where the agent was killed
within the half second after a host had taken the first, or where a host had kept one without saying
so (RFC 1047). A line for each run; the exit code is 1 if one of them does not balance.
"""

import random
import sys
from dataclasses import dataclass

from catalogue import dialects
from catalogue.control import CLOSING, OPENING
from catalogue.rules import NOT_LOST
from lab.client import LabClient
from lab.lab import LabBroken, Order
from lab.messages import Spec
from lab.pace import DELAY, PACES, RETRY
from lab.room import Unavailable
from lab.sealed import command
from model.behaviours import Flap
from model.events import Accepted, Killed
from model.expect import Arrives
from model.laws import accounted, intact
from model.scenario import Host, Mail, Scenario
from model.trace import Trace
from targets.base import Capability, load

RUNS, HOSTS, MESSAGES, KILLS = 20, 8, 25, 3
SPAN = 4.0
"""Seconds within which the kills fall; the mail needs about as long."""
PACE = PACES["fast"]
DEADLINE = 300.0
"""Seconds for one trace to come after another."""


@dataclass(frozen=True, slots=True)
class Books:
    """What one run came to: messages, copies beyond the first, and what does not balance."""

    messages: int
    doubles: int
    kills: int
    wrongs: tuple[str, ...]


def order_of(seed: int, lifetime: float) -> Order:
    """Everything that a run is about."""
    chance = random.Random(seed)
    scenarios = tuple(
        Scenario(
            id=f"kills.seed-{seed}.host-{n}",
            title="Messages through a host that breaks down now and then",
            rule=NOT_LOST,
            hosts=(Host(behaviours=(Flap(chance.randrange(1 << 30), share=0.1, times=60),)),),
            mail=Mail(messages=MESSAGES),
            expect=Arrives(),
        )
        for n in range(HOSTS)
    )
    moments = tuple(sorted(chance.uniform(0.0, SPAN) for _ in range(KILLS)))
    everything = (OPENING, *scenarios, CLOSING)
    lives = {scenario.id: lifetime for scenario in everything}
    return Order((OPENING, *scenarios), (), CLOSING, lifetime, lives, RETRY, DELAY, kills=moments)


def run(target: str, seed: int, sealed: bool) -> Books:
    """One run. Raises LabBroken."""
    order = order_of(seed, dialects.load(load(target).dialect).lifetime)
    lab = LabClient(Spec(target, sealed, 0, PACE.name, order), DEADLINE)
    try:
        found = [(s, lab.trace(s.id)) for s in order.scenarios]
    finally:
        lab.close()
    wrongs = [
        str(wrong)
        for scenario, trace in found
        for law in (accounted, intact)
        for wrong in law(scenario, trace) or ()
    ]
    traces = [trace for _, trace in found]
    return Books(
        sum(len(trace.placement.recipients) for trace in traces),
        sum(map(_doubles, traces)),
        max(len(list(trace.all(Killed))) for trace in traces),
        tuple(wrongs),
    )


def _doubles(trace: Trace) -> int:
    """Copies beyond one for each recipient."""
    copies = [recipient for event in trace.all(Accepted) for recipient in event.recipients]
    return len(copies) - len(set(copies))


def main() -> int:
    """Run with each seed and print its books."""
    target = sys.argv[1] if len(sys.argv) > 1 else "reference"
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else RUNS
    first = int(sys.argv[3]) if len(sys.argv) > 3 else random.SystemRandom().randrange(1, 10**6)
    say = sys.stdout.write
    try:
        agent = load(target)
        agent.check()
        if Capability.RESTARTS not in agent.capabilities:
            raise Unavailable(f"{target} cannot be killed and started again; choose another target")
        sealed = _sealed(needed=agent.needs_sealed)
    except Unavailable as error:
        sys.stderr.write(f"{error}\n")
        return 4
    bad = 0
    for seed in range(first, first + runs):
        try:
            books = run(target, seed, sealed)
        except LabBroken as error:
            say(f"seed {seed}: broken: {error}\n")
            bad += 1
            continue
        bad += bool(books.wrongs)
        verdict = "balanced" if not books.wrongs else f"{len(books.wrongs)} DO NOT BALANCE"
        say(
            f"seed {seed}: killed {books.kills} times, {books.messages} messages, "
            f"{books.doubles} second copies: {verdict}\n"
        )
        for wrong in books.wrongs[:3]:
            say(f"    {wrong}\n")
        sys.stdout.flush()
    say(f"{runs - bad} of {runs} runs balance (python -m tools.kills {target} {runs} {first})\n")
    return int(bool(bad))


def _sealed(needed: bool) -> bool:
    """Whether there is a sealed room. Raises Unavailable if there is none, and it is needed."""
    try:
        command([])
    except Unavailable:
        if needed:
            raise
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
