"""The codecs that everybody in a meeting can decode, as INDEX tells them to senders. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from chime_media.wire.sdp import Codec
from chime_messaging.server.media import ALL_CODECS
from chime_messaging.wire import signaling_pb2 as pb

_H264 = {
    "42": pb.H264_BASELINE_PROFILE,
    "4d": pb.H264_MAIN_PROFILE,
    "64": pb.H264_HIGH_PROFILE,
}
_CONSTRAINED_BASELINE = 0x40
_CONSTRAINED_HIGH = 0x0C
_DIGITS = frozenset("0123456789abcdef")
_VP9 = {"0": pb.VP9_PROFILE_0, "1": pb.VP9_PROFILE_1, "2": pb.VP9_PROFILE_2}


def capability_of(codec: Codec) -> int | None:
    """Say which of the service's codecs this is; None for another, or for retransmissions."""
    name = codec.name.upper()
    if name == "VP8":
        return int(pb.VP8)
    if name == "H265":
        return int(pb.H265)
    if name == "AV1":
        return int(pb.AV1_MAIN_PROFILE) if (codec.parameter("profile") or "0") == "0" else None
    if name == "VP9":
        return _VP9.get(codec.parameter("profile-id") or "0")
    if name == "H264":
        return _h264(codec.parameter("profile-level-id") or "42000a")
    return None


def _h264(level: str) -> int | None:
    profile, constraints = level[:2].lower(), level[2:4]
    flags = int(constraints, 16) if len(constraints) == 2 and set(constraints.lower()) <= _DIGITS else 0
    if profile == "42" and flags & _CONSTRAINED_BASELINE:
        return int(pb.H264_CONSTRAINED_BASELINE_PROFILE)
    if profile == "64" and flags & _CONSTRAINED_HIGH == _CONSTRAINED_HIGH:
        return int(pb.H264_CONSTRAINED_HIGH_PROFILE)
    return _H264.get(profile)


def capabilities_of(codecs: Iterable[Codec]) -> frozenset[int]:
    """Say which of the service's codecs are among those of a section."""
    return frozenset(found for codec in codecs if (found := capability_of(codec)) is not None)


def intersection(receivers: Iterable[frozenset[int]]) -> tuple[int, ...]:
    """Say what all can decode; everything if nobody receives."""
    everybody = list(receivers)
    if not everybody:
        return ALL_CODECS
    return tuple(sorted(frozenset.intersection(*everybody)))
