"""Mailboxes: what lies between `EventHub.emit` and the one who reads.

Each subscriber has a mailbox of its own, bounded, so a slow reader costs memory up to `size` events; its policy says
what happens then. A mailbox wakes its reader once per batch: while the reader works, putting an event in is an append.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, Protocol, TypeVar, get_args

import anyio
from anyio.lowlevel import checkpoint

from chime_messaging.errors import ConfigurationError, SubscriptionOverflowError, UsageError
from chime_messaging.events import Event

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

Policy = Literal["wait", "drop_oldest", "drop_newest", "close"]
"""What happens when a mailbox is full. ``wait``: whoever emits and can wait does, until the reader has caught up, so
that nothing is lost; a reader that takes no event at all for the hub's `stall_timeout` is not waited for any more and
loses its oldest events. The others lose their oldest or newest event at once, or end the subscription."""

DEFAULT_SIZE = 256
"""Events that wait for one subscriber before its policy applies."""

_log = logging.getLogger("chime_messaging.observers")

E = TypeVar("E", bound=Event)
Routes = Callable[[type[Event]], tuple[Callable[[Any], object], ...]]


class SubscriptionStatistics(NamedTuple):
    """Counters of one subscription."""

    name: str
    pending: int
    """Events that wait now."""
    delivered: int
    dropped: int
    """Events that found the mailbox full, or pushed an older one out."""
    failures: int
    """Events whose handler raised."""


class SubscriptionOwner(Protocol):
    """What a subscription needs of its hub."""

    def forget(self, subscription: Subscription) -> None:
        """Send nothing more to a subscription."""

    def attach(self, subscription: Subscription) -> None:
        """Start sending to a subscription."""

    def rest(self) -> None:
        """Tell that a handler has nothing to do."""

    def report(self, subscription: Subscription, event: Event, error: Exception) -> None:
        """Tell that a handler raised; raise the error again if the hub is told to."""


class Subscription:
    """One subscriber's place at the hub. `close()` ends it at once; what still waits is not delivered."""

    def __init__(self, hub: SubscriptionOwner, name: str, types: tuple[type[Event], ...], policy: Policy, size: int):
        if size < 1:
            raise ConfigurationError("size", f"must be at least 1, is {size}")
        if policy not in get_args(Policy):
            raise ConfigurationError("policy", f"must be one of {', '.join(get_args(Policy))}, is {policy!r}")
        self.name = name
        self.types = types
        """Event classes that are delivered, subclasses included."""
        # The hub's emit works on these three directly: a method call per subscriber would double its cost.
        self.queue: deque[Event] = deque()
        self.size = size
        self.wake: anyio.Event | None = None
        self._relief: anyio.Event | None = None
        self._stalled = False
        self._hub = hub
        self._policy = policy
        self._dropped = 0
        self._delivered = 0
        self._failures = 0
        self._closed = False
        self._ended = False
        self._refused: Event | None = None

    @property
    def closed(self) -> bool:
        """Whether nothing will be delivered any more."""
        return self._closed

    def statistics(self) -> SubscriptionStatistics:
        """Return the counters."""
        return SubscriptionStatistics(self.name, len(self.queue), self._delivered, self._dropped, self._failures)

    def close(self) -> None:
        """End the subscription; harmless when it has ended. May be called from inside its own handler."""
        if self._closed:
            return
        self._closed = True
        self.queue.clear()
        self._hub.forget(self)
        self.rouse()
        self.relieve()

    @property
    def resting(self) -> bool:
        """Whether the hub need not wait for this one when it closes."""
        return True

    def matches(self, kind: type[Event]) -> bool:
        """Whether events of this class are delivered here."""
        return issubclass(kind, self.types)

    def end(self) -> None:
        """Deliver what waits, then end: the hub is closing."""
        self._ended = True
        self.rouse()

    def rouse(self) -> None:
        """Wake the reader, if one waits."""
        wake, self.wake = self.wake, None
        if wake is not None:
            wake.set()

    def overflow(self, event: Event) -> None:
        """Apply the policy to an event that found the mailbox full."""
        queue = self.queue
        if event.is_terminal:
            queue.append(event)
            return
        self._dropped += 1
        if self._policy in ("wait", "drop_oldest"):
            queue.popleft()
            queue.append(event)
        elif self._policy == "close":
            self._refused = event
            self._ended = True
            self._hub.forget(self)

    def room(self, most: int) -> int:
        """How many events, up to `most`, may be emitted without waiting for this one."""
        if self._policy != "wait" or self._closed or self._ended:
            return most
        waiting = len(self.queue)
        if self._stalled and waiting <= self.size // 2:
            self._stalled = False
        return most if self._stalled else min(most, self.size - waiting)

    async def make_room(self, timeout: float) -> None:
        """Wait until the reader has worked off half of what waits, or has done nothing for `timeout` seconds."""
        delivered = self._delivered
        relief = self._relief = self._relief or anyio.Event()
        with anyio.move_on_after(timeout):
            await relief.wait()
        if not relief.is_set() and self._delivered == delivered and not self._stalled:
            self._stalled = True
            _log.warning("%s takes no event; it is not waited for and will lose its oldest", self.name)

    def relieve(self, *, at_once: bool = False) -> None:
        """Wake whoever waits for room, if half the mailbox is free."""
        if self._relief is not None and (at_once or len(self.queue) <= self.size // 2):
            relief, self._relief = self._relief, None
            relief.set()

    async def wait(self) -> bool:
        """Wait until an event is there; False when none will come any more."""
        while not self.queue:
            if self._ended or self._closed:
                return False
            self.wake = wake = anyio.Event()
            self._hub.rest()
            try:
                await wake.wait()
            finally:
                self.wake = None
        return True


class EventStream(Subscription, Generic[E]):
    """Events as an asynchronous iterator. Subscribed from `async with` on.

    Iteration ends when the hub closes, after what waits was read. With the policy ``close`` it raises
    `SubscriptionOverflowError` after the last event before the overflow.
    """

    _reading = False

    async def __aenter__(self) -> Self:
        self._hub.attach(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> E:
        if self._reading:
            raise UsageError("two tasks read the same event stream; give each its own")
        self._reading = True
        try:
            if not self.queue and not await self.wait():
                if self._refused is not None:
                    raise SubscriptionOverflowError(self._dropped)
                raise StopAsyncIteration
        finally:
            self._reading = False
        self._delivered += 1
        event = self.queue.popleft()
        if self._relief is not None:
            self.relieve()
        return event  # type: ignore[return-value]  # only matching events are put in


class _Table(dict[type[Event], tuple[Callable[[Any], object], ...]]):
    """The calls that each event class causes, looked up once per class."""

    def __init__(self, routes: Routes) -> None:
        super().__init__()
        self._routes = routes

    def __missing__(self, kind: type[Event]) -> tuple[Callable[[Any], object], ...]:
        calls = self[kind] = self._routes(kind)
        return calls


class HandlerSubscription(Subscription):
    """A handler or an observer with its mailbox. The hub runs `run` as a task."""

    def __init__(
        self,
        hub: SubscriptionOwner,
        name: str,
        types: tuple[type[Event], ...],
        policy: Policy,
        size: int,
        *,
        target: object,
        routes: Routes,
    ) -> None:
        super().__init__(hub, name, types, policy, size)
        self.target = target
        """The handler or observer object that was subscribed."""
        self._table = _Table(routes)

    def matches(self, kind: type[Event]) -> bool:
        """Whether this event class has a handler here."""
        return super().matches(kind) and bool(self._table[kind])

    @property
    def resting(self) -> bool:
        """Whether every event has been handled and the task waits for the next."""
        return self.wake is not None

    async def run(self) -> None:
        """Hand events to the handlers until the subscription ends."""
        queue, table = self.queue, self._table
        while queue or await self.wait():
            # A bounded batch: a handler that emits what it handles must not keep the loop from everybody else.
            budget = len(queue)
            while queue and budget:
                budget -= 1
                event = queue.popleft()
                self._delivered += 1
                if self._relief is not None:
                    self.relieve()
                for call in table[type(event)]:
                    if self._closed:
                        return
                    try:
                        result = call(event)
                        if result is not None:
                            await _settle(result)
                    except Exception as error:
                        self._failed(event, error)
            if queue:
                await checkpoint()
        self._report_overflow()

    def _report_overflow(self) -> None:
        if self._refused is not None:
            self._failed(self._refused, SubscriptionOverflowError(self._dropped))

    def _failed(self, event: Event, error: Exception) -> None:
        self._failures += 1
        self._hub.report(self, event, error)


async def _settle(result: object) -> None:
    if isinstance(result, Awaitable):
        await result
