"""What the words after ``--speak`` and ``--show`` mean."""

from __future__ import annotations

import math
from pathlib import Path

from chime_media.devices.audio_sources import Tone
from chime_media.devices.media_file import AudioFile, VideoFile
from chime_media.devices.sources import AudioSource, VideoSource
from chime_media.devices.video_sources import TestCard
from chime_messaging.errors import ConfigurationError


def audio_source(text: str) -> AudioSource:
    """``tone:440``, ``microphone``, or a file with sound.

    Raises:
        ConfigurationError: if it is none of them.
    """
    kind, _, rest = text.partition(":")
    if kind == "tone":
        try:
            frequency = float(rest or "440")
        except ValueError:
            frequency = math.nan
        if not math.isfinite(frequency):
            raise ConfigurationError("speak", f"{text!r} is not like tone:440")
        return Tone(frequency)
    if text == "microphone":
        from chime_media.devices.sound_card import Microphone

        return Microphone()
    return AudioFile(existing(text, "speak"))


def video_source(text: str) -> VideoSource:
    """``testcard``, ``screen``, or a file with pictures.

    Raises:
        ConfigurationError: if it is none of them.
    """
    if text == "testcard":
        return TestCard()
    if text == "screen":
        from chime_media.devices.screen import Screen

        return Screen()
    return VideoFile(existing(text, "show"))


def existing(text: str, option: str) -> Path:
    """The path of a file that is there.

    Raises:
        ConfigurationError: if it is not.
    """
    path = Path(text)
    if not path.is_file():
        raise ConfigurationError(option, f"there is no file {text}")
    return path
