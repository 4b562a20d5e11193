"""What the catalogue must be true of; asked when it is imported.

Each check takes scenarios and yields sentences about what is wrong. `flaws` looks at one scenario,
`unused` at all of them: whatever behaviour, DNS fault, flaw or reason there is, some scenario is
about it.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import product
from typing import Any

import model.behaviours
import model.dns
import model.middlebox
from model.behaviours import InTls
from model.dns import Fault
from model.expect import (
    AnyOf,
    Delivers,
    Each,
    Expectation,
    One,
    PutOff,
    Recovers,
    Refuses,
    failures,
    ways,
)
from model.failure import REASONS
from model.middlebox import name_of
from model.scenario import Family, Host, Kill, Mail, Reach, Scenario, Source
from model.shortage import OF_DISK, Shortage
from model.smtp import ALWAYS, Behaviour, Moment, Say, Stage
from model.socks import Socks
from model.tls import Flaw, Handshake, OwnCertificate, must_refuse

LABEL_LIMIT = 63
"""Octets of a DNS label (RFC 1035 section 2.3.4)."""
STAGES = {str(stage): stage for stage in Stage} | {"rcpt-n": Stage.RCPT, "tls-ehlo": Stage.EHLO}
"""The stage that a place in an id stands for."""

_ADDRESS = re.compile(r"\b(?P<type>A|AAAA) \{(?P<name>[^{}]*)\}$")
"""The end of a zone line that is a host's address."""


def flaws(chapter: str, scenario: Scenario) -> Iterator[str]:
    """What is wrong with one scenario, each in a few words."""
    if scenario.chapter != chapter:
        yield f"it stands in the chapter {chapter!r}"
    if len(scenario.label) > LABEL_LIMIT:
        yield f"its label is longer than the {LABEL_LIMIT} octets of RFC 1035"
    if not scenario.title:
        yield "it lacks a title"
    rule = scenario.rule
    if not (rule.document and rule.section and rule.words):
        yield "its rule lacks its document, its place or its words"
    yield from _unknown_hosts(scenario)
    yield from _untold(scenario)
    yield from _unsatisfiable(scenario)
    yield from _untrue(scenario)
    yield from _untimely(scenario)
    yield from _unservable(scenario)


def _unknown_hosts(scenario: Scenario) -> Iterator[str]:
    names = {host.name for host in scenario.hosts}
    for hop in (hop for one in scenario.connectors for hop in one.smart_hosts):
        if hop.strip("[]") not in names:
            yield f"its smart host {hop!r} is none of its hosts"
    for hop in (hop for one in scenario.connectors for hop in one.fallback):
        if hop.strip("[]") not in names:
            yield f"its fallback relay {hop!r} is none of its hosts"
    proxies = {host.name for host in scenario.hosts if host.socks is not None}
    for name in sorted({one.proxy for one in scenario.connectors if one.proxy} - proxies):
        yield f"its proxy {name!r} is none of its hosts, or none that is a proxy"
    for way in ways(scenario.expect):
        for name in destinations(way):
            if name not in names:
                yield f"it expects delivery to {name!r}, which is none of its hosts"
    for host in (host for change in scenario.changes for host in change.hosts):
        if host.name not in names:
            yield f"its change is about {host.name!r}, which is none of its hosts"
    for host in scenario.all_hosts:
        if host.box and host.script:
            yield f"{host.name} has a script, and a box cannot stand in front of one"
        filters = [name_of(one) for one in (host.box.everything if host.box else ())]
        for name in {name for name in filters if filters.count(name) > 1}:
            yield f"the box of {host.name} has two filters {name}, and who acts is told by name"
    ordered = {name for word in scenario.order for name in word.split("|")}
    for name in sorted((ordered | set(scenario.spread)) - names):
        yield f"it speaks of the order of {name!r}, which is none of its hosts"
    if scenario.order and scenario.mail.messages > 1:
        yield "the connections of several messages have no order"


def destinations(way: One) -> tuple[str, ...]:
    """The hosts that a way may end at."""
    match way:
        case Delivers():
            return way.hosts
        case Recovers() | PutOff():
            return (way.to,)
    return ()


def _untold(scenario: Scenario) -> Iterator[str]:
    """Recipients and fates that do not match, and expectations that contradict themselves."""
    expect = scenario.expect
    if isinstance(expect, Each):
        spoken = [name for name, _ in expect.fates]
        last = scenario.mail.last
        names = [name for names in scenario.mail.envelopes for name in names if name != last]
        names += filter(None, [scenario.mail.meanwhile])
        if sorted(spoken) != sorted([*names, *filter(None, [last.partition("@")[0]])]):
            yield "it does not say how each recipient fares"
    for one in _choices(expect):
        if len(one.ways) < 2 or len(set(map(str, one.ways))) < len(one.ways):
            yield "it gives a choice that is none"


def _choices(expect: Expectation) -> Iterator[AnyOf]:
    if isinstance(expect, AnyOf):
        yield expect
    elif isinstance(expect, Each):
        for _, fate in expect.fates:
            yield from _choices(fate)


def _unsatisfiable(scenario: Scenario) -> Iterator[str]:
    """A delivery to a host that cannot take it, or must not be given it, at any time."""
    settings = {connector.demands for connector in scenario.connectors}
    for way in ways(scenario.expect):
        for name in destinations(way):
            lives = [host for host in scenario.all_hosts if host.name == name]
            shown = product(lives, settings)
            if lives and not any(_may_take(host) for host in lives):
                yield f"it expects delivery to {name!r}, which never listens"
            elif lives and all(must_refuse(h.certificate, setting) for h, setting in shown):
                yield f"it expects delivery to {name!r}, whose certificate must be refused"
        if isinstance(way, Recovers) and not _passes(scenario):
            yield "it expects a recovery, and nothing in it ever changes"
    if any(isinstance(way, Refuses) for way in ways(scenario.expect)) and not _is_odd(scenario):
        yield "it lets the agent refuse a message that has nothing odd about it"


def _may_take(host: Host) -> bool:
    return host.reach is Reach.UP and not host.script and host.socks is None


def _passes(scenario: Scenario) -> bool:
    """Whether a fault ends: after so many visits, after a TTL, by a change.

    Or for who comes after the others: what is wrong at the end of one transaction, or for many at
    once, need not be so for the next.
    """
    if max(scenario.mail.messages, len(scenario.mail.recipients)) > 1:
        return True
    limited = any(_ends(one) for host in scenario.hosts for one in host.behaviours)
    spoiled = [s.fault for zone in scenario.all_zones for s in zone.faults]
    mended = bool(scenario.changes) or scenario.outage is not None
    return mended or limited or any(_ends(fault) for fault in spoiled)


def _ends(one: Behaviour | Fault) -> bool:
    inner = _inmost(one)
    passes = hasattr(inner, "ttl") or hasattr(inner, "most")
    return passes or getattr(inner, "times", ALWAYS) < ALWAYS


def _is_odd(scenario: Scenario) -> bool:
    mail = scenario.mail
    plain = all(
        name.replace("-", "").isalnum() and name.isascii() and len(name) < 32
        for name in mail.recipients
    )
    plain = plain and mail.domain == Mail().domain and len(mail.recipients) < 100
    raw = mail.body is not None or mail.whole is not None
    return raw or bool(mail.headers) or not plain or mail.octets > 1_000_000


def _untrue(scenario: Scenario) -> Iterator[str]:
    """An id that names a stage has its fault there; one that names a setting has that."""
    _, place, *rest = scenario.id.split(".")
    last = rest[-1] if rest else place
    if last.startswith("under-") and last.removeprefix("under-") != scenario.connector.tls:
        yield f"its id says {last}, and its connector is {scenario.connector.tls}"
    stage = STAGES.get(place)
    hosts = scenario.all_hosts
    if stage is None or any(host.script for host in hosts):
        return
    if any(host.behaviours for host in hosts) and not any(_acts_at(h, stage) for h in hosts):
        yield f"its id says {place}, and no host does anything there"
    behaviours = [one for host in hosts for one in _unwrapped(host.behaviours)]
    if place == "rcpt-n" and not any(getattr(one, "since", 1) > 1 for one in behaviours):
        yield "its id says rcpt-n, and its first recipient fares as the others"
    if place == "tls-ehlo" and not any(isinstance(one, InTls) for one in behaviours):
        yield "its id says tls-ehlo, and its fault is in clear"


def _unservable(scenario: Scenario) -> Iterator[str]:
    """What a host's family has not: an address record of the other one, an ICMP message."""
    families = {host.name: host.family for host in scenario.hosts}
    for line in (line for zone in scenario.all_zones for line in zone.records):
        found = _ADDRESS.search(line)
        if found and found["name"] not in families:
            yield f"its zone has the address of {found['name']!r}, which is none of its hosts"
        elif found and found["type"] != families[found["name"]].qtype:
            yield f"its zone has an address of another family: {line}"
    chosen = any(one.source is not Source.USUAL for one in scenario.connectors)
    for host in scenario.all_hosts:
        if host.family is Family.IPV6 and (chosen or host.bars):
            yield f"{host.name} has IPv6, and all addresses that mail is told to come from are IPv4"
        if host.bars in (Source.USUAL, Source.ABSENT):
            yield f"{host.name} turns away whoever comes from {host.bars}, which is no known address"
        if host.bars and (host.box or host.swallows or host.reach is not Reach.UP):
            yield f"{host.name} turns somebody away, and a second thing is in front of it"
        if host.family is Family.IPV6 and host.reach is Reach.NET_PROHIBITED:
            yield f"{host.name} cannot be {host.reach}: ICMPv6 has no code that says so"


def _untimely(scenario: Scenario) -> Iterator[str]:
    """A course that runs backwards, or says of a mark what no mark can be."""
    ages = [mark.age for mark in scenario.course]
    if ages != sorted(set(ages)) or any(age <= 0 for age in ages):
        yield "the marks of its course are not in order of age"
    if any(age >= (scenario.own_lifetime or 0) for age in ages):
        yield "a mark of its course is beyond its lifetime"
    if scenario.change and scenario.course:
        yield "it changes outside its course, and nobody knows when"
    if scenario.kill is not Kill.NEVER and scenario.is_timed:
        yield "its agent is killed, and time is let pass: these are different labs"
    if scenario.outage and (scenario.is_timed or scenario.kill is not Kill.NEVER):
        yield "its name server goes away, and time or the agent, too: these are different labs"
    if scenario.short_of is not Shortage.NONE and (
        scenario.is_timed or scenario.kill is not Kill.NEVER
    ):
        yield "its agent runs short of something in a lab where nothing else happens to the agent"
    if bool(scenario.mail.meanwhile) and scenario.short_of not in OF_DISK:
        yield "it hands mail in while there is no room, and there always is"


def _acts_at(host: Host, stage: Stage) -> bool:
    """Whether one of the host's behaviours makes a difference at a stage."""
    return any(at is stage for one in host.behaviours for at in places(one))


def places(behaviour: Behaviour) -> Iterator[Stage]:
    """The stages at which a behaviour may act: the one it names, or wherever it is seen to."""
    inner = _inmost(behaviour)
    named = getattr(inner, "at", None)
    if named is not None:
        yield named
        return
    for stage in Stage:
        usual = Say(
            "250-mx1\n250-SIZE 1000\n250-STARTTLS\n250 HELP" if stage is Stage.EHLO else "250 usual"
        )
        for open_now in (1, 1_000):
            moment = Moment(stage, 1, usual, octets=1 << 30, open=open_now, line="RCPT TO:<")
            if inner.react(moment) != usual:
                yield stage
                break


def unused(scenarios: Iterable[Scenario]) -> Iterator[str]:
    """Whatever a scenario could be about, and none is."""
    found = list(scenarios)
    behaviours = {type(b) for s in found for h in s.all_hosts for b in _unwrapped(h.behaviours)}
    faults = {type(x.fault) for s in found for zone in s.all_zones for x in zone.faults}
    for cls in _with_method(model.behaviours, "react"):
        if cls not in behaviours:
            yield f"no scenario uses the behaviour {cls.__name__}"
    for cls in _with_method(model.dns, "spoil"):
        if cls not in faults:
            yield f"no scenario uses the DNS fault {cls.__name__}"
    filters = {type(x) for s in found for h in s.all_hosts if h.box for x in h.box.everything}
    for cls in _with_method(model.middlebox, "react"):
        if cls not in filters:
            yield f"no scenario has a box with the filter {cls.__name__}"
    for flaw in set(Flaw) - {host.certificate for s in found for host in s.all_hosts}:
        yield f"no scenario has a certificate that is {flaw}"
    for manner in set(Socks) - {host.socks for s in found for host in s.all_hosts}:
        yield f"no scenario has a proxy that is {manner}"
    for handshake in set(Handshake) - {host.handshake for s in found for host in s.all_hosts}:
        yield f"no scenario has a handshake that is {handshake}"
    connectors = [connector for s in found for connector in s.connectors]
    for kind in set(OwnCertificate) - {one.own_certificate for one in connectors}:
        yield f"no scenario has a connector with a certificate that is {kind}"
    for source in set(Source) - {one.source for one in connectors}:
        yield f"no scenario has a connector whose source is {source}"
    causes = {str(f.cause) for s in found for way in ways(s.expect) for f in failures(way)}
    for failure, reasons in REASONS.items():
        for reason in sorted(reasons):
            if f"{failure}/{reason}" not in causes:
                yield f"no scenario is about {failure}/{reason}"


def _inmost(one: Any) -> Any:
    """A behaviour or fault itself, where others narrow it down."""
    return _inmost(one.behaviour) if hasattr(one, "behaviour") else one


def _unwrapped(behaviours: Iterable[Behaviour]) -> Iterator[Behaviour]:
    """The behaviours, each followed by what it wraps."""
    for one in behaviours:
        yield one
        if (inner := getattr(one, "behaviour", None)) is not None:
            yield from _unwrapped((inner,))


def _with_method(module: object, method: str) -> Iterator[type]:
    """The public classes of a module that have a method, its protocols left out."""
    for name, found in vars(module).items():
        own = isinstance(found, type) and found.__module__ == getattr(module, "__name__", "")
        public = not name.startswith("_") and not getattr(found, "_is_protocol", False)
        if own and public and hasattr(found, method):
            yield found
