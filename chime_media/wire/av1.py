"""AV1 in RTP (Alliance for Open Media's payload format): where key frames begin."""

from __future__ import annotations

_CONTINUES, _NEW_SEQUENCE = 0x80, 0x08


def starts_key_frame(payload: bytes) -> bool:
    """Whether this is the first packet of a new coded video sequence, which begins with a key frame.

    Senders must say so in the aggregation header (bit N). Hostile or short payloads are no key frame.
    """
    return len(payload) > 1 and payload[0] & (_CONTINUES | _NEW_SEQUENCE) == _NEW_SEQUENCE
