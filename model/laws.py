"""The laws: what must hold in every scenario, whatever it is about.

Each law looks at a trace and returns what is wrong with it: an empty list if nothing is, None
if the law has nothing to look at. A law never asks what the scenario expects; where a
scenario allows something (a second copy after a cut at the dot), the trace itself shows why.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import product

from model.address import canonical
from model.events import (
    Accepted,
    Asked,
    Changed,
    Connected,
    Declined,
    Did,
    Elapsed,
    Encrypted,
    Event,
    Heard,
    Killed,
    Knocked,
    Queued,
    Reported,
    Returned,
    Strayed,
    Submitted,
)
from model.ndr import Notice, read_notices, unreadable
from model.ndr_law import ndr_conforms
from model.report import Report, State
from model.scenario import Alike, Connector, Reach, Scenario, Source
from model.smtp import Stage
from model.tls import Flaw, Tls, must_refuse
from model.trace import Trace
from model.verdict import Holds, Law, Mismatch

Wrongs = list[Mismatch] | None
ENVELOPE = (Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.DOT)
IN_DOUBT = 0.5
"""Seconds in which an agent must have written down what a host has taken."""
LAG = 3600.0
"""Seconds of the agent's clock that an NDR may take."""
GRACE = 1.5
"""Seconds by which an agent's whole-second clock may be ahead of ours."""
TRACE_HEADERS = re.compile(
    rb"(?:(?:Received|Return-Path|X-Sender)\s*:.*\r\n(?:[ \t].*\r\n)*)*", re.IGNORECASE
)
"""What a relay may put in front of a message (RFC 5321 section 4.4)."""
_LONE_DOT = re.compile(rb"(?:\A|\r|\n)\.(?:\r|\n|\Z)")
"""A dot alone on what some server takes for a line; NUL is dropped by some, and so not looked at."""
_BARE_LF, _BARE_CR = re.compile(rb"(?<!\r)\n"), re.compile(rb"\r(?!\n)")
_STRAY = re.compile(rb"\r(?!\n)|(?<!\r)\n")
"""A CR or LF that is not half of a CRLF."""
_BEGUN, _GOES_ON = re.compile(r"[\w.-]"), re.compile(r"[\w-]|\.\w")
"""What before and behind a name makes it part of a longer one."""
_LINE_END = re.compile(rb"\r*\n")
_BLANKS = b"\r\n\t "


def reports_of(trace: Trace, recipient: str) -> list[Report]:
    """What the agent said about one recipient, in order."""
    return [event.report for event in trace.account(recipient).reports]


def copies_of(trace: Trace, recipient: str) -> list[Accepted]:
    """The copies of a recipient's mail that hosts stored, in order."""
    wanted = canonical(recipient)
    return [copy for name, copy in trace.account(recipient).copies if name == wanted]


def ndrs_of(trace: Trace, recipient: str) -> list[tuple[Returned, Notice]]:
    """The failure notices that came home about one recipient."""
    notices = trace.account(recipient).notices
    return [(event, notice) for event, notice in notices if notice.action == "failed"]


def refusal_of(trace: Trace, recipient: str) -> Declined | None:
    """How the agent refused a recipient's message at its door; None if it took it."""
    refusals = trace.all(Declined)
    return next(
        (one for one in refusals if recipient in one.recipients or not one.recipients), None
    )


def accounted(scenario: Scenario, trace: Trace) -> Wrongs:
    """Every recipient ends in exactly one of: delivered once, returned once, still queued.

    And nobody else gets anything: mail that nobody handed in is no mail to be sent. What the agent
    says is delivered is so, and stays so.
    """
    hears = scenario.mail.hears
    wrongs = [w for one in trace.placement.recipients for w in _account(trace, one, hears)]
    spelt = Counter(canonical(one).lower() for one in trace.placement.recipients)
    told = (one for one in trace.placement.recipients if spelt[canonical(one).lower()] == 1)
    wrongs += [w for one in told for w in _untrue(trace, one)]
    return wrongs + _unbidden(trace)


def _account(trace: Trace, recipient: str, hears: bool) -> list[Mismatch]:
    delivered = _delivered(trace, recipient)
    returned = len(ndrs_of(trace, recipient))
    if not hears:
        returned = returned or _given_up(trace, recipient)
    queue = trace.last(Queued)
    queued = queue is not None and recipient in queue.recipients
    found = f"delivered {delivered}, returned {returned}, {'' if queued else 'not '}queued"
    if (delivered, returned, queued) == (0, 0, False) and refusal_of(trace, recipient):
        return []  # it was never the agent's
    if (delivered, returned, queued) in ((1, 0, False), (0, 1, False), (0, 0, True)):
        return []
    wanted = "exactly one of delivered once, returned once, still queued"
    return [Mismatch(f"account of {recipient}", wanted, found)]


def _delivered(trace: Trace, recipient: str) -> int:
    """How often a recipient's mail was delivered, less the copies that nobody could prevent.

    An agent that is killed just when a host has taken the mail cannot have written it down, and
    must send it again (RFC 1047 has the same for a host that falls silent).
    """
    taken = [copy.at for copy in copies_of(trace, recipient) if copy.acknowledged]
    killed = [event.at for event in trace.all(Killed)]
    in_doubt = sum(any(0 <= end - at < IN_DOUBT for end in killed) for at in taken)
    return len(taken) - min(in_doubt, max(len(taken) - 1, 0))


def _untrue(trace: Trace, recipient: str) -> list[Mismatch]:
    """What is wrong if mail is said to be delivered that is not, or that is then said to be otherwise.

    Agents say nothing of a local part's case, so of two that differ in it nothing is known, and
    nobody asks. An agent that was killed may have lost what it had said.
    """
    reports = reports_of(trace, recipient)
    states = [report.state for report in reports]
    if State.DELIVERED not in states:
        return []
    wrongs = []
    if not any(copy.acknowledged for copy in copies_of(trace, recipient)):
        wanted = "a host that has said that it took the mail"
        wrongs.append(Mismatch(f"delivery reported for {recipient}", wanted, "none"))
    later = [r for r in reports[states.index(State.DELIVERED) :] if r.state is not State.DELIVERED]
    if later and trace.last(Killed) is None:
        wrongs.append(Mismatch(f"reports on {recipient}", "delivered, and no more", str(later[0])))
    return wrongs


def _unbidden(trace: Trace) -> list[Mismatch]:
    """What is wrong if there is mail for somebody whom nobody wrote to."""
    known = {canonical(recipient) for recipient in trace.placement.recipients}
    got = [one for copy in trace.all(Accepted) for one in copy.recipients]
    queue = trace.last(Queued)
    waits = queue.recipients if queue is not None else ()
    found = dict.fromkeys(one for one in (*got, *waits) if canonical(one) not in known)
    return [Mismatch(f"mail for {one}", "none, for nobody sent any", "a message") for one in found]


def _given_up(trace: Trace, recipient: str) -> int:
    """1 if mail was given up of which nobody hears: it has no sender, or none that can be told."""
    over = (State.RETURNED, State.EXPIRED)
    return int(any(report.state in over for report in reports_of(trace, recipient)))


def no_clear_text(scenario: Scenario, trace: Trace) -> Wrongs:
    """No envelope or content in clear where TLS is asked for, nor to a host to be refused.

    An address is of the envelope in whatever command it stands.
    """
    if all(one.demands is Tls.NONE for one in scenario.connectors):
        return None
    shown = {event.conn: event.certificate for event in trace.all(Encrypted)}
    wrongs = []
    for line, connector in _by_connector(scenario, trace):
        setting = connector.demands
        if not isinstance(line, Heard) or setting is Tls.NONE or not _tells(line, trace):
            continue
        flaw = shown.get(line.conn, Flaw.VALID)
        if not line.tls:
            wrongs.append(Mismatch(f"line to {line.host}", "inside TLS", f"in clear: {line.line}"))
        elif must_refuse(flaw, setting):
            wrongs.append(
                Mismatch(f"line to {line.host}", "none, its certificate is " + flaw, line.line)
            )
    return wrongs


def _tells(line: Heard, trace: Trace) -> bool:
    """Whether a line is of an envelope or a content, or has an address of the envelope in it."""
    ours = (one for one in (trace.placement.sender, *trace.placement.recipients) if one)
    said = line.line.lower()
    return line.stage in ENVELOPE or any(address.lower() in said for address in ours)


def _by_connector(scenario: Scenario, trace: Trace) -> Iterator[tuple[Event, Connector]]:
    """Every event, and the connector in force at the time: it may be changed on the way."""
    connector, changes = scenario.connector, iter(scenario.changes)
    for event in trace.events:
        if isinstance(event, Changed) and (change := next(changes, None)):
            connector = change.connector or connector
        yield event, connector


def code_class(scenario: Scenario, trace: Trace) -> Wrongs:
    """4yz goes with 4.x.x and 5yz with 5.x.x; deferred is class 4, returned class 5.

    An NDR's Diagnostic-Code may quote the last 4yz of a server beside the 5.x.x of giving up
    (RFC 3464 sections 2.3.4 and 2.3.6: two fields, two statements); a 5yz beside 4.x.x may not be.
    """
    wrongs, seen = [], False
    for recipient in trace.placement.recipients:
        for report in reports_of(trace, recipient):
            classes = {str(report.smtp)[0]} if report.smtp else set()
            classes |= {report.enhanced[0]} if report.enhanced else set()
            seen = seen or bool(classes)
            want = {State.DEFERRED: "4", State.RETURNED: "5", State.DELIVERED: "2"}
            kind = want.get(report.state)
            if len(classes) > 1 or (kind and classes - {kind}):
                wrongs.append(
                    Mismatch("class of the codes", f"all {kind or 'the same'}", str(report))
                )
        for _, notice in ndrs_of(trace, recipient):
            if notice.smtp >= 500 and notice.status.startswith("4"):
                both = f"Status {notice.status}, Diagnostic-Code {notice.diagnostic}"
                wrongs.append(Mismatch("class of the codes in the NDR", "the same", both))
    return wrongs if seen or wrongs else None


def names_server(scenario: Scenario, trace: Trace) -> Wrongs:
    """A failure reported after a server was contacted names that server (host or address).

    And if a delivery is said to have gone to a server, it is one that was contacted.

    Once the world has changed, another attempt begins: it may end before any server. A SYN may be
    seen a moment after the report that names its host, so every server of the trace will do; where
    SYNs cannot be seen, a host that is away may have been the one, too. Of many messages nobody
    can tell for which a server was contacted: one may have failed in DNS.
    """
    if scenario.mail.messages > 1:
        return None
    contacts = (e.host for e in trace.events if isinstance(e, Connected | Knocked))
    hosts = trace.placement.hosts
    by_proxy = any(one.proxy for one in scenario.connectors)  # whom it was asked for is a name, too
    names = {name for host in (hosts if by_proxy else contacts) for name in hosts.get(host, ())}
    away = {host.name for host in scenario.all_hosts if host.reach is not Reach.UP}
    unseen = set() if trace.sealed else {n for h in away for n in trace.placement.hosts[h]}
    ours = frozenset(canonical(one).lower() for one in trace.placement.recipients)
    contacted = False
    wrongs, seen = [], False
    for event in trace.events:
        if isinstance(event, Changed):
            contacted = False
        if isinstance(event, Connected | Knocked):
            contacted = True
        if contacted and isinstance(event, Reported) and _has_a_server(event.report, ours):
            seen = True
            said = f"{event.report.host} {event.report.ip} {event.report.text}"
            if not any(_stands_in(said, name) for name in names | unseen):
                wanted = " or ".join(sorted(names))
                observed = f"{event.report}: {event.report.text}"
                wrongs.append(Mismatch("server named in the report", wanted, observed))
    return wrongs if seen else None


def _has_a_server(report: Report, ours: frozenset[str]) -> bool:
    """Whether a report on one of ours must be about a server: a failure, or a delivery to one."""
    states = {State.DEFERRED, State.RETURNED}
    if report.host or report.ip:
        states.add(State.DELIVERED)
    return canonical(report.recipient).lower() in ours and report.state in states


def _stands_in(text: str, name: str) -> bool:
    """Whether a text has a host's name or address, and not one that only begins or ends like it."""
    folded, wanted = text.lower(), name.lower()
    at = folded.find(wanted) if wanted else -1
    while at >= 0:
        begun = _BEGUN.match(folded[at - 1 : at])
        if not begun and not _GOES_ON.match(folded, at + len(wanted)):
            return True
        at = folded.find(wanted, at + 1)
    return False


def ndr_in_time(scenario: Scenario, trace: Trace) -> Wrongs:
    """No NDR before expiry for a transient failure; at most one; from `<>`; none to `<>`.

    It comes soon after what it is about. A notice of delay comes no sooner than is configured. Mail
    whose time is not over has not expired, whether anybody hears of it or not.
    """
    wrongs = [
        Mismatch("envelope sender of what came home", "<>", f"<{event.sender}>")
        for event in trace.all(Returned)
        if event.sender
    ]
    if not trace.placement.sender and any(True for _ in trace.all(Returned)):
        wrongs.append(Mismatch("mail for a null sender", "none", "an NDR came"))
    for recipient in trace.placement.recipients:
        ndrs = ndrs_of(trace, recipient)
        if len(ndrs) > 1:
            wrongs.append(Mismatch(f"NDRs about {recipient}", "at most one", str(len(ndrs))))
        permanent = any(r.state is State.RETURNED for r in reports_of(trace, recipient))
        for event, _ in ndrs:
            age = age_at(trace, event.at)
            if not permanent and age < trace.lifetime - GRACE:
                when = f"after {age:.0f} s"
                wrongs.append(Mismatch("NDR", f"not before {trace.lifetime:.0f} s", when))
        wrongs += _expired_early(trace, recipient)
        wrongs += _late(trace, recipient)
        wrongs += _hasty_delays(trace, recipient)
    return wrongs


def _expired_early(trace: Trace, recipient: str) -> list[Mismatch]:
    """What is wrong if the agent says that mail has expired before its lifetime was over."""
    said = [e for e in trace.account(recipient).reports if e.report.state is State.EXPIRED]
    return [
        Mismatch("expiry", f"not before {trace.lifetime:.0f} s", f"after {age:.0f} s")
        for age in (age_at(trace, event.at) for event in said)
        if age < trace.lifetime - GRACE
    ]


def _late(trace: Trace, recipient: str) -> list[Mismatch]:
    """What is wrong if time was let pass between the end and the news of it."""
    over = (State.RETURNED, State.EXPIRED)
    ends = [e.at for e in trace.account(recipient).reports if e.report.state in over]
    lags = [
        age_at(trace, event.at) - age_at(trace, ends[0])
        for event, _ in ndrs_of(trace, recipient)
        if ends
    ]
    return [
        Mismatch("NDR", "within an hour of the failure it tells of", f"{lag / 3600:.1f} h after it")
        for lag in lags
        if lag > LAG
    ]


def _hasty_delays(trace: Trace, recipient: str) -> list[Mismatch]:
    """What is wrong if the sender was told of a delay that is none yet."""
    notices = trace.account(recipient).notices
    ages = [age_at(trace, event.at) for event, notice in notices if notice.action == "delayed"]
    wanted = f"not before {trace.delay:.0f} s" if trace.delay else "none"
    return [
        Mismatch("notice of delay", wanted, f"after {age:.0f} s")
        for age in ages
        if age < trace.delay - GRACE or not trace.delay
    ]


def age_at(trace: Trace, at: float) -> float:
    """How old the message was by the agent's clock, in seconds."""
    submitted = next(iter(trace.all(Submitted)), None)
    age, since = 0.0, submitted.at if submitted else 0.0
    for event in trace.all(Elapsed):
        if event.at <= at:
            age, since = event.age, event.at
    return age + at - since


def intact(scenario: Scenario, trace: Trace) -> Wrongs:
    """What was delivered is what was sent, as far as the scenario has it, behind trace headers.

    In the envelope the sender stays as it is, too, for notices go there (RFC 5321 section 3.9.1 has
    that even where mail is forwarded to somebody else).
    """
    alike = scenario.mail.alike
    copies = list(trace.all(Accepted))
    wrongs = _other_senders(trace, copies)
    if alike is Alike.FREE or not copies:
        return wrongs or None
    sent_to = {canonical(recipient): sent for recipient, sent in trace.sent.items()}
    for copy in copies:
        names = (canonical(recipient) for recipient in copy.recipients)
        sent = next((sent_to[name] for name in names if name in sent_to), None)
        if sent is None:
            whose = f"one for {', '.join(copy.recipients) or 'nobody'}"
            wrongs.append(Mismatch("message stored", "one that was sent", whose))
            continue
        if not any(_holds(copy.content, form, alike) for form in _forms(sent, alike)):
            difference = _first_difference(sent, copy.content)
            wrongs.append(Mismatch("message stored", f"{len(sent)} octets as sent", difference))
    return wrongs


def _other_senders(trace: Trace, copies: Sequence[Accepted]) -> list[Mismatch]:
    """What is wrong if a host was told of another sender than the one who sent the mail."""
    ours = trace.placement.sender
    others = dict.fromkeys(c.sender for c in copies if canonical(c.sender) != canonical(ours))
    return [Mismatch("envelope sender", f"<{ours}>", f"<{one}>") for one in others]


def _forms(sent: bytes, alike: Alike) -> Iterator[bytes]:
    """What a message may have become on its way."""
    yield sent
    if alike is Alike.LINES:
        yield from _mended(sent)


def _mended(sent: bytes) -> Iterator[bytes]:
    """A message whose stray CR, LF and NUL became line ends, blanks, or nothing; each its own way."""
    for ends in (sent, _LINE_END.sub(b"\r\n", sent)):
        for lf, cr in product((b"\r\n", b" ", b""), repeat=2):
            mended = _BARE_CR.sub(cr, _BARE_LF.sub(lf, ends))
            yield from (mended.replace(b"\0", nul) for nul in (b"\0", b"?", b" ", b""))


def _holds(got: bytes, sent: bytes, alike: Alike) -> bool:
    """Whether a message stored is the one sent, with trace headers in front of it at most."""
    if alike is Alike.TEXT:
        sent, got = (content.translate(None, _BLANKS) for content in (sent, got))
        return got.endswith(sent)
    if sent and not sent.endswith(b"\r\n"):
        sent += b"\r\n"  # a line ends, and so does the last
    ends = (sent,) if sent else (b"", b"\r\n")  # of nothing, an empty line may remain
    return any(
        got.endswith(end) and TRACE_HEADERS.fullmatch(got.removesuffix(end)) is not None
        for end in ends
    )


def unambiguous(scenario: Scenario, trace: Trace) -> Wrongs:
    """CR and LF stand together only, and nothing within the message could be taken for its end.

    RFC 5321 sections 2.3.8 and 4.1.1.4: the client never sends a bare CR or LF, and only
    CRLF.CRLF ends a message. A dot alone between bare CR or LF lets a second one be smuggled in.
    """
    copies = [event for event in trace.all(Accepted) if event.wire]
    wrongs = []
    for copy in copies:
        if found := _LONE_DOT.search(copy.wire):
            what = repr(found[0])
            wrongs.append(Mismatch("content on the wire", "no dot alone on a line", what))
        elif found := _STRAY.search(copy.wire):
            what = repr(copy.wire[max(0, found.start() - 10) : found.end() + 10])
            wrongs.append(Mismatch("content on the wire", "no CR or LF by itself", what))
    return wrongs if copies else None


def offered(scenario: Scenario, trace: Trace) -> Wrongs:
    """The eighth bit goes only to a host that offers it: in content 8BITMIME, in addresses SMTPUTF8.

    RFC 6152 section 3 and RFC 6531 section 3.2. A host whose EHLO reply was odd octets may have
    offered anything, and is not looked at.
    """
    keywords: dict[int, frozenset[str] | None] = {}
    wrongs, seen = [], False
    for event in trace.events:
        match event:
            case Did(stage=Stage.EHLO | Stage.HELO, conn=conn, deed=deed):
                keywords[conn] = _keywords(deed)
                continue
            case Heard(stage=Stage.MAIL | Stage.RCPT, line=line) if not line.isascii():
                needed, what = "SMTPUTF8", line
            case Accepted(content=content) if not content.isascii():
                needed, what = "8BITMIME", "content with the eighth bit set"
            case _:
                continue
        had = keywords.get(event.conn)
        seen = seen or had is not None
        if had is not None and needed not in had:
            wrongs.append(Mismatch(f"sent to {event.host}", f"nothing that needs {needed}", what))
    return wrongs if seen else None


def _keywords(reply: str) -> frozenset[str] | None:
    """What an EHLO reply offers; None if the host sent something odd."""
    if reply.startswith("*"):
        return None
    return frozenset(line[4:].split(" ")[0].upper() for line in reply.split("\n")[1:])


def greets_again(scenario: Scenario, trace: Trace) -> Wrongs:
    """After the handshake the client begins anew, with EHLO (RFC 3207 section 4.2)."""
    secured = {event.conn for event in trace.all(Encrypted)}
    if not secured:
        return None
    wrongs: list[Mismatch] = []
    begun: set[int] = set()
    for line in trace.all(Heard):
        if line.tls and line.conn in secured - begun:
            begun.add(line.conn)
            if line.stage not in (Stage.EHLO, Stage.HELO, Stage.QUIT):
                wrongs.append(Mismatch("first line inside TLS", "EHLO", line.line))
    return wrongs


def legible(scenario: Scenario, trace: Trace) -> Wrongs:
    """An NDR can be read whatever the server said: lines of 998 octets, no control characters.

    Nor octets of eight bits that are not declared, of which the part for machines has none at all
    (RFC 5322 section 2.1.1, RFC 3464 section 2.1, RFC 6533 section 3).
    """
    notices = [event for event in trace.all(Returned) if read_notices(event.content)]
    wrongs = [
        Mismatch("NDR", f"no {what}", where)
        for event in notices
        for what, where in unreadable(event.content)
    ]
    return wrongs[:3] if notices else None


def _first_difference(sent: bytes, got: bytes) -> str:
    start = got.find(sent[:40])
    if start < 0:
        return f"{len(got)} octets, beginning {got[:40]!r}"
    for at, (one, other) in enumerate(zip(sent, got[start:], strict=False)):
        if one != other:
            return f"octet {at}: {got[start + at : start + at + 30]!r}"
    return f"{len(got) - start} octets"


def confined(scenario: Scenario, trace: Trace) -> Wrongs:
    """Nothing is asked or connected outside the scenario, nor outside its route.

    Where a connector names smart hosts, the domain's own MX records are none of the agent's
    business: mail that follows them has left the route, even if it then fares the same. Where all
    smart hosts are addresses, nothing of the domain need be asked at all. Where it names a proxy, no
    host is connected to but by that.
    """
    strays = [Mismatch("stray", "none", event.what) for event in trace.all(Strayed)]
    strays += [
        Mismatch(f"way to {event.host}", f"by {connector.goes_by}", f"from {event.source}")
        for event, connector in _by_connector(scenario, trace)
        if isinstance(event, Connected) and _goes_round(event, connector.goes_by, trace)
    ]
    return strays + [
        Mismatch(
            "way to the domain",
            f"by smart host ({', '.join(connector.way)})",
            f"asked for {event.name} {event.qtype}",
        )
        for event, connector in _by_connector(scenario, trace)
        if isinstance(event, Asked) and _is_idle(event, trace, connector.way)
    ]


def _goes_round(event: Connected, proxy: str, trace: Trace) -> bool:
    """Whether a connection comes from elsewhere than the proxy, if there is one, and not to it."""
    return bool(proxy) and event.host != proxy and event.source != trace.placement.hosts[proxy][1]


def _is_idle(event: Asked, trace: Trace, way: Sequence[str]) -> bool:
    """Whether a question has no place where mail goes by these smart hosts, if any."""
    if way and all(hop.startswith("[") for hop in way):
        return is_below(event.name, trace.placement.domain)
    return bool(way) and event.qtype == "MX" and trace.placement.relative(event.name) == "@"


def is_below(name: str, domain: str) -> bool:
    """Whether a name is the domain or in it."""
    return f".{name.rstrip('.').lower()}".endswith(f".{domain}")


def from_its_source(scenario: Scenario, trace: Trace) -> Wrongs:
    """Every connection comes from the address that the connector names, whatever else there is.

    Set-SendConnector, SourceIPAddress: that address, and not just any. If the machine does not have
    it, there is no connection at all.
    """
    if all(one.comes_from is Source.USUAL for one in scenario.connectors):
        return None
    wrongs = []
    for event, connector in _by_connector(scenario, trace):
        wanted = trace.placement.sources.get(connector.comes_from, "")
        if wanted and isinstance(event, Connected | Knocked) and event.source != wanted:
            wrongs.append(Mismatch(f"source of a connection to {event.host}", wanted, event.source))
    return wrongs


LAWS: dict[Law, Callable[[Scenario, Trace], Wrongs]] = {
    Law.ACCOUNTED: accounted,
    Law.NO_CLEAR_TEXT: no_clear_text,
    Law.CODE_CLASS: code_class,
    Law.NAMES_SERVER: names_server,
    Law.NDR_IN_TIME: ndr_in_time,
    Law.INTACT: intact,
    Law.CONFINED: confined,
    Law.UNAMBIGUOUS: unambiguous,
    Law.GREETS_AGAIN: greets_again,
    Law.LEGIBLE: legible,
    Law.OFFERED: offered,
    Law.NDR_CONFORMS: ndr_conforms,
    Law.SOURCE: from_its_source,
}


def check(scenario: Scenario, trace: Trace) -> tuple[dict[Law, Holds], list[Mismatch]]:
    """Every law against a trace: whether it holds, and what is wrong where it does not."""
    holds, wrongs = {}, []
    for law, look in LAWS.items():
        found = look(scenario, trace)
        wrongs += [Mismatch(f"law {law}: {m.what}", m.expected, m.observed) for m in found or []]
        holds[law] = Holds.NOT_APPLICABLE if found is None else Holds.BROKEN if found else Holds.OK
    return holds, wrongs
