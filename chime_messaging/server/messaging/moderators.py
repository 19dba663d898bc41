"""Moderators: granting, revoking and listing the role. It is no membership."""

from __future__ import annotations

from typing import cast

from chime_messaging.server import faults
from chime_messaging.server.messaging import quotas
from chime_messaging.server.messaging.authorization import (
    INVALID_USER,
    Access,
    Role,
    authorize,
    authorize_user,
    missing,
)
from chime_messaging.server.messaging.channel_events import stream_moderator
from chime_messaging.server.messaging.memberships import eligible, remove_all
from chime_messaging.server.messaging.records import Record, channel_summary, moderator_record
from chime_messaging.server.operations import Call, operation
from chime_messaging.server.store.bans import find_ban
from chime_messaging.server.store.channels import START, Channel, Place
from chime_messaging.server.store.database import Transaction
from chime_messaging.server.store.lifecycle import on_user_deleted
from chime_messaging.server.store.memberships import find_memberships
from chime_messaging.server.store.moderators import (
    Moderator,
    channels_of_moderator_after,
    count_moderators,
    delete_moderator,
    find_moderator,
    insert_moderators,
    moderated_by,
    moderators_after,
)
from chime_messaging.server.store.paging import window
from chime_messaging.server.store.users import identities_of, identity_of


@operation("messaging", "CreateChannelModerator")
def create_channel_moderator(call: Call) -> Record:
    """Grant the role; in an elastic channel the memberships of the promoted end."""
    tx, arn = call.tx, call.params["ChannelModeratorArn"]
    access = authorize(call, "CreateChannelModerator", call.params["ChannelArn"])
    channel = access.channel
    _check_promotion(call, access, arn)
    moderator = Moderator(channel.arn, arn, access.bearer, call.now)
    insert_moderators(tx, [moderator])
    stream_moderator(tx, "CREATE_CHANNEL_MODERATOR", channel.app_instance_arn, moderator)
    if channel.is_elastic:
        remove_all(tx, channel, arn)
    return {"ChannelArn": channel.arn, "ChannelModerator": identity_of(tx, arn)}


def _check_promotion(call: Call, access: Access, arn: str) -> None:
    tx, channel = call.tx, access.channel
    if arn not in eligible(call, channel.app_instance_arn, [arn]):
        raise faults.forbidden(INVALID_USER)
    if find_moderator(tx, channel.arn, arn) is not None:
        raise faults.conflict("The user is a moderator of the channel already.")
    if find_ban(tx, channel.arn, arn) is not None:
        raise faults.forbidden("The user is banned from the channel.")
    if access.role is Role.MODERATOR and not find_memberships(tx, channel.arn, arn):
        raise faults.forbidden("A moderator can only promote members of the channel.")
    if call.configuration.quotas and count_moderators(tx, channel.arn) >= quotas.MODERATORS_PER_CHANNEL:
        raise faults.resource_limit(f"A channel has at most {quotas.MODERATORS_PER_CHANNEL} moderators.")


@operation("messaging", "DeleteChannelModerator")
def delete_channel_moderator(call: Call) -> None:
    """Revoke the role; in an elastic channel the memberships of the demoted end."""
    channel = authorize(call, "DeleteChannelModerator", call.params["ChannelArn"]).channel
    moderator = find_moderator(call.tx, channel.arn, call.params["ChannelModeratorArn"])
    if moderator is None:
        raise missing("DeleteChannelModerator", _NO_MODERATOR)
    if channel.is_elastic:
        remove_all(call.tx, channel, moderator.moderator_arn)
    revoke(call.tx, channel.app_instance_arn, moderator)


@operation("messaging", "DescribeChannelModerator")
def describe_channel_moderator(call: Call) -> Record:
    """Tell of one moderator."""
    channel = authorize(call, "DescribeChannelModerator", call.params["ChannelArn"]).channel
    moderator = find_moderator(call.tx, channel.arn, call.params["ChannelModeratorArn"])
    if moderator is None:
        raise missing("DescribeChannelModerator", _NO_MODERATOR)
    named = [arn for arn in (moderator.moderator_arn, moderator.created_by) if arn is not None]
    return {"ChannelModerator": moderator_record(moderator, identities_of(call.tx, named))}


@operation("messaging", "ListChannelModerators")
def list_channel_moderators(call: Call) -> Record:
    """Page through the moderators of a channel."""
    channel = authorize(call, "ListChannelModerators", call.params["ChannelArn"]).channel
    page = window(call.params, "ListChannelModerators", channel.arn, key=(int, str))
    after = cast("Place", page.after or START)
    rows, token = page.cut(moderators_after(call.tx, channel.arn, after, page.fetch), lambda row: row.place)
    names = identities_of(call.tx, (row.moderator_arn for row in rows))
    return {
        "ChannelArn": channel.arn,
        "ChannelModerators": [{"Moderator": names[row.moderator_arn]} for row in rows],
        "NextToken": token,
    }


@operation("messaging", "ListChannelsModeratedByAppInstanceUser")
def list_channels_moderated_by_app_instance_user(call: Call) -> Record:
    """Page through the channels that a user moderates."""
    user = authorize_user(call, call.params.get("AppInstanceUserArn"))
    page = window(call.params, "ListChannelsModeratedByAppInstanceUser", user, key=(int, str))
    after = cast("Place", page.after or START)
    found = channels_of_moderator_after(call.tx, user, after, page.fetch)
    rows, token = page.cut(found, lambda row: (row[1], row[0].arn))
    return {"Channels": [_moderated(channel) for channel, _ in rows], "NextToken": token}


@operation("messaging", "DescribeChannelModeratedByAppInstanceUser")
def describe_channel_moderated_by_app_instance_user(call: Call) -> Record:
    """Tell of one channel, if a user moderates it."""
    action, user = "DescribeChannelModeratedByAppInstanceUser", call.params["AppInstanceUserArn"]
    channel = authorize(call, action, call.params["ChannelArn"], user).channel
    if find_moderator(call.tx, channel.arn, user) is None:
        raise missing(action, _NO_MODERATOR)
    return {"Channel": _moderated(channel)}


_NO_MODERATOR = "The user is not a moderator of the channel."


def _moderated(channel: Channel) -> Record:
    return {"ChannelSummary": channel_summary(channel)}


def revoke(tx: Transaction, app_instance_arn: str, moderator: Moderator) -> None:
    """End a moderator's role and tell the stream."""
    delete_moderator(tx, moderator.channel_arn, moderator.moderator_arn)
    stream_moderator(tx, "DELETE_CHANNEL_MODERATOR", app_instance_arn, moderator)


@on_user_deleted
def _revoke_all(tx: Transaction, user_arn: str) -> None:
    for moderator in moderated_by(tx, user_arn):
        revoke(tx, moderator.channel_arn.rpartition("/channel/")[0], moderator)
