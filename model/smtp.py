"""What an SMTP host may do at a moment of a session: closed actions, open behaviours.

Theory of operation
-------------------
At every stage of a session the fake host asks its behaviours what to do. It hands them a
`Moment`: the stage, how often this host was at this stage (1 for the first time, counted over
all its connections), and the action that a blameless server would take. A behaviour
(`model/behaviours.py`) returns that action unchanged, or another one. Several behaviours are
asked in order; each is given what the one before it decided.

What holds always: behaviours are frozen and keep no count of their own (the host counts), so
one value can serve a thousand hosts; actions are carried out in one place, `fakes/smtp.py`.
A share is a part of the target's own time-out for a reply, so that a pace can stretch it: 0.5
is in time, 2.0 is too late.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

ALWAYS = 1_000_000
"""A number of visits that is never reached."""


class Stage(StrEnum):
    """Where in the session the host is about to act."""

    GREETING = "greeting"
    EHLO = "ehlo"
    HELO = "helo"
    STARTTLS = "starttls"
    HANDSHAKE = "handshake"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    BODY = "body"
    DOT = "dot"
    RSET = "rset"
    NOOP = "noop"
    QUIT = "quit"
    OTHER = "other"
    """A line that is no command of the host's: VRFY, AUTH, BDAT where it is not offered, nonsense."""


@dataclass(frozen=True, slots=True)
class Say:
    """Send a reply (lines joined by newlines, each with its code); then close, if so told.

    A reply of 2yz or 3yz carries the command out too. An empty one carries it out in silence.
    `reset` closes with a RST, so that the reply may be the last that the agent can read.
    """

    text: str
    close: bool = False
    reset: bool = False


@dataclass(frozen=True, slots=True)
class Send:
    """Send octets as they are, no line end added; then close, if so told.

    `takes`: carry the command out as well. `piece` octets go into each segment (0: all into
    one), with a pause of `pause` shares between two.
    """

    octets: bytes
    close: bool = False
    takes: bool = False
    piece: int = 0
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Pour:
    """Send octets over and over, as fast as they are read, up to `most` octets in all."""

    octets: bytes
    most: int


@dataclass(frozen=True, slots=True)
class Stall:
    """Say nothing more and keep the connection open. `keep` stores the message first."""

    keep: bool = False


@dataclass(frozen=True, slots=True)
class HangUp:
    """Close the connection without a word: FIN, or RST. `keep` stores the message first.

    `half` sends the FIN only, and goes on reading in silence. `notify` ends TLS in good order first,
    if there is any (close_notify, RFC 8446 section 6.1); with `half` there is no FIN behind it.
    """

    reset: bool = False
    keep: bool = False
    half: bool = False
    notify: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Let a share of the target's time-out pass, then act; nothing if the agent has left by then.

    `keep` stores the message before the wait.
    """

    share: float
    then: "Action"
    keep: bool = False


@dataclass(frozen=True, slots=True)
class Listen:
    """Go on reading; what a blameless host does while the body arrives."""


@dataclass(frozen=True, slots=True)
class Negotiate:
    """Take part in the TLS handshake; what a blameless host does after its 220.

    With `then`: until `most` octets of the host's own part of it have been sent; then that.
    """

    most: int = 0
    then: "Action | None" = None


UNKNOWN = Say("502 5.5.1 Command not implemented")
"""What a host says to a command that it does not offer."""

Action = Say | Send | Pour | Stall | HangUp | Wait | Listen | Negotiate


@dataclass(frozen=True, slots=True)
class Moment:
    """What a behaviour is asked about."""

    stage: Stage
    visit: int
    usual: Action
    tls: bool = False
    octets: int = 0
    """Octets of the body received so far in this transaction (stages BODY and DOT only)."""
    open: int = 1
    """Connections that the host has at this moment, this one included."""
    line: str = ""
    """The command line, without CRLF (stages that a command opens only)."""
    carried: int = 0
    """Messages that this connection has carried so far: more than none on one that is reused."""
    recipients: int = 0
    """Recipients taken so far in this transaction."""


class Behaviour(Protocol):
    """Decides what a host does at a moment."""

    def react(self, moment: Moment) -> Action:
        """The action to take; `moment.usual` leaves the host blameless."""


def decide(behaviours: tuple[Behaviour, ...], moment: Moment) -> Action:
    """Ask the behaviours in order, each given what the one before it decided."""
    for behaviour in behaviours:
        action = behaviour.react(moment)
        if action is not moment.usual:
            moment = replace(moment, usual=action)
    return moment.usual
