"""Who is in the meeting, by audio stream id, from AUDIO_STREAM_ID_INFO frames.

An entry with an attendee id says that the attendee is there, one with ``muted`` says whether it is muted, and one with
neither says that the stream is gone. Stream ids grow and are never used again in a meeting: an attendee that comes back
has a larger one, and word that the old one is gone says nothing about it. After every join the first frame is the
complete roster, whatever was known before: whoever is known and not in it left while nobody listened, and a service
that was started anew may count its streams from the beginning.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from chime_messaging.events import Event
from chime_messaging.meeting_events import AttendeeJoined, AttendeeLeft, AttendeeMuted, RosterAttendee
from chime_messaging.wire.signaling_pb2 import AudioStreamIdInfo, AudioStreamIdInfoFrame

MAX_ATTENDEES = 10_000
"""Attendees remembered; a meeting takes 250, and no frame may make us hold any number."""


class Roster:
    """The attendees of one meeting, over all connections of one session.

    Args:
        own_attendee_id: This session's attendee, which a complete roster may lack: it is there once its audio is.
    """

    def __init__(self, own_attendee_id: str = "") -> None:
        self._own = own_attendee_id
        self._attendees: dict[str, RosterAttendee] = {}
        self._by_stream: dict[int, str] = {}
        self._is_complete_next = True

    @property
    def attendees(self) -> Mapping[str, RosterAttendee]:
        """The attendees that are there, by attendee id, in the order in which they were announced."""
        return MappingProxyType(self._attendees)

    def attendee_of(self, audio_stream_id: int) -> RosterAttendee | None:
        """Return the attendee of an audio stream."""
        return self._attendees.get(self._by_stream.get(audio_stream_id, ""))

    def reconnect(self) -> None:
        """Say that a new connection begins: its first frame is the complete roster."""
        self._is_complete_next = True

    def apply(self, frame: AudioStreamIdInfoFrame) -> list[Event]:
        """Take one frame; return what changed, in the frame's order, missed leaves last."""
        events: list[Event] = []
        named = {entry.attendee_id for entry in frame.streams if entry.attendee_id}
        position = 0
        missed = self._begin_complete(frame, named) if self._is_complete_next else []
        for entry in frame.streams:
            if entry.audio_stream_id == 0:
                continue
            if entry.attendee_id:
                events += self._present(entry, position, len(named))
                position += 1
            elif entry.HasField("muted"):
                events += self._mute(entry)
            else:
                events += self._gone(entry)
        self._is_complete_next = False
        return events + missed

    def _begin_complete(self, frame: AudioStreamIdInfoFrame, named: set[str]) -> list[Event]:
        """Forget who is not in a complete roster, and the numbers of who is; return the missed leaves."""
        missed = self._missed(named)
        for entry in frame.streams:
            known = self._attendees.get(entry.attendee_id)
            if known is not None and entry.audio_stream_id:
                self._by_stream.pop(known.audio_stream_id, None)
        return missed

    def _present(self, entry: AudioStreamIdInfo, position: int, count: int) -> list[Event]:
        known = self._attendees.get(entry.attendee_id)
        if known is None and len(self._attendees) >= MAX_ATTENDEES:
            return []
        if known is not None and known.audio_stream_id > entry.audio_stream_id and not self._is_complete_next:
            return []
        muted = entry.muted if entry.HasField("muted") else (known.muted if known is not None else None)
        attendee = RosterAttendee(
            entry.attendee_id, entry.external_user_id or entry.attendee_id, entry.audio_stream_id, muted
        )
        if known is not None and self._by_stream.get(known.audio_stream_id) == entry.attendee_id:
            del self._by_stream[known.audio_stream_id]
        previous = self._by_stream.get(entry.audio_stream_id)
        events: list[Event] = []
        if previous is not None and previous != entry.attendee_id:
            # The stream has another owner now, so the one who had it is gone.
            events.append(AttendeeLeft(self._attendees.pop(previous)))
        self._by_stream[entry.audio_stream_id] = entry.attendee_id
        self._attendees[entry.attendee_id] = attendee
        if known is None:
            events.append(AttendeeJoined(attendee, position, count))
        elif muted is not None and muted != known.muted:
            events.append(AttendeeMuted(attendee))
        return events

    def _mute(self, entry: AudioStreamIdInfo) -> list[Event]:
        known = self.attendee_of(entry.audio_stream_id)
        if known is None or known.muted == entry.muted:
            return []
        attendee = RosterAttendee(known.attendee_id, known.external_user_id, known.audio_stream_id, entry.muted)
        self._attendees[known.attendee_id] = attendee
        return [AttendeeMuted(attendee)]

    def _gone(self, entry: AudioStreamIdInfo) -> list[Event]:
        attendee_id = self._by_stream.pop(entry.audio_stream_id, None)
        if attendee_id is None:
            return []
        return [AttendeeLeft(self._attendees.pop(attendee_id), dropped=entry.dropped)]

    def _missed(self, named: set[str]) -> list[Event]:
        gone = [key for key in self._attendees if key not in named and key != self._own]
        events: list[Event] = []
        for key in gone:
            attendee = self._attendees.pop(key)
            self._by_stream.pop(attendee.audio_stream_id, None)
            events.append(AttendeeLeft(attendee, missed=True))
        return events
