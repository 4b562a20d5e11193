"""Mail flow intelligence: what administrators are shown of the mail that waits, as pure functions.

Fields and warnings are those of Exchange Online's queue reports and alerts (Microsoft's
mfi-queue-alerts-and-queues.md); the trace is as public traces have it.
Who must act and what helps follows Microsoft's page "Mail flow intelligence", code by code, in
words of our own.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime, timedelta
from enum import Enum, StrEnum
from typing import Any

from model.connectors import ConnectorType, Organization, OutboundConnector
from targets.reference.dialect import Dialect, Statement
from targets.reference.outcome import Failure, Kind
from targets.reference.queue import Waiting
from targets.reference.rules import Rules, Thresholds

BY_MX = "(none: by MX)"
"""Stands for the connector of mail that takes none."""
HERE = "(none: here)"
"""The same for mail that stays here, or is refused here."""


class Party(StrEnum):
    """Who must act."""

    DNS_HOSTER = "your DNS hosting service"
    NETWORK = "your network team"
    SERVER = "the administrator of your mail server"
    PARTNER = "the partner organization"
    RECIPIENT = "the recipient's organization"
    SERVICE = "the operator of the sending service"


@dataclass(frozen=True, slots=True)
class Advice:
    """What helps, and who must act first."""

    party: Party
    fix: str


ADVICE: Mapping[str, Advice] = {
    "4.312": Advice(
        Party.DNS_HOSTER,
        "Have the zone of the destination server looked at: has the domain expired, do its name "
        "servers answer, was a record changed a short while ago?",
    ),
    "4.315": Advice(
        Party.SERVER,
        "See whether the server is up; if its address has changed, say with a new provider, "
        "correct SmartHosts in the connector.",
    ),
    "4.316": Advice(
        Party.NETWORK,
        "Let the firewall pass TCP port 25 from the sending service; if no mail is to go there "
        "any more, use Fix now.",
    ),
    "4.317": Advice(
        Party.SERVER,
        "See what the server answers at once, and whether its TLS and its certificate are what "
        "TlsSettings in the connector ask for.",
    ),
    "4.318": Advice(
        Party.NETWORK,
        "Find out who ends the connection: a firewall that inspects SMTP, a server that hangs or "
        "is out of resources, or the network between.",
    ),
    "7.320": Advice(
        Party.SERVER,
        "Renew or replace the server's certificate, or correct TlsSettings and TlsDomain in the "
        "connector.",
    ),
}
"""By the code without its class."""
OTHERWISE = Advice(
    Party.SERVER,
    "Look into the destination server; if the connector names a wrong one, correct it.",
)
OURS = Advice(Party.SERVICE, "Nothing is wrong at the far end; look into the log of the sender.")
LOCAL = frozenset({Kind.INTERNAL, Kind.OWN_CERTIFICATE, Kind.NO_SOURCE})
"""What goes wrong on our own side."""
FIXABLE = "4.316"
"""The code at which Fix now is offered."""


def advice(failure: Failure, said: Statement, connector: OutboundConnector | None) -> Advice:
    """What helps against a failure, and who must act: whoever the far end belongs to."""
    if failure.kind in LOCAL:
        return OURS
    found = ADVICE.get(said.enhanced[2:], OTHERWISE)
    if connector is None:
        return Advice(Party.RECIPIENT, found.fix)
    if connector.type is ConnectorType.PARTNER:
        return Advice(Party.PARTNER, f"Ask the partner. {found.fix}")
    return found


# What waits ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class QueueReport:
    """What waits for one connector, after at least one failed attempt.

    `since` is when the oldest of it came, `waited` the seconds gone by since, `oldest_expires` when
    the first of it is given up. The rest is about the newest failure; `last_ip` is empty where
    there was no address, and `fix_now` says whether Exchange would offer it.
    """

    connector: str
    queued: int
    since: datetime
    waited: float
    oldest_expires: datetime
    destination: str
    last_ip: str
    last_attempt: datetime
    code: str
    last_error: str
    how_to_fix: str
    who: Party
    fix_now: bool


def queue_reports(
    waiting: Iterable[Waiting], organization: Organization, dialect: Dialect, now: float
) -> list[QueueReport]:
    """A report for each connector that mail waits for, the fullest first; `now` by the clock."""
    groups: dict[str, list[Waiting]] = defaultdict(list)
    for each in waiting:
        if each.last:
            connector = organization.connector(each.domain)
            groups[connector.name if connector else BY_MX].append(each)
    found = [_report(name, group, organization, dialect, now) for name, group in groups.items()]
    return sorted(found, key=lambda report: -report.queued)


def _report(
    name: str, group: list[Waiting], organization: Organization, dialect: Dialect, now: float
) -> QueueReport:
    newest = max(group, key=lambda each: each.attempted)
    failure = list(newest.last.values())[-1]
    said = dialect.queued(failure)
    connector = organization.connector(newest.domain)
    helps = advice(failure, said, connector)
    ours = connector is not None and connector.type is ConnectorType.ON_PREMISES
    return QueueReport(
        connector=name,
        queued=len({each.message.queue_id for each in group}),
        since=min(each.message.date for each in group),
        waited=now - min(each.message.arrived for each in group),
        oldest_expires=min(each.message.date + timedelta(seconds=each.lifetime) for each in group),
        destination=failure.server.host,
        last_ip=failure.server.ip,
        last_attempt=newest.attempted,
        code=f"{said.smtp} {said.enhanced}",
        last_error=said.text,
        how_to_fix=helps.fix,
        who=helps.party,
        fix_now=ours and said.enhanced[2:] == FIXABLE,
    )


# Warnings --------------------------------------------------------------------------------------


class About(StrEnum):
    """What a warning is about."""

    WAITED = "waited"
    COUNT = "count"


@dataclass(frozen=True, slots=True)
class Alert:
    """A warning about the mail that waits for a connector; `waited` in seconds."""

    about: About
    connector: str
    queued: int
    waited: float
    text: str


def alerts(reports: Iterable[QueueReport], thresholds: Thresholds, rules: Rules) -> list[Alert]:
    """The warnings that are in order now."""
    found = []
    for report in reports:
        waited = report.waited
        state = f"{_messages(report.queued)} for {report.connector}"
        if rules.is_late(waited, thresholds):
            text = f"Messages have been delayed: {state}, the oldest for {hours(waited)}"
            found.append(Alert(About.WAITED, report.connector, report.queued, waited, text))
        if rules.is_many(report.queued, thresholds):
            text = f"Many messages are queued: {state}, more than {thresholds.count}"
            found.append(Alert(About.COUNT, report.connector, report.queued, waited, text))
    return found


def _messages(number: int) -> str:
    return f"{number} message" if number == 1 else f"{number} messages"


def hours(seconds: float) -> str:
    """A time as people say it: `47 h 05 min`, `12 min`."""
    minutes = int(seconds // 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"


# The invalid-recipient quota -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Quota:
    """What counts against the invalid-recipient quota because of one relay domain.

    `refused` recipients the far side did not know, since the start; `waiting` are in the queue,
    and nobody here knows whether they exist. The page names no limit, so none is enforced.
    """

    domain: str
    refused: int
    waiting: int

    @property
    def used(self) -> int:
        """All that counts."""
        return self.refused + self.waiting


def quotas(
    waiting: Iterable[Waiting],
    refused: Mapping[str, int],
    organization: Organization,
    rules: Rules,
) -> list[Quota]:
    """The quota as every accepted domain has used it."""
    suspects: dict[str, int] = defaultdict(int)
    for each in waiting:
        accepted = organization.accepted(each.domain)
        suspects[each.domain] += sum(rules.is_suspect(accepted, r) for r in each.last)
    return [
        Quota(domain.name, refused.get(domain.name, 0), suspects.get(domain.name, 0))
        for domain in organization.domains
    ]


# The message trace -----------------------------------------------------------------------------


class Event(StrEnum):
    """What happened to a message, in the words of Exchange's message trace."""

    RECEIVE = "Receive"
    DEFER = "Defer"
    DELIVER = "Deliver"
    FAIL = "Fail"


@dataclass(frozen=True, slots=True)
class Traced:
    """One line of the message trace."""

    at: datetime
    queue_id: str
    recipient: str
    event: Event
    connector: str
    detail: str


def reason(failure: Failure, said: Statement, attempted: datetime, dialect: Dialect) -> str:
    """Why a message was deferred or given up, as Exchange's message trace has it.

    LED is the last error, MSG what stood in [Message=], FQDN and IP the server's, LRT when the last
    attempt was. Without an address IP is empty, and what would follow is left out. A peer's braces
    become parentheses, for it is not to write fields.
    """
    own = dialect.passed_on(failure) is None
    values = {
        "LED": said.diagnostic,
        "MSG": dialect.entry(failure)[1] if own else "",
        "FQDN": failure.server.host,
        "IP": failure.server.ip,
        "LRT": stamp(attempted),
    }
    inside = ";".join(f"{{{key}={_tame(value)}}}" for key, value in values.items())
    text, server = f"Reason: [{inside}]", failure.server
    if not server.ip:
        return text
    return (
        f"{text}. OutboundProxyTargetIP: {server.ip}. "
        f"OutboundProxyTargetHostName: {_tame(server.host)}"
    )


def _tame(text: str) -> str:
    return text.translate(str.maketrans("{}", "()"))


def stamp(when: datetime) -> str:
    """M/D/YYYY h:mm:ss AM, UTC."""
    half = "AM" if when.hour < 12 else "PM"
    return f"{when.month}/{when.day}/{when.year} {when.hour % 12 or 12}:{when:%M:%S} {half}"


def plain(value: Any) -> Any:
    """A value of this module as JSON has it; dates in ISO 8601."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        own = {field.name: plain(getattr(value, field.name)) for field in fields(value)}
        return {**own, "used": value.used} if isinstance(value, Quota) else own
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(each) for each in value]
    return value
