"""The reference adapter with a real agent process, in a stand-in for a room."""

import contextlib
import socketserver
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.room import Account, AgentDied
from model.ndr import read_notices
from model.report import State
from model.timers import Timers
from model.tls import Tls
from model.wishes import Wishes
from targets.base import Envelope, Route, Target, load
from targets.reference.adapter import Adapter
from targets.reference.agent import NO_WISHES, Agent, Parts
from targets.reference.policy import Policy

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
