import re
from typing import Any

import pytest

from chime_messaging.ids import parse_arn
from chime_messaging.server.meetings.lifecycle import HOUR
from chime_messaging.server.notices import MeetingEnded
from tests.messaging.server.meetings.conftest import MeetingsService

NOBODY = "00000000-0000-0000-0000-000000000001"
REQUEST = {"ClientRequestToken": "token", "MediaRegion": "eu-central-1", "ExternalMeetingId": "standup"}


def test_a_meeting_is_as_it_was_created(meetings: MeetingsService) -> None:
    given = {
        "MeetingHostId": "host-1",
        "TenantIds": ["acme", "acme-eu"],
        "MeetingFeatures": {"Video": {"MaxResolution": "FHD"}, "Attendee": {"MaxCount": 10}},
    }
    made = meetings("CreateMeeting", **REQUEST, **given)["Meeting"]
    assert made["ExternalMeetingId"] == "standup"
    assert made["MediaRegion"] == "eu-central-1"
    assert {name: made[name] for name in given} == given
    assert meetings("GetMeeting", MeetingId=made["MeetingId"])["Meeting"] == made


def test_ids_have_the_shape_of_the_live_service(meetings: MeetingsService) -> None:
    made = meetings("CreateMeeting", **REQUEST)["Meeting"]
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{8}[0-9]{4}", made["MeetingId"])
    arn = parse_arn(made["MeetingArn"])
    assert (arn.kind, arn.resource_id, arn.region) == ("meeting", made["MeetingId"], "us-east-1")
    assert made["MeetingId"] != meetings("CreateMeeting", **REQUEST)["Meeting"]["MeetingId"]


def test_what_was_not_given_is_not_answered(meetings: MeetingsService) -> None:
    made = meetings("CreateMeeting", **REQUEST)["Meeting"]
    for name in ("MeetingHostId", "MeetingFeatures", "PrimaryMeetingId", "TenantIds"):
        assert made[name] is None


@pytest.mark.parametrize(
    "change",
    [
        {"MediaRegion": "the moon"},
        {"MediaRegion": "us-east"},
        {"ExternalMeetingId": "aws:mine"},
        {"ExternalMeetingId": "a\x00b"},
        {"MeetingHostId": "AWS:host"},
        {"PrimaryMeetingId": NOBODY},
        {"Tags": [{"Key": "aws:k", "Value": "v"}]},
        {"MeetingFeatures": {"Video": {"MaxResolution": "FHD"}, "Attendee": {"MaxCount": 26}}},
        {"MeetingFeatures": {"Content": {"MaxResolution": "UHD"}, "Attendee": {"MaxCount": 26}}},
    ],
)
def test_what_the_service_does_not_take_is_a_bad_request(meetings: MeetingsService, change: dict[str, Any]) -> None:
    assert meetings.refusal("CreateMeeting", **REQUEST | change)[0] == "BadRequestException"
    attendees = [{"ExternalUserId": "alice"}]
    refusal = meetings.refusal("CreateMeetingWithAttendees", **REQUEST | change, Attendees=attendees)
    assert refusal[0] == "BadRequestException"


@pytest.mark.parametrize("name", ["a meeting, it's «ours» (1/2)", "Besprechung für Zoë"])
def test_names_may_hold_what_the_service_allows(meetings: MeetingsService, name: str) -> None:
    assert meetings("CreateMeeting", **REQUEST | {"ExternalMeetingId": name})["Meeting"]["ExternalMeetingId"] == name


def test_a_meeting_that_never_was_and_one_that_is_over_are_told_apart(meetings: MeetingsService) -> None:
    meeting_id = meetings.meeting()
    assert meetings.refusal("GetMeeting", MeetingId=NOBODY) == ("NotFoundException", f"Meeting {NOBODY} not found")
    assert meetings("DeleteMeeting", MeetingId=meeting_id) == {}
    assert meetings.refusal("GetMeeting", MeetingId=meeting_id) == ("NotFoundException", "The meeting has ended")
    assert meetings.refusal("CreateAttendee", MeetingId=meeting_id, ExternalUserId="alice")[0] == "NotFoundException"


def test_a_meeting_is_deleted_once(meetings: MeetingsService) -> None:
    meeting_id = meetings.meeting()
    meetings("DeleteMeeting", MeetingId=meeting_id)
    assert meetings.refusal("DeleteMeeting", MeetingId=meeting_id)[0] == "ForbiddenException"
    assert meetings.refusal("DeleteMeeting", MeetingId=NOBODY)[0] == "NotFoundException"
    assert meetings.told(MeetingEnded) == [MeetingEnded(meeting_id)]


def test_an_ended_meeting_is_forgotten_after_a_day(meetings: MeetingsService) -> None:
    meeting_id = meetings.meeting()
    meetings.attendee(meeting_id)
    meetings("DeleteMeeting", MeetingId=meeting_id)
    meetings.now += 24 * HOUR - 1000
    assert meetings.sweep("ended-meetings") == 0
    meetings.now += 2000
    assert meetings.sweep("ended-meetings") == 1
    assert meetings.refusal("GetMeeting", MeetingId=meeting_id)[1] == f"Meeting {meeting_id} not found"


def test_a_meeting_comes_with_attendees_and_the_errors_of_those_who_could_not_be_made(
    meetings: MeetingsService,
) -> None:
    wanted = [
        {"ExternalUserId": "alice"},
        {"ExternalUserId": "aws:bob"},
        {"ExternalUserId": "carol", "Capabilities": {"Audio": "Send", "Video": "None", "Content": "Receive"}},
        {"ExternalUserId": "dave"},
    ]
    answer = meetings("CreateMeetingWithAttendees", **REQUEST, Attendees=wanted)
    assert [made["ExternalUserId"] for made in answer["Attendees"]] == ["alice", "dave"]
    assert [(error["ExternalUserId"], error["ErrorCode"]) for error in answer["Errors"]] == [
        ("aws:bob", "BadRequest"),
        ("carol", "BadRequest"),
    ]
    assert all(error["ErrorMessage"] for error in answer["Errors"])
    listed = meetings("ListAttendees", MeetingId=answer["Meeting"]["MeetingId"])["Attendees"]
    assert sorted(made["AttendeeId"] for made in listed) == sorted(made["AttendeeId"] for made in answer["Attendees"])


def test_a_meeting_has_at_most_four_replicas(meetings: MeetingsService) -> None:
    primary = meetings.meeting()
    replicas = [meetings.meeting(PrimaryMeetingId=primary) for _ in range(4)]
    assert meetings("GetMeeting", MeetingId=replicas[0])["Meeting"]["PrimaryMeetingId"] == primary
    assert meetings.refusal("CreateMeeting", **REQUEST, PrimaryMeetingId=primary)[0] == "LimitExceededException"
    meetings("DeleteMeeting", MeetingId=replicas[0])
    meetings.meeting(PrimaryMeetingId=primary)
    meetings.without_quotas()
    meetings.meeting(PrimaryMeetingId=primary)


def test_neither_a_replica_nor_an_ended_meeting_can_be_replicated(meetings: MeetingsService) -> None:
    primary = meetings.meeting()
    replica = meetings.meeting(PrimaryMeetingId=primary)
    assert meetings.refusal("CreateMeeting", **REQUEST, PrimaryMeetingId=replica)[0] == "BadRequestException"
    meetings("DeleteMeeting", MeetingId=primary)
    assert meetings.refusal("CreateMeeting", **REQUEST, PrimaryMeetingId=primary)[0] == "BadRequestException"
