"""A witness for tests of the fakes: it keeps what it is told."""

import asyncio
from collections.abc import Callable

from model.events import Event


class Notebook:
    """Keeps events in order; `told` and `until` wait for them."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.strays: list[str] = []
        self._changed = asyncio.Event()

    def elapsed(self, label: str) -> float:
        """No test looks at the time."""
        return 0.0

    def saw(self, label: str, event: Event) -> None:
        """Keep it."""
        self.events.append(event)
        self._changed.set()

    def strayed(self, what: str) -> None:
        """Keep it."""
        self.strays.append(what)

    async def told(self, kind: type[Event], deadline: float = 5.0) -> Event:
        """The first event of a kind, waiting for it at most `deadline` seconds."""
        await self.until(lambda: any(isinstance(event, kind) for event in self.events), deadline)
        return next(event for event in self.events if isinstance(event, kind))

    async def until(self, wanted: Callable[[], bool], deadline: float = 5.0) -> None:
        """Wait at most `deadline` seconds until something that has been seen makes it true."""
        async with asyncio.timeout(deadline):
            while not wanted():
                self._changed.clear()
                await self._changed.wait()
