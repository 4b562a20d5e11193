"""The only name server goes away, for everybody in a lab at once, and comes back.

Theory of operation
-------------------
States: answering -> gone (once every scenario that wants it healthy has ended) -> answering again (once
every scenario that wants it gone has seen the attempts it wants). Those that want it gone are launched
when it is, and not before; the controls that close a lab come when it is back.

What holds always: nobody who wants it healthy is alive while it is gone, and nobody's mail is handed
in while it changes.
"""

import asyncio
from collections.abc import Sequence

from fakes.dns import Nameserver
from lab.life import Life


class Outages:
    """The one outage of a lab, or none."""

    def __init__(self, dns: Nameserver, lives: Sequence[Life], *, sealed: bool) -> None:
        self._dns, self._sealed = dns, sealed
        self._hit = [life for life in lives if life.scenario.outage]
        self._others = [life for life in lives if not life.scenario.outage]
        self._gone = asyncio.Event()

    async def is_due(self, life: Life) -> None:
        """Return when a life may begin, as far as the name server goes."""
        if life in self._hit:
            await self._gone.wait()

    async def run(self) -> None:
        """Let it go and come back. Raises OSError if somebody else has taken its port meanwhile."""
        ways = {life.scenario.outage.gone for life in self._hit if life.scenario.outage}
        if not ways:
            return
        (gone,) = ways
        for life in self._others:
            await life.over.wait()
        await self._dns.go(gone, sealed=self._sealed)
        self._gone.set()
        for life in self._hit:
            await life.at_barrier.wait()
        await self._dns.come_back()
        for life in self._hit:
            life.resolver_is_back()
