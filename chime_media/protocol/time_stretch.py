"""Plays speech a little faster or slower without changing its pitch, by leaving out or repeating whole periods."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]

_SHORTEST: Final = 120
"""2.5 ms at 48 kHz; higher pitches repeat within it."""
LONGEST_PERIOD: Final = 480
_FADE: Final = 240
_STEP: Final = 4
LEAST_SAMPLES: Final = LONGEST_PERIOD + _FADE
"""What is needed to find a period in."""


def shorten(samples: Samples) -> Samples:
    """Leave out 2.5 to 10 ms at the beginning; what is too short for that comes back as it was."""
    if len(samples) < LEAST_SAMPLES:
        return samples
    lag = _period(samples)
    return np.concatenate((_blend(samples[:_FADE], samples[lag : lag + _FADE]), samples[lag + _FADE :]))


def lengthen(samples: Samples) -> Samples:
    """Repeat 2.5 to 10 ms at the beginning; what is too short for that comes back as it was."""
    if len(samples) < LEAST_SAMPLES:
        return samples
    lag = _period(samples)
    blended = _blend(samples[lag : lag + _FADE], samples[:_FADE])
    return np.concatenate((samples[:lag], blended, samples[_FADE:]))


def _blend(before: Samples, after: Samples) -> Samples:
    ramp = np.linspace(0.0, 1.0, _FADE, dtype=np.float32)
    if before.ndim == 2:
        ramp = ramp[:, np.newaxis]
    return np.rint(before * (1 - ramp) + after * ramp).astype(np.int16)


def _period(samples: Samples) -> int:
    """The distance between 2.5 and 10 ms at which the sound is most like its beginning."""
    wave = samples.astype(np.float32)
    if wave.ndim == 2:
        wave = wave.sum(axis=1)
    head = wave[:_FADE]
    windows = np.lib.stride_tricks.sliding_window_view(wave[_SHORTEST : LONGEST_PERIOD + _FADE - 1], _FADE)
    differences = windows[::_STEP] - head
    coarse = _SHORTEST + int(np.argmin(np.einsum("ij,ij->i", differences, differences))) * _STEP
    first = max(coarse - _STEP, _SHORTEST)
    last = min(coarse + _STEP, LONGEST_PERIOD - 1)
    differences = windows[first - _SHORTEST : last - _SHORTEST + 1] - head
    return first + int(np.argmin(np.einsum("ij,ij->i", differences, differences)))
