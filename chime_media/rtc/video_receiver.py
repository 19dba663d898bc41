"""A video that an attendee is sent: from packets to pictures, for as long as somebody looks."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

from chime_media.protocol import rtx
from chime_media.protocol.frame_assembly import AssembledFrame, FrameAssembler
from chime_media.protocol.media_clock import MediaClock
from chime_media.protocol.nack import NackGenerator
from chime_media.protocol.negotiated import Negotiated
from chime_media.protocol.receive_statistics import ReceiveStatistics
from chime_media.protocol.video_format import VideoFormat
from chime_media.rtc.transport import MediaTransport
from chime_media.rtc.video_codecs import CODECS, VideoDecoder
from chime_media.rtc.video_frame import VideoFrame
from chime_media.wire import rtcp
from chime_media.wire.rtp import RtpPacket
from chime_messaging.errors import ConfigurationError, DecodeError

_log = logging.getLogger(__name__)
_WAITING_FRAMES = 30
_PLI_PAUSE = 0.3
_TICK = 0.02


@dataclass(slots=True)
class VideoReceiveCounters:
    """What came since the receiver was made."""

    frames_decoded: int = 0
    key_frames: int = 0
    frames_dropped: int = 0
    """Whole frames that were not decoded as the machine was too slow, or that the decoder refused."""
    nacks: int = 0
    plis: int = 0
    undecodable: int = 0
    """Packets of codecs that cannot be decoded."""
    width: int = 0
    height: int = 0


class VideoReceiver:
    """Takes one remote video. Nothing is decoded, and nothing that is lost asked for, until it is bound.

    Args:
        mid: Its section.
        transport: What it comes on.
        own_ssrc: Who we are in reports.
        executor: Where to decode.
    """

    def __init__(self, mid: str, transport: MediaTransport, own_ssrc: int, executor: Executor) -> None:
        self.mid = mid
        self.counters = VideoReceiveCounters()
        self.statistics = ReceiveStatistics(0)
        self.ssrc: int | None = None
        self.rtx_ssrc: int | None = None
        self.codec = ""
        """Name of what last came."""
        self._transport = transport
        self._own_ssrc = own_ssrc
        self._executor = executor
        self._loop = asyncio.get_running_loop()
        self._sink: Callable[[VideoFrame], None] | None = None
        self._formats: dict[int, VideoFormat] = {}
        self._repeats: dict[int, int] = {}
        self._payload_type: int | None = None
        self._assembler: FrameAssembler | None = None
        self._decoder: VideoDecoder | None = None
        self._nack = NackGenerator()
        self._given_up = 0
        self._clock = MediaClock()
        self._waiting: deque[tuple[AssembledFrame, float]] = deque()
        self._job: asyncio.Future[list[VideoFrame]] | None = None
        self._needs_key_frame = True
        self._pli_at = -1.0
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def bound(self) -> bool:
        """Whether somebody looks."""
        return self._sink is not None

    def settle(self, section: Negotiated) -> None:
        """Take what was agreed for the section."""
        self._formats = {
            payload_type: VideoFormat.of(codec.name, codec.parameters) for payload_type, codec in section.codecs.items()
        }
        self._repeats = dict(section.rtx)
        if section.ssrc != self.ssrc:
            self.ssrc = section.ssrc
            self._restart(section.ssrc or 0)
        self.rtx_ssrc = section.rtx_ssrc

    def bind(self, sink: Callable[[VideoFrame], None]) -> None:
        """Decode from the next key frame on, which is asked for, and hand the pictures over on the event loop."""
        was_bound, self._sink = self.bound, sink
        if not was_bound:
            self._needs_key_frame = True
            self._look_again()
            self._request_key_frame(self._loop.time())
            self._tick()

    def unbind(self) -> None:
        """Decode no more."""
        self._sink = None
        self._decoder = None
        self._waiting.clear()
        if self._assembler is not None:
            self._assembler.reset()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def expect_pause(self) -> None:
        """The sender stops for a while on purpose: what is missing is not waited for."""
        self._look_again()

    def rtp_received(self, packet: RtpPacket, arrival: float) -> None:
        """Take a packet of its SSRC or of its retransmissions."""
        if packet.ssrc == self.rtx_ssrc or packet.payload_type in self._repeats:
            original = rtx.unwrap(packet.payload)
            payload_type = self._repeats.get(packet.payload_type)
            if original is None or payload_type is None or self.statistics.highest < 0:
                return
            number = self.statistics.extend(original[0])
            # Asked for or not, it is no packet of the stream for the statistics: it says nothing of the link.
            self._nack.received(number, arrival, resent=True)
            self._take(number, packet, payload_type, original[1], arrival)
            return
        number = self.statistics.count(packet.sequence_number, len(packet.data))
        if number == -1:
            return
        if number == -2:
            self._restart(self.ssrc or 0)
            number = self.statistics.count(packet.sequence_number, len(packet.data))
        self.statistics.time_frame(packet.timestamp, arrival)
        payload = packet.payload
        if self._sink is None:
            return
        lost = self._nack.received(number, arrival)
        if lost:
            self._ask(tuple(number & 0xFFFF for number in lost))
        self._take(number, packet, packet.payload_type, payload, arrival)

    def rtcp_received(self, packet: rtcp.RtcpPacket, arrival: float) -> None:
        """Take a sender report."""
        if isinstance(packet, rtcp.SenderReport) and packet.ssrc == self.ssrc:
            self.statistics.sender_reported(packet.ntp_time, arrival)
            self._clock.reported(packet.rtp_timestamp, arrival)

    def report(self, now: float) -> rtcp.ReportBlock | None:
        """How it arrives, None if nothing does."""
        if self.ssrc is None or self.statistics.highest < 0:
            return None
        self.statistics.measure(now)
        return self.statistics.report(now)

    def close(self) -> None:
        """Take and show no more."""
        self._closed = True
        self.unbind()

    def _take(self, number: int, packet: RtpPacket, payload_type: int, payload: bytes, arrival: float) -> None:
        if self._sink is None:
            return
        if payload_type != self._payload_type or self._assembler is None:
            video_format = self._formats.get(payload_type)
            if video_format is None or video_format.name not in CODECS:
                self.counters.undecodable += 1
                return
            self._payload_type = payload_type
            if self.codec != video_format.name:
                self._decoder = None
            self.codec = video_format.name
            self._assembler = FrameAssembler(video_format.starts_key_frame)
        # Without a payload it is padding, which fills a number and nothing else.
        at = self._clock.arrived(packet.timestamp, arrival)
        for frame in self._assembler.add(number, packet.timestamp, packet.marker, payload):
            self._assembled(frame, at)
        if self._timer is None:
            self._tick()

    def _assembled(self, frame: AssembledFrame, at: float) -> None:
        if frame.key_frame:
            self._needs_key_frame = False
        elif self._needs_key_frame:
            self.counters.frames_dropped += 1
            return
        if not any(frame.payloads):
            return
        self._waiting.append((frame, at))
        if len(self._waiting) > _WAITING_FRAMES:
            # Who cannot follow sees less rather than later.
            self.counters.frames_dropped += len(self._waiting)
            self._waiting.clear()
            self._needs_key_frame = True
            self._request_key_frame(self._loop.time())
        self._decode_next()

    def _decode_next(self) -> None:
        if self._job is not None or not self._waiting or self._closed or self._sink is None:
            return
        frame, at = self._waiting.popleft()
        if self._decoder is None:
            try:
                self._decoder = VideoDecoder(self.codec)
            except ConfigurationError:
                self.counters.undecodable += 1
                return
        self.counters.key_frames += frame.key_frame
        self._job = self._loop.run_in_executor(self._executor, self._decoder.decode, frame.payloads, at)
        self._job.add_done_callback(functools.partial(self._decoded, self._decoder))

    def _decoded(self, decoder: VideoDecoder, job: asyncio.Future[list[VideoFrame]]) -> None:
        self._job = None
        if job.cancelled():
            return
        problem = job.exception()
        if decoder is not self._decoder and (problem is None or isinstance(problem, DecodeError)):
            # Nobody looked any more; who does now looks at what came since.
            pass
        elif problem is None:
            for frame in job.result():
                self._show(frame)
        elif isinstance(problem, DecodeError):
            self.counters.frames_dropped += 1
            self._decoder = None
            self._needs_key_frame = True
            self._waiting.clear()
            self._request_key_frame(self._loop.time())
        else:
            _log.error("Decoding video failed", exc_info=problem)
        self._decode_next()

    def _show(self, frame: VideoFrame) -> None:
        if self._sink is None:
            return
        self.counters.frames_decoded += 1
        self.counters.width, self.counters.height = frame.width, frame.height
        self._sink(frame)

    def _tick(self) -> None:
        self._timer = None
        if self._sink is None or self._closed:
            return
        now, assembler = self._loop.time(), self._assembler
        numbers = self._nack.due(now)
        if numbers:
            self._ask(tuple(number & 0xFFFF for number in numbers))
        if self._nack.given_up > self._given_up:
            self._given_up = self._nack.given_up
            if assembler is not None and not assembler.waits_for_key_frame and not assembler.give_up():
                self._needs_key_frame = True
        if self._needs_key_frame or assembler is None or assembler.waits_for_key_frame:
            self._request_key_frame(now)
            self._timer = self._loop.call_later(_PLI_PAUSE, self._tick)
        elif self._nack.next_due is not None:
            self._timer = self._loop.call_later(_TICK, self._tick)

    def _ask(self, numbers: tuple[int, ...]) -> None:
        if self.ssrc is not None:
            self.counters.nacks += 1
            self._transport.send_rtcp(rtcp.GenericNack(self._own_ssrc, self.ssrc, numbers).pack())

    def _request_key_frame(self, now: float) -> None:
        if self.ssrc is None or now - self._pli_at < _PLI_PAUSE:
            return
        self._pli_at = now
        self.counters.plis += 1
        self._transport.send_rtcp(rtcp.PictureLossIndication(self._own_ssrc, self.ssrc).pack())

    def _look_again(self) -> None:
        self._nack = NackGenerator()
        self._given_up = 0
        if self._assembler is not None:
            self._assembler.reset()

    def _restart(self, ssrc: int) -> None:
        self.statistics = ReceiveStatistics(ssrc)
        self._clock = MediaClock()
        self._needs_key_frame = True
        self._look_again()
