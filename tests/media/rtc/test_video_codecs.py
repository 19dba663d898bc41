from __future__ import annotations

import contextlib

import numpy as np
import pytest

from chime_media.devices.video_sources import TestCard
from chime_media.protocol.video_format import VideoFormat
from chime_media.rtc.video_codecs import CODECS, CodecName, VideoDecoder, VideoEncoder
from chime_media.rtc.video_frame import VideoFrame
from chime_messaging.errors import ConfigurationError, DecodeError


@pytest.mark.parametrize("codec", CODECS)
def test_colours_and_times_come_out_as_they_went_in(codec: CodecName) -> None:
    card, encoder, decoder = TestCard((200, 40, 60), 320, 180), VideoEncoder(codec), VideoDecoder(codec)
    for number in range(10):
        frames = decoder.decode(encoder.encode(card.read(number / 15)), number / 15)
        assert [frame.time for frame in frames] == [number / 15]
        shown = frames[0].rgb
        assert shown.shape == (180, 320, 3)
        assert np.median(shown.reshape(-1, 3), axis=0) == pytest.approx((200, 40, 60), abs=6)
        bar = shown[90].astype(int).sum(axis=1) > 450
        assert bar.any()
        assert np.flatnonzero(bar).mean() == pytest.approx(number / 15 / 2 * 300 + 10, abs=4)


@pytest.mark.parametrize("codec", CODECS)
def test_a_key_frame_comes_first_and_when_asked_for(codec: CodecName) -> None:
    card, encoder = TestCard(), VideoEncoder(codec)
    starts = VideoFormat.of(codec).starts_key_frame
    kinds = []
    for number in range(12):
        payloads = encoder.encode(card.read(number / 15), key_frame=number == 8)
        assert max(map(len, payloads)) <= 1300
        kinds.append(starts(payloads[0]))
    assert [number for number, is_key in enumerate(kinds) if is_key] == [0, 8]


@pytest.mark.parametrize("codec", CODECS)
def test_a_rate_that_hardly_changes_costs_no_key_frame_and_one_that_does_is_kept(codec: CodecName) -> None:
    noise = np.random.default_rng(1)
    encoder = VideoEncoder(codec, 2_000_000)
    starts = VideoFormat.of(codec).starts_key_frame

    def size(bitrate: int) -> int:
        encoder.set_bitrate(bitrate)
        total = 0
        for number in range(30):
            picture = noise.integers(0, 255, (90, 160, 3), np.uint8).repeat(2, axis=0).repeat(2, axis=1)
            total += sum(map(len, encoder.encode(VideoFrame.from_rgb(picture, number / 15))))
        return total * 8 // 2

    card = TestCard((200, 40, 60), 320, 180)
    much = size(2_000_000)
    encoder.encode(card.read(0), key_frame=True)
    encoder.set_bitrate(1_900_000)
    assert not any(starts(payload) for at in range(1, 20) for payload in encoder.encode(card.read(at / 15)))
    little = size(300_000)
    assert little < much / 2


@pytest.mark.parametrize("codec", CODECS)
def test_the_size_may_change_on_the_way(codec: CodecName) -> None:
    encoder, decoder = VideoEncoder(codec), VideoDecoder(codec)
    shown = []
    for number, (width, height) in enumerate([(320, 180), (320, 180), (160, 90), (640, 360)]):
        frames = decoder.decode(encoder.encode(TestCard((40, 160, 60), width, height).read(number / 15)), number / 15)
        shown += [(frame.width, frame.height) for frame in frames]
    assert shown == [(320, 180), (320, 180), (160, 90), (640, 360)]


def test_h264_stays_within_the_level_that_was_agreed_on() -> None:
    encoder, decoder = VideoEncoder("H264"), VideoDecoder("H264")
    frames = decoder.decode(encoder.encode(TestCard((40, 160, 60), 1920, 1080).read(0)), 0)
    assert [(frame.width, frame.height) for frame in frames] == [(1280, 720)]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("payload", [b"", b"\x00", b"\x90\x80", b"\x10\x00\xff" * 20, b"\x7c", b"\x78\xff\xff\x00"])
def test_garbage_is_an_error_of_ours(codec: CodecName, payload: bytes) -> None:
    decoder = VideoDecoder(codec)
    with contextlib.suppress(DecodeError):
        assert decoder.decode([payload], 0) == []


def test_codecs_there_is_none_for_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="VP9"):
        VideoDecoder("VP9")
    with pytest.raises(ConfigurationError, match="AV1"):
        VideoEncoder("AV1")  # type: ignore[arg-type]


@pytest.mark.parametrize("codec", CODECS)
def test_a_source_that_begins_anew_is_sent_on(codec: CodecName) -> None:
    encoder, decoder = VideoEncoder(codec), VideoDecoder(codec)
    times, shown = [2.0, 2.1, 0.0, 0.1, 0.1, 4000.0, 0.0], []
    for number, time in enumerate(times):
        picture = TestCard((200, 40, 60), 320, 180).read(time)
        frames = decoder.decode(encoder.encode(VideoFrame(picture.picture, time), key_frame=number in (0, 2, 6)), time)
        shown += [frame.time for frame in frames]
    assert shown == times
