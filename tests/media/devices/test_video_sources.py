from __future__ import annotations

import numpy as np
import pytest

from chime_media.devices.sources import SourceEnded
from chime_media.devices.video_sources import DrawnVideo, FrameSource, TestCard
from chime_media.rtc.video_frame import Picture, VideoFrame
from chime_messaging.errors import ConfigurationError

COLOURS = [(200, 40, 60), (30, 120, 200), (40, 160, 60), (230, 220, 40), (10, 10, 10)]


@pytest.mark.parametrize("colour", COLOURS)
def test_a_test_card_shows_its_colour_and_a_bar_that_moves(colour: tuple[int, int, int]) -> None:
    card = TestCard(colour, 320, 180)
    first, later = card.read(0.0).rgb, card.read(1.0).rgb
    assert first.shape == (180, 320, 3)
    assert np.median(first.reshape(-1, 3), axis=0) == pytest.approx(colour, abs=4)
    moved = np.abs(first.astype(int) - later).max(axis=(0, 2)) > 40
    assert moved[0]
    assert moved[150:170].any()
    assert moved.mean() < 0.2


def test_a_drawn_video_is_drawn_at_its_time() -> None:
    def draw(elapsed: float) -> Picture | None:
        return None if elapsed < 1 else np.full((48, 64, 3), int(elapsed * 10), np.uint8)

    source = DrawnVideo(draw, 64, 48)
    assert source.read(0.5) is None
    frame = source.read(2.0)
    assert frame is not None
    assert (frame.rgb == 20).all()
    assert frame.time == 2.0


def test_a_function_that_fails_ends_its_source() -> None:
    def draw(elapsed: float) -> Picture | None:
        raise RuntimeError("out of paint")

    with pytest.raises(SourceEnded, match="out of paint"):
        DrawnVideo(draw, 64, 48).read(0)
    with pytest.raises(SourceEnded, match="uint8"):
        DrawnVideo(lambda _: np.zeros((48, 64), np.uint8), 64, 48).read(0)


def test_of_pushed_pictures_only_the_newest_counts() -> None:
    source = FrameSource(64, 48)
    assert source.read(0) is None
    for shade in (10, 20, 30):
        source.push(np.full((48, 64, 3), shade, np.uint8))
    frame = source.read(1.5)
    assert frame is not None
    assert frame.rgb.mean() == pytest.approx(30, abs=2)
    assert source.read(1.6) is None
    assert source.replaced == 2
    source.end()
    with pytest.raises(SourceEnded):
        source.read(1.7)


def test_a_pushed_array_may_be_changed_afterwards() -> None:
    source, picture = FrameSource(64, 48), np.full((48, 64, 3), 200, np.uint8)
    source.push(picture)
    picture[:] = 0
    frame = source.read(0)
    assert frame is not None
    assert frame.rgb.mean() == pytest.approx(200, abs=2)


@pytest.mark.parametrize(("width", "height", "rate"), [(641, 360, 15), (640, 0, 15), (640, 360, 0), (640, 360, 90)])
def test_sizes_and_rates_that_cannot_be_are_refused(width: int, height: int, rate: float) -> None:
    with pytest.raises(ConfigurationError):
        TestCard(width=width, height=height, frame_rate=rate)


def test_a_frame_keeps_its_colours_when_scaled() -> None:
    frame = VideoFrame.from_rgb(np.full((90, 160, 3), (200, 40, 60), np.uint8), 1.0)
    scaled = frame.scaled(320, 180)
    assert (scaled.width, scaled.height, scaled.time) == (320, 180, 1.0)
    assert scaled.rgb.mean(axis=(0, 1)) == pytest.approx((200, 40, 60), abs=3)
