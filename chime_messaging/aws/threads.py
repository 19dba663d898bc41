"""Blocking calls in threads: bounded in number, with a deadline, never holding up the event loop or the exit."""

from __future__ import annotations

import contextvars
import os
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

import anyio
from anyio import CapacityLimiter
from anyio.lowlevel import RunVar, current_token

MAX_THREADS = 32
"""Blocking calls at a time per event loop, counting those whose caller has stopped waiting."""

IDLE = 5.0
"""Seconds that a thread waits for the next call. Starting one takes the event loop as long as the machine is busy."""

T = TypeVar("T")

_limiter: RunVar[CapacityLimiter] = RunVar("chime_messaging.aws.threads.limiter")
_limiters: RunVar[WeakKeyDictionary[object, CapacityLimiter]] = RunVar("chime_messaging.aws.threads.limiters")


async def run_in_thread(function: Callable[[], T], *, timeout: float | None = None) -> T:
    """Run a blocking function in a thread of its own.

    A caller that is cancelled or runs out of time goes on at once. The thread cannot be stopped; it keeps its place in
    the count until the function returns, so that a dead network does not collect threads without bound. A program that
    ends does not wait for it.

    Args:
        function: What to call (`functools.partial` binds arguments).
        timeout: Seconds to wait, the wait for a place included; None waits for ever.

    Raises:
        TimeoutError: if it takes longer than `timeout`.
    """
    with anyio.fail_after(timeout):
        limiter = _current_limiter()
        call = _Call(function, limiter)
        await limiter.acquire_on_behalf_of(call)
        call.start()
        await call.done.wait()
    return call.result()


class _Call(Generic[T]):
    """One call and its place in the count, which is given back once the function has returned."""

    def __init__(self, function: Callable[[], T], limiter: CapacityLimiter) -> None:
        native: Any = current_token().native_token
        # Fire and forget: anyio's own way back from a thread waits for an answer, which never comes from a loop that
        # is just ending.
        self._call_soon: Callable[..., object] = getattr(native, "call_soon_threadsafe", None) or native.run_sync_soon
        self._function = function
        self._limiter = limiter
        self._outcome: list[T] = []
        self._error: BaseException | None = None
        self.done = anyio.Event()

    def start(self) -> None:
        try:
            worker = _idle.pop()
        except IndexError:
            worker = _Worker()
            try:
                worker.start()
            except RuntimeError:  # no more threads on this machine
                self._finish()
                raise
        worker.work.put(partial(contextvars.copy_context().run, self._run))

    def _run(self) -> None:
        try:
            self._outcome.append(self._function())
        except BaseException as exc:
            self._error = exc
        try:
            self._call_soon(self._finish)
        except RuntimeError:  # the event loop has ended, and the count with it
            return

    def _finish(self) -> None:
        self._limiter.release_on_behalf_of(self)
        self.done.set()

    def result(self) -> T:
        error, self._error = self._error, None
        if error is not None:
            try:
                raise error
            finally:
                del error  # its traceback holds this frame
        return self._outcome[0]


class _Worker(threading.Thread):
    """A thread that makes one call after another, until there was none for `IDLE` seconds.

    A daemon, unlike anyio's worker threads, for which the interpreter waits before it exits: one request that is never
    answered would keep a program alive that was told to end.
    """

    def __init__(self) -> None:
        super().__init__(name="chime blocking call", daemon=True)
        self.work: SimpleQueue[Callable[[], None]] = SimpleQueue()

    def run(self) -> None:
        while True:
            try:
                work = self.work.get(timeout=IDLE)
            except Empty:
                try:
                    _idle.remove(self)
                except ValueError:  # somebody has just taken it
                    work = self.work.get()
                else:
                    return
            work()
            del work  # holds the result
            _idle.append(self)


_idle: deque[_Worker] = deque()
"""Threads without work, the one that worked last at the end. What a deque does is atomic."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)  # a child process has none of the threads


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
