from __future__ import annotations

import numpy as np
import pytest

from chime_media.devices.audio_sources import ArraySource, AudioQueue, OpusPackets, Silence, Tone
from chime_media.devices.sources import Samples, SourceEnded
from chime_messaging.errors import ConfigurationError, UsageError


def peak(samples: Samples) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum.argmax() * 48_000 / len(samples))


def test_a_tone_has_its_frequency_and_level_and_no_seams() -> None:
    tone = Tone(440, level=-20)
    sound = np.concatenate([tone.read() for _ in range(50)])
    assert sound.dtype == np.int16
    assert peak(sound) == pytest.approx(440, abs=1)
    rms = np.sqrt(np.mean((sound / 32768.0) ** 2))
    assert 20 * np.log10(rms) == pytest.approx(-23, abs=0.1)
    assert np.abs(np.diff(sound.astype(int))).max() < 3277 * 2 * np.pi * 440 / 48_000 * 1.05


def test_a_tone_of_some_seconds_ends() -> None:
    tone = Tone(440, seconds=0.1)
    assert sum(len(tone.read()) for _ in range(5)) == 4800
    with pytest.raises(SourceEnded) as ended:
        tone.read()
    assert ended.value.problem is None


def test_a_tone_that_nobody_could_sample_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="frequency"):
        Tone(24_000)


def test_an_array_is_read_to_its_end_and_filled_up_with_silence() -> None:
    source = ArraySource(np.arange(1, 1001, dtype=np.int16))
    first, second = source.read(), source.read()
    assert first.tolist() == list(range(1, 961))
    assert second.tolist() == [*range(961, 1001), *[0] * 920]
    with pytest.raises(SourceEnded):
        source.read()


def test_an_array_loops_in_stereo() -> None:
    source = ArraySource(np.stack([np.ones(960, np.int16), np.full(960, 2, np.int16)], axis=1), loop=True)
    assert source.channels == 2
    assert [source.read().tolist()[0] for _ in range(3)] == [[1, 2]] * 3


@pytest.mark.parametrize("samples", [np.zeros(10, np.float32), np.zeros((10, 3), np.int16), np.zeros(0, np.int16)])
def test_what_is_no_sound_is_refused(samples: Samples) -> None:
    with pytest.raises(ConfigurationError):
        ArraySource(samples)


def test_a_queue_gives_what_was_pushed_in_frames_of_20_ms() -> None:
    source = AudioQueue()
    assert source.read() is None
    source.push(np.arange(500, dtype=np.int16))
    assert source.read() is None, "it waits for the rest"
    source.push(np.arange(500, 2000, dtype=np.int16))
    assert source.buffered == pytest.approx(2000 / 48_000)
    first, second = source.read(), source.read()
    assert first is not None
    assert second is not None
    assert np.concatenate([first, second]).tolist() == list(range(1920))
    source.end()
    last = source.read()
    assert last is not None
    assert last[:80].tolist() == list(range(1920, 2000))
    assert not last[80:].any()
    with pytest.raises(SourceEnded):
        source.read()
    with pytest.raises(UsageError):
        source.push(np.zeros(1, np.int16))


def test_a_full_queue_leaves_the_oldest_out() -> None:
    source = AudioQueue(seconds=0.04)
    source.push(np.arange(4000, dtype=np.int16))
    assert source.dropped == 4000 - 1920
    frame = source.read()
    assert frame is not None
    assert frame[0] == 4000 - 1920


def test_a_queue_forgets_what_waits_when_somebody_interrupts() -> None:
    source = AudioQueue()
    source.push(np.ones(9600, np.int16))
    source.clear()
    assert source.buffered == 0
    assert source.read() is None


def test_ready_packets_go_out_as_they_are() -> None:
    source = OpusPackets([b"\xf8one", b"\xf8two"])
    assert [source.read(), source.read()] == [b"\xf8one", b"\xf8two"]
    with pytest.raises(SourceEnded):
        source.read()
    with pytest.raises(ConfigurationError):
        OpusPackets([])


def test_silence_is_nothing() -> None:
    silence = Silence()
    silence.read()
    assert silence.channels == 1
