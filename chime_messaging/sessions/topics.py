"""Topics of a meeting as their user holds them: to send to, to handle, to iterate."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self, TypeVar

from chime_messaging.meeting_events import DataMessage, DataMessageReceived, MeetingSessionStopped
from chime_messaging.observers.subscription import DEFAULT_SIZE, EventStream, Policy

R = TypeVar("R")

News = DataMessageReceived | MeetingSessionStopped


class TopicHandlers(Protocol):
    """Decorator that takes handlers of data messages and returns them unchanged."""

    def __call__(self, handler: Callable[[DataMessage], R], /) -> Callable[[DataMessage], R]:
        """Subscribe the handler."""


class TopicOwner(Protocol):
    """What a topic needs of its session."""

    async def send(self, topic: str, data: object, lifetime: float = 0.0) -> None:
        """Send a message."""

    def on_topic(self, topic: str, *, policy: Policy = ..., size: int = ...) -> TopicHandlers:
        """Subscribe a handler."""
        ...

    def messages(self, topic: str, *, policy: Policy = ..., size: int = ...) -> TopicMessages:
        """Iterate over messages."""
        ...

    def unsubscribe(self, topic: str) -> None:
        """End every subscription of a topic."""


class Topic:
    """One topic of a meeting. Made by `DataMessageSession.topic`."""

    def __init__(self, session: TopicOwner, name: str) -> None:
        self._session = session
        self.name = name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    async def send(self, data: object, lifetime: float = 0.0) -> None:
        """Send bytes, text or anything that can be JSON to everybody else; see `DataMessageSession.send`."""
        await self._session.send(self.name, data, lifetime)

    def on_message(self, *, policy: Policy = "wait", size: int = DEFAULT_SIZE) -> TopicHandlers:
        """Return a decorator that subscribes a handler of the topic's messages."""
        return self._session.on_topic(self.name, policy=policy, size=size)

    def messages(self, *, policy: Policy = "wait", size: int = DEFAULT_SIZE) -> TopicMessages:
        """Return an asynchronous iterator over the topic's messages, from its first step on."""
        return self._session.messages(self.name, policy=policy, size=size)

    def unsubscribe(self) -> None:
        """End every handler and iterator of the topic, whoever made it."""
        self._session.unsubscribe(self.name)


class TopicMessages:
    """Every message of a topic, in the order in which the meeting got them, without repetitions.

    Subscribed from the first step on, or from ``async with`` on. Iteration ends when the session ends. Breaking off
    needs no care; `aclose` (or ``async with``) gives the place at the session back at once.

    Raises:
        SessionError: while iterating, if the session ends by an error.
        SessionClosedError: if the session was over from the beginning.
        SubscriptionOverflowError: with the policy ``close``.
    """

    def __init__(self, events: EventStream[News], topic: str) -> None:
        self._events = events
        self._topic = topic
        self._is_begun = False

    def __aiter__(self) -> Self:
        return self

    async def __aenter__(self) -> Self:
        await self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """End the iteration."""
        self._events.close()

    async def aclose(self) -> None:
        """End the iteration."""
        self.close()

    async def __anext__(self) -> DataMessage:
        await self._begin()
        while True:
            event = await anext(self._events)
            if isinstance(event, MeetingSessionStopped):
                self.close()
                if event.error is not None:
                    raise event.error
                raise StopAsyncIteration
            if event.message.topic == self._topic:
                return event.message

    async def _begin(self) -> None:
        if not self._is_begun:
            self._is_begun = True
            await self._events.__aenter__()
