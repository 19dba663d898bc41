"""The objects inside messaging events, in the shapes of the messaging API (2021-05-15).

Names are snake_case here and PascalCase on the wire. Absent optional members are None, as the service omits them.
Timestamps are aware datetimes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

Timestamp = Annotated[datetime, msgspec.Meta(tz=True)]
"""A moment with its time zone; without one it could not be compared with the others."""

MessageType = Literal["STANDARD", "CONTROL"]
Persistence = Literal["PERSISTENT", "NON_PERSISTENT"]
MembershipType = Literal["DEFAULT", "HIDDEN"]
ChannelMode = Literal["UNRESTRICTED", "RESTRICTED"]
ChannelPrivacy = Literal["PUBLIC", "PRIVATE"]


class Payload(msgspec.Struct, rename="pascal", omit_defaults=True, frozen=True, kw_only=True):
    """Base of the payload shapes. Enumerations are plain strings: the service may add members."""


class Identity(Payload, frozen=True):
    """An app instance user or bot: ``{"Arn", "Name"}``."""

    arn: str
    name: str | None = None


class MessageStatus(Payload, frozen=True):
    """Status of a message on its way through a channel flow."""

    value: str | None = None
    """SENT, PENDING, FAILED or DENIED."""
    detail: str | None = None


class AttributeValue(Payload, frozen=True):
    """Values of one message attribute."""

    string_values: list[str] = []


class Target(Payload, frozen=True):
    """The one member a targeted message is for."""

    member_arn: str | None = None


class MessageSummary(Payload, frozen=True):
    """A message as lists and prefetch carry it: without the channel it belongs to."""

    message_id: str
    content: str | None = None
    metadata: str | None = None
    type: str | None = None
    """STANDARD or CONTROL."""
    created_timestamp: Timestamp | None = None
    last_edited_timestamp: Timestamp | None = None
    last_updated_timestamp: Timestamp | None = None
    sender: Identity | None = None
    redacted: bool = False
    status: MessageStatus | None = None
    message_attributes: dict[str, AttributeValue] | None = None
    content_type: str | None = None
    target: list[Target] | None = None


class ChannelMessage(MessageSummary, frozen=True, kw_only=True):
    """A message of a channel, as events and GetChannelMessage carry it."""

    channel_arn: str
    persistence: str | None = None
    sub_channel_id: str | None = None


class ElasticChannelConfiguration(Payload, frozen=True):
    """How an elastic channel splits into sub-channels."""

    maximum_sub_channels: int
    target_memberships_per_sub_channel: int
    minimum_membership_percentage: int


class ExpirationSettings(Payload, frozen=True):
    """When a channel or user is deleted by itself."""

    expiration_days: int
    expiration_criterion: str


class Channel(Payload, frozen=True):
    """A channel; summaries fill only the first members."""

    channel_arn: str
    name: str | None = None
    mode: str | None = None
    privacy: str | None = None
    metadata: str | None = None
    created_by: Identity | None = None
    created_timestamp: Timestamp | None = None
    last_message_timestamp: Timestamp | None = None
    last_updated_timestamp: Timestamp | None = None
    channel_flow_arn: str | None = None
    elastic_channel_configuration: ElasticChannelConfiguration | None = None
    expiration_settings: ExpirationSettings | None = None


class ChannelMembership(Payload, frozen=True):
    """One member of a channel."""

    channel_arn: str
    member: Identity
    invited_by: Identity | None = None
    type: str | None = None
    """DEFAULT or HIDDEN."""
    created_timestamp: Timestamp | None = None
    last_updated_timestamp: Timestamp | None = None
    sub_channel_id: str | None = None


class BatchChannelMemberships(Payload, frozen=True):
    """Several members added by one call."""

    channel_arn: str
    members: list[Identity] = []
    invited_by: Identity | None = None
    type: str | None = None
    sub_channel_id: str | None = None


class MembershipSummary(Payload, frozen=True):
    """A member as lists and prefetch carry it."""

    member: Identity


class ChannelDetails(Payload, frozen=True):
    """What prefetch says of one channel."""

    channel: Channel
    channel_messages: list[MessageSummary] = []
    """Newest first; the latest 20, less those that are for others."""
    channel_memberships: list[MembershipSummary] = []
    """At most 30."""
    read_marker_timestamp: Timestamp | None = None
    channel_messages_has_more: bool = False


class ChannelBan(Payload, frozen=True):
    """A ban (streaming only)."""

    channel_arn: str
    member: Identity
    created_by: Identity | None = None
    created_timestamp: Timestamp | None = None


class ChannelModerator(Payload, frozen=True):
    """A moderator (streaming only)."""

    channel_arn: str
    moderator: Identity
    created_by: Identity | None = None
    created_timestamp: Timestamp | None = None


class SubChannel(Payload, frozen=True):
    """A part of an elastic channel (streaming only)."""

    channel_arn: str
    sub_channel_id: str


# --- what calls answer, and what they take -------------------------------------------------------------------------


class SentMessage(Payload, frozen=True):
    """What SendChannelMessage and UpdateChannelMessage answer."""

    channel_arn: str
    message_id: str
    status: MessageStatus | None = None
    """SENT, or PENDING while a channel flow looks at the message."""
    sub_channel_id: str | None = None


class PushNotification(Payload, frozen=True, omit_defaults=False):
    """Push notification that goes with a message."""

    title: str
    """At most 50 characters."""
    body: str
    """At most 150 characters."""
    type: str = "DEFAULT"
    """DEFAULT or VOIP."""


class OwnMembership(Payload, frozen=True):
    """How a user stands in a channel; seen by that user and by administrators only."""

    type: str | None = None
    read_marker_timestamp: Timestamp | None = None
    sub_channel_id: str | None = None


class MembershipForUser(
    Payload, frozen=True, rename={"channel": "ChannelSummary", "membership": "AppInstanceUserMembershipSummary"}
):
    """A channel and the user's place in it. Official name: ChannelMembershipForAppInstanceUserSummary."""

    channel: Channel
    membership: OwnMembership

    @property
    def unread(self) -> bool:
        """Whether the channel has a message newer than the read marker."""
        newest, marker = self.channel.last_message_timestamp, self.membership.read_marker_timestamp
        return newest is not None and (marker is None or newest > marker)


class MembershipError(
    Payload, frozen=True, rename={"member_arn": "MemberArn", "code": "ErrorCode", "message": "ErrorMessage"}
):
    """A user that BatchCreateChannelMembership could not add."""

    member_arn: str
    code: str | None = None
    message: str | None = None


class SubChannelSummary(Payload, frozen=True):
    """A part of an elastic channel, as ListSubChannels tells it."""

    sub_channel_id: str
    membership_count: int = 0
