"""A message's life in the queue, and its NDR, with a fake courier and a manual clock."""

import asyncio
import email
import email.policy
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest

from model.ndr import read_notices, unreadable
from model.report import State
from model.tls import Tls
from selftests.bench import CONTENT, HOUR, REFUSED, SENT, SERVER, TIMERS, UNKNOWN, Bench, run
from targets.base import Route
from targets.reference.agent import Agent
from targets.reference.clock import Clock
from targets.reference.config import Config, from_json
from targets.reference.dialect import Dialect
from targets.reference.ndr import Lost, Writer
from targets.reference.outcome import Failure, Kind, Outcome, Outcomes, Reply, Stage
from targets.reference.policy import Policy
from targets.reference.queue import AT_ONCE, Fate, Message, Queue, by_domain


def test_a_transient_failure_is_retried_and_returned_at_the_end() -> None:
    async def scene(bench: Bench) -> None:
        bench.agent.submit("s@home.test", ["u@d.test"], CONTENT)
        await bench.rest()
        bench.clock.advance(23 * HOUR)
        await bench.rest()
        assert bench.states() == [State.DEFERRED] * 2
        assert not bench.returned
        bench.clock.advance(HOUR)
        await bench.rest()

    bench = run(lambda _: REFUSED, scene)
    assert bench.states() == [State.DEFERRED, State.DEFERRED, State.EXPIRED]
    assert len(bench.returned) == 1
    assert not bench.agent.waiting()


def test_an_ndr_names_recipient_status_and_reason() -> None:
    async def scene(bench: Bench) -> None:
        bench.agent.submit("s@home.test", ["u@d.test"], CONTENT)
        await bench.rest()
        bench.clock.advance(24 * HOUR)
        await bench.rest()

    (content,) = run(lambda _: REFUSED, scene).returned
    (notice,) = read_notices(content)
    assert (notice.recipient, notice.action, notice.status) == ("u@d.test", "failed", "5.4.316")
    assert notice.diagnostic == "smtp;550 5.4.316 Message expired, connection refused"
    assert notice.smtp == 550
    assert b"Subject: one" in content
    assert b"\n" not in content.replace(b"\r\n", b"")


@pytest.mark.parametrize(("sender", "ndrs"), [("s@home.test", 1), ("", 0)])
def test_a_permanent_failure_is_returned_at_once_but_never_to_a_null_sender(
    sender: str, ndrs: int
) -> None:
    async def scene(bench: Bench) -> None:
        bench.agent.submit(sender, ["u@d.test"], CONTENT)
        await bench.rest()

    bench = run(lambda _: UNKNOWN, scene)
    assert bench.states() == [State.RETURNED]
    assert len(bench.returned) == ndrs
    assert len(bench.attempts) == 1 + ndrs
    assert bench.reports[0].code == "550 5.1.1"


def test_each_recipient_has_its_own_fate() -> None:
    outcomes: dict[str, Outcome] = {"a@d.test": SENT, "b@d.test": REFUSED, "c@d.test": UNKNOWN}

    async def scene(bench: Bench) -> None:
        bench.agent.submit("s@home.test", list(outcomes), CONTENT)
        await bench.rest()
        assert [entry.recipients for entry in bench.agent.waiting()] == [("b@d.test",)]

    bench = run(outcomes.__getitem__, scene)
    assert [bench.states(r) for r in outcomes] == [
        [State.DELIVERED],
        [State.DEFERRED],
        [State.RETURNED],
    ]


def test_an_order_makes_an_attempt_now_and_none_for_a_message_that_is_gone() -> None:
    async def scene(bench: Bench) -> None:
        name = bench.agent.submit("s@home.test", ["u@d.test"], CONTENT)
        await bench.rest()
        bench.answer = lambda _: SENT
        bench.agent.retry(name)
        await bench.rest()
        bench.agent.retry(name)
        await bench.rest()

    bench = run(lambda _: REFUSED, scene)
    assert bench.states() == [State.DEFERRED, State.DELIVERED]


def test_only_so_many_are_attempted_at_once_for_a_domain() -> None:
    """The others follow; another domain does not wait for them."""
    under_way: Counter[str] = Counter()
    most: Counter[str] = Counter()

    async def attempt(message: Message, domain: str, recipients: Sequence[str]) -> Outcomes:
        under_way[domain] += 1
        most[domain] = max(most[domain], under_way[domain])
        await asyncio.sleep(0)
        under_way[domain] -= 1
        return dict.fromkeys(recipients, SENT)

    class Deaf:
        def told(self, message: Message, fates: Sequence[Fate]) -> None:
            """Nobody asks."""

        def late(self, message: Message, fates: Sequence[Fate], until: datetime) -> None:
            """Nor here."""

    async def scene(bench: Bench) -> None:
        queue = Queue(bench.clock, Policy(), attempt, Deaf())
        for number in range(2 * AT_ONCE):
            recipients = (f"u{number}@d.test", "u@e.test")
            arrived = datetime(2026, 11, 25, tzinfo=UTC)
            queue.add(
                Message(str(number), "", recipients, CONTENT, 0.0, arrived), lambda domain: HOUR
            )
        for _ in range(10 * AT_ONCE):
            await asyncio.sleep(0)
        assert not queue.waiting()

    run(lambda _: SENT, scene)
    assert most == {"d.test": AT_ONCE, "e.test": AT_ONCE}


def test_the_schedule_follows_the_clock() -> None:
    async def scene(bench: Bench) -> None:
        bench.agent.submit("s@home.test", ["u@d.test"], CONTENT)
        await bench.rest()
        for seconds, attempts in ((299, 1), (1, 2), (899, 2), (1, 3)):
            bench.clock.advance(seconds)
            await bench.rest()
            assert len(bench.attempts) == attempts

    assert run(lambda _: REFUSED, scene).states() == [State.DEFERRED] * 3


def test_without_a_route_the_profile_says_how_long() -> None:
    config = Config(("127.0.0.1", 53), 25, "ca.pem", TIMERS)
    route = config.route("other.test")
    assert (route.lifetime, route.tls, route.smart_hosts) == (48 * HOUR, Tls.NONE, ())


def test_a_configuration_survives_the_pipe_and_a_wrong_profile_is_named() -> None:
    route = Route("d.test", ("h.test",), Tls.DOMAIN, "*.h.test", 5.0)
    config = Config(("127.0.0.1", 53), 25, "ca.pem", TIMERS, (route,))
    values = config.as_json()
    assert from_json(values) == config
    with pytest.raises(ValueError, match="m365-1999"):
        from_json({**values, "profile": "m365-1999"})


def test_recipients_are_grouped_by_domain_each_once() -> None:
    groups = by_domain(["a@x.test", "b@y.test", "c@X.test", "a@x.test"])
    assert groups == {"x.test": ["a@x.test", "c@X.test"], "y.test": ["b@y.test"]}


def test_a_failure_inside_is_a_deferral(capfd: pytest.CaptureFixture[str]) -> None:
    async def scene() -> Outcomes:
        config = Config(("127.0.0.1", 53), 25, "no such file", TIMERS)
        agent = Agent(config, lambda _: None, Clock(lambda: 0.0))
        route = Route("d.test", ("[not an address]",), Tls.NONE, "", 1.0)
        return await agent.courier.deliver("s@home.test", ["u@d.test"], CONTENT, route)

    outcome = asyncio.run(scene())["u@d.test"]
    assert isinstance(outcome, Failure)
    assert Dialect().queued(outcome).text.startswith("451 4.3.0 ")
    assert "Traceback" in capfd.readouterr().err


def test_the_fields_of_an_ndr() -> None:
    now = datetime(2019, 3, 20, 13, 5, 9, tzinfo=UTC)
    message = Message("Q1", "s@home.test", ("u@d.test",), CONTENT, 0.0, now)
    hung = Failure(Stage.DOT, Kind.HUNG, SERVER)
    lost = Lost(
        "u@d.test", Dialect().expired(hung), Dialect().queued(hung), hung, now - timedelta(hours=2)
    )
    refused = Failure(Stage.RCPT, Kind.REPLY, SERVER, Reply(550, "5.1.1 unknown"))
    final = Dialect().returned(refused)
    quoted = Lost("w@d.test", final, final, refused, now)
    content = Writer("out.test").write(message, [lost, quoted], now, "N1")
    read = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(read, EmailMessage)
    assert read.get_content_type() == "multipart/report"
    assert read.get_param("report-type") == "delivery-status"
    text, status, _ = list(read.iter_parts())
    blocks = status.get_payload()
    assert isinstance(blocks, list)
    whole, block, quoting = blocks
    assert isinstance(whole, EmailMessage)
    assert isinstance(block, EmailMessage)
    assert isinstance(quoting, EmailMessage)
    assert whole["Reporting-MTA"] == "dns;out.test"
    assert whole["Arrival-Date"] == "Wed, 20 Mar 2019 13:05:09 +0000"
    assert block["Remote-MTA"] is None, "beside the agent's own words nobody else is named"
    assert quoting["Remote-MTA"] == "dns;mx.d.test"
    assert quoting["Diagnostic-Code"] == "smtp;550 5.1.1 unknown"
    assert block["Last-Attempt-Date"] == "Wed, 20 Mar 2019 11:05:09 +0000"
    people = text.get_content()
    assert "Diagnostic information for administrators:" in people
    assert (
        "3/20/2019 1:05:09 PM - Server at out.test returned '550 5.4.318 Message expired, "
        "connection reset(SuspiciousRemoteServerError)'" in people
    )
    assert "3/20/2019 11:05:09 AM - Server at mx.d.test (127.0.0.9) returned '450 4.4.318" in people


@pytest.mark.parametrize(
    "text",
    [
        "5.1.1 Empf\u00e4nger unbekannt \ufffd",
        "5.1.1 \x1b[31mred\x07 \x00 \x7f",
        "5.1.1 No\rSubject: owned\r\n\r\nAction: delivered",
        "5.1.1 " + "x" * 8000,
        "5.1.1 " + "word " * 1600,
        "5.1.1 one\n--b\ntwo\n\nStatus: 2.0.0",
    ],
)
def test_an_ndr_is_legible_whatever_the_server_said(text: str) -> None:
    now = datetime(2019, 3, 20, 13, 5, 9, tzinfo=UTC)
    recipient = "j\u00fcrgen@d.test"
    message = Message("Q1", "s@home.test", (recipient,), CONTENT, 0.0, now)
    refused = Failure(Stage.RCPT, Kind.REPLY, SERVER, Reply(550, text))
    final = Dialect().returned(refused)
    content = Writer("out.test").write(
        message, [Lost(recipient, final, final, refused, now)], now, "N1"
    )

    assert unreadable(content) == []
    (notice,) = read_notices(content)
    assert (notice.recipient, notice.action, notice.status) == (recipient, "failed", "5.1.1")
    assert notice.diagnostic.startswith("smtp;550 5.1.1 ")


def test_other_routes_leave_the_lifetime_of_what_waits_alone() -> None:
    async def scene(bench: Bench) -> None:
        bench.agent.submit("s@home.test", ["u@d.test"], CONTENT)
        await bench.rest()
        bench.agent.reroute([Route("d.test", ("other.test",), Tls.NONE, "", HOUR)])
        await bench.passes(24 * HOUR - 1)
        assert State.EXPIRED not in bench.states()
        assert bench.agent.config.route("d.test").smart_hosts == ("other.test",)
        await bench.passes(1)
        assert State.EXPIRED in bench.states()
        bench.agent.submit("s@home.test", ["v@d.test"], CONTENT)
        await bench.rest()
        await bench.passes(HOUR)
        assert bench.states("v@d.test")[-1] is State.EXPIRED

    run(lambda _: REFUSED, scene)
