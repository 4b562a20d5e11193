"""Mutants whose notices of lost mail are not by the book, each in one thing."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from email.message import Message as Part

from model.verdict import Law
from model.wishes import xtext
from selftests.mutants.mutant import Mutant
from selftests.mutants.where import is_refused_for_good
from targets.reference.agent import Agent, Parts
from targets.reference.ndr import Lost, Writer
from targets.reference.queue import Message

SCOPE = ("control.*", "reply.*")
"""Where mail is given up at once."""


class _NoReportType(Writer):
    def write(self, message: Message, lost: Sequence[Lost], now: datetime, queue_id: str) -> bytes:
        content = super().write(message, lost, now, queue_id)
        return content.replace(b'report-type="delivery-status"', b'x-type="delivery-status"')


class NoReportType(Agent):
    """Does not say of its NDRs what they report."""

    parts = Parts(writer=_NoReportType)


class _Mute(Writer):
    def explanation(self, lost: Sequence[Lost], now: datetime) -> str:
        return ""


class Mute(Agent):
    """Has nothing for people in its NDRs."""

    parts = Parts(writer=_Mute)


class _WithoutStatus(Writer):
    def block(self, lost: Lost) -> Part:
        block = super().block(lost)
        del block["Status"]
        return block


class WithoutStatus(Agent):
    """Leaves Status out of its NDRs."""

    parts = Parts(writer=_WithoutStatus)


class _Successful(Writer):
    def block(self, lost: Lost) -> Part:
        block = super().block(lost)
        block.replace_header("Status", "2.0.0")
        return block


class Successful(Agent):
    """Says that mail has failed, and gives it a Status of success."""

    parts = Parts(writer=_Successful)


class _Bounced(Writer):
    def block(self, lost: Lost) -> Part:
        block = super().block(lost)
        block.replace_header("Action", "bounced")
        return block


class Bounced(Agent):
    """Has an Action of its own in its NDRs."""

    parts = Parts(writer=_Bounced)


class _AboutNobody(Writer):
    def block(self, lost: Lost) -> Part:
        block = super().block(lost)
        del block["Final-Recipient"]
        return block


class AboutNobody(Agent):
    """Does not say in its NDRs whose mail is lost."""

    parts = Parts(writer=_AboutNobody)


class _StillTries(Writer):
    def block(self, lost: Lost) -> Part:
        block = super().block(lost)
        block["Will-Retry-Until"] = block["Last-Attempt-Date"]
        return block


class StillTries(Agent):
    """Says of mail that it has given up until when it will try."""

    parts = Parts(writer=_StillTries)


class _OtherDates(Writer):
    def block(self, lost: Lost) -> Part:
        block = super().block(lost)
        block.replace_header("Last-Attempt-Date", lost.attempted.isoformat())
        return block


class OtherDates(Agent):
    """Writes the dates in its NDRs as ISO 8601 has them."""

    parts = Parts(writer=_OtherDates)


class _Stranger(Writer):
    def block(self, lost: Lost) -> Part:
        block = super().block(lost)
        del block["Remote-MTA"]
        block["Remote-MTA"] = "dns;mx.stranger.test"
        return block


class Stranger(Agent):
    """Blames a server in its NDRs that had nothing to do with it."""

    parts = Parts(writer=_Stranger)


class _Anonymous(Writer):
    def status(self, message: Message, lost: Sequence[Lost]) -> Part:
        part = super().status(message, lost)
        whole = part.get_payload(0)
        assert isinstance(whole, Part)
        del whole["Reporting-MTA"]
        return part


class Anonymous(Agent):
    """Does not say in its NDRs who it is."""

    parts = Parts(writer=_Anonymous)


class _ToTheRecipient(Writer):
    def write(self, message: Message, lost: Sequence[Lost], now: datetime, queue_id: str) -> bytes:
        content = super().write(message, lost, now, queue_id)
        old, new = (f"\r\nTo: {to}\r\n" for to in (message.sender, message.recipients[0]))
        return content.replace(old.encode(), new.encode(), 1)


class ToTheRecipient(Agent):
    """Addresses its NDRs, in their header, to those whom the mail did not reach."""

    parts = Parts(writer=_ToTheRecipient)


class _KeepsTheOriginal(Writer):
    def write(self, message: Message, lost: Sequence[Lost], now: datetime, queue_id: str) -> bytes:
        content = super().write(message, lost, now, queue_id)
        head, boundary, _ = content.rpartition(b"\r\nContent-Type: text/rfc822-headers")
        end = head.rpartition(b"\r\n")[2] if boundary else b""
        return head + b"--\r\n" if end.startswith(b"--") else content


class KeepsTheOriginal(Agent):
    """Returns nothing by which the sender could tell which mail is lost."""

    parts = Parts(writer=_KeepsTheOriginal)


"""Wherever mail comes back in the end."""


class _Undecoded(Writer):
    def write(self, message: Message, lost: Sequence[Lost], now: datetime, queue_id: str) -> bytes:
        wishes = message.wishes
        kind, _, address = wishes.orcpt.partition(";")
        raw = replace(
            wishes,
            envid=xtext(wishes.envid),
            orcpt=f"{kind};{xtext(address)}" if address else "",
        )
        return super().write(replace(message, wishes=raw), lost, now, queue_id)


class LeavesXtext(Agent):
    """Gives ENVID and ORCPT back in xtext, as they came over the wire."""

    parts = Parts(writer=_Undecoded)


class _Forgets(Writer):
    def write(self, message: Message, lost: Sequence[Lost], now: datetime, queue_id: str) -> bytes:
        plain = replace(message, wishes=replace(message.wishes, envid="", orcpt=""))
        return super().write(plain, lost, now, queue_id)


class ForgetsNames(Agent):
    """Gives neither ENVID nor ORCPT back."""

    parts = Parts(writer=_Forgets)


class _Whole(Writer):
    def returns_whole(self, ret: str, lost: Sequence[Lost]) -> bool:
        return True


class ReturnsAll(Agent):
    """Returns the whole message, whatever RET says."""

    parts = Parts(writer=_Whole)


class _Another(Writer):
    def write(self, message: Message, lost: Sequence[Lost], now: datetime, queue_id: str) -> bytes:
        other = replace(
            message, content=message.header + b"\r\n\r\nDear friend, the key is 4711.\r\n"
        )
        return super().write(other, lost, now, queue_id)


class ReturnsAnothersBody(Agent):
    """Returns another message's body behind the header."""

    parts = Parts(writer=_Another)


NAMED = ("notices.envid", "notices.orcpt")

MUTANTS: tuple[Mutant, ...] = (
    *(
        Mutant(agent, (is_refused_for_good,), Law.NDR_CONFORMS, scope=SCOPE)
        for agent in (
            NoReportType,
            Mute,
            WithoutStatus,
            Successful,
            Bounced,
            AboutNobody,
            StillTries,
            OtherDates,
            Stranger,
            Anonymous,
            ToTheRecipient,
            KeepsTheOriginal,
        )
    ),
    Mutant(LeavesXtext, NAMED, Law.NDR_CONFORMS, scope=("control.*", "notices.*")),
    Mutant(ForgetsNames, NAMED, Law.NDR_CONFORMS, scope=("control.*", "notices.*")),
    Mutant(ReturnsAll, ("notices.ret.hdrs",), Law.NDR_CONFORMS, scope=("control.*", "notices.*")),
    Mutant(
        ReturnsAnothersBody,
        ("notices.ret.full",),
        Law.NDR_CONFORMS,
        scope=("control.*", "notices.*"),
    ),
)
