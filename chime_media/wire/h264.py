"""H.264 in RTP (RFC 6184): where key frames begin."""

from __future__ import annotations

IDR, SPS = 5, 7
_STAP_A, _FU_A = 24, 28
_TYPE = 0x1F


def starts_key_frame(payload: bytes) -> bool:
    """Whether a decoder can begin with this packet: parameter sets, or the first piece of an IDR picture.

    Senders put the sequence parameter set before each IDR picture, mostly in a packet of its own with the picture's
    timestamp. A decoder that was given the picture without the set shows nothing, so callers who look at the packets of
    a frame in order begin at the set. Hostile or short payloads are no key frame.
    """
    if len(payload) < 2:
        return False
    kind = payload[0] & _TYPE
    if kind == _FU_A:
        return payload[1] & 0x80 != 0 and payload[1] & _TYPE == IDR
    if kind == _STAP_A:
        return _aggregate_has_key(payload)
    return kind in (IDR, SPS)


def _aggregate_has_key(payload: bytes) -> bool:
    at, end = 1, len(payload)
    while at + 2 < end:
        if payload[at + 2] & _TYPE in (IDR, SPS):
            return True
        at += 2 + (payload[at] << 8 | payload[at + 1])
    return False
