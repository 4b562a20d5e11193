"""Exim's configuration as it is rendered, and where its adapter looks for Exim."""

from dataclasses import replace
from pathlib import Path

import pytest

from lab.room import Unavailable
from model.scenario import HOUR
from model.schedule import Stretch
from model.timers import Timers
from model.tls import Tls
from targets.base import Route, load
from targets.exim.adapter import installed_or_unpacked
from targets.exim.config import SCHEDULE, render, retry_rules, seconds

TIMERS = Timers(dns=2, connect=3, reply=4.2, lifetime=10, retry=0.4)


def rendered(*routes: Route) -> dict[str, str]:
    """The files for some routes."""
    lab = Path("/srv/lab")
    return dict(render(lab, lab / "ca.pem", lab / "crl.pem", 2525, TIMERS, routes))


def route(*smart_hosts: str, tls: Tls = Tls.NONE, domain: str = "a") -> Route:
    """A route for `a.test`."""
    return Route(f"{domain}.test", smart_hosts, tls, f"mx1.{domain}.test", 10.0)


def macros(text: str) -> dict[str, str]:
    """The macro definitions, as Exim reads them."""
    lines = [line.partition(" = ") for line in text.splitlines() if line.startswith("LAB_")]
    return {name: value for name, _, value in lines}


def test_places_and_timers() -> None:
    """What comes from the room and from the timers becomes a macro."""
    assert macros(rendered()["exim4.conf"]) == {
        "LAB_WORK": "/srv/lab",
        "LAB_CA_FILE": "/srv/lab/ca.pem",
        "LAB_CRL_FILE": "/srv/lab/crl.pem",
        "LAB_PORT": "2525",
        "LAB_CONNECT": "3s",
        "LAB_REPLY": "5s",
        "LAB_HALF_LIFE": "5s",
        "LAB_RETRY": "F,10s,1s",
        "LAB_BATCH": "2",
        "LAB_DELAY": "0s",
        "LAB_PASSED_ON": "",
        "LAB_PROXY": "port=2525 tmo=3",
    }


def test_its_own_time_outs_are_left_to_exim() -> None:
    """Undefined macros leave the settings out."""
    own = render(
        Path("/srv/lab"),
        Path("/srv/lab/ca.pem"),
        Path("/srv/lab/crl.pem"),
        25,
        replace(TIMERS, own=True),
        (),
    )

    assert {"LAB_CONNECT", "LAB_REPLY"} & set(macros(own["exim4.conf"])) == set()
    guarded = own["smtp.conf"].partition(".ifdef LAB_REPLY\n")[2].partition(".endif")[0]
    assert own["smtp.conf"].count("_timeout") == guarded.count("_timeout") == 4


def test_a_route_with_fallback_relays_has_a_router_of_its_own() -> None:
    """By MX or by smart host, before the common routers."""
    files = rendered(
        replace(route(), fallback=("relay.a.test", "[198.18.0.7]")),
        route(domain="b"),
        replace(route("h.c.test", domain="c"), fallback=("relay.c.test",)),
    )

    by_mx, by_smart_host = files["fallback.conf"].split("\n\n")
    assert by_mx.splitlines() == [
        "fallback_0:",
        "domains = a.test",
        "driver = dnslookup",
        "fallback_hosts = <;relay.a.test;198.18.0.7",
        ".include LAB_WORK/conf/router.conf",
    ]
    assert "driver = manualroute\nroute_data = <;h.c.test byname\n" in by_smart_host
    text = files["exim4.conf"]
    assert text.index("fallback.conf") < text.index("smart_host:")


def test_its_own_schedule_is_left_to_exim() -> None:
    """The rule that it comes with, but for the lifetime; and it is the one that is stated."""
    assert retry_rules(replace(TIMERS, retry=0.0)) == "F,2h,15m; G,16h,1h,1.5; F,10s,6h"
    assert SCHEDULE.stretches[1] == Stretch(16 * HOUR, HOUR, 1.5)


def test_a_route_that_reuses_connections_is_listed() -> None:
    """And no other."""
    files = rendered(replace(route(), reuses=True), route(domain="b"))
    assert files["services"] == "a.test: kept\n"


def test_a_route_by_a_proxy_has_a_transport_of_its_own() -> None:
    """One that reuses connections cannot have it: there is no such transport."""
    proxied = replace(route(), proxy="198.18.0.9")
    files = rendered(proxied, route(domain="b"))

    assert files["proxies"] == "a.test: 198.18.0.9\n"
    assert files["services"] == "a.test: proxied\n"
    assert macros(files["exim4.conf"])["LAB_PROXY"] == "port=2525 tmo=3"
    with pytest.raises(Unavailable, match="one of the two"):
        rendered(replace(proxied, reuses=True))


def test_what_few_routes_have_is_listed() -> None:
    """A table for each; a connector that is off has nothing."""
    shown = replace(route(), certificate_file="/c.pem", key_file="/k.pem")
    off = replace(route(domain="c"), source="198.18.0.26", enabled=False)
    files = rendered(shown, replace(route(domain="b"), source="198.18.0.26"), off)

    assert files["certificates"] == "a.test: /c.pem\n"
    assert files["keys"] == "a.test: /k.pem\n"
    assert files["sources"] == "b.test: 198.18.0.26\n"


def test_every_macro_is_defined_and_used() -> None:
    """Exim would take an unknown one as text; and none hides in another's name."""
    text = rendered()["exim4.conf"] + rendered()["smtp.conf"]
    rules = [line for line in text.splitlines() if not line.startswith(("LAB_", "#"))]
    for name in macros(text):
        assert any(name in rule for rule in rules)
        assert [other for other in macros(text) if name in other] == [name]
    unknown = "\n".join(rules)
    for name in sorted(macros(text), key=len, reverse=True):
        unknown = unknown.replace(name, "")
    assert "LAB_" not in unknown


@pytest.mark.parametrize(("duration", "text"), [(0.1, "1s"), (3, "3s"), (3.1, "4s")])
def test_seconds_are_whole_and_never_none(duration: float, text: str) -> None:
    """Exim knows no fractions, and 0 may mean for ever."""
    assert seconds(duration) == text


def test_smart_hosts_in_their_order() -> None:
    """Without blanks, which would end the list; a domain routed by MX is not in the table."""
    files = rendered(
        route("h1.a.test", "[198.18.0.7]", "[2001:2::7]"),
        route(domain="b"),
        route("h.c.test", domain="c"),
    )
    assert files["smart_hosts"] == (
        "a.test: <;h1.a.test;198.18.0.7;2001:2::7 byname\nc.test: <;h.c.test byname\n"
    )


def test_tls_is_kept_by_domain() -> None:
    """One word for each route, even where two go to one host."""
    files = rendered(
        route("h.test", tls=Tls.ENCRYPT),
        route("h.test", domain="b", tls=Tls.CERTIFICATE),
        route(domain="c", tls=Tls.DOMAIN),
        route(domain="d"),
    )
    assert files["tls"] == "a.test: encrypt\nb.test: certificate\nc.test: domain\nd.test: none\n"


def test_an_unpacked_tree_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the variable; and what it names must be one."""
    monkeypatch.setenv("MAILFLOW_EXIM_TREE", str(tmp_path))
    with pytest.raises(Unavailable, match="no unpacked Exim"):
        load("exim").check()
    (tmp_path / "usr/sbin").mkdir(parents=True)
    (tmp_path / "usr/sbin/exim4").touch()
    assert installed_or_unpacked() == tmp_path


def test_the_version_is_told_or_the_words_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`exinext` belongs to the same source as `exim`."""
    monkeypatch.setenv("MAILFLOW_EXIM_TREE", str(tmp_path))
    (tmp_path / "usr/sbin").mkdir(parents=True)
    (tmp_path / "usr/sbin/exim4").touch()
    exinext = tmp_path / "usr/sbin/exinext"
    exinext.write_text("#!/bin/sh\necho exinext: $0; echo build: 4.96\n")
    exinext.chmod(0o755)
    assert load("exim").version() == "4.96"
    exinext.write_text("#!/bin/sh\necho broken >&2\n")
    with pytest.raises(Unavailable, match="does not tell its version: broken"):
        load("exim").version()


def test_without_exim_the_remedy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither installed nor in the cache folder."""
    monkeypatch.delenv("MAILFLOW_EXIM_TREE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if Path("/usr/sbin/exim4").is_file():
        assert installed_or_unpacked() is None
    else:
        with pytest.raises(Unavailable, match=r"apt-get install exim4.*make agent NAME=exim"):
            load("exim").check()
