from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from chime_media.devices.sources import ReadAhead, SourceEnded


def test_all_items_come_in_order_and_then_the_end() -> None:
    ahead = ReadAhead(lambda: iter(range(100)), 3, "numbers")
    assert [ahead.wait(5) for _ in range(100)] == list(range(100))
    with pytest.raises(SourceEnded) as ended:
        ahead.wait(5)
    assert ended.value.problem is None
    with pytest.raises(SourceEnded):
        ahead.take()
    ahead.close()


def test_a_generator_that_fails_ends_the_source_with_its_problem() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the disk is gone")

    ahead = ReadAhead(items, 3, "numbers")
    assert ahead.wait(5) == 1
    with pytest.raises(SourceEnded, match="the disk is gone") as ended:
        ahead.wait(5)
    assert isinstance(ended.value.problem, OSError)
    ahead.close()


def test_it_runs_no_more_than_its_capacity_ahead() -> None:
    made: list[int] = []
    full = threading.Event()

    def items() -> Iterator[int]:
        for number in range(1000):
            made.append(number)
            if number == 4:
                full.set()
            yield number

    ahead = ReadAhead(items, 4, "numbers")
    assert full.wait(5)
    ahead.close()
    assert len(made) == 5


def test_closing_closes_the_generator_and_ends_the_thread() -> None:
    closed: list[str] = []

    def items() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.append(threading.current_thread().name)

    ahead = ReadAhead(items, 2, "numbers")
    assert ahead.wait(5) == 1
    ahead.close()
    assert closed == ["numbers"]
    assert "numbers" not in [thread.name for thread in threading.enumerate()]
    with pytest.raises(SourceEnded):
        ahead.take()
