"""The receiving half of a reliable topic: each message once, in the order of its sender, within limits.

Pure: the shell hands in frames, tells the messages that come back, sends `acknowledgements` when `deadline` has passed,
and calls `tick` then, too.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Iterable

import msgspec

from chime_messaging.protocol.reliable_outbox import Limits
from chime_messaging.wire.reliable_topic import MAX_BODY_BYTES, MAX_RANGES, Acknowledgement, Piece, Range, Standing

MAX_STREAMS = 1024
"""Senders remembered; beyond that the one that has been quiet longest is forgotten."""

MAX_AHEAD = 4096
"""Messages beyond the next one of which a piece is taken in."""


class Delivered(msgspec.Struct, frozen=True):
    """A whole message."""

    sender: str
    number: int
    data: bytes
    ingest_time_ns: int | None = None
    """When the service took the piece that made it whole."""


class Lost(msgspec.Struct, frozen=True):
    """Messages that can no longer be had."""

    sender: str
    messages: int


Arrival = Delivered | Lost


class _Transfer:
    """A message of which some pieces are there."""

    __slots__ = ("have", "ingest_time_ns", "is_compressed", "pieces", "size")

    def __init__(self, count: int, is_compressed: bool) -> None:
        self.pieces: list[bytes | None] = [None] * count
        self.is_compressed = is_compressed
        self.have = 0
        self.size = 0
        self.ingest_time_ns: int | None = None

    @property
    def is_complete(self) -> bool:
        return self.have == len(self.pieces)

    def has_all_before(self, index: int) -> bool:
        """Whether no piece up to this one is missing, and none after it is there."""
        return self.have == index + 1


class _Stream:
    """What is there of one sender."""

    __slots__ = ("is_fresh", "known", "next", "progress", "size", "transfers", "wants_ack")

    def __init__(self, first: int, now: float) -> None:
        self.next = first
        """Number of the message to deliver next."""
        self.known = first
        """Messages below it exist."""
        self.transfers: dict[int, _Transfer] = {}
        self.size = 0
        self.is_fresh = True
        """Nothing was delivered yet, so what is gone was never due."""
        self.progress = now
        self.wants_ack = False


class Inbox:
    """All senders of one topic, as one receiver sees them."""

    def __init__(self, limits: Limits) -> None:
        self.deadline: float | None = None
        """When `tick` and `acknowledgements` are due."""
        self.ack_delay = 0.1
        """Seconds in which several pieces share one acknowledgement; longer in large meetings."""
        self._limits = limits
        self._streams: OrderedDict[tuple[str, int], _Stream] = OrderedDict()
        self._size = 0
        self._transfers = 0

    @property
    def size(self) -> int:
        """Bytes held."""
        return self._size

    @property
    def transfers(self) -> int:
        """Messages held."""
        return self._transfers

    def piece(self, sender: str, piece: Piece, now: float, ingest_time_ns: int | None = None) -> list[Arrival]:
        """Take a piece of a message; return what can be told now."""
        key = (sender, piece.stream)
        stream = self._stream(key, piece.floor, now)
        arrivals = self._raise_floor(sender, stream, piece.floor, now)
        if piece.number >= stream.next + MAX_AHEAD or piece.count > -(-self._limits.message // MAX_BODY_BYTES):
            # Further ahead, or larger, than a sender with our limits would send.
            return arrivals
        stream.known = max(stream.known, piece.number + 1)
        if piece.number >= stream.next:
            self._store(stream, piece, now, ingest_time_ns)
            arrivals += self._deliver(sender, stream, now)
        # What is coming in order needs no word until it is whole.
        transfer = stream.transfers.get(piece.number)
        in_order = piece.number == stream.next and transfer is not None and transfer.has_all_before(piece.index)
        if not in_order:
            self._want_ack(stream, now)
        return arrivals

    def standing(self, sender: str, standing: Standing, now: float) -> list[Arrival]:
        """Take word of where a sender stands; return what can be told now."""
        stream = self._stream((sender, standing.stream), standing.floor, now)
        stream.known = max(stream.known, min(standing.next, stream.next + MAX_AHEAD))
        arrivals = self._raise_floor(sender, stream, standing.floor, now)
        self._want_ack(stream, now)
        return arrivals + self._deliver(sender, stream, now)

    def sender_left(self, sender: str, now: float) -> list[Arrival]:
        """Tell what is complete of a sender who left: the rest will not come."""
        arrivals: list[Arrival] = []
        for key in [key for key in self._streams if key[0] == sender]:
            stream = self._streams[key]
            while stream.transfers:
                arrivals += self._skip(sender, stream, now)
            self._forget(key)
        return arrivals

    def acknowledgements(self, now: float) -> list[Acknowledgement]:
        """Return what is to be said to senders now."""
        acks = []
        for (_, number), stream in self._streams.items():
            if stream.wants_ack:
                stream.wants_ack = False
                acks.append(Acknowledgement(number, stream.next, tuple(self._missing(stream))))
        self._set_deadline(now)
        return acks

    def tick(self, now: float) -> list[Arrival]:
        """Go on without messages that have been waited for too long. Harmless before `deadline`."""
        arrivals: list[Arrival] = []
        for (sender, _), stream in self._streams.items():
            if stream.transfers and now >= stream.progress + self._limits.age:
                arrivals += self._skip(sender, stream, now)
        self._set_deadline(now)
        return arrivals

    # What is there

    def _stream(self, key: tuple[str, int], floor: int, now: float) -> _Stream:
        stream = self._streams.get(key)
        if stream is None:
            if len(self._streams) >= MAX_STREAMS:
                self._forget(next(iter(self._streams)))
            stream = self._streams[key] = _Stream(floor, now)
        self._streams.move_to_end(key)
        return stream

    def _forget(self, key: tuple[str, int]) -> None:
        stream = self._streams.pop(key)
        self._size -= stream.size
        self._transfers -= len(stream.transfers)

    def _store(self, stream: _Stream, piece: Piece, now: float, ingest_time_ns: int | None) -> None:
        transfer = stream.transfers.get(piece.number)
        if transfer is not None:
            shape = (len(transfer.pieces), transfer.is_compressed)
            if shape != (piece.count, piece.is_compressed) or transfer.pieces[piece.index] is not None:
                return
        if not self._make_room(stream, piece):
            return
        if transfer is None:
            transfer = stream.transfers[piece.number] = _Transfer(piece.count, piece.is_compressed)
            self._transfers += 1
        transfer.pieces[piece.index] = piece.body
        transfer.have += 1
        transfer.ingest_time_ns = ingest_time_ns
        transfer.size += len(piece.body)
        stream.size += len(piece.body)
        self._size += len(piece.body)
        stream.progress = now
        due = now + self._limits.age
        self.deadline = due if self.deadline is None else min(self.deadline, due)

    def _make_room(self, stream: _Stream, piece: Piece) -> bool:
        """Whether a piece may be held. The next message may take the place of later ones of the same sender."""
        while not self._fits(stream, piece):
            last = max(stream.transfers, default=piece.number)
            if last <= piece.number or piece.number != stream.next:
                return False
            self._drop(stream, last)
        return True

    def _fits(self, stream: _Stream, piece: Piece) -> bool:
        limits, size = self._limits, len(piece.body)
        new = piece.number not in stream.transfers
        own = stream.size + size <= max(limits.buffered // 4, limits.message)
        own = own and len(stream.transfers) + new <= max(limits.transfers // 4, 1)
        return own and self._size + size <= limits.buffered and self._transfers + new <= limits.transfers

    def _drop(self, stream: _Stream, number: int) -> _Transfer:
        transfer = stream.transfers.pop(number)
        stream.size -= transfer.size
        self._size -= transfer.size
        self._transfers -= 1
        return transfer

    # What can be told

    def _deliver(self, sender: str, stream: _Stream, now: float) -> list[Arrival]:
        arrivals: list[Arrival] = []
        while (transfer := stream.transfers.get(stream.next)) is not None and transfer.is_complete:
            arrivals.append(self._finish(sender, stream))
            stream.progress = now
        return arrivals

    def _finish(self, sender: str, stream: _Stream) -> Arrival:
        number = stream.next
        transfer = self._drop(stream, number)
        data = _joined(transfer, self._limits.message)
        stream.next += 1
        stream.known = max(stream.known, stream.next)
        stream.is_fresh = False
        return Lost(sender, 1) if data is None else Delivered(sender, number, data, transfer.ingest_time_ns)

    def _raise_floor(self, sender: str, stream: _Stream, floor: int, now: float) -> list[Arrival]:
        """Give up what the sender no longer has; tell what is complete of it."""
        if floor <= stream.next:
            return []
        stream.known = max(stream.known, floor)
        return self._advance(sender, stream, floor, now)

    def _skip(self, sender: str, stream: _Stream, now: float) -> list[Arrival]:
        """Go on without the message that is waited for, up to the next one that is complete."""
        complete = [number for number, transfer in stream.transfers.items() if transfer.is_complete]
        return self._advance(sender, stream, min(complete, default=max(stream.transfers) + 1), now)

    def _advance(self, sender: str, stream: _Stream, target: int, now: float) -> list[Arrival]:
        arrivals: list[Arrival] = []
        for number in sorted(number for number in stream.transfers if number < target):
            if stream.transfers[number].is_complete:
                arrivals += self._lose(sender, stream, number)
                arrivals.append(self._finish(sender, stream))
            else:
                self._drop(stream, number)
        arrivals += self._lose(sender, stream, target)
        stream.progress = now
        return arrivals + self._deliver(sender, stream, now)

    def _lose(self, sender: str, stream: _Stream, target: int) -> list[Arrival]:
        missed, stream.next = target - stream.next, target
        return [] if missed == 0 or stream.is_fresh else [Lost(sender, missed)]

    # What is to be said

    def _missing(self, stream: _Stream) -> Iterable[Range]:
        ranges: list[Range] = []
        for number in range(stream.next, stream.known):
            transfer = stream.transfers.get(number)
            if transfer is None:
                ranges.append(Range(number, 0, 0xFFFF))
            else:
                ranges += _gaps(number, transfer)
            if len(ranges) >= MAX_RANGES:
                break
        return ranges[:MAX_RANGES]

    def _want_ack(self, stream: _Stream, now: float) -> None:
        stream.wants_ack = True
        due = now + self.ack_delay
        self.deadline = due if self.deadline is None else min(self.deadline, due)

    def _set_deadline(self, now: float) -> None:
        waits = [stream.progress + self._limits.age for stream in self._streams.values() if stream.transfers]
        if any(stream.wants_ack for stream in self._streams.values()):
            waits.append(now + self.ack_delay)
        self.deadline = min(waits, default=None)


def _gaps(number: int, transfer: _Transfer) -> list[Range]:
    gaps: list[Range] = []
    first: int | None = None
    for index, body in enumerate([*transfer.pieces, b""]):
        if body is None and first is None:
            first = index
        elif body is not None and first is not None:
            gaps.append(Range(number, first, index - 1))
            first = None
    return gaps


def _joined(transfer: _Transfer, limit: int) -> bytes | None:
    """Put a message together; None if it cannot be read, or is larger than any may be."""
    data = b"".join(piece for piece in transfer.pieces if piece is not None)
    if not transfer.is_compressed:
        return data if len(data) <= limit else None
    unpacker = zlib.decompressobj()
    try:
        # Bounded: a few bytes of zlib data can stand for gigabytes.
        data = unpacker.decompress(data, limit + 1)
    except zlib.error:
        return None
    return data if unpacker.eof and len(data) <= limit else None
