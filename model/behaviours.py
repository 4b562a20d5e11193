"""How an SMTP host misbehaves, one behaviour a class, named by what it does to the peer.

Each is a frozen value with one method, `react`, which is handed a `Moment` and returns the
action to take; `moment.usual` leaves the host blameless. Where a behaviour has `times` and
`since`, it acts at the visits `since`, `since` + 1, ... of its stage, `times` of them.
"""

import random
import re
from dataclasses import dataclass

from model.smtp import (
    ALWAYS,
    UNKNOWN,
    Action,
    Behaviour,
    HangUp,
    Moment,
    Negotiate,
    Pour,
    Say,
    Send,
    Stage,
    Stall,
    Wait,
)

A_MOMENT = 0.1
"""Share of the agent's own time-out for a reply."""


def _acts(moment: Moment, at: Stage, times: int, since: int) -> bool:
    """Whether a behaviour's turn has come."""
    return moment.stage is at and since <= moment.visit < since + times


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer `text` at one stage; then close, if so told: FIN, or RST if `reset`."""

    at: Stage
    text: str
    times: int = ALWAYS
    close: bool = False
    since: int = 1
    reset: bool = False

    def react(self, moment: Moment) -> Action:
        """Replace the reply at the stage."""
        if _acts(moment, self.at, self.times, self.since):
            return Say(self.text, self.close or self.reset, self.reset)
        return moment.usual


@dataclass(frozen=True, slots=True)
class CutAt:
    """Close the connection instead of answering: FIN, or RST if `reset`.

    A RST in place of the greeting comes a moment late: one that is there before connect(2) has
    returned is that call's error, as if nobody had accepted.
    """

    at: Stage
    reset: bool = False
    times: int = ALWAYS
    since: int = 1

    def react(self, moment: Moment) -> Action:
        """Hang up at the stage."""
        if not _acts(moment, self.at, self.times, self.since):
            return moment.usual
        early = self.reset and self.at is Stage.GREETING
        return Wait(A_MOMENT, HangUp(reset=True)) if early else HangUp(self.reset)


@dataclass(frozen=True, slots=True)
class EndTls:
    """End TLS in good order instead of answering (close_notify), then TCP, if not `half`."""

    at: Stage
    half: bool = False

    def react(self, moment: Moment) -> Action:
        """Hang up at the stage; in clear there is nothing to end."""
        if moment.stage is self.at and moment.tls:
            return HangUp(notify=True, half=self.half)
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
    since: int = 1

    def react(self, moment: Moment) -> Action:
        """Stall at the stage."""
        if _acts(moment, self.at, self.times, self.since):
            return Stall()
        return moment.usual


@dataclass(frozen=True, slots=True)
class SendAt:
    """Send octets instead of the reply; then close, if so told. `takes`: it was a reply of 2yz."""

    at: Stage
    octets: bytes
    close: bool = False
    times: int = ALWAYS
    since: int = 1
    takes: bool = False

    def react(self, moment: Moment) -> Action:
        """Send the octets at the stage."""
        if _acts(moment, self.at, self.times, self.since):
            return Send(self.octets, self.close, self.takes)
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


@dataclass(frozen=True, slots=True)
class HalfReply:
    """Send the first half of the reply; then close, or fall silent."""

    at: Stage
    close: bool = False
    times: int = ALWAYS
    since: int = 1

    def react(self, moment: Moment) -> Action:
        """Cut the usual reply in two, and keep the second half back."""
        if not _acts(moment, self.at, self.times, self.since):
            return moment.usual
        octets = _octets_of(moment.usual)
        return Send(octets[: max(1, len(octets) // 2)], self.close)


@dataclass(frozen=True, slots=True)
class Late:
    """Reply as usual, after a share of the agent's own time-out; more than 1 is too late."""

    at: Stage
    share: float
    times: int = ALWAYS
    since: int = 1

    def react(self, moment: Moment) -> Action:
        """Put the usual action off."""
        if _acts(moment, self.at, self.times, self.since):
            return Wait(self.share, moment.usual)
        return moment.usual


@dataclass(frozen=True, slots=True)
class HalfClose:
    """Close the sending side only, and go on reading in silence."""

    at: Stage
    times: int = ALWAYS
    since: int = 1

    def react(self, moment: Moment) -> Action:
        """Send the FIN."""
        if _acts(moment, self.at, self.times, self.since):
            return HangUp(half=True)
        return moment.usual


@dataclass(frozen=True, slots=True)
class KeepThenStall:
    """Store the message and never say so: the duplicate trap of RFC 1047, with a time-out."""

    times: int = 1

    def react(self, moment: Moment) -> Action:
        """Store, then fall silent at the final dot."""
        if _acts(moment, Stage.DOT, self.times, 1):
            return Stall(keep=True)
        return moment.usual


@dataclass(frozen=True, slots=True)
class Fragment:
    """Send the usual reply in pieces of a few octets, with a pause of some share between two."""

    at: Stage
    piece: int = 1
    pause: float = 0.0
    times: int = ALWAYS
    since: int = 1

    def react(self, moment: Moment) -> Action:
        """Cut the usual reply into segments."""
        if not (_acts(moment, self.at, self.times, self.since) and isinstance(moment.usual, Say)):
            return moment.usual
        octets = _octets_of(moment.usual)
        takes = _carries_out(moment.usual)
        return Send(octets, moment.usual.close, takes, self.piece, self.pause)


@dataclass(frozen=True, slots=True)
class Flood:
    """Send octets over and over instead of the reply, up to `most` of them."""

    at: Stage
    octets: bytes
    most: int

    def react(self, moment: Moment) -> Action:
        """Open the sluice."""
        return Pour(self.octets, self.most) if moment.stage is self.at else moment.usual


@dataclass(frozen=True, slots=True)
class Offer:
    """Add capabilities to the EHLO reply, whether the host knows them or not."""

    keywords: tuple[str, ...]

    def react(self, moment: Moment) -> Action:
        """Insert a line for each before the last one."""
        if moment.stage is Stage.EHLO and isinstance(moment.usual, Say):
            *some, last = moment.usual.text.split("\n")
            added = [f"250-{keyword}" for keyword in self.keywords]
            return Say("\n".join([*some, *added, last]), moment.usual.close)
        return moment.usual


@dataclass(frozen=True, slots=True)
class Quota:
    """Greet with 421 and close while more than `most` connections are open at once."""

    most: int
    text: str = "421 4.7.0 Too many connections"

    def react(self, moment: Moment) -> Action:
        """Turn the surplus away."""
        if moment.stage is Stage.GREETING and moment.open > self.most:
            return Say(self.text, close=True)
        return moment.usual


@dataclass(frozen=True, slots=True)
class InTls:
    """Another behaviour, within TLS only; its visits count those in clear too."""

    behaviour: Behaviour

    def react(self, moment: Moment) -> Action:
        """Ask it once the handshake is done."""
        return self.behaviour.react(moment) if moment.tls else moment.usual


@dataclass(frozen=True, slots=True)
class ToRecipient:
    """Answer RCPT for one local part with `text`, the first `times` times."""

    local_part: str
    text: str
    times: int = ALWAYS

    def react(self, moment: Moment) -> Action:
        """Look at the address in the command line."""
        wanted = f"<{self.local_part}@".lower()
        if moment.stage is Stage.RCPT and wanted in moment.line.lower():
            return Say(self.text) if moment.visit <= self.times else moment.usual
        return moment.usual


@dataclass(frozen=True, slots=True)
class Flap:
    """Break down at some of all moments, chosen by a seed: a share of them, the first `times` visits.

    What happens there, of cut, reset, 421 and 451, follows from the seed too, so that a run can be
    had again. `keeps`: half of the times that it cuts at the final dot it has stored the message.
    """

    seed: int
    share: float = 0.2
    times: int = ALWAYS
    keeps: bool = False

    def react(self, moment: Moment) -> Action:
        """Draw from the seed, the stage and the visit."""
        draw = random.Random(f"{self.seed}:{moment.stage}:{moment.visit}")
        if moment.visit > self.times or draw.random() >= self.share:
            return moment.usual
        reset, keep = draw.random() < 0.5, draw.random() < 0.5
        cut = HangUp(reset=reset, keep=keep and self.keeps and moment.stage is Stage.DOT)
        if moment.stage in (Stage.BODY, Stage.HANDSHAKE):
            return cut
        busy = Say("421 4.3.2 Going down", close=True), Say("451 4.3.0 Not now")
        return cut if draw.random() < 0.5 else draw.choice(busy)


@dataclass(frozen=True, slots=True)
class LineEnds:
    """End every line of every reply with these octets, in place of CRLF."""

    octets: bytes

    def react(self, moment: Moment) -> Action:
        """Send the usual reply so, and carry it out."""
        if not isinstance(moment.usual, Say):
            return moment.usual
        octets = _octets_of(moment.usual).replace(b"\r\n", self.octets)
        return Send(octets, moment.usual.close, _carries_out(moment.usual))


@dataclass(frozen=True, slots=True)
class Surplus:
    """Send a reply that nobody asked for right behind the usual one; then close, if so told."""

    at: Stage
    text: str
    close: bool = False
    times: int = ALWAYS
    since: int = 1

    def react(self, moment: Moment) -> Action:
        """Send both in one segment, and carry out the usual one."""
        if not (_acts(moment, self.at, self.times, self.since) and isinstance(moment.usual, Say)):
            return moment.usual
        octets = _octets_of(moment.usual) + _octets_of(Say(self.text))
        return Send(octets, self.close, _carries_out(moment.usual))


def _carries_out(reply: Say) -> bool:
    """Whether a reply says that the command is carried out."""
    return reply.text[:1] in ("2", "3")


@dataclass(frozen=True, slots=True)
class InBody:
    """Another behaviour (at the stage BODY), once `after` octets of the body have come."""

    after: int
    behaviour: Behaviour

    def react(self, moment: Moment) -> Action:
        """Ask it when there are enough."""
        body = moment.stage is Stage.BODY and moment.octets >= self.after
        return self.behaviour.react(moment) if body else moment.usual


@dataclass(frozen=True, slots=True)
class OnReuse:
    """Another behaviour, on a connection that has carried a message before."""

    behaviour: Behaviour

    def react(self, moment: Moment) -> Action:
        """Ask it from the second message of a connection on."""
        return self.behaviour.react(moment) if moment.carried else moment.usual


@dataclass(frozen=True, slots=True)
class ImplicitTls:
    """Wait for a TLS handshake before the greeting, as port 465 does (RFC 8314 section 3.3)."""

    def react(self, moment: Moment) -> Action:
        """Put TLS before the first word."""
        early = moment.stage is Stage.GREETING and not moment.tls
        return Negotiate() if early else moment.usual


@dataclass(frozen=True, slots=True)
class MostRecipients:
    """Take so many recipients a transaction, and answer `text` to any more."""

    most: int
    text: str = "452 4.5.3 Too many recipients"

    def react(self, moment: Moment) -> Action:
        """Count those that have been taken."""
        if moment.stage is Stage.RCPT and moment.recipients >= self.most:
            return Say(self.text)
        return moment.usual


@dataclass(frozen=True, slots=True)
class InClear:
    """Another behaviour, before TLS only; its visits count those within TLS too."""

    behaviour: Behaviour

    def react(self, moment: Moment) -> Action:
        """Ask it until the handshake is done."""
        return moment.usual if moment.tls else self.behaviour.react(moment)


@dataclass(frozen=True, slots=True)
class BreakHandshake:
    """Shake hands until `after` octets of the host's own part have been sent; then do `then`."""

    after: int
    then: Action
    times: int = ALWAYS

    def react(self, moment: Moment) -> Action:
        """Limit the handshake."""
        if _acts(moment, Stage.HANDSHAKE, self.times, 1):
            return Negotiate(self.after, self.then)
        return moment.usual


@dataclass(frozen=True, slots=True)
class SizeLimit:
    """Take so many octets a message (RFC 1870): say so at EHLO, and hold to it."""

    octets: int
    text: str = "552 5.3.4 Message size exceeds fixed limit"

    def react(self, moment: Moment) -> Action:
        """Look at the size announced with MAIL, and at that of the body."""
        if moment.stage is Stage.EHLO and isinstance(moment.usual, Say):
            text = re.sub(r"\bSIZE \d+", f"SIZE {self.octets}", moment.usual.text)
            return Say(text, moment.usual.close)
        announced = re.search(r" SIZE=(\d+)", moment.line) if moment.stage is Stage.MAIL else None
        if (announced and int(announced[1]) > self.octets) or (
            moment.stage is Stage.DOT and moment.octets > self.octets
        ):
            return Say(self.text)
        return moment.usual


def _octets_of(action: Action) -> bytes:
    """What an action puts on the wire."""
    match action:
        case Say(text):
            return text.replace("\n", "\r\n").encode() + b"\r\n"
        case Send(octets):
            return octets
    return b""


def _without(reply: str, keyword: str) -> str:
    """The multi-line EHLO reply less one keyword, its last line marked as last again."""
    texts = [line[4:] for line in reply.split("\n")]
    kept = [t for i, t in enumerate(texts) if i == 0 or t.split(" ")[0].upper() != keyword]
    *some, last = kept
    return "\n".join([*(f"250-{text}" for text in some), f"250 {last}"])
