"""Where sound and pictures of a recording belong: by their times, whatever the clocks of those who sent them do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

_RATE = 48_000


class Placement(NamedTuple):
    """How to append samples to what is written."""

    silence: int
    """Samples of silence to write before."""
    skip: int
    """Samples to leave out at the beginning."""


class AudioTimeline:
    """Sound without holes: what is missing is filled with silence, what is there already left out.

    As long as samples come within `tolerance` of their place they are written one behind the other, so that jitter of
    their times is not heard. Beyond it, as clocks run apart or packets were missing, they are moved to where they
    belong.

    Args:
        begin: The time of the first sample, in seconds.
        tolerance: In seconds.
    """

    def __init__(self, begin: float, tolerance: float = 0.02) -> None:
        self._begin = begin
        self._tolerance = round(tolerance * _RATE)
        self.written = 0
        """Samples so far."""
        self.filled = 0
        """Samples of silence among them."""
        self.skipped = 0
        """Samples that were left out."""

    @property
    def end(self) -> float:
        """The time behind the last sample."""
        return self._begin + self.written / _RATE

    def place(self, time: float, count: int) -> Placement:
        """Where `count` samples go whose first one is of `time`."""
        error = round((time - self._begin) * _RATE) - self.written
        silence = error if error > self._tolerance else 0
        skip = min(count, -error) if error < -self._tolerance else 0
        self.written += silence + count - skip
        self.filled += silence
        self.skipped += skip
        return Placement(silence, skip)

    def extend(self, time: float) -> int:
        """Samples of silence to write so that the sound lasts until `time`."""
        missing = max(0, round((time - self._begin) * _RATE) - self.written)
        self.written += missing
        self.filled += missing
        return missing


class Cell(NamedTuple):
    """A part of a picture, in pixels; all even."""

    left: int
    top: int
    width: int
    height: int


def grid(count: int, width: int, height: int) -> list[Cell]:
    """Cells of one size for `count` pictures, row by row; the last row stands in the middle."""
    if not count:
        return []
    columns = 1
    while columns * _rows(count, columns) < count or columns < _rows(count, columns):
        columns += 1
    rows = _rows(count, columns)
    cell_width, cell_height = width // columns // 2 * 2, height // rows // 2 * 2
    cells = []
    for place in range(count):
        row, column = divmod(place, columns)
        in_row = min(columns, count - row * columns)
        left = (width - in_row * cell_width) // 4 * 2 + column * cell_width
        cells.append(Cell(left, row * cell_height, cell_width, cell_height))
    return cells


def spotlight(keys: Iterable[str], main: str | None, inset: str | None, width: int, height: int) -> dict[str, Cell]:
    """One picture for all the room, and another small one in its lower right corner."""
    there = list(keys)
    if main not in there:
        main = there[0] if there else None
    if main is None:
        return {}
    cells = {main: Cell(0, 0, width, height)}
    if inset in there and inset != main and inset is not None:
        small, low = width // 4 // 2 * 2, height // 4 // 2 * 2
        cells[inset] = Cell((width - small - 16) // 2 * 2, (height - low - 16) // 2 * 2, small, low)
    return cells


def fit(width: int, height: int, cell: Cell) -> Cell:
    """Where a picture of some size goes in a cell, as large as it can be, its sides in proportion."""
    scale = min(cell.width / width, cell.height / height)
    fitted_width = max(2, min(cell.width, round(width * scale)) // 2 * 2)
    fitted_height = max(2, min(cell.height, round(height * scale)) // 2 * 2)
    return Cell(
        cell.left + (cell.width - fitted_width) // 4 * 2,
        cell.top + (cell.height - fitted_height) // 4 * 2,
        fitted_width,
        fitted_height,
    )


def _rows(count: int, columns: int) -> int:
    return -(-count // columns)
