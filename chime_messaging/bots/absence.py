"""What was said while a bot was away: which channels to read, from where, and the reading."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from datetime import datetime

from chime_messaging.bots.patience import Patience
from chime_messaging.bots.store import BotStore
from chime_messaging.errors import ChimeError
from chime_messaging.sessions.channel import Channel
from chime_messaging.sessions.channels import Channels
from chime_messaging.wire.payloads import ChannelMessage, MembershipForUser

logger = logging.getLogger("chime_messaging.bots")


class Absence:
    """Compares what the service has with how far the bot has come.

    Args:
        store: How far it has come.
        patience: How calls are tried again.
        channels: The channels of the bot.
    """

    def __init__(self, store: BotStore, patience: Patience, channels: Callable[[], Channels]) -> None:
        self._store = store
        self._patience = patience
        self._channels = channels

    async def unread(self) -> list[MembershipForUser]:
        """List the channels in which something was said since; sets where new channels begin.

        A bot that has never run begins with what is said from now on; one that has, with the first message since it
        became a member of a channel.
        """
        mine = await self._patience.call(self._mine)
        cursors = self._store.cursors()
        if not self._store.has_run:
            begin = {each.channel.channel_arn: each.channel.last_message_timestamp for each in mine}
            self._store.begin_at(begin)
            self._store.ran()
            return []
        found = []
        for each in mine:
            arn, last = each.channel.channel_arn, each.channel.last_message_timestamp
            if last is not None and arn not in cursors:
                joined = await self._joined(arn, each.membership.sub_channel_id)
                self._store.begin_at({arn: joined})
                found.append(each)
            elif last is not None and last > cursors[arn]:
                found.append(each)
        return found

    async def messages(self, channel_arn: str, sub_channel_id: str | None) -> AsyncIterator[ChannelMessage]:
        """Read a channel from where the bot has come to, oldest message first. Errors end it, and are logged."""
        since = self._store.read_from(channel_arn)
        listed = self._channels().channel(channel_arn).messages(since, sub_channel_id=sub_channel_id)
        while True:
            try:
                # The iterator goes on where it failed.
                yield await self._patience.call(listed.__anext__)
            except StopAsyncIteration:
                return
            except ChimeError as exc:
                logger.warning("What was said in %s cannot be read: %s", channel_arn, exc)
                return

    async def _mine(self) -> list[MembershipForUser]:
        return [each async for each in self._channels().mine()]

    async def _joined(self, channel_arn: str, sub_channel_id: str | None) -> datetime | None:
        channel: Channel = self._channels().channel(channel_arn)
        try:
            found = await self._patience.call(lambda: channel.membership(channel.bearer, sub_channel_id=sub_channel_id))
        except ChimeError as exc:
            logger.warning("When this bot became a member of %s is not known: %s", channel_arn, exc)
            return None
        return found.created_timestamp
