"""`--connector=FILE` selects by a connector's settings and refuses a file that it cannot use."""

from pathlib import Path

import pytest

from catalogue import CATALOGUE, CHAPTERS, controls_of
from fixtures.connectors import concerned, concerns, described
from model.connectors import ConnectorType, OutboundConnector
from model.tls import Tls
from selftests.running import OK, USAGE, run
from selftests.test_listing import pytest_says

BY_MX = OutboundConnector("By MX", ConnectorType.PARTNER, ("*",))
BY_HOST = OutboundConnector("By host", ConnectorType.PARTNER, ("*",), ("mail.contoso.test",))
STRICT = OutboundConnector(
    "Strict", ConnectorType.PARTNER, ("*",), ("h.test",), tls=Tls.DOMAIN, tls_domain="*.h.test"
)
FILE = """
[[connector]]
Name = "Home"
ConnectorType = "OnPremises"
UseMXRecord = false
SmartHosts = ["mail.contoso.test"]
RecipientDomains = ["contoso.test"]
TlsSettings = "CertificateValidation"
"""


@pytest.mark.parametrize(
    ("connector", "scenario", "does"),
    [
        (BY_MX, "connect.refused", True),
        (BY_HOST, "connect.refused", False),
        (STRICT, "connect.refused", False),
        (BY_MX, "connect.refused.decommissioned", False),
        (BY_HOST, "connect.refused.decommissioned", True),
        (STRICT, "connect.refused.decommissioned", True),
        (BY_MX, "certificate.expired.under-domain", False),
        (STRICT, "certificate.expired.under-domain", True),
        (BY_MX, "tls.not-offered.under-none", True),
        (BY_HOST, "tls.not-offered.under-none", True),
        (STRICT, "tls.not-offered.under-none", False),
        (STRICT, "certificate.client.valid.under-domain", False),
        (BY_MX, "connect.source.second", False),
    ],
)
def test_what_concerns_a_connector(connector: OutboundConnector, scenario: str, does: bool) -> None:
    assert concerns(CATALOGUE[scenario], connector) is does


@pytest.mark.parametrize("connector", [BY_MX, BY_HOST, STRICT], ids=lambda c: c.name)
def test_every_scenario_kept_fits_and_every_chapter_keeps_its_controls(
    connector: OutboundConnector,
) -> None:
    """No TLS demand but the connector's own; whoever makes none goes the connector's way."""
    kept = concerned((connector,))
    controls = {s.id for chapter in CHAPTERS for s in controls_of(chapter)}
    for one in kept - controls:
        wants = CATALOGUE[one].connector
        assert wants.demands in (connector.tls, Tls.NONE)
        if wants.demands is Tls.NONE and not one.startswith(("tls.", "certificate.")):
            assert bool(wants.way) == bool(connector.smart_hosts)
    for chapter in {CATALOGUE[one].chapter for one in kept}:
        assert {s.id for s in controls_of(chapter)} <= kept
    assert 10 < len(kept) < len(CATALOGUE)


def test_several_connectors_are_taken_together() -> None:
    assert concerned((BY_MX, STRICT)) == concerned((BY_MX,)) | concerned((STRICT,))


def test_the_run_begins_with_the_connector(tmp_path: Path) -> None:
    """And runs nothing else; a small part of it is run."""
    file = tmp_path / "flow.toml"
    file.write_text(FILE)
    ran = run(tmp_path, f"--connector={file}", only="expired or refused")

    assert ran.code == OK
    home = OutboundConnector(
        "Home",
        ConnectorType.ON_PREMISES,
        ("contoso.test",),
        ("mail.contoso.test",),
        tls=Tls.CERTIFICATE,
    )
    (line,) = [line for line in ran.said.splitlines() if line.startswith("connector: ")]
    assert line == f"connector: {described(home)}"
    assert "SmartHosts mail.contoso.test, TlsSettings CertificateValidation: " in line
    assert ran.verdicts.keys() <= concerned((home,))
    assert ran.verdicts


def test_what_is_listed_is_what_would_run(tmp_path: Path) -> None:
    file = tmp_path / "flow.toml"
    file.write_text(FILE.replace("TlsSettings", "#"))
    code, said = pytest_says(f"--connector={file}", "--list", "--chapter=connect")

    assert code == OK
    listed = [line.split()[0] for line in said.splitlines() if line.endswith("]")]
    listed = [one for one in listed if not one.startswith("control.")]
    assert listed == [s.id for s in CHAPTERS["connect"] if s.id in concerned((BY_HOST,))]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot be read (no such file or directory); give another"),
        (FILE.replace("SmartHosts", "SmartHost"), "'SmartHost', which is no setting here; did you"),
        (FILE + "Enabled = false", "has no connector that is on; enable one"),
        ('[[accepted_domain]]\nDomainName = "a.test"', "has no connector that is on; enable one"),
    ],
    ids=["absent", "mistaken", "off", "none"],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, content: str | None, sentence: str) -> None:
    """One sentence, and pytest's exit code for a wrong command line."""
    file = tmp_path / "flow.toml"
    if content is not None:
        file.write_text(content)
    ran = run(tmp_path, f"--connector={file}")

    assert ran.code == USAGE
    (line,) = [line for line in ran.said.splitlines() if sentence in line]
    assert "--connector: " in line
    assert str(file) in line
    assert "Traceback" not in ran.said
