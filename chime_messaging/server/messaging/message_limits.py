"""What the content of a message may be: the limits that the service's model leaves to the service. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chime_messaging.server import faults

MAX_STANDARD_BYTES = 4096
MAX_CONTROL_BYTES = 30
MAX_METADATA_BYTES = 1024
MAX_ATTRIBUTES_BYTES = 1024
MAX_CONTENT_TYPE_CHARACTERS = 45


def check_content(message_type: str, content: str, metadata: str | None) -> None:
    """Check the content and metadata of a STANDARD or CONTROL message.

    Raises:
        Fault: BadRequestException that names member, size and limit.
    """
    # Only text that could be too long is encoded: a character takes 1 to 4 bytes.
    limit = MAX_STANDARD_BYTES if message_type == "STANDARD" else MAX_CONTROL_BYTES
    if len(content) * 4 > limit:
        _require("Content", _size(content, "Content"), limit, message_type)
    elif not content.isascii():
        _size(content, "Content")
    if metadata:
        if message_type == "CONTROL":
            raise faults.bad_request("CONTROL messages take no Metadata.")
        _require("Metadata", _size(metadata, "Metadata"), MAX_METADATA_BYTES, message_type)


def check_attributes(attributes: Mapping[str, Any]) -> None:
    """Check the total size of MessageAttributes: the UTF-8 bytes of all names and values.

    Raises:
        Fault: BadRequestException.
    """
    size = sum(
        _size(name, "MessageAttributes")
        + sum(_size(text, "MessageAttributes") for text in value.get("StringValues") or ())
        for name, value in attributes.items()
    )
    _require("MessageAttributes", size, MAX_ATTRIBUTES_BYTES, "STANDARD")


def check_content_type(content_type: str) -> None:
    """Check ContentType, which is limited in characters.

    Raises:
        Fault: BadRequestException.
    """
    if len(content_type) > MAX_CONTENT_TYPE_CHARACTERS:
        raise faults.bad_request(
            f"ContentType has {len(content_type)} characters, the limit is {MAX_CONTENT_TYPE_CHARACTERS}."
        )


def _size(text: str, member: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError as exc:
        # JSON can spell half of a surrogate pair; no UTF-8 document can hold it.
        raise faults.bad_request(f"{member} is not valid Unicode text.") from exc


def _require(member: str, size: int, limit: int, message_type: str) -> None:
    if size > limit:
        raise faults.bad_request(f"{member} of a {message_type} message has {size} bytes, the limit is {limit} bytes.")
