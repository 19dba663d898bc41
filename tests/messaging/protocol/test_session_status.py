"""What the service's numbers mean: against the tables of the official clients."""

from __future__ import annotations

import pytest

from chime_messaging.errors import (
    AttendeeRejectedError,
    AttendeeRemovedError,
    JoinedFromAnotherDeviceError,
    MeetingAtCapacityError,
    MeetingEndedError,
    MeetingSessionError,
)
from chime_messaging.meeting_events import MeetingSessionStatusCode as Status
from chime_messaging.protocol.session_status import (
    Phase,
    error_of,
    from_audio_status,
    from_close_code,
    from_error_status,
)

# number, official name, flags: T terminal, F failure, A failure of the audio connection
TABLE = """
0 OK -
1 Left T
2 AudioJoinedFromAnotherDevice T
3 AudioAuthenticationRejected TFA
4 AudioCallAtCapacity TF
5 MeetingEnded T
6 AudioInternalServerError FA
7 AudioServiceUnavailable FA
8 AudioDisconnected TF
9 VideoCallSwitchToViewOnly -
10 VideoCallAtSourceCapacity TF
11 SignalingBadRequest TFA
12 SignalingInternalServerError FA
13 SignalingRequestFailed TFA
14 SignalingChannelClosedUnexpectedly F
15 ICEGatheringTimeoutWorkaround FA
16 ConnectionHealthReconnect F
17 RealtimeApiFailed TFA
18 TaskFailed F
19 IncompatibleSDP -
20 TURNCredentialsForbidden T
21 NoAttendeePresent FA
22 AudioAttendeeRemoved T
23 AudioVideoWasRemovedFromPrimaryMeeting -
24 AudioVideoDisconnectedWhilePromoted -
25 AudioDisconnectAudio -
26 EncodedTransformManagerFailed -
"""
ROWS = [line.split() for line in TABLE.strip().splitlines()]


def test_there_are_27_status_codes() -> None:
    assert [int(number) for number, _, _ in ROWS] == list(Status) == list(range(27))


@pytest.mark.parametrize(("number", "name", "flags"), ROWS)
def test_a_status_code_has_the_official_name_and_flags(number: str, name: str, flags: str) -> None:
    status = Status(int(number))
    assert status.name.replace("_", "").lower() == name.lower()
    assert status.is_terminal == ("T" in flags)
    assert status.is_failure == ("F" in flags)
    assert status.is_audio_connection_failure == ("A" in flags)


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (200, Status.OK),
        (204, Status.OK),
        (206, Status.VIDEO_CALL_SWITCH_TO_VIEW_ONLY),
        (400, Status.SIGNALING_BAD_REQUEST),
        (403, Status.AUDIO_AUTHENTICATION_REJECTED),
        (404, Status.SIGNALING_BAD_REQUEST),
        (409, Status.AUDIO_CALL_AT_CAPACITY),
        (500, Status.SIGNALING_INTERNAL_SERVER_ERROR),
        (509, Status.VIDEO_CALL_AT_SOURCE_CAPACITY),
        (599, Status.SIGNALING_INTERNAL_SERVER_ERROR),
        (0, Status.SIGNALING_REQUEST_FAILED),
        (302, Status.SIGNALING_REQUEST_FAILED),
        (2**32 - 1, Status.SIGNALING_REQUEST_FAILED),
    ],
)
def test_an_error_status_of_a_frame_has_its_meaning(number: int, status: Status) -> None:
    assert from_error_status(number) is status


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (200, Status.OK),
        (299, Status.OK),
        (301, Status.AUDIO_JOINED_FROM_ANOTHER_DEVICE),
        (302, Status.AUDIO_DISCONNECT_AUDIO),
        (403, Status.AUDIO_AUTHENTICATION_REJECTED),
        (409, Status.AUDIO_CALL_AT_CAPACITY),
        (410, Status.MEETING_ENDED),
        (411, Status.AUDIO_ATTENDEE_REMOVED),
        (500, Status.AUDIO_INTERNAL_SERVER_ERROR),
        (503, Status.AUDIO_SERVICE_UNAVAILABLE),
        (0, Status.AUDIO_DISCONNECTED),
        (404, Status.AUDIO_DISCONNECTED),
    ],
)
def test_an_audio_status_has_its_meaning(number: int, status: Status) -> None:
    assert from_audio_status(number) is status


@pytest.mark.parametrize(
    ("code", "connecting", "joining", "subscribing", "joined"),
    [
        (4410, Status.TASK_FAILED, Status.MEETING_ENDED, Status.MEETING_ENDED, Status.MEETING_ENDED),
        (4500, *[Status.SIGNALING_INTERNAL_SERVER_ERROR] * 4),
        (4599, *[Status.SIGNALING_INTERNAL_SERVER_ERROR] * 4),
        (
            4403,
            Status.TASK_FAILED,
            Status.SIGNALING_BAD_REQUEST,
            Status.TASK_FAILED,
            Status.AUDIO_ATTENDEE_REMOVED,
        ),
        (
            1006,
            Status.TASK_FAILED,
            Status.SIGNALING_CHANNEL_CLOSED_UNEXPECTEDLY,
            Status.TASK_FAILED,
            Status.SIGNALING_CHANNEL_CLOSED_UNEXPECTEDLY,
        ),
        (
            1000,
            Status.TASK_FAILED,
            Status.SIGNALING_BAD_REQUEST,
            Status.TASK_FAILED,
            Status.SIGNALING_CHANNEL_CLOSED_UNEXPECTEDLY,
        ),
        (
            4600,
            Status.TASK_FAILED,
            Status.SIGNALING_BAD_REQUEST,
            Status.TASK_FAILED,
            Status.SIGNALING_CHANNEL_CLOSED_UNEXPECTEDLY,
        ),
    ],
)
def test_a_close_code_means_something_else_in_each_phase(
    code: int, connecting: Status, joining: Status, subscribing: Status, joined: Status
) -> None:
    assert [from_close_code(code, phase) for phase in Phase] == [connecting, joining, subscribing, joined]


@pytest.mark.parametrize("code", [1001, 1006, 1011, 1012, 1013, 1014])
def test_a_network_that_fails_while_joining_is_worth_another_try(code: int) -> None:
    status = from_close_code(code, Phase.JOINING)
    assert status.is_failure
    assert not status.is_terminal


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (Status.AUDIO_JOINED_FROM_ANOTHER_DEVICE, JoinedFromAnotherDeviceError),
        (Status.AUDIO_AUTHENTICATION_REJECTED, AttendeeRejectedError),
        (Status.AUDIO_CALL_AT_CAPACITY, MeetingAtCapacityError),
        (Status.VIDEO_CALL_AT_SOURCE_CAPACITY, MeetingAtCapacityError),
        (Status.MEETING_ENDED, MeetingEndedError),
        (Status.AUDIO_ATTENDEE_REMOVED, AttendeeRemovedError),
        (Status.SIGNALING_REQUEST_FAILED, MeetingSessionError),
    ],
)
def test_an_end_has_an_error_of_its_own(status: Status, kind: type[MeetingSessionError]) -> None:
    error = error_of(status, 4410, "because")
    assert type(error) is kind
    assert (error.status, error.code, error.reason) == (status, 4410, "because")
    assert status.name in str(error)


def test_4403_while_joining_says_that_the_attendee_was_refused() -> None:
    assert type(error_of(Status.SIGNALING_BAD_REQUEST, 4403)) is AttendeeRejectedError
    assert type(error_of(Status.SIGNALING_BAD_REQUEST, 4400)) is MeetingSessionError


@pytest.mark.parametrize("status", [Status.OK, Status.LEFT])
def test_what_is_no_failure_has_no_error(status: Status) -> None:
    assert error_of(status) is None
