"""Expiration: channels that are deleted some days after their creation or their last message."""

from __future__ import annotations

from chime_messaging.server.messaging.authorization import authorize
from chime_messaging.server.messaging.channel_events import tell_channel
from chime_messaging.server.messaging.channels import erase
from chime_messaging.server.messaging.records import Record, expiration_record
from chime_messaging.server.operations import Call, operation
from chime_messaging.server.store.channels import expired_channels, find_channel, update_channel
from chime_messaging.server.store.database import Transaction
from chime_messaging.server.store.lifecycle import sweep


@operation("messaging", "PutChannelExpirationSettings")
def put_channel_expiration_settings(call: Call) -> Record:
    """Set when the channel is deleted by itself; without settings it stays."""
    settings = call.params.get("ExpirationSettings") or {}
    arn = authorize(call, "PutChannelExpirationSettings", call.params["ChannelArn"]).channel.arn
    update_channel(
        call.tx,
        arn,
        expiration_days=settings.get("ExpirationDays"),
        expiration_criterion=settings.get("ExpirationCriterion"),
        updated=call.now,
    )
    channel = find_channel(call.tx, arn)
    assert channel is not None
    tell_channel(call.tx, "UPDATE_CHANNEL_EXPIRATION_SETTINGS", channel, to_members=False)
    return {"ChannelArn": arn, "ExpirationSettings": expiration_record(channel)}


@sweep("channels")
def delete_expired(tx: Transaction, limit: int) -> int:
    """Delete at most `limit` channels whose time is up, as DeleteChannel does; return how many."""
    expired = expired_channels(tx, limit)
    for channel in expired:
        erase(tx, channel)
    return len(expired)
