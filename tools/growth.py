"""How the lab's cost grows: the same catalogue many times over, `python -m tools.growth [N ...]`.

N are numbers of scenarios, by default the catalogue once and 5,000. Every copy has domains, hosts
and messages of its own, so that only the number grows. A line for each: how many conform, seconds,
the lab's own processor time for one scenario, its memory, and the ratio of the processor time to
that of the first line, which is 1 where cost grows linearly.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from catalogue import CATALOGUE, dialects
from fixtures.runs import CONTROLS, WHOLE
from lab.client import LabClient
from lab.messages import Spec
from lab.pace import PACES
from lab.setups import arrange, unsupported
from model.judge import judge
from model.scenario import Scenario
from model.shortage import Shortage
from targets.base import load

TARGET = "reference"
PACE = PACES["fast"]
DEADLINE = 600.0
"""Seconds for one trace to come after another."""


@dataclass(frozen=True, slots=True)
class Cost:
    """One run: scenarios, how many conform, wall seconds, the lab's processor seconds and KiB."""

    scenarios: int
    conform: int
    wall: float
    cpu: float
    memory: int


def copies(number: int) -> list[Scenario]:
    """So many scenarios: the catalogue over and over, without controls and what has labs of its own."""
    agent = load(TARGET)
    around = {s.id for one in (WHOLE, *CONTROLS.values()) for s in (one.opening, one.closing)}
    base = [s for s in CATALOGUE.values() if s.id not in around]
    base = [s for s in base if not (s.is_timed or s.is_killed or s.outage or s.mail.is_large)]
    base = [s for s in base if s.short_of is Shortage.NONE]
    base = [s for s in base if not unsupported(s, agent, sealed=True)]
    rounds = range(-(-number // len(base)))
    return [replace(s, id=f"{s.id}.no-{n}") for n in rounds for s in base][:number]


def measure(scenarios: Sequence[Scenario]) -> Cost:
    """Run them in one lab."""
    agent, began = load(TARGET), time.monotonic()
    dialect = dialects.load(agent.dialect)
    (setup,) = arrange(scenarios, CONTROLS, WHOLE, agent, dialect.lifetime, PACE)
    lab = LabClient(Spec(TARGET, True, 0, PACE.name, setup.order), DEADLINE)
    try:
        conform = sum(judge(s, lab.trace(s.id), dialect).conforms for s in scenarios)
        done = lab.finish()
    finally:
        lab.close()
    if done is None:
        sys.exit("the lab broke; run `make run` and see")
    return Cost(len(scenarios), conform, time.monotonic() - began, done.cpu, done.memory)


def main() -> None:
    """Measure and print."""
    numbers = [int(word) for word in sys.argv[1:]] or [len(CATALOGUE), 5000]
    say = sys.stdout.write
    say(
        f"{'scenarios':>10}{'conform':>10}{'wall':>10}{'CPU for one':>14}{'memory':>10}{'ratio':>8}\n"
    )
    first = 0.0
    for number in numbers:
        cost = measure(copies(number))
        each = 1000 * cost.cpu / cost.scenarios
        first = first or each
        say(
            f"{cost.scenarios:>10}{cost.conform:>10}{cost.wall:>8.1f} s{each:>11.1f} ms"
            f"{cost.memory / 1024:>7.0f} MB{each / first:>8.2f}\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
