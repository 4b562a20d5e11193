"""A clock that can be moved, for agents that have none of their own: libfaketime.

Theory of operation
-------------------
The library stands in the room's own /etc/ld.so.preload, so that every program that starts from
then on has it, set-id programs too, which an LD_PRELOAD would not reach (ld.so(8)); Exim is one
whenever its unprivileged daemon begins a delivery. It does nothing unless the environment names
a file; there it reads, at every look at the clock, how far ahead the time is. So one write moves
the time of all processes at once. What is in the environment must therefore reach every process
of the agent's, of which `Clock.environment` has the names for the agent's own configuration.

What holds always: the offset only grows; the monotonic clock and all waiting (poll, select,
alarm) are true, so time-outs under way stay as long as they are; the dates of files are true or
as the agent set them itself, so that a date it has set in the future stays where it is.
"""

import os
from collections.abc import Mapping
from pathlib import Path

PRELOAD = Path("/etc/ld.so.preload")
_NAME = "faketime/libfaketimeMT.so.1"
_PLACES = (f"lib*/{_NAME}", f"lib*/*/{_NAME}")
"""Below /usr; Debian has one more folder, for the architecture."""


def library(tree: Path | None) -> Path | None:
    """Where the library lies once `tree` is laid over the room's /usr; None if nowhere."""
    for root in filter(None, (tree, Path("/"))):
        for place in _PLACES:
            for found in sorted((root / "usr").glob(place)):
                return Path("/") / found.relative_to(root)
    return None


class Clock:
    """The time of all programs that start from now on with this environment."""

    def __init__(self, library: Path, file: Path) -> None:
        """Have `library` loaded everywhere in the sealed room; `file` will keep the time."""
        self._file = file
        self._ahead = 0.0
        self._write()
        others = PRELOAD.read_text() if PRELOAD.exists() else ""
        PRELOAD.write_text(f"{others}{library}\n")
        self.environment: Mapping[str, str] = {
            "FAKETIME_TIMESTAMP_FILE": os.fspath(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
            "FAKE_UTIME": "0",
        }

    def advance(self, seconds: float) -> None:
        """Let the time run ahead by some seconds more."""
        self._ahead += seconds
        self._write()

    def _write(self) -> None:
        """One write over what was there, as long as it: nobody ever reads half of it."""
        descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.pwrite(descriptor, f"{self._ahead:+018.3f}\n".encode(), 0)
        finally:
            os.close(descriptor)
