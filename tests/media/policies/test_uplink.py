from __future__ import annotations

import pytest

from chime_media.policies.uplink import NoVideoUplink, NScale, VideoEncoding


@pytest.mark.parametrize(
    ("publishers", "kbps"),
    [(0, 1500), (1, 1500), (2, 1500), (3, 1000), (4, 1000), (5, 800), (6, 687), (8, 546), (12, 405),
     (16, 335), (25, 258)],
)  # fmt: skip
def test_the_more_send_the_less_each_sends(publishers: int, kbps: int) -> None:
    encoding = NScale().encoding(publishers, 1280, 720, priority=False)
    assert encoding.max_bitrate_kbps == kbps


def test_the_ideal_rate_scales_with_all() -> None:
    assert NScale(2500).encoding(3, 0, 0, priority=False).max_bitrate_kbps == 1666
    assert NScale(2500).encoding(2, 0, 0, priority=False).max_bitrate_kbps == 2500


@pytest.mark.parametrize(
    ("publishers", "height", "high"),
    [(3, 540, 720), (4, 540, 720), (5, 480, 540), (8, 480, 540), (9, 360, 480), (12, 360, 480), (13, 270, 360),
     (16, 270, 360), (17, 180, 270), (25, 180, 270), (30, 180, 270)],
)  # fmt: skip
def test_pictures_shrink_to_a_height_that_everybody_has_room_for(publishers: int, height: int, high: int) -> None:
    encoding = NScale().encoding(publishers, 1920, 1080, priority=False)
    assert 1080 / encoding.scale == pytest.approx(height)
    portrait = NScale(high_resolution=True).encoding(publishers, 1080, 1920, priority=False)
    assert 1080 / portrait.scale == pytest.approx(high)


def test_small_pictures_are_not_enlarged_and_two_publishers_send_them_whole() -> None:
    assert NScale().encoding(4, 320, 180, priority=False).scale == 1
    assert NScale().encoding(2, 1920, 1080, priority=False).scale == 1
    assert NScale(scales=False).encoding(9, 1920, 1080, priority=False).scale == 1


def test_who_speaks_sends_all() -> None:
    assert NScale().encoding(25, 1920, 1080, priority=True) == VideoEncoding(1500)


def test_nothing_may_be_sent_at_all() -> None:
    assert NoVideoUplink().encoding(1, 1920, 1080, priority=True) is None  # type: ignore[func-returns-value]
