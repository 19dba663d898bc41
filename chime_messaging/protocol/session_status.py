"""What the service's numbers mean for a session: error statuses, audio statuses and close codes as status codes.

The status codes themselves, with their terminal and failure flags, are `MeetingSessionStatusCode`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from chime_messaging.errors import (
    AttendeeRejectedError,
    AttendeeRemovedError,
    JoinedFromAnotherDeviceError,
    MeetingAtCapacityError,
    MeetingEndedError,
    MeetingSessionError,
)
from chime_messaging.meeting_events import MeetingSessionStatusCode

Status = MeetingSessionStatusCode

ABNORMAL = 1006
MEETING_ENDED = 4410
ATTENDEE_UNAVAILABLE = 4403
BAD_REQUEST = 4400
INTERNAL_ERROR = 4500

INTERNAL_ERRORS = range(4500, 4600)
"""Close codes of trouble in the service; worth another try."""

_NETWORK = frozenset({1001, ABNORMAL, 1011, 1012, 1013, 1014})


class Phase(Enum):
    """How far a connection has come; a close code means something else in each."""

    CONNECTING = "connecting"
    """The websocket is not open yet."""
    JOINING = "joining"
    """Waiting for the first INDEX."""
    SUBSCRIBING = "subscribing"
    """Waiting for SUBSCRIBE_ACK; media only."""
    JOINED = "joined"


_ERROR_STATUS: Mapping[int, Status] = {
    206: Status.VIDEO_CALL_SWITCH_TO_VIEW_ONLY,
    403: Status.AUDIO_AUTHENTICATION_REJECTED,
    409: Status.AUDIO_CALL_AT_CAPACITY,
    509: Status.VIDEO_CALL_AT_SOURCE_CAPACITY,
}

_AUDIO_STATUS: Mapping[int, Status] = {
    301: Status.AUDIO_JOINED_FROM_ANOTHER_DEVICE,
    302: Status.AUDIO_DISCONNECT_AUDIO,
    403: Status.AUDIO_AUTHENTICATION_REJECTED,
    409: Status.AUDIO_CALL_AT_CAPACITY,
    410: Status.MEETING_ENDED,
    411: Status.AUDIO_ATTENDEE_REMOVED,
    500: Status.AUDIO_INTERNAL_SERVER_ERROR,
    503: Status.AUDIO_SERVICE_UNAVAILABLE,
}

_ERRORS: Mapping[Status, type[MeetingSessionError]] = {
    Status.AUDIO_JOINED_FROM_ANOTHER_DEVICE: JoinedFromAnotherDeviceError,
    Status.AUDIO_AUTHENTICATION_REJECTED: AttendeeRejectedError,
    Status.AUDIO_CALL_AT_CAPACITY: MeetingAtCapacityError,
    Status.VIDEO_CALL_AT_SOURCE_CAPACITY: MeetingAtCapacityError,
    Status.MEETING_ENDED: MeetingEndedError,
    Status.AUDIO_ATTENDEE_REMOVED: AttendeeRemovedError,
}


def from_error_status(status: int) -> Status:
    """Return what the error status of a frame means. Mirrors MeetingSessionStatus.fromSignalingStatus."""
    known = _ERROR_STATUS.get(status)
    if known is not None:
        return known
    if 200 <= status < 300:
        return Status.OK
    if 400 <= status < 500:
        return Status.SIGNALING_BAD_REQUEST
    if 500 <= status < 600:
        return Status.SIGNALING_INTERNAL_SERVER_ERROR
    return Status.SIGNALING_REQUEST_FAILED


def from_audio_status(status: int) -> Status:
    """Return what an AUDIO_STATUS means. Mirrors MeetingSessionStatus.fromAudioStatus."""
    known = _AUDIO_STATUS.get(status)
    if known is not None:
        return known
    return Status.OK if 200 <= status < 300 else Status.AUDIO_DISCONNECTED


def from_close_code(code: int, phase: Phase) -> Status:
    """Return what the close of a websocket means for a connection that has come so far.

    Two differences from the official client, because here no media tells that a connection is dead or alive: a network
    that fails between the open socket and the first INDEX is worth another try (there it is final, like every code but
    4410 and 45xx), and after the first INDEX no code is ignored: 4410 and 4403 are told for what they are and all
    others count as an unexpected close.
    """
    if code == MEETING_ENDED and phase is not Phase.CONNECTING:
        return Status.MEETING_ENDED
    if code in INTERNAL_ERRORS:
        return Status.SIGNALING_INTERNAL_SERVER_ERROR
    if phase is Phase.JOINING:
        return Status.SIGNALING_CHANNEL_CLOSED_UNEXPECTEDLY if code in _NETWORK else Status.SIGNALING_BAD_REQUEST
    if phase is Phase.JOINED:
        if code == ATTENDEE_UNAVAILABLE:
            return Status.AUDIO_ATTENDEE_REMOVED
        return Status.SIGNALING_CHANNEL_CLOSED_UNEXPECTEDLY
    return Status.TASK_FAILED


def error_of(status: Status, code: int | None = None, reason: str = "") -> MeetingSessionError | None:
    """Return the error that a session ends with; None for `LEFT` and `OK`.

    Args:
        status: Why it ends.
        code: Close code, where a socket was involved.
        reason: Text of the service.
    """
    if status in (Status.OK, Status.LEFT):
        return None
    kind = _ERRORS.get(status, MeetingSessionError)
    if code == ATTENDEE_UNAVAILABLE and status is Status.SIGNALING_BAD_REQUEST:
        kind = AttendeeRejectedError
    return kind(status, code, reason)
