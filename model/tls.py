"""What a connector demands of TLS, what can be odd about a certificate, and about a handshake."""

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


class OwnCertificate(StrEnum):
    """The certificate that a connector has the agent show to hosts, and what is wrong with its files.

    Exchange Server's word for it is TlsCertificateName (Set-SendConnector).
    """

    NONE = "none"
    """The connector has none."""
    VALID = "valid"
    """Issued by the authority whose clients the hosts let in, with the key that belongs to it."""
    MISSING = "missing"
    """There is no such file."""
    UNREADABLE = "unreadable"
    """A directory has the name, as container runtimes make one for a file that they cannot find.

    No permission would do: agents read their keys as root.
    """
    GARBAGE = "garbage"
    """A PEM file, as far as its first and last line go."""
    FOREIGN_KEY = "foreign-key"
    """The key belongs to another certificate, as after a renewal that was copied by halves."""


class Flaw(StrEnum):
    """What is wrong, or merely odd, about the certificate that a host presents.

    `must_refuse` says which of them nobody may accept under which setting. The others are sound
    however odd they look, or documents leave them open.
    """

    VALID = "valid"

    # The chain
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    SELF_SIGNED = "self-signed"
    UNKNOWN_CA = "unknown-ca"
    MISSING_INTERMEDIATE = "missing-intermediate"
    EXPIRED_INTERMEDIATE = "expired-intermediate"
    BAD_SIGNATURE = "bad-signature"
    """One bit of the issuer's signature is another."""
    IMPOSTOR = "impostor"
    """The intermediate has the name of a trusted one, and another key."""
    CLIENT_ONLY = "client-only"
    """Its extended key usage is that of clients."""
    NO_SIGNING = "no-signing"
    """Its key usage allows to sign revocation lists only."""
    ISSUER_NO_CA = "issuer-no-ca"
    """It is issued by another host's certificate, which is no authority's."""
    ISSUER_MAY_NOT_SIGN = "issuer-may-not-sign"
    """Its issuer's key usage does not allow to sign certificates."""
    PATH_TOO_LONG = "path-too-long"
    """One more intermediate than the path length of another allows."""
    NAME_NOT_PERMITTED = "name-not-permitted"
    """Its issuer may issue for other names only."""
    NAME_EXCLUDED = "name-excluded"
    """Its issuer may issue for all names but this."""
    UNKNOWN_CRITICAL = "unknown-critical"
    """A critical extension that nobody knows."""
    REVOKED = "revoked"
    REVOKED_INTERMEDIATE = "revoked-intermediate"

    # The name
    WRONG_NAME = "wrong-name"
    CN_BESIDE_SAN = "cn-beside-san"
    """The common name is right, the alternative name is another's."""
    WILDCARD_TWO_ABOVE = "wildcard-two-above"
    """A wildcard in place of the first two labels."""
    WILDCARD_INNER = "wildcard-inner"
    """A wildcard in place of the second label."""
    NUL_IN_NAME = "nul-in-name"
    """The right name, NUL, and the rest of another's."""
    NAMELESS = "nameless"
    """Neither a common name nor an alternative name."""
    ADDRESS_ONLY = "address-only"
    """The host's address as alternative name, and no name."""

    # What documents leave open
    CN_ONLY = "cn-only"
    WILDCARD_PARTIAL = "wildcard-partial"
    """A wildcard in place of a part of the first label."""
    WEAK_KEY = "weak-key"
    """RSA with 1,024 bits."""
    SHA1 = "sha1"
    """Signed with ECDSA and SHA-1."""
    MUST_STAPLE = "must-staple"
    """It promises a stapled OCSP response (RFC 7633), and none comes."""
    STALE_LIST = "stale-list"
    """Its issuer's revocation list is long out of date."""
    HUGE = "huge"
    """Thousands of names, more octets than many libraries take."""
    DEEP_CHAIN = "deep-chain"
    """A dozen intermediates."""
    ED25519 = "ed25519"
    P521 = "p521"

    # Sound, however odd
    RSA = "rsa"
    WILDCARD = "wildcard"
    UPPER_CASE = "upper-case"
    MANY_NAMES = "many-names"
    ANY_PURPOSE = "any-purpose"
    """No extended key usage at all."""
    NAME_PERMITTED = "name-permitted"
    """Its issuer may issue for names like this only."""
    REVERSED_CHAIN = "reversed-chain"
    """The upper intermediate comes before the lower one."""
    EXTRA_CERTIFICATES = "extra-certificates"
    """Somebody else's certificate, the intermediate twice, and the root."""
    EXPIRED_CROSS = "expired-cross"
    """The trusted root too, signed by an old one, and that signature has expired."""
    FOR_TLS_DOMAIN = "for-tls-domain"
    """Its name is TlsDomain, not the host's own."""


class Handshake(StrEnum):
    """How a host shakes hands, whatever certificate it has."""

    USUAL = "usual"
    """TLS 1.2 and 1.3, with OpenSSL's own choice of ciphers."""
    NO_COMMON_VERSION = "no-common-version"
    """The host speaks no version that anyone offers, and says so by an alert."""
    ONLY_TLS_1_0 = "only-tls-1-0"
    ONLY_TLS_1_1 = "only-tls-1-1"
    ONLY_TLS_1_2 = "only-tls-1-2"
    ONLY_TLS_1_3 = "only-tls-1-3"
    NO_COMMON_CIPHER = "no-common-cipher"
    """TLS 1.2 with ciphers that nobody offers: a handshake_failure alert."""
    WEAK_DH = "weak-dh"
    """TLS 1.2 with an ephemeral Diffie-Hellman key of 1,024 bits and nothing else."""
    OTHER_KEYS = "other-keys"
    """The usual, with other keys for its session tickets: no session of before can be taken up."""
    CLIENT_ASKED = "client-asked"
    """A client certificate is asked for, and none is taken too."""
    CLIENT_DEMANDED_1_2 = "client-demanded-1-2"
    """A client certificate is demanded over TLS 1.2: who has none is refused in the handshake."""
    CLIENT_DEMANDED_1_3 = "client-demanded-1-3"
    """The same over TLS 1.3: the refusal comes when the client believes the handshake over."""
    NAME_DEMANDED = "name-demanded"
    """Only who asks for the host's own name (SNI) is served; the others get an alert."""
    NAME_CHOOSES = "name-chooses"
    """Who asks for the host's own name is shown its certificate, the others are shown another's."""
    NAME_REFUSED = "name-refused"
    """Whoever asks for any name gets an unrecognized_name alert."""


REVOCATION = frozenset({Flaw.REVOKED, Flaw.REVOKED_INTERMEDIATE, Flaw.STALE_LIST})
"""What only an agent can know that has been given revocation lists."""
BAD_CHAIN = frozenset(
    {
        Flaw.EXPIRED,
        Flaw.NOT_YET_VALID,
        Flaw.SELF_SIGNED,
        Flaw.UNKNOWN_CA,
        Flaw.MISSING_INTERMEDIATE,
        Flaw.EXPIRED_INTERMEDIATE,
        Flaw.BAD_SIGNATURE,
        Flaw.IMPOSTOR,
        Flaw.CLIENT_ONLY,
        Flaw.NO_SIGNING,
        Flaw.ISSUER_NO_CA,
        Flaw.ISSUER_MAY_NOT_SIGN,
        Flaw.PATH_TOO_LONG,
        Flaw.NAME_NOT_PERMITTED,
        Flaw.NAME_EXCLUDED,
        Flaw.UNKNOWN_CRITICAL,
        Flaw.REVOKED,
        Flaw.REVOKED_INTERMEDIATE,
    }
)
"""What a check of the chain must refuse (RFC 5280 section 6)."""
BAD_NAME = frozenset(
    {
        Flaw.WRONG_NAME,
        Flaw.CN_BESIDE_SAN,
        Flaw.WILDCARD_TWO_ABOVE,
        Flaw.WILDCARD_INNER,
        Flaw.NUL_IN_NAME,
        Flaw.NAMELESS,
        Flaw.ADDRESS_ONLY,
    }
)
"""What a check of the name must refuse (RFC 6125 section 6.4, RFC 9525 section 6.3)."""


def must_refuse(flaw: Flaw, setting: Tls) -> bool:
    """Whether a connector with this setting may not send mail to a host with this flaw."""
    if setting is Tls.CERTIFICATE:
        return flaw in BAD_CHAIN
    return setting is Tls.DOMAIN and flaw in BAD_CHAIN | BAD_NAME
