"""What holds for all of the project's own tests."""

import signal

import pytest


@pytest.fixture(scope="session", autouse=True)
def _can_be_interrupted() -> None:
    """A shell has its background jobs ignore SIGINT, and so would the runs that tests interrupt."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
