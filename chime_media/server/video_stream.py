"""One RTP stream of video that a sender sends: gaps, repeats and key frames, before it goes to whoever watches."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from chime_media.protocol.nack import NackGenerator
from chime_media.protocol.receive_statistics import ReceiveStatistics
from chime_media.protocol.rtp_history import RtpHistory
from chime_media.wire import rtcp, rtp

KEY_FRAME_INTERVAL = 0.3
"""Seconds between two requests for a key frame: encoders make no more, and each costs the sender's whole link."""
IDLE_KEY_FRAME_INTERVAL = 2.0
"""The same while the sender sends nothing of this stream."""

LOSSY = 0.01
"""Share of packets lost from which on a request is sent twice."""


class VideoPacket:
    """One packet as it goes to all who watch.

    Attributes:
        number: Sequence number beyond 16 bits.
        timestamp: Of the sender's stream.
        second: Payload type and marker, as they stand in the second byte of an RTP header.
        payload: Without padding.
    """

    __slots__ = ("number", "payload", "second", "timestamp")

    def __init__(self, number: int, timestamp: int, second: int, payload: bytes) -> None:
        self.number = number
        self.timestamp = timestamp
        self.second = second
        self.payload = payload

    @property
    def payload_type(self) -> int:
        """As the sender knows the codec."""
        return self.second & 0x7F


class Watcher(Protocol):
    """Who is sent a stream."""

    def forward(self, packet: VideoPacket, arrival: float) -> None:
        """Send a packet of the stream that is being watched."""

    def begin(self, stream: VideoStream, packet: VideoPacket, arrival: float) -> None:
        """Go on with this stream, whose key frame begins with this packet; it and what follows are in its history."""

    def sender_reported(self, stream: VideoStream, report: rtcp.SenderReport, arrival: float) -> None:
        """Tell the receiver which time the sender's timestamps stand for."""


class VideoStream:
    """One SSRC of a sender.

    Args:
        ssrc: The stream's.
        is_key: Says of a payload type and a payload whether a key frame begins there.
        send_feedback: Sends RTCP to the sender.
        feedback_ssrc: Who asks.
        wake: Called with the time at which `tick` has something to do.
    """

    def __init__(
        self,
        ssrc: int,
        is_key: Callable[[int, bytes], bool],
        send_feedback: Callable[[bytes], None],
        feedback_ssrc: int,
        wake: Callable[[float], None],
    ) -> None:
        self.ssrc = ssrc
        self.statistics = ReceiveStatistics(ssrc)
        self.nack = NackGenerator()
        self.history: RtpHistory[VideoPacket] = RtpHistory()
        self.watchers: list[Watcher] = []
        self.waiting: list[Watcher] = []
        """Those who begin with the next key frame."""
        self.last_arrival = -1.0
        self.sender_report: rtcp.SenderReport | None = None
        self.key_frames = 0
        self.key_frame_requests = 0
        self.nacks_sent = 0
        self.duplicates = 0
        self._is_key = is_key
        self._send_feedback = send_feedback
        self._feedback_ssrc = feedback_ssrc
        self._wake = wake
        self._timestamp = -1
        self._idle = True
        self._given_up = self._doubted = 0
        self._broken = False
        self._asked_at = -KEY_FRAME_INTERVAL
        self._ask_again = False
        self._clock_offset: float | None = None

    # packets

    def received(
        self, sequence_number: int, timestamp: int, second: int, payload: bytes, size: int, arrival: float
    ) -> bool:
        """Take a packet of this SSRC. False if the sender began anew: this stream is over then.

        Args:
            sequence_number: As in the header.
            timestamp: As in the header.
            second: The header's second byte.
            payload: Without padding.
            size: Of the whole packet.
            arrival: In the loop's time.
        """
        number = self.statistics.count(sequence_number, size)
        if number < 0:
            return number == -1
        self.last_arrival = arrival
        if self.watchers or self.waiting:
            self._idle = False
            self._take(VideoPacket(number, timestamp, second, payload), arrival, False)
        elif not self._idle:
            self._rest()
        return True

    def resent(self, sequence_number: int, packet: rtp.RtpPacket, payload_type: int, payload: bytes, at: float) -> None:
        """Take what a retransmission stream brought. It does not count as received: what was lost was lost."""
        if self.statistics.highest >= 0 and (self.watchers or self.waiting):
            number = self.statistics.extend(sequence_number)
            if number <= self.statistics.highest:
                second = payload_type | packet.marker << 7
                self._take(VideoPacket(number, packet.timestamp, second, payload), at, True)

    def _take(self, packet: VideoPacket, arrival: float, resent: bool) -> None:
        number = packet.number
        history = self.history
        if number <= history.forgotten or not history.add(number, packet, arrival):
            self.duplicates += 1
            return
        for watcher in self.watchers:
            watcher.forward(packet, arrival)
        nack = self.nack
        if number == nack.highest + 1:
            nack.highest = number
        else:
            self._gaps(nack.received(number, arrival, resent=resent), arrival)
        if packet.timestamp != self._timestamp or self.waiting:
            self._look_for_key(packet, arrival, resent)

    def _look_for_key(self, packet: VideoPacket, arrival: float, resent: bool) -> None:
        timestamp = packet.timestamp
        if timestamp != self._timestamp and not resent:
            self._timestamp = timestamp
            self.statistics.time_frame(timestamp, arrival)
        if not self._is_key(packet.payload_type, packet.payload):
            return
        self.key_frames += 1
        self._ask_again = False
        self.nack.forget_before(packet.number)
        self._harm()
        self._broken = False
        waiting = self.waiting
        if waiting:
            self.waiting = []
            for watcher in waiting:
                watcher.begin(self, packet, arrival)

    def _gaps(self, asked: Iterable[int], now: float) -> None:
        numbers = tuple(asked)
        if numbers:
            self._send_nack(numbers)
        nack = self.nack
        due = now if nack.given_up != self._given_up else nack.next_due
        if due is not None:
            self._wake(due)

    def _rest(self) -> None:
        # Nobody watches: count the packets, and begin without a past when somebody does.
        self._idle = True
        self.nack = NackGenerator()
        self._given_up = self._doubted = 0
        self._broken = False
        self.history.clear()

    def _harm(self) -> bool:
        """Whether packets were lost for good, or are likely to be, since the last call."""
        nack = self.nack
        harm = nack.given_up != self._given_up or nack.doubted != self._doubted
        self._given_up, self._doubted = nack.given_up, nack.doubted
        return harm

    # feedback

    def _send_nack(self, numbers: tuple[int, ...]) -> None:
        self.nacks_sent += len(numbers)
        lost = tuple(number & 0xFFFF for number in numbers)
        self._send_feedback(rtcp.GenericNack(self._feedback_ssrc, self.ssrc, lost).pack())

    def request_key_frame(self, now: float) -> None:
        """Ask the sender for a key frame, at once or as soon as it may be asked again."""
        at = self._asked_at + KEY_FRAME_INTERVAL
        if now < at:
            self._ask_again = True
            self._wake(at)
            return
        self._ask_again = False
        self._asked_at = now
        self.key_frame_requests += 1
        request = rtcp.PictureLossIndication(self._feedback_ssrc, self.ssrc).pack()
        self._send_feedback(request)
        if self.statistics.fraction_lost > LOSSY:
            # Nobody sends a lost request again before its answer is overdue. A second copy makes no second key frame.
            self._send_feedback(request)
        if self.waiting or self._broken:
            self._wake(self._next_request(now))

    def _next_request(self, now: float) -> float:
        if self._ask_again:
            return self._asked_at + KEY_FRAME_INTERVAL
        if now - self.last_arrival > IDLE_KEY_FRAME_INTERVAL:
            return self._asked_at + IDLE_KEY_FRAME_INTERVAL
        return self._asked_at + max(KEY_FRAME_INTERVAL, 2 * self.nack.round_trip)

    def sender_reported(self, report: rtcp.SenderReport, arrival: float) -> None:
        """Take the sender's report of this stream."""
        self.statistics.sender_reported(report.ntp_time, arrival)
        self.sender_report = report
        late = arrival - report.ntp_time / (1 << 32)
        if self._clock_offset is None or late < self._clock_offset or late > self._clock_offset + 1:
            self._clock_offset = late
        else:
            # The fastest report tells the clocks apart best; the little that is added lets clocks drift.
            self._clock_offset += 0.02 * (late - self._clock_offset)
        for watcher in self.watchers:
            watcher.sender_reported(self, report, arrival)

    def time_of(self, report: rtcp.SenderReport) -> float:
        """The loop's time of what a report speaks of, as if its way here had been the shortest."""
        return report.ntp_time / (1 << 32) + (self._clock_offset or 0.0)

    def tick(self, now: float) -> float | None:
        """Ask again for what still is missing; answers when to call next, None if there is no need."""
        nack = self.nack
        if len(nack):
            numbers = nack.due(now)
            if numbers:
                self._send_nack(tuple(numbers))
        if self._harm() and self.watchers:
            self._broken = True
        due = nack.next_due
        if self._ask_again or self.waiting or self._broken:
            if now >= self._next_request(now):
                self.request_key_frame(now)
            again = self._next_request(now)
            due = again if due is None else min(due, again)
        return due
