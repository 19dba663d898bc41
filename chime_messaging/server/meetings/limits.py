"""Count quotas of meetings: the service's defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ATTENDEES_PER_MEETING = 250
ATTENDEES_PER_HIGH_DEFINITION_MEETING = 25
"""With FHD video or UHD content."""
REPLICAS_PER_PRIMARY_MEETING = 4


def capacity_of(features: Mapping[str, Any] | None, *, quotas: bool = True) -> int | None:
    """How many attendees may be in a meeting at a time, by its MeetingFeatures; None for any number.

    Args:
        features: MeetingFeatures of the meeting.
        quotas: whether the service's limits hold where the features say nothing.
    """
    features = features or {}
    allowed = features.get("Attendee", {}).get("MaxCount")
    if isinstance(allowed, int):
        return allowed
    return most_attendees(features) if quotas else None


def most_attendees(features: Mapping[str, Any]) -> int:
    """The greatest MaxCount that goes with the resolutions in MeetingFeatures."""
    high_video = features.get("Video", {}).get("MaxResolution") == "FHD"
    high_content = features.get("Content", {}).get("MaxResolution") == "UHD"
    return ATTENDEES_PER_HIGH_DEFINITION_MEETING if high_video or high_content else ATTENDEES_PER_MEETING
