"""Volumes and active speakers between Python attendees, over real sockets."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from chime_media.devices.audio_sources import AudioQueue
from chime_media.events import ActiveSpeakersChanged, ActiveSpeakerScores, VolumeIndicated
from chime_media.sessions.meeting_session import MeetingSession
from chime_messaging.errors import LimitError
from tests.media.sessions.attendees import attendee
from tests.messaging.server.attendee_client import Meeting

pytestmark = pytest.mark.anyio


def speak(session: MeetingSession, seconds: float) -> None:
    """A voice whose loudness changes, as the level of a constant tone is told only once."""
    time = np.arange(int(seconds * 48_000)) / 48_000
    loudness = 4_000 + 10_000 * abs(np.sin(2 * np.pi * 1.5 * time))
    queue = AudioQueue()
    queue.push((np.sin(2 * np.pi * 300 * time) * loudness).astype(np.int16))
    session.audio.start_input(queue)


async def test_the_one_who_speaks_is_loud_and_active_for_the_other(meeting: Meeting) -> None:
    async with await attendee(meeting, "alice") as alice, await attendee(meeting, "bob") as bob:
        bob.realtime.detect_speakers(scores_interval=0.2)
        async with bob.events(VolumeIndicated) as volumes, bob.events(ActiveSpeakersChanged) as speakers:
            speak(alice, 5)
            async with asyncio.timeout(10):
                async for changed in speakers:
                    if changed.attendee_ids == (alice.attendee_id,):
                        break
                async for told in volumes:
                    if told.attendee_id == alice.attendee_id and (told.volume or 0) > 0.5:
                        break
                scores = await bob.wait_for(ActiveSpeakerScores, timeout=5)
            assert scores.scores[alice.attendee_id] > 0
            assert bob.realtime.active_speakers == (alice.attendee_id,)


async def test_who_is_muted_is_known_of_everybody(meeting: Meeting) -> None:
    async with await attendee(meeting, "alice") as alice, await attendee(meeting, "bob") as bob:
        async with bob.events(VolumeIndicated) as volumes:
            alice.audio.mute()
            async with asyncio.timeout(5):
                async for told in volumes:
                    if told.attendee_id == alice.attendee_id and told.muted:
                        break
        assert bob.realtime.volumes[alice.attendee_id].muted


async def test_scores_cannot_be_had_more_often_than_can_be_useful(meeting: Meeting) -> None:
    async with await attendee(meeting, "alice") as alice:
        with pytest.raises(LimitError, match=r"scores_interval: is 0.01 s, the limit is 0.05 s"):
            alice.realtime.detect_speakers(scores_interval=0.01)
