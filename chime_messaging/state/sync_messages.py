"""What peers say to each other about a document: the messages of y-protocols, and one of our own. Pure.

Steps, updates and awareness are encoded as y-websocket encodes them, so that a Yjs document in a browser needs no other
encoding. `Standing` is what y-websocket does not need, as a server stands in its middle: what a peer has, in a form in
which two peers can tell whether they have the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from zlib import crc32

import msgspec

from chime_messaging.errors import DecodeError

MAX_CLIENTS: Final = 65536
"""Clients that a state vector may name."""

_SYNC, _AWARENESS, _QUERY_AWARENESS, _STANDING, _OFFER = 0, 1, 3, 100, 101
_STEP1, _STEP2, _UPDATE = 0, 1, 2

Vector = dict[int, int]
"""State vector: of each client, how many of its changes are there."""


class Step1(msgspec.Struct, frozen=True):
    """What somebody has, asking for the rest. Told by other clients; ours say `Standing`."""

    vector: bytes


class Step2(msgspec.Struct, frozen=True):
    """An answer: everything that the one who asked lacks."""

    update: bytes


class Update(msgspec.Struct, frozen=True):
    """What somebody has changed."""

    update: bytes


class Standing(msgspec.Struct, frozen=True):
    """What a peer has: its state vector and a checksum of what is deleted."""

    vector: bytes
    deleted: int
    """CRC-32 of the deletions in canonical form."""
    wants_word: bool = False
    """Whether it is new, and wants to hear from somebody even if it lacks nothing."""


class Offer(msgspec.Struct, frozen=True):
    """A large answer is on its way, so that nobody else gives it and nobody asks again meanwhile."""

    peer: str
    """Attendee id of the one who asked."""
    size: int
    """Bytes."""


class AwarenessUpdate(msgspec.Struct, frozen=True):
    """States of some clients, encoded as y-protocols encodes them."""

    update: bytes


class QueryAwareness(msgspec.Struct, frozen=True):
    """Somebody new wants to know the states of all."""


SyncMessage = Step1 | Step2 | Update | Standing | Offer | AwarenessUpdate | QueryAwareness


def encode(message: SyncMessage) -> bytes:
    """Write a message."""
    match message:
        case Step1(vector):
            return bytes((_SYNC, _STEP1)) + with_size(vector)
        case Step2(update):
            return bytes((_SYNC, _STEP2)) + with_size(update)
        case Update(update):
            return bytes((_SYNC, _UPDATE)) + with_size(update)
        case Standing(vector, deleted, wants_word):
            return bytes((_STANDING, wants_word)) + deleted.to_bytes(4, "big") + with_size(vector)
        case Offer(peer, size):
            return bytes((_OFFER,)) + with_size(peer.encode()) + number(size)
        case AwarenessUpdate(update):
            return bytes((_AWARENESS,)) + with_size(update)
    return bytes((_QUERY_AWARENESS,))


def decode(data: bytes) -> SyncMessage:
    """Read a message.

    Raises:
        DecodeError: if it is none of them.
    """
    reader = Reader(data)
    kind = reader.number()
    if kind == _SYNC:
        step = reader.number()
        if step > _UPDATE:
            raise DecodeError(f"unknown step {step}", data)
        return (Step1, Step2, Update)[step](reader.sized())
    if kind == _AWARENESS:
        return AwarenessUpdate(reader.sized())
    if kind == _QUERY_AWARENESS:
        return QueryAwareness()
    if kind == _STANDING:
        flags = reader.number()
        return Standing(
            deleted=int.from_bytes(reader.take(4), "big"), vector=reader.sized(), wants_word=bool(flags & 1)
        )
    if kind == _OFFER:
        return Offer(reader.sized().decode(errors="replace"), reader.number())
    raise DecodeError(f"unknown kind {kind}", data)


class Reader:
    """Takes numbers and byte strings off the beginning of some bytes.

    Every method raises `DecodeError` if it is not there.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def is_at_end(self) -> bool:
        """Whether everything is taken."""
        return self._at >= len(self._data)

    def number(self) -> int:
        """Take a number of variable length."""
        value = shift = 0
        while True:
            if self._at >= len(self._data) or shift > 63:
                raise DecodeError("half a number, or too large a one", self._data)
            byte = self._data[self._at]
            self._at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def take(self, size: int) -> bytes:
        """Take so many bytes."""
        end = self._at + size
        if end > len(self._data):
            raise DecodeError(f"{size} bytes announced, fewer there", self._data)
        taken, self._at = self._data[self._at : end], end
        return taken

    def rest(self) -> bytes:
        """Take all that is left."""
        return self.take(len(self._data) - self._at)

    def sized(self) -> bytes:
        """Take a byte string that its length precedes."""
        return self.take(self.number())


def number(value: int) -> bytes:
    """Write a number of variable length."""
    written = bytearray()
    while value > 127:
        written.append(128 | (value & 127))
        value >>= 7
    written.append(value)
    return bytes(written)


def with_size(data: bytes) -> bytes:
    """Write a byte string with its length before it."""
    return number(len(data)) + data


def read_vector(data: bytes) -> Vector:
    """Read a state vector.

    Raises:
        DecodeError: if it is none.
    """
    reader = Reader(data)
    count = reader.number()
    if count > MAX_CLIENTS:
        raise DecodeError(f"{count} clients", data)
    return {reader.number(): reader.number() for _ in range(count)}


def write_vector(vector: Vector) -> bytes:
    """Write a state vector; the same one always in the same way."""
    return number(len(vector)) + b"".join(number(one) + number(vector[one]) for one in sorted(vector))


def lacks(vector: Vector, other: Vector) -> bool:
    """Whether there is something in `other` that is not in `vector`."""
    return any(vector.get(client, 0) < clock for client, clock in other.items())


def joined(vector: Vector, other: Vector) -> Vector:
    """Return what whoever has both has."""
    return vector | {client: clock for client, clock in other.items() if clock > vector.get(client, 0)}


def standing_of(snapshot: bytes, *, wants_word: bool = False) -> Standing:
    """Return what to tell of a document, from its Yjs snapshot: deletions, then the state vector.

    Raises:
        DecodeError: if it is no snapshot.
    """
    reader = Reader(snapshot)
    checksum = 0
    for client, ranges in sorted((reader.number(), list(_merged(reader))) for _ in range(reader.number())):
        for first, length in ranges:
            checksum = crc32(number(client) + number(first) + number(length), checksum)
    vector = {reader.number(): reader.number() for _ in range(reader.number())}
    return Standing(write_vector(vector), checksum, wants_word)


def _merged(reader: Reader) -> Iterator[tuple[int, int]]:
    """Ranges in order, with those put together that touch."""
    ranges = sorted((reader.number(), reader.number()) for _ in range(reader.number()))
    first = end = -1
    for start, length in ranges:
        if start > end:
            if end > first:
                yield first, end - first
            first, end = start, start + length
        end = max(end, start + length)
    if end > first:
        yield first, end - first
