"""The state machine of a meeting's signalling, in the service role, for one connection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum

import msgspec

from chime_messaging.meeting_events import DataMessage, RosterAttendee, TurnCredentials, VideoSource
from chime_messaging.wire.signaling import JoinFlags
from chime_messaging.wire.signaling_pb2 import SignalFrame


class ServerState(Enum):
    """Where one connection stands, seen from the service."""

    OPEN = "open"
    """The upgrade is done; only pings may be sent."""
    JOINING = "joining"
    """JOIN came; `accept` or `close` has to follow."""
    JOINED = "joined"
    LEFT = "left"
    """LEAVE came and LEAVE_ACK is written; close the socket."""
    CLOSED = "closed"


class Happening(msgspec.Struct, frozen=True):
    """Base of what a client did."""


class JoinRequested(Happening, frozen=True):
    """JOIN. Answer with `accept`, or with `close` (4403, 4410). It may come again on the same socket."""

    audio_session_id: int | None
    flags: JoinFlags
    max_num_of_videos: int | None
    wants_compressed_sdp: bool
    client_source: str


class DataSubmitted(Happening, frozen=True):
    """DATA_MESSAGE: topic, data and lifetime_ms as the client wrote them, unchecked; the rest is empty."""

    messages: tuple[DataMessage, ...]


class MuteChanged(Happening, frozen=True):
    """AUDIO_CONTROL."""

    muted: bool


class PromotionRequested(Happening, frozen=True):
    """PRIMARY_MEETING_JOIN. Answer with `promoted`."""

    attendee_id: str
    external_user_id: str
    join_token: str


class Demoted(Happening, frozen=True):
    """PRIMARY_MEETING_LEAVE of the client."""


class Left(Happening, frozen=True):
    """LEAVE; LEAVE_ACK waits in `take`. Write it, then close the socket."""


class Silent(Happening, frozen=True):
    """The client did not answer a ping, or never joined; the connection is CLOSED, `closed` has the code."""

    code: int
    reason: str


class FrameReceived(Happening, frozen=True):
    """A frame that concerns media: SUBSCRIBE, PAUSE, RESUME, CLIENT_METRIC, REMOTE_VIDEO_UPDATE, ..."""

    frame: SignalFrame


class FrameSkipped(Happening, frozen=True):
    """A frame that cannot be read, of an unknown type, or out of place; it changes nothing."""

    problem: str


class SignalingServerProtocol:
    """The service role, for one connection.

    Args:
        wall_clock: What to add to `now` to get seconds since the epoch.
        ping_interval: Seconds between two pings.
        ping_grace: Seconds that a ping may go unanswered; then the connection is closed with 1006 (cut, no close frame).
        join_timeout: Seconds from the upgrade to JOIN; clients may warm up a socket long before they join.
    """

    def __init__(
        self,
        *,
        wall_clock: float = 0.0,
        ping_interval: float = 10.0,
        ping_grace: float = 10.0,
        join_timeout: float | None = 600.0,
    ) -> None:
        self.state = ServerState.OPEN
        self.deadline: float | None = None
        """When `expire` is due; None for never."""
        self.flags = JoinFlags(0)
        """Of the latest JOIN; roster frames only go to those with HAS_STREAM_UPDATE."""

    def opened(self, now: float) -> None:
        """Say that the upgrade is done."""
        raise NotImplementedError

    def receive(self, frames: Sequence[bytes | str], now: float) -> list[Happening]:
        """Take frames; pings are answered by themselves (in `take`)."""
        raise NotImplementedError

    def expire(self, now: float) -> list[Happening]:
        """Say that `deadline` has passed: a ping is written, or `Silent` is returned."""
        raise NotImplementedError

    def accept(
        self,
        now: float,
        *,
        roster: Iterable[RosterAttendee],
        participants: int,
        at_capacity: bool = False,
        sources: Iterable[VideoSource] = (),
        codecs: Iterable[int] = (),
        turn: TurnCredentials | None = None,
    ) -> None:
        """Answer JOIN: JOIN_ACK, the complete roster if the client wants it, INDEX."""
        raise NotImplementedError

    def refuse(self, now: float, status: int, description: str) -> None:
        """Answer JOIN with a JOIN_ACK that carries an error."""
        raise NotImplementedError

    def deliver(self, frames: Iterable[bytes]) -> list[bytes]:
        """Return frames that were built once for many (`wire.signal_frames`), if this connection is JOINED; else []."""
        raise NotImplementedError

    def audio_status(self, status: int, now: float) -> None:
        """Write AUDIO_STATUS: 301 taken over elsewhere, 410 meeting ended, 411 attendee removed."""
        raise NotImplementedError

    def promoted(self, now: float, *, status: int = 200, description: str = "") -> None:
        """Answer PRIMARY_MEETING_JOIN; any status but 200 is an error."""
        raise NotImplementedError

    def demote(self, now: float) -> None:
        """Put the attendee out of the primary meeting."""
        raise NotImplementedError

    def close(self, code: int, reason: str = "") -> None:
        """Say that the connection closes."""
        raise NotImplementedError

    def take(self) -> list[bytes]:
        """Return the frames to write, in order, and forget them."""
        raise NotImplementedError
