import random

import numpy as np
import pytest

from chime_media.protocol.jitter_buffer import JitterBuffer
from chime_media.rtc.audio_playout import AudioPlayout
from chime_media.rtc.opus import OpusEncoder
from chime_media.wire.opus_packet import FRAME_SAMPLES, sample_count
from tests.media.server.audio_simulation import level_of, tone, tone_to_noise

TICK = 0.02


def listen(
    packets: list[tuple[float, int, int, bytes]], ticks: int, channels: int = 1
) -> tuple[np.ndarray, AudioPlayout]:
    """Play (arrival, sequence number, timestamp, payload); gives what is heard."""
    playout = AudioPlayout(JitterBuffer(), channels=channels)
    order = sorted(packets)
    heard = []
    for tick in range(ticks):
        now = tick * TICK
        while order and order[0][0] <= now:
            arrival, number, timestamp, payload = order.pop(0)
            playout.buffer.insert(number, timestamp, payload, sample_count(payload), arrival)
        plan = playout.plan(now)
        silence = np.zeros(FRAME_SAMPLES if channels == 1 else (FRAME_SAMPLES, channels), np.int16)
        heard.append(silence if plan is None else playout.render(plan))
        assert heard[-1].shape == silence.shape
    return np.concatenate(heard), playout


def spoken(seconds: float) -> list[bytes]:
    encoder, samples = OpusEncoder(), tone(440, seconds)
    return [encoder.encode(samples[at : at + 960]) for at in range(0, len(samples), 960)]


def test_what_is_said_is_heard_whole() -> None:
    packets = [(n * TICK + 0.005, n, n * 960, payload) for n, payload in enumerate(spoken(4))]

    heard, playout = listen(packets, 200)

    assert tone_to_noise(heard[48000:-9600], 440) > 30
    assert playout.buffer.statistics.concealed == 0


@pytest.mark.parametrize("size", [120, 240, 480])
def test_short_packets_are_joined(size: int) -> None:
    """Packets of 2.5, 5 and 10 ms, which encoders of others make, cut here from frames of silence."""
    config = {120: 28, 240: 29, 480: 30}[size]
    silence = bytes((config << 3, 0xFF, 0xFE))
    packets = [(n * size / 48000, n, n * size, silence) for n in range(48000 // size)]

    heard, playout = listen(packets, 50)

    assert not heard.any()
    assert playout.buffer.statistics.concealed == 0


def test_long_packets_are_played_bit_by_bit() -> None:
    pairs = spoken(4)
    packets = []
    for index in range(0, len(pairs), 2):
        first, second = pairs[index], pairs[index + 1]
        if first[0] != second[0]:
            continue
        # Code 3 with two frames of their own lengths: 40 ms in one packet.
        size = len(first) - 1
        length = bytes((size,)) if size < 252 else bytes((252 + (size & 3), (size - 252 - (size & 3)) // 4))
        joined = bytes((first[0] | 3, 0x82)) + length + first[1:] + second[1:]
        assert sample_count(joined) == 1920
        packets.append((index * TICK + 0.005, index // 2, index * 960, joined))

    heard, _ = listen(packets, 200)

    assert len(packets) > 90
    assert level_of(heard[48000:-9600], 440) == pytest.approx(-14.7, abs=1)


def test_a_listener_who_comes_back_does_not_hear_a_crack() -> None:
    playout = AudioPlayout(JitterBuffer())
    packets = spoken(4)
    heard = []
    for number, payload in enumerate(packets):
        playout.buffer.insert(number, number * 960, payload, 960, number * TICK)
        plan = playout.plan(number * TICK)
        if plan is None:
            continue
        if 60 < number < 100:
            playout.skip(plan)
        else:
            heard.append(playout.render(plan))

    after = np.concatenate(heard[60:])
    assert np.abs(after).max() < 8000
    assert tone_to_noise(after[1920:], 440) > 25


def test_garbage_is_heard_as_silence_or_noise_but_raises_nothing() -> None:
    chance = random.Random(5)
    packets = []
    for number in range(300):
        payload = chance.randbytes(chance.randrange(1, 80))
        if sample_count(payload):
            packets.append((number * TICK, number, number * 960 + chance.choice((0, 0, 1, -7)), payload))

    heard, _ = listen(packets, 320, channels=2)

    assert len(heard) == 320 * 960


def test_a_decoder_that_rests_comes_back_when_it_is_needed() -> None:
    playout = AudioPlayout(JitterBuffer())
    for number, payload in enumerate(spoken(1)):
        if number == 25:
            playout.close()
        playout.buffer.insert(number, number * 960, payload, 960, number * TICK)
        plan = playout.plan(number * TICK)
        if plan is not None:
            heard = playout.render(plan)
    assert level_of(heard, 440) > -20
