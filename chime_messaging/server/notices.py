"""What a committed change means for the sockets.

Handlers record notices in their transaction; after the commit the broker applies them, in commit order, on the event
loop. A group is a channel ARN, or ``{channel ARN}#{sub-channel id}`` for a part of an elastic channel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from chime_messaging.server.party import EVERYTHING, Capabilities

if TYPE_CHECKING:
    from chime_messaging.server.attendee_socket import AttendeeSocket


@dataclass(frozen=True, slots=True)
class Deliver:
    """Send one event to every socket of an audience."""

    event_type: str
    frame: bytes
    """The whole text frame, encoded once (`wire.envelope.encode`)."""
    group: str | None = None
    """Every member of this group, and"""
    users: tuple[str, ...] = ()
    """these users by ARN. A user in both gets the event once."""


@dataclass(frozen=True, slots=True)
class Join:
    """A user became a member of a group: its sockets receive from now on."""

    user_arn: str
    group: str


@dataclass(frozen=True, slots=True)
class Leave:
    """A user is no longer a member of a group."""

    user_arn: str
    group: str


@dataclass(frozen=True, slots=True)
class Dissolve:
    """A group is gone, with all its memberships."""

    group: str


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Close every socket of a user."""

    user_arn: str
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Stream:
    """A record for the app instance's streaming configuration, if it has one for this data type."""

    app_instance_arn: str
    data_type: str
    """``Channel`` or ``ChannelMessage``."""
    event_type: str
    payload: str
    """JSON text in the shape of the matching websocket payload."""


@dataclass(frozen=True, slots=True)
class Invoke:
    """Call something outside after the commit: a flow processor or a bot."""

    arn: str
    """ARN of the Lambda function or bot that stands for the callback."""
    payload: bytes
    """JSON text handed over."""
    callback_id: str = ""


@dataclass(frozen=True, slots=True)
class Streams:
    """The streaming configuration of an app instance has changed; it holds for the Stream notices that follow."""

    app_instance_arn: str
    streams: tuple[tuple[str, str], ...]
    """Data type and stream name of each stream; empty when streaming ends."""


class Subscriber(Protocol):
    """One authorised socket, as the broker sees it."""

    user_arn: str
    session_id: str

    @property
    def write(self) -> Callable[[bytes], None]:
        """Queues framed bytes; never blocks."""

    @property
    def closed(self) -> bool:
        """Whether nothing may be written any more."""

    def establish(self, details: tuple[bytes, ...]) -> None:
        """Write SESSION_ESTABLISHED and the prefetch: from now on events follow."""

    def close(self, code: int, reason: str = "") -> None:
        """Start the closing handshake; the socket is gone within a deadline."""

    def abort(self) -> None:
        """Drop the TCP connection."""


@dataclass(frozen=True, slots=True)
class Attach:
    """A socket receives from now on.

    It is a notice so that the groups read in its transaction and the events committed after it meet without a gap.
    """

    subscriber: Subscriber
    groups: tuple[str, ...]
    """Every group of its user, as this transaction sees them."""
    details: tuple[bytes, ...] = ()
    """CHANNEL_DETAILS frames for this socket alone."""


@dataclass(frozen=True, slots=True)
class MeetingEnded:
    """A meeting is over, by DeleteMeeting or by itself: its attendees are told, then their sockets close."""

    meeting_id: str


@dataclass(frozen=True, slots=True)
class AttendeeRemoved:
    """An attendee was deleted: its sockets close."""

    meeting_id: str
    attendee_id: str


@dataclass(frozen=True, slots=True)
class CapabilitiesChanged:
    """Attendees of a meeting may send or receive something else from now on."""

    meeting_id: str
    attendee_ids: tuple[str, ...]
    audio: str
    """``SendReceive``, ``Send``, ``Receive`` or ``None``."""
    video: str
    content: str


@dataclass(frozen=True, slots=True)
class MeetingMessage:
    """A data message from the service itself, for everybody in a meeting; it is not kept for those who join later."""

    meeting_id: str
    topic: str
    """May begin with ``aws:``, which attendees cannot send."""
    data: bytes


@dataclass(frozen=True, slots=True)
class TranscriptionStarted:
    """A meeting is transcribed from now on, or in another way than before."""

    meeting_id: str
    configuration: str
    """JSON text of the TranscriptionConfiguration."""


@dataclass(frozen=True, slots=True)
class TranscriptionStopped:
    """A meeting is not transcribed any more."""

    meeting_id: str


@dataclass(frozen=True, slots=True)
class Admit:
    """The token of an attendee is good: its socket enters the meeting.

    It is a notice so that the end of the meeting, or of the attendee, comes to the socket if it is committed later.
    """

    socket: AttendeeSocket
    meeting_id: str
    primary_meeting_id: str | None
    """The meeting that this one replicates."""
    attendee_id: str
    """Ends in ``#content`` for a content share."""
    external_user_id: str
    capacity: int | None = None
    """How many attendees may be in the meeting at a time, content shares not counted; None for any number."""
    capabilities: Capabilities = EVERYTHING
    promotion: bool = False
    """Whether an attendee of a replica meeting is to speak in this meeting, rather than to enter it."""
    first_stream_id: int = 1
    """What the streams are counted from if nobody is in the meeting, nor in the one it replicates."""


Notice = (
    Deliver
    | Join
    | Leave
    | Dissolve
    | Disconnect
    | Attach
    | Stream
    | Invoke
    | Streams
    | MeetingEnded
    | AttendeeRemoved
    | CapabilitiesChanged
    | MeetingMessage
    | TranscriptionStarted
    | TranscriptionStopped
    | Admit
)
