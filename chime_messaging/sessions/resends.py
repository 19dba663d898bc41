"""Data messages that came back throttled and are to be sent again: how often, and when."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

import anyio

MAX_RESENDS = 5
"""Times that one message is sent again."""

MAX_WAITING = 256
"""Messages that wait to be sent again."""

MAX_REMEMBERED = 2048
"""Messages sent lately whose lifetime is known when they come back: what the service may hold before it hangs up."""

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 16.0
FORGIVEN_AFTER = 60.0
"""Seconds without a return after which the same content counts as another message."""

K = TypeVar("K")
V = TypeVar("V")

Outgoing = tuple[str, bytes, int]
"""Topic, data, and lifetime in milliseconds."""


class Resends:
    """Decides whether a returned message is sent again, and hands out those whose time has come.

    The service returns topic and data; there is nothing else to know a message by.
    """

    def __init__(self, rng: Callable[[], float]) -> None:
        self._rng = rng
        self._lifetimes: OrderedDict[tuple[str, bytes], int] = OrderedDict()
        self._returns: OrderedDict[tuple[str, bytes], tuple[int, float]] = OrderedDict()
        self._waiting: list[tuple[float, int, Outgoing]] = []
        self._number = 0
        self._changed = anyio.Event()

    def sent(self, message: Outgoing) -> None:
        """Remember the lifetime of a message that is being sent."""
        topic, data, lifetime_ms = message
        _put(self._lifetimes, (topic, data), lifetime_ms)

    def returned(self, topic: str, data: bytes, now: float) -> bool:
        """Take a message that came back; whether it will be sent again."""
        key = (topic, data)
        times, last = self._returns.get(key, (0, now))
        if now - last > FORGIVEN_AFTER:
            times = 0
        _put(self._returns, key, (times + 1, now))
        if times >= MAX_RESENDS or len(self._waiting) >= MAX_WAITING:
            return False
        # At least half of the pause: at the same moment as everybody else it would come back again.
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2**times) * (0.5 + self._rng() / 2)
        self._number += 1
        heapq.heappush(self._waiting, (now + pause, self._number, (topic, data, self._lifetimes.get(key, 0))))
        self._changed.set()
        return True

    async def next(self) -> Outgoing:
        """Wait until a message is to be sent again, and return it."""
        while True:
            due = self._waiting[0][0] if self._waiting else float("inf")
            if due <= anyio.current_time():
                return heapq.heappop(self._waiting)[2]
            self._changed = anyio.Event()
            with anyio.CancelScope(deadline=due):
                await self._changed.wait()


def _put(remembered: OrderedDict[K, V], key: K, value: V) -> None:
    remembered[key] = value
    remembered.move_to_end(key)
    if len(remembered) > MAX_REMEMBERED:
        remembered.popitem(last=False)
