"""The meetings client of the unmodified AWS SDK for JavaScript v3: all 16 operations, and errors as its classes."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from tests.interop.conftest import LocalChime, NodeProcess

pytestmark = pytest.mark.interop

Invoke = Callable[..., dict[str, Any]]
LISTENER = {"Audio": "Receive", "Video": "Receive", "Content": "Receive"}
NOWHERE = "00000000-0000-0000-0000-000000000001"


@pytest.fixture
def invoke(run_node: Callable[..., NodeProcess]) -> Invoke:
    calls = run_node("calls.mjs")

    def invoke(operation: str, **request: Any) -> dict[str, Any]:
        return calls.ask(service="meetings", operation=operation, input=request)

    return invoke


def create(invoke: Invoke, **others: Any) -> dict[str, Any]:
    request = {"ClientRequestToken": str(uuid4()), "MediaRegion": "us-east-1", "ExternalMeetingId": "js"}
    meeting: dict[str, Any] = invoke("CreateMeeting", **request | others)["output"]["Meeting"]
    return meeting


def test_a_meeting_from_beginning_to_end(invoke: Invoke, chime: LocalChime) -> None:
    meeting = create(invoke, TenantIds=["acme"], MeetingFeatures={"Audio": {"EchoReduction": "AVAILABLE"}})
    signaling = urlsplit(meeting["MediaPlacement"]["SignalingUrl"])
    assert (signaling.scheme, signaling.port) == ("wss", chime.server.port)
    where = {"MeetingId": meeting["MeetingId"]}
    alice = invoke("CreateAttendee", **where, ExternalUserId="alice")["output"]["Attendee"]
    wanted = [{"ExternalUserId": "bob", "Capabilities": LISTENER}, {"ExternalUserId": "aws:eve"}]
    batch = invoke("BatchCreateAttendee", **where, Attendees=wanted)["output"]
    (bob,) = batch["Attendees"]
    assert bob["Capabilities"] == LISTENER
    assert [(error["ExternalUserId"], error["ErrorCode"]) for error in batch["Errors"]] == [("aws:eve", "BadRequest")]
    assert invoke("GetMeeting", **where)["output"]["Meeting"] == meeting
    assert invoke("GetAttendee", **where, AttendeeId=alice["AttendeeId"])["output"]["Attendee"] == alice
    first = invoke("ListAttendees", **where, MaxResults=1)["output"]
    second = invoke("ListAttendees", **where, NextToken=first["NextToken"])["output"]
    listed = {attendee["AttendeeId"] for attendee in first["Attendees"] + second["Attendees"]}
    assert listed == {alice["AttendeeId"], bob["AttendeeId"]}
    changed = invoke("UpdateAttendeeCapabilities", **where, AttendeeId=alice["AttendeeId"], Capabilities=LISTENER)
    assert changed["output"]["Attendee"] == alice | {"Capabilities": LISTENER}
    excluded = [{"AttendeeId": bob["AttendeeId"]}]
    batch = invoke(
        "BatchUpdateAttendeeCapabilitiesExcept", **where, ExcludedAttendeeIds=excluded, Capabilities=LISTENER
    )
    assert batch["status"] == 200
    english = {"EngineTranscribeSettings": {"LanguageCode": "en-US"}}
    assert invoke("StartMeetingTranscription", **where, TranscriptionConfiguration=english)["status"] == 200
    assert invoke("StopMeetingTranscription", **where)["status"] == 200
    assert invoke("DeleteAttendee", **where, AttendeeId=bob["AttendeeId"])["status"] == 204
    assert invoke("DeleteMeeting", **where)["status"] == 204
    over = invoke("GetMeeting", **where)
    assert (over["status"], over["error"], over["modelled"]) == (404, "NotFoundException", True)


def test_a_meeting_and_its_attendees_in_one_call_made_twice(invoke: Invoke) -> None:
    request = {
        "ClientRequestToken": str(uuid4()), "MediaRegion": "us-east-1", "ExternalMeetingId": "js",
        "Attendees": [{"ExternalUserId": "alice"}, {"ExternalUserId": "bob"}], "Tags": [{"Key": "k", "Value": "v"}],
    }  # fmt: skip
    first, second = (invoke("CreateMeetingWithAttendees", **request)["output"] for _ in range(2))
    assert first == second
    assert [attendee["ExternalUserId"] for attendee in first["Attendees"]] == ["alice", "bob"]
    assert invoke("ListTagsForResource", ResourceARN=first["Meeting"]["MeetingArn"])["output"]["Tags"] == [
        {"Key": "k", "Value": "v"}
    ]


def test_tags(invoke: Invoke) -> None:
    arn = create(invoke)["MeetingArn"]
    assert invoke("TagResource", ResourceARN=arn, Tags=[{"Key": "k", "Value": "v"}])["status"] == 204
    assert invoke("UntagResource", ResourceARN=arn, TagKeys=["k"])["status"] == 204
    assert invoke("ListTagsForResource", ResourceARN=arn)["output"] == {"Tags": []}
    missing = invoke("ListTagsForResource", ResourceARN=arn[:-4] + "9999")
    assert (missing["status"], missing["error"], missing["modelled"]) == (404, "ResourceNotFoundException", True)


@pytest.mark.parametrize(
    ("operation", "request_", "status", "error"),
    [
        ("GetMeeting", {"MeetingId": NOWHERE}, 404, "NotFoundException"),
        ("CreateAttendee", {"ExternalUserId": "aws:me"}, 400, "BadRequestException"),
        ("ListAttendees", {"NextToken": "made-up"}, 400, "BadRequestException"),
        (
            "CreateAttendee",
            {"ExternalUserId": "me", "Capabilities": LISTENER | {"Video": "None"}},
            400,
            "BadRequestException",
        ),
    ],
)
def test_errors_arrive_as_the_modelled_classes(
    invoke: Invoke, operation: str, request_: dict[str, Any], status: int, error: str
) -> None:
    answer = invoke(operation, **{"MeetingId": create(invoke)["MeetingId"]} | request_)
    assert (answer["status"], answer["error"], answer["modelled"]) == (status, error, True)


def test_the_token_of_another_meeting_is_a_conflict(invoke: Invoke) -> None:
    request = {"ClientRequestToken": str(uuid4()), "MediaRegion": "us-east-1", "ExternalMeetingId": "one"}
    assert invoke("CreateMeeting", **request)["status"] == 200
    changed = invoke("CreateMeeting", **request | {"ExternalMeetingId": "two"})
    assert (changed["status"], changed["error"], changed["modelled"]) == (409, "ConflictException", True)
