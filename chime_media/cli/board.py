"""Who is in a meeting, live on a terminal; elsewhere a line for each change."""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from chime_media.events import ContentShareStopped, MediaConnected, VideoTileRemoved, VideoTileState, VideoTileUpdated
from chime_media.sessions.meeting_session import MeetingSession
from chime_messaging.events import Event
from chime_messaging.meeting_events import (
    AttendeeJoined,
    AttendeeLeft,
    AttendeeMuted,
    DataMessageReceived,
    MeetingReconnectScheduled,
)

FRAMES_PER_SECOND = 8
SIGNALS = {0.0: "▁   ", 0.5: "▁▃  ", 1.0: "▁▃▅▇"}


class Board:
    """Shows a session while the block lasts. Enter it before the session.

    Args:
        session: Which.
        recording: The file that is written, to say so.
        out: Where; stdout by default.
    """

    def __init__(self, session: MeetingSession, *, recording: Path | None = None, out: Console | None = None) -> None:
        self._session = session
        self._recording = recording
        self._console = out or Console(file=sys.stdout, highlight=False)
        self._live: Live | None = None
        self._status = "connecting"
        self._tiles: dict[int, VideoTileState] = {}

    def __enter__(self) -> Self:
        self._session.on(Event)(self._take)
        if self._console.is_terminal:
            self._live = Live(console=self._console, get_renderable=self._picture, refresh_per_second=FRAMES_PER_SECOND)
            self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._status = "left"
            self._live.__exit__(kind, error, traceback)
            self._live = None

    def say(self, text: str) -> None:
        """Print a line."""
        self._console.print(text, soft_wrap=True, markup=False)

    def _take(self, event: Event) -> None:
        if isinstance(event, MediaConnected):
            self._status = "in the meeting"
            self._change("joined again" if event.reconnected else "joined; Ctrl-C leaves")
        elif isinstance(event, MeetingReconnectScheduled):
            self._status = f"not connected; next try in {event.delay:.1f} s"
            self._change(f"not connected ({event.reason or event.status.name}); next try in {event.delay:.1f} s")
        elif isinstance(event, AttendeeJoined | AttendeeLeft):
            here = (
                "left" if isinstance(event, AttendeeLeft) else "is here, muted" if event.attendee.muted else "is here"
            )
            if event.attendee.attendee_id.endswith("#content"):
                here = "shares" if isinstance(event, AttendeeJoined) else "shares no longer"
            self._change(f"{event.attendee.external_user_id} {here}")
        elif isinstance(event, AttendeeMuted):
            said = "is muted" if event.attendee.muted else "can be heard"
            self._change(f"{event.attendee.external_user_id} {said}")
        elif isinstance(event, DataMessageReceived):
            self._write(event)
        else:
            self._take_tile(event)

    def _take_tile(self, event: Event) -> None:
        if isinstance(event, VideoTileUpdated):
            known, self._tiles[event.tile.tile_id] = self._tiles.get(event.tile.tile_id), event.tile
            if known is None and not event.tile.local_tile:
                what = "a share" if event.tile.is_content else "video"
                self._change(f"{event.tile.bound_external_user_id} shows {what}")
        elif isinstance(event, VideoTileRemoved):
            self._tiles.pop(event.tile_id, None)
        elif isinstance(event, ContentShareStopped) and event.problem is not None:
            self.say(f"the share ended: {event.problem}")

    def _write(self, event: DataMessageReceived) -> None:
        message = event.message
        try:
            self.say(f"{message.sender_external_user_id}: {message.text()}")
        except UnicodeDecodeError:
            self.say(f"{message.sender_external_user_id}: {len(message.data)} bytes on {message.topic}")

    def _change(self, text: str) -> None:
        """What a terminal shows in the table is a line elsewhere."""
        if self._live is None:
            self._console.print(f"-- {text}", soft_wrap=True, markup=False)

    def _picture(self) -> RenderableType:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        table.add_column("who", min_width=12)
        table.add_column("voice", width=24)
        for name in ("muted", "signal", "video", "share"):
            table.add_column(name, min_width=6)
        speaking = self._session.realtime.active_speakers
        volumes = self._session.realtime.volumes
        shown = {tile.bound_attendee_id: _size(tile) for tile in self._tiles.values() if tile.has_stream}
        for attendee_id, attendee in dict(self._session.roster).items():
            if attendee_id.endswith("#content"):
                continue
            state = volumes.get(attendee_id)
            volume = (state.volume or 0.0) if state is not None else 0.0
            signal = state.signal_strength if state is not None else None
            own = " (you)" if attendee_id == self._session.attendee_id else ""
            table.add_row(
                Text(attendee.external_user_id + own, style="bold cyan" if attendee_id in speaking else "cyan"),
                ProgressBar(total=1.0, completed=volume, complete_style="green", finished_style="green"),
                Text("muted" if attendee.muted else "", style="yellow"),
                Text(SIGNALS.get(1.0 if signal is None else signal, ""), style="dim"),
                shown.get(attendee_id, ""),
                shown.get(attendee_id + "#content", ""),
            )
        status = self._status if self._recording is None else f"{self._status}, recording {self._recording}"
        return Group(table, Text(f"{status} · Ctrl-C leaves" if self._status != "left" else status, style="dim"))


def _size(tile: VideoTileState) -> str:
    return f"{tile.width}x{tile.height}" if tile.width else "yes"
