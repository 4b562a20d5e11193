"""The agent: takes mail, lets the queue deliver it, says what becomes of it, writes NDRs.

Theory of operation
-------------------
An agent is put together from parts, each made by a factory in `Parts`. A variant of the agent
is a subclass with other parts. What holds always: each attempt gives one report for each
recipient; a recipient that is lost is mentioned in one NDR, unless its sender is null or wished
for none; an NDR, and any other notice, is a message in the same queue.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from model.report import Report, Source, State
from model.wishes import Wishes
from targets.base import InQueue, NotTaken, Route
from targets.reference.clock import Clock
from targets.reference.config import Config
from targets.reference.courier import Courier
from targets.reference.dialect import Dialect, Statement
from targets.reference.ndr import Action, Lost, Writer
from targets.reference.outcome import Failure, Kind, Outcome, Outcomes, Sent, Server, Stage
from targets.reference.policy import Policy
from targets.reference.queue import Fate, Keeper, Message, Queue
from targets.reference.resolver import Resolver
from targets.reference.spool import keeper
from targets.reference.tls import Contexts

NO_WISHES = Wishes()
Say = Callable[[Report], None]
"""Where reports go."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What an agent is made of; give another class to change one thing."""

    policy: Callable[[], Policy] = Policy
    dialect: Callable[[], Dialect] = Dialect
    resolver: Callable[[tuple[str, int], float], Resolver] = Resolver
    contexts: Callable[[str, str], Contexts] = Contexts
    courier: Callable[[Config, Resolver, Policy, Contexts], Courier] = Courier
    queue: Callable[..., Queue] = Queue
    writer: Callable[[str], Writer] = Writer
    keeper: Callable[[str, Say, int], Keeper] = keeper


class Agent:
    """The delivery agent; to be made and used inside a running event loop."""

    parts = Parts()
    ndr_sender = ""
    """The envelope sender of NDRs: null, lest they are answered in turn (RFC 5321 section 4.5.5)."""

    def __init__(self, config: Config, say: Say, clock: Clock | None = None) -> None:
        parts = self.parts
        self.config = config
        self.clock = clock or Clock()
        self.policy = parts.policy()
        self.dialect = parts.dialect()
        self.writer = parts.writer(config.name)
        resolver = parts.resolver(config.dns, config.timers.dns)
        contexts = parts.contexts(config.ca_file, config.crl_file)
        self.courier = parts.courier(config, resolver, self.policy, contexts)
        self.keeper = parts.keeper(config.spool, say, config.heard)
        self.queue = parts.queue(
            self.clock,
            self.policy,
            self.attempt,
            self,
            delay=config.timers.delay,
            keeper=self.keeper,
        )
        self.queue.resume(self.keeper.restore(self.clock))

    # What the administrator and the submitter may do

    def submit(
        self,
        sender: str,
        recipients: Sequence[str],
        content: bytes,
        wishes: Wishes = NO_WISHES,
    ) -> str:
        """Take a message; its queue id. Raises NotTaken if it cannot be kept."""
        queue_id = secrets.token_hex(8).upper()
        now, date = self.clock.now(), self.clock.date()
        message = Message(queue_id, sender, tuple(recipients), content, now, date, wishes)
        try:
            self.take(message)
        except OSError as error:
            raise NotTaken(self.policy.no_room()) from error
        return queue_id

    def begin(self, sender: str, recipients: Sequence[str], content: bytes) -> None:
        """Hear the beginning of a message: until its end comes it is its client's."""

    def take(self, message: Message) -> None:
        """Put a message that has been handed in into the queue."""
        self.queue.add(message, self.lifetime)

    def retry(self, *queue_ids: str) -> None:
        """Try messages again now."""
        self.queue.retry(*queue_ids)

    def advance(self, seconds: float) -> None:
        """Let the clock run ahead."""
        self.clock.advance(seconds)
        self.keeper.moved(self.clock)

    def reroute(self, routes: Sequence[Route]) -> None:
        """Let mail take these routes from now on; how long it may wait was settled as it came."""
        self.config = replace(self.config, routes=tuple(routes))

    def waiting(self) -> list[InQueue]:
        """What the queue holds."""
        return self.queue.waiting()

    # What the queue asks for and tells

    def lifetime(self, domain: str) -> float:
        """Seconds that mail for a domain may wait."""
        return self.config.route(domain).lifetime

    async def attempt(self, message: Message, domain: str, recipients: Sequence[str]) -> Outcomes:
        """One attempt for one domain."""
        if self.policy.loops(message.hops):
            loop = Failure(Stage.INTERNAL, Kind.LOOP, Server(self.config.name))
            return dict.fromkeys(recipients, loop)
        content = self.policy.content(message.content)
        route = self.config.route(domain)
        taken = partial(self.queue.taken, message, domain)
        courier = self.courier.on_behalf(message.wishes, taken)
        return await courier.deliver(message.sender, recipients, content, route)

    def told(self, message: Message, fates: Sequence[Fate]) -> None:
        """Report what became of recipients, and return what is lost."""
        for fate in fates:
            self.keeper.report(self.report(message, fate))
        lost = [
            self._lost(fate, fate.outcome)
            for fate in fates
            if fate.state in (State.RETURNED, State.EXPIRED) and isinstance(fate.outcome, Failure)
        ]
        if lost:
            self.give_back(message, lost)
        relayed = [self._relayed(fate) for fate in fates if _untold(fate.outcome)]
        if relayed:
            notices = self.policy.relay_notices(message.sender, message.wishes.notify)
            self.notify(message, relayed, notices)

    def late(self, message: Message, fates: Sequence[Fate], until: datetime) -> None:
        """Tell the sender that it takes long."""
        late = [
            replace(self._lost(fate, fate.outcome), action=Action.DELAYED, until=until)
            for fate in fates
            if isinstance(fate.outcome, Failure)
        ]
        notices = self.policy.delay_notices(message.sender, message.wishes.notify)
        self.notify(message, late, notices)

    def report(self, message: Message, fate: Fate) -> Report:
        """The report on one recipient."""
        said = self.statement(fate.state, fate.outcome)
        server = fate.outcome.server
        return Report(
            fate.recipient,
            fate.state,
            said.smtp,
            said.enhanced,
            said.text,
            server.host,
            server.ip,
            Source.API,
            message.queue_id,
        )

    def statement(self, state: State, outcome: Outcome) -> Statement:
        """The dialect's words for an outcome in a state."""
        if not isinstance(outcome, Failure):
            said = str(outcome.reply)
            return Statement(250, outcome.reply.enhanced, said, said)
        if state is State.EXPIRED:
            return self.dialect.expired(outcome)
        if state is State.RETURNED:
            return self.dialect.returned(outcome)
        return self.dialect.queued(outcome)

    def _lost(self, fate: Fate, failure: Failure) -> Lost:
        final = self.statement(fate.state, failure)
        last = final if fate.state is State.RETURNED else self.dialect.queued(failure)
        return Lost(fate.recipient, final, last, failure, fate.attempted)

    def _relayed(self, fate: Fate) -> Lost:
        said = self.statement(fate.state, fate.outcome)
        return Lost(fate.recipient, said, said, fate.outcome, fate.attempted, Action.RELAYED)

    def give_back(self, message: Message, lost: Sequence[Lost]) -> None:
        """Send the NDRs that the loss is worth."""
        if self.policy.tells_failure(message.wishes.notify):
            self.notify(message, lost, self.policy.ndrs(message.sender))

    def notify(self, message: Message, lost: Sequence[Lost], notices: int) -> None:
        """Send the sender so many notices about recipients."""
        for _ in range(notices):
            name = secrets.token_hex(8)
            content = self.writer.write(message, lost, self.clock.date(), name)
            self.submit(self.ndr_sender, (message.sender,), content)


def _untold(outcome: Outcome) -> bool:
    """Whether a server has the mail that can tell nobody what becomes of it."""
    return isinstance(outcome, Sent) and not outcome.told
