from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.vpx import Vp8Encoder
from hypothesis import given
from hypothesis import strategies as st

from chime_media.protocol.video_format import VideoFormat
from chime_media.wire import av1, h264, vp8, vp9
from chime_messaging.errors import DecodeError


def encoded(encoder: Vp8Encoder | H264Encoder, keys: set[int], frames: int = 6) -> list[list[bytes]]:
    noise = np.random.default_rng(1).integers(0, 255, (180, 320, 3)).astype(np.uint8)
    made = []
    for index in range(frames):
        picture = av.VideoFrame.from_ndarray(np.roll(noise, index, 1), format="rgb24")
        picture.pts, picture.time_base = index * 3000, Fraction(1, 90000)
        made.append(encoder.encode(picture, force_keyframe=index in keys)[0])
    return made


@pytest.mark.parametrize(("name", "encoder"), [("VP8", Vp8Encoder()), ("H264", H264Encoder())], ids=["VP8", "H264"])
def test_only_the_first_packet_of_an_encoders_key_frames_starts_one(
    name: str, encoder: Vp8Encoder | H264Encoder
) -> None:
    starts = VideoFormat.of(name).starts_key_frame
    frames = encoded(encoder, {0, 4})
    assert len(frames[0]) > 3
    for index, payloads in enumerate(frames):
        assert [starts(payload) for payload in payloads] == [index in {0, 4}] + [False] * (len(payloads) - 1)


def test_a_vp8_descriptor_is_read_in_all_its_forms() -> None:
    assert vp8.parse(b"\x10\x00").size == 1
    full = vp8.parse(b"\x90\xf0\x81\x02\x33\x40\x00")
    assert (full.picture_id, full.picture_id_bits, full.reference_index, full.temporal_layer) == (0x102, 15, 0x33, 1)
    assert (full.size, full.starts_frame) == (6, True)
    short = vp8.parse(b"\x80\xc0\x7f\x09\x00")
    assert (short.picture_id, short.picture_id_bits, short.reference_index, short.size) == (0x7F, 7, 9, 4)
    assert not short.starts_frame
    with pytest.raises(DecodeError):
        vp8.parse(b"\x90\xf0\x81")


def test_vp8_counters_are_moved_each_in_its_width() -> None:
    assert vp8.shift(b"\x90\xc0\xff\xff\xfe\x55", 2, 3) == b"\x90\xc0\x80\x01\x01\x55"
    assert vp8.shift(b"\x90\x80\x7f\x55", 1, 1) == b"\x90\x80\x00\x55"
    assert vp8.shift(b"\x10\x55", 1, 1) == b"\x10\x55"
    assert vp8.shift(b"\x90", 1, 1) == b"\x90"


def test_h264_begins_with_its_parameter_sets() -> None:
    assert h264.starts_key_frame(b"\x67\x42")
    assert h264.starts_key_frame(b"\x78\x00\x02\x67\x42\x00\x02\x68\xce")
    assert h264.starts_key_frame(b"\x78\x00\x02\x09\x10\x00\x02\x67\x42")
    assert not h264.starts_key_frame(b"\x78\x00\x02\x68\xce")
    assert not h264.starts_key_frame(b"\x7c\x85\x00")
    assert not h264.starts_key_frame(b"\x61\x00")


def test_vp9_begins_with_the_lowest_layer_of_a_picture_that_depends_on_none() -> None:
    assert vp9.starts_key_frame(b"\x8a\x80\x01\x00")
    assert vp9.starts_key_frame(b"\xaa\x80\x01\x00\x00")
    assert not vp9.starts_key_frame(b"\xaa\x80\x01\x02\x00"), "a higher layer"
    assert not vp9.starts_key_frame(b"\xca\x80\x01\x00"), "predicted"
    assert not vp9.starts_key_frame(b"\x82\x80\x01\x00"), "not the first packet"


def test_av1_says_where_a_sequence_begins() -> None:
    assert av1.starts_key_frame(b"\x18\x0a")
    assert not av1.starts_key_frame(b"\x10\x0a")
    assert not av1.starts_key_frame(b"\x98\x0a")


@given(st.binary(max_size=12))
def test_payloads_of_any_bytes_are_looked_at_without_harm(payload: bytes) -> None:
    for name in ("VP8", "H264", "VP9", "AV1", "H265"):
        assert VideoFormat.of(name).starts_key_frame(payload) in {True, False}
    assert len(vp8.shift(payload, 5, 6)) == len(payload)


def test_formats_are_the_same_if_a_decoder_takes_both() -> None:
    def avc(level: str, mode: int = 1) -> VideoFormat:
        return VideoFormat.of("H264", f"level-asymmetry-allowed=1; packetization-mode={mode};profile-level-id={level}")

    assert avc("42e01f") == avc("42E034")
    assert avc("42e01f") != avc("42001f")
    assert avc("42e01f") != avc("42e01f", 0)
    assert VideoFormat.of("vp8", "x-google-start-bitrate=1000") == VideoFormat.of("VP8")
    assert VideoFormat.of("VP9") == VideoFormat.of("VP9", "profile-id=0") != VideoFormat.of("VP9", "profile-id=2")
    assert VideoFormat.of("AV1", "level-idx=5;profile=0;tier=0") == VideoFormat.of("AV1")
