"""A box between agent and host, as data: what it may do with what passes, and who decides.

Theory of operation
-------------------
A firewall that inspects SMTP sits on the way. It reads what it can: command lines, replies and
the lines of a message in clear, or in TLS that it ends itself; of TLS that it lets through it sees
octets only. For each of these it makes a `Passage` and asks its filters, in order, what to do.
A filter returns `passage.usual`, what has been decided before it, or something else; at the
beginning that is to pass on what came as it came.

What holds always: filters are frozen and keep no count of their own (the box counts), so that one
value can serve a thousand boxes; acts are closed, and carried out in one place,
`fakes/middlebox.py`; whatever a filter has changed is told under the name of its class. A share is
a part of the target's own time-out for a reply, as in `model/smtp.py`.

The names are those of what it does to the conversation. The numbers and manners are those of the
products: Cisco's PIX (`fixup protocol smtp`, Mailguard) and ASA (`inspect esmtp`) above all.
"""

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from model.smtp import Stage
from model.tls import Flaw


class Part(StrEnum):
    """What it is that passes."""

    COMMAND = "command"
    """A line from the agent."""
    HEADER = "header"
    """A line of a message, up to the empty one."""
    BODY = "body"
    """A line of a message behind that."""
    DOT = "dot"
    """The dot that ends a message, with its line end."""
    REPLY = "reply"
    """A whole reply of the host's, the greeting included."""
    SEALED = "sealed"
    """Octets in either direction that the box cannot read."""


class Manner(StrEnum):
    """How a box ends a connection."""

    CLOSED = "closed"
    """FIN to both sides."""
    RESET = "reset"
    """RST to both sides (ASA: `reset`)."""
    DROPPED = "dropped"
    """Without a word: from then on nothing passes, and both sides stay open (`drop-connection`)."""


@dataclass(frozen=True, slots=True)
class Pass:
    """Send octets on. `cut`: so many of them first, the others after `pause` shares."""

    octets: bytes
    cut: int = 0
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Swallow:
    """Send nothing on."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer the agent in the host's place, and send nothing on; then close both, if so told."""

    text: str
    close: bool = False


@dataclass(frozen=True, slots=True)
class End:
    """Send nothing on, and end the connection on both sides."""

    manner: Manner


@dataclass(frozen=True, slots=True)
class Hold:
    """Let a share of the agent's time-out pass, then act; all that comes after it waits too."""

    share: float
    then: "Act"


@dataclass(frozen=True, slots=True)
class Intercept:
    """Agree to STARTTLS in the host's place; the host goes on in clear. `flaw`: the certificate's."""

    flaw: Flaw


Act = Pass | Swallow | Answer | End | Hold | Intercept


@dataclass(frozen=True, slots=True)
class Passage:
    """What a filter is asked about."""

    part: Part
    octets: bytes
    """As they came, line ends included."""
    usual: Act
    stage: Stage = Stage.OTHER
    """Of a command, its own; of a reply, that of the command it answers; else BODY or DOT."""
    tls: bool = False
    """Whether it is within TLS that the box ends itself."""
    recipients: int = 0
    """RCPT commands in this transaction so far, this one included."""
    content: int = 0
    """Octets of the message so far, this line included."""
    message: bytes = b""
    """At the dot: the message as it came, its dots doubled."""
    ahead: bool = False
    """Whether a command came before the reply to the one before it."""
    quiet: float = 0.0
    """Shares of the agent's time-out for which nothing had passed, either way."""


class Filter(Protocol):
    """Decides what a box does with what passes."""

    def react(self, passage: Passage) -> Act:
        """What to do; `passage.usual` leaves it to the others."""


@dataclass(frozen=True, slots=True)
class Box:
    """A box with its filters.

    `filters` are what a scenario is about: each must act, or nothing is proved. `besides` are
    switched on as well, as they are in the product, and may find nothing to do.
    """

    filters: tuple[Filter, ...] = ()
    besides: tuple[Filter, ...] = ()

    @property
    def everything(self) -> tuple[Filter, ...]:
        """The filters in the order in which they are asked."""
        return (*self.filters, *self.besides)


def name_of(one: Filter) -> str:
    """By which what a filter does is told."""
    return type(one).__name__


def decide(box: Box, passage: Passage) -> tuple[Act, tuple[tuple[str, Act], ...]]:
    """What to do, and what each filter that had its hand in it has made of it, in order."""
    changes: list[tuple[str, Act]] = []
    for one in box.everything:
        act = one.react(passage)
        if act != passage.usual:
            changes.append((name_of(one), act))
            passage = replace(passage, usual=act)
    return passage.usual, tuple(changes)


# Replies -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MasksGreeting:
    """Overwrites the greeting with asterisks, all but its code and every 2 and 0 (PIX 5.1, ASA)."""

    def react(self, passage: Passage) -> Act:
        """Star out the text behind the code."""
        if _is_reply(passage, Stage.GREETING) and isinstance(passage.usual, Pass):
            octets = passage.usual.octets
            return Pass(octets[:4] + re.sub(rb"[^20\r\n]", b"*", octets[4:]))
        return passage.usual


@dataclass(frozen=True, slots=True)
class MasksCapabilities:
    """Overwrites the keywords of the EHLO reply that it does not know: XXXXXXXA."""

    known: tuple[str, ...] = ()

    def react(self, passage: Passage) -> Act:
        """Keep the first line, and the lines whose keywords are known."""
        return _each_capability(passage, self._masked)

    def _masked(self, text: bytes) -> bytes:
        keyword = text.split(b" ")[0].decode("ascii", "replace").upper()
        return text if keyword in self.known else b"X" * (len(text) - 1) + b"A"


@dataclass(frozen=True, slots=True)
class RemovesCapability:
    """Takes the line of one keyword out of the EHLO reply."""

    keyword: str

    def react(self, passage: Passage) -> Act:
        """Drop the line."""
        return _each_capability(passage, self._kept)

    def _kept(self, text: bytes) -> bytes | None:
        return None if text.split(b" ")[0].upper() == self.keyword.encode() else text


@dataclass(frozen=True, slots=True)
class OffersCapability:
    """Adds a keyword to the EHLO reply, whether the host knows it or not."""

    keyword: str

    def react(self, passage: Passage) -> Act:
        """Put it in front of the last line."""
        if not (_is_reply(passage, Stage.EHLO) and isinstance(passage.usual, Pass)):
            return passage.usual
        first, *texts = _texts(passage.usual.octets)
        return Pass(_reply_of([first, self.keyword.encode(), *texts]))


@dataclass(frozen=True, slots=True)
class DelaysReplies:
    """Holds every reply back for a share of the agent's time-out."""

    share: float

    def react(self, passage: Passage) -> Act:
        """Hold it, whatever has become of it."""
        return Hold(self.share, passage.usual) if passage.part is Part.REPLY else passage.usual


# Commands ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MasksCommands:
    """Overwrites the verb of a command that it does not let through with X; the host objects."""

    allowed: tuple[str, ...]

    def react(self, passage: Passage) -> Act:
        """Keep the length, as a box must that keeps TCP's sequence numbers."""
        if passage.part is Part.COMMAND and isinstance(passage.usual, Pass):
            verb = _verb(passage.usual.octets)
            if verb.decode("ascii", "replace").upper() not in self.allowed:
                return Pass(b"X" * len(verb) + passage.usual.octets[len(verb) :])
        return passage.usual


@dataclass(frozen=True, slots=True)
class AnswersItself:
    """Answers a command in the host's place, which never hears of it."""

    pattern: str
    """A regular expression that is found in the command line, whatever its case."""
    text: str

    def react(self, passage: Passage) -> Act:
        """Look at the line as it came."""
        line = passage.octets.decode("utf-8", "replace")
        found = passage.part is Part.COMMAND and re.search(self.pattern, line, re.IGNORECASE)
        return Answer(self.text) if found else passage.usual


@dataclass(frozen=True, slots=True)
class _Limit:
    """Ends the connection where something is larger than `most`."""

    most: int
    manner: Manner = Manner.DROPPED

    def react(self, passage: Passage) -> Act:
        """Measure, and compare."""
        return End(self.manner) if self.size(passage) > self.most else passage.usual

    def size(self, passage: Passage) -> int:
        """How large it is; 0 if this is none of those that are measured."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class LimitsCommands(_Limit):
    """Ends the connection at a command line longer than `most` octets, without its line end."""

    def size(self, passage: Passage) -> int:
        """Octets of a command."""
        return _length(passage) if passage.part is Part.COMMAND else 0


@dataclass(frozen=True, slots=True)
class LimitsRecipients(_Limit):
    """Ends the connection at the RCPT that is one too many for a transaction."""

    def size(self, passage: Passage) -> int:
        """Recipients with this one."""
        is_one = passage.stage is Stage.RCPT and passage.part is Part.COMMAND
        return passage.recipients if is_one else 0


@dataclass(frozen=True, slots=True)
class LimitsSender(_Limit):
    """Ends the connection at a sender's address longer than `most` octets."""

    def size(self, passage: Passage) -> int:
        """Octets between the angle brackets."""
        if passage.part is not Part.COMMAND or passage.stage is not Stage.MAIL:
            return 0
        found = re.search(rb"<([^>]*)>", passage.octets)
        return len(found[1]) if found else 0


@dataclass(frozen=True, slots=True)
class SwallowsAhead:
    """Takes one command at a time, and loses those that come before it is answered."""

    def react(self, passage: Passage) -> Act:
        """Lose what has come too early."""
        early = passage.part is Part.COMMAND and passage.ahead
        return Swallow() if early else passage.usual


# Content -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LimitsHeaderLines(_Limit):
    """Ends the connection at a line of the header longer than `most` octets."""

    def size(self, passage: Passage) -> int:
        """Octets of a line."""
        return _length(passage) if passage.part is Part.HEADER else 0


@dataclass(frozen=True, slots=True)
class LimitsHeader(_Limit):
    """Ends the connection once a header has more than `most` octets."""

    def size(self, passage: Passage) -> int:
        """Octets of the header so far."""
        return passage.content if passage.part is Part.HEADER else 0


@dataclass(frozen=True, slots=True)
class LimitsFilenames(_Limit):
    """Ends the connection at a MIME filename of more than `most` octets."""

    def size(self, passage: Passage) -> int:
        """Octets of what is quoted behind `name=`."""
        if passage.part not in (Part.HEADER, Part.BODY):
            return 0
        found = re.search(rb'\b(?:file)?name="([^"]*)"', passage.octets, re.IGNORECASE)
        return len(found[1]) if found else 0


@dataclass(frozen=True, slots=True)
class LimitsContent(_Limit):
    """Ends the connection once a message has more than `most` octets."""

    manner: Manner = Manner.RESET

    def size(self, passage: Passage) -> int:
        """Octets of the message so far."""
        return passage.content if passage.part is Part.BODY else 0


@dataclass(frozen=True, slots=True)
class KillsOn:
    """Ends the connection at a line of a message in which a pattern is found."""

    pattern: bytes
    manner: Manner = Manner.RESET

    def react(self, passage: Passage) -> Act:
        """Search the line."""
        content = passage.part in (Part.HEADER, Part.BODY)
        found = content and re.search(self.pattern, passage.octets)
        return End(self.manner) if found else passage.usual


@dataclass(frozen=True, slots=True)
class RefusesOn:
    """Keeps the dot of a message in which a pattern is found, and answers in the host's place."""

    pattern: bytes
    text: str

    def react(self, passage: Passage) -> Act:
        """Search the message; the host has all of it but the dot, and so has nothing."""
        found = passage.part is Part.DOT and re.search(self.pattern, passage.message)
        return Answer(self.text, close=True) if found else passage.usual


@dataclass(frozen=True, slots=True)
class SplitsDot:
    """Sends the final dot and its line end in two segments, the second after a share."""

    pause: float = 0.1

    def react(self, passage: Passage) -> Act:
        """Cut behind the dot."""
        if passage.part is Part.DOT and isinstance(passage.usual, Pass):
            return replace(passage.usual, cut=1, pause=self.pause)
        return passage.usual


@dataclass(frozen=True, slots=True)
class LosesSplitDot:
    """Does not know a final dot that comes in two segments, and lets it go nowhere (CSCds90792)."""

    def react(self, passage: Passage) -> Act:
        """Look whether it is whole."""
        split = isinstance(passage.usual, Pass) and passage.usual.cut
        return Swallow() if passage.part is Part.DOT and split else passage.usual


# The connection ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DropsIdle:
    """Forgets a connection on which nothing has passed for a share of the agent's time-out."""

    share: float
    manner: Manner = Manner.DROPPED

    def react(self, passage: Passage) -> Act:
        """Notice it when something comes again, as a table of connections does."""
        return End(self.manner) if passage.quiet > self.share else passage.usual


@dataclass(frozen=True, slots=True)
class Resigns:
    """Ends the agent's TLS itself, with a certificate of its own, to read what is in it."""

    flaw: Flaw = Flaw.UNKNOWN_CA
    """What is wrong with that certificate."""

    def react(self, passage: Passage) -> Act:
        """Agree to STARTTLS; within TLS, hide that the host offers it still."""
        if passage.part is Part.COMMAND and passage.stage is Stage.STARTTLS and not passage.tls:
            return Intercept(self.flaw)
        return RemovesCapability("STARTTLS").react(passage) if passage.tls else passage.usual


def _is_reply(passage: Passage, stage: Stage) -> bool:
    """Whether it is a reply of 2yz at a stage."""
    return passage.part is Part.REPLY and passage.stage is stage and passage.octets.startswith(b"2")


def _length(passage: Passage) -> int:
    return len(passage.octets.rstrip(b"\r\n"))


def _verb(line: bytes) -> bytes:
    found = re.match(rb"[^ \r\n]*", line)
    return found[0] if found else b""


def _each_capability(passage: Passage, change: "Change") -> Act:
    """The EHLO reply with each line but the first changed, or left out where None comes of it."""
    if not (_is_reply(passage, Stage.EHLO) and isinstance(passage.usual, Pass)):
        return passage.usual
    first, *texts = _texts(passage.usual.octets)
    changed = [change(text) for text in texts]
    return Pass(_reply_of([first, *(text for text in changed if text is not None)]))


class Change(Protocol):
    """What becomes of one line of an EHLO reply, without its code; None: it is left out."""

    def __call__(self, text: bytes, /) -> bytes | None:
        """The line instead."""


def _texts(reply: bytes) -> list[bytes]:
    """The lines of a reply without their codes and ends."""
    return [line[4:] for line in reply.splitlines()]


def _reply_of(texts: list[bytes]) -> bytes:
    """A reply of 250 with these lines."""
    *some, last = texts
    return b"".join([*(b"250-" + text + b"\r\n" for text in some), b"250 " + last + b"\r\n"])
