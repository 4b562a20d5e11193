"""Odd messages, odd addresses, odd streams of octets, and many messages at once."""

import os

from catalogue.control import around
from catalogue.rules import (
    ADDRESS_LITERAL,
    BEYOND,
    BOUNDED,
    DOMAIN_CASE,
    EIGHT_BIT,
    EIGHT_BIT_HEADER,
    EXTENSIONS,
    GOING_DOWN,
    IN_TIME,
    INTERNATIONAL,
    LOCAL_PART,
    LOCK_STEP,
    LONG_TEXT_LINE,
    LOOSE_LINES,
    MESSAGE,
    NO_BARE,
    NO_DOT_AT_END,
    NONE_LOST,
    NOT_YET_SAID,
    NUL,
    ONE_END,
    QUOTED,
    REPLY_LENGTH,
    SIZE_ARGUMENT,
    SIZES,
    STREAM,
    TEXT_LINE,
    TRANSPARENT,
    UNKNOWN_KEYWORD,
)
from model.behaviours import (
    Flap,
    Flood,
    Fragment,
    LineEnds,
    Offer,
    Quota,
    Reply,
    SendAt,
    Surplus,
    Withhold,
)
from model.expect import AnyOf, Arrives, Delivers, Fails, Refuses
from model.failure import Cause, Failure
from model.scenario import Alike, Change, Host, Mail, Scenario
from model.smtp import Behaviour, Stage

SEED = int(os.environ.get("MAILFLOW_SEED", "1047"))
"""What the host that breaks down at random draws from; another run may have another."""

ILL_FORMED = Fails(Cause(Failure.MESSAGE_UNSUITABLE, "ill-formed"))
NOT_CONVERTIBLE = Fails(Cause(Failure.MESSAGE_UNSUITABLE, "not-convertible"))
NO_SESSION = Fails(Cause(Failure.CANNOT_CONNECT, "protocol-violation"))
NO_REPLY = Fails(Cause(Failure.PEER_REPLY, "protocol-violation"))
HANG = Fails(Cause(Failure.CLOSED_ABRUPTLY, "hang"))
CLOSED = Fails(Cause(Failure.CLOSED_ABRUPTLY, "closed"))

MENDED = AnyOf(ILL_FORMED, Delivers(), Refuses())
"""Bare CR or LF: returned as Exchange Online does (NDR 5.6.11), mended, or refused at once."""
TAKEN = AnyOf(Delivers(), Refuses(), ILL_FORMED)
"""Passed on as well as can be; or refused, now or later."""

FORGED = b"MAIL FROM:<>\r\nRCPT TO:<forged@{domain}>\r\nDATA\r\nSubject: forged\r\n\r\nforged\r\n"
"""What follows a false end of a message."""

FALSE_ENDS = {
    "lf-dot-lf": (b"\n.\n", MENDED),
    "lf-dot-crlf": (b"\n.\r\n", MENDED),
    "lf-dot-cr": (b"\n.\r", MENDED),
    "cr-dot-cr": (b"\r.\r", MENDED),
    "cr-dot-lf": (b"\r.\n", MENDED),
    "cr-dot-crlf": (b"\r.\r\n", MENDED),
    "crlf-dot-lf": (b"\r\n.\n", MENDED),
    "crlf-dot-cr": (b"\r\n.\r", MENDED),
    "crlf-dot-crcrlf": (b"\r\n.\r\r\n", MENDED),
    "crcrlf-dot-crcrlf": (b"\r\r\n.\r\r\n", MENDED),
    "crlf-nul-dot-crlf": (b"\r\n\0.\r\n", TAKEN),
    "crlf-dot-nul-crlf": (b"\r\n.\0\r\n", TAKEN),
}
"""What one server or another has taken for the end of a message, and what may become of it."""


def _odd(body: bytes, alike: Alike = Alike.LINES) -> Mail:
    return Mail(body=body, alike=alike)


SMUGGLED = (
    *(
        Scenario(
            id=f"robustness.smuggled.{name}",
            title=f"A second message behind {end!r}, which is no end of the first",
            rule=ONE_END,
            mail=_odd(b"One.\r\nTwo." + end + FORGED),
            expect=expect,
        )
        for name, (end, expect) in FALSE_ENDS.items()
    ),
    Scenario(
        id="robustness.smuggled.chunking",
        title="A second message behind a bare LF, dot, LF, and the host takes chunks",
        rule=ONE_END,
        hosts=(Host(behaviours=(Offer(("CHUNKING",)),)),),
        mail=_odd(b"One.\r\nTwo.\n.\n" + FORGED),
        expect=TAKEN,
    ),
    Scenario(
        id="robustness.smuggled.in-header",
        title="A second message behind a bare LF, dot, CRLF in a field of the header",
        rule=ONE_END,
        mail=Mail(headers=(f"X-Odd: one\n.\r\n{FORGED.decode().rstrip()}",), alike=Alike.TEXT),
        expect=MENDED,
    ),
)

BARE = (
    *(
        Scenario(
            id=f"robustness.bare-{name}.body",
            title=f"A bare {name.upper()} in the body is never sent",
            rule=NO_BARE,
            mail=_odd(b"One." + octet + b"Two.\r\nThree.\r\n"),
            expect=MENDED,
        )
        for name, octet in (("lf", b"\n"), ("cr", b"\r"))
    ),
    Scenario(
        id="robustness.bare-lf.chunking",
        title="A bare LF in the body, and the host takes chunks: BDAT needs no end of message",
        rule=NO_BARE,
        hosts=(Host(behaviours=(Offer(("CHUNKING",)),)),),
        mail=_odd(b"One.\nTwo.\r\nThree.\r\n"),
        expect=TAKEN,
    ),
    Scenario(
        id="robustness.bare-lf.header",
        title="A bare LF in a field of the header: the next line may become a field, or not",
        rule=NO_BARE,
        mail=Mail(headers=("X-Odd: one\n two\nX-Injected: yes",), alike=Alike.TEXT),
        expect=MENDED,
    ),
    *(
        Scenario(
            id=f"robustness.nul.{name}",
            title=f"A NUL in the {name} comes to no harm, or is taken out",
            rule=NUL,
            mail=mail,
            expect=TAKEN,
        )
        for name, mail in (
            ("body", _odd(b"One\0two.\r\nThree.\r\n")),
            ("header", Mail(headers=("X-Odd: one\0two",), alike=Alike.LINES)),
        )
    ),
)

DOTS = (
    Scenario(
        id="robustness.dots.lines",
        title="Lines of dots and lines that begin with one, the first and the last among them",
        rule=TRANSPARENT,
        mail=Mail(body=b".\r\n..\r\n...\r\n.a\r\n. \r\n\r\n.\r\n\r\n..\r\n.\r\n"),
    ),
    Scenario(
        id="robustness.dots.every-offset",
        title="A dot at the beginning of every line, wherever a buffer may end",
        rule=TRANSPARENT,
        mail=Mail(body=b".\r\n" * 70_000),
    ),
)

LINES = (
    Scenario(
        id="robustness.line.998",
        title="A line of 998 octets, the longest that is allowed",
        rule=TEXT_LINE,
        mail=Mail(body=b"x" * 998 + b"\r\nThe end.\r\n"),
    ),
    Scenario(
        id="robustness.line.998-behind-dot",
        title="A line of 998 octets that begins with a dot: its double does not count",
        rule=TEXT_LINE,
        mail=Mail(body=b"." + b"x" * 997 + b"\r\nThe end.\r\n"),
    ),
    *(
        Scenario(
            id=f"robustness.line.{octets}",
            title=f"A line of {octets} octets, longer than is allowed",
            rule=LONG_TEXT_LINE,
            mail=_odd(b"x" * octets + b"\r\nThe end.\r\n", Alike.TEXT),
            expect=TAKEN,
        )
        for octets in (1000, 10_000, 1_000_000)
    ),
)

UTF8 = (
    "MIME-Version: 1.0",
    "Content-Type: text/plain; charset=utf-8",
    "Content-Transfer-Encoding: 8bit",
)
GREETINGS = Mail(headers=UTF8, body="Grüße aus Köln.\r\n".encode() * 20)

EIGHT_BITS = (
    Scenario(
        id="robustness.eight-bit.offered",
        title="Eight-bit content goes unchanged to a host that offers 8BITMIME",
        rule=EIGHT_BIT,
        mail=GREETINGS,
    ),
    Scenario(
        id="robustness.eight-bit.not-offered",
        title="Eight-bit content does not go as it is to a host without 8BITMIME",
        rule=EIGHT_BIT,
        hosts=(Host(behaviours=(Withhold("8BITMIME"),)),),
        mail=Mail(headers=UTF8, body=GREETINGS.body, alike=Alike.FREE),
        expect=AnyOf(NOT_CONVERTIBLE, Delivers()),
    ),
    Scenario(
        id="robustness.eight-bit.lower-case",
        title="A host that offers 8bitmime offers 8BITMIME",
        rule=UNKNOWN_KEYWORD,
        hosts=(Host(behaviours=(Reply(Stage.EHLO, "250-mx1\n250-8bitmime\n250 help"),)),),
        mail=GREETINGS,
    ),
    Scenario(
        id="robustness.eight-bit.header",
        title="A field of the header beyond ASCII, unencoded",
        rule=EIGHT_BIT_HEADER,
        mail=Mail(headers=("X-Odd: Grüße aus Köln",)),
        expect=AnyOf(Delivers(), Refuses(), NOT_CONVERTIBLE),
    ),
)

LOCAL_PARTS = {
    "space": ('"john doe"', QUOTED),
    "at": ('"a@b"', QUOTED),
    "dots": ('".a..b."', QUOTED),
    "escapes": (r'"a\"b\\c"', QUOTED),
    "brackets": ('"<a>,b"', QUOTED),
    "plus": ("user+tag", LOCAL_PART),
    "special": ("!#$%&'*+-/=?^_`{|}~", LOCAL_PART),
    "upper-case": ("UsEr", LOCAL_PART),
    "64-octets": ("x" * 64, SIZES),
}
"""Local parts that are allowed, and no business of a host that only relays."""

ADDRESSES = (
    *(
        Scenario(
            id=f"robustness.address.{name}",
            title=f"A local part as odd as {local_part[:20]} is passed on as it is",
            rule=rule,
            mail=Mail(recipients=(local_part,)),
        )
        for name, (local_part, rule) in LOCAL_PARTS.items()
    ),
    Scenario(
        id="robustness.address.case-differs",
        title="Two local parts that differ in case only are two recipients",
        rule=LOCAL_PART,
        mail=Mail(recipients=("user", "USER")),
    ),
    Scenario(
        id="robustness.address.65-octets",
        title="A local part one octet longer than is allowed",
        rule=BEYOND,
        mail=Mail(recipients=("x" * 65,)),
        expect=AnyOf(Delivers(), Refuses()),
    ),
    Scenario(
        id="robustness.address.utf8.offered",
        title="A local part beyond ASCII goes to a host that offers SMTPUTF8",
        rule=INTERNATIONAL,
        hosts=(Host(behaviours=(Offer(("SMTPUTF8",)),)),),
        mail=Mail(recipients=("jörg",)),
    ),
    Scenario(
        id="robustness.address.utf8.not-offered",
        title="A local part beyond ASCII does not go to a host without SMTPUTF8",
        rule=INTERNATIONAL,
        mail=Mail(recipients=("jörg",)),
        expect=AnyOf(NOT_CONVERTIBLE, Refuses()),
    ),
    Scenario(
        id="robustness.address.domain.upper-case",
        title="A domain in capitals is the same domain",
        rule=DOMAIN_CASE,
        mail=Mail(domain="ROBUSTNESS-address-DOMAIN-upper-CASE.Test"),
    ),
    Scenario(
        id="robustness.address.domain.dot",
        title="A dot at the end of the domain is refused, or left out",
        rule=NO_DOT_AT_END,
        mail=Mail(domain="{domain}."),
        expect=AnyOf(Delivers(), Refuses()),
    ),
    Scenario(
        id="robustness.address.domain.literal",
        title="A host's address in brackets in place of a domain",
        rule=ADDRESS_LITERAL,
        mail=Mail(domain="[{mx1}]"),
        expect=AnyOf(Delivers(), Refuses()),
    ),
)


def _folded(lines: int) -> str:
    return "X-Odd: begins" + "\r\n and goes on, and on, and on, for very many lines" * lines


def _crowd(number: int) -> tuple[str, ...]:
    return tuple(f"user-{n}" for n in range(number))


MESSAGES = (
    Scenario(
        id="robustness.message.empty",
        title="A message of no octets at all",
        rule=MESSAGE,
        mail=Mail(whole=b""),
        expect=AnyOf(Delivers(), Refuses()),
    ),
    Scenario(
        id="robustness.message.header-only",
        title="A header, and not even the empty line behind it",
        rule=MESSAGE,
        mail=Mail(whole=b"Subject: header only\r\n", alike=Alike.TEXT),
        expect=AnyOf(Delivers(), Refuses()),
    ),
    Scenario(
        id="robustness.message.no-body",
        title="A header, and an empty body",
        rule=MESSAGE,
        mail=Mail(body=b""),
    ),
    Scenario(
        id="robustness.message.no-header",
        title="A body without a header",
        rule=MESSAGE,
        mail=Mail(whole=b"\r\nOnly a body.\r\n", alike=Alike.TEXT),
        expect=AnyOf(Delivers(), Refuses()),
    ),
    Scenario(
        id="robustness.message.no-colon",
        title="A first line that is no field of a header",
        rule=MESSAGE,
        mail=Mail(whole=b"This is no field\r\nSubject: odd\r\n\r\nBody.\r\n", alike=Alike.TEXT),
        expect=AnyOf(Delivers(), Refuses()),
    ),
    Scenario(
        id="robustness.message.folded-60k",
        title="One field of the header, folded a thousand times",
        rule=SIZES,
        mail=Mail(headers=(_folded(1000),)),
    ),
    Scenario(
        id="robustness.message.folded-150k",
        title="One field of the header, folded 2500 times: it is refused, or arrives whole",
        rule=BEYOND,
        mail=Mail(headers=(_folded(2500),)),
        expect=AnyOf(Delivers(), Refuses()),
    ),
    Scenario(
        id="robustness.message.thousand-fields",
        title="A header of a thousand fields",
        rule=SIZES,
        mail=Mail(headers=tuple(f"X-Odd-{n}: one of a thousand fields" for n in range(1000))),
    ),
    Scenario(
        id="robustness.message.large",
        title="A message of five million octets",
        rule=BEYOND,
        mail=Mail(octets=5_000_000),
        expect=AnyOf(Delivers(), Refuses()),
    ),
    Scenario(
        id="robustness.message.hundred-recipients",
        title="A message to a hundred recipients of one domain",
        rule=SIZES,
        mail=Mail(recipients=_crowd(100)),
    ),
    Scenario(
        id="robustness.message.thousand-recipients",
        title="A message to a thousand recipients of one domain",
        rule=BEYOND,
        mail=Mail(recipients=_crowd(1000)),
    ),
)

LARGE = (
    Scenario(
        id="robustness.large.fifty-million-octets",
        title="A message of fifty million octets",
        rule=BEYOND,
        mail=Mail(octets=50_000_000),
    ),
    *(
        Scenario(
            id=f"robustness.large.{words}-recipients",
            title=f"A message to {words.replace('-', ' ')} recipients of one domain",
            rule=BEYOND,
            mail=Mail(recipients=_crowd(number)),
        )
        for words, number in (("ten-thousand", 10_000), ("hundred-thousand", 100_000))
    ),
)
"""What takes an agent minutes, and is run only where that is asked for (`--large`)."""

EVERY = (Stage.GREETING, Stage.EHLO, Stage.STARTTLS, Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.DOT)
OCTETS_OF_ALL_KINDS = b"250 2.1.0 Gr\xfc\xdfe \x01\x7f\x80\xff, Sender OK\r\n"

REPLIES = (
    Scenario(
        id="robustness.replies.octet-by-octet",
        title="Every reply comes octet by octet",
        rule=STREAM,
        hosts=(Host(behaviours=tuple(Fragment(stage) for stage in EVERY)),),
    ),
    Scenario(
        id="robustness.replies.together",
        title="Replies to commands that came together come together, in one segment",
        rule=STREAM,
        hosts=(Host(behaviours=(Offer(("PIPELINING",)),)),),
        mail=Mail(recipients=("one", "two", "three")),
    ),
    Scenario(
        id="robustness.replies.dripping",
        title="A reply to MAIL that drips: no pause is too long, the whole is",
        rule=IN_TIME,
        hosts=(Host(behaviours=(Fragment(Stage.MAIL, piece=6, pause=0.6),)),),
        expect=AnyOf(HANG, Delivers()),
    ),
    Scenario(
        id="robustness.replies.lf",
        title="Replies that end in LF alone",
        rule=LOOSE_LINES,
        hosts=(Host(behaviours=(LineEnds(b"\n"),)),),
        expect=AnyOf(Delivers(), NO_SESSION),
    ),
    Scenario(
        id="robustness.replies.crcrlf",
        title="Replies that end in CR CR LF",
        rule=LOOSE_LINES,
        hosts=(Host(behaviours=(LineEnds(b"\r\r\n"),)),),
        expect=AnyOf(Delivers(), NO_SESSION),
    ),
    Scenario(
        id="robustness.replies.cr",
        title="Replies that end in CR alone never end",
        rule=LOOSE_LINES,
        hosts=(Host(behaviours=(LineEnds(b"\r"),)),),
        expect=AnyOf(HANG, NO_SESSION, Delivers()),
    ),
    Scenario(
        id="robustness.replies.eight-bit",
        title="A reply with control characters and octets above 127 counts by its code",
        rule=STREAM,
        hosts=(Host(behaviours=(SendAt(Stage.MAIL, OCTETS_OF_ALL_KINDS, takes=True),)),),
    ),
    Scenario(
        id="robustness.replies.long-line",
        title="A reply line of 4000 octets",
        rule=REPLY_LENGTH,
        hosts=(Host(behaviours=(Reply(Stage.MAIL, "250 2.1.0 " + "long " * 800),)),),
        expect=AnyOf(Delivers(), NO_REPLY),
    ),
    Scenario(
        id="robustness.replies.thousand-lines",
        title="A host that offers a thousand things that nobody knows",
        rule=REPLY_LENGTH,
        hosts=(Host(behaviours=(Offer(tuple(f"X-ODD-{n}" for n in range(1000))),)),),
        expect=AnyOf(Delivers(), NO_SESSION),
    ),
    *(
        Scenario(
            id=f"robustness.flood.{name}",
            title=f"{title}: the agent gets away, and keeps the mail",
            rule=BOUNDED,
            hosts=(Host(behaviours=(Flood(stage, octets, 16_000_000),)),),
            expect=AnyOf(*ways, HANG),
        )
        for name, stage, octets, title, ways in (
            ("greeting", Stage.GREETING, b"220-mx1\r\n", "A greeting without end", (NO_SESSION,)),
            ("ehlo", Stage.EHLO, b"250-X-ODD\r\n", "Capabilities without end", (NO_SESSION,)),
            ("mail", Stage.MAIL, b"250 x" * 99, "A line without end for MAIL", (NO_REPLY,)),
            ("dot", Stage.DOT, b"250-OK\r\n", "A reply without end to the final dot", (NO_REPLY,)),
        )
    ),
)

GOES_DOWN = "421 4.3.2 Going down"

SURPLUS = (
    Scenario(
        id="robustness.surplus.greeting",
        title="Two greetings",
        rule=LOCK_STEP,
        hosts=(Host(behaviours=(Surplus(Stage.GREETING, "220 mx1 ESMTP once more"),)),),
        expect=AnyOf(NO_SESSION, Delivers(), NO_REPLY),
    ),
    *(
        Scenario(
            id=f"robustness.surplus.{stage}.421",
            title=f"A 421 that nobody asked for, right after the reply to {stage}",
            rule=GOING_DOWN,
            hosts=(Host(behaviours=(Surplus(stage, GOES_DOWN, close=True),)),),
            expect=AnyOf(Fails(Cause(Failure.PEER_REPLY, "transient"), GOES_DOWN), CLOSED),
        )
        for stage in (Stage.EHLO, Stage.RCPT)
    ),
    Scenario(
        id="robustness.surplus.data.250",
        title="A 250 behind the 354 is no reply to the dot, which gets a 451",
        rule=NOT_YET_SAID,
        hosts=(
            Host(
                behaviours=(
                    Surplus(Stage.DATA, "250 2.0.0 Stored"),
                    Reply(Stage.DOT, "451 4.3.0 Not stored"),
                )
            ),
        ),
        expect=AnyOf(
            NO_REPLY, Fails(Cause(Failure.PEER_REPLY, "transient"), "451 4.3.0 Not stored"), CLOSED
        ),
    ),
)

ALL_KEYWORDS = (
    "PIPELINING",
    "CHUNKING",
    "BINARYMIME",
    "SMTPUTF8",
    "DSN",
    "REQUIRETLS",
    "MT-PRIORITY MIXER",
    "LIMITS RCPTMAX=1000 MAILMAX=1",
    "PRDR",
    "AUTH PLAIN LOGIN",
    "AUTH=PLAIN LOGIN",
    "DELIVERBY",
    "FUTURERELEASE 3600 2030-01-01T00:00:00Z",
    "RRVS",
    "ETRN",
    "ATRN",
    "TURN",
    "VRFY",
    "EXPN",
    "BURL imap",
    "NO-SOLICITING",
    "SUBMITTER",
    "CHECKPOINT",
    "CONPERM",
    "CONNEG",
    "XCLIENT NAME ADDR",
    "XFORWARD NAME ADDR",
    "VERP",
    "X-EXPS GSSAPI NTLM",
    "X-LINK2STATE",
)
"""What the registry of SMTP service extensions has, and what is seen besides."""

GARBAGE = (
    "250-mx1\n250-%%%%\n250-\n250- \n250-=\n250-SIZE\n250-SIZE SIZE\n250-AUTH\n250-8BITMIME 8BITMIME"
    "\n250-\t\n250-" + "Y" * 400 + "\n250-STARTTLSNOT\n250-X\x7f\n250 ."
)

SIZES_OFFERED = {
    "none": "SIZE",
    "zero": "SIZE 0",
    "word": "SIZE unlimited",
    "twenty-digits": "SIZE 99999999999999999999",
}


def _ehlo(name: str, title: str, behaviour: Behaviour) -> Scenario:
    return Scenario(
        id=f"robustness.offers.{name}",
        title=title,
        rule=UNKNOWN_KEYWORD if name == "garbage" else EXTENSIONS,
        hosts=(Host(behaviours=(behaviour,)),),
    )


OFFERS = (
    _ehlo("everything", "A host that offers every extension there is", Offer(ALL_KEYWORDS)),
    _ehlo("nothing", "A host that offers nothing", Reply(Stage.EHLO, "250 mx1")),
    _ehlo("garbage", "A host whose offers are nonsense", Reply(Stage.EHLO, GARBAGE)),
    *(
        Scenario(
            id=f"robustness.offers.size.{name}",
            title=f"A host that offers {keyword!r} sets no limit that matters",
            rule=SIZE_ARGUMENT,
            hosts=(Host(behaviours=(Reply(Stage.EHLO, f"250-mx1\n250-{keyword}\n250 HELP"),)),),
        )
        for name, keyword in SIZES_OFFERED.items()
    ),
)


def _many(name: str, title: str, messages: int, behaviour: Behaviour) -> Scenario:
    """Many messages to a host that misbehaves in the first attempt, and then no more."""
    plain = Withhold("STARTTLS")
    return Scenario(
        id=f"robustness.many.{name}",
        title=title,
        rule=NONE_LOST,
        hosts=(Host(behaviours=(plain, behaviour)),),
        change=Change(hosts=(Host(behaviours=(plain,)),)),
        mail=Mail(messages=messages),
        expect=Arrives(),
    )


MANY = (
    _many(
        "flapping",
        f"200 messages through a host that breaks down at random (MAILFLOW_SEED={SEED})",
        200,
        Flap(SEED),
    ),
    _many(
        "flapping-keeps",
        f"20 messages through a host that stores some before it cuts (MAILFLOW_SEED={SEED})",
        20,
        Flap(SEED, share=0.3, keeps=True),
    ),
    _many("quota", "30 messages to a host that takes two connections at a time", 30, Quota(2)),
)

SCENARIOS = around(
    "robustness",
    (
        *SMUGGLED,
        *BARE,
        *DOTS,
        *LINES,
        *EIGHT_BITS,
        *ADDRESSES,
        *MESSAGES,
        *LARGE,
        *REPLIES,
        *SURPLUS,
        *OFFERS,
        *MANY,
    ),
)
