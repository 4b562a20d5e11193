"""Which hosts the reference agent goes to, and where it finds itself among them; no sockets."""

import asyncio

import pytest

from model.address import AGENT
from model.timers import Timers
from model.tls import Tls
from targets.base import Route
from targets.reference.config import Config
from targets.reference.courier import Courier
from targets.reference.outcome import DnsProblem, Failure, Kind
from targets.reference.policy import Policy
from targets.reference.resolver import DnsFailure, Exchanger, NullMx, Resolver
from targets.reference.tls import Contexts

TIMERS = Timers(dns=1, connect=1, reply=1, lifetime=1, retry=1)
ADDRESSES = {
    "a": ("192.0.2.1",),
    "b": ("2001:db8::2", "192.0.2.2"),
    "other-name": ("192.0.2.3", "127.0.0.1"),
    AGENT: ("192.0.2.9",),
}


class Records(Resolver):
    """Knows the MX records of one domain, as preferences and hosts, and some addresses."""

    def __init__(self, records: dict[str, int]) -> None:
        super().__init__(("127.0.0.1", 1), 0.1)
        self.records = records

    async def exchangers(self, domain: str) -> tuple[Exchanger, ...] | DnsFailure | NullMx:
        """By preference."""
        return self.order([Exchanger(number, host) for host, number in self.records.items()])

    async def addresses(self, name: str) -> tuple[str, ...] | DnsFailure:
        """What is known."""
        return ADDRESSES.get(name) or DnsFailure(name, DnsProblem.NONEXISTENT)


def ways(*fallback: str, **records: int) -> list[str]:
    """Each address that would be tried, or the kind of failure in its place."""
    named = {host.replace("_", "-").replace("agent", AGENT): n for host, n in records.items()}

    async def scene() -> list[str]:
        config = Config(("127.0.0.1", 1), 25, "none", TIMERS)
        courier = Courier(config, Records(named), Policy(), Contexts("none"))
        route = Route("d.test", (), Tls.NONE, "", 1.0, fallback=fallback)
        found = [server async for server in courier.servers(route)]
        return [one.kind if isinstance(one, Failure) else one.ip for one in found]

    return asyncio.run(scene())


@pytest.mark.parametrize(
    ("records", "tried"),
    [
        ({"a": 10, "b": 20}, ["192.0.2.1", "2001:db8::2", "192.0.2.2"]),
        ({"b": 65535, "a": 40000}, ["192.0.2.1", "2001:db8::2", "192.0.2.2"]),
        ({"gone": 10, "a": 20}, [Kind.DNS, "192.0.2.1"]),
        ({"agent": 10}, [Kind.LOOP]),
        ({"other_name": 10}, [Kind.LOOP]),
        ({"agent": 10, "a": 20}, [Kind.LOOP]),
        ({"a": 10, "agent": 10}, [Kind.LOOP]),
        ({"a": 10, "other_name": 20, "b": 30}, ["192.0.2.1"]),
        ({"gone": 10, "agent": 20, "b": 20}, [Kind.DNS]),
    ],
)
def test_hosts_are_tried_up_to_oneself(records: dict[str, int], tried: list[str]) -> None:
    """RFC 5321 section 5.1: itself, whatever is no better than itself, and nothing else is left out."""
    assert ways(**records) == tried


@pytest.mark.parametrize(
    ("records", "tried"),
    [
        ({"b": 10}, ["2001:db8::2", "192.0.2.2", "192.0.2.1"]),
        ({"gone": 10}, [Kind.DNS, "192.0.2.1"]),
        ({"agent": 10}, [Kind.LOOP]),
    ],
)
def test_fallback_relays_come_last(records: dict[str, int], tried: list[str]) -> None:
    """After all addresses of all hosts; a loop is not made longer by one."""
    assert ways("a", **records) == tried


def test_equal_hosts_are_shuffled() -> None:
    """In fifty attempts both come first at least once."""
    assert {ways(a=10, b=10)[0] for _ in range(50)} == {"192.0.2.1", "2001:db8::2"}
