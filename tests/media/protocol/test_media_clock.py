from __future__ import annotations

import random

import pytest

from chime_media.protocol.media_clock import MediaClock


def test_times_are_of_the_fastest_packets_whatever_the_jitter() -> None:
    clock, jitter = MediaClock(90_000), random.Random(4)
    errors = []
    for number in range(3000):
        taken = number / 30
        at = clock.arrived(number * 3000 & 0xFFFFFFFF, taken + 0.05 + jitter.expovariate(50))
        errors.append(abs(at - taken - 0.05))
    assert max(errors[300:]) < 0.01


@pytest.mark.parametrize("drift", [-200e-6, 200e-6])
def test_a_clock_that_runs_otherwise_is_followed_for_an_hour(drift: float) -> None:
    clock, jitter = MediaClock(48_000), random.Random(4)
    worst = 0.0
    for second in range(3600):
        ticks = round(second * (1 + drift) * 48_000)
        at = clock.arrived(ticks & 0xFFFFFFFF, second + 0.05 + jitter.uniform(0, 0.01))
        if second > 60:
            worst = max(worst, abs(at - second - 0.05))
    assert worst < 0.02


def test_timestamps_wrap() -> None:
    clock = MediaClock(90_000)
    first = clock.arrived(0xFFFFFFFF - 2999, 10.0)
    assert clock.arrived(3000 - 1, 10.0 + 6000 / 90_000 - 1 / 90_000) - first == pytest.approx(6000 / 90_000, abs=1e-4)


def test_a_sender_that_begins_anew_is_followed_at_once() -> None:
    clock = MediaClock(90_000)
    clock.arrived(1000, 10.0)
    assert clock.arrived(500_000_000, 11.0) == 11.0
    assert clock.arrived(500_009_000, 11.1) == pytest.approx(11.1)


def test_a_report_tells_what_the_sender_itself_took_before_packets_went_out() -> None:
    clock = MediaClock(48_000)
    for number in range(1000):
        clock.arrived(number * 960, number * 0.02 + 0.08)
        if number % 120 == 50:
            # Said 60 ms before it went out, and reported with a clock that says so.
            clock.reported(number * 960 + 2880 & 0xFFFFFFFF, number * 0.02 + 0.085)
    assert clock.time_of(999 * 960) == pytest.approx(999 * 0.02 + 0.025, abs=0.002)


@pytest.mark.parametrize("lie", [2**31, 48_000 * 3, -48_000 * 3])
def test_reports_that_do_not_fit_the_packets_are_left_alone(lie: int) -> None:
    clock = MediaClock(48_000)
    assert clock.time_of(5) is None
    clock.reported(lie & 0xFFFFFFFF, 0.0)
    for number in range(500):
        clock.arrived(number * 960, number * 0.02 + 0.08)
        clock.reported(number * 960 + lie & 0xFFFFFFFF, number * 0.02 + 0.08)
    assert clock.time_of(499 * 960) == pytest.approx(499 * 0.02 + 0.08, abs=0.001)
