"""Outbound connectors and accepted domains in Exchange's own words, and which mail goes where.

They are values; `model/connector_file.py` reads them from TOML. What the words mean is taken from
the documentation of Set-OutboundConnector and Set-AcceptedDomain.

Of several connectors the one whose RecipientDomains fit best is used: the domain itself, then (for an
accepted domain) AllAcceptedDomains, then the longest `*.domain`, then `*`; of equals the first in the file.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from model.address import canonical
from model.tls import Tls

EXPIRATION = 24 * 3600.0
"""Seconds; MessageExpiration in Exchange Online if nothing else is said (MC173908)."""
DELAY = 4 * 3600.0
"""Seconds; DelayNotificationTimeout in Exchange if nothing else is said."""
EVERYTHING = "*"


class ConnectorType(StrEnum):
    """Whose servers are at the far end."""

    ON_PREMISES = "OnPremises"
    PARTNER = "Partner"


class DomainType(StrEnum):
    """Who knows the recipients of an accepted domain."""

    AUTHORITATIVE = "Authoritative"
    """All are known here: anybody else is refused."""
    INTERNAL_RELAY = "InternalRelay"
    """Some are known here; mail for the others goes to the organization's own servers."""
    EXTERNAL_RELAY = "ExternalRelay"
    """None is known here."""


class NotThere(LookupError):
    """There is no connector or accepted domain of that name; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class OutboundConnector:
    """How mail for some domains leaves. No smart hosts: by MX (UseMXRecord).

    A smart host is a name, or an address in brackets. Domains are in lower case.
    """

    name: str
    type: ConnectorType
    recipient_domains: tuple[str, ...] = ()
    smart_hosts: tuple[str, ...] = ()
    all_accepted_domains: bool = False
    tls: Tls = Tls.NONE
    tls_domain: str = ""
    enabled: bool = True

    def fit(self, domain: str, accepted: bool) -> int:
        """How well it fits a domain, the more the better; 0: it does not."""
        fits = [_fit(pattern, domain) for pattern in self.recipient_domains]
        if self.all_accepted_domains and accepted:
            fits.append(_EXACT - 1)
        return max(fits, default=0)


_EXACT = 1000
"""More than any name has labels (RFC 1035 section 2.3.4: 255 octets), and one between."""


def _fit(pattern: str, domain: str) -> int:
    if pattern == domain:
        return _EXACT
    if pattern == EVERYTHING:
        return 1
    if pattern.startswith("*.") and domain.endswith(pattern[1:]):
        return 1 + len(pattern.split("."))
    return 0


@dataclass(frozen=True, slots=True)
class AcceptedDomain:
    """A domain that is the organization's own; `recipients` are the addresses known here."""

    name: str
    type: DomainType = DomainType.AUTHORITATIVE
    recipients: frozenset[str] = frozenset()

    def knows(self, address: str) -> bool:
        """Whether there is a mailbox of this address here; case is nobody's business."""
        return canonical(address).lower() in self.recipients


@dataclass(frozen=True, slots=True)
class Organization:
    """All that is set: connectors, accepted domains, and two times in seconds."""

    connectors: tuple[OutboundConnector, ...] = ()
    domains: tuple[AcceptedDomain, ...] = ()
    expiration: float = EXPIRATION
    delay: float = DELAY

    def accepted(self, domain: str) -> AcceptedDomain | None:
        """The accepted domain of this name, if it is one."""
        wanted = domain.lower().rstrip(".")
        return next((each for each in self.domains if each.name == wanted), None)

    def connector(self, domain: str) -> OutboundConnector | None:
        """The enabled connector that mail for a domain takes; None: it goes by MX, as any mail."""
        wanted = domain.lower().rstrip(".")
        accepted = self.accepted(wanted) is not None
        best, most = None, 0
        for each in self.connectors:
            if each.enabled and (fit := each.fit(wanted, accepted)) > most:
                best, most = each, fit
        return best

    # What an administrator changes

    def named(self, name: str) -> OutboundConnector:
        """The connector of a name, whatever its case. Raises NotThere."""
        for each in self.connectors:
            if each.name.lower() == name.lower():
                return each
        known = ", ".join(repr(each.name) for each in self.connectors) or "none at all"
        raise NotThere(f"there is no connector {name!r}; there is {known}")

    def switched(self, name: str, on: bool) -> "Organization":
        """With a connector enabled or disabled. Raises NotThere."""
        old = self.named(name)
        new = replace(old, enabled=on)
        return replace(self, connectors=tuple(new if c is old else c for c in self.connectors))

    def retyped(self, domain: str, kind: DomainType) -> "Organization":
        """With an accepted domain of another type. Raises NotThere."""
        old = self.accepted(domain)
        if old is None:
            known = ", ".join(each.name for each in self.domains) or "none at all"
            raise NotThere(f"there is no accepted domain {domain!r}; there is {known}")
        new = replace(old, type=kind)
        return replace(self, domains=tuple(new if d is old else d for d in self.domains))

    def relayed_over(self, name: str) -> tuple[str, ...]:
        """The internal relay domains whose mail the connector carries, or would if it were on.

        Raises NotThere.
        """
        enabled = self.switched(name, True)
        wanted = enabled.named(name)
        relays = (d.name for d in self.domains if d.type is DomainType.INTERNAL_RELAY)
        return tuple(domain for domain in relays if enabled.connector(domain) is wanted)
