"""The thread on which the media of all sessions of a process runs.

An application which blocks its event loop stalls neither sound nor pictures nor the answers to the service's pings. One
thread and one event loop for all sessions: it starts with the first and ends with the last.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, TypeVar, TypeVarTuple

from chime_media.protocol.pacing import Pacer
from chime_messaging.errors import UsageError

ResultT = TypeVar("ResultT")
ArgumentsT = TypeVarTuple("ArgumentsT")
Tick = Callable[[float, int], None]

log = logging.getLogger(__name__)


class MediaThread:
    """Runs coroutines and calls for event loops of other threads. Get it with `MediaThread.shared()`."""

    _shared: ClassVar[MediaThread | None] = None
    _users: ClassVar[int] = 0
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self) -> None:
        self.loop = _new_loop()
        self.beat = Beat(self.loop)
        """Ticks every 20 ms while somebody listens."""
        self._outbox: dict[asyncio.AbstractEventLoop, list[Callable[[], object]]] = {}
        self._thread = threading.Thread(target=self._run, name="meeting media", daemon=True)
        self._thread.start()

    @classmethod
    def enter(cls) -> MediaThread:
        """Use the thread; each `enter` needs a `leave`."""
        with cls._lock:
            if cls._shared is None:
                cls._shared = MediaThread()
            cls._users += 1
            return cls._shared

    @classmethod
    def leave(cls) -> None:
        """Use it no longer. The last to leave stops it."""
        with cls._lock:
            if cls._users == 0:
                raise UsageError("the media thread was left more often than entered")
            cls._users -= 1
            if cls._users == 0 and cls._shared is not None:
                cls._shared.loop.call_soon_threadsafe(cls._shared.loop.stop)
                cls._shared = None

    @property
    def is_current(self) -> bool:
        """Whether the caller is on the thread."""
        return threading.current_thread() is self._thread

    def post(self, call: Callable[[*ArgumentsT], object], *arguments: *ArgumentsT) -> None:
        """Let the thread call something soon. Nothing happens if it has stopped."""
        if self.is_current:
            call(*arguments)
            return
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(call, *arguments)

    def answer(self, loop: asyncio.AbstractEventLoop, call: Callable[[], object]) -> None:
        """Let another thread's loop call something soon. To be called on the media thread.

        What is said within one turn of the media thread's loop goes over together, when the turn is over: a thread that
        is woken while this one has the interpreter takes it away from it, packet after packet.
        """
        outbox = self._outbox
        if not outbox:
            self.loop.call_soon(self._deliver)
        calls = outbox.get(loop)
        if calls is None:
            outbox[loop] = [call]
        else:
            calls.append(call)

    def _deliver(self) -> None:
        outbox, self._outbox = self._outbox, {}
        for loop, calls in outbox.items():
            # RuntimeError: it was closed meanwhile.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_call_each, calls)

    async def run(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Run a coroutine on the thread and wait for its result. Cancelling the wait cancels it."""
        if self.is_current:
            return await work
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.loop))

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            tasks = asyncio.all_tasks(self.loop)
            for task in tasks:
                task.cancel()
            self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
            self.loop.close()


def _call_each(calls: list[Callable[[], object]]) -> None:
    for call in calls:
        try:
            call()
        except Exception:
            log.exception("what the media thread said could not be taken")


class Beat:
    """Calls whoever listens every 20 ms, all of them at a time, by one timer that runs only while somebody listens.

    Args:
        loop: Whose timer is used; everything is called on it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._listeners: tuple[Tick, ...] = ()
        self._pacer: Pacer | None = None
        self._timer: asyncio.TimerHandle | None = None

    def add(self, tick: Tick) -> None:
        """Call `tick` with the time and the number of each beat; numbers grow by one, but for what was left out."""
        self._listeners = (*self._listeners, tick)
        if self._timer is None:
            self._pacer = Pacer(self._loop.time())
            self._timer = self._loop.call_at(self._pacer.due, self._fire, self._pacer)

    def remove(self, tick: Tick) -> None:
        """Call it no longer; harmless if it was not."""
        self._listeners = tuple(other for other in self._listeners if other != tick)
        if not self._listeners and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self, pacer: Pacer) -> None:
        now, fired = self._loop.time(), self._timer
        number = pacer.tick(now)
        for listener in self._listeners:
            try:
                listener(now, number)
            except Exception:
                # One session's fault must not silence the others.
                log.exception("20 ms of a session's media failed")
        if self._timer is fired:
            self._timer = self._loop.call_at(pacer.due, self._fire, pacer) if self._listeners else None


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop
