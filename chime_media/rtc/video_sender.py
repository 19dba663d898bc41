"""The video that an attendee sends: from a source over an encoder to packets, which are sent again when lost."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Protocol

from chime_media.protocol import rtx
from chime_media.protocol.negotiated import Negotiated
from chime_media.protocol.rtp_history import RtpHistory
from chime_media.rtc.transport import MediaTransport
from chime_media.rtc.video_codecs import CODECS, CodecName, VideoEncoder
from chime_media.rtc.video_frame import VideoFrame
from chime_media.wire import rtcp, rtp
from chime_media.wire.sdp import ABSOLUTE_SEND_TIME, MID

_log = logging.getLogger(__name__)
_CLOCK = 90_000
_BURST, _PAUSE = 12, 0.004
_KEPT_SECONDS = 1.5
_REFRESH = 1.0
_KEY_FRAME_PAUSE = 0.25
_NTP_EPOCH = 2_208_988_800
_MOST_REPEATS = 200


class PictureSource(Protocol):
    """Where pictures come from, as `chime_media.devices.sources.VideoSource` says it."""

    @property
    def frame_rate(self) -> float:
        """How often `read` is to be called, per second."""

    def read(self, elapsed: float) -> VideoFrame | None:
        """The picture of that time, None if it is still the one before; raises at the end."""


@dataclass(slots=True)
class VideoSendCounters:
    """What was sent since the sender was made."""

    frames: int = 0
    key_frames: int = 0
    packets: int = 0
    octets: int = 0
    repeated: int = 0
    """Packets sent again."""
    not_repeated: int = 0
    """Packets that were asked for too late."""
    skipped: int = 0
    """Pictures left out as encoding the one before took too long."""
    plis: int = 0
    nacks: int = 0
    fraction_lost: float = 0.0
    """As the receiver last reported."""
    round_trip: float | None = None
    """In seconds, from the latest report."""
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class _Encoded:
    time: float
    payloads: list[bytes]
    key_frame: bool
    width: int
    height: int


class VideoSender:
    """Sends one video in the camera section.

    What is read and encoded is so on a thread; while that is busy no picture waits for it, so the newest always wins.

    Args:
        transport: What it goes out on.
        cname: The canonical name of all that is sent.
        executor: Where to read and encode.
        max_bitrate: In bit/s; the receiver may ask for less.
    """

    def __init__(
        self, transport: MediaTransport, cname: str, executor: Executor, *, max_bitrate: int = 1_500_000
    ) -> None:
        self.ssrc = secrets.randbelow(0xFFFFFFFE) + 1
        self.rtx_ssrc = secrets.randbelow(0xFFFFFFFE) + 1
        self.counters = VideoSendCounters()
        self.max_bitrate = max_bitrate
        self.scale = 1.0
        """By which the width and height of pictures are divided before they are sent."""
        self._transport = transport
        self._cname = cname
        self._executor = executor
        self._loop = asyncio.get_running_loop()
        self._limit: int | None = None
        self._number = secrets.randbelow(0x8000)
        self._rtx_number = secrets.randbelow(0x8000)
        self._timestamp_base = secrets.randbelow(1 << 32)
        self._begin = self._loop.time()
        self._history: RtpHistory[tuple[int, bool, bytes]] = RtpHistory(_KEPT_SECONDS)
        self._payload_type: int | None = None
        self._rtx_type: int | None = None
        self._extension_ids: dict[str, int] = {}
        self._mid = b""
        self._encoder: VideoEncoder | None = None
        self._source: PictureSource | None = None
        self._on_ended: Callable[[Exception], None] | None = None
        self._epoch = 0.0
        self._last: VideoFrame | None = None
        self._last_sent = 0.0
        self._job: asyncio.Future[_Encoded | None] | None = None
        self._key_frame_wanted = True
        self._key_frame_at = -1.0
        self._timer: asyncio.Handle | None = None
        self._outgoing: deque[bytes] = deque()
        self._pacing: asyncio.TimerHandle | None = None
        self._reported_at = 0.0
        self._paused = False

    @property
    def codec(self) -> CodecName | None:
        """What is encoded, None before it was agreed on."""
        return self._encoder.codec if self._encoder is not None else None

    @property
    def source(self) -> PictureSource | None:
        """What is sent, None while nothing is."""
        return self._source

    @property
    def sending(self) -> bool:
        """Whether there are a source and an agreement."""
        return self._source is not None and self._payload_type is not None

    @property
    def bitrate(self) -> int:
        """What is aimed at, in bit/s."""
        return self.max_bitrate if self._limit is None else min(self.max_bitrate, self._limit)

    def settle(self, section: Negotiated | None) -> None:
        """Take what was agreed for the camera section; None or a section that takes nothing stops the packets."""
        chosen = _choose(section) if section is not None and section.sends else None
        if section is None or chosen is None:
            if section is not None and section.sends:
                _log.warning("The other side takes none of %s", ", ".join(CODECS))
            self._payload_type = None
            return
        name, self._payload_type = chosen
        self._rtx_type = next((kind for kind, of in section.rtx.items() if of == self._payload_type), None)
        self._extension_ids = section.extensions
        self._mid = section.mid.encode()
        if self._encoder is None or self._encoder.codec != name:
            self._encoder = VideoEncoder(name, self.bitrate)
        self._key_frame_wanted = True
        self._schedule()

    def start(self, source: PictureSource, on_ended: Callable[[Exception], None], epoch: float | None = None) -> None:
        """Send the pictures of a source instead of what was sent before.

        Args:
            source: It stays the caller's, who closes it.
            on_ended: Called with what the source raised when it is over; it is not read any more.
            epoch: When the source began, in the loop's time; now if not said.
        """
        self._source, self._on_ended, self._last = source, on_ended, None
        self._epoch = self._loop.time() if epoch is None else epoch
        self._key_frame_wanted = True
        self._schedule()

    def hold(self) -> None:
        """Send no more; the source may still be read once."""
        self._source = self._last = self._on_ended = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def stop(self) -> None:
        """Send no more; returns when the source is not being read any more."""
        self.hold()
        if self._job is not None:
            await asyncio.wait([self._job])

    def set_max_bitrate(self, bitrate: int) -> None:
        """Aim at no more than `bitrate` bit/s."""
        self.max_bitrate = bitrate

    def request_key_frame(self) -> None:
        """Make the next picture a key frame."""
        self._key_frame_wanted = True

    def rtcp_received(self, packet: rtcp.RtcpPacket, arrival: float) -> None:
        """Take what a receiver says of what we send."""
        match packet:
            case rtcp.PictureLossIndication(media_ssrc=self.ssrc):
                self._asked_for_key_frame()
            case rtcp.FullIntraRequest(requests=requests) if self.ssrc in dict(requests):
                self._asked_for_key_frame()
            case rtcp.GenericNack(media_ssrc=self.ssrc, lost=lost):
                self._repeat(lost)
            case rtcp.ReceiverEstimatedMaximumBitrate(ssrcs=ssrcs) if not ssrcs or self.ssrc in ssrcs:
                self._limit = packet.bitrate
            case rtcp.SenderReport(reports=reports) | rtcp.ReceiverReport(reports=reports):
                for block in reports:
                    if block.ssrc == self.ssrc:
                        self._reported(block)
            case _:
                pass

    def report(self, now: float) -> list[rtcp.RtcpPacket]:
        """The sender report of the moment, none while nothing is sent."""
        if not self.sending or not self.counters.packets:
            return []
        wall = time.time() + _NTP_EPOCH
        ntp = int(wall) << 32 | int(wall % 1 * (1 << 32))
        return [
            rtcp.SenderReport(
                self.ssrc, ntp, self._timestamp(now), self.counters.packets & 0xFFFFFFFF, self.counters.octets
            ),
            rtcp.SourceDescription(self.ssrc, self._cname),
        ]

    def close(self) -> None:
        """End without waiting for what is being encoded."""
        self.hold()
        self._payload_type = None
        if self._pacing is not None:
            self._pacing.cancel()
            self._pacing = None
        self._outgoing.clear()

    def _schedule(self) -> None:
        if self.sending and self._timer is None:
            self._timer = self._loop.call_soon(self._tick)

    def _tick(self) -> None:
        self._timer = None
        source, encoder = self._source, self._encoder
        if source is None or encoder is None or self._payload_type is None:
            return
        now = self._loop.time()
        interval = 1 / max(1.0, min(60.0, source.frame_rate))
        elapsed = now - self._epoch
        # The next place on the source's grid, so that late ticks add up to nothing.
        self._timer = self._loop.call_at(self._epoch + (int(elapsed / interval + 0.5) + 1) * interval, self._tick)
        if self._job is not None:
            self.counters.skipped += 1
            return
        if not self._transport.connected:
            return
        key_frame = self._key_frame_wanted and now - self._key_frame_at >= _KEY_FRAME_PAUSE
        if key_frame:
            self._key_frame_wanted = False
            self._key_frame_at = now
        refresh = key_frame or now - self._last_sent > _REFRESH
        self._job = self._loop.run_in_executor(
            self._executor, self._produce, source, encoder, max(0.0, elapsed), key_frame, refresh, self.bitrate
        )
        self._job.add_done_callback(lambda job: self._produced(job, source))

    def _produce(
        self,
        source: PictureSource,
        encoder: VideoEncoder,
        elapsed: float,
        key_frame: bool,
        refresh: bool,
        bitrate: int,
    ) -> _Encoded | None:
        frame = source.read(elapsed)
        if frame is None:
            if self._last is None or not refresh:
                return None
            frame = self._last
        self._last = frame
        scale = self.scale
        if scale > 1:
            frame = frame.scaled(max(2, int(frame.width / scale) & ~1), max(2, int(frame.height / scale) & ~1))
        if abs(bitrate - encoder.bitrate) > 0.15 * encoder.bitrate:
            encoder.set_bitrate(bitrate)
        payloads = encoder.encode(VideoFrame(frame.picture, elapsed), key_frame=key_frame)
        return _Encoded(elapsed, payloads, key_frame, frame.width, frame.height)

    def _produced(self, job: asyncio.Future[_Encoded | None], source: PictureSource) -> None:
        self._job = None
        if job.cancelled() or self._source is not source:
            job.cancelled() or job.exception()
            return
        problem = job.exception()
        if problem is not None:
            on_ended, self._source, self._last = self._on_ended, None, None
            if on_ended is not None:
                on_ended(problem if isinstance(problem, Exception) else RuntimeError(repr(problem)))
            return
        encoded = job.result()
        if encoded is None:
            if self._last is None:
                self._key_frame_wanted, self._key_frame_at = True, -1.0
            return
        if encoded.payloads and self._payload_type is not None:
            self._send(encoded)

    def _send(self, encoded: _Encoded) -> None:
        payload_type, now = self._payload_type, self._loop.time()
        assert payload_type is not None
        timestamp = self._timestamp(self._epoch + encoded.time)
        extensions = self._extensions(now)
        counters, last = self.counters, len(encoded.payloads) - 1
        for place, payload in enumerate(encoded.payloads):
            number = self._number = (self._number + 1) & 0xFFFF
            marker = place == last
            self._history.add(number, (timestamp, marker, payload), now)
            self._outgoing.append(
                rtp.build(
                    payload_type=payload_type,
                    sequence_number=number,
                    timestamp=timestamp,
                    ssrc=self.ssrc,
                    payload=payload,
                    marker=marker,
                    extensions=extensions,
                )
            )
            counters.octets += len(payload)
        counters.packets += last + 1
        counters.frames += 1
        counters.key_frames += encoded.key_frame
        counters.width, counters.height = encoded.width, encoded.height
        self._last_sent = now
        if self._pacing is None:
            self._pump()

    def _pump(self) -> None:
        self._pacing = None
        for _ in range(min(_BURST, len(self._outgoing))):
            self._transport.send_rtp(self._outgoing.popleft())
        if self._outgoing:
            self._pacing = self._loop.call_later(_PAUSE, self._pump)

    def _extensions(self, now: float) -> dict[int, bytes]:
        ids, found = self._extension_ids, dict[int, bytes]()
        if MID in ids:
            found[ids[MID]] = self._mid
        if ABSOLUTE_SEND_TIME in ids:
            found[ids[ABSOLUTE_SEND_TIME]] = (int(now * (1 << 18)) & 0xFFFFFF).to_bytes(3, "big")
        return found

    def _timestamp(self, at: float) -> int:
        return (self._timestamp_base + int((at - self._begin) * _CLOCK)) & 0xFFFFFFFF

    def _asked_for_key_frame(self) -> None:
        self.counters.plis += 1
        self._key_frame_wanted = True

    def _repeat(self, lost: tuple[int, ...]) -> None:
        self.counters.nacks += 1
        for number in lost[:_MOST_REPEATS]:
            kept = self._history.get(number)
            if kept is None or self._payload_type is None:
                self.counters.not_repeated += 1
                continue
            timestamp, marker, payload = kept
            self.counters.repeated += 1
            self._outgoing.append(self._again(number, timestamp, marker, payload))
        if self._outgoing and self._pacing is None:
            self._pump()

    def _again(self, number: int, timestamp: int, marker: bool, payload: bytes) -> bytes:
        if self._rtx_type is None:
            assert self._payload_type is not None
            return rtp.build(
                payload_type=self._payload_type,
                sequence_number=number,
                timestamp=timestamp,
                ssrc=self.ssrc,
                payload=payload,
                marker=marker,
            )
        self._rtx_number = (self._rtx_number + 1) & 0xFFFF
        return rtx.wrap(
            payload,
            number,
            marker=marker,
            timestamp=timestamp,
            ssrc=self.rtx_ssrc,
            payload_type=self._rtx_type,
            sequence_number=self._rtx_number,
        )

    def _reported(self, block: rtcp.ReportBlock) -> None:
        self.counters.fraction_lost = block.fraction_lost / 256
        if block.last_sender_report:
            wall = time.time() + _NTP_EPOCH
            middle = int(wall * 65536) & 0xFFFFFFFF
            passed = (middle - block.last_sender_report - block.delay_since_sender_report) & 0xFFFFFFFF
            if passed < 60 * 65536:
                self.counters.round_trip = passed / 65536


def _choose(section: Negotiated) -> tuple[CodecName, int] | None:
    """The first codec of a section that we can encode, in the order of the answer."""
    for payload_type, codec in section.codecs.items():
        for name in CODECS:
            if codec.name.upper() == name:
                return name, payload_type
    return None
