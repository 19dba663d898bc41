"""Bans: who may not be a member of a channel, until the ban is lifted."""

from __future__ import annotations

from typing import cast

from chime_messaging.server import faults
from chime_messaging.server.messaging.authorization import INVALID_USER, authorize, missing
from chime_messaging.server.messaging.channel_events import stream_ban
from chime_messaging.server.messaging.memberships import eligible, remove_all
from chime_messaging.server.messaging.records import Record, ban_record
from chime_messaging.server.operations import Call, operation
from chime_messaging.server.store.bans import Ban, bans_after, delete_ban, delete_bans_of, find_ban, insert_ban
from chime_messaging.server.store.channels import START, Place
from chime_messaging.server.store.database import Transaction
from chime_messaging.server.store.lifecycle import on_user_deleted
from chime_messaging.server.store.moderators import find_moderator
from chime_messaging.server.store.paging import window
from chime_messaging.server.store.users import identities_of, identity_of, is_admin


@operation("messaging", "CreateChannelBan")
def create_channel_ban(call: Call) -> Record:
    """Ban a user; if it is a member, its membership ends."""
    tx, member = call.tx, call.params["MemberArn"]
    access = authorize(call, "CreateChannelBan", call.params["ChannelArn"])
    channel = access.channel
    if member not in eligible(call, channel.app_instance_arn, [member]):
        raise faults.forbidden(INVALID_USER)
    if find_moderator(tx, channel.arn, member) or is_admin(tx, channel.app_instance_arn, member):
        raise faults.forbidden("Moderators and administrators cannot be banned.")
    if find_ban(tx, channel.arn, member) is not None:
        raise faults.conflict("The user is banned from the channel already.")
    ban = Ban(channel.arn, member, access.bearer, call.now)
    insert_ban(tx, ban)
    stream_ban(tx, "CREATE_CHANNEL_BAN", channel.app_instance_arn, ban)
    remove_all(tx, channel, member)
    return {"ChannelArn": channel.arn, "Member": identity_of(tx, member)}


@operation("messaging", "DeleteChannelBan")
def delete_channel_ban(call: Call) -> None:
    """Lift a ban; the user is not added again."""
    channel = authorize(call, "DeleteChannelBan", call.params["ChannelArn"]).channel
    ban = find_ban(call.tx, channel.arn, call.params["MemberArn"])
    if ban is None:
        raise missing("DeleteChannelBan", _NO_BAN)
    delete_ban(call.tx, channel.arn, ban.member_arn)
    stream_ban(call.tx, "DELETE_CHANNEL_BAN", channel.app_instance_arn, ban)


@operation("messaging", "DescribeChannelBan")
def describe_channel_ban(call: Call) -> Record:
    """Tell of one ban."""
    channel = authorize(call, "DescribeChannelBan", call.params["ChannelArn"]).channel
    ban = find_ban(call.tx, channel.arn, call.params["MemberArn"])
    if ban is None:
        raise missing("DescribeChannelBan", _NO_BAN)
    named = [arn for arn in (ban.member_arn, ban.created_by) if arn is not None]
    return {"ChannelBan": ban_record(ban, identities_of(call.tx, named))}


@operation("messaging", "ListChannelBans")
def list_channel_bans(call: Call) -> Record:
    """Page through the bans of a channel."""
    channel = authorize(call, "ListChannelBans", call.params["ChannelArn"]).channel
    page = window(call.params, "ListChannelBans", channel.arn, key=(int, str))
    after = cast("Place", page.after or START)
    rows, token = page.cut(bans_after(call.tx, channel.arn, after, page.fetch), lambda row: row.place)
    names = identities_of(call.tx, (row.member_arn for row in rows))
    return {
        "ChannelArn": channel.arn,
        "ChannelBans": [{"Member": names[row.member_arn]} for row in rows],
        "NextToken": token,
    }


_NO_BAN = "The user is not banned from the channel."


@on_user_deleted
def _forget(tx: Transaction, user_arn: str) -> None:
    delete_bans_of(tx, user_arn)
