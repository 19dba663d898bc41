"""What makes two codecs of two peers the same video format, and where its key frames begin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chime_media.wire import av1, h264, vp8, vp9

_KEY_FRAMES: dict[str, Callable[[bytes], bool]] = {
    "VP8": vp8.starts_key_frame,
    "H264": h264.starts_key_frame,
    "VP9": vp9.starts_key_frame,
    "AV1": av1.starts_key_frame,
}


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """A codec with what a decoder must know of it: what one peer sends in a format, another that has it can show.

    Attributes:
        name: "VP8", "H264", "VP9" or "AV1"; any other codec is passed on as well, without waiting for key frames.
        profile: For H.264 the profile and its constraints ("42e0") and the packetization mode ("/1"); for VP9 and AV1
            the profile's number; else empty.
    """

    name: str
    profile: str = ""

    @classmethod
    def of(cls, name: str, parameters: str = "") -> VideoFormat:
        """The format of an rtpmap's codec name and its fmtp line's text, for example "profile-id=0"."""
        name = name.upper()
        given = dict[str, str]()
        for parameter in parameters.split(";"):
            key, _, value = parameter.partition("=")
            given[key.strip().lower()] = value.strip().lower()
        if name == "H264":
            level = given.get("profile-level-id", "42000a")
            return cls(name, f"{level[:4]}/{given.get('packetization-mode', '0')}")
        if name == "VP9":
            return cls(name, given.get("profile-id", "0"))
        if name == "AV1":
            return cls(name, given.get("profile", "0"))
        return cls(name)

    @property
    def starts_key_frame(self) -> Callable[[bytes], bool]:
        """Says of an RTP payload whether a decoder can begin with it."""
        return _KEY_FRAMES.get(self.name, _anywhere)

    def __str__(self) -> str:
        return f"{self.name} {self.profile}".rstrip()


def _anywhere(payload: bytes) -> bool:
    return bool(payload)
