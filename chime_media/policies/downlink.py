"""Which of the videos that others send are received, and which must wait for bandwidth."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from chime_messaging.meeting_events import VideoSource


@dataclass(frozen=True, slots=True)
class DownlinkMeasurement:
    """What one second told of the way in."""

    available_kbps: float
    """What it seems to carry; 0 if nothing is known."""
    used_kbps: float
    """What videos took of it."""
    packets_lost: int
    """Of videos, in this second."""


@dataclass(frozen=True, slots=True)
class DownlinkChoice:
    """What is to be received."""

    streams: tuple[VideoSource, ...]
    """One of each group at most; those of `paused` too that were received before, so that they come back at once."""
    paused: frozenset[str] = frozenset()
    """Attendees for whose video there is no bandwidth."""


@runtime_checkable
class DownlinkPolicy(Protocol):
    """Chooses. Official name: VideoDownlinkBandwidthPolicy."""

    def choose(
        self, sources: Sequence[VideoSource], now: float, *, paused: Collection[str] = frozenset()
    ) -> DownlinkChoice:
        """Choose from the streams of others; called when these change and once a second.

        Args:
            sources: All streams, those of one group being qualities of one video.
            now: Seconds that never go back.
            paused: Attendees whose video the application has paused.
        """

    def measured(self, measurement: DownlinkMeasurement) -> None:
        """Take what a second told."""


class AllHighest:
    """Receives the best quality of every video, or of those that were chosen, whatever the bandwidth.

    Official name: AllHighestVideoBandwidthPolicy.

    Args:
        choice: Attendees to receive, or a function that picks streams; None for all.
    """

    def __init__(
        self, choice: Callable[[tuple[VideoSource, ...]], Iterable[VideoSource]] | Collection[str] | None = None
    ) -> None:
        self._choice = choice

    def choose_remote_video_sources(self, attendees: Collection[str] | None) -> None:
        """Receive these attendees from the next choice on; None for all. Official name: chooseRemoteVideoSources."""
        self._choice = attendees

    def choose(
        self, sources: Sequence[VideoSource], now: float, *, paused: Collection[str] = frozenset()
    ) -> DownlinkChoice:
        """Choose the best of each group."""
        del now, paused
        return DownlinkChoice(tuple(best_of_each_group(self._wanted(tuple(sources)))))

    def measured(self, measurement: DownlinkMeasurement) -> None:
        """It makes no difference."""

    def _wanted(self, sources: tuple[VideoSource, ...]) -> Iterable[VideoSource]:
        if self._choice is None:
            return sources
        if callable(self._choice):
            return self._choice(sources)
        attendees = frozenset(self._choice)
        return [source for source in sources if source.attendee_id in attendees]


class NoVideo:
    """Receives nothing. Official name: NoVideoDownlinkBandwidthPolicy."""

    def choose(
        self, sources: Sequence[VideoSource], now: float, *, paused: Collection[str] = frozenset()
    ) -> DownlinkChoice:
        """Choose nothing."""
        del sources, now, paused
        return DownlinkChoice(())

    def measured(self, measurement: DownlinkMeasurement) -> None:
        """It makes no difference."""


def best_of_each_group(sources: Iterable[VideoSource]) -> list[VideoSource]:
    """Of each group the stream with the highest rate."""
    best: dict[int, VideoSource] = {}
    for source in sources:
        known = best.get(source.group_id)
        if known is None or source.max_bitrate_kbps > known.max_bitrate_kbps:
            best[source.group_id] = source
    return list(best.values())
