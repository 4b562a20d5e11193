"""4.4.317: the connection stands, and the server errs at once: in its greeting, at EHLO, at HELO.

The grids are tables of what real hosts say there, code by code. Codes by which a client goes are
those of RFC 5321 section 4.2; where that leaves it open what comes next, the scenario accepts
what may come.
"""

from catalogue.control import around
from catalogue.rules import (
    ANY_TEXT,
    BARE_CODE,
    FIRST_DIGIT,
    GREETING,
    HELO,
    HELO_OR_NOT,
    KEYWORDS,
    LINE_END,
    LONG_LINE,
    MANY_LINES,
    MULTILINE,
    NEXT_HOST,
    NO_MAIL_HERE,
    NOT_A_REPLY,
    ONE_CODE,
    ONE_REPLY,
    OUT_OF_RANGE,
    OWN_NAME,
    P317,
    P318,
    REPLY_LINE,
    SIZE_ARGUMENT,
)
from model.address import AGENT
from model.behaviours import CutAt, Flood, Fragment, HalfReply, InTls, Reply, SendAt, StallAt
from model.expect import AnyOf, Delivers, Expectation, Fails
from model.failure import Cause, Failure
from model.rule import Rule
from model.scenario import Connector, Host, Scenario
from model.smtp import Behaviour, Stage
from model.tls import Tls

BUSY = "421 4.3.2 Service not available"
CLOSED_TO_YOU = "554 5.7.1 No SMTP service here"
UNKNOWN = "502 5.5.2 Error: command not recognized"
MOST = 1 << 22
"""Octets of a reply that does not end."""

VIOLATION = Fails(Cause(Failure.CANNOT_CONNECT, "protocol-violation"))
CLOSED = Fails(Cause(Failure.CLOSED_ABRUPTLY, "closed"))
HANG = Fails(Cause(Failure.CLOSED_ABRUPTLY, "hang"))
NONSENSE = Fails(Cause(Failure.PEER_REPLY, "protocol-violation"))
FATAL = Fails(Cause(Failure.PEER_REPLY, "out-of-range"))
NO_STARTTLS = Fails(Cause(Failure.CANNOT_CONNECT, "starttls-not-supported"))

ENCRYPTED = Connector(tls=Tls.ENCRYPT)
"""Where mail can only leave if the client has understood that STARTTLS is offered."""


def _refused(reason: str, reply: str) -> Fails:
    return Fails(Cause(Failure.CANNOT_CONNECT, reason), reply)


def _turned_away(reply: str) -> Fails:
    """What a reply of 4yz or 5yz comes to before there is a transaction."""
    return _refused("service-unavailable" if reply[0] == "4" else "greeting-refused", reply)


def _with(*behaviours: Behaviour) -> tuple[Host, ...]:
    return (Host(behaviours=behaviours),)


def _octets(stage: Stage, octets: bytes) -> tuple[Host, ...]:
    """A host whose reply at a stage is good in the main, and put in these octets."""
    return _with(SendAt(stage, octets, takes=True))


GREETINGS = {
    "450": ("it does not know the client's name", "450 4.7.1 Client host rejected: no reverse DNS"),
    "451": ("it is too busy", "451 4.7.1 Service unavailable - try again later"),
    "452": ("its disk is full", "452 4.3.1 Insufficient system storage"),
    "454": ("it cannot start TLS", "454 4.7.0 TLS currently unavailable"),
    "500": ("it has not understood anything", "500 5.3.0 Not here"),
    "503": ("it wants no SMTP", "503 5.5.1 No SMTP service on this port"),
    "530": ("it wants to be logged in to", "530 5.7.0 Must authenticate first"),
    "550": ("it blocks the client's address", "550-5.7.0 Connection refused\n550 5.7.0 IB116"),
    "571": ("a code of some appliances", "571 5.7.1 Blocked by policy"),
}
"""Greetings of 4yz and 5yz, by code: the meaning, and a text seen there."""

NAMED_HOSTS = {
    "blocklisted": (
        "GMX refuses an address on a block list, in four lines",
        (
            "554-gmx.net (mxgmx104) Nemesis ESMTP Service not available\n554-No SMTP service\n"
            "554-IP address is block listed.\n554 For explanation visit postmaster.gmx.net"
        ),
        False,
    ),
    "unknown-address": (
        "T-Online refuses an address it has not seen before, and closes",
        "554 IP=192.0.2.25 - A problem occurred. Ask your postmaster for help. (BL)",
        True,
    ),
}
"""Greetings of well-known hosts, as their postmaster pages show them; whether they close."""

TAKEN_BY_DIGIT = {
    "221": ("says goodbye, and stays", "221 mx1 closing transmission channel"),
    "250": ("says OK", "250 mx1 OK"),
}
NO_GREETING = {
    "354": ("asks for content", "354 Start mail input"),
    "334": ("asks for a password", "334 VXNlcm5hbWU6"),
}
OUTSIDE = {
    "120": ("says that it will be ready in a minute, as FTP does", "120 Ready in 1 minute"),
    "000": ("says 000", "000 mx1 ESMTP"),
    "999": ("says 999", "999 mx1 ESMTP"),
}
"""Greetings with a code that begins with no digit between 2 and 5."""

GREETING_TEXTS: dict[str, tuple[str, Rule, bytes]] = {
    "bare-code": ("is the three digits alone", BARE_CODE, b"220\r\n"),
    "no-text": ("is the code and a space", BARE_CODE, b"220 \r\n"),
    "no-name": ("names no host", ANY_TEXT, b"220 Hello, who are you?\r\n"),
    "utf-8": ("is in UTF-8", ANY_TEXT, "220 mx1 Grüß Gott, 今日は\r\n".encode()),
    "latin-1": ("is in Latin-1", ANY_TEXT, "220 mx1 Grüß Gott\r\n".encode("latin-1")),
    "control-characters": ("rings the bell", ANY_TEXT, b"220 mx1 \x07\x1b[31mred\x1b[0m\x7f\r\n"),
    "512-octets": ("is as long as a line may be", REPLY_LINE, b"220 " + b"x" * 506 + b"\r\n"),
    "multiline": (
        "has three lines, with the terms of use",
        MULTILINE,
        b"220-mx1 ESMTP\r\n220-We take no unsolicited mail.\r\n220 Ready\r\n",
    ),
    "multiline.bare": ("ends in a code alone", MULTILINE, b"220-mx1 ESMTP\r\n220-\r\n220\r\n"),
    "multiline.numbers": (
        "has a line of text that begins with a number",
        MULTILINE,
        b"220-mx1 ESMTP\r\n220-554 messages today\r\n220 Ready\r\n",
    ),
    "multiline.100-lines": (
        "has a hundred lines",
        MANY_LINES,
        b"".join(b"220-Rule %d: be brief\r\n" % n for n in range(99)) + b"220 Ready\r\n",
    ),
}
"""Greetings that are to be taken, however odd: what is odd, and the octets."""

DOUBTFUL_GREETINGS: dict[str, tuple[str, Rule, bytes]] = {
    "lf-only": ("ends in a bare LF", LINE_END, b"220 mx1 ESMTP\n"),
    "2-kb-line": ("is a line of 2 KB", LONG_LINE, b"220 " + b"x" * 2042 + b"\r\n"),
    "64-kb-line": ("is a line of 64 KB", LONG_LINE, b"220 " + b"x" * 65530 + b"\r\n"),
    "four-digits": ("has four digits", NOT_A_REPLY, b"2200 mx1 ESMTP\r\n"),
    "missing-space": ("has no space behind its code", NOT_A_REPLY, b"220mx1 ESMTP\r\n"),
    "leading-space": ("has a space before its code", NOT_A_REPLY, b" 220 mx1 ESMTP\r\n"),
    "behind-a-warning": (
        "stands behind a line of something else",
        NOT_A_REPLY,
        b"warning: cannot open /etc/mail/access\r\n220 mx1 ESMTP\r\n",
    ),
    "nul": ("has a NUL in it", ANY_TEXT, b"220 mx1\0 ESMTP\r\n"),
}
"""Greetings that a client may take or not."""

STRANGERS = {
    "ssh": ("an SSH server", b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n"),
    "pop3": ("a POP3 server", b"+OK Dovecot ready.\r\n"),
    "imap": ("an IMAP server", b"* OK [CAPABILITY IMAP4rev1] Dovecot ready.\r\n"),
    "tls": ("a server that answers in TLS records", b"\x15\x03\x01\x00\x02\x02\x0a"),
}
"""Who else may be listening on port 25: who, and its first words."""

MIXED_GREETINGS = {
    "220-521": (
        "greets, and refuses in the next line, as postscreen does",
        b"220-mx1 ESMTP\r\n521 5.7.1 Service unavailable\r\n",
        "521 5.7.1 Service unavailable",
    ),
    "220-421": (
        "greets, and shuts down in the next line",
        b"220-mx1 ESMTP\r\n421 4.3.2 Too busy\r\n",
        "421 4.3.2 Too busy",
    ),
    "554-220": (
        "refuses, and greets in the next line",
        b"554-No mail here\r\n220 mx1 ESMTP\r\n",
        "554 No mail here",
    ),
}
"""Greetings of two codes: the octets, and the refusal in them."""

NOT_RECOGNISED = {
    "500": ("has never heard of EHLO", "500 5.5.2 Syntax error, command unrecognized"),
    "502": ("knows of EHLO and cannot do it", UNKNOWN),
}
EHLO_REFUSALS = {
    "501": ("does not like the argument of EHLO", "501 5.5.4 Invalid domain name"),
    "503": ("thinks that EHLO comes too early", "503 5.5.1 Bad sequence of commands"),
    "504": ("cannot do the argument of EHLO", "504 5.5.4 Command parameter not implemented"),
    "521": ("says at EHLO that it takes no mail", "521 5.3.2 No mail here"),
    "530": ("wants to be logged in to before EHLO", "530 5.7.0 Authentication required"),
    "550": ("finds the name in EHLO forged", "550 5.7.1 Helo name is not yours"),
    "554": ("refuses at EHLO, by policy", "554 5.7.1 Access denied"),
    "555": ("does not take what EHLO says", "555 5.5.4 Unsupported option"),
}
EHLO_DELAYS = {
    "421.open": ("closes its service at EHLO, and the channel stays", BUSY),
    "450": ("cannot look up the name in EHLO", "450 4.7.1 Helo command rejected: Host not found"),
    "451": ("has a local error at EHLO", "451 4.3.0 Temporary lookup failure"),
    "454": ("is short of something at EHLO", "454 4.7.0 Temporary authentication failure"),
}
"""What hosts say to EHLO, by code; the next two tables: the same to HELO, after a 502 to EHLO."""

HELO_REFUSALS = {
    "500": ("knows neither EHLO nor HELO", "500 5.5.2 Syntax error, command unrecognized"),
    "501": ("does not like the name in HELO either", "501 5.5.4 HELO requires a domain address"),
    "504": ("wants a full name in HELO", "504 5.5.2 Helo command rejected: need FQDN"),
    "521": ("says at HELO that it takes no mail", "521 5.3.2 Host does not accept mail"),
    "550": ("finds the name in HELO forged, too", "550 5.7.1 HELO name does not match"),
    "554": ("refuses at HELO, by policy", "554 5.7.1 You are not welcome"),
}
HELO_DELAYS = {
    "421": ("closes its service at HELO", "421 4.7.0 Try again later, closing connection."),
    "450": ("cannot look up the name in HELO", "450 4.7.1 Helo command rejected: Host not found"),
    "451": ("has a local error at HELO", "451 4.3.0 Local error in processing"),
}

EHLO_TEXTS: dict[str, tuple[str, Rule, bytes, Connector]] = {
    "bare-code": ("is the three digits alone", BARE_CODE, b"250\r\n", Connector()),
    "one-line": ("is one line, without a keyword", MULTILINE, b"250 mx1\r\n", Connector()),
    "empty-lines": (
        "has lines without a keyword",
        MULTILINE,
        b"250-mx1\r\n250-\r\n250- \r\n250 8BITMIME\r\n",
        Connector(),
    ),
    "lower-case": (
        "has its keywords in lower case",
        KEYWORDS,
        b"250-mx1\r\n250-size 1000000\r\n250-starttls\r\n250 help\r\n",
        ENCRYPTED,
    ),
    "mixed-case": (
        "has its keywords in all cases",
        KEYWORDS,
        b"250-mx1\r\n250-SiZe 1000000\r\n250 StartTls\r\n",
        ENCRYPTED,
    ),
    "last-keyword": ("offers STARTTLS last", KEYWORDS, b"250-mx1\r\n250 STARTTLS\r\n", ENCRYPTED),
    "trailing-space": (
        "has spaces behind its keywords",
        KEYWORDS,
        b"250-mx1\r\n250-8BITMIME \r\n250-STARTTLS \r\n250 HELP \r\n",
        ENCRYPTED,
    ),
    "unknown-keywords": (
        "offers what nobody knows",
        KEYWORDS,
        (
            b"250-mx1\r\n250-XEXCH50\r\n250-X-LINK2STATE\r\n250-VRFY=1;ON\r\n250-AUTH=LOGIN\r\n"
            b"250-\x9cber\r\n250-CHUNKIN\r\n250 8BITMIME\r\n"
        ),
        Connector(),
    ),
    "twice-the-same": (
        "offers STARTTLS twice",
        KEYWORDS,
        b"250-mx1\r\n250-STARTTLS\r\n250-SIZE 1000000\r\n250-SIZE 2000000\r\n250 STARTTLS\r\n",
        ENCRYPTED,
    ),
    "size-0": (
        "has a SIZE of 0, which is none",
        SIZE_ARGUMENT,
        b"250-mx1\r\n250 SIZE 0\r\n",
        Connector(),
    ),
    "size-bare": (
        "has a SIZE without a number",
        SIZE_ARGUMENT,
        b"250-mx1\r\n250 SIZE\r\n",
        Connector(),
    ),
    "size-huge": (
        "has a SIZE of twenty digits",
        SIZE_ARGUMENT,
        b"250-mx1\r\n250 SIZE 99999999999999999999\r\n",
        Connector(),
    ),
    "512-octets": (
        "has a line as long as lines may be",
        REPLY_LINE,
        b"250-mx1\r\n250-X" + b"Y" * 505 + b"\r\n250 STARTTLS\r\n",
        ENCRYPTED,
    ),
    "1000-keywords": (
        "has a thousand keywords",
        MANY_LINES,
        b"250-mx1\r\n" + b"".join(b"250-XKEY%d\r\n" % n for n in range(1000)) + b"250 HELP\r\n",
        Connector(),
    ),
    "1000-keywords.under-encrypt": (
        "has a thousand keywords, and STARTTLS behind them",
        MANY_LINES,
        b"250-mx1\r\n" + b"".join(b"250-XKEY%d\r\n" % n for n in range(999)) + b"250 STARTTLS\r\n",
        ENCRYPTED,
    ),
}
"""EHLO replies that are to be taken: what is odd, the rule, the octets, and under what setting."""

DOUBTFUL_EHLO: dict[str, tuple[str, Rule, bytes]] = {
    "lf-only": ("ends its lines in bare LF", LINE_END, b"250-mx1\n250-8BITMIME\n250 HELP\n"),
    "8-kb-line": (
        "has a line of 8 KB",
        LONG_LINE,
        b"250-mx1\r\n250-X" + b"Y" * 8170 + b"\r\n250 8BITMIME\r\n",
    ),
    "missing-space": ("has no space behind a code", NOT_A_REPLY, b"250-mx1\r\n250HELP\r\n"),
    "blank-lines": ("is spaced out by blank lines", NOT_A_REPLY, b"250-mx1\r\n\r\n250 HELP\r\n"),
    "keywords-alone": ("has its code in the first line only", NOT_A_REPLY, b"250-mx1\r\nHELP\r\n"),
    "220": ("is the greeting again", FIRST_DIGIT, b"220 mx1 ESMTP\r\n"),
    "221": ("is a goodbye", FIRST_DIGIT, b"221 mx1 closing\r\n"),
}
"""EHLO replies that a client may take or not."""

UNFINISHED = {
    "missing-last-line": ("leaves out the last line of its EHLO reply", b"250-mx1\r\n250-HELP\r\n"),
    "cr-only": ("ends the lines of its EHLO reply in CR", b"250-mx1\r250-8BITMIME\r250 HELP\r"),
    "no-line-end": ("forgets the last CRLF of its EHLO reply", b"250-mx1\r\n250 HELP"),
}
"""EHLO replies that do not come to an end."""

EARLY: dict[str, tuple[str, tuple[Behaviour, ...]]] = {
    "ehlo": (
        "answers EHLO in its greeting already",
        (
            SendAt(Stage.GREETING, b"220 mx1\r\n250-mx1\r\n250 HELP\r\n", takes=True),
            Reply(Stage.EHLO, ""),
        ),
    ),
    "mail": (
        "answers MAIL behind its EHLO reply already",
        (
            SendAt(Stage.EHLO, b"250-mx1\r\n250 HELP\r\n250 2.1.0 OK\r\n", takes=True),
            Reply(Stage.MAIL, ""),
        ),
    ),
}
"""Who answers before the question, and is silent when it comes: the sum is right."""


def _odd(id: str, title: str, rule: Rule, hosts: tuple[Host, ...], expect: Expectation) -> Scenario:
    return Scenario(id=f"greeting.{id}", title=title, rule=rule, hosts=hosts, expect=expect)


SCENARIOS = around(
    "greeting",
    (
        Scenario(
            id="greeting.421",
            title="The server says that its service is not available",
            rule=P317,
            hosts=(Host(behaviours=(Reply(Stage.GREETING, BUSY, close=True),)),),
            expect=_refused("service-unavailable", BUSY),
        ),
        Scenario(
            id="greeting.421.smart-host",
            title="The smart host says that its service is not available",
            rule=P317,
            hosts=(Host(behaviours=(Reply(Stage.GREETING, BUSY, close=True),)),),
            connector=Connector(smart_hosts=("mx1",)),
            expect=_refused("service-unavailable", BUSY),
        ),
        Scenario(
            id="greeting.421.first-mx",
            title="The first MX is not available, the second takes the mail",
            rule=NEXT_HOST,
            hosts=(Host("mx1", (Reply(Stage.GREETING, BUSY, close=True),)), Host("mx2")),
            expect=Delivers("mx2"),
        ),
        Scenario(
            id="greeting.421.open",
            title="The server says that it closes the channel, and leaves it open",
            rule=P317,
            hosts=_with(Reply(Stage.GREETING, BUSY)),
            expect=_turned_away(BUSY),
        ),
        Scenario(
            id="greeting.554",
            title="The server greets with a refusal",
            rule=P317,
            hosts=(Host(behaviours=(Reply(Stage.GREETING, CLOSED_TO_YOU),)),),
            expect=_refused("greeting-refused", CLOSED_TO_YOU),
        ),
        Scenario(
            id="greeting.554.first-mx",
            title="The first MX refuses, the second takes the mail",
            rule=NEXT_HOST,
            hosts=(Host("mx1", (Reply(Stage.GREETING, CLOSED_TO_YOU),)), Host("mx2")),
            expect=Delivers("mx2"),
        ),
        Scenario(
            id="greeting.521",
            title="The server greets with 521: it takes no mail, ever",
            rule=NO_MAIL_HERE,
            hosts=_with(Reply(Stage.GREETING, "521 mx1 does not accept mail")),
            expect=_turned_away("521 mx1 does not accept mail"),
        ),
        *(
            _odd(
                code,
                f"The server greets with {code}: {words}",
                FIRST_DIGIT if code == "571" else P317,
                _with(Reply(Stage.GREETING, text)),
                _turned_away(text),
            )
            for code, (words, text) in GREETINGS.items()
        ),
        *(
            _odd(
                f"554.{name}",
                title,
                GREETING,
                _with(Reply(Stage.GREETING, text, close=close)),
                _turned_away(text),
            )
            for name, (title, text, close) in NAMED_HOSTS.items()
        ),
        *(
            _odd(
                code,
                f"The server {words} instead of greeting with 220",
                FIRST_DIGIT,
                _with(Reply(Stage.GREETING, text)),
                AnyOf(Delivers(), VIOLATION),
            )
            for code, (words, text) in TAKEN_BY_DIGIT.items()
        ),
        *(
            _odd(
                code,
                f"The server {words} instead of greeting",
                GREETING,
                _with(Reply(Stage.GREETING, text)),
                VIOLATION,
            )
            for code, (words, text) in NO_GREETING.items()
        ),
        *(
            _odd(
                code,
                f"The server {words} instead of greeting",
                OUT_OF_RANGE,
                _with(Reply(Stage.GREETING, text)),
                AnyOf(VIOLATION, FATAL),
            )
            for code, (words, text) in OUTSIDE.items()
        ),
        *(
            _odd(name, f"The greeting {words}", rule, _octets(Stage.GREETING, octets), Delivers())
            for name, (words, rule, octets) in GREETING_TEXTS.items()
        ),
        Scenario(
            id="greeting.no-esmtp.under-encrypt",
            title="The greeting does not say ESMTP, and the server knows EHLO all the same",
            rule=ANY_TEXT,
            hosts=_with(Reply(Stage.GREETING, "220 mx1 Simple Mail Transfer Service Ready")),
            connector=ENCRYPTED,
        ),
        Scenario(
            id="greeting.multiline.slow",
            title="The lines of the greeting come one by one",
            rule=MULTILINE,
            hosts=_with(
                Reply(Stage.GREETING, "220-mx1 One moment\n220-One moment more\n220 mx1 ESMTP"),
                Fragment(Stage.GREETING, piece=20, pause=0.1),
            ),
        ),
        Scenario(
            id="greeting.in-pieces",
            title="The greeting comes in pieces of eight octets",
            rule=LINE_END,
            hosts=_with(
                Reply(Stage.GREETING, "220 mx1.example.com ESMTP service ready"),
                Fragment(Stage.GREETING, piece=8, pause=0.05),
            ),
        ),
        *(
            _odd(
                name,
                f"The greeting {words}",
                rule,
                _with(SendAt(Stage.GREETING, octets)),
                AnyOf(Delivers(), VIOLATION, HANG),
            )
            for name, (words, rule, octets) in DOUBTFUL_GREETINGS.items()
        ),
        *(
            _odd(
                name,
                f"It is {words} that listens there",
                GREETING,
                _with(SendAt(Stage.GREETING, octets)),
                AnyOf(VIOLATION, HANG),
            )
            for name, (words, octets) in STRANGERS.items()
        ),
        Scenario(
            id="greeting.ftp",
            title="It is an FTP server that listens there, which wants a login first",
            rule=GREETING,
            hosts=_with(
                Reply(Stage.GREETING, "220 (vsFTPd 3.0.3)"),
                Reply(Stage.EHLO, "530 Please login with USER and PASS."),
                Reply(Stage.HELO, "530 Please login with USER and PASS."),
            ),
            expect=_turned_away("530 Please login with USER and PASS."),
        ),
        *(
            _odd(
                f"mixed.{name}",
                f"The server {words}",
                ONE_CODE,
                _with(SendAt(Stage.GREETING, octets)),
                AnyOf(_turned_away(refusal), Delivers(), VIOLATION),
            )
            for name, (words, octets, refusal) in MIXED_GREETINGS.items()
        ),
        Scenario(
            id="greeting.half.closed",
            title="The server closes in the middle of its greeting",
            rule=P318,
            hosts=_with(HalfReply(Stage.GREETING, close=True)),
            expect=CLOSED,
        ),
        Scenario(
            id="greeting.half.hang",
            title="The server falls silent in the middle of its greeting",
            rule=P318,
            hosts=_with(HalfReply(Stage.GREETING)),
            expect=HANG,
        ),
        Scenario(
            id="greeting.half.last-line",
            title="The server closes before the last line of its greeting",
            rule=P318,
            hosts=_with(SendAt(Stage.GREETING, b"220-mx1\r\n220-ESMTP\r\n", close=True)),
            expect=CLOSED,
        ),
        Scenario(
            id="greeting.endless-line",
            title="The greeting is a line that does not end",
            rule=NOT_A_REPLY,
            hosts=_with(Flood(Stage.GREETING, b"220 and so on ", MOST)),
            expect=AnyOf(VIOLATION, HANG),
        ),
        Scenario(
            id="greeting.endless-lines",
            title="The greeting has lines without end",
            rule=NOT_A_REPLY,
            hosts=_with(Flood(Stage.GREETING, b"220-One more thing\r\n", MOST)),
            expect=AnyOf(VIOLATION, HANG),
        ),
        Scenario(
            id="greeting.twice",
            title="The server greets twice in one packet",
            rule=ONE_REPLY,
            hosts=_octets(Stage.GREETING, b"220 mx1 ESMTP\r\n220 mx1 ESMTP\r\n"),
            expect=AnyOf(VIOLATION, NONSENSE, HANG, FATAL),
        ),
        Scenario(
            id="greeting.ehlo-421",
            title="The server closes its service at EHLO",
            rule=P317,
            hosts=(Host(behaviours=(Reply(Stage.EHLO, BUSY, close=True),)),),
            expect=_refused("service-unavailable", BUSY),
        ),
        *(
            _odd(
                f"ehlo-{code}",
                f"The server {words}, and takes the mail after HELO",
                HELO,
                _with(Reply(Stage.EHLO, text)),
                Delivers(),
            )
            for code, (words, text) in NOT_RECOGNISED.items()
        ),
        *(
            _odd(
                f"ehlo-{code}",
                f"The server {words}, and would take HELO",
                HELO_OR_NOT,
                _with(Reply(Stage.EHLO, text)),
                AnyOf(Delivers(), _turned_away(text)),
            )
            for code, (words, text) in EHLO_REFUSALS.items()
        ),
        *(
            _odd(
                f"ehlo-{code}",
                f"The server {words}, and would take HELO",
                HELO_OR_NOT,
                _with(Reply(Stage.EHLO, text)),
                AnyOf(_turned_away(text), Delivers()),
            )
            for code, (words, text) in EHLO_DELAYS.items()
        ),
        Scenario(
            id="greeting.ehlo-502.under-encrypt",
            title="The server knows no EHLO, and so no STARTTLS, where TLS is demanded",
            rule=P317,
            hosts=_with(Reply(Stage.EHLO, UNKNOWN)),
            connector=ENCRYPTED,
            expect=NO_STARTTLS,
        ),
        Scenario(
            id="greeting.ehlo-502.in-tls",
            title="The server knows EHLO in clear only, and takes HELO inside TLS",
            rule=HELO,
            hosts=_with(InTls(Reply(Stage.EHLO, UNKNOWN))),
            connector=ENCRYPTED,
        ),
        Scenario(
            id="greeting.ehlo-500.closed",
            title="The server has never heard of EHLO, and closes instead of waiting for HELO",
            rule=HELO_OR_NOT,
            hosts=_with(Reply(Stage.EHLO, "500 5.5.2 Unknown command", close=True)),
            expect=AnyOf(CLOSED, _turned_away("500 5.5.2 Unknown command")),
        ),
        Scenario(
            id="greeting.ehlo-500.late",
            title="The server has never heard of EHLO, and closes once HELO has come",
            rule=HELO,
            hosts=_with(Reply(Stage.EHLO, "500 5.5.2 Unknown command"), CutAt(Stage.HELO)),
            expect=CLOSED,
        ),
        Scenario(
            id="greeting.ehlo-354",
            title="The server asks for content at EHLO",
            rule=NOT_A_REPLY,
            hosts=_with(Reply(Stage.EHLO, "354 Start mail input")),
            expect=AnyOf(VIOLATION, Delivers()),
        ),
        Scenario(
            id="greeting.ehlo-999",
            title="The server says 999 to EHLO",
            rule=OUT_OF_RANGE,
            hosts=_with(Reply(Stage.EHLO, "999 mx1")),
            expect=AnyOf(VIOLATION, FATAL, Delivers()),
        ),
        *(
            _odd(
                f"helo-{code}",
                f"The server {words}",
                P317,
                _with(Reply(Stage.EHLO, UNKNOWN), Reply(Stage.HELO, text, close=code == "421")),
                _turned_away(text),
            )
            for code, (words, text) in (HELO_REFUSALS | HELO_DELAYS).items()
        ),
        Scenario(
            id="greeting.helo-299",
            title="The server says 299 to HELO, which is a yes",
            rule=FIRST_DIGIT,
            hosts=_with(Reply(Stage.EHLO, UNKNOWN), Reply(Stage.HELO, "299 Fine")),
        ),
        Scenario(
            id="greeting.helo.multiline",
            title="The server answers HELO in several lines, as if it had been EHLO",
            rule=MULTILINE,
            hosts=_with(
                Reply(Stage.EHLO, UNKNOWN), Reply(Stage.HELO, "250-mx1\n250-SIZE 1000\n250 DSN")
            ),
        ),
        Scenario(
            id="greeting.helo.hang",
            title="The server knows no EHLO, and falls silent at HELO",
            rule=P318,
            hosts=_with(Reply(Stage.EHLO, UNKNOWN), StallAt(Stage.HELO)),
            expect=HANG,
        ),
        *(
            Scenario(
                id=f"greeting.ehlo.{name}",
                title=f"The EHLO reply {words}",
                rule=rule,
                hosts=_with(SendAt(Stage.EHLO, octets, takes=True, times=1)),
                connector=connector,
            )
            for name, (words, rule, octets, connector) in EHLO_TEXTS.items()
        ),
        *(
            _odd(
                f"ehlo.{name}",
                f"The EHLO reply {words}",
                rule,
                _octets(Stage.EHLO, octets),
                AnyOf(Delivers(), VIOLATION, HANG),
            )
            for name, (words, rule, octets) in DOUBTFUL_EHLO.items()
        ),
        *(
            _odd(
                f"ehlo.{name}",
                f"The server {words}, and waits",
                LINE_END if name == "cr-only" else MULTILINE,
                _with(SendAt(Stage.EHLO, octets)),
                HANG,
            )
            for name, (words, octets) in UNFINISHED.items()
        ),
        Scenario(
            id="greeting.ehlo.own-name",
            title="The client introduces itself by its own full name",
            rule=OWN_NAME,
            says=((Stage.EHLO, AGENT),),
        ),
        Scenario(
            id="greeting.ehlo.endless-lines",
            title="The server offers keywords without end",
            rule=NOT_A_REPLY,
            hosts=_with(Flood(Stage.EHLO, b"250-XMORE\r\n", MOST)),
            expect=AnyOf(VIOLATION, HANG),
        ),
        Scenario(
            id="greeting.ehlo.mixed-codes",
            title="The server offers keywords, and refuses in the last line",
            rule=ONE_CODE,
            hosts=_with(Reply(Stage.EHLO, "250-mx1\n550 5.7.1 Go away")),
            expect=AnyOf(_turned_away("550 5.7.1 Go away"), Delivers(), VIOLATION),
        ),
        *(
            _odd(
                f"early.{name}",
                f"The server {words}",
                ONE_REPLY,
                _with(*behaviours),
                AnyOf(VIOLATION, NONSENSE, HANG, Delivers()),
            )
            for name, (words, behaviours) in EARLY.items()
        ),
    ),
)
