"""The SOCKS proxy on real sockets: by hand, and with the reference agent's own client."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from fakes.pki import Pki
from fakes.smtp import MailHost
from fakes.socks import SocksProxy
from model.events import Closed, Connected, Did, Heard
from model.socks import Socks
from model.tls import Flaw
from selftests.test_fake_smtp import run
from selftests.witness import Notebook
from targets.reference.outcome import Broken, Kind, Server
from targets.reference.socks import through

PROXY, HOST, CLOSED = "127.0.0.77", "127.0.0.78", "127.0.0.79"
PORT = 2577
ASK = bytes((5, 1, 0, 1, 127, 0, 0, 78)) + PORT.to_bytes(2)
PATIENCE = 0.3
"""Seconds that the client waits for a proxy."""


@pytest.fixture(scope="module")
def pki() -> Pki:
    """One set of authorities for all."""
    return Pki()


@contextlib.asynccontextmanager
async def world(pki: Pki, manner: Socks = Socks.HEALTHY) -> AsyncIterator[Notebook]:
    """A proxy and a mail host, and what they tell."""
    notes = Notebook()

    def context() -> object:
        return pki.context(Flaw.VALID, ("mx1.x.test",))

    common = {"witness": notes, "label": "x", "port": PORT, "context": context}
    proxy = SocksProxy(name="proxy", fqdn="proxy.x.test", ip=PROXY, manner=manner, **common)  # type: ignore[arg-type]
    host = MailHost(name="mx1", fqdn="mx1.x.test", ip=HOST, **common)  # type: ignore[arg-type]
    await proxy.open()
    await host.open()
    try:
        yield notes
    finally:
        await proxy.close()
        await host.close()


def test_octets_pass_both_ways_and_the_host_knows_by_whom(pki: Pki) -> None:
    """Also those that come with the request; and when the client goes, so does the host's side."""

    async def body() -> None:
        async with world(pki) as notes:
            reader, writer = await asyncio.open_connection(PROXY, PORT)
            writer.write(bytes((5, 2, 0, 2)) + ASK + b"NOOP\r\n")
            assert await reader.readexactly(2) == bytes((5, 0))
            assert await reader.readexactly(10) == bytes((5, 0, 0, 1)) + bytes(6)
            assert (await reader.readline()).startswith(b"220 mx1.x.test")
            assert (await reader.readline()).startswith(b"250")
            writer.close()
            await notes.until(lambda: sum(isinstance(e, Closed) for e in notes.events) == 2)
            sources = {e.host: e.source for e in notes.events if isinstance(e, Connected)}
            assert sources["mx1"] == PROXY
            asked = [e.line for e in notes.events if isinstance(e, Heard) and e.host == "proxy"]
            assert asked == [f"SOCKS CONNECT {HOST}:{PORT}"]

    run(body)


def test_it_waits_for_the_whole_of_a_request(pki: Pki) -> None:
    async def body() -> None:
        async with world(pki):
            reader, writer = await asyncio.open_connection(PROXY, PORT)
            for octet in bytes((5, 1, 0)) + ASK:
                writer.write(bytes((octet,)))
                await writer.drain()
            assert (await reader.readexactly(12))[2:4] == bytes((5, 0))
            writer.close()

    run(body)


@pytest.mark.parametrize(
    ("sent", "heard"),
    [
        (bytes((5, 1, 2)), bytes((5, 0xFF))),
        (bytes((5, 1, 0, 5, 2, 0, 1)), bytes((5, 0, 5, 7, 0, 1)) + bytes(6)),
        (bytes((5, 1, 0, 5, 1, 0, 3)), bytes((5, 0, 5, 8, 0, 1)) + bytes(6)),
        (bytes((5, 1, 0)) + ASK[:7] + b"\x4f" + ASK[8:], bytes((5, 0, 5, 5, 0, 1)) + bytes(6)),
    ],
    ids=["no method", "BIND", "a name", "a closed port"],
)
def test_what_it_cannot_do_it_says(pki: Pki, sent: bytes, heard: bytes) -> None:
    """And closes (RFC 1928 sections 3 and 6)."""

    async def body() -> None:
        async with world(pki):
            reader, writer = await asyncio.open_connection(PROXY, PORT)
            writer.write(sent)
            assert await reader.read() == heard
            writer.close()

    run(body)


@pytest.mark.parametrize(
    ("manner", "kind"),
    [
        (Socks.FAILS, Kind.HOST_UNREACHABLE),
        (Socks.UNREACHABLE, Kind.HOST_UNREACHABLE),
        (Socks.REFUSES, Kind.REFUSED),
        (Socks.HANGS_UP, Kind.CLOSED),
        (Socks.SILENT, Kind.TIMED_OUT),
        (Socks.GARBAGE, Kind.GARBAGE),
    ],
)
def test_each_flaw_is_told_and_understood(pki: Pki, manner: Socks, kind: Kind) -> None:
    """The failure is about the host that was asked for, and nobody has connected to that."""

    async def body() -> None:
        async with world(pki, manner) as notes:
            host = Server("mx1.x.test", HOST, PORT)
            with pytest.raises(Broken) as broken:
                await through(Server(PROXY, PROXY, PORT), host, PATIENCE)
            assert (broken.value.failure.kind, broken.value.failure.server) == (kind, host)
            await notes.told(Closed)
            assert any(isinstance(e, Did) and e.spoiled for e in notes.events)
            assert {e.host for e in notes.events if isinstance(e, Connected)} == {"proxy"}

    run(body)


def test_a_proxy_that_is_away_and_one_that_is_well(pki: Pki) -> None:
    """A closed port at the proxy is a refusal; through a healthy one the greeting is left to read."""

    async def body() -> None:
        host = Server("mx1.x.test", HOST, PORT)
        with pytest.raises(Broken) as broken:
            await through(Server(CLOSED, CLOSED, PORT), host, PATIENCE)
        assert (broken.value.failure.kind, broken.value.failure.server) == (Kind.REFUSED, host)
        async with world(pki):
            sock = await through(Server(PROXY, PROXY, PORT), host, PATIENCE)
            greeting = await asyncio.get_running_loop().sock_recv(sock, 100)
            assert greeting.startswith(b"220 mx1.x.test")
            sock.close()

    run(body)
