"""What was said: the stored messages of a channel, and their seamless continuation with live events.

`LiveMessages` subscribes first and reads the history second, so that nothing falls between them, and knows what it has
handed out, so that nothing comes twice. Its buffer is bounded: a reader that falls behind loses live events, and finds
what they were in the history. Persistent messages are therefore complete whatever the reader's pace; messages sent
NON_PERSISTENT exist only live, and those that a slow reader missed are gone.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Protocol, Self

import msgspec

from chime_messaging.errors import ConfigurationError, SessionClosedError, SubscriptionOverflowError
from chime_messaging.events import GapDetected, MessageCreated, SessionStopped
from chime_messaging.observers.subscription import EventStream, Policy
from chime_messaging.wire.payloads import ChannelMessage

BUFFER = 1024
"""Live events that wait for the reader, unless told otherwise."""

REMEMBERED = 8192
"""Ids of messages handed out that are remembered to recognise repetitions."""

OVERLAP = timedelta(seconds=5)
"""How far a second reading of the history reaches back: messages may become visible out of order by so much."""


News = MessageCreated | GapDetected | SessionStopped


class EventSource(Protocol):
    """What `LiveMessages` needs of a session: the iterating face of its event hub."""

    def events(
        self,
        first: type[MessageCreated],
        second: type[GapDetected],
        third: type[SessionStopped],
        /,
        *,
        policy: Policy = ...,
        size: int = ...,
    ) -> EventStream[News]:
        """Subscribe to events of these types."""
        ...


Listing = Callable[[datetime | None, datetime | None], AsyncIterator[ChannelMessage]]
"""Lists the stored messages of one channel between two moments (inclusive), oldest first."""


class RecentIds:
    """The last `size` ids."""

    def __init__(self, size: int = REMEMBERED) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._size = size

    def add(self, message_id: str) -> bool:
        """Remember an id; False if it is remembered already."""
        if message_id in self._ids:
            self._ids.move_to_end(message_id)
            return False
        self._ids[message_id] = None
        if len(self._ids) > self._size:
            self._ids.popitem(last=False)
        return True


def require_aware(field: str, moment: datetime | None) -> None:
    """Check that a moment has a time zone.

    Raises:
        ConfigurationError: naming `field`.
    """
    if moment is not None and moment.utcoffset() is None:
        raise ConfigurationError(field, f"{moment.isoformat()} has no time zone; use datetime.now(UTC) and the like")


def to_message(record: dict[str, Any], channel_arn: str) -> ChannelMessage:
    """Read a ChannelMessage or a ChannelMessageSummary as boto3 gives them; summaries do not name the channel."""
    return msgspec.convert({"ChannelArn": channel_arn, **record}, ChannelMessage)


class LiveMessages:
    """Every message of a channel once, oldest first: the stored ones, then each new one as it is created.

    Iteration ends when the session ends. Breaking off needs no care; `aclose` (or ``async with``) gives the place at
    the session back at once. An error does not end it: reading on tries the same again.

    Args:
        source: The session.
        channel_arn: The channel.
        listing: Reads the history.
        since: First moment of interest; None from the first message on.
        sub_channel_id: Part of an elastic channel; others are left out.
        size: Live events that may wait for the reader.

    Raises:
        SessionError: while iterating, if the session ends by an error.
        SessionClosedError: if the session was over from the beginning.
        ServiceError: if the history cannot be read.
    """

    def __init__(
        self,
        source: EventSource,
        channel_arn: str,
        listing: Listing,
        *,
        since: datetime | None = None,
        sub_channel_id: str | None = None,
        size: int = BUFFER,
    ) -> None:
        self._source = source
        self._size = size
        self._channel_arn = channel_arn
        self._listing = listing
        self._since = since
        self._sub_channel_id = sub_channel_id
        self._reached = since
        self._recent = RecentIds()
        self._events: EventStream[News] | None = None
        self._stored: AsyncIterator[ChannelMessage] | None = None
        self._over = False

    def __aiter__(self) -> Self:
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        if self._events is not None:
            self._events.close()

    async def aclose(self) -> None:
        """End the iteration."""
        self._over = True
        self._stored = None
        if self._events is not None:
            self._events.close()

    async def __anext__(self) -> ChannelMessage:
        while True:
            if self._stored is None and self._events is None and not self._over:
                await self._begin()
            message = await (self._next_live() if self._stored is None else self._next_stored(self._stored))
            if message is not None and self._is_new(message):
                return message

    async def _begin(self) -> None:
        """Subscribe first, and read the history second: nothing falls between them."""
        self._events = await self._source.events(
            MessageCreated, GapDetected, SessionStopped, policy="close", size=self._size
        ).__aenter__()
        self._stored = self._listing(self._reached, None)

    async def _next_stored(self, stored: AsyncIterator[ChannelMessage]) -> ChannelMessage | None:
        try:
            return await anext(stored)
        except StopAsyncIteration:
            self._stored = None
            return None

    async def _next_live(self) -> ChannelMessage | None:
        if self._events is None:
            raise StopAsyncIteration
        try:
            event = await anext(self._events)
        except SubscriptionOverflowError:
            await self._begin_again()
            return None
        if isinstance(event, MessageCreated):
            return event.message if self._concerns(event.message) else None
        if isinstance(event, SessionStopped):
            await self.aclose()
            if event.error is not None:
                raise event.error
        elif event.channel_arn in ("", self._channel_arn):
            self._stored = self._listing(event.since, event.until)
        return None

    async def _begin_again(self) -> None:
        """Go back to the history for what this reader was too slow for."""
        if self._reached is not None:
            start = self._reached - OVERLAP
            self._reached = start if self._since is None else max(start, self._since)
        self._events = None
        try:
            await self._begin()
        except SessionClosedError:
            # It ended while this reader was behind; what was said until then is in the history.
            self._over = True
            self._stored = self._listing(self._reached, None)

    def _concerns(self, message: ChannelMessage) -> bool:
        here = self._sub_channel_id is None or message.sub_channel_id == self._sub_channel_id
        return here and message.channel_arn == self._channel_arn

    def _is_new(self, message: ChannelMessage) -> bool:
        created = message.created_timestamp
        if created is not None and (self._reached is None or created > self._reached):
            self._reached = created
        return self._recent.add(message.message_id)
