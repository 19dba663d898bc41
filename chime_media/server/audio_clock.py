"""The 20 ms beat that every meeting's audio is mixed to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from chime_media.server.audio_workers import AudioWorkers

INTERVAL: Final = 0.02

_CATCH_UP_TICKS: Final = 10
_LOG = logging.getLogger(__name__)


class AudioBeat:
    """One subscription to the clock.

    Args:
        tick: Called with the time the tick was due at, in the loop's time, and its number, which grows by one every
            20 ms; after a stall numbers are left out.
        phase: Which of the clock's sub-beats it falls on.
    """

    __slots__ = ("phase", "tick")

    def __init__(self, tick: Callable[[float, int], None], phase: int) -> None:
        self.tick = tick
        self.phase = phase


class AudioClock:
    """Calls each subscriber every 20 ms, by one timer that never drifts and only runs while there are subscribers.

    Subscribers are spread over the 20 ms, so that many meetings do not hold the loop up all at once.

    Args:
        phases: Into how many parts the interval is divided.
        workers: Threads for big meetings, which are ended with the last subscription.
    """

    def __init__(self, *, phases: int = 4, workers: AudioWorkers | None = None) -> None:
        self.workers = workers or AudioWorkers()
        self._beats: list[list[AudioBeat]] = [[] for _ in range(phases)]
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._origin = 0.0
        self._next = 0
        self.skipped_ticks = 0
        """Ticks that were left out because the loop had been blocked for longer than can be caught up."""

    def add(self, tick: Callable[[float, int], None]) -> AudioBeat:
        """Subscribe on the running loop."""
        phase = min(range(len(self._beats)), key=lambda index: len(self._beats[index]))
        beat = AudioBeat(tick, phase)
        self._beats[phase].append(beat)
        if self._timer is None:
            self._loop = asyncio.get_running_loop()
            self._origin = self._loop.time()
            self._next = 0
            self._schedule()
        return beat

    def now(self) -> float:
        """The loop's time; 0 before anybody subscribed."""
        return self._loop.time() if self._loop is not None else 0.0

    def remove(self, beat: AudioBeat) -> None:
        """End a subscription; harmless if it has ended."""
        beats = self._beats[beat.phase]
        if beat in beats:
            # A new list, so that a tick may remove itself or others while they are being called.
            self._beats[beat.phase] = [other for other in beats if other is not beat]
        if self._timer is not None and not any(self._beats):
            self._timer.cancel()
            self._timer = None
            self.workers.close()

    def _due(self, step: int) -> float:
        return self._origin + step * INTERVAL / len(self._beats)

    def _schedule(self) -> None:
        assert self._loop is not None
        phases = len(self._beats)
        while not self._beats[self._next % phases]:
            self._next += 1
        self._timer = self._loop.call_at(self._due(self._next), self._fire)

    def _fire(self) -> None:
        assert self._loop is not None
        phases = len(self._beats)
        behind = int((self._loop.time() - self._due(self._next)) / INTERVAL)
        if behind > _CATCH_UP_TICKS:
            self._next += behind * phases
            self.skipped_ticks += behind
        step = self._next
        self._next += 1
        due = self._due(step)
        for beat in self._beats[step % phases]:
            try:
                beat.tick(due, step // phases)
            except Exception:
                # One meeting's fault must not silence the others.
                _LOG.exception("mixing a meeting's audio failed")
        if any(self._beats):
            self._schedule()
