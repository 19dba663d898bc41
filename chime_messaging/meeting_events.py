"""What can happen in the signalling of a meeting: the session, the roster, data messages.

One class per event, told to every observer face like the events of a messaging session. What is unknown or unreadable
is an event too, never an exception.
"""

from __future__ import annotations

import json
from datetime import datetime
from enum import IntEnum
from typing import Any

import msgspec

from chime_messaging.errors import ChimeError
from chime_messaging.events import Event
from chime_messaging.wire.signaling_pb2 import SignalFrame
from chime_messaging.wire.timestamps import from_milliseconds
from chime_messaging.wire.transcript import Transcript, TranscriptionStatus


class MeetingSessionStatusCode(IntEnum):
    """How a session stands, or why it ended. Official name: MeetingSessionStatusCode, with the same numbers."""

    OK = 0
    LEFT = 1
    AUDIO_JOINED_FROM_ANOTHER_DEVICE = 2
    AUDIO_AUTHENTICATION_REJECTED = 3
    AUDIO_CALL_AT_CAPACITY = 4
    MEETING_ENDED = 5
    AUDIO_INTERNAL_SERVER_ERROR = 6
    AUDIO_SERVICE_UNAVAILABLE = 7
    AUDIO_DISCONNECTED = 8
    VIDEO_CALL_SWITCH_TO_VIEW_ONLY = 9
    VIDEO_CALL_AT_SOURCE_CAPACITY = 10
    SIGNALING_BAD_REQUEST = 11
    SIGNALING_INTERNAL_SERVER_ERROR = 12
    SIGNALING_REQUEST_FAILED = 13
    SIGNALING_CHANNEL_CLOSED_UNEXPECTEDLY = 14
    ICE_GATHERING_TIMEOUT_WORKAROUND = 15
    CONNECTION_HEALTH_RECONNECT = 16
    REALTIME_API_FAILED = 17
    TASK_FAILED = 18
    INCOMPATIBLE_SDP = 19
    TURN_CREDENTIALS_FORBIDDEN = 20
    NO_ATTENDEE_PRESENT = 21
    AUDIO_ATTENDEE_REMOVED = 22
    AUDIO_VIDEO_WAS_REMOVED_FROM_PRIMARY_MEETING = 23
    AUDIO_VIDEO_DISCONNECTED_WHILE_PROMOTED = 24
    AUDIO_DISCONNECT_AUDIO = 25
    ENCODED_TRANSFORM_MANAGER_FAILED = 26

    @property
    def is_terminal(self) -> bool:
        """Whether the session cannot go on and does not reconnect."""
        return self in _TERMINAL

    @property
    def is_failure(self) -> bool:
        """Whether something went wrong; a failure that is not terminal is worth a reconnect."""
        return self in _FAILURES

    @property
    def is_audio_connection_failure(self) -> bool:
        """Whether the failure concerns the connection of the audio."""
        return self in _AUDIO_CONNECTION_FAILURES


_TERMINAL = frozenset(map(MeetingSessionStatusCode, (1, 2, 3, 4, 5, 8, 10, 11, 13, 17, 20, 22)))
_FAILURES = frozenset(map(MeetingSessionStatusCode, (3, 4, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18, 21)))
_AUDIO_CONNECTION_FAILURES = frozenset(map(MeetingSessionStatusCode, (3, 6, 7, 11, 12, 13, 15, 17, 21)))


class DataMessage(msgspec.Struct, frozen=True, gc=False):
    """One data message as it was received. Official name: DataMessage."""

    topic: str
    data: bytes
    """At most 2048 bytes."""
    sender_attendee_id: str = ""
    sender_external_user_id: str = ""
    ingest_time_ns: int | None = None
    """When the service took it, in nanoseconds since the epoch; 0 if it was throttled, None where it is not told."""
    lifetime_ms: int = 0
    """How long the service keeps it for those who join later, in milliseconds; 0 where it is not told."""

    @property
    def throttled(self) -> bool:
        """Whether the message was sent by this attendee and came back undelivered, because there were too many."""
        return self.ingest_time_ns == 0

    @property
    def timestamp(self) -> datetime:
        """When the service took it, aware, to the millisecond; the epoch for a throttled message."""
        return from_milliseconds((self.ingest_time_ns or 0) // 1_000_000)

    def text(self) -> str:
        """Return the data as text.

        Raises:
            UnicodeDecodeError: if it is not UTF-8.
        """
        return self.data.decode()

    def json(self) -> Any:
        """Return the value that the data is the JSON of.

        Raises:
            json.JSONDecodeError: if it is not JSON.
            UnicodeDecodeError: if it is not UTF-8.
        """
        return json.loads(self.data.decode())


class RosterAttendee(msgspec.Struct, frozen=True):
    """One attendee of the roster."""

    attendee_id: str
    external_user_id: str
    audio_stream_id: int
    """Grows with every join of a meeting; the same attendee gets another one when it comes back."""
    muted: bool | None = None
    """None while the service has not said."""


class VideoSource(msgspec.Struct, frozen=True):
    """One stream that an attendee sends, as INDEX lists it."""

    stream_id: int
    group_id: int
    attendee_id: str
    external_user_id: str
    track_label: str = ""
    framerate: int = 0
    """Frames per second at most."""
    max_bitrate_kbps: int = 0
    avg_bitrate_bps: int = 0
    width: int = 0
    """Pixels; 0 where it is not told."""
    height: int = 0


class TurnCredentials(msgspec.Struct, frozen=True):
    """Where and how media is relayed. Official name: MeetingSessionTURNCredentials."""

    username: str
    password: str
    ttl: int
    """Seconds."""
    uris: tuple[str, ...]

    def __repr__(self) -> str:
        return f"TurnCredentials(ttl={self.ttl}, uris={self.uris})"


# --- the life of the session -------------------------------------------------------------------------------------


class MeetingSessionConnecting(Event, frozen=True):
    """A socket is being opened. Official name: audioVideoDidStartConnecting."""

    reconnecting: bool
    attempt: int = 1
    """Counts from 1 since the session was last joined."""


class MeetingSessionStarted(Event, frozen=True):
    """The attendee has joined: the first INDEX came. Official name of the signalling's part in audioVideoDidStart."""

    attendee_id: str
    reconnected: bool


class MeetingReconnectScheduled(Event, frozen=True):
    """The connection was lost, or could not be made, and will be tried again."""

    delay: float
    """Seconds until the next try."""
    attempt: int
    """Number of the try that is scheduled, from 1."""
    status: MeetingSessionStatusCode
    reason: str


class MeetingSessionStopped(Event, frozen=True):
    """The one terminal event of a session. Official name: audioVideoDidStop."""

    is_terminal = True

    status: MeetingSessionStatusCode
    reason: str = ""
    error: Exception | None = None
    """Why the session ended, mostly a `MeetingSessionError`; None when the application ended it."""


class MeetingStatusReceived(Event, frozen=True):
    """The service told a status that neither ends the session nor makes it reconnect, for example 206 for view-only."""

    status: MeetingSessionStatusCode
    description: str = ""


class AudioStatusReceived(Event, frozen=True):
    """AUDIO_STATUS, before whatever it leads to."""

    audio_status: int
    status: MeetingSessionStatusCode


class NotificationReceived(Event, frozen=True):
    """NOTIFICATION: a text of the service for the log."""

    level: str
    """``INFO``, ``WARNING`` or ``ERROR``."""
    message: str


class PongReceived(Event, frozen=True):
    """The service answered a ping."""

    ping_id: int
    round_trip: float
    """Seconds."""
    clock_offset: float
    """Seconds that the clock of the service is ahead of ours."""


class PongMissed(Event, frozen=True):
    """A ping was due and earlier ones are unanswered. Official name: didMissPongs."""

    missed: int
    """How many in a row."""


# --- who is there ------------------------------------------------------------------------------------------------


class JoinAckReceived(Event, frozen=True):
    """JOIN_ACK: what media will need."""

    turn_credentials: TurnCredentials | None
    video_subscription_limit: int
    """Videos that may be received; 25 where the service does not say."""
    wants_compressed_sdp: bool
    default_server_side_network_adaption: int | None


class IndexReceived(Event, frozen=True):
    """INDEX: who sends video, and how full the meeting is."""

    at_capacity: bool
    """Whether no more video may be sent."""
    participants: int
    """Attendees in the meeting, this one included."""
    sources: tuple[VideoSource, ...] = ()
    paused_at_source_ids: tuple[int, ...] = ()
    supported_receive_codecs: tuple[int, ...] = ()
    """Codecs that every receiver can decode, by their number in ``VideoCodecCapability``."""


class AttendeeJoined(Event, frozen=True):
    """An attendee is in the meeting. Official name: attendee presence, present."""

    attendee: RosterAttendee
    position: int = 0
    """Place of the attendee in its frame, from 0."""
    attendees_in_frame: int = 1


class AttendeeLeft(Event, frozen=True):
    """An attendee is no longer in the meeting. Official name: attendee presence, not present."""

    attendee: RosterAttendee
    dropped: bool = False
    """The connection was lost."""
    missed: bool = False
    """It left while this session was not connected; the roster after the reconnect no longer had it."""


class AttendeeMuted(Event, frozen=True):
    """An attendee muted or unmuted itself, or it is the first word about it; ``attendee.muted`` tells which."""

    attendee: RosterAttendee


# --- data messages -----------------------------------------------------------------------------------------------


class DataMessageReceived(Event, frozen=True, gc=False):
    """DATA_MESSAGE of another attendee, or of the service."""

    message: DataMessage


class DataMessageThrottled(Event, frozen=True):
    """A message of this attendee came back: the meeting sends too many, and nobody else received it."""

    message: DataMessage
    will_resend: bool = False
    """Whether the session sends it again by itself."""


class DataMessagesLost(Event, frozen=True):
    """Messages of a reliable topic can no longer be had: their sender gave up or is gone. Later ones follow."""

    topic: str
    sender_attendee_id: str
    messages: int
    """How many are missing."""


class TranscriptReceived(Event, frozen=True):
    """Words that were said, on the topic ``aws:chime:transcription``. Official name: Transcript."""

    transcript: Transcript


class TranscriptionStatusReceived(Event, frozen=True):
    """Live transcription started, stopped or failed. Official name: TranscriptionStatus."""

    status: TranscriptionStatus


# --- primary meetings --------------------------------------------------------------------------------------------


class PrimaryMeetingJoined(Event, frozen=True):
    """The answer to a promotion. Official name: promoteToPrimaryMeeting resolves with a status."""

    status: MeetingSessionStatusCode
    """`OK`, or why this attendee was not promoted."""
    description: str = ""


class PrimaryMeetingLeft(Event, frozen=True):
    """This attendee is no longer in the primary meeting. Official name: audioVideoWasDemotedFromPrimaryMeeting."""

    status: MeetingSessionStatusCode
    """`OK` after `demote`, 23 when the service did it, 24 when the connection was lost while promoted."""


# --- frames ------------------------------------------------------------------------------------------------------


class SignalFrameReceived(Event, frozen=True):
    """A frame that concerns media: SUBSCRIBE_ACK, AUDIO_METADATA, BITRATES, PAUSE, RESUME."""

    frame: SignalFrame


class UnknownSignalFrame(Event, frozen=True):
    """A frame of a type that is not in the protocol (yet); it is skipped."""

    type: int
    size: int
    """Bytes."""


class UndecodableSignalFrame(Event, frozen=True):
    """A frame that cannot be read; it is skipped."""

    excerpt: bytes | str
    error: ChimeError
