"""What ``chime demo`` looks like: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import deque
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from chime_messaging.cli.tally import Tally

LINES = 6
"""Lines of the chat that are shown."""

NOTES = 10
"""Lines about what happens that are shown while it does; in the end all are."""

FRAMES_PER_SECOND = 12

COLOURS = {"connected": "green", "cut off": "bold red", "reconnecting": "yellow", "connecting": "yellow"}


class Stage:
    """Shows a demo while it runs, and its result."""

    def __init__(self, tally: Tally, console: Console | None = None) -> None:
        self._tally = tally
        self._console = console or Console(highlight=False)
        self._live: Live | None = None
        self._chat: deque[Text] = deque(maxlen=LINES)
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

    def say(self, who: str, text: str | None) -> None:
        """Show a line of the chat."""
        self._chat.append(Text.assemble((f"{who:>6}  ", "bold cyan"), text or ""))

    def summarise(self, code: int, seconds: float) -> None:
        """Print the result."""
        self._console.print()
        self._console.print(_table(self._tally))
        if code == 0:
            verdict = Text("Nothing was lost, nothing came twice, all in the same order.", style="bold green")
        elif code == 1:
            verdict = Text("Messages were lost, repeated or out of order.", style="bold red")
        else:
            verdict = Text("Interrupted.", style="yellow")
        sent, people = len(self._tally.sent), len(self._tally.people)
        self._console.print(verdict)
        self._console.print(
            f"{sent} messages to {people} people in {seconds:.1f} s. For a Chime of your own: chime serve"
        )

    def _picture(self) -> RenderableType:
        chat = Group(*self._chat, *[Text()] * (LINES - len(self._chat)))
        notes = list(self._notes)[-NOTES:]
        happening = Group(*notes, *[Text()] * (NOTES - len(notes)))
        return Group(
            _table(self._tally, open_end=True),
            Panel(chat, title="#numbers, as alice sees it", title_align="left", border_style="dim"),
            Panel(happening, title="what happens", title_align="left", border_style="dim"),
        )


def _table(tally: Tally, *, open_end: bool = False) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("who")
    table.add_column("connection", min_width=12)
    # While it runs, what has not come is not lost yet.
    for name in ("sent", "received", "recovered", "twice", "missing" if open_end else "lost"):
        table.add_column(name, justify="right", no_wrap=True, min_width=len(name))
    table.add_column("", width=16)
    sent = len(tally.sent)
    for person in tally.people.values():
        lost, repeated = tally.lost(person), person.repeated
        table.add_row(
            Text(person.name, style="bold cyan"),
            Text(f"● {person.status}", style=COLOURS.get(person.status, "")),
            str(person.sent),
            str(len(person.received)),
            str(person.recovered) if person.recovered else "-",
            Text(str(repeated), style="bold red" if repeated else ""),
            Text(str(lost), style=("yellow" if open_end else "bold red") if lost else ""),
            ProgressBar(total=max(sent, 1), completed=len(person.received)),
        )
    return table
