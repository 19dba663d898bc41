from typing import Any

import pytest

from chime_messaging.server.faults import Fault
from tests.messaging.server.meetings.conftest import MeetingsService

TAG = {"Key": "team", "Value": "red"}


def arn_of(service: MeetingsService, meeting_id: str) -> str:
    arn: str = service("GetMeeting", MeetingId=meeting_id)["Meeting"]["MeetingArn"]
    return arn


def test_tags_are_put_replaced_listed_and_removed(meetings: MeetingsService) -> None:
    arn = arn_of(meetings, meetings.meeting(Tags=[TAG, {"Key": "room", "Value": "4"}]))
    meetings("TagResource", ResourceARN=arn, Tags=[{"Key": "team", "Value": "blue"}])
    assert meetings("ListTagsForResource", ResourceARN=arn)["Tags"] == [
        {"Key": "room", "Value": "4"},
        {"Key": "team", "Value": "blue"},
    ]
    meetings("UntagResource", ResourceARN=arn, TagKeys=["team", "unknown"])
    assert meetings("ListTagsForResource", ResourceARN=arn)["Tags"] == [{"Key": "room", "Value": "4"}]


def test_a_meeting_has_at_most_50_tags(meetings: MeetingsService) -> None:
    arn = arn_of(meetings, meetings.meeting(Tags=[{"Key": f"k-{n:02}", "Value": ""} for n in range(50)]))
    with pytest.raises(Fault) as caught:
        meetings("TagResource", ResourceARN=arn, Tags=[TAG])
    assert (caught.value.name, caught.value.members) == ("TooManyTagsException", {"ResourceName": arn})
    meetings("TagResource", ResourceARN=arn, Tags=[{"Key": "k-00", "Value": "other"}])


def test_a_reserved_key_is_a_bad_request(meetings: MeetingsService) -> None:
    arn = arn_of(meetings, meetings.meeting())
    refusal = meetings.refusal("TagResource", ResourceARN=arn, Tags=[{"Key": "aws:x", "Value": ""}])
    assert refusal[0] == "BadRequestException"


@pytest.mark.parametrize("operation", ["TagResource", "UntagResource", "ListTagsForResource"])
def test_a_meeting_that_is_not_there_has_no_tags(meetings: MeetingsService, operation: str) -> None:
    meeting_id = meetings.meeting(Tags=[TAG])
    arn = arn_of(meetings, meeting_id)
    wanted: dict[str, dict[str, Any]] = {"TagResource": {"Tags": [TAG]}, "UntagResource": {"TagKeys": ["team"]}}
    params = wanted.get(operation, {})
    elsewhere = arn.replace("us-east-1", "eu-west-1")
    assert meetings.refusal(operation, ResourceARN=elsewhere, **params)[0] == "ResourceNotFoundException"
    meetings("DeleteMeeting", MeetingId=meeting_id)
    assert meetings.refusal(operation, ResourceARN=arn, **params)[0] == "ResourceNotFoundException"
