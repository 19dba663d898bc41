"""Pictures of what was seen and heard."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chime_media.devices.pictures import contact_sheet, loudness, spectrogram, write_png

RED, BLUE = (200, 20, 20), (20, 20, 200)


def plain(colour: tuple[int, int, int], height: int = 90, width: int = 160) -> np.ndarray:
    return np.full((height, width, 3), colour, dtype=np.uint8)


def tone(frequency: float, seconds: float = 1.0) -> np.ndarray:
    return (np.sin(2 * np.pi * frequency * np.arange(int(48_000 * seconds)) / 48_000) * 16_000).astype(np.int16)


def test_frames_stand_side_by_side_in_reading_order() -> None:
    sheet = contact_sheet([("one", plain(RED)), ("two", plain(BLUE)), ("three", plain(RED))], columns=2, width=160)
    assert tuple(sheet[50, 80]) == RED
    assert tuple(sheet[50, 80 + 168]) == BLUE
    assert tuple(sheet[50 + 90 + 24 + 8, 80]) == RED


def test_a_tone_is_brightest_where_its_frequency_is() -> None:
    levels = loudness(tone(1000), 48_000, 4000)
    row = int(levels[:, 10].argmax())
    frequency = (len(levels) - 1 - row) * 48_000 / 2048
    assert frequency == pytest.approx(1000, abs=25)
    assert levels[:, 10].max() == pytest.approx(-6.2, abs=1)


def test_silence_and_sounds_shorter_than_a_window_can_be_drawn() -> None:
    picture = spectrogram([("silence", np.zeros(48_000, np.int16)), ("click", np.ones(10, np.int16))])
    assert picture.ndim == 3
    assert picture.shape[2] == 3


def test_nothing_to_show_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one"):
        contact_sheet([])
    with pytest.raises(ValueError, match="needs sound"):
        spectrogram([])


def test_pictures_are_png_files(tmp_path: Path) -> None:
    write_png(tmp_path / "sheet.png", contact_sheet([("red", plain(RED))]))
    with Image.open(tmp_path / "sheet.png") as image:
        assert image.format == "PNG"
