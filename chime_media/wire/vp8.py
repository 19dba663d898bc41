"""The VP8 payload descriptor (RFC 7741): where key frames begin, and the counters that go on when streams are joined.

A receiver takes a step back in the count of pictures (15 or 7 bits) or of reference layers (8 bits) for a late packet,
so whoever makes two streams into one shifts both.
"""

from __future__ import annotations

from dataclasses import dataclass

from chime_messaging.errors import DecodeError

_EXTENDED = 0x80
_START = 0x10
_PICTURE_ID, _REFERENCE_INDEX, _TEMPORAL, _KEY_INDEX = 0x80, 0x40, 0x20, 0x10
_LONG = 0x80


@dataclass(slots=True, frozen=True)
class Descriptor:
    """What stands before the VP8 data of one packet.

    Attributes:
        starts_frame: The first packet of a frame.
        picture_id: Counter of pictures, None if the sender counts none.
        picture_id_bits: 15 or 7; 0 without a picture id.
        picture_id_at: Where the picture id begins.
        reference_index: TL0PICIDX, the counter of frames of the lowest temporal layer; None if absent.
        reference_index_at: Where it stands.
        temporal_layer: 0 if not said.
        size: Bytes of the descriptor.
    """

    starts_frame: bool
    picture_id: int | None
    picture_id_bits: int
    picture_id_at: int
    reference_index: int | None
    reference_index_at: int
    temporal_layer: int
    size: int


def parse(payload: bytes) -> Descriptor:
    """Read the descriptor at the head of an RTP payload.

    Raises:
        DecodeError: The payload ends within it.
    """
    try:
        first = payload[0]
        starts = first & _START != 0 and first & 0x07 == 0
        if not first & _EXTENDED:
            return Descriptor(starts, None, 0, 0, None, 0, 0, 1)
        flags, at = payload[1], 2
        picture_id, bits, picture_id_at = None, 0, 0
        if flags & _PICTURE_ID:
            picture_id_at, picture_id, bits = at, payload[at] & 0x7F, 7
            if payload[at] & _LONG:
                at += 1
                picture_id, bits = picture_id << 8 | payload[at], 15
            at += 1
        reference_index, reference_index_at = None, 0
        if flags & _REFERENCE_INDEX:
            reference_index, reference_index_at = payload[at], at
            at += 1
        temporal = 0
        if flags & (_TEMPORAL | _KEY_INDEX):
            temporal = payload[at] >> 6 if flags & _TEMPORAL else 0
            at += 1
    except IndexError:
        raise DecodeError("a VP8 descriptor goes beyond its packet", payload) from None
    return Descriptor(starts, picture_id, bits, picture_id_at, reference_index, reference_index_at, temporal, at)


def starts_key_frame(payload: bytes) -> bool:
    """Whether this is the first packet of a key frame. Hostile or short payloads are none."""
    if not payload or payload[0] & 0x17 != _START:
        return False
    try:
        size = parse(payload).size if payload[0] & _EXTENDED else 1
    except DecodeError:
        return False
    return len(payload) > size and not payload[size] & 1


def shift(payload: bytes, pictures: int, references: int) -> bytes:
    """The payload with both counters moved on, each in its own width. Unchanged if it has none or cannot be read."""
    try:
        descriptor = parse(payload)
    except DecodeError:
        return payload
    if descriptor.picture_id is None and descriptor.reference_index is None:
        return payload
    shifted = bytearray(payload)
    at = descriptor.picture_id_at
    if descriptor.picture_id is not None:
        if descriptor.picture_id_bits == 15:
            moved = (descriptor.picture_id + pictures) & 0x7FFF
            shifted[at], shifted[at + 1] = _LONG | moved >> 8, moved & 0xFF
        else:
            shifted[at] = (descriptor.picture_id + pictures) & 0x7F
    if descriptor.reference_index is not None:
        shifted[descriptor.reference_index_at] = (descriptor.reference_index + references) & 0xFF
    return bytes(shifted)
