"""What was said: the stored messages of a channel, and their seamless continuation with live events.

`follow` subscribes first and reads the history second, so that nothing falls between them, and knows what it has
handed out, so that nothing comes twice. Its buffer is bounded: a reader that falls behind loses live events, and
`follow` reads what they were from the history again. Persistent messages are therefore complete whatever the reader's
pace; messages sent NON_PERSISTENT exist only live, and those that a slow reader missed are gone.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Any, Protocol

import msgspec

from chime_messaging.errors import ConfigurationError, SubscriptionOverflowError
from chime_messaging.events import GapDetected, MessageCreated, SessionStopped
from chime_messaging.observers.subscription import Policy
from chime_messaging.wire.payloads import ChannelMessage

BUFFER = 1024
"""Live events that wait for the reader."""

REMEMBERED = 8192
"""Ids of messages handed out that are remembered to recognise repetitions."""

OVERLAP = timedelta(seconds=5)
"""How far a second reading of the history reaches back: messages may become visible out of order by so much."""


class EventSource(Protocol):
    """What `follow` needs of a session: the iterating face of its event hub."""

    def events(
        self,
        first: type[MessageCreated],
        second: type[GapDetected],
        third: type[SessionStopped],
        /,
        *,
        policy: Policy = ...,
        size: int = ...,
    ) -> AbstractAsyncContextManager[AsyncIterator[MessageCreated | GapDetected | SessionStopped]]:
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


async def follow(
    source: EventSource,
    channel_arn: str,
    listing: Listing,
    *,
    since: datetime | None = None,
    sub_channel_id: str | None = None,
) -> AsyncIterator[ChannelMessage]:
    """Yield every message of a channel once, oldest first: the stored ones, then each new one as it is created.

    Ends when the session ends.

    Args:
        source: The session.
        channel_arn: The channel.
        listing: Reads the history.
        since: First moment of interest; None from the first message on.
        sub_channel_id: Part of an elastic channel; others are left out.

    Raises:
        SessionError: if the session ends by an error.
        ServiceError: if the history cannot be read.
    """
    reading = _Reading(channel_arn, listing, since, sub_channel_id)
    while True:
        try:
            async with source.events(
                MessageCreated, GapDetected, SessionStopped, policy="close", size=BUFFER
            ) as events:
                async for message in reading.stored():
                    yield message
                async for event in events:
                    if isinstance(event, SessionStopped):
                        if event.error is not None:
                            raise event.error
                        return
                    async for message in reading.news(event):
                        yield message
                return
        except SubscriptionOverflowError:
            reading.reach_back()


class _Reading:
    """How far one reader has come, and what it has seen."""

    def __init__(self, channel_arn: str, listing: Listing, since: datetime | None, sub_channel_id: str | None) -> None:
        self._channel_arn = channel_arn
        self._listing = listing
        self._since = since
        self._sub_channel_id = sub_channel_id
        self._reached = since
        self._recent = RecentIds()

    async def stored(self) -> AsyncIterator[ChannelMessage]:
        """Yield what the history holds from here on."""
        async for message in self._listing(self._reached, None):
            if self._is_new(message):
                yield message

    async def news(self, event: MessageCreated | GapDetected) -> AsyncIterator[ChannelMessage]:
        """Yield what an event brings: its message, or what a gap in the live events has left out."""
        if isinstance(event, MessageCreated):
            message = event.message
            here = self._sub_channel_id is None or message.sub_channel_id == self._sub_channel_id
            if message.channel_arn == self._channel_arn and here and self._is_new(message):
                yield message
        elif event.channel_arn == self._channel_arn:
            async for message in self._listing(event.since, event.until):
                if self._is_new(message):
                    yield message

    def reach_back(self) -> None:
        """Prepare for reading the history a second time."""
        if self._reached is not None:
            start = self._reached - OVERLAP
            self._reached = start if self._since is None else max(start, self._since)

    def _is_new(self, message: ChannelMessage) -> bool:
        created = message.created_timestamp
        if created is not None and (self._reached is None or created > self._reached):
            self._reached = created
        return self._recent.add(message.message_id)
