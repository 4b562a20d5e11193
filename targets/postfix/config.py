"""Postfix's configuration files, out of templates, timers and routes. No I/O but the templates'.

Sources: postconf(5), transport(5), TLS_README ("TLS policy table").
"""

import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from lab.room import Unavailable
from model.timers import Timers
from model.tls import Tls
from targets.base import BATCH, Route

HERE = Path(__file__).parent
REPLIES = (
    "helo",
    "starttls",
    "mail",
    "rcpt",
    "data_init",
    "data_xfer",
    "data_done",
    "rset",
    "quit",
)
"""The stages that have a time-out of their own, in the names of the parameters."""


IMPORTED = "MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LANG=C POSTLOG_SERVICE POSTLOG_HOSTNAME"
"""What Postfix lets into its processes' environment by default, but for the two of X."""
NO_WATCH = "1000d"


def render(
    work: Path,
    ca_file: Path,
    port: int,
    timers: Timers,
    routes: Sequence[Route],
    passed_on: Iterable[str] = (),
) -> Mapping[str, str]:
    """The files of the configuration directory, by name.

    `passed_on` are names of variables that every process is to have in its environment, those of
    a clock that moves. Raises Unavailable if two routes want different TLS of one next hop.
    """
    main = (HERE / "main.cf").read_text()
    return {
        "main.cf": main.format(
            work=work,
            ca_file=ca_file,
            port=port,
            batch=BATCH,
            timeouts=timeouts(timers),
            lifetime=seconds(timers.lifetime),
            backoff=backoff(timers),
            delay=seconds(timers.delay) if timers.delay else "0h",
            moving=moving(passed_on),
        ),
        **tables(routes),
    }


def tables(routes: Sequence[Route]) -> Mapping[str, str]:
    """Those of the files that say where mail goes, and how. Raises Unavailable as `render` does."""
    routes = [route.in_force for route in routes]
    return {
        "master.cf": (HERE / "master.cf").read_text() + services(routes),
        "transport": _table(
            (route.domain, f"{service(route)}:{', '.join(next_hops(route))}")
            for route in routes
            if route.smart_hosts or service(route) != "smtp"
        ),
        "tls_policy": _table(_policies(routes).items()),
    }


def service(route: Route) -> str:
    """The name of the service that the route's mail takes.

    One for each certificate, source and fallback relay, which Postfix knows by service only. Its
    name follows from them, so that tables and services fit however often routes are changed.
    """
    if options := _options(route):
        return f"own-{zlib.crc32(options.encode()):08x}"
    return "kept" if route.reuses else "smtp"


def services(routes: Sequence[Route]) -> str:
    """The lines of those services. Raises Unavailable for one that also reuses connections."""
    made = {service(route): _options(route) for route in routes if _options(route)}
    for route in routes:
        if route.reuses and _options(route):
            raise Unavailable(
                f"Postfix has one service for {route.domain}, and it is to reuse connections and "
                "have a certificate, source or relay of its own: give it one of the two"
            )
    return "".join(
        f"{name} unix - - n - - smtp\n{options}" for name, options in sorted(made.items())
    )


def _options(route: Route) -> str:
    """What of a service is the route's own; empty: nothing. See postconf(5).

    Without `smtp_bind_address_enforce` (Postfix 3.7) mail would leave from another address if the
    one that is named cannot be had.
    """
    wanted = {
        "smtp_tls_cert_file": route.certificate_file,
        "smtp_tls_key_file": route.key_file,
        "smtp_bind_address": route.source,
        "smtp_bind_address_enforce": "yes" if route.source else "",
        "smtp_fallback_relay": ",".join(map(_bracketed, route.fallback)),
    }
    return "".join(f"  -o {name}={value}\n" for name, value in wanted.items() if value)


def moving(passed_on: Iterable[str]) -> str:
    """The lines that a clock needs that moves; none where it does not.

    The queue manager ends itself if a delivery takes longer than `daemon_timeout` by the clock:
    one that is under way while the clock moves would.
    """
    names = " ".join(passed_on)
    if not names:
        return ""
    return f"import_environment = {IMPORTED} {names}\ndaemon_timeout = {NO_WATCH}\n"


def backoff(timers: Timers) -> str:
    """The lines of the pauses between attempts; none where Postfix is to keep its own."""
    if not timers.retry:
        return ""
    names = ("minimal_backoff_time", "maximal_backoff_time", "queue_run_delay")
    return "".join(f"{name} = {seconds(timers.retry)}\n" for name in names)


def timeouts(timers: Timers) -> str:
    """The lines of the time-outs; none where Postfix is to keep its own."""
    if timers.own:
        return ""
    lines = {"connect": timers.connect, **dict.fromkeys(REPLIES, timers.reply)}
    return "".join(f"smtp_{stage}_timeout = {seconds(s)}\n" for stage, s in lines.items())


def next_hops(route: Route) -> list[str]:
    """Where the route's mail goes next, in Postfix's form.

    Brackets mean that no MX record is looked up: a smart host is named by its A record or
    address. Without smart hosts it is the domain itself, by MX. The TLS policy table is asked
    with exactly this form, brackets and all.
    """
    return list(map(_bracketed, route.smart_hosts)) or [route.domain]


def _bracketed(host: str) -> str:
    return f"[{host.strip('[]')}]"


def tls_policy(route: Route) -> str:
    """The policy table's value for the route's TLS setting.

    CERTIFICATE becomes `verify`, which asks for more: Postfix has no level that checks the chain
    and not the name. A leading dot matches every name below, a certificate's `*.` among them.
    """
    match route.tls:
        case Tls.NONE:
            return "may"
        case Tls.ENCRYPT:
            return "encrypt"
        case Tls.CERTIFICATE:
            return "verify"
        case Tls.DOMAIN:
            return f"secure match={route.tls_domain.removeprefix('*')}"


def seconds(duration: float) -> str:
    """A duration in Postfix's notation, which knows whole seconds only, at least one."""
    return f"{max(1, math.ceil(duration))}s"


def _policies(routes: Sequence[Route]) -> dict[str, str]:
    """The policy table. Not one key may come twice: Postfix would not read the whole table."""
    policies: dict[str, str] = {}
    for route in routes:
        policy = tls_policy(route)
        for next_hop in (*next_hops(route), *map(_bracketed, route.fallback)):
            if policies.setdefault(next_hop, policy) != policy:
                raise Unavailable(
                    f"Postfix has one TLS setting for a next hop, and {next_hop} is given two: "
                    f"name the server of {route.domain} differently"
                )
    return policies


def _table(rows: Iterable[tuple[str, str]]) -> str:
    return "".join(f"{key} {value}\n" for key, value in rows)
