"""Where the fakes put what they see. The lab's journal is the one real witness."""

from typing import Protocol

from model.events import Event


class Witness(Protocol):
    """Takes down events, by scenario label. Called on the lab's loop only."""

    def elapsed(self, label: str) -> float:
        """Seconds since the scenario was launched; what an event's `at` is filled with."""

    def saw(self, label: str, event: Event) -> None:
        """Add an event to the scenario's trace."""

    def strayed(self, what: str) -> None:
        """Something was asked or connected that belongs to no scenario."""
