"""Meetings: what CreateMeeting was told, who has been connected, and when it is over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, bindparam, delete, func, insert, select, update

from chime_messaging.server.store.database import Statement, Transaction, metadata
from chime_messaging.server.store.statements import Row

meetings = Table(
    "meetings",
    metadata,
    Column("meeting_id", Text, primary_key=True),
    Column("arn", Text, nullable=False),
    Column("external_meeting_id", Text, nullable=False),
    Column("meeting_host_id", Text),
    Column("media_region", Text, nullable=False),
    Column("features", Text),
    Column("primary_meeting_id", Text),
    Column("tenant_ids", Text),
    Column("transcription", Text),
    Column("created", BigInteger, nullable=False),
    Column("ended", BigInteger),
    Column("audio_connections", Integer, nullable=False),
    Column("empty_since", BigInteger),
    Column("lonely_since", BigInteger),
    Column("viewers_idle_since", BigInteger),
    Column("due", BigInteger, nullable=False),
    Index("meetings_by_due", "due"),
    Index("meetings_by_primary", "primary_meeting_id"),
)


@dataclass(frozen=True, slots=True)
class Meeting:
    """One row of `meetings`; times in milliseconds."""

    meeting_id: str
    arn: str
    external_meeting_id: str
    meeting_host_id: str | None
    media_region: str
    features: dict[str, Any] | None
    """MeetingFeatures as they were given."""
    primary_meeting_id: str | None
    """The meeting that this one replicates."""
    tenant_ids: list[str] | None
    transcription: dict[str, Any] | None
    """The TranscriptionConfiguration while it is transcribed."""
    created: int
    ended: int | None
    audio_connections: int
    empty_since: int | None
    """Since when there is no audio connection; None while there is one."""
    lonely_since: int | None
    """Since when there are fewer than two."""
    viewers_idle_since: int | None
    """Since when the connections of screen share viewers are inactive; None while they are not, or there are none."""
    due: int
    """When it ends by itself; once it has ended, when its row goes."""


_FIND = Statement(select(meetings).where(meetings.c.meeting_id == bindparam("meeting_id")))
_ADD = Statement(insert(meetings).values({column.name: bindparam(column.name) for column in meetings.columns}))
_ATTEND = Statement(
    update(meetings)
    .where(meetings.c.meeting_id == bindparam("meeting_id"), meetings.c.ended.is_(None))
    .values(
        {
            name: bindparam(name)
            for name in ("audio_connections", "empty_since", "lonely_since", "viewers_idle_since", "due")
        }
    )
)
_TRANSCRIBE = Statement(
    update(meetings)
    .where(meetings.c.meeting_id == bindparam("meeting_id"))
    .values(transcription=bindparam("transcription"))
)
_END = Statement(
    update(meetings)
    .where(meetings.c.meeting_id == bindparam("meeting_id"), meetings.c.ended.is_(None))
    .values(ended=bindparam("now"), due=bindparam("due"), transcription=None, audio_connections=0)
)
_DELETE = Statement(delete(meetings).where(meetings.c.meeting_id == bindparam("meeting_id")))
_DUE = Statement(
    select(meetings)
    .where(meetings.c.due <= bindparam("now"), meetings.c.ended.is_(None))
    .order_by(meetings.c.due)
    .limit(bindparam("count"))
)
_OVER = Statement(
    select(meetings.c.meeting_id)
    .where(meetings.c.due <= bindparam("now"), meetings.c.ended.is_not(None))
    .order_by(meetings.c.due)
    .limit(bindparam("count"))
)
_ATTENDED = Statement(select(meetings).where(meetings.c.ended.is_(None), meetings.c.audio_connections > 0))
_TRANSCRIBED = Statement(
    select(meetings.c.meeting_id, meetings.c.transcription).where(
        meetings.c.transcription.is_not(None), meetings.c.ended.is_(None)
    )
)
_REPLICAS = Statement(
    select(func.count())
    .select_from(meetings)
    .where(meetings.c.primary_meeting_id == bindparam("meeting_id"), meetings.c.ended.is_(None))
)


def meeting(tx: Transaction, meeting_id: str) -> Meeting | None:
    """Load one meeting; it may have ended."""
    row = tx.first(_FIND, meeting_id=meeting_id)
    return _read(row) if row is not None else None


def add_meeting(tx: Transaction, new: Meeting) -> None:
    """Store a new meeting."""
    tx.execute(
        _ADD,
        meeting_id=new.meeting_id,
        arn=new.arn,
        external_meeting_id=new.external_meeting_id,
        meeting_host_id=new.meeting_host_id,
        media_region=new.media_region,
        features=_write(new.features),
        primary_meeting_id=new.primary_meeting_id,
        tenant_ids=_write(new.tenant_ids),
        transcription=_write(new.transcription),
        created=new.created,
        ended=new.ended,
        audio_connections=new.audio_connections,
        empty_since=new.empty_since,
        lonely_since=new.lonely_since,
        viewers_idle_since=new.viewers_idle_since,
        due=new.due,
    )


def set_attendance(
    tx: Transaction,
    meeting_id: str,
    *,
    audio_connections: int,
    empty_since: int | None,
    lonely_since: int | None,
    viewers_idle_since: int | None,
    due: int,
) -> bool:
    """Store who is connected, and when the meeting ends if that does not change; False if it is over."""
    changed = tx.execute(
        _ATTEND,
        meeting_id=meeting_id,
        audio_connections=audio_connections,
        empty_since=empty_since,
        lonely_since=lonely_since,
        viewers_idle_since=viewers_idle_since,
        due=due,
    )
    return changed > 0


def set_transcription(tx: Transaction, meeting_id: str, configuration: dict[str, Any] | None) -> None:
    """Store how a meeting is transcribed; None if it is not."""
    tx.execute(_TRANSCRIBE, meeting_id=meeting_id, transcription=_write(configuration))


def end_meeting(tx: Transaction, meeting_id: str, *, keep: int) -> bool:
    """Mark a meeting as over; its row is kept for `keep` milliseconds. False if it was over before."""
    return tx.execute(_END, meeting_id=meeting_id, now=tx.now, due=tx.now + keep) > 0


def delete_meeting(tx: Transaction, meeting_id: str) -> None:
    """Remove a meeting's row."""
    tx.execute(_DELETE, meeting_id=meeting_id)


def meetings_due(tx: Transaction, count: int) -> list[Meeting]:
    """Those that have to end by themselves now."""
    return [_read(row) for row in tx.all(_DUE, now=tx.now, count=count)]


def meetings_over(tx: Transaction, count: int) -> list[str]:
    """Ids of those that ended long enough ago for their rows to go."""
    return [row[0] for row in tx.all(_OVER, now=tx.now, count=count)]


def meetings_attended(tx: Transaction) -> list[Meeting]:
    """Those that somebody is connected to."""
    return [_read(row) for row in tx.all(_ATTENDED)]


def transcribed_meetings(tx: Transaction) -> dict[str, dict[str, Any]]:
    """The TranscriptionConfiguration of each meeting that is transcribed."""
    return {row[0]: msgspec.json.decode(row[1]) for row in tx.all(_TRANSCRIBED)}


def count_replicas(tx: Transaction, meeting_id: str) -> int:
    """How many meetings replicate this one."""
    return int(tx.first(_REPLICAS, meeting_id=meeting_id)[0])


def _read(row: Row) -> Meeting:
    values = row._asdict()
    for name in ("features", "tenant_ids", "transcription"):
        if values[name] is not None:
            values[name] = msgspec.json.decode(values[name])
    return Meeting(**values)


def _write(document: dict[str, Any] | Sequence[str] | None) -> str | None:
    return None if document is None else msgspec.json.encode(document).decode()
