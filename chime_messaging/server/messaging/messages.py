"""Messages of a channel: send, update, redact, delete, get, list."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from chime_messaging.server import faults
from chime_messaging.server.messaging import flow_runs
from chime_messaging.server.messaging.authorization import Access, Role, authorize, missing
from chime_messaging.server.messaging.message_events import announce, record, status_of, summary
from chime_messaging.server.messaging.message_limits import check_attributes, check_content, check_content_type
from chime_messaging.server.messaging.sending import send
from chime_messaging.server.operations import Call, operation
from chime_messaging.server.store.memberships import find_memberships
from chime_messaging.server.store.messages import (
    Message,
    Page,
    delete_message,
    find_message,
    list_messages,
    new_message_id,
    update_message,
)
from chime_messaging.server.store.paging import window

_encode = msgspec.json.Encoder().encode


@operation("messaging", "SendChannelMessage")
def send_channel_message(call: Call) -> dict[str, Any]:
    """Check, store and deliver one message; with a channel flow, store it and ask the processor."""
    params = call.params
    _check_new(params)
    access = authorize(call, "SendChannelMessage", params["ChannelArn"])
    message = _compose(call, access)
    send(call.tx, message, access.channel.flow_arn)
    return {
        "ChannelArn": message.channel_arn,
        "MessageId": message.message_id,
        "Status": {"Value": message.status},
        "SubChannelId": message.sub_channel_id or None,
    }


@operation("messaging", "UpdateChannelMessage")
def update_channel_message(call: Call) -> dict[str, Any]:
    """Replace the content of the bearer's own message; with a channel flow, ask the processor first."""
    params = call.params
    access = authorize(call, "UpdateChannelMessage", params["ChannelArn"])
    message = _find(call, access, "UpdateChannelMessage")
    access.require_own(message.sender_arn)
    if message.type == "CONTROL":
        raise faults.bad_request("CONTROL messages cannot be updated.")
    if message.redacted:
        raise faults.conflict("The message is redacted.")
    _require_sent(message)
    if message.edit_status == "PENDING":
        raise faults.conflict("Another update of the message is in the channel flow.")
    check_content(message.type, params["Content"], params.get("Metadata"))
    edit = flow_runs.Edit(params["Content"], params.get("Metadata"), params.get("ContentType"))
    if edit.content_type is not None:
        check_content_type(edit.content_type)
    if access.channel.flow_arn is not None:
        flow_runs.start_update(call.tx, message, edit, access.channel.flow_arn)
    else:
        edit.apply(message, call.now)
        message.edit_status = message.status_detail = None
        update_message(call.tx, message)
        announce(call.tx, "UPDATE_CHANNEL_MESSAGE", message)
    return {
        "ChannelArn": message.channel_arn,
        "MessageId": message.message_id,
        "Status": status_of(message, message.sender_arn),
        "SubChannelId": message.sub_channel_id or None,
    }


@operation("messaging", "RedactChannelMessage")
def redact_channel_message(call: Call) -> dict[str, Any]:
    """Empty a message for good and leave its place in the list."""
    access = authorize(call, "RedactChannelMessage", call.params["ChannelArn"])
    message = _find(call, access, "RedactChannelMessage", unseen=access.runs_channel)
    access.require_own(message.sender_arn)
    if message.status != "SENT" and message.sender_arn != access.bearer:
        raise missing("RedactChannelMessage", "The message does not exist.")
    _require_sent(message)
    if not message.redacted:
        message.content, message.metadata, message.push = "", None, None
        message.redacted, message.updated = True, call.now
        message.edit_status = message.status_detail = None
        update_message(call.tx, message)
        announce(call.tx, "REDACT_CHANNEL_MESSAGE", message)
    return {
        "ChannelArn": message.channel_arn,
        "MessageId": message.message_id,
        "SubChannelId": message.sub_channel_id or None,
    }


@operation("messaging", "DeleteChannelMessage")
def delete_channel_message(call: Call) -> None:
    """Erase a message. An administrator may do so without being able to read it."""
    access = authorize(call, "DeleteChannelMessage", call.params["ChannelArn"])
    message = _find(call, access, "DeleteChannelMessage", unseen=True)
    if message.status == "PENDING":
        raise faults.forbidden("The message is in a channel flow.")
    delete_message(call.tx, message.message_id)
    message.updated = call.now
    if message.status == "SENT":
        announce(call.tx, "DELETE_CHANNEL_MESSAGE", message, bare=True)


@operation("messaging", "GetChannelMessage")
def get_channel_message(call: Call) -> dict[str, Any]:
    """Return one message in full."""
    access = authorize(call, "GetChannelMessage", call.params["ChannelArn"])
    message = _find(call, access, "GetChannelMessage")
    return {"ChannelMessage": record(message, access.bearer)}


@operation("messaging", "GetChannelMessageStatus")
def get_channel_message_status(call: Call) -> dict[str, Any]:
    """Return how the bearer's own message, or its last edit, fares."""
    access = authorize(call, "GetChannelMessageStatus", call.params["ChannelArn"])
    message = _find(call, access, "GetChannelMessageStatus")
    access.require_own(message.sender_arn)
    return {"Status": status_of(message, message.sender_arn)}


@operation("messaging", "ListChannelMessages")
def list_channel_messages(call: Call) -> dict[str, Any]:
    """Return a page of what the bearer may see, newest first unless asked otherwise."""
    params = call.params
    access = authorize(call, "ListChannelMessages", params["ChannelArn"])
    sub_channel = _sub_channel(access, params.get("SubChannelId"), member_only=not access.runs_channel)
    order = params.get("SortOrder") or "DESCENDING"
    period = (params.get("NotBefore"), params.get("NotAfter"))
    part = window(params, "ListChannelMessages", access.channel.arn, sub_channel, order, str(period), key=(int, int))
    rows = list_messages(
        call.tx,
        Page(
            channel_arn=access.channel.arn,
            sub_channel_id=sub_channel,
            bearer=access.bearer,
            ascending=order == "ASCENDING",
            not_before=period[0],
            not_after=period[1],
            after=cast("tuple[int, int] | None", part.after),
            limit=part.fetch,
        ),
    )
    page, next_token = part.cut(rows, key=lambda row: row[1])
    return {
        "ChannelArn": access.channel.arn,
        "SubChannelId": sub_channel or None,
        "ChannelMessages": [summary(message, access.bearer) for message, _ in page],
        "NextToken": next_token,
    }


def _check_new(params: dict[str, Any]) -> None:
    """Check what needs no look into the store."""
    check_content(params["Type"], params["Content"], params.get("Metadata"))
    if params.get("MessageAttributes"):
        check_attributes(params["MessageAttributes"])
    if params.get("ContentType") is not None:
        check_content_type(params["ContentType"])
    if params["Type"] == "CONTROL":
        for member in ("Target", "PushNotification"):
            if params.get(member):
                raise faults.bad_request(f"CONTROL messages take no {member}.")


def _compose(call: Call, access: Access) -> Message:
    params, now = call.params, call.now
    if access.bearer is None:
        raise faults.unauthorized("A message needs a sender: the x-amz-chime-bearer header is missing.")
    sub_channel = _sub_channel(access, params.get("SubChannelId"), member_only=True)
    attributes, push = params.get("MessageAttributes"), params.get("PushNotification")
    return Message(
        channel_arn=access.channel.arn,
        message_id=new_message_id(now),
        sub_channel_id=sub_channel,
        sender_arn=access.bearer,
        content=params["Content"],
        metadata=params.get("Metadata") or None,
        type=params["Type"],
        persistence=params["Persistence"],
        content_type=params.get("ContentType"),
        attributes=_encode(attributes).decode() if attributes else None,
        target=_target(call, access, sub_channel),
        push=_encode(push).decode() if push else None,
        redacted=False,
        status="SENT",
        status_detail=None,
        edit_status=None,
        created=now,
        edited=None,
        updated=now,
        sender_name=access.name,
    )


def _target(call: Call, access: Access, sub_channel: str) -> str | None:
    targets = call.params.get("Target")
    if not targets:
        return None
    target = targets[0].get("MemberArn")
    if target is None:
        raise faults.bad_request("Target needs a MemberArn.")
    held = find_memberships(call.tx, access.channel.arn, target)
    if not any(membership.sub_channel_id == sub_channel for membership in held):
        raise faults.forbidden("The target is not a member of the channel.")
    return str(target)


def _sub_channel(access: Access, wanted: str | None, *, member_only: bool) -> str:
    """Check which part of an elastic channel is meant; empty for an ordinary channel."""
    if not access.channel.is_elastic:
        if wanted:
            raise faults.bad_request("SubChannelId is for elastic channels only.")
        return ""
    if not wanted:
        raise faults.bad_request("An elastic channel needs a SubChannelId.")
    if member_only and not any(wanted == held for held, _ in access.sub_channels):
        raise faults.forbidden("The bearer is not a member of the sub-channel.")
    return wanted


def _find(call: Call, access: Access, action: str, *, unseen: bool = False) -> Message:
    """Load the message of a call; `unseen` for those who may act on what they cannot read."""
    wanted = call.params.get("SubChannelId")
    message = find_message(call.tx, access.channel.arn, call.params["MessageId"])
    if message is None or not (unseen or message.is_visible_to(access.bearer)):
        raise missing(action, "The message does not exist.")
    if wanted and wanted != message.sub_channel_id:
        raise missing(action, "The message does not exist in that sub-channel.")
    if message.sub_channel_id and access.role is Role.MEMBER:
        _sub_channel(access, message.sub_channel_id, member_only=True)
    return message


def _require_sent(message: Message) -> None:
    if message.status != "SENT":
        raise faults.conflict(f"The message is {message.status}.")
