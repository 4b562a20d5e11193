"""Mutants that the chapter robustness is there for."""

import re
from collections.abc import Sequence

from model.verdict import Law
from selftests.mutants.mutant import Mutant
from targets.reference.agent import Agent, Parts
from targets.reference.client import Session, stuffed
from targets.reference.courier import Courier
from targets.reference.outcome import Broken, Failure, Kind, Outcome, Reply, Sent, Server, Stage
from targets.reference.queue import Message

BUFFER = 65_536
"""Octets."""
DONE = Reply(250, "2.0.0 OK")
SCOPE = ("control.*", "robustness.*")
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")


class _Bare(Session):
    def unsuitable(
        self, sender: str, recipients: Sequence[str], content: bytes
    ) -> dict[str, Outcome]:
        return super().unsuitable(sender, recipients, _BARE.sub(b" ", content))

    async def _send(self, content: bytes) -> Outcome:
        if not _BARE.search(content):
            return await super()._send(content)
        await self._say(Stage.DATA, "DATA")
        self._wire.write(stuffed(content))
        reply = await self._reply(Stage.DOT, self._wire.read_response(self._timers.reply))
        return Sent(self.server, reply)


class _BareCourier(Courier):
    session = _Bare


class SendsBare(Agent):
    """Sends bare CR and LF as they are, so that one message may be taken for two."""

    parts = Parts(courier=_BareCourier)


class _NoNul(Session):
    def framed(self, content: bytes) -> bytes:
        return super().framed(content).replace(b"\0", b"")


class _NoNulCourier(Courier):
    session = _NoNul


class DropsNul(Agent):
    """Takes NUL out after the dots have been doubled: a dot behind one ends the message."""

    parts = Parts(courier=_NoNulCourier)


class _Buffered(Session):
    def framed(self, content: bytes) -> bytes:
        whole = content if content.endswith(b"\r\n") else content + b"\r\n"
        pieces = (whole[at : at + BUFFER] for at in range(0, len(whole), BUFFER))
        return b"".join(piece.replace(b"\r\n.", b"\r\n..") for piece in pieces) + b".\r\n"


class _BufferedCourier(Courier):
    session = _Buffered


class DoublesByBuffer(Agent):
    """Doubles dots buffer by buffer, and forgets at each how the last one ended."""

    parts = Parts(courier=_BufferedCourier)


class _Folds(Session):
    def framed(self, content: bytes) -> bytes:
        lines = super().framed(content).split(b"\r\n")
        return b"\r\n".join(re.sub(rb"(.{998})(?=.)", rb"\1\r\n ", line) for line in lines)


class _FoldsCourier(Courier):
    session = _Folds


class CountsDoubledDots(Agent):
    """Breaks lines at 998 octets, among which it counts a dot that it has doubled."""

    parts = Parts(courier=_FoldsCourier)


class _Eight(Session):
    def unsuitable(
        self, sender: str, recipients: Sequence[str], content: bytes
    ) -> dict[str, Outcome]:
        seven = content.decode("ascii", "ignore").encode()
        return super().unsuitable(sender, recipients, seven)


class _EightCourier(Courier):
    session = _Eight


class SendsEight(Agent):
    """Sends eight-bit content to everybody, whatever the host offers."""

    parts = Parts(courier=_EightCourier)


class _Raw(Session):
    def unsuitable(
        self, sender: str, recipients: Sequence[str], content: bytes
    ) -> dict[str, Outcome]:
        return super().unsuitable(sender, [r for r in recipients if r.isascii()], content)

    async def _say(self, stage: Stage, *words: str) -> Reply:
        if not self.offers("smtputf8"):
            words = tuple(word.replace(" SMTPUTF8", "") for word in words)
        return await super()._say(stage, *words)


class _RawCourier(Courier):
    session = _Raw


class NamesRaw(Agent):
    """Names recipients beyond ASCII to everybody, whatever the host offers."""

    parts = Parts(courier=_RawCourier)


class _Shouts(Session):
    def offers(self, capability: str) -> bool:
        return capability.upper().encode() in self._wire.heard and super().offers(capability)


class _ShoutsCourier(Courier):
    session = _Shouts


class WantsCapitals(Agent):
    """Knows keywords of the EHLO reply only if they are in capitals."""

    parts = Parts(courier=_ShoutsCourier)


class _Unquotes(Session):
    async def transact(
        self, sender: str, recipients: Sequence[str], content: bytes
    ) -> dict[str, Outcome]:
        bare = {recipient: recipient.replace('"', "") for recipient in recipients}
        outcomes = await super().transact(sender, tuple(bare.values()), content)
        return {recipient: outcomes[bare[recipient]] for recipient in recipients}


class _UnquotesCourier(Courier):
    session = _Unquotes


class Unquotes(Agent):
    """Sends quoted local parts without their quotes."""

    parts = Parts(courier=_UnquotesCourier)


class _Lower(_Unquotes):
    async def transact(
        self, sender: str, recipients: Sequence[str], content: bytes
    ) -> dict[str, Outcome]:
        names = dict.fromkeys(map(str.lower, recipients))
        outcomes = await Session.transact(self, sender, tuple(names), content)
        return {recipient: outcomes[recipient.lower()] for recipient in recipients}


class _LowerCourier(Courier):
    session = _Lower


class LowersCase(Agent):
    """Writes recipients in small letters, and those that differ in case only become one."""

    parts = Parts(courier=_LowerCourier)


class _Hasty(Session):
    async def _send(self, content: bytes) -> Outcome:
        if _BARE.search(content):
            return await super()._send(content)
        reply = await self._say(Stage.DATA, "DATA")
        if reply.code == 354:
            self._wire.write(stuffed(content))
            reply = await self._reply(Stage.DOT, self._wire.read_response(self._timers.reply))
        return Sent(self.server, reply) if reply.code < 300 else self._refusal(Stage.DOT, reply)


class _HastyCourier(Courier):
    session = _Hasty


class TakesEarlyReply(Agent):
    """Takes a reply that was there before the final dot for the reply to it."""

    parts = Parts(courier=_HastyCourier)


class _FirstLine(Session):
    async def _send(self, content: bytes) -> Outcome:
        self._wire.heard.clear()
        try:
            return await super()._send(content)
        except Broken as lost:
            if b"\r\n250-" not in self._wire.heard or lost.failure.stage is not Stage.DOT:
                raise
            return Sent(self.server, DONE)


class _FirstLineCourier(Courier):
    session = _FirstLine


class ReadsFirstLine(Agent):
    """Is content with the first line of a reply to the final dot that never ends."""

    parts = Parts(courier=_FirstLineCourier)


class _Fifty(Session):
    async def transact(
        self, sender: str, recipients: Sequence[str], content: bytes
    ) -> dict[str, Outcome]:
        outcomes = await super().transact(sender, recipients[:50], content)
        return dict.fromkeys(recipients, Sent(self.server, DONE)) | outcomes


class _FiftyCourier(Courier):
    session = _Fifty


class SendsToFifty(Agent):
    """Sends to the first fifty recipients of a message, and says that all have it."""

    parts = Parts(courier=_FiftyCourier)


PAGE = 1 << 25
"""Octets for which a buffer has room."""


class _Cut(Session):
    def framed(self, content: bytes) -> bytes:
        return super().framed(content[:PAGE])


class _CutCourier(Courier):
    session = _Cut


class SendsOnePage(Agent):
    """Sends the first 32 mebibytes of a message, and says that this is all."""

    parts = Parts(courier=_CutCourier)


LIST = 5000
"""Recipients for whom a list has room."""


class _List(Session):
    async def transact(
        self, sender: str, recipients: Sequence[str], content: bytes
    ) -> dict[str, Outcome]:
        outcomes = await super().transact(sender, recipients[:LIST], content)
        return dict.fromkeys(recipients, Sent(self.server, DONE)) | outcomes


class _ListCourier(Courier):
    session = _List


class SendsToThousands(Agent):
    """Sends to the first five thousand recipients of a message, and says that all have it."""

    parts = Parts(courier=_ListCourier)


class _Limited(Session):
    async def transact(
        self, sender: str, recipients: Sequence[str], content: bytes
    ) -> dict[str, Outcome]:
        found = re.search(rb"250[- ]SIZE (\d+)", bytes(self._wire.heard))
        if found and len(content) > int(found[1]):
            too_big = Reply(552, "5.3.4 Too big")
            failure = Failure(Stage.MAIL, Kind.REPLY, self.server, too_big)
            return dict.fromkeys(recipients, failure)
        return await super().transact(sender, recipients, content)


class _LimitedCourier(Courier):
    session = _Limited


class TakesNoLimitForZero(Agent):
    """Takes `SIZE 0`, which means no limit, for a limit of nothing."""

    parts = Parts(courier=_LimitedCourier)


MOST = 100
"""Messages to one domain for which a queue has room."""


class Overflows(Agent):
    """Says that it has delivered what comes for a domain for which a hundred messages wait."""

    async def attempt(
        self, message: Message, domain: str, recipients: Sequence[str]
    ) -> dict[str, Outcome]:
        """Look at the queue first."""
        waiting = [r for one in self.queue.waiting() for r in one.recipients if r.endswith(domain)]
        if len(waiting) > MOST:
            return dict.fromkeys(recipients, Sent(Server(domain), DONE))
        return dict(await super().attempt(message, domain, recipients))


class Empties(Agent):
    """Says that it has delivered mail of no octets, and sends nothing."""

    async def attempt(
        self, message: Message, domain: str, recipients: Sequence[str]
    ) -> dict[str, Outcome]:
        """Look at the content first."""
        if not message.content:
            return dict.fromkeys(recipients, Sent(Server(domain), DONE))
        return dict(await super().attempt(message, domain, recipients))


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        SendsBare,
        (
            "robustness.smuggled.*-dot-cr*",
            "robustness.smuggled.*-dot-lf",
            "robustness.smuggled.lf-*",
            "robustness.smuggled.chunking",
            "robustness.smuggled.in-header",
            "robustness.bare-*",
        ),
        Law.UNAMBIGUOUS,
        scope=SCOPE,
    ),
    Mutant(DropsNul, ("robustness.smuggled.crlf-nul-dot-crlf",), Law.ACCOUNTED, scope=SCOPE),
    Mutant(
        DoublesByBuffer,
        ("robustness.dots.every-offset", "robustness.message.large"),
        Law.INTACT,
        scope=SCOPE,
    ),
    Mutant(CountsDoubledDots, ("robustness.line.998-behind-dot",), Law.INTACT, scope=SCOPE),
    Mutant(SendsEight, ("robustness.eight-bit.not-offered",), scope=SCOPE),
    Mutant(NamesRaw, ("robustness.address.utf8.not-offered",), Law.OFFERED, scope=SCOPE),
    Mutant(WantsCapitals, ("robustness.eight-bit.lower-case",), scope=SCOPE),
    Mutant(
        Unquotes,
        (
            "robustness.address.space",
            "robustness.address.at",
            "robustness.address.dots",
            "robustness.address.escapes",
            "robustness.address.brackets",
        ),
        scope=SCOPE,
    ),
    Mutant(
        LowersCase,
        ("robustness.address.upper-case", "robustness.address.case-differs"),
        Law.ACCOUNTED,
        scope=SCOPE,
    ),
    Mutant(TakesEarlyReply, ("robustness.surplus.data.250",), Law.ACCOUNTED, scope=SCOPE),
    Mutant(ReadsFirstLine, ("robustness.flood.dot",), Law.ACCOUNTED, scope=SCOPE),
    Mutant(
        SendsToFifty,
        ("robustness.message.hundred-recipients", "robustness.message.thousand-recipients"),
        Law.ACCOUNTED,
        scope=SCOPE,
    ),
    # Each takes its time: through these alone.
    Mutant(
        SendsOnePage,
        ("robustness.large.*-octets",),
        Law.INTACT,
        scope=("control.*", "robustness.large.*-octets"),
        large=True,
    ),
    Mutant(
        SendsToThousands,
        ("robustness.large.*-recipients",),
        Law.ACCOUNTED,
        scope=("control.*", "robustness.large.*-recipients"),
        large=True,
    ),
    Mutant(TakesNoLimitForZero, ("robustness.offers.size.zero",), scope=SCOPE),
    Mutant(Overflows, ("robustness.many.flapping",), Law.ACCOUNTED, scope=SCOPE),
    Mutant(Empties, ("robustness.message.empty",), Law.ACCOUNTED, scope=SCOPE),
)
