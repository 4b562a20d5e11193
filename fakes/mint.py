"""Certificates and revocation lists exactly as told, right or wrong.

Theory of operation
-------------------
A `Draft` is all that a certificate says; an `Authority` signs drafts, further authorities below
itself, and the list of what it has revoked. Nothing here asks whether that makes sense: an
authority whose key may not sign certificates signs them all the same.

What holds always: values are never changed; nothing is written to a file.
"""

import datetime
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CN_LIMIT = 64
"""Characters that a common name may have (RFC 5280, appendix A.1, ub-common-name)."""

_ECDSA_SHA256 = bytes.fromhex("2a8648ce3d040302")
_ECDSA_SHA1 = bytes.fromhex("2a8648ce3d0401")
"""Object identifiers 1.2.840.10045.4.3.2 (RFC 5758) and 1.2.840.10045.4.1 (RFC 3279)."""

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
Life = tuple[datetime.datetime, datetime.datetime]


def utc(year: int) -> datetime.datetime:
    """The beginning of a year."""
    return datetime.datetime(year, 1, 1, tzinfo=datetime.UTC)


ALWAYS: Life = (utc(2015), utc(2099))
PAST: Life = (utc(2019), utc(2020))
FUTURE: Life = (utc(2090), utc(2099))
"""When certificates are valid; far off, since agents' clocks may be moved."""


def new_key() -> ec.EllipticCurvePrivateKey:
    """A key as most hosts have them by now: P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def usage(*allowed: str) -> x509.KeyUsage:
    """A key usage that allows what is named and nothing else (RFC 5280 section 4.2.1.3)."""
    every = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: name in allowed for name in every})


AUTHORITY_USE = usage("key_cert_sign", "crl_sign")


@dataclass(frozen=True, slots=True)
class Draft:
    """What a certificate is to say.

    `name` is the common name, left out where it is empty or too long. `issues`: it is an
    authority's, with at most `path_length` others below. `more` are further extensions, each with
    whether it is critical.
    """

    name: str
    key: Key
    names: tuple[x509.GeneralName, ...] = ()
    life: Life = ALWAYS
    issues: bool = False
    path_length: int | None = None
    use: x509.KeyUsage | None = None
    purposes: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.SERVER_AUTH,)
    more: tuple[tuple[x509.ExtensionType, bool], ...] = ()
    serial: int = 0
    """0: any."""
    subject: x509.Name | None = None
    """Another subject than the one made of the name."""


@dataclass(frozen=True, slots=True)
class Authority:
    """Who signs: its certificate, its key, and what a host serves behind a leaf that it issued.

    `revoked` are serial numbers. A `stale` one has not renewed its revocation list for years.
    """

    certificate: x509.Certificate
    key: Key
    chain: bytes = b""
    above: "Authority | None" = field(default=None, repr=False)
    revoked: tuple[int, ...] = ()
    stale: bool = False

    @classmethod
    def of(cls, ca: trustme.CA, above: "Authority | None" = None) -> "Authority":
        """One that trustme has made; what is below none has no chain, for it is a root."""
        pem = ca.cert_pem.bytes()
        key = load_pem_private_key(ca.private_key_pem.bytes(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        certificate = x509.load_pem_x509_certificate(pem)
        return cls(certificate, key, pem + above.chain if above else b"", above)

    @property
    def pem(self) -> bytes:
        """Its own certificate."""
        return self.certificate.public_bytes(Encoding.PEM)

    def below(self, name: str, **difference: Any) -> "Authority":
        """Another authority, certified by this one; `difference` is what is odd about it."""
        honest = Draft(name, new_key(), issues=True, use=AUTHORITY_USE, purposes=())
        draft = replace(honest, **difference)
        made = self.sign(draft)
        return Authority(made, draft.key, made.public_bytes(Encoding.PEM) + self.chain, self)

    def sign(self, draft: Draft) -> x509.Certificate:
        """A certificate that says what the draft says."""
        return _sign(draft, self.certificate.subject, self.key)

    def line(self) -> Iterator["Authority"]:
        """Itself and all above it."""
        yield self
        if self.above is not None:
            yield from self.above.line()

    def revocation_list(self) -> bytes:
        """The list of what it has revoked, in PEM (RFC 5280 section 5)."""
        since, until = PAST if self.stale else ALWAYS
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(since)
            .next_update(until)
            .add_extension(x509.CRLNumber(1), critical=False)
            .add_extension(_key_id_of(self.key), critical=False)
        )
        for serial in self.revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(since)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self.key, _hash_for(self.key)).public_bytes(Encoding.PEM)


def self_signed(draft: Draft) -> x509.Certificate:
    """A certificate that nobody but itself has signed."""
    return _sign(draft, _subject(draft), draft.key)


def revocation_lists(authorities: Iterable[Authority]) -> bytes:
    """The lists of all these and of all above them, each once, in PEM."""
    every = {one.certificate.serial_number: one for each in authorities for one in each.line()}
    return b"".join(one.revocation_list() for one in every.values())


def with_sha1(certificate: x509.Certificate, signer: Key) -> bytes:
    """The same certificate in DER, signed again with ECDSA and SHA-1.

    cryptography no longer makes such: its algorithm is said twice in it (RFC 5280 section 4.1).
    """
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    modern, old = (der(0x30, der(0x06, oid)) for oid in (_ECDSA_SHA256, _ECDSA_SHA1))
    _, _, rest = certificate.tbs_certificate_bytes.partition(modern)
    head = certificate.tbs_certificate_bytes[: -len(rest) - len(modern)]
    body = der(0x30, head[_header(head) :] + old + rest)
    signature = signer.sign(body, ec.ECDSA(hashes.SHA1()))
    return der(0x30, body + old + der(0x03, b"\0" + signature))


def der(tag: int, content: bytes) -> bytes:
    """A tag, a length and a content (ITU-T X.690)."""
    length = len(content)
    if length < 128:
        return bytes([tag, length]) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes([tag, 128 + len(octets)]) + octets + content


def _header(encoded: bytes) -> int:
    """How many octets tag and length take."""
    return 2 + max(0, encoded[1] - 128)


def pem_of(key: Key) -> bytes:
    """The private key in PEM."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _sign(draft: Draft, issuer: x509.Name, signer: Key) -> x509.Certificate:
    public = draft.key.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(draft.subject or _subject(draft))
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(draft.serial or x509.random_serial_number())
        .not_valid_before(draft.life[0])
        .not_valid_after(draft.life[1])
        .add_extension(x509.BasicConstraints(draft.issues, draft.path_length), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(_key_id_of(signer), critical=False)
    )
    if draft.names:
        names = x509.SubjectAlternativeName(draft.names)
        builder = builder.add_extension(names, critical=False)
    if draft.purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(draft.purposes), critical=False)
    if draft.use is not None:
        builder = builder.add_extension(draft.use, critical=True)
    for extension, critical in draft.more:
        builder = builder.add_extension(extension, critical)
    return builder.sign(signer, _hash_for(signer))


def _subject(draft: Draft) -> x509.Name:
    """The name as CN, where it fits; the SAN says it in any case."""
    who = "Authority" if draft.issues else "Mail host"
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, who)]
    if 0 < len(draft.name) <= CN_LIMIT:
        attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, draft.name))
    return x509.Name(attributes)


def _key_id_of(signer: Key) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())


def _hash_for(signer: Key) -> hashes.SHA256 | None:
    """Ed25519 brings its own (RFC 8410)."""
    return None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
