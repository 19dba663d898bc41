from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chime_messaging.server.meetings.lifecycle import (
    HOUR,
    MINUTE,
    Attendance,
    EndRule,
    connected,
    end_of,
    ended_by,
    opened,
    viewed,
)


def history(*changes: tuple[int, int]) -> Attendance:
    """A meeting opened at 0, with so many audio connections from each minute on."""
    attendance = opened(0)
    for minute, audio_connections in changes:
        attendance = connected(attendance, audio_connections, minute * MINUTE)
    return attendance


@pytest.mark.parametrize(
    ("changes", "minute", "rule"),
    [
        ([], 5, EndRule.NO_AUDIO_CONNECTION),
        ([(4, 1)], 30, EndRule.FEWER_THAN_TWO_AUDIO_CONNECTIONS),
        ([(4, 1), (10, 0)], 15, EndRule.NO_AUDIO_CONNECTION),
        ([(4, 2)], 24 * 60, EndRule.TOO_OLD),
        ([(4, 2), (100, 1)], 130, EndRule.FEWER_THAN_TWO_AUDIO_CONNECTIONS),
        ([(4, 2), (100, 1), (120, 2), (121, 1)], 151, EndRule.FEWER_THAN_TWO_AUDIO_CONNECTIONS),
        ([(4, 1), (29, 0), (30, 1)], 30, EndRule.FEWER_THAN_TWO_AUDIO_CONNECTIONS),
        ([(4, 250), (23 * 60 + 58, 0)], 24 * 60, EndRule.TOO_OLD),
        ([(1, 1), (2, 0), (3, 1), (4, 0)], 9, EndRule.NO_AUDIO_CONNECTION),
    ],
)
def test_a_meeting_ends_by_the_rule_that_comes_first(
    changes: Iterable[tuple[int, int]], minute: int, rule: EndRule
) -> None:
    attendance = history(*changes)
    assert end_of(attendance) == (minute * MINUTE, rule)
    assert ended_by(attendance, minute * MINUTE - 1) is None
    assert ended_by(attendance, minute * MINUTE) is rule


def test_more_of_the_same_does_not_start_the_time_afresh() -> None:
    assert history((10, 1), (20, 1)).lonely_since == 0
    assert history((1, 2), (2, 3), (3, 2), (4, 1), (5, 0), (6, 0)) == Attendance(0, 0, 5 * MINUTE, 4 * MINUTE, None)


def test_viewers_that_do_nothing_end_a_meeting_and_one_that_is_active_keeps_it() -> None:
    busy = history((1, 2))
    idle = viewed(busy, viewers=3, active=0, now=10 * MINUTE)
    assert end_of(idle) == (40 * MINUTE, EndRule.SCREEN_SHARE_VIEWERS_INACTIVE)
    assert end_of(viewed(idle, viewers=4, active=0, now=20 * MINUTE))[0] == 40 * MINUTE
    assert end_of(viewed(idle, viewers=3, active=1, now=20 * MINUTE))[1] is EndRule.TOO_OLD
    assert end_of(viewed(idle, viewers=0, active=0, now=20 * MINUTE))[1] is EndRule.TOO_OLD


events = st.lists(st.tuples(st.integers(0, 2 * HOUR), st.integers(0, 3)), max_size=30)


@given(events)
def test_the_end_is_where_a_watch_that_looks_every_minute_finds_it(steps: list[tuple[int, int]]) -> None:
    """A model without memory: at each minute, count back for how long a condition has held without a break."""
    attendance, moment = opened(0), 0
    counts = [(0, 0)]
    for pause, audio_connections in steps:
        moment += pause // MINUTE * MINUTE
        if ended_by(attendance, moment) is not None:
            break
        attendance = connected(attendance, audio_connections, moment)
        counts.append((moment, audio_connections))

    def held(now: int, fewer_than: int) -> int:
        """For how long there have been fewer than so many connections at `now`; -1 if there are not."""
        start = now + 1
        for since, count in reversed(counts):
            if count >= fewer_than:
                break
            start = since
        return now - start

    def is_over(now: int) -> bool:
        return held(now, 1) >= 5 * MINUTE or held(now, 2) >= 30 * MINUTE or now >= 24 * HOUR

    now = counts[-1][0]
    while not is_over(now):
        now += MINUTE
    assert end_of(attendance)[0] == now
