"""Channels and who is in them, as records of the API: PascalCase, times in milliseconds, None for what is absent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chime_messaging.server.store.bans import Ban
from chime_messaging.server.store.channels import Channel
from chime_messaging.server.store.memberships import ChannelOfMember, Membership
from chime_messaging.server.store.moderators import Moderator

Record = dict[str, Any]
Identities = Mapping[str, Record]
"""Identity of each ARN that a record names, as `store.users.identities_of` loads them."""


def channel_record(channel: Channel, identities: Identities) -> Record:
    """Channel."""
    return {
        **channel_summary(channel),
        "CreatedBy": _identity(identities, channel.created_by),
        "CreatedTimestamp": channel.created,
        "LastUpdatedTimestamp": channel.updated,
        "ChannelFlowArn": channel.flow_arn,
        "ElasticChannelConfiguration": channel.elastic_configuration,
        "ExpirationSettings": expiration_record(channel),
    }


def channel_summary(channel: Channel) -> Record:
    """ChannelSummary."""
    return {
        "Name": channel.name,
        "ChannelArn": channel.arn,
        "Mode": channel.mode,
        "Privacy": channel.privacy,
        "Metadata": channel.metadata or None,
        "LastMessageTimestamp": channel.last_message,
    }


def expiration_record(channel: Channel) -> Record | None:
    """ExpirationSettings; None if the channel stays."""
    if channel.expiration_days is None:
        return None
    return {"ExpirationDays": channel.expiration_days, "ExpirationCriterion": channel.expiration_criterion}


def membership_record(membership: Membership, identities: Identities) -> Record:
    """ChannelMembership."""
    return {
        "InvitedBy": _identity(identities, membership.invited_by),
        "Type": membership.type,
        "Member": _identity(identities, membership.member_arn),
        "ChannelArn": membership.channel_arn,
        "CreatedTimestamp": membership.created,
        "LastUpdatedTimestamp": membership.updated,
        "SubChannelId": membership.sub_channel_id or None,
    }


def batch_record(added: Sequence[Membership], identities: Identities) -> Record:
    """BatchChannelMemberships: members that one call added to one place."""
    first = added[0]
    return {
        "InvitedBy": _identity(identities, first.invited_by),
        "Type": first.type,
        "Members": [_identity(identities, membership.member_arn) for membership in added],
        "ChannelArn": first.channel_arn,
        "SubChannelId": first.sub_channel_id or None,
    }


def membership_for_user(item: ChannelOfMember) -> Record:
    """ChannelMembershipForAppInstanceUserSummary: a channel, and what the user has in it."""
    return {
        "ChannelSummary": channel_summary(item.channel),
        "AppInstanceUserMembershipSummary": {
            "Type": item.type,
            "ReadMarkerTimestamp": item.read_marker,
            "SubChannelId": item.sub_channel_id or None,
        },
    }


def moderator_record(moderator: Moderator, identities: Identities) -> Record:
    """ChannelModerator."""
    return {
        "Moderator": _identity(identities, moderator.moderator_arn),
        "ChannelArn": moderator.channel_arn,
        "CreatedTimestamp": moderator.created,
        "CreatedBy": _identity(identities, moderator.created_by),
    }


def ban_record(ban: Ban, identities: Identities) -> Record:
    """ChannelBan."""
    return {
        "Member": _identity(identities, ban.member_arn),
        "ChannelArn": ban.channel_arn,
        "CreatedTimestamp": ban.created,
        "CreatedBy": _identity(identities, ban.created_by),
    }


def _identity(identities: Identities, arn: str | None) -> Record | None:
    return None if arn is None else identities[arn]
