from typing import Any

import msgspec
import pytest

from chime_messaging.server.meetings.transcription import fail_transcription, problem_of
from chime_messaging.server.notices import MeetingMessage, TranscriptionStarted, TranscriptionStopped
from chime_messaging.server.store import meetings as store
from chime_messaging.wire.transcript import TranscriptionStatus, decode
from tests.messaging.server.meetings.conftest import MeetingsService

ENGLISH = {"EngineTranscribeSettings": {"LanguageCode": "en-US", "Region": "eu-west-1"}}
MEDICAL = {
    "EngineTranscribeMedicalSettings": {"LanguageCode": "en-US", "Specialty": "CARDIOLOGY", "Type": "CONVERSATION"}
}


def statuses(service: MeetingsService) -> list[TranscriptionStatus]:
    found: list[TranscriptionStatus] = []
    for message in service.told(MeetingMessage):
        assert message.topic == "aws:chime:transcription"
        (event,) = decode(message.data)
        assert isinstance(event, TranscriptionStatus)
        found.append(event)
    return found


def start(service: MeetingsService, meeting_id: str, configuration: dict[str, Any]) -> None:
    service("StartMeetingTranscription", MeetingId=meeting_id, TranscriptionConfiguration=configuration)


def test_attendees_are_told_when_transcription_starts_and_stops(meetings: MeetingsService) -> None:
    meeting_id = meetings.meeting(MediaRegion="ap-northeast-1")
    start(meetings, meeting_id, ENGLISH)
    meetings("StopMeetingTranscription", MeetingId=meeting_id)
    started, stopped = statuses(meetings)
    assert (started.type, stopped.type) == ("started", "stopped")
    assert started.transcription_region == stopped.transcription_region == "eu-west-1"
    assert msgspec.json.decode(started.transcription_configuration) == ENGLISH
    assert meetings.now <= started.event_time_ms < stopped.event_time_ms < meetings.now + 10
    (begun,) = meetings.told(TranscriptionStarted)
    assert msgspec.json.decode(begun.configuration) == ENGLISH
    assert meetings.told(TranscriptionStopped) == [TranscriptionStopped(meeting_id)]


def test_without_a_region_it_is_where_the_media_is(meetings: MeetingsService) -> None:
    meeting_id = meetings.meeting(MediaRegion="ap-northeast-1")
    start(meetings, meeting_id, MEDICAL)
    assert [status.transcription_region for status in statuses(meetings)] == ["ap-northeast-1"]


def test_starting_again_changes_the_configuration(meetings: MeetingsService) -> None:
    meeting_id = meetings.meeting()
    start(meetings, meeting_id, ENGLISH)
    start(meetings, meeting_id, MEDICAL)
    assert [status.type for status in statuses(meetings)] == ["started", "started"]
    assert meetings.run(store.transcribed_meetings) == {meeting_id: MEDICAL}


def test_stopping_what_does_not_run_is_no_error_and_no_event(meetings: MeetingsService) -> None:
    meetings("StopMeetingTranscription", MeetingId=meetings.meeting())
    assert meetings.notices == []


@pytest.mark.parametrize("configuration", [{}, ENGLISH | MEDICAL])
def test_there_is_one_engine(meetings: MeetingsService, configuration: dict[str, Any]) -> None:
    refusal = meetings.refusal(
        "StartMeetingTranscription", MeetingId=meetings.meeting(), TranscriptionConfiguration=configuration
    )
    assert refusal[0] == "BadRequestException"


def test_what_transcribe_would_refuse_is_an_event_and_no_error(meetings: MeetingsService) -> None:
    meeting_id = meetings.meeting()
    start(meetings, meeting_id, {"EngineTranscribeSettings": {}})
    (status,) = statuses(meetings)
    assert status.type == "failed"
    assert "LanguageCode" in status.message
    assert meetings.run(store.transcribed_meetings) == {}
    assert meetings.told(TranscriptionStarted) == []


@pytest.mark.parametrize(
    ("settings", "fine"),
    [
        ({"LanguageCode": "de-DE"}, True),
        ({"IdentifyLanguage": True, "LanguageOptions": "de-DE,en-US", "PreferredLanguage": "de-DE"}, True),
        ({"LanguageCode": "en-US", "ContentRedactionType": "PII", "PiiEntityTypes": "NAME"}, True),
        ({"IdentifyLanguage": False}, False),
        ({"LanguageCode": "de-DE", "IdentifyLanguage": True}, False),
        ({"IdentifyLanguage": True, "LanguageOptions": "de-DE"}, False),
        ({"LanguageCode": "de-DE", "LanguageOptions": "de-DE,en-US"}, False),
        ({"LanguageCode": "en-US", "ContentRedactionType": "PII", "ContentIdentificationType": "PII"}, False),
        ({"LanguageCode": "en-US", "PiiEntityTypes": "NAME"}, False),
    ],
)
def test_which_settings_go_together(settings: dict[str, Any], fine: bool) -> None:
    assert (problem_of({"EngineTranscribeSettings": settings}) is None) is fine


def test_medical_settings_always_do() -> None:
    assert problem_of(MEDICAL) is None


def test_a_transcriber_that_fails_ends_transcription_with_its_reason(meetings: MeetingsService) -> None:
    meeting_id = meetings.meeting()
    start(meetings, meeting_id, ENGLISH)
    meetings.run(lambda tx: fail_transcription(tx, meeting_id, "no more words"))
    meetings.run(lambda tx: fail_transcription(tx, meeting_id, "again"))
    meetings.run(lambda tx: fail_transcription(tx, "unknown", "again"))
    assert [(status.type, status.message) for status in statuses(meetings)] == [
        ("started", ""),
        ("failed", "no more words"),
    ]
    assert meetings.told(TranscriptionStopped) == [TranscriptionStopped(meeting_id)]
