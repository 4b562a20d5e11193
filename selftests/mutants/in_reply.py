"""Mutants that the chapter reply is there for."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from model.verdict import Law
from selftests.mutants.mutant import Mutant
from targets.reference.agent import Agent, Parts
from targets.reference.client import Session
from targets.reference.courier import Courier
from targets.reference.dialect import Dialect, Statement
from targets.reference.ndr import Lost, Writer
from targets.reference.outcome import Failure, Kind, Outcome, Reply, Stage
from targets.reference.policy import Policy
from targets.reference.queue import Message

SCOPE = ("control.*", "reply.*")
"""Its own chapter, because a wrong agent costs a run of all it goes through."""


class _BelievesEarly(Session):
    def _mind_the_unasked(self, stage: Stage) -> None:
        pass


class _BelievesEarlyCourier(Courier):
    session = _BelievesEarly


class BelievesEarly(Agent):
    """Takes a reply that came before its command for the answer to it."""

    parts = Parts(courier=_BelievesEarlyCourier)


class _ByEnhanced(Policy):
    def is_permanent(self, failure: Failure) -> bool:
        code = failure.reply.text[:2] if failure.reply and failure.stage is Stage.RCPT else ""
        return code == "5." if code in ("4.", "5.") else super().is_permanent(failure)


class GoesByEnhanced(Agent):
    """Goes by the enhanced code to RCPT, whatever the reply begins with."""

    parts = Parts(policy=_ByEnhanced)


class _Only354(Session):
    async def _say(self, stage: Stage, *words: str) -> Reply:
        reply = await super()._say(stage, *words)
        odd = stage is Stage.DATA and 300 <= reply.code < 400 and reply.code != 354
        return Reply(451, reply.text) if odd else reply


class _Only354Courier(Courier):
    session = _Only354


class Only354(Agent):
    """Takes no other 3yz than 354 for leave to send content."""

    parts = Parts(courier=_Only354Courier)


class _FinalFull(Session):
    async def _say(self, stage: Stage, *words: str) -> Reply:
        reply = await super()._say(stage, *words)
        too_many = reply.code == 552 and reply.enhanced in ("5.5.3", "5.0.0")
        return Reply(554, reply.text) if too_many and stage is Stage.RCPT else reply


class _FinalFullCourier(Courier):
    session = _FinalFull


class FinalFull(Agent):
    """Returns mail at a 552 to RCPT, although it may mean too many recipients."""

    parts = Parts(courier=_FinalFullCourier)


class _OneForAll(Session):
    async def transact(
        self, sender: str, recipients: Sequence[str], content: bytes
    ) -> dict[str, Outcome]:
        outcomes = await super().transact(sender, recipients, content)
        refused = [one for one in outcomes.values() if isinstance(one, Failure)]
        return {who: refused[0] if one in refused else one for who, one in outcomes.items()}


class _OneForAllCourier(Courier):
    session = _OneForAll


class OneForAll(Agent):
    """Says of every recipient that was refused what was said of the first."""

    parts = Parts(courier=_OneForAllCourier)


class _AsItCame(Writer):
    def write(self, message: Message, lost: Sequence[Lost], now: datetime, queue_id: str) -> bytes:
        content = super().write(message, lost, now, queue_id)
        for each in lost:
            if each.failure.reply is not None:
                shown, came = each.attempt.diagnostic, each.failure.reply
                octets = f"{came.code} {' '.join(came.text.splitlines())}".encode()
                clean = shown.encode("ascii", "replace")
                content = content.replace(clean, octets)
        return content


class AsItCame(Agent):
    """Writes a server's text into its NDRs octet by octet."""

    parts = Parts(writer=_AsItCame)


class _Wordless(Dialect):
    def passed_on(self, failure: Failure) -> Statement | None:
        reply = failure.reply
        if failure.kind is not Kind.REPLY or reply is None:
            return super().passed_on(failure)
        return super().passed_on(replace(failure, reply=Reply(reply.code, reply.enhanced)))


class Wordless(Agent):
    """Passes the codes of a reply on, and none of its words."""

    parts = Parts(dialect=_Wordless)


class _EightBits(Session):
    def _unfit(self, content: bytes) -> Reply | None:
        return super()._unfit(b"")


class _EightBitsCourier(Courier):
    session = _EightBits


class EightBits(Agent):
    """Sends content of eight bits to servers that do not offer 8BITMIME."""

    parts = Parts(courier=_EightBitsCourier)


class _Transliterates(Session):
    def unsuitable(
        self, sender: str, recipients: Sequence[str], content: bytes
    ) -> dict[str, Outcome]:
        return super().unsuitable("", (), content)

    def _parameters(self, addresses: Sequence[str], content: bytes) -> str:
        return super()._parameters(addresses if self.offers("smtputf8") else (), content)

    async def _say(self, stage: Stage, *words: str) -> Reply:
        ours = words if self.offers("smtputf8") else [w.replace("ü", "ue") for w in words]
        return await super()._say(stage, *ours)


class _TransliteratesCourier(Courier):
    session = _Transliterates


class Transliterates(Agent):
    """Writes a recipient's name in ASCII where the server does not offer SMTPUTF8."""

    parts = Parts(courier=_TransliteratesCourier)


MUTANTS: tuple[Mutant, ...] = (
    Mutant(BelievesEarly, ("reply.dot.early-250",), Law.ACCOUNTED, scope=SCOPE),
    Mutant(
        GoesByEnhanced,
        ("reply.enhanced.550-4.2.1", "reply.enhanced.450-5.1.1"),
        Law.CODE_CLASS,
        scope=SCOPE,
    ),
    Mutant(Only354, ("reply.data.399",), scope=SCOPE),
    Mutant(
        FinalFull,
        ("reply.rcpt.552", "reply.provider.docomo.recipients", "reply.recipients.552-after-two"),
        scope=SCOPE,
    ),
    Mutant(OneForAll, ("reply.recipients.*",), scope=SCOPE),
    Mutant(AsItCame, ("reply.text.*",), Law.LEGIBLE, scope=SCOPE),
    Mutant(Wordless, ("reply.provider.*",), scope=SCOPE),
    Mutant(EightBits, ("reply.extension.8bitmime-missing",), scope=SCOPE),
    Mutant(Transliterates, ("reply.extension.smtputf8-missing",), Law.ACCOUNTED, scope=SCOPE),
)
