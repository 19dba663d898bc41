"""Microphone and loudspeaker of this machine, through the package sounddevice (PortAudio)."""

from __future__ import annotations

import importlib
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, cast

import numpy as np

from chime_media.devices.audio_sinks import with_channels
from chime_media.devices.sources import Samples, SourceEnded
from chime_media.wire.opus_packet import FRAME_SAMPLES, SAMPLE_RATE
from chime_messaging.errors import ConfigurationError, TransportError

_AHEAD = 25


class SoundStream(Protocol):
    """A running stream of a sound card."""

    def start(self) -> None:
        """Begin."""

    def close(self) -> None:
        """End."""


Opener = Callable[[int, int | str | None, Callable[[Any], None], Callable[[], None]], SoundStream]
"""Opens a stream: channels, device, what takes (or fills) 20 ms of samples on the card's thread, and who
is told when the device is gone."""


class Microphone:
    """What a microphone hears.

    Args:
        device: Its number or name as sounddevice lists it; None for the system's choice.
        stereo: Two channels.
        opener: How to open it, for other sound systems.

    Raises:
        ConfigurationError: sounddevice is not installed, or there is no such device.
    """

    def __init__(self, device: int | str | None = None, *, stereo: bool = False, opener: Opener | None = None) -> None:
        self.channels = 2 if stereo else 1
        self.dropped = 0
        """Times 20 ms that were not read in time."""
        self._heard: deque[Samples] = deque(maxlen=_AHEAD)
        self._gone = False
        self._stream = (opener or _open_input)(self.channels, device, self._take, self._lost)
        self._stream.start()

    def read(self) -> Samples | None:
        """The next 20 ms, None if there is nothing yet.

        Raises:
            SourceEnded: The device is gone.
        """
        try:
            return self._heard.popleft()
        except IndexError:
            if self._gone:
                raise SourceEnded(TransportError("the microphone stopped")) from None
            return None

    def close(self) -> None:
        """Let go of the microphone."""
        self._stream.close()
        self._gone = True

    def _take(self, samples: Samples) -> None:
        if len(self._heard) == _AHEAD:
            self.dropped += 1
        self._heard.append(np.array(samples[:, 0] if self.channels == 1 else samples, np.int16))

    def _lost(self) -> None:
        self._gone = True


class Loudspeaker:
    """Plays what is heard.

    Args:
        device: Its number or name as sounddevice lists it; None for the system's choice.
        stereo: Two channels.
        opener: How to open it, for other sound systems.

    Raises:
        ConfigurationError: sounddevice is not installed, or there is no such device.
    """

    def __init__(self, device: int | str | None = None, *, stereo: bool = False, opener: Opener | None = None) -> None:
        self.channels = 2 if stereo else 1
        self._waiting: deque[Samples] = deque(maxlen=_AHEAD)
        self._stream = (opener or _open_output)(self.channels, device, self._fill, _ignore)
        self._stream.start()

    def write(self, samples: Samples) -> None:
        """Play 20 ms after what waits; if half a second waits the oldest is left out."""
        self._waiting.append(with_channels(samples, self.channels))

    def close(self) -> None:
        """Let go of the loudspeaker."""
        self._stream.close()

    def _fill(self, samples: Samples) -> None:
        try:
            waiting = self._waiting.popleft()
        except IndexError:
            samples[:] = 0
            return
        count = min(len(waiting), len(samples))
        samples[:count] = waiting[:count].reshape(count, self.channels)
        samples[count:] = 0


def _open_input(
    channels: int, device: int | str | None, take: Callable[[Any], None], gone: Callable[[], None]
) -> SoundStream:
    return _open("InputStream", channels, device, lambda samples, *_: take(samples), gone)


def _open_output(
    channels: int, device: int | str | None, fill: Callable[[Any], None], gone: Callable[[], None]
) -> SoundStream:
    return _open("OutputStream", channels, device, lambda samples, *_: fill(samples), gone)


def _open(
    kind: str, channels: int, device: int | str | None, callback: Callable[..., None], gone: Callable[[], None]
) -> SoundStream:
    try:
        sounddevice: Any = importlib.import_module("sounddevice")
    except (ImportError, OSError) as error:
        raise ConfigurationError(
            "sounddevice", f"is needed for sound cards: pip install 'chime-messaging[microphone]' ({error})"
        ) from error
    try:
        stream = getattr(sounddevice, kind)(
            samplerate=SAMPLE_RATE,
            blocksize=FRAME_SAMPLES,
            channels=channels,
            dtype="int16",
            device=device,
            callback=callback,
            finished_callback=gone,
        )
    except (sounddevice.PortAudioError, ValueError) as error:
        raise ConfigurationError("device", f"{device!r} cannot be opened: {error}") from error
    return cast("SoundStream", stream)


def _ignore() -> None:
    """A loudspeaker that is gone plays nothing; who listens through it is not told."""
