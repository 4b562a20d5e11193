"""The wording of large providers, as they publish it or as it is seen in many notices."""

from model.rule import Level, Rule
from model.smtp import Stage


def _page(document: str, section: str) -> Rule:
    """What a provider's own page of codes is cited for."""
    words = "the class of the reply says if the mail is kept, and its words are passed on"
    return Rule(document, section, Level.MUST, words)


GMAIL = _page("Google Workspace Help", "SMTP errors and codes")
YAHOO = _page("Yahoo Sender Hub", "SMTP error codes")
OUTLOOK = _page("Outlook.com Postmaster", "Troubleshooting")
EXCHANGE = _page("Exchange Online", "Email non-delivery reports")
ICLOUD = _page("Apple Support", "Postmaster information for iCloud Mail")
GMX = _page("GMX Postmaster", "Error messages")
SPAMHAUS = _page("Spamhaus", "DNSBL usage FAQ")
MIMECAST = _page("Mimecast", "SMTP error codes")
COX = _page("Cox", "Email error codes")
GODADDY = _page("GoDaddy Help", "Email bounceback error codes")

PROVIDERS: dict[str, tuple[Rule, Stage, str, str]] = {
    "gmail.rate": (
        GMAIL,
        Stage.DOT,
        (
            "421-4.7.28 Gmail has detected an unusual rate of mail originating from your IP\n"
            "421-4.7.28 address. Mail sent from it has been temporarily rate limited.\n"
            "421 4.7.28 See Email sender guidelines - gsmtp"
        ),
        "unusual rate",
    ),
    "gmail.too-quickly": (
        GMAIL,
        Stage.RCPT,
        (
            "450-4.2.1 The user you are trying to contact is receiving mail too quickly.\n"
            "450 4.2.1 Please resend your message at a later time. - gsmtp"
        ),
        "too quickly",
    ),
    "gmail.over-quota": (
        GMAIL,
        Stage.RCPT,
        (
            "452-4.2.2 The recipient's inbox is out of storage space. Please direct the\n"
            "452 4.2.2 recipient to the help pages. - gsmtp"
        ),
        "out of storage",
    ),
    "gmail.unknown": (
        GMAIL,
        Stage.RCPT,
        (
            "550-5.1.1 The email account that you tried to reach does not exist. Please try\n"
            "550 5.1.1 double-checking the address for typos. - gsmtp"
        ),
        "does not exist",
    ),
    "gmail.unauthenticated": (
        GMAIL,
        Stage.DOT,
        (
            "550-5.7.26 This mail has been blocked because the sender is unauthenticated.\n"
            "550 5.7.26 Gmail requires SPF or DKIM. - gsmtp"
        ),
        "sender is unauthenticated",
    ),
    "gmail.size": (
        GMAIL,
        Stage.DOT,
        "552-5.2.3 Your message exceeded Google's message size limits.\n552 5.2.3 - gsmtp",
        "size limits",
    ),
    "yahoo.tss04": (
        YAHOO,
        Stage.MAIL,
        (
            "421 4.7.0 [TSS04] Messages from 192.0.2.25 temporarily deferred due to unexpected "
            "volume or user complaints - 4.16.55.1"
        ),
        "[TSS04]",
    ),
    "yahoo.tss09": (
        YAHOO,
        Stage.MAIL,
        (
            "553 5.7.2 [TSS09] All messages from 192.0.2.25 will be permanently deferred; "
            "Retrying will NOT succeed."
        ),
        "[TSS09]",
    ),
    "yahoo.policy": (
        YAHOO,
        Stage.DOT,
        "554 5.7.9 Message not accepted for policy reasons.",
        "policy reasons",
    ),
    "yahoo.no-account": (
        YAHOO,
        Stage.DOT,
        "554 delivery error: dd This user doesn't have a yahoo.com account (user@yahoo.com)",
        "doesn't have a yahoo.com account",
    ),
    "outlook.s3140": (
        OUTLOOK,
        Stage.MAIL,
        (
            "550 5.7.1 Unfortunately, messages from [192.0.2.25] weren't sent. Please contact your "
            "Internet service provider since part of their network is on our block list (S3140)."
        ),
        "S3140",
    ),
    "outlook.rate": (
        OUTLOOK,
        Stage.MAIL,
        (
            "421 RP-001 The mail server IP connecting to Outlook.com server has exceeded the rate "
            "limit allowed."
        ),
        "RP-001",
    ),
    "outlook.unavailable": (
        OUTLOOK,
        Stage.RCPT,
        "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302).",
        "mailbox unavailable",
    ),
    "exchange.busy": (
        EXCHANGE,
        Stage.RCPT,
        "451 4.7.500 Server busy. Please try again later from [192.0.2.25]. (S77719)",
        "S77719",
    ),
    "exchange.denied": (
        EXCHANGE,
        Stage.RCPT,
        "550 5.4.1 Recipient address rejected: Access denied.",
        "Access denied",
    ),
    "exchange.unknown": (
        EXCHANGE,
        Stage.RCPT,
        "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
        "RecipientNotFound",
    ),
    "exchange.regions": (
        EXCHANGE,
        Stage.RCPT,
        "452 4.5.3 Recipients belong to multiple regions ATTR38",
        "ATTR38",
    ),
    "exchange.hops": (
        EXCHANGE,
        Stage.DOT,
        "554 5.4.14 Hop count exceeded - possible mail loop ATTR34",
        "ATTR34",
    ),
    "icloud.volume": (
        ICLOUD,
        Stage.RCPT,
        "421 4.7.1 Messages to user@icloud.com deferred due to excessive volume. Try again later",
        "excessive volume",
    ),
    "icloud.over-quota": (
        ICLOUD,
        Stage.RCPT,
        "552 5.2.2 <user@icloud.com>: user is over quota",
        "over quota",
    ),
    "icloud.cs01": (
        ICLOUD,
        Stage.DOT,
        "550 5.7.1 [CS01] Message rejected due to local policy.",
        "[CS01]",
    ),
    "icloud.dmarc": (
        ICLOUD,
        Stage.DOT,
        "554 5.7.1 [HME1] This message was blocked for failing both SPF and DKIM checks",
        "[HME1]",
    ),
    "gmx.unavailable": (
        GMX,
        Stage.RCPT,
        (
            "550-Requested action not taken: mailbox unavailable\n"
            "550 For explanation visit postmaster.gmx.net/en/case?c=r0101"
        ),
        "mailbox unavailable",
    ),
    "gmx.policy": (
        GMX,
        Stage.DOT,
        (
            "450-Requested mail action not taken: mailbox unavailable\n"
            "450-Reject due to policy violations\n450 For explanation visit postmaster.gmx.net"
        ),
        "policy violations",
    ),
    "spamhaus": (
        SPAMHAUS,
        Stage.RCPT,
        (
            "554 5.7.1 Service unavailable; Client host [192.0.2.25] blocked using zen.spamhaus.org; "
            "https://www.spamhaus.org/query/ip/192.0.2.25"
        ),
        "zen.spamhaus.org",
    ),
    "mimecast.greylisted": (
        MIMECAST,
        Stage.RCPT,
        (
            "451 Internal resources are temporarily unavailable - "
            "https://community.mimecast.com/docs/DOC-1369#451 [aB1cD2]"
        ),
        "[aB1cD2]",
    ),
    "cox.dns": (
        COX,
        Stage.MAIL,
        "421 DNS check failure - try again later",
        "DNS check failure",
    ),
    "godaddy.recipients": (
        GODADDY,
        Stage.RCPT,
        "452 This message contains too many recipients. Reduce the number and try again. IB605",
        "IB605",
    ),
}
"""By provider and reason: the page, the stage, the reply, and words an administrator looks for."""
