"""What happens to a message in a channel flow, from the send to the verdict.

start_create / start_update   PENDING: stored, the sender is told, the processor is invoked after the commit
decide                        the processor's verdict: SENT, perhaps edited, or DENIED
fail                          the processor could not be invoked, or never answered: FallbackAction decides
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import msgspec

from chime_messaging.ids import new_uuid
from chime_messaging.server import faults
from chime_messaging.server.messaging import bots
from chime_messaging.server.messaging.message_events import announce, tell_sender
from chime_messaging.server.messaging.message_limits import check_attributes, check_content, check_content_type
from chime_messaging.server.notices import Invoke
from chime_messaging.server.rest.shapes import to_iso
from chime_messaging.server.store.database import Transaction
from chime_messaging.server.store.flows import FlowRun, find_flow, find_run, finish_run, insert_run
from chime_messaging.server.store.messages import (
    Message,
    delete_message,
    find_message,
    insert_message,
    touch_channel,
    update_message,
)

CALLBACK_DEADLINE = 48 * 3600 * 1000
"""Milliseconds that a processor has for its verdict."""

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Edit:
    """New content of a message. None leaves a member as it was, except Content, which an update always has."""

    content: str | None = None
    metadata: str | None = None
    content_type: str | None = None
    attributes: dict[str, Any] | None = None
    push: dict[str, Any] | None = None

    def check(self, message: Message) -> None:
        """Check the limits that hold for a message of that type.

        Raises:
            Fault: BadRequestException.
        """
        check_content(message.type, message.content if self.content is None else self.content, self.metadata)
        if self.attributes:
            check_attributes(self.attributes)
        if self.content_type is not None:
            check_content_type(self.content_type)

    def apply(self, message: Message, now: int | None) -> None:
        """Write the edit into a message; `now` where it counts as an edit of a message that was sent before."""
        if self.content is not None:
            message.content = self.content
        if self.metadata is not None:
            message.metadata = self.metadata or None
        if self.content_type is not None:
            message.content_type = self.content_type or None
        if self.attributes is not None:
            message.attributes = _encode(self.attributes).decode() if self.attributes else None
        if self.push is not None:
            message.push = _encode(self.push).decode()
        if now is not None:
            message.edited = message.updated = now


def start_create(tx: Transaction, message: Message, flow_arn: str) -> None:
    """Hold a new message back and hand it to the flow's processor."""
    message.status = "PENDING"
    insert_message(tx, message)
    tell_sender(tx, "PENDING_CREATE_CHANNEL_MESSAGE", message)
    _start(tx, "CREATE", message, None, flow_arn)


def start_update(tx: Transaction, message: Message, edit: Edit, flow_arn: str) -> None:
    """Hold an edit back and hand the edited message to the flow's processor. Others still see the old content."""
    message.edit_status, message.status_detail = "PENDING", None
    update_message(tx, message)
    edit.apply(message, tx.now)
    shown = _with_status(message, "PENDING")
    tell_sender(tx, "PENDING_UPDATE_CHANNEL_MESSAGE", shown)
    _start(tx, "UPDATE", shown, edit, flow_arn)


def decide(tx: Transaction, run: FlowRun, edit: Edit, *, deny: bool) -> None:
    """Carry out a processor's verdict.

    Raises:
        Fault: BadRequestException if the edited content breaks a limit; the run stays open.
    """
    message = _message_of(tx, run)
    if message is not None and not deny:
        edit.check(message)
    finish_run(tx, run.callback_id)
    if message is None:
        return
    if deny:
        _refuse(tx, run, message, "DENIED", "The channel flow denied the message.")
    else:
        _accept(tx, run, message, edit)


def fail(tx: Transaction, callback_id: str, detail: str) -> None:
    """Do what the processor's FallbackAction says, unless there is a verdict already."""
    run = find_run(tx, callback_id)
    if run is None or run.state != "PENDING":
        return
    finish_run(tx, callback_id)
    message = _message_of(tx, run)
    if message is None:
        return
    if run.fallback == "CONTINUE":
        _accept(tx, run, message, Edit())
    else:
        _refuse(tx, run, message, "FAILED", detail)


def _start(tx: Transaction, kind: str, message: Message, edit: Edit | None, flow_arn: str) -> None:
    flow = find_flow(tx, flow_arn)
    if flow is None:
        raise faults.conflict("The channel flow of this channel does not exist.")
    processor = msgspec.json.decode(flow.processors)[0]
    callback_id = new_uuid()
    run = FlowRun(
        callback_id=callback_id,
        channel_arn=message.channel_arn,
        message_id=message.message_id,
        kind=kind,
        state="PENDING",
        processor_arn=processor["Configuration"]["Lambda"]["ResourceArn"],
        fallback=processor["FallbackAction"],
        edit=None if edit is None else _encode(edit).decode(),
        payload=_encode(_processor_event(callback_id, message)).decode(),
        created=tx.now,
    )
    insert_run(tx, run)
    tx.notify(Invoke(run.processor_arn, run.payload.encode(), callback_id))


def _processor_event(callback_id: str, message: Message) -> dict[str, Any]:
    """Build what a processor is handed."""
    members = {
        "MessageId": message.message_id,
        "ChannelArn": message.channel_arn,
        "Content": message.content,
        "Metadata": message.metadata,
        "Sender": {"Arn": message.sender_arn, "Name": message.sender_name},
        "Persistence": message.persistence,
        "Type": message.type,
        "CreatedTimestamp": to_iso(message.created),
        "LastEditedTimestamp": None if message.edited is None else to_iso(message.edited),
        "MessageAttributes": msgspec.json.decode(message.attributes) if message.attributes else None,
        "ContentType": message.content_type,
        "SubChannelId": message.sub_channel_id or None,
        "Target": [{"MemberArn": message.target}] if message.target else None,
        "PushNotification": msgspec.json.decode(message.push) if message.push else None,
    }
    return {
        "EventType": "CHANNEL_MESSAGE_EVENT",
        "CallbackId": callback_id,
        "ChannelMessage": {name: value for name, value in members.items() if value is not None},
    }


def _message_of(tx: Transaction, run: FlowRun) -> Message | None:
    """Load the message of a run; None if it was deleted, or redacted, in the meantime."""
    message = find_message(tx, run.channel_arn, run.message_id)
    return None if message is None or message.redacted else message


def _accept(tx: Transaction, run: FlowRun, message: Message, edit: Edit) -> None:
    if run.kind == "UPDATE":
        msgspec.json.decode(run.edit or "{}", type=Edit).apply(message, tx.now)
        edit.apply(message, None)
        message.edit_status = message.status_detail = None
        update_message(tx, message)
        announce(tx, "UPDATE_CHANNEL_MESSAGE", message)
        return
    edit.apply(message, None)
    message.status, message.updated = "SENT", tx.now
    if message.persistence == "PERSISTENT":
        update_message(tx, message)
        touch_channel(tx, message.channel_arn)
    else:
        delete_message(tx, message.message_id)
    announce(tx, "CREATE_CHANNEL_MESSAGE", message)
    bots.hand_over(tx, message)


def _refuse(tx: Transaction, run: FlowRun, message: Message, status: str, detail: str) -> None:
    """Tell the sender that its message, or its edit, was DENIED or has FAILED."""
    event_type = f"{status}_{run.kind}_CHANNEL_MESSAGE"
    if run.kind == "UPDATE":
        message.edit_status = None if status == "DENIED" else status
        message.status_detail = None if status == "DENIED" else detail[:256]
        update_message(tx, message)
        msgspec.json.decode(run.edit or "{}", type=Edit).apply(message, tx.now)
    elif status == "DENIED" or message.persistence != "PERSISTENT":
        delete_message(tx, message.message_id)
    else:
        message.status, message.status_detail, message.updated = status, detail[:256], tx.now
        update_message(tx, message)
    tell_sender(tx, event_type, _with_status(message, status, detail[:256]))


def _with_status(message: Message, status: str, detail: str | None = None) -> Message:
    """Copy a message as its sender is shown it."""
    return replace(message, status=status, status_detail=detail, edit_status=None)
