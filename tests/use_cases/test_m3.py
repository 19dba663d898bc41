"""M3: a meeting ends by DeleteMeeting, or by itself: without an audio connection for five minutes, with fewer than two
for half an hour, with screen share viewers that do nothing for half an hour, and after a day.

Without media, an attendee who has joined counts as an audio connection.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from anyio import to_thread

from chime_messaging import DataMessageSession, MeetingEndedError, MeetingSessionConfiguration, MeetingSessionStatusCode
from chime_messaging.server import LocalServer
from chime_messaging.server.meetings.lifecycle import MINUTE, Attendance, connected, ended_by, opened, viewed

RULES = {
    "no audio connection for 5 minutes": (0, 0, 5),
    "fewer than two audio connections for 30 minutes": (1, 0, 30),
    "screen share viewers inactive for 30 minutes": (2, 3, 30),
    "open for 24 hours": (2, 0, 24 * 60),
}


@pytest.mark.parametrize(("rule", "case"), RULES.items(), ids=RULES)
def test_a_meeting_ends_by_itself(rule: str, case: tuple[int, int, int]) -> None:
    audio_connections, idle_viewers, minutes = case
    meeting: Attendance = opened(now=0)
    meeting = connected(meeting, audio_connections, now=0)
    meeting = viewed(meeting, idle_viewers, active=0, now=0)
    assert ended_by(meeting, minutes * MINUTE - 1) is None
    assert ended_by(meeting, minutes * MINUTE) == rule


def test_each_comer_keeps_a_meeting_going() -> None:
    meeting = opened(now=0)
    meeting = connected(meeting, 1, now=4 * MINUTE)
    meeting = connected(meeting, 2, now=29 * MINUTE)
    assert ended_by(meeting, 23 * 60 * MINUTE) is None
    meeting = connected(meeting, 0, now=23 * 60 * MINUTE)
    assert ended_by(meeting, (23 * 60 + 5) * MINUTE) == "no audio connection for 5 minutes"


@pytest.mark.anyio
async def test_everybody_is_told_when_a_meeting_is_deleted(server: LocalServer) -> None:
    meetings: Any = server.client("chime-sdk-meetings")
    answer = meetings.create_meeting_with_attendees(
        ClientRequestToken="m3", MediaRegion="us-east-1", ExternalMeetingId="m3", Attendees=[{"ExternalUserId": "ann"}]
    )
    configuration = MeetingSessionConfiguration(answer, answer["Attendees"][0])
    meeting_id = answer["Meeting"]["MeetingId"]
    async with DataMessageSession(configuration) as session:
        await to_thread.run_sync(partial(meetings.delete_meeting, MeetingId=meeting_id))
        stopped = await session.wait_stopped()
        assert stopped.status is MeetingSessionStatusCode.MEETING_ENDED
    with pytest.raises(MeetingEndedError):
        async with DataMessageSession(configuration):
            pytest.fail("the meeting is over")
    with pytest.raises(meetings.exceptions.NotFoundException, match="The meeting has ended"):
        meetings.get_meeting(MeetingId=meeting_id)
