"""Other codes: the server answers, and its answer is passed on."""

from catalogue.control import around
from catalogue.rules import OTHER, PERMANENT, RETRY, TRANSIENT
from model.behaviours import Reply
from model.expect import Fails, Recovers
from model.failure import Cause, Failure
from model.scenario import Host, Scenario
from model.smtp import Stage

DEFERRED = Cause(Failure.PEER_REPLY, "transient")
REJECTED = Cause(Failure.PEER_REPLY, "permanent")

REPLIES = {
    Stage.MAIL: ("451 4.3.0 Try again later", "550 5.7.1 Sender not wanted"),
    Stage.RCPT: ("450 4.2.1 Mailbox busy", "550 5.1.1 No such user"),
    Stage.DATA: ("451 4.3.2 Not now", "554 5.5.1 No message wanted"),
    Stage.DOT: ("452 4.3.1 Insufficient system storage", "550 5.7.1 Content rejected"),
}

SCENARIOS = around(
    "reply",
    (
        *(
            Scenario(
                id=f"reply.{stage}.{text[:3]}",
                title=f"{text[:3]} to {stage} is passed on, with the server's name",
                rule=OTHER,
                hosts=(Host(behaviours=(Reply(stage, text),)),),
                expect=Fails(DEFERRED if text.startswith("4") else REJECTED, text),
            )
            for stage, texts in REPLIES.items()
            for text in texts
        ),
        Scenario(
            id="reply.rcpt.451-once",
            title="A 451 to RCPT is retried until it is accepted",
            rule=TRANSIENT,
            hosts=(Host(behaviours=(Reply(Stage.RCPT, "451 4.7.1 Greylisted", times=1),)),),
            expect=Recovers(Fails(DEFERRED, "451 4.7.1 Greylisted")),
        ),
        Scenario(
            id="reply.dot.451-twice",
            title="A 451 to the final dot is retried more than once",
            rule=RETRY,
            hosts=(Host(behaviours=(Reply(Stage.DOT, "451 4.3.0 Not yet", times=2),)),),
            expect=Recovers(Fails(DEFERRED, "451 4.3.0 Not yet")),
        ),
        Scenario(
            id="reply.rcpt.550-without-enhanced",
            title="A 550 without an enhanced code stays permanent",
            rule=PERMANENT,
            hosts=(Host(behaviours=(Reply(Stage.RCPT, "550 No such user"),)),),
            expect=Fails(REJECTED, "550 No such user"),
        ),
    ),
)
