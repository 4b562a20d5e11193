"""The neutral classes of what can go wrong, and the reasons below them.

A scenario names a failure and a reason; a dialect says which code an agent reports for it.
The words of RFC 8460 section 4.3 are used where it has one.
"""

from dataclasses import dataclass
from enum import StrEnum


class Failure(StrEnum):
    """What went wrong, whoever says so."""

    DNS_QUERY_FAILED = "dns-query-failed"
    CONNECTION_TIMED_OUT = "connection-timed-out"
    CONNECTION_REFUSED = "connection-refused"
    CANNOT_CONNECT = "cannot-connect"
    CLOSED_ABRUPTLY = "closed-abruptly"
    CERTIFICATE_INVALID = "certificate-invalid"
    PEER_REPLY = "peer-reply"
    MESSAGE_UNSUITABLE = "message-unsuitable"
    """The message cannot go as the host would have it: its size, its eighth bit, its addresses."""
    LOCAL_FAULT = "local-fault"
    """What the route needs of the agent's own machine is not there."""


REASONS: dict[Failure, frozenset[str]] = {
    Failure.DNS_QUERY_FAILED: frozenset(
        {
            "servfail",
            "rcode-refused",
            "rcode-other",
            "no-answer",
            "malformed",
            "domain-nxdomain",
            "mx-host-nxdomain",
            "smart-host-nxdomain",
            "no-records",
            "null-mx",
            "loop",
        }
    ),
    Failure.CONNECTION_TIMED_OUT: frozenset({"silent", "unreachable"}),
    Failure.CONNECTION_REFUSED: frozenset({"reset", "prohibited"}),
    Failure.CANNOT_CONNECT: frozenset(
        {
            "service-unavailable",
            "greeting-refused",
            "starttls-not-supported",
            "starttls-refused",
            "handshake-failed",
            "protocol-violation",
        }
    ),
    Failure.CLOSED_ABRUPTLY: frozenset({"closed", "reset", "hang"}),
    Failure.CERTIFICATE_INVALID: frozenset(
        {
            "certificate-expired",
            "certificate-not-yet-valid",
            "certificate-host-mismatch",
            "certificate-not-trusted",
            "certificate-revoked",
            "certificate-unusable",
        }
    ),
    Failure.PEER_REPLY: frozenset({"transient", "permanent", "protocol-violation", "out-of-range"}),
    Failure.MESSAGE_UNSUITABLE: frozenset({"too-large", "not-convertible", "ill-formed"}),
    Failure.LOCAL_FAULT: frozenset({"own-certificate", "source-address"}),
}
"""Every reason a scenario or a dialect may name, by failure."""


@dataclass(frozen=True, slots=True)
class Cause:
    """A failure with its reason; refuses a reason that the failure does not have."""

    failure: Failure
    reason: str

    def __post_init__(self) -> None:
        if self.reason not in REASONS[self.failure]:
            known = ", ".join(sorted(REASONS[self.failure]))
            raise ValueError(f"{self.failure} has no reason {self.reason!r}; it has: {known}")

    def __str__(self) -> str:
        return f"{self.failure}/{self.reason}"
