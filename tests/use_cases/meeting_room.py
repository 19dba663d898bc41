"""A meeting with media for use cases that read like an application: a local Chime, Alice and Bob."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np

from chime_media import AudioQueue, MeetingSession, VideoTile
from chime_media.server.local_server import LocalMeetingServer
from chime_messaging import MeetingSessionConfiguration


class Room:
    """One meeting."""

    def __init__(self, server: LocalMeetingServer, token: str) -> None:
        self.server = server
        self.api: Any = server.client("chime-sdk-meetings")
        self.meeting: Any = self.api.create_meeting(
            ClientRequestToken=token, MediaRegion="us-east-1", ExternalMeetingId=token
        )
        self.meeting_id: str = self.meeting["Meeting"]["MeetingId"]

    def session(self, name: str, **options: Any) -> MeetingSession:
        """A session of a new attendee, to enter."""
        answer = self.api.create_attendee(MeetingId=self.meeting_id, ExternalUserId=name)
        settings: dict[str, Any] = {"reconnect_short_backoff": 0.05, "reconnect_long_backoff": 0.1}
        return MeetingSession(MeetingSessionConfiguration(self.meeting, answer, **settings), **options)

    @asynccontextmanager
    async def two(self) -> AsyncIterator[tuple[MeetingSession, MeetingSession]]:
        """Alice and Bob, who know of each other."""
        async with self.session("alice") as alice, self.session("bob") as bob:
            await until(alice, lambda: len(alice.roster) == 2 and len(bob.roster) == 2)
            yield alice, bob


async def until(session: MeetingSession, condition: Callable[[], object], timeout: float = 10.0) -> None:
    """Wait until something is true; looked at with every event of a session, at least once a second."""
    async with asyncio.timeout(timeout), session.events() as events:
        while not condition():
            await anext(events)


async def tile_of(session: MeetingSession, other: MeetingSession, *, content: bool = False) -> VideoTile:
    """The tile of somebody's video."""
    wanted = other.attendee_id + "#content" * content
    found: list[VideoTile] = []

    def look() -> bool:
        found.extend(tile for tile in session.video.remote_tiles if tile.attendee_id == wanted)
        return bool(found)

    await until(session, look)
    return found[0]


async def look_at(tile: VideoTile, frames: int = 3) -> tuple[float, ...]:
    """See some pictures; the colour of the last."""
    async with asyncio.timeout(15), tile.frames() as stream:
        for _ in range(frames):
            frame = await anext(stream)
    return tuple(float(part) for part in np.median(frame.rgb.reshape(-1, 3), axis=0))


def speak(session: MeetingSession, seconds: float = 5.0) -> None:
    """Talk, now louder, now quieter."""
    time = np.arange(int(seconds * 48_000)) / 48_000
    queue = AudioQueue()
    queue.push((np.sin(600 * np.pi * time) * (4_000 + 10_000 * abs(np.sin(3 * np.pi * time)))).astype(np.int16))
    session.audio.start_input(queue)


async def heard_level(session: MeetingSession, seconds: float = 0.4, skip: float = 0.4) -> float:
    """How loud what is heard is, as a part of full scale."""
    levels: list[float] = []
    async with asyncio.timeout(10 + seconds), session.audio.frames(size=100) as frames:
        async for frame in frames:
            levels.append(float(np.sqrt(np.mean((frame / 32768) ** 2))))
            if len(levels) >= 50 * (seconds + skip):
                break
    return float(np.mean(levels[int(50 * skip) :]))


class Calls:
    """What an observer was told."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.values: list[tuple[str, Any]] = []

    def note(self, name: str, value: object = None) -> None:
        self.names.append(name)
        self.values.append((name, value))

    def of(self, name: str) -> list[Any]:
        return [value for known, value in self.values if known == name]
