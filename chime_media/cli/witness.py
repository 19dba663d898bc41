"""What an attendee hears and sees, kept to be looked at later: sound with its times, some of the pictures."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from chime_media.devices.sources import Samples
from chime_media.protocol.recording import AudioTimeline
from chime_media.rtc.video_frame import VideoFrame

RATE = 48_000


class Ear:
    """Keeps what is heard, without holes. Its `hear` belongs to the media thread, the rest to any.

    Args:
        begin: The time that its sound begins with; before the first thing that is heard there is silence.
    """

    def __init__(self, begin: float) -> None:
        self._begin = begin
        self._timeline = AudioTimeline(begin)
        self._parts: list[tuple[int, Samples]] = []
        self._length = 0

    def hear(self, samples: Samples, time: float) -> None:
        """Take 20 ms."""
        silence, skip = self._timeline.place(time, len(samples))
        self._length += silence
        self._parts.append((self._length, samples[skip:]))
        self._length += len(samples) - skip

    def between(self, begin: float, end: float) -> Samples:
        """What was heard between two times, with silence where nothing was."""
        whole = np.zeros(max(0, round((end - begin) * RATE)), np.int16)
        offset = round((begin - self._begin) * RATE)
        for at, samples in tuple(self._parts):
            first, last = max(at - offset, 0), min(at - offset + len(samples), len(whole))
            if first < last:
                whole[first:last] = samples[first - at + offset : last - at + offset]
        return whole

    def until(self, end: float) -> Samples:
        """All from the beginning to a time."""
        return self.between(self._begin, end)

    def gaps(self, begin: float, end: float, pitch: float, *, longer: float = 0.5) -> list[tuple[float, float]]:
        """When a voice was not heard for longer than some seconds: beginnings and ends."""
        found: list[tuple[float, float]] = []
        last = begin
        step = 0.1
        time = begin
        while time + step <= end:
            if level_of(self.between(time, time + step), pitch) > AUDIBLE:
                if time - last > longer:
                    found.append((last, time))
                last = time + step
            time += step
        return found


class Eye:
    """Keeps pictures of one tile, a few per second, and counts all. Bind it to the tile.

    Args:
        on_frame: Called on the media thread with each picture.
        interval: Seconds between pictures that are kept.
    """

    def __init__(self, on_frame: Callable[[], object] | None = None, interval: float = 0.25) -> None:
        self.frames = 0
        self.tile_id = 0
        """Which tile it looks at."""
        self.times: deque[float] = deque(maxlen=10_000)
        self.kept: deque[VideoFrame] = deque(maxlen=400)
        self._on_frame = on_frame
        self._interval = interval
        self._next = 0.0

    def write(self, frame: VideoFrame) -> None:
        """Take a picture. Called on the media thread."""
        self.frames += 1
        self.times.append(frame.time)
        if frame.time >= self._next:
            self._next = frame.time + self._interval
            self.kept.append(frame)
        if self._on_frame is not None:
            self._on_frame()

    def close(self) -> None:
        """What was kept stays."""

    def between(self, begin: float, end: float) -> list[VideoFrame]:
        """The kept pictures of that time."""
        return [frame for frame in tuple(self.kept) if begin <= frame.time <= end]

    def rate(self, begin: float, end: float) -> float:
        """Pictures per second that came between two times."""
        return sum(begin <= time <= end for time in tuple(self.times)) / max(end - begin, 1e-9)


AUDIBLE = -45.0
"""Level in dB relative to full scale from which on a tone counts as heard."""


def level_of(samples: Samples, frequency: float) -> float:
    """Level of one frequency, in dB relative to full scale."""
    spectrum = _spectrum(samples)
    place = round(frequency * len(samples) / RATE)
    near = spectrum[max(0, place - 2) : place + 3]
    return float(20 * np.log10(near.max(initial=0.0) + 1e-9))


def peak_of(samples: Samples, lowest: float = 60.0, highest: float = 6000.0) -> float:
    """The strongest frequency in Hz."""
    spectrum = _spectrum(samples)
    first, last = round(lowest * len(samples) / RATE), round(highest * len(samples) / RATE)
    return float(first + np.argmax(spectrum[first:last])) * RATE / len(samples)


def _spectrum(samples: Samples) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    if not len(samples):
        return np.zeros(1)
    return np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) * 4 / len(samples) / 32768
