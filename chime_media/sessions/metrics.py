"""What a session's connection is like, once a second: metrics for the application and the service, and its health.

Belongs to the media thread, where the counters are.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Protocol

from chime_media.events import (
    AudioSendingFailed,
    AudioSendingRecovered,
    ConnectionBecameGood,
    ConnectionBecamePoor,
    ConnectionSuggestsStopVideo,
    Metrics,
    MetricsReceived,
)
from chime_media.protocol.client_metrics import AudioCounts, ClientMetrics, MediaSample, VideoCounts
from chime_media.protocol.connection_health import ConnectionHealth, HealthSample, Verdict
from chime_media.protocol.subscribing import Subscribing
from chime_media.rtc.audio_receiver import AudioReceiver
from chime_media.rtc.audio_sender import AudioSender
from chime_media.rtc.peer import Peer
from chime_messaging.events import Event
from chime_messaging.meeting_events import MeetingSessionStatusCode, VideoSource
from chime_messaging.protocol.signaling import SignalingClientProtocol

log = logging.getLogger(__name__)


class Engine(Protocol):
    """What is needed of a `MeetingEngine`."""

    sender: AudioSender
    receiver: AudioReceiver
    sources: tuple[VideoSource, ...]
    on_second: Callable[[float], None] | None

    @property
    def peer(self) -> Peer | None:
        """The present connection."""

    @property
    def subscribing(self) -> Subscribing | None:
        """What was asked for."""

    def tell(self, events: list[Event]) -> None:
        """Tell the application."""

    def write_soon(self, add: Callable[[SignalingClientProtocol, float], None]) -> None:
        """Write a frame."""

    def break_off(self, status: MeetingSessionStatusCode, reason: str) -> None:
        """Connect anew."""


class MeetingMetrics:
    """Looks at one session each second.

    Args:
        engine: The session's.
        attendee_id: Whose session it is.
    """

    def __init__(self, engine: Engine, attendee_id: str) -> None:
        self._engine = engine
        self._attendee_id = attendee_id
        self._metrics = ClientMetrics()
        self._health = ConnectionHealth()
        self._peer: Peer | None = None
        self._latest = Metrics()
        engine.on_second = self._look

    @property
    def latest(self) -> Metrics:
        """What the last second was like. Official name: getObservableMetrics. May be read on any thread."""
        return self._latest

    def _look(self, now: float) -> None:
        peer = self._engine.peer
        if peer is None:
            return
        if peer is not self._peer:
            self._peer = peer
            self._health.connected(now)
        metrics, frame = self._metrics.sampled(self._sample(peer), now)
        self._latest = metrics
        self._engine.write_soon(lambda protocol, at: protocol.write(frame, at))
        told: list[Event] = [*self._metrics.changed(metrics), MetricsReceived(metrics)]
        for verdict in self._health.sample(self._health_sample(peer), now):
            told += self._judged(verdict)
        self._engine.tell(told)

    def _judged(self, verdict: Verdict) -> list[Event]:
        if verdict is Verdict.RECONNECT:
            reason = f"nothing came for {self._health.silent_samples or 'too many'} seconds"
            log.warning("Attendee %s: the connection is given up: %s", self._attendee_id, reason)
            self._engine.break_off(MeetingSessionStatusCode.CONNECTION_HEALTH_RECONNECT, reason)
            return []
        if verdict is Verdict.POOR:
            loss = self._health.loss
            return [ConnectionSuggestsStopVideo(loss) if self._has_video else ConnectionBecamePoor(loss)]
        return [_TOLD[verdict]()]

    @property
    def _has_video(self) -> bool:
        subscribing = self._engine.subscribing
        return subscribing is not None and bool(subscribing.wish.sending or subscribing.wish.receiving)

    def _health_sample(self, peer: Peer) -> HealthSample:
        counters = peer.transport.counters
        return HealthSample(
            bytes_received=counters.bytes_received,
            stun_messages=counters.stun_received,
            audio_packets_received=self._engine.receiver.packets_received,
            audio_packets_sent=self._engine.sender.packets_sent,
            audio_delay=self._engine.receiver.delay,
            hears=peer.hears,
            sends=peer.speaks,
        )

    def _sample(self, peer: Peer) -> MediaSample:
        sender, receiver = self._engine.sender, self._engine.receiver
        video = peer.video if peer.has_video else None
        return MediaSample(
            received=AudioCounts(
                packets=receiver.packets_received,
                octets=receiver.octets_received,
                lost=receiver.packets_lost,
                concealed=receiver.jitter_statistics.concealed,
                jitter=receiver.jitter,
                delay=receiver.delay,
                level=receiver.level,
            ),
            sent=AudioCounts(
                packets=sender.packets_sent,
                octets=sender.octets_sent,
                jitter=sender.remote_jitter,
                fraction_lost=sender.remote_loss,
                round_trip=sender.round_trip or 0.0,
                level=sender.level,
            ),
            videos=tuple(self._videos(peer)) if video is not None else (),
            available_outgoing=video.sender.bitrate if video is not None and video.sender.sending else 0,
            available_incoming=video.estimated_bitrate if video is not None and video.receivers else 0,
            discarded=peer.transport.counters.dropped,
        )

    def _videos(self, peer: Peer) -> Iterator[VideoCounts]:
        subscribing, sender = self._engine.subscribing, peer.video.sender
        if subscribing is None:
            return
        if sender.sending:
            counters = sender.counters
            yield VideoCounts(
                "sent",
                self._attendee_id,
                subscribing.allocations[0][0] if subscribing.allocations else 0,
                sent=True,
                packets=counters.packets,
                octets=counters.octets,
                frames=counters.frames,
                dropped=counters.skipped,
                nacks=counters.nacks,
                plis=counters.plis,
                width=counters.width,
                height=counters.height,
                fraction_lost=counters.fraction_lost,
                round_trip=counters.round_trip or 0.0,
            )
        attendees = {source.group_id: source.attendee_id for source in self._engine.sources}
        for group_id, mid in subscribing.mids.items():
            receiver = peer.video.receivers.get(mid)
            if receiver is not None:
                statistics, received = receiver.statistics, receiver.counters
                yield VideoCounts(
                    mid,
                    attendees.get(group_id, ""),
                    subscribing.wish.receiving.get(group_id, 0),
                    sent=False,
                    packets=statistics.received,
                    octets=statistics.octets,
                    lost=statistics.lost,
                    frames=received.frames_decoded,
                    dropped=received.frames_dropped,
                    nacks=received.nacks,
                    plis=received.plis,
                    width=received.width,
                    height=received.height,
                    jitter=statistics.jitter,
                )


_TOLD: dict[Verdict, type[Event]] = {
    Verdict.GOOD: ConnectionBecameGood,
    Verdict.SENDING_FAILED: AudioSendingFailed,
    Verdict.SENDING_RECOVERED: AudioSendingRecovered,
}
