"""What a bot answers, as a message of the bot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from chime_messaging.ids import new_uuid
from chime_messaging.server.faults import Fault
from chime_messaging.server.messaging.bots import Request
from chime_messaging.server.messaging.message_limits import check_attributes, check_content
from chime_messaging.server.messaging.sending import send
from chime_messaging.server.store.channels import find_channel
from chime_messaging.server.store.database import Transaction
from chime_messaging.server.store.memberships import find_memberships
from chime_messaging.server.store.messages import Message, new_message_id
from chime_messaging.server.store.users import identity_of

MESSAGES_TYPE = "application/amz-chime-lex-msgs"
ERROR_TYPE = "application/amz-chime-lex-error"

_encode = msgspec.json.Encoder().encode


class InvalidReplyError(ValueError):
    """A stand-in for Lex answered something that is no answer of Lex."""


def post_reply(tx: Transaction, request: Request, answer: object) -> bool:
    """Send a bot's answer to the channel it was asked in, through the channel's flow if it has one.

    Args:
        tx: a transaction.
        request: what the bot was asked.
        answer: text, or a mapping in the shape of Lex's answer: ``messages`` with ``content`` and ``contentType``, and
            perhaps ``sessionState``. None and no messages are silence.

    Returns:
        Whether a message was sent; not when the bot left the channel meanwhile.

    Raises:
        InvalidReplyError: if the answer has another shape.
    """
    content = reply_content(answer)
    if content is None:
        return False
    return _post(tx, request, content, MESSAGES_TYPE, _reply_attributes(request, answer))


def post_error(tx: Transaction, request: Request, code: str) -> bool:
    """Say in the channel that a bot could not answer; `code` names why."""
    return _post(tx, request, _encode({"Code": code}).decode(), ERROR_TYPE, {})


def reply_content(answer: object) -> str | None:
    """Write an answer as the content of a message; None for silence.

    Raises:
        InvalidReplyError: if it has no shape of an answer.
    """
    if isinstance(answer, str):
        answer = {"messages": [{"content": answer, "contentType": "PlainText"}]} if answer else None
    if answer is None:
        return None
    messages = answer.get("messages") or [] if isinstance(answer, Mapping) else None
    if not isinstance(messages, list):
        raise InvalidReplyError("an answer is text, or an object with a list of messages")
    written = []
    for message in messages:
        if not isinstance(message, Mapping) or not isinstance(message.get("content"), str):
            raise InvalidReplyError("each message of an answer is an object with content")
        written.append({"Content": message["content"], "ContentType": str(message.get("contentType", "PlainText"))})
    try:
        return _encode({"Messages": written}).decode() if written else None
    except UnicodeEncodeError as exc:
        raise InvalidReplyError("an answer is valid Unicode text") from exc


def _reply_attributes(request: Request, answer: object) -> dict[str, Any]:
    state = answer.get("sessionState") if isinstance(answer, Mapping) else None
    intent = state.get("intent") if isinstance(state, Mapping) else None
    found = {
        "CHIME.LEX.sessionState.intent.name": intent.get("name") if isinstance(intent, Mapping) else None,
        "CHIME.LEX.sessionState.intent.state": intent.get("state") if isinstance(intent, Mapping) else None,
        "CHIME.LEX.sessionState.originatingRequestId": new_uuid(),
        "CHIME.LEX.sessionState.sessionId": request.session_id,
    }
    return {name: {"StringValues": [str(value)]} for name, value in found.items() if value is not None}


def _post(tx: Transaction, request: Request, content: str, content_type: str, attributes: dict[str, Any]) -> bool:
    channel = find_channel(tx, request.channel_arn)
    held = find_memberships(tx, request.channel_arn, request.bot_arn)
    if channel is None or not any(m.sub_channel_id == request.sub_channel_id for m in held):
        return False
    try:
        check_content("STANDARD", content, None)
        check_attributes(attributes)
    except Fault as fault:
        raise InvalidReplyError(fault.message) from fault
    message = Message(
        channel_arn=request.channel_arn,
        message_id=new_message_id(tx.now),
        sub_channel_id=request.sub_channel_id,
        sender_arn=request.bot_arn,
        content=content,
        metadata=None,
        type="STANDARD",
        persistence="PERSISTENT",
        content_type=content_type,
        attributes=_encode(attributes).decode() if attributes else None,
        target=request.sender_arn if request.targeted else None,
        push=None,
        redacted=False,
        status="SENT",
        status_detail=None,
        edit_status=None,
        created=tx.now,
        edited=None,
        updated=tx.now,
        sender_name=identity_of(tx, request.bot_arn)["Name"],
    )
    send(tx, message, channel.flow_arn)
    return True
