"""Authorities and certificates, sound ones and flawed ones, made as they are asked for.

Theory of operation
-------------------
A `Pki` has a root that the agent trusts, an intermediate below it that issues the leaves, a root
that nobody knows, one whose clients the hosts let in, and for each flaw that sits in the chain an
authority that has it. trustme makes the sound authorities; the rest is made by `fakes/mint.py`,
since trustme makes no flawed ones. A server context is made at the first request for a flaw and a
name, and kept: handshakes share it. How the host then shakes hands is in `fakes/handshake.py`.

What holds always: a certificate has the one flaw that it is made for and no other (an expired
one has a good chain and the right names). Every authority that might be trusted has a revocation
list. The only files are those that `ssl` needs for the blink of an eye to load a key.
"""

import ipaddress
import ssl
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property, reduce
from typing import Any

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from fakes.handshake import server_context
from fakes.mint import (
    CN_LIMIT,
    FUTURE,
    PAST,
    Authority,
    Draft,
    Key,
    new_key,
    pem_of,
    revocation_lists,
    self_signed,
    usage,
    with_sha1,
)
from model.tls import Flaw, Handshake

WRONG_NAME = "wrong-name.test"
"""The only name in a certificate with Flaw.WRONG_NAME."""
REVOKED_SERIALS = range(1000, 1200)
"""Serial numbers that the intermediate has revoked: each revoked certificate takes the next."""
MANY, TOO_MANY = 1000, 6000
"""Names: some 30 thousand octets, and some 170 thousand. Libraries have limits in between, as
OpenSSL has 100 thousand (SSL_CTX_set_max_cert_list(3))."""
DEPTH = 12
"""Intermediates in a deep chain; there are agents that follow nine by default."""
_NOBODY_KNOWS = ObjectIdentifier("2.999.1")
"""Below the arc for examples (ITU-T X.660)."""

_NAMES: dict[Flaw, Callable[[str], tuple[str, ...]]] = {
    Flaw.WRONG_NAME: lambda name: (WRONG_NAME,),
    Flaw.CN_BESIDE_SAN: lambda name: (WRONG_NAME,),
    Flaw.CN_ONLY: lambda name: (),
    Flaw.NAMELESS: lambda name: (),
    Flaw.ADDRESS_ONLY: lambda name: (),
    Flaw.WILDCARD: lambda name: (f"*.{_labels(name)[1]}",),
    Flaw.WILDCARD_TWO_ABOVE: lambda name: (f"*.{_labels(_labels(name)[1])[1]}",),
    Flaw.WILDCARD_INNER: lambda name: (f"{_labels(name)[0]}.*.{_labels(_labels(name)[1])[1]}",),
    Flaw.WILDCARD_PARTIAL: lambda name: (f"{name[0]}*.{_labels(name)[1]}",),
    Flaw.NUL_IN_NAME: lambda name: (f"{name}\0.{WRONG_NAME}",),
    Flaw.UPPER_CASE: lambda name: (name.upper(),),
    Flaw.MANY_NAMES: lambda name: (*_others(MANY), name),
    Flaw.HUGE: lambda name: (*_others(TOO_MANY), name),
}
"""The alternative names, by the host's own."""
_COMMON: dict[Flaw, str] = {Flaw.WRONG_NAME: WRONG_NAME} | dict.fromkeys(
    (
        Flaw.NAMELESS,
        Flaw.ADDRESS_ONLY,
        Flaw.WILDCARD_TWO_ABOVE,
        Flaw.WILDCARD_INNER,
        Flaw.WILDCARD_PARTIAL,
        Flaw.NUL_IN_NAME,
    ),
    "",
)
"""The common name, where it is not the host's own."""
_DIFFERENT: dict[Flaw, dict[str, Any]] = {
    Flaw.EXPIRED: {"life": PAST},
    Flaw.NOT_YET_VALID: {"life": FUTURE},
    Flaw.CLIENT_ONLY: {"purposes": (ExtendedKeyUsageOID.CLIENT_AUTH,)},
    Flaw.ANY_PURPOSE: {"purposes": ()},
    Flaw.NO_SIGNING: {"use": usage("crl_sign")},
    Flaw.UNKNOWN_CRITICAL: {
        "more": ((x509.UnrecognizedExtension(_NOBODY_KNOWS, b"\x05\x00"), True),)
    },
    Flaw.MUST_STAPLE: {"more": ((x509.TLSFeature([x509.TLSFeatureType.status_request]), False),)},
}
"""What else the leaf says than a sound one."""
_STRANGERS = (Flaw.UNKNOWN_CA, Flaw.IMPOSTOR)
"""Whose issuers nobody has revocation lists of."""
_Wanted = tuple[Flaw, tuple[str, ...], tuple[str, ...], Handshake]


class Pki:
    """A trusted root, its intermediate, an unknown root, and the certificates they issue."""

    def __init__(self) -> None:
        root = trustme.CA(path_length=DEPTH, organization_unit_name="Trusted root")
        self._root = Authority.of(root)
        self._unknown = Authority.of(trustme.CA(organization_unit_name="Unknown root"))
        self._clients = Authority.of(trustme.CA(organization_unit_name="Clients' root"))
        self._revoked = iter(REVOKED_SERIALS)
        bad = self._root.below("Revoked intermediate")
        self._root = replace(self._root, revoked=(bad.certificate.serial_number,))
        self._intermediate = replace(
            Authority.of(root.create_child_ca(), self._root), revoked=tuple(REVOKED_SERIALS)
        )
        odd = _odd_authorities(self._root, self._intermediate, self._unknown)
        self._issuers = {**odd, Flaw.REVOKED_INTERMEDIATE: replace(bad, above=self._root)}
        self._contexts: dict[_Wanted, ssl.SSLContext] = {}
        self.ca_pem: bytes = self._root.pem
        """The root alone, in PEM: what an agent is told to trust."""
        known = (one for flaw, one in self._issuers.items() if flaw not in _STRANGERS)
        self.crl_pem: bytes = revocation_lists((self._intermediate, *known))
        """The revocation list of every authority that might be trusted, in PEM."""

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

    def client(self, name: str) -> tuple[bytes, bytes]:
        """A certificate for a client of this name, whom the hosts let in, and its key; in PEM."""
        key = new_key()
        purposes = (ExtendedKeyUsageOID.CLIENT_AUTH,)
        draft = Draft(name, key, (x509.DNSName(name),), purposes=purposes)
        return self._clients.sign(draft).public_bytes(Encoding.PEM), pem_of(key)

    def _make(
        self, flaw: Flaw, names: tuple[str, ...], ips: tuple[str, ...], handshake: Handshake
    ) -> ssl.SSLContext:
        if not names:
            raise ValueError("a certificate needs at least one name")
        if flaw in (Flaw.CN_ONLY, Flaw.CN_BESIDE_SAN) and len(names[0]) > CN_LIMIT:
            raise ValueError(f"{names[0]!r} is longer than the {CN_LIMIT} characters of a CN")
        other = b""
        if handshake is Handshake.NAME_CHOOSES:
            other = self._served(Flaw.WRONG_NAME, names, (), new_key())
        served = self._served(flaw, names, ips, self._key(flaw, handshake))
        weak = flaw in (Flaw.WEAK_KEY, Flaw.SHA1)
        return server_context(
            handshake, served, self._clients.pem, names[0], other=other, weak=weak
        )

    def _served(self, flaw: Flaw, names: tuple[str, ...], ips: tuple[str, ...], key: Key) -> bytes:
        """Key, leaf and chain, as a host has them in its file."""
        draft = _draft(flaw, names, ips, key)
        if flaw is Flaw.SELF_SIGNED:
            return pem_of(key) + self_signed(draft).public_bytes(Encoding.PEM)
        if flaw is Flaw.REVOKED:
            draft = replace(draft, serial=next(self._revoked))
        issuer = self._issuers.get(flaw, self._intermediate)
        made = issuer.sign(draft)
        leaf = made.public_bytes(Encoding.DER)
        if flaw is Flaw.SHA1:
            leaf = with_sha1(made, issuer.key)
        if flaw is Flaw.BAD_SIGNATURE:
            leaf = leaf[:-1] + bytes([leaf[-1] ^ 1])
        chain = b"" if flaw is Flaw.MISSING_INTERMEDIATE else issuer.chain
        return pem_of(key) + ssl.DER_cert_to_PEM_cert(leaf).encode() + chain

    def _key(self, flaw: Flaw, handshake: Handshake) -> Key:
        """The leaf's key. Those of RSA take long to make, so there is one of each length."""
        if flaw is Flaw.RSA or handshake is Handshake.WEAK_DH:
            return self._rsa
        match flaw:
            case Flaw.WEAK_KEY:
                return self._weak
            case Flaw.ED25519:
                return ed25519.Ed25519PrivateKey.generate()
            case Flaw.P521:
                return ec.generate_private_key(ec.SECP521R1())
        return new_key()

    @cached_property
    def _rsa(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(65537, 2048)

    @cached_property
    def _weak(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(65537, 1024)


def _odd_authorities(
    root: Authority, intermediate: Authority, unknown: Authority
) -> dict[Flaw, Authority]:
    """Who issues the leaf where it is not the intermediate, and what is served behind it."""
    lower = intermediate.below("Lower intermediate")
    old = Draft("Old root", new_key(), issues=True)
    cross = Authority(self_signed(old), old.key).below(
        "", key=root.key, subject=root.certificate.subject, life=PAST
    )
    forger = Authority(root.certificate, unknown.key)
    permitted = x509.NameConstraints([x509.DNSName("permitted.test")], None)
    fitting = x509.NameConstraints([x509.DNSName("test")], None)
    excluded = x509.NameConstraints(None, [x509.DNSName("test")])
    return {
        Flaw.UNKNOWN_CA: replace(unknown, chain=unknown.pem),
        Flaw.EXPIRED_INTERMEDIATE: root.below("Expired intermediate", life=PAST),
        Flaw.IMPOSTOR: forger.below("", subject=intermediate.certificate.subject),
        Flaw.ISSUER_NO_CA: intermediate.below("no-authority.test", issues=False, use=None),
        Flaw.ISSUER_MAY_NOT_SIGN: root.below("No signer", use=usage("crl_sign")),
        Flaw.PATH_TOO_LONG: root.below("Last", path_length=0).below("One too many"),
        Flaw.NAME_NOT_PERMITTED: root.below("Elsewhere", more=((permitted, True),)),
        Flaw.NAME_EXCLUDED: root.below("Anywhere but here", more=((excluded, True),)),
        Flaw.NAME_PERMITTED: root.below("Here only", more=((fitting, True),)),
        Flaw.STALE_LIST: replace(root.below("Stale list"), stale=True),
        Flaw.DEEP_CHAIN: reduce(lambda one, n: one.below(f"Depth {n}"), range(DEPTH), root),
        Flaw.REVERSED_CHAIN: replace(lower, chain=intermediate.pem + lower.pem),
        Flaw.EXTRA_CERTIFICATES: replace(
            intermediate, chain=unknown.pem + 2 * intermediate.pem + root.pem
        ),
        Flaw.EXPIRED_CROSS: replace(intermediate, chain=intermediate.pem + cross.pem),
    }


def _draft(flaw: Flaw, names: tuple[str, ...], ips: tuple[str, ...], key: Key) -> Draft:
    """What the leaf says."""
    shown = _NAMES[flaw](names[0]) if flaw in _NAMES else names
    if flaw in _NAMES and flaw is not Flaw.ADDRESS_ONLY:
        ips = ()
    alternative = (
        *map(x509.DNSName, shown),
        *(x509.IPAddress(ipaddress.ip_address(ip)) for ip in ips),
    )
    honest = Draft(_COMMON.get(flaw, names[0]), key, alternative)
    return replace(honest, **_DIFFERENT.get(flaw, {}))


def _labels(name: str) -> tuple[str, str]:
    """The first label, and the rest."""
    first, _, rest = name.partition(".")
    return first, rest


def _others(number: int) -> tuple[str, ...]:
    """Names of nobody's."""
    return tuple(f"n{n}.many-names.test" for n in range(number))
