"""4.4.312 for everybody: the only name server is gone, and comes back while the mail waits.

Each way of being gone has a lab of its own, because a name server that is gone is so for all mail.
A resolver with a cache may hold a name server for dead for five minutes (RFC 2308 section 7.2). An agent
asks anew when it is told to try again; one with such a cache inside would need the minutes, and fails
here for want of them.
"""

from dataclasses import dataclass

from catalogue.control import around
from catalogue.rules import DNS_TEMPORARY, NEXT_HOST, NO_MX_NEEDED
from model.dns import Gone, Outage
from model.expect import Delivers, Expectation, Fails, Recovers
from model.failure import Cause, Failure
from model.rule import Rule
from model.scenario import Connector, Host, Mail, Scenario

UNANSWERED = Fails(Cause(Failure.DNS_QUERY_FAILED, "no-answer"))
LATER = Recovers(UNANSWERED)
WORDS = {
    Gone.CLOSED: "The name server's port is closed",
    Gone.SILENT: "The name server answers nothing",
}


@dataclass(frozen=True, slots=True)
class Case:
    """Mail that is handed in while the name server is gone."""

    what: str
    rule: Rule
    expect: Expectation
    smart_hosts: tuple[str, ...] = ()
    messages: int = 1
    orders: int = 0


CASES = {
    "mx": Case("mail by MX waits until it is back", DNS_TEMPORARY, LATER),
    "smart-host": Case(
        "mail by smart host waits until it is back", DNS_TEMPORARY, LATER, smart_hosts=("mx1",)
    ),
    "retried": Case("after three attempts the mail still waits", DNS_TEMPORARY, LATER, orders=2),
    "many": Case("twelve messages wait, and none is lost", DNS_TEMPORARY, LATER, messages=12),
    "literal": Case(
        "a smart host that is an address needs none", NO_MX_NEEDED, Delivers(), ("[mx1]",)
    ),
    "literal-first": Case(
        "a smart host that is an address is not put off for a second that is a name",
        NO_MX_NEEDED,
        Delivers(),
        ("[mx1]", "mx2"),
    ),
    "literal-last": Case(
        "the first smart host is a name, and the second, an address, takes the mail",
        NEXT_HOST,
        Delivers(),
        ("mx2", "[mx1]"),
    ),
}

SCENARIOS = around(
    "resolver",
    (
        Scenario(
            id=f"resolver.{gone}.{name}",
            title=f"{words}: {case.what}",
            rule=case.rule,
            hosts=(Host(), Host("mx2")) if "mx2" in case.smart_hosts else (Host(),),
            connector=Connector(smart_hosts=case.smart_hosts),
            mail=Mail(messages=case.messages),
            expect=case.expect,
            told=(),
            outage=Outage(gone, case.orders),
        )
        for gone, words in WORDS.items()
        for name, case in CASES.items()
    ),
)
