"""A running bot: its session, its memory, and the order in which things are done."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
from anyio.abc import TaskGroup
from anyio.from_thread import BlockingPortal

from chime_messaging.aws.clients import open_client
from chime_messaging.aws.control_plane import ControlPlane
from chime_messaging.bots.absence import Absence
from chime_messaging.bots.handling import Handling
from chime_messaging.bots.invocations import event_of, message_event
from chime_messaging.bots.lanes import CatchUp, Invocation, Item, Lane, Lanes, of_channel
from chime_messaging.bots.patience import Patience
from chime_messaging.bots.store import BotStore
from chime_messaging.errors import ChimeError, ConfigurationError, SessionClosedError, SubscriptionOverflowError
from chime_messaging.events import Event, GapDetected, MessageCreated, SessionStopped
from chime_messaging.ids import require_arn
from chime_messaging.observers.subscription import EventStream
from chime_messaging.sessions.channel import Channel
from chime_messaging.sessions.channels import Channels
from chime_messaging.sessions.configuration import MessagingSessionConfiguration
from chime_messaging.sessions.messaging_session import MessagingSession

if TYPE_CHECKING:
    from chime_messaging.bots.bot import Bot, Job

BUFFER = 16_384
"""Events that wait to be sorted into channels."""

logger = logging.getLogger("chime_messaging.bots")


class BotStatistics(NamedTuple):
    """Counters of a running bot."""

    messages: int
    """Messages that were handled, not counting those that nobody was to answer."""
    failures: int
    """Handlers that failed."""
    waiting: int
    """Events that wait for their turn."""
    tries_again: int
    """Calls that were repeated."""
    overflows: int
    """Times that a channel had more waiting than is kept; the rest was read from the history."""


class Serving:
    """One run of a bot.

    Args:
        bot: What it answers.
        user_arn: Who it is.
        control_plane: How calls are made.
        session: Where events come from; None for an app instance bot, which is invoked.
        store: Its memory.
        tasks: Where everything runs.
    """

    def __init__(
        self,
        bot: Bot,
        user_arn: str,
        control_plane: ControlPlane,
        session: MessagingSession | None,
        store: BotStore,
        tasks: TaskGroup,
    ) -> None:
        self.bot = bot
        self.user_arn = user_arn
        self.session = session
        self.store = store
        self._control_plane = control_plane
        self._tasks = tasks
        self._patience = Patience(bot.patience)
        self._handling = Handling(bot, user_arn, store, self._patience, self.channel)
        self._absence = Absence(store, self._patience, lambda: self.channels)
        self._lanes = Lanes(tasks, self._work, concurrency=bot.concurrency)
        self._stopped = anyio.Event()
        self._portal: BlockingPortal | None = None
        self.begun = False
        """Whether the bot is connected."""
        self.caught_up = anyio.Event()
        """Set once it is known what was said before the bot came; that is then handled before anything newer."""

    @property
    def channels(self) -> Channels:
        """The bot's channels."""
        return Channels(self._control_plane, self.user_arn, source=None if self.session is None else self.session.hub)

    def channel(self, arn: str) -> Channel:
        """Take hold of a channel."""
        return self.channels.channel(arn)

    @property
    def latencies(self) -> list[float]:
        """Seconds that the latest messages took to handle, the calls included."""
        return list(self._handling.seconds)

    def statistics(self) -> BotStatistics:
        """Return the counters."""
        handling, lanes = self._handling, self._lanes
        return BotStatistics(
            handling.messages, handling.failures, lanes.waiting(), self._patience.tries_again, lanes.overflows
        )

    def stop(self) -> None:
        """End in good order; returns at once."""
        self._stopped.set()

    async def wait_stopped(self) -> None:
        """Wait until the bot is to end.

        Raises:
            SessionError: if the service ended the session for good.
        """
        await self._stopped.wait()
        stopped = self.session.stopped if self.session is not None else None
        if stopped is not None and stopped.error is not None:
            raise stopped.error

    async def wait_idle(self) -> None:
        """Wait until everything that has arrived is handled."""
        await self.caught_up.wait()
        await self._lanes.wait_idle()

    # Called by `serve`

    def begin(self, portal: BlockingPortal, events: EventStream[Event] | None) -> None:
        """Start to work."""
        self._portal = portal
        self.begun = True
        if self.session is not None and events is not None:
            self._tasks.start_soon(self._listen, self.session, events)
            self._tasks.start_soon(self._catch_up)
        else:
            self._lanes.release()
            self.caught_up.set()
        for seconds, job in self.bot.jobs:
            self._tasks.start_soon(self._repeat, seconds, job)

    async def end(self) -> None:
        """Finish what is being handled."""
        self.stop()
        with anyio.move_on_after(self.bot.stop_timeout, shield=True) as waiting:
            await self._lanes.close()
        if waiting.cancelled_caught:
            logger.warning("Handlers of %r did not end within %g s", self.bot, self.bot.stop_timeout)

    def invoke(self, request: Mapping[str, Any]) -> None:
        """See `Bot.invoke`."""
        assert self._portal is not None
        self._portal.call(self._invoked, request)

    # Events in

    async def _listen(self, session: MessagingSession, events: EventStream[Event]) -> None:
        while True:
            try:
                async for event in events:
                    self._sort(event)
                break
            except SubscriptionOverflowError as exc:
                logger.warning("%s: what was missed is read from the history", exc)
            try:
                events = await session.events(policy="close", size=BUFFER).__aenter__()
            except SessionClosedError:
                break
            self._tasks.start_soon(self._catch_up)
        self.stop()

    def _sort(self, event: Event) -> None:
        if isinstance(event, SessionStopped):
            self.stop()
        elif isinstance(event, GapDetected):
            if event.channel_arn:
                self._lanes.catch_up(event.channel_arn, first=False)
            else:
                self._tasks.start_soon(self._catch_up)
        else:
            arn, part = of_channel(event)
            if arn:
                self._lanes.put(arn, event, part)

    async def _catch_up(self) -> None:
        first = not self.caught_up.is_set()
        try:
            for each in await self._absence.unread():
                self._lanes.catch_up(each.channel.channel_arn, each.membership.sub_channel_id, first=first)
        except ChimeError:
            logger.exception("%r cannot tell what it missed", self.bot)
        self._lanes.release()
        self.caught_up.set()

    async def _work(self, lane: Lane, item: Item) -> None:
        event = item.event if isinstance(item, Invocation) else item
        try:
            if isinstance(event, MessageCreated):
                await self._handling.message(event, addressed=isinstance(item, Invocation))
            elif isinstance(event, CatchUp):
                await self._read(lane)
            else:
                await self._handling.event(event)
        except Exception:
            logger.exception("%r could not handle something in %s", self.bot, lane.channel_arn)
        finally:
            if isinstance(item, Invocation):
                item.done.set()

    async def _read(self, lane: Lane) -> None:
        async for message in self._absence.messages(lane.channel_arn, lane.sub_channel_id):
            if self._stopped.is_set():
                return
            await self._handling.message(message_event(message, recovered=True))

    async def _invoked(self, request: Mapping[str, Any]) -> None:
        invocation = Invocation(event_of(request, datetime.now(UTC)))
        arn, part = of_channel(invocation.event)
        self._lanes.put(arn, invocation, part)
        await invocation.done.wait()

    # Jobs

    async def _repeat(self, seconds: float, job: Job) -> None:
        await self.caught_up.wait()
        while True:
            await anyio.sleep(seconds)
            try:
                await job(self.bot)
            except Exception:
                logger.exception("A job of %r failed", self.bot)


@asynccontextmanager
async def serve(
    bot: Bot, user_arn: str, configuration: MessagingSessionConfiguration | None, client: Any
) -> AsyncIterator[Serving]:
    """Run a bot while inside. See `Bot.serving`."""
    kind = require_arn(user_arn, "user_arn", "user", "bot").kind
    if kind == "bot" and configuration is not None:
        raise ConfigurationError("configuration", "an app instance bot has no session; it is invoked")
    failure: BaseException | None = None
    async with AsyncExitStack() as stack:
        if configuration is not None and configuration.chime_client is not None:
            client = configuration.chime_client
        if client is None:
            client = await open_client()
            stack.callback(client.close)
        store = BotStore(bot.state_path, user_arn)
        stack.callback(store.close)
        session = None if kind == "bot" else MessagingSession(_configured(configuration, user_arn, client))
        tasks = await stack.enter_async_context(anyio.create_task_group())
        serving = Serving(bot, user_arn, ControlPlane(client, user_arn), session, store, tasks)
        portal = await stack.enter_async_context(BlockingPortal())
        try:
            async with AsyncExitStack() as inner:
                bot.attach(serving)
                inner.callback(bot.attach, None)
                events = None
                if session is not None:
                    # Subscribed before it connects: nothing that arrives is missed.
                    events = await inner.enter_async_context(session.events(policy="close", size=BUFFER))
                    await inner.enter_async_context(session)
                serving.begin(portal, events)
                inner.push_async_callback(serving.end)
                yield serving
        except anyio.get_cancelled_exc_class():
            raise
        except BaseException as exc:
            # Carried past the task groups, which would wrap it.
            failure = exc
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure


def _configured(
    configuration: MessagingSessionConfiguration | None, user_arn: str, client: Any
) -> MessagingSessionConfiguration:
    if configuration is None:
        return MessagingSessionConfiguration(user_arn, chime_client=client)
    return dataclasses.replace(configuration, chime_client=client)
