"""Attendees of meetings and the tokens that let them in."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from sqlalchemy import BigInteger, Column, Index, Table, Text, bindparam, delete, func, insert, select, update

from chime_messaging.server.party import Capabilities as Capabilities
from chime_messaging.server.store.database import Statement, Transaction, metadata

attendees = Table(
    "attendees",
    metadata,
    Column("meeting_id", Text, primary_key=True),
    Column("attendee_id", Text, primary_key=True),
    Column("external_user_id", Text, nullable=False),
    Column("join_token", Text, nullable=False),
    Column("audio", Text, nullable=False),
    Column("video", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("deleted", BigInteger),
    Index("attendees_by_user", "meeting_id", "external_user_id"),
)


@dataclass(frozen=True, slots=True)
class Attendee:
    """One row of `attendees`; times in milliseconds."""

    meeting_id: str
    attendee_id: str
    external_user_id: str
    join_token: str = field(repr=False)
    capabilities: Capabilities
    created: int
    deleted: int | None = None
    """When it was deleted. The row stays as long as the meeting's, because deleting it again is another answer."""


_FIND = Statement(
    select(attendees).where(
        attendees.c.meeting_id == bindparam("meeting_id"), attendees.c.attendee_id == bindparam("attendee_id")
    )
)
_OF_USER = Statement(
    select(attendees).where(
        attendees.c.meeting_id == bindparam("meeting_id"),
        attendees.c.external_user_id == bindparam("external_user_id"),
        attendees.c.deleted.is_(None),
    )
)
_COUNT = Statement(
    select(func.count())
    .select_from(attendees)
    .where(attendees.c.meeting_id == bindparam("meeting_id"), attendees.c.deleted.is_(None))
)
_ADD = Statement(insert(attendees).values({column.name: bindparam(column.name) for column in attendees.columns}))
_CHANGE = Statement(
    update(attendees)
    .where(attendees.c.meeting_id == bindparam("meeting_id"), attendees.c.attendee_id == bindparam("attendee_id"))
    .values(audio=bindparam("audio"), video=bindparam("video"), content=bindparam("content"))
)
_DELETE = Statement(
    update(attendees)
    .where(
        attendees.c.meeting_id == bindparam("meeting_id"),
        attendees.c.attendee_id == bindparam("attendee_id"),
        attendees.c.deleted.is_(None),
    )
    .values(deleted=bindparam("now"))
)
_PURGE = Statement(delete(attendees).where(attendees.c.meeting_id == bindparam("meeting_id")))
_PAGE = Statement(
    select(attendees)
    .where(
        attendees.c.meeting_id == bindparam("meeting_id"),
        attendees.c.attendee_id > bindparam("after"),
        attendees.c.deleted.is_(None),
    )
    .order_by(attendees.c.attendee_id)
    .limit(bindparam("count"))
)
_ALL = Statement(
    select(attendees.c.attendee_id).where(
        attendees.c.meeting_id == bindparam("meeting_id"), attendees.c.deleted.is_(None)
    )
)


def attendee(tx: Transaction, meeting_id: str, attendee_id: str) -> Attendee | None:
    """Load one attendee; it may have been deleted."""
    row = tx.first(_FIND, meeting_id=meeting_id, attendee_id=attendee_id)
    return _read(row) if row is not None else None


def find_by_token(tx: Transaction, meeting_id: str, attendee_id: str, token: str) -> Attendee | None:
    """Load the attendee whose JoinToken this is; None if it is not, or the attendee was deleted.

    Args:
        tx: the transaction.
        meeting_id: of the meeting to join. Whether that has ended is for the caller to look at.
        attendee_id: as `ids.attendee_id_of` reads it from the token.
        token: without the ``#content`` of a content share.
    """
    found = attendee(tx, meeting_id, attendee_id)
    expected = found.join_token if found is not None else ""
    # One after the other: the time this takes must not tell how much of a guess was right.
    same = hmac.compare_digest(expected.encode(), token.encode("utf-8", "surrogatepass"))
    return found if found is not None and same and found.deleted is None else None


def attendee_of_user(tx: Transaction, meeting_id: str, external_user_id: str) -> Attendee | None:
    """Load the attendee that was created for an ExternalUserId."""
    row = tx.first(_OF_USER, meeting_id=meeting_id, external_user_id=external_user_id)
    return _read(row) if row is not None else None


def count_attendees(tx: Transaction, meeting_id: str) -> int:
    """How many attendees a meeting has, connected or not."""
    return int(tx.first(_COUNT, meeting_id=meeting_id)[0])


def add_attendee(tx: Transaction, new: Attendee) -> None:
    """Store a new attendee."""
    tx.execute(
        _ADD,
        meeting_id=new.meeting_id,
        attendee_id=new.attendee_id,
        external_user_id=new.external_user_id,
        join_token=new.join_token,
        audio=new.capabilities.audio,
        video=new.capabilities.video,
        content=new.capabilities.content,
        created=new.created,
        deleted=new.deleted,
    )


def set_capabilities(tx: Transaction, meeting_id: str, attendee_id: str, capabilities: Capabilities) -> None:
    """Store what an attendee may send and receive."""
    tx.execute(
        _CHANGE,
        meeting_id=meeting_id,
        attendee_id=attendee_id,
        audio=capabilities.audio,
        video=capabilities.video,
        content=capabilities.content,
    )


def delete_attendee(tx: Transaction, meeting_id: str, attendee_id: str) -> bool:
    """Mark an attendee as deleted; False if it was, or there is none."""
    return tx.execute(_DELETE, meeting_id=meeting_id, attendee_id=attendee_id, now=tx.now) > 0


def purge_attendees(tx: Transaction, meeting_id: str) -> None:
    """Remove the rows of all attendees of a meeting."""
    tx.execute(_PURGE, meeting_id=meeting_id)


def attendees_after(tx: Transaction, meeting_id: str, after: str, count: int) -> list[Attendee]:
    """One page, by AttendeeId."""
    return [_read(row) for row in tx.all(_PAGE, meeting_id=meeting_id, after=after, count=count)]


def attendee_ids(tx: Transaction, meeting_id: str) -> list[str]:
    """Ids of all attendees of a meeting."""
    return [row[0] for row in tx.all(_ALL, meeting_id=meeting_id)]


def _read(row: tuple[str, str, str, str, str, str, str, int, int | None]) -> Attendee:
    meeting_id, attendee_id, external_user_id, join_token, audio, video, content, created, deleted = row
    capabilities = Capabilities(audio, video, content)
    return Attendee(meeting_id, attendee_id, external_user_id, join_token, capabilities, created, deleted)
