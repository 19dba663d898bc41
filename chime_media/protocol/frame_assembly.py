"""Video packets to whole frames, in order and from a key frame on."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class AssembledFrame(NamedTuple):
    """All packets of one picture."""

    timestamp: int
    """As in RTP, 32 bits."""
    payloads: tuple[bytes, ...]
    key_frame: bool


class _Packet(NamedTuple):
    timestamp: int
    marker: bool
    payload: bytes
    starts_key_frame: bool


class FrameAssembler:
    """Puts the packets of one stream together.

    Begins at a key frame. Behind a gap it waits for what is missing until `give_up` is called, or until a key frame is
    complete behind it, which makes everything before it needless.

    Args:
        starts_key_frame: Says of a payload whether a decoder can begin with it.
        capacity: How many packets are kept behind a gap.
    """

    __slots__ = ("_capacity", "_first", "_key", "_next", "_packets", "_starts_key_frame", "dropped")

    def __init__(self, starts_key_frame: Callable[[bytes], bool], capacity: int = 1024) -> None:
        self._starts_key_frame = starts_key_frame
        self._capacity = capacity
        self._packets: dict[int, _Packet] = {}
        self._first = -1
        """Where the next frame begins; -1 while waiting for a key frame."""
        self._next = -1
        """The first packet of that frame that is missing."""
        self._key: int | None = None
        """Where the latest key frame behind the gap begins."""
        self.dropped = 0
        """Packets that never became a picture."""

    @property
    def waits_for_key_frame(self) -> bool:
        """Whether only a key frame helps."""
        return self._first < 0

    @property
    def begins_at(self) -> int:
        """The number of the first packet that is still needed, -1 if that is not known."""
        return self._first

    def add(self, number: int, timestamp: int, marker: bool, payload: bytes) -> list[AssembledFrame]:
        """Take a packet with its extended sequence number; answers the frames that it completes, mostly none or one."""
        if self._first >= 0 and number < self._next:
            return []
        starts = self._starts_key_frame(payload)
        if self._first < 0:
            if not starts:
                self._keep(number, _Packet(timestamp, marker, payload, starts))
                return []
            self._begin(number)
        elif starts and number > self._next and (self._key is None or number > self._key):
            packet = self._packets.get(self._key) if self._key is not None else None
            if packet is None or packet.timestamp != timestamp:
                self._key = number
        self._keep(number, _Packet(timestamp, marker, payload, starts))
        frames = self._take()
        if not frames and self._key is not None and self._is_complete(self._key):
            self._begin(self._key)
            frames = self._take()
        return frames

    def give_up(self) -> bool:
        """What is missing will not come: go on behind the gap if a key frame begins there. Answers whether it does."""
        if self._key is not None:
            self._begin(self._key)
            return True
        self._first = self._next = -1
        return False

    def reset(self) -> None:
        """Forget everything and wait for a key frame."""
        self.dropped += len(self._packets)
        self._packets.clear()
        self._first = self._next = -1
        self._key = None

    def _begin(self, number: int) -> None:
        self._first = self._next = number
        self._key = None
        for old in [old for old in self._packets if old < number]:
            del self._packets[old]
            self.dropped += 1

    def _keep(self, number: int, packet: _Packet) -> None:
        self._packets[number] = packet
        if len(self._packets) > self._capacity:
            oldest = next(iter(self._packets))  # By arrival, which is near enough.
            del self._packets[oldest]
            self.dropped += 1
            if 0 <= self._first <= oldest:
                self.give_up()

    def _take(self) -> list[AssembledFrame]:
        frames: list[AssembledFrame] = []
        packets, at = self._packets, self._next
        while at in packets:
            packet = packets[at]
            # A frame whose marker was lost with padding ends where the next one begins.
            if at > self._first and packet.timestamp != packets[self._first].timestamp:
                frames.append(self._cut(at))
            at += 1
            if packet.marker:
                frames.append(self._cut(at))
        self._next = at
        return frames

    def _cut(self, end: int) -> AssembledFrame:
        taken = [self._packets.pop(number) for number in range(self._first, end)]
        self._first = end
        return AssembledFrame(taken[0].timestamp, tuple(packet.payload for packet in taken), taken[0].starts_key_frame)

    def _is_complete(self, number: int) -> bool:
        while (packet := self._packets.get(number)) is not None:
            if packet.marker:
                return True
            number += 1
        return False
