"""The journal: every event of every scenario, and waiting for one.

Theory of operation
-------------------
One page a scenario, opened at its launch, which is second 0 of its events. Events are appended
on the lab's loop only and never changed; whoever waits is woken by the append and looks again.
What belongs to no page is a stray, and so is mail that arrives when its page is settled: the
verdict is out by then. What goes astray and names a page is judged there, if it still can be. Once time has been let pass, late mail is only what expiry brings. A page that
was never opened swallows its events: they come from the sink's own connections.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from model.events import Accepted, Event, Returned, Strayed, describe


@dataclass(eq=False)
class Page:
    """What was seen of one scenario since its launch (loop time)."""

    launched: float
    events: list[Event] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class Journal:
    """The one real witness (`fakes.witness.Witness`)."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._pages: dict[str, Page] = {}
        self._settled: set[str] = set()
        self._judged: set[str] = set()
        self.strays: list[str] = []

    def open(self, label: str) -> None:
        """Start a scenario's page; its time starts now."""
        self._pages[label] = Page(self._loop.time())

    def elapsed(self, label: str) -> float:
        """Seconds since the scenario's launch; 0 for a page never opened."""
        page = self._pages.get(label)
        return round(self._loop.time() - page.launched, 4) if page else 0.0

    def saw(self, label: str, event: Event) -> None:
        """Append an event and wake who waits."""
        if page := self._pages.get(label):
            page.events.append(event)
            page.changed.set()
            if label in self._settled and isinstance(event, Accepted | Returned):
                self.strays.append(f"mail of {label} after it had settled: {describe(event)}")

    def settle(self, label: str) -> None:
        """From now on no mail of the scenario may arrive."""
        self._settled.add(label)
        self._judged.add(label)

    def let_time_pass(self) -> None:
        """From now on what is still queued may expire, and return."""
        self._settled.clear()

    def strayed(self, what: str) -> None:
        """Note something out of place on every page whose label it names, or else for the lab."""
        named = set(re.split(r"[^a-z0-9-]+", what.lower())) & set(self._pages)
        for label in named:
            self.saw(label, Strayed(self.elapsed(label), what))
        if named <= self._judged:
            self.strays.append(what)

    def events(self, label: str) -> tuple[Event, ...]:
        """The scenario's events so far."""
        return tuple(self._pages[label].events)

    async def until(
        self, label: str, wanted: Callable[[tuple[Event, ...]], bool], deadline: float
    ) -> bool:
        """Wait until the events satisfy `wanted`; False if the deadline (loop time) passed."""
        page = self._pages[label]
        while not wanted(tuple(page.events)):
            page.changed.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await page.changed.wait()
            except TimeoutError:
                return wanted(tuple(page.events))
        return True
