"""4.4.318: the conversation breaks off, or the server falls silent in it.

The heart of the chapter is a grid: places in the conversation by manners of breaking it off. A
cell is left out by rule (`_makes_sense`), not by name. Most hosts offer STARTTLS, so that most
agents meet the faults from MAIL on inside TLS.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from catalogue.control import around
from catalogue.rules import (
    AS_451,
    DELIVER,
    DOT,
    ONE_BY_ONE,
    P318,
    PERMANENT,
    SHUTS_DOWN,
    TAKES_LEAVE,
    TIME_OUT,
)
from model.behaviours import (
    CutAt,
    CutBody,
    Fragment,
    HalfClose,
    HalfReply,
    InBody,
    InTls,
    KeepThenCut,
    KeepThenStall,
    Late,
    MaskCapabilities,
    MaskGreeting,
    Offer,
    OnReuse,
    Reply,
    SendAt,
    StallAt,
    ToRecipient,
    Withhold,
)
from model.expect import AnyOf, Delivers, Each, Expectation, Fails, Recovers, ways
from model.failure import Cause, Failure
from model.rule import Rule
from model.scenario import Connector, Host, Mail, Scenario
from model.smtp import Behaviour, Stage
from model.tls import Tls

LARGE = Mail(octets=200_000)
"""More than fits into the buffers on the way, so that the cut comes while the agent writes."""
HUGE = Mail(octets=8_000_000)
"""More than fits into the buffers of a host that has stopped reading."""
ONE = Mail()
THREE = Mail(recipients=("user-1", "user-2", "user-3"))

BYE = "421 4.3.2 Service is shutting down"
NO_USER = "550 5.1.1 No such user"
TOO_LATE, IN_TIME, A_QUARTER = 2.0, 0.6, 0.25
"""Shares of the agent's own time-out for a reply."""

BY_MX = Connector()
ENCRYPTED = Connector(tls=Tls.ENCRYPT)
"""TLS is demanded where the cut is in its making, so that nobody goes on in clear."""
KEPT = Connector(reuses=True)
CLEAR = Withhold("STARTTLS")
"""Agents that keep connections may not keep those with TLS."""


def _broken(reason: str) -> Fails:
    return Fails(Cause(Failure.CLOSED_ABRUPTLY, reason))


def _refused(text: str) -> Fails:
    reason = "transient" if text.startswith("4") else "permanent"
    return Fails(Cause(Failure.PEER_REPLY, reason), text)


@dataclass(frozen=True, slots=True)
class Manner:
    """One way to break off: what the server does, and the reason that it is a failure for.

    `make` gives the behaviour for a stage, from so many visits on. No reason: it says 421, and
    the failure is that reply, or the close behind it.
    """

    deed: str
    make: Callable[[Stage, int], Behaviour]
    reason: str = ""
    closes: bool = False


MANNERS: Mapping[str, Manner] = {
    "closed": Manner("closes the connection", lambda at, n: CutAt(at, since=n), "closed"),
    "reset": Manner("resets the connection", lambda at, n: CutAt(at, True, since=n), "reset"),
    "421-closed": Manner(
        "says 421 and closes", lambda at, n: Reply(at, BYE, close=True, since=n), closes=True
    ),
    "421-stays": Manner("says 421 and stays", lambda at, n: Reply(at, BYE, since=n)),
    "half-reply": Manner(
        "closes in the middle of its reply", lambda at, n: HalfReply(at, True, since=n), "closed"
    ),
    "half-reply-hang": Manner(
        "falls silent in the middle of its reply", lambda at, n: HalfReply(at, since=n), "hang"
    ),
    "hang": Manner("falls silent", lambda at, n: StallAt(at, since=n), "hang"),
    "late": Manner("replies too late", lambda at, n: Late(at, TOO_LATE, since=n), "hang"),
    "half-close": Manner(
        "closes its side and reads on", lambda at, n: HalfClose(at, since=n), "closed"
    ),
}
IN_REPLY = ("421-stays", "half-reply", "half-reply-hang", "late")
"""Manners that take the place of a reply, and make no sense where none is due."""


@dataclass(frozen=True, slots=True)
class Place:
    """One place in the conversation: its stages and words, and what its world is like.

    Where there are two stages, it is the one that the agent comes to first. `wrap` narrows a
    behaviour down to the place; `before` are what the host does besides; `fate` says what the
    agent must make of a manner there.
    """

    at: tuple[Stage, ...]
    words: str
    fate: Callable[[Manner], Expectation]
    rule: Rule = P318
    connector: Connector = BY_MX
    mail: Mail = ONE
    since: int = 1
    before: tuple[Behaviour, ...] = ()
    wrap: Callable[[Behaviour], Behaviour] = lambda behaviour: behaviour


def _unanswered(reason: str) -> Callable[[Manner], Expectation]:
    """Before the transaction a 421 says that there is no service; `reason` is the word for it."""

    def fate(manner: Manner) -> Expectation:
        if manner.reason:
            return _broken(manner.reason)
        said = Fails(Cause(Failure.CANNOT_CONNECT, reason), BYE)
        return AnyOf(said, _broken("closed")) if manner.closes else said

    return fate


def _no_ehlo(manner: Manner) -> Expectation:
    """Whoever stays after a 421 contradicts himself: no document forbids to go on with HELO."""
    said = _unanswered("service-unavailable")(manner)
    return AnyOf(said, Delivers()) if isinstance(said, Fails) and not manner.reason else said


def _in_transaction(manner: Manner) -> Fails | AnyOf:
    """In the transaction a 421 is a reply like any other, and the close behind it may be seen too."""
    if manner.reason:
        return _broken(manner.reason)
    return AnyOf(_refused(BYE), _broken("closed")) if manner.closes else _refused(BYE)


def _at_third(manner: Manner) -> Expectation:
    """A 421 is about the third recipient alone; the other two go on as far as the host does."""
    if manner.reason:
        return _broken(manner.reason)
    others = AnyOf(_broken("closed"), _refused(BYE)) if manner.closes else Delivers()
    third = _in_transaction(manner)
    return Each((("user-1", others), ("user-2", others), ("user-3", third)))


def _in_body(manner: Manner) -> Expectation:
    """Whether a reply is heard while the agent still writes is chance; the close is not."""
    return _broken(manner.reason) if manner.reason else AnyOf(_broken("closed"), _refused(BYE))


def _delivered(manner: Manner) -> Expectation:
    """The mail is the host's already."""
    return Delivers()


def _anew(manner: Manner) -> AnyOf:
    """The copy that met a dead connection goes over another: at once, or as after a 451."""
    lost = _in_transaction(manner)
    return AnyOf(Delivers(), *(Recovers(one) for one in ways(lost) if isinstance(one, Fails)))


def _refused_then_anew(manner: Manner) -> Expectation:
    refused = _refused(NO_USER)
    return Each((("user-1", refused), ("user-2", refused), ("user-3", _anew(manner))))


PLACES: Mapping[str, Place] = {
    "greeting": Place((Stage.GREETING,), "before its greeting", _unanswered("service-unavailable")),
    "ehlo": Place((Stage.EHLO,), "at EHLO", _no_ehlo),
    "starttls": Place(
        (Stage.STARTTLS,), "at STARTTLS", _unanswered("starttls-refused"), connector=ENCRYPTED
    ),
    "tls-ehlo": Place(
        (Stage.EHLO,),
        "at EHLO within TLS",
        _no_ehlo,
        connector=ENCRYPTED,
        wrap=InTls,
    ),
    "mail": Place((Stage.MAIL,), "at MAIL", _in_transaction),
    "rcpt": Place((Stage.RCPT,), "at RCPT", _in_transaction),
    "rcpt-n": Place((Stage.RCPT,), "at the third RCPT", _at_third, mail=THREE, since=3),
    "data": Place((Stage.DATA,), "at DATA", _in_transaction),
    "body": Place(
        (Stage.BODY,),
        "in the middle of the body",
        _in_body,
        mail=LARGE,
        wrap=lambda behaviour: InBody(4000, behaviour),
    ),
    "dot": Place((Stage.DOT,), "after the final dot", _in_transaction),
    "rset": Place(
        (Stage.RSET,),
        "at RSET, after it has refused the first recipients",
        _refused_then_anew,
        AS_451,
        KEPT,
        THREE,
        before=(CLEAR, ToRecipient("user-1", NO_USER), ToRecipient("user-2", NO_USER)),
    ),
    "quit": Place((Stage.QUIT,), "at QUIT", _delivered, DELIVER),
    "reused": Place(
        (Stage.RSET, Stage.MAIL),
        "when the connection is used again",
        _anew,
        AS_451,
        KEPT,
        THREE,
        before=(CLEAR,),
        wrap=OnReuse,
    ),
}
"""Where the conversation breaks off."""


def _makes_sense(name: str, manner: str) -> bool:
    """In the body no reply is due. What the chapter greeting has is not said again."""
    if name == "body":
        return manner not in IN_REPLY
    return not (name in ("greeting", "ehlo") and manner == "421-closed")


def _rule(place: Place, manner: Manner) -> Rule:
    if place.rule is not P318:
        return place.rule
    return P318 if manner.reason else SHUTS_DOWN


def _mail(place: Place, word: str) -> Mail:
    """A host that stops reading must leave more unread than the buffers on the way take."""
    return HUGE if (place.at, word) == ((Stage.BODY,), "hang") else place.mail


GRID = tuple(
    Scenario(
        id=f"session.{name}.{word}",
        title=f"The server {manner.deed} {place.words}",
        rule=_rule(place, manner),
        hosts=(
            Host(
                behaviours=(
                    *place.before,
                    *(place.wrap(manner.make(at, place.since)) for at in place.at),
                )
            ),
        ),
        connector=place.connector,
        mail=_mail(place, word),
        expect=place.fate(manner),
        fault_at=place.at,
    )
    for name, place in PLACES.items()
    for word, manner in MANNERS.items()
    if _makes_sense(name, word)
)
"""One scenario a cell."""

HANDSHAKE = tuple(
    Scenario(
        id=f"session.handshake.{word}",
        title=f"The server {manner.deed} in the TLS handshake",
        rule=P318,
        hosts=(Host(behaviours=(manner.make(Stage.HANDSHAKE, 1),)),),
        connector=ENCRYPTED,
        expect=_broken(word),
    )
    for word, manner in MANNERS.items()
    if word in ("closed", "reset")
)
"""The handshake is no conversation in SMTP; more of it is in the chapter tls."""

FINAL = {
    Stage.MAIL: "550 5.7.1 Your network is on a block list",
    Stage.RCPT: "554 5.7.1 Relay access denied",
    Stage.DATA: "554 5.7.1 No mail from you",
    Stage.DOT: "550 5.7.1 Content rejected",
}
"""What some say before they hang up."""
PIPELINING = Offer(("PIPELINING",))

REFUSED_AND_CUT = tuple(
    Scenario(
        id=f"session.{stage}.{text[:3]}-{word}{'.pipelined' * pipelined}",
        title=f"The server says {text[:3]} at {stage.upper()} and {deed}: that stays permanent",
        rule=PERMANENT,
        hosts=(
            Host(
                behaviours=(
                    *((PIPELINING,) * pipelined),
                    Reply(stage, text, close=True, reset=word == "reset"),
                )
            ),
        ),
        expect=_refused(text),
        fault_at=(stage,),
    )
    for stage, text in FINAL.items()
    for word, deed in (("closed", "closes"), ("reset", "resets the connection"))
    for pipelined in ((False, True) if stage in (Stage.MAIL, Stage.RCPT) else (False,))
)
"""The refusal counts, not the lost connection behind it, even if more had been sent already."""

SLOW = tuple(
    Scenario(
        id=f"session.{name}.slow",
        title=f"The server takes its time {place.words}, but answers before the time-out",
        rule=TIME_OUT,
        hosts=(Host(behaviours=(place.wrap(Late(place.at[0], IN_TIME, since=place.since)),)),),
        connector=place.connector,
        mail=place.mail,
        fault_at=place.at,
    )
    for name, place in PLACES.items()
    if name not in ("body", "rset", "reused")
)
"""An agent must wait for what comes in time. (In the body there is nothing to wait for.)"""

BODY_CUTS = {
    "at-once": (1, LARGE, "as soon as the body begins"),
    "near-end": (190_000, LARGE, "when nearly all of the body has come"),
    "small": (1, Mail(), "in a body that has been sent as a whole, final dot and all"),
}

INSPECTION: dict[str, Behaviour] = {
    "mail": CutAt(Stage.MAIL, reset=True),
    "body": CutBody(4000, reset=True),
}
"""Where an inspecting firewall cuts, once it has masked what it could."""

IDLE: dict[str, tuple[str, Behaviour]] = {
    "closed": ("closes the connection", Reply(Stage.DOT, "250 2.0.0 Stored", close=True, times=1)),
    "reset": ("resets the connection", Reply(Stage.DOT, "250 2.0.0 Stored", reset=True, times=1)),
    "421": (
        "says 421 and closes",
        SendAt(
            Stage.DOT,
            f"250 2.0.0 Stored\r\n{BYE}\r\n".encode(),
            close=True,
            times=1,
            takes=True,
        ),
    ),
}
"""What happens to a connection that is kept, while nothing is said on it."""

STAGES = (Stage.GREETING, Stage.EHLO, Stage.STARTTLS, Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.DOT)
"""Where a client waits for a reply; for EHLO twice."""

SINGLE = (
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
        id="session.mail.closed-once",
        title="A connection that was lost once: the mail is kept and then delivered",
        rule=AS_451,
        hosts=(Host(behaviours=(CutAt(Stage.MAIL, times=1),)),),
        expect=Recovers(_broken("closed")),
    ),
    Scenario(
        id="session.rcpt-n.closed-once",
        title="A connection is lost once at the third RCPT: then all three get one copy",
        rule=AS_451,
        hosts=(Host(behaviours=(CutAt(Stage.RCPT, since=3, times=1),)),),
        mail=THREE,
        expect=Recovers(_broken("closed")),
    ),
    Scenario(
        id="session.every.slow",
        title="The server takes a quarter of the time-out at each stage, twice of it in all",
        rule=ONE_BY_ONE,
        hosts=(Host(behaviours=tuple(Late(at, A_QUARTER) for at in STAGES)),),
    ),
    Scenario(
        id="session.mail.dripping",
        title="The server's reply comes in drops, and takes longer than the time-out in all",
        rule=ONE_BY_ONE,
        hosts=(Host(behaviours=(Fragment(Stage.MAIL, piece=4, pause=A_QUARTER),)),),
        expect=AnyOf(Delivers(), _broken("hang")),
    ),
    Scenario(
        id="session.dot.kept",
        title="The server stores the message and closes before it says so",
        rule=DOT,
        hosts=(Host(behaviours=(KeepThenCut(),)),),
        expect=Recovers(_broken("closed"), twice=True),
    ),
    Scenario(
        id="session.dot.kept-reset",
        title="The server stores the message and resets the connection before it says so",
        rule=DOT,
        hosts=(Host(behaviours=(KeepThenCut(reset=True),)),),
        expect=Recovers(_broken("reset"), twice=True),
    ),
    Scenario(
        id="session.dot.kept-hang",
        title="The server stores the message and falls silent",
        rule=DOT,
        hosts=(Host(behaviours=(KeepThenStall(),)),),
        expect=Recovers(_broken("hang"), twice=True),
    ),
    Scenario(
        id="session.dot.kept.second-mx",
        title="The first MX stores the message and closes before it says so; the second is healthy",
        rule=DOT,
        hosts=(Host("mx1", (KeepThenCut(),)), Host("mx2")),
        expect=AnyOf(Recovers(_broken("closed"), twice=True), Delivers("mx2", twice=True)),
    ),
)

SCENARIOS = around(
    "session",
    (
        *GRID,
        *HANDSHAKE,
        *SINGLE,
        *REFUSED_AND_CUT,
        *SLOW,
        Scenario(
            id="session.quit.said",
            title="The server takes the mail: the client says QUIT before it closes",
            rule=TAKES_LEAVE,
            says=((Stage.QUIT, "QUIT"),),
        ),
        *(
            Scenario(
                id=f"session.body.closed.{name}",
                title=f"The server closes {words}",
                rule=P318,
                hosts=(Host(behaviours=(CutBody(after),)),),
                mail=mail,
                expect=_broken("closed"),
            )
            for name, (after, mail, words) in BODY_CUTS.items()
        ),
        *(
            Scenario(
                id=f"session.idle.{word}",
                title=f"The server {deed} before it is used again",
                rule=AS_451,
                hosts=(Host(behaviours=(CLEAR, behaviour)),),
                connector=KEPT,
                mail=THREE,
                expect=_anew(MANNERS["421-closed" if word == "421" else word]),
                fault_at=(Stage.DOT,),
            )
            for word, (deed, behaviour) in IDLE.items()
        ),
        *(
            Scenario(
                id=f"session.inspected.{name}",
                title=f"A firewall that inspects SMTP masks greeting and capabilities, and cuts at {name}",
                rule=P318,
                hosts=(Host(behaviours=(MaskGreeting(), MaskCapabilities(), cut)),),
                mail=LARGE,
                expect=_broken("reset"),
                fault_at=(Stage(name),),
            )
            for name, cut in INSPECTION.items()
        ),
    ),
    mail=LARGE,
)
