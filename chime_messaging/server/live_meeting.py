"""One meeting while it is live: who is present, what they say, and what is kept for those who come later.

Nothing of this is stored. After a restart the attendees come back with the tokens they have, and the roster fills
again. An attendee is present from its JOIN on, as there is no media that it could show itself by.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from chime_messaging.ids import CONTENT_SUFFIX
from chime_messaging.meeting_events import DataMessage
from chime_messaging.protocol import signal_frames
from chime_messaging.protocol.data_messages import MeetingThrottle, TokenBucket, Verdict
from chime_messaging.protocol.session_status import ATTENDEE_UNAVAILABLE, MEETING_ENDED
from chime_messaging.server.attendee_socket import AttendeeSocket, Opening
from chime_messaging.server.kept_messages import Author, KeptMessages
from chime_messaging.server.meeting_frames import MeetingFrames
from chime_messaging.server.meeting_roster import Presence, Roster
from chime_messaging.server.turn import Kind, Turn, View
from chime_messaging.wire.signaling_pb2 import SignalFrame, VideoCodecCapability

ALL_CODECS = tuple(VideoCodecCapability.values())
"""``supported_receive_codec_intersection`` while no attendee has said what it can receive."""
JOINED_ELSEWHERE = 4409
"""Close code after AUDIO_STATUS 301; ours, as the live one is not known. Clients have stopped by then."""

_STATUS_JOINED_ELSEWHERE = 301
_STATUS_ENDED = 410
_STATUS_REMOVED = 411
_EVERYTHING = frozenset({Kind.DATA, Kind.ROSTER, Kind.OPEN_INDEX})


class LiveMeeting:
    """One live meeting.

    Args:
        meeting_id: of the meeting.
        frames: makes frames of what is told.
        wake: called when there is something to flush; True if it should not wait long.
        throttle: judges its data messages; None lets everything pass.
        primary: the live meeting that this one replicates. Its attendees are the audience then: they see and hear
            what happens there, nobody sees them, and they have nothing to say unless they are promoted.
        first_stream_id: what its streams are counted from, unless they are counted by the primary meeting.
    """

    def __init__(
        self,
        meeting_id: str,
        frames: MeetingFrames,
        wake: Callable[[LiveMeeting, bool], None],
        *,
        throttle: MeetingThrottle | None,
        primary: LiveMeeting | None = None,
        first_stream_id: int = 1,
    ) -> None:
        self.meeting_id = meeting_id
        self.sockets: dict[AttendeeSocket, None] = {}
        """Those of its own attendees that have joined, not those of replicas."""
        self.replicas = 0
        """Live meetings that replicate this one."""
        self.primary = primary
        self.turn: Turn = Turn() if primary is None else primary.turn
        streams = itertools.count(first_stream_id) if primary is None else primary.roster.streams
        self.roster: Roster[AttendeeSocket] = Roster(streams)
        self._frames = frames
        self._wake = wake
        self._throttle = throttle
        self.kept = KeptMessages()
        self._announced = 0
        if primary is not None:
            primary.replicas += 1

    @property
    def stage(self) -> LiveMeeting:
        """The meeting that its attendees see: itself, or the one it replicates."""
        return self.primary or self

    def idle(self, now: float) -> bool:
        """Whether there is nothing to remember."""
        self.kept.sweep(now)
        return not self.sockets and not self.replicas and not len(self.roster) and not len(self.kept)

    def has_room(self, attendee_id: str, capacity: int) -> bool:
        """Whether an attendee may come in: who is present may come back, and content shares take no room."""
        if self.roster.find(attendee_id) is not None or attendee_id.endswith(CONTENT_SUFFIX):
            return True
        return sum(not presence.attendee_id.endswith(CONTENT_SUFFIX) for presence in self.roster) < capacity

    # Coming and going

    def join(self, socket: AttendeeSocket, now: float) -> None:
        """Let an attendee in, in place of whoever has its id; the JOIN is answered before this returns."""
        stage = self.stage
        stage.demote(socket)
        presence = self._enter(socket, socket.attendee_id, socket.external_user_id)
        at_capacity = stage is not self
        roster = stage.roster.everybody
        if at_capacity:
            roster.append(presence.attendee)
        else:
            socket.presence = presence
        self.sockets[socket] = None
        replay = stage.kept.replay(Author(socket.attendee_id, socket.session_id), now)
        socket.admit(Opening(roster, len(stage.roster), at_capacity, replay))
        if stage._announced != len(stage.roster):
            stage._announce_index()
        stage.turn.enter(socket, _view(socket, at_capacity))

    def leave(self, socket: AttendeeSocket) -> None:
        """An attendee has left."""
        if socket in self.sockets:
            self.stage.demote(socket)
            self._detach(socket)
            presence = self.roster.find(socket.attendee_id)
            if presence is not None and presence.socket is socket:
                self.tell(self.roster.leave(presence))

    def lose(self, socket: AttendeeSocket) -> Presence[AttendeeSocket] | None:
        """The connection of an attendee is gone. Return who is expected back, until `drop`."""
        if socket not in self.sockets:
            return None
        # A client that comes back has to be promoted again, so nobody waits for it in the primary meeting.
        self.stage.demote(socket, dropped=True)
        self._detach(socket)
        presence = self.roster.find(socket.attendee_id)
        if presence is None or presence.socket is not socket:
            return None
        presence.socket = None
        return presence

    def drop(self, presence: Presence[AttendeeSocket]) -> None:
        """An attendee who was expected back has not come."""
        if presence.socket is None:
            self.tell(self.roster.leave(presence, dropped=True))

    def mute(self, socket: AttendeeSocket, muted: bool) -> None:
        """An attendee is muted, or not any more."""
        presence = socket.presence
        if presence is not None:
            self.stage.tell(self.stage.roster.mute(presence, muted))

    def remove(self, attendee_id: str) -> None:
        """An attendee was deleted."""
        presence = self.roster.find(attendee_id)
        if presence is None:
            return
        socket = presence.socket
        if socket is None:
            self.tell(self.roster.leave(presence))
        elif socket in self.sockets:
            self._expel(socket, _STATUS_REMOVED, ATTENDEE_UNAVAILABLE, "the attendee was removed")
        else:
            self.demote(socket)
            socket.demote()

    def end(self) -> None:
        """The meeting is over, for everybody in it."""
        self.kept.clear()
        for presence in self.roster:
            if presence.socket is not None and presence.socket not in self.sockets:
                self.demote(presence.socket)
                presence.socket.demote()
        self.flush()
        for socket in tuple(self.sockets):
            self._detach(socket)
            _say_goodbye(socket, _STATUS_ENDED, MEETING_ENDED, "the meeting has ended")
        for presence in self.roster:
            self.roster.leave(presence)

    def _expel(self, socket: AttendeeSocket, status: int, code: int, reason: str) -> None:
        """Put an attendee out, after what it was to get before."""
        self.flush()
        self.leave(socket)
        _say_goodbye(socket, status, code, reason)

    # Primary meeting

    def promote(self, socket: AttendeeSocket, attendee_id: str, external_user_id: str) -> None:
        """Let an attendee of a replica speak here, as an attendee of this meeting."""
        self.demote(socket)
        socket.presence = self._enter(socket, attendee_id, external_user_id)
        self.turn.enter(socket, _view(socket, at_capacity=False))
        self._announce_index()

    def demote(self, socket: AttendeeSocket, *, dropped: bool = False) -> None:
        """Take an attendee of a replica back to the audience. Does nothing for others."""
        presence = socket.presence
        if presence is not None and socket not in self.sockets:
            self.tell(self.roster.leave(presence, dropped=dropped))
            self._back_to_audience(socket)

    def _back_to_audience(self, socket: AttendeeSocket) -> None:
        socket.presence = None
        if socket in self.turn:
            self.turn.enter(socket, _view(socket, at_capacity=True))
            self._announce_index()

    # Data messages

    def submit(self, socket: AttendeeSocket, message: DataMessage, now: float) -> Verdict:
        """Take a message that was checked, and give it to everybody else."""
        presence, stage = socket.presence, self.stage
        if presence is None:
            self.give_back(socket, message)
            return Verdict.THROTTLED
        if stage._throttle is not None and presence.bucket is not None:
            verdict = stage._throttle.judge(presence.bucket, now)
            if verdict is not Verdict.DELIVER:
                if verdict is Verdict.THROTTLED:
                    self.give_back(socket, message)
                return verdict
        stage._deliver(message, presence, socket, now)
        return Verdict.DELIVER

    def announce(self, topic: str, data: bytes) -> None:
        """Give everybody a message of the service itself."""
        framed = self._frames.encode_data(DataMessage(topic, data), "", "", self._frames.ingest())
        self.turn.add(framed, Kind.DATA)
        self._wake(self, True)

    def _deliver(
        self, message: DataMessage, presence: Presence[AttendeeSocket], socket: AttendeeSocket, now: float
    ) -> None:
        frames = self._frames
        framed = frames.encode_data(message, presence.attendee_id, presence.external_user_id, frames.ingest())
        if message.lifetime_ms:
            author = Author(socket.attendee_id, socket.session_id)
            self.kept.add(framed, author, message.lifetime_ms / 1000, now)
        self.turn.add(framed, Kind.DATA, socket)
        self._wake(self, True)

    def give_back(self, socket: AttendeeSocket, message: DataMessage) -> None:
        """Give a message back to its sender, as throttled."""
        socket.write(self._frames.encode_data(message, socket.attendee_id, socket.external_user_id, 0))

    # What is told

    def tell(self, frames: Sequence[SignalFrame]) -> None:
        """Tell everybody on this stage what changed in the roster. Nobody sees who is in a replica."""
        if frames and self.primary is None:
            for frame in frames:
                self.turn.add(self._frames.encode(frame), Kind.ROSTER)
            self._wake(self, False)

    def flush(self) -> tuple[int, int]:
        """Write what waits. Return the number of writes, and of frames given to sockets."""
        stage = self.stage
        if stage._announced != len(stage.roster):
            stage._announce_index()
        return stage.turn.flush()

    def _announce_index(self) -> None:
        self._announced = len(self.roster)
        kinds = [Kind.OPEN_INDEX, Kind.FULL_INDEX] if self.replicas else [Kind.OPEN_INDEX]
        for kind in kinds:
            frame = signal_frames.index(
                participants=self._announced, at_capacity=kind is Kind.FULL_INDEX, codecs=ALL_CODECS
            )
            self.turn.add(self._frames.encode(frame), kind)
        self._wake(self, False)

    # Inside

    def _enter(self, socket: AttendeeSocket, attendee_id: str, external_user_id: str) -> Presence[AttendeeSocket]:
        """Give a socket its place in the roster, and put out who had it."""
        older = self.roster.find(attendee_id)
        same = older is not None and older.session_id == socket.session_id and socket.session_id is not None
        presence = Presence[AttendeeSocket](
            attendee_id,
            external_user_id,
            socket.session_id,
            older.bucket if older is not None else self._new_bucket(),
            socket,
            muted=older.muted if older is not None and same else False,
        )
        if older is not None and older.socket is not None and older.socket is not socket:
            self._take_over(older.socket, same)
        self.tell(self.roster.enter(presence))
        return presence

    def _take_over(self, socket: AttendeeSocket, same_session: bool) -> None:
        self.flush()
        if socket not in self.sockets:
            self._back_to_audience(socket)
            socket.demote()
            return
        self._detach(socket)
        if same_session:
            socket.abort()
        else:
            _say_goodbye(socket, _STATUS_JOINED_ELSEWHERE, JOINED_ELSEWHERE, "joined from another device")

    def _detach(self, socket: AttendeeSocket) -> None:
        self.sockets.pop(socket, None)
        self.turn.remove(socket)
        socket.presence = None

    def _new_bucket(self) -> TokenBucket | None:
        throttle = self.stage._throttle
        return throttle.attendee() if throttle is not None else None


def _say_goodbye(socket: AttendeeSocket, status: int, code: int, reason: str) -> None:
    socket.notify_status(status)
    socket.close(code, reason)


def _view(socket: AttendeeSocket, at_capacity: bool) -> View:
    if socket.wants_roster and not at_capacity:
        return _EVERYTHING
    kinds = {Kind.DATA, Kind.FULL_INDEX if at_capacity else Kind.OPEN_INDEX}
    if socket.wants_roster:
        kinds.add(Kind.ROSTER)
    return frozenset(kinds)
