"""M1: what a server application does with the meetings API: meetings, attendees, capabilities, tags, transcription.

boto3 is unmodified; it is only told where to call.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from anyio import to_thread

from chime_messaging import DataMessageSession, MeetingSessionConfiguration
from chime_messaging.meeting_events import TranscriptionStatusReceived, TranscriptReceived
from chime_messaging.server import LocalServer
from chime_messaging.server.transcription import Transcription
from chime_messaging.testing import EventRecorder
from chime_messaging.wire.transcript import TranscriptAlternative, TranscriptResult

STANDUP = {"ClientRequestToken": "monday", "MediaRegion": "eu-central-1", "ExternalMeetingId": "standup"}
LISTENER = {"Audio": "Receive", "Video": "Receive", "Content": "Receive"}
ENGLISH = {"EngineTranscribeSettings": {"LanguageCode": "en-US"}}


@pytest.fixture
def meetings(server: LocalServer) -> Any:
    """A boto3 client."""
    return server.client("chime-sdk-meetings")


def test_a_request_made_twice_is_one_meeting(meetings: Any) -> None:
    first = meetings.create_meeting(**STANDUP)["Meeting"]
    again = meetings.create_meeting(**STANDUP)["Meeting"]
    assert again == first
    assert meetings.get_meeting(MeetingId=first["MeetingId"])["Meeting"] == first
    other = meetings.create_meeting(**STANDUP | {"ClientRequestToken": "tuesday"})["Meeting"]
    assert other["MeetingId"] != first["MeetingId"]
    with pytest.raises(meetings.exceptions.ConflictException):
        meetings.create_meeting(**STANDUP | {"ExternalMeetingId": "retro"})


def test_attendees_are_added_one_by_one_and_in_batches(meetings: Any) -> None:
    answer = meetings.create_meeting_with_attendees(**STANDUP, Attendees=[{"ExternalUserId": "alice"}])
    where = {"MeetingId": answer["Meeting"]["MeetingId"]}
    (alice,) = answer["Attendees"]
    assert meetings.create_attendee(**where, ExternalUserId="alice")["Attendee"] == alice
    batch = meetings.batch_create_attendee(
        **where, Attendees=[{"ExternalUserId": "bob", "Capabilities": LISTENER}, {"ExternalUserId": "aws:carol"}]
    )
    assert [attendee["ExternalUserId"] for attendee in batch["Attendees"]] == ["bob"]
    assert [(error["ExternalUserId"], error["ErrorCode"]) for error in batch["Errors"]] == [("aws:carol", "BadRequest")]
    listed = meetings.list_attendees(**where)["Attendees"]
    assert {attendee["ExternalUserId"] for attendee in listed} == {"alice", "bob"}
    meetings.delete_attendee(**where, AttendeeId=alice["AttendeeId"])
    with pytest.raises(meetings.exceptions.NotFoundException):
        meetings.get_attendee(**where, AttendeeId=alice["AttendeeId"])


def test_capabilities_are_given_and_taken(meetings: Any) -> None:
    people = [{"ExternalUserId": name} for name in ("alice", "bob", "carol")]
    answer = meetings.create_meeting_with_attendees(**STANDUP, Attendees=people)
    where = {"MeetingId": answer["Meeting"]["MeetingId"]}
    alice, bob, carol = (attendee["AttendeeId"] for attendee in answer["Attendees"])
    meetings.batch_update_attendee_capabilities_except(
        **where, ExcludedAttendeeIds=[{"AttendeeId": alice}], Capabilities=LISTENER
    )
    meetings.update_attendee_capabilities(
        **where, AttendeeId=bob, Capabilities={"Audio": "SendReceive", "Video": "Receive", "Content": "None"}
    )
    audio = {a["AttendeeId"]: a["Capabilities"]["Audio"] for a in meetings.list_attendees(**where)["Attendees"]}
    assert audio == {alice: "SendReceive", bob: "SendReceive", carol: "Receive"}
    with pytest.raises(meetings.exceptions.BadRequestException, match="video capability"):
        meetings.update_attendee_capabilities(**where, AttendeeId=bob, Capabilities=LISTENER | {"Video": "None"})


def test_meetings_carry_tags(meetings: Any) -> None:
    arn = meetings.create_meeting(**STANDUP, Tags=[{"Key": "team", "Value": "red"}])["Meeting"]["MeetingArn"]
    meetings.tag_resource(ResourceARN=arn, Tags=[{"Key": "floor", "Value": "4"}])
    meetings.untag_resource(ResourceARN=arn, TagKeys=["team"])
    assert meetings.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "floor", "Value": "4"}]


@pytest.mark.anyio
async def test_a_meeting_is_transcribed_by_what_was_plugged_in(server: LocalServer, meetings: Any) -> None:
    async def transcribe(transcription: Transcription) -> None:
        transcription.publish(TranscriptResult("r1", "ch_0", False, 0, 900, (TranscriptAlternative("good morning"),)))

    server.transcribe_with(transcribe)
    answer = meetings.create_meeting_with_attendees(**STANDUP, Attendees=[{"ExternalUserId": "alice"}])
    where = {"MeetingId": answer["Meeting"]["MeetingId"]}
    session = DataMessageSession(MeetingSessionConfiguration(answer, answer["Attendees"][0]))
    recorder = EventRecorder(session.hub)
    async with session:
        start = partial(meetings.start_meeting_transcription, **where, TranscriptionConfiguration=ENGLISH)
        await to_thread.run_sync(start)
        words = await recorder.wait_for(TranscriptReceived)
        assert words.transcript.results[0].alternatives[0].transcript == "good morning"
        await to_thread.run_sync(partial(meetings.stop_meeting_transcription, **where))
        await recorder.wait_for(TranscriptionStatusReceived, count=2)
        statuses = [event.status for event in recorder.of(TranscriptionStatusReceived)]
        assert [status.type for status in statuses] == ["started", "stopped"]
        assert [status.transcription_region for status in statuses] == ["eu-central-1"] * 2
