"""What goes into the calls about one message, checked before it leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chime_messaging.ids import require_arn
from chime_messaging.wire import limits
from chime_messaging.wire.payloads import ChannelMessage, PushNotification, SentMessage

AnyMessage = str | ChannelMessage | SentMessage
"""A message, or its id."""

Attributes = Mapping[str, str | Sequence[str]]
"""Message attributes: a value or several per name, for example ``{"CHIME.mentions": [arn]}``."""


def message_id_of(message: AnyMessage) -> str:
    """Give the id of a message.

    Raises:
        ConfigurationError: if it cannot be one.
    """
    message_id = message if isinstance(message, str) else message.message_id
    limits.require_message_id(message_id)
    return message_id


def attributes_member(attributes: Attributes | None) -> dict[str, dict[str, list[str]]] | None:
    """Write message attributes as the API takes them.

    Raises:
        LimitError: if they are too many.
    """
    if not attributes:
        return None
    values = {name: [value] if isinstance(value, str) else list(value) for name, value in attributes.items()}
    limits.require_attributes(values)
    return {name: {"StringValues": texts} for name, texts in values.items()}


def target_member(member_arn: str | None) -> list[dict[str, str]] | None:
    """Write the one member that a message is for as the API takes it.

    Raises:
        InvalidArnError: if it is no user.
    """
    if member_arn is None:
        return None
    require_arn(member_arn, "target", "user", "bot")
    return [{"MemberArn": member_arn}]


def push_member(push: PushNotification | None) -> dict[str, str] | None:
    """Write a push notification as the API takes it.

    Raises:
        LimitError: if a text is too long.
    """
    if push is None:
        return None
    limits.require_length("push.title", push.title, limits.PUSH_TITLE_CHARACTERS)
    limits.require_length("push.body", push.body, limits.PUSH_BODY_CHARACTERS)
    return {"Title": push.title, "Body": push.body, "Type": push.type}
