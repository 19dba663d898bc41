"""The signalling connection of one attendee: the connect, receive and reconnect loop, without media.

What a user holds (`DataMessageSession`) stands on it: it looks at every event before the hub tells it, and writes
frames with `write`.
"""

from __future__ import annotations

import logging
import platform
import random
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import anyio
from anyio.lowlevel import checkpoint

import chime_messaging
from chime_messaging.errors import (
    ChimeError,
    ConnectionClosed,
    SessionClosedError,
    SessionNotEstablishedError,
    SessionStoppedError,
)
from chime_messaging.events import Event
from chime_messaging.meeting_events import (
    DataMessageReceived,
    MeetingReconnectScheduled,
    MeetingSessionStarted,
    MeetingSessionStatusCode,
    MeetingSessionStopped,
)
from chime_messaging.observers.hub import EventHub
from chime_messaging.protocol.reconnect import Backoff
from chime_messaging.protocol.signal_frames import DATA_CLIENT, ClientDetails, JoinOptions
from chime_messaging.protocol.signaling import SignalingClientProtocol, State
from chime_messaging.sessions.life import Life
from chime_messaging.sessions.meeting_configuration import MeetingSessionConfiguration
from chime_messaging.transport.base import NO_STATUS, Connector, Transport
from chime_messaging.transport.websocket import WebSocketConnector
from chime_messaging.wire.signaling import MAX_FRAME_BYTES, SUBPROTOCOL

CLOSE_TIMEOUT = 5.0
"""Seconds for the websocket to close, after which it is dropped."""

PATIENCE = 2.0
"""Seconds that a full mailbox holds up the connection. No longer, because the service hangs up on an attendee who does
not answer its ping within 10 s; what has no room then pushes out the oldest."""

_CONNECTED = frozenset({State.JOINING, State.JOINED, State.LEAVING})

logger = logging.getLogger("chime_messaging.sessions")


class SignalingSession:
    """Joins a meeting and stays joined. Entered once, with `enter`.

    Args:
        configuration: Which meeting, who and how.
        inspect: Takes what the connection brought and returns what the hub is to tell.
        work: What there is to do while the session lives; cancelled at its end.
        hub: Where events are told.
        connector: What opens websockets; made from the configuration by default.
        rng: Gives numbers in [0, 1) for the waits between tries, and the audio session id.
        clock: Gives seconds since the epoch.
        client_source: What the client calls itself in JOIN; not for `DATA_CLIENT` the session is established only
            when `settle` is called.
    """

    def __init__(
        self,
        configuration: MeetingSessionConfiguration,
        inspect: Callable[[list[Event]], list[Event]],
        work: Callable[[], Coroutine[Any, Any, None]],
        hub: EventHub,
        *,
        connector: Connector | None = None,
        rng: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.time,
        client_source: str = DATA_CLIENT,
    ) -> None:
        self.configuration = configuration
        self.hub = hub
        self.life = Life("meeting session", self._run, self.stop, self._refusal)
        self._inspect_first = inspect
        self._work = work
        # No pings of the websocket: the protocol has its own, in both directions.
        self._connector = connector or WebSocketConnector(
            ssl_context=configuration.ssl_context, max_size=MAX_FRAME_BYTES, ping_interval=None
        )
        self._rng = rng
        self._clock = clock
        self._client_source = client_source
        self._audio_session_id = int(rng() * 2**32)
        self._protocol: SignalingClientProtocol | None = None
        self._is_stopped_early = False
        self._waiting: anyio.CancelScope | None = None
        self._transport: Transport | None = None
        self._writing = anyio.Lock()
        self._joined = anyio.Event()

    @property
    def protocol(self) -> SignalingClientProtocol:
        """The state machine.

        Raises:
            SessionNotEstablishedError: before the session was entered.
        """
        if self._protocol is None:
            raise SessionNotEstablishedError("the session was not entered")
        return self._protocol

    @property
    def state(self) -> State:
        """Where the session stands."""
        return State.IDLE if self._protocol is None else self._protocol.state

    @property
    def stopped(self) -> MeetingSessionStopped | None:
        """How the session ended, once it has."""
        return None if self._protocol is None else self._protocol.stopped

    async def enter(self) -> None:
        """Join; return when joined. See `Life.enter` and `Life.exit`, which is the other end of it."""
        if self._protocol is None:
            self._protocol = self._make_protocol()
        await self.life.enter()

    def stop(self) -> None:
        """End the session: LEAVE, LEAVE_ACK, close. Returns at once; harmless before and after."""
        protocol = self._protocol
        if protocol is None or protocol.state is State.STOPPED:
            return
        if protocol.state is State.IDLE:
            # Entered, but its task has not had a turn yet.
            self._is_stopped_early = True
            return
        self._tell(protocol.leave(anyio.current_time()))
        self.hub.hurry()
        self._interrupt()

    def settle(self) -> None:
        """Say that media flows: the session is established."""
        self.protocol.settle()

    def break_off(self, status: MeetingSessionStatusCode, reason: str) -> None:
        """Say that media failed: the session reconnects or ends, as the status says. Returns at once."""
        if self._protocol is not None:
            self._tell(self._protocol.break_off(status, anyio.current_time(), self._rng(), reason))
            self._interrupt()

    # Writing

    async def write_when_joined(self, add: Callable[[SignalingClientProtocol, float], None]) -> None:
        """Wait until the session is joined and write what `add` puts into the protocol; again if that is lost.

        Raises:
            SessionClosedError: if the session is over.
        """
        while True:
            while self.state is not State.JOINED:
                if self.state in (State.STOPPED, State.LEAVING):
                    raise SessionClosedError("the session is over")
                await self._joined.wait()
            joined = self._joined
            try:
                await self.write(add)
            except SessionNotEstablishedError:
                continue
            except ConnectionClosed:
                # The loop will notice the loss, too, but may be busy.
                await joined.wait()
            else:
                return

    async def write(self, add: Callable[[SignalingClientProtocol, float], None]) -> None:
        """Let `add` put a frame into the protocol, and write it. The session must be joined.

        Raises:
            SessionNotEstablishedError: if it is not.
            ConnectionClosed: if the connection was lost before the frame was written.
        """
        async with self._writing:
            transport = self._transport
            if transport is None or self.state is not State.JOINED:
                raise SessionNotEstablishedError("the session is not joined")
            add(self.protocol, anyio.current_time())
            await self._write_out(transport)

    async def _write_out(self, transport: Transport) -> None:
        for frame in self.protocol.take():
            # A frame is written or it is not; a caller who gives up must not leave that open.
            with anyio.CancelScope(shield=True):
                await transport.send(frame)

    async def _flush(self, transport: Transport) -> None:
        async with self._writing:
            try:
                await self._write_out(transport)
            except ConnectionClosed:
                # Receiving tells what came before the end, and how it ended.
                logger.debug("The connection ended while frames were written")

    # The loop

    def _refusal(self) -> Exception | None:
        stopped = self.stopped
        if stopped is None and not self._is_stopped_early:
            return None
        error = None if stopped is None else stopped.error
        return error or SessionStoppedError(NO_STATUS, "stopped before it was joined")

    def _make_protocol(self) -> SignalingClientProtocol:
        configuration = self.configuration
        return SignalingClientProtocol(
            configuration.credentials.attendee_id,
            JoinOptions(
                audio_session_id=self._audio_session_id,
                client_details=ClientDetails(
                    client_source=self._client_source,
                    platform_name="python",
                    platform_version=platform.python_version(),
                    chime_sdk_version=chime_messaging.__version__,
                    client_utc_offset=utc_offset(self._clock()),
                ),
            ),
            wall_clock=self._clock() - anyio.current_time(),
            backoff=Backoff(
                configuration.reconnect_short_backoff,
                configuration.reconnect_long_backoff,
                configuration.reconnect_fixed_wait,
            ),
            reconnect_timeout=configuration.reconnect_timeout,
            join_timeout=configuration.join_timeout,
            settles_by_index=self._client_source == DATA_CLIENT,
        )

    async def _run(self) -> None:
        if self._is_stopped_early:
            return
        # Shielded: a cancelled block is left like any other, by LEAVE. Everything in here has a deadline once `stop`
        # was called, and the block calls it.
        with anyio.CancelScope(shield=True):
            async with self.hub, anyio.create_task_group() as tasks:
                tasks.start_soon(self._work)
                try:
                    await self._keep_joined()
                except Exception as exc:
                    logger.exception("The meeting session of %s failed", self.protocol.attendee_id)
                    self._tell(self.protocol.fail(exc))
                finally:
                    # Before the hub has worked off what waits, so that a handler may wait for this.
                    self._wake()
                    self.life.over()
                    tasks.cancel_scope.cancel()

    async def _keep_joined(self) -> None:
        protocol = self.protocol
        self._tell(protocol.start(anyio.current_time()))
        while protocol.state is not State.STOPPED:
            if protocol.state is State.CONNECTING:
                await self._connect()
            else:
                with self._interruptible():
                    await anyio.sleep_until(protocol.deadline or 0.0)
                self._expire()

    async def _connect(self) -> None:
        """Make one connection and live on it until it is lost."""
        protocol, configuration = self.protocol, self.configuration
        transport: Transport | None = None
        try:
            with self._interruptible():
                transport = await self._connector.connect(
                    signaling_url(configuration.urls.signaling_url),
                    timeout=configuration.connect_timeout,
                    subprotocols=(SUBPROTOCOL, configuration.credentials.join_token),
                )
        except ChimeError as exc:
            self._tell(protocol.lost(exc, anyio.current_time(), self._rng()))
            return
        if transport is None:
            return
        try:
            if protocol.state is State.CONNECTING:
                self._tell(protocol.opened(anyio.current_time()))
                await self._live_on(transport)
        finally:
            self._transport = None
            with anyio.move_on_after(CLOSE_TIMEOUT, shield=True):
                await transport.aclose()

    async def _live_on(self, transport: Transport) -> None:
        protocol = self.protocol
        while protocol.state in _CONNECTED:
            await self._flush(transport)
            try:
                frames = await self._receive(transport)
            except ChimeError as exc:
                await self._deliver(protocol.lost(exc, anyio.current_time(), self._rng()))
                return
            if frames is None:
                self._expire()
                continue
            events = protocol.receive(frames, anyio.current_time(), self._rng())
            if self._transport is None and protocol.state is State.JOINED:
                self._transport = transport
                self._wake()
            # Before anybody is told: the service waits for its pong, and handlers may take their time.
            await self._flush(transport)
            await self._deliver(events)

    async def _receive(self, transport: Transport) -> list[str | bytes] | None:
        with self._interruptible(self.protocol.deadline):
            return await transport.receive()
        return None

    def _expire(self) -> None:
        # Event loops may wake us by a rounding error too early, and waiting for the rest may take no time at all.
        now, deadline = anyio.current_time(), self.protocol.deadline
        if deadline is not None and now > deadline - 1e-3:
            self._tell(self.protocol.expire(max(now, deadline), self._rng()))

    def _interruptible(self, deadline: float | None = None) -> anyio.CancelScope:
        self._waiting = scope = anyio.CancelScope(deadline=float("inf") if deadline is None else deadline)
        return scope

    def _interrupt(self) -> None:
        """Let the loop look at the protocol again."""
        self._wake()
        if self._waiting is not None:
            self._waiting.cancel()

    def _wake(self) -> None:
        joined, self._joined = self._joined, anyio.Event()
        joined.set()

    # Telling

    async def _deliver(self, events: list[Event]) -> None:
        events = self._inspect(events)
        if not self.hub.has_room(len(events)):
            with anyio.move_on_after(PATIENCE):
                while events:
                    room = await self.hub.room(len(events))
                    self.hub.emit_all(events[:room])
                    events = events[room:]
                    await checkpoint()
        self.hub.emit_all(events)

    def _tell(self, events: list[Event]) -> None:
        self.hub.emit_all(self._inspect(events))

    def _inspect(self, events: list[Event]) -> list[Event]:
        events = self._inspect_first(events)
        for event in events:
            if type(event) is DataMessageReceived:  # nearly all of them
                continue
            if isinstance(event, MeetingSessionStarted):
                logger.info("Attendee %s joined", event.attendee_id)
                self.life.ready()
            elif isinstance(event, MeetingReconnectScheduled | MeetingSessionStopped):
                _log(event, self.configuration.credentials.attendee_id)
        return events


def utc_offset(seconds: float) -> str:
    """Return how far local time is from UTC, for example ``+01:00``.

    Args:
        seconds: When, since the epoch.
    """
    offset = datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%z")
    return f"{offset[:3]}:{offset[3:5]}"


def signaling_url(url: str) -> str:
    """Return the URL of the websocket: the meeting's, and what tells the service how to speak to us."""
    query = urlencode(
        {
            "X-Chime-Control-Protocol-Version": 3,
            "X-Amzn-Chime-Send-Close-On-Error": 1,
            "X-Amzn-Version": chime_messaging.__version__,
            "X-Amzn-User-Agent": f"python-{platform.python_version_tuple()[0]}",
        }
    )
    return f"{url}{'&' if '?' in url else '?'}{query}"


def _log(event: MeetingReconnectScheduled | MeetingSessionStopped, attendee_id: str) -> None:
    if isinstance(event, MeetingReconnectScheduled):
        logger.warning(
            "Attendee %s: not connected (%s %s), try %d in %.1f s",
            attendee_id,
            event.status.name,
            event.reason,
            event.attempt,
            event.delay,
        )
    else:
        # That a meeting ends, or that somebody is taken out of it, is nothing to repair.
        level = logging.ERROR if event.status.is_failure else logging.INFO
        logger.log(level, "Attendee %s: session stopped: %s", attendee_id, event.error or "by the application")
