"""U23: who is in the meeting. (Volumes, for U24, come with media.)"""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from chime_messaging.meeting_events import AttendeeJoined, AttendeeLeft
from chime_messaging.server import LocalServer
from chime_messaging.sessions.data_messages import DataMessageSession
from chime_messaging.sessions.meeting_configuration import MeetingSessionConfiguration

pytestmark = pytest.mark.anyio


async def test_a_roster_is_kept_from_presence_alone(server: LocalServer) -> None:
    meetings: Any = server.client("chime-sdk-meetings")
    meeting = meetings.create_meeting(ClientRequestToken="u23", MediaRegion="us-east-1", ExternalMeetingId="u23")

    def attendee(name: str) -> DataMessageSession:
        answer = meetings.create_attendee(MeetingId=meeting["Meeting"]["MeetingId"], ExternalUserId=name)
        return DataMessageSession(MeetingSessionConfiguration(meeting, answer))

    present: set[str] = set()
    alice = attendee("alice")

    @alice.on(AttendeeJoined)
    def joined(event: AttendeeJoined) -> None:
        present.add(event.attendee.external_user_id)

    @alice.on(AttendeeLeft)
    def left(event: AttendeeLeft) -> None:
        present.discard(event.attendee.external_user_id)

    async with alice:
        async with attendee("bob") as bob, attendee("carol"):
            with anyio.fail_after(5):
                while len(alice.roster) < 3:
                    await alice.wait_for(AttendeeJoined)
            assert alice.roster[bob.attendee_id].external_user_id == "bob"
            assert {one.external_user_id for one in alice.roster.values()} == {"alice", "bob", "carol"}
            await anyio.wait_all_tasks_blocked()
            assert present == {"alice", "bob", "carol"}
        with anyio.fail_after(5):
            while len(alice.roster) > 1:
                await alice.wait_for(AttendeeLeft)
        await anyio.wait_all_tasks_blocked()
        assert present == {"alice"}
