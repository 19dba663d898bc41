from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chime_media.devices.audio_sinks import AudioBuffer, WavFile, with_channels
from chime_messaging.errors import ConfigurationError, UsageError


def test_a_buffer_keeps_the_latest() -> None:
    buffer = AudioBuffer(seconds=0.05)
    for start in range(0, 9600, 960):
        buffer.write(np.arange(start, start + 960, dtype=np.int16))
    assert buffer.samples.tolist() == list(range(7200, 9600))
    buffer.clear()
    assert not len(buffer.samples)


def test_stereo_is_mixed_down_and_mono_doubled() -> None:
    stereo = np.array([[100, 200], [-100, 100]], np.int16)
    assert with_channels(stereo, 1).tolist() == [150, 0]
    assert with_channels(np.array([7, 8], np.int16), 2).tolist() == [[7, 7], [8, 8]]
    assert with_channels(stereo, 2) is stereo


def test_a_closed_file_takes_no_more(tmp_path: Path) -> None:
    sink = WavFile(tmp_path / "heard.wav", 2)
    sink.close()
    sink.close()
    with pytest.raises(UsageError):
        sink.write(np.zeros(960, np.int16))


def test_a_file_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be written"):
        WavFile(tmp_path / "nowhere" / "heard.wav")
