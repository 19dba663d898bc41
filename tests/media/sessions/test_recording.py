from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from chime_media.devices.audio_sources import Tone
from chime_media.devices.recorder import EmptyRecordingError
from chime_media.devices.sources import Samples
from chime_media.devices.video_sources import DrawnVideo, TestCard
from chime_media.rtc.video_frame import Picture
from chime_media.sessions.recording import MeetingRecorder
from tests.media.devices.test_recorder import colour, pictures, sound
from tests.media.sessions.meeting import Meeting, tile_of
from tests.media.sessions.test_content_share import level
from tests.media.sessions.test_video import RED

pytestmark = pytest.mark.anyio


@pytest.fixture
def meeting() -> Iterator[Meeting]:
    with Meeting() as running:
        yield running


async def passed(seconds: float) -> None:
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, over.set)
    await over.wait()


async def test_a_meeting_is_seen_and_heard_in_its_file_and_in_its_tracks(meeting: Meeting, tmp_path: Path) -> None:
    async with meeting.session("ann") as ann, meeting.session("rec") as bot:
        ann.video.start_local_tile(TestCard(RED, 320, 180))
        ann.audio.start_input(Tone(700))
        async with MeetingRecorder(
            bot, tmp_path / "meeting.mp4", width=320, height=180, tracks=tmp_path / "tracks"
        ) as recorder:
            await tile_of(bot, "ann")
            await passed(3.0)
    assert recorder.summary is not None
    assert recorder.summary.attendees == (ann.attendee_id,)
    assert recorder.summary.seconds == pytest.approx(3.0, abs=0.7)
    shown = pictures(recorder.summary.path)
    assert len(shown) > 20
    assert colour(shown[-1][1], 0.9, 0.9) == pytest.approx(RED, abs=10)
    _, heard = sound(recorder.summary.path)
    assert level(heard[48_000:96_000], 700) > -30
    names = sorted(recorder.track_summaries)
    assert [name.startswith(ann.attendee_id) for name in names].count(True) == 1
    assert "audio.mkv" in names
    for name, summary in recorder.track_summaries.items():
        assert summary.seconds == pytest.approx(recorder.summary.seconds, abs=0.1), name


async def test_flash_and_beep_of_a_live_meeting_are_recorded_close_together(meeting: Meeting, tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()

    class Beeps:
        """200 ms at the beginning of each second of the clock, whatever the phase of the 20 ms in which it is read.

        It may be read late, and then faster until that is made up for, but not early.
        """

        channels = 1

        def __init__(self) -> None:
            self._at: float | None = None

        def read(self) -> Samples:
            now = loop.time()
            following = now if self._at is None else min(self._at + 0.02, now)
            self._at = now if now - following > 0.1 else following
            times = self._at + np.arange(960) / 48_000
            tone = np.sin(2 * np.pi * 1000 * times) * 16_000
            return np.where(times % 1.0 < 0.2, tone, 0).astype(np.int16)

        def close(self) -> None:
            pass

    def draw(_: float) -> Picture:
        return np.full((96, 160, 3), 230 if loop.time() % 1.0 < 0.1 else 10, np.uint8)

    async with meeting.session("ann") as ann, meeting.session("rec") as bot:
        ann.video.start_local_tile(DrawnVideo(draw, 160, 96, 30))
        ann.audio.start_input(Beeps())
        async with MeetingRecorder(bot, tmp_path / "meeting.mkv", width=160, height=96) as recorder:
            await tile_of(bot, "ann")
            await passed(8.0)
    assert recorder.summary is not None
    begin, heard = sound(recorder.summary.path)
    bright = [(time, colour(picture)[0] > 120) for time, picture in pictures(recorder.summary.path)]
    flashes = [now[0] for before, now in pairwise(bright) if now[1] and not before[1]]
    loud = np.flatnonzero(np.abs(heard) > 4000) / 48_000 + begin
    beeps = [float(time) for before, time in zip([-1.0, *loud], loud, strict=False) if time - before > 0.3]
    apart = sorted(min((beep - flash for beep in beeps), key=abs) for flash in flashes[1:])
    assert len(apart) >= 4
    # The flash is seen with the next picture, up to 33 ms late.
    assert abs(apart[len(apart) // 2]) < 0.04, apart


async def test_a_meeting_in_which_nothing_comes_is_an_error(meeting: Meeting, tmp_path: Path) -> None:
    async with meeting.session("rec") as bot:
        recorder = MeetingRecorder(bot, tmp_path / "meeting.mp4")
        bot.engine.receiver.first_packet_at = None
        bot.engine.receiver.rtp_received = lambda packet, arrival: None  # type: ignore[method-assign]
        with pytest.raises(EmptyRecordingError):
            async with recorder:
                await passed(0.3)
    assert not (tmp_path / "meeting.mp4").exists()
