"""When what arrives was taken: a sender's timestamps on the receiver's clock."""

from __future__ import annotations

from chime_media.wire.rtp import Unwrapper

_WINDOW = 10.0
_JUMP = 2.0
_SLEW = 0.002
_MOST_AHEAD = 0.5


class MediaClock:
    """Maps the RTP timestamps of one stream to the receiver's time.

    The packet that was fastest on its way within the latest 10 to 20 seconds tells where the sender's clock stands;
    that estimate is followed by 2 ms a second, so that neither jitter nor clocks that run apart are seen in the times.
    A sender that begins anew is followed at once.

    Args:
        rate: Ticks of the timestamps per second.
    """

    __slots__ = ("_at", "_before", "_begun", "_least", "_offset", "_rate", "_since", "_unwrapper")

    def __init__(self, rate: int = 90_000) -> None:
        self._rate = rate
        self._unwrapper = Unwrapper(32)
        self._offset: float | None = None
        self._least = self._before = 0.0
        self._since = self._at = self._begun = 0.0

    def arrived(self, timestamp: int, arrival: float) -> float:
        """The time of a timestamp; `arrival` is when it came, in seconds."""
        seconds = self._unwrapper.unwrap(timestamp) / self._rate
        offset = arrival - seconds
        if self._offset is None or abs(offset - self._offset) > _JUMP:
            self._unwrapper = Unwrapper(32)
            seconds = self._unwrapper.unwrap(timestamp) / self._rate
            offset = arrival - seconds
            self._offset = self._least = self._before = offset
            self._since = self._at = self._begun = arrival
            return arrival
        self._least = min(self._least, offset)
        if arrival - self._since > _WINDOW:
            self._before, self._least, self._since = self._least, offset, arrival
        self._offset = self._followed(self._offset, min(self._before, self._least), arrival)
        return seconds + self._offset

    def reported(self, timestamp: int, arrival: float) -> None:
        """Take a sender report that came at `arrival`: what is captured as it is sent has `timestamp`.

        It is on its way as long as a packet, but waited for nothing before: no encoder, no buffer of a mixer. How long
        those take is told so. A report that is far from what the packets say is left alone.
        """
        if self._offset is None:
            return
        offset = arrival - self._unwrapper.peek(timestamp) / self._rate
        if offset > self._offset - _MOST_AHEAD:
            self._least = min(self._least, offset)

    def time_of(self, timestamp: int) -> float | None:
        """The time of a timestamp that came before or is near one; None before anything came."""
        return None if self._offset is None else self._unwrapper.peek(timestamp) / self._rate + self._offset

    def _followed(self, offset: float, target: float, arrival: float) -> float:
        step = _SLEW * max(0.0, arrival - self._at)
        if arrival - self._begun < _WINDOW:
            # The beginning is no time to be patient: its first packet may have been a slow one.
            step = max(step, 0.1 * abs(target - offset))
        self._at = arrival
        return offset + max(-step, min(step, target - offset))
