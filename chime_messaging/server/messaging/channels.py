"""Channels: creating, describing, changing, deleting and listing them."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from chime_messaging.ids import new_uuid
from chime_messaging.server import faults
from chime_messaging.server.messaging import quotas
from chime_messaging.server.messaging.authorization import INVALID_USER, administers, authorize
from chime_messaging.server.messaging.channel_events import groups_of_channel, stream_moderator, tell_channel
from chime_messaging.server.messaging.elastic import open_sub_channel
from chime_messaging.server.messaging.memberships import admit, eligible, tell_joined
from chime_messaging.server.messaging.records import Record, channel_record, channel_summary
from chime_messaging.server.notices import Dissolve
from chime_messaging.server.operations import Call, operation
from chime_messaging.server.store.channels import (
    START,
    Channel,
    Place,
    arns_of_app_instance,
    channels_after,
    count_elastic_channels,
    delete_channel,
    find_channel,
    insert_channel,
    update_channel,
)
from chime_messaging.server.store.database import Transaction
from chime_messaging.server.store.lifecycle import existence, on_app_instance_deleted
from chime_messaging.server.store.moderators import Moderator, insert_moderators
from chime_messaging.server.store.paging import window
from chime_messaging.server.store.tags import put_tags, remove_tags
from chime_messaging.server.store.users import identities_of

_encode = msgspec.json.Encoder().encode
_ELASTIC_LIMITS = {
    "MaximumSubChannels": quotas.SUB_CHANNELS_PER_CHANNEL,
    "TargetMembershipsPerSubChannel": quotas.MEMBERS_PER_SUB_CHANNEL,
}


@operation("messaging", "CreateChannel")
def create_channel(call: Call) -> Record:
    """Create a channel. The creator becomes moderator and member; of an elastic channel moderator only."""
    params = call.params
    administers(call, params["AppInstanceArn"])
    _check_quotas(call)
    channel = _compose(call)
    members, moderators = _people(call, channel)
    insert_channel(call.tx, channel)
    put_tags(call.tx, channel.arn, params.get("Tags"))
    tell_channel(call.tx, "CREATE_CHANNEL", channel, to_members=False)
    if channel.is_elastic:
        open_sub_channel(call.tx, channel)
    _appoint(call, channel, moderators)
    added, refused = admit(call, channel, members, "DEFAULT")
    for fault in refused.values():
        raise fault
    tell_joined(call.tx, channel, added)
    return {"ChannelArn": channel.arn}


def _check_quotas(call: Call) -> None:
    instance, elastic = call.params["AppInstanceArn"], call.params.get("ElasticChannelConfiguration")
    if elastic is None or not call.configuration.quotas:
        return
    for name, limit in _ELASTIC_LIMITS.items():
        if elastic[name] > limit:
            raise faults.resource_limit(f"{name} is at most {limit}.")
    if count_elastic_channels(call.tx, instance) >= quotas.ELASTIC_CHANNELS_PER_APP_INSTANCE:
        raise faults.resource_limit(
            f"An app instance has at most {quotas.ELASTIC_CHANNELS_PER_APP_INSTANCE} elastic channel."
        )


def _compose(call: Call) -> Channel:
    """Build the channel of a CreateChannel request."""
    params, instance = call.params, call.params["AppInstanceArn"]
    elastic, expiration = params.get("ElasticChannelConfiguration"), params.get("ExpirationSettings") or {}
    mode = params.get("Mode") or "RESTRICTED"
    if elastic is not None:
        _check_elastic_mode(mode)
        if params.get("MemberArns"):
            raise faults.bad_request("An elastic channel takes no MemberArns.")
    arn = f"{instance}/channel/{params.get('ChannelId') or new_uuid()}"
    if find_channel(call.tx, arn) is not None:
        raise faults.conflict("A channel with this ChannelId exists already.")
    return Channel(
        arn,
        instance,
        params["Name"],
        mode,
        params.get("Privacy") or "PRIVATE",
        params.get("Metadata") or None,
        None if call.bearer is None else call.bearer.text,
        call.now,
        call.now,
        elastic=None if elastic is None else _encode(elastic).decode(),
        expiration_days=expiration.get("ExpirationDays"),
        expiration_criterion=expiration.get("ExpirationCriterion"),
    )


def _check_elastic_mode(mode: str) -> None:
    if mode == "UNRESTRICTED":
        raise faults.bad_request("An elastic channel must be RESTRICTED.")


def _people(call: Call, channel: Channel) -> tuple[list[str], list[str]]:
    """Name the first members and moderators, the creator among them."""
    creator = [] if channel.created_by is None else [channel.created_by]
    members = dict.fromkeys([*creator, *(call.params.get("MemberArns") or ())])
    moderators = dict.fromkeys([*creator, *(call.params.get("ModeratorArns") or ())])
    named = members.keys() | moderators.keys()
    if named - eligible(call, channel.app_instance_arn, named):
        raise faults.forbidden(INVALID_USER)
    return [] if channel.is_elastic else list(members), list(moderators)


def _appoint(call: Call, channel: Channel, arns: list[str]) -> None:
    moderators = [Moderator(channel.arn, arn, channel.created_by, call.now) for arn in arns]
    insert_moderators(call.tx, moderators)
    for moderator in moderators:
        stream_moderator(call.tx, "CREATE_CHANNEL_MODERATOR", channel.app_instance_arn, moderator)


@operation("messaging", "DescribeChannel")
def describe_channel(call: Call) -> Record:
    """Tell everything about a channel."""
    channel = authorize(call, "DescribeChannel", call.params["ChannelArn"]).channel
    named = [] if channel.created_by is None else [channel.created_by]
    return {"Channel": channel_record(channel, identities_of(call.tx, named))}


@operation("messaging", "UpdateChannel")
def update(call: Call) -> Record:
    """Change name, mode and metadata, as far as given."""
    channel = authorize(call, "UpdateChannel", call.params["ChannelArn"]).channel
    changes: dict[str, Any] = {"updated": call.now}
    for member, column in (("Name", "name"), ("Mode", "mode"), ("Metadata", "metadata")):
        value = call.params.get(member)
        if value is not None:
            changes[column] = value or None
    if channel.is_elastic:
        _check_elastic_mode(changes.get("mode", channel.mode))
    update_channel(call.tx, channel.arn, **changes)
    changed = find_channel(call.tx, channel.arn)
    assert changed is not None
    tell_channel(call.tx, "UPDATE_CHANNEL", changed)
    return {"ChannelArn": channel.arn}


@operation("messaging", "DeleteChannel")
def delete(call: Call) -> None:
    """Delete a channel, its messages and memberships, at once and for good."""
    erase(call.tx, authorize(call, "DeleteChannel", call.params["ChannelArn"]).channel)


def erase(tx: Transaction, channel: Channel) -> None:
    """Delete a channel with all that hangs on it, and tell its members."""
    tell_channel(tx, "DELETE_CHANNEL", channel)
    _dissolve(tx, channel)
    remove_tags(tx, channel.arn)


def _dissolve(tx: Transaction, channel: Channel) -> None:
    groups = groups_of_channel(tx, channel)
    delete_channel(tx, channel.arn)
    for group in groups:
        tx.notify(Dissolve(group))


@operation("messaging", "ListChannels")
def list_channels(call: Call) -> Record:
    """Page through the channels of an app instance: public ones, and for administrators private ones."""
    instance, privacy = call.params["AppInstanceArn"], call.params.get("Privacy")
    admin = administers(call, instance)
    if privacy == "PRIVATE" and not admin:
        raise faults.forbidden("Only administrators may list private channels.")
    privacies = (privacy, privacy) if privacy else ("PUBLIC", "PRIVATE" if admin else "PUBLIC")
    page = window(call.params, "ListChannels", instance, *privacies, key=(int, str))
    after = cast("Place", page.after or START)
    found = channels_after(call.tx, instance, privacies, after, page.fetch)
    rows, token = page.cut(found, lambda channel: (channel.created, channel.arn))
    return {"Channels": [channel_summary(channel) for channel in rows], "NextToken": token}


@existence("channel")
def _exists(tx: Transaction, arn: str) -> bool:
    return find_channel(tx, arn) is not None


@on_app_instance_deleted
def _delete_all(tx: Transaction, app_instance_arn: str) -> None:
    # Nobody is told: every user of the app instance goes with it.
    for arn in arns_of_app_instance(tx, app_instance_arn):
        channel = find_channel(tx, arn)
        if channel is not None:
            _dissolve(tx, channel)
