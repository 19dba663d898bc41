"""A session of data messages in a meeting, as its user holds it.

    async with DataMessageSession(MeetingSessionConfiguration(meeting, attendee)) as session:
        chat = session.topic("chat")
        await chat.send({"text": "hello"}, lifetime=300)
        async for message in chat.messages():
            print(message.sender_external_user_id, message.json())

Entering returns when the attendee has joined, or raises why it will not. From then on the block is left alone: nothing
that happens to the connection is raised inside it or at its end. When the session is over, `MeetingSessionStopped` is
told with its error, iterators end, and `wait_stopped` returns; leaving the block leaves the meeting.
"""

from __future__ import annotations

import functools
import logging
import random
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, ClassVar, Literal, Self, overload

import anyio
from anyio.abc import TaskGroup

from chime_messaging.errors import (
    ConfigurationError,
    SessionClosedError,
)
from chime_messaging.events import Event
from chime_messaging.meeting_events import (
    AttendeeJoined,
    AttendeeLeft,
    DataMessageReceived,
    DataMessageThrottled,
    MeetingSessionStarted,
    MeetingSessionStopped,
    RosterAttendee,
    TranscriptionStatusReceived,
    TranscriptReceived,
)
from chime_messaging.observers.hub import EventHub
from chime_messaging.observers.meeting_observer import MEETING_SESSION
from chime_messaging.observers.observer import Vocabulary
from chime_messaging.observers.subscription import DEFAULT_SIZE, Policy, Subscription
from chime_messaging.protocol.data_messages import (
    SeenDataMessages,
    encode_data,
    require_data,
    require_lifetime,
    require_topic,
)
from chime_messaging.protocol.reliable_topic import ReliableTopicProtocol
from chime_messaging.protocol.signaling import State
from chime_messaging.sessions.meeting_configuration import MeetingSessionConfiguration
from chime_messaging.sessions.reliable_topic import ReliableLine, ReliableTopic
from chime_messaging.sessions.sending import Sending
from chime_messaging.sessions.signaling import SignalingSession
from chime_messaging.sessions.topics import Topic, TopicHandlers, TopicMessages
from chime_messaging.transport.base import Connector

SERVICE_PREFIX = "aws:"
"""Beginning of topics on which only the service sends."""

_MEANT = frozenset({TranscriptReceived, TranscriptionStatusReceived})
"""Events that follow the message in which they were."""

_NOTICED = frozenset({MeetingSessionStarted, AttendeeJoined, AttendeeLeft})
"""Events that reliable topics look at, too."""

logger = logging.getLogger("chime_messaging.sessions")

_TICK = 1e-3
"""Seconds that are not worth a sleep; the bucket counts them all the same."""


class DataMessageSession:
    """Joins a meeting without media, and sends and receives data messages there. Use as ``async with``, once.

    Args:
        configuration: Which meeting, who and how.
        connector: What opens websockets; made from the configuration by default.
        rng: Gives numbers in [0, 1) for the waits between tries and for ids.
        clock: Gives seconds since the epoch.
    """

    _vocabulary: ClassVar[Vocabulary] = MEETING_SESSION

    def __init__(
        self,
        configuration: MeetingSessionConfiguration,
        *,
        connector: Connector | None = None,
        rng: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.configuration = configuration
        self.hub = EventHub(vocabulary=self._vocabulary)
        """Where the session's events are told; `on`, `events`, `add_observer` and `wait_for` are its."""
        self._signaling = self._make_signaling(connector, rng, clock)
        self._seen = SeenDataMessages()
        self._subscriptions: dict[str, list[Subscription]] = {}
        self._sending = Sending(configuration, self._signaling, rng)
        self._rng = rng
        self._reliable: dict[str, ReliableLine] = {}
        self._tasks: TaskGroup | None = None
        # Bound methods rather than methods of our own: their overloads tell type checkers which event a handler gets.
        self.on = self.hub.on
        """Decorator that subscribes a handler: ``@session.on(AttendeeJoined)``."""
        self.events = self.hub.events
        """Events as an iterator: ``async with session.events(AttendeeJoined) as stream``."""
        self.add_observer = self.hub.add_observer
        """Subscribe an object with methods of `MeetingSessionObserver`."""
        self.remove_observer = self.hub.remove_observer
        self.wait_for = self.hub.wait_for
        """Wait for one event: ``await session.wait_for(AttendeeJoined, where=..., timeout=5)``."""

    def _make_signaling(
        self, connector: Connector | None, rng: Callable[[], float], clock: Callable[[], float]
    ) -> SignalingSession:
        return SignalingSession(
            self.configuration, self._received, self._work, self.hub, connector=connector, rng=rng, clock=clock
        )

    # What it is

    @property
    def state(self) -> State:
        """Where the session stands."""
        return self._signaling.state

    @property
    def is_joined(self) -> bool:
        """Whether messages can be sent and are received now."""
        return self.state is State.JOINED

    @property
    def meeting_id(self) -> str:
        """Which meeting."""
        return self.configuration.meeting_id

    @property
    def attendee_id(self) -> str:
        """Whose session it is."""
        return self.configuration.credentials.attendee_id

    @property
    def roster(self) -> Mapping[str, RosterAttendee]:
        """Who is in the meeting, by attendee id; while the session is not connected, who was."""
        return {} if self.state is State.IDLE else self._signaling.protocol.attendees

    @property
    def stopped(self) -> MeetingSessionStopped | None:
        """How the session ended, once it has."""
        return self._signaling.stopped

    @property
    def duplicates(self) -> int:
        """Messages that a replay brought again and nobody was told."""
        return self._seen.duplicates

    # Its life

    async def __aenter__(self) -> Self:
        """Join.

        Raises:
            AttendeeRejectedError: the meeting does not know the attendee or its token.
            MeetingEndedError: the meeting is over.
            MeetingAtCapacityError: the meeting is full.
            MeetingSessionError: any other status that is not worth another try; tells it.
            ReconnectDeadlineError: if `reconnect_timeout` is set and has passed.
            UsageError: if the session was entered before.
        """
        await self._signaling.enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return await self._signaling.life.exit(kind, error, traceback)

    def stop(self) -> None:
        """Leave the meeting and tell `MeetingSessionStopped`. Returns at once; `wait_stopped` waits.

        Works at any moment of the session, from handlers too; harmless before and after.
        """
        self._signaling.stop()

    async def wait_stopped(self) -> MeetingSessionStopped:
        """Wait until the session is over and its connection closed; return how it ended.

        Raises:
            UsageError: if the session was not entered.
        """
        await self._signaling.life.wait_over()
        if self.stopped is None:
            raise SessionClosedError("the session ended before it began")
        return self.stopped

    # Topics

    @overload
    def topic(self, name: str) -> Topic: ...
    @overload
    def topic(self, name: str, *, reliable: Literal[False]) -> Topic: ...
    @overload
    def topic(self, name: str, *, reliable: Literal[True]) -> ReliableTopic: ...
    def topic(self, name: str, *, reliable: bool = False) -> Topic:
        """Take hold of a topic, to send to it, to handle its messages or to iterate over them.

        Args:
            name: 1 to 36 letters, digits, hyphens and underscores; to receive only, also one of the service's own.
            reliable: Whether nothing on it may be lost, doubled or out of order. It stays so for the whole session,
                and everybody who takes part has to say it; best before entering, so that nothing comes too early.

        Raises:
            ConfigurationError: if it is not the name of a topic.
        """
        if not reliable:
            _require_name(name)
            line = self._reliable.get(name)
            return Topic(self, name) if line is None else self._hold(name, line)
        require_topic(name)
        line = self._reliable.get(name)
        if line is None:
            stream = int(self._rng() * 2**32) << 32 | int(self._rng() * 2**32)
            protocol = ReliableTopicProtocol(name, self.attendee_id, stream)
            line = self._reliable[name] = ReliableLine(protocol, self.hub.emit_all, self._rng)
            if self._tasks is not None:
                self._start(line)
        return self._hold(name, line)

    def _hold(self, name: str, line: ReliableLine) -> ReliableTopic:
        return ReliableTopic(self, name, line, self.configuration.send_timeout)

    def _start(self, line: ReliableLine) -> None:
        if self._tasks is not None:
            if self.is_joined:
                line.begin(len(self.roster))
            self._tasks.start_soon(self._until_closed, lambda: line.run(self._sending.send_when_joined))

    def on_topic(self, topic: str, *, policy: Policy = "wait", size: int = DEFAULT_SIZE) -> TopicHandlers:
        """Return a decorator that subscribes a handler, ``def`` or ``async def``, to the messages of a topic.

        Any number of handlers per topic; before or after the session was entered. Official name:
        realtimeSubscribeToReceiveDataMessage.

        Raises:
            ConfigurationError: if it is not the name of a topic.
        """
        _require_name(topic)

        def register(handler: Callable[[Any], Any], /) -> Callable[[Any], Any]:
            @functools.wraps(handler)
            def handle(event: DataMessageReceived) -> object:
                message = event.message
                return handler(message) if message.topic == topic else None

            subscription = self.hub.subscribe(handle, DataMessageReceived, policy=policy, size=size)
            self._remember(topic, subscription)
            return handler

        return register

    def messages(self, topic: str, *, policy: Policy = "wait", size: int = DEFAULT_SIZE) -> TopicMessages:
        """Return an asynchronous iterator over the messages of a topic, from its first step on.

        Raises:
            ConfigurationError: if it is not the name of a topic.
        """
        _require_name(topic)
        stream = self.hub.events(DataMessageReceived, MeetingSessionStopped, policy=policy, size=size)
        self._remember(topic, stream)
        return TopicMessages(stream, topic)

    def unsubscribe(self, topic: str) -> None:
        """End every handler and iterator of a topic. Official name: realtimeUnsubscribeFromReceiveDataMessage."""
        for subscription in self._subscriptions.pop(topic, ()):
            subscription.close()

    def _remember(self, topic: str, subscription: Subscription) -> None:
        known = self._subscriptions.get(topic, ())
        self._subscriptions[topic] = [*(other for other in known if not other.closed), subscription]

    # Receiving

    def _received(self, events: list[Event]) -> list[Event]:
        """Look at what the connection brings before anybody is told: leave out what a replay brings again."""
        accept, reliable = self._seen.accept, self._reliable
        told: list[Event] = []
        is_repeated = False
        for event in events:
            if type(event) is DataMessageReceived:
                message = event.message
                is_repeated = not accept(message.sender_attendee_id, message.ingest_time_ns or 0, message.topic)
                if is_repeated:
                    continue
                line = reliable.get(message.topic) if reliable else None
                if line is None:
                    told.append(event)
                else:
                    told += line.received(message)
            elif not is_repeated or type(event) not in _MEANT:
                told += self._noticed(event)
        return told

    def _noticed(self, event: Event) -> list[Event]:
        """Look at anything else than a message; return what is told instead."""
        told: list[Event] = [event]
        if isinstance(event, DataMessageThrottled):
            line = self._reliable.get(event.message.topic)
            returned = line is not None and line.returned(event.message)
            return [] if returned else [self._sending.throttled(event.message)]
        if type(event) in _NOTICED:
            for line in self._reliable.values():
                told += line.noticed(event, len(self.roster))
        return told

    async def _work(self) -> None:
        """Do what there is to do beside receiving, as long as the session lives."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._until_closed, self._sending.work_off_queue)
                tasks.start_soon(self._until_closed, self._sending.resend)
                self._tasks = tasks
                for line in self._reliable.values():
                    self._start(line)
                await anyio.sleep_forever()
        finally:
            self._tasks = None
            for line in self._reliable.values():
                line.wake()

    async def _until_closed(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        with suppress(SessionClosedError):
            await work()

    # Sending

    async def send(self, topic: str, data: object, lifetime: float = 0.0) -> None:
        """Send a message to everybody else in the meeting. Official name: realtimeSendDataMessage.

        It returns when the message is written to the connection, at the pace that the service allows. While there is
        no connection, `while_reconnecting` of the configuration decides.

        Args:
            topic: 1 to 36 letters, digits, hyphens and underscores.
            data: Bytes as they are, text as UTF-8, anything else as JSON; at most 2048 bytes.
            lifetime: Seconds, 300 at most, that the message is kept for attendees who join later.

        Raises:
            LimitError: over one of the limits; names field, value and limit.
            ConfigurationError: for a topic or data that cannot be sent.
            SessionNotEstablishedError: not joined, with ``while_reconnecting="raise"``, or before entering.
            QueueFullError: too many wait already, with ``while_reconnecting="queue"``.
            WaitTimeoutError: no connection, or not its turn, within `send_timeout`.
            SessionClosedError: the session is over.
        """
        require_topic(topic)
        line = self._reliable.get(topic)
        if line is not None:
            await self._hold(topic, line).send(data, lifetime)
            return
        encoded = encode_data(data)
        require_data(encoded)
        message = (topic, encoded, require_lifetime(lifetime))
        await self._sending.send(message)

    def require_alive(self) -> None:
        """Check that the session is entered and not over.

        Raises:
            SessionNotEstablishedError: before it was entered.
            SessionClosedError: when it is over.
        """
        self._sending.require_alive()


def _require_name(topic: str) -> None:
    """Check a topic that is to be received: one of an attendee, or one of the service."""
    if not isinstance(topic, str) or not topic.startswith(SERVICE_PREFIX):
        require_topic(topic)
    elif len(topic) > 128:
        raise ConfigurationError("topic", "is longer than 128 characters")
