"""Lets scenarios start as fast as the lab can serve them, and no faster.

Theory of operation
-------------------
Everything is launched together, but a thousand launches in one moment would keep the fakes busy
for seconds, and an answer that comes too late is a fault of ours that looks like one of the
scenario's. So launches come one after another, a short pause between two. A pause that lasts
much longer than it should shows that the loop is behind with its work; then the next launch waits
for another pause. What holds always: who has been admitted is never held up again.
"""

import asyncio

BEHIND = 3.0
"""A pause that lasts so many times its length shows that the loop is behind."""


class Governor:
    """Admits one at a time; `pause` is in seconds."""

    def __init__(self, pause: float) -> None:
        self._pause = pause
        self._turn = asyncio.Lock()

    async def admit(self) -> None:
        """Return when the lab has room for one more."""
        async with self._turn:
            while await self._one_pause() > BEHIND * self._pause:
                continue

    async def _one_pause(self) -> float:
        """How long a pause really lasted, in seconds."""
        loop = asyncio.get_running_loop()
        began, over = loop.time(), loop.create_future()
        loop.call_later(self._pause, over.set_result, None)
        await over
        return loop.time() - began
