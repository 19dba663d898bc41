"""Every frame of the signalling protocol, by the protobuf code inside amazon-chime-sdk-js and by ours, both ways."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from chime_messaging.errors import DecodeError
from chime_messaging.wire import signaling
from chime_messaging.wire.signaling_pb2 import SignalFrame
from chime_messaging.wire.transcript_pb2 import TranscriptFrame
from tests.interop.conftest import NodeProcess
from tests.interop.signaling_fields import fill, paths

pytestmark = pytest.mark.interop

BODIES = {
    "PAUSE": "pause",
    "RESUME": "pause",
    "JOIN_ACK": "joinack",
    "SUBSCRIBE": "sub",
    "SUBSCRIBE_ACK": "suback",
}
"""Frame types whose body is not in the field that has their name in lower case."""

TYPES = [
    name for name in SignalFrame.DESCRIPTOR.enum_types_by_name["Type"].values_by_name if name != "AUDIO_TRANSCRIPT"
]

ONLY_NATIVE = {
    "join.audioReceiveType",
    "join.useAbsCaptureTime",
    "join.useLayersAllocation",
    "joinack.audioSubscriptionLimit",
    "index.sources.displayLabel",
    "sub.sendStreams.displayLabel",
    "sub.audioSubscriptionConfigurations",
    "sub.audioSubscriptionConfigurations.mid",
    "sub.audioSubscriptionConfigurations.audioStreamId",
}
"""Fields that only the official C++ client has. JavaScript skips them."""


@pytest.fixture(scope="module")
def codec(node: str) -> Iterator[NodeProcess]:
    """The encoder and decoder inside the npm package."""
    process = NodeProcess(node, "signaling_frames.mjs", {}, dict(os.environ))
    yield process
    process.close()


def body_of(type_name: str) -> str:
    return BODIES.get(type_name, type_name.lower())


def as_json(message: Message) -> dict[str, Any]:
    """A message in the same form in which the script reports."""
    return MessageToDict(message, use_integers_for_enums=True)


def full_frame(type_name: str) -> SignalFrame:
    """A frame of ours with every field set."""
    frame = SignalFrame(timestamp_ms=1_700_000_000_123, type=type_name)
    for part in ("error", body_of(type_name)):
        getattr(frame, part).SetInParent()
        fill(getattr(frame, part))
    return frame


def without(record: Any, left_out: set[str], prefix: str = "") -> Any:
    """A record without the fields at these paths."""
    if isinstance(record, list):
        return [without(item, left_out, prefix) for item in record]
    if not isinstance(record, dict):
        return record
    named = {name: f"{prefix}.{name}" if prefix else name for name in record}
    return {name: without(record[name], left_out, path) for name, path in named.items() if path not in left_out}


def test_both_sides_know_the_same_types(codec: NodeProcess) -> None:
    answer = codec.ask(samples=True)
    assert answer["types"] == answer["known"], "the sample of a type is missing"
    assert set(answer["known"]) == set(TYPES)


@pytest.mark.parametrize("type_name", TYPES)
def test_frames_of_the_official_client_decode_field_by_field(codec: NodeProcess, type_name: str) -> None:
    sample = codec.ask(sample=type_name)
    assert sample["unset"] == [], "the sample must have every field that the official class has"
    data = bytes.fromhex(sample["hex"])
    assert data[0] == 5
    frame = signaling.decode(data)
    assert frame is not None
    assert as_json(frame) == sample["json"]
    assert signaling.encode(frame, prefix=5) == data


@pytest.mark.parametrize("type_name", TYPES)
def test_our_frames_decode_in_the_official_client_field_by_field(codec: NodeProcess, type_name: str) -> None:
    frame = full_frame(type_name)
    data = signaling.encode(frame, prefix=2)
    assert data[0] == 2
    ours, theirs = as_json(frame), codec.ask(decode=data.hex())["json"]
    unknown = set(paths(ours)) - set(paths(theirs))
    assert unknown <= ONLY_NATIVE
    assert without(ours, unknown) == theirs


def test_presence_survives_both_ways(codec: NodeProcess) -> None:
    frame = SignalFrame(timestamp_ms=1, type=SignalFrame.DATA_MESSAGE)
    frame.data_message.messages.add(topic="throttled", ingest_time_ns=0)
    frame.data_message.messages.add(topic="never stamped")
    throttled, unstamped = codec.ask(decode=signaling.encode(frame, prefix=2).hex())["json"]["dataMessage"]["messages"]
    assert throttled == {"topic": "throttled", "ingestTimeNs": "0"}
    assert unstamped == {"topic": "never stamped"}
    sample = signaling.decode(bytes.fromhex(codec.ask(sample="DATA_MESSAGE")["hex"]))
    assert sample is not None
    assert sample.data_message.messages[1].HasField("ingest_time_ns")
    assert not sample.data_message.messages[1].HasField("data")


def test_transcripts_of_the_official_client_decode_field_by_field(codec: NodeProcess) -> None:
    sample = codec.ask(transcript=None)
    data = bytes.fromhex(sample["hex"])
    frame = TranscriptFrame.FromString(data)
    assert as_json(frame) == sample["json"]
    assert frame.SerializeToString() == data


def test_our_transcripts_decode_in_the_official_client_field_by_field(codec: NodeProcess) -> None:
    frame = TranscriptFrame()
    for part in ("status", "transcript"):  # an event is one or the other
        fill(getattr(frame.events.add(), part))
    assert codec.ask(transcript=frame.SerializeToString().hex())["json"] == as_json(frame)


@pytest.mark.parametrize("data", [b"", b"\x05", b"\x05\x08", b"\x05\xff", b"\x05\x10\x05"])
def test_what_the_official_client_refuses_is_refused_by_ours_too(codec: NodeProcess, data: bytes) -> None:
    theirs = codec.ask(decode=data.hex())
    try:
        ours = signaling.decode(data)
    except DecodeError:
        ours = None
    assert (ours is None) == ("error" in theirs), theirs
