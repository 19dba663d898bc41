"""``chime demo --meeting``: that it passes, and that it would not if something were wrong."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from chime_media.cli import demo as module
from chime_media.cli.demo_proof import Moments, Proof
from chime_media.cli.demo_stage import MeetingStage, Player
from chime_media.cli.witness import Ear, Eye
from chime_media.devices.audio_sources import Tone
from chime_media.rtc.video_frame import VideoFrame

SOON = "bob, back after the cut"
PITCHES, COLOURS = {"alice": 210.0, "bob": 340.0}, {"alice": (20, 40, 160), "bob": (160, 40, 20)}


@pytest.mark.slow
def test_demo_proves_everything_and_leaves_its_pictures(
    chime: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "TURN", 1.6)
    code, out, err = chime("demo", "--meeting", "--output", str(tmp_path / "made"))
    assert code == 0, out + err
    assert "Bob is back with his media after" in out
    assert "All 19 are as they should be" in out
    assert "✗" not in out
    for name in ("seen.png", "heard.png"):
        with Image.open(tmp_path / "made" / name) as picture:
            assert picture.width > 800
    assert (tmp_path / "made" / "meeting.mp4").stat().st_size > 50_000


def heard(frequency: float, seconds: float = 3.0) -> Ear:
    ear, tone = Ear(0.0), Tone(frequency)
    for number in range(round(seconds * 50)):
        ear.hear(tone.read(), number / 50)
    return ear


def seen(colour: tuple[int, int, int]) -> Eye:
    eye = Eye()
    for number in range(60):
        eye.write(VideoFrame.from_rgb(np.full((36, 64, 3), colour, np.uint8), number / 20))
    return eye


def verdicts(ears: dict[str, Ear], eyes: dict[str, dict[str, Eye]], tmp_path: Path) -> dict[str, bool]:
    moments = Moments(joins=[0.2], turns={"alice": (0.0, 2.0), "bob": (0.0, 2.0)}, shown=(0.0, 2.5), end=3.0)
    stage = MeetingStage(Console(file=io.StringIO()))
    Proof(moments, ears, {"alice": {}, "bob": {}, **eyes}, None, PITCHES, COLOURS).examine(stage, tmp_path)
    return {check.what: check.good for check in stage.checks}


def test_what_was_heard_and_seen_as_it_should_passes(tmp_path: Path) -> None:
    eyes = {"alice": {"bob": seen(COLOURS["bob"])}, "bob": {"alice": seen(COLOURS["alice"])}}
    passed = verdicts({"alice": heard(340.0), "bob": heard(210.0)}, eyes, tmp_path)
    assert passed["bob hears alice"]
    assert passed["alice's own voice"]
    assert passed["bob sees alice"]


def test_wrong_voices_and_colours_do_not_pass(tmp_path: Path) -> None:
    eyes = {"alice": {"bob": seen(COLOURS["alice"])}, "bob": {"alice": seen(COLOURS["bob"])}}
    passed = verdicts({"alice": heard(210.0), "bob": heard(340.0)}, eyes, tmp_path)
    assert not any(
        passed[what]
        for what in ("bob hears alice", "alice hears bob", "alice's own voice", "bob sees alice", "alice sees bob")
    )


def test_nothing_at_all_passes_nothing_but_silence(tmp_path: Path) -> None:
    passed = verdicts({"alice": Ear(0.0), "bob": Ear(0.0)}, {}, tmp_path)
    silent = {"alice's own voice", "bob's own voice", "alice's own share"}
    assert {what for what, good in passed.items() if good} <= silent | {"join, until media flows", SOON}


def test_gap_in_a_voice_is_found() -> None:
    ear, tone = Ear(0.0), Tone(340.0)
    for number in [*range(50), *range(150, 200)]:
        ear.hear(tone.read(), number / 50)
    ((begin, end),) = ear.gaps(0.0, 4.0, 340.0)
    assert begin == pytest.approx(1.0, abs=0.15)
    assert end == pytest.approx(3.0, abs=0.15)


def test_live_picture_is_drawn_on_a_terminal() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    stage = MeetingStage(console)
    stage.players["alice"] = Player("alice", "speaks", "connected", volume=0.5)
    with stage:
        stage.note("Something happens.")
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "alice" in text
    assert "Something happens." in text
