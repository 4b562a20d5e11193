"""Mail flow intelligence as text for a terminal."""

from collections.abc import Iterable, Sequence
from typing import Any

from model.connector_file import TLS_SETTINGS
from model.connectors import EVERYTHING, DomainType, Organization, OutboundConnector
from targets.reference.intelligence import Alert, QueueReport, Quota, Traced, hours
from targets.reference.queue import Waiting

WIDTH = 20
"""Columns for the names of a report's fields."""
TLS_WORDS = {tls: word for word, tls in TLS_SETTINGS.items()}
"""Exchange's word for each TLS setting but Tls.NONE, for which it has none."""


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns as wide as they need to be; only the head if there are no rows."""
    lines = [tuple(head), *(tuple(str(cell) for cell in row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def queue(reports: Sequence[QueueReport]) -> str:
    """The queue report, a block for each connector."""
    if not reports:
        return "nothing waits"
    return "\n\n".join(_block(report) for report in reports)


def _block(report: QueueReport) -> str:
    values = {
        "Connector": report.connector,
        "Messages queued": report.queued,
        "Queued since": f"{report.since:%Y-%m-%d %H:%M:%S}Z ({hours(report.waited)} ago)",
        "Oldest expires": f"{report.oldest_expires:%Y-%m-%d %H:%M:%S}Z",
        "Destination server": report.destination,
        "Last IP address": report.last_ip or "(none)",
        "Last attempt": f"{report.last_attempt:%Y-%m-%d %H:%M:%S}Z",
        "Last error": report.last_error,
        "How to fix": report.how_to_fix,
        "Who must act": report.who,
    }
    if report.fix_now:
        values["Fix now"] = f"fix-now {report.connector}"
    return "\n".join(f"{name:{WIDTH}}{value}" for name, value in values.items())


def messages(waiting: Sequence[Waiting]) -> str:
    """Every message that waits."""
    rows = (
        (w.message.queue_id, w.message.sender or "<>", " ".join(w.recipients), w.attempts)
        for w in waiting
    )
    return table(("message", "from", "to", "attempts"), rows)


def trace(lines: Sequence[Traced]) -> str:
    """The message trace."""
    rows = (
        (f"{t.at:%Y-%m-%d %H:%M:%S}Z", t.queue_id, t.recipient, t.event, t.connector, t.detail)
        for t in lines
    )
    return table(("time", "message", "recipient", "event", "connector", "detail"), rows)


def alerts(found: Sequence[Alert]) -> str:
    """The warnings, one a line."""
    return "\n".join(alert.text for alert in found) or "no warnings"


def quotas(found: Sequence[Quota]) -> str:
    """The invalid-recipient quota."""
    rows = ((q.domain, q.refused, q.waiting, q.used) for q in found)
    return table(("accepted domain", "refused", "waiting", "counted"), rows)


def organization(found: Organization, more: Iterable[str] = ()) -> str:
    """Connectors, accepted domains, times, and which domain goes where; `more` domains too."""
    connectors = table(
        ("connector", "enabled", "type", "goes to", "TLS", "for"),
        (
            (
                c.name,
                "yes" if c.enabled else "no",
                c.type,
                ", ".join(c.smart_hosts) or "MX",
                " ".join(filter(None, (TLS_WORDS.get(c.tls, "where offered"), c.tls_domain))),
                ", ".join(_scope(c)),
            )
            for c in found.connectors
        ),
    )
    accepted = table(
        ("accepted domain", "type", "recipients here"),
        ((d.name, d.type, len(d.recipients)) for d in found.domains),
    )
    ways = table(("mail for", "goes"), ((d, way(found, d)) for d in domains(found, more)))
    times = (
        f"MessageExpiration {hours(found.expiration)}; "
        f"DelayNotificationTimeout {hours(found.delay)}"
    )
    return f"{connectors}\n\n{accepted}\n\n{ways}\n\n{times}"


def words(found: Organization, more: Iterable[str] = ()) -> dict[str, Any]:
    """The same as plain values, under the names that a connector file has; times in seconds."""
    return {
        "transport": {
            "MessageExpiration": found.expiration,
            "DelayNotificationTimeout": found.delay,
        },
        "connector": [
            {
                "Name": c.name,
                "Enabled": c.enabled,
                "ConnectorType": c.type.value,
                "UseMXRecord": not c.smart_hosts,
                "SmartHosts": list(c.smart_hosts),
                "RecipientDomains": list(c.recipient_domains),
                "AllAcceptedDomains": c.all_accepted_domains,
                "TlsSettings": TLS_WORDS.get(c.tls),
                "TlsDomain": c.tls_domain or None,
            }
            for c in found.connectors
        ],
        "accepted_domain": [
            {"DomainName": d.name, "DomainType": d.type.value, "Recipients": sorted(d.recipients)}
            for d in found.domains
        ],
        "ways": {domain: way(found, domain) for domain in domains(found, more)},
    }


def _scope(connector: OutboundConnector) -> list[str]:
    every = ["all accepted domains"] if connector.all_accepted_domains else []
    return [*connector.recipient_domains, *every]


def domains(found: Organization, more: Iterable[str]) -> list[str]:
    """Each domain that the file names, each once, and any other at the end."""
    scoped = [d for c in found.connectors for d in c.recipient_domains if d != EVERYTHING]
    names = [*(d.name for d in found.domains), *scoped, *more]
    return [*dict.fromkeys(names), "any other"]


def way(found: Organization, domain: str) -> str:
    """Where mail for a domain goes, in a few words."""
    example = domain.replace("*.", "any.").replace("any other", "any-other.invalid")
    connector = found.connector(example)
    out = f"over {connector.name!r}" if connector else "by MX"
    accepted = found.accepted(example)
    if accepted is None:
        return out
    if accepted.type is DomainType.AUTHORITATIVE:
        return "into mailboxes here; everybody else is refused"
    loop = "" if connector else " (where MX names this service, that loops: 5.4.14)"
    kept = "mailboxes here; everybody else " if accepted.recipients else ""
    return f"{kept}{out}{loop}"
