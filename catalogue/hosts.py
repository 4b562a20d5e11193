"""What several hosts, addresses and smart hosts do to a message: order, fallback, limits."""

from catalogue.control import around
from catalogue.rules import (
    CERTIFICATE_VALIDATION,
    DOT,
    EACH_ATTEMPT_ANEW,
    ENCRYPTION_ONLY,
    ERROR_OF_WHICH,
    FALLBACK,
    FALLBACK_NOWHERE,
    HOST_REFUSES,
    IN_TRANSACTION,
    LIMIT,
    MX_EQUAL,
    MX_ONLY,
    NEXT_HOST,
    NOT_TWICE,
    ORDER,
    PERMANENT,
    PREFERENCE,
    TOO_MANY,
)
from model.behaviours import (
    CutAt,
    CutBody,
    KeepThenCut,
    Reply,
    SendAt,
    StallAt,
    ToRecipient,
    Withhold,
)
from model.dns import Fault, NoData, Rcode, Silence, Zone
from model.expect import AnyOf, Arrives, Delivers, Each, Fails, Recovers
from model.failure import Cause, Failure
from model.scenario import HOUR, Change, Connector, Host, Mail, Mark, Reach, Scenario
from model.smtp import Stage
from model.tls import Flaw, Handshake, Tls

BUSY = "421 4.3.2 Service not available"
CLOSED_TO_YOU = "554 5.7.1 No SMTP service here"
NOT_NOW = "454 4.7.0 TLS not available due to temporary reason"

REFUSED = Fails(Cause(Failure.CONNECTION_REFUSED, "reset"))
SILENT = Fails(Cause(Failure.CONNECTION_TIMED_OUT, "silent"))
CLOSED = Fails(Cause(Failure.CLOSED_ABRUPTLY, "closed"))
HANG = Fails(Cause(Failure.CLOSED_ABRUPTLY, "hang"))
UNAVAILABLE = Fails(Cause(Failure.CANNOT_CONNECT, "service-unavailable"), BUSY)
TURNED_AWAY = Fails(Cause(Failure.CANNOT_CONNECT, "greeting-refused"), CLOSED_TO_YOU)
NO_STARTTLS = Fails(Cause(Failure.CANNOT_CONNECT, "starttls-not-supported"))
EXPIRED = Fails(Cause(Failure.CERTIFICATE_INVALID, "certificate-expired"))
NO_NAME = Fails(Cause(Failure.DNS_QUERY_FAILED, "servfail"))


def _deferred(text: str) -> Fails:
    return Fails(Cause(Failure.PEER_REPLY, "transient"), text)


def _rejected(text: str) -> Fails:
    return Fails(Cause(Failure.PEER_REPLY, "permanent"), text)


WAYS = {"mx": (), "smart-hosts": ("mx1", "mx2")}
"""Both ways to have two hosts: two MX records, or a connector with two smart hosts."""
TWO_MX = Zone(("@ MX 10 mx1", "@ MX 20 mx2", "mx1 A {mx1}", "mx2 A {mx2}"))
TWO_ADDRESSES = Zone((*TWO_MX.records, "mx1 A {also}"))
NO_TLS_NEEDED, ENCRYPT, CERTIFICATE, DOMAIN = Tls.NONE, Tls.ENCRYPT, Tls.CERTIFICATE, Tls.DOMAIN

FIRST: dict[str, tuple[Host, Tls, str]] = {
    "refused": (Host(reach=Reach.REFUSED), NO_TLS_NEEDED, "refuses"),
    "silent": (Host(reach=Reach.SILENT), NO_TLS_NEEDED, "does not answer"),
    "backlog": (Host(reach=Reach.BACKLOG), NO_TLS_NEEDED, "has a full queue"),
    "unreachable": (Host(reach=Reach.UNREACHABLE), NO_TLS_NEEDED, "cannot be reached"),
    "net-unreachable": (Host(reach=Reach.NET_UNREACHABLE), NO_TLS_NEEDED, "is in a lost net"),
    "prohibited": (Host(reach=Reach.PROHIBITED), NO_TLS_NEEDED, "is behind a firewall"),
    "no-banner": (Host(behaviours=(StallAt(Stage.GREETING),)), NO_TLS_NEEDED, "never greets"),
    "closed": (Host(behaviours=(CutAt(Stage.GREETING),)), NO_TLS_NEEDED, "closes at once"),
    "garbage": (
        Host(behaviours=(SendAt(Stage.GREETING, b"+OK ready\r\n"),)),
        NO_TLS_NEEDED,
        "is no mail host",
    ),
    "greeting-421": (
        Host(behaviours=(Reply(Stage.GREETING, BUSY, close=True),)),
        NO_TLS_NEEDED,
        "greets with 421",
    ),
    "ehlo-421": (
        Host(behaviours=(Reply(Stage.EHLO, BUSY, close=True),)),
        NO_TLS_NEEDED,
        "answers EHLO with 421",
    ),
    "ehlo-closed": (Host(behaviours=(CutAt(Stage.EHLO),)), NO_TLS_NEEDED, "closes at EHLO"),
    "ehlo-hang": (Host(behaviours=(StallAt(Stage.EHLO),)), NO_TLS_NEEDED, "is silent at EHLO"),
    "no-starttls": (Host(behaviours=(Withhold("STARTTLS"),)), ENCRYPT, "has no TLS"),
    "starttls-454": (
        Host(behaviours=(Reply(Stage.STARTTLS, NOT_NOW),)),
        ENCRYPT,
        "refuses STARTTLS",
    ),
    "starttls-closed": (Host(behaviours=(CutAt(Stage.STARTTLS),)), ENCRYPT, "closes at STARTTLS"),
    "handshake-closed": (
        Host(behaviours=(CutAt(Stage.HANDSHAKE),)),
        ENCRYPT,
        "closes in the handshake",
    ),
    "no-common-version": (
        Host(handshake=Handshake.NO_COMMON_VERSION),
        ENCRYPT,
        "speaks no TLS version that we do",
    ),
    "expired": (Host(certificate=Flaw.EXPIRED), CERTIFICATE, "shows an expired certificate"),
    "unknown-ca": (Host(certificate=Flaw.UNKNOWN_CA), CERTIFICATE, "is certified by a stranger"),
    "wrong-name": (Host(certificate=Flaw.WRONG_NAME), DOMAIN, "shows another's certificate"),
}
"""What is wrong with the first host before MAIL: the host, the TLS asked for, and the title."""
ELSEWHERE = {
    ("refused", "mx"),
    ("refused", "smart-hosts"),
    ("silent", "mx"),
    ("greeting-421", "mx"),
    ("expired", "smart-hosts"),
}
"""Those that the chapters about the flaw have already."""

NAMES: dict[str, tuple[Fault, str]] = {
    "nxdomain": (Rcode("NXDOMAIN"), "does not exist"),
    "servfail": (Rcode("SERVFAIL"), "cannot be had"),
    "no-answer": (Silence(), "gets no answer"),
    "no-address": (NoData(), "has no address"),
}
"""What is wrong with the first host's name."""

REFUSALS: dict[str, tuple[Host, str]] = {
    "greeting-554": (
        Host(behaviours=(Reply(Stage.GREETING, CLOSED_TO_YOU),)),
        "greets with 554",
    ),
    "helo-554": (
        Host(
            behaviours=(Reply(Stage.EHLO, CLOSED_TO_YOU), Reply(Stage.HELO, CLOSED_TO_YOU)),
        ),
        "refuses EHLO and HELO for good",
    ),
}
"""A 5yz before there is a transaction: about the host, or about the mail? Both are read."""

REPLIES = {
    Stage.MAIL: ("451 4.3.0 Try again later", "550 5.7.1 Sender not wanted"),
    Stage.RCPT: ("450 4.2.1 Mailbox busy", "550 5.1.1 No such user"),
    Stage.DATA: ("451 4.3.2 Not now", "554 5.5.1 No message wanted"),
    Stage.DOT: ("452 4.3.1 Insufficient system storage", "550 5.7.1 Content rejected"),
}

LOST: dict[str, tuple[Host, Fails, str]] = {
    "mail-closed": (Host(behaviours=(CutAt(Stage.MAIL),)), CLOSED, "closes at MAIL"),
    "rcpt-closed": (Host(behaviours=(CutAt(Stage.RCPT),)), CLOSED, "closes at RCPT"),
    "data-closed": (Host(behaviours=(CutAt(Stage.DATA),)), CLOSED, "closes at DATA"),
    "body-closed": (Host(behaviours=(CutBody(4000),)), CLOSED, "closes in the body"),
    "dot-closed": (Host(behaviours=(CutAt(Stage.DOT),)), CLOSED, "closes after the final dot"),
    "mail-hang": (Host(behaviours=(StallAt(Stage.MAIL),)), HANG, "is silent at MAIL"),
    "dot-hang": (Host(behaviours=(StallAt(Stage.DOT),)), HANG, "is silent after the final dot"),
}
"""How a transaction with the first host is lost."""
IN_DOUBT = ("body-closed", "dot-closed", "dot-hang")
"""Where the client has sent all that it has, and cannot know whether the host has the mail."""
LARGE = Mail(octets=200_000)

GREYLISTED = "451 4.7.1 Greylisted"
NO_USER = "550 5.1.1 No such user"
SOON = AnyOf(Delivers("mx2"), _deferred(GREYLISTED))
"""The fate of a recipient whom the first host does not take for now: the second, or later."""

TWELVE = tuple(f"mx{n}" for n in range(1, 13))
DIFFERENT: dict[str, tuple[tuple[Host, Host], tuple[Fails, ...], Tls]] = {
    "refused-silent": (
        (Host("mx1", reach=Reach.REFUSED), Host("mx2", reach=Reach.SILENT)),
        (SILENT, REFUSED),
        Tls.NONE,
    ),
    "silent-refused": (
        (Host("mx1", reach=Reach.SILENT), Host("mx2", reach=Reach.REFUSED)),
        (REFUSED, SILENT),
        Tls.NONE,
    ),
    "421-refused": (
        (
            Host("mx1", (Reply(Stage.GREETING, BUSY, close=True),)),
            Host("mx2", reach=Reach.REFUSED),
        ),
        (REFUSED, UNAVAILABLE),
        Tls.NONE,
    ),
    "421-554": (
        (
            Host("mx1", (Reply(Stage.GREETING, BUSY, close=True),)),
            Host("mx2", (Reply(Stage.GREETING, CLOSED_TO_YOU),)),
        ),
        (TURNED_AWAY, UNAVAILABLE),
        Tls.NONE,
    ),
    "554-421": (
        (
            Host("mx1", (Reply(Stage.GREETING, CLOSED_TO_YOU),)),
            Host("mx2", (Reply(Stage.GREETING, BUSY, close=True),)),
        ),
        (UNAVAILABLE, TURNED_AWAY),
        Tls.NONE,
    ),
    "no-starttls-expired": (
        (Host("mx1", (Withhold("STARTTLS"),)), Host("mx2", certificate=Flaw.EXPIRED)),
        (EXPIRED, NO_STARTTLS),
        Tls.CERTIFICATE,
    ),
    "hang-refused": (
        (Host("mx1", (StallAt(Stage.EHLO),)), Host("mx2", reach=Reach.REFUSED)),
        (REFUSED, HANG),
        Tls.NONE,
    ),
    "greylisted-refused": (
        (Host("mx1", (Reply(Stage.RCPT, GREYLISTED),)), Host("mx2", reach=Reach.REFUSED)),
        (REFUSED, _deferred(GREYLISTED)),
        Tls.NONE,
    ),
    "greylisted-rejected": (
        (
            Host("mx1", (Reply(Stage.RCPT, GREYLISTED),)),
            Host("mx2", (Reply(Stage.RCPT, NO_USER),)),
        ),
        (_rejected(NO_USER), _deferred(GREYLISTED)),
        Tls.NONE,
    ),
}
"""Two hosts that fail in different ways: the last failure first, because it is the newest."""
RELAYED = Connector(fallback=("relay",))
"""By MX, and to a relay where no MX host takes the mail for now."""
TO_RELAY: dict[str, tuple[Host, str]] = {
    "refused": (Host(reach=Reach.REFUSED), "refuses"),
    "silent": (Host(reach=Reach.SILENT), "does not answer"),
    "greeting-421": (
        Host(behaviours=(Reply(Stage.GREETING, BUSY, close=True),)),
        "greets with 421",
    ),
    "rcpt-450": (
        Host(behaviours=(Reply(Stage.RCPT, REPLIES[Stage.RCPT][0]),)),
        "says 450 to the recipient",
    ),
}
"""What is wrong with the only MX host so that the relay gets the mail."""
NO_DOMAIN: dict[str, tuple[Zone, Fails, str]] = {
    "nxdomain": (
        Zone(("relay A {relay}",)).but(Rcode("NXDOMAIN"), "@"),
        Fails(Cause(Failure.DNS_QUERY_FAILED, "domain-nxdomain")),
        "does not exist",
    ),
    "null-mx": (
        Zone(("@ MX 0 .", "relay A {relay}")),
        Fails(Cause(Failure.DNS_QUERY_FAILED, "null-mx")),
        "takes no mail",
    ),
}
"""A domain without a host: the zone, how it fails, and the title."""
BOTH_REFUSE = (Host("mx1", reach=Reach.REFUSED), Host("mx2", reach=Reach.REFUSED))
BOTH_FINE = (Host("mx1"), Host("mx2"))


def _to(way: str, tls: Tls = Tls.NONE) -> Connector:
    return Connector(smart_hosts=WAYS[way], tls=tls, tls_domain="*")


def _first(host: Host) -> tuple[Host, Host]:
    """It as the first of two hosts, of which the second is healthy."""
    return host, Host("mx2")


SCENARIOS = around(
    "hosts",
    (
        *(
            Scenario(
                id=f"hosts.first-{name}.{way}",
                title=f"The first host {title}, the second takes the mail ({way})",
                rule=NEXT_HOST,
                hosts=_first(host),
                connector=_to(way, tls),
                expect=Delivers("mx2"),
                order=("mx1", "mx2"),
            )
            for name, (host, tls, title) in FIRST.items()
            for way in WAYS
            if (name, way) not in ELSEWHERE
        ),
        *(
            Scenario(
                id=f"hosts.first-name-{name}.{way}",
                title=f"The first host's name {title}, the second takes the mail ({way})",
                rule=NEXT_HOST,
                hosts=BOTH_FINE,
                zone=TWO_MX.but(fault, "mx1"),
                connector=_to(way),
                expect=Delivers("mx2"),
            )
            for name, (fault, title) in NAMES.items()
            for way in WAYS
        ),
        *(
            Scenario(
                id=f"hosts.first-{name}.{way}",
                title=f"The first host {title}, the second would take the mail ({way})",
                rule=HOST_REFUSES,
                hosts=_first(host),
                connector=_to(way),
                expect=AnyOf(Delivers("mx2"), TURNED_AWAY),
            )
            for name, (host, title) in REFUSALS.items()
            for way in WAYS
        ),
        *(
            Scenario(
                id=f"hosts.first-{stage}-{transient[:3]}.{way}",
                title=f"The first host says {transient[:3]} to {stage}, the second none ({way})",
                rule=IN_TRANSACTION,
                hosts=_first(Host(behaviours=(Reply(stage, transient),))),
                connector=_to(way),
                expect=AnyOf(Delivers("mx2"), _deferred(transient)),
            )
            for stage, (transient, _) in REPLIES.items()
            for way in WAYS
        ),
        *(
            Scenario(
                id=f"hosts.first-{stage}-{permanent[:3]}.{way}",
                title=f"{permanent[:3]} to {stage} is not taken to another host ({way})",
                rule=PERMANENT,
                hosts=_first(Host(behaviours=(Reply(stage, permanent),))),
                connector=_to(way),
                expect=_rejected(permanent),
                order=("mx1",),
            )
            for stage, (_, permanent) in REPLIES.items()
            for way in WAYS
        ),
        *(
            Scenario(
                id=f"hosts.first-{name}.mx",
                title=f"The first host {title}, the second would take the mail",
                rule=DOT if name in IN_DOUBT else IN_TRANSACTION,
                hosts=_first(host),
                mail=LARGE,
                expect=AnyOf(fails, second) if name in IN_DOUBT else AnyOf(second, fails),
            )
            for second in (Delivers("mx2"),)
            for name, (host, fails, title) in LOST.items()
        ),
        Scenario(
            id="hosts.first-keeps.mx",
            title="The first host stores the mail and closes before it says so",
            rule=DOT,
            hosts=_first(Host(behaviours=(KeepThenCut(),))),
            expect=AnyOf(Recovers(CLOSED, twice=True), Delivers("mx2", twice=True)),
        ),
        Scenario(
            id="hosts.first-handshake.opportunistic",
            title="The first host fails in the handshake: it gets the mail in clear, or the second",
            rule=NEXT_HOST,
            hosts=_first(Host(behaviours=(CutAt(Stage.HANDSHAKE),))),
            expect=Delivers("mx1", others=("mx2",)),
        ),
        *(
            Scenario(
                id=f"hosts.order.{name}",
                title=title,
                rule=PREFERENCE,
                hosts=(Host("mx1"), Host("mx2"), Host("mx3")),
                zone=Zone((*records, *(f"mx{n} A {{mx{n}}}" for n in (1, 2, 3)))),
                expect=Delivers("mx1"),
                order=("mx1",),
            )
            for name, title, records in (
                (
                    "backwards",
                    "The MX records are listed from the worst to the best",
                    ("@ MX 30 mx3", "@ MX 20 mx2", "@ MX 10 mx1"),
                ),
                (
                    "numeric",
                    "Preferences of one, two and three digits are numbers and no text",
                    ("@ MX 100 mx3", "@ MX 20 mx2", "@ MX 9 mx1"),
                ),
                (
                    "extremes",
                    "Preference 0 is the best, and 65535 the worst",
                    ("@ MX 65535 mx3", "@ MX 32767 mx2", "@ MX 0 mx1"),
                ),
            )
        ),
        Scenario(
            id="hosts.order.third",
            title="The first two refuse: the third takes the mail, after both",
            rule=NEXT_HOST,
            hosts=(*BOTH_REFUSE, Host("mx3"), Host("mx4")),
            expect=Delivers("mx3"),
            order=("mx1", "mx2", "mx3"),
        ),
        Scenario(
            id="hosts.order.equal",
            title="Two hosts of the same preference share the load",
            rule=MX_EQUAL,
            hosts=BOTH_FINE,
            zone=Zone(("@ MX 10 mx1", "@ MX 10 mx2", "mx1 A {mx1}", "mx2 A {mx2}")),
            mail=Mail(messages=24),
            expect=Delivers("mx1", others=("mx2",)),
            spread=("mx1", "mx2"),
        ),
        Scenario(
            id="hosts.order.equal-then-worse",
            title="Both hosts of the best preference are tried before the worse one",
            rule=PREFERENCE,
            hosts=(*BOTH_REFUSE, Host("mx3")),
            zone=Zone(
                (
                    *("@ MX 20 mx3", "@ MX 10 mx1", "@ MX 10 mx2"),
                    *(f"mx{n} A {{mx{n}}}" for n in (1, 2, 3)),
                )
            ),
            expect=Delivers("mx3"),
            order=("mx1|mx2", "mx3"),
        ),
        Scenario(
            id="hosts.order.smart-host-in-mx",
            title="The connector's only smart host refuses: the domain's MX hosts are not asked",
            rule=MX_ONLY,
            hosts=(Host("mx1", reach=Reach.REFUSED), Host("mx2")),
            connector=Connector(smart_hosts=("mx1",)),
            expect=REFUSED,
            order=("mx1",),
        ),
        Scenario(
            id="hosts.order.domain-address",
            title="The MX host refuses: the domain's own address is none of its mail hosts",
            rule=MX_ONLY,
            hosts=(Host("mx1", reach=Reach.REFUSED), Host("web")),
            zone=Zone(("@ MX 10 mx1", "@ A {web}", "mx1 A {mx1}")),
            expect=REFUSED,
            order=("mx1",),
        ),
        *(
            Scenario(
                id=f"hosts.next-address.{name}",
                title=f"One address of the best MX {title}: its other one comes before the next MX",
                rule=ORDER,
                hosts=(flawed, Host("also"), Host("mx2")),
                zone=TWO_ADDRESSES,
                mail=Mail(messages=12),
                expect=Delivers("also"),
            )
            for name, (flawed, _, title) in FIRST.items()
            if name in ("refused", "prohibited", "closed", "greeting-421")
        ),
        Scenario(
            id="hosts.next-address.after-all",
            title="Both addresses of the best MX refuse: only then comes the next MX",
            rule=ORDER,
            hosts=(
                Host("mx1", reach=Reach.REFUSED),
                Host("also", reach=Reach.REFUSED),
                Host("mx2"),
            ),
            zone=TWO_ADDRESSES,
            expect=Delivers("mx2"),
            order=("mx1|also", "mx2"),
        ),
        Scenario(
            id="hosts.next-address.rejected",
            title="One address of the MX rejects the recipient: the other one is not asked",
            rule=PERMANENT,
            hosts=(
                Host("mx1", (Reply(Stage.RCPT, NO_USER),)),
                Host("also", (Reply(Stage.RCPT, NO_USER),)),
            ),
            zone=Zone(("@ MX 10 mx1", "mx1 A {mx1}", "mx1 A {also}")),
            expect=_rejected(NO_USER),
            most_connections=1,
        ),
        *(
            Scenario(
                id=f"hosts.recipients.one-deferred.{way}",
                title=f"The first host takes one of two: only the other goes to the second ({way})",
                rule=NOT_TWICE,
                hosts=_first(Host(behaviours=(ToRecipient("busy", GREYLISTED),))),
                connector=_to(way),
                mail=Mail(recipients=("user", "busy")),
                expect=Each((("user", Delivers("mx1")), ("busy", SOON))),
            )
            for way in WAYS
        ),
        Scenario(
            id="hosts.recipients.first-deferred",
            title="The first host does not take the first of two recipients, but the second",
            rule=NOT_TWICE,
            hosts=_first(Host(behaviours=(ToRecipient("busy", GREYLISTED),))),
            mail=Mail(recipients=("busy", "user")),
            expect=Each((("busy", SOON), ("user", Delivers("mx1")))),
        ),
        Scenario(
            id="hosts.recipients.one-rejected",
            title="The first host rejects one of two recipients: the second host is not asked",
            rule=PERMANENT,
            hosts=_first(Host(behaviours=(ToRecipient("gone", NO_USER),))),
            mail=Mail(recipients=("user", "gone")),
            expect=Each((("user", Delivers("mx1")), ("gone", _rejected(NO_USER)))),
            order=("mx1",),
        ),
        Scenario(
            id="hosts.recipients.all-different",
            title="One is taken, one put off and one rejected by the first host",
            rule=NOT_TWICE,
            hosts=_first(
                Host(behaviours=(ToRecipient("busy", GREYLISTED), ToRecipient("gone", NO_USER)))
            ),
            mail=Mail(recipients=("user", "busy", "gone")),
            expect=Each((("user", Delivers("mx1")), ("busy", SOON), ("gone", _rejected(NO_USER)))),
        ),
        Scenario(
            id="hosts.recipients.later",
            title="Neither host takes one of two for now: a later attempt is for that one alone",
            rule=NOT_TWICE,
            hosts=(
                Host("mx1", (ToRecipient("busy", GREYLISTED),)),
                Host("mx2", (ToRecipient("busy", GREYLISTED),)),
            ),
            mail=Mail(recipients=("user", "busy")),
            change=Change(hosts=BOTH_FINE),
            expect=Each((("user", Delivers("mx1")), ("busy", Recovers(_deferred(GREYLISTED))))),
        ),
        Scenario(
            id="hosts.recipients.first-refuses",
            title="The first host refuses the connection: the second gets both recipients",
            rule=NEXT_HOST,
            hosts=_first(Host(reach=Reach.REFUSED)),
            mail=Mail(recipients=("user", "other")),
            expect=Each((("user", Delivers("mx2")), ("other", Delivers("mx2")))),
            order=("mx1", "mx2"),
        ),
        *(
            Scenario(
                id=f"hosts.different.{name}",
                title=f"The hosts fail in different ways: {name.replace('-', ', ')}",
                rule=ERROR_OF_WHICH,
                hosts=hosts,
                connector=Connector(tls=tls),
                expect=AnyOf(*fails),
            )
            for name, (hosts, fails, tls) in DIFFERENT.items()
        ),
        *(
            Scenario(
                id=f"hosts.different.{name}",
                title=f"One of two MX hosts refuses, the {which} does not exist: mail must be kept",
                rule=ERROR_OF_WHICH,
                hosts=(Host(reach=Reach.REFUSED),),
                zone=Zone((f"@ MX {lost} lost", "@ MX 15 mx1", "mx1 A {mx1}")),
                expect=AnyOf(REFUSED, NO_NAME),
                order=("mx1",),
            )
            for name, which, lost in (
                ("nxdomain-refused", "first", 10),
                ("refused-nxdomain", "second", 20),
            )
        ),
        Scenario(
            id="hosts.different.refused-rejected",
            title="One host refuses, the other rejects the recipient: that is an answer",
            rule=PERMANENT,
            hosts=(
                Host("mx1", reach=Reach.REFUSED),
                Host("mx2", (Reply(Stage.RCPT, NO_USER),)),
            ),
            expect=_rejected(NO_USER),
            order=("mx1", "mx2"),
        ),
        *(
            Scenario(
                id=f"hosts.recovers.first.{way}",
                title=f"Both hosts were away: once they are back, the first gets the mail ({way})",
                rule=EACH_ATTEMPT_ANEW,
                hosts=BOTH_REFUSE,
                connector=_to(way),
                change=Change(hosts=BOTH_FINE),
                expect=Recovers(REFUSED),
            )
            for way in WAYS
        ),
        Scenario(
            id="hosts.recovers.second",
            title="Both hosts were away, and only the second comes back",
            rule=EACH_ATTEMPT_ANEW,
            hosts=BOTH_REFUSE,
            change=Change(hosts=(Host("mx2"),)),
            expect=Recovers(REFUSED, to="mx2"),
        ),
        Scenario(
            id="hosts.recovers.preferences-swapped",
            title="Both hosts come back, and the domain now prefers the other one",
            rule=EACH_ATTEMPT_ANEW,
            hosts=BOTH_REFUSE,
            change=Change(
                hosts=BOTH_FINE,
                zone=Zone(("@ MX 20 mx1", "@ MX 10 mx2", "mx1 A {mx1}", "mx2 A {mx2}")),
            ),
            expect=Recovers(REFUSED, to="mx2"),
        ),
        Scenario(
            id="hosts.recovers.moved",
            title="The hosts stay away, but the domain has moved to a new one",
            rule=EACH_ATTEMPT_ANEW,
            hosts=(*BOTH_REFUSE, Host("new")),
            zone=TWO_MX,
            change=Change(zone=Zone(("@ MX 10 new", "new A {new}"))),
            expect=Recovers(REFUSED, to="new"),
        ),
        Scenario(
            id="hosts.many.refused",
            title="Each of twelve hosts refuses: none is tried twice in one attempt",
            rule=LIMIT,
            hosts=tuple(Host(name, reach=Reach.REFUSED) for name in TWELVE),
            expect=REFUSED,
            most_connections=12,
        ),
        Scenario(
            id="hosts.many.addresses-refused",
            title="Each of one host's twelve addresses refuses: none is tried twice",
            rule=LIMIT,
            hosts=tuple(Host(name, reach=Reach.REFUSED) for name in TWELVE),
            zone=Zone(("@ MX 10 mx1", *(f"mx1 A {{{name}}}" for name in TWELVE))),
            expect=REFUSED,
            most_connections=12,
        ),
        Scenario(
            id="hosts.many.last-is-up",
            title="Eleven hosts refuse, and the twelfth would take the mail: there may be a limit",
            rule=LIMIT,
            hosts=(
                *(Host(name, reach=Reach.REFUSED) for name in TWELVE[:-1]),
                Host(TWELVE[-1]),
            ),
            expect=AnyOf(Delivers(TWELVE[-1]), REFUSED),
            most_connections=12,
        ),
        Scenario(
            id="hosts.many.busy",
            title="Each of three hosts greets with 421: none is asked again in the same attempt",
            rule=LIMIT,
            hosts=tuple(
                Host(name, (Reply(Stage.GREETING, BUSY, close=True),)) for name in TWELVE[:3]
            ),
            expect=UNAVAILABLE,
            order=("mx1", "mx2", "mx3"),
            most_connections=3,
        ),
        *(
            Scenario(
                id=f"hosts.fallback.{name}",
                title=f"The MX host {title}: the fallback relay takes the mail",
                rule=FALLBACK,
                hosts=(host, Host("relay")),
                connector=RELAYED,
                expect=Delivers("relay"),
                order=("mx1", "relay"),
            )
            for name, (host, title) in TO_RELAY.items()
        ),
        Scenario(
            id="hosts.fallback.smart-host",
            title="The smart host refuses: the fallback relay takes the mail",
            rule=FALLBACK,
            hosts=(Host(reach=Reach.REFUSED), Host("relay")),
            connector=Connector(smart_hosts=("mx1",), fallback=("relay",)),
            expect=Delivers("relay"),
            order=("mx1", "relay"),
        ),
        Scenario(
            id="hosts.fallback.healthy",
            title="The MX host takes the mail: the fallback relay is not asked",
            rule=FALLBACK,
            hosts=(Host("mx1"), Host("relay")),
            connector=RELAYED,
            expect=Delivers("mx1"),
            order=("mx1",),
        ),
        Scenario(
            id="hosts.fallback.second-mx",
            title="The first MX host refuses, the second takes the mail: the relay is not asked",
            rule=FALLBACK,
            hosts=(*_first(Host(reach=Reach.REFUSED)), Host("relay")),
            connector=RELAYED,
            expect=Delivers("mx2"),
            order=("mx1", "mx2"),
        ),
        Scenario(
            id="hosts.fallback.rcpt-550",
            title="The MX host rejects the recipient: that is no business of the relay's",
            rule=PERMANENT,
            hosts=(Host(behaviours=(Reply(Stage.RCPT, NO_USER),)), Host("relay")),
            connector=RELAYED,
            expect=_rejected(NO_USER),
            order=("mx1",),
        ),
        *(
            Scenario(
                id=f"hosts.fallback.{name}",
                title=f"The domain {title}: the relay may be given the mail, or nobody is",
                rule=FALLBACK_NOWHERE,
                hosts=(Host("relay"),),
                zone=zone,
                connector=RELAYED,
                expect=AnyOf(fails, Delivers("relay")),
            )
            for name, (zone, fails, title) in NO_DOMAIN.items()
        ),
        Scenario(
            id="hosts.fallback.all-refuse",
            title="MX host and relay refuse: the mail is kept, and goes to the MX host once it is up",
            rule=EACH_ATTEMPT_ANEW,
            hosts=(Host(reach=Reach.REFUSED), Host("relay", reach=Reach.REFUSED)),
            connector=RELAYED,
            change=Change(hosts=(Host("mx1"), Host("relay"))),
            expect=Recovers(REFUSED),
            order=("mx1", "relay"),
        ),
        Scenario(
            id="hosts.fallback.relay.under-encrypt",
            title="The connector demands TLS: the relay gets the mail inside TLS",
            rule=ENCRYPTION_ONLY,
            hosts=(Host(reach=Reach.REFUSED), Host("relay")),
            connector=Connector(tls=ENCRYPT, fallback=("relay",)),
            expect=Delivers("relay"),
            order=("mx1", "relay"),
        ),
        Scenario(
            id="hosts.fallback.no-starttls.under-encrypt",
            title="The connector demands TLS, and the relay has none: it gets nothing in clear",
            rule=ENCRYPTION_ONLY,
            hosts=(
                Host(reach=Reach.REFUSED),
                Host("relay", (Withhold("STARTTLS"),)),
            ),
            connector=Connector(tls=ENCRYPT, fallback=("relay",)),
            expect=AnyOf(NO_STARTTLS, REFUSED),
            order=("mx1", "relay"),
        ),
        Scenario(
            id="hosts.fallback.expired.under-certificate",
            title="The connector demands a valid certificate, and the relay's has expired",
            rule=CERTIFICATE_VALIDATION,
            hosts=(Host(reach=Reach.REFUSED), Host("relay", certificate=Flaw.EXPIRED)),
            connector=Connector(tls=CERTIFICATE, fallback=("relay",)),
            expect=AnyOf(EXPIRED, REFUSED),
            order=("mx1", "relay"),
        ),
        Scenario(
            id="hosts.fallback.one-deferred",
            title="The MX host takes one of two: the relay gets the other one alone",
            rule=NOT_TWICE,
            hosts=(Host(behaviours=(ToRecipient("busy", GREYLISTED),)), Host("relay")),
            connector=RELAYED,
            mail=Mail(recipients=("user", "busy")),
            expect=Each((("user", Delivers("mx1")), ("busy", Delivers("relay")))),
            order=("mx1", "relay"),
        ),
        Scenario(
            id="hosts.fallback.one-rejected",
            title="The MX host rejects one of two and takes the other: nothing is left for the relay",
            rule=PERMANENT,
            hosts=(Host(behaviours=(ToRecipient("gone", NO_USER),)), Host("relay")),
            connector=RELAYED,
            mail=Mail(recipients=("user", "gone")),
            expect=Each((("user", Delivers("mx1")), ("gone", _rejected(NO_USER)))),
            order=("mx1",),
        ),
        *(
            Scenario(
                id=f"hosts.memory.{name}",
                title=f"The first host {FIRST[name][2]}: none of many messages waits for that alone",
                rule=NEXT_HOST,
                hosts=_first(FIRST[name][0]),
                mail=Mail(messages=24),
                expect=Delivers("mx2"),
            )
            for name in ("silent", "no-banner")
        ),
        Scenario(
            id="hosts.memory.comes-back",
            title="Both hosts were away; hours later the first is gone to again, before the second",
            rule=EACH_ATTEMPT_ANEW,
            hosts=(Host(reach=Reach.SILENT), Host("mx2", reach=Reach.REFUSED)),
            course=(Mark(3.5 * HOUR, change=Change(hosts=BOTH_FINE), tries=True),),
            expect=Arrives(),
        ),
        Scenario(
            id="hosts.quota.overflow",
            title="The first host takes one connection and no more: the others go to the second",
            rule=TOO_MANY,
            hosts=_first(
                Host(behaviours=(Reply(Stage.GREETING, BUSY, close=True, since=2),)),
            ),
            mail=Mail(messages=4),
            expect=Delivers("mx1", others=("mx2",)),
            spread=("mx1", "mx2"),
        ),
    ),
    hosts=BOTH_FINE,
)
