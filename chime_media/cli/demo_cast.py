"""Who and what is heard and seen in ``chime demo --meeting``: voices, cards with names, a clip. All made on the fly."""

from __future__ import annotations

import colorsys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from chime_media.devices.recorder import Recorder
from chime_media.devices.sources import Samples
from chime_media.rtc.video_frame import Picture, VideoFrame

RATE = 48_000
FRAME = 960
WIDTH, HEIGHT = 640, 360
CLIP_COLOURS = ((200, 40, 40), (40, 160, 70), (50, 70, 200))
"""What the clip shows, one after the other."""
CLIP_SCENE = 1.4
"""Seconds of each."""
CLIP_NOTES = (1175.0, 1568.0)
"""What it plays, in turns: frequencies in Hz that no voice has."""
_NOTE = 0.35
_SYLLABLES = 3.4
"""Per second, as in speech."""
_FULL_SCALE = 32767
_INK = (255, 255, 255)


class Voice:
    """Something like speech without words: harmonics of one pitch, in syllables. As a source it never ends.

    Args:
        pitch: In Hz; the strongest line of its spectrum.
        level: Of its loudest moments, in dB relative to full scale.
    """

    channels = 1

    def __init__(self, pitch: float, level: float = -14.0) -> None:
        self.pitch = pitch
        self.speaking = False
        """Whether it says something; it can be switched from any thread."""
        self._at = 0
        self._gain = 0.0
        weights = np.array([1.0, 0.55, 0.5, 0.32, 0.3, 0.2, 0.14, 0.1])
        self._harmonics = np.arange(1, len(weights) + 1)[:, np.newaxis]
        self._weights = (weights / weights.sum() * _FULL_SCALE * 10 ** (level / 20))[:, np.newaxis]

    def read(self) -> Samples | None:
        """The next 20 ms; None while it is silent."""
        target = float(self.speaking)
        if not target and self._gain < 1e-3:
            self._gain = 0.0
            return None
        time = (self._at + np.arange(FRAME)) / RATE
        self._at += FRAME
        phase = 2 * np.pi * self.pitch * time
        formants = 0.6 + 0.4 * np.sin(2 * np.pi * 1.3 * time + self._harmonics)
        sound = (np.sin(phase * self._harmonics) * self._weights * formants).sum(axis=0)
        syllables = np.clip(np.sin(2 * np.pi * _SYLLABLES / 2 * time) ** 2 * 1.6 - 0.15, 0.05, 1.0)
        ramp = np.linspace(self._gain, target, FRAME)
        self._gain = target
        frame: Samples = (sound * syllables * ramp).astype(np.int16)
        return frame

    def close(self) -> None:
        """Nothing to let go of."""


class NameCard:
    """A picture that says who is seen, in their colour, with a clock and something that moves."""

    width, height = WIDTH, HEIGHT
    frame_rate = 15.0

    def __init__(self, name: str, colour: tuple[int, int, int]) -> None:
        self.colour = colour
        card = Image.new("RGB", (WIDTH, HEIGHT), colour)
        draw = ImageDraw.Draw(card)
        draw.text((WIDTH // 2, 130), name, fill=_INK, font=ImageFont.load_default(84), anchor="mm")
        for place, hue in enumerate(np.linspace(0, 0.85, 8)):
            bar = tuple(round(255 * part) for part in colorsys.hsv_to_rgb(float(hue), 0.75, 0.9))
            draw.rectangle((place * 40 + 160, 232, place * 40 + 199, 262), fill=bar)
        self._card = card

    def read(self, elapsed: float) -> VideoFrame:
        """The card at a moment."""
        card = self._card.copy()
        draw = ImageDraw.Draw(card)
        draw.text((WIDTH // 2, 205), f"{elapsed:5.1f} s", fill=_INK, font=ImageFont.load_default(28), anchor="mm")
        place = 40 + (WIDTH - 80) * (0.5 - 0.5 * np.cos(elapsed * 2))
        draw.ellipse((place - 16, 300, place + 16, 332), fill=_INK)
        return VideoFrame.from_rgb(np.asarray(card), elapsed)

    def close(self) -> None:
        """Nothing to let go of."""


def ground_of(picture: Picture) -> tuple[int, int, int]:
    """The colour behind what is written on a picture."""
    red, green, blue = np.median(picture.reshape(-1, 3), axis=0)
    return round(float(red)), round(float(green)), round(float(blue))


def write_clip(path: Path) -> None:
    """Make a film with sound: three scenes, each in one colour, and a jingle of two notes."""
    seconds = CLIP_SCENE * len(CLIP_COLOURS)
    with Recorder(path, 0.0, width=WIDTH, height=HEIGHT, frame_rate=15) as recorder:
        for number in range(round(seconds * 15)):
            time = number / 15
            recorder.write_audio(_jingle(time, 1 / 15), time)
            recorder.write_video("clip", VideoFrame.from_rgb(_scene(time), time))
        recorder.close()


def _jingle(begin: float, seconds: float) -> Samples:
    time = begin + np.arange(round(seconds * RATE)) / RATE
    turns = np.floor(time / _NOTE).astype(int) % len(CLIP_NOTES)
    # Each note begins with a whole number of its waves behind it, so that none begins with a click.
    since = time % _NOTE
    envelope = np.minimum(since * 100, 1.0) * np.exp(-2.5 * since)
    sound: Samples = (np.sin(2 * np.pi * np.array(CLIP_NOTES)[turns] * since) * envelope * 6000).astype(np.int16)
    return sound


def _scene(time: float) -> Picture:
    number = min(int(time / CLIP_SCENE), len(CLIP_COLOURS) - 1)
    scene = Image.new("RGB", (WIDTH, HEIGHT), CLIP_COLOURS[number])
    draw = ImageDraw.Draw(scene)
    draw.text((WIDTH // 2, 90), f"scene {number + 1}", fill=_INK, font=ImageFont.load_default(64), anchor="mm")
    for place in range(3):
        lift = abs(np.sin(time * 4 + place * 0.8)) * 110
        left = 200 + place * 90
        draw.ellipse((left, 270 - lift, left + 60, 330 - lift), fill=_INK)
    return np.asarray(scene)
