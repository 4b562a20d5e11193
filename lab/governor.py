"""Lets scenarios start as fast as lab and machine can serve them, and no faster.

Theory of operation
-------------------
Everything is launched together, but a thousand launches in one moment would keep the fakes busy
for seconds, and an answer that comes too late is a fault of ours that looks like one of the
scenario's. So launches come one after another, a short pause between two. A pause that lasts
much longer than it should shows that the loop is behind with its work; then the next launch waits
for another pause. So it does while the machine is crowded: a run has several labs, and an agent that
starts a process for each message would leave none of the processors to the others. On a machine
that stays crowded with other work, launches go on, only slower.

What holds always: who has been admitted is never held up again.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

BEHIND = 3.0
"""A pause that lasts so many times its length shows that the loop is behind."""
CROWDED = 4
"""Processes for each processor that are running or want to; with more the machine is crowded."""
BREATHS, BREATH = 4, 5.0
"""So many times one launch waits at most because of that, and so many pauses each time."""
_LOAD = Path("/proc/loadavg")


def running() -> int:
    """How many processes of the whole machine run or want to, this one included (proc(5))."""
    with _LOAD.open("rb", buffering=0) as load:
        return int(load.read(100).split()[3].partition(b"/")[0])


class Governor:
    """Admits one at a time; `pause` is in seconds, `busy` counts the machine's running processes."""

    def __init__(self, pause: float, busy: Callable[[], int] = running) -> None:
        self._pause, self._busy = pause, busy
        self._most = CROWDED * (os.cpu_count() or 1)
        self._turn = asyncio.Lock()

    async def admit(self) -> None:
        """Return when the lab and the machine have room for one more."""
        async with self._turn:
            while await self._lasted(self._pause) > BEHIND * self._pause:
                continue
            for _ in range(BREATHS):
                if self._busy() <= self._most:
                    return
                await self._lasted(BREATH * self._pause)

    async def _lasted(self, seconds: float) -> float:
        """How long a pause of so many seconds really lasted."""
        loop = asyncio.get_running_loop()
        began, over = loop.time(), loop.create_future()
        loop.call_later(seconds, over.set_result, None)
        await over
        return loop.time() - began
