"""Real agents whose time is let pass, that are killed, rerouted and wished something of."""

import pytest

from selftests.live import witnessed
from targets.base import Capability

AGENTS = ("postfix", "exim")
NOTICED = ["s@home.test delivered"]
TRIED = ["u@closed.test deferred"]
GIVEN_UP = {"postfix": "49h", "exim": "48h05"}
"""When mail is given up that was last tried at 47h55: Postfix waits for the next attempt, one
hour later; Exim also tries what is past its time, whatever its schedule."""


@pytest.mark.parametrize("name", AGENTS)
def test_time_passes(name: str) -> None:
    """Tried when it is due and not before; a notice of delay, once; given up when it is over."""
    seen = witnessed(
        name,
        f"""
live = Inside(moves=True)
live.submit("u@closed.test")
live.seen["0h"] = live.told(1)
passed, over = 0.0, "{GIVEN_UP[name]}"
for label, hours, wanted in (
    ("30m", 0.5, 0), ("1h05", 65 / 60, 1), ("5h", 5, 2), ("5h30", 5.5, 0), ("7h", 7, 1),
    ("47h55", 48 - 5 / 60, 1), ("48h05", 48 + 5 / 60, 0), ("49h", 49, 0),
):
    began = time.monotonic()
    live.agent.pass_time((hours - passed) * HOUR)
    live.seen["took"] = max(live.seen.get("took", 0), time.monotonic() - began)
    passed = hours
    live.seen[label] = live.told(3 if label == over else wanted)
    live.seen["waiting " + label] = live.waiting()
live.seen["notices"] = live.host.got
live.close()
""",
        Capability.PASS_TIME,
    )
    assert seen["0h"] == seen["1h05"] == seen["7h"] == seen["47h55"] == TRIED
    assert seen["30m"] == seen["5h30"] == []
    assert seen["5h"] == TRIED + NOTICED
    assert sorted(seen[GIVEN_UP[name]]) == sorted([*TRIED, "u@closed.test expired", *NOTICED])
    assert seen["waiting 47h55"] == [["u@closed.test"]]
    assert seen["waiting 49h"] == []
    delayed, failed = seen["notices"]
    assert "Action: delayed" in delayed
    assert "Action: failed" in failed
    assert seen["took"] < 10


@pytest.mark.parametrize("name", AGENTS)
def test_mail_that_comes_late_has_its_own_time(name: str) -> None:
    """What is handed in when time has passed is put off by the moved clock, too."""
    seen = witnessed(
        name,
        """
live = Inside(moves=True)
live.agent.pass_time(5 * HOUR)
live.submit("u@closed.test")
live.seen["told"] = [live.told(1)]
for minutes, wanted in ((30, 0), (35, 1)):
    live.agent.pass_time(minutes * 60)
    live.seen["told"].append(live.told(wanted))
live.close()
""",
        Capability.PASS_TIME,
    )
    assert seen["told"] == [TRIED, [], TRIED]


@pytest.mark.parametrize("name", AGENTS)
def test_time_passes_on_the_heels_of_a_report(name: str) -> None:
    """While the agent is still busy with what it has just reported, and makes a notice of it."""
    seen = witnessed(
        name,
        """
live = Inside(moves=True)
live.submit("u@closed.test")
live.one()
live.agent.pass_time(48 * HOUR - 300)
live.one()
live.agent.pass_time(HOUR + 600)
live.seen["told"] = live.told(4)
live.seen["notices"] = live.host.got
live.seen["waiting"] = live.waiting()
live.close()
""",
        Capability.PASS_TIME,
    )
    assert sorted(seen["told"]) == sorted([*TRIED, "u@closed.test expired", *NOTICED, *NOTICED])
    both = "\n".join(seen["notices"])  # made one after the other, delivered in any order
    assert (both.count("Action: delayed"), both.count("Action: failed")) == (1, 1)
    assert seen["waiting"] == []


@pytest.mark.parametrize("how", ["live.agent.pass_time(48 * HOUR - 300)", "live.agent.retry(id)"])
def test_time_passes_while_postfix_has_the_file_locked_still(how: str) -> None:
    """A delivery agent lets go of it a moment after the message is back in the queue."""
    seen = witnessed(
        "postfix",
        f"""
import fcntl
live = Inside(moves=True)
id = live.submit("u@closed.test")
live.one()
while not (files := list(live.room.work.glob("spool/deferred/?/" + id))):
    time.sleep(0.01)
file = files[0].open("rb")
fcntl.flock(file, fcntl.LOCK_EX)
threading.Timer(1, file.close).start()
{how}
live.seen["closed"] = file.closed
live.seen["told"] = live.told(1)
live.close()
""",
        Capability.PASS_TIME,
    )
    assert seen["closed"]
    assert seen["told"][:1] == TRIED


@pytest.mark.parametrize("name", AGENTS)
def test_sessions_do_not_notice_that_time_passes(name: str) -> None:
    """A host that hangs is given up after as many true seconds as ever, and the mail waits on."""
    seen = witnessed(
        name,
        """
live = Inside(moves=True)
host = Host(CLOSED, hangs=True)
live.submit("u@closed.test")
host.inside.wait(PATIENCE)
live.agent.pass_time(10 * HOUR)
live.seen["told"] = live.told(2)
live.seen["silences"] = host.silences
live.seen["waiting"] = live.waiting()
host.hangs = False
live.agent.pass_time(1.1 * HOUR)
live.seen["then"] = live.told(1)
live.close()
""",
        Capability.PASS_TIME,
    )
    assert sorted(seen["told"]) == sorted(TRIED + NOTICED)
    assert len(seen["silences"]) == 1
    assert 2.5 < seen["silences"][0] < 6
    assert seen["waiting"] == [["u@closed.test"]]
    assert seen["then"] == ["u@closed.test delivered"]


@pytest.mark.parametrize("name", AGENTS)
def test_time_stands_still_unless_it_is_to_move(name: str) -> None:
    """Without `Timers.moves` nothing is loaded into the agent, and its clock cannot be moved."""
    seen = witnessed(
        name,
        """
live = Inside()
live.seen["preloaded"] = Path("/etc/ld.so.preload").exists()
try:
    live.agent.pass_time(HOUR)
except Unavailable as error:
    live.seen["error"] = str(error)
live.close()
""",
        Capability.PASS_TIME,
    )
    assert not seen["preloaded"]
    assert "cannot be moved: it was not started with Timers.moves" in seen["error"]


@pytest.mark.parametrize("moves", [False, True])
@pytest.mark.parametrize("name", AGENTS)
def test_killed_in_mid_session(name: str, moves: bool) -> None:
    """Nothing of it is left; started again it delivers what was under way, once."""
    seen = witnessed(
        name,
        f"""
from targets import processes
live = Inside(moves={moves})
host = Host(CLOSED, hangs=True)
live.submit("u@closed.test")
host.inside.wait(PATIENCE)
live.agent.kill()
of_agent = lambda program: "exim" in program.name or "postfix" in str(program)
live.seen["left"] = processes.running(of_agent)
host.hangs = False
live.agent.start_again()
live.seen["told"] = live.told(1)
live.seen["got"] = host.got
live.seen["waiting"] = live.waiting()
live.submit("u@ok.test")
live.seen["on"] = live.told(1)
live.close()
""",
        Capability.RESTARTS,
    )
    assert seen["left"] == []
    assert seen["told"] == ["u@closed.test delivered"]
    assert len(seen["got"]) == 1
    assert seen["waiting"] == []
    assert seen["on"] == ["u@ok.test delivered"]


@pytest.mark.parametrize("name", AGENTS)
def test_killed_with_mail_that_waits(name: str) -> None:
    """It waits on, three deaths long, and no mail that was taken is lost; then it is delivered."""
    seen = witnessed(
        name,
        """
live = Inside()
waits = live.submit("u@closed.test")
live.seen["before"] = live.told(1)
taken, done = set(), set()
for _ in range(3):
    taken |= {live.submit("u@ok.test") for _ in range(5)}
    live.agent.kill()
    live.agent.start_again()
# Not as many reports as messages: a kill can take the words of one that has been delivered.
while len(live.waiting()) > 1:
    time.sleep(0.05)
live.seen["waiting"] = live.waiting()
live.seen["told"] = sorted(set(live.told(0, quiet=1.5)))
live.seen["got"] = len(live.host.got)
host = Host(CLOSED)
live.agent.retry(waits)
live.seen["then"] = live.told(1)
live.seen["got there"] = len(host.got)
live.close()
""",
        Capability.RESTARTS,
    )
    assert seen["before"] == TRIED
    assert "u@ok.test delivered" in seen["told"]
    assert seen["got"] >= 15
    assert seen["waiting"] == [["u@closed.test"]]
    assert seen["then"] == ["u@closed.test delivered"]
    assert seen["got there"] == 1


@pytest.mark.parametrize("name", AGENTS)
def test_the_reports_end_even_of_an_agent_that_is_not_started_again(name: str) -> None:
    """They go on while it is dead, and end when it is stopped."""
    seen = witnessed(
        name,
        """
live = Inside()
live.agent.kill()
live.follower.join(QUIET)
live.seen["going on"] = live.follower.is_alive()
live.agent.stop()
live.follower.join(PATIENCE)
live.seen["in the end"] = live.follower.is_alive()
live.close()
""",
        Capability.RESTARTS,
    )
    assert seen["going on"]
    assert not seen["in the end"]


@pytest.mark.parametrize("name", AGENTS)
def test_takes_changed_routes(name: str) -> None:
    """Mail that waits goes the new way at its next attempt, mail that comes at once."""
    seen = witnessed(
        name,
        """
live = Inside()
waits = live.submit("u@closed.test")
live.seen["before"] = live.told(1)
host = Host(LATER)
changed = [route(one.domain, LATER if "closed" in one.domain else OPEN) for one in live.routes]
live.agent.reroute(changed)
live.agent.retry(waits)
live.seen["again"] = live.told(1)
live.submit("v@closed.test")
live.seen["new"] = live.told(1)
live.seen["got"] = len(host.got)
live.close()
""",
        Capability.REROUTES,
    )
    assert seen["before"] == TRIED
    assert seen["again"] == ["u@closed.test delivered"]
    assert seen["new"] == ["v@closed.test delivered"]
    assert seen["got"] == 2


@pytest.mark.parametrize("name", AGENTS)
def test_takes_wishes(name: str) -> None:
    """At its own door, and passes them on to a host that takes them, too."""
    seen = witnessed(
        name,
        """
live = Inside()
wishes = Wishes(("FAILURE",), "HDRS", "mine", "rfc822;u@ok.test")
live.submit("u@ok.test", wishes)
live.told(1)
live.seen["envelopes"] = live.host.envelopes
live.close()
""",
        Capability.TAKES_WISHES,
    )
    mail, rcpt = (line.upper() for line in seen["envelopes"][:2])
    assert "RET=HDRS" in mail
    assert "ENVID=MINE" in mail
    assert "NOTIFY=FAILURE" in rcpt
    assert "ORCPT=RFC822;U@OK.TEST" in rcpt
