"""The runs of packets that one subscription is made of: each came from one stream and was renumbered in one way."""

from __future__ import annotations

from chime_media.protocol.video_format import VideoFormat
from chime_media.server.video_stream import VideoPacket, VideoStream
from chime_media.wire import vp8
from chime_messaging.errors import DecodeError

CLOCK = 90000
"""Steps of a timestamp a second."""


class Segment:
    """One run, from its first number of the stream on, and what is added to what its packets say."""

    __slots__ = ("first", "number_shift", "picture_shift", "reference_shift", "stream", "timestamp_shift")

    def __init__(self, stream: VideoStream, first: int, number_shift: int, timestamp_shift: int) -> None:
        self.stream = stream
        self.first = first
        self.number_shift = number_shift
        self.timestamp_shift = timestamp_shift
        self.picture_shift = 0
        self.reference_shift = 0

    def payload(self, packet: VideoPacket) -> bytes:
        """What a packet carries, its picture renumbered."""
        if self.picture_shift or self.reference_shift:
            return vp8.shift(packet.payload, self.picture_shift, self.reference_shift)
        return packet.payload

    def carry_pictures_on(self, before: Segment, packet: VideoPacket, highest: int, form: VideoFormat | None) -> None:
        """Number pictures on from the run before.

        Args:
            before: The run before.
            packet: The first of this run.
            highest: The last number that was sent.
            form: Of the video.
        """
        self.picture_shift, self.reference_shift = before.picture_shift, before.reference_shift
        if before.stream is self.stream or form is None or form.name != "VP8":
            return
        last = before.stream.history.get(highest - before.number_shift)
        if last is None:
            return
        try:
            old, new = vp8.parse(last.payload), vp8.parse(packet.payload)
        except DecodeError:
            return
        if old.picture_id is not None and new.picture_id is not None:
            self.picture_shift = old.picture_id + before.picture_shift + 1 - new.picture_id
        if old.reference_index is not None and new.reference_index is not None:
            self.reference_shift = old.reference_index + before.reference_shift + 1 - new.reference_index


def next_timestamp_shift(
    before: Segment | None, stream: VideoStream, packet: VideoPacket, last: int, elapsed: float
) -> int:
    """What is to be added to a stream's timestamps so that they go on from those of the run before.

    Args:
        before: The run before, if there was one.
        stream: Of the new run.
        packet: The first of the new run.
        last: The timestamp that was sent last.
        elapsed: Seconds since then.
    """
    if before is None:
        return last - packet.timestamp
    if before.stream is stream:
        return before.timestamp_shift
    by_arrival = last + int(elapsed * CLOCK)
    timestamp = by_arrival
    old, new = before.stream.sender_report, stream.sender_report
    if old is not None and new is not None:
        # Both layers are of one camera: the sender's reports say which timestamps mean the same moment.
        apart = (new.ntp_time - old.ntp_time) * CLOCK >> 32
        shift = old.rtp_timestamp + before.timestamp_shift + apart - new.rtp_timestamp
        exact = packet.timestamp + shift
        if abs(_signed(exact - by_arrival)) < CLOCK // 2:
            timestamp = exact
    if _signed(timestamp - last) <= 0:
        timestamp = last + CLOCK // 100
    return timestamp - packet.timestamp


def _signed(difference: int) -> int:
    return ((difference + 0x80000000) & 0xFFFFFFFF) - 0x80000000
