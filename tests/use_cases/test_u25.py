"""U25 and U26: metrics once a second, and alerts."""

from __future__ import annotations

from typing import Any

import pytest

from chime_media import (
    ConnectionBecameGood,
    ConnectionBecamePoor,
    ConnectionSuggestsStopVideo,
    MeetingSession,
    MetricsReceived,
    TestCard,
    Tone,
    VideoAvailabilityChanged,
)
from chime_messaging import MeetingSessionConfiguration
from tests.use_cases.meeting_room import Calls, Room, look_at, tile_of, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """Media runs on asyncio."""
    return "asyncio"


class Measured(Calls):
    def metrics_did_receive(self, metrics: Any) -> None:
        self.note("metrics", metrics)

    def video_send_health_did_change(self, bitrate_kbps: int, packets_per_second: int) -> None:
        self.note("health", (bitrate_kbps, packets_per_second))

    def video_send_bandwidth_did_change(self, new_kbps: int, old_kbps: int) -> None:
        self.note("send", (new_kbps, old_kbps))

    def video_receive_bandwidth_did_change(self, new_kbps: int, old_kbps: int) -> None:
        self.note("receive", (new_kbps, old_kbps))


async def test_u25_metrics_come_once_a_second_of_sound_and_of_every_video(room: Room) -> None:
    sends, receives = Measured(), Measured()
    async with room.two() as (alice, bob):
        alice.add_observer(sends)
        bob.add_observer(receives)
        alice.audio.start_input(Tone(440))
        alice.video.start_local_tile(TestCard(width=320, height=180, frame_rate=15))
        tile = await tile_of(bob, alice)
        await look_at(tile, 20)
        await until(bob, lambda: receives.of("metrics") and receives.of("metrics")[-1].videos)
        await until(alice, lambda: sends.of("health") and sends.of("send"))
        heard, said = receives.of("metrics")[-1], sends.of("metrics")[-1]
        assert heard.audio_packets_received > 30
        assert heard.audio_downstream_bitrate > 1000
        assert said.audio_packets_sent > 30
        assert said.audio_upstream_bitrate > 1000
        assert [(video.attendee_id, video.sent) for video in heard.videos] == [(alice.attendee_id, False)]
        assert [(video.attendee_id, video.sent) for video in said.videos] == [(alice.attendee_id, True)]
        assert said.videos[0].width == 320
        await until(bob, lambda: receives.of("receive"))
        assert receives.of("receive")[0][1] == 0
        assert sends.of("send")[0][1] == 0


class Alerts(Calls):
    def connection_did_become_poor(self) -> None:
        self.note("poor")

    def connection_did_suggest_stop_video(self) -> None:
        self.note("stop video")

    def connection_did_become_good(self) -> None:
        self.note("good")

    def video_send_did_become_unavailable(self) -> None:
        self.note("unavailable")

    def video_availability_did_change(self, availability: VideoAvailabilityChanged) -> None:
        self.note("availability", availability.remote_video_available)


async def test_u26_video_that_may_not_be_sent_and_video_that_may_be_seen_are_told(room: Room) -> None:
    capabilities = {"Audio": "SendReceive", "Video": "Receive", "Content": "SendReceive"}
    answer = room.api.create_attendee(MeetingId=room.meeting_id, ExternalUserId="guest", Capabilities=capabilities)
    alerts = Alerts()
    async with (
        room.session("alice") as alice,
        MeetingSession(MeetingSessionConfiguration(room.meeting, answer)) as guest,
    ):
        guest.add_observer(alerts)
        guest.video.start_local_tile(TestCard(width=160, height=90))
        await until(guest, lambda: "unavailable" in alerts.names)
        assert not guest.video.is_sending
        alice.video.start_local_tile(TestCard(width=160, height=90))
        await until(guest, lambda: True in alerts.of("availability"))
        assert await look_at(await tile_of(guest, alice))
        alice.video.stop_local_tile()
        await until(guest, lambda: alerts.of("availability")[-1] is False)


class Network:
    """Lets seconds pass in a moment in which so many packets of sound arrive."""

    def __init__(self, session: MeetingSession) -> None:
        self.session = session
        self.begin = 1e6

    def seconds(self, count: int, received: int) -> None:
        engine = self.session.engine

        def pass_by() -> None:
            begin = self.begin
            for second in range(count):
                engine.receiver.packets_received += received
                assert engine.on_second is not None
                engine.on_second(begin + second)
            self.begin += count

        self.session.video.post(pass_by)


async def test_u26_a_poor_connection_its_recovery_and_the_advice_to_stop_video_are_told(room: Room) -> None:
    alerts = Alerts()
    async with room.two() as (alice, bob):
        bob.add_observer(alerts)
        network = Network(bob)
        network.seconds(17, 10)
        await bob.wait_for(ConnectionBecamePoor, timeout=5)
        network.seconds(80, 50)
        await bob.wait_for(ConnectionBecameGood, timeout=5)
        alice.video.start_local_tile(TestCard(width=160, height=90))
        await tile_of(bob, alice)
        network.seconds(17, 10)
        await bob.wait_for(ConnectionSuggestsStopVideo, timeout=5)
        await bob.wait_for(MetricsReceived, timeout=5)
    assert [name for name in alerts.names if name != "availability"] == ["poor", "good", "stop video"]
