"""VP8 and H.264: pictures to RTP payloads and back. Slow calls, which belong on a thread; they release the interpreter.

The codecs are aiortc's. What is added: bit rates outside of the range that it allows, no new encoder (and with it a key
frame) for each little change of the rate, and errors of one kind.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Final, Literal

import av
from aiortc.codecs import h264, vpx
from aiortc.jitterbuffer import JitterFrame
from av.error import FFmpegError
from av.video.frame import PictureType

from chime_media.rtc.video_frame import VideoFrame
from chime_messaging.errors import ConfigurationError, DecodeError

CodecName = Literal["VP8", "H264"]
CODECS: Final[tuple[CodecName, ...]] = ("VP8", "H264")
"""What this library encodes and decodes; it forwards more."""
_LEAST_BITRATE, _MOST_BITRATE = 100_000, 6_000_000
_LEVEL_3_1_PIXELS: Final = 3600 * 256
_CLOCK_RATE: Final = 90_000
_LONGEST_STEP, _USUAL_STEP = 1.0, 1 / 30
_H264_CLOCK = Fraction(1, 30)


class VideoEncoder:
    """Turns pictures into the payloads of RTP packets.

    Args:
        codec: "VP8" or "H264" (constrained baseline).
        bitrate: In bit/s.

    Raises:
        ConfigurationError: There is no such encoder.
    """

    def __init__(self, codec: CodecName, bitrate: int = 1_200_000) -> None:
        if codec not in CODECS:
            raise ConfigurationError("codec", f"{codec!r} cannot be encoded; one of {', '.join(CODECS)} can")
        self.codec: CodecName = codec
        self._encoder: vpx.Vp8Encoder | h264.H264Encoder = _Vp8Encoder() if codec == "VP8" else _H264Encoder()
        self._number = 0
        self._ticks = 0
        self._time = 0.0
        self._bitrate = 0
        self.set_bitrate(bitrate)

    @property
    def bitrate(self) -> int:
        """What is aimed at, in bit/s."""
        return self._bitrate

    def set_bitrate(self, bitrate: int) -> None:
        """Aim at another rate in bit/s. Less than a tenth of a difference has no effect."""
        self._bitrate = max(_LEAST_BITRATE, min(bitrate, _MOST_BITRATE))
        self._encoder.target_bitrate = self._bitrate

    def encode(self, frame: VideoFrame, *, key_frame: bool = False) -> list[bytes]:
        """The payloads of one picture, none if the encoder left it out to save bits.

        Raises:
            ConfigurationError: The encoder cannot take such pictures.
        """
        if self.codec == "H264" and frame.width * frame.height > _LEVEL_3_1_PIXELS:
            # Receivers have agreed to level 3.1, which ends at 1280x720.
            width = frame.width * 720 // max(frame.height, frame.width * 9 // 16) // 2 * 2
            frame = frame.scaled(width, width * frame.height // frame.width // 2 * 2)
        picture = frame.planar()
        picture.pict_type = PictureType.NONE
        if self.codec == "H264":
            picture.pts, picture.time_base = self._number, _H264_CLOCK
        else:
            picture.pts = self._later(frame.time)
        self._number += 1
        try:
            payloads, _ = self._encoder.encode(picture, force_keyframe=key_frame)
        except (FFmpegError, ValueError) as error:
            raise ConfigurationError("video", f"{frame.width}x{frame.height} as {self.codec}: {error}") from error
        return payloads

    def _later(self, time: float) -> int:
        """A time behind the one before, whatever the source's: another one begins anew, which libvpx does not take."""
        step, self._time = time - self._time, time
        self._ticks += max(1, round((step if 0 < step < _LONGEST_STEP else _USUAL_STEP) * _CLOCK_RATE))
        return self._ticks


class VideoDecoder:
    """Turns the payloads of RTP packets into pictures.

    Args:
        codec: "VP8" or "H264".

    Raises:
        ConfigurationError: There is no such decoder.
    """

    def __init__(self, codec: str) -> None:
        if codec == "VP8":
            self._decoder: vpx.Vp8Decoder | h264.H264Decoder = vpx.Vp8Decoder()
            self._depayload = vpx.vp8_depayload
        elif codec == "H264":
            self._decoder = h264.H264Decoder()
            self._decoder.codec.thread_count = 1  # Threads would hold pictures back.
            self._depayload = h264.h264_depayload
        else:
            raise ConfigurationError("codec", f"{codec!r} cannot be decoded; one of {', '.join(CODECS)} can")
        self.codec = codec

    def decode(self, payloads: Iterable[bytes], time: float) -> list[VideoFrame]:
        """The picture of all packets of one frame, mostly one.

        Raises:
            DecodeError: The decoder cannot make a picture of it; it needs a key frame.
        """
        try:
            data = b"".join(map(self._depayload, payloads))
            pictures = self._decoder.decode(JitterFrame(data, 0))
        except (FFmpegError, ValueError, IndexError) as error:
            raise DecodeError(f"{self.codec}: {error}") from error
        return [VideoFrame(picture, time) for picture in pictures if isinstance(picture, av.VideoFrame)]


class _Vp8Encoder(vpx.Vp8Encoder):
    """aiortc's without its limits to the bit rate."""

    _rate = 0

    @property
    def target_bitrate(self) -> int:
        return self._rate

    @target_bitrate.setter
    def target_bitrate(self, bitrate: int) -> None:
        self._rate = bitrate


class _H264Encoder(h264.H264Encoder):
    """aiortc's without its limits to the bit rate."""

    _rate = 0

    @property
    def target_bitrate(self) -> int:
        return self._rate

    @target_bitrate.setter
    def target_bitrate(self, bitrate: int) -> None:
        self._rate = bitrate
