"""The six documented failures as worlds, each with the change that mends it.

For chapters that are about what happens to the mail afterwards, whatever the failure was.
"""

from dataclasses import dataclass, field

from model.behaviours import CutAt, Reply
from model.dns import Rcode, Zone
from model.expect import Fails
from model.failure import Cause, Failure
from model.scenario import Change, Connector, Host, Reach
from model.smtp import Stage
from model.tls import Flaw, Tls

BUSY = "421 4.3.2 Service not available"
ZONE = Zone(("@ MX 10 mx1", "mx1 A {mx1}"))
REFUSED = Fails(Cause(Failure.CONNECTION_REFUSED, "reset"))
TIMED_OUT = Fails(Cause(Failure.CONNECTION_TIMED_OUT, "silent"))
SERVFAIL = Fails(Cause(Failure.DNS_QUERY_FAILED, "servfail"))
UNAVAILABLE = Fails(Cause(Failure.CANNOT_CONNECT, "service-unavailable"), BUSY)
CLOSED = Fails(Cause(Failure.CLOSED_ABRUPTLY, "closed"))
EXPIRED = Fails(Cause(Failure.CERTIFICATE_INVALID, "certificate-expired"))


@dataclass(frozen=True, slots=True)
class World:
    """A failure: its code, what is wrong, how an attempt fares, and the same world mended."""

    code: str
    fails: Fails
    host: Host = field(default_factory=Host)
    zone: Zone = ZONE
    connector: Connector = field(default_factory=Connector)

    @property
    def name(self) -> str:
        """The failure, as a part of an id."""
        return str(self.fails.cause.failure)

    @property
    def mended(self) -> Change:
        """A blameless host, and a zone that answers."""
        return Change(hosts=(Host(),), zone=ZONE)


WORLDS = (
    World("4.4.312", SERVFAIL, zone=ZONE.but(Rcode("SERVFAIL"))),
    World("4.4.315", TIMED_OUT, Host(reach=Reach.SILENT)),
    World("4.4.316", REFUSED, Host(reach=Reach.REFUSED)),
    World("4.4.317", UNAVAILABLE, Host(behaviours=(Reply(Stage.GREETING, BUSY, close=True),))),
    World("4.4.318", CLOSED, Host(behaviours=(CutAt(Stage.MAIL),))),
    World(
        "4.7.320",
        EXPIRED,
        Host(certificate=Flaw.EXPIRED),
        connector=Connector(tls=Tls.CERTIFICATE),
    ),
)
"""The six of "Mail Flow Intelligence in Office 365"."""
