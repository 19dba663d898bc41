"""Timestamps as the messaging service writes them.

Websocket payloads carry ISO-8601 with exactly three fraction digits and ``Z``; the mobile clients parse nothing else.
HTTP bodies carry epoch seconds (botocore reads and writes those).
"""

from __future__ import annotations

from datetime import UTC, datetime


def to_wire(moment: datetime) -> str:
    """Write an aware datetime as ``2021-06-03T16:26:31.013Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def truncate(moment: datetime) -> datetime:
    """Cut an aware datetime to the millisecond precision of the service, in UTC."""
    return moment.astimezone(UTC).replace(microsecond=moment.microsecond // 1000 * 1000)


def from_milliseconds(milliseconds: int) -> datetime:
    """Read integer milliseconds since the epoch as an aware datetime."""
    return datetime.fromtimestamp(milliseconds // 1000, UTC).replace(microsecond=milliseconds % 1000 * 1000)
