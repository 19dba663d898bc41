"""The roster of ``chime meeting join`` on a terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from chime_media.cli.board import Board
from chime_media.devices.video_sources import TestCard
from chime_media.server.local_server import LocalMeetingServer
from chime_messaging.meeting_events import DataMessageReceived
from tests.interop.media.meeting_page import PATIENCE
from tests.media.sessions.attendees import attendee, until
from tests.messaging.server.attendee_client import Meeting

pytestmark = pytest.mark.anyio


async def test_board_shows_who_is_there_and_what_they_show(media_server: LocalMeetingServer) -> None:
    meeting = Meeting(media_server, "board")
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    session, other = await attendee(meeting, "ann"), await attendee(meeting, "bob")
    other.audio.mute()
    async with session, other:
        with Board(session, out=console):
            other.video.start_local_tile(TestCard())
            await until(session, lambda: bool(session.video.remote_tiles), PATIENCE)
            async with session.events(DataMessageReceived) as messages:
                await other.send("chat", "look at this")
                await anext(aiter(messages))
            # Its end draws once more what there is now.
    text = console.file.getvalue()  # type: ignore[attr-defined]
    rows = [line for line in text.splitlines() if "bob" in line and "muted" in line]
    assert rows
    assert any("yes" in line or "640x360" in line for line in rows)
    assert "ann (you)" in text
    assert "bob: look at this" in text
