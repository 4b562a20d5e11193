"""The reference agent's batches over one connection, and its own time-outs."""

import asyncio
import contextlib
from dataclasses import replace

import pytest

from model.timers import Timers
from selftests.test_reference_client import IP, NAME, Peer, deliver
from targets.reference.client import OTHERWISE, Session
from targets.reference.outcome import Broken, Failure, Kind, Outcome, Sent, Server, Stage

THREE = ("a@d.test", "b@d.test", "c@d.test")
TIMERS = Timers(dns=1, connect=1, reply=3, lifetime=1, retry=1)


def verbs(peer: Peer) -> list[str]:
    """The commands that a peer has heard."""
    return [line.split()[0] for line in peer.lines]


class Second(Peer):
    """A peer that is odd at a command from its second time on."""

    def __init__(self, verb: str, reply: str | None, since: int = 2) -> None:
        super().__init__()
        self._verb, self._reply, self._since = verb, reply, since

    def _say(self, writer: asyncio.StreamWriter, verb: str, usual: str) -> bool:
        odd = verb == self._verb and verbs(self).count(verb) == self._since
        self.replies = {verb: self._reply} if odd else {}
        return super()._say(writer, verb, usual)


def broken(outcome: Outcome) -> tuple[Stage, Kind]:
    """Where and how it failed."""
    assert isinstance(outcome, Failure)
    return outcome.stage, outcome.kind


def test_a_message_goes_in_batches_over_one_connection() -> None:
    """Two recipients, RSET, the third; all are told so."""
    peer = Peer()
    outcomes = deliver(peer, recipients=THREE, reuses=True)

    assert all(isinstance(outcomes[one], Sent) for one in THREE)
    assert peer.connections == 1
    batch = ["MAIL", "RCPT", "RCPT", "DATA"]
    assert verbs(peer)[1:10] == [*batch, "RSET", "MAIL", "RCPT", "DATA"]


def test_elsewhere_it_goes_at_once() -> None:
    """One transaction, and no RSET."""
    peer = Peer()
    deliver(peer, recipients=THREE)

    assert verbs(peer).count("MAIL") == 1
    assert "RSET" not in verbs(peer)


@pytest.mark.parametrize("reply", [None, "421 4.3.2 bye", "500 what"])
def test_a_connection_that_is_dead_is_replaced(reply: str | None) -> None:
    """Closed, or refusing RSET: the rest goes over a fresh one, and nothing twice."""
    peer = Peer({"RSET": reply})
    outcomes = deliver(peer, recipients=THREE, reuses=True)

    assert all(isinstance(outcomes[one], Sent) for one in THREE)
    assert (peer.connections, verbs(peer).count("DATA")) == (2, 2)


def test_what_breaks_after_rset_is_a_failure_of_the_rest() -> None:
    """The first two have been taken, and stay so."""
    outcomes = deliver(Second("MAIL", None), recipients=THREE, reuses=True)

    assert all(isinstance(outcomes[one], Sent) for one in THREE[:2])
    assert broken(outcomes[THREE[2]]) == (Stage.MAIL, Kind.CLOSED)


def test_a_host_that_is_gone_by_then_fails_the_rest() -> None:
    """The fresh connection is no better: the rest waits, and nobody is asked twice."""
    peer = Second("EHLO", None)
    peer.replies["RSET"] = None
    outcomes = deliver(_closing_at_rset(peer), recipients=THREE, reuses=True)

    assert all(isinstance(outcomes[one], Sent) for one in THREE[:2])
    assert broken(outcomes[THREE[2]]) == (Stage.EHLO, Kind.CLOSED)


def _closing_at_rset(peer: Second) -> Second:
    say = peer._say

    def without_rset(writer: asyncio.StreamWriter, verb: str, usual: str) -> bool:
        return verb != "RSET" and say(writer, verb, usual)

    peer._say = without_rset  # type: ignore[method-assign]
    return peer


@pytest.mark.parametrize(("reply", "last"), [("550 no", "QUIT"), ("", "MAIL")])
def test_there_is_no_parting_word_to_a_peer_that_is_lost(reply: str, last: str) -> None:
    """After a refusal QUIT is said; where the reply made no sense nobody waits for another."""
    peer, over = Peer({"MAIL": reply}), asyncio.Event()

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer(reader, writer)
        writer.close()
        over.set()

    async def scene() -> None:
        server = await asyncio.start_server(served, IP, 0)
        port = server.sockets[0].getsockname()[1]
        async with server:
            session = Session(Server(NAME, IP, port), "me", TIMERS)
            await session.open()
            await session.hello()
            with contextlib.suppress(Broken):
                await session.transact("s@home.test", THREE, b"x")
            await session.leave()
            await over.wait()

    asyncio.run(scene())
    assert verbs(peer)[-1] == last


@pytest.mark.parametrize(
    ("stage", "seconds"),
    [(Stage.DATA, 120.0), (Stage.DOT, 600.0), (Stage.MAIL, 300.0), (Stage.GREETING, OTHERWISE)],
)
def test_its_own_time_outs_are_those_of_the_document(stage: Stage, seconds: float) -> None:
    """RFC 5321 section 4.5.3.2; but what it is told to wait, it waits."""

    async def patience(timers: Timers) -> float:
        return Session(Server(NAME, IP, 25), "me", timers).patience(stage)

    assert asyncio.run(patience(replace(TIMERS, own=True))) == seconds
    assert asyncio.run(patience(TIMERS)) == 3
