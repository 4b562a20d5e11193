"""4.4.312: the DNS query for the next hop fails, or its answer is old."""

from catalogue.control import around
from catalogue.rules import DNS_ID, DNS_STALE, DNS_TCP, DNS_TEMPORARY, NO_MX_NEEDED, P312
from model.dns import Delay, Garbage, NoData, Rcode, Silence, Stale, Truncate, WrongId, Zone
from model.expect import Delivers, Fails, Recovers
from model.failure import Cause, Failure
from model.scenario import Connector, Host, Reach, Scenario

HONEST = Zone(("@ MX 10 mx1", "mx1 A {mx1}"))
SMART = Connector(smart_hosts=("mx1",))


def _failed(reason: str) -> Fails:
    return Fails(Cause(Failure.DNS_QUERY_FAILED, reason))


SCENARIOS = around(
    "dns",
    (
        Scenario(
            id="dns.mx.servfail",
            title="The DNS hoster's servers fail on the MX record",
            rule=P312,
            zone=HONEST.but(Rcode("SERVFAIL"), "@"),
            expect=_failed("servfail"),
        ),
        Scenario(
            id="dns.mx.refused",
            title="The DNS hoster's servers refuse the zone",
            rule=P312,
            zone=HONEST.but(Rcode("REFUSED")),
            expect=_failed("rcode-refused"),
        ),
        Scenario(
            id="dns.mx.silent",
            title="The DNS hoster's servers do not answer",
            rule=P312,
            zone=HONEST.but(Silence()),
            expect=_failed("no-answer"),
        ),
        Scenario(
            id="dns.mx.wrong-id",
            title="The MX answer carries another id",
            rule=DNS_ID,
            zone=HONEST.but(WrongId()),
            expect=_failed("malformed"),
        ),
        Scenario(
            id="dns.mx.garbage",
            title="The MX answer is no DNS message",
            rule=P312,
            zone=HONEST.but(Garbage()),
            expect=_failed("malformed"),
        ),
        Scenario(
            id="dns.mx.servfail-once",
            title="A DNS failure that passes: the mail is kept and then delivered",
            rule=DNS_TEMPORARY,
            zone=HONEST.but(Rcode("SERVFAIL", times=1), "@", "MX"),
            expect=Recovers(_failed("servfail")),
        ),
        Scenario(
            id="dns.mx.truncated",
            title="A truncated MX answer is asked for again over TCP",
            rule=DNS_TCP,
            zone=HONEST.but(Truncate(), "@", "MX"),
            expect=Delivers(),
        ),
        Scenario(
            id="dns.mx.truncated-without-tcp",
            title="A truncated MX answer, and TCP hangs up on who asks there",
            rule=P312,
            zone=HONEST.but(Truncate(tcp=False), "@"),
            expect=_failed("no-answer"),
        ),
        Scenario(
            id="dns.mx.slow",
            title="An MX answer that is slow, but in time",
            rule=DNS_TEMPORARY,
            zone=HONEST.but(Delay(0.25), "@", "MX"),
            expect=Delivers(),
        ),
        Scenario(
            id="dns.mx-host.servfail",
            title="The MX host's address cannot be had",
            rule=P312,
            zone=HONEST.but(Rcode("SERVFAIL"), "mx1"),
            expect=_failed("servfail"),
        ),
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
            expect=Recovers(Fails(Cause(Failure.CONNECTION_REFUSED, "reset"))),
        ),
        Scenario(
            id="dns.smart-host.servfail",
            title="The smart host's name cannot be resolved: server failure",
            rule=P312,
            zone=HONEST.but(Rcode("SERVFAIL"), "mx1"),
            connector=SMART,
            expect=_failed("servfail"),
        ),
        Scenario(
            id="dns.smart-host.refused",
            title="The smart host's name cannot be resolved: refused",
            rule=P312,
            zone=HONEST.but(Rcode("REFUSED"), "mx1"),
            connector=SMART,
            expect=_failed("rcode-refused"),
        ),
        Scenario(
            id="dns.smart-host.silent",
            title="The smart host's name cannot be resolved: no answer",
            rule=P312,
            zone=HONEST.but(Silence(), "mx1"),
            connector=SMART,
            expect=_failed("no-answer"),
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
        Scenario(
            id="dns.smart-host.literal",
            title="A smart host that is an address is reached without a question",
            rule=NO_MX_NEEDED,
            connector=Connector(smart_hosts=("[mx1]",)),
            expect=Delivers(),
        ),
    ),
    connector=SMART,
)
