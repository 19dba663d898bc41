"""One video that one receiver is sent: another's stream, as one stream of the node that never steps back.

Whatever layer it is taken from, the receiver sees one SSRC, numbers without holes of the node's making, and timestamps
that go on. Layers change where a key frame begins.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from random import randrange
from struct import Struct
from typing import Protocol

from chime_media.protocol import rtx
from chime_media.protocol.video_format import VideoFormat
from chime_media.protocol.video_rate import DownlinkLimit
from chime_media.rtc.transport import MediaTransport
from chime_media.server.video_publication import Layer, Publication
from chime_media.server.video_segment import Segment, next_timestamp_shift
from chime_media.server.video_stream import VideoPacket, VideoStream
from chime_media.wire import rtcp

_log = logging.getLogger(__name__)
_HEADER = Struct("!BBHII")
_FULL, _HALF = 0x10000, 0x8000
_KEPT_SEGMENTS = 4
_MOST_REPEATS = 10
_REPEAT_AFTER = 0.02
_REPEATS_NOTED = 1024
NTP_EPOCH = 2208988800
"""Seconds from 1900 to 1970."""


class Meeting(Protocol):
    """What a subscription asks of the meeting it is in."""

    def now(self) -> float:
        """The loop's time."""

    def layer(self, stream_id: int) -> tuple[Publication, Layer] | None:
        """Who publishes a stream, None if nobody does at present."""

    def sent_to(self, transport: MediaTransport) -> float:
        """What a receiver is sent in all, in bit/s."""

    def attached(self, subscription: Subscription, publication: Publication) -> None:
        """Note that this is watched from now on."""

    def detached(self, subscription: Subscription, publication: Publication) -> None:
        """Note that it is not any more."""


class _Repeats:
    """When and how often packets were sent again: neither too soon nor too often, whatever a receiver asks for."""

    def __init__(self) -> None:
        self._noted: dict[int, tuple[float, int]] = {}

    def may_repeat(self, number: int, now: float) -> bool:
        when, times = self._noted.get(number, (-1.0, 0))
        return times < _MOST_REPEATS and (not times or now - when >= _REPEAT_AFTER)

    def note(self, number: int, now: float) -> None:
        if len(self._noted) >= _REPEATS_NOTED:
            self._noted.clear()
        self._noted[number] = (now, self._noted.get(number, (now, 0))[1] + 1)

    def clear(self) -> None:
        self._noted.clear()


class Subscription:
    """One remote video section of a receiver, made by `VideoForwarder.subscribe`.

    Args:
        transport: The receiver's.
        mid: The receiver's section.
        ssrc: What the receiver was told to expect.
        rtx_ssrc: The same for retransmissions, None if they were not agreed on.
        payload_types: The receiver's payload types by format.
        retransmissions: The receiver's payload type of retransmissions for each of its payload types.
        cname: As in the receiver's answer.
        wall: The time of day in seconds since 1970 when `arrival` is 0.
        meeting: Where streams are found.
    """

    def __init__(
        self,
        transport: MediaTransport,
        mid: str,
        ssrc: int,
        rtx_ssrc: int | None,
        payload_types: Mapping[VideoFormat, int],
        retransmissions: Mapping[int, int],
        cname: str,
        wall: float,
        meeting: Meeting,
    ) -> None:
        self.transport = transport
        self.mid = mid
        self.ssrc = ssrc
        self.rtx_ssrc = rtx_ssrc
        self.stream_id = 0
        """What is wanted; what is shown may be another layer for a while."""
        self.publication: Publication | None = None
        self.layer: Layer | None = None
        self.paused = False
        self.closed = False
        self.packets = 0
        self.octets = 0
        self.bitrate = 0.0
        """What was sent in the last second, in bit/s."""
        self.resent = 0
        self.not_resent = 0
        """Packets that the receiver asked for and that were not there any more."""
        self.undecodable = 0
        """Packets of formats that the receiver has not agreed to."""
        self.key_frame_requests = 0
        self.fraction_lost = 0.0
        self.round_trip: float | None = None
        self.limit = DownlinkLimit()
        self._by_format = dict(payload_types)
        self._retransmissions = dict(retransmissions)
        self._cname = cname
        self._wall = wall
        self._meeting = meeting
        self._send = transport.send_rtp
        self._types: dict[int, int] = {}
        self._stream: VideoStream | None = None
        self._waiting: VideoStream | None = None
        self._segments: list[Segment] = []
        self._first = 0
        self._number_shift = 0
        self._timestamp_shift = 0
        self._rewrites_pictures = False
        self._highest = _FULL + randrange(_HALF)
        self._timestamp = randrange(1 << 32)
        self._sent_at = -1.0
        self._rtx_number = randrange(_FULL)
        self._repeats = _Repeats()
        self._formats_missed: set[VideoFormat] = set()
        self._octets_before = 0
        self._measured_at = -1.0

    # what is sent

    @property
    def watched(self) -> VideoStream | None:
        """The stream that is being sent, None before the first key frame and while paused."""
        return self._stream

    def forward(self, packet: VideoPacket, arrival: float) -> None:
        """Send one packet of the stream that is watched."""
        number = packet.number
        if number < self._first:
            return
        second = self._types.get(packet.second)
        if second is None:
            self._missed(packet.payload_type)
            return
        payload = packet.payload
        if self._rewrites_pictures:
            payload = self._segments[-1].payload(packet)
        number += self._number_shift
        timestamp = (packet.timestamp + self._timestamp_shift) & 0xFFFFFFFF
        if number > self._highest:
            self._highest = number
            self._timestamp = timestamp
            self._sent_at = arrival
        self.packets += 1
        self.octets += len(payload)
        self._send(_HEADER.pack(0x80, second, number & 0xFFFF, timestamp, self.ssrc) + payload)

    def _missed(self, payload_type: int) -> None:
        self.undecodable += 1
        publication = self.publication
        form = publication.formats.get(payload_type) if publication is not None else None
        if form is not None and form not in self._formats_missed:
            self._formats_missed.add(form)
            _log.warning("video of %s is %s, which the receiver at mid %s has not", self._whose(), form, self.mid)

    def _whose(self) -> str:
        return self.publication.attendee_id if self.publication is not None else "nobody"

    # which stream

    def switch(self, stream_id: int) -> None:
        """Send another stream in its place. A layer of the same picture is sent until the key frame of the other comes.

        A stream that nobody publishes is sent as soon as somebody does.
        """
        found = self._meeting.layer(stream_id)
        if found is None:
            self.detach()
            self.stream_id = stream_id
        else:
            self.watch(*found, self._meeting.now())

    def watch(self, publication: Publication, layer: Layer, now: float) -> None:
        """Want this layer from now on. Of the same publication, what is shown goes on until its key frame comes."""
        if publication is not self.publication:
            self.detach()
            self.publication = publication
            self._meeting.attached(self, publication)
            self._choose_types()
        self.layer = layer
        self.stream_id = layer.stream_id
        self.aim(now)

    def renegotiated(self, payload_types: Mapping[VideoFormat, int], retransmissions: Mapping[int, int]) -> None:
        """The receiver's section was agreed on anew."""
        self._by_format = dict(payload_types)
        self._retransmissions = dict(retransmissions)
        self._choose_types()

    def pause(self) -> None:
        """Send nothing until `resume`."""
        self.paused = True
        self._let_go()

    def resume(self) -> None:
        """Send again, from the next key frame, which is asked for."""
        self.paused = False
        self.aim(self._meeting.now())

    def detach(self) -> None:
        """What was watched is over. The numbers go on when something else is watched."""
        self._let_go()
        if self.publication is not None:
            self._meeting.detached(self, self.publication)
        self.publication = None
        self.layer = None

    def close(self) -> None:
        """End it; nothing is sent any more."""
        self.closed = True
        self.detach()
        self._segments.clear()
        self._repeats.clear()

    def aim(self, now: float) -> None:
        """Find the stream to show, as layers come and go, and wait for its key frame if it is another."""
        publication, layer = self.publication, self.layer
        if publication is None or layer is None or self.paused:
            return
        stream = publication.stream_of(publication.layer_to_show(layer, now))
        if self._stream is not None and self._stream not in publication.streams:
            self._stop_watching()
        if stream is self._waiting and stream is not None:
            return
        self._stop_waiting()
        if stream is None or stream is self._stream:
            return
        self._waiting = stream
        stream.waiting.append(self)
        stream.request_key_frame(now)

    def _let_go(self) -> None:
        self._stop_waiting()
        self._stop_watching()

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            if self in self._waiting.waiting:
                self._waiting.waiting.remove(self)
            self._waiting = None

    def _stop_watching(self) -> None:
        if self._stream is not None:
            self._stream.watchers.remove(self)
            self._stream = None

    def begin(self, stream: VideoStream, packet: VideoPacket, arrival: float) -> None:
        """Go on with this stream, whose key frame begins with this packet."""
        self._waiting = None
        self._stop_watching()
        before = self._segments[-1] if self._segments else None
        shift = next_timestamp_shift(before, stream, packet, self._timestamp, arrival - self._sent_at)
        segment = Segment(stream, packet.number, self._highest + 1 - packet.number, shift)
        if before is not None:
            publication = self.publication
            form = publication.formats.get(packet.payload_type) if publication is not None else None
            segment.carry_pictures_on(before, packet, self._highest, form)
        self._segments.append(segment)
        del self._segments[:-_KEPT_SEGMENTS]
        self._first = packet.number
        self._number_shift = segment.number_shift
        self._timestamp_shift = shift
        self._rewrites_pictures = segment.picture_shift != 0 or segment.reference_shift != 0
        stream.watchers.append(self)
        self._stream = stream
        # Packets of the key frame that overtook its first one are there already.
        for later in stream.history.after(packet.number - 1):
            self.forward(later, arrival)
        if stream.sender_report is not None:
            self.sender_reported(stream, stream.sender_report, arrival)

    def _choose_types(self) -> None:
        formats = self.publication.formats if self.publication is not None else {}
        self._types = {}
        for theirs, form in formats.items():
            ours = self._by_format.get(form)
            if ours is not None:
                self._types[theirs] = ours
                self._types[theirs | 0x80] = ours | 0x80

    # what the receiver says

    def rtcp_received(self, packets: Iterable[rtcp.RtcpPacket], arrival: float) -> None:
        """Take what the receiver reports and asks for, as far as it is about this stream."""
        for packet in packets:
            if isinstance(packet, rtcp.ReceiverReport | rtcp.SenderReport):
                self._reported(packet.reports, arrival)
            elif isinstance(packet, rtcp.GenericNack):
                if packet.media_ssrc == self.ssrc:
                    self._resend(packet.lost, arrival)
            elif isinstance(packet, rtcp.ReceiverEstimatedMaximumBitrate):
                if self.ssrc in packet.ssrcs:
                    self._estimated(packet.bitrate, arrival)
            elif self._asks_for_key_frame(packet):
                self.key_frame_requests += 1
                if self._stream is not None:
                    self._stream.request_key_frame(arrival)

    def _asks_for_key_frame(self, packet: rtcp.RtcpPacket) -> bool:
        if isinstance(packet, rtcp.PictureLossIndication):
            return packet.media_ssrc == self.ssrc
        return isinstance(packet, rtcp.FullIntraRequest) and any(ssrc == self.ssrc for ssrc, _ in packet.requests)

    def _estimated(self, bitrate: int, now: float) -> None:
        sent = self._meeting.sent_to(self.transport)
        self.limit.estimated(bitrate, sent, self.bitrate / sent if sent > 0 else 1.0, now)

    def _reported(self, reports: Iterable[rtcp.ReportBlock], now: float) -> None:
        report = next((report for report in reports if report.ssrc == self.ssrc), None)
        if report is None:
            return
        self.fraction_lost = report.fraction_lost / 256
        if report.last_sender_report:
            apart = (_ntp(self._wall + now) >> 16) - report.last_sender_report - report.delay_since_sender_report
            apart &= 0xFFFFFFFF
            if apart < 10 * _FULL:
                self.round_trip = apart / _FULL

    def _resend(self, lost: Iterable[int], now: float) -> None:
        highest = self._highest
        for sequence_number in lost:
            ahead = (sequence_number - highest) & 0xFFFF
            number = highest + ahead if ahead == 0 else highest + ahead - _FULL
            if self._repeats.may_repeat(number, now):
                self._resend_one(number, now)

    def _resend_one(self, number: int, now: float) -> None:
        segment = next((s for s in reversed(self._segments) if number >= s.first + s.number_shift), None)
        packet = segment.stream.history.get(number - segment.number_shift) if segment is not None else None
        second = self._types.get(packet.second) if packet is not None else None
        if segment is None or packet is None or second is None:
            self.not_resent += 1
            return
        self._repeats.note(number, now)
        payload = segment.payload(packet)
        timestamp = (packet.timestamp + segment.timestamp_shift) & 0xFFFFFFFF
        rtx_type = self._retransmissions.get(second & 0x7F)
        self.resent += 1
        if rtx_type is None or self.rtx_ssrc is None:
            self._send(_HEADER.pack(0x80, second, number & 0xFFFF, timestamp, self.ssrc) + payload)
            return
        self._rtx_number += 1
        self._send(
            rtx.wrap(
                payload,
                number,
                marker=second > 0x7F,
                timestamp=timestamp,
                ssrc=self.rtx_ssrc,
                payload_type=rtx_type,
                sequence_number=self._rtx_number,
            )
        )

    # reports

    def sender_reported(self, stream: VideoStream, report: rtcp.SenderReport, arrival: float) -> None:
        """Tell the receiver which time the sender's timestamps stand for, in the time of the node."""
        if not self._segments or stream is not self._stream:
            return
        timestamp = (report.rtp_timestamp + self._timestamp_shift) & 0xFFFFFFFF
        ntp = _ntp(self._wall + stream.time_of(report))
        ours = rtcp.SenderReport(self.ssrc, ntp, timestamp, self.packets, self.octets)
        self.transport.send_rtcp(rtcp.compound((ours, rtcp.SourceDescription(self.ssrc, self._cname))))

    def measure(self, now: float) -> None:
        """Bring `bitrate` up to date; called about once a second."""
        if self._measured_at >= 0 and now > self._measured_at:
            self.bitrate = 8 * (self.octets - self._octets_before) / (now - self._measured_at)
        self._octets_before = self.octets
        self._measured_at = now


def _ntp(seconds: float) -> int:
    return int((seconds + NTP_EPOCH) * (1 << 32)) & 0xFFFFFFFFFFFFFFFF
