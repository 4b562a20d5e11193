"""The agent's command line."""

import argparse
import asyncio
import contextlib
import gc
import os
import sys
from typing import NoReturn

from targets.reference.agent import Agent
from targets.reference.serve import load, raise_file_limit, serve

DEFAULT_AGENT = "targets.reference.agent:Agent"
RARELY = (10_000, 10, 20)
"""When Python looks for garbage in cycles: by default often, through every message in the queue."""


def main() -> None:
    """Parse the arguments and do what they say."""
    parser = argparse.ArgumentParser(prog="python -m targets.reference", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    server = commands.add_parser("serve", help="take orders as JSON lines on stdin")
    server.add_argument("--agent", default=DEFAULT_AGENT, help="agent class, as module:Class")
    server.set_defaults(act=_serve)
    if sys.argv[1:2] != ["serve"]:  # a lab's agent needs none of it, and is started often
        from targets.reference import command

        command.add_to(commands)
    arguments = parser.parse_args()
    raise_file_limit()
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        sys.exit(arguments.act(arguments))


def _serve(arguments: argparse.Namespace) -> NoReturn:
    asyncio.run(_serve_and_end(load(arguments.agent)))
    raise AssertionError("it ends the process")


async def _serve_and_end(agent_class: type[Agent]) -> NoReturn:
    """Serve, then end the process at once, whatever attempts are under way.

    Cancelling them would not do: before Python 3.12 `asyncio.wait_for` may swallow a
    cancellation, and the attempt, or the pause after it, would hold up the end.
    """
    gc.set_threshold(*RARELY)
    await serve(agent_class)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
