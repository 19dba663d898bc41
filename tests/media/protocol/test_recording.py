from __future__ import annotations

from itertools import combinations

import pytest

from chime_media.protocol.recording import AudioTimeline, Cell, Placement, fit, grid, spotlight


def test_jitter_of_times_is_not_heard() -> None:
    timeline = AudioTimeline(10.0)
    for number in range(1000):
        jitter = 0.015 if number % 3 else -0.015
        assert timeline.place(10.0 + number * 0.02 + jitter, 960) == Placement(0, 0)
    assert timeline.end == pytest.approx(30.0)


def test_a_gap_is_filled_with_silence_of_its_length() -> None:
    timeline = AudioTimeline(0.0)
    timeline.place(0.0, 960)
    assert timeline.place(1.02, 960) == Placement(48_000, 0)
    assert timeline.end == pytest.approx(1.04)


def test_what_comes_before_the_beginning_or_twice_is_left_out() -> None:
    timeline = AudioTimeline(10.0)
    assert timeline.place(9.9, 9600) == Placement(0, 4800)
    assert timeline.place(10.0, 4800) == Placement(0, 4800)
    assert timeline.end == pytest.approx(10.1)


@pytest.mark.parametrize("drift", [-200e-6, 0.0, 200e-6])
def test_after_an_hour_sound_is_where_it_belongs_whatever_its_clock(drift: float) -> None:
    timeline = AudioTimeline(0.0)
    worst = 0.0
    for number in range(180_000):
        time = number * 0.02 * (1 + drift)
        timeline.place(time, 960)
        worst = max(worst, abs(timeline.end - 0.02 - time))
    assert worst <= 0.021
    assert timeline.filled + timeline.skipped <= 180_000 * 960 * abs(drift) * 1.1


def test_the_end_is_filled_up() -> None:
    timeline = AudioTimeline(5.0)
    timeline.place(5.0, 960)
    assert timeline.extend(6.0) == 47_040
    assert timeline.extend(5.5) == 0
    assert timeline.filled == 47_040


@pytest.mark.parametrize("count", range(1, 26))
def test_cells_of_a_grid_are_even_inside_and_apart(count: int) -> None:
    cells = grid(count, 1280, 720)
    assert len(cells) == count
    for cell in cells:
        assert not any(value % 2 for value in cell)
        assert 0 <= cell.left <= cell.left + cell.width <= 1280
        assert 0 <= cell.top <= cell.top + cell.height <= 720
    for first, second in combinations(cells, 2):
        beside = first.left + first.width <= second.left or second.left + second.width <= first.left
        assert beside or first.top + first.height <= second.top


def test_a_grid_is_as_square_as_can_be() -> None:
    assert [len({cell.left for cell in grid(count, 1280, 720)}) for count in (1, 2, 4, 9, 25)] == [1, 2, 2, 3, 5]
    assert grid(0, 1280, 720) == []


def test_the_spotlight_is_on_one_with_another_in_the_corner() -> None:
    cells = spotlight(["ann", "bob", "share"], "share", "bob", 1280, 720)
    assert cells == {"share": Cell(0, 0, 1280, 720), "bob": Cell(944, 524, 320, 180)}
    assert list(spotlight(["ann"], "gone", None, 1280, 720)) == ["ann"]
    assert spotlight([], None, None, 1280, 720) == {}


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1280, 720), Cell(0, 0, 640, 360)), ((480, 640), Cell(184, 0, 270, 360)), ((1000, 100), Cell(0, 148, 640, 64))],
)
def test_pictures_keep_their_proportions(size: tuple[int, int], expected: Cell) -> None:
    assert fit(*size, Cell(0, 0, 640, 360)) == expected
