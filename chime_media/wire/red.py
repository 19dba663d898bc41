"""Redundant audio (RFC 2198): the packets before once more in front of a packet, so that losses hurt less."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from chime_messaging.errors import DecodeError

LARGEST_OFFSET: Final = (1 << 14) - 1
"""Samples of the RTP clock that a repeated block may lie back."""
LARGEST_BLOCK: Final = (1 << 10) - 1
LARGEST_PAYLOAD: Final = 1000
"""What we let a payload grow to, well within what every path carries."""

_MOST_BLOCKS: Final = 32


class Block(NamedTuple):
    """One block of a payload."""

    payload_type: int
    timestamp_offset: int
    """Samples before the packet's timestamp; 0 for the packet's own audio."""
    payload: bytes


def parse(payload: bytes) -> list[Block]:
    """The blocks of a RED payload, oldest first, the packet's own last; empty repeated blocks are left out.

    Raises:
        DecodeError: the headers do not fit the payload.
    """
    headers: list[tuple[int, int, int]] = []
    at = 0
    size = len(payload)
    while True:
        if at >= size or len(headers) > _MOST_BLOCKS:
            raise DecodeError("a RED payload whose headers do not end", payload)
        first = payload[at]
        if first < 0x80:
            at += 1
            break
        if at + 4 > size:
            raise DecodeError("a RED payload that ends within a header", payload)
        rest = int.from_bytes(payload[at + 1 : at + 4], "big")
        headers.append((first & 0x7F, rest >> 10, rest & LARGEST_BLOCK))
        at += 4
    blocks = []
    for payload_type, offset, length in headers:
        if at + length > size:
            raise DecodeError("a RED payload shorter than its blocks", payload)
        if length:
            blocks.append(Block(payload_type, offset, payload[at : at + length]))
        at += length
    blocks.append(Block(first, 0, payload[at:]))
    return blocks


def build(payload_type: int, payload: bytes, repeated: Sequence[tuple[int, bytes]] = ()) -> bytes:
    """A RED payload.

    Args:
        payload_type: What all blocks are coded in.
        payload: The packet's own audio.
        repeated: (timestamp offset, payload) of earlier packets, oldest first. What does not fit is left out.
    """
    if not repeated:
        return bytes((payload_type,)) + payload
    room = LARGEST_PAYLOAD - 1 - len(payload)
    chosen: list[tuple[int, bytes]] = []
    for offset, block in reversed(repeated):
        if offset > LARGEST_OFFSET or len(block) > LARGEST_BLOCK or len(block) + 4 > room:
            break
        room -= len(block) + 4
        chosen.append((offset, block))
    chosen.reverse()
    head = b"".join(
        bytes((0x80 | payload_type,)) + (offset << 10 | len(block)).to_bytes(3, "big") for offset, block in chosen
    )
    return b"".join((head, bytes((payload_type,)), *(block for _, block in chosen), payload))
