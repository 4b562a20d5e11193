"""DNS messages to and from octets (RFC 1035 section 4, RFC 6891); dnslib does the octets.

Nothing here knows zones or faults: a `Question` comes in, a `Reply` goes out.
"""

from dataclasses import dataclass

from dnslib import EDNS0, QTYPE, RCODE, DNSHeader, DNSQuestion, DNSRecord

from fakes.zones import PARSE_ERRORS, parsed

PLAIN_LIMIT = 512
"""Octets that a UDP answer may have without EDNS (RFC 1035 section 4.2.1)."""
OUR_SIZE = 1232
"""The UDP size that our own OPT announces."""
HEADER = 12
"""Octets of a message's header."""
_QR = 0x80
_IN = 1
_DO = 0x8000


@dataclass(frozen=True, slots=True)
class Question:
    """A query as received. `name` is lower case without the trailing dot; the root is empty."""

    name: str
    qtype: str
    message: DNSRecord
    edns: bool
    limit: int
    """Octets that an answer over UDP may have."""
    dnssec_ok: bool


@dataclass(frozen=True, slots=True)
class Reply:
    """What to say: absolute lines for the answer and, for a negative one, the SOA."""

    rcode: str
    records: tuple[str, ...] = ()
    soa: str | None = None
    truncated: bool = False
    wrong_id: bool = False


def read(octets: bytes) -> Question | None:
    """The question in a message; None if it is not a standard query for one name."""
    try:
        message = DNSRecord.parse(octets)
    except PARSE_ERRORS:
        return None
    head = message.header
    if head.qr or head.opcode or len(message.questions) != 1 or message.q.qclass != _IN:
        return None
    opt = next((rr for rr in message.ar if rr.rtype == QTYPE.OPT), None)
    return Question(
        name=b".".join(message.q.qname.label).decode("ascii", "backslashreplace").lower(),
        qtype=_type_name(message.q.qtype),
        message=message,
        edns=opt is not None,
        limit=max(PLAIN_LIMIT, opt.rclass) if opt else PLAIN_LIMIT,
        dnssec_ok=bool(opt and opt.ttl & _DO),
    )


def write(question: Question, reply: Reply) -> bytes:
    """The octets of an answer: a recursive resolver's, so RA is set, AA and AD are clear."""
    asked = question.message
    head = DNSHeader(
        id=asked.header.id ^ 0xFFFF if reply.wrong_id else asked.header.id,
        qr=1,
        aa=0,
        tc=int(reply.truncated),
        rd=asked.header.rd,
        ra=1,
        rcode=getattr(RCODE, reply.rcode),
    )
    head.cd = asked.header.cd
    message = DNSRecord(head, q=DNSQuestion(asked.q.qname, asked.q.qtype))
    message.add_answer(*map(parsed, reply.records))
    if reply.soa is not None:
        message.add_auth(parsed(reply.soa))
    if question.edns:
        message.add_ar(EDNS0(udp_len=OUR_SIZE, flags="do" if question.dnssec_ok else ""))
    return bytes(message.pack())


def _type_name(qtype: int) -> str:
    """The mnemonic of a type, or TYPEnnn (RFC 3597 section 5)."""
    return str(QTYPE.forward.get(qtype, f"TYPE{qtype}"))


def malformed(octets: bytes) -> bytes | None:
    """FORMERR with the id of what came; None for what is too short, or an answer itself."""
    if len(octets) < HEADER or octets[2] & _QR:
        return None
    head = DNSHeader(id=int.from_bytes(octets[:2], "big"), qr=1, aa=0, ra=1, rcode=RCODE.FORMERR)
    return bytes(DNSRecord(head).pack())
