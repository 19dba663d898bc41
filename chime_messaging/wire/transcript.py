"""The payload of data messages on the topic ``aws:chime:transcription``: what live transcription says.

Optional fields of an item are None where the service does not give them. A result replaces an earlier one with the same
id that was partial.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, TypeAlias, cast

import msgspec
from google.protobuf.message import DecodeError as _ProtobufDecodeError

from chime_messaging.errors import DecodeError
from chime_messaging.wire import transcript_pb2 as pb
from chime_messaging.wire.timestamps import from_milliseconds

TranscriptionStatusType: TypeAlias = Literal["started", "interrupted", "resumed", "stopped", "failed"]
ItemType: TypeAlias = Literal["pronunciation", "punctuation"]


class TranscriptionStatus(msgspec.Struct, frozen=True):
    """Official name: TranscriptionStatus."""

    type: TranscriptionStatusType
    event_time_ms: int
    """Milliseconds since the epoch."""
    transcription_region: str
    transcription_configuration: str
    """JSON text: what StartMeetingTranscription was called with."""
    message: str = ""

    @property
    def event_time(self) -> datetime:
        """When it happened, aware.

        Raises:
            OverflowError, ValueError: if the service gave a time that no calendar has.
        """
        return from_milliseconds(self.event_time_ms)


class TranscriptItem(msgspec.Struct, frozen=True):
    """A word, or a punctuation mark. Official name: TranscriptItem."""

    content: str
    type: ItemType
    start_time_ms: int
    """Milliseconds since the epoch."""
    end_time_ms: int
    attendee_id: str = ""
    external_user_id: str = ""
    vocabulary_filter_match: bool | None = None
    stable: bool | None = None
    confidence: float | None = None


class TranscriptEntity(msgspec.Struct, frozen=True):
    """Something that was recognised in the words, for example a name. Official name: TranscriptEntity."""

    category: str
    content: str
    type: str
    start_time_ms: int
    end_time_ms: int
    confidence: float = 0.0


class TranscriptAlternative(msgspec.Struct, frozen=True):
    """One reading of what was said. Official name: TranscriptAlternative."""

    transcript: str
    items: tuple[TranscriptItem, ...] = ()
    entities: tuple[TranscriptEntity, ...] = ()


class LanguageScore(msgspec.Struct, frozen=True):
    """How likely a language is. Official name: TranscriptLanguageWithScore."""

    language_code: str
    score: float


class TranscriptResult(msgspec.Struct, frozen=True):
    """Part of a transcript. Official name: TranscriptResult."""

    result_id: str
    channel_id: str
    is_partial: bool
    """A later result with the same id replaces it."""
    start_time_ms: int
    """Milliseconds since the epoch."""
    end_time_ms: int
    alternatives: tuple[TranscriptAlternative, ...]
    language_code: str | None = None
    language_identification: tuple[LanguageScore, ...] = ()


class Transcript(msgspec.Struct, frozen=True):
    """Official name: Transcript."""

    results: tuple[TranscriptResult, ...]


def decode(data: bytes) -> list[TranscriptionStatus | Transcript]:
    """Read the payload of one data message; statuses and events of unknown kinds are left out.

    Raises:
        DecodeError: if it is no such payload.
    """
    try:
        frame = pb.TranscriptFrame.FromString(data)
    except _ProtobufDecodeError as exc:
        raise DecodeError(str(exc), data) from exc
    events: list[TranscriptionStatus | Transcript] = []
    for event in frame.events:
        if event.HasField("transcript"):
            events.append(Transcript(tuple(_read_result(result) for result in event.transcript.results)))
        elif event.HasField("status") and event.status.HasField("type"):
            events.append(_read_status(event.status))
    return events


def encode(events: Iterable[TranscriptionStatus | Transcript]) -> bytes:
    """Write the payload of one data message."""
    frame = pb.TranscriptFrame()
    for event in events:
        body = frame.events.add()
        if isinstance(event, TranscriptionStatus):
            _write_status(event, body.status)
        else:
            body.transcript.SetInParent()
            for result in event.results:
                _write_result(result, body.transcript.results.add())
    return frame.SerializeToString()


def _read_status(body: pb.TranscriptionStatus) -> TranscriptionStatus:
    return TranscriptionStatus(
        cast("TranscriptionStatusType", pb.TranscriptionStatus.Type.Name(body.type).lower()),
        body.event_time,
        body.transcription_region,
        body.transcription_configuration,
        body.message,
    )


def _write_status(status: TranscriptionStatus, body: pb.TranscriptionStatus) -> None:
    body.MergeFrom(
        pb.TranscriptionStatus(
            type=status.type.upper(),
            event_time=status.event_time_ms,
            transcription_region=status.transcription_region,
            transcription_configuration=status.transcription_configuration,
            message=status.message,
        )
    )


def _read_result(body: pb.Result) -> TranscriptResult:
    return TranscriptResult(
        body.result_id,
        body.channel_id,
        body.is_partial,
        body.start_time,
        body.end_time,
        tuple(_read_alternative(alternative) for alternative in body.alternatives),
        body.language_code if body.HasField("language_code") else None,
        tuple(LanguageScore(row.language_code, row.score) for row in body.language_identification),
    )


def _write_result(result: TranscriptResult, body: pb.Result) -> None:
    body.result_id = result.result_id
    body.channel_id = result.channel_id
    body.is_partial = result.is_partial
    body.start_time = result.start_time_ms
    body.end_time = result.end_time_ms
    if result.language_code is not None:
        body.language_code = result.language_code
    for row in result.language_identification:
        body.language_identification.add(language_code=row.language_code, score=row.score)
    for alternative in result.alternatives:
        written = body.alternatives.add(transcript=alternative.transcript)
        for item in alternative.items:
            _write_item(item, written.items.add())
        for entity in alternative.entities:
            written.entities.add(
                category=entity.category,
                confidence=entity.confidence,
                content=entity.content,
                end_time=entity.end_time_ms,
                start_time=entity.start_time_ms,
                type=entity.type,
            )


def _read_alternative(body: pb.Alternative) -> TranscriptAlternative:
    return TranscriptAlternative(
        body.transcript,
        tuple(_read_item(item) for item in body.items),
        tuple(
            TranscriptEntity(row.category, row.content, row.type, row.start_time, row.end_time, row.confidence)
            for row in body.entities
        ),
    )


def _read_item(body: pb.Item) -> TranscriptItem:
    return TranscriptItem(
        body.content,
        cast("ItemType", pb.Item.Type.Name(body.type).lower()),
        body.start_time,
        body.end_time,
        body.speaker_attendee_id,
        body.speaker_external_user_id,
        body.vocabulary_filter_match if body.HasField("vocabulary_filter_match") else None,
        body.stable if body.HasField("stable") else None,
        body.confidence if body.HasField("confidence") else None,
    )


def _write_item(item: TranscriptItem, body: pb.Item) -> None:
    body.MergeFrom(
        pb.Item(
            content=item.content,
            end_time=item.end_time_ms,
            speaker_attendee_id=item.attendee_id,
            speaker_external_user_id=item.external_user_id,
            start_time=item.start_time_ms,
            type=item.type.upper(),
        )
    )
    if item.vocabulary_filter_match is not None:
        body.vocabulary_filter_match = item.vocabulary_filter_match
    if item.stable is not None:
        body.stable = item.stable
    if item.confidence is not None:
        body.confidence = item.confidence
