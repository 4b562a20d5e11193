"""Whether a scenario's faults were met: one that nobody met proves nothing, whatever was said."""

from collections.abc import Iterator

from model.dns import Gone
from model.events import (
    Asked,
    Did,
    Encrypted,
    Heard,
    Killed,
    Knocked,
    RanShort,
    ResolverGone,
    TlsFailed,
)
from model.expect import Recovers, ways
from model.laws import is_below, reports_of
from model.middlebox import name_of
from model.scenario import Home, Host, Reach, Scenario
from model.shortage import Shortage
from model.smtp import Stage
from model.socks import Socks
from model.tls import Flaw, Handshake
from model.trace import Trace


def unmet_faults(scenario: Scenario, trace: Trace, astray: bool = False) -> list[str]:
    """The faults of the scenario that the trace has no sign of.

    Of a box every filter must have acted. Once the agent has gone `astray`, one fault that was met
    will do, and one filter: whoever stops at the first host never meets the second.
    """
    signs = list(_signs(scenario, trace, astray))
    if astray and any(met for met, _ in signs):
        return []
    return [sentence for met, sentence in signs if not met]


def _signs(scenario: Scenario, trace: Trace, astray: bool) -> Iterator[tuple[bool, str]]:
    """For each kind of fault that the scenario has, whether it was met, and what to say if not."""
    if any(zone.faults for zone in scenario.all_zones):
        yield any(e.spoiled for e in trace.all(Asked)), "no question met the DNS fault"
    yield from _met_by_hosts(scenario, trace, astray)
    if away := [host for host in scenario.hosts if host.reach is not Reach.UP]:
        met = any(knocked(host, trace) for host in away)
        yield met, "no connection to a host that is away was tried"
    bars = {host.bars for host in scenario.all_hosts}
    barred = bars & {one.comes_from for one in scenario.connectors}
    if sources := {ip for source, ip in trace.placement.sources.items() if source in barred}:
        met = any(event.source in sources for event in trace.all(Knocked))
        yield met, "nobody came from the address that a host turns away"
    if scenario.mail.home in (Home.REFUSES, Home.BUSY):
        yield any(e.host == "home" for e in trace.all(Did)), "the sender was never written to"
    if scenario.is_killed:
        yield trace.last(Killed) is not None, "the agent was never killed"
    if scenario.short_of is not Shortage.NONE:
        yield trace.last(RanShort) is not None, "the agent's machine never ran short"
    if scenario.outage is not None:
        gone = trace.last(ResolverGone) is not None
        yield gone, "the name server was not gone when the mail came"
        yield from _unanswered(scenario, scenario.outage.gone, trace)


def _unanswered(scenario: Scenario, gone: Gone, trace: Trace) -> Iterator[tuple[bool, str]]:
    """Whether the name server was missed, by who must ask it before anything else.

    What is sent to a closed port is seen in the sealed room only. In an open one it must do that
    the port was closed: no name of the scenario has ever been asked for, so none is remembered.
    """
    way = scenario.connector.way
    asks = not (way and way[0].startswith("["))
    if asks and (trace.sealed or gone is Gone.SILENT):
        missed = (e for e in trace.all(Asked) if e.spoiled)
        met = any(is_below(e.name, trace.placement.domain) for e in missed)
        yield met, "nobody asked the name server that was gone"


def _met_by_hosts(scenario: Scenario, trace: Trace, astray: bool) -> Iterator[tuple[bool, str]]:
    """The same for what only hosts that are up can show."""
    places = scenario.fault_at or tuple(Stage)
    misdeeds = [e for e in trace.all(Did) if e.spoiled and not e.by]
    spoiled = {e.host for e in misdeeds if e.stage in places}
    odd = (None, Socks.HEALTHY)
    hosts = scenario.all_hosts
    if bad := [h for h in hosts if h.behaviours or h.script or h.socks not in odd]:
        yield any(host.name in spoiled for host in bad), "no host came to misbehave"
    deeds = {e.deed for e in trace.all(Did)}
    told = [w.first.peer for w in ways(scenario.expect) if isinstance(w, Recovers) and w.some]
    for peer in told:
        yield peer in deeds, f"nobody was told {peer!r}"
    if swallowing := {host.name for host in scenario.all_hosts if host.swallows}:
        met = any(e.stage is Stage.DATA for e in _heard(trace, swallowing))
        yield met, "no body was sent into the black hole"
    boxed = [host for host in scenario.all_hosts if host.box and host.box.filters]
    if idle := [_idle_filters(host, trace, astray) for host in boxed]:
        yield not all(idle), f"a box found nothing to do for {', '.join(idle[0])}"
    shaken = {e.host for e in trace.all(Encrypted)} | {e.host for e in trace.all(TlsFailed)}
    if flawed := [host for host in scenario.all_hosts if _shows(host)]:
        met = any(host.name in shaken for host in flawed)
        yield met, "nobody shook hands with the host whose TLS is odd"


def _heard(trace: Trace, hosts: set[str]) -> Iterator[Heard]:
    """The lines that some hosts heard."""
    return (event for event in trace.all(Heard) if event.host in hosts)


def _idle_filters(host: Host, trace: Trace, astray: bool) -> list[str]:
    """The filters that a host's box is there for, and that have not acted."""
    wanted = [name_of(one) for one in host.box.filters] if host.box else []
    acted = {e.by for e in trace.all(Did) if e.host == host.name and e.spoiled}
    if astray and acted.intersection(wanted):
        return []
    return [name for name in wanted if name not in acted]


def _shows(host: Host) -> bool:
    """Whether there is something about the host that only a handshake shows."""
    return host.certificate is not Flaw.VALID or host.handshake is not Handshake.USUAL


def knocked(host: Host, trace: Trace) -> bool:
    """Whether a connection was tried; where SYNs cannot be seen, whether its address was learnt."""
    if trace.sealed:
        return any(event.host == host.name for event in trace.all(Knocked))
    name, ip = trace.placement.hosts[host.name]
    asked = any(e.name.rstrip(".") == name and e.qtype == "A" for e in trace.all(Asked))
    said = any(ip in r.ip for one in trace.placement.recipients for r in reports_of(trace, one))
    return asked or said
