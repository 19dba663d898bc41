"""One audio stream from its packets to 20 ms of samples at a time."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from chime_media.protocol.jitter_buffer import JitterBuffer, Playout, PlayoutKind
from chime_media.protocol.time_stretch import LONGEST_PERIOD, lengthen, shorten
from chime_media.rtc.opus import OpusDecoder, OpusError, Samples
from chime_media.wire.opus_packet import FRAME_SAMPLES

WARM_UP_PACKETS: Final = 2
"""Of what was not decoded, as many are when decoding goes on."""
_SHORTENABLE = FRAME_SAMPLES + LONGEST_PERIOD
"""From here on there is enough for 20 ms after shortening."""


class PlayoutPlan(NamedTuple):
    """What is to be decoded for the next 20 ms."""

    stretches: tuple[Playout, ...]
    stretch: int
    """-1 to play it faster, 1 slower, 0 as it is."""


class AudioPlayout:
    """Plays one stream.

    Split in two so that the expensive half can run on another thread: `plan` looks into the buffer, `render` decodes. A
    plan must be rendered or skipped before the next is made.

    Args:
        buffer: Where the packets go in.
        channels: 1 or 2, of what comes out.
    """

    __slots__ = ("_backlog", "_decoder", "_stale", "buffer", "channels")

    def __init__(self, buffer: JitterBuffer, *, channels: int = 1) -> None:
        self.buffer = buffer
        self.channels = channels
        self._decoder: OpusDecoder | None = None
        self._backlog: Samples | None = None
        self._stale: tuple[bytes, ...] = ()

    @property
    def position(self) -> int | None:
        """RTP timestamp, unwrapped, of the next sample to be played; None while nothing is played."""
        position = self.buffer.position
        return position if position is None or self._backlog is None else position - len(self._backlog)

    def plan(self, now: float) -> PlayoutPlan | None:
        """What to play for the 20 ms from `now` on; None is silence."""
        backlog = 0 if self._backlog is None else len(self._backlog)
        buffer = self.buffer
        if buffer.idle and not backlog:
            return None
        stretch = buffer.stretch(now, backlog)
        stretches = []
        needed = FRAME_SAMPLES if stretch >= 0 else 2 * FRAME_SAMPLES
        while backlog < needed:
            if backlog >= FRAME_SAMPLES and not len(buffer):
                break
            playout = buffer.take(now, backlog)
            if playout is None:
                break
            stretches.append(playout)
            backlog += playout.samples
        return PlayoutPlan(tuple(stretches), stretch) if backlog else None

    def render(self, plan: PlayoutPlan) -> Samples:
        """Decode a plan: 960 samples, of shape (960,) or (960, 2)."""
        stretches = plan.stretches
        if len(stretches) == 1 and self._backlog is None and not plan.stretch and stretches[0].samples == FRAME_SAMPLES:
            samples = self._decode(stretches[0])
            if len(samples) == FRAME_SAMPLES:
                return samples
        else:
            parts = [] if self._backlog is None else [self._backlog]
            parts += [self._decode(stretch) for stretch in stretches]
            samples = np.concatenate(parts)
            if plan.stretch < 0 and len(samples) >= _SHORTENABLE:
                samples = shorten(samples)
            elif plan.stretch > 0:
                samples = lengthen(samples)
        if len(samples) < FRAME_SAMPLES:
            padded = self._silence(FRAME_SAMPLES)
            padded[: len(samples)] = samples
            self._backlog = None
            return padded
        self._backlog = samples[FRAME_SAMPLES:].copy() if len(samples) > FRAME_SAMPLES else None
        return samples[:FRAME_SAMPLES]

    def warm_up(self, payloads: tuple[bytes, ...]) -> None:
        """Tell what was said just before what is to be played next: the decoder needs the end of it to follow."""
        self._stale = payloads[-WARM_UP_PACKETS:]

    def skip(self, plan: PlayoutPlan) -> None:
        """Nobody listens: throw the plan away, at next to no cost."""
        self._backlog = None
        for stretch in plan.stretches:
            if stretch.kind is PlayoutKind.PACKET:
                self._stale = (*self._stale, stretch.payload)[-WARM_UP_PACKETS:]

    def close(self) -> None:
        """Give the memory of the decoder back; it comes again when it is needed."""
        self._decoder = None
        self._backlog = None
        self._stale = ()

    def _silence(self, samples: int) -> Samples:
        return np.zeros(samples if self.channels == 1 else (samples, self.channels), np.int16)

    def _decode(self, stretch: Playout) -> Samples:
        decoder = self._decoder
        if decoder is None:
            if stretch.kind is not PlayoutKind.PACKET:
                return self._silence(stretch.samples)
            decoder = self._decoder = OpusDecoder(channels=self.channels)
        try:
            if self._stale:
                # The decoder missed what nobody listened to: the last of it brings it up to date.
                stale, self._stale = self._stale, ()
                decoder.reset()
                for payload in stale:
                    decoder.decode(payload)
            if stretch.kind is PlayoutKind.PACKET:
                return decoder.decode(stretch.payload)
            if stretch.samples % 120:
                return self._silence(stretch.samples)
            if stretch.kind is PlayoutKind.REDUNDANCY:
                return decoder.decode_redundancy(stretch.payload, stretch.samples)
            return decoder.conceal(stretch.samples)
        except OpusError:
            return self._silence(stretch.samples)
