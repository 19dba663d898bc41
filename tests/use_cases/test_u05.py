"""U5 to U9: start a session, hear it, be told of its life, mute and unmute."""

from __future__ import annotations

from typing import Any

import pytest

from chime_media import AudioBuffer, Tone
from chime_messaging import MeetingSessionStatusCode
from tests.use_cases.meeting_room import Calls, Room, heard_level, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """Media runs on asyncio."""
    return "asyncio"


async def test_u5_a_session_starts_and_what_others_say_is_heard(room: Room) -> None:
    async with room.two() as (alice, bob):
        assert bob.is_joined
        output = AudioBuffer()
        bob.audio.add_sink(output)
        alice.audio.start_input(Tone(440))
        assert await heard_level(bob) > 0.03
        bob.audio.remove_sink(output)
        alice.audio.stop_input()
        assert await heard_level(bob) < 0.01
        assert abs(output.samples).max() > 1000


class Lifecycle(Calls):
    def audio_video_did_start_connecting(self, reconnecting: bool) -> None:
        self.note("connecting", reconnecting)

    def audio_video_did_start(self) -> None:
        self.note("started")

    def audio_video_did_stop(self, event: Any) -> None:
        self.note("stopped", event.status)


async def test_u6_an_observer_is_told_of_connecting_starting_reconnecting_and_the_end(room: Room) -> None:
    observer = Lifecycle()
    alice = room.session("alice")
    alice.add_observer(observer)
    async with alice:
        await room.server.cut(alice.attendee_id)
        await until(alice, lambda: observer.names.count("started") == 2)
    assert observer.values == [
        ("connecting", False),
        ("started", None),
        ("connecting", True),
        ("started", None),
        ("stopped", MeetingSessionStatusCode.LEFT),
    ]
    alice.remove_observer(observer)


async def test_u7_u8_u9_mute_unmute_and_forbid_to_unmute(room: Room) -> None:
    async with room.two() as (alice, bob):
        alice.audio.start_input(Tone(440))
        muted = [alice.audio.is_muted]
        alice.audio.mute()
        assert [*muted, alice.audio.is_muted] == [False, True]
        await until(bob, lambda: bob.roster[alice.attendee_id].muted)
        assert await heard_level(bob) < 0.01
        alice.audio.forbid_unmute()
        assert not alice.audio.can_unmute
        assert alice.audio.unmute() is False
        alice.audio.allow_unmute()
        assert alice.audio.unmute() is True
        await until(bob, lambda: not bob.roster[alice.attendee_id].muted)
        assert await heard_level(bob) > 0.03
