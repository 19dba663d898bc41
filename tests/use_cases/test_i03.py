"""I3 to I9: what the API overview of the iOS client promises, under its names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import pytest

from chime_media import Microphone, TestCard, Tone, VideoPriorityChanged, VideoTileState
from chime_messaging import ConfigurationError, MeetingSessionStatusCode
from tests.use_cases.meeting_room import Calls, Room, heard_level, look_at, speak, tile_of, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """Media runs on asyncio."""
    return "asyncio"


def denied(channels: int, device: int | str | None, take: Callable[[Any], None], lost: Callable[[], None]) -> NoReturn:
    raise ConfigurationError("microphone", "permission denied")


async def test_i3_a_microphone_that_may_not_be_used_is_an_error_before_the_start(room: Room) -> None:
    session = room.session("alice")
    with pytest.raises(ConfigurationError, match="permission denied"):
        session.audio.start_input(Microphone(opener=denied))
    assert not session.is_joined


class AudioVideo(Calls):
    def audio_session_did_start_connecting(self, reconnecting: bool) -> None:
        self.note("audio connecting", reconnecting)

    def audio_session_did_start(self, reconnecting: bool) -> None:
        self.note("audio started", reconnecting)

    def audio_session_did_drop(self) -> None:
        self.note("audio dropped")

    def audio_session_did_stop_with_status(self, status: MeetingSessionStatusCode) -> None:
        self.note("audio stopped", status)

    def audio_session_did_cancel_reconnect(self) -> None:
        self.note("reconnect cancelled")

    def video_session_did_start_connecting(self) -> None:
        self.note("video connecting")

    def video_session_did_start_with_status(self, status: MeetingSessionStatusCode) -> None:
        self.note("video started", status)

    def video_session_did_stop_with_status(self, status: MeetingSessionStatusCode) -> None:
        self.note("video stopped", status)


async def test_i4_i5_the_sessions_of_audio_and_video_start_drop_come_back_and_stop(room: Room) -> None:
    observer = AudioVideo()
    session = room.session("alice")
    session.add_observer(observer)
    async with session:
        await room.server.cut(session.attendee_id)
        await until(session, lambda: ("audio started", True) in observer.values)
        session.stop()
        await session.wait_stopped()
    audio = [entry for entry in observer.values if entry[0].startswith("audio")]
    assert audio == [
        ("audio connecting", False),
        ("audio started", False),
        ("audio dropped", None),
        ("audio connecting", True),
        ("audio started", True),
        ("audio stopped", MeetingSessionStatusCode.LEFT),
    ]
    video = [entry for entry in observer.values if entry[0].startswith("video")]
    assert video == [
        ("video connecting", None),
        ("video started", MeetingSessionStatusCode.OK),
        ("video connecting", None),
        ("video started", MeetingSessionStatusCode.OK),
        ("video stopped", MeetingSessionStatusCode.LEFT),
    ]


async def test_i4_stopping_while_audio_is_lost_cancels_the_reconnect(room: Room) -> None:
    observer = AudioVideo()
    session = room.session("alice")
    session.add_observer(observer)
    async with session:
        await room.server.cut(session.attendee_id)
        await until(session, lambda: "audio dropped" in observer.names)
        session.stop()
        await session.wait_stopped()
    assert "reconnect cancelled" in observer.names or ("audio started", True) in observer.values


class Realtime(Calls):
    def volume_did_change(self, volumes: list[Any]) -> None:
        for each in volumes:
            self.note("volume", each.attendee_id)

    def signal_strength_did_change(self, signals: list[Any]) -> None:
        for each in signals:
            self.note("signal", each.attendee_id)

    def attendees_did_join(self, attendees: list[Any]) -> None:
        for each in attendees:
            self.note("joined", each.external_user_id)

    def attendees_did_leave(self, attendees: list[Any]) -> None:
        for each in attendees:
            self.note("left", each.external_user_id)

    def attendees_did_mute(self, attendees: list[Any]) -> None:
        for each in attendees:
            self.note("muted", each.external_user_id)

    def attendees_did_unmute(self, attendees: list[Any]) -> None:
        for each in attendees:
            self.note("unmuted", each.external_user_id)

    def active_speaker_did_detect(self, attendee_ids: list[str]) -> None:
        self.note("speakers", attendee_ids)

    def active_speaker_score_did_change(self, scores: dict[str, float]) -> None:
        self.note("scores", scores)


async def test_i6_i7_who_joins_leaves_mutes_sounds_and_speaks_is_told(room: Room) -> None:
    observer = Realtime()
    bob = room.session("bob")
    bob.add_observer(observer)
    async with bob:
        bob.realtime.detect_speakers(scores_interval=0.1)
        async with room.session("alice") as alice:
            speak(alice)
            await until(bob, lambda: [alice.attendee_id] in observer.of("speakers"))
            await until(bob, lambda: any(scores.get(alice.attendee_id) for scores in observer.of("scores")))
            assert alice.attendee_id in observer.of("volume")
            alice.audio.mute()
            await until(bob, lambda: "alice" in observer.of("muted"))
            assert alice.audio.unmute()
            await until(bob, lambda: observer.of("unmuted")[-1:] == ["alice"])
            await until(bob, lambda: alice.attendee_id in observer.of("signal"))
        await until(bob, lambda: "alice" in observer.of("left"))
    assert sorted(observer.of("joined")) == ["alice", "bob"]


async def test_i6_whoever_speaks_has_priority_for_its_video(room: Room) -> None:
    async with room.two() as (alice, _):
        alice.realtime.detect_speakers()
        async with alice.events(VideoPriorityChanged) as told:
            speak(alice)
            assert (await anext(told)).priority


class Tiles(Calls):
    def video_tile_did_add(self, tile: VideoTileState) -> None:
        self.note("added", tile)

    def video_tile_did_remove(self, tile: VideoTileState) -> None:
        self.note("removed", tile)

    def video_tile_did_pause(self, tile: VideoTileState) -> None:
        self.note("paused", tile)

    def video_tile_did_resume(self, tile: VideoTileState) -> None:
        self.note("resumed", tile)

    def video_tile_size_did_change(self, tile: VideoTileState) -> None:
        self.note("size", (tile.width, tile.height))


async def test_i8_tiles_are_added_sized_paused_resumed_and_removed(room: Room) -> None:
    observer = Tiles()
    async with room.two() as (alice, bob):
        bob.add_observer(observer)
        alice.video.start_local_tile(TestCard(width=320, height=180, frame_rate=15))
        tile = await tile_of(bob, alice)
        await look_at(tile)
        await until(bob, lambda: (320, 180) in observer.of("size"))
        tile.pause()
        assert bob.video.paused_reasons(tile.tile_id) == {"application"}
        tile.unpause()
        await look_at(tile)
        alice.video.start_local_tile(TestCard(width=160, height=96, frame_rate=15))
        await look_at(tile, 30)
        alice.video.remove_local_tile()
        await until(bob, lambda: "removed" in observer.names)
    assert [name for name in observer.names if name != "size"] == ["added", "paused", "resumed", "removed"]
    assert {state.tile_id for state in observer.of("added") + observer.of("removed")} == {tile.tile_id}


async def test_i8_receiving_stops_and_starts_as_the_application_says(room: Room) -> None:
    async with room.two() as (alice, bob):
        alice.video.start_local_tile(TestCard(width=160, height=96))
        tile = await tile_of(bob, alice)
        bob.video.choose([])
        await until(bob, lambda: tile.removed)
        bob.video.choose(None)
        assert await look_at(await tile_of(bob, alice))


class Metrics(Calls):
    def metrics_did_receive(self, metrics: Any) -> None:
        self.note("metrics", metrics)


async def test_i9_metrics_are_told_once_a_second(room: Room) -> None:
    observer = Metrics()
    async with room.two() as (alice, bob):
        bob.add_observer(observer)
        alice.audio.start_input(Tone(440))
        assert await heard_level(bob) > 0.03
        await until(bob, lambda: len(observer.names) >= 2)
    assert observer.of("metrics")[-1].audio_packets_received > 30
