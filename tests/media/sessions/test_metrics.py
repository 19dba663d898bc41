"""Metrics of Python attendees over real sockets, and what becomes of a connection that brings nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from chime_media.devices.audio_sources import Tone
from chime_media.devices.video_sources import TestCard
from chime_media.events import MediaConnected, Metrics, MetricsReceived, VideoSendHealthChanged, VideoTileUpdated
from chime_media.protocol.subscribing import Wish
from chime_media.sessions.meeting_session import MeetingSession
from chime_media.sessions.metrics import MeetingMetrics
from chime_messaging.events import Event
from chime_messaging.meeting_events import MeetingReconnectScheduled, MeetingSessionStatusCode
from tests.media.sessions.attendees import attendee
from tests.messaging.server.attendee_client import Meeting

pytestmark = pytest.mark.anyio


async def metrics_with(session: MeetingSession, condition: Callable[[Metrics], bool], timeout: float = 10) -> Metrics:
    event = await session.wait_for(MetricsReceived, where=lambda event: condition(event.metrics), timeout=timeout)
    return event.metrics


async def test_metrics_come_each_second_with_what_is_heard_said_shown_and_seen(meeting: Meeting) -> None:
    async with await attendee(meeting, "alice") as alice, await attendee(meeting, "bob") as bob:
        alice.audio.start_input(Tone(440))
        async with bob.events(VideoTileUpdated) as tiles, alice.events(VideoSendHealthChanged) as health:
            alice.video.start_local_tile(TestCard(width=320, height=180, frame_rate=15))
            async with asyncio.timeout(10):
                updated = await anext(tiles)
                assert (await anext(health)).bitrate_kbps > 0
            async with bob.video.tiles[updated.tile.tile_id].frames() as frames:
                async with asyncio.timeout(10):
                    await anext(frames)
                seen = await metrics_with(bob, lambda metrics: bool(metrics.videos) and metrics.videos[0].frames > 5)
                shown = await metrics_with(alice, lambda metrics: metrics.video_packets_sent > 5)
        assert 35 <= seen.audio_packets_received <= 65
        assert 35 <= shown.audio_packets_sent <= 65
        assert shown.audio_upstream_bitrate > 10_000
        video = seen.videos[0]
        assert (video.attendee_id, video.sent, video.width, video.height) == (alice.attendee_id, False, 320, 180)
        assert video.bitrate > 1000
        assert shown.videos[0].attendee_id == alice.attendee_id
        assert shown.videos[0].sent
        assert bob.metrics.latest.audio_packets_received > 0


async def test_a_connection_over_which_no_media_comes_is_known_to_live_by_its_checks(meeting: Meeting) -> None:
    async with await attendee(meeting, "alice") as alice:
        peer = alice.engine.peer
        assert peer is not None
        while not peer.transport.counters.stun_received:
            await alice.wait_for(MetricsReceived, timeout=5)
        assert peer.transport.counters.stun_sent >= peer.transport.counters.stun_received


async def test_a_connection_that_brings_nothing_for_25_seconds_is_made_anew(meeting: Meeting) -> None:
    async with await attendee(meeting, "alice") as alice:
        for _ in range(3):
            await alice.wait_for(MetricsReceived, timeout=5)

        def pass_by() -> None:
            # On the media thread, so that nothing arrives in between.
            for second in range(30):
                assert alice.engine.on_second is not None
                alice.engine.on_second(1e6 + second)

        async with alice.events(MeetingReconnectScheduled, MediaConnected) as told, asyncio.timeout(10):
            alice.video.post(pass_by)
            lost = await anext(told)
            assert isinstance(lost, MeetingReconnectScheduled)
            assert lost.status is MeetingSessionStatusCode.CONNECTION_HEALTH_RECONNECT
            assert await anext(told) == MediaConnected(reconnected=True)


class Counters:
    bytes_received = 1000
    stun_received = 1
    dropped = 0


class Connection:
    counters = Counters()


class SilentPeer:
    """A connection of which nothing comes any more."""

    transport = Connection()
    has_video = False
    hears = True
    speaks = True


class Sound:
    packets_sent = packets_received = octets_sent = octets_received = packets_lost = 0
    remote_jitter = remote_loss = jitter = delay = 0.0
    round_trip = None
    level = 127

    class jitter_statistics:  # noqa: N801
        concealed = 0


class Subscribed:
    wish = Wish()


class Stalled:
    """An engine whose connection stands still."""

    def __init__(self) -> None:
        self.sender = self.receiver = Sound()
        self.sources: tuple[()] = ()
        self.on_second: Callable[[float], None] | None = None
        self.peer = SilentPeer()
        self.subscribing = Subscribed()
        self.told: list[Event] = []
        self.broken_off: list[MeetingSessionStatusCode] = []
        self.written = 0

    def tell(self, events: list[Event]) -> None:
        self.told += events

    def write_soon(self, add: object) -> None:
        self.written += 1

    def break_off(self, status: MeetingSessionStatusCode, reason: str) -> None:
        self.broken_off.append(status)


def test_a_connection_that_brings_nothing_is_called_poor_and_then_made_anew() -> None:
    engine = Stalled()
    MeetingMetrics(engine, "alice")  # type: ignore[arg-type]
    assert engine.on_second is not None
    engine.on_second(0.0)
    Counters.bytes_received += 1
    for second in range(1, 25):
        engine.on_second(float(second))
    assert engine.broken_off == []
    for second in range(25, 28):
        engine.on_second(float(second))
    assert engine.broken_off == [MeetingSessionStatusCode.CONNECTION_HEALTH_RECONNECT]
    told = [type(event).__name__ for event in engine.told if not isinstance(event, MetricsReceived)]
    assert told == ["AudioSendingFailed", "ConnectionBecamePoor"]
    assert engine.written == 28
