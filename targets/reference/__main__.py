"""The agent's command line."""

import argparse
import asyncio
import contextlib

from targets.reference.serve import load, raise_file_limit, serve

DEFAULT_AGENT = "targets.reference.agent:Agent"


def main() -> None:
    """Parse the arguments and do what they say."""
    parser = argparse.ArgumentParser(prog="python -m targets.reference", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    server = commands.add_parser("serve", help="take orders as JSON lines on stdin")
    server.add_argument("--agent", default=DEFAULT_AGENT, help="agent class, as module:Class")
    arguments = parser.parse_args()
    raise_file_limit()
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        asyncio.run(serve(load(arguments.agent)))


if __name__ == "__main__":
    main()
