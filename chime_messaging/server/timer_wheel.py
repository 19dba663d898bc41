"""Many deadlines, one timer: each tick of the wheel looks only at what may be due in it."""

from __future__ import annotations

import math
from typing import Protocol

from chime_messaging.server.broker import Loop, Timer


class Timed(Protocol):
    """Something with a deadline, on the clock of the loop."""

    @property
    def deadline(self) -> float | None:
        """When `expire` is due; None for never."""

    def expire(self) -> None:
        """The deadline has passed."""


class TimerWheel:
    """Calls `expire` of what is on it, up to one tick after its deadline.

    Args:
        loop: an event loop, or anything with its clock and timers.
        tick: seconds.
    """

    __slots__ = ("_due", "_loop", "_slots", "_tick", "_timer")

    def __init__(self, loop: Loop, tick: float) -> None:
        self._loop = loop
        self._tick = tick
        self._slots: dict[int, dict[Timed, None]] = {}
        self._due: dict[Timed, int] = {}
        self._timer: Timer | None = None

    def __len__(self) -> int:
        return len(self._due)

    def watch(self, timed: Timed) -> None:
        """Take note of a deadline that is new or has moved. Cheap when it has moved to a later time, or not at all."""
        deadline = timed.deadline
        known = self._due.get(timed)
        if deadline is None:
            if known is not None:
                self.forget(timed)
            return
        slot = math.ceil(deadline / self._tick)
        if known is not None:
            if known <= slot:
                return  # it is looked at in time, and moves on then
            self.forget(timed)
        self._due[timed] = slot
        self._slots.setdefault(slot, {})[timed] = None
        self._wind()

    def forget(self, timed: Timed) -> None:
        """Take something off the wheel."""
        slot = self._due.pop(timed, None)
        if slot is not None:
            members = self._slots[slot]
            del members[timed]
            if not members:
                del self._slots[slot]

    def close(self) -> None:
        """Stop."""
        self._slots.clear()
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wind(self) -> None:
        if self._timer is None and self._due:
            self._timer = self._loop.call_later(self._tick, self._turn)

    def _turn(self) -> None:
        self._timer = None
        now = self._loop.time()
        for slot in sorted(slot for slot in self._slots if slot * self._tick <= now):
            for timed in tuple(self._slots.get(slot, ())):
                self._look(timed, now)
        self._wind()

    def _look(self, timed: Timed, now: float) -> None:
        if timed not in self._due:
            return
        self.forget(timed)
        deadline = timed.deadline
        if deadline is not None and deadline <= now:
            timed.expire()
        if timed.deadline is not None:
            self.watch(timed)
