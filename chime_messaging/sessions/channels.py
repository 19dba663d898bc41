"""The channels that a user can see, make and find. A single one is in `chime_messaging.sessions.channel`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from chime_messaging.aws.control_plane import ControlPlane
from chime_messaging.errors import LimitError
from chime_messaging.ids import require_arn
from chime_messaging.sessions.channel import Channel as Channel
from chime_messaging.sessions.channel import of_type
from chime_messaging.sessions.history import EventSource
from chime_messaging.sessions.pages import Items
from chime_messaging.wire import limits, payloads
from chime_messaging.wire.payloads import (
    ChannelMode,
    ChannelPrivacy,
    MembershipForUser,
)

T = TypeVar("T")


class Channels:
    """The channels that a user can see, make and find.

    Args:
        control_plane: How calls are made.
        bearer: ARN of the user who acts.
        source: The session that gives live events to the channels made here.

    Raises:
        InvalidArnError: if `bearer` is not the ARN of a user or bot.
    """

    def __init__(self, control_plane: ControlPlane, bearer: str, *, source: EventSource | None = None) -> None:
        self._app_instance = require_arn(bearer, "bearer", "user", "bot").app_instance_arn
        self.bearer = bearer
        self._control_plane = control_plane
        self._source = source

    def channel(self, arn: str) -> Channel:
        """Take hold of a channel by its ARN; asks nobody whether it exists."""
        return Channel(arn, self._control_plane, self.bearer, source=self._source)

    async def create(
        self,
        name: str,
        *,
        members: Sequence[str] = (),
        moderators: Sequence[str] = (),
        mode: ChannelMode = "RESTRICTED",
        privacy: ChannelPrivacy = "PRIVATE",
        metadata: str | None = None,
        channel_id: str | None = None,
        tags: Mapping[str, str] | None = None,
        client_request_token: str | None = None,
    ) -> Channel:
        """Make a channel in the bearer's app instance; the bearer is member and moderator.

        Official name: CreateChannel.

        Args:
            name: 256 characters at most.
            members: ARNs of the first members; ten at most, `Channel.add_members` takes more.
            moderators: ARNs of further moderators; ten at most.
            mode: UNRESTRICTED lets members add members.
            privacy: PUBLIC channels are found and read by everyone in the app instance.
            metadata: 1024 characters at most.
            channel_id: Last part of the ARN; a UUID when omitted.
            tags: AWS tags.
            client_request_token: Makes a call that you repeat yourself the same channel.

        Raises:
            LimitError: if a value is over its limit.
            ConflictError: if there is a channel with this `channel_id`.
        """
        limits.require_length("name", name, limits.NAME_CHARACTERS)
        limits.require_metadata(metadata)
        limits.require_token(client_request_token)
        for field, arns in (("members", members), ("moderators", moderators)):
            if len(arns) > limits.CREATE_MEMBERS:
                raise LimitError(field, len(arns), limits.CREATE_MEMBERS, "users")
            for arn in arns:
                require_arn(arn, field, "user", "bot")
        response = await self._call(
            "CreateChannel",
            AppInstanceArn=self._app_instance,
            Name=name,
            Mode=mode,
            Privacy=privacy,
            Metadata=metadata,
            ChannelId=channel_id,
            MemberArns=list(members) or None,
            ModeratorArns=list(moderators) or None,
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()] if tags else None,
            ClientRequestToken=client_request_token,
        )
        return self.channel(response["ChannelArn"])

    def mine(self, *, user_arn: str | None = None) -> Items[MembershipForUser]:
        """Iterate over the channels of the bearer, read markers included.

        Official name: ListChannelMembershipsForAppInstanceUser.

        Args:
            user_arn: Somebody else's channels; administrators only.
        """
        return Items(
            self._call,
            "ListChannelMembershipsForAppInstanceUser",
            "ChannelMemberships",
            of_type(MembershipForUser),
            AppInstanceUserArn=user_arn or self.bearer,
        )

    def moderated(self) -> Items[payloads.Channel]:
        """Iterate over the channels that the bearer moderates.

        Official name: ListChannelsModeratedByAppInstanceUser.
        """
        return Items(
            self._call,
            "ListChannelsModeratedByAppInstanceUser",
            "Channels",
            lambda item: msgspec.convert(item["ChannelSummary"], payloads.Channel),
            AppInstanceUserArn=self.bearer,
        )

    def all(self, *, privacy: ChannelPrivacy | None = None) -> Items[payloads.Channel]:
        """Iterate over the app instance's channels: the PUBLIC ones; administrators may ask for PRIVATE.

        Official name: ListChannels.
        """
        convert = of_type(payloads.Channel)
        return Items(
            self._call, "ListChannels", "Channels", convert, AppInstanceArn=self._app_instance, Privacy=privacy
        )

    def search(self, members: Iterable[str], *, exactly: bool = False) -> Items[payloads.Channel]:
        """Find channels by their members. Official name: SearchChannels.

        Args:
            members: ARNs, 20 at most. Ordinary users find only channels that they are in themselves.
            exactly: No other members, as for finding the conversation of two.

        Raises:
            LimitError: if there are no members, or too many.
        """
        arns = list(members)
        if not 1 <= len(arns) <= limits.SEARCH_VALUES:
            raise LimitError("members", len(arns), limits.SEARCH_VALUES if arns else 1, "users")
        for arn in arns:
            require_arn(arn, "members", "user", "bot")
        fields = [{"Key": "MEMBERS", "Operator": "EQUALS" if exactly else "INCLUDES", "Values": arns}]
        return Items(self._call, "SearchChannels", "Channels", of_type(payloads.Channel), Fields=fields)

    async def _call(self, operation: str, **params: Any) -> dict[str, Any]:
        return await self._control_plane.call(operation, ChimeBearer=self.bearer, **params)
