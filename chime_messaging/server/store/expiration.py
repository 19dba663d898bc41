"""When is something's time up? Pure decisions about expiration and retention, in milliseconds since the epoch."""

from __future__ import annotations

from typing import Any

DAY = 24 * 3600 * 1000
RETENTION_GRACE = 30 * DAY
"""Between a change of the retention settings and the first message that goes."""


def expires_at(created: int, last_message: int | None, days: int | None, criterion: str | None) -> int | None:
    """When a user or channel is deleted by itself; None if never.

    Args:
        created: when it was created.
        last_message: LastMessageTimestamp; a channel without messages counts from its creation.
        days: ExpirationDays, None without expiration settings.
        criterion: ExpirationCriterion.
    """
    if days is None:
        return None
    start = created
    if criterion == "LAST_MESSAGE_TIMESTAMP" and last_message is not None:
        start = last_message
    return start + days * DAY


def retention_cutoff(now: int, days: int | None, start: int | None) -> int | None:
    """Messages created before this moment are removed; None while nothing is to be removed."""
    if days is None or start is None or now < start:
        return None
    return now - days * DAY


def expiration_settings(days: int | None, criterion: str | None) -> dict[str, Any] | None:
    """The ExpirationSettings as the service shows them; None if there are none."""
    if days is None:
        return None
    return {"ExpirationDays": days, "ExpirationCriterion": criterion}
