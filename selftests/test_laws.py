"""Every law is seen to hold, and seen to object."""

from dataclasses import replace

import pytest

from model.events import (
    Accepted,
    Asked,
    Changed,
    Connected,
    Declined,
    Did,
    Elapsed,
    Encrypted,
    Heard,
    Killed,
    Knocked,
    Reported,
    Returned,
    Strayed,
)
from model.laws import check
from model.ndr_law import advice
from model.report import Report, State
from model.scenario import Alike, Connector, Host, Mail, Reach, Scenario, Source
from model.smtp import Stage
from model.socks import Socks
from model.tls import Flaw, Tls
from model.trace import Trace
from model.verdict import Holds, Law
from model.wishes import Wishes
from selftests.worlds import (
    NOBODY,
    PLACE,
    RECIPIENT,
    SENDER,
    SENT,
    connected,
    deferred,
    ndr,
    queued,
    said,
    scenario,
    stored,
    trace,
)

GOOD = scenario()
STRICT = scenario(connector=Connector(tls=Tls.DOMAIN))
EXPIRED = scenario(
    connector=Connector(tls=Tls.CERTIFICATE), hosts=(Host(certificate=Flaw.EXPIRED),)
)
RELAYED = scenario(connector=Connector(smart_hosts=("mx1",)))
PROXIED = scenario(
    connector=Connector(proxy="mx2"), hosts=(Host("mx1"), Host("mx2", socks=Socks.HEALTHY))
)
LITERAL = scenario(connector=Connector(smart_hosts=("[mx1]",)))
ODD = scenario(mail=Mail(alike=Alike.LINES))
AWAY = scenario(hosts=(Host("mx1"), Host("mx2", reach=Reach.REFUSED)))
FOLDED = scenario(mail=Mail(alike=Alike.TEXT))
FREE = scenario(mail=Mail(alike=Alike.FREE))
STRAYS = b"Subject: x.y\r\n\r\none\ntwo\rthree\0four\r\r\nfive\r\n"
LONG = b"Subject: x.y\r\n\r\n" + b"x" * 2000 + b"\r\n"
HEAD = b"Subject: x.y\r\n\r\n"
EIGHT = b"Subject: x.y\r\n\r\n\xc3\xbc\r\n"
STRANGER = "forged@x-y.test"
FROM_FIRST = scenario(connector=Connector(source=Source.FIRST))
FROM_NOWHERE = scenario(connector=Connector(source=Source.ABSENT))
NULL = scenario(mail=Mail(null_sender=True))
UNWANTED = scenario(mail=Mail(wishes=Wishes(notify=("NEVER",))))


def line(stage: Stage, tls: bool) -> Heard:
    """The agent says a line."""
    return Heard(0.8, "mx1", 1, stage, f"{stage}", tls)


def secured(flaw: Flaw = Flaw.VALID) -> Encrypted:
    """A handshake has succeeded, with what certificate ever."""
    return Encrypted(0.7, "mx1", 1, "TLSv1.3", "TLS_AES_256_GCM_SHA384", "", flaw)


def greeted(*keywords: str, stage: Stage = Stage.EHLO) -> Did:
    """The host says what it offers."""
    return Did(0.6, "mx1", 1, stage, "\n250-".join(("250-mx1", *keywords)), spoiled=False)


def named(address: str) -> Heard:
    """The agent names a recipient."""
    return Heard(0.8, "mx1", 1, Stage.RCPT, f"RCPT TO:<{address}>", tls=False)


def asked(name: str, qtype: str = "MX") -> Asked:
    """The agent asks for records."""
    return Asked(0.2, name, qtype, "udp", "MX 10 mx1.x-y.test", spoiled=False)


def asks_for(address: str) -> Heard:
    """The agent asks in clear whether there is such a mailbox."""
    return Heard(0.8, "mx1", 1, None, f"VRFY {address}", tls=False)


def taken_by(host: str) -> Reported:
    """The agent says that a host has taken the mail."""
    return Reported(1.0, Report(RECIPIENT, State.DELIVERED, 250, "2.0.0", "Stored", host=host))


HOME = said(State.DELIVERED, 250, "2.0.0")
TWO_CASES = replace(PLACE, recipients=(RECIPIENT, RECIPIENT.replace("user", "User")))
FOR_ANOTHER = replace(stored(), recipients=("other@x-y.test",))


def declared(text: str) -> Returned:
    """An NDR whose part for machines is of the kind that may have eight bits (RFC 6533)."""
    told = ndr(diagnostic=f"smtp;550 {text}")
    kind = b"Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: 8bit"
    content = told.content.replace(b"Content-Type: message/delivery-status", kind)
    return replace(told, content=content)


def naming(host: str) -> Returned:
    """An NDR that says which server it is about."""
    told = ndr()
    field = b"Status:", f"Remote-MTA: dns;{host}.x-y.test\r\nStatus:".encode()
    return replace(told, content=told.content.replace(*field))


def misdirected() -> Accepted:
    """A message for somebody whom nobody had named."""
    return replace(stored(), recipients=("xn--user@x-y.test",))


def from_source(ip: str, seen: type[Connected] | type[Knocked] = Connected) -> Trace:
    """A connection from an address, and the two that the machine is told of."""
    place = replace(PLACE, sources={Source.FIRST: "198.18.0.26", Source.ABSENT: "203.0.113.9"})
    came = Knocked(0.4, "mx1", "198.18.1.1", ip) if seen is Knocked else connected(source=ip)
    return trace(came, place=place)


HOLD: list[tuple[str, Law, Scenario, Trace]] = [
    ("delivered once", Law.ACCOUNTED, GOOD, trace(stored(), queued())),
    ("still queued", Law.ACCOUNTED, GOOD, trace(deferred(), queued(RECIPIENT))),
    ("returned once", Law.ACCOUNTED, GOOD, trace(ndr(), queued())),
    (
        "kept by a host that cut, then delivered",
        Law.ACCOUNTED,
        GOOD,
        trace(stored(acknowledged=False), stored(), queued()),
    ),
    ("nobody to tell", Law.ACCOUNTED, NULL, trace(said(State.EXPIRED), queued(), place=NOBODY)),
    ("refused at the door", Law.ACCOUNTED, GOOD, trace(Declined(0.0, "550 no"), queued())),
    (
        "delivered without needless quotes, and to a domain in another case",
        Law.ACCOUNTED,
        GOOD,
        trace(stored(recipient='"user"@X-Y.test'), queued()),
    ),
    (
        "said to be delivered, twice over a restart",
        Law.ACCOUNTED,
        GOOD,
        trace(stored(), HOME, Killed(1.5), replace(deferred(), at=1.6), HOME, queued()),
    ),
    (
        "said of another whose name differs in case",
        Law.ACCOUNTED,
        GOOD,
        trace(stored(), HOME, said(State.RETURNED), queued("User@x-y.test"), place=TWO_CASES),
    ),
    ("all inside TLS", Law.NO_CLEAR_TEXT, STRICT, trace(line(Stage.MAIL, tls=True))),
    ("EHLO may be in clear", Law.NO_CLEAR_TEXT, STRICT, trace(line(Stage.EHLO, tls=False))),
    ("450 with 4.4.316", Law.CODE_CLASS, GOOD, trace(deferred(450, "4.4.316"))),
    (
        "given up with 5.4.7, quoting the last 450",
        Law.CODE_CLASS,
        GOOD,
        trace(deferred(), ndr(status="5.4.7", diagnostic="smtp;450 4.2.1 busy")),
    ),
    ("named", Law.NAMES_SERVER, GOOD, trace(connected(), deferred(text="by 198.18.1.1"))),
    (
        "named at the end",
        Law.NAMES_SERVER,
        GOOD,
        trace(connected(), deferred(text="at MX1.x-y.test.")),
    ),
    ("a delivery to it", Law.NAMES_SERVER, GOOD, trace(connected(), taken_by("mx1.x-y.test"))),
    (
        "named, though its SYN was seen late",
        Law.NAMES_SERVER,
        GOOD,
        trace(connected("mx2"), deferred(text="by 198.18.1.1"), Knocked(1.1, "mx1", "198.18.1.1")),
    ),
    (
        "an unseen one named",
        Law.NAMES_SERVER,
        AWAY,
        trace(connected(), deferred(text="mx2.x-y.test"), sealed=False),
    ),
    (
        "the host named that the proxy was asked for",
        Law.NAMES_SERVER,
        PROXIED,
        trace(connected("mx2"), deferred(text="by 198.18.1.1")),
    ),
    ("after its lifetime", Law.NDR_IN_TIME, GOOD, trace(deferred(), ndr(at=100.0))),
    ("at once when permanent", Law.NDR_IN_TIME, GOOD, trace(said(State.RETURNED), ndr(at=2.0))),
    (
        "after time was let pass",
        Law.NDR_IN_TIME,
        GOOD,
        trace(deferred(), Elapsed(2.0, 160.0), ndr(at=3.0)),
    ),
    ("behind a Received", Law.INTACT, GOOD, trace(stored(b"Received: by a;\r\n x\r\n" + SENT))),
    ("dots doubled", Law.UNAMBIGUOUS, GOOD, trace(stored(wire=b"..\r\na.\r\n..x\r\n"))),
    (
        "EHLO inside TLS",
        Law.GREETS_AGAIN,
        GOOD,
        trace(secured(), line(Stage.EHLO, tls=True), line(Stage.MAIL, tls=True)),
    ),
    ("an NDR in ASCII", Law.LEGIBLE, GOOD, trace(ndr())),
    ("from where it should", Law.SOURCE, FROM_FIRST, from_source("198.18.0.26")),
    ("an NDR by the book", Law.NDR_CONFORMS, GOOD, trace(ndr())),
    ("a server named that was met", Law.NDR_CONFORMS, GOOD, trace(connected(), naming("mx1"))),
    ("an NDR that declares eight bits", Law.LEGIBLE, GOOD, trace(declared("Gr\u00fc\u00dfe"))),
    *(
        (f"mended to {mended!r}", Law.INTACT, ODD, trace(stored(HEAD + mended), sent=STRAYS))
        for mended in (
            b"one\ntwo\rthree\0four\r\r\nfive\r\n",
            b"one\r\ntwo\r\nthree\0four\r\n\r\nfive\r\n",
            b"one\r\ntwo three four\r\nfive\r\n",
            b"one two\r\nthreefour\r\n\r\nfive\r\n",
            b"onetwothree?four\r\nfive\r\n",
        )
    ),
    ("folded", Law.INTACT, FOLDED, trace(stored(LONG.replace(b"xx", b"x\r\n x")), sent=LONG)),
    ("nothing", Law.INTACT, GOOD, trace(stored(b"Received: by a\r\n"), sent=b"")),
    ("an empty line", Law.INTACT, GOOD, trace(stored(b"Received: by a\r\n\r\n"), sent=b"")),
    ("no line end", Law.INTACT, GOOD, trace(stored(b"\r\nbody\r\n"), sent=b"\r\nbody")),
    ("8BITMIME", Law.OFFERED, GOOD, trace(greeted("8BITMIME"), stored(EIGHT))),
    ("in small letters", Law.OFFERED, GOOD, trace(greeted("8bitmime"), stored(EIGHT))),
    ("SMTPUTF8", Law.OFFERED, GOOD, trace(greeted("SMTPUTF8"), named("jörg@x-y.test"))),
    ("nothing strayed", Law.CONFINED, GOOD, trace()),
    ("asked for the MX", Law.CONFINED, GOOD, trace(asked("x-y.test."))),
    ("asked for a smart host's MX", Law.CONFINED, RELAYED, trace(asked("mx1.x-y.test."))),
    (
        "by the proxy",
        Law.CONFINED,
        PROXIED,
        trace(connected("mx2"), Connected(1.0, "mx1", 2, "198.18.1.2")),
    ),
    ("asked for the sender's MX", Law.CONFINED, RELAYED, trace(asked("x-y.home.test."))),
]

OBJECT: list[tuple[str, Law, Scenario, Trace]] = [
    ("lost", Law.ACCOUNTED, GOOD, trace(deferred(), queued())),
    ("delivered twice", Law.ACCOUNTED, GOOD, trace(stored(), stored(), queued())),
    ("delivered and kept", Law.ACCOUNTED, GOOD, trace(stored(), queued(RECIPIENT))),
    ("delivered and returned", Law.ACCOUNTED, GOOD, trace(stored(), ndr(), queued())),
    ("returned twice", Law.ACCOUNTED, GOOD, trace(ndr(), ndr(), queued())),
    (
        "kept by a host that cut, then dropped",
        Law.ACCOUNTED,
        GOOD,
        trace(stored(acknowledged=False), queued()),
    ),
    (
        "delivered to somebody else",
        Law.ACCOUNTED,
        GOOD,
        trace(stored(recipient=STRANGER), stored()),
    ),
    ("queued for somebody else", Law.ACCOUNTED, GOOD, trace(stored(), queued(STRANGER))),
    (
        "delivered in another case",
        Law.ACCOUNTED,
        GOOD,
        trace(stored(recipient=RECIPIENT.replace("user", "USER")), queued()),
    ),
    (
        "lost, and another refused",
        Law.ACCOUNTED,
        GOOD,
        trace(Declined(0.0, "550 no", (STRANGER,)), queued()),
    ),
    ("said to be delivered, and kept", Law.ACCOUNTED, GOOD, trace(HOME, queued(RECIPIENT))),
    (
        "said to be delivered, and then returned",
        Law.ACCOUNTED,
        GOOD,
        trace(stored(), HOME, said(State.RETURNED, 550, "5.0.0"), queued()),
    ),
    ("VRFY in clear", Law.NO_CLEAR_TEXT, STRICT, trace(asks_for(RECIPIENT.upper()))),
    ("MAIL in clear", Law.NO_CLEAR_TEXT, STRICT, trace(line(Stage.MAIL, tls=False))),
    ("body in clear", Law.NO_CLEAR_TEXT, STRICT, trace(line(Stage.DOT, tls=False))),
    (
        "RCPT to a host to be refused",
        Law.NO_CLEAR_TEXT,
        EXPIRED,
        trace(secured(Flaw.EXPIRED), line(Stage.RCPT, tls=True)),
    ),
    ("450 with 5.4.316", Law.CODE_CLASS, GOOD, trace(deferred(450, "5.4.316"))),
    ("deferred with 5.1.1", Law.CODE_CLASS, GOOD, trace(deferred(0, "5.1.1"))),
    ("returned with 4.4.1", Law.CODE_CLASS, GOOD, trace(said(State.RETURNED, 0, "4.4.1"))),
    ("Status 4 with a 550", Law.CODE_CLASS, GOOD, trace(deferred(), ndr(status="4.4.316"))),
    ("server not named", Law.NAMES_SERVER, GOOD, trace(connected(), deferred(text="no idea"))),
    (
        "another server named",
        Law.NAMES_SERVER,
        GOOD,
        trace(connected(), deferred(text="mx2.x-y.test")),
    ),
    (
        "one named that was never called",
        Law.NAMES_SERVER,
        AWAY,
        trace(connected(), deferred(text="mx2.x-y.test")),
    ),
    ("its neighbour", Law.NAMES_SERVER, GOOD, trace(connected(), deferred(text="by 198.18.1.17"))),
    ("below it", Law.NAMES_SERVER, GOOD, trace(connected(), deferred(text="a.mx1.x-y.test"))),
    ("a delivery elsewhere", Law.NAMES_SERVER, GOOD, trace(connected(), taken_by("mx2.x-y.test"))),
    ("too early", Law.NDR_IN_TIME, GOOD, trace(deferred(), ndr(at=50.0))),
    ("expired too early", Law.NDR_IN_TIME, NULL, trace(said(State.EXPIRED, at=50.0), place=NOBODY)),
    (
        "too early although time was let pass",
        Law.NDR_IN_TIME,
        GOOD,
        trace(deferred(), Elapsed(2.0, 60.0), ndr(at=3.0)),
    ),
    ("two of them", Law.NDR_IN_TIME, GOOD, trace(deferred(), ndr(), ndr())),
    ("from somebody", Law.NDR_IN_TIME, GOOD, trace(deferred(), ndr(sender="postmaster@x"))),
    ("to the null sender", Law.NDR_IN_TIME, NULL, trace(deferred(), ndr(), place=NOBODY)),
    ("another sender", Law.INTACT, GOOD, trace(replace(stored(), sender="bounces@x-y.home.test"))),
    ("no sender", Law.INTACT, FREE, trace(replace(stored(), sender=""))),
    ("altered", Law.INTACT, GOOD, trace(stored(SENT.replace(b"body", b"bodY")))),
    ("cut short", Law.INTACT, GOOD, trace(stored(SENT[:-4]))),
    ("a tail", Law.INTACT, GOOD, trace(stored(SENT + b"-- \r\nad\r\n"))),
    ("text put in front", Law.INTACT, GOOD, trace(stored(b"Hello\r\n" + SENT))),
    ("a letter lost", Law.INTACT, ODD, trace(stored(HEAD + b"one\r\nto\r\n"), sent=STRAYS)),
    (
        "a letter of many lost",
        Law.INTACT,
        FOLDED,
        trace(stored(LONG.replace(b"xx", b"x", 1)), sent=LONG),
    ),
    ("text made of nothing", Law.INTACT, GOOD, trace(stored(b"Hello\r\n"), sent=b"")),
    ("a bare LF", Law.UNAMBIGUOUS, GOOD, trace(stored(wire=b"a\nb\r\n"))),
    ("a bare CR", Law.UNAMBIGUOUS, GOOD, trace(stored(wire=b"a\rb\r\n"))),
    ("without 8BITMIME", Law.OFFERED, GOOD, trace(greeted("SIZE"), stored(EIGHT))),
    ("after HELO", Law.OFFERED, GOOD, trace(greeted(stage=Stage.HELO), stored(EIGHT))),
    ("without SMTPUTF8", Law.OFFERED, GOOD, trace(greeted("8BITMIME"), named("jörg@x-y.test"))),
    ("asked for a literal's name", Law.CONFINED, LITERAL, trace(asked("mx1.x-y.test.", "A"))),
    ("a lone dot between LF", Law.UNAMBIGUOUS, GOOD, trace(stored(wire=b"a\n.\nb\r\n"))),
    ("a lone dot between CR", Law.UNAMBIGUOUS, GOOD, trace(stored(wire=b"a\r.\rb\r\n"))),
    ("a lone dot before CR CRLF", Law.UNAMBIGUOUS, GOOD, trace(stored(wire=b"a\r\n.\r\r\nb"))),
    (
        "MAIL as first line inside TLS",
        Law.GREETS_AGAIN,
        GOOD,
        trace(secured(), line(Stage.MAIL, tls=True)),
    ),
    ("stored for nobody that was sent to", Law.INTACT, GOOD, trace(FOR_ANOTHER)),
    ("ESC in an NDR", Law.LEGIBLE, GOOD, trace(ndr(diagnostic="smtp;550 \x1b[31m"))),
    ("CR in an NDR", Law.LEGIBLE, GOOD, trace(ndr(diagnostic="smtp;550 no\rX: y"))),
    ("UTF-8 undeclared", Law.LEGIBLE, GOOD, trace(ndr(diagnostic="smtp;550 Gr\u00fc\u00dfe"))),
    ("too long a line", Law.LEGIBLE, GOOD, trace(ndr(diagnostic="smtp;550 " + "x" * 999))),
    ("ESC declared", Law.LEGIBLE, GOOD, trace(declared("\x1b[31m"))),
    ("from elsewhere", Law.SOURCE, FROM_FIRST, from_source("198.18.1.1")),
    ("a SYN from elsewhere", Law.SOURCE, FROM_FIRST, from_source("198.18.1.1", Knocked)),
    ("from any, having none", Law.SOURCE, FROM_NOWHERE, from_source("198.18.0.26")),
    ("an Action of its own", Law.NDR_CONFORMS, GOOD, trace(ndr(action="bounced"))),
    ("a server named that was not met", Law.NDR_CONFORMS, GOOD, trace(connected(), naming("mx2"))),
    ("mail that is no NDR", Law.NDR_CONFORMS, GOOD, trace(Returned(9.0, "", (SENDER,), SENT))),
    ("an NDR for somebody else", Law.NDR_CONFORMS, GOOD, trace(replace(ndr(), recipients=("x",)))),
    ("more than was wanted", Law.NDR_CONFORMS, UNWANTED, trace(ndr())),
    ("for nobody we know", Law.INTACT, GOOD, trace(misdirected())),
    ("strayed", Law.CONFINED, GOOD, trace(Strayed(1.0, "DNS elsewhere.test MX"))),
    ("round the proxy", Law.CONFINED, PROXIED, trace(connected("mx2"), connected())),
    ("past the smart host", Law.CONFINED, RELAYED, trace(asked("x-y.test."))),
]


@pytest.mark.parametrize(("law", "about", "seen"), [c[1:] for c in HOLD], ids=[c[0] for c in HOLD])
def test_a_law_holds(law: Law, about: Scenario, seen: Trace) -> None:
    """What is right is left alone."""
    holds, wrongs = check(about, seen)

    assert holds[law] is Holds.OK
    assert [wrong for wrong in wrongs if f"law {law}:" in wrong.what] == []


@pytest.mark.parametrize(
    ("law", "about", "seen"), [c[1:] for c in OBJECT], ids=[c[0] for c in OBJECT]
)
def test_a_law_objects(law: Law, about: Scenario, seen: Trace) -> None:
    """What is wrong is named, with both sides."""
    holds, wrongs = check(about, seen)

    assert holds[law] is Holds.BROKEN
    objection = next(wrong for wrong in wrongs if f"law {law}:" in wrong.what)
    assert objection.expected != objection.observed


def test_every_law_is_seen_both_ways() -> None:
    """No law without a case in which it holds and one in which it objects."""
    assert {case[1] for case in HOLD} == {case[1] for case in OBJECT} == set(Law)


def test_in_a_changed_world_no_server_need_be_named_again() -> None:
    """The attempt before may have met one; this one ended before any."""
    named = deferred(text="by 198.18.1.1")
    holds, _ = check(GOOD, trace(connected(), named, Changed(1.5), deferred(text="no such name")))

    assert holds[Law.NAMES_SERVER] is Holds.OK


def test_a_law_with_nothing_to_look_at_says_so() -> None:
    """Not applicable is not the same as kept."""
    holds, _ = check(GOOD, trace())

    laws = (Law.NO_CLEAR_TEXT, Law.CODE_CLASS, Law.NAMES_SERVER, Law.INTACT, Law.OFFERED)
    for law in (*laws, Law.SOURCE):
        assert holds[law] is Holds.NOT_APPLICABLE
    many = scenario(mail=Mail(messages=2))
    unnamed = trace(connected(), deferred(text="no idea"))
    assert check(many, unnamed)[0][Law.NAMES_SERVER] is Holds.NOT_APPLICABLE
    odd = Did(0.6, "mx1", 1, Stage.EHLO, "* sends b'250-mx1'", spoiled=True)
    assert check(GOOD, trace(odd, stored(EIGHT)))[0][Law.OFFERED] is Holds.NOT_APPLICABLE


def test_what_is_only_advised_of_an_ndr_breaks_no_law() -> None:
    """Original-Recipient without ORCPT: the documents disagree."""
    told = ndr()
    field = b"Action:", f"Original-Recipient: rfc822;{RECIPIENT}\r\nAction:".encode()
    seen = trace(replace(told, content=told.content.replace(*field)))

    assert check(GOOD, seen)[0][Law.NDR_CONFORMS] is Holds.OK
    (wrong,) = advice(GOOD, seen)
    assert wrong.what == "NDR: Original-Recipient"
    assert advice(GOOD, trace(told)) == []


@pytest.mark.parametrize(
    ("deed", "count"),
    [
        ("550 5.4.316 no", 0),
        ("250-mx1\n550 no", 0),
        ("* sends b'550 no\\r\\n'", 0),
        ("* sends b'451-a\\r\\n550 no\\r\\n'", 0),
        ("554 5.5.0 no", 1),
        ("250 size 550", 1),
    ],
)
def test_beside_a_server_stands_what_it_said(deed: str, count: int) -> None:
    """An NDR that names a server and quotes somebody else is worth a word (RFC 3464 2.3.6)."""
    host = Did(0.6, "mx1", 1, Stage.RCPT, deed, spoiled=True)

    assert len(advice(GOOD, trace(connected(), host, naming("mx1")))) == count
