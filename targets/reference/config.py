"""What the agent is told before it takes mail: servers, timers, routes, profile."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from model.address import AGENT
from model.timers import Timers
from model.tls import Tls
from targets.base import Route

HOUR = 3600.0
"""Seconds."""

LIFETIMES = {"m365-2019": 48 * HOUR, "m365-2023": 24 * HOUR}
"""How long mail may wait, by profile: 48 h until July 2019, 24 h since (MC173908)."""


@dataclass(frozen=True)
class Config:
    """The agent's configuration. `dns` is the only resolver; `name` is said in EHLO and in NDRs."""

    dns: tuple[str, int]
    smtp_port: int
    ca_file: str
    timers: Timers
    routes: tuple[Route, ...] = ()
    profile: str = "m365-2019"
    name: str = AGENT
    crl_file: str = ""
    """Revocation lists of every authority that may be trusted; empty: none are looked at."""
    spool: str = ""
    """Folder in which the queue outlives the process; empty: it is in memory only."""
    heard: int = 0
    """How many reports of earlier processes on that spool have been heard for certain."""

    @property
    def lifetime(self) -> float:
        """Seconds that mail without a route of its own may wait."""
        return LIFETIMES[self.profile]

    def route(self, domain: str) -> Route:
        """The route of a domain; without one, or if it is off: by MX, TLS opportunistic."""
        if route := self._by_domain.get(domain.lower()):
            return route.in_force
        return Route(domain, (), Tls.NONE, "", self.lifetime)

    @cached_property
    def _by_domain(self) -> Mapping[str, Route]:
        """The routes by domain in lower case; of several the first counts."""
        return {route.domain.lower(): route for route in reversed(self.routes)}

    def as_json(self) -> dict[str, Any]:
        """Plain values; what `from_json` reads."""
        return asdict(self)


def from_json(values: Mapping[str, Any]) -> Config:
    """The configuration from plain values.

    Raises KeyError or TypeError if values are missing, ValueError for an unknown profile.
    """
    if values["profile"] not in LIFETIMES:
        known = ", ".join(LIFETIMES)
        raise ValueError(f"there is no profile {values['profile']!r}; choose one of {known}")
    host, port = values["dns"]
    return Config(
        dns=(str(host), int(port)),
        smtp_port=int(values["smtp_port"]),
        ca_file=str(values["ca_file"]),
        timers=Timers(**values["timers"]),
        routes=routes(values["routes"]),
        profile=values["profile"],
        name=values["name"],
        crl_file=str(values["crl_file"]),
        spool=str(values["spool"]),
        heard=int(values["heard"]),
    )


def routes(values: Sequence[Mapping[str, Any]]) -> tuple[Route, ...]:
    """Routes from plain values. Raises KeyError, TypeError, ValueError if they are none."""
    return tuple(_route(route) for route in values)


def _route(values: Mapping[str, Any]) -> Route:
    return Route(
        domain=values["domain"],
        smart_hosts=tuple(values["smart_hosts"]),
        tls=Tls(values["tls"]),
        tls_domain=values["tls_domain"],
        lifetime=float(values["lifetime"]),
        enabled=bool(values["enabled"]),
        reuses=bool(values["reuses"]),
        certificate_file=str(values["certificate_file"]),
        key_file=str(values["key_file"]),
        source=str(values["source"]),
        fallback=tuple(values["fallback"]),
        proxy=str(values["proxy"]),
    )
