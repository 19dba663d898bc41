import numpy as np
import pytest

from chime_media.rtc import opus
from chime_media.rtc.opus import OpusDecoder, OpusEncoder, OpusError, library_version
from chime_messaging.errors import ConfigurationError
from tests.media.server.audio_simulation import level_of, tone


def frames(samples: np.ndarray) -> list[np.ndarray]:
    return [samples[at : at + 960] for at in range(0, len(samples), 960)]


def test_a_library_is_found() -> None:
    assert library_version().startswith("libopus")


@pytest.mark.parametrize("application", ["voip", "audio", "low-delay"])
def test_what_was_encoded_is_decoded(application: str) -> None:
    encoder, decoder = OpusEncoder(application=application, bitrate=40000), OpusDecoder()  # type: ignore[arg-type]

    heard = np.concatenate([decoder.decode(encoder.encode(block)) for block in frames(tone(440, 1))])

    assert len(heard) == 48000
    assert level_of(heard[9600:], 440) == pytest.approx(-14.7, abs=0.7)
    assert level_of(heard[9600:], 1000) < -60


def test_two_channels_stay_apart() -> None:
    encoder, decoder = OpusEncoder(channels=2, application="audio", bitrate=128000), OpusDecoder(channels=2)
    sides = np.stack([tone(440, 1), tone(2300, 1)], 1)

    heard = np.concatenate([decoder.decode(encoder.encode(block)) for block in frames(sides)])

    assert level_of(heard[9600:, 0], 440) == pytest.approx(-14.7, abs=1)
    assert level_of(heard[9600:, 0], 2300) < -45


def test_a_decoder_takes_what_has_other_channels() -> None:
    mono, stereo = OpusEncoder(), OpusEncoder(channels=2)

    assert OpusDecoder(channels=2).decode(mono.encode(np.zeros(960, np.int16))).shape == (960, 2)
    assert OpusDecoder(channels=1).decode(stereo.encode(np.zeros((960, 2), np.int16))).shape == (960,)


def test_slices_and_other_strides_are_encoded_as_what_they_hold() -> None:
    backwards = tone(440, 1)[::-1]
    block = backwards[:960]

    assert OpusEncoder().encode(block) == OpusEncoder().encode(block.copy())


@pytest.mark.parametrize("samples", [np.zeros(959, np.int16), np.zeros((960, 2), np.int16), np.zeros(960, np.float32)])
def test_anything_but_20_ms_of_its_channels_is_refused(samples: np.ndarray) -> None:
    with pytest.raises(OpusError):
        OpusEncoder().encode(samples)


@pytest.mark.parametrize("packet", [b"", b"\xff", b"\x03\x00", b"\xfb\x7f\x00"])
def test_no_packet_is_refused(packet: bytes) -> None:
    with pytest.raises(OpusError):
        OpusDecoder().decode(packet)


def test_a_gap_is_hidden_and_fades() -> None:
    encoder, decoder = OpusEncoder(), OpusDecoder()
    for block in frames(tone(440, 0.5)):
        decoder.decode(encoder.encode(block))

    first = decoder.conceal()
    later = [decoder.conceal() for _ in range(20)][-1]

    assert len(first) == 960
    assert np.abs(first).max() > 3000
    assert np.abs(later).max() < 300


def test_a_lost_frame_comes_back_from_the_packet_after_it() -> None:
    time = np.arange(48000) / 48000
    voice = (np.sin(2 * np.pi * 200 * time) * (1 + np.sin(2 * np.pi * 4 * time)) * 6000).astype(np.int16)
    encoder = OpusEncoder(bitrate=24000, fec=True, packet_loss=20)
    packets = [encoder.encode(block) for block in frames(voice)]
    complete, hidden, recovered = OpusDecoder(), OpusDecoder(), OpusDecoder()
    errors = {"hidden": 0.0, "recovered": 0.0}
    for index in range(len(packets) - 1):
        expected = complete.decode(packets[index]).astype(float)
        if index % 5 == 4:
            errors["hidden"] += float(((hidden.conceal() - expected) ** 2).sum())
            errors["recovered"] += float(((recovered.decode_redundancy(packets[index + 1]) - expected) ** 2).sum())
        else:
            hidden.decode(packets[index])
            recovered.decode(packets[index])

    assert errors["recovered"] < errors["hidden"] / 2


def test_an_encoder_goes_on_where_another_is() -> None:
    first, second, decoder = OpusEncoder(application="low-delay"), OpusEncoder(application="low-delay"), OpusDecoder()
    blocks = frames(tone(440, 1))
    for block in blocks[:20]:
        decoder.decode(first.encode(block))
    second.continue_from(first)

    assert [first.encode(block) for block in blocks[20:]] == [second.encode(block) for block in blocks[20:]]
    with pytest.raises(OpusError):
        OpusEncoder(channels=2).continue_from(first)


def test_silence_of_discontinuous_transmission_is_next_to_nothing() -> None:
    encoder = OpusEncoder(dtx=True)
    sizes = [len(encoder.encode(np.zeros(960, np.int16))) for _ in range(40)]

    assert min(sizes) <= 3


def test_the_bitrate_is_kept() -> None:
    noise = np.random.default_rng(1).integers(-8000, 8000, 48000, dtype=np.int16)
    encoder = OpusEncoder(bitrate=24000)
    low = sum(len(encoder.encode(block)) for block in frames(noise))
    encoder.set_bitrate(96000)
    high = sum(len(encoder.encode(block)) for block in frames(noise))

    assert 2000 < low < 4500
    assert 9000 < high < 14000


def test_the_mix_is_coded_with_little_delay() -> None:
    assert OpusEncoder(application="low-delay").lookahead == 120
    assert OpusEncoder().lookahead == 312


def test_the_library_that_pyav_brings_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    brought = [name for name in opus._candidates() if "av.libs" in name or ".dylibs" in name]
    if not brought:
        pytest.skip("PyAV was built against the system's libraries")
    monkeypatch.setattr(opus, "_candidates", lambda: brought)
    opus._library.cache_clear()
    try:
        encoder, decoder = OpusEncoder(), OpusDecoder()
        heard = [decoder.decode(encoder.encode(block)) for block in frames(tone(440, 0.5))]
    finally:
        monkeypatch.undo()
        opus._library.cache_clear()

    assert level_of(np.concatenate(heard)[9600:], 440) > -17


def test_without_a_library_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opus, "_candidates", lambda: ["no-such-library.so"])
    opus._library.cache_clear()
    try:
        with pytest.raises(ConfigurationError, match="install it, or PyAV"):
            OpusDecoder()
    finally:
        monkeypatch.undo()
        opus._library.cache_clear()
