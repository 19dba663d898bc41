"""From frames to typed events. Never raises: what cannot be read is an event too.

The payload decoders are compiled once per event type; this is the most travelled path of a client, so it calls msgspec
directly and takes no detour through `wire.envelope.decode`, whose checks it repeats.
"""

from __future__ import annotations

import typing

import msgspec

from chime_messaging import events
from chime_messaging.errors import DecodeError, FrameTooLargeError
from chime_messaging.events import ChannelEvent, Event, UndecodableFrame, UnknownEvent
from chime_messaging.wire.envelope import EVENT_TYPE, MAX_FRAME_BYTES, Envelope

EXCERPT_BYTES = 64 * 1024
"""How much of an unreadable frame its event keeps."""

_INHERITED = frozenset({"envelope", "recovered"})
_UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError, OverflowError)

_decode_envelope = msgspec.json.Decoder(Envelope).decode


def _payload_decoder(kind: type[ChannelEvent]) -> msgspec.json.Decoder[typing.Any] | None:
    own = [field.type for field in msgspec.structs.fields(kind) if field.name not in _INHERITED]
    return msgspec.json.Decoder(own[0]) if own else None


_ROWS: dict[object, tuple[typing.Any, typing.Any]] = {
    name: (kind, decoder.decode if (decoder := _payload_decoder(kind)) else None)
    for name, kind in events.EVENT_TYPES.items()
}
_UNKNOWN = (UnknownEvent, None)


def decode(frame: str | bytes) -> Event:
    """Read one frame.

    Returns:
        The event of its type; `UnknownEvent` for a type that is not in `events.EVENT_TYPES`; `UndecodableFrame` for a
        binary frame, one that is no envelope, one over `MAX_FRAME_BYTES`, or a payload of the wrong shape.
    """
    if type(frame) is not str or len(frame) > MAX_FRAME_BYTES:
        return _refused(frame)
    try:
        envelope = _decode_envelope(frame)
        kind, decode_payload = _ROWS.get(envelope.headers.get(EVENT_TYPE), _UNKNOWN)
        if decode_payload is None:
            return kind(envelope)  # type: ignore[no-any-return]
        return kind(envelope, decode_payload(envelope.payload))  # type: ignore[no-any-return]
    except _UNREADABLE as exc:
        return _undecodable(frame, str(exc), exc)
    except TypeError as exc:
        # msgspec wants text: the payload is null or missing; or the event type in the headers is a list or an object.
        return _undecodable(frame, "a payload or event type that is not text", exc)


def _undecodable(frame: str, problem: str, cause: Exception) -> UndecodableFrame:
    error = DecodeError(problem, frame)
    error.__cause__ = cause
    return UndecodableFrame(frame[:EXCERPT_BYTES], error)


def _refused(frame: str | bytes) -> UndecodableFrame:
    if len(frame) > MAX_FRAME_BYTES:
        return UndecodableFrame(frame[:EXCERPT_BYTES], FrameTooLargeError(len(frame), MAX_FRAME_BYTES))
    return UndecodableFrame(frame[:EXCERPT_BYTES], DecodeError("binary frame where text was expected", frame))
