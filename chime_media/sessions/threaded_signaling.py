"""The signalling of a session with media, as the application's event loop sees it: it runs on the media thread.

A `SignalingSession` in all that its users see. Events come over a bounded relay, frames to write go the other way.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

import anyio

from chime_media.events import MediaConnected
from chime_media.rtc.audio_sender import AudioFormat
from chime_media.rtc.media_thread import MediaThread
from chime_media.sessions.meeting_engine import MeetingEngine
from chime_messaging.errors import SessionClosedError, SessionNotEstablishedError
from chime_messaging.events import Event
from chime_messaging.meeting_events import MeetingSessionStarted, MeetingSessionStatusCode, MeetingSessionStopped
from chime_messaging.observers.hub import EventHub
from chime_messaging.protocol.signaling import SignalingClientProtocol, State
from chime_messaging.sessions.meeting_configuration import MeetingSessionConfiguration
from chime_messaging.sessions.signaling import SignalingSession
from chime_messaging.transport.base import Connector

MOST_EVENTS = 4096
"""Events that wait for an application which blocks its event loop; beyond them the oldest are lost."""


class ThreadedSignaling(SignalingSession):
    """Joins a meeting with media and stays joined. Entered once, with `enter`, which returns when media flows.

    Args:
        configuration: Which meeting, who and how.
        inspect: Takes what the connection brought and returns what the hub is to tell.
        work: What there is to do while the session lives; cancelled at its end.
        hub: Where events are told.
        audio_format: How sound is encoded.
        connector: What opens websockets; made from the configuration by default.
        rng: Gives numbers in [0, 1).
        clock: Gives seconds since the epoch.
    """

    def __init__(
        self,
        configuration: MeetingSessionConfiguration,
        inspect: Callable[[list[Event]], list[Event]],
        work: Callable[[], Coroutine[Any, Any, None]],
        hub: EventHub,
        *,
        audio_format: AudioFormat,
        connector: Connector | None = None,
        rng: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(configuration, inspect, work, hub, connector=connector, rng=rng, clock=clock)
        self._relay = EventRelay()
        self.engine = MeetingEngine(
            configuration, audio_format, self._relay.tell, connector=connector, rng=rng, clock=clock
        )
        self._thread: MediaThread | None = None
        self._is_entered = False

    @property
    def protocol(self) -> SignalingClientProtocol:
        """The state machine; it belongs to the media thread.

        Raises:
            SessionNotEstablishedError: before the session was entered.
        """
        return self.engine.signaling.protocol

    @property
    def state(self) -> State:
        """Where the session stands."""
        try:
            return self.engine.signaling.state
        except SessionNotEstablishedError:
            return State.IDLE

    @property
    def stopped(self) -> MeetingSessionStopped | None:
        """How the session ended, once it has."""
        return None if self.state is State.IDLE else self.engine.signaling.stopped

    @property
    def lost_events(self) -> int:
        """Events that had no room as the application blocked its event loop for too long."""
        return self._relay.lost

    async def enter(self) -> None:
        """Join; return when media flows."""
        self._is_entered = True
        await self.life.enter()

    def stop(self) -> None:
        """End the session. Returns at once; harmless before and after."""
        if not self._is_entered:
            return
        self._is_stopped_early = True
        if self._thread is not None:
            self.post(self.engine.stop)
            self.hub.hurry()

    def settle(self) -> None:
        """The media thread does it."""

    def break_off(self, status: MeetingSessionStatusCode, reason: str) -> None:
        """Say that the session cannot go on as it is."""
        self.post(self.engine.break_off, status, reason)

    def post(self, call: Callable[..., object], *arguments: Any) -> None:
        """Let the media thread call something soon; before the session runs, it is called at once."""
        if self._thread is None:
            call(*arguments)
        else:
            self._thread.post(call, *arguments)

    async def write_when_joined(self, add: Callable[[SignalingClientProtocol, float], None]) -> None:
        """Wait until the session is joined and write what `add` puts into the protocol; again if that is lost."""
        if self._thread is None:
            raise SessionClosedError("the session is over")
        await self._thread.run(self.engine.signaling.write_when_joined(add))

    async def write(self, add: Callable[[SignalingClientProtocol, float], None]) -> None:
        """Let `add` put a frame into the protocol, and write it. The session must be joined."""
        if self._thread is None:
            raise SessionNotEstablishedError("the session is not joined")
        await self._thread.run(self.engine.signaling.write(add))

    async def _run(self) -> None:
        if self._is_stopped_early:
            return
        self._thread = thread = MediaThread.enter()
        self._relay.open(asyncio.get_running_loop(), thread)
        thread.post(self.engine.prepare, thread)
        try:
            # Shielded as without media: a cancelled block is left by LEAVE, which the block sees to.
            with anyio.CancelScope(shield=True):
                async with self.hub, anyio.create_task_group() as tasks:
                    tasks.start_soon(self._work)
                    try:
                        async with anyio.create_task_group() as relaying:
                            relaying.start_soon(self._bring_events)
                            await thread.run(self.engine.run())
                            self._relay.close()
                    finally:
                        self._wake()
                        self.life.over()
                        tasks.cancel_scope.cancel()
        finally:
            self._thread = None
            MediaThread.leave()

    async def _bring_events(self) -> None:
        while (events := await self._relay.next()) is not None:
            await self._deliver(events)

    def _inspect(self, events: list[Event]) -> list[Event]:
        events = self._inspect_first(events)
        for event in events:
            if isinstance(event, MediaConnected):
                self.life.ready()
            elif isinstance(event, MeetingSessionStarted):
                self._wake()
        return events


class EventRelay:
    """Brings events from the media thread to the event loop of the application, in their order."""

    def __init__(self) -> None:
        self.lost = 0
        """Events that had no room."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: MediaThread | None = None
        self._waiting: deque[Event] = deque()
        self._arrived = asyncio.Event()
        self._is_told = False
        self._is_closed = False

    def open(self, loop: asyncio.AbstractEventLoop, thread: MediaThread) -> None:
        """Say which loop takes the events, and where they come from."""
        self._loop, self._thread = loop, thread

    def close(self) -> None:
        """No more will come. Called on the loop."""
        self._is_closed = True
        self._arrived.set()

    def tell(self, events: list[Event]) -> None:
        """Hand events over. Called on the media thread."""
        waiting = self._waiting
        waiting.extend(events)
        while len(waiting) > MOST_EVENTS:
            waiting.popleft()
            self.lost += 1
        if not self._is_told and self._loop is not None and self._thread is not None:
            self._is_told = True
            self._thread.answer(self._loop, self._arrived.set)

    async def next(self) -> list[Event] | None:
        """Wait for events; None when there will be no more."""
        while not self._waiting:
            if self._is_closed:
                return None
            await self._arrived.wait()
            self._arrived.clear()
            # From here on the media thread tells again; what it put in before is taken below.
            self._is_told = False
        events: list[Event] = []
        while self._waiting:
            try:
                events.append(self._waiting.popleft())
            except IndexError:
                # The media thread has just thrown the last one away.
                break
        return events
