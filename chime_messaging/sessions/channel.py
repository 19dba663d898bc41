"""One channel as its user holds it: messages out, history in, settings, and who is in.

Every call acts for one user, the bearer. Limits and ARNs are checked before anything goes to the network; calls never
block the event loop; throttled calls wait and try again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal, TypeVar, overload

import msgspec

from chime_messaging.aws.control_plane import ControlPlane
from chime_messaging.errors import ConfigurationError, UsageError
from chime_messaging.sessions.history import EventSource, LiveMessages, require_aware, to_message
from chime_messaging.sessions.memberships import ChannelMembers
from chime_messaging.sessions.messages import (
    AnyMessage,
    Attributes,
    attributes_member,
    message_id_of,
    push_member,
    target_member,
)
from chime_messaging.sessions.pages import Items
from chime_messaging.wire import limits, payloads
from chime_messaging.wire.payloads import (
    ChannelMessage,
    ChannelMode,
    MessageStatus,
    MessageType,
    Persistence,
    PushNotification,
    SentMessage,
    SubChannelSummary,
)

T = TypeVar("T")


class Channel(ChannelMembers):
    """One channel and the user who acts in it. Needs no connection: any `ControlPlane` and a bearer will do.

    Args:
        arn: ARN of the channel.
        control_plane: How calls are made.
        bearer: ARN of the user who acts.
        source: The session whose live events `messages(live=True)` continues with.

    Raises:
        InvalidArnError: if `arn` or `bearer` is not what it should be.
    """

    def __init__(
        self, arn: str, control_plane: ControlPlane, bearer: str, *, source: EventSource | None = None
    ) -> None:
        super().__init__(arn, control_plane, bearer)
        self._source = source

    def __repr__(self) -> str:
        return f"Channel({self.arn!r}, bearer={self.bearer!r})"

    # Messages

    async def send(
        self,
        content: str,
        *,
        type: MessageType = "STANDARD",
        persistence: Persistence = "PERSISTENT",
        metadata: str | None = None,
        attributes: Attributes | None = None,
        target: str | None = None,
        content_type: str | None = None,
        push: PushNotification | None = None,
        sub_channel_id: str | None = None,
        client_request_token: str | None = None,
        timeout: float | None = None,
    ) -> SentMessage:
        """Send a message. Official name: SendChannelMessage.

        A request that was throttled or whose answer got lost is repeated with the same token: it is one message.

        Args:
            content: 4096 bytes at most; 30 for CONTROL.
            type: CONTROL for signals such as "is typing", which channel flows do not see.
            persistence: NON_PERSISTENT messages reach only those who are connected, and are not stored.
            metadata: 1024 characters at most, none for CONTROL.
            attributes: 1024 bytes in all.
            target: ARN of the one member who shall see the message.
            content_type: 45 characters at most.
            push: Notification for those who are not connected.
            sub_channel_id: Part of an elastic channel.
            client_request_token: Makes a send that you repeat yourself the same message; one is made when omitted.
            timeout: Seconds for the call, repetitions included.

        Raises:
            LimitError: if a value is over its limit.
            ForbiddenError: if the bearer may not send here, or there is no such channel.
            ThrottledError: if the service kept refusing.
        """
        limits.require_content(content, type)
        limits.require_metadata(metadata, type)
        limits.require_length("content_type", content_type, limits.CONTENT_TYPE_CHARACTERS)
        limits.require_token(client_request_token)
        response = await self._call(
            "SendChannelMessage",
            timeout=timeout,
            Content=content,
            Type=type,
            Persistence=persistence,
            Metadata=metadata,
            MessageAttributes=attributes_member(attributes),
            Target=target_member(target),
            ContentType=content_type,
            PushNotification=push_member(push),
            SubChannelId=sub_channel_id,
            ClientRequestToken=client_request_token,
        )
        return msgspec.convert(response, SentMessage)

    async def edit(
        self,
        message: AnyMessage,
        content: str,
        *,
        metadata: str | None = None,
        content_type: str | None = None,
        sub_channel_id: str | None = None,
    ) -> SentMessage:
        """Replace the content of a message of the bearer's own. Official name: UpdateChannelMessage.

        Raises:
            LimitError: if a value is over its limit.
            ForbiddenError: if the message is someone else's, or there is none.
        """
        limits.require_content(content, "STANDARD")
        limits.require_metadata(metadata)
        limits.require_length("content_type", content_type, limits.CONTENT_TYPE_CHARACTERS)
        response = await self._call(
            "UpdateChannelMessage",
            MessageId=message_id_of(message),
            Content=content,
            Metadata=metadata,
            ContentType=content_type,
            SubChannelId=sub_channel_id,
        )
        return msgspec.convert(response, SentMessage)

    async def redact(self, message: AnyMessage, *, sub_channel_id: str | None = None) -> None:
        """Empty a message and leave its place. Official name: RedactChannelMessage."""
        await self._call("RedactChannelMessage", MessageId=message_id_of(message), SubChannelId=sub_channel_id)

    async def delete(self, message: AnyMessage, *, sub_channel_id: str | None = None) -> None:
        """Remove a message for good; administrators only. Official name: DeleteChannelMessage."""
        await self._call("DeleteChannelMessage", MessageId=message_id_of(message), SubChannelId=sub_channel_id)

    async def get(self, message: AnyMessage, *, sub_channel_id: str | None = None) -> ChannelMessage:
        """Fetch one message as it is now. Official name: GetChannelMessage.

        Raises:
            NotFoundError: if there is none.
        """
        response = await self._call("GetChannelMessage", MessageId=message_id_of(message), SubChannelId=sub_channel_id)
        return to_message(response["ChannelMessage"], self.arn)

    async def status(self, message: AnyMessage, *, sub_channel_id: str | None = None) -> MessageStatus:
        """Ask where a message of the bearer's own is. Official name: GetChannelMessageStatus."""
        response = await self._call(
            "GetChannelMessageStatus", MessageId=message_id_of(message), SubChannelId=sub_channel_id
        )
        return msgspec.convert(response.get("Status", {}), MessageStatus)

    async def mark_read(self) -> None:
        """Set the bearer's read marker to now. Official name: UpdateChannelReadMarker."""
        await self._call("UpdateChannelReadMarker")

    @overload
    def messages(
        self,
        since: datetime | None = ...,
        until: datetime | None = ...,
        *,
        newest_first: bool = ...,
        live: Literal[False] = ...,
        sub_channel_id: str | None = ...,
    ) -> Items[ChannelMessage]: ...
    @overload
    def messages(
        self, since: datetime | None = ..., *, live: Literal[True], sub_channel_id: str | None = ...
    ) -> LiveMessages: ...
    def messages(
        self,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        newest_first: bool = False,
        live: bool = False,
        sub_channel_id: str | None = None,
    ) -> Items[ChannelMessage] | LiveMessages:
        """Iterate over messages: the stored ones and, with `live`, every new one after them.

        Each message comes once, in the version that is current when it is read; what happens to it later is told by the
        session's events (`MessageUpdated`, `MessageRedacted`, `MessageDeleted`). History and live events join without
        a gap: see `chime_messaging.sessions.history`.

        Args:
            since: First moment, inclusive; None from the first message on.
            until: Last moment, inclusive; None up to now. Not with `live`.
            newest_first: The other way round. Not with `live`.
            live: Go on with new messages until the session ends. Needs a channel that a session gave out.
            sub_channel_id: Part of an elastic channel.

        Raises:
            ConfigurationError: if a moment has no time zone, or the arguments contradict each other.
            UsageError: if `live` is asked of a channel without a session.
        """
        require_aware("since", since)
        require_aware("until", until)

        def listing(start: datetime | None, end: datetime | None) -> Items[ChannelMessage]:
            return Items(
                self._call,
                "ListChannelMessages",
                "ChannelMessages",
                lambda item: to_message(item, self.arn),
                SortOrder="DESCENDING" if newest_first else "ASCENDING",
                NotBefore=start,
                NotAfter=end,
                SubChannelId=sub_channel_id,
            )

        if not live:
            return listing(since, until)
        if until is not None or newest_first:
            raise ConfigurationError("live", "goes on from the past into the future: not with until or newest_first")
        if self._source is None:
            raise UsageError("live messages need a session: use session.channel(arn)")
        return LiveMessages(self._source, self.arn, listing, since=since, sub_channel_id=sub_channel_id)

    # The channel itself

    async def describe(self) -> payloads.Channel:
        """Fetch name, mode, privacy, metadata and so on. Official name: DescribeChannel."""
        response = await self._call("DescribeChannel")
        return msgspec.convert(response["Channel"], payloads.Channel)

    async def update(
        self, *, name: str | None = None, mode: ChannelMode | None = None, metadata: str | None = None
    ) -> None:
        """Change what is given; the privacy of a channel cannot change. Official name: UpdateChannel."""
        limits.require_length("name", name, limits.NAME_CHARACTERS)
        limits.require_metadata(metadata)
        await self._call("UpdateChannel", Name=name, Mode=mode, Metadata=metadata)

    async def delete_channel(self) -> None:
        """Remove the channel, its messages and memberships, at once and for good. Official name: DeleteChannel."""
        await self._call("DeleteChannel")

    def sub_channels(self) -> Items[SubChannelSummary]:
        """Iterate over the parts of an elastic channel. Official name: ListSubChannels."""
        return Items(self._call, "ListSubChannels", "SubChannels", of_type(SubChannelSummary))


def of_type(kind: type[T]) -> Callable[[dict[str, Any]], T]:
    """Return what makes an object of `kind` of an item of a response."""
    return lambda item: msgspec.convert(item, kind)
