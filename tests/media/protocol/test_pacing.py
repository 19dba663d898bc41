"""The grid of 20 ms, in virtual time."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from hypothesis import given
from hypothesis import strategies as st

from chime_media.protocol.pacing import INTERVAL, Pacer


def ticks(pacer: Pacer, until: float, late: Callable[[float], float]) -> Iterator[tuple[float, int]]:
    """What a shell does whose timer fires late."""
    now = pacer.due
    while now < until:
        now = max(now, pacer.due + late(pacer.due))
        yield now, pacer.tick(now)


def test_an_hour_of_ticks_is_an_hour_of_sound() -> None:
    pacer = Pacer(100.0)
    times = list(ticks(pacer, 3700.0, lambda due: 0.0013 * (int(due * 1000) % 7)))
    assert [number for _, number in times] == list(range(len(times)))
    assert abs(len(times) * INTERVAL - 3600) < 2 * INTERVAL
    assert abs(times[-1][0] - (100.0 + times[-1][1] * INTERVAL)) < 0.01
    assert pacer.skipped == 0


def test_what_is_a_little_late_is_caught_up_one_after_another() -> None:
    pacer = Pacer(0.0)
    stalled = iter([0.0, 0.0, 0.09])
    times = list(ticks(pacer, 0.5, lambda due: next(stalled, 0.0)))
    assert [number for _, number in times] == list(range(len(times)))
    gaps = [later - earlier for (earlier, _), (later, _) in itertools.pairwise(times)]
    assert min(gaps) >= 0.01 - 1e-9
    assert abs(times[-1][0] - times[-1][1] * INTERVAL) < 1e-6


def test_what_is_very_late_is_left_out_and_not_sent_in_a_burst() -> None:
    pacer = Pacer(0.0)
    stalled = iter([0.0, 0.0, 1.0])
    times = list(ticks(pacer, 2.0, lambda due: next(stalled, 0.0)))
    assert pacer.skipped == 50
    assert [number for _, number in times][:4] == [0, 1, 52, 53]
    assert all(later - earlier >= 0.01 - 1e-9 for (earlier, _), (later, _) in itertools.pairwise(times))


@given(st.lists(st.floats(0, 0.4), max_size=60))
def test_numbers_follow_the_clock_whatever_it_does(lateness: list[float]) -> None:
    pacer = Pacer(0.0)
    stalls = iter(lateness)
    before, last = -1.0, -1
    for now, number in ticks(pacer, 20.0, lambda due: next(stalls, 0.0)):
        assert now - before >= 0.01 - 1e-9
        assert number > last
        assert now >= number * INTERVAL - 1e-6
        assert now - number * INTERVAL < 0.13
        before, last = now, number
    assert abs(before - last * INTERVAL) < 1e-6
