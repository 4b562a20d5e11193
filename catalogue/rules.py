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

# The chapters greeting and reply
GREETING = Rule("RFC 5321", "3.1", MUST, "the host opens with 220, or with 554 to take no mail")
NO_MAIL_HERE = Rule("RFC 7504", "3", POLICY, "521 in place of 220: no mail is taken here, ever")
FIRST_DIGIT = Rule(
    "RFC 5321", "4.3.2", MUST, "a code that was not to be expected is taken by its first digit"
)
OUT_OF_RANGE = Rule(
    "RFC 5321",
    "4.2",
    SHOULD,
    "a code that begins with none of 2 to 5 is a fatal error, and ends the transaction",
)
NOT_A_REPLY = Rule(
    "RFC 5321",
    "4.2",
    MUST,
    "a reply is three digits, and a space or hyphen before any text; what a client makes of "
    "anything else is left open, but it is no yes",
)
ONE_CODE = Rule(
    "RFC 5321",
    "4.2.1",
    MUST,
    "each line of a reply has the same code, and a client may go by any of them",
)
ONE_REPLY = Rule(
    "RFC 5321",
    "4.2",
    MUST,
    "each command has exactly one reply; what to do with one that came before is left open",
)
MULTILINE = Rule(
    "RFC 5321", "4.2.1", MUST, "any reply may have several lines; all but the last have a hyphen"
)
MANY_LINES = Rule(
    "RFC 5321", "4.5.3.1", MUST, "a line has a limit, the number of lines of a reply has none"
)
REPLY_LINE = Rule("RFC 5321", "4.5.3.1.5", MUST, "a reply line of 512 octets must be read")
LONG_LINE = Rule(
    "RFC 5321",
    "4.5.3.1.5",
    POLICY,
    "a reply line has 512 octets at most; whether a longer one is read is left open",
)
BARE_CODE = Rule("RFC 5321", "4.2", SHOULD, "a code without text, or without its space, counts")
ANY_TEXT = Rule("RFC 5321", "4.2", MUST, "a client acts by the code alone, whatever the text")
LINE_END = Rule(
    "RFC 5321", "2.3.8", MUST, "a line ends with CRLF; whether a client takes LF is left open"
)
HELO = Rule("RFC 5321", "3.2", SHOULD, "a client whose EHLO is not recognised goes back to HELO")
HELO_OR_NOT = Rule(
    "RFC 5321",
    "4.1.4",
    POLICY,
    "EHLO may be refused for other reasons; whether HELO is then tried is left open",
)
KEYWORDS = Rule(
    "RFC 5321", "4.1.1.1", MUST, "the keywords of an EHLO reply are read in any case of letters"
)
SIZE_ARGUMENT = Rule(
    "RFC 1870", "4", MUST, "SIZE without a number, or with 0, sets no limit that could be checked"
)
GOING_DOWN = Rule(
    "RFC 5321", "3.8", MUST, "421 may come at any time: the host closes, and the mail is kept"
)
AUTHENTICATION = Rule(
    "RFC 4954",
    "6",
    MUST,
    "454 is a failure to authenticate for now, 530 and 535 are for good; a client that cannot log "
    "in takes them by their first digit",
)
PARAMETERS = Rule(
    "RFC 5321", "4.1.1.11", MUST, "455: parameters that cannot be had now; 555: never here"
)
TOO_MANY = Rule(
    "RFC 5321",
    "4.5.3.1.10",
    SHOULD,
    "452 to RCPT, or 552 in its stead, means too many recipients: the others come again later",
)
WRONG_PLACE = Rule(
    "RFC 5321",
    "4.3.2",
    POLICY,
    "3yz and 2yz have their places; what to do with one that is elsewhere is left open",
)
BASIC_CODE = Rule(
    "RFC 2034",
    "4",
    MUST,
    "an enhanced code is of its reply's class, or it is none; the reply's first digit decides",
)
BOGUS_CODE = Rule(
    "RFC 3463", "2", MUST, "an enhanced code has three numbers of three digits, at the beginning"
)
EVERY_RECIPIENT = Rule(
    "RFC 5321", "3.3", MUST, "each RCPT has a reply of its own, and each recipient its own fate"
)
LONE_DOT = Rule(
    "RFC 2920",
    "3.1",
    MUST,
    "a 354 may come although no recipient was taken: then nothing is sent but a dot alone",
)
LIMITS = Rule(
    "RFC 9422", "4.2", SHOULD, "a client keeps to RCPTMAX; one that does not know it meets 452"
)
SIZE_LIMIT = Rule(
    "RFC 1870", "6", MUST, "a message beyond the host's limit is returned, one within it is sent"
)
EIGHT_BITS = Rule(
    "RFC 6152", "3", MUST, "without 8BITMIME content is made seven bits wide, or returned"
)
EIGHT_BITS_SENT = Rule("RFC 6152", "3", MUST, "with 8BITMIME eight bits may be sent")
UNICODE = Rule(
    "RFC 6531", "3.2", MUST, "without SMTPUTF8 mail to such an address is returned, not sent"
)
UNICODE_SENT = Rule("RFC 6531", "3.4", MUST, "with SMTPUTF8 it is sent, and MAIL says so")
NO_DSN_UNASKED = Rule(
    "RFC 3461", "4.1", MUST, "no notification of success is sent unless it was asked for"
)
