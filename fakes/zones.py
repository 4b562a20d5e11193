"""Zone data and the answer that an honest recursive resolver would give; no sockets, no clock.

Theory of operation
-------------------
A `Table` maps names to lines: absolute master-file text (`name. TTL TYPE rdata`, one space
between), written once when a zone is added and checked then. Names are lower case and without
the trailing dot wherever they are keys. Tables never change after they are made; `Zones` only
grows, or has a table replaced by another of the same origin.

What holds always: a name with a record, or with one below it, exists (RFC 8020), so its missing
types are NODATA and not NXDOMAIN.
"""

import functools
import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from dnslib import QTYPE, RCODE, RDMAP, RR, DNSError
from dnslib.buffer import BufferError
from dnslib.label import DNSLabelError

from model.dns import Answer, Fault, Rcode, Spoiled, Stale

TTL = 5
"""Seconds that every record may be cached, unless its line says otherwise."""
NEGATIVE_TTL = 1
"""Seconds that NXDOMAIN and NODATA may be cached (RFC 2308 section 5)."""
MAX_CHAIN = 11
"""CNAMEs followed for one question; beyond it resolvers say SERVFAIL."""

RCODES = tuple(name for code, name in RCODE.forward.items() if code < 16)
"""What fits in the header of a message (RFC 1035 section 4.1.1)."""

PARSE_ERRORS = (DNSError, DNSLabelError, BufferError, ValueError, LookupError, struct.error)
"""What dnslib raises for text or octets that are none."""

_LINE = re.compile(r"(?P<name>\S+)\s+(?:(?P<ttl>\d+)\s+)?(?:IN\s+)?(?P<type>\w+)\s+(?P<rdata>.+)")
_PLACE = re.compile(r"\{([^{}]*)\}")
_NAMES_AT = {"MX": (1,), "CNAME": (0,), "NS": (0,), "PTR": (0,), "SRV": (3,), "SOA": (0, 1)}
"""Which words of the rdata are domain names."""


@dataclass(frozen=True, slots=True)
class Table:
    """One zone: its records by name and type, the names that exist, and whose it is.

    `label` is the scenario that its questions are journaled to; None: to none.
    """

    origin: str
    rrsets: Mapping[str, Mapping[str, tuple[str, ...]]]
    existing: frozenset[str]
    label: str | None
    faults: tuple[Spoiled, ...]
    addresses: Mapping[str, str]

    def relative(self, name: str) -> str:
        """The name as the scenario writes it."""
        return "@" if name == self.origin else name.removesuffix(f".{self.origin}")

    def absolute(self, line: str) -> str:
        """A line in relative names made absolute; absolute lines stay as they are."""
        return absolute(line, self.origin, self.addresses)


def table(
    origin: str,
    records: Iterable[str],
    addresses: Mapping[str, str] | None = None,
    label: str | None = None,
    faults: tuple[Spoiled, ...] = (),
) -> Table:
    """Make a zone of lines in relative names. Raises ValueError for a line that is none."""
    origin, addresses = origin.lower(), addresses or {}
    rrsets: dict[str, dict[str, tuple[str, ...]]] = {}
    for line in records:
        full = absolute(line, origin, addresses)
        parsed(full)
        owner, _, qtype, _ = full.split(" ", 3)
        types = rrsets.setdefault(_key(owner), {})
        types[qtype] = (*types.get(qtype, ()), full)
    existing = {above for name in rrsets for above in _upwards(name)}
    made = Table(origin, rrsets, frozenset(existing | {origin}), label, faults, addresses)
    for spoiled in faults:
        _check(spoiled.fault, made)
    return made


def _check(fault: Fault, table: Table) -> None:
    """Refuse at the door what would fail when the question comes."""
    for line in (*getattr(fault, "old", ()), *getattr(fault, "records", ())):
        parsed(table.absolute(line))
    if isinstance(fault, Rcode | Stale) and fault.rcode not in RCODES:
        raise ValueError(f"{fault.rcode!r} is no response code; known are {', '.join(RCODES)}")


class Zones:
    """The zones of the lab; the one with the longest origin answers."""

    def __init__(self) -> None:
        self._tables: dict[str, Table] = {}
        self._pointed: set[str] = set()

    def add(self, table: Table) -> None:
        """Add a zone, or replace the one of the same origin."""
        self._tables[table.origin] = table
        for types in table.rrsets.values():
            lines = (*types.get("MX", ()), *types.get("CNAME", ()))
            self._pointed |= {_key(line.rpartition(" ")[2]) for line in lines}

    def points_to(self, name: str) -> bool:
        """Whether some record sends whoever reads it to this name, be it in a zone or not."""
        return name in self._pointed

    def find(self, name: str) -> Table | None:
        """The zone that a name (lower case, no trailing dot) belongs to."""
        return next((self._tables[n] for n in _upwards(name) if n in self._tables), None)


def answer_honestly(zones: Zones, name: str, qtype: str) -> Answer:
    """What a blameless recursive resolver answers; CNAMEs are followed (RFC 1034 section 4.3.2).

    A chain that ends in no name gives NXDOMAIN with the chain (RFC 6604 section 3); one that
    does not end gives SERVFAIL, as Unbound and BIND do.
    """
    chain: list[str] = []
    for _ in range(MAX_CHAIN):
        zone = zones.find(name)
        if zone is None or name not in zone.existing:
            return Answer("NXDOMAIN", tuple(chain))
        types = zone.rrsets.get(name, {})
        found = _matching(types, qtype)
        if found or "CNAME" not in types:
            return Answer(records=(*chain, *found))
        chain.append(types["CNAME"][0])
        name = _key(chain[-1].rsplit(" ", 1)[1])
    return Answer("SERVFAIL")


def authority(zones: Zones, name: str, qtype: str, answer: Answer) -> str | None:
    """The SOA line that a negative answer needs to be cached (RFC 2308 section 2); or None."""
    if answer.rcode not in ("NOERROR", "NXDOMAIN") or answer.truncated:
        return None
    if answer.records:
        _, _, kind, rdata = answer.records[-1].split(" ", 3)
        if kind != "CNAME" or qtype in ("CNAME", "ANY"):
            return None
        name = _key(rdata)
    zone = zones.find(name)
    return _soa(zone.origin if zone else "")


def _soa(origin: str) -> str:
    apex = f"{origin}."
    below = apex if origin else ""
    return f"{apex} {TTL} SOA ns.{below} hostmaster.{below} 1 3600 600 86400 {NEGATIVE_TTL}"


def _matching(types: Mapping[str, tuple[str, ...]], qtype: str) -> tuple[str, ...]:
    """The record set of a type; for ANY any one of them (RFC 8482 section 4.1)."""
    if qtype == "ANY":
        return next(iter(types.values()), ())
    return types.get(qtype, ())


def absolute(line: str, origin: str, addresses: Mapping[str, str]) -> str:
    """Fill in addresses, absolute names and the TTL. Raises ValueError with the line."""
    match = _LINE.fullmatch(_PLACE.sub(lambda place: _address(place, line, addresses), line))
    if match is None:
        raise ValueError(f"{line!r} is no zone line; write it as: name TYPE rdata")
    words = match["rdata"].split()
    places = _NAMES_AT.get(match["type"], ())
    for place in places:
        if place < len(words):
            words[place] = _absolute_name(words[place], origin)
    rdata = " ".join(words) if places else match["rdata"].strip()
    owner = _absolute_name(match["name"], origin)
    return f"{owner} {match['ttl'] or TTL} {match['type']} {rdata}"


def _address(place: re.Match[str], line: str, addresses: Mapping[str, str]) -> str:
    if place[1] not in addresses:
        known = ", ".join(sorted(addresses)) or "none"
        raise ValueError(f"zone line {line!r}: there is no host {place[1]!r}; known are {known}")
    return addresses[place[1]]


def _absolute_name(name: str, origin: str) -> str:
    if name.endswith("."):
        return name
    return f"{origin}." if name == "@" else f"{name}.{origin}."


def _key(name: str) -> str:
    return name.rstrip(".").lower()


def _upwards(name: str) -> Iterator[str]:
    """The name and every one above it, the root excepted."""
    while name:
        yield name
        name = name.partition(".")[2]


@functools.lru_cache(maxsize=65536)
def parsed(line: str) -> RR:
    """An absolute line as a resource record. Raises ValueError if its rdata is malformed."""
    try:
        owner, ttl, qtype, rdata = line.split(" ", 3)
        if '"' in rdata:
            return RR.fromZone(line)[0]  # slow, but it knows quotes
        words = RDMAP[qtype].fromZone(rdata.split())
        return RR(owner, getattr(QTYPE, qtype), ttl=int(ttl), rdata=words)
    except PARSE_ERRORS as error:
        raise ValueError(f"zone line {line!r} is malformed: {error}") from error
