"""What can be told of an Opus packet (RFC 6716, section 3) without decoding it."""

from __future__ import annotations

from typing import Final

SAMPLE_RATE: Final = 48000
"""Opus' RTP clock, whatever the bandwidth of what is coded."""
FRAME_SAMPLES: Final = 960
"""20 ms, the length of everything we send."""
LONGEST_PACKET_SAMPLES: Final = 5760
"""120 ms, the longest packet there can be."""
SILENCE_MONO: Final = b"\xf8\xff\xfe"
"""20 ms of digital silence; what muted clients of the service send."""
SILENCE_STEREO: Final = b"\xfc\xff\xfe"

_SILENCE_BYTES: Final = 3


def _frame_samples(toc: int) -> int:
    config = toc >> 3
    if config < 12:
        return (480, 960, 1920, 2880)[config & 3]
    if config < 16:
        return (480, 960)[config & 1]
    return (120, 240, 480, 960)[config & 3]


_FRAME_SAMPLES: Final = tuple(_frame_samples(toc) for toc in range(256))


def sample_count(packet: bytes) -> int:
    """Samples per channel at 48 kHz that a packet decodes to; 0 if no decoder would take it."""
    if not packet:
        return 0
    toc = packet[0]
    code = toc & 3
    if code == 0:
        return _FRAME_SAMPLES[toc]
    if code < 3:
        return 2 * _FRAME_SAMPLES[toc]
    if len(packet) < 2:
        return 0
    samples = (packet[1] & 0x3F) * _FRAME_SAMPLES[toc]
    return samples if samples <= LONGEST_PACKET_SAMPLES else 0


def is_stereo(packet: bytes) -> bool:
    """Whether two channels are coded."""
    return bool(packet) and bool(packet[0] & 4)


def is_silence(packet: bytes) -> bool:
    """Whether a packet carries nothing to hear: discontinuous transmission, or coded digital silence.

    Speech never fits into three bytes, comfort noise and silence always do.
    """
    return len(packet) <= _SILENCE_BYTES


def carries_redundancy(packet: bytes) -> bool:
    """Whether a packet holds a copy of the frame before it (in-band FEC), which only SILK and hybrid modes can.

    Told from the flags that open a SILK frame; packets of several frames are not looked into.
    """
    if len(packet) < 2 or packet[0] & 3 or packet[0] >> 3 >= 16:
        return False
    frames = max(1, _FRAME_SAMPLES[packet[0]] // FRAME_SAMPLES)
    flags = packet[1]
    return bool(flags >> (7 - frames) & 1 or (packet[0] & 4 and frames < 3 and flags >> (6 - 2 * frames) & 1))
