"""Pictures to send: a test card, what the application pushes, or what a function draws."""

from __future__ import annotations

import threading
from collections.abc import Callable

import av
import numpy as np

from chime_media.devices.sources import SourceEnded
from chime_media.rtc.video_frame import Picture, VideoFrame
from chime_messaging.errors import ConfigurationError

_BAR_SECONDS = 2.0
_BAR_PARTS = 16


class TestCard:
    """One colour, by which it can be told who is seen, and a bright bar that moves, by which that it is no still.

    Args:
        colour: Red, green and blue, 0 to 255.
        width: In pixels, even.
        height: In pixels, even.
        frame_rate: Per second.
    """

    __test__ = False

    def __init__(
        self, colour: tuple[int, int, int] = (30, 120, 200), width: int = 640, height: int = 360, frame_rate: float = 15
    ) -> None:
        check_size(width, height, frame_rate)
        self.colour = colour
        self.width = width
        self.height = height
        self.frame_rate = frame_rate
        card = np.empty((height, width, 3), np.uint8)
        card[:] = colour
        planar = av.VideoFrame.from_ndarray(card, format="rgb24").reformat(format="yuv420p")
        self._planes = planar.to_ndarray()

    def read(self, elapsed: float) -> VideoFrame:
        """The card with its bar where it is after `elapsed` seconds: once across in 2 s."""
        planes = self._planes.copy()
        bar = max(2, self.width // _BAR_PARTS)
        left = int(elapsed % _BAR_SECONDS / _BAR_SECONDS * (self.width - bar))
        planes[: self.height, left : left + bar] = np.where(planes[0, 0] < 128, 235, 16)
        return VideoFrame(av.VideoFrame.from_ndarray(planes, format="yuv420p"), elapsed)

    def close(self) -> None:
        """Nothing to let go of."""


class DrawnVideo:
    """Pictures that a function draws, on a thread, when they are needed.

    Args:
        draw: Takes the seconds since the beginning; answers an RGB array, or None to leave the picture as it is.
        width: In pixels, even.
        height: In pixels, even.
        frame_rate: Per second.
    """

    def __init__(
        self, draw: Callable[[float], Picture | None], width: int, height: int, frame_rate: float = 15
    ) -> None:
        check_size(width, height, frame_rate)
        self._draw = draw
        self.width = width
        self.height = height
        self.frame_rate = frame_rate

    def read(self, elapsed: float) -> VideoFrame | None:
        """What the function draws; its errors end the source."""
        try:
            picture = self._draw(elapsed)
            return None if picture is None else VideoFrame.from_rgb(picture, elapsed)
        except Exception as error:
            raise SourceEnded(error) from error

    def close(self) -> None:
        """Nothing to let go of."""


class FrameSource:
    """Pictures that the application pushes as it has them; only the newest counts.

    Args:
        width: In pixels, even; of most pictures.
        height: In pixels, even.
        frame_rate: At most so many are sent per second.
    """

    def __init__(self, width: int, height: int, frame_rate: float = 30) -> None:
        check_size(width, height, frame_rate)
        self.width = width
        self.height = height
        self.frame_rate = frame_rate
        self.replaced = 0
        """Pictures that were never sent as newer ones came."""
        self._lock = threading.Lock()
        self._newest: VideoFrame | None = None
        self._ended = False

    def push(self, picture: Picture | VideoFrame) -> None:
        """Show a picture from now on. From any thread.

        Raises:
            ConfigurationError: It is no RGB picture of even width and height.
        """
        frame = picture if isinstance(picture, VideoFrame) else VideoFrame.from_rgb(picture.copy())
        with self._lock:
            self.replaced += self._newest is not None
            self._newest = frame

    def end(self) -> None:
        """There is no more."""
        self._ended = True

    def read(self, elapsed: float) -> VideoFrame | None:
        """The newest picture if it was not read yet.

        Raises:
            SourceEnded: `end` was called.
        """
        with self._lock:
            frame, self._newest = self._newest, None
        if frame is None:
            if self._ended:
                raise SourceEnded
            return None
        return VideoFrame(frame.picture, elapsed)

    def close(self) -> None:
        """Take no more."""
        self._ended = True


def check_size(width: int, height: int, frame_rate: float) -> None:
    """Raise a ConfigurationError if there can be no such video."""
    if width < 16 or height < 16 or width % 2 or height % 2:
        raise ConfigurationError("size", f"{width}x{height}; both have to be even and 16 at least")
    if not 0 < frame_rate <= 60:
        raise ConfigurationError("frame_rate", f"{frame_rate} is not between 0 and 60")
