"""What a group of listeners hears alike: the talkers less one attendee, encoded once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from chime_media.rtc.opus import OpusEncoder, Samples
from chime_media.wire import red
from chime_media.wire.opus_packet import FRAME_SAMPLES, SILENCE_MONO, SILENCE_STEREO

if TYPE_CHECKING:
    from chime_media.server.audio_leg import AudioLeg

COMPLEXITY: Final = 4
"""Of libopus' 0 to 10: what is above costs half as much again and is not heard at these bitrates."""
LOW_DELAY: Final = 0.0025
"""Seconds that Opus looks ahead in its low-delay mode, which mixes are encoded in."""

_FADE_OUT_FRAMES: Final = 2
_HISTORY: Final = 2
_LOUDEST: Final = np.int32(32767)


class Mix:
    """One mix and its encoder.

    Args:
        excluded: The base attendee who does not hear itself; None for those who say nothing.
        stereo: Two channels.
        bitrate: Bits a second.
    """

    __slots__ = (
        "_encoder",
        "_history",
        "_independent",
        "_redundant",
        "_silent_frames",
        "bitrate",
        "excluded",
        "members",
        "payload",
        "stereo",
    )

    def __init__(self, excluded: str | None, stereo: bool, bitrate: int) -> None:
        self.excluded = excluded
        self.stereo = stereo
        self.bitrate = bitrate
        self.members: list[AudioLeg] = []
        self.payload = self._silence
        self._encoder: OpusEncoder | None = None
        self._silent_frames = _FADE_OUT_FRAMES
        self._independent = False
        self._history: tuple[bytes, ...] = ()
        self._redundant: dict[int, bytes] = {}

    @property
    def _channels(self) -> int:
        return 2 if self.stereo else 1

    @property
    def _silence(self) -> bytes:
        return SILENCE_STEREO if self.stereo else SILENCE_MONO

    def _new_encoder(self) -> OpusEncoder:
        return OpusEncoder(
            channels=self._channels, application="low-delay", bitrate=self.bitrate, complexity=COMPLEXITY
        )

    def split_from(self, other: Mix) -> None:
        """Go on where another mix is: whoever listened to it does not notice."""
        if other._encoder is not None and other.stereo == self.stereo and other.bitrate == self.bitrate:
            self._encoder = self._new_encoder()
            self._encoder.continue_from(other._encoder)
            self._silent_frames = other._silent_frames
            self._history = other._history

    def welcome(self) -> None:
        """A listener comes from another mix: make the next packet stand for itself."""
        self._independent = True

    def stays_silent(self, blend: Blend) -> bool:
        """Whether the packet of silence that was sent will do for this tick too; most mixes of most meetings."""
        if self._silent_frames < _FADE_OUT_FRAMES or blend.has_others(self.excluded):
            return False
        self._remember()
        self.payload = self._silence
        return True

    def encode(self, blend: Blend) -> None:
        """Make `payload` of 20 ms."""
        self._remember()
        samples = blend.without(self.excluded, self._channels)
        encoder = self._encoder
        if encoder is None:
            encoder = self._encoder = self._new_encoder()
        if samples is not None and self._silent_frames >= _FADE_OUT_FRAMES:
            # Decoders know silence, of this mix or another: they need not know more to follow.
            self._independent = True
        if samples is None:
            self._silent_frames += 1
            samples = np.zeros(FRAME_SAMPLES * self._channels, np.int16)
        else:
            self._silent_frames = 0
        if self._independent:
            encoder.set_independent(True)
            self.payload = encoder.encode(samples)
            encoder.set_independent(False)
            self._independent = False
        else:
            self.payload = encoder.encode(samples)

    def _remember(self) -> None:
        self._history = (*self._history, self.payload)[-_HISTORY:]
        self._redundant.clear()

    def redundant(self, payload_type: int, repetitions: int) -> bytes:
        """`payload` with as many of the packets before it as are asked for, made once for all who ask alike."""
        key = payload_type << 8 | repetitions
        made = self._redundant.get(key)
        if made is None:
            earlier = self._history[-repetitions:]
            count = len(earlier)
            repeated = [
                ((count - index) * FRAME_SAMPLES, payload)
                for index, payload in enumerate(earlier)
                if payload != self._silence
            ]
            made = self._redundant[key] = red.build(payload_type, self.payload, repeated)
        return made


class Blend:
    """What talkers say in one tick, and any sum of it.

    Args:
        contributions: (base attendee, 20 ms of samples) of each talker.
    """

    __slots__ = ("_contributions", "_totals")

    def __init__(self, contributions: list[tuple[str, Samples]]) -> None:
        self._contributions = contributions
        self._totals: dict[int, npt.NDArray[np.int32]] = {}

    def has_others(self, excluded: str | None) -> bool:
        """Whether anybody but one attendee says something."""
        return any(base != excluded for base, _ in self._contributions)

    def without(self, excluded: str | None, channels: int) -> Samples | None:
        """The sum in one or two channels without one attendee; None if nobody is left."""
        left_out = [samples for base, samples in self._contributions if base == excluded]
        others = len(self._contributions) - len(left_out)
        if not others:
            return None
        if others == 1:
            return as_channels(next(s for base, s in self._contributions if base != excluded), channels)
        total = self._totals.get(channels)
        if total is None:
            total = np.zeros(FRAME_SAMPLES if channels == 1 else (FRAME_SAMPLES, 2), np.int32)
            for _, samples in self._contributions:
                total += as_channels(samples, channels)
            # Only when it is complete: mixes are encoded on several threads.
            self._totals[channels] = total
        for samples in left_out:
            total = total - as_channels(samples, channels)
        return np.maximum(np.minimum(total, _LOUDEST), -_LOUDEST).astype(np.int16)


def as_channels(samples: Samples, channels: int) -> Samples:
    """Samples in one or two channels."""
    if samples.ndim == channels:
        return samples
    if channels == 1:
        return ((samples[:, 0].astype(np.int32) + samples[:, 1]) >> 1).astype(np.int16)
    return np.repeat(samples, 2).reshape(-1, 2)
