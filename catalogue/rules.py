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
LOCAL_FAULT = Rule(
    "RFC 5321",
    "4.5.4.1",
    MUST,
    "what cannot be sent at once is kept and tried again, wherever the obstacle is",
)
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

# dns
DNS_QUESTION = Rule("RFC 5452", "9.1", MUST, "an answer to another question is no answer")
DNS_RESPONSE = Rule(
    "RFC 1035", "7.3", MUST, "a message that claims to be a query is no answer, and is thrown away"
)
DNS_RANK = Rule(
    "RFC 2181", "5.4.1", SHOULD, "what comes unasked in the additional section is never an answer"
)
DNS_BOGUS = Rule(
    "RFC 4035", "5.5", MUST, "data that fails validation is not had, and that looks like SERVFAIL"
)
NO_FALLBACK = Rule(
    "RFC 5321", "5.1", MUST, "the domain's own address is used only where it has no MX record"
)
IMPLICIT_MX = Rule(
    "RFC 5321", "5.1", MUST, "a domain without MX records is its own mail host, by A or AAAA"
)
NONE_USABLE = Rule(
    "RFC 5321", "5.1", MUST, "MX records of which none can be used are an error, and reported"
)
EVERY_ADDRESS = Rule(
    "RFC 5321", "5.1", MUST, "all addresses of a host, A and AAAA, are tried in order"
)
MX_LIMIT = Rule(
    "RFC 5321", "5.1", SHOULD, "at least two addresses are tried; there may be a limit to them"
)
MX_TARGET = Rule(
    "RFC 5321",
    "5.1",
    POLICY,
    "an MX record names a host with addresses; what else it may name is outside of the standard",
)
MX_ORDER = Rule("RFC 5321", "5.1", MUST, "the host with the lowest number is tried first")
MX_EQUAL = Rule("RFC 5321", "5.1", MUST, "hosts of equal preference are taken at random")
MX_SELF = Rule(
    "RFC 5321", "5.1", MUST, "a client among the MX hosts drops itself and what is no better"
)
NULL_MX = Rule("RFC 7505", "3", MUST, "a null MX means that the domain takes no mail, nowhere")
NULL_MX_ALONE = Rule(
    "RFC 7505", "3", POLICY, "a null MX stands alone; what to make of another one is not said"
)
ALIAS = Rule("RFC 5321", "5.1", MUST, "a domain that is an alias is processed as its target")
ALIAS_OF_HOST = Rule(
    "RFC 2181",
    "10.3",
    POLICY,
    "an MX record may not name an alias; a client may follow it all the same",
)
ALIAS_LOOP = Rule(
    "RFC 1034", "3.6.2", MUST, "a loop of aliases, or one that leads nowhere, is an error"
)
ONE_FAMILY = Rule(
    "RFC 4074", "4", POLICY, "name servers err on one type of address; the other may be used"
)
IPV6_HOST = Rule("RFC 5321", "5.1", MUST, "a host with an AAAA record only is reached over IPv6")
ANY_CASE = Rule("RFC 4343", "3", MUST, "the case of a name makes no difference")
LONG_NAME = Rule("RFC 1035", "3.1", MUST, "a label has up to 63 octets, a name 255")
ODD_NAME = Rule(
    "RFC 2181", "11", POLICY, "DNS restricts no label; host names have no underscore (RFC 1123)"
)
A_LABEL = Rule("RFC 5890", "2.3.2.1", MUST, "an A-label is looked up like any other label")
NO_DESTINATION = Rule(
    "RFC 1122",
    "4.2.3.10",
    MUST,
    "to open a connection to a broadcast or multicast address is an error",
)

# session
TIME_OUT = Rule("RFC 5321", "4.5.3.2", MUST, "a reply is waited for until its time-out is over")
ONE_BY_ONE = Rule(
    "RFC 5321", "4.5.3.2", MUST, "each command has a time-out of its own, the transaction has none"
)
TAKES_LEAVE = Rule(
    "RFC 5321", "4.1.1.10", MUST, "a client does not close a connection before it has said QUIT"
)
SHUTS_DOWN = Rule(
    "RFC 5321", "4.2.3", MUST, "a server that shuts down may say 421 to any command; 4yz: try again"
)
# connect
EACH_ATTEMPT = Rule(PAGE, "Last error", MUST, "what is shown is what the newest attempt met")
GREETING_FIRST = Rule(
    "RFC 5321", "4.3.1", SHOULD, "the client waits for a greeting before it says anything"
)
PER_COMMAND = Rule(
    "RFC 5321",
    "4.5.3.2",
    MUST,
    "a time-out is for each command; whether octets that trickle in begin it anew is left open",
)
FALLBACK = Rule(
    "RFC 5321",
    "2.1",
    POLICY,
    "whom a client hands mail to is its own matter: a relay for what no regular host takes for now",
)
PROXY = Rule(
    "RFC 1928", "3", POLICY, "a client behind a firewall connects to hosts by the proxy named to it"
)
PROXY_REFUSES = Rule(
    "RFC 1928", "6", MUST, "a reply other than 00 is a failure, and the connection comes to nothing"
)
FALLBACK_NOWHERE = Rule(
    "RFC 5321",
    "5.1",
    POLICY,
    "a domain that does not exist is an error; whether a fallback relay is asked first is left open",
)
TOO_MANY = Rule(
    "RFC 5321", "3.8", MUST, "a 421 may come at any time; what it turned away is tried again"
)
SOURCE = Rule(
    "Set-SendConnector", "SourceIPAddress", MUST, "connections come from the address that is named"
)
BLACK_HOLE = Rule(
    "RFC 2923",
    "2.1",
    MUST,
    "where no ICMP comes back a large segment is never acknowledged; the time-out has to end it",
)

# middlebox
ASA = "Cisco ASA Series Firewall CLI Configuration Guide"
CODE_NOT_TEXT = Rule(
    "RFC 5321", "4.2", MUST, "what a client does follows from a reply's code, not from its text"
)
BATCHES = Rule(
    "RFC 5321",
    "4.5.3.1.8",
    POLICY,
    "100 recipients must be taken; more in one transaction may be too many, and fewer are safe",
)
PIPELINE = Rule(
    "RFC 2920", "3.1", MUST, "commands go in groups only to a server that has said PIPELINING"
)
PIPELINE_LOST = Rule(
    "RFC 2920",
    "3.1",
    POLICY,
    "a client may send in groups where it is offered, or wait for each reply; both are right",
)
CHUNKS = Rule("RFC 3030", "2", MUST, "BDAT is for servers that have said CHUNKING")
CHUNKS_OR_DATA = Rule(
    "RFC 3030", "2", POLICY, "where CHUNKING is offered a client may use BDAT, or DATA as ever"
)
GREETED_FIRST = Rule(
    "RFC 5321", "4.1.4", MUST, "without an EHLO or HELO that the host has heard there is no mail"
)
UNKNOWN_CODE = Rule(
    "RFC 5321", "4.3.2", MUST, "a code that is unknown is taken by its first digit alone"
)
MAILGUARD = Rule(
    "Microsoft KB 295725",
    "Mailguard",
    POLICY,
    "a dot that comes in two packets is lost; the message waits, and goes once this is turned off",
)
ASA_DEFAULTS = Rule(
    ASA,
    "Defaults for ESMTP inspection",
    POLICY,
    "greeting and unknown capabilities are masked, STARTTLS is removed; all else goes as before",
)
ASA_COMMANDS = Rule(
    ASA,
    "ESMTP inspection",
    POLICY,
    "a command that is not supported becomes a row of X, and the server objects to it",
)
ASA_COMMAND_LENGTH = Rule(
    ASA, "match cmd line length", POLICY, "a longer command (default: 512) costs the connection"
)
ASA_RECIPIENTS = Rule(
    ASA, "match cmd RCPT count", POLICY, "one more (default: 100) costs the connection"
)
ASA_SENDER = Rule(
    ASA, "match sender-address length", POLICY, "a longer one (default: 320) costs the connection"
)
ASA_HEADER = Rule(ASA, "match header length", POLICY, "a longer header costs the connection")
ASA_FILENAME = Rule(
    ASA, "match MIME filename length", POLICY, "a longer one (default: 255) costs the connection"
)
ASA_IDLE = Rule(
    ASA,
    "set connection timeout idle",
    POLICY,
    "a connection on which nothing passes is forgotten, and reset only if so configured",
)
BLOCKED = Rule(
    "Palo Alto Networks PAN-OS",
    "Antivirus profile, smtp: reset-both",
    POLICY,
    "content that is not liked costs the connection; with 541 the sender is told why",
)
SPLICE = Rule(
    "Fortinet FortiOS",
    "splice",
    POLICY,
    "a message is scanned while it passes; one that is not liked gets an error in the host's place",
)
DEEP_INSPECTION = Rule(
    "Fortinet FortiOS",
    "SSL deep inspection",
    POLICY,
    "the box ends TLS with a certificate of its own, and reads what is in it",
)

# hosts
ORDER = Rule("RFC 5321", "5.1", MUST, "a host's addresses are tried before the next host's")
PREFERENCE = Rule(
    "RFC 5321", "5.1", MUST, "MX hosts are sorted by their numbers, and the lowest is the best"
)
MX_ONLY = Rule(
    "RFC 5321",
    "5.1",
    MUST,
    "the list of hosts is what the route or the MX records give; nothing else takes their place",
)
HOST_REFUSES = Rule(
    "RFC 5321",
    "5.1",
    SHOULD,
    "the next host is tried; whether a 5yz before MAIL ends the matter (section 4.2.1) is left open",
)
IN_TRANSACTION = Rule(
    "RFC 5321",
    "5.1",
    SHOULD,
    "the next host is tried until one takes the mail; after a failure in the transaction a later "
    "attempt will do as well (section 4.2.1)",
)
NOT_TWICE = Rule(
    "RFC 5321", "4.5.4.1", MUST, "only the recipients that have not been taken are tried again"
)
ERROR_OF_WHICH = Rule(
    "RFC 5321",
    "5.1",
    POLICY,
    "if no host takes the mail it is kept; which host's failure is reported is left open",
)
EACH_ATTEMPT_ANEW = Rule(
    "RFC 5321", "5.1", MUST, "each attempt looks the hosts up, and begins with the best"
)
LIMIT = Rule(
    "RFC 5321",
    "5.1",
    MUST,
    "each address is tried in its turn; their number may be limited, but not to fewer than two",
)

# The chapters greeting and reply
GREETING = Rule("RFC 5321", "3.1", MUST, "the host opens with 220, or with 554 to take no mail")
OWN_NAME = Rule(
    "RFC 5321", "2.3.5", MUST, "a client gives its full host name in EHLO, and no local alias"
)
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
TOO_MANY_RECIPIENTS = Rule(
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


def provider(document: str, section: str) -> Rule:
    """What a provider's own page of codes is cited for."""
    words = "the class of the reply says if the mail is kept, and its words are passed on"
    return Rule(document, section, MUST, words)


# tls
STARTTLS_REPLY = Rule(
    "RFC 3207", "4", POLICY, "without a 220 the client decides whether to go on in clear"
)
STARTTLS_CODE = Rule(
    "RFC 5321", "4.2.1", SHOULD, "a client that knows no better goes by a reply's first digit"
)
STARTTLS_DISCARD = Rule(
    "RFC 3207", "4.2", MUST, "what a server said before the handshake is forgotten"
)
STARTTLS_ONCE = Rule("RFC 3207", "4.2", MUST, "within TLS the client does not start TLS again")
STARTTLS_DEMANDED = Rule(
    "RFC 3207", "4", MUST, "530 to all but a few commands: TLS has to be started first"
)
OLD_VERSIONS = Rule("RFC 8996", "4 and 5", MUST, "neither TLS 1.0 nor TLS 1.1 is negotiated")
OLD_IS_BETTER = Rule(
    "RFC 9325", "5.2", POLICY, "where TLS is only a wish, an old version is better than none"
)
NEW_VERSIONS = Rule("RFC 9325", "3.1.1", MUST, "TLS 1.2 is supported, and 1.3 should be")
DH_LENGTH = Rule(
    "RFC 9325", "4.5", MUST, "Diffie-Hellman keys have 2,048 bits; who refuses others is left open"
)
NO_CLIENT_CERTIFICATE = Rule(
    "RFC 8446", "4.4.2", MUST, "a client without a certificate says so, and the server decides"
)
CLIENT_DEMANDED = Rule(
    "RFC 8446",
    "4.4.2.4",
    MUST,
    "a server may refuse a client without a certificate, who may take the handshake for done",
)
CLIENT_SHOWS = Rule(
    "RFC 8446", "4.4.2", MUST, "a client that is asked for its certificate sends the one it has"
)
NAME_SENT = Rule("RFC 6066", "3", SHOULD, "a client says which server it wants")
NAME_UNKNOWN = Rule(
    "RFC 6066", "3", SHOULD, "a server that does not know the name asked for may refuse by alert"
)
NO_ADDRESS_AS_NAME = Rule("RFC 6066", "3", MUST, "an address is no name to ask for")
RESUMPTION = Rule(
    "RFC 8446",
    "2.2",
    SHOULD,
    "who offers a session is ready for a full handshake, should the host decline it",
)
CLOSE_NOTIFY = Rule(
    "RFC 8446", "6.1", MUST, "close_notify ends what its sender has to say; what follows is ignored"
)
NO_IMPLICIT = Rule(
    "RFC 8314", "3.3", MUST, "TLS from the first octet has ports of its own, not that for relaying"
)

# certificate
AT_ALL_TIMES = Rule("RFC 5280", "6.1.3", MUST, "every certificate of the path is in its time")
SIGNATURE = Rule("RFC 5280", "6.1.3", MUST, "every signature of the path verifies")
PURPOSE = Rule(
    "RFC 5280", "4.2.1.12", MUST, "a certificate is for the purposes that it names and no others"
)
KEY_USE = Rule(
    "RFC 5280", "4.2.1.3", MUST, "a key is used for what its certificate allows, if it says so"
)
KEY_SIGNS = Rule(
    "RFC 8446", "4.4.2.2", MUST, "a key signs handshakes; TLS itself may refuse one that may not"
)
ONLY_AUTHORITIES = Rule("RFC 5280", "6.1.4", MUST, "who issues certificates is marked as authority")
PATH_LENGTH = Rule("RFC 5280", "4.2.1.9", MUST, "no more authorities follow than one allows")
CONSTRAINTS = Rule("RFC 5280", "4.2.1.10", MUST, "an authority issues within its name constraints")
CRITICAL = Rule(
    "RFC 5280", "4.2", MUST, "an unknown critical extension makes a certificate useless"
)
NOT_REVOKED = Rule("RFC 5280", "6.1.3", MUST, "no certificate of the path is revoked")
STATUS_UNKNOWN = Rule(
    "RFC 5280", "6.3.3", POLICY, "where no list of today can be had, the status is undetermined"
)
ANY_ORDER = Rule(
    "RFC 8446", "4.4.2", SHOULD, "superfluous certificates, and any order behind the first, do"
)
ANY_PATH = Rule("RFC 4158", "1.2", SHOULD, "one good path is enough, whatever others there are")
LONG_PATH = Rule(
    "RFC 5280", "6.1", POLICY, "no length of a path is too long, but software has its limits"
)
LARGE = Rule(
    "RFC 8446", "4.4.2", POLICY, "certificates may have megabytes, but software has its limits"
)
NAMES_IN_EITHER_CASE = Rule(
    "RFC 6125", "6.4.1", MUST, "names are compared label by label, in either case"
)
A_LABELS = Rule("RFC 6125", "6.4.2", MUST, "internationalised names are compared as A-labels")
NO_CN_BESIDE = Rule(
    "RFC 6125", "6.4.4", MUST, "the common name is not looked at where there is a dNSName"
)
WILDCARD_LABEL = Rule("RFC 9525", "6.3", MUST, "a wildcard is the whole first label, and one label")
WILDCARD_PART = Rule(
    "RFC 9525", "6.3", POLICY, "a wildcard within a label counts no more; RFC 6125 let it count"
)
WHOLE_NAME = Rule("RFC 5280", "4.2.1.6", MUST, "a name ends where its encoding says, not at a NUL")
NO_NAME = Rule("RFC 6125", "6.3", MUST, "without a name there is nothing to find the wanted one in")
ADDRESS = Rule("RFC 5280", "4.2.1.6", MUST, "an address among the names stands for no name")
TLS_DOMAIN = Rule(
    "Set-OutboundConnector", "TlsDomain", MUST, "the name looked for is TlsDomain, not the host's"
)
KEY_LENGTH = Rule(
    "RFC 9325", "4.5", POLICY, "RSA keys have 2,048 bits; who refuses others is left open"
)
NO_SHA1 = Rule("RFC 8446", "4.4.2.4", SHOULD, "who validates a SHA-1 signature should refuse it")
OTHER_KEYS = Rule(
    "RFC 8446", "9.1", POLICY, "RSA and P-256 are for all to know, other keys for whoever wants"
)
STAPLE = Rule(
    "RFC 7633",
    "4",
    POLICY,
    "who knows the extension misses what it promises; others may not know it",
)
EVERY_ATTEMPT = Rule(
    "RFC 5321", "4.5.4.1", MUST, "each attempt is a new one, and sees the host as it is by then"
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
LONG_TEXT_LINE = Rule(
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
NOT_YET_SAID = Rule(
    "RFC 5321", "4.2.5", MUST, "only the reply to the final dot hands the message over"
)
UNKNOWN_KEYWORD = Rule(
    "RFC 5321", "4.1.1.1", MUST, "keywords have no case, and one that is not known is passed over"
)
EXTENSIONS = Rule("RFC 5321", "2.2.1", MUST, "what is offered may be used, and need not be")
NONE_LOST = Rule(
    "RFC 5321", "6.1", MUST, "mail taken is delivered or returned, whatever the host does meanwhile"
)

# queue
REPAIRED_IN_TIME = Rule(
    PAGE, "introduction", MUST, "what is mended before the end is delivered, and none is told"
)
DELAY_NOTICE = Rule(
    "Set-TransportConfig",
    "DelayNotificationTimeout",
    POLICY,
    "once mail has waited for the time that is configured, its sender is told, and not before",
)
DELAY_ONCE = Rule(
    "Set-TransportConfig", "DelayNotificationTimeout", POLICY, "the notice of delay comes once"
)
LAST_ERROR = Rule(PAGE, "Last error", MUST, "the NDR tells of the last failure, not of the first")
GIVES_UP_ONCE = Rule(
    "RFC 5321", "4.5.4.1", MUST, "mail is given up by its age, however often it has been tried"
)
NOT_AT_ONCE = Rule(
    "RFC 5321", "4.5.4.1", MUST, "after a failure the client waits before it tries the host again"
)
STRATEGY = Rule(
    "RFC 5321", "4.5.4.1", MUST, "retries go on, every few hours, until mail is sent or given up"
)
PROFILE = Rule(
    "RFC 5321",
    "4.5.4.1",
    POLICY,
    "the schedule of retries is the agent's; it is the one that its own documents state",
)
ONE_QUEUE_EACH = Rule(
    "RFC 5321",
    "4.5.4.1",
    SHOULD,
    "a host that is down is known to be, and holds up no other's mail",
)
HOPS = Rule("RFC 5321", "6.3", SHOULD, "who counts hops lets a hundred pass: fewer may be no loop")
HOPS_LIMIT = Rule(
    "RFC 5321",
    "6.3",
    MUST,
    "loops are found, by Received fields or otherwise, and mail is returned",
)

# notices
DSN_NEVER = Rule("RFC 3461", "4.1", MUST, "NOTIFY=NEVER: nothing is sent, whatever happens")
DSN_FAILURE_ONLY = Rule(
    "RFC 3461", "4.1", MUST, "NOTIFY=FAILURE: told of a failure, and of nothing else"
)
DSN_SUCCESS_ONLY = Rule("RFC 3461", "4.1", MUST, "without FAILURE in NOTIFY no failure is told")
DSN_DELAY = Rule(
    "RFC 3461", "4.1", MUST, "told of a delay if DELAY is named, or NOTIFY left out; else not"
)
DSN_RELAYED = Rule(
    "RFC 3461", "5.2.2", MUST, "past a host without DSN, who asked for SUCCESS hears of `relayed`"
)
DSN_PASSED_ON = Rule(
    "RFC 3461", "5.2.1", MUST, "a host that offers DSN is given what the sender gave, unchanged"
)
DSN_NOT_OFFERED = Rule("RFC 5321", "2.2.1", MUST, "what a host does not offer is not used")
DSN_RET = Rule("RFC 3461", "4.3", MUST, "RET says whether the whole message comes back")
DSN_ENVID = Rule("RFC 3464", "2.2.1", MUST, "Original-Envelope-Id is ENVID, decoded from xtext")
DSN_ORCPT = Rule("RFC 3464", "2.3.1", MUST, "Original-Recipient is ORCPT, decoded from xtext")
NO_NDR_FOR_NDR = Rule(
    "RFC 5321", "4.5.5", MUST, "a notification has the null path, so that none is sent about it"
)

# restart
NOT_LOST = Rule(
    "RFC 5321", "6.1", MUST, "mail that was taken is not lost because the host crashes afterwards"
)
HALF = Rule(
    "RFC 5321",
    "4.1.1.4",
    MUST,
    "mail is taken when its end has been received, whole, and not before",
)
NOT_TWICE_AFTER_RESTART = Rule(
    "RFC 5321", "4.2.5", MUST, "what a host has taken is its own: a restart does not send it again"
)

# spool
NOT_LOST_FOR_SHORTAGE = Rule(
    "RFC 5321",
    "6.1",
    MUST,
    "mail that was taken is not lost to a shortage that could be foreseen, such as a full disk",
)
NO_ROOM = Rule(
    "RFC 5321",
    "4.3.2",
    MUST,
    "who has no room for mail does not take it, and says 452, so that its client comes again",
)

# remedy
FIX_312 = Rule(PAGE, "450 4.4.312, fix", MUST, "once DNS answers again, what waits is sent")
FIX_315 = Rule(PAGE, "450 4.4.315, fix", MUST, "once the server can be reached, what waits is sent")
FIX_316 = Rule(
    PAGE, "450 4.4.316, fix", MUST, "the firewall is opened, or the connector is switched off"
)
FIX_317 = Rule(PAGE, "450 4.4.317, fix", MUST, "TLS of the server or of the connector is set right")
FIX_318 = Rule(
    PAGE, "450 4.4.318, fix", MUST, "inspection is switched off, or the server is mended"
)
FIX_320 = Rule(
    PAGE, "450 4.7.320, fix", MUST, "the certificate or the connector's TLS setting is corrected"
)
