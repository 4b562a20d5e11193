"""The open room: a loopback block and high ports, for machines without privilege.

Theory of operation
-------------------
A room takes one /16 block of 127.0.0.0/8 and holds it by a UDP socket on the block's first
address, bound for as long as the room lives: two rooms never share a block, whoever looks first.

A guard, a small shell, waits at the end of a pipe whose other end only this process has. When
that closes, by `close()` or by any death of this process, the guard kills the sessions of all
spawned processes and removes the work directory. (Not PR_SET_PDEATHSIG: that fires when the
thread that spawned ends, not when the process does.)

States: open -> closed. What holds always: what was spawned does not outlive the room.
"""

import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lab.room import Account, Unavailable
from lab.sealed import end_all

SMTP_PORTS = range(2525, 2535)
"""Where mail hosts listen if nobody asks for a port; one for each run of all the blocks."""
DNS_PORTS = range(5300, 5310)
BLOCKS = range(64, 128)
_GUARD = (
    'while read group; do groups="$groups -$group"; done; '
    'for group in $groups; do kill -9 $group 2>/dev/null; done; rm -rf "$1"'
)


class OpenRoom:
    """Fulfils `lab.room.Room` for agents that need neither ports 25 and 53 nor a package."""

    sealed = False

    def __init__(self, ca_pem: bytes, port: int = 0, crl_pem: bytes = b"") -> None:
        """Find a free block. `port` is the mail hosts' port; 0: any that is free.

        Raises Unavailable if that port is taken.
        """
        block, self.smtp_port, dns_port, self._claim = _find(port)
        self.network = f"127.{block}.0.0/16"
        self.dns = (f"127.{block}.0.53", dns_port)
        self.work = Path(tempfile.mkdtemp(prefix="mailflow-"))
        self.ca_file = self.work / "ca.pem"
        self.ca_file.write_bytes(ca_pem)
        self.crl_file = self.work / "crl.pem"
        self.crl_file.write_bytes(crl_pem)
        self._spawned: list[subprocess.Popen[bytes]] = []
        self._guard = subprocess.Popen(
            ["sh", "-c", _GUARD, "guard", os.fspath(self.work)],
            stdin=subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C is for the lab; the guard follows
        )

    def install(self, tree: Path | None, accounts: Sequence[Account]) -> None:
        """Raise Unavailable: packages are laid over the file system in a sealed room only."""
        raise Unavailable("this agent needs a sealed room, and this is an open one")

    def spawn(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, stdin: bool = False
    ) -> subprocess.Popen[bytes]:
        """Start a process in a session of its own, in this process's environment."""
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
        self._spawned.append(process)
        self._tell_guard(process.pid)
        return process

    def close(self) -> None:
        """End what was spawned, remove the work directory, and give the block back."""
        end_all(self._spawned)
        if self._guard.stdin is not None:
            self._guard.stdin.close()
        self._guard.wait()
        self._claim.close()

    def _tell_guard(self, pid: int) -> None:
        assert self._guard.stdin is not None
        self._guard.stdin.write(f"{pid}\n".encode())
        self._guard.stdin.flush()


def _find(port: int) -> tuple[int, int, int, socket.socket]:
    """The first block in which everything is free, its two ports, and the claim on it."""
    for smtp_port in (port,) if port else SMTP_PORTS:
        for block in _blocks():
            claim = _bound(socket.SOCK_DGRAM, f"127.{block}.0.1", smtp_port)
            if claim is None:
                continue
            dns_port = _dns_port(f"127.{block}.0.53")
            if dns_port and _free(socket.SOCK_STREAM, f"127.{block}.0.1", smtp_port):
                return block, smtp_port, dns_port, claim
            claim.close()
    if port:
        raise Unavailable(
            f"port {port} is taken on every loopback address; stop what listens there "
            "(`ss -ltnp` shows it) or choose another with --port=N"
        )
    raise Unavailable(
        f"no port of {SMTP_PORTS[0]}–{SMTP_PORTS[-1]} is free on a loopback address of "
        f"127.{BLOCKS[0]}.0.0–127.{BLOCKS[-1]}.255.255; choose another with --port=N"
    )


def _blocks() -> Iterator[int]:
    """All blocks, beginning with another one in each process."""
    first = os.getpid() % len(BLOCKS)
    return (BLOCKS[(first + n) % len(BLOCKS)] for n in range(len(BLOCKS)))


def _dns_port(address: str) -> int:
    """A port that is free over UDP and TCP; 0 if there is none."""
    for port in DNS_PORTS:
        if all(_free(kind, address, port) for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM)):
            return port
    return 0


def _free(kind: socket.SocketKind, address: str, port: int) -> bool:
    bound = _bound(kind, address, port)
    if bound is None:
        return False
    bound.close()
    return True


def _bound(kind: socket.SocketKind, address: str, port: int) -> socket.socket | None:
    bound = socket.socket(socket.AF_INET, kind)
    try:
        bound.bind((address, port))
    except PermissionError as error:
        bound.close()
        raise Unavailable(
            f"port {port} is for root only; choose one above 1023 with --port=N"
        ) from error
    except OSError:
        bound.close()
        return None
    return bound
