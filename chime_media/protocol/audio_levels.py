"""How loud a talker is, and how good the connection, as the service reports them."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

import numpy as np
import numpy.typing as npt

from chime_media.wire.audio_level import SILENT

LOUDEST_ATTENUATION: Final = 14
"""dB below full scale that a client shows as full volume."""
QUIETEST_ATTENUATION: Final = 42
"""dB below full scale that a client shows as no volume."""

_WINDOW_FRAMES: Final = 5
_GOOD_LOSS: Final = 0.05
_FAIR_LOSS: Final = 0.20
_WEAK_AFTER_SECONDS: Final = 1.5
_GONE_AFTER_SECONDS: Final = 3.0


def attenuation_of(samples: npt.NDArray[np.int16]) -> int:
    """DB below full scale of the root mean square: 0 loudest, 127 digital silence."""
    flat = samples.reshape(-1)
    if not flat.size:
        return SILENT
    wave = flat.astype(np.float32)
    power = float(wave @ wave) / flat.size
    if power < 1e-3:
        return SILENT
    return min(max(round(90.309 - 10.0 * math.log10(power)), 0), SILENT)


class SpeechLevel:
    """The level of one stream: the loudest of the last 100 ms."""

    __slots__ = ("_recent",)

    def __init__(self) -> None:
        self._recent: deque[int] = deque(maxlen=_WINDOW_FRAMES)

    def add(self, attenuation: int) -> None:
        """Take the level of 20 ms."""
        self._recent.append(attenuation)

    def clear(self) -> None:
        """Nothing is said any more."""
        self._recent.clear()

    @property
    def attenuation(self) -> int:
        """DB below full scale; 127 when nothing was said."""
        return min(self._recent, default=SILENT)


class SignalStrength:
    """How much of what an attendee sends arrives, and of what is sent to it: 2 good, 1 weak, 0 next to nothing."""

    __slots__ = ("loss", "remote_loss")

    def __init__(self) -> None:
        self.loss = 0.0
        """Part of the packets (0..1) that did not come, as of the last measurement."""
        self.remote_loss = 0.0
        """Part of the packets that did not reach the attendee, as it last said."""

    def value(self, silent_seconds: float) -> int:
        """2, 1 or 0 when nothing came for so long, which with a microphone that is on or off alike is not usual."""
        loss = max(self.loss, self.remote_loss)
        if silent_seconds >= _GONE_AFTER_SECONDS or loss > _FAIR_LOSS:
            return 0
        return 1 if silent_seconds >= _WEAK_AFTER_SECONDS or loss > _GOOD_LOSS else 2
