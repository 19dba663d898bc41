"""Retransmission in a stream of its own (RFC 4588): the lost packet's number goes before its payload."""

from __future__ import annotations

import struct

_HEADER = struct.Struct("!BBHII")
_NUMBER = struct.Struct("!H")
_PLAIN, _MARKER = 0x80, 0x80


def wrap(
    payload: bytes, original: int, *, marker: bool, timestamp: int, ssrc: int, payload_type: int, sequence_number: int
) -> bytes:
    """A retransmission as an RTP packet.

    Args:
        payload: The lost packet's payload.
        original: The lost packet's sequence number.
        marker: The lost packet's marker.
        timestamp: The lost packet's timestamp.
        ssrc: Of the retransmission stream.
        payload_type: The one that was agreed for retransmissions of the lost packet's.
        sequence_number: The next of the retransmission stream.
    """
    second = payload_type | _MARKER if marker else payload_type
    return _HEADER.pack(_PLAIN, second, sequence_number & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc) + (
        _NUMBER.pack(original & 0xFFFF) + payload
    )


def unwrap(payload: bytes) -> tuple[int, bytes] | None:
    """The lost packet's sequence number and payload; None for padding, which senders use to probe the bandwidth."""
    if len(payload) <= _NUMBER.size:
        return None
    return payload[0] << 8 | payload[1], payload[2:]
