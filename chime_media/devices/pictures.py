"""Pictures of what was seen and heard: a contact sheet of frames, and a spectrogram of sound."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Picture = NDArray[np.uint8]
"""Height x width x 3, RGB."""

_WINDOW = 2048
_FLOOR = -90.0
"""Decibels below full scale that are drawn black."""
_MARGIN = 46
_PAPER, _INK = (24, 24, 28), (225, 225, 230)
# Black, violet, red, orange, white: dark to bright, also for those who do not see the colours.
_HEAT = np.array([(0, 0, 0), (60, 15, 110), (190, 35, 70), (250, 160, 30), (255, 250, 220)], dtype=np.float64)


def contact_sheet(frames: Sequence[tuple[str, Picture]], *, columns: int = 4, width: int = 320) -> Picture:
    """Lay frames out in rows, each with its caption below.

    Args:
        frames: Caption and picture, in reading order.
        columns: How many stand beside each other.
        width: Of each, in pixels; heights follow.

    Raises:
        ValueError: without any frame.
    """
    if not frames:
        raise ValueError("a contact sheet needs at least one frame")
    columns = min(columns, len(frames))
    height = max(round(picture.shape[0] * width / picture.shape[1]) for _, picture in frames)
    cell = height + 24
    rows = math.ceil(len(frames) / columns)
    sheet = Image.new("RGB", (columns * (width + 8) + 8, rows * (cell + 8) + 8), _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for place, (caption, picture) in enumerate(frames):
        left, top = 8 + place % columns * (width + 8), 8 + place // columns * (cell + 8)
        scaled = Image.fromarray(picture).resize((width, round(picture.shape[0] * width / picture.shape[1])))
        sheet.paste(scaled, (left, top))
        draw.text((left + 2, top + height + 4), caption, fill=_INK, font=font)
    return np.asarray(sheet)


def spectrogram(
    sound: Sequence[tuple[str, NDArray[np.int16]]], rate: int = 48_000, *, highest: float = 4000.0, width: int = 900
) -> Picture:
    """Draw what was heard: time to the right, frequency upwards, loudness as brightness; one band per listener.

    Args:
        sound: Caption and mono samples.
        rate: Samples per second.
        highest: Frequency in Hz at the upper edge.
        width: Of the picture in pixels.

    Raises:
        ValueError: without any sound.
    """
    if not sound:
        raise ValueError("a spectrogram needs sound")
    band = 180
    sheet = Image.new("RGB", (width + _MARGIN + 12, len(sound) * (band + 44) + 8), _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for place, (caption, samples) in enumerate(sound):
        top = 24 + place * (band + 44)
        draw.text((_MARGIN, top - 18), caption, fill=_INK, font=font)
        levels = loudness(samples, rate, highest)
        image = Image.fromarray(_heat(levels)).resize((width, band), Image.Resampling.BILINEAR)
        sheet.paste(image, (_MARGIN, top))
        for kilohertz in range(int(highest / 1000) + 1):
            y = top + band - round(band * kilohertz * 1000 / highest)
            draw.text((4, y - 7), f"{kilohertz} kHz", fill=_INK, font=font)
        seconds = len(samples) / rate
        for second in range(0, math.ceil(seconds), max(1, round(seconds / 10))):
            left = _MARGIN + width * second / max(seconds, 1e-9)
            if left < width + _MARGIN - 16:
                draw.text((left, top + band + 3), f"{second} s", fill=_INK, font=font)
    return np.asarray(sheet)


def loudness(samples: NDArray[np.int16], rate: int, highest: float) -> NDArray[np.float64]:
    """Decibels below full scale by frequency (rows, the highest first) and time (columns)."""
    padded = np.pad(samples.astype(np.float64) / 32768, (0, max(0, _WINDOW - len(samples))))
    steps = max(1, (len(padded) - _WINDOW) // (_WINDOW // 2) + 1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[:: _WINDOW // 2][:steps]
    hann = np.hanning(_WINDOW)
    spectrum = np.abs(np.fft.rfft(windows * hann, axis=1)) * 2 / hann.sum()
    lines = max(2, int(highest * _WINDOW / rate))
    decibels = 20 * np.log10(np.maximum(spectrum[:, :lines], 1e-9))
    return np.flipud(decibels.T)


def write_png(path: Path | str, picture: Picture) -> None:
    """Write a picture to a file."""
    Image.fromarray(picture).save(path, format="PNG", optimize=True)


def _heat(decibels: NDArray[np.float64]) -> Picture:
    scale = np.clip((decibels - _FLOOR) / -_FLOOR, 0.0, 1.0) * (len(_HEAT) - 1)
    places = np.arange(len(_HEAT))
    channels = [np.interp(scale, places, _HEAT[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).astype(np.uint8)
