"""What a target may know of the room it runs in, and do there.

The two kinds of room are made in `lab/sealed.py` and `lab/open.py`; adapters see this type only.
"""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class Unavailable(Exception):
    """Something that the run needs is not there; the message is one sentence with the remedy."""


class AgentDied(Exception):
    """The target ended, or would not start; the message is one sentence with its last words."""


@dataclass(frozen=True, slots=True)
class Account:
    """A system account that a package's own scripts would have created."""

    name: str
    uid: int


class Room(Protocol):
    """A room as an adapter sees it.

    `work` is a private, writable directory that dies with the room; `dns` is the address and
    port of the only resolver; `smtp_port` the port that every mail host listens on; `ca_file`
    a PEM file with the one authority to trust, `crl_file` one with the revocation lists of it and of
    all below it.
    """

    sealed: bool
    work: Path
    dns: tuple[str, int]
    smtp_port: int
    ca_file: Path
    crl_file: Path

    def install(self, tree: Path | None, accounts: Sequence[Account]) -> None:
        """Lay an unpacked package over the file system and add its accounts (sealed only).

        `tree` None means that the package is installed on the host already. In both cases
        /etc is private and writable, and /var/spool, /var/lib and /run are empty.
        Raises Unavailable in an open room.
        """

    def spawn(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, stdin: bool = False
    ) -> subprocess.Popen[bytes]:
        """Start a process of the target's; stdout and stderr come as one pipe.

        The room ends it when the room ends. `stdin` gives it a pipe to read from.
        """
