"""The lab's pure parts: placing, pacing, arranging, sharding, reading notices."""

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from catalogue import CATALOGUE
from catalogue.control import CLOSING, OPENING
from fakes.reach import NOWHERE
from fixtures.runs import CONTROLS, WHOLE
from fixtures.shards import ARGUMENT, plain, pytest_collection_modifyitems, scenario_of, shard
from lab.governor import BREATHS, Governor
from lab.held import held
from lab.journal import Journal
from lab.pace import PACES
from lab.plan import NOBODYS, place_all
from lab.sealed import why_no_ipv6
from lab.setups import Setup, arrange, unsupported
from model.dns import Gone
from model.events import Did, Knocked, Strayed
from model.ndr import read_notices
from model.scenario import Change, Connector, Family, Host, Reach, Source
from model.shortage import Shortage
from model.smtp import Stage
from model.tls import Tls
from model.trace import Clock
from selftests.worlds import deferred, ndr, stored
from targets.base import Capability, InQueue, lacking

FAST = PACES["fast"]
DAY = 24 * 3600.0


@dataclass
class SomeRoom:
    """As much of a room as placing needs."""

    sealed: bool
    work: Path = Path()
    dns: tuple[str, int] = ("127.0.0.53", 53)
    smtp_port: int = 25
    ca_file: Path = Path()


@dataclass
class SomeTarget:
    """As much of a target as arranging needs."""

    capabilities: frozenset[Capability]
    name: str = "some"


def test_placing_gives_everybody_an_address_of_their_own() -> None:
    scenarios = list(CATALOGUE.values())
    lives = dict.fromkeys(CATALOGUE, DAY)
    placed = place_all(scenarios, SomeRoom(sealed=True), "198.18.0.0/15", lives)  # type: ignore[arg-type]
    addresses = [ip for one in placed for _, ip in one.placement.hosts.values()]
    families = [host.family for s in scenarios for host in s.hosts]

    assert len(addresses) == len(set(addresses)) == len(families)
    for ip, family in zip(addresses, families, strict=True):
        assert ip.startswith("2001:2::" if family is Family.IPV6 else "198.18."), ip
    again = place_all(scenarios, SomeRoom(sealed=True), "198.18.0.0/15", lives)  # type: ignore[arg-type]
    assert [p.placement for p in again] == [p.placement for p in placed]


def test_placing_turns_relative_names_into_a_route() -> None:
    def route(name: str):  # type: ignore[no-untyped-def]
        scenario = CATALOGUE[name]
        room = SomeRoom(sealed=False)
        return place_all([scenario], room, "127.80.0.0/16", {name: DAY})[0]  # type: ignore[arg-type]

    by_name = route("connect.refused.first-smart-host").route
    label = "connect-refused-first-smart-host"
    assert by_name.smart_hosts == (f"mx1.{label}.test", f"mx2.{label}.test")
    literal = route("connect.unreachable.smart-host")
    assert literal.route.smart_hosts == (f"[{NOWHERE}]",)
    strict = route("tls.valid.under-domain").route
    assert (strict.tls, strict.tls_domain) == (Tls.DOMAIN, "mx1.tls-valid-under-domain.test")
    assert route("expiry.null-sender").envelopes[0].sender == ""


def test_the_message_has_dots_to_stuff_and_only_crlf() -> None:
    room = SomeRoom(sealed=True)
    placed = place_all([OPENING], room, "198.18.0.0/15", {OPENING.id: DAY})[0]  # type: ignore[arg-type]
    content = placed.envelopes[0].content

    assert b"\r\n.0" in content
    assert content.endswith(b"\r\n")
    assert content.replace(b"\r\n", b"").count(b"\n") == 0


Key = tuple[float, Clock, bool] | tuple[float, Clock, Gone]


def arranged(*can: Capability, lifetime: float = 2 * DAY) -> dict[Key, Setup]:
    """The labs for a target with these capabilities, by lifetime, clock, and what befalls it.

    That is whether it is killed, or how its name server is gone. One in which the machine runs
    short of something, or the agent keeps its own schedule, is none of these.
    """
    target: Any = SomeTarget(frozenset(can))
    everyday = [s for s in CATALOGUE.values() if not s.mail.is_large]
    wanted = [s for s in everyday if not unsupported(s, target, sealed=True)]
    found: dict[Key, Setup] = {}
    for setup in arrange(wanted, CONTROLS, WHOLE, target, lifetime, FAST):
        if setup.order.short or not setup.order.retry:
            continue
        killed = any(s.is_killed for s in setup.order.scenarios)
        ways = {s.outage.gone for s in setup.order.scenarios if s.outage}
        assert len(ways) < 2
        key = (setup.order.lifetime, setup.order.clock)
        found[(*key, ways.pop()) if ways else (*key, killed)] = setup
    return found


def test_with_a_clock_what_waits_has_a_lab_for_each_lifetime() -> None:
    """One lab for attempts, one for each lifetime, one for kills, two without a name server."""
    labs = arranged(*Capability)

    assert set(labs) == {
        (2 * DAY, Clock.RUNS, False),
        (2 * DAY, Clock.MOVED, False),
        (DAY, Clock.MOVED, False),
        (2 * DAY, Clock.RUNS, True),
        (2 * DAY, Clock.MOVED, True),
        (2 * DAY, Clock.RUNS, Gone.CLOSED),
        (2 * DAY, Clock.RUNS, Gone.SILENT),
    }
    order = labs[(2 * DAY, Clock.RUNS, False)].order
    assert order.scenarios[0] is OPENING
    assert order.last is CLOSING
    assert not any(s.is_timed for s in order.scenarios)
    timed = labs[(DAY, Clock.MOVED, False)]
    assert "expiry.after-24-hours" in timed.wanted
    assert set(timed.order.lifetimes.values()) == {DAY}
    assert (timed.order.retry, timed.order.delay) == (3600.0, 4 * 3600.0)
    everyday = [s for s in CATALOGUE.values() if not s.mail.is_large]
    others = {s.id for s in CATALOGUE.values() if s.short_of is not Shortage.NONE or s.intervals}
    assert sum(len(setup.wanted) for setup in labs.values()) == len(everyday) - len(others)


def test_large_messages_have_a_lab_of_their_own() -> None:
    """And an agent may take its time to take them in; nobody else's may it take."""
    large = [s for s in CATALOGUE.values() if s.mail.is_large]
    target: Any = SomeTarget(frozenset(Capability))
    labs = arrange([OPENING, *large], CONTROLS, WHOLE, target, 2 * DAY, FAST)

    assert [setup.wanted for setup in labs] == [{OPENING.id}, {s.id for s in large}]
    assert FAST.for_mail(OPENING.mail) == FAST
    assert FAST.for_mail(large[0].mail).start > FAST.start


def test_those_about_a_shortage_have_a_lab_of_their_own() -> None:
    """With the controls, and with nobody else's mail in it."""
    target: Any = SomeTarget(frozenset(Capability))
    wanted = [s for s in CATALOGUE.values() if s.chapter in ("spool", "connect")]
    (short,) = (
        setup for setup in arrange(wanted, CONTROLS, WHOLE, target, DAY, FAST) if setup.order.short
    )

    assert all(CATALOGUE[name].short_of is not Shortage.NONE for name in short.wanted)
    assert {s.chapter for s in short.order.everything} == {"control", "connect", "spool"}


def test_what_is_held_against_an_agents_own_schedule_has_a_lab_that_leaves_it_so() -> None:
    """No pause between attempts is set there, and time passes."""
    target: Any = SomeTarget(frozenset(Capability))
    wanted = [CATALOGUE["queue.profile.host"], CATALOGUE["queue.delay.once"]]
    setups = arrange(wanted, CONTROLS, WHOLE, target, DAY, FAST)
    own = {tuple(setup.wanted): setup.order for setup in setups}

    assert own[("queue.profile.host",)].retry == 0.0
    assert own[("queue.profile.host",)].clock is Clock.MOVED
    assert own[("queue.delay.once",)].retry == 3600.0
    bare: Any = SomeTarget(frozenset({Capability.PASS_TIME}))
    assert "schedule" in unsupported(wanted[0], bare, sealed=True)


def test_a_shortage_asks_something_of_target_and_room() -> None:
    """A full disk: a spool of its own, and a room in which it can be mounted; ports: the room."""
    bare: Any = SomeTarget(frozenset())
    able: Any = SomeTarget(frozenset(Capability))
    full = CATALOGUE["spool.full.new-mail"]

    assert "disk of its own" in unsupported(full, bare, sealed=True)
    assert "sealed room" in unsupported(full, able, sealed=False)
    assert unsupported(full, able, sealed=True) == ""
    ports = CATALOGUE["connect.ports.used-up"]
    assert unsupported(ports, bare, sealed=True) == ""
    assert "sealed room" in unsupported(ports, able, sealed=False)


def test_a_dialects_lifetime_has_a_lab_too() -> None:
    """Whatever it is."""
    labs = arranged(Capability.PASS_TIME, lifetime=5 * DAY)

    assert {key[0] for key in labs if key[1] is Clock.MOVED} == {DAY, 2 * DAY, 5 * DAY}


def test_what_takes_long_starts_before_its_turn() -> None:
    """All else starts as it is asked for, so that one chapter after the other is over.

    What has very much to do starts at once: a run takes about as long as its longest scenario.
    """
    ids = [s.id for s in arranged(*Capability)[(2 * DAY, Clock.RUNS, False)].order.scenarios]
    starts = {name: place for place, name in enumerate(ids)}

    assert starts["robustness.message.thousand-recipients"] < starts["connect.silent"]
    assert starts["connect.silent"] < starts["dns.mx.null"] < starts["session.mail.hang"]
    assert starts["session.mail.hang"] < starts["reply.rcpt.550"]
    quick = [name for name in ids if name.startswith("reply.rcpt.5")]
    assert quick == [name for name in CATALOGUE if name in quick]


def test_without_a_clock_expiry_goes_to_labs_with_short_lives() -> None:
    """The notice of delay is as much shorter as the lifetime."""
    labs = arranged(Capability.SMART_HOSTS, Capability.TLS_PER_ROUTE, lifetime=5 * DAY)
    short = labs[(FAST.short_life, Clock.SHORTENED, False)]

    assert {key[0] for key in labs} == {5 * DAY, FAST.short_life, FAST.short_life / 2}
    assert "expiry.after-24-hours" in labs[(FAST.short_life / 2, Clock.SHORTENED, False)].wanted
    assert short.order.delay == FAST.short_life / 12
    assert not any(CATALOGUE[name].course for name in short.wanted)
    assert all(setup.order.scenarios[0] is OPENING for setup in labs.values())


def test_what_is_unsupported_says_why() -> None:
    bare: Any = SomeTarget(frozenset())
    able: Any = SomeTarget(frozenset(Capability))
    smart = CATALOGUE["dns.smart-host.servfail"]
    strict = CATALOGUE["tls.valid.under-encrypt"]
    icmp = CATALOGUE["connect.prohibited"]
    revoked = CATALOGUE["certificate.revoked.under-certificate"]
    unseen = CATALOGUE["certificate.revoked.under-encrypt"]
    blind: Any = SomeTarget(frozenset(Capability) - {Capability.CHECKS_REVOCATION})

    assert "smart hosts" in unsupported(smart, bare, sealed=True)
    assert "TLS" in unsupported(strict, bare, sealed=True)
    assert "sealed" in unsupported(icmp, able, sealed=False)
    six = replace(OPENING, hosts=(Host(family=Family.IPV6),))
    assert unsupported(six, able, sealed=False) == "IPv6 needs the sealed room"
    assert unsupported(six, able, sealed=True) == why_no_ipv6()
    far = replace(
        OPENING, hosts=(Host(reach=Reach.UNREACHABLE),), change=Change(hosts=(Host("mx1"),))
    )
    assert "no way ever leads" in unsupported(far, able, sealed=False)
    assert not any(unsupported(s, able, sealed=True) for s in (smart, strict, icmp, far))
    assert "revocation lists" in unsupported(revoked, blind, sealed=True)
    assert unsupported(unseen, blind, sealed=True) == ""
    assert "wishes" in unsupported(CATALOGUE["notices.never.refused"], bare, sealed=True)
    assert "killed" in unsupported(CATALOGUE["restart.busy.data"], bare, sealed=True)
    assert "clock" in unsupported(CATALOGUE["queue.delay.once"], bare, sealed=True)
    switched = CATALOGUE["remedy.cannot-connect.connector-corrected"]
    relayed = CATALOGUE["hosts.fallback.refused"]
    assert "fallback relay" in unsupported(relayed, bare, sealed=True)
    assert "proxy" in unsupported(CATALOGUE["connect.proxy.healthy"], bare, sealed=True)
    assert "proxy" in unsupported(CATALOGUE["connect.proxy.closed"], able, sealed=False)
    assert unsupported(CATALOGUE["connect.proxy.closed"], able, sealed=True) == ""
    fixed: Any = SomeTarget(frozenset(Capability) - {Capability.REROUTES})
    assert "routes cannot be changed" in unsupported(switched, fixed, sealed=True)
    own = CATALOGUE["certificate.client.valid.under-domain"]
    source = CATALOGUE["connect.source.second"]
    strict_only: Any = SomeTarget(frozenset({Capability.TLS_PER_ROUTE}))
    assert "certificate of its own" in unsupported(own, strict_only, sealed=True)
    assert "source address" in unsupported(source, bare, sealed=True)
    assert unsupported(source, able, sealed=False) == ""
    assert "ICMP" in unsupported(CATALOGUE["connect.source.refused"], able, sealed=False)
    assert not any(unsupported(s, able, sealed=True) for s in (smart, strict, icmp, revoked))


def test_placing_says_from_where_mail_comes_and_what_is_shown() -> None:
    def route(name: str, connector: Connector | None = None):  # type: ignore[no-untyped-def]
        room = SomeRoom(sealed=False)
        placed = place_all([CATALOGUE[name]], room, "127.80.0.0/16", {name: DAY})[0]  # type: ignore[arg-type]
        return placed.route_by(connector) if connector else placed.route

    usual = route("connect.refused")
    assert (usual.source, usual.certificate_file, usual.key_file) == ("", "", "")
    assert route("connect.source.second").source == "127.80.0.27"
    assert route("connect.source.absent").source == NOBODYS
    assert route("connect.refused", Connector(source=Source.FIRST)).source == "127.80.0.26"
    garbage = route("certificate.client.garbage.under-domain")
    assert garbage.certificate_file == "certificates/garbage/certificate.pem"
    off = route("connect.refused", Connector(source=Source.FIRST, enabled=False))
    assert (off.source, off.in_force.source) == ("127.80.0.26", "")


def test_what_is_over_last_is_asked_for_last() -> None:
    """Chapter by chapter, then what has much to do, then what closes; nobody waits for those."""
    order = [
        "control.opening",
        "dns.opening",
        "dns.mx.null",
        "connect.opening",
        "robustness.opening",
        "dns.mx.hundreds-of-hosts",
        "dns.closing",
        "connect.closing",
        "robustness.message.thousand-recipients",
        "robustness.closing",
        "control.closing",
        "room.strays",
    ]
    items: Any = [
        SimpleNamespace(callspec=SimpleNamespace(params={ARGUMENT: name}))
        for name in reversed(order)
    ]
    pytest_collection_modifyitems(items)

    assert list(map(scenario_of, items)) == order


def test_shards_are_stable_and_the_marked_go_where_they_are_marked_for() -> None:
    assert shard("control.opening@1", 2) == 1
    assert plain("control.opening@1") == "control.opening"
    assert {shard(name, 2) for name in CATALOGUE} == {0, 1}
    assert shard("connect.refused", 7) == shard("connect.refused", 7)


def test_a_journal_wakes_who_waits_and_gives_up_at_the_deadline() -> None:
    async def body() -> None:
        journal = Journal()
        journal.open("a")
        loop = asyncio.get_running_loop()
        journal.saw("a", Knocked(0.0, "mx1", "198.18.1.1"))
        loop.call_later(0.05, journal.saw, "a", deferred())

        assert await journal.until("a", lambda words: len(words) == 1, loop.time() + 5)
        assert not await journal.until("a", lambda words: len(words) == 2, loop.time() + 0.05)
        assert journal.words("a") == (deferred(),)
        assert len(journal.events("a")) == 2

    asyncio.run(body())


def test_a_journal_wakes_who_waits_for_a_fault() -> None:
    async def body() -> None:
        journal = Journal()
        journal.open("a")
        loop = asyncio.get_running_loop()
        journal.saw("a", Did(0.0, "mx1", 1, Stage.EHLO, "250 usual", False))
        assert not await journal.until_met("a", loop.time() + 0.02)
        loop.call_later(0.02, journal.saw, "a", Did(0.0, "mx1", 1, Stage.DATA, "*", True))
        assert await journal.until_met("a", loop.time() + 5)

    asyncio.run(body())


def test_a_stray_stands_on_the_page_it_names_and_on_no_other() -> None:
    async def body() -> None:
        journal = Journal()
        journal.open("reply-rcpt")
        journal.open("reply-rcpt-450")
        journal.strayed("mail for user@reply-rcpt-450.test came to mx1.reply-mail.test")

        assert journal.events("reply-rcpt") == ()
        assert [type(e) for e in journal.events("reply-rcpt-450")] == [Strayed]
        assert journal.strays == []  # the scenario's own verdict tells of it

    asyncio.run(body())


def test_a_stray_that_no_verdict_can_tell_of_is_the_labs() -> None:
    async def body() -> None:
        journal = Journal()
        journal.open("a")
        journal.strayed("DNS nowhere.example MX")
        journal.settle("a")
        journal.let_time_pass()
        journal.strayed("DNS www.a.test MX")
        assert journal.strays == ["DNS nowhere.example MX", "DNS www.a.test MX"]

    asyncio.run(body())


def test_mail_after_settling_is_a_stray_until_time_passes() -> None:
    async def body() -> None:
        journal = Journal()
        journal.open("a")
        journal.saw("a", stored())
        journal.settle("a")
        assert journal.strays == []
        journal.saw("a", stored())
        assert journal.strays == ["mail of a after it had settled: #1  mx1 stored 22 octets"]
        journal.let_time_pass()
        journal.saw("a", ndr())
        assert len(journal.strays) == 1

    asyncio.run(body())


def test_an_event_without_a_page_is_let_go() -> None:
    async def body() -> None:
        journal = Journal()
        journal.saw("", Knocked(0.0, "sink", "198.18.0.25"))
        assert journal.elapsed("") == 0.0

    asyncio.run(body())


@pytest.mark.parametrize(
    ("diagnostic", "smtp"),
    [
        ("smtp;550 5.4.316 Message expired", 550),
        ("smtp; 450-4.2.1 later", 450),
        ("X-Postfix; 550 is only text here", 0),
        ("smtp;", 0),
    ],
)
def test_a_notice_is_read_field_by_field(diagnostic: str, smtp: int) -> None:
    (notice,) = read_notices(ndr(diagnostic=diagnostic, status="5.4.316 (gone)").content)

    assert (notice.action, notice.status, notice.smtp) == ("failed", "5.4.316", smtp)
    assert notice.recipient == "user@x-y.test"


def test_mail_that_is_no_notice_has_none() -> None:
    assert read_notices(b"Subject: hello\r\n\r\nFinal-Recipient: rfc822;a@b\r\n") == ()


@pytest.mark.parametrize(
    ("kind", "recipient"),
    [
        ("message/delivery-status", rb"utf-8; j\x{FC}rgen@x-y.test"),
        ("message/global-delivery-status", "utf-8; jürgen@x-y.test".encode()),
        ("message/global-delivery-status", "rfc822;jürgen@x-y.test".encode()),
        ("message/delivery-status", "rfc822; jürgen@x-y.test".encode()),
    ],
)
def test_a_recipient_whose_name_is_not_ascii_is_read(kind: str, recipient: bytes) -> None:
    """Escaped or not, in the part for machines of either kind (RFC 6533)."""
    content = ndr(status="5.6.7").content.replace(b"message/delivery-status", kind.encode())
    content = content.replace(b"rfc822;user@x-y.test", recipient)
    (notice,) = read_notices(content)

    assert (notice.recipient, notice.action) == ("jürgen@x-y.test", "failed")
    assert (notice.status, notice.smtp) == ("5.6.7", 550)


def test_what_an_adapter_must_have_follows_from_what_it_can() -> None:
    """`kill` is wanted of who says that it restarts, and of nobody else."""
    bare: Any = SomeTarget(frozenset())
    able: Any = SomeTarget(frozenset({Capability.RESTARTS}))

    assert "submit" in lacking(bare)
    assert not {"kill", "start_again", "reroute", "pass_time"} & set(lacking(bare))
    assert {"kill", "start_again"} < set(lacking(able))
    assert "reroute" not in lacking(able)


def test_a_reading_of_the_queue_is_found_by_id_and_by_domain() -> None:
    """Whatever the spelling of the domain; a message to two domains stands under both."""
    queue = [InQueue("1", ("a@x.test", "b@Y.test.")), InQueue("2", ("c@x.test",))]

    found = held(queue)

    assert found.by_id == {"1": ("a@x.test", "b@Y.test."), "2": ("c@x.test",)}
    assert found.by_domain == {"x.test": ("a@x.test", "c@x.test"), "y.test": ("b@Y.test.",)}


@pytest.mark.parametrize(("busy", "asked"), [([10**6], BREATHS), ([10**6, 0], 2), ([0], 1)])
def test_nobody_starts_while_the_machine_is_crowded(busy: list[int], asked: int) -> None:
    """Until it is not, or for some breaths at most: other work must not stop a run."""
    counts: list[int] = []

    def running_now() -> int:
        counts.append(busy[min(len(counts), len(busy) - 1)])
        return counts[-1]

    async def admit() -> None:
        await Governor(0.01, running_now).admit()

    asyncio.run(admit())
    assert len(counts) == asked
