from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack
from itertools import pairwise

import numpy as np
import pytest

from chime_media.devices.video_sources import DrawnVideo, TestCard
from chime_media.events import (
    LocalVideoEnded,
    RemoteVideoSourcesChanged,
    VideoAvailabilityChanged,
    VideoTileRemoved,
    VideoTileUpdated,
)
from chime_media.rtc.video_frame import VideoFrame
from chime_media.sessions.video_tile import VideoTile
from chime_messaging.errors import UsageError
from tests.media.sessions.meeting import Meeting, tile_of, until

pytestmark = pytest.mark.anyio
RED, BLUE = (200, 40, 60), (30, 120, 200)


@pytest.fixture
def meeting() -> Iterator[Meeting]:
    with Meeting() as running:
        yield running


def colour(frame: VideoFrame) -> list[float]:
    median: list[float] = np.median(frame.rgb.reshape(-1, 3), axis=0).tolist()
    return median


def paused(tile: VideoTile) -> bool:
    return tile.state.paused


async def take(tile: VideoTile, count: int, timeout: float = 15) -> list[VideoFrame]:
    taken: list[VideoFrame] = []
    async with asyncio.timeout(timeout), tile.frames(size=100) as frames:
        async for frame in frames:
            taken.append(frame)
            if len(taken) == count:
                break
    return taken


async def test_two_attendees_see_each_other_in_their_colours_and_at_their_pace(meeting: Meeting) -> None:
    async with meeting.session("ann") as ann, meeting.session("bob") as bob:
        local = ann.video.start_local_tile(TestCard(RED, 320, 180, 15))
        assert (local.state.local_tile, local.state.width, local.state.has_stream) == (True, 320, True)
        with pytest.raises(UsageError):
            local.frames()
        bob.video.start_local_tile(TestCard(BLUE, 320, 180, 15))
        of_ann, of_bob = await tile_of(bob, "ann"), await tile_of(ann, "bob")
        seen_by_bob, seen_by_ann = await asyncio.gather(take(of_ann, 20), take(of_bob, 20))
        assert all(colour(frame) == pytest.approx(RED, abs=6) for frame in seen_by_bob)
        assert all(colour(frame) == pytest.approx(BLUE, abs=6) for frame in seen_by_ann)
        steps = [later.time - earlier.time for earlier, later in pairwise(seen_by_bob)]
        assert np.mean(steps) == pytest.approx(1 / 15, abs=0.015)
        await until(bob, lambda: of_ann.state.width == 320)
        assert not of_ann.state.active, "nobody looks any more"


async def test_observers_are_told_of_tiles_sources_and_availability(meeting: Meeting) -> None:
    async with meeting.session("ann") as ann, meeting.session("bob") as bob:
        told: list[object] = []

        @bob.on(VideoTileUpdated, VideoTileRemoved, RemoteVideoSourcesChanged, VideoAvailabilityChanged)
        def tell(event: object) -> None:
            told.append(event)

        ann.video.start_local_tile(TestCard(RED, 320, 180, 15))
        tile = await tile_of(bob, "ann")
        await take(tile, 2)
        ann.video.stop_local_tile()
        await until(bob, lambda: tile.removed)
        assert ann.video.local_tile is not None
        assert not ann.video.local_tile.state.has_stream
        await until(bob, lambda: any(isinstance(event, VideoTileRemoved) for event in told))
        changes = [event.attendees for event in told if isinstance(event, RemoteVideoSourcesChanged)]
        assert changes == [((ann.attendee_id, "ann"),), ()]
        available = [event.remote_video_available for event in told if isinstance(event, VideoAvailabilityChanged)]
        assert available[-2:] == [True, False]
        assert any(isinstance(event, VideoTileUpdated) and event.tile.active for event in told)
        assert [frame async for frame in tile.frames()] == []
        with pytest.raises(UsageError, match="removed"):
            tile.bind(Sink())


class Sink:
    def __init__(self) -> None:
        self.frames: list[VideoFrame] = []
        self.closed_event = threading.Event()

    def write(self, frame: VideoFrame) -> None:
        self.frames.append(frame)

    def close(self) -> None:
        self.closed_event.set()


async def test_video_can_be_stopped_and_started_and_its_source_replaced(meeting: Meeting) -> None:
    async with meeting.session("ann") as ann, meeting.session("bob") as bob:
        for shown in (RED, BLUE):
            ann.video.start_local_tile(TestCard(shown, 320, 180, 15))
            tile = await tile_of(bob, "ann")
            assert colour((await take(tile, 3))[-1]) == pytest.approx(shown, abs=6)
            ann.video.stop_local_tile()
            await until(bob, lambda: tile.removed)  # noqa: B023
        ann.video.start_local_tile(TestCard(RED, 320, 180, 15))
        tile = await tile_of(bob, "ann")
        await take(tile, 2)
        ann.video.start_local_tile(TestCard(BLUE, 320, 180, 15))
        async with asyncio.timeout(10), tile.frames() as frames:
            async for frame in frames:
                if colour(frame) == pytest.approx(BLUE, abs=6):
                    break
        assert not tile.removed


async def test_a_paused_tile_gets_nothing_until_it_goes_on(meeting: Meeting) -> None:
    async with meeting.session("ann") as ann, meeting.session("bob") as bob:
        ann.video.start_local_tile(TestCard(RED, 320, 180, 15))
        tile, sink = await tile_of(bob, "ann"), Sink()
        tile.bind(sink)
        await take(tile, 3)
        tile.pause()
        assert paused(tile)
        assert bob.video.paused_reasons(tile.tile_id) == {"application"}
        quiet = asyncio.Event()
        asyncio.get_running_loop().call_later(0.5, quiet.set)
        await quiet.wait()
        before = len(sink.frames)
        again = asyncio.Event()
        asyncio.get_running_loop().call_later(0.5, again.set)
        await again.wait()
        assert len(sink.frames) <= before + 1
        tile.unpause()
        assert not paused(tile)
        await take(tile, 3)
        tile.unbind(sink)
        assert len(sink.frames) > before


async def test_only_chosen_attendees_are_received(meeting: Meeting) -> None:
    async with AsyncExitStack() as stack:
        ann, bob, eve = [await stack.enter_async_context(meeting.session(name)) for name in ("ann", "bob", "eve")]
        eve.video.choose([bob.attendee_id])
        ann.video.start_local_tile(TestCard(RED, 320, 180, 10))
        bob.video.start_local_tile(TestCard(BLUE, 320, 180, 10))
        tile = await tile_of(eve, "bob")
        assert colour((await take(tile, 2))[-1]) == pytest.approx(BLUE, abs=6)
        await until(eve, lambda: len(eve.video.remote_sources) == 2)
        assert [each.state.bound_external_user_id for each in eve.video.remote_tiles] == ["bob"]
        eve.video.choose(None)
        tile = await tile_of(eve, "ann")
        assert colour((await take(tile, 2))[-1]) == pytest.approx(RED, abs=6)


async def test_a_source_that_fails_is_an_event_and_the_tile_goes(meeting: Meeting) -> None:
    def draw(elapsed: float) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        if elapsed > 0.5:
            raise RuntimeError("out of paint")
        return np.zeros((48, 64, 3), np.uint8)

    async with meeting.session("ann") as ann, meeting.session("bob") as bob:
        async with asyncio.timeout(15), ann.events(LocalVideoEnded) as ended:
            ann.video.start_local_tile(DrawnVideo(draw, 64, 48))
            tile = await tile_of(bob, "ann")
            event = await anext(aiter(ended))
        assert "out of paint" in str(event.problem)
        assert not ann.video.is_sending
        await until(bob, lambda: tile.removed)


async def test_the_end_of_a_session_closes_its_source_and_its_tiles(meeting: Meeting) -> None:
    class Card(TestCard):
        def __init__(self) -> None:
            super().__init__(RED, 160, 96)
            self.closed = threading.Event()

        def close(self) -> None:
            self.closed.set()

    card, replaced = Card(), Card()
    async with meeting.session("bob") as bob:
        async with meeting.session("ann") as ann:
            ann.video.start_local_tile(replaced)
            tile, sink = await tile_of(bob, "ann"), Sink()
            ann.video.start_local_tile(card)
            tile.bind(sink)
            await take(tile, 2)
            assert await asyncio.to_thread(replaced.closed.wait, 5)
            assert not card.closed.is_set()
        assert await asyncio.to_thread(card.closed.wait, 5)
        assert not ann.video.tiles
        await until(bob, lambda: tile.removed)
        assert await asyncio.to_thread(_until_closed, sink)


def _until_closed(sink: Sink) -> bool:
    return sink.closed_event.wait(5)


async def test_video_is_back_after_the_connection_was_cut(meeting: Meeting) -> None:
    async with meeting.session("ann") as ann, meeting.session("bob") as bob:
        ann.video.start_local_tile(TestCard(RED, 320, 180, 15))
        bob.video.start_local_tile(TestCard(BLUE, 320, 180, 15))
        await take(await tile_of(bob, "ann"), 3)
        reconnects = bob.engine.reconnects
        meeting.server.control.meetings.abort(bob.attendee_id)
        await until(bob, lambda: bob.engine.reconnects > reconnects)
        assert colour((await take(await tile_of(bob, "ann"), 3))[-1]) == pytest.approx(RED, abs=6)

        async with asyncio.timeout(15):
            while True:
                tile = await tile_of(ann, "bob")
                frames = await take(tile, 3)
                if not tile.removed:
                    break
        assert colour(frames[-1]) == pytest.approx(BLUE, abs=6)
