"""One meeting while it is live: who is present, what they say, and what is kept for those who come later.

Nothing of this is stored. After a restart the attendees come back with the tokens they have, and the roster fills
again. An attendee is present from its JOIN on, as there is no media that it could show itself by.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import cast

from chime_messaging.ids import CONTENT_SUFFIX
from chime_messaging.meeting_events import DataMessage
from chime_messaging.protocol.data_messages import MeetingThrottle, TokenBucket, Verdict
from chime_messaging.protocol.session_status import ATTENDEE_UNAVAILABLE, MEETING_ENDED
from chime_messaging.server.attendee_socket import AttendeeSocket, Opening
from chime_messaging.server.kept_messages import Author, KeptMessages
from chime_messaging.server.lingering_media import LingeringMedia
from chime_messaging.server.media import ALL_CODECS, MediaService, MeetingMedia
from chime_messaging.server.meeting_frames import MeetingFrames
from chime_messaging.server.meeting_index import index_frames, index_view, view_of
from chime_messaging.server.meeting_roster import Presence, Roster
from chime_messaging.server.party import Capabilities, Party
from chime_messaging.server.turn import Kind, Turn
from chime_messaging.wire.signaling_pb2 import SignalFrame

JOINED_ELSEWHERE = 4409
"""Close code after AUDIO_STATUS 301; ours, as the live one is not known. Clients have stopped by then."""

_STATUS_JOINED_ELSEWHERE = 301
_STATUS_ENDED = 410
_STATUS_REMOVED = 411


class LiveMeeting:
    """One live meeting.

    Args:
        meeting_id: of the meeting.
        frames: makes frames of what is told.
        wake: called when there is something to flush; True if it should not wait long.
        throttle: judges its data messages; None lets everything pass.
        primary: the live meeting that this one replicates. Its attendees are the audience then: they see and hear
            what happens there, nobody sees them, and they have nothing to say unless they are promoted.
        media: of the server; None for data messages only.
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
        media: MediaService | None = None,
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
        self._is_index_old = False
        self._arriving: dict[str, Presence[AttendeeSocket]] = {}
        self._lingering = LingeringMedia()
        self.media: MeetingMedia | None = media.meeting(self) if media is not None and primary is None else None
        """Of a meeting that is no replica, on a server with media."""
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
        if self._find(attendee_id) is not None or attendee_id.endswith(CONTENT_SUFFIX):
            return True
        ids = [presence.attendee_id for presence in (*self.roster, *self._arriving.values())]
        return sum(not each.endswith(CONTENT_SUFFIX) for each in ids) < capacity

    @property
    def participants(self) -> int:
        """How many are in the meeting, those included of whom no audio has come yet."""
        return len(self.roster) + len(self._arriving)

    # Coming and going

    def join(self, socket: AttendeeSocket, now: float) -> None:
        """Let an attendee in, in place of whoever has its id; the JOIN is answered before this returns."""
        stage = self.stage
        stage.demote(socket)
        if socket.media is not None:
            # It joins again on the same socket.
            socket.media.close()
            socket.media = None
        # Who was here before stays, whether its audio has come back yet or not.
        waits = self.media is not None and socket.brings_media
        presence = self._enter(socket, socket.attendee_id, socket.external_user_id, waits=waits)
        roster = stage.roster.everybody
        if stage is not self:
            roster.append(presence.attendee)
        else:
            socket.presence = presence
        self.sockets[socket] = None
        replay = stage.kept.replay(Author(socket.attendee_id, socket.session_id), now)
        view, media = index_view(socket.party, stage.media), stage.media
        sources = view.select(media.sources) if media is not None else ()
        codecs = media.codecs if media is not None else ALL_CODECS
        socket.admit(Opening(roster, stage.participants, view.at_capacity, replay, sources, codecs))
        if stage._announced != stage.participants:
            stage._announce_index()
        if media is not None and socket.brings_media:
            socket.media = media.join(socket, socket.party)
        stage.turn.enter(socket, view_of(socket, media))

    def leave(self, socket: AttendeeSocket) -> None:
        """An attendee has left."""
        if socket in self.sockets:
            self.stage.demote(socket)
            self._detach(socket)
            self._lingering.let_go(socket.attendee_id)
            presence = self.roster.find(socket.attendee_id)
            if presence is not None and presence.socket is socket:
                self.tell(self.roster.leave(presence))

    def lose(self, socket: AttendeeSocket) -> Presence[AttendeeSocket] | None:
        """The connection of an attendee is gone. Return who is expected back, until `drop`."""
        if socket not in self.sockets:
            return None
        # A client that comes back has to be promoted again, so nobody waits for it in the primary meeting.
        self.stage.demote(socket, dropped=True)
        media, socket.media = socket.media, None
        self._detach(socket)
        self._lingering.keep(socket.attendee_id, media)
        presence = self.roster.find(socket.attendee_id)
        if presence is None or presence.socket is not socket:
            self._lingering.let_go(socket.attendee_id)
            return None
        presence.socket = None
        return presence

    def drop(self, presence: Presence[AttendeeSocket]) -> None:
        """An attendee who was expected back has not come."""
        if presence.socket is None:
            self._lingering.let_go(presence.attendee_id)
            self.tell(self.roster.leave(presence, dropped=True))

    def mute(self, socket: AttendeeSocket, muted: bool) -> None:
        """An attendee is muted, or not any more."""
        presence = socket.presence
        if socket.media is not None:
            socket.media.mute(muted)
        if presence is not None and presence in self.stage.roster:
            self.stage.tell(self.stage.roster.mute(presence, muted))
        elif presence is not None:
            presence.muted = muted

    def remove(self, attendee_id: str) -> None:
        """An attendee was deleted."""
        self._lingering.let_go(attendee_id)
        presence = self._find(attendee_id)
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
        self.close()

    def close(self) -> None:
        """Stop what media there is: the meeting is not live any more."""
        self._lingering.close()
        if self.media is not None:
            self.media.close()

    def _expel(self, socket: AttendeeSocket, status: int, code: int, reason: str) -> None:
        """Put an attendee out, after what it was to get before."""
        self.flush()
        self.leave(socket)
        _say_goodbye(socket, status, code, reason)

    # Primary meeting

    def promote(self, socket: AttendeeSocket, party: Party) -> None:
        """Let an attendee of a replica speak here, as an attendee of this meeting."""
        self.demote(socket)
        socket.presence = self._enter(socket, party.attendee_id, party.external_user_id)
        self._become(socket, party)

    def demote(self, socket: AttendeeSocket, *, dropped: bool = False) -> None:
        """Take an attendee of a replica back to the audience. Does nothing for others."""
        presence = socket.presence
        if presence is not None and socket not in self.sockets:
            self.tell(self.roster.leave(presence, dropped=dropped))
            self._back_to_audience(socket)

    def _back_to_audience(self, socket: AttendeeSocket) -> None:
        socket.presence = None
        if socket in self.turn:
            ids, party = (socket.attendee_id, socket.external_user_id), socket.party
            self._become(socket, replace(party, attendee_id=ids[0], external_user_id=ids[1], audience=True))

    def _become(self, socket: AttendeeSocket, party: Party) -> None:
        socket.party = party
        if socket.media is not None:
            socket.media.change(party)
        self.turn.review(socket, view_of(socket, self.media))
        self._announce_index()

    # Media

    def allow(self, attendee_ids: Iterable[str], capabilities: Capabilities) -> None:
        """Attendees may send and receive something else from now on."""
        for attendee_id in attendee_ids:
            for each in (attendee_id, attendee_id + CONTENT_SUFFIX):
                presence = self._find(each)
                if presence is not None and presence.socket is not None:
                    socket = presence.socket
                    self.stage._become(socket, replace(socket.party, capabilities=capabilities))

    def appear(self, socket: AttendeeSocket) -> None:
        """The first audio of an attendee came, or it brings none: everybody is told that it is there."""
        presence = socket.presence
        if presence is not None and self._arriving.get(presence.attendee_id) is presence:
            del self._arriving[presence.attendee_id]
            self.tell(self.roster.enter(presence))
        if presence is not None:
            self._lingering.let_go(presence.attendee_id)

    def vanish(self, socket: AttendeeSocket) -> None:
        """Nothing came from an attendee for long."""
        presence = socket.presence
        if presence is not None and presence in self.roster:
            self.tell(self.roster.leave(presence, dropped=True))
            self._arriving[presence.attendee_id] = presence

    def refresh_index(self) -> None:
        """Have an INDEX written with the next flush."""
        self._is_index_old = True
        self._wake(self, False)

    def tell_media(self, frame: SignalFrame) -> None:
        """Give a frame to everybody with media."""
        self.turn.add(self._frames.encode(frame), Kind.MEDIA)
        self._wake(self, True)

    def stream_id_of(self, attendee_id: str) -> int | None:
        """Give the number of an attendee's audio stream."""
        presence = self.roster.find(attendee_id)
        return presence.stream_id if presence is not None else None

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
        if stage._announced != stage.participants or stage._is_index_old:
            stage._announce_index()
        return stage.turn.flush()

    def _announce_index(self) -> None:
        """Queue an INDEX for everybody, encoded once for all who see the same."""
        self._announced, self._is_index_old = self.participants, False
        if self.media is not None:
            for socket in self.turn.sockets:
                self.turn.review(socket, view_of(cast("AttendeeSocket", socket), self.media))
        for view, frame in index_frames(self.turn.views, self._announced, self.media):
            self.turn.add(self._frames.encode(frame), view)
        self._wake(self, False)

    # Inside

    def _find(self, attendee_id: str) -> Presence[AttendeeSocket] | None:
        return self.roster.find(attendee_id) or self._arriving.get(attendee_id)

    def _enter(
        self, socket: AttendeeSocket, attendee_id: str, external_user_id: str, *, waits: bool = False
    ) -> Presence[AttendeeSocket]:
        """Give a socket its place in the roster, or beside it until `appear`, and put out who had it."""
        older = self._find(attendee_id)
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
        if waits and self.roster.find(attendee_id) is None:
            self._arriving[attendee_id] = presence
        else:
            self.tell(self.roster.enter(presence))
        return presence

    def _take_over(self, socket: AttendeeSocket, same_session: bool) -> None:
        self.flush()
        if socket not in self.sockets:
            self._back_to_audience(socket)
            socket.demote()
            return
        media, socket.media = socket.media, None
        self._detach(socket)
        if same_session:
            self._lingering.keep(socket.attendee_id, media)
        elif media is not None:
            media.close()
        if same_session:
            socket.abort()
        else:
            _say_goodbye(socket, _STATUS_JOINED_ELSEWHERE, JOINED_ELSEWHERE, "joined from another device")

    def _detach(self, socket: AttendeeSocket) -> None:
        self.sockets.pop(socket, None)
        self.turn.remove(socket)
        presence, socket.presence = socket.presence, None
        if presence is not None and self._arriving.get(presence.attendee_id) is presence:
            del self._arriving[presence.attendee_id]
        media, socket.media = socket.media, None
        if media is not None:
            media.close()

    def _new_bucket(self) -> TokenBucket | None:
        throttle = self.stage._throttle
        return throttle.attendee() if throttle is not None else None


def _say_goodbye(socket: AttendeeSocket, status: int, code: int, reason: str) -> None:
    socket.notify_status(status)
    socket.close(code, reason)
