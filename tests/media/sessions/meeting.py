"""A meeting on a local server with media, for as many Python attendees as a test wants."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from chime_media.server.local_server import LocalMeetingServer
from chime_media.sessions.meeting_session import MeetingSession
from chime_media.sessions.video_tile import VideoTile
from chime_messaging.events import Event
from chime_messaging.server.configuration import ServerConfiguration
from chime_messaging.sessions.meeting_configuration import MeetingSessionConfiguration


class Meeting:
    """One meeting, as `with`."""

    def __init__(self, *, quotas: bool = False) -> None:
        self._quotas = quotas

    def __enter__(self) -> Meeting:
        self.server = LocalMeetingServer(ServerConfiguration(port=0, quotas=self._quotas)).__enter__()
        self._client: Any = self.server.client("chime-sdk-meetings")
        self.meeting = self._client.create_meeting(
            ClientRequestToken="meeting", MediaRegion="us-east-1", ExternalMeetingId="test"
        )["Meeting"]
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.server.__exit__(None, None, None)

    def configuration(self, name: str) -> MeetingSessionConfiguration:
        attendee = self._client.create_attendee(MeetingId=self.meeting["MeetingId"], ExternalUserId=name)["Attendee"]
        return MeetingSessionConfiguration(self.meeting, attendee)

    def session(self, name: str) -> MeetingSession:
        return MeetingSession(self.configuration(name))


async def until(session: MeetingSession, condition: Callable[[], object], timeout: float = 15) -> None:
    """Wait until what is true after some event."""
    async with asyncio.timeout(timeout), session.events(Event) as events:
        if condition():
            return
        async for _ in events:
            if condition():
                return


async def tile_of(session: MeetingSession, name: str, *, content: bool = False, timeout: float = 15) -> VideoTile:
    """Wait for the tile of another attendee."""

    def found() -> list[VideoTile]:
        return [
            tile
            for tile in session.video.remote_tiles
            if tile.state.bound_external_user_id == name and tile.state.is_content == content
        ]

    await until(session, found, timeout)
    return found()[0]
