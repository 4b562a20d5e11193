"""4.7.320: the certificate cannot be validated, under each setting of the connector."""

from dataclasses import replace

from catalogue import rules
from catalogue.control import around
from catalogue.rules import CN_FALLBACK, EVERY_ATTEMPT, NEXT_HOST, P320
from catalogue.tls import SETTING_RULE, TLS_ONLY
from model.behaviours import Reply
from model.dns import Zone
from model.expect import AnyOf, Delivers, Expectation, Expires, Fails, Recovers, Turns
from model.failure import Cause, Failure
from model.rule import Rule
from model.scenario import (
    HOUR,
    Change,
    Connector,
    Family,
    Host,
    Mail,
    Mark,
    Party,
    Remedy,
    Scenario,
)
from model.smtp import Stage
from model.tls import Flaw, Handshake, OwnCertificate, Tls, must_refuse

TRY_LATER = "451 4.3.0 Try again later"
ONE_NAME = Zone(("@ MX 10 mx", "mx A {mx1}", "mx A {mx2}"))
"""Two hosts behind one name."""


def _refused(reason: str) -> Fails:
    return Fails(Cause(Failure.CERTIFICATE_INVALID, f"certificate-{reason}"))


def _no_handshake() -> Fails:
    return Fails(Cause(Failure.CANNOT_CONNECT, "handshake-failed"))


def _busy(flaw: Flaw = Flaw.VALID) -> Host:
    """A host that has no time for the mail, whatever its certificate."""
    return Host(certificate=flaw, behaviours=(Reply(Stage.RCPT, TRY_LATER),))


OWN = Fails(Cause(Failure.LOCAL_FAULT, "own-certificate"))
CHECKS_CLIENTS = Host(handshake=Handshake.CLIENT_DEMANDED_1_3)
"""A host that lets in only who has a certificate of its authority's."""
AMISS: tuple[tuple[OwnCertificate, Tls, str], ...] = (
    (OwnCertificate.MISSING, Tls.ENCRYPT, "The file of the agent's own certificate is not there"),
    (OwnCertificate.MISSING, Tls.DOMAIN, "The file of the agent's own certificate is not there"),
    (OwnCertificate.UNREADABLE, Tls.CERTIFICATE, "A directory is where its certificate should be"),
    (OwnCertificate.GARBAGE, Tls.DOMAIN, "The agent's own certificate is a PEM file of garbage"),
    (OwnCertificate.FOREIGN_KEY, Tls.ENCRYPT, "The agent's key belongs to another certificate"),
)
"""What is wrong on the agent's own side, under settings that demand TLS: nothing is sent without it,
whether the host would ask for it or not."""
NOT_NOW = Fails(Cause(Failure.PEER_REPLY, "transient"), TRY_LATER)
Said = tuple[Rule, str, str]
"""Of a flaw: the rule, the reason, and what the host has, in words."""
BAD_CHAINS: dict[Flaw, Said] = {
    Flaw.EXPIRED: (P320, "expired", "A certificate that has expired"),
    Flaw.NOT_YET_VALID: (P320, "not-yet-valid", "A certificate that is not valid yet"),
    Flaw.SELF_SIGNED: (P320, "not-trusted", "A certificate that signed itself"),
    Flaw.UNKNOWN_CA: (P320, "not-trusted", "A certificate of an authority that nobody knows"),
    Flaw.MISSING_INTERMEDIATE: (P320, "not-trusted", "A certificate without its intermediate"),
    Flaw.EXPIRED_INTERMEDIATE: (
        rules.AT_ALL_TIMES,
        "expired",
        "A good certificate below an intermediate that has expired",
    ),
    Flaw.BAD_SIGNATURE: (
        rules.SIGNATURE,
        "not-trusted",
        "A certificate with one bit changed in its signature",
    ),
    Flaw.IMPOSTOR: (
        rules.SIGNATURE,
        "not-trusted",
        "An intermediate with the name of a trusted one, and another's key",
    ),
    Flaw.CLIENT_ONLY: (rules.PURPOSE, "unusable", "A certificate for clients only"),
    Flaw.NO_SIGNING: (rules.KEY_USE, "unusable", "A key that may sign no handshake"),
    Flaw.ISSUER_NO_CA: (
        rules.ONLY_AUTHORITIES,
        "unusable",
        "A certificate that another host has issued with its own",
    ),
    Flaw.ISSUER_MAY_NOT_SIGN: (
        rules.KEY_USE,
        "unusable",
        "An intermediate whose key may not sign certificates",
    ),
    Flaw.PATH_TOO_LONG: (
        rules.PATH_LENGTH,
        "unusable",
        "One more intermediate than another one allows below itself",
    ),
    Flaw.NAME_NOT_PERMITTED: (
        rules.CONSTRAINTS,
        "unusable",
        "An intermediate that may issue for another domain only",
    ),
    Flaw.NAME_EXCLUDED: (
        rules.CONSTRAINTS,
        "unusable",
        "An intermediate that may issue for every domain but this",
    ),
    Flaw.UNKNOWN_CRITICAL: (
        rules.CRITICAL,
        "unusable",
        "A critical extension that nobody knows",
    ),
    Flaw.REVOKED: (rules.NOT_REVOKED, "revoked", "A certificate that has been revoked"),
    Flaw.REVOKED_INTERMEDIATE: (
        rules.NOT_REVOKED,
        "revoked",
        "A good certificate below an intermediate that has been revoked",
    ),
    Flaw.WRONG_NAME: (P320, "host-mismatch", "A certificate for another name"),
}
"""What is run under each of the four settings."""
BAD_NAMES: dict[Flaw, Said] = {
    Flaw.CN_BESIDE_SAN: (
        rules.NO_CN_BESIDE,
        "host-mismatch",
        "The name as common name, and another one as alternative name",
    ),
    Flaw.WILDCARD_TWO_ABOVE: (
        rules.WILDCARD_LABEL,
        "host-mismatch",
        "A wildcard that would have to stand for two labels",
    ),
    Flaw.WILDCARD_INNER: (
        rules.WILDCARD_LABEL,
        "host-mismatch",
        "A wildcard in place of the second label",
    ),
    Flaw.NUL_IN_NAME: (
        rules.WHOLE_NAME,
        "host-mismatch",
        "The name, NUL, and the rest of another name",
    ),
    Flaw.NAMELESS: (rules.NO_NAME, "host-mismatch", "A certificate without any name"),
}
"""What matters only where the name does, and what must be refused there."""
SOUND: dict[Flaw, tuple[Rule, str]] = {
    Flaw.RSA: (P320, "An RSA key instead of an elliptic curve's"),
    Flaw.WILDCARD: (rules.WILDCARD_LABEL, "A wildcard in place of the first label"),
    Flaw.UPPER_CASE: (rules.NAMES_IN_EITHER_CASE, "The name in upper case"),
    Flaw.MANY_NAMES: (rules.LARGE, "A thousand names, the last of which is the wanted one"),
    Flaw.ANY_PURPOSE: (rules.PURPOSE, "A certificate that names no purpose"),
    Flaw.NAME_PERMITTED: (rules.CONSTRAINTS, "An intermediate that may issue for this domain only"),
    Flaw.REVERSED_CHAIN: (rules.ANY_ORDER, "Two intermediates in the wrong order"),
    Flaw.EXTRA_CERTIFICATES: (
        rules.ANY_ORDER,
        "A stranger's certificate, the intermediate twice, and the root",
    ),
    Flaw.EXPIRED_CROSS: (
        rules.ANY_PATH,
        "The trusted root, cross-signed by an old one whose signature has expired",
    ),
}
"""What looks odd, and is in order under the strictest setting."""
OPEN: dict[tuple[Flaw, Tls], tuple[Rule, str, Expectation]] = {
    (Flaw.CN_ONLY, Tls.DOMAIN): (
        CN_FALLBACK,
        "A certificate whose only name is its common name",
        AnyOf(Delivers(), _refused("host-mismatch")),
    ),
    (Flaw.WILDCARD_PARTIAL, Tls.DOMAIN): (
        rules.WILDCARD_PART,
        "A wildcard in place of a part of the first label",
        AnyOf(_refused("host-mismatch"), Delivers()),
    ),
    (Flaw.NO_SIGNING, Tls.ENCRYPT): (
        rules.KEY_SIGNS,
        "A key that may sign no handshake, and no certificate is looked at",
        AnyOf(Delivers(), _no_handshake()),
    ),
    (Flaw.WEAK_KEY, Tls.ENCRYPT): (
        rules.KEY_LENGTH,
        "An RSA key of 1,024 bits, and no certificate is looked at",
        AnyOf(Delivers(), _no_handshake()),
    ),
    (Flaw.WEAK_KEY, Tls.CERTIFICATE): (
        rules.KEY_LENGTH,
        "An RSA key of 1,024 bits",
        AnyOf(_refused("unusable"), Delivers(), _no_handshake()),
    ),
    (Flaw.SHA1, Tls.CERTIFICATE): (
        rules.NO_SHA1,
        "A certificate that was signed with SHA-1",
        _refused("unusable"),
    ),
    (Flaw.MUST_STAPLE, Tls.NONE): (
        SETTING_RULE[Tls.NONE],
        "A promise to staple an OCSP response is not kept, and no certificate is looked at",
        Delivers(),
    ),
    (Flaw.MUST_STAPLE, Tls.ENCRYPT): (
        SETTING_RULE[Tls.ENCRYPT],
        "A promise to staple an OCSP response is not kept, and TLS is all that is demanded",
        Delivers(),
    ),
    **{
        (Flaw.MUST_STAPLE, setting): (
            rules.STAPLE,
            f"A promise to staple an OCSP response, which is not kept, under {setting}",
            AnyOf(_refused("unusable"), Delivers()),
        )
        for setting in (Tls.CERTIFICATE, Tls.DOMAIN)
    },
    (Flaw.STALE_LIST, Tls.CERTIFICATE): (
        rules.STATUS_UNKNOWN,
        "An issuer whose revocation list is years old",
        AnyOf(_refused("revoked"), Delivers()),
    ),
    (Flaw.HUGE, Tls.ENCRYPT): (
        rules.LARGE,
        "Six thousand names, which make more octets than many libraries take",
        AnyOf(Delivers(), _no_handshake()),
    ),
    (Flaw.DEEP_CHAIN, Tls.CERTIFICATE): (
        rules.LONG_PATH,
        "A dozen intermediates",
        AnyOf(Delivers(), _refused("not-trusted")),
    ),
    (Flaw.ED25519, Tls.DOMAIN): (
        rules.OTHER_KEYS,
        "An Ed25519 key",
        AnyOf(Delivers(), _no_handshake()),
    ),
    (Flaw.P521, Tls.DOMAIN): (
        rules.OTHER_KEYS,
        "A key on the curve P-521",
        AnyOf(Delivers(), _no_handshake()),
    ),
}
"""What documents leave open, and SHA-1, which they only advise against."""


BY_ADDRESS: tuple[tuple[Tls, Rule, Expectation], ...] = (
    (Tls.CERTIFICATE, SETTING_RULE[Tls.CERTIFICATE], Delivers()),
    (Tls.DOMAIN, rules.ADDRESS, _refused("host-mismatch")),
)
"""What a certificate is worth that has the host's address and no name."""


def _met(flaw: Flaw, setting: Tls, said: Said) -> Scenario:
    """One flaw under one setting: refused where it must be, and no obstacle elsewhere."""
    rule, reason, words = said
    bad = must_refuse(flaw, setting)
    return Scenario(
        id=f"certificate.{flaw}.under-{setting}",
        title=f"{words}, under {setting}",
        rule=rule if bad else SETTING_RULE[setting],
        hosts=(Host(certificate=flaw),),
        connector=Connector(tls=setting),
        expect=_refused(reason) if bad else Delivers(),
    )


SCENARIOS = around(
    "certificate",
    (
        *(
            _met(flaw, setting, said)
            for flaw, said in BAD_CHAINS.items()
            for setting in Tls
            if (flaw, setting) not in OPEN
        ),
        *(
            _met(flaw, setting, said)
            for flaw, said in BAD_NAMES.items()
            for setting in (Tls.CERTIFICATE, Tls.DOMAIN)
        ),
        *(
            Scenario(
                id=f"certificate.{flaw}.under-domain",
                title=words,
                rule=rule,
                hosts=(Host(certificate=flaw),),
                connector=Connector(tls=Tls.DOMAIN),
            )
            for flaw, (rule, words) in SOUND.items()
        ),
        *(
            Scenario(
                id=f"certificate.{flaw}.under-{setting}",
                title=words,
                rule=rule,
                hosts=(Host(certificate=flaw),),
                connector=Connector(tls=setting),
                expect=expect,
            )
            for (flaw, setting), (rule, words, expect) in OPEN.items()
        ),
        # TlsDomain
        Scenario(
            id="certificate.tls-domain.another",
            title="The certificate is for the host's name, and TlsDomain is another",
            rule=rules.TLS_DOMAIN,
            connector=Connector(tls=Tls.DOMAIN, tls_domain="gateway"),
            expect=_refused("host-mismatch"),
        ),
        Scenario(
            id="certificate.tls-domain.met",
            title="The certificate is for TlsDomain, and the host has another name",
            rule=rules.TLS_DOMAIN,
            hosts=(Host(certificate=Flaw.FOR_TLS_DOMAIN),),
            connector=Connector(tls=Tls.DOMAIN, tls_domain="gateway"),
        ),
        Scenario(
            id="certificate.tls-domain.wildcard",
            title="TlsDomain is a wildcard, and the certificate is for a name below it",
            rule=rules.TLS_DOMAIN,
            connector=Connector(tls=Tls.DOMAIN, tls_domain="*"),
        ),
        Scenario(
            id="certificate.tls-domain.wildcard-twice",
            title="TlsDomain is a wildcard, and the certificate has the same one",
            rule=rules.TLS_DOMAIN,
            hosts=(Host(certificate=Flaw.WILDCARD),),
            connector=Connector(tls=Tls.DOMAIN, tls_domain="*"),
        ),
        Scenario(
            id="certificate.tls-domain.wildcard-elsewhere",
            title="TlsDomain is a wildcard, and the certificate is for a name of another domain",
            rule=rules.TLS_DOMAIN,
            hosts=(Host(certificate=Flaw.WRONG_NAME),),
            connector=Connector(tls=Tls.DOMAIN, tls_domain="*"),
            expect=_refused("host-mismatch"),
        ),
        Scenario(
            id="certificate.tls-domain.wildcard-too-high",
            title="TlsDomain is a wildcard, and the certificate is for a name two labels below it",
            rule=rules.WILDCARD_LABEL,
            hosts=(Host("mx1.east"),),
            connector=Connector(tls=Tls.DOMAIN, tls_domain="*"),
            expect=AnyOf(_refused("host-mismatch"), Delivers("mx1.east")),
        ),
        Scenario(
            id="certificate.tls-domain.parent",
            title="The certificate's wildcard is for the names below TlsDomain, not for itself",
            rule=rules.WILDCARD_LABEL,
            hosts=(Host("mx1.east", certificate=Flaw.WILDCARD),),
            connector=Connector(tls=Tls.DOMAIN, tls_domain="east"),
            expect=_refused("host-mismatch"),
        ),
        Scenario(
            id="certificate.idn.under-domain",
            title="A name with an umlaut, as A-label in DNS and certificate",
            rule=rules.A_LABELS,
            hosts=(Host("xn--bcher-kva"),),
            connector=Connector(tls=Tls.DOMAIN),
            expect=Delivers("xn--bcher-kva"),
        ),
        # Addresses
        Scenario(
            id="certificate.address.name-met",
            title="The smart host is given by address, and its certificate is for TlsDomain",
            rule=rules.TLS_DOMAIN,
            connector=Connector(("[mx1]",), Tls.DOMAIN),
        ),
        *(
            Scenario(
                id=f"certificate.{Flaw.ADDRESS_ONLY}.under-{setting}",
                title=f"A certificate for nothing but the smart host's address, under {setting}",
                rule=rule,
                hosts=(Host(certificate=Flaw.ADDRESS_ONLY),),
                connector=Connector(("[mx1]",), setting),
                expect=expect,
            )
            for setting, rule, expect in BY_ADDRESS
        ),
        Scenario(
            id="certificate.address.ipv6.name-met",
            title="The smart host is an IPv6 address, and its certificate is for TlsDomain",
            rule=rules.TLS_DOMAIN,
            hosts=(Host(family=Family.IPV6),),
            connector=Connector(("[mx1]",), Tls.DOMAIN),
        ),
        *(
            Scenario(
                id=f"certificate.{Flaw.ADDRESS_ONLY}.ipv6.under-{setting}",
                title="A certificate for nothing but the smart host's IPv6 address, "
                f"under {setting}",
                rule=rule,
                hosts=(Host(family=Family.IPV6, certificate=Flaw.ADDRESS_ONLY),),
                connector=Connector(("[mx1]",), setting),
                expect=expect,
            )
            for setting, rule, expect in BY_ADDRESS
        ),
        # The agent's own
        *(
            Scenario(
                id=f"certificate.client.valid.under-{setting}",
                title=f"The host {words}, and the connector has one",
                rule=rules.CLIENT_SHOWS,
                hosts=(host,),
                connector=Connector(tls=setting, own_certificate=OwnCertificate.VALID),
            )
            for setting, host, words in (
                (Tls.DOMAIN, CHECKS_CLIENTS, "demands a client certificate"),
                (
                    Tls.ENCRYPT,
                    Host(handshake=Handshake.CLIENT_DEMANDED_1_2),
                    "demands a client certificate over TLS 1.2",
                ),
                (
                    Tls.NONE,
                    replace(CHECKS_CLIENTS, behaviours=TLS_ONLY),
                    "takes no mail in clear and demands a client certificate",
                ),
            )
        ),
        *(
            Scenario(
                id=f"certificate.client.{kind}.under-{setting}",
                title=f"{words}, under {setting}",
                rule=rules.LOCAL_FAULT,
                connector=Connector(tls=setting, own_certificate=kind),
                expect=OWN,
            )
            for kind, setting, words in AMISS
        ),
        *(
            Scenario(
                id=f"certificate.client.{kind}.under-none",
                title=f"{words}, and TLS is only a wish",
                rule=rules.OPPORTUNISTIC,
                connector=Connector(own_certificate=kind),
                expect=AnyOf(Delivers(), OWN),
            )
            for kind, words in (
                (OwnCertificate.MISSING, "The agent's own certificate is not there"),
                (OwnCertificate.FOREIGN_KEY, "The agent's key belongs to another certificate"),
            )
        ),
        Scenario(
            id="certificate.client.missing.replaced",
            title="The agent's own certificate is not there, until the connector is given another",
            rule=rules.LOCAL_FAULT,
            connector=Connector(tls=Tls.ENCRYPT, own_certificate=OwnCertificate.MISSING),
            course=(
                Mark(
                    5 * HOUR,
                    change=Change(
                        connector=Connector(tls=Tls.ENCRYPT, own_certificate=OwnCertificate.VALID),
                        remedy=Remedy(
                            "the connector is given another certificate", Party.CONNECTOR
                        ),
                    ),
                ),
            ),
            expect=Recovers(OWN),
        ),
        # Several hosts
        Scenario(
            id="certificate.expired.first-smart-host",
            title="The first smart host's certificate has expired, the second's is good",
            rule=P320,
            hosts=(Host("mx1", certificate=Flaw.EXPIRED), Host("mx2")),
            connector=Connector(smart_hosts=("mx1", "mx2"), tls=Tls.CERTIFICATE),
            expect=Delivers("mx2"),
        ),
        Scenario(
            id="certificate.wrong-name.first-mx",
            title="The first MX host's certificate is for another name, the second's is good",
            rule=NEXT_HOST,
            hosts=(Host("mx1", certificate=Flaw.WRONG_NAME), Host("mx2")),
            connector=Connector(tls=Tls.DOMAIN, tls_domain="mx2"),
            expect=Delivers("mx2"),
        ),
        Scenario(
            id="certificate.expired.every-mx",
            title="The certificates of all MX hosts have expired",
            rule=P320,
            hosts=tuple(Host(f"mx{n}", certificate=Flaw.EXPIRED) for n in (1, 2, 3)),
            connector=Connector(tls=Tls.CERTIFICATE),
            expect=_refused("expired"),
        ),
        Scenario(
            id="certificate.expired.one-of-two-behind-a-name",
            title="Of two hosts behind one name one has an expired certificate: four messages pass",
            rule=NEXT_HOST,
            hosts=(
                Host("mx1", certificate=Flaw.EXPIRED),
                Host("mx2", certificate=Flaw.FOR_TLS_DOMAIN),
            ),
            zone=ONE_NAME,
            connector=Connector(tls=Tls.DOMAIN, tls_domain="mx"),
            mail=Mail(messages=4),
            expect=Delivers("mx2"),
        ),
        # Time
        *(
            Scenario(
                id=f"certificate.{flaw}.renewed",
                title=f"{words}, which is replaced by a good one before the next attempt",
                rule=EVERY_ATTEMPT,
                hosts=(Host(certificate=flaw),),
                connector=Connector(tls=setting),
                change=Change(hosts=(Host(),)),
                expect=Recovers(_refused(reason)),
            )
            for flaw, setting, reason, words in (
                (Flaw.EXPIRED, Tls.CERTIFICATE, "expired", "A certificate that has expired"),
                (Flaw.WRONG_NAME, Tls.DOMAIN, "host-mismatch", "A certificate for another name"),
            )
        ),
        *(
            Scenario(
                id=f"certificate.{flaw}.by-then",
                title=f"A good certificate, and by the next attempt {words}",
                rule=EVERY_ATTEMPT,
                hosts=(_busy(),),
                connector=Connector(tls=setting),
                change=Change(hosts=(_busy(flaw),)),
                expect=Turns(NOT_NOW, _refused(reason)),
            )
            for flaw, setting, reason, words in (
                (Flaw.EXPIRED, Tls.CERTIFICATE, "expired", "one that has expired"),
                (Flaw.WRONG_NAME, Tls.DOMAIN, "host-mismatch", "one for another name"),
                (Flaw.REVOKED, Tls.CERTIFICATE, "revoked", "one that has been revoked"),
            )
        ),
        *(
            Scenario(
                id=f"certificate.{flaw}.looked-at-later",
                title=f"{words} is no matter at first, and then the connector is for {then}: "
                "a session that is taken up again does not hide it",
                rule=SETTING_RULE[then],
                hosts=(_busy(flaw),),
                connector=Connector(tls=first),
                course=(Mark(90.0, change=Change(connector=Connector(tls=then)), orders=1),),
                expect=Expires(_refused(reason), before=(NOT_NOW,)),
            )
            for flaw, first, then, reason, words in (
                (
                    *(Flaw.UNKNOWN_CA, Tls.ENCRYPT, Tls.CERTIFICATE, "not-trusted"),
                    "A stranger's certificate",
                ),
                (
                    *(Flaw.WRONG_NAME, Tls.CERTIFICATE, Tls.DOMAIN, "host-mismatch"),
                    "A certificate for another name",
                ),
            )
        ),
        Scenario(
            id="certificate.unknown-ca.no-matter-later",
            title="A good certificate, then a stranger's, and none is looked at: it is delivered",
            rule=SETTING_RULE[Tls.ENCRYPT],
            hosts=(_busy(),),
            connector=Connector(tls=Tls.ENCRYPT),
            change=Change(hosts=(Host(certificate=Flaw.UNKNOWN_CA),)),
            expect=Recovers(NOT_NOW),
        ),
    ),
    connector=Connector(tls=Tls.DOMAIN),
)
