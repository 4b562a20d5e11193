"""Exim's configuration files, out of a template, timers and routes. No I/O but the template's.

Sources: the Exim specification, chapters 6 (macros), 9 (lsearch), 20 (manualroute), 30 (smtp).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from math import inf
from pathlib import Path

from lab.room import Unavailable
from model.scenario import HOUR
from model.schedule import Stretch, Stretches
from model.timers import Timers
from targets.base import BATCH, Route

HERE = Path(__file__).parent


RUNS = 30 * 60.0
"""Seconds between queue runs of Debian's daemon (QUEUEINTERVAL)."""
SCHEDULE = Stretches(
    (Stretch(2 * HOUR, 15 * 60), Stretch(16 * HOUR, HOUR, 1.5), Stretch(inf, 6 * HOUR)),
    "default configuration, retry rule; specification, chapter 32",
)
"""By what Exim comes with it tries every 15 minutes at first, and then less and less often."""
ONCE = "1000d"
"""The second time of `delay_warning`: mail is never as old, so that its sender is told once."""


def render(
    work: Path,
    ca_file: Path,
    crl_file: Path,
    port: int,
    timers: Timers,
    routes: Sequence[Route],
    passed_on: Iterable[str] = (),
) -> Mapping[str, str]:
    """The files of the configuration directory, by name.

    `passed_on` are names of variables that every process is to have in its environment, those of
    a clock that moves.
    """
    macros = {
        "WORK": str(work),
        "CA_FILE": str(ca_file),
        "CRL_FILE": str(crl_file),
        "PORT": str(port),
        "HALF_LIFE": seconds(timers.lifetime / 2),
        "RETRY": retry_rules(timers),
        "BATCH": str(BATCH),
        "DELAY": f"{seconds(timers.delay)}:{ONCE}" if timers.delay else "0s",
        "PASSED_ON": ":".join(passed_on),
        "PROXY": f"port={port}" + ("" if timers.own else f" tmo={math.ceil(timers.connect)}"),
    }
    if not timers.own:
        macros |= {"CONNECT": seconds(timers.connect), "REPLY": seconds(timers.reply)}
    definitions = "".join(f"LAB_{name} = {value}\n" for name, value in macros.items())
    return {
        "exim4.conf": definitions + (HERE / "exim.conf").read_text(),
        "router.conf": (HERE / "router.conf").read_text(),
        "smtp.conf": (HERE / "smtp.conf").read_text(),
        **tables(routes),
    }


def retry_rules(timers: Timers) -> str:
    """What stands behind a retry rule's pattern; the last rule ends when mail is to be given up."""
    end = seconds(timers.lifetime)
    if timers.retry:
        return f"F,{end},{seconds(timers.retry)}"
    return f"F,2h,15m; G,16h,1h,1.5; F,{end},6h"


def tables(routes: Sequence[Route]) -> Mapping[str, str]:
    """Those of the files that say where mail goes. Raises Unavailable if a route needs two transports."""
    routes = [route.in_force for route in routes]
    for route in routes:
        if route.proxy and route.reuses:
            raise Unavailable(
                f"the adapter has no transport that reuses connections and goes by a proxy: "
                f"give {route.domain} one of the two"
            )
    return {
        "smart_hosts": _table(
            (route.domain, next_hops(route)) for route in routes if route.smart_hosts
        ),
        "tls": _table((route.domain, tls_setting(route)) for route in routes),
        "certificates": _own(routes, "certificate_file"),
        "keys": _own(routes, "key_file"),
        "sources": _own(routes, "source"),
        "services": _table(
            (route.domain, "proxied" if route.proxy else "kept")
            for route in routes
            if route.proxy or route.reuses
        ),
        "proxies": _own(routes, "proxy"),
        "fallback.conf": "\n".join(
            _router(number, route) for number, route in enumerate(routes) if route.fallback
        ),
    }


def _router(number: int, route: Route) -> str:
    """A router of its own for a route with fallback relays.

    Its `fallback_hosts` are taken as they stand (chapter 15; newer versions expand them).
    """
    smart = ("driver = manualroute", f"route_data = {next_hops(route)}")
    options = (
        f"domains = {route.domain}",
        *(smart if route.smart_hosts else ("driver = dnslookup",)),
        f"fallback_hosts = <;{';'.join(host.strip('[]') for host in route.fallback)}",
        ".include LAB_WORK/conf/router.conf",
    )
    return "".join(f"{line}\n" for line in (f"fallback_{number}:", *options))


def next_hops(route: Route) -> str:
    """The smart hosts as a routing rule, in their order.

    `byname` has names looked up as host names are, without MX. Both kinds of host may stand in
    one list: an address is never looked up. `<;` because addresses may have colons in them.
    """
    return "<;" + ";".join(host.strip("[]") for host in route.smart_hosts) + " byname"


def tls_setting(route: Route) -> str:
    """The word by which the transport's options know the route's TLS setting.

    Under CERTIFICATE Exim checks the chain alone. Under DOMAIN it also looks for the name of the
    host it connects to (tls_verify_cert_hostnames) and has no option for another name: where
    TlsDomain is another one, Exim deviates.
    """
    return str(route.tls)


def _own(routes: Sequence[Route], what: str) -> str:
    """A table of what some routes have of their own."""
    rows = ((route.domain, getattr(route, what)) for route in routes)
    return _table((domain, value) for domain, value in rows if value)


def seconds(duration: float) -> str:
    """A duration in Exim's notation, which knows whole seconds only, at least one."""
    return f"{max(1, math.ceil(duration))}s"


def _table(rows: Iterable[tuple[str, str]]) -> str:
    return "".join(f"{key}: {value}\n" for key, value in rows)
