"""The agent of an organization: connectors, accepted domains, mail flow intelligence, Fix now.

Theory of operation
-------------------
It is the agent, asked three more questions. When a message is handed in: whom is it refused
for? At each attempt: who has a mailbox here, who is refused, and which way do the others go? After
each attempt: what is written in the trace, and what counts against the quota?

The organization is a frozen value, and only `reform` replaces it; mail that waits and now has
another way to go is tried at once. The watch is one task that sleeps until the queue changes or
the next message has waited too long; it gives each warning once, until its cause has gone. Mail
that is just being tried gives rise to none: it may be on its way.
What holds always: refused recipients never wait, and what is refused here does not count.
"""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace

from model.address import canonical
from model.connectors import AcceptedDomain, DomainType, Organization, OutboundConnector
from model.report import State
from targets.base import Route
from targets.reference.agent import Agent, Say
from targets.reference.clock import Clock
from targets.reference.config import Config
from targets.reference.intelligence import (
    BY_MX,
    HERE,
    About,
    Alert,
    Event,
    QueueReport,
    Quota,
    Traced,
    alerts,
    queue_reports,
    quotas,
    reason,
)
from targets.reference.outcome import Failure, Kind, Outcome, Outcomes, Reply, Sent, Server, Stage
from targets.reference.queue import Fate, Message
from targets.reference.rules import Rules, Thresholds

REFUSED = Reply(550, "5.4.1 Recipient address rejected: Access denied")
"""What directory-based edge blocking says where an authoritative domain has no such recipient."""
KEPT = Reply(250, "2.1.5 Recipient OK; kept in a mailbox here")
TRACE_KEPT = 100_000
"""Lines of the message trace; older ones are forgotten."""
LONG = 86400.0
"""Seconds that the watch sleeps if nothing is to come."""

EVENTS = {
    State.DEFERRED: Event.DEFER,
    State.DELIVERED: Event.DELIVER,
    State.RETURNED: Event.FAIL,
    State.EXPIRED: Event.FAIL,
}

Notify = Callable[[Alert], None]
"""Where warnings go."""


@dataclass(frozen=True)
class Connected(Config):
    """A configuration in which connectors say which way mail goes, and how long it may wait."""

    organization: Organization = field(default_factory=Organization)

    @property
    def lifetime(self) -> float:
        """Seconds that mail may wait: MessageExpiration."""
        return self.organization.expiration

    def route(self, domain: str) -> Route:
        """The route of a domain: its connector's, or by MX with opportunistic TLS."""
        connector = self.organization.connector(domain)
        if connector is None:
            return Config.route(self, domain)
        return Route(
            domain, connector.smart_hosts, connector.tls, connector.tls_domain, self.lifetime
        )


def connected(config: Config, organization: Organization) -> Connected:
    """A configuration, put together with an organization."""
    given = {each.name: getattr(config, each.name) for each in fields(Config)}
    timers = replace(config.timers, delay=organization.delay)
    return Connected(**{**given, "timers": timers}, organization=organization)


class OrganizationAgent(Agent):
    """The agent of one organization; to be made and used inside a running event loop."""

    rules = Rules()

    def __init__(
        self,
        config: Config,
        say: Say,
        organization: Organization,
        *,
        clock: Clock | None = None,
        notify: Notify = lambda alert: None,
        thresholds: Thresholds | None = None,
    ) -> None:
        super().__init__(connected(config, organization), say, clock)
        self.organization = organization
        self.thresholds = thresholds or Thresholds()
        self.mailboxes: dict[str, list[bytes]] = defaultdict(list)
        self._notify = notify
        self._lines: deque[Traced] = deque(maxlen=TRACE_KEPT)
        self._invalid: Counter[str] = Counter()
        self._changed = asyncio.Event()
        self._warned: set[tuple[About, str]] = set()
        self._watcher = asyncio.create_task(self._watch())

    # What an administrator sees

    def queue_reports(self) -> list[QueueReport]:
        """What waits, by connector."""
        return queue_reports(self.queue.view(), self.organization, self.dialect, self.clock.now())

    def alerts(self) -> list[Alert]:
        """The warnings that are in order now."""
        return alerts(self.queue_reports(), self.thresholds, self.rules)

    def quotas(self) -> list[Quota]:
        """The invalid-recipient quota as each accepted domain has used it."""
        return quotas(self.queue.view(), self._invalid, self.organization, self.rules)

    def trace(self, wanted: str = "") -> list[Traced]:
        """The message trace; of one message or one recipient, if one is named."""
        return [line for line in self._lines if wanted in ("", line.queue_id, line.recipient)]

    # What an administrator changes

    def fix_now(self, name: str) -> tuple[str, ...]:
        """Disable a connector and make its relay domains authoritative; the domains changed.

        It takes effect at once, on waiting mail too (Exchange Online: within an hour). Raises
        NotThere, NotFixable.
        """
        before = self.organization
        self.reform(self.rules.fixed(before, name))
        return tuple(new.name for new in self.organization.domains if new not in before.domains)

    def switch(self, name: str, on: bool) -> None:
        """Enable or disable a connector. Raises NotThere."""
        self.reform(self.organization.switched(name, on))

    def retype(self, domain: str, kind: DomainType) -> None:
        """Make an accepted domain one of another type. Raises NotThere."""
        self.reform(self.organization.retyped(domain, kind))

    def reform(self, organization: Organization) -> None:
        """Replace the organization, and try again what has another way to go now."""
        before, self.organization = self.organization, organization
        self.config = connected(self.config, organization)
        moved = [
            each.message.queue_id
            for each in self.queue.view()
            if _way(before, each.domain) != _way(organization, each.domain)
        ]
        self.retry(*moved)
        self._changed.set()

    # Taking and trying mail

    def take(self, message: Message) -> None:
        """Refuse the recipients that are nobody, and put the others into the queue."""
        recipients = dict.fromkeys(message.recipients)
        refused = [r for r in recipients if self.rules.refuses(self._accepted(r), r)]
        taken = tuple(r for r in recipients if r not in refused)
        now = self.clock.date()
        for recipient in taken:
            self._line(message, recipient, Event.RECEIVE, "")
        if taken:
            super().take(replace(message, recipients=taken))
        if refused:  # told when the submitter has its answer
            fates = [Fate(r, State.RETURNED, self._refusal(), now) for r in refused]
            asyncio.get_running_loop().call_soon(self.told, message, fates)

    async def attempt(self, message: Message, domain: str, recipients: Sequence[str]) -> Outcomes:
        """One attempt: mailboxes here first, and the others on their way."""
        outcomes = {r: here for r in recipients if (here := self._here(message, r)) is not None}
        away = [r for r in recipients if r not in outcomes]
        if away:
            outcomes |= await super().attempt(message, domain, away)
        return outcomes

    def _here(self, message: Message, recipient: str) -> Outcome | None:
        """The outcome for a recipient whose mail need not leave; None: it must."""
        accepted = self._accepted(recipient)
        if self.rules.keeps(accepted, recipient):
            self.mailboxes[canonical(recipient).lower()].append(message.content)
            return Sent(Server(self.config.name), KEPT)
        return self._refusal() if self.rules.refuses(accepted, recipient) else None

    def _refusal(self) -> Failure:
        return Failure(Stage.RCPT, Kind.REPLY, Server(self.config.name), REFUSED)

    def _accepted(self, recipient: str) -> AcceptedDomain | None:
        return self.organization.accepted(recipient.rpartition("@")[2])

    # Keeping account

    def told(self, message: Message, fates: Sequence[Fate]) -> None:
        """Write the trace, count, report, and wake the watch."""
        for fate in fates:
            self._account(message, fate)
        super().told(message, fates)
        # When this runs, the parcel's task has gone on to its pause, or is over.
        asyncio.get_running_loop().call_soon(self._changed.set)

    def _account(self, message: Message, fate: Fate) -> None:
        said = self.statement(fate.state, fate.outcome)
        detail = said.text
        if isinstance(fate.outcome, Failure):
            detail = reason(fate.outcome, said, fate.attempted, self.dialect)
            accepted = self._accepted(fate.recipient)
            suspect = self.rules.is_suspect(accepted, fate.recipient)
            if accepted and suspect and self.rules.is_invalid(fate.outcome):
                self._invalid[accepted.name] += 1
        self._line(message, fate.recipient, EVENTS[fate.state], detail)

    def _line(self, message: Message, recipient: str, event: Event, detail: str) -> None:
        now, way = self.clock.date(), self._way(recipient)
        self._lines.append(Traced(now, message.queue_id, recipient, event, way, detail))

    def _way(self, recipient: str) -> str:
        accepted = self._accepted(recipient)
        if self.rules.keeps(accepted, recipient) or self.rules.refuses(accepted, recipient):
            return HERE
        connector = self.organization.connector(recipient.rpartition("@")[2])
        return connector.name if connector else BY_MX

    async def at_rest(self) -> None:
        """Return when nothing is being attempted, nor about to be."""
        await asyncio.sleep(0)  # what has just been refused is told now
        await self.queue.at_rest()

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, and see to each attempt that falls due on the way.

        Raises ValueError for negative seconds.
        """
        if seconds < 0:
            raise ValueError("time does not run backwards; give a length without a minus")
        end = self.clock.now() + seconds
        while (now := self.clock.now()) < end:
            due = (each.due for each in self.queue.view())
            then = min(end, self._next_late(), *due)
            self.advance(max(then - now, 0.0))
            await self.at_rest()
            self._warn()

    async def _watch(self) -> None:
        while True:
            self._changed.clear()
            self._warn()
            await self.clock.wait_until(self._next_late(), self._changed)

    def _warn(self) -> None:
        """Give the warnings that are in order and have not been given."""
        now = self.clock.now()
        resting = [each for each in self.queue.view() if each.due > now]
        reports = queue_reports(resting, self.organization, self.dialect, now)
        still = {(alert.about, alert.connector) for alert in self.alerts()}
        self._warned &= still
        for alert in alerts(reports, self.thresholds, self.rules):
            if (alert.about, alert.connector) not in self._warned:
                self._warned.add((alert.about, alert.connector))
                self._notify(alert)

    def _next_late(self) -> float:
        """When, by the clock, the next message will have waited too long."""
        now = self.clock.now()
        moments = (each.message.arrived + self.thresholds.waited for each in self.queue.view())
        return min((moment for moment in moments if moment > now), default=now + LONG)


Way = tuple[OutboundConnector | None, AcceptedDomain | None]


def _way(organization: Organization, domain: str) -> Way:
    """All that decides what becomes of mail for a domain."""
    return organization.connector(domain), organization.accepted(domain)
