"""4.4.312: the DNS query for the next hop fails, or its answer is old, odd, or leads astray."""

from dataclasses import dataclass, replace
from itertools import pairwise

from catalogue.control import around
from catalogue.rules import (
    A_LABEL,
    ALIAS,
    ALIAS_LOOP,
    ALIAS_OF_HOST,
    ANY_CASE,
    DNS_BOGUS,
    DNS_ID,
    DNS_QUESTION,
    DNS_RANK,
    DNS_RESPONSE,
    DNS_STALE,
    DNS_TCP,
    DNS_TEMPORARY,
    EVERY_ADDRESS,
    IMPLICIT_MX,
    IPV6_HOST,
    LONG_NAME,
    MX_EQUAL,
    MX_LIMIT,
    MX_ORDER,
    MX_SELF,
    MX_TARGET,
    NEXT_HOST,
    NO_DESTINATION,
    NO_FALLBACK,
    NO_MX_NEEDED,
    NONE_USABLE,
    NULL_MX,
    NULL_MX_ALONE,
    ODD_NAME,
    ONE_FAMILY,
    P312,
    P315,
    P316,
)
from model.address import AGENT
from model.behaviours import Reply
from model.dns import (
    AsQuery,
    Bogus,
    Chop,
    Delay,
    Fault,
    Garbage,
    Glue,
    NoData,
    OtherQuestion,
    Rcode,
    Says,
    Silence,
    Stale,
    Truncate,
    WrongId,
    Zone,
)
from model.expect import AnyOf, Delivers, Expectation, Fails, Recovers, Turns
from model.failure import Cause, Failure
from model.rule import Rule
from model.scenario import Change, Connector, Family, Host, Mail, Reach, Scenario
from model.smtp import Stage

HONEST = Zone(("@ MX 10 mx1", "mx1 A {mx1}"))
BY_MX = Connector()
SMART = Connector(smart_hosts=("mx1",))
LITERAL = Connector(smart_hosts=("[mx1]",))
MANY = Mail(messages=20)
"""So many that an agent which chooses at random chooses each of two ways at least once."""
SIX = Family.IPV6


def _failed(reason: str) -> Fails:
    return Fails(Cause(Failure.DNS_QUERY_FAILED, reason))


AWAY = {
    Reach.REFUSED: Fails(Cause(Failure.CONNECTION_REFUSED, "reset")),
    Reach.PROHIBITED: Fails(Cause(Failure.CONNECTION_REFUSED, "prohibited")),
    Reach.SILENT: Fails(Cause(Failure.CONNECTION_TIMED_OUT, "silent")),
    Reach.UNREACHABLE: Fails(Cause(Failure.CONNECTION_TIMED_OUT, "unreachable")),
}
REFUSED, UNREACHABLE = AWAY[Reach.REFUSED], AWAY[Reach.UNREACHABLE]


# Every fault of an answer, at every place --------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """A question on the way to a host: what is asked for, of which name, over which connector.

    `missing` is the reason if the name does not exist.
    """

    what: str
    name: str
    qtype: str
    missing: str
    connector: Connector = BY_MX


PLACES = {
    "mx": Place("the MX records", "@", "MX", "domain-nxdomain"),
    "mx-host": Place("the MX host's address", "mx1", "*", "mx-host-nxdomain"),
    "smart-host": Place("the smart host's address", "mx1", "*", "smart-host-nxdomain", SMART),
}


@dataclass(frozen=True, slots=True)
class Flaw:
    """A fault of an answer, what the name server does by it, and what must come of it."""

    fault: Fault
    does: str
    expect: Expectation
    rule: Rule = P312


FLAWS = {
    "servfail": Flaw(Rcode("SERVFAIL"), "fails", _failed("servfail"), NO_FALLBACK),
    "refused": Flaw(Rcode("REFUSED"), "refuses", _failed("rcode-refused")),
    "formerr": Flaw(Rcode("FORMERR"), "cannot read the question", _failed("rcode-other")),
    "notimp": Flaw(Rcode("NOTIMP"), "does not know how", _failed("rcode-other")),
    "silent": Flaw(Silence(), "does not answer", _failed("no-answer")),
    "late": Flaw(Delay(1.5), "answers when the time is up", _failed("no-answer")),
    "bogus": Flaw(Bogus(), "finds the signatures wrong", _failed("servfail"), DNS_BOGUS),
    "wrong-id": Flaw(WrongId(), "answers with another id", _failed("malformed"), DNS_ID),
    "other-question": Flaw(
        OtherQuestion(), "answers another question", _failed("malformed"), DNS_QUESTION
    ),
    "as-query": Flaw(AsQuery(), "marks its answer a question", _failed("malformed"), DNS_RESPONSE),
    "garbage": Flaw(Garbage(), "sends what is no DNS message", _failed("malformed")),
    "empty": Flaw(Garbage(b""), "sends a datagram with nothing in it", _failed("malformed")),
    "chopped": Flaw(Chop(), "sends an answer that lacks its end", _failed("malformed")),
    "truncated": Flaw(Truncate(), "truncates, and tells all over TCP", Delivers(), DNS_TCP),
    "truncated-without-tcp": Flaw(
        Truncate(tcp=False), "truncates, and hangs up over TCP", _failed("no-answer")
    ),
    "truncated-slow-tcp": Flaw(
        Truncate(tcp=False, after=1.5),
        "truncates, and over TCP is silent until it hangs up",
        _failed("no-answer"),
    ),
    "truncated-mute-tcp": Flaw(
        Truncate(mute=True), "truncates, and never answers over TCP", _failed("no-answer")
    ),
    "slow": Flaw(Delay(0.25), "is slow, but in time", Delivers(), DNS_TEMPORARY),
    "servfail-once": Flaw(
        Rcode("SERVFAIL", times=1),
        "fails once, and then is well",
        Recovers(_failed("servfail")),
        DNS_TEMPORARY,
    ),
    "silent-twice": Flaw(
        Silence(times=2),
        "is silent twice, and then is well",
        Recovers(_failed("no-answer")),
        DNS_TEMPORARY,
    ),
}

WITH_WEB = Zone(("@ MX 10 mx1", "@ A {web}", "mx1 A {mx1}"))
"""The domain itself is a web server, where mail is led by an agent that gives its MX up too soon."""

GRID = tuple(
    Scenario(
        id=f"dns.{place}.{name}",
        title=f"Asked for {where.what}, the name server {flaw.does}",
        rule=flaw.rule,
        hosts=(Host(), Host("web")),
        zone=WITH_WEB.but(flaw.fault, where.name, where.qtype),
        connector=where.connector,
        expect=flaw.expect,
    )
    for place, where in PLACES.items()
    for name, flaw in FLAWS.items()
)


# Names that are not there ------------------------------------------------------------------

ABSENT = (
    Scenario(
        id="dns.domain.expired",
        title="The recipient's domain has expired: no such name",
        rule=P312,
        zone=HONEST.but(Rcode("NXDOMAIN")),
        expect=_failed("domain-nxdomain"),
    ),
    Scenario(
        id="dns.domain.no-records",
        title="The domain is there, but has neither MX nor address",
        rule=P312,
        zone=HONEST.but(NoData(), "@"),
        expect=_failed("no-records"),
    ),
    Scenario(
        id="dns.domain.address-only",
        title="The domain has no MX record, but an address",
        rule=IMPLICIT_MX,
        zone=Zone(("@ A {mx1}",)),
        expect=Delivers(),
    ),
    Scenario(
        id="dns.domain.address-servfail",
        title="The domain has no MX record, and its address cannot be had",
        rule=DNS_TEMPORARY,
        zone=Zone(("@ A {mx1}",)).but(Rcode("SERVFAIL"), "@", "A").but(NoData(), "@", "AAAA"),
        expect=_failed("servfail"),
    ),
    Scenario(
        id="dns.mx-host.nxdomain",
        title="The only MX host's name does not exist, while the domain has an address",
        rule=NONE_USABLE,
        hosts=(Host(), Host("web")),
        zone=WITH_WEB.but(Rcode("NXDOMAIN"), "mx1"),
        expect=_failed("mx-host-nxdomain"),
    ),
    Scenario(
        id="dns.mx-host.no-records",
        title="The only MX host's name has no address, while the domain has one",
        rule=NONE_USABLE,
        hosts=(Host(), Host("web")),
        zone=WITH_WEB.but(NoData(), "mx1"),
        expect=_failed("no-records"),
    ),
    Scenario(
        id="dns.smart-host.nxdomain",
        title="The smart host's name does not exist",
        rule=P312,
        zone=HONEST.but(Rcode("NXDOMAIN"), "mx1"),
        connector=SMART,
        expect=_failed("smart-host-nxdomain"),
    ),
    Scenario(
        id="dns.smart-host.domain-expired",
        title="The domain has expired while its smart host's name is asked for",
        rule=P312,
        zone=HONEST.but(Rcode("NXDOMAIN")),
        connector=SMART,
        expect=_failed("smart-host-nxdomain"),
    ),
    Scenario(
        id="dns.smart-host.no-records",
        title="The smart host's name has no address",
        rule=P312,
        zone=HONEST.but(NoData(), "mx1"),
        connector=SMART,
        expect=_failed("smart-host-nxdomain"),
    ),
    *(
        Scenario(
            id=f"dns.first-{place}.{name}",
            title=f"Asked for the first {what}'s address, "
            f"the name server {does}; the second takes the mail",
            rule=NEXT_HOST,
            hosts=(Host("mx1"), Host("mx2")),
            zone=Zone(("@ MX 10 mx1", "@ MX 20 mx2", "mx1 A {mx1}", "mx2 A {mx2}")).but(
                fault, "mx1"
            ),
            connector=Connector(smart_hosts=smart_hosts),
            expect=Delivers("mx2"),
        )
        for place, what, smart_hosts in (
            ("mx-host", "MX host", ()),
            ("smart-host", "smart host", ("mx1", "mx2")),
        )
        for name, fault, does in (
            ("nxdomain", Rcode("NXDOMAIN"), "says that there is no such name"),
            ("servfail", Rcode("SERVFAIL"), "fails"),
            ("silent", Silence(), "does not answer"),
        )
    ),
)


# The null MX -------------------------------------------------------------------------------

NULL = _failed("null-mx")

NULL_MXES = (
    Scenario(
        id="dns.mx.null",
        title="A null MX: the domain takes no mail, though it has an address",
        rule=NULL_MX,
        zone=Zone(("@ MX 0 .", "@ A {mx1}")),
        expect=NULL,
    ),
    Scenario(
        id="dns.mx.null.mixed",
        title="A null MX beside a real one, which is not allowed",
        rule=NULL_MX_ALONE,
        zone=Zone(("@ MX 0 .", "@ MX 10 mx1", "mx1 A {mx1}")),
        expect=AnyOf(Delivers(), NULL),
    ),
    Scenario(
        id="dns.mx.null.not-zero",
        title="A null MX whose preference is not 0, which is not allowed",
        rule=NULL_MX_ALONE,
        zone=Zone(("@ MX 10 .", "@ A {mx1}")),
        expect=AnyOf(NULL, _failed("mx-host-nxdomain"), _failed("no-records")),
    ),
    Scenario(
        id="dns.mx.null.later",
        title="While the mail waits, the domain says that it takes none any more",
        rule=NULL_MX,
        zone=HONEST.but(Rcode("SERVFAIL"), "@", "MX"),
        change=Change(zone=Zone(("@ MX 0 .", "@ A {mx1}"))),
        expect=Turns(_failed("servfail"), NULL),
    ),
    Scenario(
        id="dns.smart-host.null-mx",
        title="The recipient's domain has a null MX, but its mail goes by smart host",
        rule=NO_MX_NEEDED,
        zone=Zone(("@ MX 0 .", "mx1 A {mx1}")),
        connector=SMART,
        expect=Delivers(),
    ),
)


# Aliases at every hop ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hop:
    """A name that is an alias: the zone's other lines, and the rule if the target is good."""

    what: str
    name: str
    lines: tuple[str, ...]
    rule: Rule
    missing: str
    connector: Connector = BY_MX

    @property
    def followed(self) -> Expectation:
        """What becomes of the mail if the aliases lead to an end; an MX host may be none."""
        if self.rule is ALIAS_OF_HOST:
            return AnyOf(Delivers(), _failed(self.missing))
        return Delivers()


HOPS = {
    "domain": Hop("domain", "@", ("end MX 10 mx1", "mx1 A {mx1}"), ALIAS, "domain-nxdomain"),
    "domain-without-mx": Hop("domain", "@", ("end A {mx1}",), IMPLICIT_MX, "domain-nxdomain"),
    "mx-host": Hop(
        "MX host", "mx1", ("@ MX 10 mx1", "end A {mx1}"), ALIAS_OF_HOST, "mx-host-nxdomain"
    ),
    "smart-host": Hop("smart host", "mx1", ("end A {mx1}",), ALIAS, "smart-host-nxdomain", SMART),
}


def _aliases(*names: str) -> tuple[str, ...]:
    """Each name an alias of the next."""
    return tuple(f"{name} CNAME {after}" for name, after in pairwise(names))


ALIASES = tuple(
    Scenario(
        id=f"dns.cname.{place}.{name}",
        title=f"The {hop.what}{' without MX' * place.endswith('mx')} is {what}",
        rule=hop.rule if name in ("one", "chain") else ALIAS_LOOP,
        zone=zone,
        connector=hop.connector,
        expect=expect,
    )
    for place, hop in HOPS.items()
    for name, what, zone, expect in (
        ("one", "an alias", Zone((*_aliases(hop.name, "end"), *hop.lines)), hop.followed),
        (
            "chain",
            "the first of eight aliases",
            Zone((*_aliases(hop.name, *(f"a{n}" for n in range(2, 9)), "end"), *hop.lines)),
            hop.followed,
        ),
        (
            "loop",
            "an alias in a loop, which the name server sees",
            Zone((*_aliases(hop.name, "a2", "a3", hop.name), *hop.lines)),
            _failed("servfail"),
        ),
        (
            "endless",
            "an alias in a loop, which the name server does not see",
            Zone((*_aliases(hop.name, "a2", hop.name), *hop.lines))
            .but(Says((f"{hop.name} CNAME a2",)), hop.name)
            .but(Says((f"a2 CNAME {hop.name}",)), "a2"),
            AnyOf(_failed("malformed"), _failed(hop.missing)),
        ),
        (
            "dangling",
            "an alias of a name that does not exist",
            Zone((*_aliases(hop.name, "gone"), *hop.lines)),
            _failed(hop.missing),
        ),
    )
    if place != "domain-without-mx" or name == "one"
)


# Where MX records lead ---------------------------------------------------------------------

LOOP = _failed("loop")

TARGETS = (
    Scenario(
        id="dns.mx.ip-literal",
        title="The MX record has an address in place of a name",
        rule=MX_TARGET,
        zone=Zone(("@ MX 10 {mx1}.",)),
        expect=AnyOf(_failed("mx-host-nxdomain"), Delivers()),
    ),
    Scenario(
        id="dns.mx.ip-literal.then-name",
        title="The first MX record has an address in place of a name, the second is good",
        rule=NEXT_HOST,
        hosts=(Host("mx1"), Host("mx2")),
        zone=Zone(("@ MX 10 {mx1}.", "@ MX 20 mx2", "mx2 A {mx2}")),
        expect=Delivers("mx2", others=("mx1",)),
    ),
    Scenario(
        id="dns.mx.single-label",
        title="The MX host's name has lost its domain",
        rule=NONE_USABLE,
        zone=Zone(("@ MX 10 mx1.", "mx1 A {mx1}")),
        expect=_failed("mx-host-nxdomain"),
    ),
    Scenario(
        id="dns.mx.localhost",
        title="The MX host is localhost, the agent itself for whoever asks",
        rule=MX_SELF,
        zone=Zone(("@ MX 10 localhost.",)),
        expect=LOOP,
    ),
    Scenario(
        id="dns.mx.own-name",
        title="The only MX host is the agent itself, by its name",
        rule=MX_SELF,
        zone=Zone((f"@ MX 10 {AGENT}.", "@ A {mx1}")),
        expect=LOOP,
    ),
    Scenario(
        id="dns.mx.own-address",
        title="The only MX host has the agent's own address",
        rule=MX_SELF,
        zone=Zone(("@ MX 10 mx1", "mx1 A 127.0.0.1")),
        expect=LOOP,
    ),
    Scenario(
        id="dns.domain.own-address",
        title="The domain has no MX record, and the agent's own address",
        rule=MX_SELF,
        zone=Zone(("@ A 127.0.0.1",)),
        expect=LOOP,
    ),
    Scenario(
        id="dns.mx.own-name.best",
        title="The agent itself is the best MX host: the others are not for it",
        rule=MX_SELF,
        zone=Zone((f"@ MX 10 {AGENT}.", "@ MX 20 mx1", "mx1 A {mx1}")),
        expect=LOOP,
    ),
    Scenario(
        id="dns.mx.own-name.equal",
        title="The agent itself is as good an MX host as another: that one is not for it",
        rule=MX_SELF,
        zone=Zone((f"@ MX 10 {AGENT}.", "@ MX 10 mx1", "mx1 A {mx1}")),
        expect=LOOP,
    ),
    Scenario(
        id="dns.mx.own-name.backup",
        title="The agent itself is the second MX host: the third is not for it",
        rule=MX_SELF,
        hosts=(Host("mx1", reach=Reach.REFUSED), Host("mx3")),
        zone=Zone(
            ("@ MX 10 mx1", f"@ MX 20 {AGENT}.", "@ MX 30 mx3", "mx1 A {mx1}", "mx3 A {mx3}")
        ),
        expect=REFUSED,
    ),
    Scenario(
        id="dns.mx.own-name.left",
        title="The better MX host is not in DNS, and only the agent itself is left",
        rule=MX_SELF,
        zone=Zone(("@ MX 10 gone", f"@ MX 20 {AGENT}.")),
        expect=AnyOf(_failed("mx-host-nxdomain"), LOOP),
    ),
    *(
        Scenario(
            id=f"dns.mx-host.{kind}",
            title=f"The MX host's address is a {kind} address",
            rule=NO_DESTINATION,
            zone=Zone(("@ MX 10 mx1", f"mx1 A {address}")),
            expect=UNREACHABLE,
        )
        for kind, address in {"multicast": "224.0.0.1", "broadcast": "255.255.255.255"}.items()
    ),
    Scenario(
        id="dns.mx-host.unspecified",
        title="The MX host's address is 0.0.0.0, which leads to the agent itself",
        rule=MX_SELF,
        zone=Zone(("@ MX 10 mx1", "mx1 A 0.0.0.0")),
        expect=LOOP,
    ),
    Scenario(
        id="dns.mx-host.multicast.first-mx",
        title="The first MX host's address is a multicast address, the second's is good",
        rule=NO_DESTINATION,
        zone=Zone(("@ MX 10 group", "@ MX 20 mx1", "group A 224.0.0.1", "mx1 A {mx1}")),
        expect=Delivers(),
    ),
    Scenario(
        id="dns.mx.false-glue",
        title="The MX answer brings an address of the host's that is not the host's",
        rule=DNS_RANK,
        hosts=(Host("mx1"), Host("other")),
        zone=HONEST.but(Glue(("mx1 A {other}",)), "@", "MX"),
        expect=Delivers(),
    ),
)


# How many, and in which order --------------------------------------------------------------

HUNDREDS = tuple(Host(f"h{n}", reach=Reach.REFUSED) for n in range(1, 201))

ORDERS = (
    Scenario(
        id="dns.mx.preference-65535",
        title="The highest preference there is, and more than half of it, are the last to be tried",
        rule=MX_ORDER,
        hosts=(Host("mx1"), Host("mx2"), Host("mx3")),
        zone=Zone(
            (
                "@ MX 65535 mx3",
                "@ MX 40000 mx2",
                "@ MX 5 mx1",
                *(f"mx{n} A {{mx{n}}}" for n in (1, 2, 3)),
            )
        ),
        expect=Delivers(),
    ),
    Scenario(
        id="dns.mx.equal",
        title="Two MX hosts of equal preference: each gets some of the mail",
        rule=MX_EQUAL,
        hosts=(Host("mx1"), Host("mx2")),
        zone=Zone(("@ MX 10 mx1", "@ MX 10 mx2", "mx1 A {mx1}", "mx2 A {mx2}")),
        mail=MANY,
        expect=Delivers("mx1", others=("mx2",)),
        spread=("mx1", "mx2"),
    ),
    Scenario(
        id="dns.mx.equal.one-refuses",
        title="Of two MX hosts of equal preference one refuses: all mail goes to the other",
        rule=NEXT_HOST,
        hosts=(Host("mx1", reach=Reach.REFUSED), Host("mx2")),
        zone=Zone(("@ MX 10 mx1", "@ MX 10 mx2", "mx1 A {mx1}", "mx2 A {mx2}")),
        mail=MANY,
        expect=Delivers("mx2"),
    ),
    Scenario(
        id="dns.mx.duplicate",
        title="The same host stands in the MX list twice, and is tried no more often than that",
        rule=MX_LIMIT,
        hosts=(Host("mx1", reach=Reach.REFUSED),),
        zone=Zone(("@ MX 10 mx1", "@ MX 20 mx1", "mx1 A {mx1}")),
        expect=REFUSED,
        most_connections=2,
    ),
    Scenario(
        id="dns.mx.duplicate.then-another",
        title="The same host stands in the MX list twice, and another behind it takes the mail",
        rule=NEXT_HOST,
        hosts=(Host("mx1", reach=Reach.REFUSED), Host("mx2")),
        zone=Zone(("@ MX 10 mx1", "@ MX 20 mx1", "@ MX 30 mx2", "mx1 A {mx1}", "mx2 A {mx2}")),
        expect=Delivers("mx2"),
        most_connections=3,
    ),
    Scenario(
        id="dns.mx-host.hundreds-of-addresses",
        title="The MX host has two hundred addresses, and each of them refuses",
        rule=MX_LIMIT,
        hosts=HUNDREDS,
        zone=Zone(("@ MX 10 mx1", *(f"mx1 A {{{host.name}}}" for host in HUNDREDS))),
        expect=REFUSED,
        most_connections=len(HUNDREDS),
    ),
    Scenario(
        id="dns.mx.hundreds-of-hosts",
        title="The domain has two hundred MX hosts, and each of them refuses",
        rule=MX_LIMIT,
        hosts=HUNDREDS,
        zone=Zone(
            (
                *(f"@ MX {n} {host.name}" for n, host in enumerate(HUNDREDS)),
                *(f"{host.name} A {{{host.name}}}" for host in HUNDREDS),
            )
        ),
        expect=REFUSED,
        most_connections=len(HUNDREDS),
    ),
)


# Two internet protocols --------------------------------------------------------------------

DUAL = Zone(("@ MX 10 mx1", "mx1 AAAA {six}", "mx1 A {four}"))
DEAD = (Reach.REFUSED, Reach.SILENT, Reach.UNREACHABLE)
BUSY_ONCE = Reply(Stage.GREETING, "421 4.3.2 Service not available", times=1, close=True)
"""So that an agent which begins with IPv6 comes to the IPv4 address, too."""
BUSY = Fails(Cause(Failure.CANNOT_CONNECT, "service-unavailable"), BUSY_ONCE.text)

PROTOCOLS = (
    Scenario(
        id="dns.mx-host.ipv6-only",
        title="The MX host has an IPv6 address only",
        rule=IPV6_HOST,
        hosts=(Host(family=SIX),),
        expect=Delivers(),
    ),
    Scenario(
        id="dns.domain.ipv6-only",
        title="The domain has no MX record, and an IPv6 address only",
        rule=IMPLICIT_MX,
        hosts=(Host(family=SIX),),
        zone=Zone(("@ AAAA {mx1}",)),
        expect=Delivers(),
    ),
    Scenario(
        id="dns.smart-host.ipv6-only",
        title="The smart host has an IPv6 address only",
        rule=IPV6_HOST,
        hosts=(Host(family=SIX),),
        connector=SMART,
        expect=Delivers(),
    ),
    *(
        Scenario(
            id=f"dns.mx-host.ipv6-only.{reach}",
            title=f"The MX host has an IPv6 address only, which is {reach}",
            rule=P316 if reach in (Reach.REFUSED, Reach.PROHIBITED) else P315,
            hosts=(Host(family=SIX, reach=reach),),
            expect=fails,
        )
        for reach, fails in AWAY.items()
    ),
    *(
        Scenario(
            id=f"dns.mx-host.ipv6-dead.{reach}",
            title=f"The MX host's IPv6 address is {reach}, the IPv4 one is good",
            rule=EVERY_ADDRESS,
            hosts=(Host("six", family=SIX, reach=reach), Host("four")),
            zone=DUAL,
            mail=MANY,
            expect=Delivers("four"),
        )
        for reach in DEAD
    ),
    *(
        Scenario(
            id=f"dns.mx-host.ipv4-dead.{reach}",
            title=f"The MX host's IPv4 address is {reach}, and at the IPv6 one it is busy at first",
            rule=EVERY_ADDRESS,
            hosts=(Host("six", family=SIX, behaviours=(BUSY_ONCE,)), Host("four", reach=reach)),
            zone=DUAL,
            expect=AnyOf(Recovers(AWAY[reach], "six"), Recovers(BUSY, "six")),
        )
        for reach in DEAD
    ),
    Scenario(
        id="dns.mx-host.both-dead.refused",
        title="Both the MX host's address of IPv6 and that of IPv4 refuse",
        rule=EVERY_ADDRESS,
        hosts=(Host("six", family=SIX, reach=Reach.REFUSED), Host("four", reach=Reach.REFUSED)),
        zone=DUAL,
        expect=REFUSED,
    ),
    *(
        Scenario(
            id=f"dns.mx-host.{qtype.lower()}-{name}",
            title=f"Asked for the MX host's {qtype} record, the name server {does}; the other is good",
            rule=ONE_FAMILY,
            hosts=(Host("six", family=SIX), Host("four")),
            zone=DUAL.but(fault, "mx1", qtype),
            expect=AnyOf(
                Delivers("four" if qtype == "AAAA" else "six"),
                _failed("mx-host-nxdomain" if name == "nxdomain" else reason),
            ),
        )
        for qtype in ("AAAA", "A")
        for name, fault, does, reason in (
            ("servfail", Rcode("SERVFAIL"), "fails", "servfail"),
            ("nxdomain", Rcode("NXDOMAIN"), "says that there is no such name", "mx-host-nxdomain"),
            ("notimp", Rcode("NOTIMP"), "does not know how", "rcode-other"),
            ("silent", Silence(), "does not answer", "no-answer"),
        )
    ),
)


# Smart hosts that are addresses ------------------------------------------------------------


def _literal(family: str) -> Host:
    """A host that is called after its family."""
    return Host(family, family=Family(family))


LITERALS = (
    Scenario(
        id="dns.smart-host.literal",
        title="A smart host that is an address is reached without a question",
        rule=NO_MX_NEEDED,
        connector=LITERAL,
        expect=Delivers(),
    ),
    Scenario(
        id="dns.smart-host.literal.ipv6",
        title="A smart host that is an IPv6 address is reached without a question",
        rule=NO_MX_NEEDED,
        hosts=(Host(family=SIX),),
        connector=LITERAL,
        expect=Delivers(),
    ),
    *(
        Scenario(
            id=f"dns.smart-host.literal.ipv6.{reach}",
            title=f"A smart host that is an IPv6 address is {reach}: nothing is asked even then",
            rule=P316 if reach is Reach.REFUSED else P315,
            hosts=(Host(family=SIX, reach=reach), Host("mx2")),
            zone=Zone(("@ MX 10 mx2", "mx2 A {mx2}")),
            connector=LITERAL,
            expect=AWAY[reach],
        )
        for reach in DEAD
    ),
    *(
        Scenario(
            id=f"dns.smart-host.literal.{dead}-dead",
            title=f"Two smart hosts are addresses: the first, of {words}, refuses, the other is good",
            rule=NEXT_HOST,
            hosts=(replace(_literal(dead), reach=Reach.REFUSED), _literal(good)),
            connector=Connector(smart_hosts=(f"[{dead}]", f"[{good}]")),
            expect=Delivers(good),
        )
        for dead, good, words in (("ipv6", "ipv4", "IPv6"), ("ipv4", "ipv6", "IPv4"))
    ),
    Scenario(
        id="dns.smart-host.literal.refused",
        title="A smart host that is an address refuses: nothing is asked even then",
        rule=NO_MX_NEEDED,
        hosts=(Host(reach=Reach.REFUSED), Host("mx2")),
        zone=Zone(("@ MX 10 mx2", "mx2 A {mx2}")),
        connector=LITERAL,
        expect=REFUSED,
    ),
)


# Records that change between two attempts --------------------------------------------------

AT_MX2 = Zone(("@ MX 10 mx2", "mx2 A {mx2}"))
OLD_AND_NEW = (Host("mx1", reach=Reach.REFUSED), Host("mx2"))

CHANGES = (
    Scenario(
        id="dns.stale-mx.recovers",
        title="Resolvers hold the old MX, whose host is gone, until its TTL has run",
        rule=P312,
        zone=HONEST.but(Stale(("@ MX 10 old",)), "@", "MX"),
        expect=Recovers(_failed("mx-host-nxdomain")),
    ),
    Scenario(
        id="dns.stale-address.recovers",
        title="Resolvers hold the old address, where nobody listens, until its TTL has run",
        rule=DNS_STALE,
        zone=HONEST.but(Stale(("mx1 A {old}",)), "mx1", "A"),
        hosts=(Host("mx1"), Host("old", reach=Reach.REFUSED)),
        expect=Recovers(REFUSED),
    ),
    Scenario(
        id="dns.stale-smart-host.recovers",
        title="Resolvers hold the smart host's old address, where nobody listens",
        rule=DNS_STALE,
        zone=HONEST.but(Stale(("mx1 A {old}",)), "mx1", "A"),
        hosts=(Host("mx1"), Host("old", reach=Reach.REFUSED)),
        connector=SMART,
        expect=Recovers(REFUSED),
    ),
    Scenario(
        id="dns.stale-servfail.recovers",
        title="Resolvers remember for a while that the domain could not be had (RFC 2308)",
        rule=DNS_TEMPORARY,
        zone=HONEST.but(Stale((), rcode="SERVFAIL"), "@", "MX"),
        expect=Recovers(_failed("servfail")),
    ),
    Scenario(
        id="dns.mx.moved",
        title="While the mail waits, the MX record is changed to another host",
        rule=DNS_STALE,
        hosts=OLD_AND_NEW,
        zone=Zone(("@ 1 MX 10 mx1", "mx1 A {mx1}")),
        change=Change(zone=AT_MX2),
        expect=Recovers(REFUSED, to="mx2"),
    ),
    Scenario(
        id="dns.mx.withdrawn",
        title="While the mail waits, the MX record is withdrawn: the domain is its own host",
        rule=IMPLICIT_MX,
        hosts=OLD_AND_NEW,
        zone=Zone(("@ 1 MX 10 mx1", "@ A {mx2}", "mx1 A {mx1}")),
        change=Change(zone=Zone(("@ A {mx2}",))),
        expect=Recovers(REFUSED, to="mx2"),
    ),
    Scenario(
        id="dns.mx.published",
        title="While the mail waits, the domain publishes an MX record",
        rule=NO_FALLBACK,
        hosts=OLD_AND_NEW,
        zone=Zone(("@ 1 A {mx1}",)),
        change=Change(zone=Zone(("@ A {mx1}", *AT_MX2.records))),
        expect=Recovers(REFUSED, to="mx2"),
    ),
    Scenario(
        id="dns.mx-host.moved",
        title="While the mail waits, the MX host moves to another address",
        rule=DNS_STALE,
        hosts=OLD_AND_NEW,
        zone=Zone(("@ MX 10 mx1", "mx1 1 A {mx1}")),
        change=Change(zone=Zone(("@ MX 10 mx1", "mx1 A {mx2}"))),
        expect=Recovers(REFUSED, to="mx2"),
    ),
    Scenario(
        id="dns.mx-host.moved-to-ipv6",
        title="While the mail waits, the MX host moves from IPv4 to IPv6",
        rule=EVERY_ADDRESS,
        hosts=(Host("mx1", reach=Reach.REFUSED), Host("mx2", family=SIX)),
        zone=Zone(("@ MX 10 mx1", "mx1 1 A {mx1}")),
        change=Change(zone=Zone(("@ MX 10 mx1", "mx1 AAAA {mx2}"))),
        expect=Recovers(REFUSED, to="mx2"),
    ),
    Scenario(
        id="dns.smart-host.moved",
        title="While the mail waits, the smart host moves to another address",
        rule=DNS_STALE,
        hosts=OLD_AND_NEW,
        zone=Zone(("mx1 1 A {mx1}",)),
        change=Change(zone=Zone(("mx1 A {mx2}",))),
        connector=SMART,
        expect=Recovers(REFUSED, to="mx2"),
    ),
    Scenario(
        id="dns.domain.expired.later",
        title="While the mail waits, the recipient's domain expires",
        rule=P312,
        hosts=(Host(reach=Reach.REFUSED),),
        zone=Zone(("@ 1 MX 10 mx1", "mx1 1 A {mx1}")),
        change=Change(zone=HONEST.but(Rcode("NXDOMAIN"))),
        expect=Turns(REFUSED, _failed("domain-nxdomain")),
    ),
)


# Odd names ---------------------------------------------------------------------------------


def _host_named(name: str) -> Zone:
    return Zone((f"@ MX 10 {name}", f"{name} A {{mx1}}"))


LONG = ".".join("abc"[n] * 63 for n in range(3))
"""Three labels as long as can be; with the domain they come near 255 octets."""

NAMES = (
    Scenario(
        id="dns.mx-host.mixed-case",
        title="The MX host's name is written in both cases, and nobody minds",
        rule=ANY_CASE,
        zone=Zone(("@ MX 10 MaiL.In", "mail.in A {mx1}")),
        expect=Delivers(),
    ),
    Scenario(
        id="dns.mx-host.long-name",
        title="The MX host's name has labels of 63 octets and well over 200 in all",
        rule=LONG_NAME,
        zone=_host_named(LONG),
        expect=Delivers(),
    ),
    Scenario(
        id="dns.mx-host.underscore",
        title="The MX host's name has an underscore in it",
        rule=ODD_NAME,
        zone=_host_named("mail_in"),
        expect=AnyOf(Delivers(), _failed("mx-host-nxdomain")),
    ),
    Scenario(
        id="dns.mx-host.a-label",
        title="The MX host's name is an internationalised one, as an A-label",
        rule=A_LABEL,
        zone=_host_named("xn--bcher-kva"),
        expect=Delivers(),
    ),
    Scenario(
        id="dns.mx-host.digits",
        title="The first label of the MX host's name is a number",
        rule=MX_ORDER,
        zone=_host_named("25"),
        expect=Delivers(),
    ),
)


SCENARIOS = around(
    "dns",
    (
        *GRID,
        *ABSENT,
        *NULL_MXES,
        *ALIASES,
        *TARGETS,
        *ORDERS,
        *PROTOCOLS,
        *LITERALS,
        *CHANGES,
        *NAMES,
    ),
    connector=SMART,
)
