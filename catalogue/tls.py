"""4.4.317: the connector requires TLS, and the server does not come up to it."""

from catalogue.control import around
from catalogue.rules import (
    CERTIFICATE_VALIDATION,
    DOMAIN_VALIDATION,
    ENCRYPTION_ONLY,
    OPPORTUNISTIC,
    P317,
)
from model.behaviours import Reply, SendAt, Withhold
from model.expect import AnyOf, Delivers, Fails
from model.failure import Cause, Failure
from model.rule import Rule
from model.scenario import Connector, Host, Scenario
from model.smtp import Stage
from model.tls import Handshake, Tls

NOT_NOW = "454 4.7.0 TLS not available due to temporary reason"

SETTING_RULE: dict[Tls, Rule] = {
    Tls.NONE: OPPORTUNISTIC,
    Tls.ENCRYPT: ENCRYPTION_ONLY,
    Tls.CERTIFICATE: CERTIFICATE_VALIDATION,
    Tls.DOMAIN: DOMAIN_VALIDATION,
}
"""What each setting of a connector demands."""
DEMANDING = (Tls.ENCRYPT, Tls.CERTIFICATE, Tls.DOMAIN)


def _cannot(reason: str, peer: str = "") -> Fails:
    return Fails(Cause(Failure.CANNOT_CONNECT, reason), peer)


SCENARIOS = around(
    "tls",
    (
        *(
            Scenario(
                id=f"tls.valid.under-{setting}",
                title=f"A server with nothing wrong, under {setting}",
                rule=SETTING_RULE[setting],
                connector=Connector(tls=setting),
            )
            for setting in Tls
        ),
        Scenario(
            id="tls.not-offered.under-none",
            title="No STARTTLS, and none asked for: the mail goes in clear",
            rule=OPPORTUNISTIC,
            hosts=(Host(behaviours=(Withhold("STARTTLS"),)),),
            expect=Delivers(),
        ),
        *(
            Scenario(
                id=f"tls.not-offered.under-{setting}",
                title=f"TLS is required ({setting}), and the server has none",
                rule=P317,
                hosts=(Host(behaviours=(Withhold("STARTTLS"),)),),
                connector=Connector(tls=setting),
                expect=_cannot("starttls-not-supported"),
            )
            for setting in DEMANDING
        ),
        Scenario(
            id="tls.starttls-454.under-none",
            title="STARTTLS is refused for now, and TLS not required: the mail goes in clear",
            rule=OPPORTUNISTIC,
            hosts=(Host(behaviours=(Reply(Stage.STARTTLS, NOT_NOW),)),),
            expect=AnyOf(Delivers(), _cannot("starttls-refused", NOT_NOW)),
        ),
        *(
            Scenario(
                id=f"tls.starttls-454.under-{setting}",
                title=f"TLS is required ({setting}), and STARTTLS is refused for now",
                rule=P317,
                hosts=(Host(behaviours=(Reply(Stage.STARTTLS, NOT_NOW),)),),
                connector=Connector(tls=setting),
                expect=_cannot("starttls-refused", NOT_NOW),
            )
            for setting in DEMANDING
        ),
        Scenario(
            id="tls.no-common-version.under-none",
            title="The handshake cannot succeed, and TLS is not required: in clear, now or later",
            rule=OPPORTUNISTIC,
            hosts=(Host(handshake=Handshake.NO_COMMON_VERSION),),
            expect=AnyOf(Delivers(), _cannot("handshake-failed")),
        ),
        *(
            Scenario(
                id=f"tls.no-common-version.under-{setting}",
                title=f"TLS is required ({setting}), and the handshake cannot succeed",
                rule=P317,
                hosts=(Host(handshake=Handshake.NO_COMMON_VERSION),),
                connector=Connector(tls=setting),
                expect=_cannot("handshake-failed"),
            )
            for setting in DEMANDING
        ),
        Scenario(
            id="tls.garbage.under-encrypt",
            title="After the 220 to STARTTLS comes plain text",
            rule=P317,
            hosts=(Host(behaviours=(SendAt(Stage.HANDSHAKE, b"this is no TLS record\r\n"),)),),
            connector=Connector(tls=Tls.ENCRYPT),
            expect=_cannot("handshake-failed"),
        ),
    ),
    connector=Connector(tls=Tls.DOMAIN),
)
