"""``chime load meeting`` against a running server."""

from __future__ import annotations

import json
from collections.abc import Callable

Run = Callable[..., tuple[int, str, str]]


def test_all_is_heard_by_those_who_listen(chime: Run, at: str) -> None:
    code, out, err = chime("load", "meeting", "--attendees", "5", "--seconds", "2", "--json")
    assert code == 0, out + err
    result = json.loads(out)
    assert result["attendees"] == 5
    assert (result["beeps_missed"], result["reconnects"], result["ended"]) == (0, 0, 0)
    assert result["beeps_heard"] >= 3
    assert 300 < result["audio_packets"] < 700
    assert result["audio_loss"] == 0
    assert 0 <= result["behind"] < 0.5
    assert 20 < result["latency_ms"]["p50"] < 900
    assert result["pictures_per_second"] == 0


def test_video_is_watched_too(chime: Run, at: str) -> None:
    code, out, err = chime("load", "meeting", "--attendees", "3", "--talkers", "1", "--seconds", "2", "--video")
    assert code == 0, out + err
    assert "3 attendees, 1 talking, 3 decoding" in out
    rate = next(line for line in out.splitlines() if line.startswith("video")).split()[1]
    assert float(rate) > 5
