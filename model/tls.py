"""What a connector demands of TLS, and what can be wrong with a certificate."""

from enum import StrEnum


class Tls(StrEnum):
    """A connector's TLS setting (Set-OutboundConnector, TlsSettings), from loose to strict.

    NONE is opportunistic: TLS where offered, clear text otherwise, no certificate looked at.
    ENCRYPT demands TLS, CERTIFICATE also a trusted chain in its time, DOMAIN also a name that
    matches TlsDomain.
    """

    NONE = "none"
    ENCRYPT = "encrypt"
    CERTIFICATE = "certificate"
    DOMAIN = "domain"


class Flaw(StrEnum):
    """What is wrong with the certificate that a host presents."""

    VALID = "valid"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    WRONG_NAME = "wrong-name"
    CN_ONLY = "cn-only"
    SELF_SIGNED = "self-signed"
    UNKNOWN_CA = "unknown-ca"
    MISSING_INTERMEDIATE = "missing-intermediate"


class Handshake(StrEnum):
    """How a host shakes hands, whatever certificate it has."""

    USUAL = "usual"
    """TLS 1.2 and 1.3, with OpenSSL's own choice of ciphers."""
    NO_COMMON_VERSION = "no-common-version"
    """The host speaks no version that anyone offers, and says so by an alert."""


BAD_CHAIN = frozenset(
    {
        Flaw.EXPIRED,
        Flaw.NOT_YET_VALID,
        Flaw.SELF_SIGNED,
        Flaw.UNKNOWN_CA,
        Flaw.MISSING_INTERMEDIATE,
    }
)
"""What a check of the chain must refuse (RFC 5280 section 6)."""


def must_refuse(flaw: Flaw, setting: Tls) -> bool:
    """Whether a connector with this setting may not send mail to a host with this flaw."""
    if setting is Tls.CERTIFICATE:
        return flaw in BAD_CHAIN
    return setting is Tls.DOMAIN and (flaw in BAD_CHAIN or flaw is Flaw.WRONG_NAME)
