"""Every decision about accepted domains, warnings and Fix now in which an agent may go wrong.

Theory of operation
-------------------
As `policy.py` has it for delivery: the organization's agent asks and obeys, the rules have no
state, and an agent that decides one thing differently is a subclass with one method.
"""

from dataclasses import dataclass

from model.connectors import AcceptedDomain, ConnectorType, DomainType, Organization
from targets.reference.outcome import Failure, Kind

HOUR = 3600.0
"""Seconds."""
FEWEST = 200
"""The lowest count that Exchange lets an administrator set."""


class NotFixable(ValueError):
    """Fix now is not for this connector; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When administrators are warned of what waits for a connector.

    `waited` in seconds, `count` in messages. Defaults and least count are Exchange Online's
    (mfi-queue-alerts-and-queues.md: queued for more than an hour; 2,000 messages, 200 at least).
    Raises ValueError with one sentence for what cannot be meant.
    """

    waited: float = HOUR
    count: int = 2000

    def __post_init__(self) -> None:
        if self.waited <= 0:
            raise ValueError(
                f"a warning after {self.waited:g} s of waiting makes no sense; give more"
            )
        if self.count < FEWEST:
            raise ValueError(
                f"a warning at {self.count} messages comes too early; the least is {FEWEST}"
            )


class Rules:
    """The right decisions."""

    def refuses(self, accepted: AcceptedDomain | None, address: str) -> bool:
        """Whether a recipient is refused at once: where all are known, and this one is not."""
        return (
            accepted is not None
            and accepted.type is DomainType.AUTHORITATIVE
            and not accepted.knows(address)
        )

    def keeps(self, accepted: AcceptedDomain | None, address: str) -> bool:
        """Whether the mail stays here, in a mailbox of the organization's own."""
        return accepted is not None and accepted.knows(address)

    def is_suspect(self, accepted: AcceptedDomain | None, address: str) -> bool:
        """Whether mail for a recipient counts against the quota as long as it waits.

        It is relayed though nobody here knows whether there is such a recipient.
        """
        return (
            accepted is not None
            and accepted.type is not DomainType.AUTHORITATIVE
            and not accepted.knows(address)
        )

    def is_invalid(self, failure: Failure) -> bool:
        """Whether the far side says that there is no such recipient (RFC 3463 section 3.2)."""
        said = failure.reply
        return failure.kind is Kind.REPLY and said is not None and said.enhanced.startswith("5.1.")

    def is_late(self, waited: float, thresholds: Thresholds) -> bool:
        """Whether to warn of mail that has waited for so many seconds."""
        return waited >= thresholds.waited

    def is_many(self, queued: int, thresholds: Thresholds) -> bool:
        """Whether to warn of so many messages."""
        return queued > thresholds.count

    def fixed(self, organization: Organization, name: str) -> Organization:
        """The organization after Fix now on a connector: both halves of the fix.

        The connector is off, and the internal relay domains that it served are authoritative.
        Raises NotThere, NotFixable.
        """
        connector = organization.named(name)
        if connector.type is not ConnectorType.ON_PREMISES:
            raise NotFixable(
                f"Fix now is for connectors to servers of your own, and {connector.name!r} leads "
                "to a partner; ask the partner to put it right, or disable the connector"
            )
        fixed = organization.switched(name, False)
        for domain in organization.relayed_over(name):
            fixed = fixed.retyped(domain, DomainType.AUTHORITATIVE)
        return fixed
