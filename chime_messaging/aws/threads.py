"""Blocking calls in worker threads: bounded in number, with a deadline, never holding the event loop up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import Enum
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import anyio
from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar, current_token

MAX_THREADS = 32
"""Blocking calls at a time per event loop, counting those whose caller has stopped waiting."""

T = TypeVar("T")

_limiter: RunVar[CapacityLimiter] = RunVar("chime_messaging.aws.threads.limiter")
_limiters: RunVar[WeakKeyDictionary[object, CapacityLimiter]] = RunVar("chime_messaging.aws.threads.limiters")


async def run_in_thread(function: Callable[[], T], *, timeout: float | None = None) -> T:
    """Run a blocking function in a worker thread.

    A caller that is cancelled or runs out of time goes on at once. The thread cannot be stopped; it keeps its place in
    the count until the function returns, so that a dead network does not collect threads without bound.

    Args:
        function: What to call (`functools.partial` binds arguments).
        timeout: Seconds to wait, the wait for a free thread included; None waits for ever.

    Raises:
        TimeoutError: if it takes longer than `timeout`.
    """
    with anyio.fail_after(timeout):
        limiter = _current_limiter()
        slot = _Slot(limiter)
        await limiter.acquire_on_behalf_of(slot)

        def work() -> T | None:
            if not slot.begin():
                return None
            try:
                return function()
            finally:
                slot.end()

        try:
            result = await to_thread.run_sync(work, abandon_on_cancel=True, limiter=CapacityLimiter(1))
        finally:
            slot.leave()
    return result  # type: ignore[return-value]  # None from `work` only when nobody waits any more


class _State(Enum):
    WAITING = 1
    RUNNING = 2
    ABANDONED = 3
    OVER = 4


class _Slot:
    """A place in the count; given back exactly once, by the caller or by the thread it left behind."""

    def __init__(self, limiter: CapacityLimiter) -> None:
        self._limiter = limiter
        native: Any = current_token().native_token
        # Fire and forget: anyio's own way back from a thread waits for an answer, which never comes from a loop that
        # is just ending.
        self._call_soon: Callable[..., object] = getattr(native, "call_soon_threadsafe", None) or native.run_sync_soon
        self._lock = threading.Lock()
        self._state = _State.WAITING

    def begin(self) -> bool:
        with self._lock:
            if self._state is not _State.WAITING:
                return False
            self._state = _State.RUNNING
            return True

    def end(self) -> None:
        with self._lock:
            abandoned, self._state = self._state is _State.ABANDONED, _State.OVER
        if abandoned:
            try:
                self._call_soon(self._limiter.release_on_behalf_of, self)
            except RuntimeError:  # the event loop has ended, and the count with it
                return

    def leave(self) -> None:
        with self._lock:
            if self._state is _State.RUNNING:
                self._state = _State.ABANDONED
                return
            self._state = _State.OVER
        self._limiter.release_on_behalf_of(self)


def limiter_of(owner: object, size: int) -> CapacityLimiter:
    """Give the limiter that all callers in this event loop share for `owner`; it is made with `size` places."""
    try:
        limiters = _limiters.get()
    except LookupError:
        limiters = WeakKeyDictionary()
        _limiters.set(limiters)
    limiter = limiters.get(owner)
    if limiter is None:
        limiter = limiters[owner] = CapacityLimiter(size)
    return limiter


def _current_limiter() -> CapacityLimiter:
    try:
        return _limiter.get()
    except LookupError:
        limiter = CapacityLimiter(MAX_THREADS)
        _limiter.set(limiter)
        return limiter
