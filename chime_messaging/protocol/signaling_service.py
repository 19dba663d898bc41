"""The state machine of a meeting's signalling, in the service role, for one connection. The client's is in `signaling`.

The shell hands in what was received and hands on what happened; it writes what `take` returns, calls `expire` when
`deadline` passes, and closes the socket as soon as `closed` is set, after writing. What many connections get alike is
built once by the shell (`signal_frames`, `wire.signaling.encode`) and goes out through `deliver`, which says whether it
may be sent now.

A JOIN is answered once: by `accept`, by `refuse` or by `close`. Between JOIN and its answer, and before JOIN, nothing
but pings goes out. A client that stays connected may join again on the same socket; that is answered anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from chime_messaging.errors import ConnectionClosed, ProtocolError, UsageError
from chime_messaging.meeting_events import DataMessage, RosterAttendee, TurnCredentials, VideoSource
from chime_messaging.protocol import signal_frames as frames
from chime_messaging.protocol.ping_pong import PingPong
from chime_messaging.protocol.reconnect import NORMAL
from chime_messaging.protocol.session_status import ABNORMAL, BAD_REQUEST
from chime_messaging.protocol.signaling_states import SERVER_TRANSITIONS, ServerSignal
from chime_messaging.protocol.signaling_states import ServerState as ServerState
from chime_messaging.wire import signaling_pb2 as pb
from chime_messaging.wire.signaling import MAX_FRAME_BYTES, SERVER_PREFIX, JoinFlags, decode, encode
from chime_messaging.wire.signaling_pb2 import SignalFrame

SILENCE_TIMEOUT = 300.0
"""Seconds after which a client that has no ping-pong, as the official one in C++, is cut off if it says nothing."""


_LISTENING = frozenset({ServerState.OPEN, ServerState.JOINING, ServerState.JOINED})


class Happening(msgspec.Struct, frozen=True):
    """Base of what a client did."""


class JoinRequested(Happening, frozen=True):
    """JOIN. Answer with `accept`, `refuse`, or `close` (4403, 4410). It may come again on the same socket."""

    audio_session_id: int | None
    flags: JoinFlags
    max_num_of_videos: int | None
    wants_compressed_sdp: bool
    client_source: str
    refuses_key_frame_requests: bool = False
    """``disable_periodic_keyframe_request_on_content_sender``."""


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

    def __repr__(self) -> str:
        return f"PromotionRequested(attendee_id={self.attendee_id!r})"


class Demoted(Happening, frozen=True):
    """PRIMARY_MEETING_LEAVE of the client."""


class Left(Happening, frozen=True):
    """LEAVE; LEAVE_ACK waits in `take`. Write it, then close the socket with `closed`."""


class Silent(Happening, frozen=True):
    """The client did not answer a ping, or never joined; the connection is CLOSED, `closed` says how."""

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
        ping_grace: Seconds that a ping may go unanswered; then the connection is cut (1006: no close frame).
        join_timeout: Seconds from the upgrade to JOIN, None for ever; clients may warm up a socket long before they
            join.
        max_frame_bytes: Larger frames are skipped.
    """

    def __init__(
        self,
        *,
        wall_clock: float = 0.0,
        ping_interval: float = 10.0,
        ping_grace: float = 10.0,
        join_timeout: float | None = 600.0,
        max_frame_bytes: int = MAX_FRAME_BYTES,
    ) -> None:
        self.state = ServerState.OPEN
        self.closed: ConnectionClosed | None = None
        """Code and reason to close with, once the connection is over. 1006 means cut: no close frame."""
        self.flags = JoinFlags(0)
        """Of the latest JOIN; roster frames only go to those with HAS_STREAM_UPDATE."""
        self._wall_clock = wall_clock
        self._pings = PingPong(ping_interval)
        self._ping_grace = ping_grace
        self._join_timeout = join_timeout
        self._max_frame_bytes = max_frame_bytes
        self._join_limit: float | None = None
        self._speaks_ping_pong = False
        self._heard = 0.0
        self._wants_compressed_sdp = False
        self._outgoing: list[bytes] = []

    @property
    def deadline(self) -> float | None:
        """When `expire` is due; None for never."""
        if self.state not in _LISTENING:
            return None
        due = self._pings.sent + self._ping_grace if self._is_waiting_for_pong else self._pings.due
        return due if self._join_limit is None else min(due, self._join_limit)

    @property
    def wants_roster(self) -> bool:
        """Whether the client is joined and asked for AUDIO_STREAM_ID_INFO frames."""
        return self.state is ServerState.JOINED and JoinFlags.HAS_STREAM_UPDATE in self.flags

    # --- what the client says ------------------------------------------------------------------------------------

    def opened(self, now: float) -> None:
        """Say that the upgrade is done."""
        self._pings.begin(now)
        self._heard = now
        self._join_limit = None if self._join_timeout is None else now + self._join_timeout

    def receive(self, received: Sequence[bytes | str], now: float) -> list[Happening]:
        """Take frames, in their order; pings are answered by themselves."""
        happenings: list[Happening] = []
        self._heard = now
        for data in received:
            if self.state not in _LISTENING:
                break
            try:
                frame = decode(data, max_bytes=self._max_frame_bytes)
            except ProtocolError as exc:
                happenings.append(FrameSkipped(str(exc)))
                continue
            happening = self._take_in(frame, now) if frame is not None else FrameSkipped("unknown type")
            if happening is not None:
                happenings.append(happening)
        return happenings

    def expire(self, now: float) -> list[Happening]:
        """Say that `deadline` has passed: a ping is written, or the connection is over. Harmless when it has not."""
        deadline = self.deadline
        if deadline is None or now < deadline:
            return []
        if self._join_limit is not None and now >= self._join_limit:
            return self._silent(BAD_REQUEST, f"no JOIN within {self._join_timeout:g} s")
        if self._is_waiting_for_pong:
            return self._silent(ABNORMAL, f"ping {self._pings.ping_id} unanswered for {self._ping_grace:g} s")
        if not self._speaks_ping_pong and now >= self._heard + SILENCE_TIMEOUT:
            return self._silent(ABNORMAL, f"silent for {SILENCE_TIMEOUT:g} s")
        self._write(frames.ping(self._pings.ping(now)), now)
        return []

    # --- what the service says -----------------------------------------------------------------------------------

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
        replayed: Iterable[bytes] = (),
    ) -> None:
        """Answer JOIN: JOIN_ACK, the complete roster if the client wants it, INDEX, stored data messages.

        Raises:
            UsageError: if no JOIN is unanswered.
        """
        self._move(ServerSignal.ACCEPT)
        self._write(frames.join_ack(turn=turn, wants_compressed_sdp=self._wants_compressed_sdp), now)
        if JoinFlags.HAS_STREAM_UPDATE in self.flags:
            self._write(frames.roster(roster), now)
        index = frames.index(participants=participants, at_capacity=at_capacity, sources=sources, codecs=codecs)
        self._write(index, now)
        self._outgoing += replayed

    def refuse(self, now: float, status: int, description: str, *, code: int = BAD_REQUEST) -> None:
        """Answer JOIN with a JOIN_ACK that carries an error, and close.

        Raises:
            UsageError: if no JOIN is unanswered.
        """
        if self.state is not ServerState.JOINING:
            raise UsageError(f"a connection that is {self.state.value} has no JOIN to refuse")
        self._write(frames.with_error(frames.join_ack(), status, description), now)
        self.close(code, description)

    def deliver(self, encoded: Sequence[bytes]) -> Sequence[bytes]:
        """Return frames that were built once for many, if they may be sent now: only while JOINED.

        They are not put behind what waits in `take`; write that first.
        """
        return encoded if self.state is ServerState.JOINED else ()

    def write(self, frame: SignalFrame, now: float) -> bool:
        """Write a frame for this connection alone, for example a throttled message or SUBSCRIBE_ACK.

        Returns:
            False, and nothing is written, unless JOINED.
        """
        if self.state is not ServerState.JOINED:
            return False
        self._write(frame, now)
        return True

    def audio_status(self, status: int, now: float) -> None:
        """Write AUDIO_STATUS if JOINED: 301 joined elsewhere, 410 meeting ended, 411 attendee removed. Then close."""
        self.write(frames.audio_status(status), now)

    def promoted(self, now: float, *, status: int = 200, description: str = "") -> None:
        """Answer PRIMARY_MEETING_JOIN; any status but 200 is an error."""
        frame = frames.primary_meeting_join_ack()
        self.write(frame if status == 200 else frames.with_error(frame, status, description), now)

    def demote(self, now: float) -> None:
        """Put the attendee out of the primary meeting."""
        self.write(frames.primary_meeting_leave(), now)

    def close(self, code: int, reason: str = "") -> ConnectionClosed:
        """Say that the connection is over; the first call says why. What waits in `take` may still be written."""
        self._move(ServerSignal.CLOSE)
        self.closed = self.closed or ConnectionClosed(code, reason, "us")
        return self.closed

    def take(self) -> list[bytes]:
        """Return the frames to write, in order, and forget them."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    # --- what follows --------------------------------------------------------------------------------------------

    def _take_in(self, frame: SignalFrame, now: float) -> Happening | None:
        kind = frame.type
        if kind == SignalFrame.DATA_MESSAGE:
            return self._data(frame)
        if kind == SignalFrame.PING_PONG:
            return self._ping_pong(frame, now)
        if kind == SignalFrame.JOIN:
            return self._join(frame)
        if kind == SignalFrame.LEAVE:
            self._move(ServerSignal.LEAVE)
            self._write(frames.leave_ack(), now)
            self.closed = ConnectionClosed(NORMAL, "left", "us")
            return Left()
        if self.state is not ServerState.JOINED:
            return FrameSkipped(f"{SignalFrame.Type.Name(kind)} from a client that is {self.state.value}")
        if kind == SignalFrame.AUDIO_CONTROL:
            return MuteChanged(frame.audio_control.muted)
        if kind == SignalFrame.PRIMARY_MEETING_JOIN:
            given = frame.primary_meeting_join.credentials
            return PromotionRequested(given.attendee_id, given.external_user_id, given.join_token)
        if kind == SignalFrame.PRIMARY_MEETING_LEAVE:
            return Demoted()
        if kind in _OF_MEDIA:
            return FrameReceived(frame)
        return FrameSkipped(f"{SignalFrame.Type.Name(kind)} from a client")

    def _join(self, frame: SignalFrame) -> Happening:
        if not frame.HasField("join"):
            return FrameSkipped("JOIN without a body")
        if self.state is ServerState.JOINING:
            return FrameSkipped("JOIN while one is unanswered")
        self._move(ServerSignal.JOIN)
        body = frame.join
        self._join_limit = None
        self.flags = JoinFlags(body.flags)
        self._wants_compressed_sdp = body.wants_compressed_sdp
        return JoinRequested(
            body.audio_session_id if body.HasField("audio_session_id") else None,
            self.flags,
            body.max_num_of_videos if body.HasField("max_num_of_videos") else None,
            body.wants_compressed_sdp,
            body.client_details.client_source,
            body.disable_periodic_keyframe_request_on_content_sender,
        )

    def _data(self, frame: SignalFrame) -> Happening:
        if self.state is not ServerState.JOINED:
            return FrameSkipped(f"DATA_MESSAGE from a client that is {self.state.value}")
        return DataSubmitted(
            tuple(
                DataMessage(body.topic, body.data, lifetime_ms=body.lifetime_ms) for body in frame.data_message.messages
            )
        )

    def _ping_pong(self, frame: SignalFrame, now: float) -> Happening | None:
        if not frame.HasField("ping_pong"):
            return FrameSkipped("PING_PONG without a body")
        self._speaks_ping_pong = True
        body = frame.ping_pong
        if body.type == pb.PingPongFrame.PING:
            self._write(frames.pong(body.ping_id), now)
        else:
            self._pings.pong(body.ping_id, now)
        return None

    @property
    def _is_waiting_for_pong(self) -> bool:
        return self._speaks_ping_pong and not self._pings.is_answered

    def _silent(self, code: int, reason: str) -> list[Happening]:
        self.close(code, reason)
        return [Silent(reason)]

    def _write(self, frame: SignalFrame, now: float) -> None:
        frame.timestamp_ms = max(0, int((now + self._wall_clock) * 1000))
        self._outgoing.append(encode(frame, SERVER_PREFIX))

    def _move(self, signal: ServerSignal) -> None:
        target = SERVER_TRANSITIONS[self.state].get(signal)
        if target is None:
            raise UsageError(f"a connection that is {self.state.value} cannot take the signal {signal.value!r}")
        self.state = target


_OF_MEDIA = frozenset(
    {
        SignalFrame.SUBSCRIBE,
        SignalFrame.PAUSE,
        SignalFrame.RESUME,
        SignalFrame.CLIENT_METRIC,
        SignalFrame.REMOTE_VIDEO_UPDATE,
        SignalFrame.MEETING_SESSION_TIMING,
    }
)
