"""When each 20 ms of sound are sent: on a grid that never drifts, one after another however late the clock comes."""

from __future__ import annotations

from typing import Final

INTERVAL: Final = 0.02
_LEAST_GAP: Final = 0.01
_MOST_BEHIND: Final = 5


class Pacer:
    """A grid of 20 ms, pure: the shell asks when the next tick is due and tells when it came.

    A tick that comes late is followed by others 10 ms apart until the grid is reached again, so nothing goes out in
    bursts. What is later than 100 ms is left out: the numbers of ticks jump, as the clock did.

    Args:
        start: When the first tick is due, in seconds.
    """

    __slots__ = ("_number", "_origin", "_ticked", "skipped")

    def __init__(self, start: float) -> None:
        self._origin = start
        self._number = 0
        self._ticked = start - INTERVAL
        self.skipped = 0
        """Ticks that were left out."""

    @property
    def due(self) -> float:
        """When the next tick is due."""
        return max(self._origin + self._number * INTERVAL, self._ticked + _LEAST_GAP)

    def tick(self, now: float) -> int:
        """Say that the next tick came, at `now`; return its number."""
        behind = int((now - self._origin) / INTERVAL + 1e-6) - self._number
        if behind > _MOST_BEHIND:
            self._number += behind
            self.skipped += behind
        number = self._number
        self._number += 1
        self._ticked = now
        return number
