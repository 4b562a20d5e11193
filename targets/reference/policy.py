"""Every decision in which a delivery agent may go wrong, one small method each.

Theory of operation
-------------------
The machines (queue, courier, session) ask the policy and obey. It has no state. An agent that
decides one thing differently is a subclass with one method.
"""

from collections.abc import Sequence

from model.report import State
from model.tls import Tls
from model.wishes import Wishes
from targets.reference.outcome import Failure, Kind, Stage

MINUTE = 60.0
"""Seconds."""

PAUSES = (5 * MINUTE, 15 * MINUTE, 15 * MINUTE, 15 * MINUTE)
"""Seconds between the first attempts; afterwards `LAST_PAUSE`. Exchange Online documents none;
these follow Exchange Server's transient retry interval and the DANE schedule."""
LAST_PAUSE = 60 * MINUTE
MOST_HOPS = 100
"""`Received:` fields that a message may have. RFC 5321 section 6.3 asks for a threshold of at least
100; Exchange counts to 60 by default (MaxHopCount), Exchange Online names 20."""


def refused_for_good(failure: Failure) -> bool:
    """Whether this is a 5yz in the transaction, or a code that SMTP has not."""
    transaction = failure.stage in (Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.DOT)
    if failure.reply is None or not transaction:
        return False
    if failure.kind in (Kind.REPLY, Kind.UNSUITABLE):
        return not failure.reply.transient
    return not failure.reply.in_range


class Policy:
    """The right decisions."""

    def pause(self, attempts: int) -> float:
        """Seconds to wait after so many failed attempts (RFC 5321 section 4.5.4.1)."""
        return PAUSES[attempts - 1] if attempts <= len(PAUSES) else LAST_PAUSE

    def is_over(self, age: float, lifetime: float) -> bool:
        """Whether mail of this age (seconds) has waited long enough."""
        return age >= lifetime

    def is_permanent(self, failure: Failure) -> bool:
        """Whether to give up at once; everything but a 5yz in a transaction may pass.

        A 5yz greeting says something about the server, not about the recipient. A code that
        SMTP has not is a fatal error (RFC 5321 section 4.2).
        """
        return failure.kind in (Kind.NULL_MX, Kind.LOOP) or refused_for_good(failure)

    def stays(self, state: State) -> bool:
        """Whether the recipient stays in the queue in this state."""
        return state is State.DEFERRED

    def tries_next(self, failure: Failure) -> bool:
        """Whether to try the next address for a recipient after this failure.

        RFC 5321 section 5.1: every address, until a delivery succeeds. A 5yz in the transaction
        is about the recipient or the mail, and asking somebody else would be to repeat the
        request (section 4.2.1). Where the connection is lost after the final dot, the host may have
        the mail, and a second one need not have it too (RFC 1047).
        """
        in_doubt = failure.stage is Stage.DOT and failure.kind is not Kind.REPLY
        return not (in_doubt or refused_for_good(failure))

    def leaves_to_relay(self, failure: Failure) -> bool:
        """Whether a fallback relay may help where the domain itself gives no host.

        Not if the domain takes no mail (RFC 7505 section 3), nor if its host is this agent.
        """
        return failure.kind not in (Kind.NULL_MX, Kind.LOOP)

    def ndrs(self, sender: str) -> int:
        """How many NDRs a lost message is worth; none to a null sender (RFC 5321 section 6.1)."""
        return 1 if sender else 0

    def tells_failure(self, notify: Sequence[str]) -> bool:
        """Whether the sender wants to know of a failure: unless it said otherwise (RFC 3461 4.1)."""
        return not notify or "FAILURE" in notify

    def is_late(self, age: float, delay: float) -> bool:
        """Whether mail of this age is late, if `delay` seconds are; 0: none ever is."""
        return 0 < delay <= age

    def delay_notices(self, sender: str, notify: Sequence[str]) -> int:
        """How many delay notices a late message is worth.

        None to a null sender. Who asked for other notices gets none; who asked for nothing gets it as
        the agent sees fit, and it does (RFC 3461 section 4.1).
        """
        return 1 if sender and (not notify or "DELAY" in notify) else 0

    def relay_notices(self, sender: str, notify: Sequence[str]) -> int:
        """How many notices it is worth that a host took the mail and cannot tell of success itself.

        RFC 3461 section 5.2.2.
        """
        return 1 if sender and "SUCCESS" in notify else 0

    def passes_on(self, wishes: Wishes, offered: bool) -> Wishes:
        """What of the wishes a host is told: all, as they are, if it offers DSN; else nothing.

        RFC 3461 sections 5.2.1 and 5.2.2. An ORCPT that the sender did not give may be added, and is
        not: no address is rewritten here, so it would say nothing.
        """
        return wishes if offered else Wishes()

    def no_room(self) -> str:
        """The reply to who hands in mail that cannot be kept now (RFC 5321 section 4.2.2, RFC 3463
        section 3.4)."""
        return "452 4.3.1 Insufficient system storage"

    def loops(self, hops: int) -> bool:
        """Whether a message has been handed on so often that it must be going round."""
        return hops > MOST_HOPS

    def content(self, content: bytes) -> bytes:
        """What is sent: the message as it was handed in."""
        return content

    def demands_tls(self, setting: Tls) -> bool:
        """Whether mail may leave over TLS only."""
        return setting is not Tls.NONE

    def checks_chain(self, setting: Tls) -> bool:
        """Whether the certificate must have a trusted chain and be in its time."""
        return setting in (Tls.CERTIFICATE, Tls.DOMAIN)

    def checks_name(self, setting: Tls) -> bool:
        """Whether the certificate must be for TlsDomain."""
        return setting is Tls.DOMAIN

    def goes_unnamed(self, setting: Tls) -> bool:
        """Whether to do without our own certificate if it cannot be used.

        Where TLS is only a wish, encryption without it is better than none (RFC 7435 section 3).
        """
        return not self.demands_tls(setting)

    def goes_on(self, failure: Failure) -> bool:
        """Whether the session is good for clear text after STARTTLS has failed.

        After a 421 the server closes (RFC 5321 section 3.8).
        """
        shutting_down = failure.reply is not None and failure.reply.code == 421
        return failure.kind is Kind.TLS_REFUSED and not shutting_down

    def falls_back(self, setting: Tls, failure: Failure) -> bool:
        """Whether to connect again in clear after TLS could not be started."""
        attempted = failure.stage in (Stage.STARTTLS, Stage.HANDSHAKE)
        return attempted and not self.demands_tls(setting)
