"""The agent is killed and started again: what it had taken on is neither lost nor doubled."""

from catalogue.control import around
from catalogue.queue import AWAY, LATE
from catalogue.rules import DELAY_ONCE, GIVES_UP_ONCE, HALF, NOT_LOST, NOT_TWICE_AFTER_RESTART
from catalogue.six import REFUSED, WORLDS
from model.behaviours import KeepThenStall, Reply, StallAt
from model.expect import Arrives, Expires, Fails, Recovers
from model.failure import Cause, Failure
from model.scenario import HOUR, Change, Host, Kill, Mail, Mark, Scenario
from model.smtp import Stage

SCENARIOS = around(
    "restart",
    (
        *(
            Scenario(
                id=f"restart.waiting.{world.name}",
                title=f"Killed while mail waits after {world.code}",
                rule=NOT_LOST,
                hosts=(world.host,),
                zone=world.zone,
                connector=world.connector,
                change=world.mended,
                expect=Arrives(),
                kill=Kill.WAITING,
            )
            for world in WORLDS
        ),
        Scenario(
            id="restart.waiting.null-sender",
            title="Killed while a notice waits: it has no sender, and is kept all the same",
            rule=NOT_LOST,
            hosts=(Host(behaviours=(Reply(Stage.RCPT, "450 4.2.1 Later", times=1),)),),
            mail=Mail(null_sender=True),
            expect=Arrives(),
            kill=Kill.WAITING,
        ),
        Scenario(
            id="restart.waiting.partly-delivered",
            title="Killed when one of two recipients has the mail: the other gets it, and no other",
            rule=NOT_TWICE_AFTER_RESTART,
            hosts=(Host(behaviours=(Reply(Stage.RCPT, "450 4.2.1 Later", times=1, since=2),)),),
            mail=Mail(recipients=("one", "two")),
            expect=Arrives(),
            kill=Kill.WAITING,
        ),
        Scenario(
            id="restart.waiting.many",
            title="Killed while twenty messages wait",
            rule=NOT_LOST,
            hosts=(Host(behaviours=(Reply(Stage.MAIL, "451 4.3.0 Later", times=20),)),),
            mail=Mail(messages=20),
            expect=Arrives(),
            kill=Kill.WAITING,
        ),
        Scenario(
            id="restart.aged.expires",
            title="Killed when mail has waited for ten hours: it is not younger after that",
            rule=GIVES_UP_ONCE,
            hosts=(AWAY,),
            course=(Mark(10 * HOUR, kill=True),),
            expect=Expires(REFUSED),
            told=("delayed", "failed"),
        ),
        Scenario(
            id="restart.aged.saved",
            title="Killed after ten hours, and mended minutes before the end: delivered, once",
            rule=NOT_LOST,
            hosts=(AWAY,),
            course=(Mark(10 * HOUR, kill=True), Mark(LATE, change=Change(hosts=(Host(),)))),
            expect=Recovers(REFUSED),
            told=("delayed",),
        ),
        Scenario(
            id="restart.aged.before-the-notice",
            title="Killed before the notice of delay, and again after: it comes, and comes once",
            rule=DELAY_ONCE,
            hosts=(Host(behaviours=(Reply(Stage.RCPT, "450 4.2.1 Later"),)),),
            course=(
                Mark(3.5 * HOUR, kill=True),
                Mark(5 * HOUR),
                Mark(10 * HOUR, kill=True),
                Mark(30 * HOUR, change=Change(hosts=(Host(),))),
            ),
            expect=Recovers(Fails(Cause(Failure.PEER_REPLY, "transient"), "450 4.2.1 Later")),
            told=("delayed",),
        ),
        *(
            Scenario(
                id=f"restart.busy.{stage}",
                title=f"Killed while it waits for the reply to {stage}",
                rule=NOT_LOST,
                hosts=(Host(behaviours=(StallAt(stage, times=1),)),),
                expect=Arrives(),
                kill=Kill.BUSY,
            )
            for stage in (
                Stage.GREETING,
                Stage.EHLO,
                Stage.STARTTLS,
                Stage.MAIL,
                Stage.RCPT,
                Stage.DATA,
                Stage.DOT,
            )
        ),
        *(
            Scenario(
                id=f"restart.submitting.{name}",
                title=f"Killed with half of a {name} message handed in: its client comes again",
                rule=HALF,
                mail=Mail(octets=octets),
                kill=Kill.SUBMITTING,
            )
            for name, octets in (("small", 2_000), ("large", 400_000))
        ),
        Scenario(
            id="restart.busy.body",
            title="Killed in the middle of a large message",
            rule=NOT_LOST,
            hosts=(Host(behaviours=(StallAt(Stage.BODY, times=1),)),),
            mail=Mail(octets=400_000),
            expect=Arrives(),
            kill=Kill.BUSY,
        ),
        Scenario(
            id="restart.busy.kept",
            title="Killed when the host has the message and has not said so: a copy may be double",
            rule=NOT_LOST,
            hosts=(Host(behaviours=(KeepThenStall(),)),),
            expect=Arrives(),
            kill=Kill.BUSY,
        ),
        Scenario(
            id="restart.busy.quit",
            title="Killed while it waits for the reply to QUIT: the mail was delivered, once",
            rule=NOT_TWICE_AFTER_RESTART,
            hosts=(Host(behaviours=(StallAt(Stage.QUIT, times=1),)),),
            expect=Arrives(),
            kill=Kill.BUSY,
        ),
    ),
)
