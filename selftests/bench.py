"""An agent whose clock is moved by hand and whose attempts are answered by a function."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from model.report import Report, State
from model.timers import Timers
from model.tls import Tls
from targets.base import Route
from targets.reference.agent import Agent
from targets.reference.clock import Clock
from targets.reference.config import Config
from targets.reference.outcome import Failure, Kind, Outcome, Outcomes, Reply, Sent, Server, Stage
from targets.reference.queue import Message

HOUR = 3600.0
SERVER = Server("mx.d.test", "127.0.0.9", 25)
REFUSED = Failure(Stage.CONNECT, Kind.REFUSED, SERVER)
UNKNOWN = Failure(Stage.RCPT, Kind.REPLY, SERVER, Reply(550, "5.1.1 unknown"))
BUSY = Failure(Stage.RCPT, Kind.REPLY, SERVER, Reply(451, "4.2.0 later"))
SENT = Sent(SERVER, Reply(250, "2.0.0 ok"))
SENDER, RECIPIENT = "s@home.test", "u@d.test"
TIMERS = Timers(dns=1, connect=1, reply=1, lifetime=1, retry=1)
CONTENT = b"Subject: one\r\nX-Odd: \xff\r\n\r\nbody\r\n"

Answer = Callable[[str], Outcome]


class Bench:
    """An agent and everything that it did; what comes back to a sender is taken.

    `left` are the recipients who waited when it last came to rest.
    """

    def __init__(
        self,
        answer: Answer,
        timers: Timers = TIMERS,
        agent: type[Agent] = Agent,
        spool: str = "",
        source: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """`source` is the time without what is let pass; with a spool, it carries on there."""
        self.answer = answer
        self.attempts: list[str] = []
        self.returned: list[bytes] = []
        self.reports: list[Report] = []
        self.left: tuple[str, ...] = ()
        self.clock = Clock(source, source)
        route = Route("d.test", ("h.test",), Tls.NONE, "", 24 * HOUR)
        config = Config(("127.0.0.1", 53), 25, "ca.pem", timers, (route,), spool=spool)
        bench = self

        class Faked(agent):  # type: ignore[misc,valid-type]
            async def attempt(
                self, message: Message, domain: str, recipients: Sequence[str]
            ) -> Outcomes:
                return bench.attempt(message, recipients)

        self.agent: Agent = Faked(config, self.reports.append, self.clock)

    def attempt(self, message: Message, recipients: Sequence[str]) -> Outcomes:
        """Answer, and keep what comes back to the sender."""
        self.attempts += recipients
        if message.recipients == (SENDER,):
            self.returned.append(message.content)
            return {SENDER: SENT}
        return {r: self.answer(r) for r in recipients}

    def states(self, recipient: str = RECIPIENT) -> list[State]:
        """What was said of a recipient, in order."""
        return [r.state for r in self.reports if r.recipient == recipient]

    async def rest(self) -> None:
        """Let every task run until it waits."""
        for _ in range(20):
            await asyncio.sleep(0)
        self.left = tuple(r for one in self.agent.waiting() for r in one.recipients)

    async def passes(self, *seconds: float) -> None:
        """Let time pass, step by step."""
        for some in seconds:
            self.agent.advance(some)
            await self.rest()


def run(
    answer: Answer,
    scene: Callable[[Bench], Awaitable[None]],
    timers: Timers = TIMERS,
    agent: type[Agent] = Agent,
) -> Bench:
    """Play a scene with an agent; the agent afterwards."""

    async def play() -> Bench:
        bench = Bench(answer, timers, agent)
        await scene(bench)
        return bench

    return asyncio.run(play())
