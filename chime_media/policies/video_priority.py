"""Receives the videos that matter most in the quality that the bandwidth allows.

Official name: VideoPriorityBasedPolicy. This is the client's part of it: the service is not asked to adapt anything.
All numbers are those of the official client.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chime_media.policies.downlink import DownlinkChoice, DownlinkMeasurement
from chime_media.policies.receive_rate import ReceiveRate
from chime_messaging.meeting_events import VideoSource

LEAST_INTERVAL = 2.0
"""Seconds between two choices, unless others send than before."""
SMALL_CHANGE = 0.15
"""Part of the target rate by which it must have moved for another choice; twice that below `LOW_RATE_KBPS`."""
LOW_RATE_KBPS = 300.0
PROBE_AFTER = 5.0
"""Seconds without a better choice until one is tried all the same; doubled with each try, up to `PROBE_AFTER_MOST`."""
PROBE_AFTER_MOST = 30.0
PROBE_LASTS = 60.0
SPURIOUS_LOSS = 2
"""Packets a second that may be lost while trying."""
_CONTENT = "#content"


class TargetSize(enum.IntEnum):
    """How large a video is shown, as the most kbit/s that are of use for it. Official name: TargetDisplaySize."""

    LOW = 300
    MEDIUM = 600
    HIGH = 1500
    MAXIMUM = 10_000


class Degradation(enum.Enum):
    """What is given up first of a video with several qualities. Official name: VideoQualityAdaptationPreference."""

    BALANCED = "balanced"
    MAINTAIN_FRAMERATE = "maintain framerate"
    MAINTAIN_RESOLUTION = "maintain resolution"


@dataclass(frozen=True, slots=True)
class VideoPreference:
    """How much somebody's video matters. Official name: VideoPreference."""

    attendee_id: str
    priority: int = 1
    """1 matters most."""
    target_size: TargetSize = TargetSize.MAXIMUM
    degradation: Degradation = Degradation.BALANCED


class VideoPriorityBased:
    """Serves the highest priority first: each of its videos in the lowest quality, then better ones while they fit.

    What does not fit is paused. If not everything of the highest priority is served, others get nothing.

    Args:
        preferences: Whose video matters how much; empty for nobody's. None: everybody's, and the more there are, the
            smaller.
    """

    def __init__(self, preferences: Iterable[VideoPreference] | None = None) -> None:
        self._preferences = _sorted(preferences)
        self._rate = ReceiveRate()
        self._probe = _Probe()
        self._known: frozenset[tuple[int, int, int]] | None = None
        self._chosen: tuple[VideoSource, ...] = ()
        """What was affordable."""
        self._last = DownlinkChoice(())
        self._chosen_at = float("-inf")
        self._interval = LEAST_INTERVAL
        self._baseline: float | None = None
        self._target = 0.0

    def prefer(self, preferences: Iterable[VideoPreference] | None) -> None:
        """Have other preferences from the next choice on. Official name: chooseRemoteVideoSources."""
        self._preferences = _sorted(preferences)
        self._known = None

    def measured(self, measurement: DownlinkMeasurement) -> None:
        """Take what a second told."""
        self._rate.measured(measurement)

    def choose(
        self, sources: Sequence[VideoSource], now: float, *, paused: Collection[str] = frozenset()
    ) -> DownlinkChoice:
        """Choose by priority and bandwidth."""
        preferences = default_preferences(sources) if self._preferences is None else self._preferences
        wanted = {preference.attendee_id: preference for preference in preferences}
        # What the application has paused is left as it is, and costs nothing.
        known = {each.stream_id: each for each in sources}
        last = [known[each.stream_id] for each in self._last.streams if each.stream_id in known]
        kept = [each for each in last if each.attendee_id in paused]
        streams = [_measured(each) for each in sources if each.attendee_id in wanted and each.attendee_id not in paused]
        if not streams:
            self._known = None
            return self._remember((), DownlinkChoice(tuple(kept)), now)
        is_same = not self._is_news(streams)
        is_steady = is_same and not self._rate.starting
        if is_steady and now - self._chosen_at < self._interval:
            return self._last
        if is_steady:
            self._interval = LEAST_INTERVAL
        streams.sort(key=lambda each: (each.max_bitrate_kbps, each.stream_id))
        before, self._target = self._target, self._rate.target(now, probing=self._probe.since is not None)
        target = self._target
        filling = _Filling(target, _reasonable(streams, wanted))
        filling.fill(preferences)
        if is_same and not self._rate.starting:
            chosen = self._dampened(filling, before, now)
        else:
            self._probe.stop()
            chosen = filling.chosen
        if chosen is None:
            return self._last
        return self._remember(tuple(chosen), _with_paused(chosen, kept, streams, last, known), now)

    def _remember(self, chosen: tuple[VideoSource, ...], choice: DownlinkChoice, now: float) -> DownlinkChoice:
        if _ids(choice.streams) != _ids(self._last.streams):
            self._chosen_at = now
        self._chosen, self._last = chosen, choice
        return choice

    def _is_news(self, streams: Sequence[VideoSource]) -> bool:
        known, self._known = self._known, frozenset((s.group_id, s.stream_id, s.max_bitrate_kbps) for s in streams)
        return known != self._known

    def _dampened(self, filling: _Filling, before: float, now: float) -> list[VideoSource] | None:
        """Leave things as they are while the rate has hardly moved, and try more after a while. None: as they are."""
        target, same = self._target, _ids(filling.chosen) == _ids(self._chosen)
        if self._probe.since is not None:
            return self._probed(filling, target, same, now)
        if filling.next_upgrade is None:
            return filling.chosen
        part = SMALL_CHANGE if target > LOW_RATE_KBPS else 2 * SMALL_CHANGE
        baseline = before if self._baseline is None else self._baseline
        stays = not same and abs(target - baseline) < target * part
        if not stays:
            self._baseline = target
        if self._rate.loss_rises:
            self._probe.stop()
            return None if stays else filling.chosen
        if not same and not stays:
            self._probe.stop()
            return filling.chosen
        if self._probe.may_begin(now):
            self._probe.begin(self._chosen, now)
            filling.upgrade(filling.next_upgrade)
            return filling.chosen
        return None if stays else filling.chosen

    def _probed(self, filling: _Filling, target: float, same: bool, now: float) -> list[VideoSource] | None:
        if self._probe.since is not None and now - self._probe.since > PROBE_LASTS:
            self._probe.stop()
            return filling.chosen
        if self._rate.packets_lost > SPURIOUS_LOSS:
            before = list(self._probe.before)
            self._probe.stop()
            self._interval = 3 * LEAST_INTERVAL
            self._chosen_at = now
            return before
        if same or target > sum(each.max_bitrate_kbps for each in self._chosen):
            self._probe.succeeded()
            return filling.chosen
        return None


class _Filling:
    """Fills the rate with streams, the ones with the lowest rate first."""

    def __init__(self, target: float, streams: Sequence[VideoSource]) -> None:
        self.chosen: list[VideoSource] = []
        self.next_upgrade: VideoSource | None = None
        """What would come next, if there were more room."""
        self._target = target
        self._streams = streams
        self._total = 0.0

    def fill(self, preferences: Sequence[VideoPreference]) -> None:
        """Serve one priority after another."""
        priorities = sorted({preference.priority for preference in preferences})
        for priority in priorities:
            level = [preference for preference in preferences if preference.priority == priority]
            for preference in level:
                for stream in self._of(preference):
                    self._add(stream)
            for preference in level:
                for stream in self._of(preference):
                    self._raise(stream, preference)
            if priority == priorities[0] and self.next_upgrade is not None:
                return

    def upgrade(self, stream: VideoSource) -> None:
        """Take a stream, whatever the rate."""
        self.chosen = [each for each in self.chosen if each.group_id != stream.group_id] + [stream]

    def _of(self, preference: VideoPreference) -> list[VideoSource]:
        return [stream for stream in self._streams if stream.attendee_id == preference.attendee_id]

    def _add(self, stream: VideoSource) -> None:
        if any(each.group_id == stream.group_id for each in self.chosen):
            return
        if self._total + _kbps(stream) <= self._target:
            self.chosen.append(stream)
            self._total += _kbps(stream)
        elif self.next_upgrade is None:
            self.next_upgrade = stream

    def _raise(self, stream: VideoSource, preference: VideoPreference) -> None:
        place = next((place for place, each in enumerate(self.chosen) if _is_better(stream, each)), None)
        if place is None or not _is_useful(stream, preference.target_size):
            return
        more = _kbps(stream) - _kbps(self.chosen[place])
        if self._total + more <= self._target:
            self._total += more
            self.chosen[place] = stream
        elif self.next_upgrade is None:
            self.next_upgrade = stream


class _Probe:
    """Tries for a while whether more would get through than the estimate says."""

    def __init__(self) -> None:
        self.since: float | None = None
        self.before: tuple[VideoSource, ...] = ()
        self._pending_since: float | None = None
        self._last = float("-inf")
        self._hold = PROBE_AFTER

    def may_begin(self, now: float) -> bool:
        """Say that a better choice would be wanted; answers whether it may be tried."""
        if self._pending_since is None:
            if now - self._last > PROBE_AFTER:
                self._pending_since = now
            return False
        return now - self._pending_since > self._hold

    def begin(self, before: tuple[VideoSource, ...], now: float) -> None:
        self.since = self._last = now
        self.before = before
        self._hold = min(2 * self._hold, PROBE_AFTER_MOST)

    def succeeded(self) -> None:
        self.stop()
        self._hold = PROBE_AFTER

    def stop(self) -> None:
        self.since = self._pending_since = None


def default_preferences(sources: Iterable[VideoSource]) -> tuple[VideoPreference, ...]:
    """Everybody with priority 1: in full size for up to 4 attendees, medium for up to 8, small beyond."""
    attendees = list(dict.fromkeys(source.attendee_id for source in sources))
    size = TargetSize.LOW if len(attendees) > 8 else TargetSize.MEDIUM if len(attendees) > 4 else TargetSize.MAXIMUM
    return tuple(VideoPreference(attendee_id, 1, size) for attendee_id in attendees)


def _sorted(preferences: Iterable[VideoPreference] | None) -> tuple[VideoPreference, ...] | None:
    return None if preferences is None else tuple(sorted(preferences, key=lambda each: each.priority))


def _ids(streams: Iterable[VideoSource]) -> frozenset[int]:
    return frozenset(stream.stream_id for stream in streams)


def _kbps(stream: VideoSource) -> float:
    return stream.avg_bitrate_bps / 1000


def _measured(stream: VideoSource) -> VideoSource:
    """With an average that can be counted with: one that is missing, or above the most, is the most."""
    if 0 < _kbps(stream) <= stream.max_bitrate_kbps:
        return stream
    if stream.attendee_id.endswith(_CONTENT) and stream.max_bitrate_kbps < 100 and stream.avg_bitrate_bps:
        return _with_rate(stream, most=stream.avg_bitrate_bps // 1000)
    return _with_rate(stream, average=stream.max_bitrate_kbps * 1000)


def _with_rate(stream: VideoSource, *, most: int | None = None, average: int | None = None) -> VideoSource:
    """The same stream with other rates."""
    values = {name: getattr(stream, name) for name in VideoSource.__struct_fields__}
    if most is not None:
        values["max_bitrate_kbps"] = most
    if average is not None:
        values["avg_bitrate_bps"] = average
    return VideoSource(**values)


def _with_paused(
    chosen: Sequence[VideoSource],
    kept: Sequence[VideoSource],
    streams: Sequence[VideoSource],
    last: Sequence[VideoSource],
    known: Mapping[int, VideoSource],
) -> DownlinkChoice:
    """What was chosen, and of those who are left out what they sent last."""
    left_out = {each.attendee_id for each in streams} - {each.attendee_id for each in chosen}
    held = [each for each in last if each.attendee_id in left_out]
    return DownlinkChoice((*kept, *(known[each.stream_id] for each in chosen), *held), frozenset(left_out))


def _is_better(stream: VideoSource, chosen: VideoSource) -> bool:
    return (
        stream.group_id == chosen.group_id
        and chosen.max_bitrate_kbps <= stream.max_bitrate_kbps
        and _kbps(chosen) < _kbps(stream)
    )


def _is_useful(stream: VideoSource, size: TargetSize) -> bool:
    if size is TargetSize.HIGH:
        return True
    if stream.attendee_id.endswith(_CONTENT) and size is not TargetSize.MEDIUM:
        return False
    return _kbps(stream) <= size


def _reasonable(streams: list[VideoSource], wanted: dict[str, VideoPreference]) -> list[VideoSource]:
    """Leave out qualities that cost more and are worse in what matters, of videos with three or more."""
    removed: set[int] = set()
    for preference in wanted.values():
        own = [stream for stream in streams if stream.attendee_id == preference.attendee_id]
        if len(own) < 3:
            continue
        best: VideoSource | None = None
        for stream in sorted(own, key=_order(preference.degradation, own)):
            if best is not None and (best.framerate - stream.framerate > 2 or _pixels(stream) < _pixels(best)):
                removed.add(stream.stream_id)
            else:
                best = stream
    return [stream for stream in streams if stream.stream_id not in removed]


def _pixels(stream: VideoSource) -> int:
    return stream.width * stream.height


def _order(degradation: Degradation, own: Sequence[VideoSource]) -> Callable[[VideoSource], Any]:
    """A key that sorts the worst quality first."""
    fastest = max(15, *(each.framerate for each in own))
    largest = max(320 * 480, *(_pixels(each) for each in own))

    def compare(one: VideoSource, other: VideoSource) -> int:
        faster, larger = one.framerate - other.framerate, _pixels(one) - _pixels(other)
        if degradation is Degradation.MAINTAIN_RESOLUTION:
            # One frame more or less is the same.
            return larger if abs(faster) < 2 else faster
        if degradation is Degradation.MAINTAIN_FRAMERATE:
            return larger or faster
        return 1 if _weight(one, fastest, largest) > _weight(other, fastest, largest) else -1

    return functools.cmp_to_key(compare)


def _weight(stream: VideoSource, fastest: int, largest: int) -> float:
    exponent: float = 5 * stream.framerate / fastest * 4 ** (_pixels(stream) / largest)
    return float(_kbps(stream) * 2**exponent)
