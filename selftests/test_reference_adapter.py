"""The reference adapter with a real agent process, in a stand-in for a room."""

import contextlib
import random
import socketserver
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.room import Account, AgentDied
from model.ndr import read_notices
from model.report import Report, State
from model.timers import Timers
from model.tls import Tls
from model.wishes import Wishes
from targets.base import Envelope, Route, Target, load
from targets.reference.adapter import Adapter
from targets.reference.agent import NO_WISHES, Agent, Parts
from targets.reference.policy import Policy
from targets.reference.queue import AT_ONCE

IP = "127.0.0.33"
TIMERS = Timers(dns=0.3, connect=0.5, reply=0.5, lifetime=1, retry=1)
CONTENT = b"Subject: hello\r\n\r\n.body\r\n"
HOUR = 3600.0


class StandIn:
    """As much of a room as the adapter asks of it."""

    sealed = False

    def __init__(self, work: Path, smtp_port: int) -> None:
        self.work = work
        self.dns = ("127.0.0.1", 9)
        self.smtp_port = smtp_port
        self.ca_file, self.crl_file = work / "ca.pem", work / "crl.pem"

    def install(self, tree: Path | None, accounts: Sequence[Account]) -> None:
        """The reference agent needs nothing installed."""
        raise AssertionError("the reference agent asked for an installation")

    def spawn(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, stdin: bool = False
    ) -> subprocess.Popen[bytes]:
        """Start a process."""
        return subprocess.Popen(
            argv,
            cwd=self.work,
            env=env,
            stdin=subprocess.PIPE if stdin else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )


class Sink(socketserver.ThreadingTCPServer):
    """A small SMTP server that refuses recipients called bad or later, and keeps the rest."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((IP, 0), Conversation)
        self.mails: list[bytes] = []


class Conversation(socketserver.StreamRequestHandler):
    """One connection to the sink."""

    def handle(self) -> None:
        """Speak SMTP."""
        with contextlib.suppress(ConnectionError):
            self.wfile.write(b"220 hello\r\n")
            while line := self.rfile.readline():
                self.wfile.write(self._reply(line))

    def _reply(self, line: bytes) -> bytes:
        if b"<bad@" in line:
            return b"550 5.1.1 no such user\r\n"
        if b"<later@" in line:
            return b"451 4.2.0 later\r\n"
        if line.startswith(b"DATA"):
            self.wfile.write(b"354 go\r\n")
            assert isinstance(self.server, Sink)
            self.server.mails.append(b"".join(iter(self.rfile.readline, b".\r\n")))
        return b"250 2.0.0 fine\r\n"


@contextmanager
def sink() -> Iterator[Sink]:
    """A sink that serves."""
    with Sink() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def started(folder: Path, port: int, agent: str = "") -> Iterator[Adapter]:
    """An adapter with its agent running; everything for d.test and home.test goes to the sink."""
    adapter = Adapter(agent) if agent else Adapter()
    routes = [
        Route(domain, (f"[{IP}]",), Tls.NONE, "", 24 * HOUR) for domain in ("d.test", "home.test")
    ]
    try:
        adapter.start(StandIn(folder, port), TIMERS, routes)
        yield adapter
    finally:
        adapter.stop()


def delivered(adapter: Adapter, report: Report) -> set[str]:
    """The message's name if it was delivered; otherwise the machine was busy, and it is tried again."""
    if report.state is State.DELIVERED:
        return {report.queue_id}
    adapter.retry(report.queue_id)
    return set()


def test_the_adapter_is_a_target() -> None:
    target: Target = load("reference")
    target.check()
    assert (target.name, target.dialect, target.needs_sealed) == ("reference", "m365-2019", False)
    assert target.version()


def test_mail_goes_through_and_is_reported(tmp_path: Path) -> None:
    with sink() as server, started(tmp_path, server.server_address[1]) as adapter:
        name = adapter.submit(Envelope("s@home.test", ("u@d.test",), CONTENT))
        report = next(adapter.reports())
        assert (report.state, report.code, report.ip) == (State.DELIVERED, "250 2.0.0", IP)
        assert (report.queue_id, report.recipient) == (name, "u@d.test")
        assert server.mails[0] == b"Subject: hello\r\n\r\n..body\r\n"
        adapter.stop()
        assert list(adapter.reports()) == []


def test_a_mails_whole_life(tmp_path: Path) -> None:
    with sink() as server, started(tmp_path, server.server_address[1]) as adapter:
        name = adapter.submit(Envelope("s@home.test", ("later@d.test", "bad@d.test"), CONTENT))
        reports = adapter.reports()
        first = {r.recipient: r for r in (next(reports), next(reports))}
        assert first["bad@d.test"].code == "550 5.1.1"
        assert first["bad@d.test"].state is State.RETURNED
        assert first["later@d.test"].code == "451 4.2.0"
        assert next(reports).recipient == "s@home.test"
        assert [(q.queue_id, q.recipients) for q in adapter.queue()] == [(name, ("later@d.test",))]
        adapter.retry(name)
        assert next(reports).state is State.DEFERRED
        adapter.pass_time(24 * HOUR)
        last = next(reports)
        assert (last.state, last.code) == (State.EXPIRED, "550 5.4.300")
        assert next(reports).recipient == "s@home.test"
        notices = [notice.status for mail in server.mails for notice in read_notices(mail)]
        assert notices == ["5.1.1", "5.4.300"]
        assert not adapter.queue()


def test_many_threads_may_submit(tmp_path: Path) -> None:
    with sink() as server, started(tmp_path, server.server_address[1]) as adapter:
        names: list[str] = []

        def submit() -> None:
            names.append(adapter.submit(Envelope("s@home.test", ("u@d.test",), CONTENT)))

        threads = [threading.Thread(target=submit) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        reports = adapter.reports()
        assert {next(reports).queue_id for _ in range(20)} == set(names)


def test_an_agent_that_cannot_start_leaves_its_last_words(tmp_path: Path) -> None:
    with (
        pytest.raises(AgentDied, match="there is no agent '"),
        started(tmp_path, 25, "targets.reference.agent:Nobody"),
    ):
        raise AssertionError("it started")


def test_after_its_end_every_call_says_so(tmp_path: Path) -> None:
    with started(tmp_path, 25) as adapter:
        adapter.stop()
        with pytest.raises(AgentDied, match="ended with status 0"):
            adapter.queue()


def test_a_killed_agent_goes_on_where_it_was(tmp_path: Path) -> None:
    """What waited waits, what was let pass has passed, and `reports` goes on."""
    with sink() as server, started(tmp_path, server.server_address[1]) as adapter:
        reports = adapter.reports()
        name = adapter.submit(Envelope("s@home.test", ("later@d.test", "u@d.test"), CONTENT))
        assert {next(reports).state for _ in range(2)} == {State.DEFERRED, State.DELIVERED}
        adapter.pass_time(23 * HOUR)
        assert next(reports).state is State.DEFERRED
        adapter.kill()
        with pytest.raises(AgentDied, match="ended with status -9"):
            adapter.queue()
        adapter.start_again()
        assert [(q.queue_id, q.recipients) for q in adapter.queue()] == [(name, ("later@d.test",))]
        adapter.pass_time(HOUR)
        assert next(reports).state is State.EXPIRED
        assert next(reports).recipient == "s@home.test"
        adapter.kill()
        adapter.start_again()
        assert not adapter.queue()
        adapter.stop()
        assert list(reports) == []
        assert len(server.mails) == 2


def test_an_agent_killed_and_left_so_ends_its_reports(tmp_path: Path) -> None:
    with started(tmp_path, 25) as adapter:
        adapter.kill()
        adapter.stop()
        assert list(adapter.reports()) == []


def test_what_was_taken_on_is_never_lost_however_soon_the_agent_is_killed(tmp_path: Path) -> None:
    with sink() as server, started(tmp_path, server.server_address[1]) as adapter:
        reports = adapter.reports()
        for number in range(5):
            adapter.submit(Envelope("", (f"u{number}@d.test",), b"Subject: %d\r\n\r\n" % number))
            adapter.kill()
            adapter.start_again()
        seen: set[str] = set()
        while len(seen) < 5:
            seen |= delivered(adapter, next(reports))
        assert {mail.partition(b"\r\n")[0] for mail in server.mails} == {
            b"Subject: %d" % number for number in range(5)
        }


@pytest.mark.parametrize("seed", range(3))
def test_killed_in_full_flow_it_loses_nothing(tmp_path: Path, seed: int) -> None:
    """Three kills a run, each after so many reports; what came twice was under way at a kill."""
    draw = random.Random(seed)
    with sink() as server, started(tmp_path, server.server_address[1]) as adapter:
        reports = adapter.reports()
        sent = {f"Subject: {number}".encode() for number in range(60)}
        seen: set[str] = set()
        for part in range(3):
            names = {
                adapter.submit(Envelope("", ("u@d.test",), b"Subject: %d\r\n\r\n" % number))
                for number in range(20 * part, 20 * part + 20)
            }
            for _ in range(draw.randrange(20)):
                seen |= delivered(adapter, next(reports))
            adapter.kill()
            adapter.start_again()
            adapter.retry(*(waiting.queue_id for waiting in adapter.queue()))
            while not names <= seen:
                seen |= delivered(adapter, next(reports))
        came = [mail.partition(b"\r\n")[0] for mail in server.mails]
        assert set(came) == sent
        assert len(came) <= len(sent) + 3 * AT_ONCE
        assert not adapter.queue()


def test_a_damaged_spool_is_one_sentence_of_the_adapter(tmp_path: Path) -> None:
    with started(tmp_path, 25) as adapter:
        adapter.kill()
        (tmp_path / "spool" / "journal").write_bytes(b"nonsense\n")
        with pytest.raises(AgentDied, match=r"is damaged \(line 1: .*move it away"):
            adapter.start_again()


def test_a_running_agent_takes_other_routes_and_keeps_them(tmp_path: Path) -> None:
    """What waits goes the new way at its next attempt, and is as old as it was."""
    with sink() as server, started(tmp_path, server.server_address[1]) as adapter:
        reports = adapter.reports()
        nowhere = Route("d.test", ("[127.0.0.34]",), Tls.NONE, "", 24 * HOUR)
        adapter.reroute([nowhere])
        name = adapter.submit(Envelope("", ("u@d.test",), CONTENT))
        first = next(reports)
        assert (first.state, first.ip) == (State.DEFERRED, "127.0.0.34")
        adapter.kill()
        adapter.start_again()
        adapter.retry(name)
        assert next(reports).ip == "127.0.0.34"
        adapter.reroute([Route("d.test", (f"[{IP}]",), Tls.NONE, "", 1.0)])
        adapter.retry(name)
        last = next(reports)
        assert (last.state, last.ip) == (State.DELIVERED, IP)


def test_wishes_are_handed_on_and_bad_ones_refused(tmp_path: Path) -> None:
    with sink() as server, started(tmp_path, server.server_address[1]) as adapter:
        reports = adapter.reports()
        wishes = Wishes(("SUCCESS",), "HDRS", "mine", "rfc822;U@d.test")
        adapter.submit(Envelope("s@home.test", ("u@d.test",), CONTENT, wishes))
        assert [next(reports).recipient for _ in range(2)] == ["u@d.test", "s@home.test"]
        assert [notice.action for notice in read_notices(server.mails[1])] == ["relayed"]
        with pytest.raises(AgentDied, match="ret is 'ALL'; give FULL or HDRS"):
            adapter.submit(Envelope("", ("u@d.test",), CONTENT, Wishes(ret="ALL")))


class Restless(Policy):
    """Attempts without a pause."""

    def pause(self, attempts: int) -> float:
        """None at all."""
        return 0.0


class Busy(Agent):
    """An agent that is always in an attempt."""

    parts = Parts(policy=Restless)


def test_an_agent_ends_when_its_stdin_does_however_busy_it_is(tmp_path: Path) -> None:
    with sink() as server, started(tmp_path, server.server_address[1], f"{__name__}:Busy") as busy:
        busy.submit(Envelope("s@home.test", ("later@d.test",), CONTENT))
        assert next(busy.reports()).state is State.DEFERRED
        busy.stop()
        with pytest.raises(AgentDied, match="ended with status 0"):
            busy.queue()


class Variant(Agent):
    """Another agent, to be loaded by name."""

    def submit(
        self,
        sender: str,
        recipients: Sequence[str],
        content: bytes,
        wishes: Wishes = NO_WISHES,
    ) -> str:
        """Call every message the same."""
        super().submit(sender, recipients, content, wishes)
        return "variant"


def test_another_agent_can_be_loaded(tmp_path: Path) -> None:
    with started(tmp_path, 25, f"{__name__}:Variant") as adapter:
        assert adapter.submit(Envelope("s@home.test", ("u@d.test",), CONTENT)) == "variant"
