"""One picture of a video, as NumPy array or as PyAV frame, whichever is asked for."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

from chime_messaging.errors import ConfigurationError

Picture = NDArray[np.uint8]
"""Height x width x 3, RGB."""
_CLOCK = Fraction(1, 90_000)


class VideoFrame:
    """One picture.

    Attributes:
        time: In seconds. Of frames that were received: when it was taken, in the event loop's time, so that what was
            taken at once has one time, whoever sent it. Of frames of a source: since the source began.
    """

    __slots__ = ("_picture", "time")

    def __init__(self, picture: av.VideoFrame, time: float = 0.0) -> None:
        self._picture = picture
        self.time = time

    @classmethod
    def from_rgb(cls, picture: Picture, time: float = 0.0) -> VideoFrame:
        """A frame of an array of height x width x 3.

        Raises:
            ConfigurationError: It has another shape or type, or an odd width or height.
        """
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
            raise ConfigurationError("picture", f"is {picture.dtype} {picture.shape}, not uint8 (height, width, 3)")
        if picture.shape[0] % 2 or picture.shape[1] % 2 or not picture.size:
            raise ConfigurationError("picture", f"is {picture.shape[1]}x{picture.shape[0]}; both have to be even")
        return cls(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24"), time)

    @property
    def width(self) -> int:
        """In pixels."""
        return self._picture.width

    @property
    def height(self) -> int:
        """In pixels."""
        return self._picture.height

    @property
    def rgb(self) -> Picture:
        """The picture as an array of height x width x 3; converted at each call."""
        return np.asarray(self._picture.to_ndarray(format="rgb24"), np.uint8)

    @property
    def picture(self) -> av.VideoFrame:
        """The picture as PyAV has it, mostly planar YUV 4:2:0."""
        return self._picture

    def planar(self) -> av.VideoFrame:
        """The picture in planar YUV 4:2:0, which encoders take; a new frame with `time` as its timestamp."""
        if self._picture.format.name == "yuv420p":
            planar = av.VideoFrame.from_ndarray(self._picture.to_ndarray(), format="yuv420p")
        else:
            planar = self._picture.reformat(format="yuv420p")
        planar.pts = round(self.time * 90_000)
        planar.time_base = _CLOCK
        return planar

    def scaled(self, width: int, height: int) -> VideoFrame:
        """The picture in another size, in planar YUV 4:2:0; the aspect ratio is the caller's affair."""
        if (width, height, "yuv420p") == (self.width, self.height, self._picture.format.name):
            return self
        return VideoFrame(self._picture.reformat(width=width, height=height, format="yuv420p"), self.time)

    def __repr__(self) -> str:
        return f"VideoFrame({self.width}x{self.height}, time={self.time:.3f})"
