"""Mail flow intelligence: its values by hand, and an organization's agent with real loopback sockets."""

import asyncio
import itertools
import json
import ssl
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fakes.dns import Nameserver
from fakes.smtp import MailHost
from model.address import AGENT
from model.behaviours import Reply as Says
from model.connector_file import parse
from model.connectors import ConnectorType, DomainType, NotThere, Organization, OutboundConnector
from model.events import Accepted
from model.ndr import read_notices
from model.report import Report, State
from model.smtp import Behaviour
from model.smtp import Stage as At
from model.timers import Timers
from model.tls import Tls
from selftests.witness import Notebook
from targets.reference.clock import Clock
from targets.reference.config import Config
from targets.reference.dialect import Dialect
from targets.reference.intelligence import (
    BY_MX,
    HERE,
    About,
    Alert,
    Event,
    Party,
    advice,
    alerts,
    hours,
    plain,
    queue_reports,
    quotas,
    reason,
)
from targets.reference.loopback import LoopbackAgent, is_loopback
from targets.reference.organization import OrganizationAgent
from targets.reference.outcome import DnsProblem, Failure, Kind, Reply, Server, Stage
from targets.reference.queue import Fate, Message, Waiting
from targets.reference.rules import NotFixable, Rules, Thresholds

HOUR = 3600.0
SERVER = Server("mail.contoso.com", "172.16.254.1", 25)
REFUSED = Failure(Stage.CONNECT, Kind.REFUSED, SERVER)
NOON = datetime(2017, 11, 1, 12, 12, 45, tzinfo=UTC)
DIALECT = Dialect()

OURS = OutboundConnector("Ours", ConnectorType.ON_PREMISES, ("contoso.test",))
THEIRS = OutboundConnector("Theirs", ConnectorType.PARTNER, ("bank.test",))
ORGANIZATION = parse(
    b"""
    [[connector]]
    Name = "Ours"
    ConnectorType = "OnPremises"
    UseMXRecord = false
    SmartHosts = ["mail.contoso.test"]
    RecipientDomains = ["contoso.test", "other.test"]

    [[connector]]
    Name = "Theirs"
    ConnectorType = "Partner"
    RecipientDomains = ["bank.test"]

    [[accepted_domain]]
    DomainName = "contoso.test"
    DomainType = "InternalRelay"
    Recipients = ["anna"]
    """,
    "made",
)


# Values ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "said"),
    [
        (NOON, "11/1/2017 12:12:45 PM"),
        (datetime(2026, 1, 9, 0, 3, 5, tzinfo=UTC), "1/9/2026 12:03:05 AM"),
    ],
)
def test_a_trace_line_is_letter_for_letter_as_exchange_writes_it(when: datetime, said: str) -> None:
    """The one in a public trace of 2017, but for the name of a frontend server."""
    failure = Failure(Stage.HANDSHAKE, Kind.CERTIFICATE, SERVER, detail="SubjectMismatch")
    assert reason(failure, DIALECT.queued(failure), when, DIALECT) == (
        "Reason: [{LED=450 4.7.320 Certificate validation failed};{MSG=SubjectMismatch};"
        f"{{FQDN=mail.contoso.com}};{{IP=172.16.254.1}};{{LRT={said}}}]. "
        "OutboundProxyTargetIP: 172.16.254.1. OutboundProxyTargetHostName: mail.contoso.com"
    )


def test_a_trace_line_without_an_address() -> None:
    failure = Failure(Stage.DNS, Kind.DNS, Server("gone.test"), detail=DnsProblem.NONEXISTENT)
    assert reason(failure, DIALECT.expired(failure), NOON, DIALECT) == (
        "Reason: [{LED=550 5.4.312 Message expired, DNS query failed};{MSG=InfoDomainNonexistent};"
        "{FQDN=gone.test};{IP=};{LRT=11/1/2017 12:12:45 PM}]"
    )


def test_a_peer_cannot_write_fields_of_its_own() -> None:
    said = Reply(550, "5.1.1 no};{FQDN=elsewhere.test};{IP=192.0.2.1")
    failure = Failure(Stage.RCPT, Kind.REPLY, SERVER, said)
    line = reason(failure, DIALECT.returned(failure), NOON, DIALECT)
    assert line.startswith(
        "Reason: [{LED=550 5.1.1 no);(FQDN=elsewhere.test);(IP=192.0.2.1};{MSG=}"
    )
    assert line.count("{FQDN=") == 1


def failures() -> dict[str, Failure]:
    """One for each of the six codes."""
    return {
        "4.4.312": Failure(Stage.DNS, Kind.DNS, SERVER, detail="ErrorRetry"),
        "4.4.315": Failure(Stage.CONNECT, Kind.TIMED_OUT, SERVER),
        "4.4.316": REFUSED,
        "4.4.317": Failure(Stage.STARTTLS, Kind.TLS_NOT_OFFERED, SERVER),
        "4.4.318": Failure(Stage.EHLO, Kind.RESET, SERVER),
        "4.7.320": Failure(Stage.HANDSHAKE, Kind.CERTIFICATE, SERVER, detail="UntrustedRoot"),
    }


@pytest.mark.parametrize(
    ("code", "party", "word"),
    [
        ("4.4.312", Party.DNS_HOSTER, "zone"),
        ("4.4.315", Party.SERVER, "server is up"),
        ("4.4.316", Party.NETWORK, "firewall"),
        ("4.4.317", Party.SERVER, "TlsSettings"),
        ("4.4.318", Party.NETWORK, "inspects SMTP"),
        ("4.7.320", Party.SERVER, "certificate"),
    ],
)
def test_each_code_has_its_remedy_and_somebody_to_act(code: str, party: Party, word: str) -> None:
    """Behind a connector to a partner it is the partner, without a connector the recipient's side."""
    failure = failures()[code]
    said = DIALECT.queued(failure)
    assert said.enhanced == code
    ours = advice(failure, said, OURS)
    assert ours.party is party
    assert word in ours.fix
    assert advice(failure, said, THEIRS).party is Party.PARTNER
    assert advice(failure, said, None).party is Party.RECIPIENT
    assert len({advice(f, DIALECT.queued(f), OURS).fix for f in failures().values()}) == 6


def test_other_codes_and_errors_of_our_own() -> None:
    busy = Failure(Stage.RCPT, Kind.REPLY, SERVER, Reply(451, "4.3.2 busy"))
    assert advice(busy, DIALECT.queued(busy), OURS).party is Party.SERVER
    for stage, kind in (
        (Stage.INTERNAL, Kind.INTERNAL),
        (Stage.STARTTLS, Kind.OWN_CERTIFICATE),
        (Stage.CONNECT, Kind.NO_SOURCE),
    ):
        ours = Failure(stage, kind, SERVER, detail="ValueError")
        assert advice(ours, DIALECT.queued(ours), THEIRS).party is Party.SERVICE


def waiting(
    name: str,
    domain: str = "contoso.test",
    *,
    failure: Failure | None = REFUSED,
    arrived: float = 0.0,
    recipients: tuple[str, ...] = ("carl",),
) -> Waiting:
    """A message that came `arrived` seconds after noon and has been tried a minute later."""
    addresses = tuple(f"{local}@{domain}" for local in recipients)
    came = NOON + timedelta(seconds=arrived)
    message = Message(name, "anna@contoso.test", addresses, b"", arrived, came)
    last = dict.fromkeys(addresses, failure) if failure is not None else {}
    tried = came + timedelta(minutes=1)
    return Waiting(message, domain, addresses, 48 * HOUR, 1, tried, last, 1e9)


def test_a_queue_report_by_connector() -> None:
    """The newest failure, the oldest message; what has not failed yet does not count."""
    timed_out = failures()["4.4.315"]
    queue = [
        waiting("Q1", arrived=60.0),
        waiting("Q2", "other.test", arrived=600.0, failure=timed_out),
        waiting("Q2", arrived=600.0),
        waiting("Q3", "bank.test", arrived=30.0),
        waiting("Q4", "bank.test", arrived=0.0, failure=None),
        waiting("Q5", "far.test"),
        waiting("Q6", "near.test"),
        waiting("Q7", "near.test"),
    ]
    rows = queue_reports(queue, ORGANIZATION, DIALECT, HOUR)
    by_name = {row.connector: row for row in rows}
    assert [(row.connector, row.queued) for row in rows] == [(BY_MX, 3), ("Ours", 2), ("Theirs", 1)]
    ours = by_name["Ours"]
    assert (ours.since, ours.waited) == (NOON + timedelta(minutes=1), HOUR - 60)
    assert ours.oldest_expires == NOON + timedelta(hours=48, minutes=1)
    assert ours.last_attempt == NOON + timedelta(minutes=11)
    assert (ours.code, ours.who, ours.fix_now) == ("450 4.4.315", Party.SERVER, False)
    assert (ours.destination, ours.last_ip) == ("mail.contoso.com", "172.16.254.1")
    assert ours.last_error == DIALECT.queued(timed_out).text
    assert (by_name["Theirs"].code, by_name["Theirs"].who) == ("450 4.4.316", Party.PARTNER)
    assert not by_name["Theirs"].fix_now, "Fix now is no remedy for a partner's server"
    (refused,) = queue_reports(queue[:1], ORGANIZATION, DIALECT, HOUR)
    assert refused.fix_now
    assert json.loads(json.dumps(plain(refused)))["since"] == "2017-11-01T12:13:45+00:00"


@pytest.mark.parametrize(
    ("queued", "waited", "about"),
    [
        (1, HOUR - 0.001, []),
        (1, HOUR, [About.WAITED]),
        (200, 1.0, []),
        (201, 1.0, [About.COUNT]),
        (201, HOUR, [About.WAITED, About.COUNT]),
    ],
)
def test_when_administrators_are_warned(queued: int, waited: float, about: list[About]) -> None:
    queue = [waiting(f"Q{n}") for n in range(queued)]
    rows = queue_reports(queue, ORGANIZATION, DIALECT, waited)
    found = alerts(rows, Thresholds(count=200), Rules())
    assert [alert.about for alert in found] == about
    assert all(f"{queued} message" in alert.text and "Ours" in alert.text for alert in found)


def test_thresholds_are_those_of_exchange_and_none_too_low_is_taken() -> None:
    assert (Thresholds().waited, Thresholds().count) == (HOUR, 2000)
    with pytest.raises(ValueError, match="199 messages comes too early; the least is 200"):
        Thresholds(count=199)
    with pytest.raises(ValueError, match="makes no sense; give more"):
        Thresholds(waited=0)


def test_what_counts_against_the_quota() -> None:
    """Unknown recipients of relay domains that wait, and those that were refused."""
    queue = [
        waiting("Q1", recipients=("carl", "dora", "anna")),
        waiting("Q2", failure=None),
        waiting("Q3", "bank.test"),
    ]
    (ours,) = quotas(queue, {"contoso.test": 3}, ORGANIZATION, Rules())
    assert (ours.domain, ours.refused, ours.waiting, ours.used) == ("contoso.test", 3, 2, 5)
    assert plain(ours)["used"] == 5
    known = ORGANIZATION.retyped("contoso.test", DomainType.AUTHORITATIVE)
    assert quotas(queue, {}, known, Rules())[0].used == 0


@pytest.mark.parametrize(
    ("seconds", "said"), [(59.0, "0 min"), (3599.0, "59 min"), (169500.0, "47 h 05 min")]
)
def test_a_time_as_people_say_it(seconds: float, said: str) -> None:
    assert hours(seconds) == said


# An agent --------------------------------------------------------------------------------------

MAIL_IP, DNS_IP, PORT = "127.42.0.61", "127.42.0.62", 2604
PLAIN = Says(At.EHLO, "250 mail")
"""No STARTTLS, so no certificate is needed."""
UNKNOWN = Says(At.RCPT, "550 5.1.1 no such user")
NOBODY, ANNA = "nobody@contoso.test", "anna@contoso.test"
CONTENT = b"Subject: hello\r\n\r\nbody\r\n"


class Bench:
    """An agent whose clock stands still, a name server, and a mail host that may be opened."""

    agent: OrganizationAgent

    def __init__(self, stack: AsyncExitStack) -> None:
        self.stack = stack
        self.notes = Notebook()
        self.reports: list[Report] = []
        self.warned: list[Alert] = []
        self.heard = asyncio.Event()

    def warn(self, alert: Alert) -> None:
        """Keep a warning."""
        self.warned.append(alert)
        self.heard.set()

    async def opens(self, *behaviours: Behaviour) -> None:
        """The mail host is up from now on."""
        host = MailHost(
            self.notes, "x", "mail", "mail.contoso.test", MAIL_IP, PORT, _no_tls, behaviours
        )
        await host.open()
        self.stack.push_async_callback(host.close)

    async def submit(self, *recipients: str, sender: str = ANNA) -> str:
        """Hand a message in, and wait until it has been tried."""
        name = self.agent.submit(sender, recipients, CONTENT)
        await self.agent.at_rest()
        return name

    async def turns(self) -> None:
        """Let every task run until it waits."""
        for _ in range(20):
            await asyncio.sleep(0)

    def states(self, recipient: str) -> list[str]:
        """What was said of a recipient, each with its code."""
        return [f"{r.state} {r.code}" for r in self.reports if r.recipient == recipient]

    def used(self) -> int:
        """What counts against the quota."""
        return sum(quota.used for quota in self.agent.quotas())

    def notices(self) -> list[str]:
        """The status of each NDR in Anna's mailbox."""
        mails = self.agent.mailboxes[ANNA]
        found = [notice for mail in mails for notice in read_notices(mail)]
        return [notice.status for notice in found if notice.action == "failed"]


def _no_tls() -> ssl.SSLContext:
    raise AssertionError("nobody starts TLS here")


def play(
    scene: Callable[[Bench], Awaitable[None]],
    organization: Organization = ORGANIZATION,
    kind: type[OrganizationAgent] = OrganizationAgent,
    thresholds: Thresholds | None = None,
) -> Bench:
    """Play a scene; it may take ten seconds."""

    async def whole() -> Bench:
        async with asyncio.timeout(10), AsyncExitStack() as stack:
            bench = Bench(stack)
            names = Nameserver(bench.notes, 0.5)
            await names.start(DNS_IP, 0)
            stack.push_async_callback(names.stop)
            names.fixed("contoso.test", [f"@ MX 10 {AGENT}.", f"mail A {MAIL_IP}"])
            names.fixed(AGENT, ["@ A 127.0.0.1"])
            names.fixed("near.test", ["@ MX 10 mail", "mail A 127.42.0.63"])
            names.fixed("far.test", ["@ MX 10 @", "@ A 192.0.2.1"])
            timers = Timers(dns=0.5, connect=0.5, reply=0.5, lifetime=1, retry=1)
            config = Config(names.address, PORT, "", timers)
            bench.agent = kind(
                config,
                bench.reports.append,
                organization,
                clock=Clock(lambda: 0.0, lambda: 1.5e9),
                notify=bench.warn,
                thresholds=thresholds,
            )
            await scene(bench)
            return bench

    return asyncio.run(whole())


def test_a_connector_says_where_and_how_long_and_over_what() -> None:
    async def scene(bench: Bench) -> None:
        config = bench.agent.config
        ours, bank, other = map(config.route, ("Contoso.test", "bank.test", "far.test"))
        assert (ours.smart_hosts, ours.lifetime) == (("mail.contoso.test",), 12 * HOUR)
        assert (bank.smart_hosts, bank.tls, bank.tls_domain) == ((), Tls.DOMAIN, "*.bank.test")
        assert (other.smart_hosts, other.tls, other.lifetime) == ((), Tls.NONE, 12 * HOUR)
        assert config.timers.delay == HOUR

    strict = replace(THEIRS, tls=Tls.DOMAIN, tls_domain="*.bank.test")
    connectors = (ORGANIZATION.connectors[0], strict)
    play(scene, replace(ORGANIZATION, connectors=connectors, expiration=12 * HOUR, delay=HOUR))


def test_mail_for_a_mailbox_here_stays_and_other_mail_is_relayed() -> None:
    async def scene(bench: Bench) -> None:
        await bench.opens(PLAIN)
        name = await bench.submit("Anna@Contoso.test", "carl@contoso.test")
        (stored,) = [event for event in bench.notes.events if isinstance(event, Accepted)]
        assert stored.recipients == ("carl@contoso.test",)
        assert bench.agent.mailboxes[ANNA] == [CONTENT]
        lines = [(t.event, t.recipient, t.connector) for t in bench.agent.trace(name)]
        assert lines == [
            (Event.RECEIVE, "Anna@Contoso.test", HERE),
            (Event.RECEIVE, "carl@contoso.test", "Ours"),
            (Event.DELIVER, "Anna@Contoso.test", HERE),
            (Event.DELIVER, "carl@contoso.test", "Ours"),
        ]
        assert bench.used() == 0

    play(scene)


def test_who_is_not_known_at_the_far_side_counts() -> None:
    """At once, and for good; who is refused for another reason does not."""

    async def scene(bench: Bench) -> None:
        await bench.opens(PLAIN, Says(At.RCPT, "550 5.1.1 no such user", times=1))
        await bench.submit(NOBODY)
        assert bench.states(NOBODY) == ["returned 550 5.1.1"]
        assert (bench.used(), bench.notices()) == (1, ["5.1.1"])
        await bench.submit("carl@contoso.test")
        assert bench.used() == 1

    play(scene)

    async def other(bench: Bench) -> None:
        await bench.opens(PLAIN, Says(At.RCPT, "550 5.7.1 not you"))
        await bench.submit(NOBODY)
        assert bench.states(NOBODY) == ["returned 550 5.7.1"]
        assert bench.used() == 0

    play(other)


def test_of_one_message_each_recipient_counts_as_it_fared() -> None:
    """One is refused and another waits: the report tells of the one that waits."""

    async def scene(bench: Bench) -> None:
        later = Says(At.RCPT, "450 4.2.1 not now", times=1)
        await bench.opens(PLAIN, later, Says(At.RCPT, "550 5.1.1 no such user", since=2))
        await bench.submit("carl@contoso.test", NOBODY)
        (quota,) = bench.agent.quotas()
        assert (quota.refused, quota.waiting) == (1, 1)
        (report,) = bench.agent.queue_reports()
        assert report.code == "450 4.2.1"

    play(scene)


def test_a_refusal_that_comes_after_the_fix_does_not_count() -> None:
    """The attempt was under way when the domain became authoritative."""

    async def scene(bench: Bench) -> None:
        agent = bench.agent
        agent.retype("contoso.test", DomainType.AUTHORITATIVE)
        message = Message("Q1", ANNA, (NOBODY,), CONTENT, 0.0, NOON)
        unknown = Failure(Stage.RCPT, Kind.REPLY, SERVER, Reply(550, "5.1.1 no such user"))
        agent.told(message, [Fate(NOBODY, State.RETURNED, unknown, NOON)])
        assert bench.used() == 0
        agent.retype("contoso.test", DomainType.INTERNAL_RELAY)
        agent.told(message, [Fate(NOBODY, State.RETURNED, unknown, NOON)])
        assert bench.used() == 1

    play(scene)


def test_waiting_mail_counts_until_fix_now_returns_it_at_once() -> None:
    """Both halves: afterwards nobody waits, nothing counts, and the next is refused at the door."""

    async def scene(bench: Bench) -> None:
        agent = bench.agent
        await bench.submit(NOBODY)
        await bench.submit("carl@contoso.test")
        await bench.submit("u@near.test")
        assert bench.used() == 2
        agent.clock.advance(12 * HOUR)
        await agent.at_rest()
        assert agent.fix_now("ours") == ("contoso.test",)
        assert not agent.organization.named("Ours").enabled
        await agent.at_rest()
        assert bench.states(NOBODY)[-1] == "returned 550 5.4.1"
        assert bench.notices() == ["5.4.1", "5.4.1"]
        assert bench.used() == 0
        assert [each.domain for each in agent.queue.view()] == ["near.test"]
        assert agent.trace(NOBODY)[-1].event is Event.FAIL
        assert "{LED=550 5.4.1 Recipient address rejected" in agent.trace(NOBODY)[-1].detail

        before = len(bench.states(NOBODY))
        agent.submit(ANNA, (NOBODY, ANNA), CONTENT)
        assert NOBODY not in [r for each in agent.waiting() for r in each.recipients]
        assert len(bench.states(NOBODY)) == before, "told after the submitter has its answer"
        await agent.at_rest()
        assert bench.states(NOBODY)[before:] == ["returned 550 5.4.1"]
        assert bench.states(ANNA)[-1].startswith("delivered")
        assert bench.used() == 0

    play(scene)


def test_one_half_alone_loops() -> None:
    """The connector is off and the domain a relay still: MX leads back to the agent."""

    async def scene(bench: Bench) -> None:
        await bench.submit(NOBODY)
        bench.agent.switch("Ours", False)
        await bench.agent.at_rest()
        assert bench.states(NOBODY) == ["deferred 450 4.4.316", "returned 554 5.4.14"]
        assert bench.notices() == ["5.4.14"]
        await bench.submit(NOBODY)
        assert bench.states(NOBODY)[2:] == ["returned 554 5.4.14"]
        assert bench.agent.fix_now("Ours") == ("contoso.test",), "the other half can be had later"
        await bench.submit(NOBODY)
        assert bench.states(NOBODY)[3:] == ["returned 550 5.4.1"]

    play(scene)


def test_the_other_half_alone_refuses_everybody_who_is_not_here() -> None:
    """Also whoever has a mailbox at the far side only: nothing goes over the connector any more."""

    async def scene(bench: Bench) -> None:
        await bench.opens(PLAIN)
        bench.agent.retype("contoso.test", DomainType.AUTHORITATIVE)
        await bench.submit("carl@contoso.test", ANNA)
        assert bench.states("carl@contoso.test") == ["returned 550 5.4.1"]
        assert bench.states(ANNA)[0].startswith("delivered")
        assert not [event for event in bench.notes.events if isinstance(event, Accepted)]
        assert bench.used() == 0

    play(scene)


def test_a_refusal_is_never_answered_to_a_null_sender() -> None:
    async def scene(bench: Bench) -> None:
        bench.agent.retype("contoso.test", DomainType.AUTHORITATIVE)
        await bench.submit(NOBODY, sender="")
        assert bench.states(NOBODY) == ["returned 550 5.4.1"]
        assert not bench.agent.mailboxes[ANNA]
        assert not bench.agent.waiting()

    play(scene)


def test_fix_now_is_for_connectors_of_ones_own() -> None:
    async def scene(bench: Bench) -> None:
        with pytest.raises(NotFixable, match="'Theirs' leads to a partner; ask the partner"):
            bench.agent.fix_now("theirs")
        with pytest.raises(NotThere, match="there is no connector 'x'; there is 'Ours', 'Theirs'"):
            bench.agent.fix_now("x")
        assert bench.agent.organization is ORGANIZATION

    play(scene)


def test_a_connector_put_right_lets_waiting_mail_leave_at_once() -> None:
    """A wrong smart host is corrected in the file, the file read again; other mail is left alone."""

    async def scene(bench: Bench) -> None:
        await bench.opens(PLAIN)
        await bench.submit("carl@contoso.test")
        await bench.submit("u@near.test")
        assert bench.states("carl@contoso.test") == ["deferred 450 4.4.312"]
        bench.agent.reform(ORGANIZATION)
        await bench.agent.at_rest()
        assert bench.states("carl@contoso.test")[1:] == ["delivered 250 2.0.0"]
        assert bench.states("u@near.test") == ["deferred 450 4.4.316"]
        assert bench.used() == 0

    wrong = replace(ORGANIZATION.connectors[0], smart_hosts=("mial.contoso.test",))
    play(scene, replace(ORGANIZATION, connectors=(wrong,)))


def test_a_warning_comes_once_and_again_after_its_cause_had_gone() -> None:
    """At the very moment, though nothing is tried then."""

    async def scene(bench: Bench) -> None:
        await bench.submit("carl@contoso.test")
        await bench.agent.pass_time(HOUR - 1)
        assert not bench.warned
        await bench.agent.pass_time(1)
        (alert,) = bench.warned
        assert (alert.about, alert.connector, alert.waited) == (About.WAITED, "Ours", HOUR)
        await bench.agent.pass_time(5 * HOUR)
        assert len(bench.warned) == 1
        await bench.submit("late@refused.test")
        await bench.agent.pass_time(2 * HOUR)
        assert [alert.connector for alert in bench.warned] == ["Ours", "Theirs"]
        await bench.opens(PLAIN, Says(At.RCPT, "450 4.2.1 not now", since=2))
        await bench.agent.pass_time(HOUR)
        assert [alert.connector for alert in bench.agent.alerts()] == ["Theirs"]
        await bench.submit("carl@contoso.test")
        await bench.agent.pass_time(2 * HOUR)
        assert [alert.connector for alert in bench.warned] == ["Ours", "Theirs", "Ours"]

    theirs = replace(THEIRS, smart_hosts=("[127.42.0.63]",), recipient_domains=("refused.test",))
    play(scene, replace(ORGANIZATION, connectors=(ORGANIZATION.connectors[0], theirs)))


def test_a_warning_comes_at_its_moment_however_much_time_passes() -> None:
    async def scene(bench: Bench) -> None:
        await bench.submit("carl@contoso.test")
        await bench.agent.pass_time(3 * HOUR)
        assert [alert.waited for alert in bench.warned] == [HOUR]

    play(scene)


def test_mail_that_is_just_being_tried_is_no_reason_for_a_warning() -> None:
    """For a moment after Fix now it has no connector any more; it does not wait for that."""

    async def scene(bench: Bench) -> None:
        for _ in range(3):
            await bench.submit(NOBODY)
        await bench.agent.pass_time(2 * HOUR)
        bench.agent.fix_now("Ours")
        await bench.agent.at_rest()
        assert [alert.connector for alert in bench.warned] == ["Ours"]

    play(scene)


def test_the_watch_wakes_by_itself() -> None:
    """Nobody but the clock moves: an hour goes by and nothing else happens."""

    async def scene(bench: Bench) -> None:
        await bench.submit("carl@contoso.test")
        await bench.agent.pass_time(50 * 60)
        await bench.turns()
        assert not bench.warned
        bench.agent.clock.advance(10 * 60)
        await bench.heard.wait()
        assert [alert.about for alert in bench.warned] == [About.WAITED]

    play(scene)


def test_many_messages_are_warned_of_at_once() -> None:
    async def scene(bench: Bench) -> None:
        for _ in range(201):
            bench.agent.submit(ANNA, ("carl@contoso.test",), CONTENT)
        await bench.agent.at_rest()
        await bench.agent.pass_time(1)
        assert [(a.about, a.queued) for a in bench.warned] == [(About.COUNT, 201)]

    play(scene, thresholds=Thresholds(count=200))


def test_every_attempt_of_47_hours_is_in_the_trace() -> None:
    """By the agent's own schedule: 5, 15, 15, 15 minutes, then each hour; then the end."""

    async def scene(bench: Bench) -> None:
        name = await bench.submit("carl@contoso.test")
        await bench.agent.pass_time(47 * HOUR)
        lines = bench.agent.trace(name)
        assert [line.event for line in lines] == [Event.RECEIVE] + [Event.DEFER] * (1 + 4 + 46)
        gaps = [(b.at - a.at).total_seconds() / 60 for a, b in itertools.pairwise(lines[1:])]
        assert gaps == [5, 15, 15, 15] + [60] * 46
        await bench.agent.pass_time(HOUR)
        last = bench.agent.trace(name)[-1]
        assert last.event is Event.FAIL
        assert "{LED=550 5.4.316 Message expired, connection refused}" in last.detail
        assert bench.notices() == ["5.4.316"]
        with pytest.raises(ValueError, match="time does not run backwards"):
            await bench.agent.pass_time(-1)

    play(scene, replace(ORGANIZATION, expiration=48 * HOUR))


def test_at_a_desk_no_mail_leaves_this_machine() -> None:
    async def scene(bench: Bench) -> None:
        name = await bench.submit("u@far.test", "carl@contoso.test")
        (line,) = [t for t in bench.agent.trace(name)[2:] if t.recipient == "u@far.test"]
        assert "is not on loopback; start it with --allow-network" in line.detail
        assert bench.states("carl@contoso.test") == ["deferred 450 4.4.316"], "that is loopback"
        (mx,) = [r for r in bench.agent.queue_reports() if r.connector == BY_MX]
        assert mx.who is Party.SERVICE

    play(scene, kind=LoopbackAgent)


@pytest.mark.parametrize(
    ("ip", "ours"),
    [
        ("127.0.0.1", True),
        ("127.255.0.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:192.0.2.1", False),
        ("192.0.2.1", False),
        ("10.0.0.1", False),
        ("2001:db8::1", False),
    ],
)
def test_what_is_loopback(ip: str, ours: bool) -> None:
    assert is_loopback(ip) is ours
