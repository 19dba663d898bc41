"""A messaging session as its user holds it: the one connect, receive and reconnect loop.

    async with MessagingSession(MessagingSessionConfiguration(user_arn)) as session:
        async with session.events(MessageCreated) as messages:
            async for event in messages:
                await session.channel(event.message.channel_arn).send("You said: " + event.message.content)

Entering returns when the session is established, or raises why it will not be. From then on the block is left alone:
nothing that happens to the connection is raised inside it or at its end. When the session is over, `SessionStopped` is
told with its error, iterators end, and `wait_stopped` returns; leaving the block stops a session that still runs.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import anyio
from anyio.abc import TaskGroup

from chime_messaging.errors import ChimeError, SessionClosedError, SessionStoppedError
from chime_messaging.events import Event, ReconnectScheduled, SessionEstablished, SessionStopped
from chime_messaging.observers.hub import BATCH, EventHub
from chime_messaging.protocol.messaging_session import MessagingClientProtocol, State
from chime_messaging.protocol.reconnect import Backoff
from chime_messaging.protocol.resume import Resume
from chime_messaging.sessions.channels import Channel, Channels
from chime_messaging.sessions.configuration import MessagingSessionConfiguration
from chime_messaging.sessions.life import Life
from chime_messaging.sessions.resume import CatchUp
from chime_messaging.sessions.service import AwsSessionService, SessionService
from chime_messaging.transport.base import NO_STATUS, Connector, Transport

CLOSE_TIMEOUT = 5.0
"""Seconds for the websocket to close, after which it is dropped."""

logger = logging.getLogger("chime_messaging.sessions")


class MessagingSession:
    """Receives everything that happens in a user's channels. Use as ``async with``, once.

    Args:
        configuration: Who, where and how.
        service: What asks the control plane; made from the configuration by default.
        connector: What opens websockets; made from the configuration by default.
        rng: Gives numbers in [0, 1) for the waits between tries.
        clock: Gives the present moment, in UTC; used to know what was missed.
    """

    def __init__(
        self,
        configuration: MessagingSessionConfiguration,
        *,
        service: SessionService | None = None,
        connector: Connector | None = None,
        rng: Callable[[], float] = random.random,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.configuration = configuration
        self._service: SessionService = service or AwsSessionService(configuration)
        self._connector = connector
        self._rng = rng
        self._clock = clock
        self._backoff = Backoff(
            configuration.reconnect_short_backoff,
            configuration.reconnect_long_backoff,
            configuration.reconnect_fixed_wait,
        )
        self._protocol = MessagingClientProtocol(
            configuration.session_id,
            backoff=self._backoff,
            reconnect_timeout=configuration.reconnect_timeout,
            establish_timeout=configuration.establish_timeout,
            idle_timeout=configuration.idle_timeout,
        )
        self._resume = Resume(configuration.user_arn) if configuration.resume else None
        self.hub = EventHub()
        """Where the session's events are told; `on`, `events`, `add_observer` and `wait_for` are its."""
        self._never_connected = True
        self._life = Life("messaging session", self._run, self.stop, self._refusal)
        self._running: anyio.CancelScope | None = None
        # Bound methods rather than methods of our own: their overloads tell type checkers which event a handler gets.
        self.on = self.hub.on
        """Decorator that subscribes a handler: ``@session.on(MessageCreated)``."""
        self.off = self.hub.off
        """End every subscription of a handler."""
        self.events = self.hub.events
        """Events as an iterator: ``async with session.events(MessageCreated) as stream``."""
        self.add_observer = self.hub.add_observer
        """Subscribe an object with methods of `MessagingSessionObserver`."""
        self.remove_observer = self.hub.remove_observer
        self.wait_for = self.hub.wait_for
        """Wait for one event: ``await session.wait_for(MessageCreated, where=..., timeout=5)``."""

    # What it is

    @property
    def state(self) -> State:
        """Where the session stands."""
        return self._protocol.state

    @property
    def is_established(self) -> bool:
        """Whether events are being received now."""
        return self._protocol.state is State.ESTABLISHED

    @property
    def session_id(self) -> str:
        """Id of the session, the same over all its connections."""
        return self.configuration.session_id

    @property
    def user_arn(self) -> str:
        """Whose session it is."""
        return self.configuration.user_arn

    @property
    def stopped(self) -> SessionStopped | None:
        """How the session ended, once it has."""
        return self._protocol.stopped

    @property
    def channels(self) -> Channels:
        """The user's channels: list, create, search."""
        return Channels(self._service.control_plane, self.user_arn, source=self.hub)

    def channel(self, arn: str) -> Channel:
        """Take hold of a channel, to send to it or to read its history.

        Raises:
            InvalidArnError: if `arn` is not the ARN of a channel.
        """
        return Channel(arn, self._service.control_plane, self.user_arn, source=self.hub)

    # Its life

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            SessionRejectedError: 4401, or 401 or 403 at the upgrade.
            SessionKickedError: 4003.
            SessionStoppedError: closed with another code that is not worth another try.
            SessionTimeoutError: connected, but SESSION_ESTABLISHED did not come.
            ReconnectDeadlineError: if `reconnect_timeout` is set and has passed.
            CredentialsError: no usable AWS credentials.
            ServiceError: the control plane refused to tell the endpoint.
            ConfigurationError: no region, for example.
            UsageError: if the session was entered before.
        """
        self._running = self._running or anyio.CancelScope()
        await self._life.enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return await self._life.exit(kind, error, traceback)

    def stop(self) -> None:
        """End the session: close the connection, tell `SessionStopped`. Returns at once; `wait_stopped` waits.

        Works at any moment of the session, from handlers too; harmless before and after.
        """
        if self._running is not None:
            self._running.cancel()
            self.hub.hurry()

    async def wait_stopped(self) -> SessionStopped:
        """Wait until the session is over and its connection closed; return how it ended.

        Raises:
            UsageError: if the session was not entered.
        """
        await self._life.wait_over()
        if self._protocol.stopped is None:
            raise SessionClosedError("the session ended before it began")
        return self._protocol.stopped

    def _refusal(self) -> Exception | None:
        stopped = self._protocol.stopped
        if stopped is None:
            return None
        return stopped.error or SessionStoppedError(NO_STATUS, "stopped before it was established")

    async def _run(self) -> None:
        async with self.hub:
            try:
                with self._running or anyio.CancelScope():
                    await self._keep_connected()
            except Exception as exc:
                logger.exception("The messaging session of %s failed", self.user_arn)
                self._tell(self._protocol.fail(exc))
            finally:
                self._tell(self._protocol.stop(anyio.current_time()))
                # Before the hub has worked off what waits, so that a handler may wait for this.
                self._life.over()

    async def _keep_connected(self) -> None:
        protocol = self._protocol
        self._tell(protocol.start(anyio.current_time()))
        while protocol.state is not State.STOPPED:
            if protocol.state is State.WAITING:
                await anyio.sleep_until(protocol.deadline or 0.0)
                self._tell(self._expire())
            else:
                await self._connect()

    async def _connect(self) -> None:
        """Make one connection and live on it until it is lost."""
        protocol = self._protocol
        try:
            url = await self._service.connect_url(first=self._never_connected)
            self._tell(protocol.located(anyio.current_time()))
            self._never_connected = False
            if self._connector is None:
                self._connector = await self._service.connector()
            transport = await self._connector.connect(url, timeout=self.configuration.connect_timeout)
        except ChimeError as exc:
            self._tell(protocol.lost(exc, anyio.current_time(), self._rng()))
            return
        try:
            self._tell(protocol.opened(anyio.current_time()))
            if self._resume is not None:
                self._resume.opened(self._clock())
            error = await self._live_on(transport)
            # The catch-up has ended here, so nothing is told after the loss that belongs before it.
            if self._resume is not None:
                self._resume.lost(self._clock())
            if error is None:
                self._tell(self._expire())
            else:
                self._tell(protocol.lost(error, anyio.current_time(), self._rng()))
        finally:
            with anyio.move_on_after(CLOSE_TIMEOUT, shield=True):
                await transport.aclose(NO_STATUS)

    def _expire(self) -> list[Event]:
        # Event loops may wake us by a rounding error too early, and waiting for the rest may take no time at all.
        now = max(anyio.current_time(), self._protocol.deadline or 0.0)
        return self._protocol.expire(now, self._rng())

    async def _live_on(self, transport: Transport) -> ChimeError | None:
        """Receive until the connection is lost, and return the error; None when the protocol's deadline has passed."""
        hub = self.hub
        async with anyio.create_task_group() as tasks:
            while True:
                try:
                    frames = await self._receive(transport)
                except ChimeError as exc:
                    error: ChimeError | None = exc
                    break
                if frames is None:
                    error = None
                    break
                events = self._protocol.receive(frames, anyio.current_time())
                if events and type(events[0]) is SessionEstablished:
                    self._established(tasks)
                if self._resume is not None:
                    events = self._resume.live(events, self._clock())
                if len(events) <= BATCH and hub.has_room(len(events)):
                    hub.emit_all(events)
                else:
                    await hub.deliver(events)
            tasks.cancel_scope.cancel()
        return error

    async def _receive(self, transport: Transport) -> list[str | bytes] | None:
        deadline = self._protocol.deadline
        if deadline is None:
            return await transport.receive()
        with anyio.CancelScope(deadline=deadline):
            return await transport.receive()
        return None

    def _established(self, connection: TaskGroup) -> None:
        logger.info("Session %s of %s is established", self.session_id, self.user_arn)
        self._life.ready()
        if self._resume is not None and self._resume.established(self._clock()):
            catch_up = CatchUp(self._resume, self._service, self.hub, self._backoff, self._rng)
            connection.start_soon(catch_up.run, connection.cancel_scope)

    # Telling

    def _tell(self, events: Sequence[Event]) -> None:
        for event in events:
            _log(event, self.user_arn)
            self.hub.emit(event)


def _log(event: Event, user_arn: str) -> None:
    if isinstance(event, ReconnectScheduled):
        logger.warning(
            "Session of %s: not connected (%d %s), try %d in %.1f s",
            user_arn,
            event.code,
            event.reason,
            event.attempt,
            event.delay,
        )
    elif isinstance(event, SessionStopped):
        level = logging.INFO if event.error is None else logging.ERROR
        logger.log(level, "Session of %s stopped: %s", user_arn, event.error or "by the application")
