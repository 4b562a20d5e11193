"""What a SOCKS proxy makes of a request to connect (RFC 1928), as data."""

from enum import StrEnum

CONNECTED, FAILED, NET_UNREACHABLE, UNREACHABLE, REFUSED = 0, 1, 3, 4, 5
"""Fields REP of a reply (RFC 1928 section 6)."""
PROHIBITED, NO_COMMAND, NO_ADDRESS_TYPE = 2, 7, 8


class Socks(StrEnum):
    """How a proxy behaves."""

    HEALTHY = "healthy"
    """It connects to whom it is asked for, and carries octets both ways."""
    FAILS = "fails"
    """It says 01, general failure."""
    UNREACHABLE = "unreachable"
    """It says 04, host unreachable."""
    REFUSES = "refuses"
    """It says 05, connection refused."""
    HANGS_UP = "hangs-up"
    """It agrees on the method, and closes when it is asked to connect."""
    SILENT = "silent"
    """It agrees on the method, and never answers the request."""
    GARBAGE = "garbage"
    """It answers the greeting with a line of text: another service has its port."""

    @property
    def says(self) -> int | None:
        """The REP that it refuses with, whoever is asked for; None if it does not refuse so."""
        return {Socks.FAILS: FAILED, Socks.UNREACHABLE: UNREACHABLE, Socks.REFUSES: REFUSED}.get(
            self
        )
