"""What happened, in order: an `EventRecorder` for tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from chime_messaging.events import Event
from chime_messaging.observers.hub import EventHub

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

E = TypeVar("E", bound=Event)

_UNBOUNDED = 1 << 20


class EventRecorder:
    """Keeps every event from the moment it is made until it is left; usable as ``async with`` or without.

        recorder = EventRecorder(session.hub)
        ...
        recorder.assert_order(SessionEstablished, MessageCreated, SessionStopped)

    Args:
        hub: what to record.
        types: which events; every event without them.
    """

    def __init__(self, hub: EventHub, *types: type[Event]) -> None:
        self.events: list[Event] = []
        """Everything so far, oldest first."""
        self._changed = anyio.Event()
        self._subscription = hub.subscribe(self._record, *types, size=_UNBOUNDED)

    def __len__(self) -> int:
        return len(self.events)

    def of(self, kind: type[E]) -> list[E]:
        """Return the events of a class, subclasses included."""
        return [event for event in self.events if isinstance(event, kind)]

    async def wait_for(
        self, kind: type[E], where: Callable[[E], bool] | None = None, *, count: int = 1, timeout: float = 5.0
    ) -> E:
        """Wait until `count` such events were recorded, past ones included; return the last of them.

        Raises:
            AssertionError: if there are fewer after `timeout` seconds.
        """
        with anyio.move_on_after(timeout):
            while True:
                found = [event for event in self.of(kind) if where is None or where(event)]
                if len(found) >= count:
                    return found[count - 1]
                await self._changed.wait()
        raise AssertionError(f"{count} x {kind.__name__} expected within {timeout:g} s, got: {self._names()}")

    def assert_order(self, *kinds: type[Event]) -> None:
        """Check that events of these classes came in this order; others may stand between them.

        Raises:
            AssertionError: naming the first that is missing at its place.
        """
        remaining = iter(self.events)
        for number, kind in enumerate(kinds, 1):
            if not any(isinstance(event, kind) for event in remaining):
                expected = " -> ".join(kind.__name__ for kind in kinds)
                raise AssertionError(f"no {kind.__name__} (number {number} of {expected}); got: {self._names()}")

    def assert_exactly(self, *kinds: type[Event]) -> None:
        """Check that these and no other events came, in this order, by their exact classes.

        Raises:
            AssertionError: telling both lists.
        """
        if [type(event) for event in self.events] != list(kinds):
            raise AssertionError(f"expected {' '.join(kind.__name__ for kind in kinds)}; got: {self._names()}")

    def close(self) -> None:
        """Record nothing more."""
        self._subscription.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _record(self, event: Any) -> None:
        self.events.append(event)
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    def _names(self) -> str:
        return " ".join(type(event).__name__ for event in self.events) or "nothing"
