"""Events that do not come from the session: messages read from the history, and requests to app instance bots. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from chime_messaging.errors import DecodeError
from chime_messaging.events import MembershipCreated, MessageCreated
from chime_messaging.ids import new_uuid
from chime_messaging.wire.envelope import EVENT_TYPE, MESSAGE_TYPE, Envelope
from chime_messaging.wire.payloads import ChannelMembership, ChannelMessage, Identity, Payload, Target


class Request(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """What an app instance bot is handed: members of Lex's RecognizeText, and where the message came from."""

    bot_arn: str
    channel_arn: str
    sender_arn: str
    text: str = ""
    sub_channel_id: str = ""
    message_id: str = ""
    """Empty when the bot has just joined, and where a Lambda function passes on what Lex gives it, which has none."""
    targeted: bool = False
    session_state: dict[str, Any] | None = None


def message_event(message: ChannelMessage, *, recovered: bool) -> MessageCreated:
    """Make the event that tells of a message."""
    headers = {EVENT_TYPE: "CREATE_CHANNEL_MESSAGE", MESSAGE_TYPE: message.type or "STANDARD"}
    return MessageCreated(_envelope(headers, message), message, recovered=recovered)


def event_of(request: Mapping[str, Any], now: datetime) -> MessageCreated | MembershipCreated:
    """Read a request to an app instance bot: a message for it, or that it has become a member.

    Raises:
        DecodeError: if it is none.
    """
    try:
        read = msgspec.convert(request, Request)
    except msgspec.ValidationError as exc:
        raise DecodeError(f"the request to a bot: {exc}", str(request)) from exc
    part = read.sub_channel_id or None
    if not read.message_id and not read.text:
        membership = ChannelMembership(
            channel_arn=read.channel_arn, member=Identity(arn=read.bot_arn), created_timestamp=now, sub_channel_id=part
        )
        return MembershipCreated(_envelope({EVENT_TYPE: "CREATE_CHANNEL_MEMBERSHIP"}, membership), membership)
    message = ChannelMessage(
        channel_arn=read.channel_arn,
        message_id=read.message_id or new_uuid(),
        content=read.text,
        type="STANDARD",
        created_timestamp=now,
        sender=Identity(arn=read.sender_arn),
        target=[Target(member_arn=read.bot_arn)] if read.targeted else None,
        sub_channel_id=part,
    )
    return message_event(message, recovered=False)


def _envelope(headers: dict[str, Any], payload: Payload) -> Envelope:
    return Envelope(headers, msgspec.json.encode(payload).decode())
