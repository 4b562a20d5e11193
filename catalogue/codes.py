"""What hosts answer at each stage of a transaction, code by code.

The first digit decides what becomes of the mail (RFC 5321 section 4.2.1). What a code means
depends on where it is said; the texts are such as servers use there, some with an enhanced code
and some without.
"""

from catalogue.rules import (
    AUTHENTICATION,
    FIRST_DIGIT,
    GOING_DOWN,
    NO_MAIL_HERE,
    PARAMETERS,
    PERMANENT,
    TRANSIENT,
)
from model.rule import Rule
from model.smtp import Stage

TO = {Stage.MAIL: "MAIL", Stage.RCPT: "RCPT", Stage.DATA: "DATA", Stage.DOT: "the final dot"}

Cells = tuple[tuple[str, str], tuple[str, str], tuple[str, str], tuple[str, str]]
GRID: dict[str, tuple[Rule, Cells]] = {
    "421": (
        GOING_DOWN,
        (
            ("it goes down for maintenance, and closes", "4.3.2 System going down"),
            ("too much has come for this mailbox, and it closes", "4.7.1 Excessive volume"),
            ("it has lost patience, and closes", "4.4.2 mx1 Error: timeout exceeded"),
            ("it runs out of memory, and closes", "Insufficient memory, closing connection"),
        ),
    ),
    "430": (
        FIRST_DIGIT,
        (
            ("it verifies senders first; a code in no list", "Sender is being verified"),
            ("the mailbox is on the move; a code in no list", "4.2.0 Mailbox is being moved"),
            ("it is not ready yet; a code in no list", "Store is being mounted"),
            ("it cannot store now; a code in no list", "4.2.0 Store is not available"),
        ),
    ),
    "450": (
        TRANSIENT,
        (
            ("it cannot look the sender's domain up", "4.1.8 Sender domain not found"),
            ("the mailbox is busy", "4.2.1 Mailbox busy"),
            ("its policy is not now", "4.7.1 Service currently unavailable by policy"),
            ("it wants to think about the content", "4.7.0 Content under inspection"),
        ),
    ),
    "451": (
        TRANSIENT,
        (
            ("it has a local error", "4.3.0 Try again later"),
            ("its directory does not answer", "Temporary local problem - please try later"),
            ("it is not accepting content now", "4.3.2 Not now"),
            ("its virus scanner does not answer", "4.7.1 Service unavailable - try again later"),
        ),
    ),
    "452": (
        TRANSIENT,
        (
            ("its disk is full", "4.3.1 Insufficient system storage"),
            ("the mailbox is full for now", "4.2.2 Mailbox is over quota"),
            ("there is no room for content", "Requested action not taken: no system storage"),
            ("the content did not fit", "4.3.1 Insufficient system storage"),
        ),
    ),
    "453": (
        FIRST_DIGIT,
        (
            ("it is not accepting messages", "4.3.2 Incapable of accepting messages now"),
            ("no mail is waiting, as if this were ATRN", "You have no mail"),
            ("it is not accepting messages any more", "4.3.2 System not accepting messages"),
            ("the session has lasted too long", "4.3.2 Session open for too long"),
        ),
    ),
    "454": (
        AUTHENTICATION,
        (
            ("it cannot authenticate anybody now", "4.7.0 Temporary authentication failure"),
            ("it does not relay for now", "4.7.1 Relay access denied"),
            ("it cannot have TLS now", "TLS not available due to temporary reason"),
            ("it could not verify the client", "4.7.0 Temporary authentication failure"),
        ),
    ),
    "455": (
        PARAMETERS,
        (
            ("it cannot do the parameters now", "4.5.4 Unable to accommodate parameters"),
            ("it says so of too many recipients", "4.5.3 Too many recipients."),
            ("it cannot do them after all", "Server unable to accommodate parameters"),
            ("it could not look a policy up", "4.7.0 DMARC policy lookup failed"),
        ),
    ),
    "500": (
        PERMANENT,
        (
            ("it has not understood", "5.5.2 Syntax error, command unrecognized"),
            ("the line is too long for it", "5.5.2 Line too long"),
            ("it knows no DATA", '5.5.1 Command unrecognized: "DATA"'),
            ("a line of the content is too long for it", "Line too long"),
        ),
    ),
    "501": (
        PERMANENT,
        (
            ("the sender's address is malformed", "5.1.7 Bad sender address syntax"),
            ("the recipient's address is malformed", "5.1.3 Bad recipient address syntax"),
            ("it has seen an argument to DATA", "5.5.4 Syntax: DATA"),
            ("the header is malformed", "Syntax error in parameters or arguments"),
        ),
    ),
    "502": (
        PERMANENT,
        (
            ("it has no MAIL", "5.5.1 Command not implemented"),
            ("it has no relaying", "5.5.1 Relaying is not implemented"),
            ("it has no DATA", "Command not implemented"),
            ("it cannot do what the content asks for", "5.5.1 Not implemented"),
        ),
    ),
    "503": (
        PERMANENT,
        (
            ("it believes to be in a transaction", "5.5.1 Error: nested MAIL command"),
            ("it has forgotten the sender", "5.5.1 Error: need MAIL command"),
            ("it has forgotten the recipients", "5.5.1 Error: need RCPT command"),
            ("it has lost its place", "Bad sequence of commands"),
        ),
    ),
    "504": (
        PERMANENT,
        (
            ("it cannot do a parameter", "5.5.4 Command parameter not implemented"),
            ("it wants a full name in EHLO", "5.5.2 Helo command rejected: need FQDN"),
            ("it has found a parameter", "Command parameter not implemented"),
            ("it lacks a security feature", "5.7.4 Security features not supported"),
        ),
    ),
    "521": (
        NO_MAIL_HERE,
        (
            ("it takes no mail at all", "5.3.2 Host does not accept mail"),
            ("the mailbox takes no mail", "5.2.1 Mailbox does not accept mail"),
            ("it has blocked the client meanwhile", "5.7.1 Service unavailable; blocked"),
            ("it remembers that it takes no mail", "mx1 does not accept mail"),
        ),
    ),
    "530": (
        AUTHENTICATION,
        (
            ("it wants a login", "5.7.57 Client not authenticated to send mail"),
            ("it wants a login for this recipient", "SMTP authentication is required."),
            ("it wants TLS first, and says so late", "5.7.0 Must issue a STARTTLS command first"),
            ("it wants a login after all", "5.7.0 Authentication required"),
        ),
    ),
    "535": (
        AUTHENTICATION,
        (
            ("nobody has logged in, and it failed", "5.7.8 Authentication credentials invalid"),
            ("it has heard of AUTH", "Authentication not allowed on IBSMTP Servers. IB401"),
            ("it is not convinced", "5.7.3 Authentication unsuccessful"),
            ("basic authentication is off", "5.7.139 Authentication unsuccessful"),
        ),
    ),
    "550": (
        PERMANENT,
        (
            ("it does not want the sender", "5.7.1 Sender not wanted"),
            ("there is no such user", "5.1.1 No such user"),
            ("it prohibits content", "Administrative prohibition"),
            ("it has looked at the content", "5.7.1 Content rejected"),
        ),
    ),
    "551": (
        PERMANENT,
        (
            ("the sender is none of its users", "5.7.1 Sender is not local"),
            ("the user is elsewhere", "5.1.6 User not local; please try <user@elsewhere.example>"),
            ("it does not relay", "5.7.1 We do not relay"),
            ("the user turns out to be elsewhere", "User not local"),
        ),
    ),
    "552": (
        PERMANENT,
        (
            ("the message is announced too large", "5.3.4 Message size exceeds fixed limit"),
            ("too many recipients, to be taken as 452", "5.5.3 Too many recipients"),
            ("the storage is used up", "Requested mail action aborted: exceeded storage"),
            ("the message was too large", "5.3.4 Error: message file too big"),
        ),
    ),
    "553": (
        PERMANENT,
        (
            ("the sender's domain does not exist", "5.1.8 Domain of sender does not exist"),
            ("the domain is not its own, as qmail says it", "not in my list (#5.7.1)"),
            ("the sender may not use the address", "5.7.1 Sender address rejected: not owned"),
            ("the address in From is not allowed", "Mailbox name not allowed"),
        ),
    ),
    "554": (
        PERMANENT,
        (
            ("the client is on a block list", "5.7.1 Client host blocked using zen.spamhaus.org"),
            ("it does not relay", "5.7.1 Relay access denied"),
            ("it counts no recipients", "5.5.1 Error: no valid recipients"),
            ("the transaction failed", "Transaction failed"),
        ),
    ),
    "555": (
        PARAMETERS,
        (
            ("it does not know a parameter", "5.5.4 Unsupported option: SIZE"),
            ("it does not know a parameter, as qmail says it", "syntax error (#5.5.4)"),
            ("it thinks of parameters late", "5.5.4 Parameters not recognized"),
            ("it has found bad syntax", "5.5.2 Syntax error, goodbye"),
        ),
    ),
    "556": (
        NO_MAIL_HERE,
        (
            ("the sender's domain takes no mail", "5.7.27 Sender address has null MX"),
            ("the recipient's domain takes no mail", "5.1.10 Recipient address has null MX"),
            ("the domain takes no mail after all", "Domain does not accept mail"),
            ("it has found out that the domain takes no mail", "5.1.10 Domain has null MX"),
        ),
    ),
}
"""By code: the rule, and for MAIL, RCPT, DATA and the dot what the code means there, and a text."""
