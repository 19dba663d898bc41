"""Where sound goes that an attendee hears: WAV files, memory."""

from __future__ import annotations

import wave
from collections import deque
from pathlib import Path
from typing import Protocol

import numpy as np

from chime_media.devices.sources import Samples
from chime_media.wire.opus_packet import SAMPLE_RATE
from chime_messaging.errors import ConfigurationError, UsageError


class AudioSink(Protocol):
    """Takes what is heard."""

    def write(self, samples: Samples) -> None:
        """Take some milliseconds of sound, mostly 20; must not wait."""

    def close(self) -> None:
        """There is no more. Harmless when repeated."""


class WavFile:
    """Writes what is heard to a WAV file.

    Args:
        path: The file; overwritten if there is one.
        channels: 1 or 2; other sound is mixed down or doubled.
    """

    def __init__(self, path: Path | str, channels: int = 1) -> None:
        self.path = Path(path)
        self.channels = _checked(channels)
        self._closed = False
        try:
            self._raw = self.path.open("wb")
        except OSError as error:
            raise ConfigurationError("path", f"{path} cannot be written: {error}") from error
        self._file = wave.open(self._raw, "wb")  # noqa: SIM115 - closed by close()
        self._file.setnchannels(channels)
        self._file.setsampwidth(2)
        self._file.setframerate(SAMPLE_RATE)

    def write(self, samples: Samples) -> None:
        """Append samples.

        Raises:
            UsageError: The file was closed.
        """
        if self._closed:
            raise UsageError(f"{self.path} was closed")
        self._file.writeframes(with_channels(samples, self.channels).astype("<i2", copy=False).tobytes())

    def close(self) -> None:
        """Complete the file."""
        if not self._closed:
            self._closed = True
            self._file.close()
            self._raw.close()


class AudioBuffer:
    """Keeps the latest of what is heard in memory.

    Args:
        channels: 1 or 2; other sound is mixed down or doubled.
        seconds: How much is kept.
    """

    def __init__(self, channels: int = 1, seconds: float = 60.0) -> None:
        self.channels = _checked(channels)
        self._capacity = max(1, round(seconds * SAMPLE_RATE))
        self._parts: deque[Samples] = deque()
        self._kept = 0

    @property
    def samples(self) -> Samples:
        """What was kept, the oldest first."""
        if not self._parts:
            return with_channels(np.empty(0, np.int16), self.channels)
        return np.concatenate(self._parts)[-self._capacity :]

    def write(self, samples: Samples) -> None:
        """Append samples; the oldest go."""
        self._parts.append(with_channels(samples, self.channels).copy())
        self._kept += len(samples)
        while self._kept - len(self._parts[0]) >= self._capacity:
            self._kept -= len(self._parts.popleft())

    def clear(self) -> None:
        """Forget what was kept."""
        self._parts.clear()
        self._kept = 0

    def close(self) -> None:
        """What was kept stays readable."""


def with_channels(samples: Samples, channels: int) -> Samples:
    """Sound with as many channels: mixed down, doubled, or as it is."""
    if samples.ndim == channels:
        return samples
    if channels == 1:
        mixed: Samples = samples.mean(axis=1).astype(np.int16)
        return mixed
    return np.repeat(samples[:, np.newaxis], 2, axis=1)


def _checked(channels: int) -> int:
    if channels not in (1, 2):
        raise ConfigurationError("channels", f"{channels} is neither 1 nor 2")
    return channels
