"""Messages as records, and the events that tell of them: one encoding for sockets and streams."""

from __future__ import annotations

from typing import Any

import msgspec

from chime_messaging.server.notices import Deliver, Stream
from chime_messaging.server.rest.shapes import payload
from chime_messaging.server.store.database import Transaction
from chime_messaging.server.store.messages import Message
from chime_messaging.wire.envelope import encode_frame, encode_payload


def status_of(message: Message, bearer: str | None = None) -> dict[str, Any]:
    """Status as the bearer sees it: only the sender hears how its edit fares."""
    if message.edit_status is None:
        return {"Value": message.status, "Detail": message.status_detail}
    if bearer == message.sender_arn:
        return {"Value": message.edit_status, "Detail": message.status_detail}
    return {"Value": message.status, "Detail": None}


def summary(message: Message, bearer: str | None = None) -> dict[str, Any]:
    """Write a message as a ChannelMessageSummary record: timestamps in milliseconds, None for what is absent."""
    return {
        "MessageId": message.message_id,
        "Content": message.content or None,
        "Metadata": message.metadata or None,
        "Type": message.type,
        "CreatedTimestamp": message.created,
        "LastEditedTimestamp": message.edited,
        "LastUpdatedTimestamp": message.updated,
        "Sender": {"Arn": message.sender_arn, "Name": message.sender_name},
        "Redacted": message.redacted,
        "Status": status_of(message, bearer),
        "MessageAttributes": msgspec.json.decode(message.attributes) if message.attributes else None,
        "ContentType": message.content_type,
        "Target": [{"MemberArn": message.target}] if message.target else None,
    }


def record(message: Message, bearer: str | None = None) -> dict[str, Any]:
    """Write a message as a ChannelMessage record."""
    return {
        "ChannelArn": message.channel_arn,
        "Persistence": message.persistence,
        "SubChannelId": message.sub_channel_id or None,
        **summary(message, bearer),
    }


def announce(tx: Transaction, event_type: str, message: Message, *, bare: bool = False) -> None:
    """Tell everybody who may see a sent message, and the app instance's stream, what became of it.

    Args:
        tx: the transaction of the change.
        event_type: CREATE_, UPDATE_, REDACT_ or DELETE_CHANNEL_MESSAGE.
        message: as it is now.
        bare: leave content and metadata out.
    """
    text = _payload(message, bare=bare)
    frame = encode_frame(event_type, text, message_type=message.type)
    if message.target is None:
        tx.notify(Deliver(event_type, frame, group=message.group))
    else:
        tx.notify(Deliver(event_type, frame, users=tuple(dict.fromkeys((message.sender_arn, message.target)))))
    app_instance_arn = message.channel_arn.rpartition("/channel/")[0]
    tx.notify(Stream(app_instance_arn, "ChannelMessage", event_type, text))


def tell_sender(tx: Transaction, event_type: str, message: Message) -> None:
    """Tell the sender alone how its message, or its edit, fares in the channel flow."""
    frame = encode_frame(event_type, _payload(message), message_type=message.type)
    tx.notify(Deliver(event_type, frame, users=(message.sender_arn,)))


def _payload(message: Message, *, bare: bool = False) -> str:
    written = record(message)
    if bare:
        written["Content"] = written["Metadata"] = None
    return encode_payload(payload("messaging", "ChannelMessage", written))
