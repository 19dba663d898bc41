"""Sound cards and screens, with the library's calls answered by the test: no machine that tests run on has either."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from chime_media.devices.screen import Screen
from chime_media.devices.sound_card import Loudspeaker, Microphone, SoundStream
from chime_media.devices.sources import SourceEnded
from chime_messaging.errors import ConfigurationError


class Card:
    def __init__(self) -> None:
        self.started = self.closed = False

    def open(
        self, channels: int, device: int | str | None, callback: Callable[[Any], None], gone: Callable[[], None]
    ) -> SoundStream:
        self.channels, self.device, self.callback, self.gone = channels, device, callback, gone
        return self

    def start(self) -> None:
        self.started = True

    def close(self) -> None:
        self.closed = True


def test_a_microphone_gives_what_the_card_hears() -> None:
    card = Card()
    microphone = Microphone("front", opener=card.open)
    assert (card.channels, card.device, card.started) == (1, "front", True)
    assert microphone.read() is None
    block = np.arange(960, dtype=np.int16).reshape(-1, 1)
    card.callback(block)
    block[:] = 0  # The library uses its buffer again.
    heard = microphone.read()
    assert heard is not None
    assert heard.tolist() == list(range(960))


def test_a_microphone_that_is_unplugged_ends() -> None:
    card = Card()
    microphone = Microphone(opener=card.open)
    card.callback(np.ones((960, 1), np.int16))
    card.gone()
    assert microphone.read() is not None, "what was heard before"
    with pytest.raises(SourceEnded, match="microphone stopped"):
        microphone.read()
    microphone.close()
    assert card.closed


def test_a_microphone_nobody_reads_keeps_half_a_second() -> None:
    card = Card()
    microphone = Microphone(opener=card.open)
    for number in range(40):
        card.callback(np.full((960, 1), number, np.int16))
    first = microphone.read()
    assert first is not None
    assert first[0] == 15
    assert microphone.dropped == 15


def test_a_loudspeaker_plays_what_waits_and_then_silence() -> None:
    card = Card()
    loudspeaker = Loudspeaker(stereo=True, opener=card.open)
    loudspeaker.write(np.full(960, 5, np.int16))
    out = np.full((960, 2), 99, np.int16)
    card.callback(out)
    assert (out == 5).all()
    card.callback(out)
    assert not out.any()


class Grabber:
    def __init__(self, pictures: int) -> None:
        self.left = pictures
        self.closed = False

    def grab(self) -> npt.NDArray[np.uint8]:
        if not self.left:
            raise OSError("the display is gone")
        self.left -= 1
        picture = np.zeros((1440, 2560, 4), np.uint8)
        picture[:] = (200, 120, 30, 0)
        return picture

    def close(self) -> None:
        self.closed = True


def test_a_screen_is_scaled_and_keeps_its_colours() -> None:
    made: list[Grabber] = []

    def open_grabber() -> Grabber:
        made.append(Grabber(2))
        return made[-1]

    screen = Screen(width=1280, grabber=open_grabber)
    assert (screen.width, screen.height, screen.frame_rate) == (1280, 720, 15)
    frame = screen.read(0.5)
    assert (frame.width, frame.height) == (1280, 720)
    assert frame.rgb.mean(axis=(0, 1)) == pytest.approx((30, 120, 200), abs=4)
    screen.read(0.6)
    with pytest.raises(SourceEnded, match="the display is gone"):
        screen.read(0.7)
    screen.close()
    assert [grabber.closed for grabber in made] == [True, True]


@pytest.mark.skipif(importlib.util.find_spec("sounddevice") is not None, reason="sounddevice is installed")
def test_without_the_package_it_is_said_what_to_install() -> None:
    with pytest.raises(ConfigurationError, match=r"chime-messaging\[microphone\]"):
        Microphone()


@pytest.mark.skipif(importlib.util.find_spec("mss") is not None, reason="mss is installed")
def test_without_the_package_for_screens_it_is_said_what_to_install() -> None:
    with pytest.raises(ConfigurationError, match=r"chime-messaging\[screen\]"):
        Screen()
