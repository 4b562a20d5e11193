"""The demonstration: a company has moved all mailboxes away and switched its old server off."""

CONNECTORS = """
[transport]
MessageExpiration = "2.00:00:00"

[[connector]]
Name = "To our old server"
ConnectorType = "OnPremises"
UseMXRecord = false
SmartHosts = ["127.0.0.1"]
RecipientDomains = ["contoso.test"]

[[accepted_domain]]
DomainName = "contoso.test"
DomainType = "InternalRelay"
Recipients = ["anna", "bert"]
"""

LINES = (
    ("anna has a mailbox here, and carl had one on the old server", "connectors"),
    (
        "her mail for bert stays here, that for carl must leave",
        "submit anna@contoso.test bert@contoso.test carl@contoso.test",
    ),
    ("somebody mistypes an address; nobody here can know", "submit anna@contoso.test brt@contoso.test"),
    ("47 hours go by; there is a warning after the first", "pass 47h"),
    ("what the administrator sees", "queue"),
    ("the last of all that was tried for the mistyped address", "trace brt@contoso.test 2"),
    ("as long as it waits it counts", "quota"),
    ("no mail is to go there any more", "fix-now To our old server"),
    ("nothing counts any more", "quota"),
    ("the next mistyped address is refused at once", "submit anna@contoso.test brt@contoso.test"),
    ("her mailbox has the notices", "mailbox"),
)  # fmt: skip
"""A remark and the command that goes with it."""
