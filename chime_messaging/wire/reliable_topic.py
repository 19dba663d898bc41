"""What travels on a reliable topic: pieces of messages, acknowledgements, and where a sender stands.

Each is one data message. It begins with a byte that no UTF-8 text contains, so that text and JSON of somebody who knows
nothing of this are told apart. Numbers are big-endian.
"""

from __future__ import annotations

import struct
from typing import Final

import msgspec

from chime_messaging.errors import DecodeError

MAGIC: Final = b"\xff\xc5\x01"
"""Beginning of every frame; the last byte is the version."""

MAX_FRAME_BYTES: Final = 2048
"""A data message takes no more."""

MAX_RANGES: Final = 250
"""Ranges of missing pieces that one acknowledgement names."""

_HEAD = struct.Struct(">3sBQ")
_PIECE = struct.Struct(">3sBQIIHHB")
_STANDING = struct.Struct(">3sBQII")
_ACK = struct.Struct(">3sBQI")
_RANGE = struct.Struct(">IHH")
_KIND_PIECE, _KIND_STANDING, _KIND_ACK, _KIND_HELLO = 1, 2, 3, 4

MAX_BODY_BYTES: Final = MAX_FRAME_BYTES - _PIECE.size
"""Bytes of a message that one piece carries; all but the last carry so many."""
MAX_PIECES: Final = 0xFFFF


class Piece(msgspec.Struct, frozen=True):
    """A part of a message."""

    stream: int
    """Random, 64 bits: one sender, from its start to its end."""
    floor: int
    """Messages below it can no longer be had."""
    number: int
    """Of the message, from 0."""
    index: int
    count: int
    """Pieces of the message."""
    is_compressed: bool
    """Whether all pieces together are zlib data."""
    body: bytes


class Standing(msgspec.Struct, frozen=True):
    """Where a sender stands: it has the messages from `floor` to below `next`."""

    stream: int
    floor: int
    next: int


class Range(msgspec.Struct, frozen=True):
    """Pieces of one message, first and last included."""

    number: int
    first: int
    last: int


class Acknowledgement(msgspec.Struct, frozen=True):
    """What a receiver has of one sender: every message below `next`, and of later ones all but `missing`."""

    stream: int
    next: int
    missing: tuple[Range, ...] = ()


class Hello(msgspec.Struct, frozen=True):
    """A receiver is there, for the first time or again, and wants to know where senders stand."""


ReliableFrame = Piece | Standing | Acknowledgement | Hello


def is_reliable(data: bytes) -> bool:
    """Whether the data of a message is a frame of this protocol, of whatever version."""
    return data.startswith(MAGIC[:2])


def encode(frame: ReliableFrame) -> bytes:
    """Write a frame as the data of a message."""
    if isinstance(frame, Piece):
        flags = 1 if frame.is_compressed else 0
        head = _PIECE.pack(MAGIC, _KIND_PIECE, frame.stream, frame.floor, frame.number, frame.index, frame.count, flags)
        return head + frame.body
    if isinstance(frame, Standing):
        return _STANDING.pack(MAGIC, _KIND_STANDING, frame.stream, frame.floor, frame.next)
    if isinstance(frame, Acknowledgement):
        ranges = b"".join(_RANGE.pack(r.number, r.first, r.last) for r in frame.missing[:MAX_RANGES])
        return _ACK.pack(MAGIC, _KIND_ACK, frame.stream, frame.next) + ranges
    return _HEAD.pack(MAGIC, _KIND_HELLO, 0)


def decode(data: bytes) -> ReliableFrame:
    """Read a frame.

    Raises:
        DecodeError: if it is none, of another version, or contradicts itself.
    """
    if not data.startswith(MAGIC) or len(data) < _HEAD.size:
        raise DecodeError("not a frame of a reliable topic", data)
    kind = data[len(MAGIC)]
    if kind == _KIND_PIECE:
        return _piece(data)
    if kind == _KIND_STANDING:
        _, _, stream, floor, following = _unpack(_STANDING, data)
        if floor > following:
            raise DecodeError("a sender that has less than nothing", data)
        return Standing(stream, floor, following)
    if kind == _KIND_ACK:
        _, _, stream, following = _unpack(_ACK, data)
        rest = data[_ACK.size :]
        if len(rest) % _RANGE.size:
            raise DecodeError("half a range", data)
        ranges = tuple(Range(*fields) for fields in _RANGE.iter_unpack(rest))
        return Acknowledgement(stream, following, ranges)
    if kind == _KIND_HELLO:
        return Hello()
    raise DecodeError(f"unknown kind {kind}", data)


def _piece(data: bytes) -> Piece:
    _, _, stream, floor, number, index, count, flags = _unpack(_PIECE, data)
    body = data[_PIECE.size :]
    is_last = index == count - 1
    if index >= count or floor > number or (len(body) != MAX_BODY_BYTES and not is_last) or len(body) > MAX_BODY_BYTES:
        raise DecodeError("a piece that contradicts itself", data)
    return Piece(stream, floor, number, index, count, bool(flags & 1), body)


def _unpack(layout: struct.Struct, data: bytes) -> tuple[int, ...]:
    try:
        return layout.unpack_from(data)
    except struct.error as exc:
        raise DecodeError("too short", data) from exc
