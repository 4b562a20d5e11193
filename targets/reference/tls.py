"""TLS settings as contexts, and the certificate checks that OpenSSL leaves to us.

none and encrypt look at no certificate; certificate wants a trusted chain in its time, of which
nothing has been revoked, and any name; domain wants also a name that matches TlsDomain
(Set-OutboundConnector, TlsSettings).
"""

import hashlib
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

EXPIRED = "CertificateExpired"
NOT_YET_VALID = "CertificateNotYetValid"
UNTRUSTED = "UntrustedRoot"
MISMATCH = "SubjectMismatch"
REVOKED = "Revoked"
UNUSABLE = "WrongUsage"
INVALID = "CertificateInvalid"
"""The first three and MISMATCH have been seen in public traces, the others are inferred."""

_WORDS = {
    9: NOT_YET_VALID,
    10: EXPIRED,
    **dict.fromkeys((2, 7, 18, 19, 20, 21), UNTRUSTED),
    **dict.fromkeys((3, 12, 23), REVOKED),
    **dict.fromkeys((24, 25, 26, 32, 34, 47, 48, 66, 68, 79), UNUSABLE),
}
"""By OpenSSL's X509_V_ERR_* numbers (openssl-verification-options).

Revoked is also what no list, or none of today, says not to be.
"""


class Unusable(Exception):
    """A certificate of our own that cannot be shown; the message says why, in a few words."""


class Contexts:
    """The two client contexts that are needed, made once each; one that shows a certificate each time.

    The files of a certificate may be there tomorrow, or be others.
    """

    def __init__(self, ca_file: str, crl_file: str = "") -> None:
        """`crl_file` has the lists of all authorities in PEM; without it none are looked at."""
        self._ca_file, self._crl_file = ca_file, crl_file

    @cached_property
    def blind(self) -> ssl.SSLContext:
        """Encrypts and looks at no certificate."""
        return self._blind()

    @cached_property
    def verifying(self) -> ssl.SSLContext:
        """Wants a chain to the CA file, in its time; the name is looked at afterwards."""
        return self._verifying()

    def showing(self, certificate: str, key: str, *, checked: bool) -> ssl.SSLContext:
        """As `verifying` if the host is checked, else as `blind`, with a certificate of our own.

        Raises Unusable if its files are not there, no PEM, or do not belong together.
        """
        context = self._verifying() if checked else self._blind()
        try:
            context.load_cert_chain(certificate, key)
        except ssl.SSLError as error:
            raise Unusable(error.reason or "no PEM") from error
        except OSError as error:
            raise Unusable(error.strerror or type(error).__name__) from error
        return context

    def _blind(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    def _verifying(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(self._ca_file)
        if self._crl_file:
            context.load_verify_locations(self._crl_file)
            context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_CHAIN
        return context


@dataclass(frozen=True, slots=True)
class Presented:
    """Of a verified certificate: the names it is for, its subject, its SHA-1 thumbprint."""

    names: tuple[str, ...]
    subject: str
    thumbprint: str

    def covers(self, wanted: str) -> bool:
        """Whether it is for the wanted name."""
        return any(matches(name, wanted) for name in self.names)

    def mismatch(self, wanted: str) -> str:
        """Exchange's words for a certificate with another name."""
        return (
            f"{MISMATCH} Expected Subject: {wanted}. "
            f"Presented Subject: {self.subject}. Thumbprint: {self.thumbprint}."
        )


def presented(session: ssl.SSLObject) -> Presented:
    """What the peer of an established, verified session presented."""
    fields: Mapping[str, Any] = session.getpeercert() or {}
    der = session.getpeercert(binary_form=True) or b""
    digest = hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()
    return Presented(tuple(names(fields)), _subject(fields), digest)


def names(fields: Mapping[str, Any]) -> list[str]:
    """The dNSName SANs; the common names only if there is none (RFC 6125 section 6.4.4)."""
    sans = [value for kind, value in fields.get("subjectAltName", ()) if kind == "DNS"]
    return sans or list(_values(fields, "commonName"))


def matches(name: str, wanted: str) -> bool:
    """Whether a certificate's name covers TlsDomain; either may have a wildcard as first label.

    A wildcard stands for exactly one label (RFC 6125 section 6.4.3).
    """
    have, want = _labels(name), _labels(wanted)
    if len(have) != len(want) or have[1:] != want[1:]:
        return False
    return have[0] == want[0] or (len(have) > 1 and "*" in (have[0], want[0]))


def word(error: ssl.SSLCertVerificationError) -> str:
    """Exchange's word for a refused chain."""
    return _WORDS.get(error.verify_code, INVALID)


def _labels(name: str) -> list[str]:
    return name.rstrip(".").lower().split(".")


def _values(fields: Mapping[str, Any], wanted: str) -> Iterable[str]:
    return (v for part in fields.get("subject", ()) for key, v in part if key == wanted)


def _subject(fields: Mapping[str, Any]) -> str:
    return ", ".join(f"CN={value}" for value in _values(fields, "commonName")) or "(none)"
