"""U13 to U17: the own video, and that of others."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest

from chime_media import TestCard, VideoTileState
from tests.use_cases.meeting_room import Calls, Room, look_at, tile_of, until

RED, BLUE, GREEN = (200, 40, 60), (30, 120, 200), (40, 160, 60)


def card(colour: tuple[int, int, int] = RED) -> TestCard:
    return TestCard(colour, 320, 180, 15)


pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """Media runs on asyncio."""
    return "asyncio"


class Tiles(Calls):
    def video_tile_did_update(self, tile: VideoTileState) -> None:
        self.note("updated", tile)

    def video_tile_was_removed(self, tile_id: int) -> None:
        self.note("removed", tile_id)

    def remote_video_sources_did_change(self, sources: list[tuple[str, str]]) -> None:
        self.note("sources", sources)


async def test_u13_u14_the_own_video_is_shown_stopped_and_removed(room: Room) -> None:
    async with room.two() as (alice, bob):
        observer = Tiles()
        alice.add_observer(observer)
        tile = alice.video.start_local_tile(card())
        sending = [alice.video.is_sending]
        local = [alice.video.local_tile]
        assert await look_at(await tile_of(bob, alice)) == pytest.approx(RED, abs=8)
        alice.video.stop_local_tile()
        assert [*sending, alice.video.is_sending] == [True, False]
        alice.video.remove_local_tile()
        assert [*local, alice.video.local_tile] == [tile, None]
        await until(alice, lambda: "removed" in observer.names)
        assert all(state.local_tile for state in observer.of("updated"))
        assert [state.has_stream for state in observer.of("updated")][-1] is False
        assert observer.of("removed") == [tile.tile_id]
        await until(bob, lambda: not bob.video.remote_tiles)


async def test_u15_one_video_is_viewed_and_has_another_tile_when_it_is_started_again(room: Room) -> None:
    async with room.two() as (alice, bob):
        alice.video.start_local_tile(card())
        first = await tile_of(bob, alice)
        await look_at(first)
        alice.video.stop_local_tile()
        await until(bob, lambda: first.removed)
        alice.video.start_local_tile(card(BLUE))
        second = await tile_of(bob, alice)
        assert await look_at(second) == pytest.approx(BLUE, abs=8)
        assert second.tile_id > first.tile_id


class Surfaces:
    """Gives each tile one of 25 places for as long as it lives."""

    def __init__(self) -> None:
        self.free = list(range(25))
        self.of: dict[int, int] = {}

    def video_tile_did_update(self, tile: VideoTileState) -> None:
        if not tile.local_tile and tile.tile_id not in self.of:
            self.of[tile.tile_id] = self.free.pop(0)

    def video_tile_was_removed(self, tile_id: int) -> None:
        if tile_id in self.of:
            self.free.insert(0, self.of.pop(tile_id))


async def test_u16_several_videos_have_a_surface_each_that_is_free_when_they_end(room: Room) -> None:
    surfaces = Surfaces()
    async with AsyncExitStack() as stack:
        viewer = room.session("viewer")
        viewer.add_observer(surfaces)
        await stack.enter_async_context(viewer)
        senders = [await stack.enter_async_context(room.session(name)) for name in ("ann", "bob", "cat")]
        for sender, colour in zip(senders, (RED, BLUE, GREEN), strict=True):
            sender.video.start_local_tile(card(colour))
        tiles = [await tile_of(viewer, sender) for sender in senders]
        for tile, colour in zip(tiles, (RED, BLUE, GREEN), strict=True):
            assert await look_at(tile) == pytest.approx(colour, abs=8)
        assert sorted(surfaces.of.values()) == [0, 1, 2]
        senders[0].video.stop_local_tile()
        await until(viewer, lambda: len(surfaces.of) == 2)
        assert len(surfaces.free) == 23


async def test_u17_sources_are_told_whether_they_are_received_or_not(room: Room) -> None:
    observer = Tiles()
    async with room.two() as (alice, bob):
        bob.add_observer(observer)
        bob.video.choose([])
        alice.video.start_local_tile(card())
        await until(bob, lambda: "sources" in observer.names)
        assert observer.of("sources") == [[(alice.attendee_id, "alice")]]
        assert [source.attendee_id for source in bob.video.remote_sources] == [alice.attendee_id]
        assert bob.video.remote_tiles == []
        bob.video.choose([alice.attendee_id])
        assert (await tile_of(bob, alice)).attendee_id == alice.attendee_id
