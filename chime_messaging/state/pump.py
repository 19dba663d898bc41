"""What runs the state machines of one topic: hands them what comes, and sends what they want to be sent."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Protocol, Self

import anyio
from anyio.abc import TaskGroup

from chime_messaging.errors import (
    QueueFullError,
    SessionClosedError,
    SessionNotEstablishedError,
    UsageError,
    WaitTimeoutError,
)
from chime_messaging.events import Event
from chime_messaging.meeting_events import (
    AttendeeLeft,
    DataMessage,
    DataMessageReceived,
    DataMessagesLost,
    DataMessageThrottled,
    MeetingReconnectScheduled,
    MeetingSessionStarted,
)
from chime_messaging.protocol.data_messages import MAX_DATA_BYTES
from chime_messaging.sessions.data_messages import DataMessageSession
from chime_messaging.state.outgoing import Outgoing
from chime_messaging.state.parts import Parts, in_parts

LARGE = "-large"
"""End of the name of the reliable topic that carries what does not fit into one message."""

_TICK = 1e-3
"""Seconds between two looks at least."""

_LAST_WORDS = 2.0
"""Seconds that leaving takes at most, to send what is not sent yet."""

_THROTTLED_PAUSE = 1.0
"""Seconds that a topic is quiet after one of its messages came back, and up to as much again."""


class Machine(Protocol):
    """What a pump runs."""

    @property
    def deadline(self) -> float | None:
        """When it wants to be looked at."""

    @property
    def has_unsent(self) -> bool:
        """Whether something that was changed here waits to be sent."""

    def connected(self, now: float) -> None:
        """Messages can be sent."""

    def disconnected(self) -> None:
        """They cannot."""

    def receive(self, sender: str, data: bytes, now: float) -> Sequence[Any]:
        """Take a message."""
        ...

    def returned(self, data: bytes, resume_at: float) -> None:
        """Take a message of one's own that came back."""

    def tick(self, now: float) -> Sequence[Any]:
        """Do what is due."""
        ...

    def take(self, now: float) -> Outgoing | None:
        """Return the next message to send."""


class Pump:
    """Runs machines on a topic of a session. Use as ``async with``, once, inside that of the session or around it.

    What comes before it is entered is taken in, too: made before the session is entered, nothing is missed.

    Args:
        session: The session.
        topic: Where messages are sent that fit into one.
        machines: What is run; every message is given to all.
        tell: Makes events of what the machines tell.
        gone: Called with the attendee id of whoever leaves; returns what is to be told.
    """

    def __init__(
        self,
        session: DataMessageSession,
        topic: str,
        machines: Sequence[Machine],
        tell: Callable[[Any], Event],
        gone: Callable[[str], Sequence[Any]],
    ) -> None:
        self.session = session
        self.topic = topic
        self._machines = machines
        self._tell = tell
        self._gone = gone
        self._large = session.topic(topic + LARGE, reliable=True)
        self._parts = Parts()
        self._changed = anyio.Event()
        self._is_connected = False
        self._tasks: TaskGroup | None = None
        self._is_entered = False
        self._is_sending = False
        self._subscription = session.hub.subscribe(
            self._heard,
            DataMessageReceived,
            DataMessageThrottled,
            DataMessagesLost,
            MeetingSessionStarted,
            MeetingReconnectScheduled,
            AttendeeLeft,
        )

    async def __aenter__(self) -> Self:
        if self._is_entered:
            raise UsageError("shared state is entered once")
        self._is_entered = True
        if self.session.is_joined:
            self._connect()
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._run)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        if self._tasks is None:
            raise UsageError("shared state was not entered")
        if kind is None and self.session.is_joined:
            with anyio.move_on_after(_LAST_WORDS):
                await self._settled()
        self._subscription.close()
        self._tasks.cancel_scope.cancel()
        # What was raised in the block goes on as it is, not in a group.
        await self._tasks.__aexit__(None, None, None)
        return None

    async def _settled(self) -> None:
        with suppress(SessionClosedError):
            await self.wait_for(lambda: not self.has_unsent)

    @property
    def has_unsent(self) -> bool:
        """Whether something that was changed here is not sent yet."""
        return self._is_sending or any(machine.has_unsent for machine in self._machines)

    def start(self, work: Callable[[], Any]) -> None:
        """Run something as long as the pump."""
        if self._tasks is None:
            raise UsageError("shared state was not entered")
        self._tasks.start_soon(work)

    def wake(self) -> None:
        """Let the pump, and whoever waits for a change, look again."""
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until something is true of the machines.

        Raises:
            SessionClosedError: if the session ends first.
        """
        while not condition():
            if self.session.stopped is not None:
                raise SessionClosedError("the session is over")
            await self._changed.wait()

    def emit(self, told: Sequence[Any]) -> None:
        """Tell what a machine told."""
        self.session.hub.emit_all([self._tell(one) for one in told])

    def _connect(self) -> None:
        if not self._is_connected:
            self._is_connected = True
            for machine in self._machines:
                machine.connected(anyio.current_time())
        self.wake()

    def _disconnect(self) -> None:
        self._is_connected = False
        for machine in self._machines:
            machine.disconnected()

    def _heard(self, event: Event) -> None:
        match event:
            case DataMessageReceived(message):
                self._take(message)
            case DataMessagesLost(topic, sender) if topic == self.topic + LARGE:
                self._parts.forget(sender)
            case DataMessageThrottled(message, will_resend):
                if message.topic == self.topic and not will_resend:
                    self._return(message.data)
            case MeetingSessionStarted():
                # Also after a reconnect of which the loss was not told.
                self._is_connected = False
                self._connect()
            case MeetingReconnectScheduled():
                self._disconnect()
            case AttendeeLeft(attendee, _, missed) if not missed:
                self._parts.forget(attendee.attendee_id)
                self.emit(self._gone(attendee.attendee_id))
                self.wake()

    def _take(self, message: DataMessage) -> None:
        if message.topic == self.topic:
            self._receive(message.sender_attendee_id, message.data)
        elif message.topic == self.topic + LARGE and (data := self._parts.add(message)) is not None:
            self._receive(message.sender_attendee_id, data)

    def _receive(self, sender: str, data: bytes) -> None:
        now = anyio.current_time()
        for machine in self._machines:
            self.emit(machine.receive(sender, data, now))
        self.wake()

    def _return(self, data: bytes) -> None:
        resume_at = anyio.current_time() + _THROTTLED_PAUSE * (1 + random.random())
        for machine in self._machines:
            machine.returned(data, resume_at)
        self.wake()

    async def _run(self) -> None:
        try:
            while True:
                changed = self._changed
                if await self._send_due():
                    continue
                due = min((machine.deadline or float("inf") for machine in self._machines), default=float("inf"))
                with anyio.CancelScope(deadline=max(due, anyio.current_time() + _TICK)):
                    await changed.wait()
        except SessionClosedError:
            self.wake()

    async def _send_due(self) -> bool:
        has_sent = False
        for machine in self._machines:
            now = anyio.current_time()
            self.emit(machine.tick(now))
            outgoing = machine.take(now)
            if outgoing is not None:
                has_sent = True
                await self._send(outgoing)
        return has_sent

    async def _send(self, outgoing: Outgoing) -> None:
        self._is_sending = True
        try:
            if len(outgoing.data) > MAX_DATA_BYTES:
                for part in in_parts(outgoing.data):
                    await self._large.send(part, outgoing.lifetime)
            else:
                await self.session.send(self.topic, outgoing.data, outgoing.lifetime)
        except (WaitTimeoutError, SessionNotEstablishedError, QueueFullError):
            self._return(outgoing.data)
        finally:
            self._is_sending = False
        self.wake()
