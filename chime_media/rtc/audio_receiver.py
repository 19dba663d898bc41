"""What one attendee hears: the stream of the service from RTP to 20 ms of samples, if somebody listens."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

import numpy as np

from chime_media.protocol.audio_levels import attenuation_of
from chime_media.protocol.jitter_buffer import JitterBuffer, JitterStatistics
from chime_media.protocol.media_clock import MediaClock
from chime_media.protocol.receive_statistics import ReceiveStatistics
from chime_media.rtc.audio_playout import AudioPlayout
from chime_media.rtc.opus import Samples
from chime_media.wire import audio_level, red, rtcp
from chime_media.wire.opus_packet import FRAME_SAMPLES, SAMPLE_RATE, is_silence, sample_count
from chime_media.wire.rtp import RtpPacket
from chime_messaging.errors import DecodeError

Listener = Callable[[Samples, float], object]
"""Takes 20 ms of samples, and the time at which they are heard, in the event loop's time. Silence comes as zeros."""
_MOST_REPEATED: Final = 2
_USUAL_DELAY: Final = 0.06
"""Seconds that sound waits for late packets at the node and here, before anything is known of them."""
_MOST_BEHIND: Final = 2.0

log = logging.getLogger(__name__)


class AudioReceiver:
    """Receives what an attendee hears, over all its connections. Belongs to the media thread.

    Without listeners packets are counted and thrown away: nothing is kept, nothing is decoded.

    Args:
        channels: 1 or 2, of what listeners get.
    """

    def __init__(self, channels: int = 1) -> None:
        self.channels = channels
        self.packets_received = 0
        self.octets_received = 0
        self.first_packet_at: float | None = None
        """When audio first came, in the loop's time."""
        self._statistics: ReceiveStatistics | None = None
        self._playout = AudioPlayout(JitterBuffer(), channels=channels)
        self._payload_type = -1
        self._red: int | None = None
        self._listeners: tuple[Listener, ...] = ()
        self._silence: Samples | None = None
        self._heard: Samples | None = None
        self._lost = 0
        self._clock = MediaClock(SAMPLE_RATE)
        self._behind = _USUAL_DELAY

    @property
    def listens(self) -> bool:
        """Whether anybody does."""
        return bool(self._listeners)

    @property
    def level(self) -> int:
        """DB below full scale of what was heard last, while somebody listens; 127 for silence."""
        return audio_level.SILENT if self._heard is None else attenuation_of(self._heard)

    @property
    def jitter_statistics(self) -> JitterStatistics:
        """What became of the packets while somebody listened."""
        return self._playout.buffer.statistics

    @property
    def delay(self) -> float:
        """Seconds that packets are held back to make up for jitter."""
        return self._playout.buffer.target_delay if self._listeners else 0.0

    @property
    def behind(self) -> float:
        """How long before what listeners get it was said, in seconds: what was to be seen at once has that time."""
        return self._behind

    @property
    def packets_lost(self) -> int:
        """Packets of the present stream that never came, as of the last report."""
        return self._lost

    @property
    def fraction_lost(self) -> float:
        """What share got lost between the last two reports."""
        return self._statistics.fraction_lost if self._statistics is not None else 0.0

    @property
    def jitter(self) -> float:
        """Seconds."""
        return self._statistics.jitter if self._statistics is not None else 0.0

    def add(self, listener: Listener) -> None:
        """Let somebody listen."""
        self._listeners = (*self._listeners, listener)

    def remove(self, listener: Listener) -> None:
        """Let somebody listen no longer; harmless if it did not."""
        self._listeners = tuple(other for other in self._listeners if other != listener)
        if not self._listeners:
            self._heard = None
            self._playout.buffer.stop()
            self._playout.close()

    def attach(self, payload_type: int, red_payload_type: int | None) -> None:
        """Take a stream of another connection from now on."""
        self._payload_type, self._red = payload_type, red_payload_type
        self._statistics = None
        self._restart()

    def takes(self, payload_type: int) -> bool:
        """Whether packets of this type belong here."""
        return payload_type == self._payload_type or payload_type == self._red

    def rtp_received(self, packet: RtpPacket, arrival: float) -> None:
        """Take a packet."""
        statistics = self._statistics
        if statistics is None or statistics.ssrc != packet.ssrc:
            statistics = self._statistics = ReceiveStatistics(packet.ssrc, SAMPLE_RATE)
            self._restart()
        if statistics.count(packet.sequence_number, len(packet.data)) == -2:
            self._statistics = statistics = ReceiveStatistics(packet.ssrc, SAMPLE_RATE)
            self._clock = MediaClock(SAMPLE_RATE)
        statistics.time_frame(packet.timestamp, arrival)
        self.packets_received += 1
        self.octets_received += len(packet.data)
        if self.first_packet_at is None:
            self.first_packet_at = arrival
        self._clock.arrived(packet.timestamp, arrival)
        if self._listeners:
            self._insert(packet, arrival)

    def sender_reported(self, report: rtcp.SenderReport, arrival: float) -> None:
        """Take a report of the stream."""
        if self._statistics is not None and self._statistics.ssrc == report.ssrc:
            self._statistics.sender_reported(report.ntp_time, arrival)
            self._clock.reported(report.rtp_timestamp, arrival)

    def reports(self, now: float) -> tuple[rtcp.ReportBlock, ...]:
        """What to report of the stream."""
        if self._statistics is None:
            return ()
        block = self._statistics.report(now)
        self._lost = max(0, block.packets_lost)
        return (block,)

    def tick(self, now: float) -> None:
        """Play the next 20 ms to who listens."""
        listeners = self._listeners
        if not listeners:
            return
        plan = self._playout.plan(now)
        if plan is None:
            samples = self._zeros()
            self._heard = None
        else:
            self._heard = samples = self._playout.render(plan)
            self._look_back(now)
        for listener in listeners:
            try:
                listener(samples, now)
            except Exception:
                log.exception("%r failed on what is heard and hears no more", listener)
                self.remove(listener)

    def close(self) -> None:
        """Let nobody listen any more."""
        self._listeners = ()
        self._playout.close()

    def _restart(self) -> None:
        self._playout.buffer.reset()
        self._clock = MediaClock(SAMPLE_RATE)

    def _look_back(self, now: float) -> None:
        """Find out when was said what is played; in silence it is as long ago as it was before."""
        position = self._playout.position
        said = None if position is None else self._clock.time_of(position - FRAME_SAMPLES & 0xFFFFFFFF)
        if said is not None:
            self._behind = min(max(now - said, 0.0), _MOST_BEHIND)

    def _insert(self, packet: RtpPacket, arrival: float) -> None:
        payload = packet.payload
        repeated: list[red.Block] = []
        if packet.payload_type == self._red:
            try:
                *repeated, own = red.parse(payload)
            except DecodeError:
                return
            payload = own.payload
        buffer = self._playout.buffer
        for block in repeated[-_MOST_REPEATED:]:
            samples = sample_count(block.payload)
            if samples and block.payload_type == self._payload_type:
                buffer.insert(
                    packet.sequence_number - max(1, round(block.timestamp_offset / samples)) & 0xFFFF,
                    packet.timestamp - block.timestamp_offset & 0xFFFFFFFF,
                    block.payload,
                    samples,
                    arrival,
                    repeated=True,
                )
        samples = sample_count(payload)
        if not samples:
            return
        if is_silence(payload) and buffer.idle:
            return
        buffer.insert(packet.sequence_number, packet.timestamp, payload, samples, arrival)

    def _zeros(self) -> Samples:
        if self._silence is None:
            self._silence = np.zeros(FRAME_SAMPLES if self.channels == 1 else (FRAME_SAMPLES, 2), np.int16)
            self._silence.flags.writeable = False
        return self._silence
