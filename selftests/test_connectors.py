"""Connector files: what they mean, which mail goes where, and a sentence for each mistake."""

import pytest

from model.connector_file import NOT_OURS, BadConnectors, parse, unreadable
from model.connectors import ConnectorType, DomainType, NotThere, Organization
from model.tls import Tls

FILE = "flow.toml"
CONNECTOR = {
    "Name": '"Home"',
    "ConnectorType": '"OnPremises"',
    "UseMXRecord": "false",
    "SmartHosts": '["mail.contoso.test"]',
    "RecipientDomains": '["contoso.test"]',
}
DOMAIN = {
    "DomainName": '"contoso.test"',
    "DomainType": '"InternalRelay"',
    "Recipients": '["anna", "Bert@Contoso.test"]',
}


def toml(kind: str, usual: dict[str, str], other: dict[str, str]) -> str:
    """A table with some values changed; an empty one leaves the key out."""
    lines = [f"{key} = {value}" for key, value in {**usual, **other}.items() if value]
    return "\n".join([f"[[{kind}]]", *lines, ""])


def connector(**other: str) -> str:
    return toml("connector", CONNECTOR, other)


def domain(**other: str) -> str:
    return toml("accepted_domain", DOMAIN, other)


def transport(**times: str) -> str:
    return "\n".join(["[transport]", *(f"{k} = {v}" for k, v in times.items()), connector()])


def read(text: str) -> Organization:
    return parse(text.encode(), FILE)


def test_a_whole_file() -> None:
    """Every setting ends up where it belongs."""
    found = read(
        '[transport]\nMessageExpiration = "2.00:00:00"\nDelayNotificationTimeout = "04:30:00"\n'
        + connector(TlsSettings='"DomainValidation"', TlsDomain='"*.Contoso.test"')
        + connector(
            Name='"Bank"',
            ConnectorType='"Partner"',
            UseMXRecord="",
            SmartHosts="",
            RecipientDomains='["Bank.test.", "*.bank.test"]',
            TlsSettings='"CertificateValidation"',
            Enabled="false",
        )
        + domain()
    )
    home, bank = found.connectors
    assert (found.expiration, found.delay) == (48 * 3600.0, 4.5 * 3600)
    assert (home.type, home.smart_hosts) == (ConnectorType.ON_PREMISES, ("mail.contoso.test",))
    assert (home.tls, home.tls_domain, home.enabled) == (Tls.DOMAIN, "*.contoso.test", True)
    assert (bank.type, bank.smart_hosts, bank.tls) == (ConnectorType.PARTNER, (), Tls.CERTIFICATE)
    assert (bank.recipient_domains, bank.enabled) == (("bank.test", "*.bank.test"), False)
    (ours,) = found.domains
    assert (ours.name, ours.type) == ("contoso.test", DomainType.INTERNAL_RELAY)
    assert ours.recipients == {"anna@contoso.test", "bert@contoso.test"}
    assert ours.knows("ANNA@contoso.TEST.")
    assert not ours.knows("carl@contoso.test")


def test_what_is_left_out_is_as_exchange_has_it() -> None:
    found = read(connector(UseMXRecord="", SmartHosts="") + domain(DomainType="", Recipients=""))
    (one,) = found.connectors
    assert (one.enabled, one.smart_hosts, one.tls, one.tls_domain) == (True, (), Tls.NONE, "")
    assert (found.expiration, found.delay) == (24 * 3600.0, 4 * 3600.0)
    assert found.domains[0].type is DomainType.AUTHORITATIVE


@pytest.mark.parametrize(
    ("written", "understood"),
    [
        ("192.0.2.1", "[192.0.2.1]"),
        ("[192.0.2.1]", "[192.0.2.1]"),
        ("2001:DB8::1", "[IPv6:2001:db8::1]"),
        ("[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]"),
        ("Mail.Contoso.test.", "mail.contoso.test"),
    ],
)
def test_a_smart_host_is_a_name_or_an_address(written: str, understood: str) -> None:
    (one,) = read(connector(SmartHosts=f'["{written}"]')).connectors
    assert one.smart_hosts == (understood,)


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("contoso.test", "exact"),
        ("CONTOSO.TEST.", "exact"),
        ("a.contoso.test", "below"),
        ("a.b.contoso.test", "deeper"),
        ("b.contoso.test", "below"),
        ("ours.test", "accepted"),
        ("xcontoso.test", "all"),
        ("other.test", "all"),
    ],
)
def test_the_connector_that_fits_best_is_used(wanted: str, name: str) -> None:
    """In whatever order they stand; a wildcard is for what is below the domain, not for itself."""
    tables = [
        connector(Name='"all"', RecipientDomains='["*"]'),
        connector(Name='"below"', RecipientDomains='["*.contoso.test", "*.test2"]'),
        connector(Name='"deeper"', RecipientDomains='["*.b.contoso.test"]'),
        connector(Name='"exact"'),
        connector(Name='"off"', RecipientDomains='["other.test"]', Enabled="false"),
        connector(Name='"accepted"', RecipientDomains="", AllAcceptedDomains="true"),
    ]
    ours = domain(DomainName='"ours.test"', Recipients="") + domain()
    for text in ("".join(tables), "".join(reversed(tables))):
        found = read(text + ours).connector(wanted)
        assert found is not None
        assert found.name == name


def test_of_equals_the_first_is_used_and_without_any_it_is_mx() -> None:
    both = read(connector(Name='"one"') + connector(Name='"two"'))
    first = both.connector("contoso.test")
    assert first is not None
    assert first.name == "one"
    assert both.connector("other.test") is None
    assert both.switched("ONE", False).connector("contoso.test") is both.connectors[1]


def test_what_fix_now_would_change() -> None:
    """The relay domains that this connector carries, also if it is off already; no others."""
    text = (
        connector(RecipientDomains='["contoso.test", "owned.test"]', Enabled="false")
        + connector(Name='"rest"', RecipientDomains='["*"]')
        + domain()
        + domain(DomainName='"owned.test"', DomainType='"Authoritative"', Recipients="")
        + domain(DomainName='"other.test"', Recipients="")
    )
    found = read(text)
    assert found.relayed_over("home") == ("contoso.test",)
    assert found.relayed_over("rest") == ("contoso.test", "other.test")
    assert found.switched("Home", True).relayed_over("rest") == ("other.test",)
    changed = found.retyped("contoso.test", DomainType.AUTHORITATIVE)
    assert changed.relayed_over("Home") == ()
    with pytest.raises(NotThere, match="no connector 'Away'; there is 'Home', 'rest'"):
        found.relayed_over("Away")
    with pytest.raises(NotThere, match=r"no accepted domain 'x.test'; there is contoso.test, "):
        found.retyped("x.test", DomainType.AUTHORITATIVE)


HOME = "connector 'Home' "
ACCEPTED = "accepted domain 'contoso.test' "
MISTAKES = [
    # No TOML, or other tables
    (b"\xff", "is no TOML: octet 1 is no UTF-8; save it as UTF-8"),
    (b'x = 1\n[[connector]\nName = "a"', "is no TOML: ", "line 2", "mend it there"),
    (b"", "has neither connector nor accepted domain; add a [[connector]]"),
    ('[[conector]]\nName = "a"', "'conector'", "did you mean connector?"),
    ("[[route]]", "'route'", "there are connector, accepted_domain, transport"),
    ('[connector]\nName = "a"', "has connector written otherwise than [[connector]]", "double"),
    ("accepted_domain = [1]", "has accepted_domain written otherwise than [[accepted_domain]]"),
    ("transport = 1\n" + connector(), "[transport] is no table", "write [transport]"),
    # Names
    (connector(Name=""), "connector 1 has no Name; give it one"),
    (connector(Name="3"), "connector 1 has a Name that is no text; write one in quotes"),
    (connector(Name='" "'), "connector 1 has a Name that is no text; write one in quotes"),
    (connector(Name="", Nmae='"x"'), "connector 1 has 'Nmae'", "did you mean Name?"),
    (connector() + connector(Name='"HOME"'), "has two connectors called 'HOME'; rename or remove"),
    (domain() + domain(), "has two accepted domains called 'contoso.test'; rename or remove"),
    # Words
    (connector(SmartHost='"x"'), HOME + "has 'SmartHost', which is no setting here; did you mean"),
    (connector(Colour='"x"'), HOME + "has 'Colour', which is no setting here; there are Name, "),
    (
        connector(SmtpDaneMode='"None"'),
        HOME + "has SmtpDaneMode, a setting of Exchange's",
        "remove",
    ),
    (connector(ConnectorType=""), HOME + "has no ConnectorType; add OnPremises or Partner"),
    (connector(ConnectorType='"Premises"'), "'Premises', which is no word", "mean OnPremises?"),
    (connector(ConnectorType='"x"'), "which is no word for that; choose OnPremises or Partner"),
    (
        connector(TlsSettings='"Encryption"'),
        HOME + "has TlsSettings = 'Encryption'",
        "EncryptionOn",
    ),
    (connector(TlsSettings='"none"'), "choose EncryptionOnly, CertificateValidation or DomainV"),
    # Types
    (connector(Enabled='"yes"'), HOME + "has Enabled = 'yes'; it must be true or false, without"),
    (
        connector(SmartHosts='"h.test"'),
        HOME + "has SmartHosts = 'h.test', which is no list",
        "['one",
    ),
    (connector(RecipientDomains="[1]"), HOME + "has RecipientDomains = [1], which is no list of t"),
    (connector(TlsSettings="true"), HOME + "has TlsSettings = true, which is no text; write it in"),
    (connector(TlsSettings='"DomainValidation"', TlsDomain="5"), "TlsDomain = 5, which is no text"),
    # Rules
    (connector(SmartHosts=""), HOME + "has UseMXRecord = false but no SmartHosts; add the hosts"),
    (connector(UseMXRecord=""), HOME + "has SmartHosts, which are not used", "UseMXRecord = false"),
    (connector(TlsDomain='"a.test"'), HOME + "has TlsDomain, which counts only with", "remove Tls"),
    (
        connector(TlsSettings='"DomainValidation"'),
        "'DomainValidation' but no TlsDomain; add the na",
    ),
    (
        connector(AllAcceptedDomains="true", ConnectorType='"Partner"'),
        HOME + "has AllAcceptedDomains, which only a connector of type OnPremises may have",
        "set ConnectorType to OnPremises",
    ),
    (connector(RecipientDomains=""), HOME + "is for no domain at all; add RecipientDomains"),
    (connector(RecipientDomains="[]"), HOME + "is for no domain at all; add RecipientDomains"),
    # Domains and hosts
    (
        connector(RecipientDomains='["a.*.test"]'),
        "has a wildcard inside 'a.*.test'",
        "stands alone",
    ),
    (connector(RecipientDomains='["*contoso.test"]'), "has a wildcard inside '*contoso.test'"),
    (connector(RecipientDomains='["*.*.test"]'), "has a wildcard inside '*.*.test'"),
    (
        connector(RecipientDomains='["a b"]'),
        HOME + "has 'a b' in RecipientDomains",
        "write it like",
    ),
    (connector(RecipientDomains='["@a.test"]'), "has '@a.test' in RecipientDomains, which is no d"),
    (connector(SmartHosts='["10.0.0.0/24"]'), "'10.0.0.0/24' in SmartHosts, a range", "one by one"),
    (
        connector(SmartHosts='["a.test:25"]'),
        HOME + "has 'a.test:25' in SmartHosts, which is neither",
    ),
    (connector(SmartHosts='["[a.test]"]'), HOME + "has '[a.test]' in SmartHosts, which is neither"),
    (connector(SmartHosts='[""]'), HOME + "has '' in SmartHosts, which is neither host name nor"),
    (
        connector(TlsSettings='"DomainValidation"', TlsDomain='"a.*.test"'),
        HOME + "has the TlsDomain 'a.*.test', which is no name of a certificate",
        "or '*.contoso.com'",
    ),
    (domain(DomainName='"*.x.test"'), "accepted domain '*.x.test' has a DomainName that is no dom"),
    (
        domain(DomainType='"Internal"'),
        ACCEPTED + "has DomainType = 'Internal'",
        "mean InternalRelay?",
    ),
    (domain(DomainType='"ExternalRelay"'), ACCEPTED + "is an ExternalRelay and has Recipients"),
    (domain(Recipients='["a@b.test"]'), ACCEPTED + "has 'a@b.test' in Recipients, who is not in"),
    (domain(Recipients='["a b"]'), ACCEPTED + "has 'a b' in Recipients, which is no address"),
    (domain(Recipients='["@contoso.test"]'), ACCEPTED + "has '@contoso.test' in Recipients, which"),
    (domain(Recipients='[""]'), ACCEPTED + "has '' in Recipients, which is no address"),
    # Times
    (transport(MessageExpiration='"48h"'), "[transport] has MessageExpiration = '48h'", "'2.00:00"),
    (transport(MessageExpiration='"1.24:00:00"'), "'1.24:00:00', which is no time span"),
    (transport(MessageExpiration="48"), "[transport] has MessageExpiration = 48, which is no text"),
    (transport(MessageExpiration='"00:00:04"'), "the MessageExpiration '00:00:04'; give from"),
    (transport(MessageExpiration='"90.00:00:01"'), "the MessageExpiration '90.00:00:01'; give"),
    (transport(DelayNotificationTimeout='"1.00:00:00"'), "'1.00:00:00', which never comes; give"),
    (transport(DelayNotificationTimeout='"00:00:00"'), "'00:00:00', which never comes; give more"),
    (transport(MessageExpiry='"1.00:00:00"'), "[transport] has 'MessageExpiry'", "MessageExpirat"),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=map(str, range(len(MISTAKES))))
def test_a_mistake_gets_one_sentence(mistake: tuple[str | bytes, ...]) -> None:
    """It names the file, the table, what is wrong, and what to do."""
    text, *words = mistake
    octets = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(BadConnectors) as caught:
        parse(octets, FILE)
    said = str(caught.value)
    assert said.startswith(FILE)
    assert "\n" not in said
    for word in words:
        assert str(word) in said


def test_a_file_that_cannot_be_read() -> None:
    said = str(unreadable(FILE, FileNotFoundError(2, "No such file or directory")))
    assert (
        said
        == f"the connector file {FILE} cannot be read (no such file or directory); give another"
    )


@pytest.mark.parametrize("key", sorted(NOT_OURS))
def test_settings_that_mean_nothing_here_are_not_passed_over(key: str) -> None:
    with pytest.raises(BadConnectors, match=f"has {key}, a setting of Exchange's"):
        read(connector(**{key: "true"}))
