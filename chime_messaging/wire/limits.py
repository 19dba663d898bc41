"""Documented limits that a client can check before it asks. Limits in bytes count UTF-8.

Official source: the messaging API reference (SendChannelMessage, CreateChannel) and the developer guide's quotas. The
service checks all of them again; nothing here is stricter than the service.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from chime_messaging.errors import ConfigurationError, LimitError

STANDARD_CONTENT_BYTES = 4096
CONTROL_CONTENT_BYTES = 30
METADATA_CHARACTERS = 1024
NAME_CHARACTERS = 256
CONTENT_TYPE_CHARACTERS = 45
ATTRIBUTES_BYTES = 1024
ATTRIBUTE_NAME_CHARACTERS = 64
ATTRIBUTE_VALUE_CHARACTERS = 512
PUSH_TITLE_CHARACTERS = 50
PUSH_BODY_CHARACTERS = 150
BATCH_MEMBERS = 100
CREATE_MEMBERS = 10
SEARCH_VALUES = 20

_MESSAGE_ID = re.compile(r"[-_a-zA-Z0-9]{1,128}")
_TOKEN = re.compile(r"[-_a-zA-Z0-9]{2,64}")


def require_content(content: str, message_type: str) -> None:
    """Check the content of a STANDARD or CONTROL message: not empty, 4096 or 30 bytes at most.

    Raises:
        LimitError: naming ``content``.
        ConfigurationError: if it is no text, or the type is neither.
    """
    if message_type not in ("STANDARD", "CONTROL"):
        raise ConfigurationError("type", f"must be STANDARD or CONTROL, is {message_type!r}")
    size = _bytes("content", content)
    if size == 0:
        raise LimitError("content", 0, 1, "byte")
    limit = STANDARD_CONTENT_BYTES if message_type == "STANDARD" else CONTROL_CONTENT_BYTES
    if size > limit:
        raise LimitError("content", size, limit, "bytes")


def require_metadata(metadata: str | None, message_type: str = "STANDARD") -> None:
    """Check metadata: 1024 characters at most, none on CONTROL messages.

    Raises:
        LimitError: naming ``metadata``.
        ConfigurationError: on a CONTROL message.
    """
    if metadata and message_type == "CONTROL":
        raise ConfigurationError("metadata", "CONTROL messages take none")
    require_length("metadata", metadata, METADATA_CHARACTERS)


def require_length(field: str, text: str | None, limit: int) -> None:
    """Check that a text has at most `limit` characters.

    Raises:
        LimitError: naming `field`.
    """
    if text is not None and len(text) > limit:
        raise LimitError(field, len(text), limit, "characters")


def require_attributes(attributes: Mapping[str, Sequence[str]] | None) -> None:
    """Check message attributes: 1024 bytes in all, names of 64 and values of 512 characters.

    Raises:
        LimitError: naming ``attributes``, or the one attribute.
    """
    total = 0
    for name, values in (attributes or {}).items():
        require_length("attributes", name, ATTRIBUTE_NAME_CHARACTERS)
        total += _bytes("attributes", name)
        for value in values:
            require_length(f"attributes[{name!r}]", value, ATTRIBUTE_VALUE_CHARACTERS)
            total += _bytes("attributes", value)
    if total > ATTRIBUTES_BYTES:
        raise LimitError("attributes", total, ATTRIBUTES_BYTES, "bytes")


def require_message_id(message_id: str) -> None:
    """Check a MessageId: 1 to 128 letters, digits, hyphens and underscores.

    Raises:
        ConfigurationError: naming ``message_id``.
    """
    if not isinstance(message_id, str) or _MESSAGE_ID.fullmatch(message_id) is None:
        raise ConfigurationError("message_id", f"{str(message_id)[:80]!r} is not a message id")


def require_token(token: str | None) -> None:
    """Check a ClientRequestToken: 2 to 64 letters, digits, hyphens and underscores.

    Raises:
        ConfigurationError: naming ``client_request_token``.
    """
    if token is not None and _TOKEN.fullmatch(token) is None:
        raise ConfigurationError("client_request_token", "must be 2 to 64 letters, digits, hyphens and underscores")


def _bytes(field: str, text: str) -> int:
    if not isinstance(text, str):
        raise ConfigurationError(field, f"must be text, is {type(text).__name__}")
    try:
        return len(text.encode())
    except UnicodeEncodeError as exc:
        raise ConfigurationError(field, "is not valid Unicode text (half of a surrogate pair)") from exc
