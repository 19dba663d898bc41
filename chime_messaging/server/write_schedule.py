"""When the waiting frames of live meetings are written: at once on an idle node, in shared writes under load."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from chime_messaging.server.broker import Loop, Timer
from chime_messaging.server.live_meeting import LiveMeeting

ROSTER_WAIT = 0.1
"""Longest time in seconds that news of the roster wait to share a write, while hundreds join."""
MAX_PENDING = 1 << 20
"""Bytes that may wait for the same write."""

_WRITE_COST = 20e-6
"""Seconds that one write holds back the next turn: a handful of sockets is written at once, hundreds wait and share."""
_ROSTER_COST = 100e-6
_TIMER_RESOLUTION = 0.001


class WriteSchedule:
    """Collects the meetings that have something to write, and has them written together.

    Args:
        loop: an event loop, or anything with its clock and timers.
        coalesce: longest time in seconds a data message may wait, under load.
        write: writes what waits in meetings; returns the number of writes.
    """

    __slots__ = ("_coalesce", "_dirty", "_due", "_loop", "_not_before", "_roster_not_before", "_timer", "_write")

    def __init__(self, loop: Loop, coalesce: float, write: Callable[[Iterable[LiveMeeting]], int]) -> None:
        self._loop = loop
        self._coalesce = coalesce
        self._write = write
        self._dirty: dict[LiveMeeting, None] = {}
        self._timer: Timer | None = None
        self._due = self._not_before = self._roster_not_before = 0.0

    def wake(self, meeting: LiveMeeting, soon: bool) -> None:
        """Take note that a meeting has something to write; `soon` if it is a data message."""
        stage = meeting.stage
        self._dirty[stage] = None
        if stage.turn.size > MAX_PENDING:
            self.flush()
            return
        if self._timer is not None and self._due <= self._not_before:
            return  # it cannot be sooner
        now = self._loop.time()
        due = max(now, self._not_before if soon else self._roster_not_before)
        if self._timer is not None:
            if self._due <= due + _TIMER_RESOLUTION:
                return
            self._timer.cancel()
        if due - now < _TIMER_RESOLUTION:
            self._due = self._not_before
            self._timer = self._loop.call_soon(self.flush)
        else:
            self._due = due
            self._timer = self._loop.call_later(due - now, self.flush)

    def flush(self) -> None:
        """Write everything that is waiting."""
        dirty, self._dirty = self._dirty, {}
        writes = self._write(dirty)
        # Writing may have told something more, an INDEX; it has gone out with the rest.
        self.close()
        now = self._loop.time()
        self._not_before = now + min(self._coalesce, writes * _WRITE_COST)
        self._roster_not_before = now + min(ROSTER_WAIT, writes * _ROSTER_COST)

    def forget(self, meeting: LiveMeeting) -> None:
        """Do not write a meeting any more."""
        self._dirty.pop(meeting, None)

    def close(self) -> None:
        """Forget what is scheduled."""
        self._dirty.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
