"""4.4.315 and 4.4.316: no connection comes about."""

from catalogue.control import around
from catalogue.rules import CONNECTOR_OFF, NEXT_HOST, P315, P316
from model.dns import Zone
from model.expect import Delivers, Fails
from model.failure import Cause, Failure
from model.scenario import Connector, Host, Reach, Scenario
from model.tls import Tls

REFUSED = Fails(Cause(Failure.CONNECTION_REFUSED, "reset"))
PROHIBITED = Fails(Cause(Failure.CONNECTION_REFUSED, "prohibited"))
SILENT = Fails(Cause(Failure.CONNECTION_TIMED_OUT, "silent"))
UNREACHABLE = Fails(Cause(Failure.CONNECTION_TIMED_OUT, "unreachable"))

BY_NAME = Connector(smart_hosts=("mx1",))
BY_ADDRESS = Connector(smart_hosts=("[mx1]",))

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
    ),
    connector=BY_ADDRESS,
)
