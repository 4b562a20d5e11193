"""Connector files: TOML in Exchange's own words, and one sentence for each mistake in them.

    [transport]
    MessageExpiration = "1.00:00:00"

    [[connector]]
    Name = "To our own servers"
    ConnectorType = "OnPremises"
    UseMXRecord = false
    SmartHosts = ["mail.contoso.test"]
    RecipientDomains = ["contoso.test"]

    [[accepted_domain]]
    DomainName = "contoso.test"
    DomainType = "InternalRelay"
    Recipients = ["anna"]

Rules and defaults are those of Set-OutboundConnector, Set-AcceptedDomain and Set-TransportConfig.
`parse` is pure: who calls it reads the file.
"""

import difflib
import ipaddress
import re
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NoReturn, TypeVar

from model.address import canonical
from model.connectors import (
    DELAY,
    EVERYTHING,
    EXPIRATION,
    AcceptedDomain,
    ConnectorType,
    DomainType,
    Organization,
    OutboundConnector,
)
from model.tls import Tls

DAY = 86400.0
"""Seconds."""
SHORTEST, LONGEST = 5.0, 90 * DAY
"""What MessageExpirationTimeout may be in Exchange Server; Exchange Online takes 12 to 24 hours."""

TABLES = ("connector", "accepted_domain", "transport")
CONNECTOR = (
    "Name",
    "Enabled",
    "ConnectorType",
    "UseMXRecord",
    "SmartHosts",
    "RecipientDomains",
    "AllAcceptedDomains",
    "TlsSettings",
    "TlsDomain",
)
ACCEPTED_DOMAIN = ("DomainName", "DomainType", "Recipients")
TRANSPORT = ("MessageExpiration", "DelayNotificationTimeout")
NOT_OURS = frozenset(
    {
        "CloudServicesMailEnabled",
        "Comment",
        "ConnectorSource",
        "IsTransportRuleScoped",
        "IsValidated",
        "LastValidationTimestamp",
        "MtaStsMode",
        "RouteAllMessagesViaOnPremises",
        "SenderRewritingEnabled",
        "SmtpDaneMode",
        "TestMode",
        "ValidationRecipients",
        "MatchSubDomains",
    }
)
"""Settings that Exchange has and that mean nothing here."""

TLS_SETTINGS = {
    "EncryptionOnly": Tls.ENCRYPT,
    "CertificateValidation": Tls.CERTIFICATE,
    "DomainValidation": Tls.DOMAIN,
}
"""Left out, it is `$null`: TLS where it is offered."""

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_TIME_SPAN = re.compile(r"(?:(\d{1,4})\.)?([01]?\d|2[0-3]):([0-5]\d):([0-5]\d)")

Word = TypeVar("Word", bound=StrEnum)


class BadConnectors(Exception):
    """A connector file that cannot be used; the message is one sentence with the remedy."""


def parse(octets: bytes, file: str) -> Organization:
    """What a connector file says; `file` is its name, for the sentence. Raises BadConnectors."""
    try:
        values = tomllib.loads(octets.decode())
    except UnicodeDecodeError as error:
        raise BadConnectors(
            f"{file} is no TOML: octet {error.start + 1} is no UTF-8; save it as UTF-8"
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise BadConnectors(f"{file} is no TOML: {error}; mend it there") from None
    whole = _Table(file, values)
    whole.check_keys(TABLES)
    domains = [_accepted(table) for table in whole.tables("accepted_domain", ACCEPTED_DOMAIN)]
    _check_unique(file, "accepted domain", [domain.name for domain in domains])
    connectors = [_connector(table) for table in whole.tables("connector", CONNECTOR)]
    _check_unique(file, "connector", [connector.name for connector in connectors])
    if not connectors and not domains:
        raise BadConnectors(
            f"{file} has neither connector nor accepted domain; add a [[connector]]"
        )
    expiration, delay = _transport(whole)
    return Organization(tuple(connectors), tuple(domains), expiration, delay)


def unreadable(file: str, error: OSError) -> BadConnectors:
    """The sentence for a file that cannot be read at all."""
    why = (error.strerror or str(error)).lower()
    return BadConnectors(f"the connector file {file} cannot be read ({why}); give another")


# The three kinds of tables ---------------------------------------------------------------------


def _connector(table: "_Table") -> OutboundConnector:
    kind = table.word("ConnectorType", ConnectorType)
    if kind is None:
        table.fail("has no ConnectorType", "add OnPremises or Partner")
    all_accepted = table.flag("AllAcceptedDomains", False)
    tls, tls_domain = _tls(table)
    found = OutboundConnector(
        name=table.text("Name"),
        type=kind,
        recipient_domains=tuple(_pattern(table, p) for p in table.texts("RecipientDomains")),
        smart_hosts=_smart_hosts(table),
        all_accepted_domains=all_accepted,
        tls=tls,
        tls_domain=tls_domain,
        enabled=table.flag("Enabled", True),
    )
    if all_accepted and kind is not ConnectorType.ON_PREMISES:
        table.fail(
            "has AllAcceptedDomains, which only a connector of type OnPremises may have",
            "remove it or set ConnectorType to OnPremises",
        )
    if not found.recipient_domains and not all_accepted:
        table.fail(
            "is for no domain at all", "add RecipientDomains, such as ['contoso.com'] or ['*']"
        )
    return found


def _smart_hosts(table: "_Table") -> tuple[str, ...]:
    by_mx = table.flag("UseMXRecord", True)
    hosts = tuple(_smart_host(table, name) for name in table.texts("SmartHosts"))
    if not by_mx and not hosts:
        table.fail("has UseMXRecord = false but no SmartHosts", "add the hosts that take its mail")
    if by_mx and hosts:
        table.fail(
            "has SmartHosts, which are not used as long as UseMXRecord is true (its default)",
            "add UseMXRecord = false or remove SmartHosts",
        )
    return hosts


def _smart_host(table: "_Table", name: str) -> str:
    """A name in lower case, or an address in brackets."""
    bare = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    bare = bare.removeprefix("IPv6:")
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        pass
    else:
        return f"[IPv6:{address}]" if address.version == 6 else f"[{address}]"
    if _is_range(bare):
        table.fail(
            f"has {name!r} in SmartHosts, a range, which this agent does not search",
            "list the addresses one by one",
        )
    if bare != name or not is_domain(name):
        table.fail(
            f"has {name!r} in SmartHosts, which is neither host name nor address",
            "write it like 'mail.contoso.com' or '192.0.2.1'",
        )
    return name.lower().rstrip(".")


def _is_range(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _tls(table: "_Table") -> tuple[Tls, str]:
    tls, tls_domain = Tls.NONE, ""
    if "TlsSettings" in table.values:
        word = table.text("TlsSettings")
        if word not in TLS_SETTINGS:
            table.fail_word("TlsSettings", word, TLS_SETTINGS)
        tls = TLS_SETTINGS[word]
    if "TlsDomain" in table.values:
        tls_domain = _tls_domain(table)
    if tls_domain and tls is not Tls.DOMAIN:
        table.fail(
            "has TlsDomain, which counts only with TlsSettings = 'DomainValidation'",
            "set that or remove TlsDomain",
        )
    if tls is Tls.DOMAIN and not tls_domain:
        table.fail(
            "has TlsSettings = 'DomainValidation' but no TlsDomain",
            "add the name that the certificate must have",
        )
    return tls, tls_domain


def _tls_domain(table: "_Table") -> str:
    text = table.text("TlsDomain")
    if not is_domain(text.removeprefix("*.")):
        table.fail(
            f"has the TlsDomain {text!r}, which is no name of a certificate",
            "write it like 'mail.contoso.com' or '*.contoso.com'",
        )
    return text.lower()


def _pattern(table: "_Table", text: str) -> str:
    bare = text.removeprefix("*.")
    if text != EVERYTHING and "*" in bare:
        table.fail(
            f"has a wildcard inside {text!r} in RecipientDomains",
            "a wildcard stands alone or in front, as in '*' and '*.contoso.com'",
        )
    if text != EVERYTHING and not is_domain(bare):
        table.fail(
            f"has {text!r} in RecipientDomains, which is no domain",
            "write it like 'contoso.com', '*.contoso.com' or '*'",
        )
    return text.lower().rstrip(".")


def _accepted(table: "_Table") -> AcceptedDomain:
    name = table.text("DomainName")
    if not is_domain(name):
        table.fail("has a DomainName that is no domain", "write it like 'contoso.com'")
    name = name.lower().rstrip(".")
    kind = table.word("DomainType", DomainType) or DomainType.AUTHORITATIVE
    recipients = frozenset(_recipient(table, name, text) for text in table.texts("Recipients"))
    if recipients and kind is DomainType.EXTERNAL_RELAY:
        table.fail(
            "is an ExternalRelay and has Recipients, but all of them are elsewhere",
            "remove Recipients or make it an InternalRelay",
        )
    return AcceptedDomain(name, kind, recipients)


def _recipient(table: "_Table", domain: str, text: str) -> str:
    local, at, where = text.rpartition("@")
    address = canonical(text if at else f"{text}@{domain}").lower()
    if (at and not local) or not text or any(c.isspace() for c in text):
        table.fail(
            f"has {text!r} in Recipients, which is no address",
            f"write it like 'anna' or 'anna@{domain}'",
        )
    if at and where.lower().rstrip(".") != domain:
        table.fail(
            f"has {text!r} in Recipients, who is not in {domain}",
            "move that address to its own accepted domain",
        )
    return address


def _transport(whole: "_Table") -> tuple[float, float]:
    given = whole.values.get("transport", {})
    table = _Table(whole.file, given, "[transport]")
    if not isinstance(given, dict):
        table.fail("is no table", "write [transport] in a line of its own")
    table.check_keys(TRANSPORT)
    expiration = table.time_span("MessageExpiration", EXPIRATION)
    delay = table.time_span("DelayNotificationTimeout", DELAY)
    if not SHORTEST <= expiration <= LONGEST:
        table.fail(
            f"has the MessageExpiration {given['MessageExpiration']!r}",
            "give from '00:00:05' to '90.00:00:00'",
        )
    if "DelayNotificationTimeout" in given and not 0 < delay < expiration:
        table.fail(
            f"has the DelayNotificationTimeout {given['DelayNotificationTimeout']!r}, "
            "which never comes",
            "give more than nothing and less than MessageExpiration",
        )
    return expiration, delay


# Reading one table -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Table:
    """The values of a table, and how to speak of it: the file, and which of its tables."""

    file: str
    values: Mapping[str, Any]
    called: str = ""

    def fail(self, wrong: str, remedy: str) -> NoReturn:
        """Raise the sentence: who, what is wrong, what to do."""
        who = f"{self.file}: {self.called}" if self.called else self.file
        raise BadConnectors(f"{who} {wrong}; {remedy}")

    def fail_word(self, key: str, word: str, known: Iterable[str]) -> NoReturn:
        """Raise the sentence for a word that is not one of the known."""
        words = list(known)
        *others, last = words
        remedy = _nearest(word, words) or f"choose {', '.join(others)} or {last}"
        self.fail(f"has {key} = {word!r}, which is no word for that", remedy)

    def check_keys(self, known: Collection[str]) -> None:
        """Whether every key is known. Raises BadConnectors."""
        for key in self.values:
            if key in NOT_OURS and self.called:
                self.fail(
                    f"has {key}, a setting of Exchange's that means nothing here", "remove it"
                )
            if key not in known:
                remedy = _nearest(key, known) or f"there are {', '.join(known)}"
                self.fail(f"has {key!r}, which is no setting here", remedy)

    def tables(self, key: str, known: Sequence[str]) -> "list[_Table]":
        """The tables of an array, each called by its name, which is the first of the known keys.

        Raises BadConnectors, also for a key that is not known.
        """
        given = self.values.get(key, [])
        if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
            self.fail(f"has {key} written otherwise than [[{key}]]", "double the brackets")
        kind = key.replace("_", " ")
        return [_named(_Table(self.file, v, f"{kind} {n}"), known) for n, v in enumerate(given, 1)]

    def text(self, key: str) -> str:
        """A text that must be there."""
        value = self.values.get(key)
        if not isinstance(value, str):
            self.fail(f"has {key} = {_shown(value)}, which is no text", "write it in quotes")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; empty if it is left out."""
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            self.fail(
                f"has {key} = {_shown(value)}, which is no list of texts",
                f"write it like {key} = ['one', 'two']",
            )
        return tuple(value)

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            self.fail(f"has {key} = {_shown(value)}", "it must be true or false, without quotes")
        return value

    def word(self, key: str, words: type[Word]) -> Word | None:
        """One of some words; None if it is left out."""
        if key not in self.values:
            return None
        text = self.text(key)
        if text not in list(words):
            self.fail_word(key, text, [each.value for each in words])
        return words(text)

    def time_span(self, key: str, default: float) -> float:
        """Seconds, from what .NET calls a TimeSpan: `[days.]hours:minutes:seconds`."""
        if key not in self.values:
            return default
        text = self.text(key)
        found = _TIME_SPAN.fullmatch(text)
        if found is None:
            self.fail(
                f"has {key} = {text!r}, which is no time span",
                "write days.hours:minutes:seconds, such as '2.00:00:00' or '04:00:00'",
            )
        days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
        return days * DAY + hours * 3600.0 + minutes * 60.0 + seconds


def _named(table: _Table, known: Sequence[str]) -> _Table:
    """The table, called by its name instead of its number."""
    named, key = table, known[0]
    name = table.values.get(key)
    kind = table.called.rpartition(" ")[0]
    if isinstance(name, str) and name.strip():
        named = _Table(table.file, table.values, f"{kind} {name!r}")
    named.check_keys(known)
    if key not in table.values:
        table.fail(f"has no {key}", "give it one")
    if named is table:
        table.fail(f"has a {key} that is no text", "write one in quotes")
    return named


def is_domain(text: str) -> bool:
    """Whether this is a domain's or a host's name, with or without a dot at its end (RFC 1035 2.3.1)."""
    bare = text.removesuffix(".").lower()
    return len(bare) <= 253 and _DOMAIN.fullmatch(bare) is not None


def _nearest(word: str, known: Iterable[str]) -> str:
    """The remedy for a slip of the pen; empty if nothing is near."""
    lower = {each.lower(): each for each in known}
    found = difflib.get_close_matches(word.lower(), lower, 1, 0.7)
    return f"did you mean {lower[found[0]]}?" if found else ""


def _shown(value: Any) -> str:
    """A value as TOML has it, for the simple kinds."""
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _check_unique(file: str, kind: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen:
            raise BadConnectors(f"{file} has two {kind}s called {name!r}; rename or remove one")
        seen.add(name.lower())
