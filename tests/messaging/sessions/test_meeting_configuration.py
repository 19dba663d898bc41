from __future__ import annotations

import json
from typing import Any

import pytest

from chime_messaging.errors import ConfigurationError
from chime_messaging.protocol.data_messages import PACE
from chime_messaging.sessions.meeting_configuration import MeetingSessionConfiguration
from chime_messaging.sessions.signaling import signaling_url
from tests.messaging.sessions.meeting import ATTENDEE, MEETING


def lower(value: Any) -> Any:
    return {key.lower(): lower(inner) for key, inner in value.items()} if isinstance(value, dict) else value


FORMS = {
    "answer of boto3": (MEETING | {"ResponseMetadata": {}}, ATTENDEE | {"ResponseMetadata": {}}),
    "inner objects": (MEETING["Meeting"], ATTENDEE["Attendee"]),
    "JSON": (json.dumps(MEETING), json.dumps(ATTENDEE).encode()),
    "keys in lower case": (lower(MEETING), lower(ATTENDEE["Attendee"])),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_the_answers_of_the_api_are_taken_as_they_come(form: tuple[Any, Any]) -> None:
    configuration = MeetingSessionConfiguration(*form)
    assert (configuration.meeting_id, configuration.external_meeting_id) == ("meeting-1", "weekly")
    assert configuration.urls.signaling_url == "ws://memory/control/meeting-1"
    assert configuration.urls.audio_host_url == "host:3478"
    assert configuration.urls.event_ingestion_url == ""
    assert configuration.credentials.attendee_id == "alice"
    assert configuration.credentials.external_user_id == "Alice"
    assert configuration.credentials.join_token == "5ecret-token"


def test_the_defaults_try_for_ever_and_keep_to_the_pace_of_the_service() -> None:
    configuration = MeetingSessionConfiguration(MEETING, ATTENDEE)
    assert configuration.reconnect_timeout is None
    assert configuration.while_reconnecting == "wait"
    assert configuration.pace == PACE
    assert not configuration.resend_throttled


def test_the_token_is_in_no_repr() -> None:
    configuration = MeetingSessionConfiguration(MEETING, ATTENDEE)
    assert "5ecret" not in repr(configuration)
    assert "5ecret" not in repr(configuration.credentials)


def test_urls_can_be_rewritten() -> None:
    def through_proxy(url: str) -> str:
        return url.replace("memory", "proxy")

    configuration = MeetingSessionConfiguration(MEETING, ATTENDEE, url_rewriter=through_proxy)
    assert configuration.urls.signaling_url == "ws://proxy/control/meeting-1"


def placed(**placement: Any) -> dict[str, Any]:
    return {"MeetingId": "m", "MediaPlacement": placement}


@pytest.mark.parametrize(
    ("meeting", "problem"),
    [
        ({}, "no MediaPlacement"),
        ({"MediaPlacement": None}, "no MediaPlacement"),
        (placed(), "SignalingUrl is missing"),
        (placed(SignalingUrl=""), "SignalingUrl is empty"),
        (placed(SignalingUrl=5), "SignalingUrl is no text"),
        (placed(SignalingUrl="https://host/control/m"), "no websocket"),
        ({"MediaPlacement": {"SignalingUrl": "ws://h/"}}, "MeetingId is missing"),
        ("{", "not JSON"),
        ("[]", "must be an object"),
        (b"\xff", "not JSON"),
        (None, "must be an object, is NoneType"),
    ],
)
def test_a_meeting_that_cannot_work_is_named(meeting: Any, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem) as caught:
        MeetingSessionConfiguration(meeting, ATTENDEE)
    assert caught.value.field == "meeting"


@pytest.mark.parametrize(
    ("attendee", "problem"),
    [
        ({}, "AttendeeId is missing"),
        ({"AttendeeId": "a"}, "JoinToken is missing"),
        ({"AttendeeId": "a", "JoinToken": ""}, "JoinToken is empty"),
        ({"AttendeeId": "a", "JoinToken": "5ecret with spaces"}, "no header can carry"),
        ({"AttendeeId": "a", "JoinToken": "5ecret\r\nX: y"}, "no header can carry"),
        ({"AttendeeId": "a", "JoinToken": "5ecret,"}, "no header can carry"),
        ('{"JoinToken": "5ecret', "not JSON"),
    ],
)
def test_an_attendee_that_cannot_work_is_named_and_its_token_is_not(attendee: Any, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem) as caught:
        MeetingSessionConfiguration(MEETING, attendee)
    assert caught.value.field == "attendee"
    assert "5ecret" not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("reconnect_timeout", -1),
        ("reconnect_short_backoff", "1"),
        ("reconnect_long_backoff", 0.5),
        ("connect_timeout", 0),
        ("join_timeout", float("nan")),
        ("send_timeout", True),
        ("while_reconnecting", "drop"),
        ("queue_size", 0),
    ],
)
def test_settings_that_cannot_work_are_named(field: str, value: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        MeetingSessionConfiguration(MEETING, ATTENDEE, **{field: value})
    assert caught.value.field == field


def test_the_websocket_says_how_we_want_to_be_spoken_to_and_keeps_a_query_that_is_there() -> None:
    assert signaling_url("wss://host/control/m").startswith(
        "wss://host/control/m?X-Chime-Control-Protocol-Version=3&X-Amzn-Chime-Send-Close-On-Error=1&X-Amzn-Version="
    )
    assert signaling_url("wss://host/control/m?a=b").startswith("wss://host/control/m?a=b&X-Chime-Control")
