"""Elastic channels: members are spread over sub-channels that open and close with demand.

Sub-channels are delivery groups of their own. Moderators choose theirs and do not count when members are balanced.
Figures: ElasticChannelConfiguration; the minimum is rounded up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from chime_messaging.ids import new_uuid
from chime_messaging.server import faults
from chime_messaging.server.messaging.authorization import authorize
from chime_messaging.server.messaging.channel_events import (
    SUB_CHANNEL_DELETED,
    Audience,
    stream_sub_channel,
    tell_membership,
)
from chime_messaging.server.notices import Dissolve, Join, Leave
from chime_messaging.server.operations import Call, operation
from chime_messaging.server.store.channels import START, Channel, Place
from chime_messaging.server.store.database import Transaction
from chime_messaging.server.store.memberships import (
    Membership,
    delete_membership,
    group_of,
    memberships_of_sub_channel,
    move_membership,
)
from chime_messaging.server.store.moderators import moderator_arns
from chime_messaging.server.store.paging import window
from chime_messaging.server.store.sub_channels import (
    add_sub_channel,
    delete_sub_channel,
    sub_channels_after,
    sub_channels_of,
)


@dataclass(frozen=True, slots=True)
class Elasticity:
    """The figures that a channel is balanced by."""

    maximum: int
    """Sub-channels the channel may have."""
    target: int
    """Members a sub-channel may have."""
    percentage: int
    """Share of `target` under which a sub-channel is merged into the others."""

    @property
    def minimum(self) -> int:
        """Members a sub-channel needs to stay open."""
        return -(-self.target * self.percentage // 100)

    @classmethod
    def of(cls, channel: Channel) -> Elasticity:
        """Read the configuration of an elastic channel."""
        figures = channel.elastic_configuration or {}
        return cls(
            figures["MaximumSubChannels"],
            figures["TargetMembershipsPerSubChannel"],
            figures["MinimumMembershipPercentage"],
        )


def emptiest(elasticity: Elasticity, members: Mapping[str, int]) -> str | None:
    """Choose the sub-channel for a new member, given how many each has; None if all are full."""
    free = [part for part, count in members.items() if count < elasticity.target]
    return min(free, key=lambda part: members[part]) if free else None


def merge(elasticity: Elasticity, members: Mapping[str, int], shrunk: str) -> list[str] | None:
    """Decide what becomes of a sub-channel that lost a member, given how many each has now.

    Returns:
        For each member left in it the sub-channel to move to; None if it stays as it is.
    """
    left = members.get(shrunk)
    others = {part: count for part, count in members.items() if part != shrunk}
    if left is None or not others or left >= elasticity.minimum:
        return None
    if sum(max(0, elasticity.target - count) for count in others.values()) < left:
        return None
    moves = []
    for _ in range(left):
        chosen = min(others, key=lambda part: others[part])
        others[chosen] += 1
        moves.append(chosen)
    return moves


def open_sub_channel(tx: Transaction, channel: Channel) -> str:
    """Add a sub-channel."""
    sub_channel_id = new_uuid()
    add_sub_channel(tx, channel.arn, sub_channel_id)
    stream_sub_channel(tx, "CREATE_SUB_CHANNEL", channel, sub_channel_id)
    return sub_channel_id


class Placement:
    """Finds the sub-channels for the new members of one request.

    Args:
        tx: the transaction.
        channel: an elastic channel.
    """

    def __init__(self, tx: Transaction, channel: Channel) -> None:
        self._tx = tx
        self._channel = channel
        self._elasticity = Elasticity.of(channel)
        self._members = {part.id: part.members for part in sub_channels_of(tx, channel.arn)}

    def choose(self, wanted: str | None, *, moderator: bool) -> str:
        """Find the sub-channel for one more member; open one if all are full.

        Args:
            wanted: SubChannelId of the request; moderators must give one.
            moderator: whether the new member moderates the channel.

        Raises:
            Fault: BadRequest without a wanted sub-channel for a moderator, NotFound for one that does not exist,
                ResourceLimitExceeded if there is no room.
        """
        if moderator:
            return self._known(wanted)
        chosen = self._emptiest() if wanted is None else self._known(wanted)
        if self._members[chosen] >= self._elasticity.target:
            raise faults.resource_limit(f"A sub-channel has at most {self._elasticity.target} members.")
        self._members[chosen] += 1
        return chosen

    def _known(self, wanted: str | None) -> str:
        if wanted is None:
            raise faults.bad_request("SubChannelId is required to add a moderator to an elastic channel.")
        if wanted not in self._members:
            raise faults.not_found("The sub-channel does not exist.")
        return wanted

    def _emptiest(self) -> str:
        chosen = emptiest(self._elasticity, self._members)
        if chosen is not None:
            return chosen
        if len(self._members) >= self._elasticity.maximum:
            raise faults.resource_limit(f"All {self._elasticity.maximum} sub-channels of the channel are full.")
        opened = open_sub_channel(self._tx, self._channel)
        self._members[opened] = 0
        return opened


def scale_in(tx: Transaction, channel: Channel, shrunk: str) -> None:
    """Merge a sub-channel that lost a member into the others, if it has become too small and they have room."""
    members = {part.id: part.members for part in sub_channels_of(tx, channel.arn)}
    moves = merge(Elasticity.of(channel), members, shrunk)
    if moves is None:
        return
    moderators = moderator_arns(tx, channel.arn)
    remaining = iter(moves)
    for membership in memberships_of_sub_channel(tx, channel.arn, shrunk):
        if membership.member_arn in moderators:
            _remove_moderator(tx, channel, membership)
        else:
            _move(tx, channel, membership, next(remaining))
    delete_sub_channel(tx, channel.arn, shrunk)
    tx.notify(Dissolve(group_of(channel.arn, shrunk)))
    stream_sub_channel(tx, "DELETE_SUB_CHANNEL", channel, shrunk)


def _move(tx: Transaction, channel: Channel, membership: Membership, to: str) -> None:
    move_membership(tx, membership, to)
    moved = replace(membership, sub_channel_id=to, updated=tx.now)
    tx.notify(Leave(membership.member_arn, membership.group))
    tx.notify(Join(moved.member_arn, moved.group))
    only_them = Audience(users=(moved.member_arn,))
    tell_membership(tx, "UPDATE_CHANNEL_MEMBERSHIP", channel.app_instance_arn, moved, only_them)


def _remove_moderator(tx: Transaction, channel: Channel, membership: Membership) -> None:
    delete_membership(tx, membership)
    tell_membership(
        tx,
        "DELETE_CHANNEL_MEMBERSHIP",
        channel.app_instance_arn,
        membership,
        Audience(users=(membership.member_arn,)),
        reason=SUB_CHANNEL_DELETED,
    )
    tx.notify(Leave(membership.member_arn, membership.group))


@operation("messaging", "ListSubChannels")
def list_sub_channels(call: Call) -> dict[str, Any]:
    """Page through the parts of an elastic channel, with the number of memberships in each."""
    channel = authorize(call, "ListSubChannels", call.params["ChannelArn"]).channel
    if not channel.is_elastic:
        raise faults.bad_request("The channel is not elastic.")
    page = window(call.params, "ListSubChannels", channel.arn, key=(int, str))
    after = cast("Place", page.after or START)
    rows, token = page.cut(sub_channels_after(call.tx, channel.arn, after, page.fetch), lambda part: part.place)
    return {
        "ChannelArn": channel.arn,
        "SubChannels": [{"SubChannelId": part.id, "MembershipCount": part.memberships} for part in rows],
        "NextToken": token,
    }
