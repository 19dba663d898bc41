"""U10 to U12: volumes, and who speaks."""

from __future__ import annotations

import asyncio

import pytest

from chime_media import (
    ActiveSpeakersChanged,
    ActiveSpeakerScores,
    ContentShare,
    TestCard,
    Tone,
    VolumeIndicated,
    WeightedActiveSpeakerPolicy,
)
from tests.use_cases.meeting_room import Room, speak

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """Media runs on asyncio."""
    return "asyncio"


async def test_u10_volume_mute_and_signal_strength_are_told_as_far_as_they_change(room: Room) -> None:
    async with room.two() as (alice, bob), bob.events(VolumeIndicated) as volumes:
        speak(alice)
        async with asyncio.timeout(10):
            async for told in volumes:
                assert told.volume is None or 0 <= told.volume <= 1
                assert told.signal_strength in (None, 0, 0.5, 1)
                if told.attendee_id == alice.attendee_id and told.volume:
                    break
            assert told.external_user_id == "alice"
            alice.audio.mute()
            async for told in volumes:
                if told.attendee_id == alice.attendee_id and told.muted:
                    break
        assert bob.realtime.volumes[alice.attendee_id].muted


async def test_u11_the_sound_of_content_is_told_by_its_attendee(room: Room) -> None:
    async with room.two() as (alice, bob), ContentShare(alice) as share:
        async with bob.events(VolumeIndicated) as volumes, asyncio.timeout(10):
            await share.start(TestCard(width=160, height=90), audio=Tone(440))
            async for told in volumes:
                if told.volume and told.attendee_id.endswith("#content"):
                    break
        base, modality = told.attendee_id.split("#")
        assert (base, modality) == (alice.attendee_id, "content")


class LoudestOnly(WeightedActiveSpeakerPolicy):
    """A policy of the application's."""

    def __init__(self) -> None:
        super().__init__(speaker_weight=0.5)
        self.asked: set[str] = set()

    def score(self, attendee_id: str, volume: float | None, muted: bool | None) -> float:
        self.asked.add(attendee_id)
        return super().score(attendee_id, volume, muted)


@pytest.mark.parametrize("policy", [None, LoudestOnly()])
async def test_u12_the_most_active_speaker_is_detected_and_scores_are_told_at_an_interval(
    room: Room, policy: LoudestOnly | None
) -> None:
    async with room.two() as (alice, bob):
        bob.realtime.detect_speakers(policy, scores_interval=0.1)
        async with bob.events(ActiveSpeakersChanged) as changes, bob.events(ActiveSpeakerScores) as scores:
            speak(alice)
            async with asyncio.timeout(10):
                async for changed in changes:
                    if changed.attendee_ids:
                        break
                async for told in scores:
                    if told.scores.get(alice.attendee_id):
                        break
        assert changed.attendee_ids[0] == alice.attendee_id
        assert 0 < told.scores[alice.attendee_id] <= 1
        assert policy is None or alice.attendee_id in policy.asked
        bob.realtime.stop_detecting_speakers()
        assert bob.realtime.active_speakers == ()
