"""Meetings: created, looked at, ended."""

from __future__ import annotations

import re
from typing import Any

from chime_messaging.ids import meeting_arn, new_meeting_id
from chime_messaging.server import faults
from chime_messaging.server.meetings import lifecycle
from chime_messaging.server.meetings.attendance import end_meeting
from chime_messaging.server.meetings.attendees import admit_all
from chime_messaging.server.meetings.limits import REPLICAS_PER_PRIMARY_MEETING, most_attendees
from chime_messaging.server.meetings.lookups import external_id, limit_exceeded, meeting_in
from chime_messaging.server.meetings.placement import media_placement
from chime_messaging.server.operations import Call, operation, renewal
from chime_messaging.server.store import meetings, tags
from chime_messaging.server.store.meetings import Meeting

_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-[0-9]{1,2}")
_CELL = 1
"""The one cell there is; its number ends every MeetingId."""


@operation("meetings", "CreateMeeting")
def create_meeting(call: Call) -> dict[str, Any]:
    """Make a meeting; it ends by itself if nobody joins."""
    return {"Meeting": _record(call, _open(call))}


@operation("meetings", "CreateMeetingWithAttendees")
def create_meeting_with_attendees(call: Call) -> dict[str, Any]:
    """Make a meeting and up to 20 attendees; those that cannot be made are listed as errors."""
    made = _open(call)
    return {"Meeting": _record(call, made), **admit_all(call, made, call.params["Attendees"])}


@renewal("meetings", "CreateMeeting")
@renewal("meetings", "CreateMeetingWithAttendees")
def place_again(call: Call, answer: dict[str, Any]) -> dict[str, Any]:
    """Write the URLs for whoever calls now: by another name, or after a restart on another port."""
    meeting = answer["Meeting"]
    placement = media_placement(meeting["MeetingId"], call.host, call.configuration)
    return {**answer, "Meeting": {**meeting, "MediaPlacement": placement}}


@operation("meetings", "GetMeeting")
def get_meeting(call: Call) -> dict[str, Any]:
    """Answer with one meeting."""
    return {"Meeting": _record(call, meeting_in(call))}


@operation("meetings", "DeleteMeeting")
def delete_meeting(call: Call) -> None:
    """End a meeting: everybody is sent away, nobody may join any more. A second time it is forbidden."""
    meeting_id = call.params["MeetingId"]
    found = meetings.meeting(call.tx, meeting_id)
    if found is None:
        raise faults.not_found(f"Meeting {meeting_id} not found")
    if found.ended is not None:
        raise faults.forbidden("The meeting has ended")
    end_meeting(call.tx, found)


def _open(call: Call) -> Meeting:
    params = call.params
    if _REGION.fullmatch(params["MediaRegion"]) is None:
        # A list of today's regions would refuse tomorrow's.
        raise faults.bad_request("MediaRegion does not have the form of a Region.")
    for name in ("ExternalMeetingId", "MeetingHostId"):
        if name in params:
            external_id(params[name], name)
    _check_features(params.get("MeetingFeatures") or {})
    _check_primary(call, params.get("PrimaryMeetingId"))
    meeting_id = new_meeting_id(_CELL)
    attendance = lifecycle.opened(call.now)
    made = Meeting(
        meeting_id=meeting_id,
        arn=meeting_arn(meeting_id, region=call.configuration.region, account=call.configuration.account),
        external_meeting_id=params["ExternalMeetingId"],
        meeting_host_id=params.get("MeetingHostId"),
        media_region=params["MediaRegion"],
        features=params.get("MeetingFeatures"),
        primary_meeting_id=params.get("PrimaryMeetingId"),
        tenant_ids=params.get("TenantIds"),
        transcription=None,
        created=call.now,
        ended=None,
        audio_connections=attendance.audio_connections,
        empty_since=attendance.empty_since,
        lonely_since=attendance.lonely_since,
        viewers_idle_since=attendance.viewers_idle_since,
        due=lifecycle.end_of(attendance)[0],
    )
    meetings.add_meeting(call.tx, made)
    tags.put_tags(call.tx, made.arn, params.get("Tags"))
    return made


def _check_features(features: dict[str, Any]) -> None:
    wanted, most = features.get("Attendee", {}).get("MaxCount"), most_attendees(features)
    if wanted is not None and wanted > most:
        raise faults.bad_request(f"MeetingFeatures.Attendee.MaxCount can be at most {most} with these resolutions.")


def _check_primary(call: Call, primary_meeting_id: str | None) -> None:
    if primary_meeting_id is None:
        return
    primary = meetings.meeting(call.tx, primary_meeting_id)
    if primary is None or primary.ended is not None:
        raise faults.bad_request(f"PrimaryMeetingId: meeting {primary_meeting_id} not found")
    if primary.primary_meeting_id is not None:
        raise faults.bad_request("PrimaryMeetingId: a replica cannot be replicated.")
    count = meetings.count_replicas(call.tx, primary_meeting_id)
    if call.configuration.quotas and count >= REPLICAS_PER_PRIMARY_MEETING:
        raise limit_exceeded(f"A meeting has at most {REPLICAS_PER_PRIMARY_MEETING} replicas.")


def _record(call: Call, meeting: Meeting) -> dict[str, Any]:
    return {
        "MeetingId": meeting.meeting_id,
        "MeetingHostId": meeting.meeting_host_id,
        "ExternalMeetingId": meeting.external_meeting_id,
        "MediaRegion": meeting.media_region,
        "MediaPlacement": media_placement(meeting.meeting_id, call.host, call.configuration),
        "MeetingFeatures": meeting.features,
        "PrimaryMeetingId": meeting.primary_meeting_id,
        "TenantIds": meeting.tenant_ids,
        "MeetingArn": meeting.arn,
    }
