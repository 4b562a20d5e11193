"""The end of the queue: after its lifetime the mail goes back to its sender, once."""

from catalogue.control import around
from catalogue.rules import EXPIRY, NULL_SENDER
from model.behaviours import CutAt, Reply
from model.dns import Rcode, Zone
from model.expect import Expires, Fails
from model.failure import Cause, Failure
from model.scenario import HOUR, Connector, Host, Mail, Reach, Scenario, Source
from model.smtp import Stage
from model.tls import Flaw, OwnCertificate, Tls

BUSY = "421 4.3.2 Service not available"
REFUSED = Fails(Cause(Failure.CONNECTION_REFUSED, "reset"))

SCENARIOS = around(
    "expiry",
    (
        Scenario(
            id="expiry.dns-query-failed",
            title="4.4.312 until the end: one NDR to the sender",
            rule=EXPIRY,
            zone=Zone(("@ MX 10 mx1", "mx1 A {mx1}")).but(Rcode("SERVFAIL")),
            expect=Expires(Fails(Cause(Failure.DNS_QUERY_FAILED, "servfail"))),
        ),
        Scenario(
            id="expiry.connection-timed-out",
            title="4.4.315 until the end: one NDR to the sender",
            rule=EXPIRY,
            hosts=(Host(reach=Reach.SILENT),),
            expect=Expires(Fails(Cause(Failure.CONNECTION_TIMED_OUT, "silent"))),
        ),
        Scenario(
            id="expiry.connection-refused",
            title="4.4.316 until the end: one NDR to the sender",
            rule=EXPIRY,
            hosts=(Host(reach=Reach.REFUSED),),
            expect=Expires(REFUSED),
        ),
        Scenario(
            id="expiry.cannot-connect",
            title="4.4.317 until the end: one NDR to the sender",
            rule=EXPIRY,
            hosts=(Host(behaviours=(Reply(Stage.GREETING, BUSY, close=True),)),),
            expect=Expires(Fails(Cause(Failure.CANNOT_CONNECT, "service-unavailable"), BUSY)),
        ),
        Scenario(
            id="expiry.closed-abruptly",
            title="4.4.318 until the end: one NDR to the sender",
            rule=EXPIRY,
            hosts=(Host(behaviours=(CutAt(Stage.MAIL),)),),
            expect=Expires(Fails(Cause(Failure.CLOSED_ABRUPTLY, "closed"))),
        ),
        Scenario(
            id="expiry.certificate-invalid",
            title="4.7.320 until the end: one NDR to the sender",
            rule=EXPIRY,
            hosts=(Host(certificate=Flaw.EXPIRED),),
            connector=Connector(tls=Tls.CERTIFICATE),
            expect=Expires(Fails(Cause(Failure.CERTIFICATE_INVALID, "certificate-expired"))),
        ),
        Scenario(
            id="expiry.own-certificate",
            title="The agent's own certificate is not there until the end: one NDR to the sender",
            rule=EXPIRY,
            connector=Connector(tls=Tls.ENCRYPT, own_certificate=OwnCertificate.MISSING),
            expect=Expires(Fails(Cause(Failure.LOCAL_FAULT, "own-certificate"))),
        ),
        Scenario(
            id="expiry.source-address",
            title="The source address is not on this machine until the end: one NDR to the sender",
            rule=EXPIRY,
            connector=Connector(source=Source.ABSENT),
            expect=Expires(Fails(Cause(Failure.LOCAL_FAULT, "source-address"))),
        ),
        Scenario(
            id="expiry.peer-reply",
            title="A server's 450 until the end: one NDR to the sender",
            rule=EXPIRY,
            hosts=(Host(behaviours=(Reply(Stage.RCPT, "450 4.2.1 Mailbox busy"),)),),
            expect=Expires(Fails(Cause(Failure.PEER_REPLY, "transient"), "450 4.2.1 Mailbox busy")),
        ),
        Scenario(
            id="expiry.after-24-hours",
            title="A lifetime of 24 hours ends after 24 hours",
            rule=EXPIRY,
            hosts=(Host(reach=Reach.REFUSED),),
            connector=Connector(lifetime=24 * HOUR),
            expect=Expires(REFUSED),
        ),
        Scenario(
            id="expiry.after-48-hours",
            title="A lifetime of 48 hours ends after 48 hours",
            rule=EXPIRY,
            hosts=(Host(reach=Reach.REFUSED),),
            connector=Connector(lifetime=48 * HOUR),
            expect=Expires(REFUSED),
        ),
        Scenario(
            id="expiry.null-sender",
            title="Mail without a sender is given up in silence",
            rule=NULL_SENDER,
            hosts=(Host(reach=Reach.REFUSED),),
            mail=Mail(null_sender=True),
            expect=Expires(REFUSED),
        ),
    ),
)
