"""Where an agent's package is: installed, or unpacked without being installed.

`tools/unpack_agent.py` puts a tree where `find` looks for it.
"""

import os
from pathlib import Path

from lab.room import Unavailable


def cache() -> Path:
    """The project's cache folder (XDG Base Directory Specification)."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "mailflow-conformance"


def place(name: str) -> Path:
    """Where the unpacked packages of a target lie."""
    return cache() / "agents" / name


def find(name: str, title: str, program: str, package: str) -> Path | None:
    """The tree of an unpacked agent; None if it is installed. Raises Unavailable.

    `program` is the absolute path of one of its programs. The environment variable
    MAILFLOW_<NAME>_TREE names a tree that goes before everything else.
    """
    variable = f"MAILFLOW_{name.upper()}_TREE"
    if named := os.environ.get(variable):
        if not Path(named + program).is_file():
            raise Unavailable(f"{variable}={named} is no unpacked {title}: it has no {program[1:]}")
        return Path(named)
    if Path(program).is_file():
        return None
    if not Path(f"{place(name)}{program}").is_file():
        raise Unavailable(
            f"{title} is not on this machine: install it with `apt-get install {package}`, "
            f"or unpack its package without installing it with `make agent NAME={name}`."
        )
    return place(name)
