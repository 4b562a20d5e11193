"""`python -m targets.reference run | check | demo`: the agent for a person.

Theory of operation
-------------------
`run` makes an organization's agent out of a connector file and lets a shell obey what comes on
stdin, from a keyboard or a script; a thread reads it, for a line may be long in coming. Mail leaves
this machine only where `--allow-network` is given, and names are asked only of the resolver named:
trying a file out must not send mail to anybody.

Exit codes: 0; 1 if a command could not be carried out; 2 for what stands on the command line or in
the file; 130 after Ctrl-C.
"""

import argparse
import asyncio
import contextlib
import io
import ipaddress
import json
import os
import socket
import ssl
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NoReturn

from model.address import AGENT
from model.connector_file import BadConnectors, is_domain, parse, unreadable
from model.connectors import Organization
from model.report import Report
from model.timers import Timers
from model.tls import Tls
from targets.reference import demo, show
from targets.reference.config import Config
from targets.reference.loopback import LoopbackAgent, is_loopback
from targets.reference.organization import OrganizationAgent
from targets.reference.rules import Thresholds
from targets.reference.shell import BadCommand, Shell, seconds

MISTAKES, USAGE, INTERRUPTED = 1, 2, 130
"""Exit codes."""
HIGHEST = 65535
"""The highest port."""
DNS_TIMEOUT = 5.0
"""Seconds at most for one try of one question."""


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommands; each sets `act`, which takes the arguments and gives the exit code."""
    run = commands.add_parser("run", help="obey commands on stdin, with a connector file")
    run.add_argument("--connectors", required=True, metavar="FILE", help="connector file (TOML)")
    run.add_argument("--dns", required=True, metavar="HOST:PORT", help="the only resolver to ask")
    run.add_argument("--port", type=int, default=25, help="port of the mail servers (25)")
    run.add_argument("--name", default=AGENT, help="the agent's own host name")
    run.add_argument("--ca-file", default="", metavar="PEM", help="authorities (the system's)")
    run.add_argument(
        "--timeout", default="10s", metavar="LENGTH", help="for a connection or a reply (10s)"
    )
    run.add_argument(
        "--alert-after", default="1h", metavar="LENGTH", help="warn of mail that waits so long"
    )
    run.add_argument(
        "--alert-count", type=int, default=2000, metavar="N", help="warn of more messages than this"
    )
    run.add_argument("--allow-network", action="store_true", help="go beyond this machine")
    run.add_argument("--json", action="store_true", help="answer as JSON, one object a line")
    run.set_defaults(act=_run)
    check = commands.add_parser("check", help="read a connector file, say which mail goes where")
    check.add_argument("file", metavar="FILE")
    check.add_argument("domains", nargs="*", metavar="DOMAIN", help="other domains to look up")
    check.add_argument("--json", action="store_true", help="answer as JSON")
    check.set_defaults(act=_check)
    show_it = commands.add_parser("demo", help="a server has gone for good: queue, trace, Fix now")
    show_it.add_argument("--json", action="store_true", help="answer as JSON, one object a line")
    show_it.set_defaults(act=_demo)


def load(file: str) -> Organization:
    """A connector file. Raises BadConnectors."""
    try:
        octets = Path(file).read_bytes()
    except OSError as error:
        raise unreadable(file, error) from None
    return parse(octets, file)


def _check(arguments: argparse.Namespace) -> int:
    with _one_sentence():
        found = load(arguments.file)
        for domain in arguments.domains:
            if not is_domain(domain):
                raise BadCommand(f"{domain!r} is no domain; write it like contoso.test")
    if arguments.json:
        _print(json.dumps(show.words(found, arguments.domains)))
    else:
        _print(show.organization(found, arguments.domains))
    return 0


def _run(arguments: argparse.Namespace) -> NoReturn:
    with _one_sentence():
        organization = load(arguments.connectors)
        config = _config(arguments, organization)
        thresholds = _thresholds(arguments)
    shell = Shell(_print, lambda: load(arguments.connectors), arguments.json)
    kind = OrganizationAgent if arguments.allow_network else LoopbackAgent
    prompt = "> " if sys.stdin.isatty() and not arguments.json else ""
    if prompt:
        _print("`help` lists the commands.")

    async def serve() -> NoReturn:
        shell.agent = kind(config, _unsaid, organization, notify=shell.warn, thresholds=thresholds)
        try:
            async for line in _lines(prompt):
                if not await shell.obey(line):
                    break
            code = MISTAKES if shell.mistakes else 0
        except asyncio.CancelledError:  # Ctrl-C
            code = INTERRUPTED
        # At once, whatever attempts are under way; see `__main__`.
        sys.stdout.flush()
        os._exit(code)

    asyncio.run(serve())


def _demo(arguments: argparse.Namespace) -> int:
    """The demonstration: its connector leads to a port of loopback that nobody listens on."""
    with contextlib.closing(socket.socket()) as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        organization = parse(demo.CONNECTORS.encode(), "the demonstration")
        timers = Timers(dns=0.2, connect=5, reply=5, lifetime=1, retry=1)
        config = Config(("127.0.0.1", port), port, "", timers)
        shell = Shell(_print, lambda: organization, arguments.json)

        async def play() -> int:
            shell.agent = LoopbackAgent(config, _unsaid, organization, notify=shell.warn)
            for remark, line in demo.LINES:
                if not arguments.json:
                    _print(f"\n# {remark}\n> {line}")
                await shell.obey(line)
            return MISTAKES if shell.mistakes else 0

        return asyncio.run(play())


def _config(arguments: argparse.Namespace, organization: Organization) -> Config:
    if not 1 <= arguments.port <= HIGHEST:
        raise BadCommand(f"--port {arguments.port} is no port; give one from 1 to {HIGHEST}")
    if not is_domain(arguments.name):
        raise BadCommand(f"--name {arguments.name!r} is no host name; write it like {AGENT}")
    patience = _length("--timeout", arguments.timeout)
    if not patience:
        raise BadCommand("--timeout 0 leaves no time for anything; give more")
    return Config(
        _resolver(arguments.dns, arguments.allow_network),
        arguments.port,
        _ca_file(arguments.ca_file, organization),
        Timers(min(patience, DNS_TIMEOUT), patience, patience, lifetime=1, retry=1),
        name=arguments.name.lower(),
    )


def _resolver(text: str, allow_network: bool) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    try:
        address = str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        address = ""
    if not address or not port.isdecimal() or not 1 <= int(port) <= HIGHEST:
        raise BadCommand(f"--dns {text!r} is no resolver; write it like 127.0.0.1:53")
    if not allow_network and not is_loopback(address):
        raise BadCommand(
            f"--dns {text} is not on this machine's loopback; "
            "name a resolver that is, or add --allow-network"
        )
    return address, int(port)


def _length(option: str, text: str) -> float:
    try:
        return seconds(text)
    except BadCommand as error:
        raise BadCommand(f"{option}: {error}") from None


def _ca_file(given: str, organization: Organization) -> str:
    """The file of trusted authorities; none is needed where no connector asks."""
    file = given or ssl.get_default_verify_paths().cafile or ""
    asks = any(c.tls in (Tls.CERTIFICATE, Tls.DOMAIN) for c in organization.connectors)
    if given or asks:
        try:
            ssl.create_default_context(cafile=file or "/")
        except OSError as error:
            unfit = isinstance(error, ssl.SSLError)
            why = "no certificate in it" if unfit else (error.strerror or str(error)).lower()
            raise BadCommand(
                f"the authorities in {file or '(no file)'} cannot be used ({why}); "
                "give a PEM file with --ca-file"
            ) from None
    return file


def _thresholds(arguments: argparse.Namespace) -> Thresholds:
    try:
        return Thresholds(_length("--alert-after", arguments.alert_after), arguments.alert_count)
    except BadCommand:
        raise
    except ValueError as error:
        raise BadCommand(str(error)) from None


async def _lines(prompt: str) -> AsyncIterator[str]:
    """The lines of stdin until it ends; a thread that may be left behind reads them."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str] = asyncio.Queue()
    wanted = threading.Semaphore(0)

    def read() -> None:
        while wanted.acquire():
            line = sys.stdin.readline()
            with contextlib.suppress(RuntimeError):  # the loop is over, and so is all interest
                loop.call_soon_threadsafe(lines.put_nowait, line)
            if not line:
                return

    threading.Thread(target=read, daemon=True).start()
    while True:
        sys.stdout.write(prompt)
        sys.stdout.flush()
        wanted.release()
        line = await lines.get()
        if not line:
            return
        yield line


@contextlib.contextmanager
def _one_sentence() -> Iterator[None]:
    """End with one sentence on stderr and code 2 if something given is wrong."""
    try:
        yield
    except (BadConnectors, BadCommand) as error:
        _refuse(str(error))


def _refuse(sentence: str) -> NoReturn:
    sys.stderr.write(f"{sentence}\n")
    raise SystemExit(USAGE)


def _unsaid(report: Report) -> None:
    """Reports are not printed: the trace has them."""


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
