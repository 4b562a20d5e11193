"""The rules that the scenarios cite, in our own words, each with its place."""

from model.rule import Level, Rule

PAGE = "Mail Flow Intelligence in Office 365"
MUST, SHOULD, POLICY = Level.MUST, Level.SHOULD, Level.POLICY

P312 = Rule(PAGE, "450 4.4.312", MUST, "a DNS query that fails is reported as such")
P315 = Rule(PAGE, "450 4.4.315", MUST, "a server that does not answer is a time-out")
P316 = Rule(PAGE, "450 4.4.316", MUST, "a connection that is turned away is reported as refused")
P317 = Rule(PAGE, "450 4.4.317", MUST, "a server that errs at once, or lacks what is required")
P318 = Rule(PAGE, "450 4.4.318", MUST, "a connection that breaks off is reported as closed")
P320 = Rule(PAGE, "450 4.7.320", MUST, "a certificate that cannot be validated is reported as such")
OTHER = Rule(PAGE, "other codes", MUST, "the destination server and what it said are named")
EXPIRY = Rule(PAGE, "introduction", MUST, "after its time in the queue, mail returns to its sender")

DNS_TEMPORARY = Rule("RFC 5321", "5.1", MUST, "after a temporary DNS error the message is queued")
DNS_STALE = Rule(
    "RFC 1035", "3.2.1", MUST, "an answer may be kept until its TTL has run, no longer"
)
DNS_TCP = Rule("RFC 7766", "5", MUST, "a truncated answer is asked for again over TCP")
DNS_ID = Rule("RFC 5452", "9.1", MUST, "an answer with another id is no answer")
NO_MX_NEEDED = Rule("Set-OutboundConnector", "SmartHosts", MUST, "an address needs no DNS")
CONNECTOR_OFF = Rule(PAGE, "450 4.4.316", MUST, "a connector that is disabled is used no more")
NEXT_HOST = Rule(
    "RFC 5321", "5.1", MUST, "the addresses are tried in order until one takes the mail"
)
DELIVER = Rule("RFC 5321", "4.2.5", MUST, "after a 250 to the dot the mail is the host's, once")
RETRY = Rule("RFC 5321", "4.5.4.1", MUST, "mail that cannot be sent now is kept and tried again")
AS_451 = Rule("RFC 5321", "3.8", MUST, "a connection that is lost counts as a 451")
DOT = Rule(
    "RFC 1047", "3", MUST, "without the 250 the client must send again; a copy may be double"
)
TRANSIENT = Rule("RFC 5321", "4.2.1", MUST, "4yz: not now; the client should try again")
PERMANENT = Rule("RFC 5321", "4.2.1", MUST, "5yz: the client should not repeat the request")
NULL_SENDER = Rule("RFC 5321", "6.1", MUST, "no notification is sent for mail from the null path")
OPPORTUNISTIC = Rule(
    "Set-OutboundConnector", "TlsSettings", POLICY, "without a setting TLS is used where it works"
)
ENCRYPTION_ONLY = Rule(
    "Set-OutboundConnector", "TlsSettings EncryptionOnly", MUST, "TLS, whatever the certificate"
)
CERTIFICATE_VALIDATION = Rule(
    "Set-OutboundConnector", "TlsSettings CertificateValidation", MUST, "TLS and a trusted chain"
)
DOMAIN_VALIDATION = Rule(
    "Set-OutboundConnector", "TlsSettings DomainValidation", MUST, "and a name that is TlsDomain"
)
CN_FALLBACK = Rule(
    "RFC 6125",
    "6.4.4",
    POLICY,
    "without a dNSName the common name may be looked at as a last resort",
)

# robustness
ONE_END = Rule(
    "RFC 5321", "4.1.1.4", MUST, "only CRLF.CRLF ends a message, on its way in and on its way out"
)
NO_BARE = Rule(
    "RFC 5321",
    "2.3.8",
    MUST,
    "CR and LF are sent together only; how to mend a message is left open",
)
NUL = Rule(
    "RFC 5321", "4.1.1.4", POLICY, "any ASCII octet may come, and control characters mean trouble"
)
TRANSPARENT = Rule(
    "RFC 5321", "4.5.2", MUST, "a dot that begins a line is doubled, and arrives as one"
)
TEXT_LINE = Rule(
    "RFC 5321", "4.5.3.1.6", MUST, "a line of 1000 octets with its CRLF goes through as it is"
)
LONG_LINE = Rule(
    "RFC 5321", "4.5.3.1.6", POLICY, "longer lines are to be avoided; what becomes of them is open"
)
SIZES = Rule(
    "RFC 5321", "4.5.3.1", MUST, "64 octets of local part, 64K of content, 100 recipients must work"
)
BEYOND = Rule("RFC 5321", "4.5.3.1", POLICY, "what is larger may be refused, or go through whole")
EIGHT_BIT = Rule(
    "RFC 6152", "3", MUST, "without 8BITMIME, eight-bit content is converted or returned"
)
EIGHT_BIT_HEADER = Rule(
    "RFC 6532",
    "3.2",
    POLICY,
    "a header beyond ASCII needs SMTPUTF8; older mail has it all the same",
)
INTERNATIONAL = Rule(
    "RFC 6531", "3.2", MUST, "an address beyond ASCII goes only where SMTPUTF8 is offered"
)
LOCAL_PART = Rule(
    "RFC 5321", "2.4", MUST, "a local part means something to its own host only, its case included"
)
QUOTED = Rule("RFC 5321", "4.1.2", MUST, "a quoted local part may hold any printable character")
DOMAIN_CASE = Rule("RFC 5321", "2.4", MUST, "a domain is the same in any case")
NO_DOT_AT_END = Rule(
    "RFC 5321", "4.1.2", POLICY, "a domain has no dot at its end: it may be refused, or mended"
)
ADDRESS_LITERAL = Rule(
    "RFC 5321", "4.1.3", POLICY, "an address in brackets stands for a host; taking it is optional"
)
MESSAGE = Rule("RFC 5322", "3.5", POLICY, "a message is a header, and perhaps a body behind it")
STREAM = Rule(
    "RFC 5321", "4.2", MUST, "a reply is what stands between line ends, however it is cut up"
)
LOOSE_LINES = Rule(
    "RFC 5321", "2.3.8", POLICY, "replies end in CRLF; whether to be content with less is open"
)
REPLY_LENGTH = Rule(
    "RFC 5321", "4.5.3.1.5", POLICY, "a reply line has at most 512 octets; longer ones may be read"
)
IN_TIME = Rule("RFC 5321", "4.5.3.2", POLICY, "a command has a time-out, a reply that drips too")
BOUNDED = Rule(
    "RFC 5321",
    "4.5.3.2.7",
    SHOULD,
    "no server may hold a client for good, and mail is not lost by it",
)
LOCK_STEP = Rule(
    "RFC 5321", "4.2", POLICY, "one command, one reply; what a surplus reply means is left open"
)
GOING_DOWN = Rule("RFC 5321", "3.8", MUST, "a 421 may come at any time, and then the mail is kept")
NOT_YET_SAID = Rule(
    "RFC 5321", "4.2.5", MUST, "only the reply to the final dot hands the message over"
)
KEYWORDS = Rule(
    "RFC 5321", "4.1.1.1", MUST, "keywords have no case, and one that is not known is passed over"
)
EXTENSIONS = Rule("RFC 5321", "2.2.1", MUST, "what is offered may be used, and need not be")
SIZE_KEYWORD = Rule(
    "RFC 1870", "3", MUST, "SIZE without a number, or with 0, says nothing of a limit"
)
NONE_LOST = Rule(
    "RFC 5321", "6.1", MUST, "mail taken is delivered or returned, whatever the host does meanwhile"
)
