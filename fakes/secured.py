"""TLS below a connection of a fake's: asyncio's own, and what it lacks here.

It leans on private seams of asyncio's `SSLProtocol`, and is the only place that does: the TLS object
(`_sslobj`), what is on its way out (`_process_outgoing`), and the end of the handshake
(`_on_handshake_complete`).
"""

import contextlib
import ssl
from asyncio import sslproto
from collections.abc import Callable
from typing import Any


class Secured(sslproto.SSLProtocol):
    """asyncio's TLS, which forgets to send the alert of a handshake that failed.

    And which sets aside 256 KiB for each connection, of which hundreds live at once here. And it
    ends TLS and TCP only together.
    """

    max_size = 1 << 15

    def say_goodbye(self) -> None:
        """Send the alert close_notify, and wait for none; nothing if the handshake is not over."""
        with contextlib.suppress(ssl.SSLError):  # the peer has not said it, too; or has broken off
            self._sslobj.unwrap()  # type: ignore[attr-defined] # private, so untyped
        self._process_outgoing()  # type: ignore[attr-defined]

    def _on_handshake_complete(self, error: BaseException | None) -> None:
        if error is not None:
            self._process_outgoing()  # type: ignore[attr-defined] # private, so untyped
        super()._on_handshake_complete(error)


class Rationed:
    """A transport that lets so many octets out, and has something else done at the first beyond."""

    def __init__(self, below: Any, most: int, beyond: Callable[[], None]) -> None:
        self._below, self._left, self._beyond = below, most, beyond

    def __getattr__(self, name: str) -> Any:
        return getattr(self._below, name)

    def write(self, octets: bytes) -> None:
        """Write what is left of the ration; nothing once it is used up."""
        if self._left < 0:
            return
        self._below.write(octets[: self._left])
        if len(octets) > self._left:
            self._left = -1
            self._beyond()
        else:
            self._left -= len(octets)


def client_of(made: Any) -> str:
    """The common name in the client's certificate; only one that was verified has fields here."""
    fields = made.getpeercert() or {}
    names = (v for part in fields.get("subject", ()) for k, v in part if k == "commonName")
    return next(names, "")


def words_of(error: BaseException) -> str:
    """Why a handshake failed, as the library has it."""
    reason = getattr(error, "reason", None)
    return str(reason) if reason else (str(error) or type(error).__name__)
