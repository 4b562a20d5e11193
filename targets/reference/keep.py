"""Sessions that are kept for the next message of their route.

Theory of operation
-------------------
A route that reuses connections has turns: one message at a time. After its message a session that
still holds is put here, and is either taken by the next message for the same server, once the
server has answered RSET, or left when it has been idle for too long. Only the loop touches it.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from targets.base import Route
from targets.reference.client import Session
from targets.reference.outcome import Broken, Server

IDLE = 2.0
"""Seconds for which a session waits for another message."""

Place = tuple[str, Server]
"""A route's domain, and the server that the session is with."""


class Keep:
    """The sessions that wait, at most one for each place; `leave` ends one that is not wanted."""

    def __init__(self, leave: Callable[[Session], None]) -> None:
        self._leave = leave
        self._turns: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._waiting: dict[Place, tuple[Session, asyncio.TimerHandle]] = {}

    def turn(self, route: Route) -> AbstractAsyncContextManager[object]:
        """What a message must hold while it is carried: nothing where each has a connection."""
        return self._turns[route.domain] if route.reuses else contextlib.nullcontext()

    def put(self, route: Route, session: Session) -> None:
        """Keep a session for a while."""
        place = (route.domain, session.server)
        timer = asyncio.get_running_loop().call_later(IDLE, self._expire, place)
        self._waiting[place] = (session, timer)

    async def take(self, route: Route, server: Server) -> Session | None:
        """The session that waits for this server, if it still holds; None if there is none."""
        found = self._waiting.pop((route.domain, server), None)
        if found is None:
            return None
        session, timer = found
        timer.cancel()
        try:
            await session.renew()
        except Broken:
            session.abort()
            return None
        return session

    def _expire(self, place: Place) -> None:
        session, _ = self._waiting.pop(place)
        self._leave(session)
