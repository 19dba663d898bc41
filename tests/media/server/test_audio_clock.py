import asyncio
import itertools

import pytest

from chime_media.server.audio_clock import INTERVAL, AudioClock

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

    def tick(due: float, number: int) -> None:
        seen.append(number)
        if len(seen) == 3:
            stall(0.05)
        if len(seen) == 8:
            stall(0.3)
        if len(seen) == 12:
            done.set()

    beat = clock.add(tick)
    await asyncio.wait_for(done.wait(), 10)
    clock.remove(beat)

    assert seen[:8] == list(range(seen[0], seen[0] + 8))
    assert seen[11] - seen[7] > 10
    assert clock.skipped_ticks > 8


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
