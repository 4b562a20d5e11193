"""The law that what comes home is a notification by the book, and what is only advised of it."""

import re
from collections.abc import Iterator
from dataclasses import replace

from model.address import canonical
from model.dsn import Dsn, address_in, parse
from model.dsn_rules import Objection, Sending, objections
from model.events import Asked, Connected, Did, Knocked, Returned
from model.rule import Level
from model.scenario import Reach, Scenario
from model.trace import Trace
from model.verdict import Mismatch

_ODD = re.compile(rb"[^\n\t -~]")
LONGEST_LINE = 998
"""Octets (RFC 5322 section 2.1.1)."""
_REFUSAL = re.compile(r"(?:^|\\n|b['\"])([45]\d\d)(?=[ -]|$)", re.MULTILINE)
"""A reply of 4yz or 5yz in what a host did: at the start of a line, of odd octets shown as well."""


def ndr_conforms(scenario: Scenario, trace: Trace) -> list[Mismatch] | None:
    """Everything that comes home is a delivery status notification as the RFCs have it.

    Every field by itself, and against what was sent and what the servers did (`dsn_rules.py`).
    """
    if not any(True for _ in trace.all(Returned)):
        return None
    return _mismatches(scenario, trace, Level.MUST)


def advice(scenario: Scenario, trace: Trace) -> list[Mismatch]:
    """What the RFCs only advise (SHOULD) and a notification does not do; it breaks no law."""
    return _mismatches(scenario, trace, Level.SHOULD)


def _mismatches(scenario: Scenario, trace: Trace, level: Level) -> list[Mismatch]:
    found = (
        Mismatch(f"NDR: {one.field}", f"{one.expected} ({one.rule})", one.observed)
        for one in _objections(scenario, trace)
        if one.level is level
    )
    return list(dict.fromkeys(found))


def _objections(scenario: Scenario, trace: Trace) -> Iterator[Objection]:
    servers, codes = _servers(scenario, trace), _codes(trace)
    wishes = scenario.mail.wishes
    asked = replace(wishes, orcpt=wishes.orcpt.replace("{domain}", trace.placement.domain))
    for event in trace.all(Returned):
        dsn = parse(event.content)
        sent = _sent(trace, dsn)
        original, body = parse(sent).header, sent.partition(b"\r\n\r\n")[2].replace(b"\r\n", b"\n")
        sending = Sending(
            sender=trace.placement.sender,
            recipients=trace.placement.recipients,
            envelope=event.recipients,
            wishes=asked,
            message_id=_plain(original.first("Message-ID")),
            subject=_plain(original.first("Subject")),
            has_body=bool(body.strip()),
            body=body if _is_plain(body) else b"",
            servers=servers,
            codes=codes,
        )
        yield from objections(dsn, sending)


def _sent(trace: Trace, dsn: Dsn) -> bytes:
    """The message that a notification is about; empty if it is about none of ours."""
    told_of = {canonical(address_in(block.first("Final-Recipient"))) for block in dsn.recipients}
    found = (sent for one, sent in trace.sent.items() if canonical(one) in told_of)
    return next(found, b"")


def _is_plain(body: bytes) -> bool:
    """Whether a body can be returned as it stands: no line of it need be written in another way."""
    lines = body.split(b"\n")
    return body.isascii() and not _ODD.search(body) and max(map(len, lines)) <= LONGEST_LINE


def _plain(value: str) -> str:
    """A field that has nothing in it that an agent may have to write in another way."""
    return value if value.isascii() and value.isprintable() else ""


def _servers(scenario: Scenario, trace: Trace) -> frozenset[str]:
    """The names and addresses of the next hops: what was contacted, and whose address was asked.

    Where SYNs cannot be seen, a host that is away may have been tried, too.
    """
    hosts = {e.host for e in trace.events if isinstance(e, Connected | Knocked)}
    if not trace.sealed:
        hosts |= {host.name for host in scenario.all_hosts if host.reach is not Reach.UP}
    names = {name for host in hosts for name in trace.placement.hosts.get(host, ())}
    names |= {event.name for event in trace.all(Asked) if event.qtype in ("A", "AAAA")}
    return frozenset(name.rstrip(".").lower() for name in names)


def _codes(trace: Trace) -> frozenset[int]:
    """The refusals that servers said, in a reply or in odd octets."""
    return frozenset(int(code) for event in trace.all(Did) for code in _REFUSAL.findall(event.deed))
