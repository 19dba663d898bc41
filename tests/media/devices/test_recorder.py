from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from chime_media.devices.audio_sources import Tone
from chime_media.devices.recorder import EmptyRecordingError, Recorder
from chime_media.devices.sources import Samples
from chime_media.rtc.video_frame import Picture, VideoFrame
from chime_messaging.errors import ConfigurationError, UsageError

RED, BLUE, GREEN = (200, 40, 60), (30, 120, 200), (40, 160, 60)


def card(colour: tuple[int, int, int], time: float, width: int = 160, height: int = 96) -> VideoFrame:
    return VideoFrame.from_rgb(np.full((height, width, 3), colour, np.uint8), time)


def pictures(path: Path) -> list[tuple[float, Picture]]:
    with av.open(str(path)) as container:
        frames = container.decode(video=0)
        return [(frame.time or 0.0, np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)) for frame in frames]


def sound(path: Path) -> tuple[float, Samples]:
    """When it begins, and its samples."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=48_000)
        parts: list[Samples] = []
        begin: float | None = None
        for frame in container.decode(audio=0):
            begin = frame.time if begin is None else begin
            parts += [np.asarray(part.to_ndarray().reshape(-1), np.int16) for part in resampler.resample(frame)]
        parts += [np.asarray(part.to_ndarray().reshape(-1), np.int16) for part in resampler.resample(None)]
    return begin or 0.0, np.concatenate(parts)


def at(shown: list[tuple[float, Picture]], time: float) -> Picture:
    return [picture for shown_at, picture in shown if shown_at <= time + 1e-6][-1]


def colour(picture: Picture, x: float = 0.5, y: float = 0.5) -> list[float]:
    height, width = picture.shape[:2]
    spot = picture[int(height * y) - 4 : int(height * y) + 4, int(width * x) - 4 : int(width * x) + 4]
    mean: list[float] = spot.mean(axis=(0, 1)).tolist()
    return mean


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov"])
def test_sound_and_pictures_are_at_their_times(tmp_path: Path, suffix: str) -> None:
    path, tone = tmp_path / f"meeting.{suffix}", Tone(1000)
    with Recorder(path, 100.0, width=320, height=192) as recorder:
        for number in range(150):
            time = 100.0 + number * 0.02
            recorder.write_audio(tone.read() if 50 <= number < 100 else np.zeros(960, np.int16), time)
            if number % 3 == 0:
                recorder.write_video("ann", card(RED if 50 <= number < 100 else BLUE, time))
        summary = recorder.close()
    assert summary.seconds == pytest.approx(3.0, abs=0.05)
    assert summary.attendees == ("ann",)
    begin, heard = sound(path)
    loud = np.flatnonzero(np.abs(heard) > 1000) / 48_000 + begin
    assert loud[0] == pytest.approx(1.0, abs=0.03)
    assert loud[-1] == pytest.approx(2.0, abs=0.03)
    red = [time for time, picture in pictures(path) if colour(picture)[0] > 120]
    assert red[0] == pytest.approx(1.02, abs=0.02)
    assert red[-1] == pytest.approx(1.98, abs=0.04)


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_after_an_hour_flash_and_beep_are_within_40_ms_whatever_the_clocks(tmp_path: Path) -> None:
    """An hour in seconds of work: the sound's clock is 200 ppm slow, and minutes of both are missing."""
    path = tmp_path / "hour.mkv"
    marks = (600, 1800, 3000, 3599)
    beep = np.concatenate([Tone(1000, -6).read() for _ in range(1)] * 10)
    with Recorder(path, 0.0, width=64, height=48, frame_rate=10) as recorder:
        for second in range(3601):
            lost = 1000 <= second < 1060
            if not lost:
                # As many samples as a slow clock gives between two true seconds.
                samples = np.zeros(47_990, np.int16)
                if second in marks:
                    samples[:9600] = beep
                recorder.write_audio(samples, float(second))
            if not 2000 <= second < 2060:
                flash = second in marks
                recorder.write_video("ann", card((230, 230, 230) if flash else (10, 10, 10), float(second), 64, 48))
                if flash:
                    recorder.write_video("ann", card((10, 10, 10), second + 0.2, 64, 48))
        summary = recorder.close()
    assert summary.seconds == pytest.approx(3601, abs=0.1)
    assert 59 < summary.filled < 62
    begin, heard = sound(path)
    flashes = [time for time, picture in pictures(path) if colour(picture)[0] > 120]
    assert len(flashes) == len(marks)
    for mark, flashed in zip(marks, flashes, strict=True):
        around = heard[int((mark - 0.5 - begin) * 48_000) : int((mark + 0.9 - begin) * 48_000)]
        beeped = np.flatnonzero(np.abs(around) > 3000)[0] / 48_000 + mark - 0.5
        assert abs(beeped - flashed) < 0.04
        assert flashed == pytest.approx(mark, abs=0.04)


def test_missing_sound_is_silence_of_its_length(tmp_path: Path) -> None:
    path, tone = tmp_path / "meeting.mkv", Tone(1000)
    with Recorder(path, 0.0, video=False) as recorder:
        for number in [*range(25), *range(75, 100)]:
            recorder.write_audio(tone.read(), number * 0.02)
        summary = recorder.close()
    _, heard = sound(path)
    assert len(heard) == 96_000
    assert summary.filled == pytest.approx(1.0)
    assert not heard[24_000:72_000].any()
    assert np.abs(heard[72_000:]).max() > 3000


def test_who_speaks_has_all_the_room_and_a_share_comes_before(tmp_path: Path) -> None:
    path = tmp_path / "meeting.mp4"
    with Recorder(path, 0.0, width=640, height=384, audio=False) as recorder:
        for number in range(60):
            time = number / 10
            recorder.set_speaker("ann" if number < 20 else "bob")
            recorder.write_video("ann", card(RED, time))
            recorder.write_video("bob", card(BLUE, time))
            if 40 <= number < 50:
                recorder.write_video("ann#content", card(GREEN, time))
            if number == 50:
                recorder.remove_video("ann#content", time)
        recorder.close()
    shown = pictures(path)
    assert colour(at(shown, 1.0)) == pytest.approx(RED, abs=8)
    assert colour(at(shown, 3.0)) == pytest.approx(BLUE, abs=8)
    assert colour(at(shown, 4.5)) == pytest.approx(GREEN, abs=8)
    assert colour(at(shown, 4.5), 0.85, 0.85) == pytest.approx(BLUE, abs=8)
    assert colour(at(shown, 5.5)) == pytest.approx(BLUE, abs=8)


def test_a_grid_shows_all_side_by_side_in_proportion(tmp_path: Path) -> None:
    path = tmp_path / "meeting.mp4"
    with Recorder(path, 0.0, layout="grid", width=640, height=384, audio=False) as recorder:
        for number in range(10):
            recorder.write_video("ann", card(RED, number / 10, 160, 96))
            recorder.write_video("bob", card(BLUE, number / 10, 96, 160))
        recorder.close()
    picture = at(pictures(path), 0.9)
    assert colour(picture, 0.25) == pytest.approx(RED, abs=8)
    assert colour(picture, 0.75) == pytest.approx(BLUE, abs=8)
    assert max(colour(picture, 0.52)) < 30, "black beside what is narrow"
    assert max(colour(picture, 0.25, 0.05)) < 30


def test_a_picture_that_stands_still_is_written_now_and_then(tmp_path: Path) -> None:
    path = tmp_path / "meeting.mp4"
    with Recorder(path, 0.0, width=160, height=96, audio=False) as recorder:
        recorder.write_video("ann", card(RED, 0.5))
        recorder.advance(10.0)
        summary = recorder.close()
    shown = pictures(path)
    assert summary.seconds == pytest.approx(10.0)
    assert 10 <= len(shown) <= 14
    assert max(colour(at(shown, 0.4))) < 30
    assert colour(at(shown, 9.9)) == pytest.approx(RED, abs=8)


def test_late_pictures_find_their_place(tmp_path: Path) -> None:
    path = tmp_path / "meeting.mp4"
    with Recorder(path, 0.0, width=160, height=96, audio=False) as recorder:
        recorder.write_video("ann", card(RED, 0.0))
        recorder.write_video("ann", card(GREEN, 0.1))
        recorder.write_video("ann", card(BLUE, 0.05))
        recorder.write_video("ann", card(GREEN, 1.0))
        recorder.close()
    shown = pictures(path)
    assert colour(at(shown, 0.06)) == pytest.approx(BLUE, abs=10)
    assert colour(at(shown, 0.11)) == pytest.approx(GREEN, abs=10)


def test_if_nothing_arrived_that_is_an_error_and_there_is_no_file(tmp_path: Path) -> None:
    path = tmp_path / "meeting.mp4"
    recorder = Recorder(path, 0.0)
    recorder.advance(10.0)
    with pytest.raises(EmptyRecordingError, match="meeting.mp4"):
        recorder.close()
    assert not path.exists()
    with pytest.raises(UsageError):
        recorder.write_audio(np.zeros(960, np.int16), 0.0)


def test_what_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="avi"):
        Recorder(tmp_path / "meeting.avi", 0.0)
    with pytest.raises(ConfigurationError, match="cannot be written"):
        Recorder(tmp_path / "nowhere" / "meeting.mp4", 0.0)
    with pytest.raises(ConfigurationError):
        Recorder(tmp_path / "meeting.mp4", 0.0, audio=False, video=False)


def test_a_block_that_fails_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), Recorder(tmp_path / "meeting.mp4", 0.0):
        raise RuntimeError("the application")
    assert not (tmp_path / "meeting.mp4").exists()
