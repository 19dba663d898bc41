"""The frames of the signalling websocket: what is read, what is refused, what is skipped."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from google.protobuf.message import DecodeError as ProtobufDecodeError
from hypothesis import given, settings

from chime_messaging.errors import DecodeError, FrameTooLargeError, ProtocolError
from chime_messaging.wire import signaling
from chime_messaging.wire.signaling import CLIENT_PREFIX, MAX_FRAME_BYTES, SERVER_PREFIX, decode, encode
from chime_messaging.wire.signaling_pb2 import DataMessage, DataMessageFrame, PingPongFrame, SignalFrame
from tests.messaging.wire.signal_frames import BODIES, signal_frames

STAMP = b"\x08\x01"
"""timestamp_ms = 1."""


def frame_of(kind: SignalFrame.Type) -> SignalFrame:
    frame = SignalFrame(timestamp_ms=1)
    frame.type = kind
    if kind in BODIES:
        getattr(frame, BODIES[kind]).SetInParent()
    if kind == SignalFrame.PING_PONG:
        frame.ping_pong.type = PingPongFrame.PING
        frame.ping_pong.ping_id = 1
    return frame


@pytest.mark.parametrize("kind", SignalFrame.Type.values(), ids=SignalFrame.Type.Name)
def test_a_frame_of_every_type_survives_the_wire(kind: SignalFrame.Type) -> None:
    frame = frame_of(kind)
    assert decode(encode(frame)) == frame


@given(signal_frames())
def test_any_frame_survives_the_wire(frame: SignalFrame) -> None:
    assert decode(encode(frame, SERVER_PREFIX)) == frame


def test_clients_and_the_service_write_different_first_bytes() -> None:
    frame = frame_of(SignalFrame.LEAVE)
    assert encode(frame)[0] == CLIENT_PREFIX == 5
    assert encode(frame, SERVER_PREFIX)[0] == 2


@given(st.integers(0, 255))
def test_the_first_byte_of_what_is_received_is_not_looked_at(prefix: int) -> None:
    frame = frame_of(SignalFrame.LEAVE)
    assert decode(encode(frame, prefix)) == frame


def test_zero_and_false_are_something_else_than_absent() -> None:
    frame = SignalFrame(type=SignalFrame.DATA_MESSAGE, timestamp_ms=1)
    frame.data_message.messages.extend([DataMessage(ingest_time_ns=0), DataMessage()])
    frame.index.at_capacity = False
    read = decode(encode(frame))
    assert read is not None
    assert [body.HasField("ingest_time_ns") for body in read.data_message.messages] == [True, False]
    assert read.index.HasField("at_capacity")


def test_what_is_absent_reads_as_the_official_defaults() -> None:
    frame = SignalFrame()
    assert frame.join.protocol_version == 2
    assert frame.joinack.default_server_side_network_adaption == 1
    assert frame.notification.level == 3
    assert frame.sub.duplex == 1


@pytest.mark.parametrize("packed", [b"\x1a\x02\x05\x06", b"\x18\x05\x18\x06"], ids=["packed", "one by one"])
def test_repeated_numbers_are_read_in_both_encodings(packed: bytes) -> None:
    body = bytes([0x42, len(packed)]) + packed
    frame = decode(b"\x02" + STAMP + b"\x10\x05" + body)
    assert frame is not None
    assert list(frame.index.paused_at_source_ids) == [5, 6]


def test_repeated_numbers_are_written_one_by_one_like_the_official_client_does() -> None:
    frame = SignalFrame(type=SignalFrame.INDEX, timestamp_ms=1)
    frame.index.paused_at_source_ids.extend([5, 6])
    assert encode(frame).endswith(b"\x18\x05\x18\x06")


@pytest.mark.parametrize("number", [6, 11, 99, 2**31 - 1])
def test_a_frame_of_an_unknown_type_is_skipped(number: int) -> None:
    varint = _varint(number)
    data = b"\x02" + STAMP + b"\x10" + varint
    assert decode(data) is None
    assert signaling.unknown_type(data) == number


def test_an_unknown_field_is_skipped() -> None:
    frame = decode(b"\x02" + STAMP + b"\x10\x09" + b"\xfa\x3f\x03abc")
    assert frame is not None
    assert frame.type == SignalFrame.LEAVE


def test_an_unknown_value_of_an_enum_inside_reads_as_absent() -> None:
    frame = decode(b"\x02" + STAMP + b"\x10\x05" + b"\x42\x04" + b"\x28\x63" + b"\x28\x01")
    assert frame is not None
    assert list(frame.index.supported_receive_codec_intersection) == [1]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x02", id="only the first byte"),
        pytest.param(b"\x02" + STAMP, id="no type"),
        pytest.param(b"\x02\x10\x09", id="no time"),
        pytest.param(b"\x02\x10\x16", id="data message without a time"),
        pytest.param(b"\x02\x08", id="cut in a number"),
        pytest.param(b"\x02\x08\x01\x10\x09\x5a\x05a", id="cut in a body"),
        pytest.param(b"\x02\x08\x01\x10\x13\xa2\x01\x02\x08\x01", id="ping without an id"),
        pytest.param(b"\x02" + b"\xff" * 20, id="number without an end"),
        pytest.param(b"\x02\x08\x01\x10\x09\x5a\xff\xff\xff\xff\x0f", id="length beyond the end"),
        pytest.param(b"\x02\x08\x01\x10\x09\x1a\x04\x12\x02\xff\xfe", id="text that is not UTF-8"),
        pytest.param(b"\x02\x08\x01\x10\x09" + b"\x0b" * 5000, id="groups within groups"),
        pytest.param(b"\x02\x08\x01\x10\x09\x0c", id="end of a group that never began"),
        pytest.param("{}", id="text"),
    ],
)
def test_what_is_no_frame_is_refused(data: bytes | str) -> None:
    with pytest.raises(DecodeError):
        decode(data)


def test_a_field_of_the_wrong_wire_type_is_not_taken_for_the_field() -> None:
    # timestamp_ms as text: the number is missing.
    with pytest.raises(DecodeError):
        decode(b"\x02\x0a\x01\x01\x10\x09")


def test_a_frame_may_be_256_kib_and_no_more() -> None:
    frame = SignalFrame(type=SignalFrame.SUBSCRIBE, timestamp_ms=1)
    frame.sub.sdp_offer = "x" * (MAX_FRAME_BYTES - 200)
    assert decode(encode(frame)) == frame
    with pytest.raises(FrameTooLargeError) as caught:
        decode(b"\x02" * (MAX_FRAME_BYTES + 1))
    assert caught.value.limit == MAX_FRAME_BYTES


def test_a_receiver_may_allow_less() -> None:
    with pytest.raises(FrameTooLargeError):
        decode(encode(frame_of(SignalFrame.LEAVE)), max_bytes=4)


@given(st.binary(max_size=300))
def test_bytes_of_any_kind_are_read_skipped_or_refused(data: bytes) -> None:
    _read_everything(data)


@given(signal_frames(), st.data())
@settings(max_examples=300)
def test_a_frame_that_was_tampered_with_is_read_skipped_or_refused(frame: SignalFrame, data: st.DataObject) -> None:
    raw = bytearray(encode(frame))
    for _ in range(data.draw(st.integers(1, 4))):
        if not raw:
            break
        at = data.draw(st.integers(0, len(raw) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "double", "remove"])):
            case "flip":
                raw[at] ^= data.draw(st.integers(1, 255))
            case "cut":
                del raw[at:]
            case "double":
                raw[at:at] = raw[at:]
            case _:
                del raw[at]
    _read_everything(bytes(raw))


NOW = 1_700_000_000_000


def data_frame(count: int, size: int, stamp: int = NOW) -> SignalFrame:
    frame = SignalFrame(type=SignalFrame.DATA_MESSAGE, timestamp_ms=stamp)
    frame.data_message.SetInParent()
    for number in range(count):
        frame.data_message.messages.add(topic="chat", data=b"x" * size, ingest_time_ns=number)
    return frame


@pytest.mark.parametrize("size", [0, 1, 100, 110, 120, 127, 128, 129, 2048, 16_300, 16_384, 17_000, 200_000])
def test_the_body_of_a_frame_of_data_messages_can_be_had_without_the_frame(size: int) -> None:
    frame = data_frame(1, size)
    body = signaling.data_body(encode(frame, SERVER_PREFIX))
    assert body is not None
    assert DataMessageFrame.FromString(body) == frame.data_message


def test_joined_bodies_read_as_one_with_the_messages_of_all() -> None:
    bodies = [signaling.data_body(encode(data_frame(count, 8))) for count in (0, 1, 3)]
    joined = DataMessageFrame.FromString(b"".join(body for body in bodies if body is not None))
    assert [message.ingest_time_ns for message in joined.messages] == [0, 0, 1, 2]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("text", id="text"),
        pytest.param(b"", id="nothing"),
        pytest.param(encode(data_frame(1, 8, stamp=1)), id="a time of 1970"),
        pytest.param(encode(data_frame(1, 8)) + b"\x10\x09", id="another type after the body"),
        pytest.param(encode(data_frame(1, 8)) + b"\x1a\x02\x08\x01", id="an error after the body"),
        pytest.param(encode(data_frame(1, 8))[:-1], id="cut"),
        pytest.param(encode(data_frame(1, 300))[:-1], id="cut in a long one"),
        pytest.param(encode(SignalFrame(type=SignalFrame.DATA_MESSAGE, timestamp_ms=NOW)), id="no body"),
        pytest.param(encode(SignalFrame(type=SignalFrame.LEAVE, timestamp_ms=NOW)), id="another type"),
        pytest.param(encode(data_frame(2, MAX_FRAME_BYTES // 2)), id="too large"),
    ],
)
def test_any_other_frame_has_to_be_read_as_a_whole(data: bytes | str) -> None:
    assert signaling.data_body(data) is None


@given(signal_frames(), st.data())
def test_a_body_that_can_be_had_is_the_one_that_the_frame_has(frame: SignalFrame, data: st.DataObject) -> None:
    frame.timestamp_ms = data.draw(st.sampled_from([NOW, 1, 2**35 - 1, 2**35, 2**42 - 1, 2**42]))
    if data.draw(st.booleans()):
        frame.type = SignalFrame.DATA_MESSAGE
    raw = bytearray(encode(frame))
    if data.draw(st.booleans()):
        raw[data.draw(st.integers(0, min(20, len(raw) - 1)))] ^= data.draw(st.integers(1, 255))
    body = signaling.data_body(bytes(raw))
    if body is None:
        return
    try:
        read = decode(bytes(raw))
    except DecodeError:
        with pytest.raises(ProtobufDecodeError):
            DataMessageFrame.FromString(body)
        return
    assert read is not None
    assert read.type == SignalFrame.DATA_MESSAGE
    assert not read.HasField("error")
    assert DataMessageFrame.FromString(body) == read.data_message


def _read_everything(data: bytes) -> None:
    try:
        frame = decode(data)
    except ProtocolError:
        return
    if frame is None:
        assert signaling.unknown_type(data) is not None
        return
    # Text that is not UTF-8 would only show itself when it is looked at.
    str(frame)
    for field, value in frame.ListFields():
        assert field.name
        del value


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)
