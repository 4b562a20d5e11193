"""What a delivery status notification must and should be, field by field.

Each rule is a function that looks at a notification, in the light of what was sent, and yields
what is wrong: the field, what is expected, what is observed. `RULES` says how binding each is and
where that is written. What a document allows is nobody's fault: where two disagree, the milder
one counts as MUST and the other as SHOULD.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from email.utils import getaddresses, parseaddr, parsedate_to_datetime
from itertools import zip_longest

from model.address import canonical
from model.dsn import HEADERS, MACHINE, WHOLE, Back, Block, Dsn, address_in, typed
from model.rule import Level
from model.wishes import Wishes

PER_MESSAGE = (
    "Original-Envelope-Id",
    "Reporting-MTA",
    "DSN-Gateway",
    "Received-From-MTA",
    "Arrival-Date",
)
PER_RECIPIENT = (
    "Original-Recipient",
    "Final-Recipient",
    "Action",
    "Status",
    "Remote-MTA",
    "Diagnostic-Code",
    "Last-Attempt-Date",
    "Final-Log-ID",
    "Will-Retry-Until",
)
CLASSES = {
    "failed": "45",
    "delayed": "4",
    "delivered": "2",
    "relayed": "245",
    "expanded": "2",
}
"""The classes of Status that go with an Action (RFC 3464 section 2.3.3, its note on both)."""
WISH = {
    "failed": "FAILURE",
    "delayed": "DELAY",
    "delivered": "SUCCESS",
    "relayed": "SUCCESS",
    "expanded": "SUCCESS",
}
_STATUS = re.compile(r"([245])(?:\.(?:0|[1-9]\d{0,2})){2}(?: ?\(.*\))?")
_REPLY = re.compile(r"(\d{3})(?:[ -]|\Z)")
_ATOM = re.compile(r"[^\s()<>@,;:\\\".\[\]]+")
_COMMENT = re.compile(r" *\(.*\)\Z")
_DATE = re.compile(
    r"(?:([a-z]{3}) ?, ?)?\d{1,2} [a-z]{3} \d{4} \d\d:\d\d(?::\d\d)? [+-]\d{4}(?: ?\(.*\))?",
    re.IGNORECASE,
)
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LINE_SHOWN = 60
"""Octets of a line."""
A_DATE = "a date and time with a numeric zone"

Wrong = tuple[str, str, str]
"""A field, what is expected there, what is observed."""


@dataclass(frozen=True, slots=True)
class Sending:
    """What a notification is about, as its reader knows it.

    `envelope` are the recipients of the notification itself. `message_id` and `subject` are the
    original's, empty if it has none; `has_body` tells whether there is more to return than a
    header, and `body` is that, with bare LFs: empty if it may have to be written in another way.
    `servers` are the names and addresses that may stand as Remote-MTA, and `codes` the replies of
    4yz and 5yz that servers gave.
    """

    sender: str
    recipients: tuple[str, ...]
    envelope: tuple[str, ...] = ()
    wishes: Wishes = field(default_factory=Wishes)
    message_id: str = ""
    subject: str = ""
    has_body: bool = True
    body: bytes = b""
    servers: frozenset[str] = frozenset()
    codes: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Objection:
    """One thing that is wrong in a notification, and what says so."""

    field: str
    expected: str
    observed: str
    rule: str
    level: Level


Look = Callable[[Dsn, Sending], Iterator[Wrong]]


def objections(dsn: Dsn, sending: Sending) -> list[Objection]:
    """Everything that is wrong in a notification, each rule in turn."""
    return [
        Objection(*wrong, rule, level)
        for look, rule, level in RULES
        for wrong in look(dsn, sending)
    ]


def is_a_report(dsn: Dsn, sending: Sending) -> Iterator[Wrong]:
    """RFC 3464 section 2 (a): multipart/report, its report-type named by the second part.

    RFC 6522 section 3 makes the parameter the second part's subtype, so its twin of RFC 6533 may
    go by either name.
    """
    names = {kind.partition("/")[2] for kind in dsn.parts[1:2]} & {"global-delivery-status"}
    if dsn.kind != "multipart/report" or dsn.report_type not in {"delivery-status", *names}:
        observed = f"{dsn.kind}; report-type={dsn.report_type or '-'}"
        yield "Content-Type", "multipart/report; report-type=delivery-status", observed


def has_its_parts(dsn: Dsn, sending: Sending) -> Iterator[Wrong]:
    """RFC 3464 section 2 (b) to (d), RFC 6522 section 3: two or three, in this order."""
    observed = ", ".join(dsn.parts) or "none"
    if len(dsn.parts) not in (2, 3):
        yield "parts", "two or three", observed
    if dsn.parts[1:2] and dsn.parts[1] not in MACHINE:
        yield "second part", " or ".join(MACHINE), dsn.parts[1]
    if dsn.parts[2:3] and dsn.parts[2] not in (*WHOLE, *HEADERS):
        yield "third part", " or ".join((*WHOLE, *HEADERS)), dsn.parts[2]


def tells_people(dsn: Dsn, sending: Sending) -> Iterator[Wrong]:
    """RFC 6522 section 3 (1): the first part is a message for people, of whatever type."""
    if dsn.parts and (dsn.parts[0] in MACHINE or not dsn.people):
        yield "first part", "a text for people", f"{dsn.parts[0]}, {len(dsn.people)} characters"


def is_seven_bits(dsn: Dsn, sending: Sending) -> Iterator[Wrong]:
    """RFC 3464 section 2.1: message/delivery-status is in 7bit, so that anybody can read it."""
    if MACHINE[0] in dsn.parts and dsn.encoding not in ("", "7bit"):
        yield "Content-Transfer-Encoding of the second part", "7bit", dsn.encoding


def consists_of_fields(dsn: Dsn, sending: Sending) -> Iterator[Wrong]:
    """RFC 3464 section 2.1: the part for machines has fields, and nothing else."""
    for block in (dsn.message, *dsn.recipients):
        if block.rest:
            yield "second part", "fields only", repr(block.rest[:60])


def has_fields_once(dsn: Dsn, sending: Sending) -> Iterator[Wrong]:
    """RFC 3464 sections 2.2 and 2.3: none of its fields stands twice in a group."""
    for names, block in [(PER_MESSAGE, dsn.message), *((PER_RECIPIENT, b) for b in dsn.recipients)]:
        for name in names:
            if len(block.all(name)) > 1:
                yield name, "at most once", " and ".join(block.all(name))


def names_its_mta(dsn: Dsn, sending: Sending) -> Iterator[Wrong]:
    """RFC 3464 section 2.2.2: a Reporting-MTA with its type."""
    if not any(part in MACHINE for part in dsn.parts):
        return
    kind, name = typed(dsn.message.first("Reporting-MTA"))
    if not _ATOM.fullmatch(kind) or not name:
        observed = dsn.message.first("Reporting-MTA") or "none"
        yield "Reporting-MTA", "a type and a name", observed


def has_a_full_name(dsn: Dsn, sending: Sending) -> Iterator[Wrong]:
    """RFC 3461 section 6.3 (b): the type dns is for full names only."""
    kind, name = typed(dsn.message.first("Reporting-MTA"))
    if kind == "dns" and name and "." not in name.strip("."):
        yield "Reporting-MTA", "a full domain name, or another type than dns", name


def is_no_gateway(dsn: Dsn, sending: Sending) -> Iterator[Wrong]:
    """RFC 3464 section 2.2.3: DSN-Gateway is for gateways only, and there is none."""
    for value in dsn.message.all("DSN-Gateway"):
        yield "DSN-Gateway", "none", value


def dates_are_dates(dsn: Dsn, sending: Sending) -> Iterator[Wrong]:
    """RFC 3464 sections 2.2.5, 2.3.7 and 2.3.9: date-time, its zone in numbers."""
    fields = [("Arrival-Date", value) for value in dsn.message.all("Arrival-Date")]
    for block in dsn.recipients:
        for name in ("Last-Attempt-Date", "Will-Retry-Until"):
            fields += [(name, value) for value in block.all(name)]
    for name, value in fields:
        if not is_date(value):
            yield name, A_DATE, value


def is_date(value: str) -> bool:
    """Whether this is a date-time of RFC 5322 section 3.3, of the day of the week it says."""
    found = _DATE.fullmatch(value)
    if not found:
        return False
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return False
    return not found[1] or found[1].lower() == _DAYS[when.weekday()]


def has_recipients(dsn: Dsn, sending: Sending) -> Iterator[Wrong]:
    """RFC 3464 section 2.1: one group of fields for a recipient at least."""
    if any(part in MACHINE for part in dsn.parts) and not dsn.recipients:
        yield "second part", "a group of fields for each recipient", "none"


def names_who_was_sent_to(dsn: Dsn, sending: Sending) -> Iterator[Wrong]:
    """RFC 3464 section 2.3.2: Final-Recipient with its type, exactly as it was in the envelope.

    In the domain case is nothing, nor are needless quotes in a local part.
    """
    ours = {canonical(recipient) for recipient in sending.recipients}
    for block in dsn.recipients:
        value = block.first("Final-Recipient")
        kind, _ = typed(value)
        if not _ATOM.fullmatch(kind):
            yield "Final-Recipient", "a type and an address", value or "none"
        elif canonical(address_in(value)) not in ours:
            yield "Final-Recipient", " or ".join(sending.recipients), value


def says_what_was_done(dsn: Dsn, sending: Sending) -> Iterator[Wrong]:
    """RFC 3464 section 2.3.3: an Action, one of five."""
    for block in dsn.recipients:
        if block.first("Action").lower() not in CLASSES:
            yield "Action", ", ".join(CLASSES), block.first("Action") or "none"


def has_a_status(dsn: Dsn, sending: Sending) -> Iterator[Wrong]:
    """RFC 3464 section 2.3.4: three numbers without zeros in front, a comment behind them."""
    for block in dsn.recipients:
        if not _STATUS.fullmatch(block.first("Status")):
            yield "Status", "class.subject.detail", block.first("Status") or "none"


def status_fits_action(dsn: Dsn, sending: Sending) -> Iterator[Wrong]:
    """RFC 3464 sections 2.3.3 and 2.3.4: the class of Status does not belie the Action.

    Class 4 goes with `failed` as well, where attempts were given up; with `relayed` goes any.
    """
    for block in dsn.recipients:
        status, action = _STATUS.fullmatch(block.first("Status")), block.first("Action").lower()
        if status and action in CLASSES and status[1] not in CLASSES[action]:
            wanted = f"class {' or '.join(CLASSES[action])}, for it is {action}"
            yield "Status", wanted, block.first("Status")


def retries_only_what_waits(dsn: Dsn, sending: Sending) -> Iterator[Wrong]:
    """RFC 3464 section 2.3.9: Will-Retry-Until stands with `delayed` only."""
    for block in dsn.recipients:
        if block.first("Action").lower() != "delayed" and block.all("Will-Retry-Until"):
            yield "Will-Retry-Until", f"none beside {block.first('Action')}", "one"


def names_a_server(dsn: Dsn, sending: Sending) -> Iterator[Wrong]:
    """RFC 3464 section 2.3.5: Remote-MTA with its type, and one that had to do with it.

    The next hop is the Remote MTA even if it could not be reached (section 1.3 (d)).
    """
    for block in dsn.recipients:
        for value in block.all("Remote-MTA"):
            kind, name = typed(value)
            if not _ATOM.fullmatch(kind) or not name:
                yield "Remote-MTA", "a type and a name", value or "empty"
            elif name.split()[0].strip("[].").lower() not in sending.servers:
                servers = " or ".join(sorted(sending.servers))
                yield "Remote-MTA", servers or "none, for none was involved", value


def server_is_a_domain(dsn: Dsn, sending: Sending) -> Iterator[Wrong]:
    """RFC 3461 section 9.3: a name of type dns is a domain; what is more stands in brackets."""
    for block in dsn.recipients:
        kind, name = typed(block.first("Remote-MTA"))
        if kind == "dns" and " " in _COMMENT.sub("", name):
            yield "Remote-MTA", "a domain", name


def quotes_a_reply(dsn: Dsn, sending: Sending) -> Iterator[Wrong]:
    """RFC 3464 section 2.3.6, RFC 3461 section 9.2: a type; of type smtp, a reply with its code.

    It is what the server said, and so its code may be one that SMTP has not.
    """
    for block in dsn.recipients:
        for value in block.all("Diagnostic-Code"):
            kind, text = typed(value)
            if not _ATOM.fullmatch(kind):
                yield "Diagnostic-Code", "a type and a text", value or "empty"
            elif kind == "smtp" and not _REPLY.match(text):
                yield "Diagnostic-Code", "smtp; and a reply that begins with its code", value


def codes_agree(dsn: Dsn, sending: Sending) -> Iterator[Wrong]:
    """RFC 3463 section 2: what is refused for good (5yz) is no Status of class 4.

    The other way round it may be: the last 4yz of a server, quoted when the mail was given up.
    """
    for block in dsn.recipients:
        if code_in(block) // 100 == 5 and block.first("Status").startswith("4"):
            quoted = f"{block.first('Status')} beside {block.first('Diagnostic-Code')}"
            yield "Status", "class 5, like the reply", quoted


def code_in(block: Block) -> int:
    """The reply code in a Diagnostic-Code; 0 if there is none."""
    kind, text = typed(block.first("Diagnostic-Code"))
    found = _REPLY.match(text) if kind == "smtp" else None
    return int(found[1]) if found else 0


def quotes_what_was_said(dsn: Dsn, sending: Sending) -> Iterator[Wrong]:
    """RFC 3464 section 2.3.6: beside a Remote-MTA stands what that one said."""
    for block in dsn.recipients:
        code = code_in(block)
        if block.first("Remote-MTA") and code // 100 in (4, 5) and code not in sending.codes:
            said = ", ".join(map(str, sorted(sending.codes))) or "nothing of the kind"
            yield "Diagnostic-Code", f"what the Remote-MTA said ({said})", str(code)


def gives_the_details(dsn: Dsn, sending: Sending) -> Iterator[Wrong]:
    """RFC 3464 section 2.3.6: what a server said is passed on, and who said it.

    RFC 3461 section 6.3 (h) and (i) demand both, even if no server was met; RFC 3464 section
    2.3.5 then forbids the one.
    """
    for block in dsn.recipients:
        if not block.all("Diagnostic-Code") and sending.codes and is_bad_news(block):
            yield "Diagnostic-Code", "one, for a server refused", "none"
        if not block.all("Remote-MTA") and code_in(block) in sending.codes:
            yield "Remote-MTA", f"the server that said {code_in(block)}", "none"


def is_bad_news(block: Block) -> bool:
    """Whether mail has failed or is late."""
    return block.first("Action").lower() in ("failed", "delayed")


def keeps_the_envelope_id(dsn: Dsn, sending: Sending) -> Iterator[Wrong]:
    """RFC 3461 section 6.3 (a): Original-Envelope-Id is the sender's ENVID; without one, none."""
    found, wanted = dsn.message.all("Original-Envelope-Id"), sending.wishes.envid
    if found != ((wanted,) if wanted else ()):
        yield "Original-Envelope-Id", wanted or "none, for no ENVID was given", _list(found)


def keeps_the_original_recipient(dsn: Dsn, sending: Sending) -> Iterator[Wrong]:
    """RFC 3461 section 6.3 (d): Original-Recipient is what ORCPT said, and must be there then.

    Without ORCPT it can only be the recipient itself, as in an ORCPT that a relay adds
    (section 5.2.1 (d)).
    """
    for block in dsn.recipients:
        found = block.all("Original-Recipient")
        asked = sending.wishes.orcpt
        same = {_recipient(one) for one in found} <= {
            _recipient(one) for one in ([asked] if asked else block.all("Final-Recipient"))
        }
        if not same or (asked and not found):
            yield "Original-Recipient", asked or "none, for no ORCPT was given", _list(found)


def adds_no_original_recipient(dsn: Dsn, sending: Sending) -> Iterator[Wrong]:
    """RFC 3461 section 6.3 (d): without ORCPT no Original-Recipient.

    Only SHOULD here, although it says MUST NOT: section 5.2.1 (d) lets a relay add an ORCPT with
    the recipient as it came, and then the next one's notifications have the very same field.
    """
    if sending.wishes.orcpt:
        return
    for block in dsn.recipients:
        for value in block.all("Original-Recipient"):
            yield "Original-Recipient", "none, for no ORCPT was given", value


def _recipient(value: str) -> str:
    return canonical(address_in(value))


def _list(values: Iterable[str]) -> str:
    return " and ".join(values) or "none"


def was_asked_for(dsn: Dsn, sending: Sending) -> Iterator[Wrong]:
    """RFC 3461 sections 5.2.2, 5.2.5 and 5.2.6: nothing is told that NOTIFY does not ask for.

    Without NOTIFY, failures and delays may be told of (section 4.1), and success may not.
    """
    asked = sending.wishes.notify or ("FAILURE", "DELAY")
    for block in dsn.recipients:
        wish = WISH.get(block.first("Action").lower())
        if wish and wish not in asked:
            yield "Action", f"none, for NOTIFY is {','.join(asked)}", block.first("Action")


def returns_no_more(dsn: Dsn, sending: Sending) -> Iterator[Wrong]:
    """RFC 3461 section 4.3: RET=HDRS has the header returned, and not the body."""
    if sending.wishes.ret == "HDRS" and dsn.back is Back.FULL:
        yield "third part", f"{Back.HEADERS}, for RET is HDRS", dsn.back


def returns_no_less(dsn: Dsn, sending: Sending) -> Iterator[Wrong]:
    """RFC 3461 section 6.2: RET=FULL has all returned if it failed; where nothing did, the header.

    Both are SHOULD, and a long message may be left out.
    """
    failed = any(block.first("Action").lower() == "failed" for block in dsn.recipients)
    if failed and sending.wishes.ret == "FULL" and sending.has_body and dsn.back is not Back.FULL:
        yield "third part", f"{Back.FULL}, for RET is FULL", dsn.back
    if dsn.recipients and not failed and dsn.back is Back.FULL:
        yield "third part", f"{Back.HEADERS}, for nothing failed", dsn.back


def returns_what_was_sent(dsn: Dsn, sending: Sending) -> Iterator[Wrong]:
    """RFC 6522 section 3 (3): what is returned is the message, or a part of it, and nothing else.

    Of one that was cut, the last line is no business of ours: it may say so.
    """
    back, sent = dsn.body.rstrip().splitlines(), sending.body.rstrip().splitlines()
    if not back or not sent:
        return
    cut = 1 < len(back) < len(sent)
    for number, (theirs, ours) in enumerate(zip_longest(back[:-1] if cut else back, sent), 1):
        if theirs != ours and theirs is not None:
            yield f"line {number} of the returned body", _shown(ours), _shown(theirs)
            return


def _shown(line: bytes | None) -> str:
    return "none" if line is None else repr(line[:LINE_SHOWN].decode("ascii", "replace"))


def label_fits(dsn: Dsn, sending: Sending) -> Iterator[Wrong]:
    """RFC 6522 section 4: headers alone are labelled so, and a whole message is not."""
    kind = next((part for part in dsn.parts[2:] if part in (*WHOLE, *HEADERS)), "")
    if kind in HEADERS and dsn.back is Back.FULL:
        yield "third part", f"headers only, for it is {kind}", dsn.back
    if kind in WHOLE and dsn.back is Back.HEADERS and sending.has_body:
        yield "third part", " or ".join(HEADERS), f"headers as {kind}"


def tells_which_mail(dsn: Dsn, sending: Sending) -> Iterator[Wrong]:
    """RFC 3464 section 1.2 (b): enough to tell without doubt which message it is about.

    That is the original's header, its Message-ID in a field that refers to it, or the ENVID.
    """
    ids = " ".join(dsn.header.first(name) for name in ("References", "In-Reply-To"))
    original = dsn.original.first("Message-ID" if sending.message_id else "Subject")
    wanted = sending.message_id or sending.subject
    known = sending.wishes.envid and dsn.message.first("Original-Envelope-Id")
    if wanted and original != wanted and not known and not (ids and wanted in ids.split()):
        yield "returned header", wanted, original or "none"


def has_a_mail_header(dsn: Dsn, sending: Sending) -> Iterator[Wrong]:
    """RFC 5322 section 3.6: From and Date once each; other fields at most once."""
    for name in ("From", "Date"):
        if len(dsn.header.all(name)) != 1:
            yield name, "once", _list(dsn.header.all(name))
    for name in ("To", "Subject", "Message-ID", "MIME-Version"):
        if len(dsn.header.all(name)) > 1:
            yield name, "at most once", _list(dsn.header.all(name))
    for value in dsn.header.all("Date")[:1]:
        if not is_date(value):
            yield "Date", A_DATE, value
    for value in dsn.header.all("From")[:1]:
        if "@" not in parseaddr(value)[1]:
            yield "From", "an address", value or "empty"


def says_it_is_mime(dsn: Dsn, sending: Sending) -> Iterator[Wrong]:
    """RFC 2045 section 4: MIME-Version: 1.0, without which there are no parts."""
    value = dsn.header.first("MIME-Version")
    if _COMMENT.sub("", value) != "1.0":
        yield "MIME-Version", "1.0", value or "none"


def goes_to_the_sender(dsn: Dsn, sending: Sending) -> Iterator[Wrong]:
    """RFC 3464 section 2: to the return address, in the envelope and in the header.

    To whom a message without one is returned is no question of form.
    """
    if not sending.sender:
        return
    sender = canonical(sending.sender)
    if sender not in {canonical(address) for _, address in getaddresses(dsn.header.all("To"))}:
        yield "To", sending.sender, _list(dsn.header.all("To"))
    if sending.envelope and {canonical(one) for one in sending.envelope} != {sender}:
        yield "recipient", sending.sender, ", ".join(sending.envelope)


def is_labelled_truly(dsn: Dsn, sending: Sending) -> Iterator[Wrong]:
    """RFC 3834 section 5.2: Auto-Submitted may be auto-replied, but neither auto-generated nor no.

    It may be left out as well.
    """
    for value in dsn.header.all("Auto-Submitted"):
        keyword = re.split(r"[\s;(]", value, maxsplit=1)[0].lower()
        if keyword in ("auto-generated", "no", ""):
            yield "Auto-Submitted", "auto-replied", value or "empty"


def has_a_message_id(dsn: Dsn, sending: Sending) -> Iterator[Wrong]:
    """RFC 5322 section 3.6.4: every message should have a Message-ID."""
    if not dsn.header.first("Message-ID"):
        yield "Message-ID", "one", "none"


RULES: tuple[tuple[Look, str, Level], ...] = (
    (is_a_report, "RFC 3464 section 2", Level.MUST),
    (has_its_parts, "RFC 6522 section 3", Level.MUST),
    (tells_people, "RFC 6522 section 3", Level.MUST),
    (is_seven_bits, "RFC 3464 section 2.1", Level.MUST),
    (consists_of_fields, "RFC 3464 section 2.1", Level.MUST),
    (has_fields_once, "RFC 3464 sections 2.2 and 2.3", Level.MUST),
    (names_its_mta, "RFC 3464 section 2.2.2", Level.MUST),
    (has_a_full_name, "RFC 3461 section 6.3", Level.MUST),
    (is_no_gateway, "RFC 3464 section 2.2.3", Level.MUST),
    (dates_are_dates, "RFC 3464 sections 2.2.5 and 2.3.7", Level.MUST),
    (has_recipients, "RFC 3464 section 2.1", Level.MUST),
    (names_who_was_sent_to, "RFC 3464 section 2.3.2", Level.MUST),
    (says_what_was_done, "RFC 3464 section 2.3.3", Level.MUST),
    (has_a_status, "RFC 3464 section 2.3.4", Level.MUST),
    (status_fits_action, "RFC 3464 section 2.3.3", Level.MUST),
    (retries_only_what_waits, "RFC 3464 section 2.3.9", Level.MUST),
    (names_a_server, "RFC 3464 section 2.3.5", Level.MUST),
    (server_is_a_domain, "RFC 3461 section 9.3", Level.SHOULD),
    (quotes_a_reply, "RFC 3461 section 9.2", Level.MUST),
    (codes_agree, "RFC 3463 section 2", Level.MUST),
    (quotes_what_was_said, "RFC 3464 section 2.3.6", Level.SHOULD),
    (gives_the_details, "RFC 3464 section 2.3.6", Level.SHOULD),
    (keeps_the_envelope_id, "RFC 3461 section 6.3", Level.MUST),
    (keeps_the_original_recipient, "RFC 3461 section 6.3", Level.MUST),
    (adds_no_original_recipient, "RFC 3461 section 6.3", Level.SHOULD),
    (was_asked_for, "RFC 3461 section 5.2", Level.MUST),
    (returns_no_more, "RFC 3461 section 4.3", Level.MUST),
    (returns_no_less, "RFC 3461 section 6.2", Level.SHOULD),
    (returns_what_was_sent, "RFC 6522 section 3", Level.MUST),
    (label_fits, "RFC 6522 section 4", Level.SHOULD),
    (tells_which_mail, "RFC 3464 section 1.2", Level.MUST),
    (has_a_mail_header, "RFC 5322 section 3.6", Level.MUST),
    (says_it_is_mime, "RFC 2045 section 4", Level.MUST),
    (goes_to_the_sender, "RFC 3464 section 2", Level.MUST),
    (is_labelled_truly, "RFC 3834 section 5.2", Level.MUST),
    (has_a_message_id, "RFC 5322 section 3.6.4", Level.SHOULD),
)
