"""Sound to send: tones, arrays, what the application pushes, silence, and Opus that is ready."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Iterable

import numpy as np

from chime_media.devices.sources import Samples, SourceEnded
from chime_media.wire.opus_packet import FRAME_SAMPLES, SAMPLE_RATE
from chime_messaging.errors import ConfigurationError, UsageError

_FULL_SCALE = 32767
_FRAMES_PER_SECOND = SAMPLE_RATE // FRAME_SAMPLES


class Silence:
    """Nothing to hear, for an attendee who only listens."""

    channels = 1

    def read(self) -> None:
        """Nothing, for ever."""
        return

    def close(self) -> None:
        """Nothing to let go of."""


class Tone:
    """A sine tone, by which it can be told who is heard.

    Args:
        frequency: In Hz.
        level: In dB relative to full scale.
        seconds: How long; None for ever.
    """

    channels = 1

    def __init__(self, frequency: float, level: float = -20.0, seconds: float | None = None) -> None:
        if not 0 < frequency < SAMPLE_RATE / 2:
            raise ConfigurationError("frequency", f"{frequency} Hz is not between 0 and {SAMPLE_RATE // 2}")
        self.frequency = frequency
        self._amplitude = _FULL_SCALE * 10 ** (level / 20)
        self._step = 2 * np.pi * frequency / SAMPLE_RATE
        self._ramp = np.arange(FRAME_SAMPLES) * self._step
        # A wave of whole Hz is the same again after a second at most.
        self._period = _FRAMES_PER_SECOND // math.gcd(int(frequency), _FRAMES_PER_SECOND) if frequency % 1 == 0 else 0
        self._frames: list[Samples] = []
        self._number = 0
        self._phase = 0.0
        self._left = None if seconds is None else round(seconds * SAMPLE_RATE / FRAME_SAMPLES)

    def read(self) -> Samples:
        """The next 20 ms, continuing the wave of those before.

        Raises:
            SourceEnded: It was to sound for some time only.
        """
        if self._left is not None:
            if self._left <= 0:
                raise SourceEnded
            self._left -= 1
        if len(self._frames) == self._period > 0:
            self._number += 1
            return self._frames[(self._number - 1) % self._period]
        frame: Samples = (np.sin(self._ramp + self._phase) * self._amplitude).astype(np.int16)
        self._phase = (self._phase + FRAME_SAMPLES * self._step) % (2 * np.pi)
        if self._period:
            frame.flags.writeable = False
            self._frames.append(frame)
        return frame

    def close(self) -> None:
        """Nothing to let go of."""


class ArraySource:
    """Samples from an array.

    Args:
        samples: int16 at 48 kHz, shape (n,) or (n, 2). The last 20 ms are filled up with silence.
        loop: Begin anew at the end.
    """

    def __init__(self, samples: Samples, *, loop: bool = False) -> None:
        _check(samples)
        if not len(samples):
            raise ConfigurationError("samples", "are none")
        self.channels = samples.ndim
        missing = -len(samples) % FRAME_SAMPLES
        self._samples = np.concatenate([samples, np.zeros((missing, *samples.shape[1:]), np.int16)])
        self._loop = loop
        self._at = 0

    def read(self) -> Samples:
        """The next 20 ms.

        Raises:
            SourceEnded: That was all.
        """
        if self._at >= len(self._samples):
            if not self._loop:
                raise SourceEnded
            self._at = 0
        self._at += FRAME_SAMPLES
        return self._samples[self._at - FRAME_SAMPLES : self._at]

    def close(self) -> None:
        """Nothing to let go of."""


class AudioQueue:
    """Samples that the application pushes as it has them, for example from speech synthesis.

    What does not fit is left out, the oldest first, so that nobody is heard late.

    Args:
        channels: 1 or 2.
        seconds: How much may wait.
    """

    def __init__(self, channels: int = 1, seconds: float = 10.0) -> None:
        if channels not in (1, 2):
            raise ConfigurationError("channels", f"{channels} is neither 1 nor 2")
        self.channels = channels
        self.dropped = 0
        """Samples that were left out, per channel."""
        self._capacity = max(FRAME_SAMPLES, round(seconds * SAMPLE_RATE))
        self._waiting: deque[Samples] = deque()
        self._samples = 0
        self._ended = False
        # The application pushes on its thread, the media thread reads.
        self._lock = threading.Lock()

    @property
    def buffered(self) -> float:
        """Seconds that wait to be sent."""
        return self._samples / SAMPLE_RATE

    def push(self, samples: Samples) -> None:
        """Append any number of samples, on any thread.

        Raises:
            ConfigurationError: They are no int16 of as many channels.
            UsageError: `end` was called.
        """
        _check(samples)
        if samples.ndim != self.channels:
            raise ConfigurationError("samples", f"have {samples.ndim} channels, the queue has {self.channels}")
        if self._ended:
            raise UsageError("the queue was ended")
        with self._lock:
            if len(samples):
                self._waiting.append(samples.copy())
                self._samples += len(samples)
            while self._samples > self._capacity:
                self.dropped += len(self._take(min(FRAME_SAMPLES, self._samples - self._capacity)))

    def clear(self) -> None:
        """Forget what waits, for example as somebody interrupts."""
        with self._lock:
            self._waiting.clear()
            self._samples = 0

    def end(self) -> None:
        """After what waits the source is over."""
        self._ended = True

    def read(self) -> Samples | None:
        """The next 20 ms; a rest that does not fill them waits for more, or goes out at the end.

        Raises:
            SourceEnded: `end` was called and all was taken.
        """
        with self._lock:
            if self._samples >= FRAME_SAMPLES:
                return self._take(FRAME_SAMPLES)
            if not self._ended:
                return None
            if not self._samples:
                raise SourceEnded
            rest = self._take(self._samples)
        return np.concatenate([rest, np.zeros((FRAME_SAMPLES - len(rest), *rest.shape[1:]), np.int16)])

    def close(self) -> None:
        """Take no more."""
        self._ended = True
        self.clear()

    def _take(self, count: int) -> Samples:
        parts: list[Samples] = []
        missing = count
        while missing:
            first = self._waiting[0]
            if len(first) <= missing:
                parts.append(self._waiting.popleft())
            else:
                parts.append(first[:missing])
                self._waiting[0] = first[missing:]
            missing -= len(parts[-1])
        self._samples -= count
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


class OpusPackets:
    """Packets that were encoded before and go out as they are: they cost nothing but their encryption.

    Args:
        packets: Of 20 ms each.
        channels: 1 or 2, of what is encoded.
        loop: Begin anew at the end.
    """

    def __init__(self, packets: Iterable[bytes], channels: int = 1, *, loop: bool = False) -> None:
        self._packets = tuple(packets)
        if not self._packets or not all(self._packets):
            raise ConfigurationError("packets", "are none, or empty")
        self.channels = channels
        self._loop = loop
        self._at = 0

    def read(self) -> bytes:
        """The next packet.

        Raises:
            SourceEnded: That was all.
        """
        if self._at == len(self._packets):
            if not self._loop:
                raise SourceEnded
            self._at = 0
        self._at += 1
        return self._packets[self._at - 1]

    def close(self) -> None:
        """Nothing to let go of."""


def _check(samples: Samples) -> None:
    if samples.dtype != np.int16 or samples.ndim > 2 or (samples.ndim == 2 and samples.shape[1] != 2):
        raise ConfigurationError("samples", f"are {samples.dtype} {samples.shape}, not int16 (n,) or (n, 2)")
