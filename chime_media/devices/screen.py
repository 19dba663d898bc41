"""The screen of this machine, through the package mss."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Protocol, cast

import av
import numpy as np
import numpy.typing as npt

from chime_media.devices.sources import SourceEnded
from chime_media.devices.video_sources import check_size
from chime_media.rtc.video_frame import VideoFrame
from chime_messaging.errors import ConfigurationError


class Grabber(Protocol):
    """Takes pictures of a screen, on the thread that made it."""

    def grab(self) -> npt.NDArray[np.uint8]:
        """Height x width x 4: blue, green, red and something."""

    def close(self) -> None:
        """Let go of the screen."""


class Screen:
    """What a screen shows.

    Args:
        monitor: Its number, from 1; 0 for all together.
        width: Scale to at most this width in pixels.
        frame_rate: Per second; the official default.
        grabber: How to take pictures, for other systems.

    Raises:
        ConfigurationError: mss is not installed, or there is no such screen.
    """

    def __init__(
        self,
        monitor: int = 1,
        *,
        width: int = 1920,
        frame_rate: float = 15,
        grabber: Callable[[], Grabber] | None = None,
    ) -> None:
        self._open = grabber or (lambda: _MssGrabber(monitor))
        probe = self._open()
        try:
            first = probe.grab()
        finally:
            probe.close()
        scale = min(1.0, width / first.shape[1])
        self.width = int(first.shape[1] * scale) // 2 * 2
        self.height = int(first.shape[0] * scale) // 2 * 2
        self.frame_rate = frame_rate
        check_size(self.width, self.height, frame_rate)
        self._grabber: Grabber | None = None
        self._closed = False

    def read(self, elapsed: float) -> VideoFrame:
        """The screen as it is now.

        Raises:
            SourceEnded: It cannot be seen any more.
        """
        if self._closed:
            raise SourceEnded
        try:
            # Made here, as some systems let only one thread use a connection to the screen.
            self._grabber = self._grabber or self._open()
            picture = self._grabber.grab()
        except Exception as error:
            raise SourceEnded(error) from error
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="bgra")
        return VideoFrame(frame, elapsed).scaled(self.width, self.height)

    def close(self) -> None:
        """Take no more pictures."""
        self._closed = True
        grabber, self._grabber = self._grabber, None
        if grabber is not None:
            grabber.close()


class _MssGrabber:
    def __init__(self, monitor: int) -> None:
        try:
            mss: Any = importlib.import_module("mss")
        except ImportError as error:
            raise ConfigurationError(
                "mss", "is needed to see the screen: pip install 'chime-messaging[screen]'"
            ) from error
        try:
            self._mss = mss.mss()
            self._monitor = self._mss.monitors[monitor]
        except IndexError as error:
            raise ConfigurationError("monitor", f"there is no screen {monitor}") from error
        except mss.ScreenShotError as error:
            raise ConfigurationError("monitor", f"no screen can be seen: {error}") from error

    def grab(self) -> npt.NDArray[np.uint8]:
        return cast("npt.NDArray[np.uint8]", np.asarray(self._mss.grab(self._monitor), np.uint8))

    def close(self) -> None:
        self._mss.close()
