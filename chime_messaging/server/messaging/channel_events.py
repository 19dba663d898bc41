"""Events about channels and who is in them: encoded once, for the sockets of an audience and for the stream."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from chime_messaging.server.messaging.records import (
    Record,
    ban_record,
    batch_record,
    channel_record,
    membership_record,
    moderator_record,
)
from chime_messaging.server.notices import Deliver, Stream
from chime_messaging.server.rest.shapes import payload
from chime_messaging.server.store.bans import Ban
from chime_messaging.server.store.channels import Channel
from chime_messaging.server.store.database import Transaction
from chime_messaging.server.store.memberships import Membership, group_of, members_among
from chime_messaging.server.store.moderators import Moderator, moderator_arns
from chime_messaging.server.store.sub_channels import sub_channel_ids
from chime_messaging.server.store.users import identities_of
from chime_messaging.wire.envelope import encode_frame, encode_payload

SUB_CHANNEL_DELETED = "subchannel_DELETED"
"""Event reason on DELETE_CHANNEL_MEMBERSHIP to a moderator whose sub-channel was merged into others."""


@dataclass(frozen=True, slots=True)
class Audience:
    """Who gets an event: members of groups, and users."""

    groups: tuple[str, ...] = ()
    users: tuple[str, ...] = ()

    def and_users(self, users: Iterable[str]) -> Audience:
        """Add users."""
        return replace(self, users=tuple(dict.fromkeys((*self.users, *users))))


def groups_of_channel(tx: Transaction, channel: Channel) -> tuple[str, ...]:
    """Name the delivery groups of a channel: itself, or its sub-channels."""
    if not channel.is_elastic:
        return (channel.arn,)
    return tuple(group_of(channel.arn, sub) for sub in sub_channel_ids(tx, channel.arn))


def audience_of(tx: Transaction, membership: Membership) -> Audience:
    """Tell who hears of a membership: all members; of a hidden one the user and the moderators who are members."""
    if membership.type == "HIDDEN":
        moderators = members_among(tx, membership.channel_arn, moderator_arns(tx, membership.channel_arn))
        return Audience().and_users([membership.member_arn, *sorted(moderators)])
    return Audience(groups=(membership.group,))


def tell_channel(tx: Transaction, event_type: str, channel: Channel, *, to_members: bool = True) -> None:
    """Tell of a channel: its members, unless it is an event for streams only, and the stream."""
    record = channel_record(channel, identities_of(tx, _named(channel.created_by)))
    audience = Audience(groups=groups_of_channel(tx, channel)) if to_members else Audience()
    _tell(tx, channel.app_instance_arn, event_type, payload("messaging", "Channel", record), audience)


def tell_membership(
    tx: Transaction,
    event_type: str,
    app_instance_arn: str,
    membership: Membership,
    audience: Audience,
    *,
    reason: str | None = None,
) -> None:
    """Tell of one membership."""
    names = identities_of(tx, _named(membership.member_arn, membership.invited_by))
    record = payload("messaging", "ChannelMembership", membership_record(membership, names))
    _tell(tx, app_instance_arn, event_type, record, audience, reason=reason)


def tell_batch(tx: Transaction, app_instance_arn: str, added: Sequence[Membership], audience: Audience) -> None:
    """Tell of members that one call added: one event for the sockets, one record each for the stream."""
    names = identities_of(tx, _named(added[0].invited_by, *(membership.member_arn for membership in added)))
    event_type = "BATCH_CREATE_CHANNEL_MEMBERSHIP"
    record = payload("messaging", "BatchChannelMemberships", batch_record(added, names))
    _deliver(tx, event_type, encode_frame(event_type, encode_payload(record)), audience)
    for membership in added:
        single = payload("messaging", "ChannelMembership", membership_record(membership, names))
        tx.notify(Stream(app_instance_arn, "Channel", "CREATE_CHANNEL_MEMBERSHIP", encode_payload(single)))


def stream_moderator(tx: Transaction, event_type: str, app_instance_arn: str, moderator: Moderator) -> None:
    """Tell the stream of a moderator; sockets are not told."""
    names = identities_of(tx, _named(moderator.moderator_arn, moderator.created_by))
    record = payload("messaging", "ChannelModerator", moderator_record(moderator, names))
    _tell(tx, app_instance_arn, event_type, record, Audience())


def stream_ban(tx: Transaction, event_type: str, app_instance_arn: str, ban: Ban) -> None:
    """Tell the stream of a ban; sockets are not told."""
    names = identities_of(tx, _named(ban.member_arn, ban.created_by))
    record = payload("messaging", "ChannelBan", ban_record(ban, names))
    _tell(tx, app_instance_arn, event_type, record, Audience())


def stream_sub_channel(tx: Transaction, event_type: str, channel: Channel, sub_channel_id: str) -> None:
    """Tell the stream of a part of an elastic channel; sockets are not told."""
    record = {"ChannelArn": channel.arn, "SubChannelId": sub_channel_id}
    _tell(tx, channel.app_instance_arn, event_type, record, Audience())


def _tell(
    tx: Transaction,
    app_instance_arn: str,
    event_type: str,
    record: Record,
    audience: Audience,
    *,
    reason: str | None = None,
) -> None:
    text = encode_payload(record)
    if audience.groups or audience.users:
        _deliver(tx, event_type, encode_frame(event_type, text, reason=reason), audience)
    tx.notify(Stream(app_instance_arn, "Channel", event_type, text))


def _deliver(tx: Transaction, event_type: str, frame: bytes, audience: Audience) -> None:
    first, *others = audience.groups or (None,)
    tx.notify(Deliver(event_type, frame, group=first, users=audience.users))
    for group in others:
        tx.notify(Deliver(event_type, frame, group=group))


def _named(*arns: str | None) -> list[str]:
    return [arn for arn in arns if arn is not None]
