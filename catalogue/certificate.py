"""4.7.320: the certificate cannot be validated, under each setting of the connector."""

from catalogue.control import around
from catalogue.rules import CN_FALLBACK, P320
from catalogue.tls import SETTING_RULE
from model.expect import AnyOf, Delivers, Expectation, Fails
from model.failure import Cause, Failure
from model.scenario import Connector, Host, Scenario
from model.tls import Flaw, Tls, must_refuse

REASON = {
    Flaw.EXPIRED: "certificate-expired",
    Flaw.NOT_YET_VALID: "certificate-not-yet-valid",
    Flaw.WRONG_NAME: "certificate-host-mismatch",
    Flaw.SELF_SIGNED: "certificate-not-trusted",
    Flaw.UNKNOWN_CA: "certificate-not-trusted",
    Flaw.MISSING_INTERMEDIATE: "certificate-not-trusted",
}
WORDS = {
    Flaw.EXPIRED: "A certificate that has expired",
    Flaw.NOT_YET_VALID: "A certificate that is not valid yet",
    Flaw.WRONG_NAME: "A certificate for another name",
    Flaw.SELF_SIGNED: "A certificate that signed itself",
    Flaw.UNKNOWN_CA: "A certificate of an authority that nobody knows",
    Flaw.MISSING_INTERMEDIATE: "A certificate without its intermediate",
}


def _expect(flaw: Flaw, setting: Tls) -> Expectation:
    if must_refuse(flaw, setting):
        return Fails(Cause(Failure.CERTIFICATE_INVALID, REASON[flaw]))
    return Delivers()


SCENARIOS = around(
    "certificate",
    (
        *(
            Scenario(
                id=f"certificate.{flaw}.under-{setting}",
                title=f"{words}, under {setting}",
                rule=P320 if must_refuse(flaw, setting) else SETTING_RULE[setting],
                hosts=(Host(certificate=flaw),),
                connector=Connector(tls=setting),
                expect=_expect(flaw, setting),
            )
            for flaw, words in WORDS.items()
            for setting in Tls
        ),
        Scenario(
            id="certificate.cn-only.under-domain",
            title="A certificate whose only name is its common name",
            rule=CN_FALLBACK,
            hosts=(Host(certificate=Flaw.CN_ONLY),),
            connector=Connector(tls=Tls.DOMAIN),
            expect=AnyOf(
                Delivers(), Fails(Cause(Failure.CERTIFICATE_INVALID, "certificate-host-mismatch"))
            ),
        ),
        Scenario(
            id="certificate.expired.first-smart-host",
            title="The first smart host's certificate has expired, the second's is good",
            rule=P320,
            hosts=(Host("mx1", certificate=Flaw.EXPIRED), Host("mx2")),
            connector=Connector(smart_hosts=("mx1", "mx2"), tls=Tls.CERTIFICATE),
            expect=Delivers("mx2"),
        ),
    ),
    connector=Connector(tls=Tls.DOMAIN),
)
