"""Memberships: adding, removing and listing the members of channels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import cast

from chime_messaging.errors import InvalidArnError
from chime_messaging.ids import parse_arn
from chime_messaging.server import faults
from chime_messaging.server.configuration import Authorization
from chime_messaging.server.faults import Fault
from chime_messaging.server.messaging import quotas
from chime_messaging.server.messaging.authorization import (
    INVALID_USER,
    Access,
    authorize,
    authorize_user,
    missing,
)
from chime_messaging.server.messaging.channel_events import audience_of, tell_batch, tell_membership
from chime_messaging.server.messaging.elastic import Placement, scale_in
from chime_messaging.server.messaging.records import (
    Record,
    batch_record,
    membership_for_user,
    membership_record,
)
from chime_messaging.server.notices import Join, Leave
from chime_messaging.server.operations import Call, operation
from chime_messaging.server.store.bans import banned_among
from chime_messaging.server.store.channels import START, Channel, Place, find_channel
from chime_messaging.server.store.database import Transaction
from chime_messaging.server.store.lifecycle import on_user_deleted
from chime_messaging.server.store.memberships import (
    CHANNELS_START,
    ChannelOfMember,
    ChannelPlace,
    Membership,
    candidates_among,
    channels_of_member_after,
    count_channels,
    count_members,
    delete_membership,
    find_memberships,
    insert_memberships,
    members_among,
    memberships_after,
    memberships_of_member,
)
from chime_messaging.server.store.moderators import moderator_arns
from chime_messaging.server.store.paging import window
from chime_messaging.server.store.users import identities_of, identity_of

Refusals = dict[str, Fault]
"""Why each of some users cannot become a member."""


@operation("messaging", "CreateChannelMembership")
def create_channel_membership(call: Call) -> Record:
    """Add one member, and tell the members, the new one included."""
    params = call.params
    member = params["MemberArn"]
    access = authorize(call, "CreateChannelMembership", params["ChannelArn"], member)
    added, refused = admit(call, access.channel, [member], params["Type"], params.get("SubChannelId"))
    if refused:
        raise refused[member]
    tell_joined(call.tx, access.channel, added)
    return {
        "ChannelArn": access.channel.arn,
        "Member": identity_of(call.tx, member),
        "SubChannelId": added[0].sub_channel_id or None,
    }


@operation("messaging", "BatchCreateChannelMembership")
def batch_create_channel_membership(call: Call) -> Record:
    """Add up to 100 members; those who cannot be added are listed as errors of a successful answer."""
    params = call.params
    members = list(dict.fromkeys(params["MemberArns"]))
    owner = members[0] if len(members) == 1 else None
    access = authorize(call, "BatchCreateChannelMembership", params["ChannelArn"], owner)
    kind = params.get("Type") or "DEFAULT"
    added, refused = admit(call, access.channel, members, kind, params.get("SubChannelId"))
    tell_joined(call.tx, access.channel, added, batch=not access.channel.is_elastic)
    return {"BatchChannelMemberships": _batch(call, access, added), "Errors": _errors(refused)}


def _batch(call: Call, access: Access, added: Sequence[Membership]) -> Record | None:
    if not added:
        return None
    arns = [membership.member_arn for membership in added]
    names = identities_of(call.tx, arns if access.bearer is None else [*arns, access.bearer])
    record = batch_record(added, names)
    if len({membership.sub_channel_id for membership in added}) > 1:
        record["SubChannelId"] = None
    return record


def _errors(refused: Refusals) -> list[Record]:
    return [
        {"MemberArn": arn, "ErrorCode": fault.name.removesuffix("Exception"), "ErrorMessage": fault.message}
        for arn, fault in refused.items()
    ]


@operation("messaging", "DeleteChannelMembership")
def delete_channel_membership(call: Call) -> None:
    """Leave, or put a member out; everybody who was a member is told."""
    member = call.params["MemberArn"]
    access = authorize(call, "DeleteChannelMembership", call.params["ChannelArn"], member)
    remove(call.tx, access.channel, _one(call, access, "DeleteChannelMembership"))


@operation("messaging", "DescribeChannelMembership")
def describe_channel_membership(call: Call) -> Record:
    """Tell of one member; a hidden one only to itself and to those who run the channel."""
    access = authorize(call, "DescribeChannelMembership", call.params["ChannelArn"])
    membership = _one(call, access, "DescribeChannelMembership")
    if membership.type == "HIDDEN" and not access.runs_channel and membership.member_arn != access.bearer:
        raise _not_a_member("DescribeChannelMembership")
    named = [membership.member_arn]
    if membership.invited_by is not None:
        named.append(membership.invited_by)
    return {"ChannelMembership": membership_record(membership, identities_of(call.tx, named))}


@operation("messaging", "ListChannelMemberships")
def list_channel_memberships(call: Call) -> Record:
    """Page through the members of one type; hidden ones only for those who run the channel."""
    params = call.params
    kind = params.get("Type") or "DEFAULT"
    action = "ListHiddenChannelMemberships" if kind == "HIDDEN" else "ListChannelMemberships"
    access = authorize(call, action, params["ChannelArn"])
    access.require_sub_channel(params.get("SubChannelId"))
    channel, sub_channel = access.channel, params.get("SubChannelId") or ""
    page = window(params, "ListChannelMemberships", channel.arn, sub_channel, kind, key=(int, str))
    after = cast("Place", page.after or START)
    found = memberships_after(call.tx, channel.arn, sub_channel, kind, after, page.fetch)
    rows, token = page.cut(found, lambda row: row.place)
    names = identities_of(call.tx, (row.member_arn for row in rows))
    return {
        "ChannelArn": channel.arn,
        "ChannelMemberships": [{"Member": names[row.member_arn]} for row in rows],
        "NextToken": token,
    }


@operation("messaging", "ListChannelMembershipsForAppInstanceUser")
def list_channel_memberships_for_app_instance_user(call: Call) -> Record:
    """Page through the channels that a user is a member of, with its read markers."""
    user = authorize_user(call, call.params.get("AppInstanceUserArn"))
    page = window(call.params, "ListChannelMembershipsForAppInstanceUser", user, key=(int, str, str))
    after = cast("ChannelPlace", page.after or CHANNELS_START)
    rows, token = page.cut(channels_of_member_after(call.tx, user, after, page.fetch), lambda row: row.place)
    return {"ChannelMemberships": [membership_for_user(row) for row in rows], "NextToken": token}


@operation("messaging", "DescribeChannelMembershipForAppInstanceUser")
def describe_channel_membership_for_app_instance_user(call: Call) -> Record:
    """Tell of one channel and what a user has in it."""
    user = call.params["AppInstanceUserArn"]
    action = "DescribeChannelMembershipForAppInstanceUser"
    access = authorize(call, action, call.params["ChannelArn"], user)
    held = find_memberships(call.tx, access.channel.arn, user)
    if not held:
        raise _not_a_member(action)
    first = held[0]
    item = ChannelOfMember(access.channel, first.type, first.read_marker, first.sub_channel_id, first.created)
    return {"ChannelMembership": membership_for_user(item)}


def eligible(call: Call, app_instance_arn: str, arns: Iterable[str]) -> set[str]:
    """Tell who of some may be given a part in a channel: users and bots of its app instance.

    Where nothing is asked (`Authorization.TRUST`) they need not be registered.
    """
    arns = list(arns)
    if call.configuration.authorization is Authorization.TRUST:
        return {arn for arn in arns if _lives_in(arn, app_instance_arn)}
    return candidates_among(call.tx, app_instance_arn, arns)


def _lives_in(arn: str, app_instance_arn: str) -> bool:
    try:
        parsed = parse_arn(arn)
    except InvalidArnError:
        return False
    return parsed.kind in ("user", "bot") and arn.startswith(f"{app_instance_arn}/")


def admit(
    call: Call, channel: Channel, arns: list[str], kind: str, sub_channel_id: str | None = None
) -> tuple[list[Membership], Refusals]:
    """Add members to a channel and join their sockets to it; nobody is told yet.

    Args:
        call: the request; its bearer is who invites.
        channel: the channel.
        arns: new members, each once.
        kind: DEFAULT or HIDDEN.
        sub_channel_id: where to, in an elastic channel.

    Returns:
        The new memberships, and for all others why not.
    """
    if channel.is_elastic and kind == "HIDDEN":
        raise faults.bad_request("Elastic channels have no hidden members.")
    if not channel.is_elastic and sub_channel_id is not None:
        raise faults.bad_request("SubChannelId is for elastic channels only.")
    refused = _refusals(call, channel, arns)
    bearer = None if call.bearer is None else call.bearer.text
    place = _placer(call, channel, sub_channel_id)
    added = []
    for arn in arns:
        if arn in refused:
            continue
        try:
            part = place(arn)
        except Fault as fault:
            refused[arn] = fault
        else:
            added.append(Membership(channel.arn, arn, part, kind, bearer, call.now, call.now))
    insert_memberships(call.tx, added)
    for membership in added:
        call.tx.notify(Join(membership.member_arn, membership.group))
    return added, refused


def _refusals(call: Call, channel: Channel, arns: list[str]) -> Refusals:
    """Find who cannot be a member, whatever the place."""
    tx = call.tx
    known = eligible(call, channel.app_instance_arn, arns)
    banned = banned_among(tx, channel.arn, arns)
    members = set() if channel.is_elastic else members_among(tx, channel.arn, arns)
    room = quotas.MEMBERSHIPS_PER_CHANNEL
    if call.configuration.quotas and not channel.is_elastic:
        room -= count_members(tx, channel.arn)
    refused: Refusals = {}
    for arn in arns:
        if arn not in known:
            refused[arn] = faults.not_found(INVALID_USER)
        elif arn in banned:
            refused[arn] = faults.forbidden("The user is banned from the channel.")
        elif arn in members:
            refused[arn] = _already_member()
        elif room <= 0:
            refused[arn] = faults.resource_limit(f"A channel has at most {quotas.MEMBERSHIPS_PER_CHANNEL} members.")
        elif call.configuration.quotas and count_channels(tx, arn) >= quotas.CHANNELS_PER_MEMBER:
            refused[arn] = faults.resource_limit(f"A user is in at most {quotas.CHANNELS_PER_MEMBER} channels.")
        elif call.configuration.quotas:
            room -= 1
    return refused


def _placer(call: Call, channel: Channel, wanted: str | None) -> Callable[[str], str]:
    """Build what says where each new member goes: a sub-channel id, empty in an ordinary channel."""
    if not channel.is_elastic:
        return lambda arn: ""
    placement = Placement(call.tx, channel)
    moderators = moderator_arns(call.tx, channel.arn)

    def place(arn: str) -> str:
        held = {membership.sub_channel_id for membership in find_memberships(call.tx, channel.arn, arn)}
        moderator = arn in moderators
        if (held and not moderator) or wanted in held:
            raise _already_member()
        return placement.choose(wanted, moderator=moderator)

    return place


def tell_joined(tx: Transaction, channel: Channel, added: Sequence[Membership], *, batch: bool = False) -> None:
    """Tell of new members, in one event or in one each."""
    if batch and added:
        audience = audience_of(tx, added[0])
        if added[0].type == "HIDDEN":
            audience = audience.and_users(membership.member_arn for membership in added)
        tell_batch(tx, channel.app_instance_arn, added, audience)
        return
    for membership in added:
        audience = audience_of(tx, membership)
        tell_membership(tx, "CREATE_CHANNEL_MEMBERSHIP", channel.app_instance_arn, membership, audience)


def remove(tx: Transaction, channel: Channel, membership: Membership) -> None:
    """End a membership and tell the others and the one who is gone; balance an elastic channel."""
    audience = audience_of(tx, membership).and_users([membership.member_arn])
    delete_membership(tx, membership)
    tell_membership(tx, "DELETE_CHANNEL_MEMBERSHIP", channel.app_instance_arn, membership, audience)
    tx.notify(Leave(membership.member_arn, membership.group))
    if channel.is_elastic:
        scale_in(tx, channel, membership.sub_channel_id)


def remove_all(tx: Transaction, channel: Channel, member_arn: str) -> None:
    """End every membership that a user has in a channel."""
    while held := find_memberships(tx, channel.arn, member_arn):
        # One by one: balancing may have moved or ended the next.
        remove(tx, channel, held[0])


def _one(call: Call, access: Access, action: str) -> Membership:
    """Find the membership that a request names by MemberArn and, in an elastic channel, SubChannelId."""
    wanted = call.params.get("SubChannelId")
    if wanted is not None and not access.channel.is_elastic:
        raise faults.bad_request("SubChannelId is for elastic channels only.")
    held = find_memberships(call.tx, access.channel.arn, call.params["MemberArn"])
    if wanted is not None:
        held = [membership for membership in held if membership.sub_channel_id == wanted]
    if not held:
        raise _not_a_member(action)
    if len(held) > 1:
        raise faults.bad_request("The user is in several sub-channels: SubChannelId is required.")
    return held[0]


def _not_a_member(action: str) -> Fault:
    return missing(action, "The user is not a member of the channel.")


def _already_member() -> Fault:
    return faults.conflict("The user is a member of the channel already.")


@on_user_deleted
def _leave_all(tx: Transaction, user_arn: str) -> None:
    for channel_arn in dict.fromkeys(membership.channel_arn for membership in memberships_of_member(tx, user_arn)):
        channel = find_channel(tx, channel_arn)
        if channel is not None:
            remove_all(tx, channel, user_arn)
