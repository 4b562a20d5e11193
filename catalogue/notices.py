"""What the sender is told: what it wished for, and nothing to who cannot or will not hear it."""

from catalogue.control import around
from catalogue.rules import (
    DSN_DELAY,
    DSN_ENVID,
    DSN_FAILURE_ONLY,
    DSN_NEVER,
    DSN_NOT_OFFERED,
    DSN_ORCPT,
    DSN_PASSED_ON,
    DSN_RELAYED,
    DSN_RET,
    DSN_SUCCESS_ONLY,
    NO_NDR_FOR_NDR,
    NULL_SENDER,
)
from catalogue.six import REFUSED
from model.behaviours import Offer, Reply
from model.expect import Delivers, Each, Expires, Fails, Recovers
from model.failure import Cause, Failure
from model.scenario import HOUR, Change, Home, Host, Mail, Mark, Reach, Scenario
from model.smtp import Stage
from model.wishes import Wishes

NOBODY = "550 5.1.1 No such user here"
REJECTS = Host(behaviours=(Reply(Stage.RCPT, NOBODY),))
AWAY = Host(reach=Reach.REFUSED)
OFFERS = Host(behaviours=(Offer(("DSN",)),))
RETURNED = Fails(Cause(Failure.PEER_REPLY, "permanent"), NOBODY)
ID = "order+42=b"
ORIGINAL = "rfc822;first+last@{domain}"

SCENARIOS = around(
    "notices",
    (
        Scenario(
            id="notices.never.refused",
            title="NOTIFY=NEVER, and the recipient is refused: silence",
            rule=DSN_NEVER,
            hosts=(REJECTS,),
            mail=Mail(wishes=Wishes(notify=("NEVER",))),
            expect=RETURNED,
            told=(),
        ),
        Scenario(
            id="notices.never.expired",
            title="NOTIFY=NEVER, and the host is away for two days: silence",
            rule=DSN_NEVER,
            hosts=(AWAY,),
            mail=Mail(wishes=Wishes(notify=("NEVER",))),
            course=(Mark(5 * HOUR),),
            expect=Expires(REFUSED),
            told=(),
        ),
        Scenario(
            id="notices.failure.refused",
            title="NOTIFY=FAILURE, and the recipient is refused: one NDR",
            rule=DSN_FAILURE_ONLY,
            hosts=(REJECTS,),
            mail=Mail(wishes=Wishes(notify=("FAILURE",))),
            expect=RETURNED,
            told=("failed",),
        ),
        Scenario(
            id="notices.failure.expired",
            title="NOTIFY=FAILURE: no notice of delay on the way to the NDR",
            rule=DSN_FAILURE_ONLY,
            hosts=(AWAY,),
            mail=Mail(wishes=Wishes(notify=("FAILURE",))),
            course=(Mark(5 * HOUR),),
            expect=Expires(REFUSED),
            told=("failed",),
        ),
        Scenario(
            id="notices.delay.expired",
            title="NOTIFY=DELAY: told of the delay, and of nothing else",
            rule=DSN_DELAY,
            hosts=(AWAY,),
            mail=Mail(wishes=Wishes(notify=("DELAY",))),
            course=(Mark(5 * HOUR),),
            expect=Expires(REFUSED),
            told=("delayed",),
        ),
        Scenario(
            id="notices.both.expired",
            title="NOTIFY=FAILURE,DELAY: told of both",
            rule=DSN_DELAY,
            hosts=(AWAY,),
            mail=Mail(wishes=Wishes(notify=("FAILURE", "DELAY"))),
            course=(Mark(5 * HOUR),),
            expect=Expires(REFUSED),
            told=("delayed", "failed"),
        ),
        Scenario(
            id="notices.success.refused",
            title="NOTIFY=SUCCESS, and the recipient is refused: silence",
            rule=DSN_SUCCESS_ONLY,
            hosts=(REJECTS,),
            mail=Mail(wishes=Wishes(notify=("SUCCESS",))),
            expect=RETURNED,
            told=(),
        ),
        Scenario(
            id="notices.success.relayed",
            title="NOTIFY=SUCCESS, and the host knows no DSN: told that the mail was relayed",
            rule=DSN_RELAYED,
            mail=Mail(wishes=Wishes(notify=("SUCCESS",))),
            told=("relayed",),
        ),
        Scenario(
            id="notices.success.passed-on",
            title="NOTIFY=SUCCESS, and the host knows DSN: it is asked to tell",
            rule=DSN_PASSED_ON,
            hosts=(OFFERS,),
            mail=Mail(wishes=Wishes(notify=("SUCCESS",))),
            says=((Stage.RCPT, "NOTIFY=SUCCESS"),),
            told=(),
        ),
        Scenario(
            id="notices.never.passed-on",
            title="NOTIFY=NEVER is passed on to a host that knows DSN",
            rule=DSN_PASSED_ON,
            hosts=(OFFERS,),
            mail=Mail(wishes=Wishes(notify=("NEVER",))),
            says=((Stage.RCPT, "NOTIFY=NEVER"),),
            told=(),
        ),
        Scenario(
            id="notices.all.passed-on",
            title="RET, ENVID, NOTIFY and ORCPT are passed on as they came",
            rule=DSN_PASSED_ON,
            hosts=(OFFERS,),
            mail=Mail(wishes=Wishes(("FAILURE", "DELAY"), "HDRS", ID, ORIGINAL)),
            says=(
                (Stage.MAIL, "RET=HDRS"),
                (Stage.MAIL, "ENVID=order+2B42+3Db"),
                (Stage.RCPT, "NOTIFY="),
                (Stage.RCPT, "ORCPT=rfc822;first+2Blast@"),
            ),
            told=(),
        ),
        Scenario(
            id="notices.all.not-offered",
            title="A host that offers no DSN hears nothing of it",
            rule=DSN_NOT_OFFERED,
            mail=Mail(wishes=Wishes(("FAILURE", "DELAY"), "HDRS", ID, ORIGINAL)),
            unsaid=(
                (Stage.MAIL, "RET="),
                (Stage.MAIL, "ENVID="),
                (Stage.RCPT, "NOTIFY="),
                (Stage.RCPT, "ORCPT="),
            ),
            told=(),
        ),
        *(
            Scenario(
                id=f"notices.ret.{ret.lower()}",
                title=f"RET={ret}: {words}",
                rule=DSN_RET,
                hosts=(REJECTS,),
                mail=Mail(wishes=Wishes(ret=ret)),
                expect=RETURNED,
                told=("failed",),
            )
            for ret, words in (
                ("FULL", "the whole message comes back with the NDR"),
                ("HDRS", "its header only"),
            )
        ),
        Scenario(
            id="notices.envid",
            title="The NDR has the sender's own name for the transaction, as it was given",
            rule=DSN_ENVID,
            hosts=(REJECTS,),
            mail=Mail(wishes=Wishes(envid=ID)),
            expect=RETURNED,
            told=("failed",),
        ),
        Scenario(
            id="notices.orcpt",
            title="The NDR has the original recipient, as it was given",
            rule=DSN_ORCPT,
            hosts=(REJECTS,),
            mail=Mail(wishes=Wishes(orcpt=ORIGINAL)),
            expect=RETURNED,
            told=("failed",),
        ),
        Scenario(
            id="notices.large.refused",
            title="A message of a megabyte is refused: its NDR comes home, whole or not",
            rule=DSN_FAILURE_ONLY,
            hosts=(REJECTS,),
            mail=Mail(octets=1_000_000),
            expect=RETURNED,
            told=("failed",),
        ),
        Scenario(
            id="notices.null-sender.refused",
            title="Mail without a sender is refused for good: nobody is told",
            rule=NULL_SENDER,
            hosts=(REJECTS,),
            mail=Mail(null_sender=True),
            expect=RETURNED,
            told=(),
        ),
        Scenario(
            id="notices.null-sender.expired",
            title="Nor when it is given up after two days",
            rule=NULL_SENDER,
            hosts=(AWAY,),
            mail=Mail(null_sender=True),
            course=(Mark(5 * HOUR),),
            expect=Expires(REFUSED),
            told=(),
        ),
        *(
            Scenario(
                id=f"notices.sender-{home}.refused",
                title=f"The recipient is refused, and {words}: no NDR about the NDR",
                rule=NO_NDR_FOR_NDR,
                hosts=(REJECTS,),
                mail=Mail(home=home),
                expect=RETURNED,
                told=(),
                says=((Stage.MAIL, "FROM:<>"),) if home is not Home.NOWHERE else (),
                unsaid=((Stage.MAIL, "FROM:<MAILER-DAEMON"), (Stage.MAIL, "FROM:<postmaster")),
            )
            for home, words in (
                (Home.REFUSES, "the sender is unknown at home"),
                (Home.BUSY, "the sender's host has no time"),
                (Home.NOWHERE, "the sender's domain takes no mail"),
            )
        ),
        Scenario(
            id="notices.sender-refuses.expired",
            title="Two days are over, and the sender is unknown at home: given up in silence",
            rule=NO_NDR_FOR_NDR,
            hosts=(AWAY,),
            mail=Mail(home=Home.REFUSES),
            course=(Mark(5 * HOUR),),
            expect=Expires(REFUSED),
            told=(),
        ),
        Scenario(
            id="notices.two.one-refused",
            title="Of two recipients one is refused: the NDR is about that one alone",
            rule=DSN_FAILURE_ONLY,
            hosts=(Host(behaviours=(Reply(Stage.RCPT, NOBODY, times=1, since=2),)),),
            mail=Mail(recipients=("one", "two")),
            expect=Each((("one", Delivers()), ("two", RETURNED))),
        ),
        Scenario(
            id="notices.delay.mended",
            title="NOTIFY=DELAY, and the host comes back: told of the delay, not of the end",
            rule=DSN_DELAY,
            hosts=(AWAY,),
            mail=Mail(wishes=Wishes(notify=("DELAY",))),
            course=(Mark(5 * HOUR), Mark(10 * HOUR, change=Change(hosts=(Host(),)))),
            expect=Recovers(REFUSED),
            told=("delayed",),
        ),
    ),
)
