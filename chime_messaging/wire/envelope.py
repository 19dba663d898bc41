"""The frame of a messaging session: ``{"Headers": {...}, "Payload": "<JSON text>"}``.

The payload is JSON inside a JSON string, as the service sends it; official clients parse it themselves.
"""

from __future__ import annotations

from typing import Any

import msgspec

from chime_messaging.errors import DecodeError, FrameTooLargeError

MAX_FRAME_BYTES = 1 << 20
"""Larger frames are refused. The largest the service sends, prefetch of 20 messages of 4 KB, is under 256 KB."""

EVENT_TYPE = "x-amz-chime-event-type"
MESSAGE_TYPE = "x-amz-chime-message-type"
EVENT_REASON = "x-amz-chime-event-reason"


class Envelope(msgspec.Struct, rename="pascal", frozen=True):
    """One decoded frame. Mirrors `Message` of the official client."""

    headers: dict[str, Any]
    payload: str | None = None
    """JSON text, or None where an event has none."""

    @property
    def type(self) -> str:
        """Event type, for example ``CREATE_CHANNEL_MESSAGE``; empty when the header is missing."""
        value = self.headers.get(EVENT_TYPE)
        return value if isinstance(value, str) else ""


_decoder = msgspec.json.Decoder(Envelope)
_encoder = msgspec.json.Encoder()


def decode(frame: str | bytes) -> Envelope:
    """Read one frame.

    Raises:
        FrameTooLargeError: if it is larger than `MAX_FRAME_BYTES`.
        DecodeError: if it is binary, not JSON, or not an envelope.
    """
    if len(frame) > MAX_FRAME_BYTES:
        raise FrameTooLargeError(len(frame), MAX_FRAME_BYTES)
    if isinstance(frame, bytes):
        raise DecodeError("binary frame where text was expected", frame)
    try:
        return _decoder.decode(frame)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as exc:
        raise DecodeError(str(exc), frame) from exc


def encode(
    event_type: str, payload: object | None, *, message_type: str = "SYSTEM", reason: str | None = None
) -> bytes:
    """Write one frame. `payload` is any value that msgspec encodes; None for an event without one."""
    text = None if payload is None else encode_payload(payload)
    return encode_frame(event_type, text, message_type=message_type, reason=reason)


def encode_payload(payload: object) -> str:
    """Write the JSON text of a payload, for a frame and for whoever else gets the same record."""
    return _encoder.encode(payload).decode()


def encode_frame(
    event_type: str, payload: str | None, *, message_type: str = "SYSTEM", reason: str | None = None
) -> bytes:
    """Write one frame around a payload that is JSON text already."""
    headers = {EVENT_TYPE: event_type, MESSAGE_TYPE: message_type}
    if reason is not None:
        headers[EVENT_REASON] = reason
    return _encoder.encode({"Headers": headers, "Payload": payload})
