"""The agent's own certificate and key as files: each kind is what it says, and nothing else."""

import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from fakes import own_certificate
from fakes.pki import Pki
from model.tls import OwnCertificate


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All kinds, laid out."""
    made = tmp_path_factory.mktemp("certificates")
    pki = Pki()
    own_certificate.write(made, lambda: pki.client("agent.test"))
    return made


def loaded(folder: Path, kind: OwnCertificate) -> None:
    """Take the files into a client's context, as any agent does."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_cert_chain(*own_certificate.paths(folder, kind))


def test_none_has_no_files(folder: Path) -> None:
    assert own_certificate.paths(folder, OwnCertificate.NONE) == ("", "")
    assert not (folder / OwnCertificate.NONE).exists()


def test_a_valid_one_can_be_used_and_is_a_clients(folder: Path) -> None:
    loaded(folder, OwnCertificate.VALID)
    pem = Path(own_certificate.paths(folder, OwnCertificate.VALID)[0]).read_bytes()
    usage = x509.load_pem_x509_certificate(pem).extensions.get_extension_for_class(
        x509.ExtendedKeyUsage
    )
    assert list(usage.value) == [ExtendedKeyUsageOID.CLIENT_AUTH]


BROKEN = [k for k in OwnCertificate if k not in (OwnCertificate.NONE, OwnCertificate.VALID)]


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_one_cannot_be_used(folder: Path, kind: OwnCertificate) -> None:
    with pytest.raises(OSError, match=r"."):  # ssl's errors are, too
        loaded(folder, kind)


def test_each_is_broken_in_its_own_way(folder: Path) -> None:
    missing, unreadable, garbage, foreign = (
        [Path(path) for path in own_certificate.paths(folder, kind)] for kind in BROKEN
    )
    assert not missing[0].exists()
    with pytest.raises(IsADirectoryError):
        unreadable[0].read_bytes()
    assert garbage[0].read_bytes().startswith(b"-----BEGIN CERTIFICATE-----")
    x509.load_pem_x509_certificate(foreign[0].read_bytes())
    sound = (unreadable[1], garbage[1], foreign[1])
    assert all(key.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----") for key in sound)
