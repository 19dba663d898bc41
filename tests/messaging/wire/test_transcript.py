"""What live transcription says, from and to the payload of its data messages."""

from __future__ import annotations

from datetime import UTC, datetime

import hypothesis.strategies as st
import pytest
from hypothesis import given

from chime_messaging.errors import DecodeError
from chime_messaging.wire import transcript
from chime_messaging.wire.transcript import (
    LanguageScore,
    Transcript,
    TranscriptAlternative,
    TranscriptEntity,
    TranscriptionStatus,
    TranscriptItem,
    TranscriptResult,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
times = st.integers(-(2**63), 2**63 - 1)
scores = st.floats(0, 1)
statuses = st.builds(
    TranscriptionStatus,
    st.sampled_from(["started", "interrupted", "resumed", "stopped", "failed"]),
    times,
    texts,
    texts,
    texts,
)
items = st.builds(
    TranscriptItem,
    texts,
    st.sampled_from(["pronunciation", "punctuation"]),
    times,
    times,
    texts,
    texts,
    st.none() | st.booleans(),
    st.none() | st.booleans(),
    st.none() | scores,
)
entities = st.builds(TranscriptEntity, texts, texts, texts, times, times, scores)
alternatives = st.builds(
    TranscriptAlternative,
    texts,
    st.lists(items, max_size=2).map(tuple),
    st.lists(entities, max_size=2).map(tuple),
)
results = st.builds(
    TranscriptResult,
    texts,
    texts,
    st.booleans(),
    times,
    times,
    st.lists(alternatives, max_size=2).map(tuple),
    st.none() | texts,
    st.lists(st.builds(LanguageScore, texts, scores), max_size=2).map(tuple),
)
transcripts = st.builds(Transcript, st.lists(results, max_size=2).map(tuple))


@given(st.lists(statuses | transcripts, max_size=3))
def test_what_is_written_is_read(events: list[TranscriptionStatus | Transcript]) -> None:
    assert transcript.decode(transcript.encode(events)) == events


def test_a_status_of_an_unknown_kind_is_left_out() -> None:
    known = TranscriptionStatus("started", 1, "us-east-1", "{}")
    unknown = b"\x0a\x04\x0a\x02\x08\x63"
    assert transcript.decode(unknown + transcript.encode([known])) == [known]


def test_an_event_without_content_is_left_out() -> None:
    assert transcript.decode(b"\x0a\x00") == []


def test_a_status_has_its_time_as_an_aware_datetime() -> None:
    status = TranscriptionStatus("started", 1_700_000_000_123, "us-east-1", "{}")
    assert status.event_time == datetime(2023, 11, 14, 22, 13, 20, 123000, UTC)


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_read_or_refused(data: bytes) -> None:
    try:
        transcript.decode(data)
    except DecodeError as error:
        assert error.excerpt == data[:80]


@pytest.mark.parametrize("data", [b"\x0a", b"\x0a\x05a", b"\x0b" * 2000, b"\x0a\x07\x0a\x05\x1a\x03\xff\xfe\xfd"])
def test_what_is_no_payload_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        transcript.decode(data)
