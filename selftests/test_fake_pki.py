"""Every flaw is met by a real client, in a real handshake, and is the only one there."""

import contextlib
import datetime
import re
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from fakes.pki import WRONG_NAME, Pki
from model.tls import BAD_CHAIN, BAD_NAME, REVOCATION, Flaw, Handshake

NAME = "mx1.pki.test"

OK = 0
BAD_SIGNATURE = 7
NOT_YET_VALID = 9
EXPIRED = 10
STALE_LIST = 12
SELF_SIGNED = 18
SELF_SIGNED_IN_CHAIN = 19
NO_ISSUER = 20
LEAF_ALONE = 21
REVOKED = 23
PATH_TOO_LONG = 25
PURPOSE = 26
CRITICAL = 34
NOT_PERMITTED = 47
EXCLUDED = 48
MISMATCH = 62
WEAK_KEY = 66
WEAK_DIGEST = 68
NO_CA = 79
"""X509_V_ERR_*, as openssl-verify(1) lists them."""

VERDICTS = {
    Flaw.EXPIRED: {EXPIRED},
    Flaw.NOT_YET_VALID: {NOT_YET_VALID},
    Flaw.WRONG_NAME: {MISMATCH},
    Flaw.SELF_SIGNED: {SELF_SIGNED},
    Flaw.UNKNOWN_CA: {SELF_SIGNED_IN_CHAIN},
    Flaw.MISSING_INTERMEDIATE: {NO_ISSUER, LEAF_ALONE},
    Flaw.EXPIRED_INTERMEDIATE: {EXPIRED},
    Flaw.BAD_SIGNATURE: {BAD_SIGNATURE},
    Flaw.IMPOSTOR: {BAD_SIGNATURE, NO_ISSUER},
    Flaw.CLIENT_ONLY: {PURPOSE},
    Flaw.NO_SIGNING: {PURPOSE},
    Flaw.ISSUER_NO_CA: {NO_CA},
    Flaw.ISSUER_MAY_NOT_SIGN: {NO_CA},
    Flaw.PATH_TOO_LONG: {PATH_TOO_LONG},
    Flaw.NAME_NOT_PERMITTED: {NOT_PERMITTED},
    Flaw.NAME_EXCLUDED: {EXCLUDED},
    Flaw.UNKNOWN_CRITICAL: {CRITICAL},
    Flaw.CN_BESIDE_SAN: {MISMATCH},
    Flaw.WILDCARD_TWO_ABOVE: {MISMATCH},
    Flaw.WILDCARD_INNER: {MISMATCH},
    Flaw.WILDCARD_PARTIAL: {MISMATCH},
    Flaw.NUL_IN_NAME: {MISMATCH},
    Flaw.NAMELESS: {MISMATCH},
    Flaw.ADDRESS_ONLY: {MISMATCH},
    Flaw.WEAK_KEY: {WEAK_KEY},
    Flaw.SHA1: {WEAK_DIGEST},
}
"""What OpenSSL says of each flaw, without revocation lists."""
LISTED = {
    Flaw.REVOKED: REVOKED,
    Flaw.REVOKED_INTERMEDIATE: REVOKED,
    Flaw.STALE_LIST: STALE_LIST,
}
"""And what it says only with them."""


@pytest.fixture(scope="module")
def pki() -> Pki:
    """One for all tests: it only ever grows."""
    return Pki()


@pytest.fixture
def ca_file(pki: Pki) -> Iterator[Path]:
    """The trusted root in a file, as an agent gets it."""
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(pki.ca_pem)
        file.flush()
        yield Path(file.name)


def client(
    pki: Pki, *, names: bool = True, chain: bool = True, lists: Path | None = None
) -> ssl.SSLContext:
    """A context that checks what it is told to check."""
    context = ssl.create_default_context(cadata=pki.ca_pem.decode())
    if lists is not None:
        lists.write_bytes(pki.crl_pem)
        context.load_verify_locations(lists)
        context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_CHAIN
    context.check_hostname = names and chain
    context.verify_mode = ssl.CERT_REQUIRED if chain else ssl.CERT_NONE
    return context


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str = NAME) -> ssl.SSLObject:
    """Both sides in memory; raises what the client raises, or the server before it."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(6):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return ends[0]


def presented(pki: Pki, flaw: Flaw, names: tuple[str, ...] = (NAME,)) -> x509.Certificate:
    """The certificate that a client is shown."""
    met = handshake(pki.context(flaw, names), client(pki, chain=False))
    der = met.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der)


def common_name(certificate: x509.Certificate) -> str:
    """The only CN of a certificate."""
    (attribute,) = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(attribute.value)


def test_a_valid_certificate_is_accepted(pki: Pki) -> None:
    """By a client that knows the root alone."""
    assert handshake(pki.context(Flaw.VALID, (NAME,)), client(pki)).version() == "TLSv1.3"


@pytest.mark.parametrize("flaw", VERDICTS)
def test_a_flaw_is_refused_for_its_own_reason(pki: Pki, flaw: Flaw) -> None:
    """OpenSSL names the flaw."""
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        handshake(pki.context(flaw, (NAME,)), client(pki))
    assert caught.value.verify_code in VERDICTS[flaw]


def test_every_flaw_has_a_verdict_or_none() -> None:
    """What must be refused is refused here, and nothing sound is."""
    assert VERDICTS.keys() | LISTED.keys() >= BAD_CHAIN | BAD_NAME
    assert LISTED.keys() == REVOCATION


@pytest.mark.parametrize("flaw", set(Flaw) - VERDICTS.keys() - {Flaw.HUGE})
def test_what_has_no_verdict_is_accepted(pki: Pki, flaw: Flaw) -> None:
    """However odd it looks."""
    assert handshake(pki.context(flaw, (NAME,)), client(pki)).version()


@pytest.mark.parametrize("flaw", set(Flaw) - LISTED.keys() - {Flaw.HUGE})
def test_lists_change_nothing_for_what_is_not_revoked(pki: Pki, flaw: Flaw, tmp_path: Path) -> None:
    """Every authority that might be trusted has one."""
    checking = client(pki, lists=tmp_path / "crl.pem")
    if flaw not in VERDICTS:
        assert handshake(pki.context(flaw, (NAME,)), checking).version()
        return
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        handshake(pki.context(flaw, (NAME,)), checking)
    assert caught.value.verify_code in VERDICTS[flaw]


@pytest.mark.parametrize("flaw", LISTED)
def test_what_is_revoked_is_known_by_the_lists_alone(pki: Pki, flaw: Flaw, tmp_path: Path) -> None:
    """Without them it is accepted."""
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        handshake(pki.context(flaw, (NAME,)), client(pki, lists=tmp_path / "crl.pem"))
    assert caught.value.verify_code == LISTED[flaw]


def test_each_revoked_certificate_has_a_serial_number_of_its_own(pki: Pki) -> None:
    """As an authority's certificates must."""
    shown = [presented(pki, Flaw.REVOKED, (f"mx{n}.pki.test",)) for n in (1, 2)]
    assert shown[0].serial_number != shown[1].serial_number


def test_six_thousand_names_are_too_many_for_openssl(pki: Pki) -> None:
    """Its limit is 100 thousand octets."""
    with pytest.raises(ssl.SSLError, match="EXCESSIVE_MESSAGE_SIZE"):
        handshake(pki.context(Flaw.HUGE, (NAME,)), client(pki, chain=False))


@pytest.mark.parametrize("flaw", {*BAD_NAME, Flaw.CN_ONLY, Flaw.WILDCARD_PARTIAL})
def test_a_wrong_name_has_a_good_chain(pki: Pki, flaw: Flaw) -> None:
    """A client that looks at no names takes it."""
    assert handshake(pki.context(flaw, (NAME,)), client(pki, names=False)).version()


def test_an_address_alone_is_found(pki: Pki) -> None:
    """By whoever looks for it."""
    context = pki.context(Flaw.ADDRESS_ONLY, (NAME,), ("127.0.0.9",))
    assert handshake(context, client(pki), "127.0.0.9").version()


def test_a_missing_intermediate_is_the_only_flaw(pki: Pki) -> None:
    """With the intermediate known, the same kind of leaf is trusted."""
    trusting = client(pki)
    whole = pki.context(Flaw.VALID, (NAME,))
    handshake(whole, trusting)
    chain = pki._intermediate.chain.decode()
    trusting.load_verify_locations(cadata=chain)
    assert handshake(pki.context(Flaw.MISSING_INTERMEDIATE, (NAME,)), trusting).version()


def test_an_expired_certificate_has_expired_long_ago(pki: Pki) -> None:
    """Its whole validity is past."""
    certificate = presented(pki, Flaw.EXPIRED)
    now = datetime.datetime.now(datetime.UTC)
    assert certificate.not_valid_before_utc < certificate.not_valid_after_utc < now


def test_a_certificate_of_the_future_is_not_valid_for_years(pki: Pki) -> None:
    """An agent whose clock is moved by days must not reach it."""
    certificate = presented(pki, Flaw.NOT_YET_VALID)
    years = certificate.not_valid_before_utc.year - datetime.datetime.now(datetime.UTC).year
    assert years > 10


def test_the_common_name_is_the_first_name(pki: Pki) -> None:
    """And all names are alternative names."""
    certificate = presented(pki, Flaw.VALID, (NAME, "other.test"))
    assert common_name(certificate) == NAME
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [NAME, "other.test"]


def test_the_wrong_name_is_nobodys(pki: Pki) -> None:
    """In the CN too."""
    assert common_name(presented(pki, Flaw.WRONG_NAME)) == WRONG_NAME


def test_cn_only_has_no_alternative_names(pki: Pki) -> None:
    """The name is in the CN only."""
    certificate = presented(pki, Flaw.CN_ONLY)
    assert common_name(certificate) == NAME
    with pytest.raises(x509.ExtensionNotFound):
        certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)


def test_addresses_are_names_too(pki: Pki) -> None:
    """As address, not as text."""
    context = pki.context(Flaw.VALID, (NAME,), ("127.0.0.9",))
    assert handshake(context, client(pki), "127.0.0.9").version()


def test_a_name_too_long_for_a_cn_is_in_the_san(pki: Pki) -> None:
    """But there is no CN_ONLY of it."""
    long = f"mx1.{'a' * 60}.test"
    assert handshake(pki.context(Flaw.VALID, (long,)), client(pki), long).version()
    with pytest.raises(ValueError, match="longer than the 64 characters"):
        pki.context(Flaw.CN_ONLY, (long,))


def test_a_certificate_needs_a_name(pki: Pki) -> None:
    """Refused with a sentence."""
    with pytest.raises(ValueError, match="at least one name"):
        pki.context(Flaw.VALID, ())


@pytest.fixture
def old_host(pki: Pki) -> Iterator[int]:
    """The port of a host on 127.0.9.1 that speaks old versions only, to one client."""
    context = pki.context(Flaw.VALID, (NAME,), handshake=Handshake.NO_COMMON_VERSION)
    listener = socket.create_server(("127.0.9.1", 0))
    listener.settimeout(20)

    def serve() -> None:
        accepted, _ = listener.accept()
        accepted.settimeout(20)
        with accepted, contextlib.suppress(ssl.SSLError):
            context.wrap_socket(accepted, server_side=True).close()

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1]
    thread.join()
    listener.close()


def test_old_versions_are_refused_by_alert(pki: Pki, old_host: int) -> None:
    """Over a socket: the alert must come before the connection ends."""
    with (
        socket.create_connection(("127.0.9.1", old_host), timeout=10) as plain,
        pytest.raises(ssl.SSLError, match=r"ALERT_(PROTOCOL_VERSION|HANDSHAKE_FAILURE)"),
    ):
        client(pki).wrap_socket(plain, server_hostname=NAME)


@pytest.mark.parametrize(
    ("options", "alert"),
    [
        ([], "alert (protocol version|handshake failure)"),
        (["-no_tls1", "-no_tls1_1"], "alert protocol version"),
        (["-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"], "alert handshake failure"),
    ],
    ids=["as the machine has it", "modern", "stooping to TLS 1.1"],
)
def test_openssl_is_refused_by_alert(old_host: int, options: list[str], alert: str) -> None:
    """Even a client that would speak TLS 1.1 finds no cipher."""
    said = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.9.1:{old_host}", *options],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert re.search(alert, said.stderr)


def test_openssl_trusts_the_root_alone(pki: Pki, ca_file: Path) -> None:
    """The file for agents holds nothing else."""
    certificates = ca_file.read_bytes().count(b"BEGIN CERTIFICATE")
    assert certificates == 1
    said = subprocess.run(
        ["openssl", "x509", "-in", ca_file, "-noout", "-subject"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Trusted root" in said.stdout


def test_contexts_are_made_once(pki: Pki) -> None:
    """For each flaw and name."""
    assert pki.context(Flaw.EXPIRED, [NAME]) is pki.context(Flaw.EXPIRED, (NAME,))
    assert pki.context(Flaw.EXPIRED, (NAME,)) is not pki.context(Flaw.VALID, (NAME,))


def test_no_file_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys are in files only while they are loaded."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    pki = Pki()
    for flaw in Flaw:
        pki.context(flaw, (NAME,))
    assert list(tmp_path.iterdir()) == []


def test_a_context_is_cheap(pki: Pki) -> None:
    """Hundreds are made at the start of a run; the best of many, so that load does not tell."""
    times = []
    for number in range(50):
        before = time.perf_counter()
        pki.context(Flaw.VALID, (f"mx{number}.cheap.test",))
        times.append(time.perf_counter() - before)
    assert min(times) < 0.003
