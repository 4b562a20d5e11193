"""The organization's agent for a desk: it goes no further than this machine's own loopback.

A person who tries out a connector file with real addresses in it must not send mail to anybody
by mistake. What would leave is deferred instead, with a sentence that says so.
"""

import ipaddress
from collections.abc import AsyncIterator

from targets.base import Route
from targets.reference.agent import Parts
from targets.reference.courier import Courier
from targets.reference.organization import OrganizationAgent
from targets.reference.outcome import Failure, Kind, Server, Stage

KEPT_IN = "not sent, because the address is not on loopback; start it with --allow-network"


class LoopbackCourier(Courier):
    """A courier that leaves out every address beyond loopback."""

    async def servers(self, route: Route) -> AsyncIterator[Server | Failure]:
        """The addresses to try; a failure of our own in the place of each that is elsewhere."""
        async for server in super().servers(route):
            if isinstance(server, Server) and not is_loopback(server.ip):
                yield Failure(Stage.INTERNAL, Kind.INTERNAL, server, detail=KEPT_IN)
            else:
                yield server


class LoopbackAgent(OrganizationAgent):
    """An organization's agent with such a courier."""

    parts = Parts(courier=LoopbackCourier)


def is_loopback(ip: str) -> bool:
    """Whether an address is this machine's own, also where IPv6 wraps one of IPv4."""
    address = ipaddress.ip_address(ip)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
