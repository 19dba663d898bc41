"""What one attendee says: 20 ms after 20 ms from its source to RTP, and silence where there is nothing."""

from __future__ import annotations

import logging
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from typing import Final, Protocol

import numpy as np

from chime_media.protocol.audio_levels import attenuation_of
from chime_media.rtc.opus import OpusEncoder, OpusError, Samples
from chime_media.rtc.transport import MediaTransport
from chime_media.wire import audio_level, red, rtcp
from chime_media.wire.opus_packet import FRAME_SAMPLES, SILENCE_MONO, is_silence
from chime_media.wire.rtp import pack_extensions

REPEATED: Final = 2
"""Packets before a packet that redundant audio repeats at most."""
USUAL_BITRATE: Final = 32_000
_NOTICEABLE_LOSS: Final = 0.02
_MUSIC_BITRATE: Final = 64_000
_HANGOVER_FRAMES: Final = 10
_HEADER: Final = Struct("!BBHII")
_EXTENSION: Final = 0x10
_MARKER: Final = 0x80

log = logging.getLogger(__name__)


class FrameSource(Protocol):
    """Where the sound comes from; the sources of `chime_media.devices` are such."""

    @property
    def channels(self) -> int:
        """1 or 2."""

    def read(self) -> Samples | bytes | None:
        """The next 20 ms: samples or an Opus packet; None for silence. Must not wait."""


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """How sound is encoded. Official name: AudioProfile.

    Attributes:
        bitrate: Bits per second, also asked of the service; None leaves both as is usual.
        stereo: Two channels.
        redundancy: Offer redundant audio (RFC 2198), and use it when packets get lost.
        complexity: 0 to 10: processor time against quality.
    """

    bitrate: int | None = None
    stereo: bool = False
    redundancy: bool = True
    complexity: int = 5

    @classmethod
    def fullband_speech_mono(cls) -> AudioFormat:
        """40 kbit/s."""
        return cls(40_000)

    @classmethod
    def fullband_music_mono(cls) -> AudioFormat:
        """64 kbit/s."""
        return cls(64_000)

    @classmethod
    def fullband_music_stereo(cls) -> AudioFormat:
        """128 kbit/s on two channels."""
        return cls(128_000, stereo=True)


@dataclass(frozen=True, slots=True)
class AudioOutlet:
    """Where RTP goes and how the answer wants it.

    Attributes:
        transport: The connection.
        ssrc: Of what is sent.
        payload_type: Of Opus.
        red: Payload type of redundant audio; None without.
        level_extension: Id of the header extension that tells the level; None without.
    """

    transport: MediaTransport
    ssrc: int
    cname: str
    payload_type: int
    red: int | None = None
    level_extension: int | None = None


class AudioSender:
    """Sends what an attendee says, over all its connections. Belongs to the media thread.

    Args:
        audio_format: How to encode.
    """

    def __init__(self, audio_format: AudioFormat) -> None:
        self.format = audio_format
        self.muted = False
        self.on_source_error: Callable[[FrameSource, Exception], None] | None = None
        """Told when a source raises: it ended or failed, and is not read any more."""
        self.packets_sent = 0
        self.octets_sent = 0
        self.level = audio_level.SILENT
        """dB below full scale of what was sent last; 127 for silence and for what is sent as it is."""
        self.remote_loss = 0.0
        """Part of our packets that did not arrive, as the other side last said."""
        self.round_trip: float | None = None
        """Seconds there and back, as measured by reports."""
        self.remote_jitter = 0.0
        """Seconds."""
        self._source: FrameSource | None = None
        self._outlet: AudioOutlet | None = None
        self._encoder: OpusEncoder | None = None
        self._guards = False
        self._quiet = _HANGOVER_FRAMES
        self._continues = False
        self._sequence_number = 0
        self._timestamp_origin = 0
        self._timestamp = 0
        self._begun = False
        self._recent: deque[tuple[int, bytes]] = deque(maxlen=REPEATED)
        self._octets_before = self._packets_before = 0

    @property
    def source(self) -> FrameSource | None:
        """What is read at present."""
        return self._source

    @source.setter
    def source(self, source: FrameSource | None) -> None:
        self._source = source

    def attach(self, outlet: AudioOutlet) -> None:
        """Send there from now on, as a stream of its own."""
        self._outlet = outlet
        self._sequence_number = secrets.randbits(15)
        self._timestamp_origin = secrets.randbits(32)
        self._begun = False
        self._recent.clear()
        self._packets_before, self._octets_before = self.packets_sent, self.octets_sent
        self.remote_loss = 0.0

    def detach(self) -> None:
        """Send nowhere."""
        self._outlet = None

    def tick(self, number: int) -> None:
        """Send the 20 ms of a beat; `number` counts them, those too that were left out."""
        outlet = self._outlet
        if outlet is None:
            return
        payload, level = self._next()
        self._sequence_number = sequence = (self._sequence_number + 1) & 0xFFFF
        self._timestamp = timestamp = (self._timestamp_origin + number * FRAME_SAMPLES) & 0xFFFFFFFF
        payload_type = outlet.payload_type
        if outlet.red is not None:
            body = red.build(payload_type, payload, self._repeated(timestamp))
            self._recent.append((timestamp, payload))
            payload_type = outlet.red
        else:
            body = payload
        if not self._begun:
            self._begun = True
            payload_type |= _MARKER
        first = 0x80
        extension = b""
        if outlet.level_extension is not None and level is not None:
            first |= _EXTENSION
            extension = _level(outlet.level_extension, level)
        self.packets_sent += 1
        self.octets_sent += len(body)
        outlet.transport.send_rtp(
            _HEADER.pack(first, payload_type, sequence, timestamp, outlet.ssrc) + extension + body
        )

    def report(self, ntp_time: int, reports: tuple[rtcp.ReportBlock, ...]) -> None:
        """Send a report of what was sent, and of what was received."""
        outlet = self._outlet
        if outlet is None:
            return
        packets = self.packets_sent - self._packets_before
        octets = self.octets_sent - self._octets_before
        if packets:
            body = rtcp.SenderReport(outlet.ssrc, ntp_time, self._timestamp, packets, octets, reports).pack()
        else:
            body = rtcp.ReceiverReport(outlet.ssrc, reports).pack()
        outlet.transport.send_rtcp(body + rtcp.SourceDescription(outlet.ssrc, outlet.cname).pack())

    def reported(self, block: rtcp.ReportBlock, ntp_time: int) -> None:
        """Take what the other side says of our stream; `ntp_time` is when it came."""
        if self._outlet is None or block.ssrc != self._outlet.ssrc:
            return
        self.remote_loss = block.fraction_lost / 256
        self.remote_jitter = block.jitter / 48_000
        if block.last_sender_report:
            units = (ntp_time >> 16) - block.last_sender_report - block.delay_since_sender_report & 0xFFFFFFFF
            if units < 1 << 31:
                self.round_trip = units / 65536
        if self._outlet.red is None:
            self._guard(self.remote_loss)

    def _next(self) -> tuple[bytes, int | None]:
        """The next packet and its level, None if that is not known."""
        frame = self._read()
        continues, self._continues = self._continues, False
        if self.muted or frame is None:
            self.level = audio_level.SILENT
            return SILENCE_MONO, audio_level.SILENT
        if isinstance(frame, bytes):
            self.level = audio_level.SILENT
            return frame, audio_level.SILENT if is_silence(frame) else None
        level = attenuation_of(frame)
        self.level = level
        if level < audio_level.SILENT:
            self._quiet = 0
        elif self._quiet >= _HANGOVER_FRAMES:
            return SILENCE_MONO, level
        else:
            # What has just been said fades out in the encoder.
            self._quiet += 1
        self._continues = True
        return self._encode(frame, continues), level

    def _read(self) -> Samples | bytes | None:
        source = self._source
        if source is None:
            return None
        try:
            return source.read()
        except Exception as error:
            # Its end is one, too. Whatever else it is, the application wrote the source and is told.
            if self._source is source:
                self._source = None
            if self.on_source_error is not None:
                self.on_source_error(source, error)
            return None

    def _encode(self, samples: Samples, continues: bool) -> bytes:
        channels = 2 if self.format.stereo else 1
        if samples.ndim != channels:
            stereo = samples.ndim == 2
            samples = samples.mean(axis=1).astype(np.int16) if stereo else np.repeat(samples[:, np.newaxis], 2, axis=1)
        if self._encoder is None:
            # What carries copies of the frames before for lost packets costs three times as much to encode.
            self._encoder = OpusEncoder(
                channels=channels,
                application="voip" if self._guards else "audio",
                bitrate=self.format.bitrate or USUAL_BITRATE,
                complexity=self.format.complexity,
                fec=self._guards,
                packet_loss=round(self.remote_loss * 100) if self._guards else 0,
            )
            continues = False
        try:
            if continues:
                return self._encoder.encode(samples)
            # Decoders are where the packets before have left them, and those were not the encoder's.
            self._encoder.set_independent(True)
            packet = self._encoder.encode(samples)
            self._encoder.set_independent(False)
            return packet
        except OpusError as error:
            log.warning("20 ms of sound cannot be encoded: %s", error)
            return SILENCE_MONO

    def _guard(self, loss: float) -> None:
        """Let packets carry copies once some get lost, if no redundant audio was agreed on."""
        if not self._guards and loss >= _NOTICEABLE_LOSS and (self.format.bitrate or USUAL_BITRATE) < _MUSIC_BITRATE:
            self._guards = True
            self._encoder = None
        if self._encoder is not None and self._guards:
            self._encoder.set_packet_loss(round(loss * 100))

    def _repeated(self, timestamp: int) -> list[tuple[int, bytes]]:
        if self.remote_loss <= 0.05:
            return []
        recent = list(self._recent)[-1:] if self.remote_loss <= 0.10 else self._recent
        return [(timestamp - at & 0xFFFFFFFF, payload) for at, payload in recent]


def _level(extension: int, level: int) -> bytes:
    packed = _PACKED_LEVELS.get((extension, level))
    if packed is None:
        packed = _PACKED_LEVELS[extension, level] = pack_extensions({extension: audio_level.build(level)})
    return packed


_PACKED_LEVELS: dict[tuple[int, int], bytes] = {}
