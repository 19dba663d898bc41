"""From the ids of a request to the meeting and the attendee, and the words for those that are not there."""

from __future__ import annotations

import re

from chime_messaging.server import faults
from chime_messaging.server.faults import Fault
from chime_messaging.server.operations import Call
from chime_messaging.server.store import attendees, meetings
from chime_messaging.server.store.attendees import Attendee
from chime_messaging.server.store.database import Transaction
from chime_messaging.server.store.meetings import Meeting

_EXTERNAL_ID = re.compile(r"[-_&@+=,(){}\[\]/«».:|'\"#a-zA-Z0-9À-ÿ\s]*")


def meeting_in(call: Call) -> Meeting:
    """Load the meeting that MeetingId names, and that goes on.

    Raises:
        Fault: NotFoundException.
    """
    meeting_id = call.params["MeetingId"]
    found = meetings.meeting(call.tx, meeting_id)
    if found is None:
        raise faults.not_found(f"Meeting {meeting_id} not found")
    if found.ended is not None:
        raise faults.not_found("The meeting has ended")
    return found


def attendee_in(call: Call, meeting: Meeting) -> Attendee:
    """Load the attendee that AttendeeId names.

    Raises:
        Fault: NotFoundException.
    """
    attendee_id = call.params["AttendeeId"]
    found = attendees.attendee(call.tx, meeting.meeting_id, attendee_id)
    if found is None or found.deleted is not None:
        raise faults.not_found(f"Attendee {attendee_id} not found")
    return found


def tagged_meeting(tx: Transaction, arn: str) -> str:
    """Check that an ARN is that of a meeting that goes on; gives it back.

    Raises:
        Fault: ResourceNotFoundException.
    """
    found = meetings.meeting(tx, arn.rpartition("/")[2])
    if found is None or found.ended is not None or found.arn != arn:
        raise Fault("ResourceNotFoundException", "The resource does not exist.", ResourceName=arn)
    return arn


def external_id(text: str, field: str) -> str:
    """Check an id that the application has given.

    Raises:
        Fault: BadRequestException, if it has other characters than allowed, or a prefix that is reserved.
    """
    if _EXTERNAL_ID.fullmatch(text) is None:
        raise faults.bad_request(f"{field} has characters that are not allowed.")
    if text.lower().startswith("aws:"):
        raise faults.bad_request(f"{field} must not begin with aws:, which is reserved.")
    return text


def limit_exceeded(message: str) -> Fault:
    """400: a count quota is used up."""
    return Fault("LimitExceededException", message)
