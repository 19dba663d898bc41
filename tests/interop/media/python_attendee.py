"""A `MeetingSession` for tests that do not run on an event loop themselves, with instruments like a page's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from anyio.from_thread import BlockingPortal

from chime_media.devices.audio_sources import Tone
from chime_media.devices.video_sources import TestCard
from chime_media.sessions.meeting_session import MeetingSession
from chime_media.sessions.video_tile import VideoTile
from chime_messaging.events import Event
from chime_messaging.sessions.meeting_configuration import MeetingSessionConfiguration
from tests.interop.media.meeting_page import AUDIBLE, LEAK, PATIENCE, Heard, Seen

_FRAMES = 17
"""A third of a second of sound."""


class PythonAttendee:
    """One attendee, joined. All methods wait."""

    def __init__(self, portal: BlockingPortal, session: MeetingSession) -> None:
        self._portal = portal
        self.session = session

    @property
    def id(self) -> str:
        return self.session.configuration.credentials.attendee_id

    def run(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Call something on the session's event loop; await what it gives."""

        async def called() -> Any:
            result = call(*arguments)
            return await result if isinstance(result, Awaitable) else result

        return self._portal.call(called)

    def speak(self, frequency: float) -> None:
        """Say a tone from now on."""
        self.run(self.session.audio.start_input, Tone(frequency, level=-15))

    def show(self, colour: tuple[int, int, int]) -> None:
        """Show a moving card."""
        self.run(self.session.video.start_local_tile, TestCard(colour))

    def hears(self, *frequencies: float, absent: Sequence[float] = (), patience: float = PATIENCE) -> Heard:
        """Wait until all tones are heard, and those that must be absent are not, in one measurement."""
        heard: Heard = self.run(self._hears, frequencies, absent, patience)
        return heard

    def sees(self, attendee_id: str, colour: Sequence[int], *, rate: float = 5.0, patience: float = PATIENCE) -> Seen:
        """Wait until an attendee's tile moves in this colour."""
        seen: Seen = self.run(self._sees, attendee_id, colour, rate, patience)
        return seen

    def answer_to(self, ask: Callable[[], object], topic: str) -> str:
        """Listen to a topic, have something sent there, and wait for its text."""

        async def first() -> str:
            async with asyncio.timeout(PATIENCE), self.session.topic(topic).messages() as messages:
                listening.set()
                return (await anext(messages)).data.decode()

        listening = threading.Event()
        answer = self._portal.start_task_soon(first)
        assert listening.wait(PATIENCE)
        ask()
        return answer.result(PATIENCE)

    async def _hears(self, frequencies: Sequence[float], absent: Sequence[float], patience: float) -> Heard:
        heard = None
        try:
            async with asyncio.timeout(patience), self.session.audio.frames() as frames:
                while True:
                    window = np.concatenate([await anext(frames) for _ in range(_FRAMES)])
                    heard = spectrum(window, [*frequencies, *absent])
                    present, gone = heard.levels[: len(frequencies)], heard.levels[len(frequencies) :]
                    if all(level > AUDIBLE for level in present) and all(level < LEAK for level in gone):
                        return heard
        except TimeoutError:
            raise AssertionError(f"no tones {frequencies} without {absent} but {heard}") from None

    async def _sees(self, attendee_id: str, colour: Sequence[int], rate: float, patience: float) -> Seen:
        seen = None
        try:
            async with asyncio.timeout(patience):
                tile = await self._tile(attendee_id)
                async with tile.frames() as frames:
                    while True:
                        pictures = [await anext(frames) for _ in range(10)]
                        red, green, blue = pictures[-1].rgb.mean(axis=(0, 1))
                        duration = pictures[-1].time - pictures[0].time
                        size = pictures[-1].width, pictures[-1].height
                        seen = Seen((red, green, blue), *size, (len(pictures) - 1) / max(duration, 0.001))
                        if seen.is_close_to(colour) and seen.rate >= rate:
                            return seen
        except TimeoutError:
            raise AssertionError(f"no {colour} of {attendee_id} but {seen}") from None

    async def _tile(self, attendee_id: str) -> VideoTile:
        async with self.session.events(Event) as events:
            while True:
                for tile in self.session.video.remote_tiles:
                    if tile.attendee_id == attendee_id:
                        return tile
                await anext(events)


def spectrum(samples: Any, frequencies: Sequence[float]) -> Heard:
    """Levels in dBFS of a stretch of sound at 48 kHz."""
    window = np.blackman(len(samples))
    bins = np.abs(np.fft.rfft(samples / 32768 * window)) * 2 / window.sum()
    levels = 20 * np.log10(bins + 1e-10)
    width = 48000 / len(samples)

    def at(frequency: float) -> float:
        middle = round(frequency / width)
        return float(levels[middle - 2 : middle + 3].max())

    top = int(levels.argmax())
    return Heard(top * width, float(levels[top]), [at(frequency) for frequency in frequencies])


@contextmanager
def joined(portal: BlockingPortal, meeting: Any, attendee: Any) -> Iterator[PythonAttendee]:
    """Join a meeting for the length of a block."""
    session = MeetingSession(MeetingSessionConfiguration(meeting, attendee))
    with portal.wrap_async_context_manager(session):
        yield PythonAttendee(portal, session)
