"""Count quotas of meetings: the service's defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ATTENDEES_PER_MEETING = 250
ATTENDEES_PER_HIGH_DEFINITION_MEETING = 25
"""With FHD video or UHD content."""
REPLICAS_PER_PRIMARY_MEETING = 4
PUBLISHED_VIDEOS = 25
RECEIVED_VIDEOS = 25
CONTENT_SHARES = 2


def capacity_of(features: Mapping[str, Any] | None) -> int:
    """How many attendees may be in a meeting at a time, by its MeetingFeatures."""
    features = features or {}
    allowed = features.get("Attendee", {}).get("MaxCount")
    return allowed if isinstance(allowed, int) else most_attendees(features)


def most_attendees(features: Mapping[str, Any]) -> int:
    """The greatest MaxCount that goes with the resolutions in MeetingFeatures."""
    high_video = features.get("Video", {}).get("MaxResolution") == "FHD"
    high_content = features.get("Content", {}).get("MaxResolution") == "UHD"
    return ATTENDEES_PER_HIGH_DEFINITION_MEETING if high_video or high_content else ATTENDEES_PER_MEETING
