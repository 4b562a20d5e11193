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
