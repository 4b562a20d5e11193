"""Postfix's configuration as it is rendered, and where its adapter looks for Postfix."""

from dataclasses import replace
from pathlib import Path

import pytest

from lab.room import Unavailable
from model.timers import Timers
from model.tls import Tls
from targets.base import Route, load
from targets.postfix.adapter import installed_or_unpacked
from targets.postfix.config import render, seconds, tls_policy

TIMERS = Timers(dns=2, connect=3, reply=4.2, lifetime=10, retry=0.4)


def rendered(*routes: Route) -> dict[str, str]:
    """The files for some routes."""
    return dict(render(Path("/srv/lab"), Path("/srv/lab/ca.pem"), 2525, TIMERS, routes))


def route(*smart_hosts: str, tls: Tls = Tls.NONE, tls_domain: str = "", domain: str = "a") -> Route:
    """A route for `a.test`."""
    return Route(f"{domain}.test", smart_hosts, tls, tls_domain, 10.0)


def parameters(main: str) -> dict[str, str]:
    """main.cf as Postfix reads it."""
    lines = [line for line in main.splitlines() if line and not line.startswith("#")]
    return {name.strip(): value.strip() for name, _, value in (x.partition("=") for x in lines)}


def test_places_and_timers() -> None:
    """What comes from the room and from the timers is where Postfix looks for it."""
    main = parameters(rendered()["main.cf"])
    assert main["queue_directory"] == "/srv/lab/spool"
    assert main["smtp_tls_CAfile"] == "/srv/lab/ca.pem"
    assert main["smtp_tcp_port"] == "2525"
    assert main["smtp_connect_timeout"] == "3s"
    assert main["smtp_data_done_timeout"] == "5s"
    assert main["maximal_queue_lifetime"] == main["bounce_queue_lifetime"] == "10s"
    assert main["queue_run_delay"] == main["maximal_backoff_time"] == "1s"


def test_its_own_time_outs_are_left_to_postfix() -> None:
    """Not one of them is set; all else is."""
    files = render(Path("/srv/lab"), Path("/srv/lab/ca.pem"), 25, replace(TIMERS, own=True), ())
    main = parameters(files["main.cf"])

    assert [name for name in main if name.endswith("_timeout")] == []
    assert main["queue_run_delay"] == "1s"


def test_its_own_schedule_is_left_to_postfix() -> None:
    """Where no pause is given, none is set."""
    files = render(Path("/srv/lab"), Path("/srv/lab/ca.pem"), 25, replace(TIMERS, retry=0.0), ())
    main = parameters(files["main.cf"])

    assert not {"queue_run_delay", "minimal_backoff_time", "maximal_backoff_time"} & set(main)
    assert main["maximal_queue_lifetime"] == "10s"


def test_a_route_that_reuses_connections_has_a_service_of_its_own() -> None:
    """With or without smart hosts; the service's limits are set, and only it has the cache."""
    files = rendered(
        replace(route(), reuses=True), replace(route("h.b.test", domain="b"), reuses=True)
    )

    assert files["transport"] == "a.test kept:a.test\nb.test kept:[h.b.test]\n"
    assert parameters(files["main.cf"])["kept_destination_recipient_limit"] == "2"
    assert files["master.cf"].count("connection_cache") == 1


def test_what_is_a_routes_own_is_a_services() -> None:
    """One service for all routes that have the same; its name stays when others come and go."""
    shown = replace(route(tls=Tls.ENCRYPT), certificate_file="/c.pem", key_file="/k.pem")
    chosen = replace(route("h.b.test", domain="b"), source="198.18.0.26")
    files = rendered(shown, chosen, replace(chosen, domain="c.test"), route(domain="d"))
    name, other = (line.split(" ")[1] for line in files["transport"].splitlines()[:2])

    assert name.endswith(":a.test")
    assert files["transport"].splitlines()[2] == f"c.test {other}"
    assert files["master.cf"].count("\nown-") == 2
    own = files["master.cf"].partition("\n" + name.partition(":")[0])[2]
    assert own.splitlines()[1:3] == [
        "  -o smtp_tls_cert_file=/c.pem",
        "  -o smtp_tls_key_file=/k.pem",
    ]
    assert (
        "  -o smtp_bind_address=198.18.0.26\n  -o smtp_bind_address_enforce=yes"
        in files["master.cf"]
    )
    assert rendered(shown)["transport"] == f"a.test {name}\n"
    assert "own-" not in rendered(replace(shown, enabled=False))["master.cf"]


def test_a_service_does_not_do_two_things() -> None:
    """Postfix has one for connections that are reused, and one for each certificate and source."""
    with pytest.raises(Unavailable, match=r"a\.test.*one of the two"):
        rendered(replace(route(), reuses=True, source="198.18.0.26"))


def test_a_fallback_relay_is_a_services_too() -> None:
    """The relay's name is looked up without MX, and held to the same TLS."""
    relayed = replace(route(tls=Tls.ENCRYPT), fallback=("relay.a.test", "[198.18.0.7]"))
    files = rendered(relayed, route("h.b.test", domain="b"))

    assert files["transport"].startswith("a.test own-")
    assert files["transport"].endswith("\nb.test smtp:[h.b.test]\n")
    assert files["master.cf"].endswith("  -o smtp_fallback_relay=[relay.a.test],[198.18.0.7]\n")
    assert "[relay.a.test] encrypt\n[198.18.0.7] encrypt\n" in files["tls_policy"]


@pytest.mark.parametrize(("duration", "text"), [(0.1, "1s"), (3, "3s"), (3.1, "4s")])
def test_seconds_are_whole_and_never_none(duration: float, text: str) -> None:
    """Postfix knows no fractions, and 0 may mean for ever."""
    assert seconds(duration) == text


def test_smart_hosts_are_in_brackets() -> None:
    """By address record, in the order given; a domain without smart hosts is routed by MX."""
    files = rendered(
        route("h1.a.test", "[198.18.0.7]"), route(domain="b"), route("h.c.test", domain="c")
    )
    assert files["transport"] == ("a.test smtp:[h1.a.test], [198.18.0.7]\nc.test smtp:[h.c.test]\n")


def test_tls_is_kept_by_next_hop() -> None:
    """One line for each next hop, in the form the transport table has it."""
    files = rendered(
        route("h1.a.test", "h2.a.test", tls=Tls.ENCRYPT),
        route(domain="b", tls=Tls.CERTIFICATE),
        route("h1.a.test", domain="c", tls=Tls.ENCRYPT),
    )
    assert files["tls_policy"] == "[h1.a.test] encrypt\n[h2.a.test] encrypt\nb.test verify\n"


def test_two_settings_for_one_next_hop_are_refused() -> None:
    """Postfix would drop the whole table."""
    with pytest.raises(Unavailable, match=r"\[h\.test\] is given two"):
        rendered(route("h.test"), route("h.test", domain="b", tls=Tls.ENCRYPT))


@pytest.mark.parametrize(
    ("tls", "tls_domain", "policy"),
    [
        (Tls.NONE, "", "may"),
        (Tls.ENCRYPT, "", "encrypt"),
        (Tls.CERTIFICATE, "", "verify"),
        (Tls.DOMAIN, "mx1.a.test", "secure match=mx1.a.test"),
        (Tls.DOMAIN, "*.a.test", "secure match=.a.test"),
    ],
)
def test_tls_settings(tls: Tls, tls_domain: str, policy: str) -> None:
    """Exchange's settings in Postfix's words."""
    assert tls_policy(route(tls=tls, tls_domain=tls_domain)) == policy


def test_an_unpacked_tree_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the variable; and what it names must be one."""
    monkeypatch.setenv("MAILFLOW_POSTFIX_TREE", str(tmp_path))
    with pytest.raises(Unavailable, match="no unpacked Postfix"):
        load("postfix").check()
    (tmp_path / "usr/sbin").mkdir(parents=True)
    (tmp_path / "usr/sbin/postfix").touch()
    assert installed_or_unpacked() == tmp_path


def test_without_postfix_the_remedy_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither installed nor in the cache folder."""
    monkeypatch.delenv("MAILFLOW_POSTFIX_TREE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if Path("/usr/sbin/postfix").is_file():
        assert installed_or_unpacked() is None
    else:
        with pytest.raises(Unavailable, match=r"apt-get install postfix.*make agent NAME=postfix"):
            load("postfix").check()
