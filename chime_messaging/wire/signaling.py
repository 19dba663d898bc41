"""The frames of the meeting signalling websocket: one prefix byte, then one protobuf `SignalFrame`.

Presence matters on this wire: ``muted = false`` and ``ingest_time_ns = 0`` say something that an absent field does not,
so readers ask `HasField` where the difference counts.
"""

from __future__ import annotations

import re
from enum import IntFlag

from google.protobuf.message import DecodeError as _ProtobufDecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

from chime_messaging.errors import DecodeError, FrameTooLargeError, ProtocolError
from chime_messaging.wire import signaling_pb2
from chime_messaging.wire.signaling_pb2 import SignalFrame

CLIENT_PREFIX = 0x05
"""First byte of what the official browser client writes."""
SERVER_PREFIX = 0x02
"""First byte of what the service writes."""

MAX_FRAME_BYTES = 256 * 1024
"""Larger frames are refused. The largest that is known, the offer of a client with 25 videos, is about 105 KB."""

SUBPROTOCOL = "_aws_wt_session"
"""Websocket subprotocol that the server selects; the join token is offered as the second one."""

TRANSCRIPTION_TOPIC = "aws:chime:transcription"
"""Topic of the data messages that carry live transcription; only the service can send on it."""


class JoinFlags(IntFlag):
    """Bits of ``JoinFrame.flags``."""

    HAS_STREAM_UPDATE = 2
    """The client wants the roster (AUDIO_STREAM_ID_INFO)."""
    COMPLETE_VIDEO_SOURCES_LIST = 16
    EXCLUDE_SELF_CONTENT_IN_INDEX = 32


_parse = SignalFrame.FromString
# Prefix; field 1, a time between 1971 and 2109; field 2, the type; field 23, a body and its length in 1 to 3 bytes.
_PLAIN_DATA = re.compile(rb".\x08[\x80-\xff]{5}[\x01-\x7f]\x10\x16\xba\x01[\x80-\xff]{0,2}[\x00-\x7f]", re.DOTALL).match
_JOIN = signaling_pb2.SignalFrame.JOIN
_DATA_MESSAGE = signaling_pb2.SignalFrame.DATA_MESSAGE
_TYPE_FIELD = 2


def encode(frame: SignalFrame, prefix: int = CLIENT_PREFIX) -> bytes:
    """Write one frame. `prefix` is `CLIENT_PREFIX` or `SERVER_PREFIX`."""
    return prefix.to_bytes(1, "big") + frame.SerializeToString()


def decode(data: bytes | str, *, max_bytes: int = MAX_FRAME_BYTES) -> SignalFrame | None:
    """Read one frame. The prefix byte is not looked at.

    Returns:
        The frame; None if its type is not known, because the service adds types without notice.

    Raises:
        FrameTooLargeError: if it is longer than `max_bytes`.
        DecodeError: if it is text, empty, not a frame, or lacks its type or its time.
    """
    if type(data) is not bytes or not 0 < len(data) <= max_bytes:
        raise _refusal(data, max_bytes)
    try:
        frame = _parse(data[1:])
    except _ProtobufDecodeError as exc:
        raise DecodeError(str(exc), data) from exc
    kind = frame.type
    if kind == _DATA_MESSAGE and frame.timestamp_ms:
        # Nothing required stands inside, and asking for presence costs.
        return frame
    if kind == _JOIN and not frame.HasField("type"):
        # An absent type and an unknown one read as the first of the enum.
        if _unknown_type(frame) is None:
            raise DecodeError("frame without a type", data)
        return None
    if not frame.IsInitialized():
        raise DecodeError("frame without a required field", data)
    return frame


def data_body(data: bytes | str) -> bytes | None:
    """Return the body of a frame that is nothing but data messages; None for any other frame.

    Half of what a frame costs is the frame around the body, and data messages come in their thousands, so those that
    look as every encoder writes them - a time of today, the type, one body that fills the rest - can be read without.
    Bodies of several frames may be joined: they read as one with the messages of all.
    """
    if type(data) is not bytes:
        return None
    found = _PLAIN_DATA(data)
    if found is None:
        return None
    start = found.end()
    size = data[12] & 0x7F
    if start > 13:
        size |= (data[13] & 0x7F) << 7
        if start > 14:
            size |= data[14] << 14
    return data[start:] if size == len(data) - start <= MAX_FRAME_BYTES else None


def unknown_type(data: bytes) -> int | None:
    """Return the number of the type of a frame that `decode` skipped; None if the frame has none."""
    return _unknown_type(_parse(data[1:]))


def _refusal(data: bytes | str, max_bytes: int) -> ProtocolError:
    if len(data) > max_bytes:
        return FrameTooLargeError(len(data), max_bytes)
    if not isinstance(data, bytes):
        return DecodeError("text where a binary frame was expected", data)
    return DecodeError("empty frame")


def _unknown_type(frame: SignalFrame) -> int | None:
    for field in UnknownFieldSet(frame):  # type: ignore[attr-defined]
        if field.field_number == _TYPE_FIELD and isinstance(field.data, int):
            return field.data
    return None
