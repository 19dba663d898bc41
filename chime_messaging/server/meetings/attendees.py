"""Attendees: made once per ExternalUserId, each with a token to join by."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chime_messaging.ids import new_attendee_id, new_join_token
from chime_messaging.server import faults
from chime_messaging.server.faults import Fault
from chime_messaging.server.meetings.capabilities import capabilities_for
from chime_messaging.server.meetings.limits import ATTENDEES_PER_MEETING
from chime_messaging.server.meetings.lookups import attendee_in, external_id, limit_exceeded, meeting_in
from chime_messaging.server.notices import AttendeeRemoved, CapabilitiesChanged
from chime_messaging.server.operations import Call, operation
from chime_messaging.server.store import attendees
from chime_messaging.server.store.attendees import Attendee, Capabilities
from chime_messaging.server.store.meetings import Meeting
from chime_messaging.server.store.paging import window


@operation("meetings", "CreateAttendee")
def create_attendee(call: Call) -> dict[str, Any]:
    """Make an attendee; the ExternalUserId of an attendee there is gives that one."""
    meeting = meeting_in(call)
    return {"Attendee": _record(_admit(call, meeting, call.params))}


@operation("meetings", "BatchCreateAttendee")
def batch_create_attendee(call: Call) -> dict[str, Any]:
    """Make up to 100 attendees; those that cannot be made are listed as errors."""
    return admit_all(call, meeting_in(call), call.params["Attendees"])


@operation("meetings", "GetAttendee")
def get_attendee(call: Call) -> dict[str, Any]:
    """Answer with one attendee."""
    return {"Attendee": _record(attendee_in(call, meeting_in(call)))}


@operation("meetings", "ListAttendees")
def list_attendees(call: Call) -> dict[str, Any]:
    """Answer with one page of a meeting's attendees, whether they are connected or not."""
    meeting = meeting_in(call)
    part = window(call.params, "ListAttendees", meeting.meeting_id)
    after = str(part.after[0]) if part.after else ""
    rows = attendees.attendees_after(call.tx, meeting.meeting_id, after, part.fetch)
    page, token = part.cut(rows, lambda row: (row.attendee_id,))
    return {"Attendees": [_record(row) for row in page], "NextToken": token}


@operation("meetings", "DeleteAttendee")
def delete_attendee(call: Call) -> None:
    """Remove an attendee from the meeting; its token is no longer taken. A second time it is forbidden."""
    meeting, attendee_id = meeting_in(call), call.params["AttendeeId"]
    if attendees.attendee(call.tx, meeting.meeting_id, attendee_id) is None:
        raise faults.not_found(f"Attendee {attendee_id} not found")
    if not attendees.delete_attendee(call.tx, meeting.meeting_id, attendee_id):
        raise faults.forbidden("The attendee has been deleted")
    call.tx.notify(AttendeeRemoved(meeting.meeting_id, attendee_id))


@operation("meetings", "UpdateAttendeeCapabilities")
def update_attendee_capabilities(call: Call) -> dict[str, Any]:
    """Change what one attendee may send and receive."""
    meeting = meeting_in(call)
    attendee = attendee_in(call, meeting)
    _grant(call, meeting, [attendee.attendee_id])
    return {"Attendee": _record(attendee_in(call, meeting))}


@operation("meetings", "BatchUpdateAttendeeCapabilitiesExcept")
def batch_update_attendee_capabilities_except(call: Call) -> None:
    """Change what all attendees but some may send and receive."""
    meeting = meeting_in(call)
    excluded = {item["AttendeeId"] for item in call.params["ExcludedAttendeeIds"]}
    everybody = attendees.attendee_ids(call.tx, meeting.meeting_id)
    _grant(call, meeting, [attendee_id for attendee_id in everybody if attendee_id not in excluded])


def admit_all(call: Call, meeting: Meeting, requests: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Make several attendees; the answer of the batch operations."""
    made, errors = [], []
    for request in requests:
        try:
            made.append(_record(_admit(call, meeting, request)))
        except Fault as fault:
            code = fault.name.removesuffix("Exception")
            errors.append(
                {"ExternalUserId": request["ExternalUserId"], "ErrorCode": code, "ErrorMessage": fault.message}
            )
    return {"Attendees": made, "Errors": errors}


def _admit(call: Call, meeting: Meeting, request: dict[str, Any]) -> Attendee:
    """Make the attendee that a request describes, or find the one it made before.

    Raises:
        Fault: BadRequestException; LimitExceededException, with quotas.
    """
    external_user_id = external_id(request["ExternalUserId"], "ExternalUserId")
    capabilities = capabilities_for(request.get("Capabilities"), meeting.features)
    known = attendees.attendee_of_user(call.tx, meeting.meeting_id, external_user_id)
    if known is not None:
        return known
    if call.configuration.quotas:
        count = attendees.count_attendees(call.tx, meeting.meeting_id)
        if count >= ATTENDEES_PER_MEETING:
            raise limit_exceeded(f"A meeting has at most {ATTENDEES_PER_MEETING} attendees.")
    attendee_id = new_attendee_id()
    token = new_join_token(attendee_id)
    made = Attendee(meeting.meeting_id, attendee_id, external_user_id, token, capabilities, call.now)
    attendees.add_attendee(call.tx, made)
    return made


def _grant(call: Call, meeting: Meeting, attendee_ids: list[str]) -> None:
    wanted = capabilities_for(call.params["Capabilities"], meeting.features)
    for attendee_id in attendee_ids:
        attendees.set_capabilities(call.tx, meeting.meeting_id, attendee_id, wanted)
    if attendee_ids:
        changed = CapabilitiesChanged(
            meeting.meeting_id, tuple(attendee_ids), wanted.audio, wanted.video, wanted.content
        )
        call.tx.notify(changed)


def _record(attendee: Attendee) -> dict[str, Any]:
    return {
        "ExternalUserId": attendee.external_user_id,
        "AttendeeId": attendee.attendee_id,
        "JoinToken": attendee.join_token,
        "Capabilities": _capabilities(attendee.capabilities),
    }


def _capabilities(capabilities: Capabilities) -> dict[str, str]:
    return {"Audio": capabilities.audio, "Video": capabilities.video, "Content": capabilities.content}
