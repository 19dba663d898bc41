"""How much of the own video is sent, by how many there are. Official name: NScaleVideoUplinkBandwidthPolicy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

IDEAL_KBPS = 1500
_TARGET_HEIGHTS = ((4, 540, 720), (8, 480, 540), (12, 360, 480), (16, 270, 360))
_LEAST_HEIGHTS = (180, 270)


@dataclass(frozen=True, slots=True)
class VideoEncoding:
    """What to send."""

    max_bitrate_kbps: int
    scale: float = 1.0
    """By which width and height are divided; at least 1."""


class UplinkPolicy(Protocol):
    """Decides. Official name: VideoUplinkBandwidthPolicy."""

    def encoding(self, publishers: int, width: int, height: int, *, priority: bool) -> VideoEncoding | None:
        """What to send of a picture of this size; None for nothing.

        Args:
            publishers: Attendees who send video, this one included if it does.
            width: In pixels; 0 if it is not known.
            height: In pixels.
            priority: Whether this attendee speaks.
        """


class NScale:
    """Sends less, the more send. Who speaks sends all.

    Args:
        ideal_kbps: What is sent when there is room. Official name: setVideoMaxBandwidthKbps.
        scales: Whether pictures are made smaller, too.
        high_resolution: Whether the meeting has the feature of 1080 lines or more.
    """

    def __init__(self, ideal_kbps: int = IDEAL_KBPS, *, scales: bool = True, high_resolution: bool = False) -> None:
        self.ideal_kbps = ideal_kbps
        self._scales = scales
        self._high_resolution = high_resolution

    def encoding(self, publishers: int, width: int, height: int, *, priority: bool) -> VideoEncoding:
        """What to send of a picture of this size."""
        if priority:
            return VideoEncoding(self.ideal_kbps)
        return VideoEncoding(self._bitrate(publishers), self._scale(publishers, width, height))

    def _bitrate(self, publishers: int) -> int:
        if publishers <= 2:
            return self.ideal_kbps
        if publishers <= 4:
            return int(self.ideal_kbps * 2 / 3)
        return int((544 / 11 + 14880 / (11 * publishers)) / 600 * self.ideal_kbps)

    def _scale(self, publishers: int, width: int, height: int) -> float:
        if not self._scales or publishers <= 2 or not width or not height:
            return 1.0
        heights = next((row[1:] for row in _TARGET_HEIGHTS if publishers <= row[0]), _LEAST_HEIGHTS)
        return max(min(width, height) / heights[self._high_resolution], 1.0)


class NoVideoUplink:
    """Sends nothing. Official name: NoVideoUplinkBandwidthPolicy."""

    def encoding(self, publishers: int, width: int, height: int, *, priority: bool) -> None:
        """Nothing."""
