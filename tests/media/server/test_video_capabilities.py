"""The codecs that everybody can decode."""

from __future__ import annotations

import pytest

from chime_media.server.video_capabilities import capabilities_of, capability_of, intersection
from chime_media.wire.sdp import Codec
from chime_messaging.server.media import ALL_CODECS
from tests.media.descriptions import offer


@pytest.mark.parametrize(
    ("name", "parameters", "capability"),
    [
        ("VP8", "", 1),
        ("H264", "profile-level-id=42001f;packetization-mode=1", 2),
        ("h264", "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f", 3),
        ("H264", "profile-level-id=42c02a", 3),
        ("H264", "profile-level-id=4d001f", 4),
        ("H264", "profile-level-id=640032", 5),
        ("H264", "profile-level-id=640C34", 6),
        ("H264", "profile-level-id=zz", None),
        ("H264", "", 2),
        ("H265", "", 7),
        ("VP9", "profile-id=0;x-google-start-bitrate=1000", 8),
        ("VP9", "", 8),
        ("VP9", "profile-id=2", 10),
        ("VP9", "profile-id=3", None),
        ("AV1", "level-idx=5;profile=0;tier=0", 11),
        ("AV1", "profile=1", None),
        ("rtx", "apt=96", None),
    ],
)
def test_codecs_have_the_numbers_of_the_service(name: str, parameters: str, capability: int | None) -> None:
    assert capability_of(Codec(96, name, 90000, parameters=parameters)) == capability


def test_everything_goes_while_nobody_receives() -> None:
    assert intersection([]) == ALL_CODECS


def test_only_what_all_can_decode_goes() -> None:
    chromium = capabilities_of(offer("camera-and-video").sections[1].codecs)
    assert {1, 3, 8, 11} <= chromium
    assert intersection([chromium, frozenset({3, 1})]) == (1, 3)
    assert intersection([frozenset({1}), frozenset({3})]) == ()
