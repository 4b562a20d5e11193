"""DNS messages to and from octets (RFC 1035 section 4, RFC 6891); dnslib does the octets.

Nothing here knows zones or faults: a `Question` comes in, a `Reply` goes out. Names and records
are dnslib's. Its `DNSRecord` is passed by, because half of its time goes into counting sections
and checking bits, and so is its `DNSHeader`: the header is six numbers.

An agent asks the same questions over and over, so what was read and what was written is
remembered, by everything but the id: that is cut off first and put in front last.
"""

import functools
from dataclasses import dataclass, field

from dnslib import EDNS0, QTYPE, RCODE, RR, DNSLabel, EDNSOption
from dnslib.label import DNSBuffer

from fakes.zones import PARSE_ERRORS, parsed

PLAIN_LIMIT = 512
"""Octets that a UDP answer may have without EDNS (RFC 1035 section 4.2.1)."""
OUR_SIZE = 1232
"""The UDP size that our own OPT announces."""
HEADER = 12
"""Octets of a message's header."""
ID = 2
"""Octets of its id, which comes first."""
REMEMBERED = 1 << 16
"""Questions, and answers, that are kept; the oldest go."""
_QR, _OPCODE, _TC, _RD, _RA, _CD = 0x8000, 0x7800, 0x0200, 0x0100, 0x0080, 0x0010
"""Parts of the second of the header's numbers (RFC 1035 section 4.1.1, RFC 4035 section 3.2)."""
_SECTIONS = "!HHHHHH"
"""The header: id, flags, and the length of each of the four sections."""
_IN = 1
_DO = 0x8000
_EXTENDED_ERROR = 15
"""The EDNS option of RFC 8914."""


@dataclass(frozen=True, slots=True)
class Question:
    """A query as received, less its id; two of the same octets are equal.

    `name` is lower case without the trailing dot; the root is empty.
    """

    octets: bytes
    name: str = field(compare=False)
    qtype: str = field(compare=False)
    label: DNSLabel = field(compare=False)
    """The name as it was written: the answer repeats it (RFC 1035 section 4.1.2)."""
    number: int = field(compare=False)
    """That of the type."""
    flags: int = field(compare=False)
    edns: bool = field(compare=False)
    limit: int = field(compare=False)
    """Octets that an answer over UDP may have."""
    dnssec_ok: bool = field(compare=False)

    @property
    def unchecked(self) -> bool:
        """CD: the client wants data that has not passed validation (RFC 4035 section 3.2.2)."""
        return bool(self.flags & _CD)


@dataclass(frozen=True, slots=True)
class Reply:
    """What to say: absolute lines for the answer and, for a negative one, the SOA.

    `question`: the name in the question section, if not the one asked for. `query`: QR clear.
    `chopped`: how many octets lack at the end of the records; nothing comes behind them.
    """

    rcode: str
    records: tuple[str, ...] = ()
    soa: str | None = None
    truncated: bool = False
    query: bool = False
    question: str = ""
    extended: int | None = None
    additional: tuple[str, ...] = ()
    chopped: int = 0


def read(octets: bytes) -> Question | None:
    """The question in a message; None if it is not a standard query for one name."""
    return _read(octets[ID:])


@functools.lru_cache(REMEMBERED)
def _read(rest: bytes) -> Question | None:
    buffer = DNSBuffer(bytes(ID) + rest)
    try:
        _, flags, questions, *others = buffer.unpack(_SECTIONS)
        if flags & (_QR | _OPCODE) or questions != 1:
            return None
        label = buffer.decode_name()
        number, qclass = buffer.unpack("!HH")
        records = [RR.parse(buffer) for _ in range(sum(others))]
    except PARSE_ERRORS:
        return None
    if qclass != _IN:
        return None
    opt = next((rr for rr in records if rr.rtype == QTYPE.OPT), None)
    return Question(
        octets=rest,
        name=b".".join(label.label).decode("ascii", "backslashreplace").lower(),
        qtype=_type_name(number),
        label=label,
        number=number,
        flags=flags,
        edns=opt is not None,
        limit=max(PLAIN_LIMIT, opt.rclass) if opt else PLAIN_LIMIT,
        dnssec_ok=bool(opt and opt.ttl & _DO),
    )


@functools.lru_cache(REMEMBERED)
def write(question: Question, reply: Reply) -> bytes:
    """The octets of an answer behind its id: a recursive resolver's, so RA is set, AA and AD clear."""
    flags = _RA | question.flags & (_RD | _CD) | getattr(RCODE, reply.rcode)
    flags |= (0 if reply.query else _QR) | (_TC if reply.truncated else 0)
    answers = [parsed(line) for line in reply.records]
    authorities = [parsed(reply.soa)] if reply.soa is not None else []
    others = [parsed(line) for line in reply.additional]
    others += [_opt(question, reply)] if question.edns else []
    buffer = DNSBuffer()
    buffer.pack(_SECTIONS, 0, flags, 1, len(answers), len(authorities), len(others))
    buffer.encode_name(DNSLabel(reply.question) if reply.question else question.label)
    buffer.pack("!HH", question.number, _IN)
    for record in (*answers, *authorities):
        record.pack(buffer)
    if reply.chopped:
        return bytes(buffer.data[ID : -reply.chopped])
    for record in others:
        record.pack(buffer)
    return bytes(buffer.data[ID:])


def _opt(question: Question, reply: Reply) -> EDNS0:
    """The OPT that answers the question's own."""
    options = []
    if reply.extended is not None:
        options = [EDNSOption(_EXTENDED_ERROR, reply.extended.to_bytes(2, "big"))]
    return EDNS0(udp_len=OUR_SIZE, flags="do" if question.dnssec_ok else "", opts=options)


def _type_name(qtype: int) -> str:
    """The mnemonic of a type, or TYPEnnn (RFC 3597 section 5)."""
    return str(QTYPE.forward.get(qtype, f"TYPE{qtype}"))


def malformed(octets: bytes) -> bytes | None:
    """FORMERR with the id of what came; None for what is too short, or an answer itself."""
    if len(octets) < HEADER or octets[ID] & _QR >> 8:
        return None
    buffer = DNSBuffer(octets[:ID])
    buffer.pack(_SECTIONS[:1] + _SECTIONS[2:], _QR | _RA | RCODE.FORMERR, 0, 0, 0, 0)
    return bytes(buffer.data)
