"""A clock that is given to everything that waits, and that can be moved ahead.

Theory of operation
-------------------
The clock shows a steady source plus an offset. Only `advance` changes the offset, and only
upwards, so the clock never runs backwards. Whoever waits is woken by the source, by `advance`,
or by an order of its own, and then looks at the clock again.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any


class Clock:
    """Seconds from `source` plus whatever was advanced; for one event loop."""

    def __init__(
        self,
        source: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._source = source
        self._wall = wall
        self._offset = 0.0
        self._nudges: set[asyncio.Future[Any]] = set()

    def now(self) -> float:
        """Seconds since an arbitrary start."""
        return self._source() + self._offset

    def date(self) -> datetime:
        """The date by this clock, UTC."""
        return datetime.fromtimestamp(self._wall() + self._offset, UTC)

    @property
    def offset(self) -> float:
        """Seconds by which it has been moved ahead in all."""
        return self._offset

    def advance(self, seconds: float) -> None:
        """Move the clock ahead and wake everybody. Raises ValueError for negative seconds."""
        if seconds < 0:
            raise ValueError(f"a clock cannot be set back ({seconds} s)")
        self._offset += seconds
        for nudge in self._nudges:
            if not nudge.done():
                nudge.set_result(None)

    async def wait_until(self, when: float, order: asyncio.Event) -> None:
        """Return when the clock shows `when`, or as soon as `order` is set."""
        ordered: asyncio.Future[Any] = asyncio.ensure_future(order.wait())
        try:
            while self.now() < when and not order.is_set():
                await self._wait(ordered, when - self.now())
        finally:
            ordered.cancel()

    async def _wait(self, ordered: "asyncio.Future[Any]", seconds: float) -> None:
        nudge: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._nudges.add(nudge)
        try:
            await asyncio.wait(
                {ordered, nudge}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            self._nudges.discard(nudge)
