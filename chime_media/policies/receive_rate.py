"""How much video may be asked for, from what each second tells of the way in."""

from __future__ import annotations

from chime_media.policies.downlink import DownlinkMeasurement

START_KBPS = 2800.0
"""While nothing, or little, is known."""
START_LASTS = 6.0
"""Seconds from the first estimate, if that stays below `START_KBPS`."""
MOST_KBPS = 15_000.0
LARGE_DROP = 0.2
USED_MARGIN_KBPS = 100.0
_FEW_LOST = 2


class ReceiveRate:
    """Follows the estimates, and does not believe those that fall though nothing is lost."""

    def __init__(self) -> None:
        self.starting = True
        """Whether too little is known so far."""
        self._last = DownlinkMeasurement(0, 0, 0)
        self._before = self._last
        self._target = START_KBPS
        self._first_at: float | None = None
        self._keeps = False

    @property
    def packets_lost(self) -> int:
        """In the last second."""
        return self._last.packets_lost

    @property
    def loss_rises(self) -> bool:
        """Whether more was lost than in the second before."""
        return self._last.packets_lost > self._before.packets_lost

    def measured(self, measurement: DownlinkMeasurement) -> None:
        """Take what a second told."""
        self._before, self._last = self._last, measurement

    def target(self, now: float, *, probing: bool = False) -> float:
        """The rate to fill, in kbit/s."""
        estimate = self._last.available_kbps
        self._target = min(self._believed(self._aim(estimate, now, probing), estimate), MOST_KBPS)
        return self._target

    def _aim(self, estimate: float, now: float, probing: bool) -> float:
        if not estimate:
            return START_KBPS if self._first_at is None else self._target
        if self._first_at is None:
            self._first_at = now
        if self.starting and self._knows_enough(estimate, now):
            self.starting = False
            self._target = estimate
        if self.starting:
            return START_KBPS
        if probing and self._last.used_kbps > estimate and self._last.packets_lost < _FEW_LOST:
            return self._last.used_kbps + USED_MARGIN_KBPS
        return estimate

    def _knows_enough(self, estimate: float, now: float) -> bool:
        if estimate > START_KBPS or self._last.packets_lost > 0:
            return True
        began = self._first_at if self._first_at is not None else now
        return now - began > START_LASTS and estimate <= self._before.available_kbps

    def _believed(self, aim: float, estimate: float) -> float:
        falls = (
            (self._keeps and estimate < self._target)
            or estimate < self._target * (1 - LARGE_DROP)
            or estimate < self._last.used_kbps * LARGE_DROP
        )
        self._keeps = not self.starting and falls and self._last.packets_lost == 0
        return self._target if self._keeps else aim
