"""A firewall between agent and host that understands, or misunderstands, SMTP.

The host is healthy, or no worse than slow. What the boxes do is what their makers document: Cisco's
PIX (Mailguard) and ASA (`inspect esmtp`), Palo Alto, Fortinet, and any table of connections. Where a
box must read what passes, it takes STARTTLS out of the EHLO reply first, as the ASA does by default.
"""

from catalogue.control import around
from catalogue.rules import (
    AS_451,
    ASA_COMMAND_LENGTH,
    ASA_COMMANDS,
    ASA_DEFAULTS,
    ASA_FILENAME,
    ASA_HEADER,
    ASA_IDLE,
    ASA_RECIPIENTS,
    ASA_SENDER,
    BATCHES,
    BLOCKED,
    CHUNKS,
    CHUNKS_OR_DATA,
    CODE_NOT_TEXT,
    DEEP_INSPECTION,
    DOT,
    EXPIRY,
    GREETED_FIRST,
    HELO,
    MAILGUARD,
    NEXT_HOST,
    OPPORTUNISTIC,
    P317,
    P318,
    P320,
    PER_COMMAND,
    PERMANENT,
    PIPELINE,
    PIPELINE_LOST,
    RETRY,
    SPLICE,
    UNKNOWN_CODE,
)
from catalogue.tls import DEMANDING, SETTING_RULE
from model.behaviours import Late, Offer
from model.expect import (
    AnyOf,
    Delivers,
    Each,
    Expectation,
    Expires,
    Fails,
    Recovers,
    Turns,
)
from model.failure import Cause, Failure
from model.middlebox import (
    AnswersItself,
    Box,
    DelaysReplies,
    DropsIdle,
    Filter,
    KillsOn,
    LimitsCommands,
    LimitsContent,
    LimitsFilenames,
    LimitsHeader,
    LimitsHeaderLines,
    LimitsRecipients,
    LimitsSender,
    LosesSplitDot,
    Manner,
    MasksCapabilities,
    MasksCommands,
    MasksGreeting,
    OffersCapability,
    RefusesOn,
    RemovesCapability,
    Resigns,
    SplitsDot,
    SwallowsAhead,
)
from model.rule import Rule
from model.scenario import Alike, Change, Connector, Host, Mail, Scenario
from model.smtp import Behaviour, Stage
from model.tls import Flaw, Tls, must_refuse

MINIMAL = ("HELO", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT")
"""The seven commands that Mailguard lets through (RFC 821 section 4.5.1)."""
KNOWN_COMMANDS = (*MINIMAL, "AUTH", "EHLO", "ETRN", "HELP", "SAML", "SEND", "SOML", "VRFY")
"""The fifteen of `inspect esmtp`; STARTTLS came later."""
KNOWN_KEYWORDS = (
    *("8BITMIME", "AUTH", "BINARYMIME", "CHECKPOINT", "DSN", "ENHANCEDSTATUSCODES", "ETRN"),
    *("PIPELINING", "SIZE", "VRFY"),
)
"""What `match ehlo-reply-parameter` has a word for; all others are masked by default."""
DEFAULT_LIMITS: tuple[Filter, ...] = (
    LimitsCommands(512),
    LimitsRecipients(100),
    LimitsHeaderLines(998),
    LimitsSender(320),
    LimitsFilenames(255),
)
"""The limits of the ASA's default policy map, `_default_esmtp_map`; all of them can be changed."""

CLEAR = RemovesCapability("STARTTLS")
"""What makes the rest of the conversation legible (`no allow-tls`)."""
ALL_BUT_STARTTLS = MasksCommands(KNOWN_COMMANDS)
NO_EHLO = MasksCommands(MINIMAL)

UNKNOWN = "502 5.5.1 Command not implemented"
"""What the host says to a row of X."""
CONTENT_BLOCKED = "541 5.4.1 Content blocked by the firewall"
INFECTED = "554 5.7.1 The message is infected"
NO_PARAMETERS = "501 5.5.4 Unsupported option"
NOT_HERE = "550 5.7.1 Recipient blocked by policy"

LOCAL_PART = 64
"""The octets of the longest local part (RFC 5321 section 4.5.3.1.1): what a box must be stricter
than its defaults to object to, since no agent sends what is longer than those."""
SIGNATURE = b"a-line-that-a-signature-matches"
BAD_BODY = Mail(body=b"Some text.\r\n" + SIGNATURE + b"\r\nSome more.\r\n" * 2000)
LARGE = Mail(octets=200_000)
LONG_HEADER = Mail(headers=tuple(f"X-Note-{n}: {'long ' * 15}" for n in range(120)))
LONG_FILENAME = Mail(headers=(f'Content-Disposition: attachment; filename="{"n" * 300}"',))
EIGHT_BIT = Mail(
    headers=(
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
    ),
    body="Grüße\r\n".encode(),
    alike=Alike.FREE,
)

REASON = {Manner.CLOSED: "closed", Manner.RESET: "reset", Manner.DROPPED: "hang"}
"""How the end of a connection looks to the agent."""
HOW = {
    Manner.CLOSED: "closes the connection",
    Manner.RESET: "resets the connection",
    Manner.DROPPED: "drops the connection without a word",
}
DROPPED_OR_RESET = (Manner.DROPPED, Manner.RESET)
"""What `inspect esmtp` can do: `drop-connection` and `reset`."""


def _cannot(reason: str, peer: str = "") -> Fails:
    return Fails(Cause(Failure.CANNOT_CONNECT, reason), peer)


def _broken(manner: Manner) -> Fails:
    return Fails(Cause(Failure.CLOSED_ABRUPTLY, REASON[manner]))


def _refused(peer: str) -> Fails:
    return Fails(Cause(Failure.PEER_REPLY, "permanent"), peer)


def _behind(
    *filters: Filter, besides: tuple[Filter, ...] = (), host: tuple[Behaviour, ...] = ()
) -> tuple[Host, ...]:
    """A host behind a box."""
    return (Host(behaviours=host, box=Box(filters, besides)),)


NOT_SUPPORTED = _cannot("starttls-not-supported")
NOT_TRUSTED = Fails(Cause(Failure.CERTIFICATE_INVALID, "certificate-not-trusted"))
NO_TLS_LEFT: dict[str, tuple[Filter, str, Expectation]] = {
    "ehlo-masked": (
        MasksCapabilities(KNOWN_KEYWORDS),
        "A box masks the capabilities that it does not know",
        NOT_SUPPORTED,
    ),
    "starttls-removed": (CLEAR, "A box takes STARTTLS out of the EHLO reply", NOT_SUPPORTED),
    "starttls-rewritten": (
        ALL_BUT_STARTTLS,
        "A box lets STARTTLS be offered and makes XXXXXXXX of the command",
        _cannot("starttls-refused", UNKNOWN),
    ),
    "ehlo-rewritten": (NO_EHLO, "A box makes XXXX of EHLO, and HELO is left", NOT_SUPPORTED),
}
"""Ways to keep an agent from TLS: the filter, what it does, and what a demanding agent reports."""
IN_CLEAR: dict[str, tuple[Rule, Expectation]] = {
    "ehlo-masked": (ASA_DEFAULTS, Delivers()),
    "starttls-removed": (OPPORTUNISTIC, Delivers()),
    "starttls-rewritten": (
        ASA_COMMANDS,
        AnyOf(Delivers(), _cannot("starttls-refused", UNKNOWN)),
    ),
    "ehlo-rewritten": (HELO, Delivers()),
}
"""What becomes of each where nobody demands TLS."""

RESIGNED = {
    Flaw.UNKNOWN_CA: "of an authority that nobody knows",
    Flaw.WRONG_NAME: "that is the same for every host",
    Flaw.VALID: "of an authority that the agent trusts",
}
"""What certificate a box may show: its own authority's, its own name's, or a good forgery."""
RESIGNED_REASON = {
    Flaw.UNKNOWN_CA: NOT_TRUSTED,
    Flaw.WRONG_NAME: Fails(Cause(Failure.CERTIFICATE_INVALID, "certificate-host-mismatch")),
}


CAPABILITIES = (
    Scenario(
        id="middlebox.greeting-masked.under-none",
        title="A box stars the greeting out, all but its code",
        rule=CODE_NOT_TEXT,
        hosts=_behind(MasksGreeting()),
    ),
    Scenario(
        id="middlebox.greeting-masked.under-domain",
        title="A box stars the greeting out and lets TLS pass, which is demanded",
        rule=CODE_NOT_TEXT,
        hosts=_behind(MasksGreeting()),
        connector=Connector(tls=Tls.DOMAIN),
    ),
    Scenario(
        id="middlebox.default-inspection",
        title="A box with its maker's defaults, and mail that offends none of them",
        rule=ASA_DEFAULTS,
        hosts=_behind(
            MasksGreeting(),
            besides=(CLEAR, MasksCapabilities(KNOWN_KEYWORDS), ALL_BUT_STARTTLS, *DEFAULT_LIMITS),
        ),
    ),
    *(
        Scenario(
            id=f"middlebox.{name}.under-none",
            title=f"{title}; TLS is not demanded",
            rule=IN_CLEAR[name][0],
            hosts=_behind(filter_),
            expect=IN_CLEAR[name][1],
        )
        for name, (filter_, title, _) in NO_TLS_LEFT.items()
    ),
    *(
        Scenario(
            id=f"middlebox.{name}.under-{setting}",
            title=f"{title}; TLS is demanded ({setting})",
            rule=P317,
            hosts=_behind(filter_),
            connector=Connector(tls=setting),
            expect=expect,
        )
        for name, (filter_, title, expect) in NO_TLS_LEFT.items()
        for setting in DEMANDING
    ),
    Scenario(
        id="middlebox.ehlo-answered.under-none",
        title="A box says 250 to EHLO itself, and the host, which heard none, wants one",
        rule=GREETED_FIRST,
        hosts=_behind(AnswersItself("^EHLO", "250 OK")),
        expect=_refused("503 5.5.1 Bad sequence of commands"),
    ),
    Scenario(
        id="middlebox.ehlo-answered.under-encrypt",
        title="A box says 250 to EHLO itself and names no capability, and TLS is demanded",
        rule=P317,
        hosts=_behind(AnswersItself("^EHLO", "250 OK")),
        connector=Connector(tls=Tls.ENCRYPT),
        expect=NOT_SUPPORTED,
    ),
    Scenario(
        id="middlebox.starttls-removed.second-host",
        title="STARTTLS is removed on the way to the first host, and not on that to the second",
        rule=NEXT_HOST,
        hosts=(*_behind(CLEAR), Host("mx2")),
        connector=Connector(tls=Tls.ENCRYPT),
        expect=Delivers("mx2"),
    ),
    Scenario(
        id="middlebox.starttls-removed.turned-off",
        title="STARTTLS is removed until somebody turns the inspection off",
        rule=RETRY,
        hosts=_behind(CLEAR),
        connector=Connector(tls=Tls.ENCRYPT),
        change=Change(hosts=(Host(),)),
        expect=Recovers(NOT_SUPPORTED),
    ),
    Scenario(
        id="middlebox.starttls-removed.replaced",
        title="The box that removes STARTTLS is replaced by one that signs certificates itself",
        rule=P320,
        hosts=_behind(CLEAR),
        connector=Connector(tls=Tls.DOMAIN),
        change=Change(hosts=_behind(Resigns())),
        expect=Turns(NOT_SUPPORTED, NOT_TRUSTED),
    ),
)
"""What is masked, removed or rewritten before the transaction."""

EXTENSIONS = (
    Scenario(
        id="middlebox.pipelining.masked",
        title="The host offers PIPELINING, the box masks it and takes one command at a time",
        rule=PIPELINE,
        hosts=_behind(
            MasksCapabilities(("8BITMIME", "SIZE")),
            besides=(SwallowsAhead(),),
            host=(Offer(("PIPELINING",)),),
        ),
    ),
    Scenario(
        id="middlebox.pipelining.offered",
        title="A box offers PIPELINING of its own accord, and loses what comes too early",
        rule=PIPELINE_LOST,
        hosts=_behind(CLEAR, OffersCapability("PIPELINING"), besides=(SwallowsAhead(),)),
        expect=AnyOf(Delivers(), _broken(Manner.DROPPED)),
    ),
    Scenario(
        id="middlebox.chunking.masked",
        title="The host offers CHUNKING, the box masks it and makes XXXX of BDAT",
        rule=CHUNKS,
        hosts=_behind(
            MasksCapabilities(KNOWN_KEYWORDS),
            besides=(MasksCommands(KNOWN_COMMANDS),),
            host=(Offer(("CHUNKING",)),),
        ),
    ),
    Scenario(
        id="middlebox.chunking.offered",
        title="A box offers CHUNKING of its own accord, which the host behind it does not know",
        rule=CHUNKS_OR_DATA,
        hosts=_behind(CLEAR, OffersCapability("CHUNKING")),
        expect=AnyOf(Delivers(), _refused(UNKNOWN)),
    ),
    Scenario(
        id="middlebox.mail-parameters.refused",
        title="8BITMIME and SIZE are offered, and the box knows no parameter of MAIL",
        rule=PERMANENT,
        hosts=_behind(CLEAR, AnswersItself("^MAIL FROM:<.*> .*(BODY|SIZE)=", NO_PARAMETERS)),
        mail=EIGHT_BIT,
        expect=_refused(NO_PARAMETERS),
    ),
)
"""What is offered and not held, or held and not offered."""

LIMITS = (
    *(
        Scenario(
            id=f"middlebox.command-long.{manner}",
            title=f"A box {HOW[manner]} at a command of more than 100 octets",
            rule=ASA_COMMAND_LENGTH,
            hosts=_behind(CLEAR, LimitsCommands(100, manner)),
            mail=Mail(recipients=("r" * LOCAL_PART,)),
            expect=_broken(manner),
        )
        for manner in DROPPED_OR_RESET
    ),
    *(
        Scenario(
            id=f"middlebox.recipients.{manner}",
            title=f"A box {HOW[manner]} at the eleventh recipient",
            rule=ASA_RECIPIENTS,
            hosts=_behind(CLEAR, LimitsRecipients(10, manner)),
            mail=Mail(recipients=tuple(f"user-{n}" for n in range(1, 13))),
            expect=_broken(manner),
        )
        for manner in DROPPED_OR_RESET
    ),
    Scenario(
        id="middlebox.recipients.default-limit",
        title="A box takes 100 recipients at a time, and there are 120",
        rule=BATCHES,
        hosts=_behind(CLEAR, besides=(LimitsRecipients(100),)),
        mail=Mail(recipients=tuple(f"user-{n}" for n in range(1, 121))),
        expect=AnyOf(Delivers(), _broken(Manner.DROPPED)),
    ),
    Scenario(
        id="middlebox.recipients.one-refused",
        title="A box refuses one recipient in the host's place, and not the other",
        rule=PERMANENT,
        hosts=_behind(CLEAR, AnswersItself("^RCPT TO:<blocked@", NOT_HERE)),
        mail=Mail(recipients=("user", "blocked")),
        expect=Each((("user", Delivers()), ("blocked", _refused(NOT_HERE)))),
    ),
    Scenario(
        id="middlebox.sender-long.dropped",
        title="A box drops the connection at a sender of more than 80 octets",
        rule=ASA_SENDER,
        hosts=_behind(CLEAR, LimitsSender(80)),
        mail=Mail(sender="s" * LOCAL_PART),
        expect=_broken(Manner.DROPPED),
    ),
    *(
        Scenario(
            id=f"middlebox.header-long.{manner}",
            title=f"A box {HOW[manner]} at a header of more than 8000 octets",
            rule=ASA_HEADER,
            hosts=_behind(CLEAR, LimitsHeader(8000, manner)),
            mail=LONG_HEADER,
            expect=_broken(manner),
        )
        for manner in DROPPED_OR_RESET
    ),
    Scenario(
        id="middlebox.header-long.expired",
        title="A header that is too long for a box is too long at every attempt",
        rule=EXPIRY,
        hosts=_behind(CLEAR, LimitsHeader(8000, Manner.RESET)),
        mail=LONG_HEADER,
        expect=Expires(_broken(Manner.RESET)),
    ),
    Scenario(
        id="middlebox.filename-long.reset",
        title="A box resets the connection at a file name of more than 255 octets",
        rule=ASA_FILENAME,
        hosts=_behind(CLEAR, LimitsFilenames(255, Manner.RESET)),
        mail=LONG_FILENAME,
        expect=_broken(Manner.RESET),
    ),
    Scenario(
        id="middlebox.content-large.reset",
        title="A box resets the connection when a message has become too large for it",
        rule=P318,
        hosts=_behind(CLEAR, LimitsContent(50_000)),
        mail=LARGE,
        expect=_broken(Manner.RESET),
    ),
)
"""What is too long, too large or too many for a box."""

CONTENT = (
    *(
        Scenario(
            id=f"middlebox.content-blocked.{manner}",
            title=f"A box {HOW[manner]} at a line that a signature matches",
            rule=P318,
            hosts=_behind(CLEAR, KillsOn(SIGNATURE, manner)),
            mail=BAD_BODY,
            expect=_broken(manner),
        )
        for manner in Manner
    ),
    Scenario(
        id="middlebox.content-blocked.resigned",
        title="A box that signs certificates itself resets the connection for what it reads in TLS",
        rule=BLOCKED,
        hosts=_behind(Resigns(), KillsOn(SIGNATURE)),
        connector=Connector(tls=Tls.ENCRYPT),
        mail=BAD_BODY,
        expect=_broken(Manner.RESET),
    ),
    Scenario(
        id="middlebox.content-blocked.sealed",
        title="A box that lets TLS pass does not see what would have cost the connection",
        rule=ASA_DEFAULTS,
        hosts=_behind(OffersCapability("AUTH"), besides=(*DEFAULT_LIMITS, KillsOn(SIGNATURE))),
        connector=Connector(tls=Tls.DOMAIN),
        mail=BAD_BODY,
    ),
    Scenario(
        id="middlebox.content-blocked.541",
        title="A box says 541 in the host's place to a message that it does not like",
        rule=UNKNOWN_CODE,
        hosts=_behind(CLEAR, RefusesOn(SIGNATURE, CONTENT_BLOCKED)),
        mail=BAD_BODY,
        expect=_refused(CONTENT_BLOCKED),
    ),
    Scenario(
        id="middlebox.content-blocked.554",
        title="A box that reads TLS too says 554 in the host's place, which stores nothing",
        rule=SPLICE,
        hosts=_behind(Resigns(Flaw.VALID), RefusesOn(SIGNATURE, INFECTED)),
        connector=Connector(tls=Tls.DOMAIN),
        mail=BAD_BODY,
        expect=_refused(INFECTED),
    ),
    Scenario(
        id="middlebox.dot.split",
        title="The final dot and its line end arrive in two segments",
        rule=PER_COMMAND,
        hosts=_behind(CLEAR, SplitsDot(0.3)),
    ),
    Scenario(
        id="middlebox.dot.lost",
        title="A box loses a dot that comes in two segments, until it is turned off",
        rule=MAILGUARD,
        hosts=_behind(CLEAR, SplitsDot(), LosesSplitDot()),
        change=Change(hosts=(Host(),)),
        expect=Recovers(_broken(Manner.DROPPED)),
    ),
)
"""What a box reads in a message, or believes to read."""

TRUST = (
    *(
        Scenario(
            id=f"middlebox.resigned.{flaw}.under-{setting}",
            title=f"A box ends TLS with a certificate {words}, under {setting}",
            rule=P320 if must_refuse(flaw, setting) else SETTING_RULE[setting],
            hosts=_behind(Resigns(flaw)),
            connector=Connector(tls=setting),
            expect=RESIGNED_REASON[flaw] if must_refuse(flaw, setting) else Delivers(),
        )
        for flaw, words in RESIGNED.items()
        for setting in (Tls if flaw is Flaw.UNKNOWN_CA else (Tls.CERTIFICATE, Tls.DOMAIN))
    ),
    Scenario(
        id="middlebox.resigned.turned-off",
        title="A box signs certificates itself until somebody turns that off",
        rule=DEEP_INSPECTION,
        hosts=_behind(Resigns()),
        connector=Connector(tls=Tls.DOMAIN),
        change=Change(hosts=(Host(),)),
        expect=Recovers(NOT_TRUSTED),
    ),
)
"""Boxes that read TLS."""

TIME = (
    Scenario(
        id="middlebox.tarpit",
        title="A box delays every reply: each is in time, all of them together are not",
        rule=PER_COMMAND,
        hosts=_behind(CLEAR, DelaysReplies(0.25)),
    ),
    *(
        Scenario(
            id=f"middlebox.idle-at-dot.{manner}",
            title=f"While the host stores the message, the box forgets, and {HOW[manner]}",
            rule=DOT,
            hosts=_behind(DropsIdle(0.3, manner), host=(Late(Stage.DOT, 0.6, times=1),)),
            expect=Recovers(_broken(manner), twice=True),
        )
        for manner in DROPPED_OR_RESET
    ),
    Scenario(
        id="middlebox.idle-at-mail.dropped",
        title="While the host thinks about the sender, the box forgets the connection",
        rule=ASA_IDLE,
        hosts=_behind(DropsIdle(0.3), host=(Late(Stage.MAIL, 0.6, times=1),)),
        expect=Recovers(_broken(Manner.DROPPED)),
    ),
    Scenario(
        id="middlebox.idle-at-greeting.reset",
        title="Before the host greets, the box has forgotten the connection and resets it",
        rule=AS_451,
        hosts=_behind(DropsIdle(0.3, Manner.RESET), host=(Late(Stage.GREETING, 0.6, times=1),)),
        expect=Recovers(_broken(Manner.RESET)),
    ),
)
"""Boxes that are slow, or forgetful."""

SCENARIOS = around(
    "middlebox",
    (*CAPABILITIES, *EXTENSIONS, *LIMITS, *CONTENT, *TRUST, *TIME),
    hosts=(Host(box=Box()),),
    connector=Connector(tls=Tls.DOMAIN),
)
