"""The two kinds of room: what is inside, what stays outside, and that nothing outlives them."""

import errno
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.open import BLOCKS, OpenRoom
from lab.room import Account, Unavailable
from lab.sealed import _remedy, command, why_no_ipv6
from model.shortage import OF_DISK
from tools.leftovers import until

ROOT = Path(__file__).resolve().parent.parent
DEADLINE = 30.0

SEAL = """
import json, os, shutil, socket, subprocess, sys, time
from pathlib import Path
from lab.room import Account
from lab.sealed import seal
from model.timers import Timers
room = seal(Path("/run/mailflow-test"), b"the authority", Timers(1.5, 3, 3, 60, 60), b"the lists")
"""


def inside(script: str) -> list[str]:
    """The argv of a script in a sealed room; raises Unavailable where there is none."""
    return command([sys.executable, "-c", SEAL + script])


@pytest.fixture(scope="module")
def sealable() -> bool:
    """Whether rooms can be sealed here. Root must be able to; others must be told the remedy."""
    sentence = refusal()
    if sentence and os.geteuid() == 0:
        pytest.fail(sentence)
    if sentence:
        assert sentence.startswith("a sealed room ")
        assert any(word in sentence for word in ("install", "usermod", "run as root"))
    return not sentence


def refusal() -> str:
    """Why a room cannot be sealed on this machine; empty if it can."""
    try:
        command(["true"])
    except Unavailable as error:
        return str(error)
    return ""


def facts(script: str) -> Any:
    """What the script prints as JSON."""
    done = subprocess.run(
        inside(script), cwd=ROOT, capture_output=True, timeout=DEADLINE, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def network_namespaces() -> set[str]:
    """The network namespaces in which processes of this machine live, as far as visible."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/ns/net"):
        try:
            found.add(os.readlink(link))
        except OSError:
            continue  # gone meanwhile, or another user's
    return found


def test_a_sealed_room_has_free_ports_and_no_way_out(sealable: bool) -> None:
    """Ports 25 and 53 can be bound on any lab address, and nothing else can be reached."""
    if not sealable:
        return
    seen = facts("""
def bound(kind, ip, port):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind((ip, port))
        if kind is socket.SOCK_STREAM:
            s.listen()
            socket.create_connection((ip, port), 2).close()
    return True
def refused(ip):
    started = time.monotonic()
    try:
        socket.create_connection((ip, 25), 5).close()
    except OSError as error:
        return error.strerror, time.monotonic() - started
tcp, udp = socket.SOCK_STREAM, socket.SOCK_DGRAM
print(json.dumps({
    "bound": [bound(tcp, "198.18.7.9", 25), bound(tcp, "198.19.255.254", 25),
              bound(udp, "127.0.0.53", 53), bound(tcp, "127.0.0.53", 53)],
    "outside": [refused("192.0.2.1"), refused("8.8.8.8"), refused("10.0.0.1")],
    "closed": refused("198.18.0.1")[0],
    "resolv": Path("/etc/resolv.conf").read_text(),
    "names": [socket.gethostname(), socket.gethostbyname("agent.test")],
    "ca": [room.ca_file.read_text(), room.crl_file.read_text()],
    "empty": [os.listdir(d) for d in ("/var/spool", "/var/lib")],
}))""")
    assert seen["bound"] == [True] * 4
    for error, seconds in seen["outside"]:
        assert error == "Network is unreachable"
        assert seconds < 0.5
    assert seen["closed"] == "Connection refused"
    assert seen["resolv"] == "nameserver 127.0.0.53\noptions timeout:2 attempts:1\n"
    assert seen["names"] == ["agent.test", "127.0.0.1"]
    assert seen["ca"] == ["the authority", "the lists"]


def test_a_sealed_room_has_ipv6_where_the_kernel_has(sealable: bool) -> None:
    """Any address of its network can be bound and reached, at once; nothing else can."""
    if not sealable or why_no_ipv6():
        return
    seen = facts("""
def meets(ip):
    with socket.socket(socket.AF_INET6) as client:
        client.settimeout(2)
        return os.strerror(client.connect_ex((ip, 25)))
with socket.create_server(("2001:2::1:7", 25), family=socket.AF_INET6):
    up = meets("2001:2::1:7")
print(json.dumps([up, meets("2001:2::1:7"), meets("2001:db8::1")]))""")
    assert seen == ["Success", "Connection refused", "Network is unreachable"]


def test_a_kernel_without_ipv6_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence, with what the kernel said."""
    monkeypatch.setattr("lab.sealed._probe", lambda *argv: "RTNETLINK answers: no")
    why_no_ipv6.cache_clear()
    assert why_no_ipv6() == "the kernel gives the sealed room no IPv6 (RTNETLINK answers: no)"
    why_no_ipv6.cache_clear()


def test_a_sealed_room_writes_nothing_on_the_host(sealable: bool) -> None:
    """Files written in the private directories, and the host's name, are the room's own."""
    if not sealable:
        return
    before = Path("/proc/self/mounts").read_text(), socket.gethostname()
    folders = ("/etc", "/var/lib", "/run", "/dev", "/dev/shm")
    names = [f"{folder}/mailflow-probe" for folder in folders]
    accounts = Path("/etc/passwd").read_text()
    written = facts(f"""
room.install(None, [Account("mailflow-probe", 5999)])
for name in {names!r}:
    Path(name).write_text("x")
print(json.dumps([Path(name).exists() for name in {names!r}]))""")
    assert written == [True] * len(names)
    assert not [name for name in (*names, "/run/mailflow-test") if Path(name).exists()]
    assert Path("/etc/passwd").read_text() == accounts
    assert (Path("/proc/self/mounts").read_text(), socket.gethostname()) == before


def test_a_package_is_laid_over_the_host(sealable: bool, tmp_path: Path) -> None:
    """Its /usr, its /lib (which is a link on the host), its /etc and its accounts are there."""
    if not sealable:
        return
    tree = tmp_path / "odd:name, with marks"
    for name in ("usr/bin/mailflow-hello", "lib/mailflow/part", "etc/mailflow/main.conf"):
        (tree / name).parent.mkdir(parents=True)
        (tree / name).write_text("#!/bin/sh\necho hello\n")
        (tree / name).chmod(0o755)
    before = sorted(tree.rglob("*"))
    seen = facts(f"""
import grp, pwd
room.install(Path({str(tree)!r}), [Account("mailflow-a", 5001), Account("root", 5002)])
agent = room.spawn(["mailflow-hello"])
said = agent.communicate()[0].decode()
print(json.dumps([said, Path("/usr/lib/mailflow/part").exists(), Path("/bin/sh").exists(),
    Path("/etc/mailflow/main.conf").exists(), pwd.getpwnam("mailflow-a").pw_uid,
    grp.getgrnam("mailflow-a").gr_gid, pwd.getpwnam("root").pw_uid]))
room.close()""")
    assert seen == ["hello\n", True, True, True, 5001, 5001, 0]
    assert sorted(tree.rglob("*")) == before
    assert not Path("/usr/lib/mailflow").exists()


def test_orphans_do_not_pile_up_as_zombies(sealable: bool) -> None:
    """Daemons' children that lose their parent are reaped, and our own waits still work."""
    if not sealable:
        return
    zombies, codes = facts("""
codes = set()
for _ in range(50):
    made = subprocess.run(["sh", "-c", "(exec sleep 0.01) & exit 7"], stdout=subprocess.PIPE)
    codes.add(made.returncode)  # its pipe closes only when the orphan has ended
def state(path):
    try:
        return path.read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
print(json.dumps([[state(p) for p in Path("/proc").glob("[0-9]*/stat")].count("Z"), list(codes)]))
""")
    assert codes == [7]
    assert zombies <= 2


@pytest.mark.parametrize("death", ["the lab is killed", "unshare is killed", "the lab exits"])
def test_nothing_outlives_a_sealed_room(sealable: bool, death: str) -> None:
    """However a room ends: no process, no namespace, no mount."""
    if not sealable:
        return
    mounts = Path("/proc/self/mounts").read_text()
    script = """
orphan = subprocess.run(["sh", "-c", "sleep 1000 & sleep 1000 &"])
room.spawn(["sleep", "1000"])
print(os.readlink("/proc/self/ns/net"), flush=True)
if sys.stdin.readline() == "kill\\n":
    os.kill(os.getpid(), 9)
os._exit(0)
"""
    room = subprocess.Popen(
        inside(script), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert room.stdout is not None
    with room:
        namespace = room.stdout.readline().strip()
        assert namespace in network_namespaces()
        if death == "unshare is killed":
            room.send_signal(signal.SIGKILL)
        said, _ = room.communicate(
            "kill\n" if death == "the lab is killed" else "", timeout=DEADLINE
        )
    assert said == ""  # and the pipe is at its end: all who held it are gone
    assert until(lambda: namespace not in network_namespaces(), DEADLINE)
    assert Path("/proc/self/mounts").read_text() == mounts


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ('unshare: no line matching user "x" in /etc/subuid', "usermod --add-subuids"),
        ("unshare: unrecognized option '--map-auto'", "util-linux 2.38"),
        ("unshare: unshare failed: Operation not permitted", "root"),
        ("unshare: mount /proc failed: Operation not permitted", "root"),
    ],
)
def test_every_refusal_comes_with_a_remedy(said: str, remedy: str) -> None:
    """What unshare says is answered by what to do."""
    expected = "--privileged" if remedy == "root" and os.geteuid() == 0 else remedy
    assert expected in _remedy(said)


@pytest.fixture
def open_room() -> Iterator[OpenRoom]:
    """An open room with any port."""
    room = OpenRoom(b"the authority")
    yield room
    room.close()


def test_open_rooms_do_not_share_a_block(open_room: OpenRoom) -> None:
    """Two rooms of one process lie in different blocks, and each can use its ports."""
    other = OpenRoom(b"")
    try:
        assert other.network != open_room.network
        for room in (open_room, other):
            block = int(room.network.split(".")[1])
            assert block in BLOCKS
            assert room.dns[0] == f"127.{block}.0.53"
            for address in (room.dns, (f"127.{block}.1.1", room.smtp_port)):
                with socket.create_server(address):
                    pass
    finally:
        other.close()


def test_a_port_that_was_asked_for_and_is_taken() -> None:
    """The sentence names the port and the option."""
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable, match=rf"port {port} is taken.*--port=N"):
            OpenRoom(b"", port)
    room = OpenRoom(b"", port)
    room.close()
    assert room.smtp_port == port


def test_an_open_room_installs_nothing(open_room: OpenRoom) -> None:
    """Packages need the sealed room."""
    with pytest.raises(Unavailable, match="sealed room"):
        open_room.install(None, [Account("x", 5001)])


def test_closing_an_open_room_ends_what_it_spawned() -> None:
    """The process is gone, and so is the work directory."""
    room = OpenRoom(b"the authority", crl_pem=b"the lists")
    process = room.spawn(["sh", "-c", "echo $WORD; exec sleep 1000"], env={"WORD": "here"})
    assert process.stdout is not None
    with process.stdout as said:
        assert said.readline() == b"here\n"
        assert room.ca_file.read_bytes() == b"the authority"
        assert room.crl_file.read_bytes() == b"the lists"
        room.close()
        assert said.read() == b""
    assert process.returncode == -signal.SIGKILL
    assert not room.work.exists()


def test_nothing_outlives_the_owner_of_an_open_room(tmp_path: Path) -> None:
    """A killed lab leaves no process and no work directory behind."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    script = f"""
from lab.open import OpenRoom
room = OpenRoom(b"")
room.spawn(["sh", "-c", {f"sleep 1000 > {shlex.quote(str(fifo))} & sleep 1000"!r}])
print(room.work, flush=True)
input()
"""
    owner = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout is not None
    with owner, fifo.open("rb") as held:
        work = Path(owner.stdout.readline().strip())
        assert work.is_dir()
        owner.kill()
        assert held.read() == b""  # the spawned processes held it
        assert owner.stdout.read() == ""  # and the guard this
    assert not work.exists()


def test_a_small_disk_is_full_and_has_room_again(sealable: bool) -> None:
    """In each way, for real: ENOSPC for another process too, and nothing is left of it afterwards."""
    if not sealable:
        return
    found = facts("""
import subprocess
from lab.disk import SIZE, SmallDisk
from model.shortage import Shortage
disk = SmallDisk(room.work / "spool")
def may(octets):
    to = f"of={room.work}/spool/probe"
    done = subprocess.run(
        ["dd", "if=/dev/zero", to, f"bs={octets}", "count=1"], capture_output=True
    )
    (room.work / "spool/probe").unlink(missing_ok=True)
    return done.returncode == 0 or "No space left" not in done.stderr.decode()
seen = {}
for how in (Shortage.DISK_FULL, Shortage.DISK_NEARLY_FULL, Shortage.NO_INODES, Shortage.DISK_FULL):
    disk.take(how)
    seen[how] = [may(1), may(1000), may(200_000)]
    disk.give_back()
    seen["after " + how] = [may(1), may(200_000), not list((room.work / "spool").iterdir())]
print(json.dumps(seen))""")
    assert found == {
        "disk-full": [False, False, False],
        "disk-nearly-full": [True, True, False],
        "no-inodes": [False, False, False],
        **{f"after {how}": [True, True, True] for how in OF_DISK},
    }


def test_no_port_is_left_and_all_are_there_again(sealable: bool) -> None:
    """For another process too, by IPv4 and IPv6; what is connected stays so, and UDP is spared."""
    if not sealable or why_no_ipv6():
        return
    found = facts("""
from lab.ports import Ports
from model.shortage import Shortage
listener = socket.create_server(("198.18.0.9", 25))
six = socket.create_server(("2001:2::9", 25), family=socket.AF_INET6)
old = socket.create_connection(listener.getsockname()[:2])
asked = socket.socket(type=socket.SOCK_DGRAM)
asked.bind(("198.18.0.9", 53))
TRY = (
    "import socket, sys\\n"
    "try: socket.create_connection((sys.argv[1], 25)); print(0)\\n"
    "except OSError as error: print(error.errno)"
)
def errno_of(server):
    argv = [sys.executable, "-c", TRY, server.getsockname()[0]]
    return int(subprocess.run(argv, capture_output=True, check=True).stdout)
def by_udp():
    with socket.socket(type=socket.SOCK_DGRAM) as one:
        one.sendto(b"?", asked.getsockname())
    return asked.recv(1).decode()
def look():
    return [errno_of(listener), errno_of(six), by_udp()]
ports, seen = Ports(), {}
seen["before"] = look()
for turn in ("once", "again"):
    ports.take(Shortage.NO_PORTS)
    old.sendall(b"x")
    seen[turn] = look()
    ports.give_back()
    seen["after " + turn] = look()
print(json.dumps(seen))""")
    gone, there = [errno.EADDRNOTAVAIL] * 2 + ["?"], [0, 0, "?"]
    assert found == {
        "before": there,
        "once": gone,
        "after once": there,
        "again": gone,
        "after again": there,
    }
