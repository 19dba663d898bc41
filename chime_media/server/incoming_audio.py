"""What one attendee says, from its packets to 20 ms of samples, and how well it arrives."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from chime_media.protocol.audio_levels import SpeechLevel, attenuation_of
from chime_media.protocol.jitter_buffer import JitterBuffer
from chime_media.protocol.receive_statistics import ReceiveStatistics
from chime_media.rtc.audio_playout import WARM_UP_PACKETS, AudioPlayout, PlayoutPlan
from chime_media.wire import red
from chime_media.wire.audio_level import SILENT
from chime_media.wire.opus_packet import FRAME_SAMPLES, SAMPLE_RATE, is_silence, sample_count
from chime_media.wire.rtp import RtpPacket, parse
from chime_messaging.errors import DecodeError

if TYPE_CHECKING:
    from chime_media.rtc.opus import Samples

QUIET_ATTENUATION: Final = 70
"""dB below full scale from which on nobody is taken to be talking."""
HANGOVER_FRAMES: Final = 25
"""Half a second of quiet before a talker counts as a listener again."""

ENCODER_DELAY: Final = 0.0065
"""Seconds that Opus looks ahead in all but its low-delay mode."""
_FRAME_SECONDS: Final = FRAME_SAMPLES / SAMPLE_RATE
_MOST_REPEATED: Final = 2
_QUIET_PACKET_BYTES: Final = 15
_ONE_BYTE_EXTENSIONS: Final = b"\xbe\xde"


class IncomingAudio:
    """One attendee's stream to the node. None of it raises.

    Args:
        payload_type: Opus'.
        red: Payload type of redundant audio, if it was agreed on.
        level_extension: Id of the audio level's header extension, if it was agreed on.
        channels: 1 or 2, of what is decoded.
    """

    __slots__ = (
        "_head",
        "_level_extension",
        "_level_head",
        "_passed",
        "_payload_type",
        "_playout",
        "_quiet_frames",
        "_red",
        "_speech",
        "_told",
        "audible",
        "last_heard",
        "malformed",
        "on_first_packet",
        "packets_received",
        "plan",
        "samples",
        "ssrc",
        "statistics",
    )

    def __init__(self, payload_type: int, red: int | None, level_extension: int | None, channels: int) -> None:
        self._payload_type = payload_type
        self._red = red
        self._level_extension = level_extension
        self._level_head = -1 if level_extension is None else level_extension << 4
        self._head = b""
        self._playout = AudioPlayout(JitterBuffer(), channels=channels)
        self._passed: deque[bytes] = deque(maxlen=WARM_UP_PACKETS)
        self._speech = SpeechLevel()
        self._told = level_extension is not None
        self._quiet_frames = HANGOVER_FRAMES
        self.audible = True
        """Whether what is said may be heard; otherwise packets are only counted."""
        self.ssrc: int | None = None
        """Of the stream, None before its first packet."""
        self.statistics = ReceiveStatistics(0, SAMPLE_RATE)
        self.on_first_packet: Callable[[], None] | None = None
        self.last_heard: float | None = None
        self.malformed = 0
        self.packets_received = 0
        self.plan: PlayoutPlan | None = None
        self.samples: Samples | None = None
        """What was decoded last."""

    @property
    def attenuation(self) -> int:
        """How many dB below full scale it is."""
        return self._speech.attenuation

    @property
    def talks(self) -> bool:
        """Whether there was something to hear within the last half second."""
        return self._quiet_frames < HANGOVER_FRAMES

    @property
    def tells_level(self) -> bool:
        """Whether the level comes with each packet, so that none need be decoded to know it."""
        return self._told

    def rtp_received(self, packet: bytes | RtpPacket, arrival: float) -> None:
        """Take one RTP packet."""
        if self._quiet_frames >= HANGOVER_FRAMES:
            data = packet if isinstance(packet, bytes) else packet.data
            if self._stays_quiet(data):
                self.last_heard = arrival
                self.packets_received += 1
                self.statistics.count(data[2] << 8 | data[3], len(data))
                self._passed.append(data)
                return
        try:
            parsed = parse(packet) if isinstance(packet, bytes) else packet
            payload_type = parsed.payload_type
            if payload_type != self._payload_type and payload_type != self._red:
                return
            payload = parsed.payload
            repeated: list[red.Block] = []
            if payload_type == self._red:
                *repeated, own = red.parse(payload)
                payload = own.payload
        except DecodeError:
            self.malformed += 1
            return
        self._count(parsed, arrival)
        samples = sample_count(payload)
        if not samples or not self.audible:
            return
        buffer = self._playout.buffer
        if self._is_quiet(parsed, payload):
            buffer.pause()
            self._passed.append(parsed.data)
            return
        if self._passed:
            self._warm_up()
        for block in repeated[-_MOST_REPEATED:]:
            self._insert_repeated(block, parsed, arrival)
        buffer.insert(parsed.sequence_number, parsed.timestamp, payload, samples, arrival)

    def delay(self, now: float) -> float | None:
        """How long what was mixed at `now` took from its arrival, had its way been the shortest; None if nothing was.

        The talker's encoder, too, gives what is said a little later than it came.
        """
        position = self._playout.position
        return None if position is None else self._playout.buffer.age(position, now + _FRAME_SECONDS) + ENCODER_DELAY

    def prepare(self, now: float) -> bool:
        """Plan this tick; whether there is anything to play in it."""
        self.plan = self._playout.plan(now)
        return self.plan is not None

    def render(self) -> None:
        """Decode what was planned, on whatever thread."""
        if self.plan is not None:
            self.samples = self._playout.render(self.plan)

    def skip(self) -> None:
        """Leave out what was planned: others are louder."""
        if self.plan is not None:
            self._playout.skip(self.plan)
            self.plan = self.samples = None

    def measure(self) -> None:
        """Take the level of what was decoded, where it is not told."""
        if self.samples is not None:
            attenuation = attenuation_of(self.samples)
            self._speech.add(attenuation)
            self._quiet_frames = 0 if attenuation < QUIET_ATTENUATION else self._quiet_frames + 1

    def fall_silent(self) -> None:
        """Forget what was said and not played."""
        self._playout.buffer.stop()
        self._speech.clear()
        self._quiet_frames = HANGOVER_FRAMES

    def rest(self) -> None:
        """Give back what only a talker needs."""
        self._playout.close()

    def _warm_up(self) -> None:
        """What was not worth decoding is what the first packet that is was made to follow."""
        if self._playout.buffer.idle:
            self._playout.warm_up(tuple(filter(None, map(self._payload_of, self._passed))))
        self._passed.clear()

    def _payload_of(self, data: bytes) -> bytes:
        try:
            packet = parse(data)
            return red.parse(packet.payload)[-1].payload if packet.payload_type == self._red else packet.payload
        except DecodeError:
            return b""

    def _count(self, packet: RtpPacket, arrival: float) -> None:
        if packet.ssrc != self.ssrc:
            self.ssrc = packet.ssrc
            self._head = packet.data[8:12]
            self._playout.buffer.reset()
            self.statistics = ReceiveStatistics(packet.ssrc, SAMPLE_RATE)
        statistics = self.statistics
        if statistics.count(packet.sequence_number, len(packet.data)) == -2:
            self.statistics = ReceiveStatistics(packet.ssrc, SAMPLE_RATE)
        statistics.time_frame(packet.timestamp, arrival)
        self.packets_received += 1
        first = self.last_heard is None
        self.last_heard = arrival
        if first and self.on_first_packet is not None:
            self.on_first_packet()

    def _stays_quiet(self, packet: bytes) -> bool:
        """Whether a packet of one who says nothing says nothing either, told at a glance: most packets are such."""
        if packet[8:12] != self._head or not self._head:
            return False
        payload_type = packet[1] & 0x7F
        if self._told:
            return (
                packet[0] == 0x90
                and (payload_type == self._payload_type or payload_type == self._red)
                and len(packet) > _QUIET_PACKET_BYTES + 4
                and packet[16] == self._level_head
                and packet[12:14] == _ONE_BYTE_EXTENSIONS
                and packet[17] & 0x7F >= QUIET_ATTENUATION
            )
        return packet[0] == 0x80 and payload_type == self._payload_type and len(packet) <= _QUIET_PACKET_BYTES

    def _is_quiet(self, packet: RtpPacket, payload: bytes) -> bool:
        """Whether a packet needs no decoding: nothing is said in it, and nothing was for a while."""
        silent = is_silence(payload)
        if self._level_extension is not None:
            value = packet.extensions.get(self._level_extension)
            self._told = bool(value)
            if value:
                attenuation = value[0] & 0x7F
                self._speech.add(SILENT if silent else attenuation)
                silent = silent or attenuation >= QUIET_ATTENUATION
                self._quiet_frames = self._quiet_frames + 1 if silent else 0
                return self._quiet_frames >= HANGOVER_FRAMES
        if silent and self._quiet_frames >= HANGOVER_FRAMES:
            self._speech.clear()
            return True
        return False

    def _insert_repeated(self, block: red.Block, packet: RtpPacket, arrival: float) -> None:
        samples = sample_count(block.payload)
        if samples and block.payload_type == self._payload_type:
            number = packet.sequence_number - max(1, round(block.timestamp_offset / samples))
            self._playout.buffer.insert(
                number & 0xFFFF,
                (packet.timestamp - block.timestamp_offset) & 0xFFFFFFFF,
                block.payload,
                samples,
                arrival,
                repeated=True,
            )
