"""Other codes: the server answers, and its answer is passed on.

The grid of codes by stage is `catalogue/codes.py`, the wording of large providers
`catalogue/providers.py`. Here is what is about the way of answering: what lasts a while only,
recipients that fare differently, replies that are none or contradict themselves, texts that are
meant to be shown, and what a host does not offer.
"""

from collections.abc import Iterable
from dataclasses import replace

from catalogue.codes import GRID, TO
from catalogue.control import around
from catalogue.providers import PROVIDERS
from catalogue.rules import (
    ANY_TEXT,
    BASIC_CODE,
    BOGUS_CODE,
    EIGHT_BITS,
    EIGHT_BITS_SENT,
    EVERY_RECIPIENT,
    FIRST_DIGIT,
    GOING_DOWN,
    LIMITS,
    LINE_END,
    LONE_DOT,
    LONG_LINE,
    MANY_LINES,
    NO_DSN_UNASKED,
    NOT_A_REPLY,
    NULL_SENDER,
    ONE_REPLY,
    OTHER,
    OUT_OF_RANGE,
    PERMANENT,
    REPLY_LINE,
    RETRY,
    SIZE_LIMIT,
    TOO_MANY_RECIPIENTS,
    TRANSIENT,
    UNICODE,
    UNICODE_SENT,
    WRONG_PLACE,
)
from model.behaviours import (
    Flood,
    Fragment,
    MostRecipients,
    Offer,
    Reply,
    SendAt,
    SizeLimit,
    ToRecipient,
    Withhold,
)
from model.expect import AnyOf, Delivers, Each, Expectation, Fails, Recovers, Turns
from model.failure import Cause, Failure
from model.rule import Rule
from model.scenario import Alike, Host, Mail, Scenario
from model.smtp import Behaviour, Stage

DEFERRED = Cause(Failure.PEER_REPLY, "transient")
REJECTED = Cause(Failure.PEER_REPLY, "permanent")
NONSENSE = Fails(Cause(Failure.PEER_REPLY, "protocol-violation"))
FATAL = Fails(Cause(Failure.PEER_REPLY, "out-of-range"))
HANG = Fails(Cause(Failure.CLOSED_ABRUPTLY, "hang"))
CLOSED = Fails(Cause(Failure.CLOSED_ABRUPTLY, "closed"))
TOO_LARGE = Fails(Cause(Failure.MESSAGE_UNSUITABLE, "too-large"))
NOT_CONVERTIBLE = Fails(Cause(Failure.MESSAGE_UNSUITABLE, "not-convertible"))

MOST = 1 << 22
"""Octets of a reply that does not end."""
AS_452 = "452 4.5.3 Too many recipients"
"""What a client makes of a 552 to RCPT."""


def _host(*behaviours: Behaviour) -> tuple[Host, ...]:
    return (Host(behaviours=behaviours),)


def _passed_on(text: str, quote: str = "") -> Fails:
    """What a reply comes to, by its first digit."""
    return Fails(DEFERRED if text.startswith("4") else REJECTED, text, quote)


def _in_the_grid() -> Iterable[Scenario]:
    for code, (rule, cells) in GRID.items():
        for stage, (words, text) in zip(TO, cells, strict=True):
            as_452 = (stage, code) == (Stage.RCPT, "552")
            reply = f"{code} {text}"
            yield Scenario(
                id=f"reply.{stage}.{code}",
                title=f"{code} to {TO[stage]}: {words}",
                rule=TOO_MANY_RECIPIENTS if as_452 else rule,
                hosts=_host(Reply(stage, reply, close=code == "421")),
                expect=_passed_on(AS_452 if as_452 else reply),
            )


WHILE: dict[str, tuple[str, Stage, str, int]] = {
    "mail.450-once": ("a sender unknown to it", Stage.MAIL, "450 4.7.1 Greylisted", 1),
    "rcpt.450-once": ("by Postgrey", Stage.RCPT, "450 4.2.0 Greylisted, see postgrey", 1),
    "rcpt.421-once": ("by a 421 that closes", Stage.RCPT, "421 4.7.0 Greylisted, bye", 1),
    "rcpt.451-thrice": ("three times", Stage.RCPT, "451 4.7.1 Greylisted", 3),
    "rcpt.450-hint": ("with a hint", Stage.RCPT, "450 4.2.0 Try again in 59 seconds", 1),
    "data.451-once": ("at DATA", Stage.DATA, "451 4.7.1 Greylisting in action", 1),
    "dot.451-once": ("once it has the content", Stage.DOT, "451 4.7.1 Try again later", 1),
    "dot.452-once": ("by a full disk", Stage.DOT, "452 4.3.1 No space left on device", 1),
}
"""Who is put off for a while: how, where, with what reply, and how often."""

YES: dict[str, tuple[str, Stage, str, Rule]] = {
    "mail.299": ("299 to MAIL", Stage.MAIL, "299 Never heard of, and fine", FIRST_DIGIT),
    "mail.bare": ("250 to MAIL without a text", Stage.MAIL, "250", ANY_TEXT),
    "rcpt.251": (
        "251: it will forward",
        Stage.RCPT,
        "251 User not local; will forward",
        FIRST_DIGIT,
    ),
    "rcpt.252": ("252: it will try", Stage.RCPT, "252 2.1.5 Cannot VRFY, will try", FIRST_DIGIT),
    "rcpt.253": ("253 to RCPT", Stage.RCPT, "253 OK, pending messages started", FIRST_DIGIT),
    "rcpt.220": ("220 to RCPT", Stage.RCPT, "220 mx1 ESMTP", FIRST_DIGIT),
    "rcpt.250-says-no": ("250 that says no", Stage.RCPT, "250 No such user here", ANY_TEXT),
    "rcpt.250-5.7.1": ("250 with 5.7.1", Stage.RCPT, "250 5.7.1 Delivery denied", BASIC_CODE),
    "data.399": ("399 to DATA", Stage.DATA, "399 Go on", FIRST_DIGIT),
    "data.354-5.7.1": ("354 with 5.7.1", Stage.DATA, "354 5.7.1 Rejected", BASIC_CODE),
    "dot.299": ("299 to the dot", Stage.DOT, "299 Stored somehow", FIRST_DIGIT),
    "dot.252": ("252 to the dot", Stage.DOT, "252 Queued as far as I know", FIRST_DIGIT),
    "dot.250-4.7.1": ("250 with 4.7.1", Stage.DOT, "250 4.7.1 Try again later", BASIC_CODE),
    "quit.554": ("554 to QUIT", Stage.QUIT, "554 5.0.0 Transaction failed", ONE_REPLY),
}
"""Replies that are a yes, or come when all is said: what, where, the reply, the rule."""

NOT_HERE: dict[str, tuple[Stage, str]] = {
    "mail.354": (Stage.MAIL, "354 Start mail input"),
    "rcpt.354": (Stage.RCPT, "354 Start mail input"),
    "rcpt.334": (Stage.RCPT, "334 UGFzc3dvcmQ6"),
    "data.250": (Stage.DATA, "250 2.0.0 Ok: queued as 12345"),
    "data.220": (Stage.DATA, "220 mx1 ESMTP"),
    "dot.354": (Stage.DOT, "354 Start mail input"),
}
"""Codes of the wrong hundred: neither a yes nor a no at this stage."""

OUTSIDE: dict[str, tuple[Stage, str]] = {
    "mail.000": (Stage.MAIL, "000 2.1.0 Sender OK"),
    "rcpt.199": (Stage.RCPT, "199 2.1.5 Recipient OK"),
    "rcpt.650": (Stage.RCPT, "650 5.1.1 No such user"),
    "data.999": (Stage.DATA, "999 Go ahead"),
    "dot.050": (Stage.DOT, "050 Stored"),
}

NO_REPLY: dict[str, tuple[str, Stage, bytes]] = {
    "mail.abc": ("letters for digits", Stage.MAIL, b"abc Sender OK\r\n"),
    "mail.blank": ("a blank line", Stage.MAIL, b"\r\n"),
    "rcpt.no-code": ("a word", Stage.RCPT, b"OK\r\n"),
    "rcpt.two-digits": ("two digits", Stage.RCPT, b"25 OK\r\n"),
    "rcpt.roman": ("digits that are none in ASCII", Stage.RCPT, "２５０ OK\r\n".encode()),
    "data.html": ("a web page", Stage.DATA, b"<html>\r\n<h1>Bad gateway</h1>\r\n"),
    "dot.no-code": ("a sentence", Stage.DOT, b"Message accepted for delivery\r\n"),
    "dot.cr-only": ("a reply that ends in CR", Stage.DOT, b"250 2.0.0 Stored\r"),
}
"""What is no reply at all: what it is, where, and the octets."""

CONTRADICTIONS: dict[str, tuple[str, str, str]] = {
    "550-4.2.1": ("550 with 4.2.1", "550 4.2.1 Mailbox busy", "550"),
    "550-2.1.5": ("550 with 2.1.5", "550 2.1.5 Recipient OK", "550"),
    "450-5.1.1": ("450 with 5.1.1", "450 5.1.1 No such user", "450"),
    "450-says-never": ("450 that says never", "450 Never come back", "450"),
    "550-says-later": ("550 that says later", "550 Please try again in an hour", "550"),
}
"""Replies at odds with themselves: in words, in full, and what counts of them."""

BOGUS: dict[str, tuple[str, str, str]] = {
    "unregistered": ("a code nobody has registered", "550 5.999.9 Go away", "550 5.999.9"),
    "two-parts": ("a code of two parts", "550 5.1 No such user", "550"),
    "four-parts": ("a code of four parts", "550 5.1.1.1 No such user", "550"),
    "four-digits": ("a detail of four digits", "550 5.7.1234 No", "550"),
    "class-3": ("a code of class 3", "550 3.1.1 No such user", "550"),
    "letters": ("a code in letters", "550 x.y.z No such user", "550"),
    "at-the-end": ("a code at the end, as qmail has it", "550 no such user (#5.1.1)", "550"),
    "behind-the-address": ("a code behind the address", "550 <user>: 5.1.1 unknown", "550"),
    "alone": ("nothing but the code", "550 5.1.1", "550 5.1.1"),
    "every-line": (
        "the code in every line",
        "550-5.7.26 Unauthenticated mail is\n550-5.7.26 not accepted\n550 5.7.26 here",
        "550 5.7.26",
    ),
    "no-text": ("no text either", "550", "550"),
}
"""Enhanced codes that are none, or stand where they do not belong: what, in full, what counts."""

TEXTS: dict[str, tuple[str, bytes]] = {
    "utf-8": ("in UTF-8", "550 5.1.1 Kein Empfänger dieses Namens, 该用户不存在\r\n".encode()),
    "latin-1": ("in Latin-1", "550 5.1.1 Destinataire refusé\r\n".encode("latin-1")),
    "iso-2022-jp": ("in ISO-2022-JP", "550 5.1.1 宛先不明\r\n".encode("iso-2022-jp")),
    "broken-utf-8": ("in UTF-8 that is broken off", b"550 5.1.1 No \xe2\x82\r\n"),
    "right-to-left": ("with an override of direction", "550 5.1.1 \u202eresu oN\r\n".encode()),
    "control-characters": ("with control characters", b"550 5.1.1 No\x01\x07\x08\x0b such\x7f\r\n"),
    "terminal": ("that paints the terminal red", b"550 5.1.1 \x1b[31m\x1b]0;owned\x07No\r\n"),
    "nul": ("with a NUL", b"550 5.1.1 No\0such user\r\n"),
    "bare-cr": (
        "with a bare CR and a header field behind it",
        b"550 5.1.1 No\rSubject: owned\rsuch user\r\n",
    ),
    "header": (
        "that continues as a notice would",
        (
            b"550-5.1.1 No such user\r\n550-Action: delivered\r\n550-Status: 2.0.0\r\n"
            b"550-\r\n550-Final-Recipient: rfc822; other@example.com\r\n550-Action: failed\r\n"
            b"550 Status: 5.0.0\r\n"
        ),
    ),
    "mime": (
        "with a MIME boundary and a part in it",
        (
            b"550-5.1.1 No such user\r\n550---b\r\n550-Content-Type: text/html\r\n550-\r\n"
            b"550 <script>alert(1)</script>\r\n"
        ),
    ),
    "format": ("with what printf and shells like", b"550 5.1.1 %s%n%d {0} ${USER} $(id) `id`\r\n"),
    "backslashes": ("with backslashes", rb"550 5.1.1 no\nsuch\r\nuser \x00 \u0000" + b"\r\n"),
    "quotes": ("with quotes and brackets", b"550 5.1.1 \"no' (such) [user] <a@b>; \\\r\n"),
    "tabs": ("with tabs for spaces", b"550 5.1.1\tNo\tsuch\tuser\r\n"),
    "spaces": ("with spaces before and behind", b"550 5.1.1   No such user   \r\n"),
    "two-addresses": (
        "that names somebody else",
        b"550 5.1.1 <other@example.com>: unknown; 250 2.1.5 <user>: fine\r\n",
    ),
}
"""Texts of a 550 5.1.1 to RCPT, all of which end in a notice."""

LONG: dict[str, tuple[str, Rule, bytes, bool]] = {
    "512-octets": ("of 512 octets", REPLY_LINE, b"550 5.1.1 " + b"x" * 500 + b"\r\n", True),
    "100-lines": (
        "of a hundred lines",
        MANY_LINES,
        b"550-5.1.1 Reason after reason\r\n" * 99 + b"550 5.1.1 No\r\n",
        True,
    ),
    "1000-lines": (
        "of a thousand lines",
        MANY_LINES,
        b"550-5.1.1 Reason after reason\r\n" * 999 + b"550 5.1.1 No\r\n",
        True,
    ),
    "2-kb": ("of 2 KB in one line", LONG_LINE, b"550 5.1.1 " + b"word " * 408 + b"\r\n", False),
    "2-kb-word": ("of one word of 2 KB", LONG_LINE, b"550 5.1.1 " + b"x" * 2036 + b"\r\n", False),
    "64-kb": ("of 64 KB in one line", LONG_LINE, b"550 5.1.1 " + b"x" * 65524 + b"\r\n", False),
    "1-mb": ("of 1 MB in one line", LONG_LINE, b"550 5.1.1 " + b"x" * 1048564 + b"\r\n", False),
}
"""How long a 550 to RCPT may be: how, the rule, the octets, and whether it must be read."""

GOOD = ("250 2.1.5 Recipient OK", Delivers())
BUSY_USER = ("450 4.2.1 Mailbox busy", _passed_on("450 4.2.1 Mailbox busy"))
FULL_USER = ("452 4.2.2 Mailbox full", _passed_on("452 4.2.2 Mailbox full"))
SLOW_USER = ("451 4.3.0 Local error", _passed_on("451 4.3.0 Local error"))
NO_USER = ("550 5.1.1 No such user", _passed_on("550 5.1.1 No such user"))
OFF_USER = ("550 5.2.1 Mailbox disabled", _passed_on("550 5.2.1 Mailbox disabled"))
CLOSED_USER = ("554 5.7.1 Members only", _passed_on("554 5.7.1 Members only"))
MOVED_USER = ("251 2.1.5 User not local; will forward", Delivers())
TRIED_USER = ("252 2.1.5 Cannot verify, will try", Delivers())

Fates = dict[str, tuple[str, Delivers | Fails]]
MIXED: dict[str, tuple[str, Fates, tuple[Behaviour, ...]]] = {
    "one-unknown": (
        "One of three recipients is unknown, the others get the mail",
        {"ann": GOOD, "bob": NO_USER, "cal": GOOD},
        (),
    ),
    "one-busy": (
        "One of three recipients is busy, the others get the mail",
        {"ann": GOOD, "bob": GOOD, "cal": BUSY_USER},
        (),
    ),
    "each-otherwise": (
        "One recipient gets the mail, one is busy, one is unknown",
        {"ann": GOOD, "bob": BUSY_USER, "cal": NO_USER},
        (),
    ),
    "each-otherwise.pipelined": (
        "The same where commands are sent ahead",
        {"ann": NO_USER, "bob": GOOD, "cal": BUSY_USER},
        (Offer(("PIPELINING",)),),
    ),
    "yes-in-three-words": (
        "One recipient is taken with 250, one with 251, one with 252",
        {"ann": GOOD, "bob": MOVED_USER, "cal": TRIED_USER},
        (),
    ),
    "all-unknown": (
        "No recipient is taken, each for a reason of its own: each is told of",
        {"ann": NO_USER, "bob": OFF_USER, "cal": CLOSED_USER},
        (),
    ),
    "all-busy": (
        "No recipient is taken now, each for a reason of its own",
        {"ann": BUSY_USER, "bob": FULL_USER, "cal": SLOW_USER},
        (),
    ),
    "none-now-or-ever": (
        "One recipient is busy, one unknown, so nothing is sent",
        {"ann": BUSY_USER, "bob": NO_USER},
        (),
    ),
    "none.data-accepted": (
        "No recipient is taken, and content sent ahead is asked for all the same",
        {"ann": NO_USER, "bob": BUSY_USER},
        (
            Offer(("PIPELINING",)),
            Reply(Stage.DATA, "354 Go ahead"),
            Reply(Stage.DOT, "554 5.5.1 No valid recipients"),
        ),
    ),
}
"""Recipients that fare differently: in words, by local part, and what else the host does."""


def _recipients(name: str, title: str, fates: Fates, more: tuple[Behaviour, ...]) -> Scenario:
    return Scenario(
        id=f"reply.recipients.{name}",
        title=title,
        rule=LONE_DOT if "data-accepted" in name else EVERY_RECIPIENT,
        hosts=_host(*(ToRecipient(who, said) for who, (said, _) in fates.items()), *more),
        mail=Mail(recipients=tuple(fates)),
        expect=Each(tuple((who, fate) for who, (_, fate) in fates.items())),
    )


FIVE = ("ann", "bob", "cal", "deb", "eve")


def _two_at_a_time(name: str, title: str, rule: Rule, text: str, *more: Behaviour) -> Scenario:
    """A host that takes two recipients a transaction; the others have to come again."""
    later = AnyOf(Recovers(_passed_on(AS_452)), Delivers())
    fates = tuple((who, Delivers() if n < 2 else later) for n, who in enumerate(FIVE))
    return Scenario(
        id=f"reply.recipients.{name}",
        title=title,
        rule=rule,
        hosts=_host(*more, MostRecipients(2, text)),
        mail=Mail(recipients=FIVE),
        expect=Each(fates),
    )


EIGHT_BIT = Mail(
    headers=(
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
    ),
    body="Grüße aus Köln, sagte er.\r\n".encode(),
)
ONE = Mail()
ABROAD = Mail(recipients=("jürgen",))


def _odd(
    id: str,
    title: str,
    rule: Rule,
    behaviours: tuple[Behaviour, ...],
    expect: Expectation,
    mail: Mail = ONE,
) -> Scenario:
    return Scenario(
        id=f"reply.{id}", title=title, rule=rule, hosts=_host(*behaviours), expect=expect, mail=mail
    )


SCENARIOS = around(
    "reply",
    (
        *_in_the_grid(),
        # For a while
        Scenario(
            id="reply.rcpt.451-once",
            title="A 451 to RCPT is retried until it is accepted",
            rule=TRANSIENT,
            hosts=(Host(behaviours=(Reply(Stage.RCPT, "451 4.7.1 Greylisted", times=1),)),),
            expect=Recovers(Fails(DEFERRED, "451 4.7.1 Greylisted")),
        ),
        Scenario(
            id="reply.dot.451-twice",
            title="A 451 to the final dot is retried more than once",
            rule=RETRY,
            hosts=(Host(behaviours=(Reply(Stage.DOT, "451 4.3.0 Not yet", times=2),)),),
            expect=Recovers(Fails(DEFERRED, "451 4.3.0 Not yet")),
        ),
        *(
            _odd(
                name,
                f"The client is put off for a while, {words}",
                TRANSIENT,
                (Reply(stage, text, times=times, close=text.startswith("421")),),
                Recovers(_passed_on(text)),
            )
            for name, (words, stage, text, times) in WHILE.items()
        ),
        _odd(
            "rcpt.450-then-550",
            "A mailbox that was busy turns out not to exist",
            TRANSIENT,
            (
                Reply(Stage.RCPT, "450 4.2.1 Mailbox busy", times=1),
                Reply(Stage.RCPT, "550 5.1.1 No such user", since=2),
            ),
            Turns(_passed_on("450 4.2.1 Mailbox busy"), _passed_on("550 5.1.1 No such user")),
        ),
        _odd(
            "recipients.greylisted",
            "Three recipients are put off, and taken the next time",
            TRANSIENT,
            (Reply(Stage.RCPT, "450 4.2.0 Greylisted", times=3),),
            Recovers(_passed_on("450 4.2.0 Greylisted")),
            Mail(recipients=("ann", "bob", "cal")),
        ),
        # A yes in other words
        *(
            _odd(name, f"It is a yes: {words}", rule, (Reply(stage, text),), Delivers())
            for name, (words, stage, text, rule) in YES.items()
        ),
        # Neither yes nor no
        *(
            _odd(
                name,
                f"{text[:3]} where it has no meaning, at {TO[stage]}",
                WRONG_PLACE,
                (SendAt(stage, text.encode() + b"\r\n"),),
                AnyOf(NONSENSE, FATAL),
            )
            for name, (stage, text) in NOT_HERE.items()
        ),
        *(
            _odd(
                name,
                f"{text[:3]} to {TO[stage]}, a code that SMTP has not",
                OUT_OF_RANGE,
                (SendAt(stage, text.encode() + b"\r\n"),),
                AnyOf(FATAL, NONSENSE),
            )
            for name, (stage, text) in OUTSIDE.items()
        ),
        *(
            _odd(
                name,
                f"The answer to {TO[stage]} is {words}",
                NOT_A_REPLY,
                (SendAt(stage, octets),),
                AnyOf(NONSENSE, HANG, FATAL),
            )
            for name, (words, stage, octets) in NO_REPLY.items()
        ),
        _odd(
            "mail.two-replies",
            "MAIL has two replies in one packet",
            ONE_REPLY,
            (SendAt(Stage.MAIL, b"250 2.1.0 OK\r\n250 2.1.0 OK\r\n", takes=True),),
            AnyOf(NONSENSE, FATAL, HANG),
        ),
        _odd(
            "mail.421-behind",
            "A 421 comes behind the reply to MAIL, and the connection is closed",
            GOING_DOWN,
            (SendAt(Stage.MAIL, b"250 2.1.0 OK\r\n421 4.3.2 Bye\r\n", close=True, takes=True),),
            AnyOf(_passed_on("421 4.3.2 Bye"), CLOSED),
        ),
        _odd(
            "dot.early-250",
            "The 250 comes before the content, which is then refused",
            ONE_REPLY,
            (
                SendAt(Stage.DATA, b"354 Go ahead\r\n250 2.0.0 Stored\r\n", takes=True),
                Reply(Stage.DOT, "554 5.7.1 Content rejected"),
            ),
            AnyOf(NONSENSE, _passed_on("554 5.7.1 Content rejected")),
        ),
        # Enhanced codes
        Scenario(
            id="reply.rcpt.550-without-enhanced",
            title="A 550 without an enhanced code stays permanent",
            rule=PERMANENT,
            hosts=(Host(behaviours=(Reply(Stage.RCPT, "550 No such user"),)),),
            expect=Fails(REJECTED, "550 No such user"),
        ),
        *(
            _odd(
                f"enhanced.{name}",
                f"The reply contradicts itself: {words}",
                BASIC_CODE,
                (Reply(Stage.RCPT, text),),
                _passed_on(counts),
            )
            for name, (words, text, counts) in CONTRADICTIONS.items()
        ),
        *(
            _odd(
                f"enhanced.{name}",
                f"A 550 has {words}",
                BOGUS_CODE,
                (Reply(Stage.RCPT, text),),
                _passed_on(counts),
            )
            for name, (words, text, counts) in BOGUS.items()
        ),
        # Texts
        *(
            _odd(
                f"text.{name}",
                f"A 550 has a text {words}",
                ANY_TEXT,
                (SendAt(Stage.RCPT, octets),),
                _passed_on("550 5.1.1"),
            )
            for name, (words, octets) in TEXTS.items()
        ),
        _odd(
            "text.utf-8.deferred",
            "A 450 has a text in UTF-8",
            ANY_TEXT,
            (Reply(Stage.RCPT, "450 4.2.1 Postfach überlastet, bitte später wiederkommen"),),
            _passed_on("450 4.2.1"),
        ),
        *(
            _odd(
                f"long.{name}",
                f"A 550 has a text {words}",
                rule,
                (SendAt(Stage.RCPT, octets),),
                _passed_on("550 5.1.1") if must else AnyOf(_passed_on("550 5.1.1"), NONSENSE, HANG),
            )
            for name, (words, rule, octets, must) in LONG.items()
        ),
        _odd(
            "long.endless-line",
            "A 550 is a line that does not end",
            NOT_A_REPLY,
            (Flood(Stage.RCPT, b"550 5.1.1 and another thing ", MOST),),
            AnyOf(NONSENSE, HANG),
        ),
        _odd(
            "long.endless-lines",
            "A 550 has lines without end",
            NOT_A_REPLY,
            (Flood(Stage.RCPT, b"550-5.1.1 And another thing\r\n", MOST),),
            AnyOf(NONSENSE, HANG),
        ),
        # Lines
        _odd(
            "lines.lf-only",
            "Every reply of a transaction ends in a bare LF",
            LINE_END,
            (
                SendAt(Stage.MAIL, b"250 2.1.0 OK\n", takes=True),
                SendAt(Stage.RCPT, b"250 2.1.5 OK\n", takes=True),
                SendAt(Stage.DATA, b"354 Go ahead\n", takes=True),
                SendAt(Stage.DOT, b"250 2.0.0 Stored\n", takes=True),
            ),
            AnyOf(Delivers(), NONSENSE, HANG),
        ),
        _odd(
            "lines.in-pieces",
            "Every reply of a transaction comes in pieces of three octets",
            LINE_END,
            tuple(Fragment(stage, piece=3, pause=0.02) for stage in TO),
            Delivers(),
        ),
        # Providers
        *(
            _odd(
                f"provider.{name}",
                f"{rule.document}: {text[:3]} to {TO[stage]}",
                rule,
                (Reply(stage, text, close=text.startswith("421")),),
                _passed_on(text, quote),
            )
            for name, (rule, stage, text, quote) in PROVIDERS.items()
        ),
        _odd(
            "provider.docomo.recipients",
            "NTT DOCOMO: 552 to RCPT, for too many recipients",
            TOO_MANY_RECIPIENTS,
            (Reply(Stage.RCPT, "552 too many recipients"),),
            _passed_on(AS_452),
        ),
        # Recipients
        *(_recipients(name, *fates) for name, fates in MIXED.items()),
        _odd(
            "recipients.refused-at-the-dot",
            "One recipient is unknown, and the content is refused for the others",
            EVERY_RECIPIENT,
            (ToRecipient("bob", NO_USER[0]), Reply(Stage.DOT, "554 5.7.1 Spam message rejected")),
            Each(
                (
                    ("ann", _passed_on("554 5.7.1 Spam message rejected")),
                    ("bob", NO_USER[1]),
                    ("cal", _passed_on("554 5.7.1 Spam message rejected")),
                )
            ),
            Mail(recipients=("ann", "bob", "cal")),
        ),
        _odd(
            "recipients.put-off-at-the-dot",
            "One recipient is unknown, and the others get the mail the second time",
            EVERY_RECIPIENT,
            (ToRecipient("bob", NO_USER[0]), Reply(Stage.DOT, "451 4.3.0 Not yet", times=1)),
            Each(
                (
                    ("ann", Recovers(_passed_on("451 4.3.0 Not yet"))),
                    ("bob", NO_USER[1]),
                    ("cal", Recovers(_passed_on("451 4.3.0 Not yet"))),
                )
            ),
            Mail(recipients=("ann", "bob", "cal")),
        ),
        _odd(
            "recipients.421-at-the-second",
            "The host shuts down at the second of three recipients",
            GOING_DOWN,
            (Reply(Stage.RCPT, "421 4.3.2 Going down", times=1, close=True, since=2),),
            AnyOf(Recovers(_passed_on("421 4.3.2 Going down")), Recovers(CLOSED)),
            Mail(recipients=("ann", "bob", "cal")),
        ),
        _two_at_a_time(
            "452-after-two",
            "The host takes two recipients at a time, and says 452 to the third",
            TOO_MANY_RECIPIENTS,
            "452 4.5.3 Too many recipients",
        ),
        _two_at_a_time(
            "452-after-two.pipelined",
            "The same where commands are sent ahead",
            TOO_MANY_RECIPIENTS,
            "452 4.5.3 Too many recipients",
            Offer(("PIPELINING",)),
        ),
        _two_at_a_time(
            "552-after-two",
            "The host takes two recipients at a time, and says 552 as RFC 821 had it",
            TOO_MANY_RECIPIENTS,
            "552 Too many recipients",
        ),
        _two_at_a_time(
            "limits",
            "The host says at EHLO that it takes two recipients at a time",
            LIMITS,
            "452 4.5.3 Too many recipients",
            Offer(("LIMITS RCPTMAX=2",)),
        ),
        _odd(
            "rcpt.552-full",
            "552 to RCPT: the mailbox is full, and no number of recipients is at fault",
            TOO_MANY_RECIPIENTS,
            (Reply(Stage.RCPT, "552 5.2.2 Mailbox full"),),
            AnyOf(_passed_on("552 5.2.2 Mailbox full"), _passed_on("452 4.2.2 Mailbox full")),
        ),
        _odd(
            "rcpt.550-null-sender",
            "Mail without a sender is refused, and nobody is told",
            NULL_SENDER,
            (Reply(Stage.RCPT, "550 5.1.1 No such user"),),
            _passed_on("550 5.1.1 No such user"),
            Mail(null_sender=True),
        ),
        # Extensions
        _odd(
            "extension.size-too-small",
            "The message is larger than the host says it takes",
            SIZE_LIMIT,
            (SizeLimit(2000),),
            TOO_LARGE,
            Mail(octets=20_000),
        ),
        _odd(
            "extension.size-unsaid",
            "The message is larger than the host takes, which says so only when it has it",
            OTHER,
            (SizeLimit(2000), Withhold("SIZE")),
            TOO_LARGE,
            Mail(octets=20_000),
        ),
        _odd(
            "extension.size-enough",
            "The message is just as large as the host says it takes",
            SIZE_LIMIT,
            (SizeLimit(20_000),),
            Delivers(),
            Mail(octets=10_000),
        ),
        _odd(
            "extension.8bitmime-missing",
            "The content has eight bits, and the host offers no 8BITMIME",
            EIGHT_BITS,
            (Withhold("8BITMIME"),),
            AnyOf(Delivers(), NOT_CONVERTIBLE),
            replace(EIGHT_BIT, alike=Alike.FREE),
        ),
        _odd(
            "extension.smtputf8-missing",
            "The recipient's name is not ASCII, and the host offers no SMTPUTF8",
            UNICODE,
            (),
            NOT_CONVERTIBLE,
            ABROAD,
        ),
        _odd(
            "extension.smtputf8-offered",
            "The recipient's name is not ASCII, and the host offers SMTPUTF8",
            UNICODE_SENT,
            (Offer(("SMTPUTF8",)),),
            Delivers(),
            ABROAD,
        ),
        _odd(
            "extension.8bitmime-offered",
            "The content has eight bits, and the host offers 8BITMIME",
            EIGHT_BITS_SENT,
            (),
            Delivers(),
            EIGHT_BIT,
        ),
        _odd(
            "extension.dsn-offered",
            "The host offers DSN, and nobody has asked for a notification of success",
            NO_DSN_UNASKED,
            (Offer(("DSN",)),),
            Delivers(),
        ),
        _odd(
            "extension.starttls-wanted",
            "The host wants STARTTLS before MAIL, and does not offer it",
            PERMANENT,
            (Withhold("STARTTLS"), Reply(Stage.MAIL, "530 5.7.0 Must issue STARTTLS first")),
            _passed_on("530 5.7.0 Must issue STARTTLS first"),
        ),
    ),
)
