"""Calls from attendee to attendee: a request and its answer.

async with DataMessageSession(configuration) as session, Calls(session) as calls:

    @calls.method()
    async def add(caller, payload):
        return payload["a"] + payload["b"]

    print(await calls.call(attendee_id, "add", {"a": 1, "b": 2}, timeout=5))
"""

from __future__ import annotations

import inspect
import logging
import random
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import anyio
from anyio.abc import TaskGroup

from chime_messaging.errors import (
    CalleeBusyError,
    CalleeLeftError,
    CallError,
    CallFailedError,
    CallTimeoutError,
    ConfigurationError,
    MethodNotFoundError,
    SessionClosedError,
    UsageError,
    WaitTimeoutError,
)
from chime_messaging.events import Event
from chime_messaging.meeting_events import AttendeeLeft, DataMessageReceived, MeetingSessionStopped
from chime_messaging.sessions.data_messages import DataMessageSession
from chime_messaging.state.calls_protocol import (
    MAX_RUNNING,
    Abandon,
    Begin,
    CallsProtocol,
    Failure,
    Settled,
)

logger = logging.getLogger("chime_messaging.state")

Method = TypeVar("Method", bound=Callable[[str, Any], Any])

_KINDS: dict[str, type[CallError]] = {
    "unknown": MethodNotFoundError,
    "busy": CalleeBusyError,
    "failed": CallFailedError,
}


class _Waiting:
    """A call of ours that is not settled."""

    def __init__(self) -> None:
        self.settled: Settled | None = None
        self.is_over = anyio.Event()


class Calls:
    """Calls and answers calls in a meeting. Use as ``async with``, once, inside that of the session.

    Args:
        session: The meeting.
        topic: Where calls are told, seen by all; a reliable topic.
        max_running: Calls that are answered at once; who calls when there are more gets `CalleeBusyError`.
        max_calls: Calls that may wait for their answer at once; further ones wait before they are sent.
        tells_problems: Whether callers are told the texts of errors, and not only their names.
        rng: Gives numbers in [0, 1).
    """

    def __init__(
        self,
        session: DataMessageSession,
        topic: str = "calls",
        *,
        max_running: int = MAX_RUNNING,
        max_calls: int = 64,
        tells_problems: bool = False,
        rng: Callable[[], float] = random.random,
    ) -> None:
        self.session = session
        self._methods: dict[str, Callable[[str, Any], Any]] = {}
        self._names: set[str] = set()
        self._protocol = CallsProtocol(session.attendee_id, self._names, max_running)
        self._topic = session.topic(topic, reliable=True)
        self._tells_problems = tells_problems
        self._rng = rng
        self._places = anyio.Semaphore(max_calls)
        self._waiting: dict[int, _Waiting] = {}
        self._running: dict[tuple[str, int], anyio.CancelScope] = {}
        self._tasks: TaskGroup | None = None
        self._changed = anyio.Event()
        self._subscription = session.hub.subscribe(
            self._heard, DataMessageReceived, AttendeeLeft, MeetingSessionStopped
        )

    def method(self, name: str | None = None) -> Callable[[Method], Method]:
        """Return a decorator that lets others call a function, ``def`` or ``async def``, by its name or another one.

        It takes the attendee id of the caller and the payload, and returns what can be JSON. What it raises is told to
        the caller as `CallFailedError`. It is cancelled when nobody waits for it any more.

        Raises:
            ConfigurationError: if there is a method of this name.
        """

        def register(function: Method) -> Method:
            key = name or function.__name__
            if key in self._methods:
                raise ConfigurationError("method", f"there is one of the name {key!r} already")
            self._methods[key] = function
            self._names.add(key)
            return function

        return register

    async def call(self, attendee_id: str, method: str, payload: Any = None, *, timeout: float = 10.0) -> Any:
        """Call a method of another attendee and return its result.

        Args:
            attendee_id: Who is called.
            method: Its name.
            payload: Anything that can be JSON, up to 1 MiB.
            timeout: Seconds for all of it, sending included.

        Raises:
            CallTimeoutError: no answer in time; the callee is told not to go on.
            CallFailedError: the method raised.
            MethodNotFoundError: there is no such method.
            CalleeBusyError: the callee works on as many calls as it takes.
            CalleeLeftError: the callee left before it answered.
            ConfigurationError: the payload cannot be JSON.
            SessionClosedError: the session is over.
            UsageError: before entering.

        Cancellation: the callee is told not to go on.
        """
        if self._tasks is None:
            raise UsageError("calls are made inside of their block")
        number = int(self._rng() * 2**26) << 26 | int(self._rng() * 2**26)
        with anyio.move_on_after(timeout):
            async with self._places:
                return await self._call(number, attendee_id, method, payload)
        raise CallTimeoutError(attendee_id, method, f"{timeout:g} s")

    async def _call(self, number: int, attendee_id: str, method: str, payload: Any) -> Any:
        try:
            data = self._protocol.call(number, attendee_id, method, payload)
        except (TypeError, ValueError) as exc:
            raise ConfigurationError("payload", f"is not JSON: {exc}") from exc
        waiting = self._waiting[number] = _Waiting()
        try:
            await self._topic.send(data)
            await waiting.is_over.wait()
        finally:
            del self._waiting[number]
            self._protocol.forget(number)
            self._wake()
        if waiting.settled is None:
            raise SessionClosedError("the session is over")
        answer = waiting.settled.answer
        if answer is None:
            raise CalleeLeftError(attendee_id, method)
        if isinstance(answer, Failure):
            raise _KINDS.get(answer.kind, CallFailedError)(attendee_id, method, answer.problem)
        return answer.payload

    async def __aenter__(self) -> Self:
        if self._tasks is not None:
            raise UsageError("calls are entered once")
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._send)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        self._subscription.close()
        if self._tasks is None:
            raise UsageError("calls were not entered")
        self._tasks.cancel_scope.cancel()
        # What was raised in the block goes on as it is, not in a group.
        await self._tasks.__aexit__(None, None, None)
        return None

    # What comes

    def _heard(self, event: Event) -> None:
        if isinstance(event, DataMessageReceived):
            if event.message.topic == self._topic.name:
                self._do(self._protocol.receive(event.message.sender_attendee_id, event.message.data))
        elif isinstance(event, AttendeeLeft):
            if not (event.dropped or event.missed):
                self._do(self._protocol.peer_left(event.attendee.attendee_id))
        else:
            for waiting in self._waiting.values():
                waiting.is_over.set()

    def _do(self, todo: Sequence[Begin | Abandon | Settled]) -> None:
        for one in todo:
            if isinstance(one, Begin):
                self._begin(one)
            elif isinstance(one, Abandon):
                scope = self._running.get((one.caller, one.number))
                if scope is not None:
                    scope.cancel()
            elif one.number in self._waiting:
                self._waiting[one.number].settled = one
                self._waiting[one.number].is_over.set()
        self._wake()

    def _begin(self, begin: Begin) -> None:
        if self._tasks is None:
            self._protocol.fail(begin.caller, begin.number, "not ready")
            return
        self._running[begin.caller, begin.number] = anyio.CancelScope()
        self._tasks.start_soon(self._run, begin)

    async def _run(self, begin: Begin) -> None:
        key = begin.caller, begin.number
        try:
            with self._running[key]:
                result = self._methods[begin.method](begin.caller, begin.payload)
                if inspect.isawaitable(result):
                    result = await result
                self._protocol.finish(begin.caller, begin.number, result)
        except Exception as exc:
            # Whatever a method raises is the caller's answer, and no reason to end the session.
            logger.warning("%s failed", begin.method, exc_info=exc)
            told = f"{type(exc).__name__}: {exc}" if self._tells_problems else type(exc).__name__
            self._protocol.fail(begin.caller, begin.number, told)
        finally:
            del self._running[key]
            self._wake()

    # What goes

    def _wake(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    async def _send(self) -> None:
        try:
            while True:
                changed = self._changed
                while (data := self._protocol.take()) is not None:
                    await self._answer(data)
                await changed.wait()
        except SessionClosedError:
            return

    async def _answer(self, data: bytes) -> None:
        try:
            await self._topic.send(data)
        except (WaitTimeoutError, ConfigurationError) as exc:
            logger.warning("an answer of %d bytes was not sent: %s", len(data), exc)
