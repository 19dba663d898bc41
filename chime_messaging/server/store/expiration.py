"""What expiration and retention are measured in."""

from __future__ import annotations

from typing import Any

DAY = 24 * 3600 * 1000
"""Milliseconds."""
RETENTION_GRACE = 30 * DAY
"""Between a change of the retention settings and the first message that goes."""


def expiration_settings(days: int | None, criterion: str | None) -> dict[str, Any] | None:
    """The ExpirationSettings as the service shows them; None if there are none."""
    if days is None:
        return None
    return {"ExpirationDays": days, "ExpirationCriterion": criterion}
