"""H.264 in RTP (RFC 6184): where key frames begin."""

from __future__ import annotations

SPS = 7
_STAP_A = 24
_TYPE = 0x1F


def starts_key_frame(payload: bytes) -> bool:
    """Whether a decoder can begin with this packet: it brings a sequence parameter set.

    Senders put one before each IDR picture, mostly in a packet of its own with the picture's timestamp. The picture
    itself is no beginning: a decoder that was not given the set before shows nothing. Hostile or short payloads are no
    key frame.
    """
    if len(payload) < 2:
        return False
    kind = payload[0] & _TYPE
    return kind == SPS or (kind == _STAP_A and _aggregate_has_set(payload))


def _aggregate_has_set(payload: bytes) -> bool:
    at, end = 1, len(payload)
    while at + 2 < end:
        if payload[at + 2] & _TYPE == SPS:
            return True
        at += 2 + (payload[at] << 8 | payload[at + 1])
    return False
