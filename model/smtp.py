"""How an SMTP host misbehaves: open behaviours, closed actions.

Theory of operation
-------------------
At every stage of a session the fake host asks its behaviours what to do. It hands them a
`Moment`: the stage, how often this host was at this stage (1 for the first time, counted over
all its connections), and the action that a blameless server would take. A behaviour returns
that action unchanged, or another one. Several behaviours are asked in order; each is given what
the one before it decided.

What holds always: behaviours are frozen and keep no count of their own (the host counts), so
one value can serve a thousand hosts; actions are carried out in one place, `fakes/smtp.py`.
"""

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Say:
    """Send a reply (lines joined by newlines, each with its code); then close, if so told."""

    text: str
    close: bool = False


@dataclass(frozen=True, slots=True)
class Send:
    """Send octets as they are, no line end added; then close, if so told."""

    octets: bytes
    close: bool = False


@dataclass(frozen=True, slots=True)
class Stall:
    """Say nothing more and keep the connection open."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """Close the connection without a word: FIN, or RST. `keep` stores the message first."""

    reset: bool = False
    keep: bool = False


@dataclass(frozen=True, slots=True)
class Listen:
    """Go on reading; what a blameless host does while the body arrives."""


@dataclass(frozen=True, slots=True)
class Negotiate:
    """Take part in the TLS handshake; what a blameless host does after its 220."""


UNKNOWN = Say("502 5.5.1 Command not implemented")
"""What a host says to a command that it does not offer."""

Action = Say | Send | Stall | HangUp | Listen | Negotiate


@dataclass(frozen=True, slots=True)
class Moment:
    """What a behaviour is asked about."""

    stage: Stage
    visit: int
    usual: Action
    tls: bool = False
    octets: int = 0
    """Octets of the body received so far in this transaction (stage BODY only)."""


class Behaviour(Protocol):
    """Decides what a host does at a moment."""

    def react(self, moment: Moment) -> Action:
        """The action to take; `moment.usual` leaves the host blameless."""


def decide(behaviours: tuple[Behaviour, ...], moment: Moment) -> Action:
    """Ask the behaviours in order, each given what the one before it decided."""
    for behaviour in behaviours:
        action = behaviour.react(moment)
        moment = Moment(moment.stage, moment.visit, action, moment.tls, moment.octets)
    return moment.usual


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer `text` at one stage, the first `times` times; then close, if so told."""

    at: Stage
    text: str
    times: int = ALWAYS
    close: bool = False

    def react(self, moment: Moment) -> Action:
        """Replace the reply at the stage."""
        if moment.stage is self.at and moment.visit <= self.times:
            return Say(self.text, self.close)
        return moment.usual


@dataclass(frozen=True, slots=True)
class CutAt:
    """Close the connection instead of answering: FIN, or RST if `reset`."""

    at: Stage
    reset: bool = False
    times: int = ALWAYS

    def react(self, moment: Moment) -> Action:
        """Hang up at the stage."""
        if moment.stage is self.at and moment.visit <= self.times:
            return HangUp(self.reset)
        return moment.usual


@dataclass(frozen=True, slots=True)
class KeepThenCut:
    """Store the message and close before the 250: the duplicate trap of RFC 1047."""

    times: int = 1
    reset: bool = False

    def react(self, moment: Moment) -> Action:
        """Store, then hang up at the final dot."""
        if moment.stage is Stage.DOT and moment.visit <= self.times:
            return HangUp(self.reset, keep=True)
        return moment.usual


@dataclass(frozen=True, slots=True)
class CutBody:
    """Close the connection once `after` octets of the body have come."""

    after: int
    reset: bool = False
    times: int = ALWAYS

    def react(self, moment: Moment) -> Action:
        """Hang up in the middle of the body."""
        body = moment.stage is Stage.BODY
        if body and moment.octets >= self.after and moment.visit <= self.times:
            return HangUp(self.reset)
        return moment.usual


@dataclass(frozen=True, slots=True)
class StallAt:
    """Fall silent instead of answering, connection open."""

    at: Stage
    times: int = ALWAYS

    def react(self, moment: Moment) -> Action:
        """Stall at the stage."""
        if moment.stage is self.at and moment.visit <= self.times:
            return Stall()
        return moment.usual


@dataclass(frozen=True, slots=True)
class SendAt:
    """Send octets instead of the reply; then close, if so told."""

    at: Stage
    octets: bytes
    close: bool = False
    times: int = ALWAYS

    def react(self, moment: Moment) -> Action:
        """Send the octets at the stage."""
        if moment.stage is self.at and moment.visit <= self.times:
            return Send(self.octets, self.close)
        return moment.usual


@dataclass(frozen=True, slots=True)
class Withhold:
    """Leave a capability out of the EHLO reply, and refuse its command as unknown.

    Some clients send STARTTLS without looking; a host that withholds it must refuse it too.
    """

    capability: str

    def react(self, moment: Moment) -> Action:
        """Drop the keyword from the EHLO reply; answer 502 to the command."""
        if moment.stage is Stage.EHLO and isinstance(moment.usual, Say):
            return Say(_without(moment.usual.text, self.capability), moment.usual.close)
        if moment.stage is Stage.STARTTLS and self.capability == "STARTTLS":
            return UNKNOWN
        return moment.usual


@dataclass(frozen=True, slots=True)
class MaskGreeting:
    """Overwrite the greeting with asterisks, as SMTP inspection in firewalls does."""

    def react(self, moment: Moment) -> Action:
        """Keep the code, star out every other octet."""
        if moment.stage is Stage.GREETING and isinstance(moment.usual, Say):
            code, _, rest = moment.usual.text.partition(" ")
            return Say(f"{code} {'*' * len(rest)}", moment.usual.close)
        return moment.usual


@dataclass(frozen=True, slots=True)
class MaskCapabilities:
    """Overwrite every keyword of the EHLO reply with X, and refuse STARTTLS (it cannot be seen)."""

    def react(self, moment: Moment) -> Action:
        """Keep the first line and the number of lines."""
        if moment.stage is Stage.EHLO and isinstance(moment.usual, Say):
            first, *rest = moment.usual.text.split("\n")
            masked = [line[:4] + "X" * len(line[4:]) for line in rest]
            return Say("\n".join([first, *masked]), moment.usual.close)
        if moment.stage is Stage.STARTTLS:
            return UNKNOWN
        return moment.usual


def _without(reply: str, keyword: str) -> str:
    """The multi-line EHLO reply less one keyword, its last line marked as last again."""
    texts = [line[4:] for line in reply.split("\n")]
    kept = [t for i, t in enumerate(texts) if i == 0 or t.split(" ")[0].upper() != keyword]
    *some, last = kept
    return "\n".join([*(f"250-{text}" for text in some), f"250 {last}"])
