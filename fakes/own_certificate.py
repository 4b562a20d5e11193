"""The agent's own certificate and key as files, sound ones and broken ones.

Each kind has a folder of its own, and in it the two files that an agent is told of, or what is
there in their place. `paths` says where, whether anything has been written there or not.
"""

from collections.abc import Callable
from pathlib import Path

from model.tls import OwnCertificate

GARBAGE = b"-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n"
"""What stands between the lines says `not a certificate`."""

Issue = Callable[[], tuple[bytes, bytes]]
"""Makes a certificate and its key in PEM, each time others."""


def paths(folder: Path, kind: OwnCertificate) -> tuple[str, str]:
    """The files of a certificate and its key; both empty if there is to be none."""
    if kind is OwnCertificate.NONE:
        return "", ""
    own = folder / kind
    return str(own / "certificate.pem"), str(own / "key.pem")


def write(folder: Path, issue: Issue) -> None:
    """Make the files of every kind; anybody may read them, for agents have accounts of their own."""
    for kind in OwnCertificate:
        if kind not in (OwnCertificate.NONE, OwnCertificate.MISSING):
            (folder / kind).mkdir(parents=True)
            certificate, key = map(Path, paths(folder, kind))
            _write(kind, certificate, key, issue)


def _write(kind: OwnCertificate, certificate: Path, key: Path, issue: Issue) -> None:
    shown, its_key = issue()
    match kind:
        case OwnCertificate.UNREADABLE:
            certificate.mkdir()
        case OwnCertificate.GARBAGE:
            certificate.write_bytes(GARBAGE)
        case _:
            certificate.write_bytes(shown)
    key.write_bytes(issue()[1] if kind is OwnCertificate.FOREIGN_KEY else its_key)
