"""A meeting with media as one object."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from chime_media import AudioQueue, ChimeSession, TestCard, VideoTileState
from chime_messaging.errors import ConfigurationError
from tests.messaging.server.attendee_client import Meeting

pytestmark = pytest.mark.anyio


def voice(seconds: float) -> AudioQueue:
    time = np.arange(int(seconds * 48_000)) / 48_000
    queue = AudioQueue()
    loudness = 4_000 + 10_000 * abs(np.sin(2 * np.pi * 1.5 * time))
    queue.push((np.sin(2 * np.pi * 300 * time) * loudness).astype(np.int16))
    return queue


class Watcher:
    """One observer for tiles and speakers."""

    def __init__(self) -> None:
        self.tile = asyncio.Event()
        self.speaking = asyncio.Event()

    def video_tile_did_add(self, tile: VideoTileState) -> None:
        self.tile.set()

    def active_speaker_did_detect(self, attendees: list[str]) -> None:
        if attendees:
            self.speaking.set()


async def test_it_has_audio_video_and_observers_of_tiles_and_speakers(meeting: Meeting) -> None:
    names = await asyncio.to_thread(lambda: [meeting.attendee(name) for name in ("alice", "bob")])
    alice, bob = (ChimeSession.create(meeting.description, credentials) for credentials in names)
    assert (alice.audio, alice.video) == (None, None)
    watcher = Watcher()
    bob.add_tile_observer(watcher)
    bob.add_active_speaker_observer(watcher)
    async with alice, bob, asyncio.timeout(15):
        assert alice.audio is not None
        assert alice.video is not None
        alice.audio.start_input(voice(6))
        alice.video.start_local_tile(TestCard())
        await watcher.tile.wait()
        await watcher.speaking.wait()
    assert bob.audio is None


async def test_a_method_that_no_tile_event_calls_is_an_error(meeting: Meeting) -> None:
    class Wrong:
        def video_tile_did_explode(self) -> None:
            """Never called."""

    credentials = await asyncio.to_thread(meeting.attendee, "alice")
    with pytest.raises(ConfigurationError, match="video_tile_did_explode"):
        ChimeSession.create(meeting.description, credentials).add_tile_observer(Wrong())
