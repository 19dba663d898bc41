"""U27 and U28: leave, and be told that the session ended."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chime_messaging import MeetingEndedError, MeetingSessionStatusCode
from tests.use_cases.meeting_room import Calls, Room, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """Media runs on asyncio."""
    return "asyncio"


class Ends(Calls):
    def audio_video_did_stop(self, event: Any) -> None:
        self.note("stopped", event.status)


async def test_u27_who_leaves_is_told_so_and_is_gone_for_the_others(room: Room) -> None:
    ends = Ends()
    async with room.session("bob") as bob:
        alice = room.session("alice")
        alice.add_observer(ends)
        async with alice:
            await until(bob, lambda: alice.attendee_id in bob.roster)
            alice.stop()
            stopped = await asyncio.wait_for(alice.wait_stopped(), 5)
        await until(bob, lambda: alice.attendee_id not in bob.roster)
    assert stopped.status is MeetingSessionStatusCode.LEFT
    assert stopped.error is None
    assert ends.of("stopped") == [MeetingSessionStatusCode.LEFT]


async def test_u28_who_is_in_a_meeting_that_is_deleted_is_told_that_it_has_ended(room: Room) -> None:
    ends = Ends()
    async with room.session("alice") as alice:
        alice.add_observer(ends)
        await asyncio.to_thread(room.api.delete_meeting, MeetingId=room.meeting_id)
        stopped = await asyncio.wait_for(alice.wait_stopped(), 10)
    assert stopped.status is MeetingSessionStatusCode.MEETING_ENDED
    assert isinstance(stopped.error, MeetingEndedError)
    assert ends.of("stopped") == [MeetingSessionStatusCode.MEETING_ENDED]
