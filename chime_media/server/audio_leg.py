"""One attendee's audio at the node: what it says goes to the meeting's mixer, what the others say goes out."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from struct import Struct
from typing import TYPE_CHECKING, Final

from chime_media.protocol.audio_levels import SignalStrength, SpeechLevel, attenuation_of
from chime_media.protocol.jitter_buffer import JitterBuffer
from chime_media.protocol.receive_statistics import ReceiveStatistics
from chime_media.rtc.audio_playout import AudioPlayout, PlayoutPlan
from chime_media.wire import red, rtcp
from chime_media.wire.audio_level import SILENT
from chime_media.wire.opus_packet import FRAME_SAMPLES, SAMPLE_RATE, is_silence, sample_count
from chime_media.wire.rtp import RtpPacket, parse
from chime_messaging.errors import DecodeError

if TYPE_CHECKING:
    from chime_media.rtc.opus import Samples
    from chime_media.server.audio_mixer import AudioMixer
    from chime_media.server.mix import Mix

QUIET_ATTENUATION: Final = 70
"""dB below full scale from which on nobody is taken to be talking."""
HANGOVER_FRAMES: Final = 25
"""Half a second of quiet before a talker counts as a listener again."""

_MOST_REPEATED: Final = 2
_UNHEARD_AFTER_SECONDS: Final = 0.25
_QUIET_PACKET_BYTES: Final = 15
_ONE_BYTE_EXTENSIONS: Final = b"\xbe\xde"
_HEADER: Final = Struct("!BBHII")


class AudioLeg:
    """What `AudioMixer.join` returns. All of it belongs to the event loop and none of it raises."""

    __slots__ = (
        "_cname",
        "_hears",
        "_incoming_ssrc",
        "_incoming_ssrc_bytes",
        "_level_extension",
        "_level_head",
        "_mixer",
        "_muted",
        "_open",
        "_payload_type",
        "_playout",
        "_quiet_frames",
        "_red",
        "_send",
        "_send_rtcp",
        "_sequence_number",
        "_signal",
        "_speaks",
        "_speech",
        "_ssrc",
        "_statistics",
        "_timestamp",
        "_timestamp_origin",
        "base",
        "bitrate",
        "content",
        "key",
        "last_heard",
        "malformed",
        "mix",
        "octets_sent",
        "on_first_packet",
        "packets_received",
        "packets_sent",
        "plan",
        "samples",
        "stereo",
    )

    def __init__(
        self,
        mixer: AudioMixer,
        key: str,
        base: str,
        send: Callable[[bytes], None],
        send_rtcp: Callable[[bytes], None] | None,
        *,
        cname: str,
        ssrc: int,
        payload_type: int,
        stereo: bool,
        bitrate: int,
        red: int | None,
        level_extension: int | None,
        speaks: bool,
        hears: bool,
    ) -> None:
        self._mixer = mixer
        self.key = key
        self.base = base
        self.content = key != base
        self._send = send
        self._send_rtcp = send_rtcp
        self._cname = cname
        self._ssrc = ssrc
        self._payload_type = payload_type
        self.stereo = stereo
        self.bitrate = bitrate
        self._red = red
        self._level_extension = level_extension
        self._speaks = speaks
        self._hears = hears
        self._muted = False
        self._open = True
        self._playout = AudioPlayout(JitterBuffer(), channels=2 if stereo else 1)
        self._signal = SignalStrength()
        self._statistics = ReceiveStatistics(0, SAMPLE_RATE)
        self._speech = SpeechLevel()
        self._incoming_ssrc: int | None = None
        self._incoming_ssrc_bytes = b""
        self._level_head = -1 if level_extension is None else level_extension << 4
        self._quiet_frames = HANGOVER_FRAMES
        self._sequence_number = secrets.randbits(15)
        self._timestamp = self._timestamp_origin = secrets.randbits(32)
        self.on_first_packet: Callable[[], None] | None = None
        """Called once, when the first audio of this attendee came."""
        self.last_heard: float | None = None
        """When audio last came, in the loop's time."""
        self.malformed = 0
        """Packets that were none."""
        self.packets_received = 0
        self.packets_sent = 0
        self.octets_sent = 0
        self.plan: PlayoutPlan | None = None
        self.samples: Samples | None = None
        self.mix: Mix | None = None

    @property
    def muted(self) -> bool:
        """Whether what the attendee says is kept from the others."""
        return self._muted

    @muted.setter
    def muted(self, muted: bool) -> None:
        self._muted = muted
        if muted:
            self._fall_silent()

    @property
    def speaks(self) -> bool:
        """Whether the attendee may be heard (the audio capability Send)."""
        return self._speaks

    @speaks.setter
    def speaks(self, speaks: bool) -> None:
        self._speaks = speaks
        if not speaks:
            self._fall_silent()

    @property
    def hears(self) -> bool:
        """Whether the attendee is sent what the others say (the audio capability Receive)."""
        return self._hears

    @hears.setter
    def hears(self, hears: bool) -> None:
        if hears != self._hears:
            self._hears = hears
            self._mixer.listeners_changed()

    @property
    def level(self) -> int | None:
        """DB below full scale of what is being said, None if nothing is."""
        if self._muted or not self._speaks or self.last_heard is None:
            return None
        if self._mixer.now() - self.last_heard > _UNHEARD_AFTER_SECONDS:
            return None
        attenuation = self._speech.attenuation
        return attenuation if attenuation < QUIET_ATTENUATION else None

    @property
    def signal_strength(self) -> int:
        """How good the connection is: 2 good, 1 weak, 0 lost."""
        return self._signal.value(0.0 if self.last_heard is None else self._mixer.now() - self.last_heard)

    @property
    def loss(self) -> float:
        """Part of the attendee's packets that got lost between the last two reports."""
        return self._signal.loss

    @property
    def ssrc(self) -> int:
        """Of what is sent to the attendee."""
        return self._ssrc

    @property
    def incoming_ssrc(self) -> int | None:
        """Of what the attendee sends, None before its first packet."""
        return self._incoming_ssrc

    @property
    def timestamp(self) -> int:
        """RTP timestamp of what was sent last."""
        return self._timestamp

    def rtp_received(self, packet: bytes | RtpPacket, arrival: float) -> None:
        """Take one RTP packet from the attendee. `arrival` is the loop's time."""
        if self._quiet_frames >= HANGOVER_FRAMES and isinstance(packet, bytes) and self._stays_quiet(packet):
            self.last_heard = arrival
            self.packets_received += 1
            self._statistics.count(packet[2] << 8 | packet[3], len(packet))
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
        if self._muted or not self._speaks or not self._open:
            return
        samples = sample_count(payload)
        if not samples:
            return
        if self._is_quiet(parsed, payload):
            self._playout.buffer.pause()
            return
        buffer = self._playout.buffer
        for block in repeated[-_MOST_REPEATED:]:
            self._insert_repeated(block, parsed, arrival)
        buffer.insert(parsed.sequence_number, parsed.timestamp, payload, samples, arrival)

    def rtcp_received(self, packet: bytes, arrival: float) -> None:
        """Take one RTCP packet from the attendee: when it sent, and how much of what it was sent arrived."""
        try:
            reports = rtcp.parse(packet)
        except DecodeError:
            self.malformed += 1
            return
        for report in reports:
            if isinstance(report, rtcp.SenderReport):
                if report.ssrc == self._incoming_ssrc:
                    self._statistics.sender_reported(report.ntp_time, arrival)
            elif not isinstance(report, rtcp.ReceiverReport):
                continue
            for block in report.reports:
                if block.ssrc == self._ssrc:
                    self._signal.remote_loss = block.fraction_lost / 256

    def report(self, now: float, ntp_time: int) -> None:
        """Measure the loss, and tell the attendee what it was sent and what came of it."""
        blocks: tuple[rtcp.ReportBlock, ...] = ()
        if self._incoming_ssrc is not None:
            blocks = (self._statistics.report(now),)
            self._signal.loss = self._statistics.fraction_lost
        if self._send_rtcp is None:
            return
        if self.packets_sent:
            report = rtcp.SenderReport(
                self._ssrc, ntp_time, self._timestamp, self.packets_sent, self.octets_sent, blocks
            ).pack()
        else:
            report = rtcp.ReceiverReport(self._ssrc, blocks).pack()
        self._send_rtcp(report + rtcp.SourceDescription(self._ssrc, self._cname).pack())

    def leave(self) -> None:
        """Take the attendee out of the mix; harmless when it has left."""
        if self._open:
            self._open = False
            self._playout.close()
            self._mixer.left(self)

    def prepare(self, now: float) -> PlayoutPlan | None:
        """What is to be played of the attendee in this tick."""
        self.plan = self._playout.plan(now)
        return self.plan

    def render(self) -> None:
        """Decode what was prepared, on whatever thread."""
        plan = self.plan
        if plan is not None:
            self.samples = self._playout.render(plan)

    def skip(self) -> None:
        """Leave out what was prepared: others are louder."""
        if self.plan is not None:
            self._playout.skip(self.plan)
            self.plan = None
            self.samples = None

    def transmit(self, mix: Mix, tick: int) -> None:
        """Send what the mix has for this tick; timestamps also count the ticks in which nothing was sent."""
        timestamp = (self._timestamp_origin + tick * FRAME_SAMPLES) & 0xFFFFFFFF
        self._timestamp = timestamp
        self._sequence_number = number = (self._sequence_number + 1) & 0xFFFF
        if self._red is None:
            payload = mix.payload
            header = _HEADER.pack(0x80, self._payload_type, number, timestamp, self._ssrc)
        else:
            payload = mix.redundant(self._payload_type, self._repetitions())
            header = _HEADER.pack(0x80, self._red, number, timestamp, self._ssrc)
        self.packets_sent += 1
        self.octets_sent += len(payload)
        self._send(header + payload)

    @property
    def loudness(self) -> int:
        """DB below full scale by which talkers are ranked."""
        return self._speech.attenuation

    @property
    def measures_itself(self) -> bool:
        """Whether the attendee tells its level with each packet, so that it need not be decoded to know it."""
        return self._level_extension is not None

    def measure(self) -> None:
        """Take the level of what was decoded, where it is not told."""
        if self.samples is not None:
            attenuation = attenuation_of(self.samples)
            self._speech.add(attenuation)
            self._quiet_frames = 0 if attenuation < QUIET_ATTENUATION else self._quiet_frames + 1

    @property
    def talks(self) -> bool:
        """Whether there was something to hear within the last half second."""
        return self._quiet_frames < HANGOVER_FRAMES

    def rest(self) -> None:
        """Give back what only a talker needs."""
        self._playout.close()

    def _count(self, packet: RtpPacket, arrival: float) -> None:
        if packet.ssrc != self._incoming_ssrc:
            self._incoming_ssrc = packet.ssrc
            self._incoming_ssrc_bytes = packet.data[8:12]
            self._playout.buffer.reset()
            self._signal = SignalStrength()
            self._statistics = ReceiveStatistics(packet.ssrc, SAMPLE_RATE)
        statistics = self._statistics
        if statistics.count(packet.sequence_number, len(packet.data)) == -2:
            self._statistics = ReceiveStatistics(packet.ssrc, SAMPLE_RATE)
        statistics.time_frame(packet.timestamp, arrival)
        self.packets_received += 1
        first = self.last_heard is None
        self.last_heard = arrival
        if first and self.on_first_packet is not None:
            self.on_first_packet()

    def _stays_quiet(self, packet: bytes) -> bool:
        """Whether a packet of one who says nothing says nothing either, told at a glance: most packets are such."""
        size = len(packet)
        if packet[8:12] != self._incoming_ssrc_bytes or packet[1] & 0x7F != self._payload_type:
            return False
        if packet[0] == 0x80:
            return self._level_extension is None and size <= _QUIET_PACKET_BYTES
        return (
            packet[0] == 0x90
            and size > _QUIET_PACKET_BYTES + 4
            and packet[16] == self._level_head
            and packet[12:14] == _ONE_BYTE_EXTENSIONS
            and packet[17] & 0x7F >= QUIET_ATTENUATION
        )

    def _is_quiet(self, packet: RtpPacket, payload: bytes) -> bool:
        """Whether a packet needs no decoding: nothing is said in it, and nothing was for a while."""
        silent = is_silence(payload)
        if self._level_extension is not None:
            value = packet.extensions.get(self._level_extension)
            attenuation = value[0] & 0x7F if value else 0
            self._speech.add(SILENT if silent else attenuation)
            silent = silent or attenuation >= QUIET_ATTENUATION
            self._quiet_frames = self._quiet_frames + 1 if silent else 0
            return self._quiet_frames >= HANGOVER_FRAMES
        if not silent:
            return False
        if self._quiet_frames >= HANGOVER_FRAMES:
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

    def _repetitions(self) -> int:
        return _MOST_REPEATED if self._signal.remote_loss > 0.1 else 1

    def _fall_silent(self) -> None:
        self._playout.buffer.stop()
        self._speech.clear()
        self._quiet_frames = HANGOVER_FRAMES
