"""Addresses that cannot be reached, tried by real connections in a network of its own."""

import asyncio
import collections
import errno
import json
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fakes.reach import NOWHERE, Reaches, needs_sealed_room
from fakes.wire import (
    HOST_UNREACHABLE,
    NET_UNREACHABLE,
    PORT_UNREACHABLE,
    PROHIBITED,
    Tap,
    checksum,
    endpoints,
    has_ipv6,
    unreachable,
)
from model.scenario import Reach

ROOT = Path(__file__).resolve().parent.parent
ROOTLESS = ["--user", "--map-root-user"] if os.geteuid() else []
UNSHARE = ["unshare", *ROOTLESS, "--net"]

INSIDE = """
import asyncio, errno, fcntl, json, socket, struct, subprocess, sys, time
from pathlib import Path
from fakes.reach import Reaches
from fakes.wire import attach, not_from
from model.scenario import Reach

PORT = 25
NET = sys.argv[1]
FAMILY = socket.AF_INET6 if ":" in NET else socket.AF_INET
syns = []

def plumb():
    "Raise lo with a network of which every address is ours, as in a sealed room."
    if FAMILY == socket.AF_INET6:
        for words in ("link set lo up", f"-6 route add local {NET}/112 dev lo"):
            subprocess.run(["ip", *words.split()], check=True)
        Path("/proc/sys/net/ipv6/ip_nonlocal_bind").write_text("1")
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        def tell(request, name, octets):
            fcntl.ioctl(control, request, struct.pack("16s16s", name, octets))
        def address(ip):
            return struct.pack("HH4s", socket.AF_INET, 0, socket.inet_aton(ip))
        tell(0x8914, b"lo", struct.pack("H", 1))
        tell(0x8916, b"lo:1", address("198.51.100.1"))
        tell(0x891C, b"lo:1", address("255.255.255.0"))

async def connect(ip, source=None, limit=3.0):
    "How a connection ends, and after how many seconds."
    loop, before = asyncio.get_running_loop(), time.monotonic()
    with socket.socket(FAMILY) as client:
        client.setblocking(False)
        if source:
            client.bind((source, 0))
        try:
            async with asyncio.timeout(limit):
                await loop.sock_connect(client, (ip, PORT))
            how = "connected"
        except TimeoutError:
            how = "silence"
        except OSError as error:
            how = errno.errorcode[error.errno]
    return how, time.monotonic() - before

def overflows():
    "How many SYNs the kernel has dropped because a listener's queue was full."
    with open("/proc/net/netstat") as counters:
        names, values = [line.split() for line in counters if line.startswith("TcpExt:")]
    return int(dict(zip(names, values))["ListenOverflows"])

def blocking(ip):
    "The same with connect(2) waiting in the kernel, as agents do it."
    with socket.socket(FAMILY) as client:
        client.settimeout(None)
        return errno.errorcode.get(client.connect_ex((ip, PORT)))

async def main():
    plumb()
    reaches = Reaches(sealed=True, on_syn=lambda *syn: syns.append(syn))
    await reaches.block(NET + "2", PORT, Reach.REFUSED)
    await reaches.block(NET + "3", PORT, Reach.SILENT)
    await reaches.block(NET + "4", PORT, Reach.UNREACHABLE)
    await reaches.block(NET + "5", PORT, Reach.PROHIBITED)
    await reaches.block(NET + "7", PORT, Reach.BACKLOG)
    await reaches.block(NET + "8", PORT, Reach.NET_UNREACHABLE)
    await reaches.block(NET + "9", PORT, Reach.PORT_UNREACHABLE)
    try:
        await reaches.block(NET + "10", PORT, Reach.NET_PROHIBITED)
        refused = ""
    except ValueError as error:
        refused = str(error)
    server = await asyncio.start_server(lambda r, w: w.close(), NET + "6", PORT)
    before = overflows()
    silent = await connect(NET + "3", limit=1.8)
    between = overflows()
    full = await connect(NET + "7", limit=1.8)
    said = {
        "refused": await connect(NET + "2"),
        "silent": silent,
        "full": full,
        "overflows": [between - before, overflows() - between],
        "unreachable": await connect(NET + "4"),
        "unreachable from itself": await connect(NET + "4", NET + "4"),
        "prohibited": await connect(NET + "5"),
        "net unreachable": await connect(NET + "8"),
        "port unreachable": await connect(NET + "9"),
        "net prohibited": await connect(NET + "10"),
        "no code": refused,
        "up": await connect(NET + "6"),
        "blocking": await asyncio.to_thread(blocking, NET + "5"),
        "twenty": sorted({
            how for how, _ in await asyncio.gather(*(connect(NET + "4") for _ in range(20)))
        }),
    }
    told = len(syns)
    blocking(NET + "2")
    unseen = len(syns) - told
    reaches.look()
    said["looked"] = [unseen, len(syns) - told]
    if FAMILY == socket.AF_INET:
        gate = await asyncio.start_server(lambda r, w: w.close(), NET + "11", PORT)
        for listener in gate.sockets:
            attach(listener, not_from(NET + "20"))
        reaches.bar(NET + "11", PORT, NET + "20")
        said["barred"] = await connect(NET + "11", NET + "20")
        said["welcome"] = await connect(NET + "11", NET + "21")
        reaches.free(NET + "11", PORT)
        said["vanished"] = await connect(NET + "11", NET + "20", limit=0.5)
        gate.close()
    del syns[told:]
    await reaches.close()
    server.close()
    said["after"] = await connect(NET + "5")
    said["syns"] = syns
    print(json.dumps(said))

asyncio.run(main())
"""


NETS = ("198.51.100.", "2001:2::")
"""What the addresses in the tests begin with (RFC 5737, RFC 5180)."""


FORBIDDEN = {
    "prohibited": dict(zip(NETS, ("EHOSTUNREACH", "EACCES"), strict=True)),
    "net prohibited": dict(zip(NETS, ("ENETUNREACH", "ECONNREFUSED"), strict=True)),
}
"""What Linux makes of "administratively prohibited"; of a network ICMPv6 cannot say so, and the
address is not blocked."""


@pytest.fixture(scope="module", params=NETS, ids=["ipv4", "ipv6"])
def net(request: pytest.FixtureRequest) -> str:
    """Each of the networks."""
    return str(request.param)


@pytest.fixture(scope="module")
def seen(net: str) -> dict[str, Any]:
    """What connections met in a network of its own; skipped where there can be none."""
    if ":" in net and not has_ipv6():
        pytest.skip("this kernel has no IPv6")
    probe = subprocess.run([*UNSHARE, "true"], capture_output=True, text=True, check=False)
    if probe.returncode:
        _no_network_no_tap()
        pytest.skip(f"no network namespace can be made here: {probe.stderr.strip()}")
    ran = subprocess.run(
        [*UNSHARE, sys.executable, "-W", "error", "-c", INSIDE, net],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert not ran.stderr
    result: dict[str, Any] = json.loads(ran.stdout)
    return result


def _no_network_no_tap() -> None:
    async def tap() -> None:
        Tap(lambda *_: None).close()

    with pytest.raises(PermissionError, match="use the sealed room"):
        asyncio.run(tap())


@pytest.mark.parametrize(
    ("what", "how", "within"),
    [
        ("up", "connected", 1.0),
        ("refused", "ECONNREFUSED", 1.0),
        ("unreachable", "EHOSTUNREACH", 1.0),
        ("unreachable from itself", "EHOSTUNREACH", 1.0),
        ("prohibited", "prohibited", 1.0),
        ("net unreachable", "ENETUNREACH", 1.0),
        ("port unreachable", "ECONNREFUSED", 1.0),
        ("net prohibited", "net prohibited", 1.0),
        ("after", "ECONNREFUSED", 1.0),
    ],
)
def test_a_connection_ends_as_told(
    seen: dict[str, Any], net: str, what: str, how: str, within: float
) -> None:
    """At once, and not after the first retransmission (one second)."""
    assert seen[what][0] == (FORBIDDEN[how][net] if how in FORBIDDEN else how)
    assert seen[what][1] < within


@pytest.mark.parametrize(("what", "number"), [("silent", "3"), ("full", "7")])
def test_silence_is_silence(seen: dict[str, Any], net: str, what: str, number: str) -> None:
    """The SYN was sent again in the time, and not answered either."""
    assert seen[what][0] == "silence"
    assert sum(dest == net + number for _, _, dest, _ in seen["syns"]) >= 2


def test_only_a_full_queue_overflows(seen: dict[str, Any]) -> None:
    """The kernel counts the SYNs that found no room; what a filter drops it does not count."""
    dropped, overflowed = seen["overflows"]

    assert dropped == 0
    assert overflowed >= 2


def test_connect_in_the_kernel_ends_too(seen: dict[str, Any], net: str) -> None:
    """A blocking connect(2) sees the ICMP error."""
    assert seen["blocking"] == FORBIDDEN["prohibited"][net]


def test_one_source_is_turned_away_and_no_other(seen: dict[str, Any], net: str) -> None:
    """By the tap, at once; the host's own filter says nothing. Sources are IPv4 addresses only."""
    assert ("barred" in seen) is (":" not in net)
    if "barred" not in seen:
        return
    assert seen["barred"][0] == "EHOSTUNREACH"
    assert seen["barred"][1] < 1.0
    assert seen["welcome"][0] == "connected"
    assert seen["vanished"][0] == "silence"


def test_in_an_open_room_nobody_is_turned_away() -> None:
    """It would be silence there."""

    async def bar() -> None:
        Reaches(sealed=False, on_syn=lambda *_: None).bar("127.0.9.2", 25, "127.0.9.3")

    with pytest.raises(ValueError, match="open room"):
        asyncio.run(bar())


def test_what_icmpv6_cannot_say_is_refused(seen: dict[str, Any], net: str) -> None:
    """In a sentence, and with IPv4 it is not."""
    assert ("ICMPv6 has no code" in seen["no code"]) is (":" in net)


def test_many_at_once_are_all_told(seen: dict[str, Any]) -> None:
    """Every connection of a burst is answered."""
    assert seen["twenty"] == ["EHOSTUNREACH"]


def test_every_connection_tried_is_evidence(seen: dict[str, Any], net: str) -> None:
    """Reached or not, each is told with an end of its own, and our fillers never are."""
    ends = {(source, port, ip) for source, port, ip, _ in seen["syns"]}
    told = collections.Counter(ip.removeprefix(net) for _, _, ip in ends)
    assert told == {
        "2": 1,
        "3": 1,
        "4": 22,
        "5": 2,
        "6": 1,
        "7": 1,
        "8": 1,
        "9": 1,
        "10": 1,
    }


def test_a_syn_is_told_as_soon_as_somebody_looks(seen: dict[str, Any]) -> None:
    """Without a turn of the loop: what an agent says must not be noted before what it did."""
    assert seen["looked"] == [0, 1]


# Without a network of its own --------------------------------------------------------------


@pytest.mark.parametrize("reach", Reach)
def test_only_icmp_needs_the_sealed_room(reach: Reach) -> None:
    """All the others can be had by any user, two of them by a trick."""
    said = {Reach.PROHIBITED, Reach.NET_PROHIBITED, Reach.PORT_UNREACHABLE}
    assert needs_sealed_room(reach) is (reach in said)


def open_room_meets(ip: str, reach: Reach) -> int:
    """The error number of a connection in an open room; 0 is connected, EAGAIN silence."""

    async def meet() -> int:
        reaches = Reaches(sealed=False, on_syn=lambda *_: None)
        await reaches.block(ip, port, reach)
        with socket.socket() as client:
            client.settimeout(0.5)
            outcome = client.connect_ex((ip, port))
        await reaches.close()
        return outcome

    with socket.socket() as probe:
        probe.bind(("127.0.9.2", 0))
        port = probe.getsockname()[1]
    return asyncio.run(meet())


@pytest.mark.parametrize(
    ("ip", "reach", "error"),
    [
        ("127.0.9.2", Reach.REFUSED, errno.ECONNREFUSED),
        ("127.0.9.2", Reach.SILENT, errno.EAGAIN),
        ("127.0.9.2", Reach.BACKLOG, errno.EAGAIN),
        (NOWHERE, Reach.UNREACHABLE, errno.ENETUNREACH),
        (NOWHERE, Reach.NET_UNREACHABLE, errno.ENETUNREACH),
    ],
)
def test_an_open_room_has_five_of_them(ip: str, reach: Reach, error: int) -> None:
    """Real sockets, no privilege."""
    assert open_room_meets(ip, reach) == error


@pytest.mark.parametrize(
    ("ip", "reach", "words"),
    [
        ("127.0.9.2", Reach.PROHIBITED, "sealed"),
        ("127.0.9.2", Reach.PORT_UNREACHABLE, "sealed"),
        ("127.0.9.2", Reach.UNREACHABLE, NOWHERE),
        ("127.0.9.2", Reach.UP, "open a mail host"),
    ],
)
def test_what_cannot_be_had_is_refused(ip: str, reach: Reach, words: str) -> None:
    """With the remedy in the sentence."""
    with pytest.raises(ValueError, match=words):
        open_room_meets(ip, reach)


# Octets ------------------------------------------------------------------------------------

IP_HEADER = struct.pack(
    "!BBHHHBBH4s4s", 0x45, 0, 40, 1, 0, 64, 6, 0, b"\xc6\x33\x64\x01", b"\xc6\x33\x64\x02"
)
TCP = struct.pack("!HHIIBBHHH", 40000, 25, 1, 0, 0x50, 0x02, 1024, 0, 0)
ENDS6 = socket.inet_pton(socket.AF_INET6, "::1") + socket.inet_pton(socket.AF_INET6, "2001:2::7")
SYN6 = struct.pack("!IHBB", 0x60000000, 20, 6, 64) + ENDS6 + TCP
SYN = IP_HEADER + TCP


def test_the_ends_of_a_packet_are_read() -> None:
    """Also behind IP options."""
    assert endpoints(SYN) == ("198.51.100.1", 40000, "198.51.100.2", 25)
    options = bytes([0x46]) + IP_HEADER[1:] + b"\1\1\1\1" + SYN[20:]
    assert endpoints(SYN6) == ("::1", 40000, "2001:2::7", 25)
    assert endpoints(options) == ("198.51.100.1", 40000, "198.51.100.2", 25)


@pytest.mark.parametrize("length", [0, 1, 19, 23])
@pytest.mark.parametrize("packet", [SYN, SYN6])
def test_a_packet_cut_off_has_no_ends(packet: bytes, length: int) -> None:
    """Whatever comes, the tap lives on."""
    assert endpoints(packet[:length]) is None


@pytest.mark.parametrize("code", [NET_UNREACHABLE, HOST_UNREACHABLE, PROHIBITED])
@pytest.mark.parametrize("packet", [SYN, SYN + b"x"])
def test_the_icmp_message_quotes_the_packet(code: int, packet: bytes) -> None:
    """Type 3, the code, a checksum that comes out, and the packet."""
    message = unreachable(code, packet)
    assert message[:2] == bytes([3, code])
    assert message[8:] == packet
    assert checksum(message) == 0


@pytest.mark.parametrize(
    ("code", "twin"),
    [(NET_UNREACHABLE, 0), (PROHIBITED, 1), (HOST_UNREACHABLE, 3), (PORT_UNREACHABLE, 4)],
)
def test_the_icmp_message_for_ipv6_has_codes_of_its_own(code: int, twin: int) -> None:
    """Type 1; the checksum is the kernel's business."""
    assert unreachable(code, SYN6) == bytes([1, twin, 0, 0, 0, 0, 0, 0]) + SYN6


def test_the_checksum_is_the_one_of_the_rfc() -> None:
    """The example of RFC 1071 section 3: the sum is ddf2."""
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2
