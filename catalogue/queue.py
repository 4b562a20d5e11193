"""The hours in the queue: attempts, notices of delay, recoveries at the last minute, the end."""

from dataclasses import replace

from catalogue.control import around
from catalogue.rules import (
    DELAY_NOTICE,
    DELAY_ONCE,
    EXPIRY,
    GIVES_UP_ONCE,
    HOPS,
    HOPS_LIMIT,
    LAST_ERROR,
    NOT_AT_ONCE,
    NULL_SENDER,
    ONE_QUEUE_EACH,
    PERMANENT,
    PROFILE,
    REPAIRED_IN_TIME,
    STRATEGY,
)
from catalogue.six import (
    BUSY,
    CLOSED,
    EXPIRED,
    REFUSED,
    SERVFAIL,
    TIMED_OUT,
    UNAVAILABLE,
    WORLDS,
    ZONE,
)
from model.behaviours import CutAt, Reply, StallAt
from model.dns import Rcode, Zone
from model.expect import (
    AnyOf,
    Arrives,
    Delivers,
    Each,
    Expires,
    Fails,
    Recorded,
    Recovers,
    Refuses,
    Turns,
)
from model.failure import Cause, Failure
from model.scenario import HOUR, Change, Connector, Host, Mail, Mark, Reach, Scenario
from model.smtp import Stage
from model.tls import Flaw, Tls

DAY = 24 * HOUR
LATE = 2 * DAY - 300
"""Minutes before the end, in seconds of age."""
AWAY = Host(reach=Reach.REFUSED)
CHECKED = Connector(tls=Tls.CERTIFICATE)
FULL = "450 4.2.2 Mailbox full"
OVERLOADED = "421 4.7.0 Too many connections"
NOT_NOW = "451 4.3.0 Not now"
NOBODY = "550 5.1.1 No such user here"
REJECTED = "554 5.7.1 Message rejected"
TRANSIENT = Cause(Failure.PEER_REPLY, "transient")
FINAL = Cause(Failure.PEER_REPLY, "permanent")
HANGS = Fails(Cause(Failure.CLOSED_ABRUPTLY, "hang"))
LOOP = Fails(Cause(Failure.DNS_QUERY_FAILED, "loop"))
DEAF = Zone(("@ MX 0 .",))


def _answers(stage: Stage, text: str) -> Host:
    return Host(behaviours=(Reply(stage, text),))


def _passed(count: int) -> tuple[str, ...]:
    """Header fields of as many hosts that the message has passed already."""
    date = "Fri, 01 Mar 2019 11:59:00 +0000"
    return tuple(
        f"Received: from hop{n}.example by hop{n + 1}.example with ESMTP id {n:04d}; {date}"
        for n in range(count, 0, -1)
    )


SCENARIOS = around(
    "queue",
    (
        *(
            Scenario(
                id=f"queue.one-day.{world.name}",
                title=f"{world.code} for a whole lifetime of 24 hours: one NDR to the sender",
                rule=EXPIRY,
                hosts=(world.host,),
                zone=world.zone,
                connector=replace(world.connector, lifetime=DAY),
                expect=Expires(world.fails),
                told=("delayed", "failed"),
            )
            for world in WORLDS
        ),
        *(
            Scenario(
                id=f"queue.saved.{world.name}",
                title=f"{world.code} is mended minutes before the end: delivered, and no NDR",
                rule=REPAIRED_IN_TIME,
                hosts=(world.host,),
                zone=world.zone,
                connector=world.connector,
                course=(Mark(LATE, change=world.mended),),
                expect=Recovers(world.fails),
                told=("delayed",),
            )
            for world in WORLDS
        ),
        *(
            Scenario(
                id=f"queue.delay.{world.name}",
                title=f"{world.code}: none is told before four hours, and once thereafter",
                rule=DELAY_NOTICE,
                hosts=(world.host,),
                zone=world.zone,
                connector=world.connector,
                course=(Mark(3.5 * HOUR), Mark(5 * HOUR), Mark(10 * HOUR, change=world.mended)),
                expect=Recovers(world.fails),
                told=("delayed",),
            )
            for world in WORLDS
        ),
        Scenario(
            id="queue.delay.once",
            title="One notice of delay in two days, however many attempts fail",
            rule=DELAY_ONCE,
            hosts=(_answers(Stage.RCPT, FULL),),
            course=(Mark(5 * HOUR), Mark(10 * HOUR), Mark(30 * HOUR)),
            expect=Expires(Fails(TRANSIENT, FULL)),
            told=("delayed", "failed"),
        ),
        Scenario(
            id="queue.delay.in-time",
            title="Mail that leaves after three and a half hours was not late",
            rule=DELAY_NOTICE,
            hosts=(AWAY,),
            course=(Mark(3.5 * HOUR, change=Change(hosts=(Host(),))),),
            expect=Recovers(REFUSED),
            told=(),
        ),
        Scenario(
            id="queue.delay.null-sender",
            title="Nobody is told that mail without a sender is late",
            rule=NULL_SENDER,
            hosts=(AWAY,),
            mail=Mail(null_sender=True),
            course=(Mark(5 * HOUR), Mark(10 * HOUR, change=Change(hosts=(Host(),)))),
            expect=Recovers(REFUSED),
            told=(),
        ),
        Scenario(
            id="queue.delay.two-recipients",
            title="Only the recipient who still waits is spoken of",
            rule=DELAY_NOTICE,
            hosts=(AWAY,),
            mail=Mail(recipients=("one", "two")),
            course=(Mark(5 * HOUR), Mark(10 * HOUR, change=Change(hosts=(Host(),)))),
            expect=Recovers(REFUSED),
            told=("delayed",),
        ),
        Scenario(
            id="queue.turns.dns-refused-certificate",
            title="DNS fails, then the host refuses, then its certificate has expired",
            rule=LAST_ERROR,
            hosts=(AWAY,),
            zone=ZONE.but(Rcode("SERVFAIL")),
            connector=CHECKED,
            course=(
                Mark(3.5 * HOUR, change=Change(zone=ZONE)),
                Mark(10 * HOUR, change=Change(hosts=(Host(certificate=Flaw.EXPIRED),))),
            ),
            expect=Expires(EXPIRED, before=(SERVFAIL, REFUSED)),
            told=("delayed", "failed"),
        ),
        Scenario(
            id="queue.turns.refused-busy-closed",
            title="The host refuses, then greets with 421, then breaks off",
            rule=LAST_ERROR,
            hosts=(AWAY,),
            course=(
                Mark(
                    3.5 * HOUR,
                    change=Change(
                        hosts=(Host(behaviours=(Reply(Stage.GREETING, BUSY, close=True),)),)
                    ),
                ),
                Mark(
                    10 * HOUR,
                    change=Change(hosts=(Host(behaviours=(CutAt(Stage.MAIL),)),)),
                ),
            ),
            expect=Expires(CLOSED, before=(REFUSED, UNAVAILABLE)),
            told=("delayed", "failed"),
        ),
        Scenario(
            id="queue.turns.full-silent-dns",
            title="The mailbox is full, then the host is silent, then its domain's DNS is",
            rule=LAST_ERROR,
            hosts=(_answers(Stage.RCPT, FULL),),
            zone=ZONE,
            course=(
                Mark(5 * HOUR, change=Change(hosts=(Host(reach=Reach.SILENT),))),
                Mark(30 * HOUR, change=Change(zone=ZONE.but(Rcode("SERVFAIL")))),
            ),
            expect=Expires(SERVFAIL, before=(Fails(TRANSIENT, FULL), TIMED_OUT)),
            told=("delayed", "failed"),
        ),
        Scenario(
            id="queue.turns.certificate-refused",
            title="The certificate has expired, then the host is taken away",
            rule=LAST_ERROR,
            hosts=(Host(certificate=Flaw.EXPIRED),),
            connector=CHECKED,
            course=(Mark(10 * HOUR, change=Change(hosts=(AWAY,))),),
            expect=Expires(REFUSED, before=(EXPIRED,)),
            told=("delayed", "failed"),
        ),
        Scenario(
            id="queue.final.recipient",
            title="A mailbox that was full is gone later: the NDR comes at once",
            rule=PERMANENT,
            hosts=(_answers(Stage.RCPT, FULL),),
            course=(Mark(3.5 * HOUR, change=Change(hosts=(_answers(Stage.RCPT, NOBODY),))),),
            expect=Turns(Fails(TRANSIENT, FULL), Fails(FINAL, NOBODY)),
            told=("failed",),
        ),
        Scenario(
            id="queue.final.after-the-notice",
            title="A host that was away rejects the message, after the notice of delay",
            rule=PERMANENT,
            hosts=(AWAY,),
            course=(
                Mark(5 * HOUR),
                Mark(10 * HOUR, change=Change(hosts=(_answers(Stage.DOT, REJECTED),))),
            ),
            expect=Turns(REFUSED, Fails(FINAL, REJECTED)),
            told=("delayed", "failed"),
        ),
        Scenario(
            id="queue.final.null-mx",
            title="A domain whose DNS had failed says that it takes no mail",
            rule=PERMANENT,
            zone=ZONE.but(Rcode("SERVFAIL")),
            course=(Mark(3.5 * HOUR, change=Change(zone=DEAF)),),
            expect=Turns(SERVFAIL, Fails(Cause(Failure.DNS_QUERY_FAILED, "null-mx"))),
            told=("failed",),
        ),
        Scenario(
            id="queue.final.last-hour",
            title="A permanent refusal minutes before the end is what the NDR tells of",
            rule=PERMANENT,
            hosts=(_answers(Stage.DOT, NOT_NOW),),
            course=(Mark(LATE, change=Change(hosts=(_answers(Stage.DOT, REJECTED),))),),
            expect=Turns(Fails(TRANSIENT, NOT_NOW), Fails(FINAL, REJECTED)),
            told=("delayed", "failed"),
        ),
        Scenario(
            id="queue.flush.keeps-expiry",
            title="An administrator who flushes the queue does not make mail younger",
            rule=GIVES_UP_ONCE,
            hosts=(AWAY,),
            course=(Mark(10 * HOUR, orders=2), Mark(30 * HOUR, orders=3)),
            expect=Expires(REFUSED),
            told=("delayed", "failed"),
        ),
        Scenario(
            id="queue.flush.before-the-notice",
            title="Nor does flushing bring or put off the notice of delay",
            rule=DELAY_NOTICE,
            hosts=(_answers(Stage.GREETING, BUSY),),
            course=(Mark(3.5 * HOUR, orders=2), Mark(5 * HOUR, orders=2)),
            expect=Expires(UNAVAILABLE),
            told=("delayed", "failed"),
        ),
        Scenario(
            id="queue.schedule.not-at-once",
            title="A minute after a failure it is too early",
            rule=NOT_AT_ONCE,
            hosts=(AWAY,),
            course=(Mark(90.0, tries=False),),
            expect=Expires(REFUSED),
        ),
        Scenario(
            id="queue.schedule.overloaded",
            title="A host that says 421 to everybody is left in peace for a while",
            rule=NOT_AT_ONCE,
            hosts=(Host(behaviours=(Reply(Stage.GREETING, OVERLOADED, close=True),)),),
            mail=Mail(messages=12),
            course=(
                Mark(90.0, tries=False),
                Mark(3.5 * HOUR, change=Change(hosts=(Host(),)), tries=True),
            ),
            expect=Arrives(),
        ),
        Scenario(
            id="queue.schedule.first-day",
            title="It is tried every few hours on the first day",
            rule=STRATEGY,
            hosts=(AWAY,),
            course=(Mark(3.5 * HOUR, tries=True), Mark(10 * HOUR, tries=True)),
            expect=Expires(REFUSED),
        ),
        Scenario(
            id="queue.schedule.second-day",
            title="And still on the second",
            rule=STRATEGY,
            hosts=(AWAY,),
            course=(Mark(30 * HOUR, tries=True), Mark(LATE, tries=True)),
            expect=Expires(REFUSED),
        ),
        Scenario(
            id="queue.schedule.many",
            title="Many messages for one host that is away: each is tried again",
            rule=STRATEGY,
            hosts=(AWAY,),
            mail=Mail(messages=12),
            course=(Mark(3.5 * HOUR, change=Change(hosts=(Host(),)), tries=True),),
            expect=Arrives(),
        ),
        Scenario(
            id="queue.profile.mailbox",
            title="A mailbox stays full: each attempt comes when the agent's own schedule says so",
            rule=PROFILE,
            hosts=(_answers(Stage.RCPT, FULL),),
            intervals=11,
            expect=Expires(Fails(TRANSIENT, FULL)),
            told=("delayed", "failed"),
        ),
        Scenario(
            id="queue.profile.host",
            title="A host stays away: each attempt comes when the agent's own schedule says so",
            rule=PROFILE,
            hosts=(AWAY,),
            intervals=11,
            expect=Expires(REFUSED),
            told=("delayed", "failed"),
        ),
        *(
            Scenario(
                id=f"queue.dead-host.{name}",
                title=f"Forty messages for a host that {words} do not hold up one for another",
                rule=ONE_QUEUE_EACH,
                hosts=(dead, Host("mx2")),
                zone=Zone((*ZONE.records, "live MX 10 mx2", "mx2 A {mx2}")),
                mail=Mail(messages=40, last="last@live"),
                expect=Each(
                    (
                        *((f"user-{n}", AnyOf(fails, Recorded())) for n in range(1, 41)),
                        ("last", Delivers("mx2")),
                    )
                ),
                overtakes=True,
            )
            for name, words, dead, fails in (
                ("silent", "is silent", Host(reach=Reach.SILENT), TIMED_OUT),
                ("hangs", "hangs at MAIL", Host(behaviours=(StallAt(Stage.MAIL),)), HANGS),
            )
        ),
        Scenario(
            id="queue.hops.few",
            title="Mail that has passed 25 hosts goes on",
            rule=HOPS,
            mail=Mail(headers=_passed(25)),
        ),
        Scenario(
            id="queue.hops.ninety",
            title="Mail that has passed 90 hosts may still be no loop",
            rule=HOPS,
            mail=Mail(headers=_passed(90)),
        ),
        Scenario(
            id="queue.hops.too-many",
            title="Mail that has passed 150 hosts goes in circles",
            rule=HOPS_LIMIT,
            mail=Mail(headers=_passed(150)),
            expect=AnyOf(LOOP, Refuses()),
        ),
    ),
)
