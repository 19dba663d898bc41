"""What ``chime load data`` counts: what was sent, what reached whom, and how long it took."""

from __future__ import annotations

import math
import struct
from array import array

_HEADER = struct.Struct("!IQ")
"""Number of the message, then the nanoseconds of a clock of this process at which it was sent."""

MIN_BYTES = _HEADER.size
"""Bytes of the smallest message that can be counted."""


class Deliveries:
    """Messages of one load, by number. Every message should reach every attendee but its sender, once.

    Args:
        attendees: how many there are, senders included.
        size: bytes of each message.
    """

    def __init__(self, attendees: int, size: int) -> None:
        self.attendees = attendees
        self.sent = 0
        self.delivered = 0
        self.duplicated = 0
        self.throttled: set[int] = set()
        """Numbers of messages that came back to their sender."""
        self.foreign = 0
        """Messages that this load has not sent."""
        self._padding = bytes(size - MIN_BYTES)
        self._seen = [bytearray() for _ in range(attendees)]
        self._latencies = array("d")

    def send(self, now: int) -> bytes:
        """Count one more message and give its bytes. `now` is in nanoseconds."""
        data = _HEADER.pack(self.sent, now) + self._padding
        self.sent += 1
        return data

    def unsent(self) -> None:
        """Take the message that `send` gave last back: it did not get out."""
        self.sent -= 1

    def receive(self, attendee: int, data: bytes, now: int) -> None:
        """Count what has reached an attendee."""
        read = self._read(data)
        if read is None:
            return
        number, sent = read
        seen = self._seen[attendee]
        if number >= len(seen):
            seen.extend(bytes(number + 1 - len(seen)))
        if seen[number]:
            self.duplicated += 1
            return
        seen[number] = 1
        self.delivered += 1
        self._latencies.append((now - sent) / 1e9)

    def bounce(self, data: bytes) -> None:
        """Count what has come back throttled to its sender."""
        read = self._read(data)
        if read is not None:
            self.throttled.add(read[0])

    @property
    def expected(self) -> int:
        """Deliveries that there should be in the end."""
        return (self.sent - len(self.throttled)) * (self.attendees - 1)

    @property
    def lost(self) -> int:
        """Deliveries that are missing; while it runs, also those on their way."""
        return self.expected - self.delivered

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing and nothing came twice."""
        return not self.lost and not self.duplicated

    def latency(self, share: float) -> float:
        """Seconds within which this share (0 to 1) of the deliveries arrived; 1 for the slowest. NaN without any."""
        if not self._latencies:
            return math.nan
        ranked = sorted(self._latencies)
        return ranked[max(0, math.ceil(share * len(ranked)) - 1)]

    def _read(self, data: bytes) -> tuple[int, int] | None:
        if len(data) < MIN_BYTES or (read := _HEADER.unpack_from(data))[0] >= self.sent:
            self.foreign += 1
            return None
        return read[0], read[1]
