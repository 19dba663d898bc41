"""The event hub: one `emit`, three faces.

    @hub.on(MessageCreated)                                  # a handler, def or async def
    async def greet(event: MessageCreated) -> None: ...

    async with hub.events(MessageCreated) as stream:         # an iterator
        async for event in stream: ...

    hub.add_observer(Greeter())                              # an object; see MessagingSessionObserver

What holds for all of them: `emit` never waits and never raises; each subscriber gets its events in the order of
`emit`, and there is no promise between subscribers; each has a bounded mailbox and, where it has a handler, a task
of its own, so a slow one delays nobody until its mailbox is full. Then its policy decides; the usual one makes
`deliver` wait for it, within limits, so that nothing is lost. A handler that raises keeps its subscription, and the
error is logged and told as `HandlerFailed`; on exit what waits is delivered, with a deadline, and then iterators
end.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Literal, Protocol, TypeVar, overload

import anyio
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint

from chime_messaging.errors import SessionClosedError, UsageError, WaitTimeoutError
from chime_messaging.events import Event, HandlerFailed
from chime_messaging.observers.observer import MESSAGING_SESSION, Vocabulary
from chime_messaging.observers.subscription import (
    DEFAULT_SIZE,
    EventStream,
    HandlerSubscription,
    Policy,
    Subscription,
    SubscriptionStatistics,
)

BATCH = 128
"""Events emitted at a stretch by `deliver`; then readers get a turn."""

A = TypeVar("A", bound=Event)
B = TypeVar("B", bound=Event)
C = TypeVar("C", bound=Event)
D = TypeVar("D", bound=Event)
R = TypeVar("R")
In = TypeVar("In", bound=Event)

logger = logging.getLogger("chime_messaging.observers")


class Registrar(Protocol[In]):
    """What `EventHub.on` returns: a decorator that takes handlers of these events and returns them unchanged."""

    def __call__(self, handler: Callable[[In], R], /) -> Callable[[In], R]:
        """Subscribe the handler."""


class EventHub:
    """Tells subscribers what happens. Use as ``async with``; subscribing before that is allowed.

    Args:
        on_handler_error: ``contain`` logs a handler's error and emits `HandlerFailed`; ``raise`` lets it end the
            ``async with`` block, for development.
        drain_timeout: seconds that handlers get on exit to work off what waits for them.
        stall_timeout: seconds that `room` waits for a reader that takes no event.
        vocabulary: the method names of observer objects.
    """

    def __init__(
        self,
        *,
        on_handler_error: Literal["contain", "raise"] = "contain",
        drain_timeout: float = 5.0,
        stall_timeout: float = 5.0,
        vocabulary: Vocabulary = MESSAGING_SESSION,
    ) -> None:
        self._raise_errors = on_handler_error == "raise"
        self._drain_timeout = drain_timeout
        self._stall_timeout = stall_timeout
        self._hurried = False
        self._vocabulary = vocabulary
        self._subscriptions: list[Subscription] = []
        self._targets: dict[type[Event], tuple[Subscription, ...]] = {}
        self._observers: dict[int, HandlerSubscription] = {}
        self._tasks: TaskGroup | None = None
        self._running: set[anyio.CancelScope] = set()
        self._rested: anyio.Event | None = None
        self._ending = False

    # Emitting

    def emit(self, event: Event) -> None:
        """Put an event in every mailbox that wants it. Never waits, never raises. After the exit it does nothing."""
        kind = type(event)
        targets = self._targets.get(kind)
        if targets is None:
            targets = self._resolve(kind)
        for subscription in targets:
            queue = subscription.queue
            if len(queue) < subscription.size:
                queue.append(event)
                if subscription.wake is not None:
                    subscription.rouse()
            else:
                subscription.overflow(event)

    def emit_all(self, events: Sequence[Event]) -> None:
        """Emit several events, in order: the same as one by one, and cheaper where all are of one class."""
        kinds = set(map(type, events))
        if len(kinds) == 1:
            kind = kinds.pop()
            targets = self._targets.get(kind)
            if targets is None:
                targets = self._resolve(kind)
            if all(len(events) <= subscription.size - len(subscription.queue) for subscription in targets):
                for subscription in targets:
                    subscription.queue.extend(events)
                    if subscription.wake is not None:
                        subscription.rouse()
                return
        for event in events:
            self.emit(event)

    def has_room(self, events: int) -> bool:
        """Whether so many more events can be emitted without taking any from a subscriber whose policy is ``wait``."""
        return all(subscription.room(events) == events for subscription in self._subscriptions)

    async def room(self, most: int) -> int:
        """Wait until an event can be emitted without taking any from a subscriber whose policy is ``wait``.

        Does not wait for readers that have stalled, nor for anyone after `hurry`.

        Returns:
            How many can be, up to `most`.
        """
        while not self._hurried:
            fullest = min(self._subscriptions, key=lambda subscription: subscription.room(most), default=None)
            if fullest is None:
                break
            if room := fullest.room(most):
                return room
            await fullest.make_room(self._stall_timeout)
        return most

    async def deliver(self, events: Sequence[Event]) -> None:
        """Emit events as fast as those who want all of them can take them.

        Not cancelled half-way, as whoever calls has counted them as told; `hurry` ends the waiting.
        """
        with anyio.CancelScope(shield=True):
            told = 0
            while told < len(events):
                room = await self.room(BATCH)
                self.emit_all(events[told : told + room])
                told += room
                await checkpoint()

    def hurry(self) -> None:
        """Let nobody wait for room any more: the session is to end."""
        self._hurried = True
        for subscription in self._subscriptions:
            subscription.relieve(at_once=True)

    def _resolve(self, kind: type[Event]) -> tuple[Subscription, ...]:
        targets = tuple(subscription for subscription in self._subscriptions if subscription.matches(kind))
        self._targets[kind] = targets
        return targets

    # Faces

    @overload
    def on(self, *, policy: Policy = ..., size: int = ...) -> Registrar[Event]: ...
    @overload
    def on(self, first: type[A], /, *, policy: Policy = ..., size: int = ...) -> Registrar[A]: ...
    @overload
    def on(self, first: type[A], second: type[B], /, *, policy: Policy = ..., size: int = ...) -> Registrar[A | B]: ...
    @overload
    def on(
        self, first: type[A], second: type[B], third: type[C], /, *, policy: Policy = ..., size: int = ...
    ) -> Registrar[A | B | C]: ...
    @overload
    def on(
        self,
        first: type[A],
        second: type[B],
        third: type[C],
        fourth: type[D],
        /,
        *,
        policy: Policy = ...,
        size: int = ...,
    ) -> Registrar[A | B | C | D]: ...
    def on(self, *types: type[Event], policy: Policy = "wait", size: int = DEFAULT_SIZE) -> Registrar[Any]:
        """Return a decorator that subscribes a handler to these event classes, or to every event without arguments.

        A base class such as `MessageEvent` stands for all its subclasses. The handler may be ``def`` or
        ``async def`` and takes the event.
        """

        def register(handler: Callable[[Any], R], /) -> Callable[[Any], R]:
            self.subscribe(handler, *types, policy=policy, size=size)
            return handler

        return register

    def subscribe(
        self,
        handler: Callable[[Any], object],
        *types: type[Event],
        policy: Policy = "wait",
        size: int = DEFAULT_SIZE,
    ) -> Subscription:
        """Subscribe a handler without a decorator; ``close()`` of what is returned ends it."""
        calls = (handler,)
        subscription = HandlerSubscription(
            self, _name(handler), types or (Event,), policy, size, target=handler, routes=lambda _: calls
        )
        self.attach(subscription)
        return subscription

    def off(self, handler: Callable[[Any], object]) -> None:
        """End every subscription of a handler; harmless when it has none."""
        for subscription in list(self._subscriptions):
            if isinstance(subscription, HandlerSubscription) and subscription.target == handler:
                subscription.close()

    @overload
    def events(self, *, policy: Policy = ..., size: int = ...) -> EventStream[Event]: ...
    @overload
    def events(self, first: type[A], /, *, policy: Policy = ..., size: int = ...) -> EventStream[A]: ...
    @overload
    def events(
        self, first: type[A], second: type[B], /, *, policy: Policy = ..., size: int = ...
    ) -> EventStream[A | B]: ...
    @overload
    def events(
        self, first: type[A], second: type[B], third: type[C], /, *, policy: Policy = ..., size: int = ...
    ) -> EventStream[A | B | C]: ...
    @overload
    def events(
        self,
        first: type[A],
        second: type[B],
        third: type[C],
        fourth: type[D],
        /,
        *,
        policy: Policy = ...,
        size: int = ...,
    ) -> EventStream[A | B | C | D]: ...
    def events(self, *types: type[Event], policy: Policy = "wait", size: int = DEFAULT_SIZE) -> EventStream[Any]:
        """Return an asynchronous iterator over these event classes, or over every event without arguments.

        It is subscribed while inside its ``async with``.
        """
        return EventStream(self, "event stream", types or (Event,), policy, size)

    def add_observer(self, observer: object, *, policy: Policy = "wait", size: int = DEFAULT_SIZE) -> None:
        """Subscribe an object: a `MessagingSessionObserver`, or any with methods of those names. Twice is once.

        Raises:
            ConfigurationError: if a method looks like an observer method and matches no event.
        """
        if id(observer) in self._observers:
            return
        routes = self._vocabulary.bind(observer)
        name = type(observer).__qualname__
        subscription = HandlerSubscription(self, name, (Event,), policy, size, target=observer, routes=routes)
        self.attach(subscription)
        self._observers[id(observer)] = subscription

    def remove_observer(self, observer: object) -> None:
        """Tell an observer nothing more, not even what waits for it; harmless when it was not added."""
        subscription = self._observers.get(id(observer))
        if subscription is not None:
            subscription.close()

    async def wait_for(
        self, kind: type[A], where: Callable[[A], bool] | None = None, timeout: float | None = None
    ) -> A:
        """Wait for the next event of a class for which `where` is true, and return it.

        Raises:
            WaitTimeoutError: if none came within `timeout` seconds.
            SessionClosedError: if the hub closed first.
        """
        with anyio.move_on_after(timeout):
            async with self.events(kind) as stream:
                async for event in stream:
                    if where is None or where(event):
                        return event
            raise SessionClosedError(f"closed while waiting for {kind.__name__}")
        raise WaitTimeoutError(kind.__name__, timeout or 0.0)

    def statistics(self) -> list[SubscriptionStatistics]:
        """Return the counters of every subscription."""
        return [subscription.statistics() for subscription in self._subscriptions]

    # Life

    async def __aenter__(self) -> EventHub:
        if self._tasks is not None:
            raise UsageError("an event hub is entered once")
        self._tasks = tasks = anyio.create_task_group()
        await tasks.__aenter__()
        for subscription in self._subscriptions:
            self._start(subscription)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        if self._tasks is None:
            raise UsageError("the event hub was not entered")
        self._ending = True
        for subscription in self._subscriptions:
            if not isinstance(subscription, HandlerSubscription):
                subscription.end()
        with anyio.move_on_after(self._drain_timeout, shield=True) as drain:
            # Not until all rest: the last event of one handler may make it emit something for another.
            await self._until(lambda: all(subscription.resting for subscription in self._subscriptions))
            for subscription in self._subscriptions:
                subscription.end()
            await self._until(lambda: not self._running)
        if drain.cancelled_caught:
            logger.warning("%d handlers did not finish within %g s", len(self._running), self._drain_timeout)
        self._targets.clear()
        self._subscriptions.clear()
        self._observers.clear()
        for scope in list(self._running):
            scope.cancel()
        return await self._tasks.__aexit__(kind, error, traceback)

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._rested = anyio.Event()
            await self._rested.wait()

    def attach(self, subscription: Subscription) -> None:
        """Start sending to a subscription. Called by the faces.

        Raises:
            SessionClosedError: if the hub is closed.
        """
        if self._ending:
            raise SessionClosedError("the event hub is closed")
        if subscription.closed or subscription in self._subscriptions:
            raise UsageError("an event stream is entered once")
        self._subscriptions.append(subscription)
        self._targets.clear()
        if self._tasks is not None:
            self._start(subscription)

    def forget(self, subscription: Subscription) -> None:
        """Send nothing more to a subscription. Called by the subscription."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
            self._targets.clear()
        if isinstance(subscription, HandlerSubscription):
            known = self._observers.get(id(subscription.target))
            if known is subscription:
                del self._observers[id(subscription.target)]

    def rest(self) -> None:
        """Tell that a handler has nothing to do. Called by the subscription."""
        if self._rested is not None:
            self._rested.set()

    def report(self, subscription: Subscription, event: Event, error: Exception) -> None:
        """Tell that a handler raised. Called by the subscription."""
        logger.error("%s failed on %s", subscription.name, type(event).__name__, exc_info=error)
        if self._raise_errors:
            raise error
        if not isinstance(event, HandlerFailed):
            self.emit(HandlerFailed(subscription.name, event, error))

    def _start(self, subscription: Subscription) -> None:
        if isinstance(subscription, HandlerSubscription) and self._tasks is not None:
            # Shielded, so that a cancelled session can still tell its handlers that it stopped; __aexit__ ends it.
            scope = anyio.CancelScope(shield=True)
            self._running.add(scope)
            self._tasks.start_soon(self._run, subscription, scope, name=f"handler {subscription.name}")

    async def _run(self, subscription: HandlerSubscription, scope: anyio.CancelScope) -> None:
        with scope:
            try:
                await subscription.run()
            finally:
                self._running.discard(scope)
                self.forget(subscription)
                self.rest()


def _name(handler: Callable[..., Any] | Callable[..., Awaitable[Any]]) -> str:
    return getattr(handler, "__qualname__", None) or type(handler).__qualname__
