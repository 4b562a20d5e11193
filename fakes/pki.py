"""Authorities and certificates, sound ones and flawed ones, made as they are asked for.

Theory of operation
-------------------
A `Pki` has three authorities: a root that the agent trusts, an intermediate below it that
issues the leaves, and a root that nobody knows. trustme makes the authorities; the leaves are
made here, since trustme makes no flawed ones. A server context is made at the first request
for a flaw and a name, and kept: handshakes share it.

What holds always: a certificate has the one flaw that it is made for and no other (an expired
one has a good chain and the right names). The only files are those that `ssl` needs for the
blink of an eye to load a key.
"""

import datetime
import ipaddress
import ssl
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from model.tls import Flaw, Handshake

WRONG_NAME = "wrong-name.test"
"""The only name in a certificate with Flaw.WRONG_NAME."""
CN_LIMIT = 64
"""Characters that a common name may have (RFC 5280, appendix A.1, ub-common-name)."""
NO_COMMON_CIPHERS = "eNULL:@SECLEVEL=0"
"""Level 0 lets OpenSSL speak TLS 1.1 at all; no client offers ciphers without encryption, so
one that would still stoop to TLS 1.1 (GnuTLS does) is refused by alert too."""


def _utc(year: int) -> datetime.datetime:
    return datetime.datetime(year, 1, 1, tzinfo=datetime.UTC)


_VALIDITY = {
    Flaw.EXPIRED: (_utc(2019), _utc(2020)),
    Flaw.NOT_YET_VALID: (_utc(2090), _utc(2099)),
}
"""When certificates are valid, if not now; far off, since agents' clocks may be moved."""
_ALWAYS = (_utc(2015), _utc(2099))


@dataclass(frozen=True, slots=True)
class _Issuer:
    """Who signs: name, key, and the certificates that are served below the leaf."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    chain: bytes

    @classmethod
    def of(cls, ca: trustme.CA) -> "_Issuer":
        pem = ca.cert_pem.bytes()
        key = load_pem_private_key(ca.private_key_pem.bytes(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return cls(x509.load_pem_x509_certificate(pem), key, pem)


_Wanted = tuple[Flaw, tuple[str, ...], tuple[str, ...], Handshake]


class Pki:
    """A trusted root, its intermediate, an unknown root, and the certificates they issue."""

    def __init__(self) -> None:
        root = trustme.CA(organization_unit_name="Trusted root")
        self.ca_pem: bytes = root.cert_pem.bytes()
        """The root alone, in PEM: what an agent is told to trust."""
        self._intermediate = _Issuer.of(root.create_child_ca())
        self._unknown = _Issuer.of(trustme.CA(organization_unit_name="Unknown root"))
        self._contexts: dict[_Wanted, ssl.SSLContext] = {}

    def context(
        self,
        flaw: Flaw,
        names: Sequence[str],
        ips: Sequence[str] = (),
        handshake: Handshake = Handshake.USUAL,
    ) -> ssl.SSLContext:
        """A server's context that presents the certificate with this flaw.

        The first name is the common name too (sendmail compares that one). Raises ValueError
        for no name, or one that does not fit where the flaw needs it.
        """
        wanted = (flaw, tuple(names), tuple(ips), handshake)
        if wanted not in self._contexts:
            self._contexts[wanted] = self._make(*wanted)
        return self._contexts[wanted]

    def _make(
        self, flaw: Flaw, names: tuple[str, ...], ips: tuple[str, ...], handshake: Handshake
    ) -> ssl.SSLContext:
        if not names:
            raise ValueError("a certificate needs at least one name")
        if flaw is Flaw.CN_ONLY and len(names[0]) > CN_LIMIT:
            raise ValueError(f"{names[0]!r} is longer than the {CN_LIMIT} characters of a CN")
        if flaw is Flaw.WRONG_NAME:
            names, ips = (WRONG_NAME,), ()
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = self._issuer(flaw)
        leaf = _leaf(flaw, names, ips, key, issuer)
        chain = b"" if issuer is None or flaw is Flaw.MISSING_INTERMEDIATE else issuer.chain
        return _server_context(handshake, _pem(key) + leaf.public_bytes(Encoding.PEM) + chain)

    def _issuer(self, flaw: Flaw) -> _Issuer | None:
        """Who signs the leaf; None: itself."""
        if flaw is Flaw.SELF_SIGNED:
            return None
        return self._unknown if flaw is Flaw.UNKNOWN_CA else self._intermediate


def _leaf(
    flaw: Flaw,
    names: tuple[str, ...],
    ips: tuple[str, ...],
    key: ec.EllipticCurvePrivateKey,
    issuer: _Issuer | None,
) -> x509.Certificate:
    not_before, not_after = _VALIDITY.get(flaw, _ALWAYS)
    subject = _subject(names[0])
    signer = issuer.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
            critical=False,
        )
    )
    if flaw is not Flaw.CN_ONLY:
        builder = builder.add_extension(_alternative_names(names, ips), critical=False)
    return builder.sign(signer, hashes.SHA256())


def _subject(name: str) -> x509.Name:
    """The name as CN, where it fits; the SAN says it in any case."""
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Mail host")]
    if len(name) <= CN_LIMIT:
        attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, name))
    return x509.Name(attributes)


def _alternative_names(names: tuple[str, ...], ips: tuple[str, ...]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName(
        [
            *map(x509.DNSName, names),
            *(x509.IPAddress(ipaddress.ip_address(ip)) for ip in ips),
        ]
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _server_context(handshake: Handshake, key_and_chain: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:  # ssl loads keys from files only
        file.write(key_and_chain)
        file.flush()
        context.load_cert_chain(file.name)
    if handshake is Handshake.NO_COMMON_VERSION:
        _speak_old_versions_only(context)
    return context


def _speak_old_versions_only(context: ssl.SSLContext) -> None:
    """TLS 1.1 and nothing else, so that the handshake ends in a protocol_version alert."""
    context.set_ciphers(NO_COMMON_CIPHERS)
    with warnings.catch_warnings():
        # ssl warns of this version because it must not be used, which is the very point here.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1_1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
