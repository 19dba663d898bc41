"""What ``chime demo --meeting`` looks like: who is there and how they sound, live or as plain lines."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

NOTES = 12
FRAMES_PER_SECOND = 12
COLOURS = {"connected": "green", "cut off": "bold red", "reconnecting": "yellow", "connecting": "yellow"}


@dataclass
class Player:
    """How one attendee is shown."""

    name: str
    does: str
    status: str = "connecting"
    volume: float = 0.0
    speaks: bool = False
    sees: int = 0
    """Pictures that have come."""

    def saw(self) -> None:
        """One more has come; called on the media thread."""
        self.sees += 1


@dataclass(frozen=True)
class Check:
    """Something that has to be true, and what was measured."""

    what: str
    wanted: str
    measured: str
    good: bool


class MeetingStage:
    """Shows the play while it runs, and what was checked."""

    def __init__(self, console: Console | None = None) -> None:
        self.players: dict[str, Player] = {}
        self.checks: list[Check] = []
        self._console = console or Console(highlight=False)
        self._live: Live | None = None
        self._notes: deque[Text] = deque(maxlen=200)
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(
                console=self._console,
                get_renderable=self._picture,
                refresh_per_second=FRAMES_PER_SECOND,
                transient=True,
            )
            self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.__exit__(kind, error, traceback)
            self._live = None
            for note in self._notes:
                self._console.print(note)

    def note(self, text: str) -> None:
        """Tell what is going on."""
        line = Text.assemble((f"{time.monotonic() - self._began:5.1f} s  ", "dim"), text)
        self._notes.append(line)
        if self._live is None:
            self._console.print(line)

    def check(self, what: str, wanted: str, measured: str, good: bool) -> None:
        """Note what was measured."""
        self.checks.append(Check(what, wanted, measured, good))

    def summarise(self, files: list[tuple[Path, str]], seconds: float, *, interrupted: bool) -> None:
        """Print the result."""
        self._console.print()
        self._console.print(_checks(self.checks))
        bad = sum(not check.good for check in self.checks)
        if interrupted:
            verdict = Text("Interrupted.", style="yellow")
        elif bad or not self.checks:
            verdict = Text(f"{bad} of {len(self.checks)} are not as they should be.", style="bold red")
        else:
            verdict = Text(f"All {len(self.checks)} are as they should be, in {seconds:.0f} s.", style="bold green")
        self._console.print(verdict)
        for path, what in files:
            self._console.print(Text.assemble((f"{what:<24} ", "dim"), str(path)), soft_wrap=True)
        self._console.print("For a meeting of your own: chime serve, then http://127.0.0.1:8765/meet")

    def _picture(self) -> RenderableType:
        notes = list(self._notes)[-NOTES:]
        happening = Group(*notes, *[Text()] * (NOTES - len(notes)))
        return Group(
            _people(list(self.players.values())),
            Panel(happening, title="what happens", title_align="left", border_style="dim"),
        )


def _people(players: list[Player]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("who")
    table.add_column("connection", min_width=14)
    table.add_column("voice", width=18)
    table.add_column("pictures", justify="right", min_width=8)
    table.add_column("", style="dim")
    for player in players:
        name = Text(player.name, style="bold cyan" if player.speaks else "cyan")
        status = Text(f"● {player.status}", style=COLOURS.get(player.status, ""))
        meter = ProgressBar(total=1.0, completed=player.volume, complete_style="green", finished_style="green")
        table.add_row(name, status, meter, str(player.sees or ""), player.does)
    return table


def _checks(checks: list[Check]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("")
    table.add_column("checked")
    table.add_column("should be")
    table.add_column("is")
    for check in checks:
        mark = Text("✓", style="green") if check.good else Text("✗", style="bold red")
        table.add_row(mark, check.what, Text(check.wanted, style="dim"), check.measured)
    return table
