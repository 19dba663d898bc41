import numpy as np

from chime_media.protocol.audio_levels import SignalStrength, SpeechLevel, attenuation_of


def test_levels_are_decibels_below_full_scale() -> None:
    time = np.arange(960) / 48000
    loud = np.sin(2 * np.pi * 500 * time) * 32767

    assert attenuation_of(loud.astype(np.int16)) == 3
    assert attenuation_of((loud / 10).astype(np.int16)) == 23
    assert attenuation_of(np.zeros(960, np.int16)) == 127
    assert attenuation_of(np.zeros(0, np.int16)) == 127


def test_two_channels_are_one_level() -> None:
    both = np.full((960, 2), 3277, np.int16)

    assert attenuation_of(both) == 20


def test_a_word_is_as_loud_as_its_loudest_part() -> None:
    speech = SpeechLevel()
    for attenuation in (60, 20, 40):
        speech.add(attenuation)
    assert speech.attenuation == 20
    for _ in range(5):
        speech.add(127)
    assert speech.attenuation == 127


def test_the_signal_is_as_strong_as_the_worse_direction() -> None:
    signal = SignalStrength()
    assert signal.value(0.0) == 2
    signal.loss = 0.08
    assert signal.value(0.0) == 1
    signal.remote_loss = 0.3
    assert signal.value(0.0) == 0


def test_the_signal_is_gone_seconds_after_the_last_packet() -> None:
    signal = SignalStrength()

    assert [signal.value(seconds) for seconds in (0.5, 2.0, 4.0)] == [2, 1, 0]
