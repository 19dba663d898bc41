"""Live transcription: whether a meeting is transcribed, and the events its attendees get about it.

The service takes a configuration, answers 200, and says by an event whether transcription has started or failed.
Events are data messages on a topic of the service's own. Who listens and writes is not decided here.
"""

from __future__ import annotations

from typing import Any

import msgspec

from chime_messaging.server import faults
from chime_messaging.server.meetings.lookups import meeting_in
from chime_messaging.server.notices import MeetingMessage, TranscriptionStarted, TranscriptionStopped
from chime_messaging.server.operations import Call, operation
from chime_messaging.server.store import meetings
from chime_messaging.server.store.database import Transaction
from chime_messaging.server.store.meetings import Meeting
from chime_messaging.wire.signaling import TRANSCRIPTION_TOPIC
from chime_messaging.wire.transcript import TranscriptionStatus, TranscriptionStatusType, encode

_ENGINES = ("EngineTranscribeSettings", "EngineTranscribeMedicalSettings")


@operation("meetings", "StartMeetingTranscription")
def start_meeting_transcription(call: Call) -> None:
    """Begin to transcribe a meeting, or go on with another configuration."""
    meeting = meeting_in(call)
    configuration: dict[str, Any] = call.params["TranscriptionConfiguration"]
    if sum(engine in configuration for engine in _ENGINES) != 1:
        raise faults.bad_request(f"TranscriptionConfiguration must have one of {' and '.join(_ENGINES)}.")
    problem = problem_of(configuration)
    if problem is not None:
        call.tx.notify(_status(call.tx, meeting, configuration, "failed", problem))
        return
    meetings.set_transcription(call.tx, meeting.meeting_id, configuration)
    call.tx.notify(TranscriptionStarted(meeting.meeting_id, _json(configuration)))
    call.tx.notify(_status(call.tx, meeting, configuration, "started"))


@operation("meetings", "StopMeetingTranscription")
def stop_meeting_transcription(call: Call) -> None:
    """Stop transcribing a meeting; nothing happens if it is not transcribed."""
    _end(call.tx, meeting_in(call), "stopped")


def fail_transcription(tx: Transaction, meeting_id: str, reason: str) -> None:
    """End transcription because whoever transcribes cannot go on; attendees are told the reason."""
    meeting = meetings.meeting(tx, meeting_id)
    if meeting is not None:
        _end(tx, meeting, "failed", reason)


def problem_of(configuration: dict[str, Any]) -> str | None:
    """What Amazon Transcribe would refuse in a configuration; None if nothing. Pure."""
    settings: dict[str, Any] | None = configuration.get(_ENGINES[0])
    if settings is None:
        return None
    identify = settings.get("IdentifyLanguage", False)
    if identify == ("LanguageCode" in settings):
        return "Give either LanguageCode or IdentifyLanguage."
    if identify and len([option for option in settings.get("LanguageOptions", "").split(",") if option]) < 2:
        return "IdentifyLanguage needs at least two LanguageOptions."
    if not identify and ("LanguageOptions" in settings or "PreferredLanguage" in settings):
        return "LanguageOptions and PreferredLanguage go with IdentifyLanguage."
    sought = [name for name in ("ContentIdentificationType", "ContentRedactionType") if name in settings]
    if len(sought) == 2:
        return "Give either ContentIdentificationType or ContentRedactionType."
    if "PiiEntityTypes" in settings and not sought:
        return "PiiEntityTypes goes with ContentIdentificationType or ContentRedactionType."
    return None


def _end(tx: Transaction, meeting: Meeting, kind: TranscriptionStatusType, message: str = "") -> None:
    if meeting.transcription is None:
        return
    meetings.set_transcription(tx, meeting.meeting_id, None)
    tx.notify(TranscriptionStopped(meeting.meeting_id))
    tx.notify(_status(tx, meeting, meeting.transcription, kind, message))


def _status(
    tx: Transaction,
    meeting: Meeting,
    configuration: dict[str, Any],
    kind: TranscriptionStatusType,
    message: str = "",
) -> MeetingMessage:
    region = next(iter(configuration.values())).get("Region", "auto")
    region = meeting.media_region if region == "auto" else region
    status = TranscriptionStatus(kind, tx.now, region, _json(configuration), message)
    return MeetingMessage(meeting.meeting_id, TRANSCRIPTION_TOPIC, encode([status]))


def _json(configuration: dict[str, Any]) -> str:
    return msgspec.json.encode(configuration).decode()
