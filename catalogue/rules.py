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
KEYWORD_CASE = Rule(
    "RFC 5321", "4.1.1.1", MUST, "keywords are the same in upper, lower and mixed case"
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
NAME_SENT = Rule("RFC 6066", "3", SHOULD, "a client says which server it wants")
NAME_UNKNOWN = Rule(
    "RFC 6066", "3", SHOULD, "a server that does not know the name asked for may refuse by alert"
)
NO_ADDRESS_AS_NAME = Rule("RFC 6066", "3", MUST, "an address is no name to ask for")
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
DNS_ID = Rule("RFC 6125", "6.4.1", MUST, "names are compared label by label, in either case")
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
