"""U18 to U22: content share."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chime_media import ContentShare, Screen, TestCard
from chime_media.server.local_server import LocalMeetingServer
from chime_messaging import MeetingSessionError
from chime_messaging.server import ServerConfiguration
from tests.media.devices.test_media_file import write_video
from tests.use_cases.meeting_room import Calls, Room, heard_level, look_at, tile_of, until

BLUE = (30, 120, 200)


pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """Media runs on asyncio."""
    return "asyncio"


class Grey:
    """A screen that shows one colour."""

    def grab(self) -> Any:
        return np.full((180, 320, 4), 128, np.uint8)

    def close(self) -> None:
        """Nothing to let go."""


async def test_u18_u19_the_screen_is_shared_and_seen_as_the_content_of_its_attendee(room: Room) -> None:
    async with room.two() as (alice, bob), ContentShare(alice) as share:
        await share.start(Screen(grabber=Grey))
        tile = await tile_of(bob, alice, content=True)
        assert tile.state.is_content
        assert tile.attendee_id == f"{alice.attendee_id}#content"
        assert tile.state.bound_external_user_id == "alice"
        assert await look_at(tile) == pytest.approx((128, 128, 128), abs=8)


class Shares(Calls):
    def content_share_did_start(self) -> None:
        self.note("start")

    def content_share_did_pause(self) -> None:
        self.note("pause")

    def content_share_did_unpause(self) -> None:
        self.note("unpause")

    def content_share_did_stop(self) -> None:
        self.note("stop")


async def test_u20_u21_a_file_with_sound_is_shared_paused_unpaused_and_stopped(room: Room, tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", [BLUE] * 200)
    observer = Shares()
    async with room.two() as (alice, bob):
        alice.add_observer(observer)
        share = ContentShare(alice)
        await share.start(tmp_path / "clip.mp4")
        tile = await tile_of(bob, alice, content=True)
        colour, loud = await asyncio.gather(look_at(tile), heard_level(bob))
        assert colour == pytest.approx(BLUE, abs=12)
        assert loud > 0.01
        share.pause()
        assert await heard_level(bob, skip=0.6) < 0.01
        share.unpause()
        await share.stop()
        await until(bob, lambda: tile.removed)
        await until(alice, lambda: "stop" in observer.names)
    assert observer.names == ["start", "pause", "unpause", "stop"]


async def test_u22_two_can_share_at_once_and_a_third_is_refused() -> None:
    with LocalMeetingServer(ServerConfiguration(port=0)) as server:
        room = Room(server, "u22")
        async with AsyncExitStack() as stack:
            people = [await stack.enter_async_context(room.session(name)) for name in ("ann", "bob", "cat")]
            shares = [await stack.enter_async_context(ContentShare(each)) for each in people]
            await shares[0].start(TestCard(width=160, height=90))
            await shares[1].start(TestCard(width=160, height=90))
            await until(people[2], lambda: len(people[2].video.remote_tiles) == 2)
            with pytest.raises(MeetingSessionError):
                await shares[2].start(TestCard(width=160, height=90))
            assert not shares[2].is_shared
