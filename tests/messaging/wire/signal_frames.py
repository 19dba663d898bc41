"""Signal frames of every type, filled from their descriptor, for tests of what reads them."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from chime_messaging.wire.signaling_pb2 import SignalFrame

BODIES = {
    SignalFrame.JOIN: "join",
    SignalFrame.JOIN_ACK: "joinack",
    SignalFrame.SUBSCRIBE: "sub",
    SignalFrame.SUBSCRIBE_ACK: "suback",
    SignalFrame.INDEX: "index",
    SignalFrame.PAUSE: "pause",
    SignalFrame.RESUME: "pause",
    SignalFrame.LEAVE: "leave",
    SignalFrame.LEAVE_ACK: "leave_ack",
    SignalFrame.BITRATES: "bitrates",
    SignalFrame.AUDIO_CONTROL: "audio_control",
    SignalFrame.AUDIO_METADATA: "audio_metadata",
    SignalFrame.AUDIO_STREAM_ID_INFO: "audio_stream_id_info",
    SignalFrame.PING_PONG: "ping_pong",
    SignalFrame.AUDIO_STATUS: "audio_status",
    SignalFrame.CLIENT_METRIC: "client_metric",
    SignalFrame.DATA_MESSAGE: "data_message",
    SignalFrame.REMOTE_VIDEO_UPDATE: "remote_video_update",
    SignalFrame.PRIMARY_MEETING_JOIN: "primary_meeting_join",
    SignalFrame.PRIMARY_MEETING_JOIN_ACK: "primary_meeting_join_ack",
    SignalFrame.PRIMARY_MEETING_LEAVE: "primary_meeting_leave",
    SignalFrame.NOTIFICATION: "notification",
    SignalFrame.MEETING_SESSION_TIMING: "meeting_session_timing",
}
"""Which field holds the body of which type; AUDIO_TRANSCRIPT has none."""

_SCALARS: dict[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.CPPTYPE_UINT32: st.integers(0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: st.integers(0, 2**64 - 1),
    FieldDescriptor.CPPTYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_BOOL: st.booleans(),
    FieldDescriptor.CPPTYPE_DOUBLE: st.floats(allow_nan=False),
}


def _value(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    if field.message_type is not None:
        return _body(field.message_type)
    if field.enum_type is not None:
        return st.sampled_from([value.number for value in field.enum_type.values])
    if field.type == FieldDescriptor.TYPE_BYTES:
        return st.binary(max_size=64)
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
    return _SCALARS[field.cpp_type]


def _body(descriptor: Descriptor) -> st.SearchStrategy[dict[str, Any]]:
    required: dict[str, st.SearchStrategy[Any]] = {}
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for field in descriptor.fields:
        value = _value(field)
        if field.is_repeated:
            optional[field.name] = st.lists(value, max_size=3)
        else:
            (required if field.is_required else optional)[field.name] = value
    return st.fixed_dictionaries(required, optional=optional)


@st.composite
def signal_frames(draw: st.DrawFn) -> SignalFrame:
    """A frame of any type with any body of that type, sometimes without one, sometimes with an error."""
    kind = draw(st.sampled_from(sorted(BODIES)))
    frame = SignalFrame(type=kind, timestamp_ms=draw(st.integers(0, 2**64 - 1)))
    if draw(st.integers(0, 9)):
        name = BODIES[kind]
        # A dictionary that is empty would leave the body out.
        body = getattr(frame, name)
        body.SetInParent()
        body.MergeFrom(type(body)(**draw(_body(body.DESCRIPTOR))))
    if not draw(st.integers(0, 9)):
        frame.error.status = draw(st.sampled_from([200, 206, 400, 403, 409, 500, 503, 509, 0, 700]))
    return frame
