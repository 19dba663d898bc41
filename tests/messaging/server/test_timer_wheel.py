from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from chime_messaging.server.timer_wheel import TimerWheel


class Call:
    cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Clock:
    """A loop with one timer at a time, which is all that a wheel may need."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers = 0
        self._next: tuple[float, Call, Callable[[], None]] | None = None

    def time(self) -> float:
        return self.now

    def call_soon(self, callback: Callable[[], None], /) -> Call:
        return self.call_later(0.0, callback)

    def call_later(self, delay: float, callback: Callable[[], None], /) -> Call:
        assert self._next is None or self._next[1].cancelled
        call = Call()
        self._next = (self.now + delay, call, callback)
        self.timers += 1
        return call

    def run(self, until: float) -> None:
        while self._next is not None and self._next[0] <= until:
            (self.now, call, callback), self._next = self._next, None
            if not call.cancelled:
                callback()
        self.now = until


class Thing:
    """Expires at its deadline, and then again as often as it was told to."""

    def __init__(self, clock: Clock, deadline: float | None, period: float | None = None) -> None:
        self.clock = clock
        self.deadline = deadline
        self.period = period
        self.expired: list[float] = []

    def expire(self) -> None:
        assert self.deadline is not None
        assert self.clock.now >= self.deadline
        self.expired.append(self.clock.now)
        self.deadline = None if self.period is None else self.clock.now + self.period


@given(st.lists(st.floats(0, 100), max_size=50))
def test_everything_expires_once_and_at_most_one_tick_late(deadlines: list[float]) -> None:
    clock = Clock()
    wheel = TimerWheel(clock, 0.5)
    things = [Thing(clock, deadline) for deadline in deadlines]
    for thing in things:
        wheel.watch(thing)
    clock.run(102)
    for thing, deadline in zip(things, deadlines, strict=True):
        (at,) = thing.expired
        assert deadline <= at <= deadline + 1.0 + 1e-9
    assert len(wheel) == 0


def test_periods_go_on_and_cost_one_timer_however_many_there_are() -> None:
    clock = Clock()
    wheel = TimerWheel(clock, 1.0)
    things = [Thing(clock, 10.0, 10.0) for _ in range(100)]
    for thing in things:
        wheel.watch(thing)
    clock.run(60)
    assert {len(thing.expired) for thing in things} == {6}
    assert clock.timers <= 62


def test_deadlines_may_move_both_ways() -> None:
    clock = Clock()
    wheel = TimerWheel(clock, 1.0)
    later, sooner, never = Thing(clock, 5.0), Thing(clock, 50.0), Thing(clock, 5.0)
    for thing in (later, sooner, never):
        wheel.watch(thing)
    later.deadline, sooner.deadline, never.deadline = 20.0, 3.0, None
    for thing in (later, sooner, never):
        wheel.watch(thing)
    clock.run(100)
    assert ([int(at) for at in later.expired], [int(at) for at in sooner.expired], never.expired) == ([20], [3], [])


def test_what_is_taken_off_does_not_expire_and_an_empty_wheel_stands_still() -> None:
    clock = Clock()
    wheel = TimerWheel(clock, 1.0)
    thing = Thing(clock, 5.0)
    wheel.watch(thing)
    wheel.forget(thing)
    wheel.forget(thing)
    clock.run(100)
    assert (thing.expired, clock.timers) == ([], 1)


def test_a_closed_wheel_expires_nothing() -> None:
    clock = Clock()
    wheel = TimerWheel(clock, 1.0)
    thing = Thing(clock, 5.0)
    wheel.watch(thing)
    wheel.close()
    clock.run(100)
    assert thing.expired == []
