"""What a receiver knows of a stream: numbers beyond 16 bits, loss, jitter and rate, for receiver reports (RFC 3550)."""

from __future__ import annotations

from chime_media.wire.rtcp import ReportBlock

_HALF, _FULL = 0x8000, 0x10000
_WRAP_32 = 0x100000000
_STALE = 3000
"""So far behind the newest, a number is of a sender that started anew, or of an attack."""


class ReceiveStatistics:
    """Statistics of one stream.

    Args:
        ssrc: The stream's.
        clock_rate: Ticks of its timestamps per second.
    """

    __slots__ = (
        "_bad",
        "_clock_rate",
        "_expected_before",
        "_first",
        "_jitter",
        "_jitter_at",
        "_jitter_timestamp",
        "_octets_before",
        "_rate_since",
        "_received_before",
        "_report_arrival",
        "_report_middle",
        "bitrate",
        "fraction_lost",
        "highest",
        "octets",
        "received",
        "ssrc",
    )

    def __init__(self, ssrc: int, clock_rate: int = 90000) -> None:
        self.ssrc = ssrc
        self._clock_rate = clock_rate
        self.highest = -1
        """The highest extended sequence number, -1 before the first packet."""
        self.received = 0
        self.octets = 0
        """Bytes of all packets."""
        self.bitrate = 0.0
        """Bits per second, as of the last `measure`."""
        self.fraction_lost = 0.0
        """What share got lost between the last two reports."""
        self._first = -1
        self._bad = -1
        self._jitter = 0.0
        self._jitter_at = 0.0
        self._jitter_timestamp = -1
        self._expected_before = 0
        self._received_before = 0
        self._octets_before = 0
        self._rate_since = -1.0
        self._report_middle = 0
        self._report_arrival = 0.0

    def extend(self, sequence_number: int) -> int:
        """The number beyond 16 bits nearest to the newest, without counting it."""
        highest = self.highest
        if highest < 0:
            return sequence_number + _FULL
        ahead = (sequence_number - highest) & 0xFFFF
        return highest + ahead if ahead < _HALF else highest + ahead - _FULL

    def count(self, sequence_number: int, size: int) -> int:
        """Count one packet and extend its number; -1 if it is far behind and not to be used.

        Two stale packets in a row mean that the sender started anew; the caller is told by -2 and has to begin with new
        statistics.
        """
        highest = self.highest
        if highest < 0:
            # One wrap up, so that a packet from before the first one has a number of at least 0.
            self.highest = self._first = extended = sequence_number + _FULL
        else:
            ahead = (sequence_number - highest) & 0xFFFF
            if ahead < _HALF:
                extended = highest + ahead
                self.highest = extended
            else:
                extended = highest + ahead - _FULL
                if extended < highest - _STALE:
                    restarted = sequence_number == self._bad
                    self._bad = (sequence_number + 1) & 0xFFFF
                    return -2 if restarted else -1
        self.received += 1
        self.octets += size
        return extended

    def time_frame(self, timestamp: int, arrival: float) -> None:
        """Take the timestamp and arrival of a packet into the jitter. Once per frame is enough."""
        if self._jitter_timestamp >= 0:
            step = (timestamp - self._jitter_timestamp) & (_WRAP_32 - 1)
            if step >= _WRAP_32 >> 1:
                step -= _WRAP_32
            difference = abs((arrival - self._jitter_at) * self._clock_rate - step)
            # A pause is no jitter.
            if difference < 10 * self._clock_rate:
                self._jitter += (difference - self._jitter) / 16
        self._jitter_timestamp = timestamp
        self._jitter_at = arrival

    def sender_reported(self, ntp: int, arrival: float) -> None:
        """Take the NTP time (64 bits) of a sender report."""
        self._report_middle = ntp >> 16 & 0xFFFFFFFF
        self._report_arrival = arrival

    def measure(self, now: float) -> float:
        """The rate in bits per second since the last call, which also becomes `bitrate`."""
        if self._rate_since >= 0 and now > self._rate_since:
            self.bitrate = 8 * (self.octets - self._octets_before) / (now - self._rate_since)
        self._rate_since = now
        self._octets_before = self.octets
        return self.bitrate

    @property
    def jitter(self) -> float:
        """In seconds."""
        return self._jitter / self._clock_rate

    @property
    def lost(self) -> int:
        """Packets that have not come so far."""
        return max(0, self.highest - self._first + 1 - self.received) if self.highest >= 0 else 0

    def report(self, now: float) -> ReportBlock:
        """The next report block. What is said of loss covers the time since the call before."""
        expected = self.highest - self._first + 1 if self.highest >= 0 else 0
        expected_now = expected - self._expected_before
        received_now = self.received - self._received_before
        self._expected_before, self._received_before = expected, self.received
        lost_now = max(0, expected_now - received_now)
        fraction = min(255, (lost_now << 8) // expected_now) if expected_now > 0 else 0
        self.fraction_lost = lost_now / expected_now if expected_now > 0 else 0.0
        delay = int((now - self._report_arrival) * 65536) if self._report_middle else 0
        return ReportBlock(
            self.ssrc,
            fraction,
            max(-0x800000, min(0x7FFFFF, expected - self.received)),
            max(0, self.highest - _FULL) & 0xFFFFFFFF,
            min(0xFFFFFFFF, int(self._jitter)),
            self._report_middle,
            max(0, min(0xFFFFFFFF, delay)),
        )
