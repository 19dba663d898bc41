import base64
import logging
import re
from typing import Any

import pytest

from chime_messaging.ids import attendee_id_of, new_attendee_id, new_join_token
from chime_messaging.server.notices import AttendeeRemoved, CapabilitiesChanged
from chime_messaging.server.store.attendees import Attendee, find_by_token
from tests.messaging.server.meetings.conftest import MeetingsService

NOBODY = "00000000-0000-0000-0000-000000000001"
ALL = {"Audio": "SendReceive", "Video": "SendReceive", "Content": "SendReceive"}
LISTENER = {"Audio": "Receive", "Video": "Receive", "Content": "Receive"}


def test_the_token_is_the_attendee_id_and_a_secret_in_98_characters_of_an_http_token(meetings: MeetingsService) -> None:
    made = meetings.attendee(meetings.meeting())
    token = made["JoinToken"]
    assert re.fullmatch(r"[A-Za-z0-9]{98}", token)
    attendee_id, secret = base64.b64decode(token + "==").decode().split(":")
    assert attendee_id == made["AttendeeId"] == attendee_id_of(token)
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", secret)
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", attendee_id)


def test_a_second_token_has_another_secret() -> None:
    attendee_id = new_attendee_id()
    assert len({new_join_token(attendee_id) for _ in range(100)}) == 100


@pytest.mark.parametrize("text", ["", "x", "x" * 98, "é" * 98, "=" * 98, "A" * 97 + "\n", "undefined"])
def test_what_is_no_token_names_no_attendee(text: str) -> None:
    assert attendee_id_of(text) is None


def test_the_token_of_a_content_share_names_its_attendee() -> None:
    attendee_id = new_attendee_id()
    assert attendee_id_of(new_join_token(attendee_id) + "#content") == attendee_id


def test_an_attendee_is_found_by_its_own_token_only(meetings: MeetingsService) -> None:
    meeting_id, other = meetings.meeting(), meetings.meeting()
    alice, bob = meetings.attendee(meeting_id), meetings.attendee(meeting_id, "bob")

    def find(meeting: str, attendee: str, token: str) -> Attendee | None:
        found: Attendee | None = meetings.run(lambda tx: find_by_token(tx, meeting, attendee, token))
        return found

    found = find(meeting_id, alice["AttendeeId"], alice["JoinToken"])
    assert found is not None
    assert found.external_user_id == "alice"
    assert find(meeting_id, alice["AttendeeId"], bob["JoinToken"]) is None
    assert find(meeting_id, alice["AttendeeId"], new_join_token(alice["AttendeeId"])) is None
    assert find(meeting_id, alice["AttendeeId"], "") is None
    assert find(meeting_id, alice["AttendeeId"], "\udc80é") is None
    assert find(other, alice["AttendeeId"], alice["JoinToken"]) is None
    assert find(meeting_id, NOBODY, "") is None
    meetings("DeleteAttendee", MeetingId=meeting_id, AttendeeId=alice["AttendeeId"])
    assert find(meeting_id, alice["AttendeeId"], alice["JoinToken"]) is None


def test_a_token_is_in_no_log_and_no_representation(
    meetings: MeetingsService, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    meeting_id = meetings.meeting()
    made = meetings.attendee(meeting_id)
    found = meetings.run(lambda tx: find_by_token(tx, meeting_id, made["AttendeeId"], made["JoinToken"]))
    assert made["JoinToken"] not in repr(found)
    assert made["JoinToken"] not in caplog.text


def test_the_same_user_is_the_same_attendee(meetings: MeetingsService) -> None:
    meeting_id = meetings.meeting()
    first = meetings.attendee(meeting_id, "alice", Capabilities=LISTENER)
    assert meetings.attendee(meeting_id, "alice") == first
    batch = meetings(
        "BatchCreateAttendee",
        MeetingId=meeting_id,
        Attendees=[{"ExternalUserId": "alice"}, {"ExternalUserId": "bob"}, {"ExternalUserId": "bob"}],
    )
    assert batch["Attendees"][0] == first
    assert batch["Attendees"][1] == batch["Attendees"][2]
    assert batch["Errors"] == []
    assert meetings.attendee(meetings.meeting(), "alice") != first


def test_a_user_whose_attendee_was_deleted_becomes_another_one(meetings: MeetingsService) -> None:
    meeting_id = meetings.meeting()
    first = meetings.attendee(meeting_id)
    meetings("DeleteAttendee", MeetingId=meeting_id, AttendeeId=first["AttendeeId"])
    second = meetings.attendee(meeting_id)
    assert second["AttendeeId"] != first["AttendeeId"]
    assert meetings("ListAttendees", MeetingId=meeting_id)["Attendees"] == [second]


def test_an_attendee_is_answered_with_its_token_whenever_it_is_asked_for(meetings: MeetingsService) -> None:
    meeting_id = meetings.meeting()
    made = meetings.attendee(meeting_id)
    assert made["Capabilities"] == ALL
    assert meetings("GetAttendee", MeetingId=meeting_id, AttendeeId=made["AttendeeId"])["Attendee"] == made
    assert meetings("ListAttendees", MeetingId=meeting_id)["Attendees"] == [made]


def test_deleting_an_attendee_sends_it_away_and_works_once(meetings: MeetingsService) -> None:
    meeting_id = meetings.meeting()
    attendee_id = meetings.attendee(meeting_id)["AttendeeId"]
    where = {"MeetingId": meeting_id, "AttendeeId": attendee_id}
    assert meetings("DeleteAttendee", **where) == {}
    assert meetings.told(AttendeeRemoved) == [AttendeeRemoved(meeting_id, attendee_id)]
    assert meetings.refusal("DeleteAttendee", **where)[0] == "ForbiddenException"
    assert meetings.refusal("GetAttendee", **where)[0] == "NotFoundException"
    assert meetings.refusal("DeleteAttendee", MeetingId=meeting_id, AttendeeId=NOBODY)[0] == "NotFoundException"
    assert len(meetings.notices) == 1


def test_a_list_comes_in_pages_that_neither_repeat_nor_skip(meetings: MeetingsService) -> None:
    meeting_id = meetings.meeting()
    made = {meetings.attendee(meeting_id, f"user-{n}")["AttendeeId"] for n in range(7)}
    seen: list[str] = []
    token: dict[str, Any] = {}
    while True:
        page = meetings("ListAttendees", MeetingId=meeting_id, MaxResults=3, **token)
        seen += [attendee["AttendeeId"] for attendee in page["Attendees"]]
        if page["NextToken"] is None:
            break
        token = {"NextToken": page["NextToken"]}
    assert len(seen) == 7
    assert set(seen) == made
    other = meetings.meeting()
    assert meetings.refusal("ListAttendees", MeetingId=other, **token)[0] == "BadRequestException"


def test_a_meeting_has_at_most_250_attendees(meetings: MeetingsService) -> None:
    meeting_id = meetings.meeting()

    def batch(numbers: range) -> dict[str, Any]:
        requests = [{"ExternalUserId": f"user-{n}"} for n in numbers]
        return meetings("BatchCreateAttendee", MeetingId=meeting_id, Attendees=requests)

    for start in (0, 100):
        assert batch(range(start, start + 100))["Errors"] == []
    last = batch(range(200, 260))
    assert len(last["Attendees"]) == 50
    assert {error["ErrorCode"] for error in last["Errors"]} == {"LimitExceeded"}
    assert meetings.refusal("CreateAttendee", MeetingId=meeting_id, ExternalUserId="zoe")[0] == "LimitExceededException"
    assert meetings.attendee(meeting_id, "user-0")
    meetings.without_quotas()
    assert meetings.attendee(meeting_id, "zoe")


@pytest.mark.parametrize("name", ["aws:me", "AWS:me", "smile ☺", "a\x07b"])
def test_a_user_may_not_be_called_anything(meetings: MeetingsService, name: str) -> None:
    refusal = meetings.refusal("CreateAttendee", MeetingId=meetings.meeting(), ExternalUserId=name)
    assert refusal[0] == "BadRequestException"


def test_capabilities_change_and_the_live_meeting_hears_of_it(meetings: MeetingsService) -> None:
    meeting_id = meetings.meeting()
    attendee_id = meetings.attendee(meeting_id)["AttendeeId"]
    where = {"MeetingId": meeting_id, "AttendeeId": attendee_id}
    changed = meetings("UpdateAttendeeCapabilities", **where, Capabilities=LISTENER)["Attendee"]
    assert changed["Capabilities"] == LISTENER
    assert meetings("GetAttendee", **where)["Attendee"] == changed
    assert meetings.told(CapabilitiesChanged) == [
        CapabilitiesChanged(meeting_id, (attendee_id,), "Receive", "Receive", "Receive")
    ]
    unknown = {"MeetingId": meeting_id, "AttendeeId": NOBODY, "Capabilities": LISTENER}
    assert meetings.refusal("UpdateAttendeeCapabilities", **unknown)[0] == "NotFoundException"


def test_all_but_some_may_only_listen(meetings: MeetingsService) -> None:
    meeting_id = meetings.meeting()
    ids = {name: meetings.attendee(meeting_id, name)["AttendeeId"] for name in ("alice", "bob", "carol")}
    excluded = [{"AttendeeId": ids["alice"]}, {"AttendeeId": NOBODY}]
    meetings(
        "BatchUpdateAttendeeCapabilitiesExcept",
        MeetingId=meeting_id,
        ExcludedAttendeeIds=excluded,
        Capabilities=LISTENER,
    )
    now = {a["AttendeeId"]: a["Capabilities"] for a in meetings("ListAttendees", MeetingId=meeting_id)["Attendees"]}
    assert now == {ids["alice"]: ALL, ids["bob"]: LISTENER, ids["carol"]: LISTENER}
    (notice,) = meetings.told(CapabilitiesChanged)
    assert set(notice.attendee_ids) == {ids["bob"], ids["carol"]}


def test_nobody_is_told_when_everybody_is_excepted(meetings: MeetingsService) -> None:
    meeting_id = meetings.meeting()
    excluded = [{"AttendeeId": meetings.attendee(meeting_id)["AttendeeId"]}]
    meetings(
        "BatchUpdateAttendeeCapabilitiesExcept",
        MeetingId=meeting_id,
        ExcludedAttendeeIds=excluded,
        Capabilities=LISTENER,
    )
    assert meetings.notices == []
