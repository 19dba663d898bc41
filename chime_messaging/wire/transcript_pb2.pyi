from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TranscriptFrame(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[TranscriptEvent]
    def __init__(self, events: _Optional[_Iterable[_Union[TranscriptEvent, _Mapping]]] = ...) -> None: ...

class TranscriptEvent(_message.Message):
    __slots__ = ("status", "transcript")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    TRANSCRIPT_FIELD_NUMBER: _ClassVar[int]
    status: TranscriptionStatus
    transcript: Transcript
    def __init__(self, status: _Optional[_Union[TranscriptionStatus, _Mapping]] = ..., transcript: _Optional[_Union[Transcript, _Mapping]] = ...) -> None: ...

class TranscriptionStatus(_message.Message):
    __slots__ = ("type", "event_time", "transcription_region", "transcription_configuration", "message")
    class Type(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STARTED: _ClassVar[TranscriptionStatus.Type]
        INTERRUPTED: _ClassVar[TranscriptionStatus.Type]
        RESUMED: _ClassVar[TranscriptionStatus.Type]
        STOPPED: _ClassVar[TranscriptionStatus.Type]
        FAILED: _ClassVar[TranscriptionStatus.Type]
    STARTED: TranscriptionStatus.Type
    INTERRUPTED: TranscriptionStatus.Type
    RESUMED: TranscriptionStatus.Type
    STOPPED: TranscriptionStatus.Type
    FAILED: TranscriptionStatus.Type
    TYPE_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    TRANSCRIPTION_REGION_FIELD_NUMBER: _ClassVar[int]
    TRANSCRIPTION_CONFIGURATION_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    type: TranscriptionStatus.Type
    event_time: int
    transcription_region: str
    transcription_configuration: str
    message: str
    def __init__(self, type: _Optional[_Union[TranscriptionStatus.Type, str]] = ..., event_time: _Optional[int] = ..., transcription_region: _Optional[str] = ..., transcription_configuration: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class Transcript(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[Result]
    def __init__(self, results: _Optional[_Iterable[_Union[Result, _Mapping]]] = ...) -> None: ...

class Result(_message.Message):
    __slots__ = ("alternatives", "channel_id", "end_time", "is_partial", "result_id", "start_time", "language_code", "language_identification")
    ALTERNATIVES_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    IS_PARTIAL_FIELD_NUMBER: _ClassVar[int]
    RESULT_ID_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_IDENTIFICATION_FIELD_NUMBER: _ClassVar[int]
    alternatives: _containers.RepeatedCompositeFieldContainer[Alternative]
    channel_id: str
    end_time: int
    is_partial: bool
    result_id: str
    start_time: int
    language_code: str
    language_identification: _containers.RepeatedCompositeFieldContainer[LanguageWithScore]
    def __init__(self, alternatives: _Optional[_Iterable[_Union[Alternative, _Mapping]]] = ..., channel_id: _Optional[str] = ..., end_time: _Optional[int] = ..., is_partial: bool = ..., result_id: _Optional[str] = ..., start_time: _Optional[int] = ..., language_code: _Optional[str] = ..., language_identification: _Optional[_Iterable[_Union[LanguageWithScore, _Mapping]]] = ...) -> None: ...

class LanguageWithScore(_message.Message):
    __slots__ = ("language_code", "score")
    LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    language_code: str
    score: float
    def __init__(self, language_code: _Optional[str] = ..., score: _Optional[float] = ...) -> None: ...

class Alternative(_message.Message):
    __slots__ = ("items", "transcript", "entities")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    TRANSCRIPT_FIELD_NUMBER: _ClassVar[int]
    ENTITIES_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Item]
    transcript: str
    entities: _containers.RepeatedCompositeFieldContainer[Entity]
    def __init__(self, items: _Optional[_Iterable[_Union[Item, _Mapping]]] = ..., transcript: _Optional[str] = ..., entities: _Optional[_Iterable[_Union[Entity, _Mapping]]] = ...) -> None: ...

class Item(_message.Message):
    __slots__ = ("content", "end_time", "speaker_attendee_id", "speaker_external_user_id", "start_time", "type", "vocabulary_filter_match", "confidence", "stable")
    class Type(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        PRONUNCIATION: _ClassVar[Item.Type]
        PUNCTUATION: _ClassVar[Item.Type]
    PRONUNCIATION: Item.Type
    PUNCTUATION: Item.Type
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    SPEAKER_ATTENDEE_ID_FIELD_NUMBER: _ClassVar[int]
    SPEAKER_EXTERNAL_USER_ID_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    VOCABULARY_FILTER_MATCH_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    STABLE_FIELD_NUMBER: _ClassVar[int]
    content: str
    end_time: int
    speaker_attendee_id: str
    speaker_external_user_id: str
    start_time: int
    type: Item.Type
    vocabulary_filter_match: bool
    confidence: float
    stable: bool
    def __init__(self, content: _Optional[str] = ..., end_time: _Optional[int] = ..., speaker_attendee_id: _Optional[str] = ..., speaker_external_user_id: _Optional[str] = ..., start_time: _Optional[int] = ..., type: _Optional[_Union[Item.Type, str]] = ..., vocabulary_filter_match: bool = ..., confidence: _Optional[float] = ..., stable: bool = ...) -> None: ...

class Entity(_message.Message):
    __slots__ = ("category", "confidence", "content", "end_time", "start_time", "type")
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    category: str
    confidence: float
    content: str
    end_time: int
    start_time: int
    type: str
    def __init__(self, category: _Optional[str] = ..., confidence: _Optional[float] = ..., content: _Optional[str] = ..., end_time: _Optional[int] = ..., start_time: _Optional[int] = ..., type: _Optional[str] = ...) -> None: ...
