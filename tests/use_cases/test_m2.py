"""M2: what CreateMeeting and CreateAttendee answer is handed to the client as it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from chime_messaging import DataMessageSession, MeetingSessionConfiguration
from chime_messaging.server import LocalServer

pytestmark = pytest.mark.anyio


@pytest.fixture
def answers(shared_server: LocalServer) -> tuple[dict[str, Any], dict[str, Any]]:
    """What boto3 returns, with its ResponseMetadata and all."""
    meetings = shared_server.client("chime-sdk-meetings")
    meeting = meetings.create_meeting(ClientRequestToken="m2", MediaRegion="us-east-1", ExternalMeetingId="m2")
    attendee = meetings.create_attendee(MeetingId=meeting["Meeting"]["MeetingId"], ExternalUserId="alice")
    return meeting, attendee


def lower(value: Any) -> Any:
    """Keys as some web frameworks hand them on."""
    return {key.lower(): lower(inner) for key, inner in value.items()} if isinstance(value, dict) else value


FORMS: dict[str, Callable[[dict[str, Any], str], Any]] = {
    "the whole answer": lambda answer, name: answer,
    "what is in it": lambda answer, name: answer[name],
    "the answer as JSON": lambda answer, name: json.dumps(answer),
    "what is in it, as JSON": lambda answer, name: json.dumps(answer[name]),
    "keys in lower case": lambda answer, name: lower(answer),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
async def test_an_answer_in_any_form_is_enough_to_join(
    answers: tuple[dict[str, Any], dict[str, Any]], form: Callable[[dict[str, Any], str], Any]
) -> None:
    meeting, attendee = answers
    configuration = MeetingSessionConfiguration(form(meeting, "Meeting"), form(attendee, "Attendee"))
    async with DataMessageSession(configuration) as session:
        assert session.is_joined
        assert session.meeting_id == meeting["Meeting"]["MeetingId"]
        assert session.attendee_id == attendee["Attendee"]["AttendeeId"]


async def test_the_token_is_shown_to_nobody(answers: tuple[dict[str, Any], dict[str, Any]]) -> None:
    configuration = MeetingSessionConfiguration(*answers)
    assert answers[1]["Attendee"]["JoinToken"] not in repr(configuration)
