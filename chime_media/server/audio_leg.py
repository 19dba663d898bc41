"""One attendee's audio at the node: what it says goes to the meeting's mixer, what the others say goes out."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from struct import Struct
from typing import TYPE_CHECKING, Final

from chime_media.protocol.audio_levels import SignalStrength
from chime_media.server.incoming_audio import QUIET_ATTENUATION, IncomingAudio
from chime_media.wire import rtcp
from chime_media.wire.opus_packet import FRAME_SAMPLES, SAMPLE_RATE
from chime_media.wire.rtp import RtpPacket
from chime_messaging.errors import DecodeError

if TYPE_CHECKING:
    from chime_media.server.audio_mixer import AudioMixer
    from chime_media.server.mix import Mix

_UNHEARD_AFTER_SECONDS: Final = 0.25
_LOSS_WORTH_MORE_REPETITIONS: Final = 0.1
_HEADER: Final = Struct("!BBHII")


class AudioLeg:
    """What `AudioMixer.join` returns. All of it belongs to the event loop and none of it raises.

    Attributes:
        key: The attendee id, with `#content` for what it shares.
        base: The attendee id alone.
        content: Whether it is a share.
        incoming: What the attendee says.
        stereo: Whether it is sent two channels.
        bitrate: Bits a second of what it is sent.
        mix: What it hears, for the mixer.
        packets_sent: RTP packets to it so far.
        octets_sent: Bytes of their payloads.
    """

    __slots__ = (
        "_cname",
        "_hears",
        "_mixer",
        "_muted",
        "_open",
        "_payload_type",
        "_red",
        "_send",
        "_send_rtcp",
        "_sequence_number",
        "_signal",
        "_speaks",
        "_ssrc",
        "_timestamp",
        "_timestamp_origin",
        "base",
        "bitrate",
        "content",
        "incoming",
        "key",
        "mix",
        "octets_sent",
        "packets_sent",
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
        self._speaks = speaks
        self._hears = hears
        self._muted = False
        self._open = True
        self.incoming = IncomingAudio(payload_type, red, level_extension, 2 if stereo else 1)
        self.incoming.audible = speaks
        self._signal = SignalStrength()
        self._sequence_number = secrets.randbits(15)
        self._timestamp = self._timestamp_origin = secrets.randbits(32)
        self.packets_sent = 0
        self.octets_sent = 0
        self.mix: Mix | None = None

    @property
    def muted(self) -> bool:
        """Whether what the attendee says is kept from the others."""
        return self._muted

    @muted.setter
    def muted(self, muted: bool) -> None:
        self._muted = muted
        self._let_through()

    @property
    def speaks(self) -> bool:
        """Whether the attendee may be heard (the audio capability Send)."""
        return self._speaks

    @speaks.setter
    def speaks(self, speaks: bool) -> None:
        self._speaks = speaks
        self._let_through()

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
        """How many dB below full scale what is being said is, None if nothing is."""
        incoming = self.incoming
        if not incoming.audible or incoming.last_heard is None:
            return None
        if self._mixer.now() - incoming.last_heard > _UNHEARD_AFTER_SECONDS:
            return None
        attenuation = incoming.attenuation
        return attenuation if attenuation < QUIET_ATTENUATION else None

    @property
    def last_heard(self) -> float | None:
        """When audio last came, in the loop's time."""
        return self.incoming.last_heard

    @property
    def on_first_packet(self) -> Callable[[], None] | None:
        """Called once, when the first audio of this attendee has come."""
        return self.incoming.on_first_packet

    @on_first_packet.setter
    def on_first_packet(self, callback: Callable[[], None] | None) -> None:
        self.incoming.on_first_packet = callback

    @property
    def signal_strength(self) -> int:
        """How good the connection is: 2 good, 1 weak, 0 lost."""
        last = self.incoming.last_heard
        return self._signal.value(0.0 if last is None else self._mixer.now() - last)

    @property
    def loss(self) -> float:
        """Part of the attendee's packets that got lost between the last two reports."""
        return self._signal.loss

    @property
    def malformed(self) -> int:
        """Packets that were none."""
        return self.incoming.malformed

    @property
    def packets_received(self) -> int:
        """RTP packets that came so far."""
        return self.incoming.packets_received

    @property
    def ssrc(self) -> int:
        """Of what is sent to the attendee."""
        return self._ssrc

    @property
    def incoming_ssrc(self) -> int | None:
        """Of what the attendee sends, None before its first packet."""
        return self.incoming.ssrc

    @property
    def timestamp(self) -> int:
        """RTP timestamp of what was sent last."""
        return self._timestamp

    def rtp_received(self, packet: bytes | RtpPacket, arrival: float) -> None:
        """Take one RTP packet from the attendee. `arrival` is the loop's time."""
        self.incoming.rtp_received(packet, arrival)

    def rtcp_received(self, packet: bytes, arrival: float) -> None:
        """Take one RTCP packet from the attendee: when it sent, and how much of what it was sent arrived."""
        try:
            reports = rtcp.parse(packet)
        except DecodeError:
            self.incoming.malformed += 1
            return
        for report in reports:
            if isinstance(report, rtcp.SenderReport):
                if report.ssrc == self.incoming.ssrc:
                    self.incoming.statistics.sender_reported(report.ntp_time, arrival)
            elif not isinstance(report, rtcp.ReceiverReport):
                continue
            for block in report.reports:
                if block.ssrc == self._ssrc:
                    self._signal.remote_loss = block.fraction_lost / 256

    def report(self, now: float, ntp_time: int, delay: float) -> None:
        """Measure the loss, and tell the attendee what it was sent and what came of it.

        Args:
            now: The loop's time.
            ntp_time: The time of day, as RTCP has it.
            delay: How long ago what was sent last came to the node: what comes now has a timestamp later by as much, so
                that receivers can bring sound and pictures together.
        """
        blocks: tuple[rtcp.ReportBlock, ...] = ()
        if self.incoming.ssrc is not None:
            blocks = (self.incoming.statistics.report(now),)
            self._signal.loss = self.incoming.statistics.fraction_lost
        if self._send_rtcp is None:
            return
        if self.packets_sent:
            report = rtcp.SenderReport(
                self._ssrc,
                ntp_time,
                (self._timestamp + round(delay * SAMPLE_RATE)) & 0xFFFFFFFF,
                self.packets_sent,
                self.octets_sent,
                blocks,
            ).pack()
        else:
            report = rtcp.ReceiverReport(self._ssrc, blocks).pack()
        self._send_rtcp(report + rtcp.SourceDescription(self._ssrc, self._cname).pack())

    def transmit(self, mix: Mix, tick: int) -> None:
        """Send what the mix has for this tick; timestamps also count the ticks in which nothing was sent."""
        timestamp = (self._timestamp_origin + tick * FRAME_SAMPLES) & 0xFFFFFFFF
        self._timestamp = timestamp
        self._sequence_number = number = (self._sequence_number + 1) & 0xFFFF
        if self._red is None:
            payload = mix.payload
            header = _HEADER.pack(0x80, self._payload_type, number, timestamp, self._ssrc)
        else:
            repetitions = 2 if self._signal.remote_loss > _LOSS_WORTH_MORE_REPETITIONS else 1
            payload = mix.redundant(self._payload_type, repetitions)
            header = _HEADER.pack(0x80, self._red, number, timestamp, self._ssrc)
        self.packets_sent += 1
        self.octets_sent += len(payload)
        self._send(header + payload)

    def leave(self) -> None:
        """Take the attendee out of the mix; harmless when it has left."""
        if self._open:
            self._open = False
            self.incoming.audible = False
            self.incoming.rest()
            self._mixer.left(self)

    def _let_through(self) -> None:
        audible = self._speaks and not self._muted and self._open
        self.incoming.audible = audible
        if not audible:
            self.incoming.fall_silent()
