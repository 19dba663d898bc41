"""How much video a sender is told to send: what gets here, and what receivers say they can take."""

from __future__ import annotations

LEAST = 100_000
"""Below this, in bit/s, there is no picture to speak of."""
_HARMLESS, _HARMFUL = 0.02, 0.10


class UplinkEstimate:
    """What a sender's link seems to carry, by the loss on it.

    Loss of up to 2 % is taken for noise and lets the estimate grow by 8 % a report, more than 10 % for congestion,
    which lowers it below what was sent by half the loss; between them it stays.

    Args:
        ceiling: In bit/s; what is said as long as there is no loss.
    """

    def __init__(self, ceiling: int) -> None:
        self._ceiling = ceiling
        self.bitrate = float(ceiling)

    def measured(self, rate: float, loss: float) -> float:
        """Take a second's rate in bit/s and its loss (0 to 1); answers the new estimate."""
        if loss > _HARMFUL:
            self.bitrate = max(LEAST, min(self.bitrate, max(rate, 0.85 * self.bitrate) * (1 - 0.5 * loss)))
        elif loss <= _HARMLESS:
            self.bitrate = min(self._ceiling, 1.08 * self.bitrate + 1000)
        return self.bitrate


class DownlinkLimit:
    """What a receiver can take of one stream, from its estimates (REMB) for all that it is sent.

    An estimator knows no more than what it was sent: an estimate above that is no limit. One below it is, and is lifted
    slowly after the estimates have risen again.
    """

    def __init__(self) -> None:
        self.bitrate: float | None = None
        """In bit/s, None if there is no limit."""
        self._at = 0.0

    def estimated(self, estimate: float, sent: float, share: float, now: float) -> None:
        """Take an estimate for everything, what is sent in all, and this stream's share of it (0 to 1)."""
        if sent > 0 and estimate < sent:
            self.bitrate = max(LEAST, estimate * share)
        elif self.bitrate is not None:
            self.bitrate *= 1 + 0.08 * min(1.0, now - self._at)
            if self.bitrate > 2 * sent * share:
                self.bitrate = None
        self._at = now
