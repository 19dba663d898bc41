"""What a live meeting needs of an attendee's connection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from chime_messaging.meeting_events import RosterAttendee, VideoSource
from chime_messaging.server.meeting_roster import Presence
from chime_messaging.server.party import Party
from chime_messaging.server.turn import Receiver
from chime_messaging.wire.signaling_pb2 import SignalFrame

if TYPE_CHECKING:
    from chime_messaging.server.media import AttendeeMedia


class AttendeeSocket(Receiver, Protocol):
    """The connection of one attendee, as its meeting sees it."""

    attendee_id: str
    external_user_id: str
    session_id: int | None
    """``audio_session_id`` of its JOIN."""
    wants_roster: bool
    presence: Presence[AttendeeSocket] | None
    """Who it speaks as; None in a replica meeting, unless it was promoted."""
    party: Party
    """Who it speaks for, and what it may do."""
    brings_media: bool
    """Whether audio is to be expected of it; a client of data messages says that it has none."""
    media: AttendeeMedia | None
    """Its media, while it is in a meeting with media."""

    def admit(self, opening: Opening) -> None:
        """Answer JOIN."""

    def send(self, frame: SignalFrame) -> None:
        """Write a frame for it alone, SUBSCRIBE_ACK."""

    def turn_away(self, status: int, description: str) -> None:
        """Answer JOIN with an error, and close."""

    def notify_status(self, status: int) -> None:
        """Write AUDIO_STATUS."""

    def promoted(self, status: int, description: str = "") -> None:
        """Answer PRIMARY_MEETING_JOIN; a status other than 200 is a refusal."""

    def demote(self) -> None:
        """Write PRIMARY_MEETING_LEAVE."""

    @property
    def closed(self) -> bool:
        """Whether nothing may be written any more."""

    def close(self, code: int, reason: str = "") -> None:
        """Start the closing handshake."""

    def abort(self) -> None:
        """Drop the TCP connection."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What an attendee gets when it joins."""

    roster: list[RosterAttendee]
    participants: int
    at_capacity: bool
    replay: bytes
    """Framed messages that are kept, oldest first."""
    sources: Sequence[VideoSource] = ()
    codecs: Sequence[int] = ()
    """``supported_receive_codec_intersection``."""
