"""Senders and receivers of real encoded video around a forwarder, in virtual time, with bad networks between."""

from __future__ import annotations

import functools
import heapq
import itertools
from collections.abc import Callable
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt
from aiortc.codecs.h264 import H264Decoder, H264Encoder, h264_depayload
from aiortc.codecs.vpx import Vp8Decoder, Vp8Encoder, vp8_depayload
from aiortc.jitterbuffer import JitterFrame

from chime_media.protocol import rtx
from chime_media.protocol.nack import NackGenerator
from chime_media.protocol.receive_statistics import ReceiveStatistics
from chime_media.protocol.rtp_history import RtpHistory
from chime_media.protocol.video_format import VideoFormat
from chime_media.rtc.transport import TransportCounters
from chime_media.testing.impairments import ImpairedPath, Impairment
from chime_media.wire import rtcp, rtp

VP8 = VideoFormat.of("VP8")
H264 = VideoFormat.of("H264", "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f")
CLOCK = 90000
PERFECT = Impairment()
Picture = npt.NDArray[np.uint8]


class Timer:
    def __init__(self, action: Callable[[], object]) -> None:
        self.action: Callable[[], object] | None = action

    def cancel(self) -> None:
        self.action = None


class VirtualLoop:
    """The part of an event loop that the forwarder needs, with a clock that jumps to what is next."""

    def __init__(self) -> None:
        self._now = 1000.0
        self._queue: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()

    def time(self) -> float:
        return self._now

    def call_at(self, when: float, callback: Callable[[], object], /) -> Timer:
        timer = Timer(callback)
        heapq.heappush(self._queue, (when, next(self._order), timer))
        return timer

    def run(self, seconds: float) -> None:
        end = self._now + seconds
        while self._queue and self._queue[0][0] <= end:
            when, _, timer = heapq.heappop(self._queue)
            self._now = max(self._now, when)
            if timer.action is not None:
                timer.action()
        self._now = end


class Link:
    """The node's transport to one peer, over a path that loses and delays."""

    def __init__(self, loop: VirtualLoop, impairment: Impairment = PERFECT, seed: int = 1) -> None:
        self.loop = loop
        self.path = ImpairedPath(impairment, seed)
        self.rtp_out: Callable[[bytes], None] = lambda packet: None
        self.rtcp_out: Callable[[bytes], None] = lambda packet: None
        self.counters = TransportCounters()
        self.connected = True
        self.sent: list[rtp.RtpPacket] = []
        self.reports: list[rtcp.RtcpPacket] = []

    def send_rtp(self, packet: bytes) -> None:
        self.sent.append(rtp.parse(packet))
        self.deliver(packet, self.rtp_out)

    def send_rtcp(self, packet: bytes) -> None:
        self.reports += rtcp.parse(packet)
        self.deliver(packet, self.rtcp_out)

    def deliver(self, packet: bytes, receive: Callable[[bytes], None]) -> None:
        for arrival in self.path.arrivals(len(packet), self.loop.time()):
            self.loop.call_at(arrival, lambda: receive(packet))

    def close(self) -> None:
        self.connected = False

    def asked(self, kind: type) -> int:
        return sum(isinstance(report, kind) for report in self.reports)


@functools.cache
def card(index: int, colour: tuple[int, int, int], height: int = 180, width: int = 320) -> Picture:
    """A picture of one colour with fine detail, so that key frames take many packets."""
    noise = np.random.default_rng(index).integers(-30, 30, (height, width, 1))
    return np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)


class Sender:
    """Sends one RTP stream of real video, and answers what is asked of it."""

    def __init__(
        self,
        loop: VirtualLoop,
        link: Link,
        *,
        form: VideoFormat = VP8,
        ssrc: int = 11,
        fps: int = 15,
        colour: tuple[int, int, int] = (200, 40, 40),
        extensions: dict[int, bytes] | None = None,
        resends: bool = True,
        size: tuple[int, int] = (180, 320),
        bitrate: int = 500_000,
    ) -> None:
        self.loop = loop
        self.link = link
        self.ssrc = ssrc
        self.colour = colour
        self.received: Callable[[bytes, float], None] = lambda packet, now: None
        self.reported: Callable[[rtcp.SenderReport, float], None] = lambda report, now: None
        self.encoder = Vp8Encoder() if form.name == "VP8" else H264Encoder()
        self.encoder.target_bitrate = bitrate
        self.size = size
        self.fps = fps
        self.extensions = extensions
        self.resends = resends
        self.history: RtpHistory[tuple[bytes, bool, int]] = RtpHistory()
        self.number = 65500
        self.rtx_number = 7
        self.frames = 0
        self.packets = 0
        self.key_frames: list[float] = []
        self.wants_key = False
        self.running = True
        self.lose_next_key_frame = False
        self.start = loop.time()
        self.base = 4294900000
        loop.call_at(loop.time(), self.frame)
        loop.call_at(loop.time() + 0.1, self.report)

    def frame(self) -> None:
        if not self.running:
            return
        now = self.loop.time()
        picture = av.VideoFrame.from_ndarray(card(self.frames // 3 % 5, self.colour, *self.size), format="rgb24")
        elapsed = round((now - self.start) * CLOCK)
        picture.pts, picture.time_base = elapsed, Fraction(1, CLOCK)
        wants_key, self.wants_key = self.wants_key or self.frames == 0, False
        payloads, _ = self.encoder.encode(picture, force_keyframe=wants_key)
        lose = wants_key and self.lose_next_key_frame
        if lose:
            self.lose_next_key_frame = False
        if wants_key:
            self.key_frames.append(now)
        self.frames += 1
        for index, payload in enumerate(payloads):
            self.send(payload, index == len(payloads) - 1, (self.base + elapsed) % (1 << 32), lose)
        self.loop.call_at(now + 1 / self.fps, self.frame)

    def send(self, payload: bytes, marker: bool, timestamp: int, lose: bool) -> None:
        number = self.number % 65536
        self.number += 1
        self.packets += 1
        if not lose:
            self.history.add(number, (payload, marker, timestamp), self.loop.time())
            self.transmit(
                rtp.build(
                    payload_type=96,
                    sequence_number=number,
                    timestamp=timestamp,
                    ssrc=self.ssrc,
                    payload=payload,
                    marker=marker,
                    extensions=self.extensions,
                )
            )

    def transmit(self, packet: bytes) -> None:
        self.link.deliver(packet, lambda packet: self.received(packet, self.loop.time()))

    def report(self) -> None:
        if not self.running:
            return
        elapsed = self.loop.time() - self.start
        ntp = int((5000 + elapsed) * (1 << 32))
        stamp = (self.base + round(elapsed * CLOCK)) % (1 << 32)
        self.reported(rtcp.SenderReport(self.ssrc, ntp, stamp, self.packets, 0), self.loop.time())
        self.loop.call_at(self.loop.time() + 1, self.report)

    def rtcp_received(self, packet: bytes) -> None:
        for found in rtcp.parse(packet):
            if isinstance(found, rtcp.PictureLossIndication) and found.media_ssrc == self.ssrc:
                self.wants_key = True
            elif isinstance(found, rtcp.GenericNack) and found.media_ssrc == self.ssrc and self.resends:
                for number in found.lost:
                    self.resend(number)

    def resend(self, number: int) -> None:
        kept = self.history.get(number)
        if kept is not None:
            payload, marker, timestamp = kept
            self.rtx_number += 1
            self.transmit(
                rtx.wrap(
                    payload,
                    number,
                    marker=marker,
                    timestamp=timestamp,
                    ssrc=self.ssrc + 1000,
                    payload_type=97,
                    sequence_number=self.rtx_number,
                )
            )


class Receiver:
    """Puts frames together in order, decodes them, and asks for what is missing."""

    def __init__(
        self, loop: VirtualLoop, link: Link, *, ssrc: int, form: VideoFormat = VP8, payload_type: int = 100
    ) -> None:
        self.loop = loop
        self.link = link
        self.ssrc = ssrc
        self.payload_type = payload_type
        self.decoder = Vp8Decoder() if form.name == "VP8" else H264Decoder()
        self.depayload = vp8_depayload if form.name == "VP8" else h264_depayload
        self.form = form
        self.statistics = ReceiveStatistics(ssrc)
        self.nack = NackGenerator()
        self.packets: dict[int, tuple[bool, int, bytes]] = {}
        self.next: int | None = None
        self.seen: list[tuple[float, tuple[int, ...]]] = []
        """When a picture was shown, and its mean colour."""
        self.timestamps: list[int] = []
        self.reports: list[rtcp.SenderReport] = []
        self.feedback: Callable[[list[rtcp.RtcpPacket], float], None] = lambda packets, now: None
        link.rtp_out = self.rtp_received
        link.rtcp_out = self.rtcp_received
        self.asked_at = 0.0
        self.shown_at = 0.0
        loop.call_at(loop.time() + 0.02, self.tick)

    def rtcp_received(self, packet: bytes) -> None:
        self.reports += [found for found in rtcp.parse(packet) if isinstance(found, rtcp.SenderReport)]

    def rtp_received(self, data: bytes) -> None:
        packet = rtp.parse(data)
        if packet.ssrc == self.ssrc:
            assert packet.payload_type == self.payload_type
            number = self.statistics.count(packet.sequence_number, len(data))
            self.take(number, packet.marker, packet.timestamp, packet.payload, resent=False)
        elif packet.ssrc == self.ssrc + 1:
            found = rtx.unwrap(packet.payload)
            assert found is not None
            number = self.statistics.extend(found[0])
            self.take(number, packet.marker, packet.timestamp, found[1], resent=True)

    def take(self, number: int, marker: bool, timestamp: int, payload: bytes, *, resent: bool) -> None:
        if number < 0:
            return
        asked = tuple(self.nack.received(number, self.loop.time(), resent=resent))
        self.ask(asked)
        if self.next is None:
            self.next = number
        self.packets[number] = (marker, timestamp, payload)
        self.assemble()

    def assemble(self) -> None:
        while self.next is not None:
            frame: list[bytes] = []
            at = self.next
            while at in self.packets:
                marker, timestamp, payload = self.packets[at]
                frame.append(payload)
                at += 1
                if marker:
                    self.show(frame, timestamp)
                    self.next = at
                    break
            else:
                return

    def show(self, frame: list[bytes], timestamp: int) -> None:
        if not self.timestamps and not self.form.starts_key_frame(frame[0]):
            return
        self.timestamps.append(timestamp)
        self.shown_at = self.loop.time()
        data = b"".join(self.depayload(payload) for payload in frame)
        for shown in self.decoder.decode(JitterFrame(data=data, timestamp=timestamp)):
            assert isinstance(shown, av.VideoFrame)
            # Every fourth pixel is enough for a mean.
            mean = shown.to_ndarray(format="rgb24")[::4, ::4].reshape(-1, 3).mean(0)
            self.seen.append((self.loop.time(), tuple(int(value) for value in mean)))

    def tick(self) -> None:
        now = self.loop.time()
        self.ask(tuple(self.nack.due(now)))
        if self.next is not None and now - max(self.shown_at, self.asked_at) > 0.3:
            # As browsers do: after such a wait only a key frame is of use.
            self.asked_at = now
            self.skip_to_key_frame()
        self.loop.call_at(now + 0.02, self.tick)

    def skip_to_key_frame(self) -> None:
        keys = [number for number, (_, _, payload) in self.packets.items() if self.form.starts_key_frame(payload)]
        assert self.next is not None
        later = [number for number in keys if number > self.next]
        if later:
            self.next = min(later)
            self.assemble()
        else:
            self.send([rtcp.PictureLossIndication(5, self.ssrc)])

    def ask(self, numbers: tuple[int, ...]) -> None:
        if numbers:
            self.send([rtcp.GenericNack(5, self.ssrc, tuple(number % 65536 for number in numbers))])

    def send(self, packets: list[rtcp.RtcpPacket]) -> None:
        self.link.deliver(rtcp.compound(packets), lambda data: self.feedback(rtcp.parse(data), self.loop.time()))

    def colours(self, since: float) -> list[tuple[int, ...]]:
        return [colour for when, colour in self.seen if when >= since]

    def longest_freeze(self, since: float) -> float:
        times = [since, *(when for when, _ in self.seen if when >= since), self.loop.time()]
        return max(after - before for before, after in itertools.pairwise(times))


def is_like(colour: tuple[int, ...], wanted: tuple[int, int, int]) -> bool:
    return all(abs(one - other) < 25 for one, other in zip(colour, wanted, strict=True))
