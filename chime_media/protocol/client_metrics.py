"""What a second of media was like: counters of two moments become observable metrics, and the frame CLIENT_METRIC.

Pure. Whoever owns the counters takes a `MediaSample` each second and hands it to `ClientMetrics`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from chime_media.events import (
    Metrics,
    VideoMetrics,
    VideoReceiveBandwidthChanged,
    VideoSendBandwidthChanged,
    VideoSendHealthChanged,
)
from chime_messaging.events import Event
from chime_messaging.wire import signaling_pb2 as pb
from chime_messaging.wire.signaling_pb2 import SignalFrame

_FRAMES_PER_SECOND = 50
_SILENT = 127


class SdkMetric(IntEnum):
    """Numbers of the metrics on the wire, of those that can be told here. Official name: SdkMetric.Type."""

    VIDEO_AVAILABLE_SEND_BANDWIDTH = 2
    VIDEO_AVAILABLE_RECEIVE_BANDWIDTH = 4
    SOCKET_DISCARDED_PPS = 8
    RTC_MIC_JITTER_MS = 9
    RTC_MIC_PPS = 10
    RTC_MIC_FRACTION_PACKET_LOST_PERCENT = 11
    RTC_MIC_BITRATE = 12
    RTC_MIC_RTT_MS = 13
    RTC_SPK_PPS = 14
    RTC_SPK_FRACTION_PACKET_LOST_PERCENT = 15
    RTC_SPK_JITTER_MS = 16
    RTC_SPK_FRACTION_DECODER_LOSS_PERCENT = 17
    RTC_SPK_BITRATE = 18
    RTC_SPK_JITTER_BUFFER_MS = 20
    VIDEO_SENT_RTT_MS = 21
    VIDEO_NACKS_RECEIVED = 23
    VIDEO_PLIS_RECEIVED = 24
    VIDEO_ENCODE_FPS = 27
    VIDEO_SENT_PPS = 30
    VIDEO_SENT_FRACTION_PACKET_LOST_PERCENT = 31
    VIDEO_SENT_BITRATE = 32
    VIDEO_DROPPED_FPS = 33
    VIDEO_RECEIVED_PPS = 37
    VIDEO_RECEIVED_FRACTION_PACKET_LOST_PERCENT = 38
    VIDEO_DECODE_FPS = 41
    VIDEO_NACKS_SENT = 42
    VIDEO_RECEIVED_BITRATE = 44
    VIDEO_PLIS_SENT = 48
    VIDEO_RECEIVED_JITTER_MS = 49
    VIDEO_ENCODE_HEIGHT = 64
    VIDEO_DECODE_HEIGHT = 69
    VIDEO_ENCODE_WIDTH = 86
    VIDEO_DECODE_WIDTH = 87
    RTC_SPK_AUDIO_LEVEL = 96
    RTC_MIC_AUDIO_LEVEL = 97


@dataclass(frozen=True, slots=True)
class AudioCounts:
    """One direction of the sound. Counts go up for as long as the session lives."""

    packets: int = 0
    octets: int = 0
    lost: int = 0
    """Packets that did not come; of what is received only."""
    concealed: int = 0
    """Stretches of 20 ms that were made up; of what is received only."""
    jitter: float = 0.0
    """Seconds."""
    fraction_lost: float = 0.0
    """0 to 1, as the other side reports it; of what is sent only."""
    round_trip: float = 0.0
    delay: float = 0.0
    """Seconds that packets are held back."""
    level: int = _SILENT
    """dB below full scale."""


@dataclass(frozen=True, slots=True)
class VideoCounts:
    """One video of one connection. Counts go up for as long as the connection lives."""

    section: str
    """Where it comes or goes; another layer of the same video keeps it."""
    attendee_id: str
    stream_id: int
    sent: bool
    packets: int = 0
    octets: int = 0
    lost: int = 0
    frames: int = 0
    dropped: int = 0
    """Pictures that were not encoded or decoded."""
    nacks: int = 0
    plis: int = 0
    width: int = 0
    height: int = 0
    jitter: float = 0.0
    fraction_lost: float = 0.0
    round_trip: float = 0.0


@dataclass(frozen=True, slots=True)
class MediaSample:
    """Everything at one moment."""

    received: AudioCounts = field(default_factory=AudioCounts)
    sent: AudioCounts = field(default_factory=AudioCounts)
    videos: tuple[VideoCounts, ...] = ()
    available_outgoing: int = 0
    """Bit/s."""
    available_incoming: int = 0
    discarded: int = 0
    """Packets that could not be sent."""


class ClientMetrics:
    """Compares each sample with the one before.

    Rates are per second and never negative: a count that falls is of another connection, and says nothing.
    """

    def __init__(self) -> None:
        self._before = MediaSample()
        self._at: float | None = None
        self._told = Metrics()

    def sampled(self, sample: MediaSample, now: float) -> tuple[Metrics, SignalFrame]:
        """Take a sample; return what to tell the application, and what to write."""
        # As with the official clients the first interval counts as a second.
        interval = 1.0 if self._at is None else max(now - self._at, 1e-3)
        before, self._before, self._at = self._before, sample, now
        rates = _Rates(before, sample, interval)
        return rates.metrics(), rates.frame()

    def changed(self, metrics: Metrics) -> list[Event]:
        """Compare metrics with those before; what has changed of the health and the room of videos."""
        before, self._told = self._told, metrics
        told: list[Event] = []
        health = _kbps(metrics.video_upstream_bitrate), metrics.video_packets_sent
        if health != (_kbps(before.video_upstream_bitrate), before.video_packets_sent):
            told.append(VideoSendHealthChanged(*health))
        new, old = _kbps(metrics.available_outgoing_bitrate), _kbps(before.available_outgoing_bitrate)
        if new != old:
            told.append(VideoSendBandwidthChanged(new, old))
        new, old = _kbps(metrics.available_incoming_bitrate), _kbps(before.available_incoming_bitrate)
        if new != old:
            told.append(VideoReceiveBandwidthChanged(new, old))
        return told


class _Rates:
    def __init__(self, before: MediaSample, sample: MediaSample, interval: float) -> None:
        self._sample = sample
        self._interval = interval
        self._received = _Change(before.received, sample.received, interval)
        self._sent = _Change(before.sent, sample.sent, interval)
        self._discarded = max(0, int((sample.discarded - before.discarded) / interval))
        known = {video.section: video for video in before.videos}
        self._videos = [(video, _Change(known.get(video.section), video, interval)) for video in sample.videos]

    @property
    def _decoder_loss(self) -> float:
        return min(100.0, 100 * self._received.rate("concealed") / _FRAMES_PER_SECOND)

    def metrics(self) -> Metrics:
        received, sent = self._sample.received, self._sample.sent
        own = next((change for video, change in self._videos if video.sent), None)
        return Metrics(
            audio_packets_received=self._received.rate("packets"),
            audio_packets_received_fraction_loss=self._received.loss_percent,
            audio_decoder_loss=self._decoder_loss,
            audio_packets_sent=self._sent.rate("packets"),
            audio_packet_loss_percent=100 * sent.fraction_lost,
            audio_upstream_bitrate=self._sent.bitrate,
            audio_downstream_bitrate=self._received.bitrate,
            audio_upstream_jitter=sent.jitter,
            audio_downstream_jitter=received.jitter,
            audio_upstream_round_trip_time=sent.round_trip,
            audio_speaker_delay=received.delay,
            audio_downstream_level=_loudness(received.level),
            video_upstream_bitrate=own.bitrate if own is not None else 0,
            video_packets_sent=own.rate("packets") if own is not None else 0,
            nack_count_received=own.rate("nacks") if own is not None else 0,
            available_outgoing_bitrate=self._sample.available_outgoing,
            available_incoming_bitrate=self._sample.available_incoming,
            videos=tuple(_video_metrics(video, change) for video, change in self._videos),
        )

    def frame(self) -> SignalFrame:
        sample = self._sample
        body = pb.ClientMetricFrame(
            global_metrics=_listed(
                {
                    SdkMetric.VIDEO_AVAILABLE_SEND_BANDWIDTH: sample.available_outgoing,
                    SdkMetric.VIDEO_AVAILABLE_RECEIVE_BANDWIDTH: sample.available_incoming,
                    SdkMetric.SOCKET_DISCARDED_PPS: self._discarded,
                }
            )
        )
        for audio in (self._upstream_audio(), self._downstream_audio()):
            body.stream_metric_frames.add(media_type=pb.AUDIO, metrics=_listed(audio))
        for video, change in self._videos:
            values = _upstream_video(video, change) if video.sent else _downstream_video(video, change)
            body.stream_metric_frames.add(media_type=pb.VIDEO, stream_id=video.stream_id, metrics=_listed(values))
        return SignalFrame(type=SignalFrame.CLIENT_METRIC, client_metric=body)

    def _upstream_audio(self) -> dict[SdkMetric, float]:
        sent = self._sample.sent
        return {
            SdkMetric.RTC_MIC_JITTER_MS: 1000 * sent.jitter,
            SdkMetric.RTC_MIC_PPS: self._sent.rate("packets"),
            SdkMetric.RTC_MIC_FRACTION_PACKET_LOST_PERCENT: 100 * sent.fraction_lost,
            SdkMetric.RTC_MIC_BITRATE: self._sent.bitrate,
            SdkMetric.RTC_MIC_RTT_MS: 1000 * sent.round_trip,
            SdkMetric.RTC_MIC_AUDIO_LEVEL: _loudness(sent.level),
        }

    def _downstream_audio(self) -> dict[SdkMetric, float]:
        received = self._sample.received
        return {
            SdkMetric.RTC_SPK_PPS: self._received.rate("packets"),
            SdkMetric.RTC_SPK_FRACTION_PACKET_LOST_PERCENT: self._received.loss_percent,
            SdkMetric.RTC_SPK_JITTER_MS: 1000 * received.jitter,
            SdkMetric.RTC_SPK_FRACTION_DECODER_LOSS_PERCENT: self._decoder_loss,
            SdkMetric.RTC_SPK_BITRATE: self._received.bitrate,
            SdkMetric.RTC_SPK_JITTER_BUFFER_MS: 1000 * received.delay,
            SdkMetric.RTC_SPK_AUDIO_LEVEL: _loudness(received.level),
        }


class _Change:
    """What became of one stream's counts."""

    def __init__(
        self, before: AudioCounts | VideoCounts | None, after: AudioCounts | VideoCounts, interval: float
    ) -> None:
        self._before = before
        self._after = after
        self._interval = interval

    def _delta(self, name: str) -> int:
        before = getattr(self._before, name) if self._before is not None else 0
        return max(0, int(getattr(self._after, name)) - int(before))

    def rate(self, name: str) -> int:
        """Of a count, per second."""
        return int(self._delta(name) / self._interval)

    @property
    def bitrate(self) -> int:
        """Bit/s."""
        return int(8 * self._delta("octets") / self._interval)

    @property
    def loss_percent(self) -> float:
        """Of what should have come."""
        lost, came = self._delta("lost"), self._delta("packets")
        return 100 * lost / (lost + came) if lost else 0.0


def _video_metrics(video: VideoCounts, change: _Change) -> VideoMetrics:
    return VideoMetrics(
        video.attendee_id,
        video.stream_id,
        video.sent,
        bitrate=change.bitrate,
        packets=change.rate("packets"),
        packet_loss_percent=100 * video.fraction_lost if video.sent else change.loss_percent,
        packets_lost=change.rate("lost"),
        frames=change.rate("frames"),
        width=video.width,
        height=video.height,
        jitter=video.jitter,
        round_trip_time=video.round_trip,
    )


def _upstream_video(video: VideoCounts, change: _Change) -> dict[SdkMetric, float]:
    return {
        SdkMetric.VIDEO_SENT_RTT_MS: 1000 * video.round_trip,
        SdkMetric.VIDEO_NACKS_RECEIVED: change.rate("nacks"),
        SdkMetric.VIDEO_PLIS_RECEIVED: change.rate("plis"),
        SdkMetric.VIDEO_ENCODE_FPS: change.rate("frames"),
        SdkMetric.VIDEO_SENT_PPS: change.rate("packets"),
        SdkMetric.VIDEO_SENT_FRACTION_PACKET_LOST_PERCENT: 100 * video.fraction_lost,
        SdkMetric.VIDEO_SENT_BITRATE: change.bitrate,
        SdkMetric.VIDEO_ENCODE_HEIGHT: video.height,
        SdkMetric.VIDEO_ENCODE_WIDTH: video.width,
    }


def _downstream_video(video: VideoCounts, change: _Change) -> dict[SdkMetric, float]:
    return {
        SdkMetric.VIDEO_DROPPED_FPS: change.rate("dropped"),
        SdkMetric.VIDEO_RECEIVED_PPS: change.rate("packets"),
        SdkMetric.VIDEO_RECEIVED_FRACTION_PACKET_LOST_PERCENT: change.loss_percent,
        SdkMetric.VIDEO_DECODE_FPS: change.rate("frames"),
        SdkMetric.VIDEO_NACKS_SENT: change.rate("nacks"),
        SdkMetric.VIDEO_RECEIVED_BITRATE: change.bitrate,
        SdkMetric.VIDEO_PLIS_SENT: change.rate("plis"),
        SdkMetric.VIDEO_RECEIVED_JITTER_MS: 1000 * video.jitter,
        SdkMetric.VIDEO_DECODE_HEIGHT: video.height,
        SdkMetric.VIDEO_DECODE_WIDTH: video.width,
    }


def _listed(values: Mapping[SdkMetric, float]) -> list[pb.Metric]:
    return [pb.Metric(type=int(kind), value=float(value)) for kind, value in values.items()]


def _loudness(level: int) -> float:
    return 0.0 if level >= _SILENT else float(10 ** (-level / 20))


def _kbps(bitrate: int) -> int:
    return bitrate // 1000
