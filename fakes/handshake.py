"""How a host shakes hands: its TLS context, from a file of key, leaf and chain.

A context is `ssl`'s own; what is odd about it is set where OpenSSL has a setting for it, so that
each refusal is OpenSSL's own alert on the wire.
"""

import base64
import ssl
import tempfile
import warnings
from collections.abc import Callable
from typing import Any

from fakes.mint import der
from model.tls import Flaw, Handshake

NOBODYS_CIPHERS = "eNULL:@SECLEVEL=0"
"""No client offers ciphers without encryption. Level 0 lets OpenSSL speak TLS 1.1 at all, so
that a client that would still stoop to TLS 1.1 (GnuTLS does) is refused by alert too."""
WEAK_CIPHERS = "DEFAULT:@SECLEVEL=0"
"""What TLS 1.0 and 1.1 need, SHA-1 in signatures, and short keys: level 1 forbids both."""
WEAK_DH_CIPHERS = "DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0"
OAKLEY_2 = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74"
    "020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437"
    "4FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF",
    16,
)
"""The prime of 1,024 bits that weak servers have long shared (RFC 2409 section 6.2)."""
MISSING_EXTENSION = 109
"""The alert for a name that was not given (RFC 8446 section 9.2); `ssl` has no word for it."""

V = ssl.TLSVersion
_VERSIONS: dict[Handshake, tuple[ssl.TLSVersion, ssl.TLSVersion]] = {
    Handshake.NO_COMMON_VERSION: (V.TLSv1_1, V.TLSv1_1),
    Handshake.ONLY_TLS_1_0: (V.TLSv1, V.TLSv1),
    Handshake.ONLY_TLS_1_1: (V.TLSv1_1, V.TLSv1_1),
    Handshake.ONLY_TLS_1_2: (V.TLSv1_2, V.TLSv1_2),
    Handshake.ONLY_TLS_1_3: (V.TLSv1_3, V.TLSv1_3),
    Handshake.NO_COMMON_CIPHER: (V.TLSv1_2, V.TLSv1_2),
    Handshake.WEAK_DH: (V.TLSv1_2, V.TLSv1_2),
    Handshake.CLIENT_DEMANDED_1_2: (V.TLSv1_2, V.TLSv1_2),
    Handshake.CLIENT_DEMANDED_1_3: (V.TLSv1_3, V.TLSv1_3),
}
_CIPHERS = {
    Handshake.NO_COMMON_VERSION: NOBODYS_CIPHERS,
    Handshake.ONLY_TLS_1_0: WEAK_CIPHERS,
    Handshake.ONLY_TLS_1_1: WEAK_CIPHERS,
    Handshake.NO_COMMON_CIPHER: NOBODYS_CIPHERS,
    Handshake.WEAK_DH: WEAK_DH_CIPHERS,
}
_CLIENTS = {
    Handshake.CLIENT_ASKED: ssl.CERT_OPTIONAL,
    Handshake.CLIENT_DEMANDED_1_2: ssl.CERT_REQUIRED,
    Handshake.CLIENT_DEMANDED_1_3: ssl.CERT_REQUIRED,
}


def server_context(
    handshake: Handshake,
    served: bytes,
    clients: bytes,
    name: str,
    *,
    other: bytes = b"",
    weak: bool = False,
) -> ssl.SSLContext:
    """The context of a host called `name`.

    `served` is its key with leaf and chain, `clients` the authority of whom it would let in, both
    in PEM; `other` is what NAME_CHOOSES shows to whoever does not ask for the name. `weak` lets
    OpenSSL load a key that it would not by itself.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if ciphers := _CIPHERS.get(handshake, WEAK_CIPHERS if weak else ""):
        context.set_ciphers(ciphers)
    _from_file(context.load_cert_chain, served)
    if handshake in _VERSIONS:
        _limit(context, *_VERSIONS[handshake])
    if handshake is Handshake.WEAK_DH:
        _from_file(context.load_dh_params, dh_parameters(OAKLEY_2, 2))
    if handshake in _CLIENTS:
        context.load_verify_locations(cadata=clients.decode())
        context.verify_mode = _CLIENTS[handshake]
    heed = _heed_name(handshake, name, context)
    if handshake is Handshake.NAME_CHOOSES:
        context = server_context(Handshake.USUAL, other, clients, name)
    context.sni_callback = heed
    return context


def dh_parameters(prime: int, generator: int) -> bytes:
    """A Diffie-Hellman group in PEM (PKCS #3: a sequence of two integers).

    By hand, because cryptography is about to drop finite fields.
    """
    numbers = (n.to_bytes(n.bit_length() // 8 + 1) for n in (prime, generator))
    text = base64.encodebytes(der(0x30, b"".join(der(0x02, octets) for octets in numbers)))
    return b"-----BEGIN DH PARAMETERS-----\n" + text + b"-----END DH PARAMETERS-----\n"


def _from_file(load: Callable[[str], None], octets: bytes) -> None:
    """Let `ssl` load from a file what it loads from files only."""
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(octets)
        file.flush()
        load(file.name)


def _limit(context: ssl.SSLContext, least: ssl.TLSVersion, most: ssl.TLSVersion) -> None:
    with warnings.catch_warnings():
        # ssl warns of old versions because they must not be used, which is the very point here.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = least, most


def _heed_name(
    handshake: Handshake, own: str, context: ssl.SSLContext
) -> Callable[[Any, str | None, ssl.SSLContext], int | None]:
    """What is done about the name that a client asks for (RFC 6066 section 3).

    In any case it is kept where the session finds it; an alert refuses it.
    """

    def heed(secured: Any, name: str | None, _: ssl.SSLContext) -> int | None:
        secured.offered_sni = name or ""
        ours = name is not None and name.lower() == own.lower()
        match handshake:
            case Handshake.NAME_DEMANDED if name is None:
                return MISSING_EXTENSION
            case Handshake.NAME_DEMANDED if not ours:
                return ssl.AlertDescription.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
            case Handshake.NAME_REFUSED if name is not None:
                return ssl.AlertDescription.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
            case Handshake.NAME_CHOOSES if ours:
                secured.context = context
            case Handshake.NAME_CHOOSES:
                secured.shown = Flaw.WRONG_NAME
        return None

    return heed
