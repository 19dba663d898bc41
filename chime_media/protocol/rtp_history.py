"""The latest packets of a stream, to send again what got lost and to tell what came twice."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

PacketT = TypeVar("PacketT")


class RtpHistory(Generic[PacketT]):
    """Packets by sequence number, forgotten after some time and beyond a number of them.

    Args:
        seconds: How long a packet is worth sending again.
        capacity: How many are kept at most, which bounds the memory of a fast stream.
    """

    __slots__ = ("_by_number", "_capacity", "_order", "_seconds", "forgotten")

    def __init__(self, seconds: float = 1.5, capacity: int = 768) -> None:
        self._seconds = seconds
        self._capacity = capacity
        self._by_number: dict[int, PacketT] = {}
        self._order: deque[tuple[float, int]] = deque()
        self.forgotten = -1
        """The highest number that was kept and is not any more. What is not above it may have been here before."""

    def add(self, sequence_number: int, packet: PacketT, now: float) -> bool:
        """Keep a packet; False if there is one of that number already."""
        kept = self._by_number
        if sequence_number in kept:
            return False
        kept[sequence_number] = packet
        order = self._order
        order.append((now, sequence_number))
        if len(order) > self._capacity or order[0][0] < now - self._seconds:
            self._forget(order.popleft()[1])
            # Two at most: a stream that stopped and went on gets rid of the old one packet by packet.
            if order[0][0] < now - self._seconds:
                self._forget(order.popleft()[1])
        return True

    def _forget(self, sequence_number: int) -> None:
        del self._by_number[sequence_number]
        if sequence_number > self.forgotten:
            self.forgotten = sequence_number

    def get(self, sequence_number: int) -> PacketT | None:
        """The packet of that number, None if it never came or is forgotten."""
        return self._by_number.get(sequence_number)

    def after(self, sequence_number: int) -> list[PacketT]:
        """Those of higher numbers, in order. Numbers must have been extended beyond 16 bits for "higher" to mean it."""
        return [self._by_number[number] for number in sorted(self._by_number) if number > sequence_number]

    def clear(self) -> None:
        """Forget everything."""
        self._by_number.clear()
        self._order.clear()

    def __contains__(self, sequence_number: int) -> bool:
        return sequence_number in self._by_number

    def __len__(self) -> int:
        return len(self._order)
