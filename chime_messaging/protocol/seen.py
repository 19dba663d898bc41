"""Which messages the application has been told of: enough to tell none of them twice, in bounded memory.

Per channel: the newest creation time, and the ids of the latest messages. Ids leave the window in bulk; the moment up
to which they may have left is the channel's floor, and nothing older than it may be fetched again, because it could no
longer be recognised.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from chime_messaging.events import (
    ChannelDeleted,
    Event,
    MembershipCreated,
    MembershipDeleted,
    MembershipsCreated,
    MessageCreated,
    MessageRedacted,
    MessageUpdated,
)
from chime_messaging.wire.payloads import ChannelMessage

MAX_CHANNELS = 8192
"""Channels remembered; beyond that the eighth that has been quiet longest is forgotten."""

WINDOW = 64
"""Ids kept per channel at least, once there were so many; at most twice as many."""

NEVER = datetime.min.replace(tzinfo=UTC)
TICK = timedelta(milliseconds=1)
"""Smallest difference between two moments of the service."""

_REDACTED = datetime.max.replace(tzinfo=UTC)


class SeenChannel:
    """What is remembered of one channel."""

    __slots__ = ("floor", "last", "recent", "versions")

    def __init__(self, floor: datetime) -> None:
        self.last = NEVER
        """Newest creation time of a message, or the moment this user joined."""
        self.floor = floor
        """Nothing created earlier may be fetched."""
        self.recent: dict[str, datetime | None] = {}
        """Creation time by message id, in the order of delivery."""
        self.versions: dict[str, datetime] = {}
        """Time of the newest edit that was told, for those of `recent` that were edited or redacted."""

    def trim(self) -> None:
        """Forget the older half of the ids."""
        ids, moments = list(self.recent), list(self.recent.values())
        newest = max([moment for moment in moments[:-WINDOW] if moment is not None], default=None)
        if newest is not None:
            self.floor = max(self.floor, newest + TICK)
        self.recent = dict(zip(ids[-WINDOW:], moments[-WINDOW:], strict=True))
        if self.versions:
            self.versions = {key: value for key, value in self.versions.items() if key in self.recent}

    def complete_from(self, overlap: timedelta) -> datetime:
        """Return the moment to list from: the newest message less the overlap, but never below the floor."""
        if self.last == NEVER:
            return self.floor
        return min(self.last, max(self.last - overlap, self.floor))


class SeenMessages:
    """The messages that were told, of all channels of one user."""

    def __init__(self, user_arn: str, *, max_channels: int = MAX_CHANNELS) -> None:
        self.channels: dict[str, SeenChannel] = {}
        self.floor = NEVER
        """Floor of channels that are not remembered: when the session began, or the last one forgotten was active."""
        self.duplicates = 0
        """Events that were not told because they had been."""
        self._user_arn = user_arn
        self._max_channels = max_channels

    def accept_all(self, events: Iterable[Event]) -> list[Event]:
        """Return the events that are new, and remember them. The path of every event of a session that is well."""
        accepted = []
        channels = self.channels
        for event in events:
            if type(event) is MessageCreated:
                message = event.message
                channel = channels.get(message.channel_arn)
                if channel is None:
                    channel = self.track(message.channel_arn)
                recent = channel.recent
                if message.message_id in recent:
                    self.duplicates += 1
                    continue
                created = message.created_timestamp
                recent[message.message_id] = created
                if created is not None and created > channel.last:
                    channel.last = created
                if len(recent) > 2 * WINDOW:
                    channel.trim()
            elif not self._accept_other(event):
                self.duplicates += 1
                continue
            accepted.append(event)
        return accepted

    def accept(self, event: Event) -> bool:
        """Whether one event is new; remembers it."""
        return bool(self.accept_all((event,)))

    def accept_fetched(self, message: ChannelMessage) -> type[MessageCreated | MessageUpdated | MessageRedacted] | None:
        """Remember a message that was listed; return what it tells, None if nothing new."""
        channel = self.channels.get(message.channel_arn) or self.track(message.channel_arn)
        key, created, version = message.message_id, message.created_timestamp, _version(message)
        if key in channel.recent:
            if version is None or version <= channel.versions.get(key, NEVER):
                return None
            channel.versions[key] = version
            return MessageRedacted if message.redacted else MessageUpdated
        channel.recent[key] = created
        if version is not None:
            channel.versions[key] = version
        if created is not None and created > channel.last:
            channel.last = created
        if len(channel.recent) > 2 * WINDOW:
            channel.trim()
        return MessageCreated

    def track(self, channel_arn: str) -> SeenChannel:
        """Start to remember a channel."""
        if len(self.channels) >= self._max_channels:
            self._forget_quiet()
        channel = self.channels[channel_arn] = SeenChannel(self.floor)
        return channel

    def _accept_other(self, event: Event) -> bool:
        if isinstance(event, MessageUpdated | MessageRedacted):
            return self._accept_version(event.message)
        if isinstance(event, MembershipCreated) and event.membership.member.arn == self._user_arn:
            self._joined(event.membership.channel_arn, event.membership.created_timestamp)
        elif isinstance(event, MembershipsCreated):
            if any(member.arn == self._user_arn for member in event.memberships.members):
                self._joined(event.memberships.channel_arn, None)
        elif isinstance(event, MembershipDeleted) and event.membership.member.arn == self._user_arn:
            self.channels.pop(event.membership.channel_arn, None)
        elif isinstance(event, ChannelDeleted):
            self.channels.pop(event.channel.channel_arn, None)
        return True

    def _accept_version(self, message: ChannelMessage) -> bool:
        channel = self.channels.get(message.channel_arn)
        version = _version(message)
        if channel is None or version is None or message.message_id not in channel.recent:
            return True
        if version <= channel.versions.get(message.message_id, NEVER):
            return False
        channel.versions[message.message_id] = version
        return True

    def _joined(self, channel_arn: str, moment: datetime | None) -> None:
        channel = self.channels.get(channel_arn) or self.track(channel_arn)
        if moment is not None:
            # What was said before this user was a member was not missed.
            channel.floor = max(channel.floor, moment)
            channel.last = max(channel.last, moment)

    def _forget_quiet(self) -> None:
        by_age = sorted(self.channels, key=lambda arn: self.channels[arn].last)
        for arn in by_age[: max(1, self._max_channels // 8)]:
            self.floor = max(self.floor, self.channels.pop(arn).last + TICK)


def _version(message: ChannelMessage) -> datetime | None:
    return _REDACTED if message.redacted else message.last_edited_timestamp
