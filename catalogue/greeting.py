"""4.4.317: the connection stands, and the server errs at once."""

from catalogue.control import around
from catalogue.rules import NEXT_HOST, P317
from model.behaviours import Reply
from model.expect import Delivers, Fails
from model.failure import Cause, Failure
from model.scenario import Connector, Host, Scenario
from model.smtp import Stage

BUSY = "421 4.3.2 Service not available"
CLOSED_TO_YOU = "554 5.7.1 No SMTP service here"


def _refused(reason: str, reply: str) -> Fails:
    return Fails(Cause(Failure.CANNOT_CONNECT, reason), reply)


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
            id="greeting.554",
            title="The server greets with a refusal",
            rule=P317,
            hosts=(Host(behaviours=(Reply(Stage.GREETING, CLOSED_TO_YOU),)),),
            expect=_refused("greeting-refused", CLOSED_TO_YOU),
        ),
        Scenario(
            id="greeting.ehlo-421",
            title="The server closes its service at EHLO",
            rule=P317,
            hosts=(Host(behaviours=(Reply(Stage.EHLO, BUSY, close=True),)),),
            expect=_refused("service-unavailable", BUSY),
        ),
    ),
)
