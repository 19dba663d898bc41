"""``chime meeting join``, ``record`` and ``share`` in meetings of a real server."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chime_media.cli.demo_cast import CLIP_COLOURS, ground_of, write_clip
from chime_media.cli.demo_proof import Recorded
from chime_media.cli.witness import level_of, peak_of
from chime_media.devices.sources import Samples
from tests.interop.media.meeting_page import Seen
from tests.interop.media.python_attendee import PythonAttendee
from tests.media.cli.conftest import Robot

Run = Callable[..., tuple[int, str, str]]
COLOUR = (30, 150, 60)


def test_what_is_spoken_and_shown_arrives_and_the_roster_is_told(start: Callable[..., Any], robot: Robot) -> None:
    other = robot("joining")
    process = start("meeting", "join", "joining", "--as", "ann", "--speak", "tone:620", "--show", "testcard")
    process.until("-- joined")
    process.until("-- ann is here")
    assert abs(other.hears(620).peak - 620) < 10
    ann = next(each for each in other.session.roster.values() if each.external_user_id == "ann")
    seen: Seen = other.sees(ann.attendee_id, (30, 120, 200))
    assert seen.width == 640
    assert process.interrupt() == 0, process.stderr
    assert "".join(process.stderr) == ""


def test_muted_attendee_is_not_heard(start: Callable[..., Any], robot: Robot) -> None:
    other = robot("muted")
    process = start(
        "meeting", "join", "muted", "--as", "ann", "--speak", "tone:620", "--mute", "--duration", "2"
    )  # fmt: skip
    process.until("-- ann is here, muted")
    other.hears(absent=[620])
    assert process.wait() == 0, process.stderr
    assert level_of(other.run(_listen, other)[-24_000:], 620) < -60


def test_recording_has_the_sound_and_the_pictures(chime: Run, robot: Robot, tmp_path: Path) -> None:
    other = robot("recorded")
    other.speak(620)
    other.show(COLOUR)
    film = tmp_path / "film.mp4"
    code, out, err = chime(
        "meeting", "record", "recorded", str(film), "--tracks", str(tmp_path / "tracks"), "--duration", "2.5"
    )
    assert (code, err) == (0, ""), out
    assert f"{film}: " in out
    recorded = Recorded.read(film)
    assert 2 < len(recorded.sound) / 48_000 < 4
    assert abs(peak_of(recorded.sound[48_000:]) - 620) < 10
    red, green, blue = ground_of(recorded.pictures[-1].rgb)
    assert green > red + 60
    assert green > blue + 60
    assert {path.suffix for path in (tmp_path / "tracks").iterdir()} == {".mkv", ".mp4"}


def test_recording_that_is_interrupted_is_complete(start: Callable[..., Any], robot: Robot, tmp_path: Path) -> None:
    other = robot("interrupted")
    other.speak(620)
    film = tmp_path / "film.mp4"
    process = start("meeting", "record", "interrupted", str(film))
    process.until("-- joined")
    other.run(_listen, other)
    assert process.interrupt(signal.SIGTERM) == 0, process.stderr
    assert level_of(Recorded.read(film).sound[-24_000:], 620) > -45


def test_shared_film_is_seen_and_heard_and_its_end_ends_the_command(
    start: Callable[..., Any], robot: Robot, tmp_path: Path
) -> None:
    clip = tmp_path / "clip.mp4"
    write_clip(clip)
    other = robot("sharing")
    process = start("meeting", "share", "sharing", str(clip), "--as", "ann")
    process.until("is shared")
    ann = next(each for each in other.session.roster.values() if each.external_user_id == "ann")
    other.sees(f"{ann.attendee_id.partition('#')[0]}#content", CLIP_COLOURS[2])
    assert process.wait() == 0, process.stderr


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["join", "wrong", "--as", "ann", "--speak", "tone:high"], "speak: 'tone:high' is not like tone:440"),
        (["join", "wrong", "--as", "ann", "--speak", "nothing.wav"], "speak: there is no file nothing.wav"),
        (["join", "wrong"], "meeting: say which and who: --meeting MEETING --as USER, or --join FILE"),
        (["share", "wrong", "nothing.mp4"], "file: there is no file nothing.mp4"),
    ],
    ids=["tone", "no sound", "nobody", "no film"],
)
def test_wrong_usage_is_said_in_one_line(chime: Run, at: str, arguments: list[str], error: str) -> None:
    code, _, err = chime("meeting", *arguments)
    assert (code, err) == (2, f"chime: {error}\n")


async def _listen(other: PythonAttendee, seconds: float = 1.0) -> Samples:
    async with other.session.audio.frames() as frames:
        return np.concatenate([await anext(frames) for _ in range(round(seconds * 50))])
