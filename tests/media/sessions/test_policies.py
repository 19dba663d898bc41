"""What policies decide, in sessions over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

import pytest

from chime_media.devices.video_sources import TestCard
from chime_media.events import (
    MetricsReceived,
    RemoteVideoSourcesChanged,
    VideoPausedByPolicy,
    VideoTileUpdated,
    VideoUnpausedByPolicy,
)
from chime_media.policies.downlink import DownlinkChoice, DownlinkMeasurement, NoVideo, best_of_each_group
from chime_media.policies.uplink import NScale, VideoEncoding
from chime_messaging.meeting_events import VideoSource
from tests.media.sessions.attendees import attendee, until
from tests.messaging.server.attendee_client import Meeting

pytestmark = pytest.mark.anyio


class Switch:
    """Receives everything, and pauses everybody when told."""

    def __init__(self) -> None:
        self.short = False
        self.measurements: list[DownlinkMeasurement] = []

    def choose(
        self, sources: Sequence[VideoSource], now: float, *, paused: Collection[str] = frozenset()
    ) -> DownlinkChoice:
        everybody = frozenset(source.attendee_id for source in sources)
        return DownlinkChoice(tuple(best_of_each_group(sources)), everybody if self.short else frozenset())

    def measured(self, measurement: DownlinkMeasurement) -> None:
        self.measurements.append(measurement)


class Half:
    """Sends pictures of half the size, at 400 kbit/s."""

    def encoding(self, publishers: int, width: int, height: int, *, priority: bool) -> VideoEncoding:
        return VideoEncoding(400, 2.0)


async def test_without_video_there_are_sources_and_no_tiles(meeting: Meeting) -> None:
    async with await attendee(meeting, "alice") as alice, await attendee(meeting, "bob") as bob:
        bob.video.choose(NoVideo())
        alice.video.start_local_tile(TestCard(width=320, height=180, frame_rate=10))
        await bob.wait_for(RemoteVideoSourcesChanged, timeout=5)
        await bob.wait_for(MetricsReceived, timeout=5)
        assert [source.attendee_id for source in bob.video.remote_sources] == [alice.attendee_id]
        assert bob.video.remote_tiles == []


async def test_a_tile_for_which_there_is_no_bandwidth_is_paused_and_comes_back(meeting: Meeting) -> None:
    policy = Switch()
    async with await attendee(meeting, "alice") as alice, await attendee(meeting, "bob") as bob:
        bob.video.choose(policy)
        alice.video.start_local_tile(TestCard(width=320, height=180, frame_rate=10))
        await until(bob, lambda: bool(bob.video.remote_tiles))
        (tile,) = bob.video.remote_tiles
        async with bob.events(VideoPausedByPolicy, VideoUnpausedByPolicy) as told, asyncio.timeout(10):
            policy.short = True
            assert await anext(told) == VideoPausedByPolicy(tile.tile_id)
            await until(bob, lambda: tile.state.paused)
            assert bob.video.paused_reasons(tile.tile_id) == {"bandwidth"}
            policy.short = False
            assert await anext(told) == VideoUnpausedByPolicy(tile.tile_id)
            await until(bob, lambda: not tile.state.paused)


async def test_own_video_takes_what_the_policy_leaves_it(meeting: Meeting) -> None:
    async with await attendee(meeting, "alice") as alice, await attendee(meeting, "bob") as bob:
        alice.video.choose_uplink(Half())
        alice.video.start_local_tile(TestCard(width=320, height=180, frame_rate=10))
        await bob.wait_for(VideoTileUpdated, timeout=5)
        sent = await alice.wait_for(
            MetricsReceived, where=lambda event: event.metrics.available_outgoing_bitrate == 400_000, timeout=5
        )
        assert sent.metrics.videos[0].sent
        (tile,) = bob.video.remote_tiles
        async with tile.frames() as frames, asyncio.timeout(10):
            while (frame := await anext(frames)).width != 160:
                pass
        assert frame.height == 90
        alice.video.choose_uplink(NScale())
        async with tile.frames() as frames, asyncio.timeout(10):
            while (frame := await anext(frames)).width != 320:
                pass
