"""Who is present in one meeting, and the frames that tell its attendees about it (AUDIO_STREAM_ID_INFO).

An attendee is known on the wire by the number of its audio stream. Numbers only grow: a client takes the end of a
stream for a leave unless the attendee has a stream with a larger number by then. They grow over the whole life of a
meeting, though nothing of this is stored: see `first_stream_id`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from chime_messaging.meeting_events import RosterAttendee
from chime_messaging.protocol import signal_frames
from chime_messaging.protocol.data_messages import TokenBucket
from chime_messaging.wire.signaling_pb2 import SignalFrame

Socket = TypeVar("Socket")


def first_stream_id(created: int, now: int) -> int:
    """Give a number for a stream that is larger than all that the meeting has had, as long as they can be known.

    It is the age of the meeting in milliseconds: attendees do not come by the thousand per second for long, and the
    24 hours that a meeting lasts at most leave nearly all of an uint32 to those who do.

    Args:
        created: when the meeting was created, in milliseconds.
        now: in milliseconds.
    """
    return max(1, now - created)


@dataclass(eq=False, slots=True)
class Presence(Generic[Socket]):
    """One attendee, present until it leaves, or for a while after its connection was lost."""

    attendee_id: str
    external_user_id: str
    session_id: int | None
    """The client's ``audio_session_id``: the same over its reconnects."""
    bucket: TokenBucket | None
    """Counts its data messages, over its reconnects; None where nobody counts."""
    socket: Socket | None
    """None while it is expected back."""
    stream_id: int = 0
    muted: bool = False

    @property
    def attendee(self) -> RosterAttendee:
        """Who it is, as the others see it."""
        return RosterAttendee(self.attendee_id, self.external_user_id, self.stream_id, self.muted)


class Roster(Generic[Socket]):
    """The attendees of one meeting who are present, in the order of their streams.

    Args:
        streams: where the numbers of streams come from; they count from 1 by default.
    """

    __slots__ = ("_everybody", "_present", "streams")

    def __init__(self, streams: Iterator[int] | None = None) -> None:
        self.streams = itertools.count(1) if streams is None else streams
        self._present: dict[str, Presence[Socket]] = {}
        self._everybody: dict[str, RosterAttendee] = {}

    def __len__(self) -> int:
        return len(self._present)

    def __iter__(self) -> Iterator[Presence[Socket]]:
        return iter(tuple(self._present.values()))

    def __contains__(self, presence: object) -> bool:
        return isinstance(presence, Presence) and self._present.get(presence.attendee_id) is presence

    @property
    def everybody(self) -> list[RosterAttendee]:
        """The complete roster: what somebody who joins gets first."""
        return list(self._everybody.values())

    def find(self, attendee_id: str) -> Presence[Socket] | None:
        """Who is present under this id."""
        return self._present.get(attendee_id)

    def enter(self, presence: Presence[Socket]) -> list[SignalFrame]:
        """Give an attendee a new stream, in place of whoever had its id; return what the others are told.

        The end of an older stream comes after the beginning of the new one, so that it is no leave.
        """
        older = self._present.pop(presence.attendee_id, None)
        self._everybody.pop(presence.attendee_id, None)
        presence.stream_id = next(self.streams)
        self._present[presence.attendee_id] = presence
        self._everybody[presence.attendee_id] = presence.attendee
        frames = [signal_frames.roster([presence.attendee])]
        if older is not None:
            frames.append(signal_frames.attendee_left(older.stream_id))
        return frames

    def mute(self, presence: Presence[Socket], muted: bool) -> list[SignalFrame]:
        """Note that an attendee is muted, or not any more; return what everybody is told."""
        if presence.muted == muted or presence not in self:
            return []
        presence.muted = muted
        self._everybody[presence.attendee_id] = presence.attendee
        return [signal_frames.attendee_muted(presence.stream_id, muted)]

    def leave(self, presence: Presence[Socket], *, dropped: bool = False) -> list[SignalFrame]:
        """Take an attendee out; return what the others are told. Does nothing for one who is not in.

        Args:
            presence: of the attendee.
            dropped: whether its connection was lost, rather than ended by a LEAVE.
        """
        if presence not in self:
            return []
        del self._present[presence.attendee_id]
        del self._everybody[presence.attendee_id]
        return [signal_frames.attendee_left(presence.stream_id, dropped=dropped)]
