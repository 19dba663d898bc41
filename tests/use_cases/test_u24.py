"""U24: a roster built from presence and volume. (U23, presence alone, needs no media.)"""

from __future__ import annotations

from typing import Any

import pytest

from chime_media import VolumeIndicated
from chime_messaging import AttendeeJoined, AttendeeLeft
from tests.use_cases.meeting_room import Room, speak, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """Media runs on asyncio."""
    return "asyncio"


async def test_u24_a_roster_is_kept_from_presence_and_volume(room: Room) -> None:
    roster: dict[str, dict[str, Any]] = {}
    bob = room.session("bob")

    @bob.on(AttendeeJoined)
    def joined(event: AttendeeJoined) -> None:
        roster[event.attendee.attendee_id] = {"name": event.attendee.external_user_id}

    @bob.on(AttendeeLeft)
    def left(event: AttendeeLeft) -> None:
        roster.pop(event.attendee.attendee_id, None)

    @bob.on(VolumeIndicated)
    def sounds(event: VolumeIndicated) -> None:
        changed = {"volume": event.volume, "muted": event.muted, "signal": event.signal_strength}
        entry = roster.get(event.attendee_id)
        if entry is not None:
            entry.update({key: value for key, value in changed.items() if value is not None})

    async with bob:
        async with room.session("alice") as alice:
            speak(alice)
            await until(bob, lambda: roster.get(alice.attendee_id, {}).get("volume"))
            assert {entry["name"] for entry in roster.values()} == {"alice", "bob"}
            alice.audio.mute()
            await until(bob, lambda: roster[alice.attendee_id].get("muted"))
        await until(bob, lambda: alice.attendee_id not in roster)
        assert [entry["name"] for entry in roster.values()] == ["bob"]
