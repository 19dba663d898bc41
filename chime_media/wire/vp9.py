"""The VP9 payload descriptor (RFC 9628): where key frames begin."""

from __future__ import annotations

_PICTURE_ID, _PREDICTED, _LAYERS, _BEGINS = 0x80, 0x40, 0x20, 0x08


def starts_key_frame(payload: bytes) -> bool:
    """Whether this is the first packet of a picture that depends on none before it.

    Of several spatial layers only the lowest counts: the ones above it depend on it. Hostile or short payloads are no
    key frame.
    """
    if len(payload) < 2 or payload[0] & (_PREDICTED | _BEGINS) != _BEGINS:
        return False
    if not payload[0] & _LAYERS:
        return True
    at = 1
    if payload[0] & _PICTURE_ID:
        at += 2 if payload[1] & 0x80 else 1
    return at < len(payload) and (payload[at] >> 1) & 0x07 == 0
