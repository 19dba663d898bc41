"""How data messages get onto the connection: at the service's pace, and by one of three ways when there is none."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Any

import anyio

from chime_messaging.errors import (
    ConnectionClosed,
    QueueFullError,
    SessionClosedError,
    SessionNotEstablishedError,
    WaitTimeoutError,
)
from chime_messaging.meeting_events import DataMessage, DataMessageThrottled
from chime_messaging.protocol.data_messages import TokenBucket
from chime_messaging.protocol.signaling import SignalingClientProtocol, State
from chime_messaging.sessions.meeting_configuration import MeetingSessionConfiguration
from chime_messaging.sessions.resends import Outgoing, Resends
from chime_messaging.sessions.signaling import SignalingSession

_TICK = 1e-3
"""Seconds that are not worth a sleep; the bucket counts them all the same."""

logger = logging.getLogger("chime_messaging.sessions")


class Sending:
    """Sends the messages of one session.

    Args:
        configuration: Pace, and what to do while there is no connection.
        signaling: The connection.
        rng: Gives numbers in [0, 1).
    """

    def __init__(
        self, configuration: MeetingSessionConfiguration, signaling: SignalingSession, rng: Callable[[], float]
    ) -> None:
        self._configuration = configuration
        self._signaling = signaling
        self._bucket = None if configuration.pace is None else TokenBucket(configuration.pace)
        self._resends = Resends(rng) if configuration.resend_throttled else None
        self._queue: deque[Outgoing] = deque()
        self._queued = anyio.Event()

    async def send(self, message: Outgoing) -> None:
        """Send a message as the configuration says; see `DataMessageSession.send`."""
        policy = self._configuration.while_reconnecting
        self.require_alive()
        if policy == "wait":
            await self._send_in_time(message)
        elif policy == "raise":
            await self._send_now(message)
        elif self._queue or self._signaling.state is not State.JOINED:
            self._enqueue(message)
        else:
            try:
                await self._send_now(message)
            except SessionNotEstablishedError:
                self._enqueue(message)

    async def send_when_joined(self, message: Outgoing) -> None:
        """Send a message in its turn, however long that takes.

        Raises:
            SessionClosedError: when the session is over.
        """
        await self._paced(message, self._signaling.write_when_joined)

    def require_alive(self) -> None:
        """Check that the session is entered and not over.

        Raises:
            SessionNotEstablishedError: before it was entered.
            SessionClosedError: when it is over.
        """
        state = self._signaling.state
        if state is State.IDLE:
            raise SessionNotEstablishedError("the session was not entered")
        if state in (State.STOPPED, State.LEAVING):
            raise SessionClosedError("the session is over")

    def throttled(self, message: DataMessage) -> DataMessageThrottled:
        """Take a message that came back; return what is to be told."""
        if self._resends is None:
            return DataMessageThrottled(message)
        return DataMessageThrottled(message, self._resends.returned(message.topic, message.data, anyio.current_time()))

    async def work_off_queue(self) -> None:
        """Send what is queued, as long as the session lives."""
        try:
            while True:
                while self._queue:
                    # Stays at its place until it is written: what comes meanwhile queues up behind it.
                    await self.send_when_joined(self._queue[0])
                    self._queue.popleft()
                self._queued = anyio.Event()
                await self._queued.wait()
        finally:
            if self._queue:
                logger.warning("%d queued data messages were not sent", len(self._queue))
                self._queue.clear()

    async def resend(self) -> None:
        """Send throttled messages again, as long as the session lives."""
        while self._resends is not None:
            await self.send_when_joined(await self._resends.next())

    def _enqueue(self, message: Outgoing) -> None:
        self.require_alive()
        if len(self._queue) >= self._configuration.queue_size:
            raise QueueFullError("messages that wait for the connection", self._configuration.queue_size)
        self._queue.append(message)
        self._queued.set()

    async def _send_in_time(self, message: Outgoing) -> None:
        timeout = self._configuration.send_timeout
        with anyio.move_on_after(timeout):
            await self.send_when_joined(message)
            return
        is_joined = self._signaling.state is State.JOINED
        raise WaitTimeoutError("turn to send" if is_joined else "connection to send on", timeout)

    async def _send_now(self, message: Outgoing) -> None:
        self._signaling.protocol.require_joined()
        try:
            await self._paced(message, self._signaling.write)
        except ConnectionClosed as exc:
            raise SessionNotEstablishedError("the connection was lost while the message was sent") from exc

    async def _paced(self, message: Outgoing, write: Callable[[Any], Any]) -> None:
        topic, data, lifetime_ms = message
        if self._resends is not None:
            self._resends.sent(message)

        def add(protocol: SignalingClientProtocol, now: float) -> None:
            protocol.send(topic, data, lifetime_ms, now)

        if self._bucket is None:
            await write(add)
            return
        is_written = False
        delay = self._bucket.reserve(anyio.current_time())
        try:
            if delay > _TICK:
                await anyio.sleep(delay)
            await write(add)
            is_written = True
        finally:
            if not is_written:
                self._bucket.put_back()
