"""Who is connected, as far as the end of a meeting depends on it; ending meetings; and the sweeps that do."""

from __future__ import annotations

import logging

from chime_messaging.server.meetings import lifecycle
from chime_messaging.server.meetings.lifecycle import HOUR, Attendance
from chime_messaging.server.notices import MeetingEnded
from chime_messaging.server.store import attendees, meetings, tags
from chime_messaging.server.store.database import Transaction
from chime_messaging.server.store.lifecycle import sweep
from chime_messaging.server.store.meetings import Meeting

KEEP_ENDED = 24 * HOUR
"""How long an ended meeting is remembered, in milliseconds: it is answered otherwise than one that never was."""

_log = logging.getLogger(__name__)


def audio_connections_changed(tx: Transaction, meeting_id: str, audio_connections: int) -> None:
    """Take in how many audio connections a meeting has from now on; a meeting that is over stays so.

    It makes a difference only when the number passes between none, one and more.
    """
    found = meetings.meeting(tx, meeting_id)
    if found is not None:
        _attend(tx, meeting_id, lifecycle.connected(attendance_of(found), audio_connections, tx.now))


def viewers_changed(tx: Transaction, meeting_id: str, viewers: int, active: int) -> None:
    """Take in how many screen share viewers are connected from now on, and how many of them are active."""
    found = meetings.meeting(tx, meeting_id)
    if found is not None:
        _attend(tx, meeting_id, lifecycle.viewed(attendance_of(found), viewers, active, tx.now))


def disconnect_all(tx: Transaction) -> int:
    """After a restart nobody is connected to any meeting; in how many somebody was."""
    attended = meetings.meetings_attended(tx)
    for found in attended:
        alone = lifecycle.connected(attendance_of(found), 0, tx.now)
        _attend(tx, found.meeting_id, lifecycle.viewed(alone, 0, 0, tx.now))
    return len(attended)


def attendance_of(found: Meeting) -> Attendance:
    """What the store knows of a meeting's attendance."""
    return Attendance(
        found.created, found.audio_connections, found.empty_since, found.lonely_since, found.viewers_idle_since
    )


def end_meeting(tx: Transaction, found: Meeting) -> None:
    """End a meeting: its attendees are told, its tags go, its row stays for `KEEP_ENDED`."""
    if meetings.end_meeting(tx, found.meeting_id, keep=KEEP_ENDED):
        tags.remove_tags(tx, found.arn)
        tx.notify(MeetingEnded(found.meeting_id))


@sweep("meetings")
def end_due_meetings(tx: Transaction, limit: int) -> int:
    """End meetings that nobody uses any more, or that have gone on for too long."""
    due = meetings.meetings_due(tx, limit)
    for found in due:
        rule = lifecycle.end_of(attendance_of(found))[1]
        _log.info("a meeting ended by itself", extra={"meeting_id": found.meeting_id, "rule": rule.value})
        end_meeting(tx, found)
    return len(due)


@sweep("ended-meetings")
def forget_ended_meetings(tx: Transaction, limit: int) -> int:
    """Remove what is left of meetings that ended long ago."""
    over = meetings.meetings_over(tx, limit)
    for meeting_id in over:
        attendees.purge_attendees(tx, meeting_id)
        meetings.delete_meeting(tx, meeting_id)
    return len(over)


def _attend(tx: Transaction, meeting_id: str, attendance: Attendance) -> None:
    meetings.set_attendance(
        tx,
        meeting_id,
        audio_connections=attendance.audio_connections,
        empty_since=attendance.empty_since,
        lonely_since=attendance.lonely_since,
        viewers_idle_since=attendance.viewers_idle_since,
        due=lifecycle.end_of(attendance)[0],
    )
