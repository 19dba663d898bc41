import asyncio
import itertools
from functools import partial

import numpy as np
import pytest

from chime_media.rtc.opus import OpusDecoder, OpusEncoder
from chime_media.server.audio_clock import INTERVAL, AudioClock
from chime_media.server.audio_mixer import AudioMixer
from chime_media.server.audio_workers import AudioWorkers
from chime_media.wire import rtp
from tests.media.server.audio_simulation import level_of, tone

pytestmark = pytest.mark.anyio


async def beats(clock: AudioClock, count: int) -> list[tuple[float, int]]:
    seen: list[tuple[float, int]] = []
    enough = asyncio.Event()

    def tick(due: float, number: int) -> None:
        seen.append((due, number))
        if len(seen) == count:
            enough.set()

    beat = clock.add(tick)
    await asyncio.wait_for(enough.wait(), 10)
    clock.remove(beat)
    return seen


async def test_beats_are_20_ms_apart_by_plan_whenever_they_come() -> None:
    seen = await beats(AudioClock(), 10)

    for (due, number), (later, next_number) in itertools.pairwise(seen):
        assert next_number == number + 1
        assert later - due == pytest.approx(INTERVAL)


async def test_a_short_stall_is_caught_up_and_a_long_one_is_left_out() -> None:
    clock = AudioClock()
    loop = asyncio.get_running_loop()
    seen: list[int] = []
    done = asyncio.Event()

    def stall(seconds: float) -> None:
        end = loop.time() + seconds
        while loop.time() < end:
            pass

    skipped: list[int] = []

    def tick(due: float, number: int) -> None:
        seen.append(number)
        skipped.append(clock.skipped_ticks)
        if len(seen) == 3:
            stall(0.05)
        if len(seen) == 8:
            stall(0.4)
        if len(seen) == 12:
            done.set()

    beat = clock.add(tick)
    await asyncio.wait_for(done.wait(), 10)
    clock.remove(beat)

    assert skipped[3] == skipped[2]
    assert skipped[8] - skipped[7] > 10
    assert [number - first for number, first in zip(seen, range(seen[0], seen[0] + 12), strict=True)] == skipped


async def test_meetings_are_spread_over_the_20_ms_and_one_that_fails_harms_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = AudioClock(phases=2)
    first: list[float] = []

    def broken(due: float, number: int) -> None:
        first.append(due)
        raise RuntimeError("no mix")

    beat = clock.add(broken)
    second = await beats(clock, 5)
    clock.remove(beat)
    clock.remove(beat)

    offset = (second[0][0] - first[0]) % INTERVAL
    assert offset == pytest.approx(INTERVAL / 2, abs=1e-6)
    assert "mixing a meeting's audio failed" in caplog.text


async def test_without_meetings_there_is_no_beat() -> None:
    clock = AudioClock()
    await beats(clock, 2)

    assert clock._timer is None


async def test_a_big_tick_is_shared_by_threads_and_sounds_alike() -> None:
    clock = AudioClock(workers=AudioWorkers(2))
    mixer = AudioMixer(clock)
    received: list[bytes] = []
    listener = mixer.join("listener", "listener", received.append, ssrc=1, payload_type=111)
    encoder, wave = OpusEncoder(), tone(440, 1)
    said = [encoder.encode(wave[at : at + 960]) for at in range(0, 48000, 960)]
    encoder, noise = OpusEncoder(), np.random.default_rng(1).integers(-3, 4, 48000, dtype=np.int16)
    murmured = [encoder.encode(noise[at : at + 960]) for at in range(0, 48000, 960)]
    legs = [mixer.join(str(n), str(n), lambda _: None, ssrc=n, payload_type=111) for n in range(50)]
    enough = asyncio.Event()

    def speak(due: float, number: int) -> None:
        for index, leg in enumerate(legs):
            payload = (murmured if index else said)[number % 50]
            packet = rtp.build(
                payload_type=111, sequence_number=number, timestamp=number * 960, ssrc=index, payload=payload
            )
            leg.rtp_received(packet, clock.now())
        if len(received) >= 75:
            enough.set()

    beat = clock.add(speak)
    await asyncio.wait_for(enough.wait(), 15)
    assert clock.workers.started
    clock.remove(beat)
    for leg in (*legs, listener):
        leg.leave()

    decoder = OpusDecoder()
    heard = np.concatenate([decoder.decode(rtp.parse(packet).payload) for packet in received])
    assert level_of(heard[24000:], 440) == pytest.approx(-15, abs=2)
    assert not clock.workers.started


async def test_work_that_fails_on_a_thread_is_logged_and_the_rest_is_done(caplog: pytest.LogCaptureFixture) -> None:
    workers = AudioWorkers(2)
    done = asyncio.Event()
    finished: list[int] = []

    def job(number: int) -> None:
        if number == 3:
            raise RuntimeError("broken")
        finished.append(number)

    workers.run([partial(job, number) for number in range(8)], done.set)
    await asyncio.wait_for(done.wait(), 5)
    workers.close()
    workers.close()

    assert sorted(finished) == [0, 1, 2, 4, 5, 6, 7]
    assert "a part of a meeting's audio failed" in caplog.text
