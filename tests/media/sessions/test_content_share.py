from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import numpy as np
import pytest

from chime_media.devices.audio_sources import Tone
from chime_media.devices.sources import Samples
from chime_media.devices.video_sources import DrawnVideo, TestCard
from chime_media.events import (
    ContentSharePaused,
    ContentShareStarted,
    ContentShareStopped,
    ContentShareUnpaused,
)
from chime_media.sessions.content_share import ContentShare
from chime_media.sessions.meeting_session import MeetingSession
from chime_messaging.errors import ConfigurationError, MeetingSessionError, UsageError
from chime_messaging.meeting_events import MeetingSessionStatusCode
from tests.media.devices.test_media_file import write_video
from tests.media.sessions.meeting import Meeting, tile_of, until
from tests.media.sessions.test_video import BLUE, RED, colour, take

pytestmark = pytest.mark.anyio


@pytest.fixture
def meeting() -> Iterator[Meeting]:
    with Meeting() as running:
        yield running


def level(samples: Samples, frequency: float) -> float:
    """Of one frequency, in dB below full scale."""
    spectrum = np.abs(np.fft.rfft(samples / 32768 * np.hanning(len(samples)))) * 4 / len(samples)
    at = round(frequency * len(samples) / 48_000)
    return float(20 * np.log10(spectrum[at - 2 : at + 3].max() + 1e-9))


async def hear(session: MeetingSession, seconds: float, skip: float = 0.5) -> Samples:
    heard: list[Samples] = []
    async with session.audio.frames(size=1000) as frames:
        async for frame in frames:
            heard.append(frame)
            if len(heard) >= (seconds + skip) * 50:
                break
    return np.concatenate(heard[round(skip * 50) :])


async def test_a_clip_is_seen_and_heard_by_others_beside_the_camera_but_not_heard_by_oneself(
    meeting: Meeting, tmp_path: Path
) -> None:
    write_video(tmp_path / "clip.mp4", [BLUE] * 100)
    async with meeting.session("ann") as ann, meeting.session("bob") as bob, ContentShare(ann) as share:
        ann.video.start_local_tile(TestCard(RED, 320, 180))
        await share.start(tmp_path / "clip.mp4")
        assert share.is_shared
        content, camera = await tile_of(bob, "ann", content=True), await tile_of(bob, "ann")
        assert content.attendee_id == ann.attendee_id + "#content"
        seen, beside, heard, own = await asyncio.gather(
            take(content, 5), take(camera, 5), hear(bob, 1.0), hear(ann, 1.0)
        )
        assert colour(seen[-1]) == pytest.approx(BLUE, abs=10)
        assert colour(beside[-1]) == pytest.approx(RED, abs=6)
        assert level(heard, 1000) > -35
        assert level(own, 1000) < -60
        mine = [tile for tile in ann.video.tiles.values() if tile.state.is_content]
        assert [(tile.state.local_tile, tile.attendee_id) for tile in mine] == [(False, content.attendee_id)]
        await share.stop()
        await until(bob, lambda: content.removed)
        assert mine[0].removed
        assert not camera.removed


async def test_observers_are_told_and_a_paused_share_stands_still_and_is_silent(meeting: Meeting) -> None:
    async with meeting.session("ann") as ann, meeting.session("bob") as bob:
        told: list[object] = []
        ended = asyncio.Event()

        @ann.on(ContentShareStarted, ContentSharePaused, ContentShareUnpaused, ContentShareStopped)
        def tell(event: object) -> None:
            told.append(event)
            if isinstance(event, ContentShareStopped):
                ended.set()

        share = ContentShare(ann)
        await share.start(TestCard(BLUE, 320, 180), audio=Tone(1000))
        with pytest.raises(UsageError, match="already"):
            await share.start(TestCard(BLUE, 320, 180))
        assert level(await hear(bob, 0.5), 1000) > -35
        share.pause()
        share.pause()
        assert share.is_paused
        assert level(await hear(bob, 0.5, skip=1.0), 1000) < -60
        share.unpause()
        assert level(await hear(bob, 0.5, skip=1.0), 1000) > -35
        await share.stop()
        await asyncio.wait_for(ended.wait(), 5)
        assert told == [
            ContentShareStarted(),
            ContentSharePaused(),
            ContentShareUnpaused(),
            ContentShareStopped(None),
        ]


async def test_a_share_ends_with_its_source_and_can_be_started_again(meeting: Meeting, tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", [RED] * 10)
    async with meeting.session("ann") as ann:
        share = ContentShare(ann)
        for _ in range(2):
            async with asyncio.timeout(15), ann.events(ContentShareStopped) as stopped:
                await share.start(tmp_path / "clip.mp4")
                event = await anext(aiter(stopped))
            assert event.problem is None


async def test_a_source_that_fails_is_told(meeting: Meeting) -> None:
    def draw(elapsed: float) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        if elapsed > 1:
            raise RuntimeError("the projector is broken")
        return np.zeros((48, 64, 3), np.uint8)

    async with meeting.session("ann") as ann:
        async with asyncio.timeout(15), ann.events(ContentShareStopped) as stopped:
            await ContentShare(ann).start(DrawnVideo(draw, 64, 48))
            event = await anext(aiter(stopped))
        assert "the projector is broken" in str(event.problem)


async def test_sound_alone_can_be_shared(meeting: Meeting) -> None:
    async with meeting.session("ann") as ann, meeting.session("bob") as bob, ContentShare(ann) as share:
        await share.start(None, audio=Tone(700))
        assert level(await hear(bob, 0.5), 700) > -35
        assert bob.video.remote_tiles == []


async def test_what_cannot_be_shared_is_told_at_once(meeting: Meeting) -> None:
    async with meeting.session("ann") as ann:
        with pytest.raises(ConfigurationError, match=r"nowhere\.mp4"):
            await ContentShare(ann).start("nowhere.mp4")
        with pytest.raises(ConfigurationError, match="neither"):
            await ContentShare(ann).start(None)


async def test_the_end_of_the_session_ends_its_share(meeting: Meeting) -> None:
    async with meeting.session("bob") as bob:
        async with meeting.session("ann") as ann:
            share = ContentShare(ann)
            await share.start(TestCard(BLUE, 320, 180))
            tile = await tile_of(bob, "ann", content=True)
        await until(bob, lambda: tile.removed)
        await share.stop()
        assert not share.is_shared


async def test_a_third_share_is_refused() -> None:
    with Meeting(quotas=True) as meeting:
        async with AsyncExitStack() as stack:
            sessions = [await stack.enter_async_context(meeting.session(name)) for name in ("ann", "bob", "eve")]
            first, second, third = [await stack.enter_async_context(ContentShare(each)) for each in sessions]
            await first.start(TestCard(RED, 320, 180))
            await second.start(TestCard(BLUE, 320, 180))
            with pytest.raises(MeetingSessionError) as refused:
                await third.start(TestCard(RED, 320, 180))
            assert refused.value.status in {
                MeetingSessionStatusCode.VIDEO_CALL_AT_SOURCE_CAPACITY,
                MeetingSessionStatusCode.AUDIO_CALL_AT_CAPACITY,
            }
            assert [share.is_shared for share in (first, second, third)] == [True, True, False]
