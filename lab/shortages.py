"""The agent's machine runs short of something, for everybody in a lab at once, and has enough again.

Theory of operation
-------------------
States: enough -> [short of one thing -> enough]* (one kind after another, once every scenario of the
lab is over or waits for its own). A scenario goes on when it is short of what it is about, is tried
and handed in as it says, and ends when there is enough again; then the next kind begins.

What holds always: two shortages never meet, and nobody who is not about one is alive in it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from lab.disk import SmallDisk
from lab.life import Life
from lab.ports import Ports
from model.shortage import OF_DISK, Shortage


class Supply(Protocol):
    """Something that can be taken away, and given back. Its calls may take a while."""

    def take(self, how: Shortage, /) -> None:
        """Take it. Raises OSError."""

    def give_back(self) -> None:
        """Give it back. Raises OSError."""


def supplies(queue: Path | None) -> Mapping[Shortage, Supply]:
    """Who takes what. `queue` is the folder of the agent's queue, if that may have its own disk.

    The disk is mounted: the agent must not have started. Raises OSError.
    """
    disk = {} if queue is None else dict.fromkeys(OF_DISK, SmallDisk(queue))
    return {**disk, Shortage.NO_PORTS: Ports()}


class Shortages:
    """Those of one lab, or none."""

    def __init__(self, supplies: Mapping[Shortage, Supply], lives: Sequence[Life]) -> None:
        self._supplies, self._lives = supplies, lives

    async def run(self) -> None:
        """Let it run short of one thing after another. Raises OSError."""
        about = {life.scenario.short_of for life in self._lives} - {Shortage.NONE}
        if not about:
            return
        for life in self._lives:
            unconcerned = life.scenario.short_of is Shortage.NONE
            await (life.over if unconcerned else life.at_barrier).wait()
        for what in sorted(about):
            await self._run_short(what)

    async def _run_short(self, what: Shortage) -> None:
        """Take it away, and give it back when everybody has seen what comes of it."""
        lives = [life for life in self._lives if life.scenario.short_of is what]
        supply = self._supplies[what]
        await asyncio.to_thread(supply.take, what)
        for life in lives:
            life.run_short()
        for life in lives:
            await life.did_without.wait()
        await asyncio.to_thread(supply.give_back)
        for life in lives:
            life.be_supplied()
        for life in lives:
            await life.over.wait()
