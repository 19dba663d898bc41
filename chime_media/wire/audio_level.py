"""The level of a packet's audio in its RTP header extension (RFC 6464)."""

from __future__ import annotations

from typing import Final

URI: Final = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
SILENT: Final = 127
"""Attenuation that stands for digital silence."""


def parse(value: bytes) -> tuple[int, bool] | None:
    """Attenuation against full scale in dB (0..127), and whether it is voice; None if it is no such extension."""
    return (value[0] & 0x7F, value[0] >= 0x80) if value else None


def build(attenuation: int, voice: bool = False) -> bytes:
    """The value of the extension for an attenuation in dB, which is forced into what fits."""
    return bytes((min(max(attenuation, 0), SILENT) | (0x80 if voice else 0),))
