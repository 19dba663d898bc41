from __future__ import annotations

import pytest

from chime_media.events import (
    Metrics,
    VideoMetrics,
    VideoReceiveBandwidthChanged,
    VideoSendBandwidthChanged,
    VideoSendHealthChanged,
)
from chime_media.protocol.client_metrics import AudioCounts, ClientMetrics, MediaSample, VideoCounts
from chime_messaging.wire import signaling_pb2 as pb
from chime_messaging.wire.signaling_pb2 import SignalFrame

FIRST = MediaSample(
    received=AudioCounts(packets=1000, octets=50_000, lost=10, concealed=4),
    sent=AudioCounts(packets=900, octets=40_000),
    videos=(
        VideoCounts("sent", "me", 2, sent=True, packets=300, octets=90_000, frames=30, nacks=1),
        VideoCounts("2", "bob", 5, sent=False, packets=500, octets=200_000, lost=20, frames=60, dropped=3, plis=1),
    ),
)
SECOND = MediaSample(
    received=AudioCounts(packets=1096, octets=60_000, lost=14, concealed=8, jitter=0.003, delay=0.06, level=20),
    sent=AudioCounts(packets=1000, octets=52_500, fraction_lost=0.25, round_trip=0.05, jitter=0.002, level=40),
    videos=(
        VideoCounts(
            "sent", "me", 2, sent=True, packets=420, octets=215_000, frames=60, nacks=5, plis=2, width=640, height=360,
            fraction_lost=0.5, round_trip=0.04,
        ),
        VideoCounts(
            "2", "bob", 6, sent=False, packets=580, octets=300_000, lost=40, frames=90, dropped=5, nacks=4, plis=3,
            width=1280, height=720, jitter=0.001,
        ),
    ),
    available_outgoing=1_500_000,
    available_incoming=2_800_999,
    discarded=6,
)  # fmt: skip


def measured() -> tuple[Metrics, SignalFrame]:
    """What two seconds between the samples make."""
    metrics = ClientMetrics()
    metrics.sampled(FIRST, 10.0)
    return metrics.sampled(SECOND, 12.0)


def test_rates_are_per_second_and_loss_is_part_of_what_should_have_come() -> None:
    metrics, _ = measured()
    assert metrics == Metrics(
        audio_packets_received=48,
        audio_packets_received_fraction_loss=4.0,
        audio_decoder_loss=4.0,
        audio_packets_sent=50,
        audio_packet_loss_percent=25.0,
        audio_upstream_bitrate=50_000,
        audio_downstream_bitrate=40_000,
        audio_upstream_jitter=0.002,
        audio_downstream_jitter=0.003,
        audio_upstream_round_trip_time=0.05,
        audio_speaker_delay=0.06,
        audio_downstream_level=0.1,
        video_upstream_bitrate=500_000,
        video_packets_sent=60,
        nack_count_received=2,
        available_outgoing_bitrate=1_500_000,
        available_incoming_bitrate=2_800_999,
        videos=(
            VideoMetrics("me", 2, True, 500_000, 60, 50.0, 0, 15, 640, 360, 0.0, 0.04),
            VideoMetrics("bob", 6, False, 400_000, 40, 20.0, 10, 15, 1280, 720, 0.001),
        ),
    )


def test_the_service_is_told_by_the_official_numbers_and_in_milliseconds() -> None:
    _, frame = measured()
    assert frame.type == SignalFrame.CLIENT_METRIC
    assert {metric.type: metric.value for metric in frame.client_metric.global_metrics} == {
        2: 1_500_000,
        4: 2_800_999,
        8: 3,
    }
    up, down, sent, received = frame.client_metric.stream_metric_frames
    assert [part.media_type for part in (up, down, sent, received)] == [pb.AUDIO, pb.AUDIO, pb.VIDEO, pb.VIDEO]
    assert {metric.type: metric.value for metric in up.metrics} == {
        9: 2.0, 10: 50, 11: 25.0, 12: 50_000, 13: 50.0, 97: pytest.approx(0.01),
    }  # fmt: skip
    assert {metric.type: metric.value for metric in down.metrics} == {
        14: 48, 15: 4.0, 16: 3.0, 17: 4.0, 18: 40_000, 20: 60.0, 96: pytest.approx(0.1),
    }  # fmt: skip
    assert sent.stream_id == 2
    assert {metric.type: metric.value for metric in sent.metrics} == {
        21: 40.0, 23: 2, 24: 1, 27: 15, 30: 60, 31: 50.0, 32: 500_000, 64: 360, 86: 640,
    }  # fmt: skip
    assert received.stream_id == 6
    assert {metric.type: metric.value for metric in received.metrics} == {
        33: 1, 37: 40, 38: 20.0, 41: 15, 42: 2, 44: 400_000, 48: 1, 49: 1.0, 69: 720, 87: 1280,
    }  # fmt: skip


def test_the_first_interval_counts_as_a_second() -> None:
    metrics, _ = ClientMetrics().sampled(MediaSample(sent=AudioCounts(packets=50, octets=1000)), 77.0)
    assert metrics.audio_packets_sent == 50
    assert metrics.audio_upstream_bitrate == 8000


def test_counts_that_begin_anew_with_another_connection_are_no_negative_rates() -> None:
    metrics = ClientMetrics()
    metrics.sampled(SECOND, 1.0)
    after, frame = metrics.sampled(FIRST, 2.0)
    assert (after.audio_packets_received, after.video_upstream_bitrate, after.videos[1].bitrate) == (0, 0, 0)
    assert after.audio_packets_received_fraction_loss == 0
    streams = frame.client_metric.stream_metric_frames
    assert all(metric.value >= 0 for stream in streams for metric in stream.metrics)


def test_health_and_room_of_videos_are_told_when_they_change() -> None:
    metrics = ClientMetrics()
    before, _ = metrics.sampled(FIRST, 10.0)
    assert metrics.changed(before) == [VideoSendHealthChanged(720, 300)]
    after, _ = metrics.sampled(SECOND, 12.0)
    assert metrics.changed(after) == [
        VideoSendHealthChanged(500, 60),
        VideoSendBandwidthChanged(1500, 0),
        VideoReceiveBandwidthChanged(2800, 0),
    ]
    assert metrics.changed(after) == []
