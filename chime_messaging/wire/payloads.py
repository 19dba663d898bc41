"""The objects inside messaging events, in the shapes of the messaging API (2021-05-15).

Names are snake_case here and PascalCase on the wire. Absent optional members are None, as the service omits them.
Timestamps are aware datetimes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

MessageType = Literal["STANDARD", "CONTROL"]
Persistence = Literal["PERSISTENT", "NON_PERSISTENT"]
MembershipType = Literal["DEFAULT", "HIDDEN"]
ChannelMode = Literal["UNRESTRICTED", "RESTRICTED"]
ChannelPrivacy = Literal["PUBLIC", "PRIVATE"]


class Payload(msgspec.Struct, rename="pascal", omit_defaults=True, frozen=True, kw_only=True):
    """Base of the payload shapes. Enumerations are plain strings: the service may add members."""


class Identity(Payload):
    """An app instance user or bot: ``{"Arn", "Name"}``."""

    arn: str
    name: str | None = None


class MessageStatus(Payload):
    """Status of a message on its way through a channel flow."""

    value: str | None = None
    """SENT, PENDING, FAILED or DENIED."""
    detail: str | None = None


class AttributeValue(Payload):
    """Values of one message attribute."""

    string_values: list[str] = []


class Target(Payload):
    """The one member a targeted message is for."""

    member_arn: str | None = None


class ChannelMessage(Payload):
    """A message of a channel, as events and GetChannelMessage carry it."""

    channel_arn: str
    message_id: str
    content: str | None = None
    metadata: str | None = None
    type: str | None = None
    """STANDARD or CONTROL."""
    created_timestamp: datetime | None = None
    last_edited_timestamp: datetime | None = None
    last_updated_timestamp: datetime | None = None
    sender: Identity | None = None
    redacted: bool = False
    persistence: str | None = None
    status: MessageStatus | None = None
    message_attributes: dict[str, AttributeValue] | None = None
    sub_channel_id: str | None = None
    content_type: str | None = None
    target: list[Target] | None = None


class ElasticChannelConfiguration(Payload):
    """How an elastic channel splits into sub-channels."""

    maximum_sub_channels: int
    target_memberships_per_sub_channel: int
    minimum_membership_percentage: int


class ExpirationSettings(Payload):
    """When a channel or user is deleted by itself."""

    expiration_days: int
    expiration_criterion: str


class Channel(Payload):
    """A channel; summaries fill only the first members."""

    channel_arn: str
    name: str | None = None
    mode: str | None = None
    privacy: str | None = None
    metadata: str | None = None
    created_by: Identity | None = None
    created_timestamp: datetime | None = None
    last_message_timestamp: datetime | None = None
    last_updated_timestamp: datetime | None = None
    channel_flow_arn: str | None = None
    elastic_channel_configuration: ElasticChannelConfiguration | None = None
    expiration_settings: ExpirationSettings | None = None


class ChannelMembership(Payload):
    """One member of a channel."""

    channel_arn: str
    member: Identity
    invited_by: Identity | None = None
    type: str | None = None
    """DEFAULT or HIDDEN."""
    created_timestamp: datetime | None = None
    last_updated_timestamp: datetime | None = None
    sub_channel_id: str | None = None


class BatchChannelMemberships(Payload):
    """Several members added by one call."""

    channel_arn: str
    members: list[Identity] = []
    invited_by: Identity | None = None
    type: str | None = None
    sub_channel_id: str | None = None


class MessageSummary(Payload):
    """A message as lists and prefetch carry it: without the channel it belongs to."""

    message_id: str
    content: str | None = None
    metadata: str | None = None
    type: str | None = None
    created_timestamp: datetime | None = None
    last_edited_timestamp: datetime | None = None
    last_updated_timestamp: datetime | None = None
    sender: Identity | None = None
    redacted: bool = False
    status: MessageStatus | None = None
    message_attributes: dict[str, AttributeValue] | None = None
    content_type: str | None = None
    target: list[Target] | None = None


class MembershipSummary(Payload):
    """A member as lists and prefetch carry it."""

    member: Identity


class ChannelDetails(Payload):
    """What prefetch says of one channel."""

    channel: Channel
    channel_messages: list[MessageSummary] = []
    """Newest first; the latest 20, less those that are for others."""
    channel_memberships: list[MembershipSummary] = []
    """At most 30."""
    read_marker_timestamp: datetime | None = None
    channel_messages_has_more: bool = False


class ChannelBan(Payload):
    """A ban (streaming only)."""

    channel_arn: str
    member: Identity
    created_by: Identity | None = None
    created_timestamp: datetime | None = None


class ChannelModerator(Payload):
    """A moderator (streaming only)."""

    channel_arn: str
    moderator: Identity
    created_by: Identity | None = None
    created_timestamp: datetime | None = None


class SubChannel(Payload):
    """A part of an elastic channel (streaming only)."""

    channel_arn: str
    sub_channel_id: str
