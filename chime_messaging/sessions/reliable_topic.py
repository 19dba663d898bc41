"""A topic on which nothing is lost, doubled or out of order, as its user holds it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import anyio

from chime_messaging.errors import WaitTimeoutError
from chime_messaging.events import Event
from chime_messaging.meeting_events import AttendeeJoined, AttendeeLeft, DataMessage, MeetingSessionStarted
from chime_messaging.protocol.data_messages import encode_data, require_lifetime
from chime_messaging.protocol.reliable_topic import ReliableTopicProtocol
from chime_messaging.sessions.resends import Outgoing
from chime_messaging.sessions.topics import Topic, TopicOwner

THROTTLED_PAUSE = 1.0
"""Seconds that a topic is quiet after the service has returned one of its messages, and up to as much again."""


_TICK = 1e-3
"""Seconds between two looks at least: a deadline that a rounding error has left just ahead is not waited for."""


class ReliableOwner(TopicOwner, Protocol):
    """What a reliable topic needs of its session."""

    def require_alive(self) -> None:
        """Check that the session is entered and not over."""


class ReliableLine:
    """What runs a reliable topic: sends what its protocol wants to be sent, when it is time.

    Args:
        protocol: The topic.
        emit: Where events go that time alone brings about.
        rng: Gives numbers in [0, 1).
    """

    def __init__(
        self, protocol: ReliableTopicProtocol, emit: Callable[[list[Event]], None], rng: Callable[[], float]
    ) -> None:
        self.protocol = protocol
        self._emit = emit
        self._rng = rng
        self._changed = anyio.Event()

    def begin(self, attendees: int) -> None:
        """Say that the session is joined already."""
        self.protocol.joined(attendees, anyio.current_time())

    def received(self, message: DataMessage) -> list[Event]:
        """Take a message of the topic; return what is to be told."""
        events = self.protocol.receive(message, anyio.current_time())
        self.wake()
        return events

    def returned(self, message: DataMessage) -> bool:
        """Take a message that was throttled; whether it is seen to here."""
        resume_at = anyio.current_time() + THROTTLED_PAUSE * (1 + self._rng())
        return self.protocol.returned(message, resume_at)

    def noticed(self, event: Event, attendees: int) -> list[Event]:
        """Look at another event of the session; return what else is to be told."""
        now = anyio.current_time()
        events: list[Event] = []
        if isinstance(event, MeetingSessionStarted):
            self.protocol.joined(attendees, now)
        elif isinstance(event, AttendeeJoined):
            self.protocol.attendees(attendees)
        elif isinstance(event, AttendeeLeft):
            self.protocol.attendees(attendees)
            # Who was dropped is likely to be back; so is who is missed after an outage: it may have been everybody's.
            if not (event.dropped or event.missed):
                events = self.protocol.attendee_left(event.attendee.attendee_id, now)
        else:
            return events
        self.wake()
        return events

    def wake(self) -> None:
        """Let `run`, and whoever waits for a change, look again."""
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until something is true of the protocol, or the session ends, which `condition` may raise about."""
        while not condition():
            await self._changed.wait()

    async def run(self, send: Callable[[Outgoing], Coroutine[Any, Any, None]]) -> None:
        """Send what there is to send, as long as the session lives."""
        protocol = self.protocol
        while True:
            now = anyio.current_time()
            # What changes while this sends has made a new event, so nothing is slept through.
            changed = self._changed
            if events := protocol.tick(now):
                self._emit(events)
            held = protocol.held(now)
            if not held and (frame := protocol.take(now)) is not None:
                data, lifetime_ms = frame
                await send((protocol.topic, data, lifetime_ms))
                continue
            deadline = protocol.deadline
            due = min(now + held if held else float("inf"), float("inf") if deadline is None else deadline)
            with anyio.CancelScope(deadline=max(due, now + _TICK)):
                await changed.wait()


class ReliableTopic(Topic):
    """One topic on which each message arrives once, and in the order of its sender. Made by `DataMessageSession.topic`.

    Everybody who takes part has to use it this way; what others send on it comes through as it is. Messages may be
    larger than 2048 bytes: they are compressed and cut into pieces.
    """

    def __init__(self, session: ReliableOwner, name: str, line: ReliableLine, timeout: float) -> None:
        super().__init__(session, name)
        self._owner = session
        self._line = line
        self._timeout = timeout

    async def send(self, data: object, lifetime: float = 0.0) -> None:
        """Send bytes, text or anything that can be JSON, up to 1 MiB, to everybody else.

        It returns when the message is taken, to be sent in its turn; `flush` waits until everybody has it. While too
        much is under way to somebody, it waits.

        Args:
            data: The message.
            lifetime: Seconds, 300 at most, that its pieces are kept by the service for attendees who join later.

        Raises:
            LimitError: over one of the limits; names field, value and limit.
            ConfigurationError: for data that cannot be sent.
            WaitTimeoutError: no room within `send_timeout`.
            SessionNotEstablishedError: before entering.
            SessionClosedError: the session is over.
        """
        encoded = encode_data(data)
        lifetime_ms = require_lifetime(lifetime)
        protocol = self._line.protocol
        protocol.require_size(encoded)

        def has_room() -> bool:
            self._owner.require_alive()
            return protocol.has_room(len(encoded))

        with anyio.move_on_after(self._timeout):
            await self._line.wait_for(has_room)
            protocol.send(encoded, lifetime_ms, anyio.current_time())
            self._line.wake()
            return
        raise WaitTimeoutError(f"room on topic {self.name}", self._timeout)

    async def flush(self, timeout: float | None = None) -> None:
        """Wait until everybody who takes part has acknowledged what was sent, or left.

        Raises:
            WaitTimeoutError: if that takes longer than `timeout` seconds.
            SessionClosedError: if the session ends first.
        """

        def is_settled() -> bool:
            self._owner.require_alive()
            return self._line.protocol.is_settled

        with anyio.move_on_after(timeout):
            await self._line.wait_for(is_settled)
            return
        raise WaitTimeoutError(f"acknowledgement on topic {self.name}", timeout or 0.0)
