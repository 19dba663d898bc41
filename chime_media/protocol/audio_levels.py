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
_REPORT_SECONDS: Final = 2.0
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
    """How much of what an attendee sends arrives, and of what is sent to it: 2 good, 1 weak, 0 none or next to none."""

    __slots__ = ("_expected_from", "_highest", "_last", "_loss", "_received", "_remote_loss", "_report_at", "_started")

    def __init__(self) -> None:
        self._started = False
        self._highest = 0
        self._expected_from = 0
        self._received = 0
        self._loss = 0.0
        self._remote_loss = 0.0
        self._report_at = 0.0
        self._last = 0.0

    def received(self, sequence_number: int, arrival: float) -> None:
        """A packet came."""
        self._last = arrival
        if not self._started:
            self._restart(sequence_number, arrival)
            return
        ahead = ((sequence_number - self._highest + 0x8000) & 0xFFFF) - 0x8000
        if ahead > 0:
            self._highest += ahead
        elif ahead < -1000:
            self._restart(sequence_number, arrival)
            return
        self._received += 1
        if arrival >= self._report_at:
            expected = self._highest - self._expected_from
            self._loss = max(0.0, 1.0 - self._received / expected) if expected > 0 else 0.0
            self._expected_from = self._highest
            self._received = 0
            self._report_at = arrival + _REPORT_SECONDS

    def reported(self, fraction_lost: float) -> None:
        """The attendee said how much of what it was sent got lost (0..1)."""
        self._remote_loss = fraction_lost

    @property
    def loss(self) -> float:
        """Part of the packets that did not come in the last two seconds, 0..1."""
        return self._loss

    @property
    def remote_loss(self) -> float:
        """Part of the packets that did not reach the attendee, as it last said, 0..1."""
        return self._remote_loss

    def value(self, now: float) -> int:
        """2, 1 or 0 at `now`."""
        if not self._started:
            return 2
        silent_for = now - self._last
        loss = max(self._loss, self._remote_loss)
        if silent_for >= _GONE_AFTER_SECONDS or loss > _FAIR_LOSS:
            return 0
        return 1 if silent_for >= _WEAK_AFTER_SECONDS or loss > _GOOD_LOSS else 2

    def _restart(self, sequence_number: int, arrival: float) -> None:
        self._started = True
        self._highest = self._expected_from = sequence_number
        self._received = 0
        self._report_at = arrival + _REPORT_SECONDS
