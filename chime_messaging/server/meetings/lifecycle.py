"""When does a meeting end by itself? Pure: the time comes as an argument, in milliseconds.

The service ends a meeting that has had no audio connection for five minutes, fewer than two for 30 minutes, screen
share viewers that were inactive for 30 minutes, or that is 24 hours old. Without media a joined signalling connection
counts as an audio connection.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

MINUTE = 60_000
HOUR = 60 * MINUTE


class EndRule(StrEnum):
    """Why a meeting ends by itself."""

    NO_AUDIO_CONNECTION = "no audio connection for 5 minutes"
    FEWER_THAN_TWO_AUDIO_CONNECTIONS = "fewer than two audio connections for 30 minutes"
    SCREEN_SHARE_VIEWERS_INACTIVE = "screen share viewers inactive for 30 minutes"
    TOO_OLD = "open for 24 hours"


LIMITS = {
    EndRule.NO_AUDIO_CONNECTION: 5 * MINUTE,
    EndRule.FEWER_THAN_TWO_AUDIO_CONNECTIONS: 30 * MINUTE,
    EndRule.SCREEN_SHARE_VIEWERS_INACTIVE: 30 * MINUTE,
    EndRule.TOO_OLD: 24 * HOUR,
}
"""How long a meeting stays in each condition, in milliseconds."""


@dataclass(frozen=True, slots=True)
class Attendance:
    """What the end of a meeting depends on: its age, and since when too few are connected."""

    created: int
    audio_connections: int
    empty_since: int | None
    """Since when there is no audio connection; None while there is one."""
    lonely_since: int | None
    """Since when there are fewer than two."""
    viewers_idle_since: int | None
    """Since when screen share viewers are connected but inactive; None while one is active, or there are none."""


def opened(now: int) -> Attendance:
    """Attendance of a meeting that was just created: nobody is there yet."""
    return Attendance(now, 0, now, now, None)


def connected(attendance: Attendance, audio_connections: int, now: int) -> Attendance:
    """Take in how many audio connections there are from now on."""
    return replace(
        attendance,
        audio_connections=audio_connections,
        empty_since=_since(attendance.empty_since, now, holds=audio_connections < 1),
        lonely_since=_since(attendance.lonely_since, now, holds=audio_connections < 2),
    )


def viewed(attendance: Attendance, viewers: int, active: int, now: int) -> Attendance:
    """Take in how many screen share viewers are connected from now on, and how many of them are active."""
    idle = viewers > 0 and active == 0
    return replace(attendance, viewers_idle_since=_since(attendance.viewers_idle_since, now, holds=idle))


def end_of(attendance: Attendance) -> tuple[int, EndRule]:
    """When the meeting ends, and why, if nothing changes until then."""
    conditions = {
        EndRule.NO_AUDIO_CONNECTION: attendance.empty_since,
        EndRule.FEWER_THAN_TWO_AUDIO_CONNECTIONS: attendance.lonely_since,
        EndRule.SCREEN_SHARE_VIEWERS_INACTIVE: attendance.viewers_idle_since,
        EndRule.TOO_OLD: attendance.created,
    }
    return min(
        ((since + LIMITS[rule], rule) for rule, since in conditions.items() if since is not None),
        key=lambda end: end[0],
    )


def ended_by(attendance: Attendance, now: int) -> EndRule | None:
    """By which rule the meeting is over at `now`; None if it goes on."""
    at, rule = end_of(attendance)
    return rule if now >= at else None


def _since(since: int | None, now: int, *, holds: bool) -> int | None:
    if not holds:
        return None
    return now if since is None else since
