"""4.4.318: the conversation breaks off, or the server falls silent in it."""

from catalogue.control import around
from catalogue.rules import AS_451, DOT, P318
from model.behaviours import (
    CutAt,
    CutBody,
    KeepThenCut,
    MaskCapabilities,
    MaskGreeting,
    Reply,
    StallAt,
)
from model.expect import Fails, Recovers
from model.failure import Cause, Failure
from model.scenario import Connector, Host, Mail, Scenario
from model.smtp import Behaviour, Say, Send, Stage
from model.tls import Tls

LARGE = Mail(octets=200_000)
"""More than fits into the buffers on the way, so that the cut comes while the agent writes."""

BEGINNING = {
    Stage.GREETING: "after the connection was accepted",
    Stage.EHLO: "instead of answering EHLO",
    Stage.STARTTLS: "instead of answering STARTTLS",
    Stage.HANDSHAKE: "in the TLS handshake",
    Stage.MAIL: "instead of answering MAIL",
    Stage.RCPT: "instead of answering RCPT",
    Stage.DATA: "instead of answering DATA",
    Stage.DOT: "after the final dot",
}
MANNER = {False: ("closed", "closes"), True: ("reset", "resets")}


INSPECTION: dict[str, Behaviour] = {
    "mail": CutAt(Stage.MAIL, reset=True),
    "body": CutBody(4000, reset=True),
}
"""Where an inspecting firewall cuts, once it has masked what it could."""


def _broken(reason: str) -> Fails:
    return Fails(Cause(Failure.CLOSED_ABRUPTLY, reason))


def _tls(stage: Stage) -> Connector:
    """TLS is demanded where the cut is in its making, so that nobody goes on in clear."""
    return Connector(tls=Tls.ENCRYPT if stage in (Stage.STARTTLS, Stage.HANDSHAKE) else Tls.NONE)


SCENARIOS = around(
    "session",
    (
        *(
            Scenario(
                id=f"session.{stage}.{word}",
                title=f"The server {verb} the connection {where}",
                rule=P318,
                hosts=(Host(behaviours=(CutAt(stage, reset=reset),)),),
                connector=_tls(stage),
                expect=_broken(word),
            )
            for stage, where in BEGINNING.items()
            for reset, (word, verb) in MANNER.items()
        ),
        *(
            Scenario(
                id=f"session.body.{word}",
                title=f"The server {verb} the connection in the middle of the body",
                rule=P318,
                hosts=(Host(behaviours=(CutBody(4000, reset=reset),)),),
                mail=LARGE,
                expect=_broken(word),
            )
            for reset, (word, verb) in MANNER.items()
        ),
        Scenario(
            id="session.after-greeting.closed",
            title="The server greets and closes",
            rule=P318,
            hosts=(Host(behaviours=(Reply(Stage.GREETING, "220 mx1 ESMTP", close=True),)),),
            expect=_broken("closed"),
        ),
        Scenario(
            id="session.after-ehlo.closed",
            title="The server answers EHLO and closes",
            rule=P318,
            hosts=(Host(behaviours=(Reply(Stage.EHLO, "250-mx1\n250 HELP", close=True),)),),
            expect=_broken("closed"),
        ),
        Scenario(
            id="session.ehlo.half-reply",
            title="The server closes in the middle of its EHLO reply",
            rule=P318,
            hosts=(Host(script=(Say("220 mx1 ESMTP"), Send(b"250-mx1\r\n250-SIZ", close=True))),),
            expect=_broken("closed"),
        ),
        Scenario(
            id="session.dot.kept",
            title="The server stores the message and closes before it says so",
            rule=DOT,
            hosts=(Host(behaviours=(KeepThenCut(),)),),
            expect=Recovers(_broken("closed"), twice=True),
        ),
        Scenario(
            id="session.mail.closed-once",
            title="A connection that was lost once: the mail is kept and then delivered",
            rule=AS_451,
            hosts=(Host(behaviours=(CutAt(Stage.MAIL, times=1),)),),
            expect=Recovers(_broken("closed")),
        ),
        *(
            Scenario(
                id=f"session.{stage}.hang",
                title=f"The server falls silent {where}",
                rule=P318,
                hosts=(Host(behaviours=(StallAt(stage),)),),
                expect=_broken("hang"),
            )
            for stage, where in (
                (Stage.GREETING, "before its greeting"),
                (Stage.EHLO, "at EHLO"),
                (Stage.DOT, "after the final dot"),
            )
        ),
        *(
            Scenario(
                id=f"session.inspected.{name}",
                title=f"A firewall that inspects SMTP masks greeting and capabilities, and cuts at {name}",
                rule=P318,
                hosts=(Host(behaviours=(MaskGreeting(), MaskCapabilities(), cut)),),
                mail=LARGE,
                expect=_broken("reset"),
            )
            for name, cut in INSPECTION.items()
        ),
    ),
    mail=LARGE,
)
