import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chime_media.rtc.opus import OpusDecoder, OpusEncoder, OpusError
from chime_media.wire import audio_level, opus_packet


@given(st.binary(min_size=1, max_size=60))
def test_the_length_told_is_the_length_decoded(packet: bytes) -> None:
    try:
        samples = len(OpusDecoder().decode(packet))
    except OpusError:
        return
    assert opus_packet.sample_count(packet) == samples


def test_nothing_is_told_of_an_empty_packet() -> None:
    assert opus_packet.sample_count(b"") == 0
    assert opus_packet.sample_count(b"\x03") == 0
    assert not opus_packet.carries_redundancy(b"")


@pytest.mark.parametrize("silence", [opus_packet.SILENCE_MONO, opus_packet.SILENCE_STEREO])
def test_silence_is_20_ms_of_nothing(silence: bytes) -> None:
    assert opus_packet.is_silence(silence)
    assert not OpusDecoder().decode(silence).any()
    assert opus_packet.sample_count(silence) == opus_packet.FRAME_SAMPLES
    assert opus_packet.is_stereo(silence) is (silence == opus_packet.SILENCE_STEREO)


@pytest.mark.parametrize("fec", [True, False])
def test_in_band_redundancy_is_seen_where_it_is(fec: bool) -> None:
    encoder = OpusEncoder(bitrate=24000, fec=fec, packet_loss=20)
    time = np.arange(48000) / 48000
    wave = (np.sin(2 * np.pi * 200 * time) * (1 + np.sin(2 * np.pi * 4 * time)) * 6000).astype(np.int16)
    packets = [encoder.encode(wave[at : at + 960]) for at in range(0, 48000, 960)]

    assert (sum(map(opus_packet.carries_redundancy, packets)) > 10) is fec


def test_levels_fit_into_seven_bits_and_say_whether_it_is_voice() -> None:
    assert audio_level.parse(audio_level.build(30, voice=True)) == (30, True)
    assert audio_level.parse(audio_level.build(300)) == (127, False)
    assert audio_level.parse(b"") is None
