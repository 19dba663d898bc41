"""What one attendee sends as video: its layers, found by rid, mid or payload type, and the answers it gets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from struct import Struct

from chime_media.protocol import rtx
from chime_media.protocol.video_format import VideoFormat
from chime_media.protocol.video_rate import UplinkEstimate
from chime_media.rtc.transport import MediaTransport
from chime_media.server.video_stream import VideoStream
from chime_media.wire import rtcp, rtp
from chime_messaging.errors import DecodeError

_HEADER = Struct("!BBHII")
_PLAIN_HEADER, _EXTENDED_HEADER = 12, 16
_LEAST = 16

REPORT_INTERVAL = 1.0
FIRST_REPORT = 0.2
"""Senders begin with a few hundred kbit/s until they are told what fits."""
LAYER_SILENCE = 1.0
"""A layer of which nothing came for so long was switched off by its sender."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One quality of a picture.

    Attributes:
        stream_id: As it stands in the INDEX.
        rid: Its name in the sender's SDP; None for a picture sent once.
    """

    stream_id: int
    rid: str | None = None


@dataclass(frozen=True, slots=True)
class ExtensionIds:
    """Numbers of header extensions as the sender's section has them, None where there is none."""

    mid: int | None = None
    rid: int | None = None
    repaired_rid: int | None = None


class Publication:
    """Video of one attendee, made by `VideoForwarder.publish`.

    Args:
        attendee_id: Whose.
        transport: Takes feedback to the sender.
        layers: In order of rising quality.
        formats: By the sender's payload types.
        retransmissions: The payload type that each payload type of retransmissions is for.
        extensions: Numbers of header extensions.
        mid: The sender's section, if several of its sections carry video.
        feedback_ssrc: Who gives feedback; any number that is no stream of the sender.
        ceiling: What a sender is told to send at most, in bit/s.
        wake: Called with the time at which `tick` has something to do.
        on_layer: Called when a layer got its stream or another one.
        downlink: Answers what receivers can take, in bit/s; None if they set no limit.
    """

    def __init__(
        self,
        attendee_id: str,
        transport: MediaTransport,
        layers: Sequence[Layer],
        formats: Mapping[int, VideoFormat],
        retransmissions: Mapping[int, int],
        extensions: ExtensionIds,
        mid: str | None,
        feedback_ssrc: int,
        ceiling: int,
        wake: Callable[[float], None],
        on_layer: Callable[[Publication, Layer], None],
        downlink: Callable[[Publication], float | None],
    ) -> None:
        self.attendee_id = attendee_id
        self.layers = tuple(layers)
        self.formats = dict(formats)
        self.retransmissions = dict(retransmissions)
        self.transport = transport
        self.closed = False
        self.unknown_packets = 0
        """Packets that belong to no layer: their rid, mid or payload type was not agreed on."""
        self.malformed_packets = 0
        self.reports = 0
        """Reports sent to the sender so far."""
        self._extensions = extensions
        self._mid = None if mid is None else mid.encode()
        self._feedback_ssrc = feedback_ssrc
        self._wake = wake
        self._on_layer = on_layer
        self._downlink = downlink
        self._streams: dict[int, VideoStream] = {}
        self._repairs: dict[int, VideoStream | None] = {}
        self._by_layer: dict[int, VideoStream] = {}
        self._uplink = UplinkEstimate(ceiling)
        self._report_at = -1.0
        self._detectors = {number: form.starts_key_frame for number, form in self.formats.items()}

    # layers

    def stream_of(self, layer: Layer) -> VideoStream | None:
        """The stream that carries a layer, None as long as nothing came."""
        return self._by_layer.get(layer.stream_id)

    def layer_to_show(self, wanted: Layer, now: float) -> Layer:
        """The wanted layer if it is being sent or none is; else the best below it that is; else the best of all."""
        if self._is_sent(wanted, now) or len(self.layers) == 1:
            return wanted
        place = self.layers.index(wanted)
        for layer in (*reversed(self.layers[:place]), *self.layers[place + 1 :]):
            if self._is_sent(layer, now):
                return layer
        return wanted

    def _is_sent(self, layer: Layer, now: float) -> bool:
        stream = self._by_layer.get(layer.stream_id)
        return stream is not None and now - stream.last_arrival < LAYER_SILENCE

    def bitrates(self) -> dict[int, int]:
        """Bits per second of each layer by stream id, as measured over the last second."""
        return {
            layer.stream_id: int(stream.statistics.bitrate) if (stream := self.stream_of(layer)) else 0
            for layer in self.layers
        }

    # packets

    def rtp_received(self, packet: bytes, arrival: float) -> None:
        """Take one RTP packet of the sender's video. Never raises."""
        size = len(packet)
        if size > _LEAST:
            first, second, sequence_number, timestamp, ssrc = _HEADER.unpack_from(packet)
            stream = self._streams.get(ssrc)
            if stream is not None and second & 0x7F in self.formats:
                # As nearly all packets are: neither padding nor contributing sources.
                start = _PLAIN_HEADER if first == 0x80 else 0
                if first == 0x90:
                    start = _EXTENDED_HEADER + ((packet[14] << 8 | packet[15]) << 2)
                if 0 < start <= size:
                    if not stream.received(sequence_number, timestamp, second, packet[start:], size, arrival):
                        self._bind(self._layer_of(stream), rtp.parse(packet), arrival)
                    return
        self._take_other(packet, arrival)

    def _take_other(self, packet: bytes, arrival: float) -> None:
        try:
            parsed = rtp.parse(packet)
        except DecodeError:
            self.malformed_packets += 1
            return
        stream = self._streams.get(parsed.ssrc)
        if stream is not None and parsed.payload_type in self.formats:
            if not self._hand_over(stream, parsed, arrival):
                self._bind(self._layer_of(stream), parsed, arrival)
            return
        if parsed.payload_type in self.retransmissions:
            self._repaired(parsed, arrival)
            return
        layer = self._find_layer(parsed)
        if layer is None:
            self.unknown_packets += 1
            return
        self._bind(layer, parsed, arrival)

    def _find_layer(self, packet: rtp.RtpPacket) -> Layer | None:
        if packet.payload_type not in self.formats or not self._is_of_section(packet):
            return None
        ids = self._extensions
        rid = packet.extensions.get(ids.rid) if ids.rid is not None else None
        if rid is not None and any(layer.rid for layer in self.layers):
            name = rid.decode(errors="replace")
            return next((layer for layer in self.layers if layer.rid == name), None)
        return self.layers[0] if len(self.layers) == 1 else None

    def _is_of_section(self, packet: rtp.RtpPacket) -> bool:
        if self._mid is None or self._extensions.mid is None:
            return True
        return packet.extensions.get(self._extensions.mid, self._mid) == self._mid

    def _layer_of(self, stream: VideoStream) -> Layer:
        return next(layer for layer in self.layers if self._by_layer.get(layer.stream_id) is stream)

    def _bind(self, layer: Layer, packet: rtp.RtpPacket, arrival: float) -> None:
        before = self._by_layer.get(layer.stream_id)
        if before is not None:
            self._streams.pop(before.ssrc, None)
            self._repairs = {ssrc: stream for ssrc, stream in self._repairs.items() if stream is not before}
        stream = VideoStream(packet.ssrc, self._is_key, self.transport.send_rtcp, self._feedback_ssrc, self._wake)
        self._streams[packet.ssrc] = self._by_layer[layer.stream_id] = stream
        if self._report_at < 0:
            self._report_at = arrival + FIRST_REPORT
            self._wake(self._report_at)
        stream.last_arrival = arrival
        self._on_layer(self, layer)
        self._hand_over(stream, packet, arrival)

    def _hand_over(self, stream: VideoStream, packet: rtp.RtpPacket, arrival: float) -> bool:
        return stream.received(
            packet.sequence_number, packet.timestamp, packet.data[1], packet.payload, len(packet.data), arrival
        )

    def _is_key(self, payload_type: int, payload: bytes) -> bool:
        return self._detectors[payload_type](payload)

    def _repaired(self, packet: rtp.RtpPacket, arrival: float) -> None:
        found = rtx.unwrap(packet.payload)
        if found is None:
            return
        number, payload = found
        stream = self._repairs.get(packet.ssrc)
        if stream is None:
            stream = self._stream_repaired(packet, number)
            if stream is None:
                self.unknown_packets += 1
                return
        stream.resent(number, packet, self.retransmissions[packet.payload_type], payload, arrival)

    def _stream_repaired(self, packet: rtp.RtpPacket, number: int) -> VideoStream | None:
        if len(self.layers) == 1:
            found = self._by_layer.get(self.layers[0].stream_id)
        else:
            found = self._stream_by_rid(packet) or self._stream_missing(number)
        if found is not None and len(self._repairs) < 4 * len(self.layers):
            self._repairs[packet.ssrc] = found
        return found

    def _stream_by_rid(self, packet: rtp.RtpPacket) -> VideoStream | None:
        ids = self._extensions
        rid = packet.extensions.get(ids.repaired_rid) if ids.repaired_rid is not None else None
        if rid is None:
            return None
        name = rid.decode(errors="replace")
        return next((self._by_layer.get(layer.stream_id) for layer in self.layers if layer.rid == name), None)

    def _stream_missing(self, number: int) -> VideoStream | None:
        # Only what was asked for is sent again, so the one stream that asked for this number is meant.
        missing = [s for s in self._streams.values() if s.nack.is_missing(s.statistics.extend(number))]
        return missing[0] if len(missing) == 1 else None

    # feedback

    def rtcp_received(self, packets: Iterable[rtcp.RtcpPacket], arrival: float) -> None:
        """Take what the sender reports of its streams. Other packets are left alone."""
        for packet in packets:
            if isinstance(packet, rtcp.SenderReport):
                stream = self._streams.get(packet.ssrc)
                if stream is not None:
                    stream.sender_reported(packet, arrival)

    def request_key_frame(self, stream_id: int, now: float) -> None:
        """Ask the sender for a key frame of a layer, as often as that makes sense."""
        stream = self._by_layer.get(stream_id)
        if stream is not None:
            stream.request_key_frame(now)

    def tick(self, now: float) -> float | None:
        """Do what is due; answers when to call next, None if nothing came yet."""
        due = None
        if self._report_at >= 0:
            if now >= self._report_at:
                self._report_at = now + REPORT_INTERVAL
                self._report(now)
            due = self._report_at
        for stream in self._streams.values():
            next_due = stream.tick(now)
            if next_due is not None:
                due = next_due if due is None else min(due, next_due)
        return due

    def _report(self, now: float) -> None:
        self.reports += 1
        active = [s for s in self._streams.values() if now - s.last_arrival < 2 * REPORT_INTERVAL]
        for stream in self._streams.values():
            stream.statistics.measure(now)
        if not active:
            return
        reports = tuple(stream.statistics.report(now) for stream in active)
        rate = sum(stream.statistics.bitrate for stream in active)
        self._uplink.measured(rate, max(stream.statistics.fraction_lost for stream in active))
        self.transport.send_rtcp(
            rtcp.compound(
                (
                    rtcp.ReceiverReport(self._feedback_ssrc, reports),
                    rtcp.ReceiverEstimatedMaximumBitrate(
                        self._feedback_ssrc, self.allowed_bitrate, tuple(stream.ssrc for stream in active)
                    ),
                )
            )
        )

    @property
    def allowed_bitrate(self) -> int:
        """What the sender is told to send at most, in bit/s: what arrives here and what somebody can receive."""
        downlink = self._downlink(self)
        return int(self._uplink.bitrate if downlink is None else min(self._uplink.bitrate, downlink))

    @property
    def streams(self) -> tuple[VideoStream, ...]:
        """Those that were sent so far."""
        return tuple(self._streams.values())
