"""Names in certificates against TlsDomain, and the words for a refused chain."""

from pathlib import Path

import pytest
import trustme

from fakes import own_certificate
from fakes.pki import Pki
from model.tls import OwnCertificate
from targets.reference.tls import Contexts, Presented, Unusable, matches, names


@pytest.mark.parametrize(
    ("name", "wanted", "good"),
    [
        ("mail.contoso.test", "mail.contoso.test", True),
        ("MAIL.Contoso.test.", "mail.contoso.test", True),
        ("mail.contoso.test", "mx.contoso.test", False),
        ("*.contoso.test", "mail.contoso.test", True),
        ("*.contoso.test", "contoso.test", False),
        ("*.contoso.test", "a.mail.contoso.test", False),
        ("*.contoso.test", "mail.fabrikam.test", False),
        ("m*.contoso.test", "mail.contoso.test", False),
        ("*.contoso.test", "*.contoso.test", True),
        ("mail.contoso.test", "*.contoso.test", True),
        ("a.mail.contoso.test", "*.contoso.test", False),
        ("contoso.test", "*.contoso.test", False),
        ("*", "localhost", False),
        ("", "mail.contoso.test", False),
    ],
)
def test_a_name_covers_tls_domain(name: str, wanted: str, good: bool) -> None:
    assert matches(name, wanted) is good


def test_the_common_name_counts_only_without_a_dns_name() -> None:
    subject = ((("commonName", "cn.test"),),)
    with_san = {"subject": subject, "subjectAltName": (("DNS", "san.test"),)}
    with_ip = {"subject": subject, "subjectAltName": (("IP Address", "127.0.0.1"),)}
    assert names(with_san) == ["san.test"]
    assert names(with_ip) == ["cn.test"]
    assert names({}) == []


def test_a_mismatch_is_put_in_exchanges_words() -> None:
    shown = Presented(("b.test",), "CN=b.test", "D0AC")
    assert not shown.covers("a.test")
    assert shown.mismatch("*.a.test") == (
        "SubjectMismatch Expected Subject: *.a.test. Presented Subject: CN=b.test. "
        "Thumbprint: D0AC."
    )


def test_contexts_are_made_once(tmp_path: Path) -> None:
    pem = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(pem)
    contexts = Contexts(str(pem))
    assert contexts.verifying is contexts.verifying
    assert contexts.blind is not contexts.verifying


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (OwnCertificate.MISSING, "No such file or directory"),
        (OwnCertificate.UNREADABLE, ""),
        (OwnCertificate.GARBAGE, ""),
        (OwnCertificate.FOREIGN_KEY, "KEY_VALUES_MISMATCH"),
    ],
)
def test_our_own_certificate_must_be_whole(tmp_path: Path, kind: OwnCertificate, why: str) -> None:
    own_certificate.write(tmp_path, lambda: Pki().client("agent.test"))
    with pytest.raises(Unusable, match=why or "."):
        Contexts("none").showing(*own_certificate.paths(tmp_path, kind), checked=False)


def test_our_own_certificate_is_read_each_time(tmp_path: Path) -> None:
    own_certificate.write(tmp_path, lambda: Pki().client("agent.test"))
    sound = own_certificate.paths(tmp_path, OwnCertificate.VALID)
    contexts = Contexts("none")
    assert contexts.showing(*sound, checked=False) is not contexts.showing(*sound, checked=False)
    Path(sound[0]).unlink()
    with pytest.raises(Unusable):
        contexts.showing(*sound, checked=False)
