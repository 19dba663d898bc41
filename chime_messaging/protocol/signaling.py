"""The state machine of a meeting's signalling, in the client role. The service role is in `signaling_service`.

Theory of operation. One object is one session over all its connections. The shell tells it what happened (`opened`,
`receive`, `lost`, `expire`, `leave`), always with the present time, hands on the events that come back, and writes what
`take` returns. What the shell has to do next is told by `state` alone: CONNECTING - open the socket; JOINING, JOINED
and LEAVING - receive; WAITING - close the socket if it is open, then nothing until `deadline`; STOPPED - close the
socket and leave. Whatever the state, when `deadline` passes the shell calls `expire`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum

import msgspec

from chime_messaging.events import Event
from chime_messaging.meeting_events import MeetingSessionStopped, RosterAttendee
from chime_messaging.protocol.reconnect import Backoff
from chime_messaging.wire.signaling import JoinFlags


class State(Enum):
    """Where a session stands, seen from the client."""

    IDLE = "idle"
    CONNECTING = "connecting"
    """The socket is being opened."""
    JOINING = "joining"
    """The socket is open and JOIN is written; the first INDEX has not come."""
    JOINED = "joined"
    LEAVING = "leaving"
    """LEAVE is written; LEAVE_ACK has not come."""
    WAITING = "waiting"
    """Between two tries."""
    STOPPED = "stopped"


class ClientDetails(msgspec.Struct, frozen=True, kw_only=True):
    """What the client tells of itself in JOIN; texts that are empty are not sent."""

    app_name: str = ""
    app_version: str = ""
    device_model: str = ""
    device_make: str = ""
    platform_name: str = ""
    platform_version: str = ""
    client_source: str = "chime-sdk-python"
    chime_sdk_version: str = ""
    client_utc_offset: str = ""
    os_name: str = ""
    os_version: str = ""


class JoinOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in JOIN; the defaults are those of the official client."""

    audio_session_id: int
    """Random, 32 bits, the same over all connections of a session: the service knows a reconnect by it."""
    flags: JoinFlags = JoinFlags.HAS_STREAM_UPDATE
    client_details: ClientDetails = ClientDetails()
    wants_compressed_sdp: bool = True
    server_side_network_adaption: int = 1


class SignalingClientProtocol:
    """The client role. One object is one session, over all its connections.

    Args:
        attendee_id: This session's attendee.
        options: What stands in JOIN.
        wall_clock: What to add to `now` to get seconds since the epoch; frames are stamped with it.
        backoff: How long to wait between tries: 9.4 defaults, full jitter of 1 s doubling to 5 s.
        reconnect_timeout: Seconds that the tries may go on before the session ends; None for ever.
        join_timeout: Seconds from the open socket to the first INDEX.
        leave_timeout: Seconds from LEAVE to LEAVE_ACK.
        ping_interval: Seconds between two pings.
        max_missed_pongs: Pings in a row that may go unanswered; then the connection counts as lost.
    """

    def __init__(
        self,
        attendee_id: str,
        options: JoinOptions,
        *,
        wall_clock: float = 0.0,
        backoff: Backoff | None = None,
        reconnect_timeout: float | None = 120.0,
        join_timeout: float = 15.0,
        leave_timeout: float = 2.0,
        ping_interval: float = 10.0,
        max_missed_pongs: int = 4,
    ) -> None:
        self.state = State.IDLE
        self.deadline: float | None = None
        """When `expire` is due; None for never."""
        self.stopped: MeetingSessionStopped | None = None
        """The terminal event, once there is one."""

    @property
    def attendees(self) -> Mapping[str, RosterAttendee]:
        """The roster, by attendee id."""
        raise NotImplementedError

    def start(self, now: float) -> list[Event]:
        """Begin: CONNECTING, and `MeetingSessionConnecting`. A session starts once."""
        raise NotImplementedError

    def opened(self, now: float) -> list[Event]:
        """Say that the socket is open; PING 1 and JOIN wait in `take`."""
        raise NotImplementedError

    def receive(self, frames: Sequence[str | bytes], now: float, jitter: float) -> list[Event]:
        """Take the frames that arrived, in their order. May end in WAITING or STOPPED: then close the socket."""
        raise NotImplementedError

    def lost(self, error: Exception, now: float, jitter: float) -> list[Event]:
        """Say that the connection closed (`ConnectionClosed`), or could not be made."""
        raise NotImplementedError

    def expire(self, now: float, jitter: float) -> list[Event]:
        """Say that `deadline` has passed: pings, join and leave deadlines, the end of a wait."""
        raise NotImplementedError

    def send(self, topic: str, data: bytes, lifetime_ms: int, now: float) -> None:
        """Add a data message to what `take` returns; raises `SessionNotEstablishedError` unless JOINED."""
        raise NotImplementedError

    def mute(self, muted: bool, now: float) -> None:
        """Add AUDIO_CONTROL to what `take` returns; raises `SessionNotEstablishedError` unless JOINED."""
        raise NotImplementedError

    def promote(self, attendee_id: str, external_user_id: str, join_token: str, now: float) -> None:
        """Ask to join the primary meeting; `PrimaryMeetingJoined` answers, after 15 s at most."""
        raise NotImplementedError

    def demote(self, now: float) -> list[Event]:
        """Leave the primary meeting."""
        raise NotImplementedError

    def leave(self, now: float) -> list[Event]:
        """End the session because the application wants it: LEAVE, then STOPPED when LEAVE_ACK or the deadline comes."""
        raise NotImplementedError

    def fail(self, error: Exception) -> list[Event]:
        """End the session because of an error that no rule provides for."""
        raise NotImplementedError

    def take(self) -> list[bytes]:
        """Return the frames to write, in order, and forget them."""
        raise NotImplementedError
