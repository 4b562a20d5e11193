"""What the page says mends each failure, done: and the mail that waited leaves."""

from catalogue.control import around
from catalogue.rules import FIX_312, FIX_315, FIX_316, FIX_317, FIX_318, FIX_320
from catalogue.six import BUSY, CLOSED, EXPIRED, REFUSED, SERVFAIL, TIMED_OUT, UNAVAILABLE, ZONE
from model.behaviours import CutAt, Reply, StallAt, Withhold
from model.dns import Rcode, Zone
from model.expect import Fails, Recovers
from model.failure import Cause, Failure
from model.middlebox import Box, KillsOn, Manner, RemovesCapability
from model.scenario import (
    HOUR,
    Change,
    Connector,
    Host,
    Mark,
    Party,
    Reach,
    Remedy,
    Scenario,
)
from model.smtp import Stage
from model.tls import Flaw, Tls

LATER = 5 * HOUR
"""When a connector is corrected, in seconds of age."""
SMART = Connector(smart_hosts=("mx1",))
CHECKED = Connector(tls=Tls.CERTIFICATE)
NO_TLS = Fails(Cause(Failure.CANNOT_CONNECT, "starttls-not-supported"))
UNTRUSTED = Fails(Cause(Failure.CERTIFICATE_INVALID, "certificate-not-trusted"))
MISMATCH = Fails(Cause(Failure.CERTIFICATE_INVALID, "certificate-host-mismatch"))
HANGS = Fails(Cause(Failure.CLOSED_ABRUPTLY, "hang"))
PLAIN = Host(behaviours=(Withhold("STARTTLS"),))
AWAY = Host(reach=Reach.REFUSED)

INSPECTS = KillsOn(b"carries this line", Manner.CLOSED)

HOSTER = Remedy("the zone is repaired at the DNS hoster", Party.DNS_HOSTER)
SERVER_UP = Remedy("the mail server is started", Party.SERVER)
FIREWALL = Remedy("TCP port 25 is opened", Party.NETWORK)
RENEWED = Remedy("the certificate is renewed", Party.SERVER)


def _by_server(words: str) -> Change:
    """What the administrator of the server changes."""
    return Change(hosts=(Host(),), remedy=Remedy(words, Party.SERVER))


def _by_connector(words: str, connector: Connector) -> tuple[Mark, ...]:
    """What the administrator of the connector changes, in the running agent."""
    remedy = Remedy(words, Party.CONNECTOR)
    return (Mark(LATER, change=Change(connector=connector, remedy=remedy)),)


SCENARIOS = around(
    "remedy",
    (
        Scenario(
            id="remedy.dns-query-failed.zone-repaired",
            title="The domain's name servers answer again",
            rule=FIX_312,
            zone=ZONE.but(Rcode("SERVFAIL")),
            change=Change(zone=ZONE, remedy=HOSTER),
            expect=Recovers(SERVFAIL),
        ),
        Scenario(
            id="remedy.dns-query-failed.smart-host-repaired",
            title="The name of the smart host is answered again",
            rule=FIX_312,
            zone=Zone(("mx1 A {mx1}",)).but(Rcode("SERVFAIL")),
            connector=SMART,
            change=Change(zone=Zone(("mx1 A {mx1}",)), remedy=HOSTER),
            expect=Recovers(SERVFAIL),
        ),
        Scenario(
            id="remedy.dns-query-failed.connector-corrected",
            title="The smart host is named by its address instead",
            rule=FIX_312,
            zone=Zone(("mx1 A {mx1}",)).but(Rcode("SERVFAIL")),
            connector=SMART,
            course=_by_connector(
                "the smart host is given as an address", Connector(smart_hosts=("[mx1]",))
            ),
            expect=Recovers(SERVFAIL),
        ),
        Scenario(
            id="remedy.connection-timed-out.server-up",
            title="The server that was down is up again",
            rule=FIX_315,
            hosts=(Host(reach=Reach.SILENT),),
            change=Change(hosts=(Host(),), remedy=SERVER_UP),
            expect=Recovers(TIMED_OUT),
        ),
        Scenario(
            id="remedy.connection-timed-out.address-corrected",
            title="After a change of provider the address record follows",
            rule=FIX_315,
            hosts=(Host(reach=Reach.SILENT), Host("mx2")),
            zone=Zone(("@ MX 10 mx1", "mx1 A {mx1}")),
            change=Change(
                zone=Zone(("@ MX 10 mx2", "mx2 A {mx2}")),
                remedy=Remedy("the records are given the new address", Party.DNS_HOSTER),
            ),
            expect=Recovers(TIMED_OUT, to="mx2"),
        ),
        Scenario(
            id="remedy.connection-timed-out.connector-corrected",
            title="A connector with the wrong smart host is given the right one",
            rule=FIX_315,
            hosts=(Host(reach=Reach.SILENT), Host("mx2")),
            zone=Zone(("mx1 A {mx1}", "mx2 A {mx2}")),
            connector=SMART,
            course=_by_connector("the right smart host is named", Connector(smart_hosts=("mx2",))),
            expect=Recovers(TIMED_OUT, to="mx2"),
        ),
        Scenario(
            id="remedy.connection-refused.firewall-opened",
            title="The firewall lets port 25 in",
            rule=FIX_316,
            hosts=(AWAY,),
            change=Change(hosts=(Host(),), remedy=FIREWALL),
            expect=Recovers(REFUSED),
        ),
        Scenario(
            id="remedy.connection-refused.connector-disabled",
            title="All mailboxes have moved: the connector is switched off, and mail goes by MX",
            rule=FIX_316,
            hosts=(AWAY, Host("mx2")),
            zone=Zone(("@ MX 10 mx2", "mx1 A {mx1}", "mx2 A {mx2}")),
            connector=SMART,
            course=_by_connector(
                "the connector is disabled", Connector(smart_hosts=("mx1",), enabled=False)
            ),
            expect=Recovers(REFUSED, to="mx2"),
        ),
        Scenario(
            id="remedy.cannot-connect.service-back",
            title="The server that answered 421 serves again",
            rule=FIX_317,
            hosts=(Host(behaviours=(Reply(Stage.GREETING, BUSY, close=True),)),),
            change=_by_server("the mail service is started"),
            expect=Recovers(UNAVAILABLE),
        ),
        Scenario(
            id="remedy.cannot-connect.starttls-enabled",
            title="The server is given STARTTLS, which the connector demands",
            rule=FIX_317,
            hosts=(PLAIN,),
            connector=Connector(tls=Tls.ENCRYPT),
            change=_by_server("TLS is switched on"),
            expect=Recovers(NO_TLS),
        ),
        Scenario(
            id="remedy.cannot-connect.connector-corrected",
            title="The connector no longer demands the TLS that the server has not",
            rule=FIX_317,
            hosts=(PLAIN,),
            connector=Connector(tls=Tls.ENCRYPT),
            course=_by_connector("TLS is no longer demanded", Connector()),
            expect=Recovers(NO_TLS),
        ),
        Scenario(
            id="remedy.closed-abruptly.server-mended",
            title="The server no longer breaks off",
            rule=FIX_318,
            hosts=(Host(behaviours=(CutAt(Stage.MAIL),)),),
            change=_by_server("the server is given what it lacked"),
            expect=Recovers(CLOSED),
        ),
        Scenario(
            id="remedy.closed-abruptly.server-woken",
            title="The server no longer falls silent",
            rule=FIX_318,
            hosts=(Host(behaviours=(StallAt(Stage.MAIL),)),),
            change=_by_server("the server is restarted"),
            expect=Recovers(HANGS),
        ),
        Scenario(
            id="remedy.closed-abruptly.inspection-off",
            title="The firewall no longer inspects SMTP",
            rule=FIX_318,
            hosts=(Host(box=Box((RemovesCapability("STARTTLS"), INSPECTS))),),
            change=Change(
                hosts=(Host(),),
                remedy=Remedy("SMTP inspection is switched off", Party.NETWORK),
            ),
            expect=Recovers(CLOSED),
        ),
        Scenario(
            id="remedy.certificate-invalid.renewed",
            title="The certificate that had expired is renewed",
            rule=FIX_320,
            hosts=(Host(certificate=Flaw.EXPIRED),),
            connector=CHECKED,
            change=Change(hosts=(Host(),), remedy=RENEWED),
            expect=Recovers(EXPIRED),
        ),
        Scenario(
            id="remedy.certificate-invalid.trusted",
            title="A certificate of an unknown authority gives way to a trusted one",
            rule=FIX_320,
            hosts=(Host(certificate=Flaw.UNKNOWN_CA),),
            connector=CHECKED,
            change=_by_server("a certificate of a public authority is installed"),
            expect=Recovers(UNTRUSTED),
        ),
        Scenario(
            id="remedy.certificate-invalid.name-corrected",
            title="A certificate for another name gives way to one for the right name",
            rule=FIX_320,
            hosts=(Host(certificate=Flaw.WRONG_NAME),),
            connector=Connector(tls=Tls.DOMAIN),
            change=_by_server("a certificate for the right name is installed"),
            expect=Recovers(MISMATCH),
        ),
        Scenario(
            id="remedy.certificate-invalid.connector-corrected",
            title="The connector no longer wants a trusted chain of a self-signed server",
            rule=FIX_320,
            hosts=(Host(certificate=Flaw.SELF_SIGNED),),
            connector=CHECKED,
            course=_by_connector("any certificate will do", Connector(tls=Tls.ENCRYPT)),
            expect=Recovers(UNTRUSTED),
        ),
    ),
)
