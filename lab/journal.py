"""The journal: every event of every scenario, and waiting for one.

Theory of operation
-------------------
One page a scenario, opened at its launch, which is second 0 of its events. Events are appended on
the lab's loop only and never changed. Whoever waits is woken when the agent says something of a
recipient or mail comes home, and looks at those events again: they are few, where hundreds of
messages leave tens of thousands of others. What belongs to no page is a stray, and so is mail that
arrives when its page is settled: the verdict is out by then. What goes astray and names a page is
judged there, if it still can be. Once time has been let pass, late mail is only what expiry brings.
A page that was never opened swallows its events: they come from the sink's own connections.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from model.events import Accepted, Closed, Did, Event, Reported, Returned, Strayed, describe

Word = Reported | Returned
"""What the agent says: in its log, or to the sender."""


@dataclass(eq=False)
class Page:
    """What was seen of one scenario since its launch (loop time); `met` once a host has done what is
    odd about it."""

    launched: float
    events: list[Event] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    met: asyncio.Event = field(default_factory=asyncio.Event)


class Journal:
    """The one real witness (`fakes.witness.Witness`)."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._pages: dict[str, Page] = {}
        self._settled: set[str] = set()
        self._time_has_passed = False
        self._latest = self._loop.time()
        self.strays: list[str] = []

    def open(self, label: str) -> None:
        """Start a scenario's page; its time starts now."""
        self._pages[label] = Page(self._loop.time())

    def is_open(self, label: str) -> bool:
        """Whether the scenario has been launched."""
        return label in self._pages

    def elapsed(self, label: str) -> float:
        """Seconds since the scenario's launch; 0 for a page never opened."""
        page = self._pages.get(label)
        return round(self._loop.time() - page.launched, 4) if page else 0.0

    def saw(self, label: str, event: Event) -> None:
        """Append an event and wake who waits."""
        self._latest = self._loop.time()
        if page := self._pages.get(label):
            if label not in self._settled:
                page.events.append(event)
                if isinstance(event, Reported | Returned):
                    page.words.append(event)
                if isinstance(event, Did) and event.spoiled:
                    page.met.set()
                    page.changed.set()
                elif isinstance(event, Reported | Returned | Closed):
                    page.changed.set()
            elif isinstance(event, Accepted | Returned) and not self._time_has_passed:
                self.strays.append(f"mail of {label} after it had settled: {describe(event)}")

    def settle(self, label: str) -> tuple[Event, ...]:
        """Close the scenario's page, and give its events away.

        From now on no mail of the scenario may arrive, and nothing is kept of what still does.
        """
        self._settled.add(label)
        page = self._pages[label]
        events, page.events = tuple(page.events), []
        return events

    def silence(self) -> float:
        """Seconds since the last event of any scenario."""
        return self._loop.time() - self._latest

    def let_time_pass(self) -> None:
        """From now on what is still queued may expire, and return."""
        self._time_has_passed = True

    def strayed(self, what: str) -> None:
        """Note something out of place on every page whose label it names, or else for the lab."""
        named = set(re.split(r"[^a-z0-9-]+", what.lower())) & set(self._pages)
        for label in named:
            self.saw(label, Strayed(self.elapsed(label), what))
        if named <= self._settled:
            self.strays.append(what)

    def events(self, label: str) -> tuple[Event, ...]:
        """The scenario's events so far."""
        return tuple(self._pages[label].events)

    def words(self, label: str) -> tuple[Word, ...]:
        """What the agent has said of the scenario so far."""
        return tuple(self._pages[label].words)

    async def until(
        self, label: str, wanted: Callable[[tuple[Word, ...]], bool], deadline: float
    ) -> bool:
        """Wait until what the agent says satisfies `wanted`; False if the deadline passed."""
        page = self._pages[label]
        while not wanted(tuple(page.words)):
            page.changed.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await page.changed.wait()
            except TimeoutError:
                return wanted(tuple(page.words))
        return True

    async def until_met(self, label: str, deadline: float) -> bool:
        """Wait until a host of the scenario has done what is odd about it; False if it has not."""
        page = self._pages[label]
        try:
            async with asyncio.timeout_at(deadline):
                await page.met.wait()
        except TimeoutError:
            return False
        return True
