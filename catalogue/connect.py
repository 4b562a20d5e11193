"""4.4.315 and 4.4.316: no connection comes about, or what answers is no mail host."""

from catalogue.control import around
from catalogue.rules import (
    BLACK_HOLE,
    CONNECTOR_OFF,
    EACH_ATTEMPT,
    GREETING_FIRST,
    LOCAL_FAULT,
    NEXT_HOST,
    P315,
    P316,
    P317,
    P318,
    PER_COMMAND,
    PROXY,
    PROXY_REFUSES,
    RETRY,
    SOURCE,
    TOO_MANY,
)
from model.behaviours import (
    CutAt,
    Fragment,
    ImplicitTls,
    Late,
    Quota,
    Reply,
    SendAt,
    StallAt,
)
from model.dns import Zone
from model.expect import AnyOf, Delivers, Expectation, Fails, Recovers, Turns
from model.failure import Cause, Failure
from model.rule import Rule
from model.scenario import (
    HOUR,
    Change,
    Connector,
    Host,
    Mail,
    Mark,
    Party,
    Reach,
    Remedy,
    Scenario,
    Source,
)
from model.shortage import Shortage
from model.smtp import Action, Behaviour, Listen, Send, Stage
from model.socks import Socks
from model.tls import Tls

REFUSED = Fails(Cause(Failure.CONNECTION_REFUSED, "reset"))
PROHIBITED = Fails(Cause(Failure.CONNECTION_REFUSED, "prohibited"))
SILENT = Fails(Cause(Failure.CONNECTION_TIMED_OUT, "silent"))
UNREACHABLE = Fails(Cause(Failure.CONNECTION_TIMED_OUT, "unreachable"))
CLOSED = Fails(Cause(Failure.CLOSED_ABRUPTLY, "closed"))
RESET = Fails(Cause(Failure.CLOSED_ABRUPTLY, "reset"))
HANG = Fails(Cause(Failure.CLOSED_ABRUPTLY, "hang"))
NO_SMTP = Fails(Cause(Failure.CANNOT_CONNECT, "protocol-violation"))

BY_NAME = Connector(smart_hosts=("mx1",))
BY_ADDRESS = Connector(smart_hosts=("[mx1]",))
TWO_ADDRESSES = Zone(("@ MX 10 mx1", "mx1 A {mx1}", "mx1 A {also}"))
HEALTHY = Change(hosts=(Host("mx1"),))

AWAY: dict[Reach, tuple[Rule, Fails, str]] = {
    Reach.REFUSED: (P316, REFUSED, "The port is closed: RST"),
    Reach.SILENT: (P315, SILENT, "SYNs vanish"),
    Reach.BACKLOG: (P315, SILENT, "The queue of the listener is full: SYNs are dropped"),
    Reach.UNREACHABLE: (P315, UNREACHABLE, "A router says that the host cannot be reached"),
    Reach.NET_UNREACHABLE: (P315, UNREACHABLE, "A router says that the net cannot be reached"),
    Reach.PORT_UNREACHABLE: (P316, REFUSED, "A packet filter rejects: ICMP port unreachable"),
    Reach.PROHIBITED: (P316, PROHIBITED, "A firewall prohibits the connection by ICMP"),
    Reach.NET_PROHIBITED: (P316, PROHIBITED, "A firewall prohibits the whole net by ICMP"),
}
"""Where no connection comes about: the rule, how it fails, and the title."""
ALONE = (Reach.BACKLOG, Reach.NET_UNREACHABLE, Reach.PORT_UNREACHABLE, Reach.NET_PROHIBITED)
"""Those whose plainest case, one host by MX, is not written out below."""

AFTER_ACCEPT: dict[str, tuple[tuple[Behaviour, ...], Fails, str]] = {
    "closed": ((CutAt(Stage.GREETING),), CLOSED, "closed"),
    "reset": ((CutAt(Stage.GREETING, reset=True),), RESET, "reset"),
    "no-banner": ((StallAt(Stage.GREETING),), HANG, "never greeted"),
}
"""A connection that is accepted and comes to nothing."""

HTTP_400 = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
HTTP_408 = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

SERVICES: dict[str, tuple[tuple[Action, ...], Fails, str]] = {
    "http": (
        (Listen(), Send(HTTP_400, close=True)),
        HANG,
        "A web server, which waits for a request",
    ),
    "ssh": (
        (
            Send(b"SSH-2.0-OpenSSH_9.2p1\r\n"),
            Send(b"Invalid SSH identification string.\r\n", close=True),
        ),
        NO_SMTP,
        "An SSH server",
    ),
    "pop3": (
        (Send(b"+OK POP3 ready\r\n"), *(Send(b"-ERR unknown command\r\n"),) * 9),
        NO_SMTP,
        "A POP3 server",
    ),
    "imap": (
        (Send(b"* OK IMAP4rev1 ready\r\n"), *(Send(b"* BAD no such command\r\n"),) * 9),
        NO_SMTP,
        "An IMAP server",
    ),
    "ftp": (
        (
            Send(b"220 FTP server ready\r\n"),
            Send(b"500 EHLO not understood\r\n"),
            Send(b"500 HELO not understood\r\n"),
            Send(b"221 Goodbye\r\n", close=True),
        ),
        Fails(Cause(Failure.CANNOT_CONNECT, "greeting-refused"), "500 HELO not understood"),
        "An FTP server, which greets as a mail host does",
    ),
}
"""What else may listen at the port: what it says first, and then to each line."""

SHORT = Reply(Stage.GREETING, "220 mx1 ESMTP")
"""Fifteen octets with its CRLF, so that the shares of the time-out between them can be told."""

TOO_BUSY = "421 4.7.0 Too many connections"
QUOTA = Fails(Cause(Failure.CANNOT_CONNECT, "service-unavailable"), TOO_BUSY)
SLOWLY = Late(Stage.GREETING, 0.4)
"""Keeps connections open long enough for those of several messages to overlap, before any of
them has been turned away: agents remember that of a host."""

BY_PROXY = Connector(proxy="proxy")
PROXIES: dict[str, tuple[Host, Rule, Expectation, str]] = {
    "closed": (
        Host("proxy", reach=Reach.REFUSED, socks=Socks.HEALTHY),
        PROXY,
        REFUSED,
        "is not there: RST",
    ),
    "fails": (
        Host("proxy", socks=Socks.FAILS),
        PROXY_REFUSES,
        AnyOf(UNREACHABLE, REFUSED),
        "says that it failed, and not why",
    ),
    "unreachable": (
        Host("proxy", socks=Socks.UNREACHABLE),
        PROXY_REFUSES,
        UNREACHABLE,
        "says that the host cannot be reached",
    ),
    "refuses": (
        Host("proxy", socks=Socks.REFUSES),
        PROXY_REFUSES,
        REFUSED,
        "says that the host has refused",
    ),
    "hangs-up": (
        Host("proxy", socks=Socks.HANGS_UP),
        PROXY,
        AnyOf(CLOSED, UNREACHABLE),
        "closes when it is asked to connect",
    ),
    "silent": (
        Host("proxy", socks=Socks.SILENT),
        PROXY,
        AnyOf(SILENT, HANG),
        "never answers the request",
    ),
    "garbage": (
        Host("proxy", socks=Socks.GARBAGE),
        PROXY,
        AnyOf(NO_SMTP, CLOSED, UNREACHABLE),
        "is no proxy: it answers with text",
    ),
}
"""What is wrong with a proxy: the rule, how the attempt may fail, and the title.

No document says how a failure of the proxy's own is to be reported, so the nearest codes are taken.
"""
NO_SOURCE = Fails(Cause(Failure.LOCAL_FAULT, "source-address"))
FROM_FIRST, FROM_SECOND = Connector(source=Source.FIRST), Connector(source=Source.SECOND)
FROM_NOWHERE = Connector(source=Source.ABSENT)
BARS_FIRST = Host(bars=Source.FIRST)
LATER = "450 4.2.1 Later"
NO_PORT = Recovers(Fails(Cause(Failure.PEER_REPLY, "transient"), LATER), then=(NO_SOURCE,))


def _later(name: str = "mx1", times: int = 1) -> Host:
    """A host that puts the mail off until the ports are gone."""
    return Host(name, (Reply(Stage.RCPT, LATER, times=times),))


def _from_second(words: str) -> tuple[Mark, ...]:
    """The connector is given another source address, in the running agent."""
    change = Change(connector=FROM_SECOND, remedy=Remedy(words, Party.CONNECTOR))
    return (Mark(5 * HOUR, change=change),)


SCENARIOS = around(
    "connect",
    (
        Scenario(
            id="connect.silent",
            title="The server is down: nothing answers",
            rule=P315,
            hosts=(Host(reach=Reach.SILENT),),
            expect=SILENT,
        ),
        Scenario(
            id="connect.silent.smart-host",
            title="The smart host's address is wrong: nothing answers there",
            rule=P315,
            hosts=(Host(reach=Reach.SILENT),),
            connector=BY_ADDRESS,
            expect=SILENT,
        ),
        Scenario(
            id="connect.unreachable",
            title="The server's network cannot be reached",
            rule=P315,
            hosts=(Host(reach=Reach.UNREACHABLE),),
            expect=UNREACHABLE,
        ),
        Scenario(
            id="connect.unreachable.smart-host",
            title="The smart host's address is wrong: no way leads there",
            rule=P315,
            hosts=(Host(reach=Reach.UNREACHABLE),),
            connector=BY_ADDRESS,
            expect=UNREACHABLE,
        ),
        Scenario(
            id="connect.refused",
            title="A firewall resets the connection",
            rule=P316,
            hosts=(Host(reach=Reach.REFUSED),),
            expect=REFUSED,
        ),
        Scenario(
            id="connect.prohibited",
            title="A firewall says by ICMP that the connection is prohibited",
            rule=P316,
            hosts=(Host(reach=Reach.PROHIBITED),),
            expect=PROHIBITED,
        ),
        *(
            Scenario(
                id=f"connect.{reach}",
                title=AWAY[reach][2],
                rule=AWAY[reach][0],
                hosts=(Host(reach=reach),),
                expect=AWAY[reach][1],
            )
            for reach in ALONE
        ),
        Scenario(
            id="connect.refused.decommissioned",
            title="The connector still points to a server that was shut down after a migration",
            rule=P316,
            hosts=(Host(reach=Reach.REFUSED),),
            connector=BY_NAME,
            expect=REFUSED,
        ),
        Scenario(
            id="connect.connector-off",
            title="The old server's connector has been disabled: mail goes by MX",
            rule=CONNECTOR_OFF,
            hosts=(Host("mx1"), Host("old")),
            zone=Zone(("@ MX 10 mx1", "mx1 A {mx1}", "old A {old}")),
            connector=Connector(smart_hosts=("old",), tls=Tls.DOMAIN, enabled=False),
            expect=Delivers(),
        ),
        Scenario(
            id="connect.refused.all-addresses",
            title="Each of the host's three addresses refuses",
            rule=P316,
            hosts=tuple(Host(name, reach=Reach.REFUSED) for name in ("mx1", "also", "too")),
            zone=Zone(("@ MX 10 mx1", "mx1 A {mx1}", "mx1 A {also}", "mx1 A {too}")),
            expect=REFUSED,
        ),
        *(
            Scenario(
                id=f"connect.{reach}.all-addresses",
                title=f"{title}, at each of the host's two addresses",
                rule=rule,
                hosts=(Host("mx1", reach=reach), Host("also", reach=reach)),
                zone=TWO_ADDRESSES,
                expect=fails,
            )
            for reach, (rule, fails, title) in AWAY.items()
            if reach is not Reach.REFUSED
        ),
        *(
            Scenario(
                id=f"connect.{reach}.once",
                title=f"{title}; at the next attempt the host is there",
                rule=RETRY,
                hosts=(Host(reach=reach),),
                change=HEALTHY,
                expect=Recovers(fails),
            )
            for reach, (_, fails, title) in AWAY.items()
        ),
        Scenario(
            id="connect.silent.then-refused",
            title="The server was down, and is up again without its mail service",
            rule=EACH_ATTEMPT,
            hosts=(Host(reach=Reach.SILENT),),
            change=Change(hosts=(Host(reach=Reach.REFUSED),)),
            expect=Turns(SILENT, REFUSED),
        ),
        Scenario(
            id="connect.refused.then-silent",
            title="The mail service was down, and now the whole server is",
            rule=EACH_ATTEMPT,
            hosts=(Host(reach=Reach.REFUSED),),
            change=Change(hosts=(Host(reach=Reach.SILENT),)),
            expect=Turns(REFUSED, SILENT),
        ),
        Scenario(
            id="connect.refused.first-mx",
            title="The first MX refuses, the second takes the mail",
            rule=NEXT_HOST,
            hosts=(Host("mx1", reach=Reach.REFUSED), Host("mx2")),
            expect=Delivers("mx2"),
        ),
        Scenario(
            id="connect.refused.first-smart-host",
            title="The first smart host refuses, the second takes the mail",
            rule=NEXT_HOST,
            hosts=(Host("mx1", reach=Reach.REFUSED), Host("mx2")),
            connector=Connector(smart_hosts=("mx1", "mx2")),
            expect=Delivers("mx2"),
        ),
        Scenario(
            id="connect.silent.first-mx",
            title="The first MX is down, the second takes the mail",
            rule=NEXT_HOST,
            hosts=(Host("mx1", reach=Reach.SILENT), Host("mx2")),
            expect=Delivers("mx2"),
        ),
        *(
            Scenario(
                id=f"connect.accepted.{name}.all-addresses",
                title=f"A connection to either address of the host is accepted and {word}",
                rule=P318,
                hosts=(Host("mx1", flaw), Host("also", flaw)),
                zone=TWO_ADDRESSES,
                expect=fails,
                order=("mx1|also",),
            )
            for name, (flaw, fails, word) in AFTER_ACCEPT.items()
        ),
        *(
            Scenario(
                id=f"connect.accepted.{name}.once",
                title=f"The connection is accepted and {word}; at the next attempt all is well",
                rule=RETRY,
                hosts=(Host(behaviours=flaw),),
                connector=BY_ADDRESS,
                change=HEALTHY,
                expect=Recovers(fails),
            )
            for name, (flaw, fails, word) in AFTER_ACCEPT.items()
        ),
        *(
            Scenario(
                id=f"connect.wrong-service.{name}",
                title=f"{title} listens where the mail host should",
                rule=GREETING_FIRST if fails is HANG else P317,
                hosts=(Host(script=script),),
                connector=BY_ADDRESS,
                expect=fails,
            )
            for name, (script, fails, title) in SERVICES.items()
        ),
        Scenario(
            id="connect.wrong-service.http-times-out",
            title="A web server listens there, and says in the end that no request came",
            rule=P317,
            hosts=(
                Host(
                    behaviours=(
                        SendAt(Stage.GREETING, HTTP_408, close=True),
                        Late(Stage.GREETING, 0.5),
                    )
                ),
            ),
            expect=NO_SMTP,
        ),
        Scenario(
            id="connect.wrong-service.implicit-tls",
            title="A server that wants TLS first listens there: both sides wait for the other",
            rule=GREETING_FIRST,
            hosts=(Host(behaviours=(ImplicitTls(),)),),
            connector=BY_ADDRESS,
            expect=HANG,
        ),
        Scenario(
            id="connect.wrong-service.implicit-tls.all-addresses",
            title="Both addresses of the host want TLS first",
            rule=GREETING_FIRST,
            hosts=(Host("mx1", (ImplicitTls(),)), Host("also", (ImplicitTls(),))),
            zone=TWO_ADDRESSES,
            expect=HANG,
            order=("mx1|also",),
        ),
        Scenario(
            id="connect.wrong-service.moved-in",
            title="At first another service has the port, at the next attempt the mail host has",
            rule=RETRY,
            hosts=(Host(script=SERVICES["ssh"][0]),),
            change=HEALTHY,
            expect=Recovers(NO_SMTP),
        ),
        Scenario(
            id="connect.banner.binary",
            title="The greeting is a line of octets that are no text",
            rule=P317,
            hosts=(Host(behaviours=(SendAt(Stage.GREETING, b"\xff\xfd\x18\x00\x01\x80\r\n"),)),),
            expect=NO_SMTP,
        ),
        Scenario(
            id="connect.banner.tls-alert",
            title="In place of a greeting comes a TLS alert, and then the end",
            rule=P318,
            hosts=(
                Host(
                    behaviours=(
                        SendAt(Stage.GREETING, b"\x15\x03\x01\x00\x02\x02\x28", close=True),
                    )
                ),
            ),
            expect=AnyOf(CLOSED, NO_SMTP),
        ),
        Scenario(
            id="connect.banner.trickled",
            title="The greeting comes octet by octet, but in time",
            rule=PER_COMMAND,
            hosts=(Host(behaviours=(SHORT, Fragment(Stage.GREETING, piece=1, pause=0.035))),),
            expect=Delivers(),
        ),
        Scenario(
            id="connect.banner.trickled-too-late",
            title="The greeting comes octet by octet, each in time, but all of it too late",
            rule=PER_COMMAND,
            hosts=(Host(behaviours=(SHORT, Fragment(Stage.GREETING, piece=1, pause=0.1))),),
            expect=AnyOf(HANG, Delivers()),
        ),
        Scenario(
            id="connect.banner.trickled-to-a-stop",
            title="The greeting comes octet by octet, and stops before its end",
            rule=P318,
            hosts=(
                Host(
                    behaviours=(
                        Reply(Stage.GREETING, "220-mx1 is slow"),
                        Fragment(Stage.GREETING, piece=1, pause=0.01),
                    )
                ),
            ),
            expect=HANG,
        ),
        Scenario(
            id="connect.quota.at-once",
            title="More than two connections at once are turned away: the others wait their turn",
            rule=TOO_MANY,
            hosts=(Host(behaviours=(Quota(2, TOO_BUSY), SLOWLY)),),
            mail=Mail(messages=6),
            expect=Recovers(QUOTA, some=True),
            most_connections=6,
        ),
        Scenario(
            id="connect.quota.smart-host",
            title="The smart host takes one connection at a time",
            rule=TOO_MANY,
            hosts=(Host(behaviours=(Quota(1, TOO_BUSY), SLOWLY)),),
            mail=Mail(messages=3),
            connector=BY_ADDRESS,
            expect=Recovers(QUOTA, some=True),
            most_connections=3,
        ),
        Scenario(
            id="connect.quota.third-connection",
            title="The third connection is one too many, whosever it is",
            rule=TOO_MANY,
            hosts=(
                Host(
                    behaviours=(
                        Reply(Stage.GREETING, TOO_BUSY, close=True, since=3, times=1),
                        SLOWLY,
                    ),
                ),
            ),
            mail=Mail(messages=4),
            expect=Recovers(QUOTA, some=True),
            most_connections=4,
        ),
        Scenario(
            id="connect.proxy.healthy",
            title="The mail goes by the proxy, and every connection comes from there",
            rule=PROXY,
            hosts=(Host("mx1"), Host("proxy", socks=Socks.HEALTHY)),
            connector=BY_PROXY,
            expect=Delivers(),
        ),
        *(
            Scenario(
                id=f"connect.proxy.{name}",
                title=f"The proxy {title}: the mail waits, and does not go round it",
                rule=rule,
                hosts=(Host("mx1"), proxy),
                connector=BY_PROXY,
                expect=expect,
            )
            for name, (proxy, rule, expect, title) in PROXIES.items()
        ),
        *(
            Scenario(
                id=f"connect.proxy.{name}.once",
                title=f"The proxy {PROXIES[name][3]}, and is mended: the mail leaves by it",
                rule=RETRY,
                hosts=(Host("mx1"), PROXIES[name][0]),
                connector=BY_PROXY,
                change=Change(hosts=(Host("proxy", socks=Socks.HEALTHY),)),
                expect=Recovers(REFUSED),
            )
            for name in ("closed", "refuses")
        ),
        Scenario(
            id="connect.mtu-black-hole",
            title="What is larger than a packet on the way vanishes, and nobody says so",
            rule=BLACK_HOLE,
            hosts=(Host(swallows=1200),),
            mail=Mail(octets=60_000),
            expect=HANG,
        ),
        Scenario(
            id="connect.mtu-black-hole.once",
            title="What is large vanishes on the way, until somebody mends the tunnel",
            rule=RETRY,
            hosts=(Host(swallows=1200),),
            mail=Mail(octets=60_000),
            change=HEALTHY,
            expect=Recovers(HANG),
        ),
        # From where
        Scenario(
            id="connect.source.second",
            title="The connector names one of the machine's addresses to connect from",
            rule=SOURCE,
            connector=FROM_SECOND,
        ),
        Scenario(
            id="connect.source.welcome",
            title="A firewall turns one address away, and the connector names another",
            rule=SOURCE,
            hosts=(BARS_FIRST,),
            connector=FROM_SECOND,
        ),
        Scenario(
            id="connect.source.refused",
            title="A firewall turns away the address that the connector names, and no other",
            rule=P316,
            hosts=(BARS_FIRST,),
            connector=FROM_FIRST,
            expect=PROHIBITED,
        ),
        Scenario(
            id="connect.source.refused.first-mx",
            title="The first MX host turns the connector's address away, the second does not",
            rule=NEXT_HOST,
            hosts=(BARS_FIRST, Host("mx2")),
            connector=FROM_FIRST,
            expect=Delivers("mx2"),
        ),
        Scenario(
            id="connect.source.refused.another-named",
            title="An address is turned away until the connector names another one",
            rule=P316,
            hosts=(BARS_FIRST,),
            connector=FROM_FIRST,
            course=_from_second("the connector is given an address that is not on a list"),
            expect=Recovers(PROHIBITED),
        ),
        Scenario(
            id="connect.source.absent",
            title="The address that the connector names is not on this machine",
            rule=LOCAL_FAULT,
            connector=FROM_NOWHERE,
            expect=NO_SOURCE,
        ),
        Scenario(
            id="connect.source.absent.corrected",
            title="The address is not on this machine, until the connector names one that is",
            rule=LOCAL_FAULT,
            connector=FROM_NOWHERE,
            course=_from_second("the connector is given an address that the machine has"),
            expect=Recovers(NO_SOURCE),
        ),
        *(
            Scenario(
                id=f"connect.ports.used-up{variant}",
                title=f"No port is left to connect from: {words}, and leaves when there are some",
                rule=LOCAL_FAULT,
                hosts=hosts,
                connector=Connector(smart_hosts=smart_hosts),
                mail=Mail(messages=messages),
                short_of=Shortage.NO_PORTS,
                expect=NO_PORT,
            )
            for variant, words, hosts, smart_hosts, messages in (
                ("", "the mail waits", (_later(),), (), 1),
                (".two-hosts", "no host has the blame", (_later(), _later("mx2")), (), 1),
                (".smart-host", "mail by a smart host waits", (_later(),), ("mx1",), 1),
                (".many", "each of twenty messages waits", (_later(times=20),), (), 20),
            )
        ),
    ),
    connector=BY_ADDRESS,
)
