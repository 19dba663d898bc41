"""Sessions of a test's meeting, and what is told of the sound they hear."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from chime_media.sessions.audio import AudioFrames
from chime_media.sessions.meeting_session import MeetingSession
from chime_messaging.sessions.meeting_configuration import MeetingSessionConfiguration
from tests.messaging.server.attendee_client import Meeting

RATE = 48_000


async def attendee(meeting: Meeting, name: str, **options: Any) -> MeetingSession:
    """A session that was not entered."""
    credentials = await asyncio.to_thread(meeting.attendee, name)
    return MeetingSession(MeetingSessionConfiguration(meeting.description, credentials), **options)


async def hear(frames: AudioFrames, count: int, timeout: float = 20.0) -> npt.NDArray[np.int16]:
    """The next frames, one after another."""
    async with asyncio.timeout(timeout):
        return np.concatenate([await anext(frames) for _ in range(count)])


def loudness(samples: npt.NDArray[np.int16], frequency: float) -> float:
    """Level of a frequency, in dB of full scale."""
    size = len(samples)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(size))) * 4 / size / 32768
    near = round(frequency * size / RATE)
    return float(20 * np.log10(spectrum[max(0, near - 2) : near + 3].max() + 1e-9))


async def hear_tone(frames: AudioFrames, frequency: float, timeout: float = 10.0) -> None:
    """Wait until a tone is heard for 100 ms."""
    async with asyncio.timeout(timeout):
        while True:
            samples = np.concatenate([await anext(frames) for _ in range(5)])
            if loudness(samples, frequency) > -30:
                return


async def until(session: MeetingSession, condition: Callable[[], bool], timeout: float = 5.0) -> None:
    """Wait until something is true; looked at with every event of a session."""
    async with asyncio.timeout(timeout), session.events() as events:
        while not condition():
            await anext(events)
