import numpy as np
import pytest

from chime_media.protocol.time_stretch import lengthen, shorten


def tone(frequency: float, samples: int = 1920) -> np.ndarray:
    return (8000 * np.sin(2 * np.pi * frequency * np.arange(samples) / 48000)).astype(np.int16)


def purity(samples: np.ndarray, frequency: float) -> float:
    """dB of the tone over all else."""
    time = np.arange(len(samples)) / 48000
    basis = np.stack([np.sin(2 * np.pi * frequency * time), np.cos(2 * np.pi * frequency * time)], 1)
    found, *_ = np.linalg.lstsq(basis, samples.astype(float), rcond=None)
    model = basis @ found
    rest = samples - model
    return float(10 * np.log10((model @ model) / (rest @ rest)))


@pytest.mark.parametrize("frequency", [150.0, 440.0, 1234.0])
def test_a_tone_keeps_its_pitch_and_has_no_seam(frequency: float) -> None:
    wave = tone(frequency)

    shorter, longer = shorten(wave), lengthen(wave)

    assert 120 <= len(wave) - len(shorter) <= 480
    assert 120 <= len(longer) - len(wave) <= 480
    assert purity(shorter, frequency) > 25
    assert purity(longer, frequency) > 25


def test_both_channels_are_stretched_alike() -> None:
    wave = np.stack([tone(300), tone(300) // 2], 1)

    shorter = shorten(wave)

    assert shorter.shape[1] == 2
    assert len(shorter) < len(wave)
    assert np.abs(shorter[:, 0] // 2 - shorter[:, 1]).max() <= 2


def test_what_is_too_short_stays_as_it_is() -> None:
    wave = tone(300, 600)

    assert shorten(wave) is wave
    assert lengthen(wave) is wave
