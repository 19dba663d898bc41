"""The state machine of a meeting's signalling, in the client role. The service role is in `signaling_service`.

Theory of operation. One object is one session over all its connections. The shell tells it what happened (`opened`,
`receive`, `lost`, `expire`, `leave`), always with the present time, hands on the events that come back, and writes what
`take` returns. What the shell has to do next is told by `state` alone: CONNECTING - open the socket; JOINING, JOINED
and LEAVING - receive; WAITING - close the socket if it is open, then nothing until `deadline`; STOPPED - close the
socket and leave. Whatever the state, when `deadline` passes the shell calls `expire`.

A socket that opens is no success, nor is JOIN_ACK: the service takes the upgrade first and looks at the attendee
afterwards, and the first INDEX is what completes the join. Only that resets the back-off and the deadline of the tries.
Roster and data messages may come before it and are told as they come. Statuses of the service (errors of frames, audio
statuses, close codes) all become a `MeetingSessionStatusCode`, whose flags decide: terminal ends the session, a failure
that is not terminal makes it reconnect, everything else is told. Every start ends in exactly one
`MeetingSessionStopped`: it is made where the table leads to STOPPED, and no way leads out of there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from google.protobuf.message import DecodeError as ProtobufDecodeError

from chime_messaging.errors import (
    ConnectError,
    ConnectionClosed,
    ProtocolError,
)
from chime_messaging.events import Event
from chime_messaging.meeting_events import (
    AudioStatusReceived,
    MeetingSessionConnecting,
    MeetingSessionStarted,
    MeetingSessionStatusCode,
    PongMissed,
    PongReceived,
    RosterAttendee,
    SignalFrameReceived,
)
from chime_messaging.protocol import signal_frames as frames
from chime_messaging.protocol.ping_pong import PingPong
from chime_messaging.protocol.reconnect import Backoff, is_retryable
from chime_messaging.protocol.roster import Roster
from chime_messaging.protocol.session_status import (
    ABNORMAL,
    Phase,
    from_audio_status,
    from_close_code,
    from_error_status,
)
from chime_messaging.protocol.signal_events import (
    add_data_messages,
    read_index,
    read_join_ack,
    read_notification,
    read_undecodable,
    read_unknown,
)
from chime_messaging.protocol.signaling_life import SignalingLife
from chime_messaging.protocol.signaling_states import Signal
from chime_messaging.protocol.signaling_states import State as State
from chime_messaging.wire import signaling_pb2 as pb
from chime_messaging.wire.signaling import CLIENT_PREFIX, data_body, decode, encode
from chime_messaging.wire.signaling_pb2 import SignalFrame

_CONNECTED = frozenset({State.JOINING, State.JOINED, State.LEAVING})
_AT_REST = frozenset({State.IDLE, State.WAITING, State.STOPPED})


class SignalingClientProtocol(SignalingLife):
    """The client role. One object is one session, over all its connections.

    Args:
        attendee_id: This session's attendee.
        options: What stands in JOIN.
        wall_clock: What to add to `now` to get seconds since the epoch; frames are stamped with it.
        backoff: How long to wait between tries.
        reconnect_timeout: Seconds that the tries may go on before the session ends; None for ever.
        join_timeout: Seconds from the open socket to the first INDEX.
        leave_timeout: Seconds from LEAVE to LEAVE_ACK.
        ping_interval: Seconds between two pings.
        max_missed_pongs: Pings in a row that may go unanswered; then the connection counts as lost.
        settles_by_index: Whether the first INDEX establishes the session; if not, `settle` has to be called.
    """

    def __init__(
        self,
        attendee_id: str,
        options: frames.JoinOptions,
        *,
        wall_clock: float = 0.0,
        backoff: Backoff | None = None,
        reconnect_timeout: float | None = 120.0,
        join_timeout: float = 15.0,
        leave_timeout: float = 2.0,
        ping_interval: float = 10.0,
        max_missed_pongs: int = 4,
        settles_by_index: bool = True,
    ) -> None:
        super().__init__(backoff or Backoff(), reconnect_timeout)
        self.attendee_id = attendee_id
        self._options = options
        self._wall_clock = wall_clock
        self._join_timeout = join_timeout
        self._leave_timeout = leave_timeout
        self._pings = PingPong(ping_interval)
        self._max_missed_pongs = max_missed_pongs
        self._settles_by_index = settles_by_index
        self._roster = Roster(attendee_id)
        self._outgoing: list[bytes] = []
        self._handlers: Mapping[int, Callable[[SignalFrame, float, float], list[Event]]] = {
            SignalFrame.JOIN_ACK: self._join_ack,
            SignalFrame.INDEX: self._index,
            SignalFrame.AUDIO_STREAM_ID_INFO: self._audio_stream_id_info,
            SignalFrame.PING_PONG: self._ping_pong,
            SignalFrame.AUDIO_STATUS: self._audio_status,
            SignalFrame.LEAVE: self._left_by_service,
            SignalFrame.LEAVE_ACK: self._leave_ack,
            SignalFrame.NOTIFICATION: self._notification,
            SignalFrame.PRIMARY_MEETING_JOIN_ACK: self._primary_meeting_join_ack,
            SignalFrame.PRIMARY_MEETING_LEAVE: self._primary_meeting_leave,
        }

    @property
    def deadline(self) -> float | None:
        """When `expire` is due; None for never."""
        if self.state not in _CONNECTED:
            return self._limit
        limits = (self._limit, self._promotion.deadline, self._pings.due)
        return min(limit for limit in limits if limit is not None)

    @property
    def is_promoted(self) -> bool:
        """Whether this attendee is in the primary meeting."""
        return self._promotion.is_promoted

    @property
    def attendees(self) -> Mapping[str, RosterAttendee]:
        """The roster, by attendee id; it stays as it was while the session is not connected."""
        return self._roster.attendees

    # --- what the shell says -------------------------------------------------------------------------------------

    def opened(self, now: float) -> list[Event]:
        """Say that the socket is open; PING and JOIN wait in `take`."""
        self._move(Signal.OPENED)
        self._outgoing.clear()
        self._roster.reconnect()
        self._pings.begin(now)
        self._limit = now + self._join_timeout
        self.write(frames.ping(self._pings.ping(now)), now)
        self.write(frames.join(self._options), now)
        return []

    def receive(self, received: Sequence[str | bytes], now: float, jitter: float) -> list[Event]:
        """Take the frames that arrived, in their order.

        Args:
            received: Websocket messages.
            now: The present time, in seconds.
            jitter: Random number, at least 0 and below 1, for the wait if a frame makes the session reconnect.
        """
        events: list[Event] = []
        if self.state not in _CONNECTED:
            return events
        plain: list[bytes] = []
        for position, data in enumerate(received):
            body = data_body(data)
            if body is not None:
                plain.append(body)
                continue
            if plain:
                self._receive_data(plain, received[position - len(plain) : position], events)
                plain = []
            if not self._receive_other(data, now, jitter, events):
                return events
        if plain:
            self._receive_data(plain, received[-len(plain) :], events)
        return events

    def lost(self, error: Exception, now: float, jitter: float) -> list[Event]:
        """Say that the connection closed, or could not be made.

        Args:
            error: Why: `ConnectionClosed` with its code, or what the connector raised.
            now: The present time, in seconds.
            jitter: Random number, at least 0 and below 1.
        """
        if self.state in _AT_REST:
            return []
        if self.state is State.LEAVING:
            return self._end(MeetingSessionStatusCode.LEFT, None)
        if isinstance(error, ConnectionClosed):
            phase = Phase.JOINED if self.state is State.JOINED else Phase.JOINING
            return self._take_status(from_close_code(error.code, phase), now, jitter, error.reason, error)
        if isinstance(error, ConnectError) and error.status is not None:
            # The service refuses after the upgrade, so an HTTP refusal is of something in between, and may pass.
            return self._retry(MeetingSessionStatusCode.TASK_FAILED, now, jitter, str(error), error)
        if is_retryable(error):
            return self._retry(MeetingSessionStatusCode.TASK_FAILED, now, jitter, str(error), error)
        return self.fail(error)

    def expire(self, now: float, jitter: float) -> list[Event]:
        """Say that `deadline` has passed. Harmless when it has not."""
        deadline = self.deadline
        if deadline is None or now < deadline:
            return []
        if self.state is State.WAITING:
            self._move(Signal.DUE)
            self._tries.begin(now)
            return [MeetingSessionConnecting(reconnecting=self._was_joined, attempt=self._tries.attempts)]
        if self._limit is not None and now >= self._limit:
            if self.state is State.LEAVING:
                return self._end(MeetingSessionStatusCode.LEFT, None)
            silence = ConnectionClosed(ABNORMAL, f"no INDEX within {self._join_timeout:g} s", "us")
            return self._retry(MeetingSessionStatusCode.TASK_FAILED, now, jitter, silence.reason, silence)
        events = self._promotion.expire(now)
        if now >= self._pings.due:
            events += self._ping(now, jitter)
        return events

    def leave(self, now: float) -> list[Event]:
        """End the session because the application wants it. Harmless before the start and after the end.

        A session that is connected says LEAVE and is STOPPED when LEAVE_ACK, the end of the connection or the deadline
        comes; any other is STOPPED at once.
        """
        if self.state in (State.IDLE, State.LEAVING, State.STOPPED):
            return []
        if self.state not in _CONNECTED:
            return self._end(MeetingSessionStatusCode.LEFT, None)
        self._move(Signal.LEAVE)
        self._limit = now + self._leave_timeout
        self.write(frames.leave(), now)
        return []

    def take(self) -> list[bytes]:
        """Return the frames to write, in order, and forget them."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    # --- what the application says -------------------------------------------------------------------------------

    def send(self, topic: str, data: bytes, lifetime_ms: int, now: float) -> None:
        """Write a data message.

        Raises:
            SessionNotEstablishedError: unless JOINED.
        """
        self.require_joined()
        self.write(frames.data_message(topic, data, lifetime_ms), now)

    def mute(self, muted: bool, now: float) -> None:
        """Write AUDIO_CONTROL.

        Raises:
            SessionNotEstablishedError: unless JOINED.
        """
        self.require_joined()
        self.write(frames.audio_control(muted), now)

    def promote(self, attendee_id: str, external_user_id: str, join_token: str, now: float) -> None:
        """Ask to join the primary meeting as one of its attendees; `PrimaryMeetingJoined` answers, in 15 s at most.

        Raises:
            SessionNotEstablishedError: unless JOINED.
            UsageError: if an earlier call is unanswered.
        """
        self.require_joined()
        self._promotion.ask(now)
        self.write(frames.primary_meeting_join(attendee_id, external_user_id, join_token), now)

    def demote(self, now: float) -> list[Event]:
        """Leave the primary meeting. Harmless when not promoted."""
        if not self.is_promoted or self.state is not State.JOINED:
            return []
        self.write(frames.primary_meeting_leave(), now)
        return self._promotion.demote()

    def write(self, frame: SignalFrame, now: float) -> None:
        """Write any frame, for example one that concerns media; it is stamped here."""
        frame.timestamp_ms = max(0, int((now + self._wall_clock) * 1000))
        self._outgoing.append(encode(frame, CLIENT_PREFIX))

    # --- what the service says -----------------------------------------------------------------------------------

    def _receive_data(self, bodies: list[bytes], received: Sequence[str | bytes], events: list[Event]) -> None:
        try:
            add_data_messages(pb.DataMessageFrame.FromString(b"".join(bodies)), events)
        except ProtobufDecodeError:
            # One of them is broken: one by one, so that only that one is lost.
            for data in received:
                self._receive_other(data, 0.0, 0.0, events)

    def _receive_other(self, data: str | bytes, now: float, jitter: float, events: list[Event]) -> bool:
        """Take one frame of any kind; return whether the connection goes on."""
        try:
            frame = decode(data)
        except ProtocolError as exc:
            events.append(read_undecodable(data, exc))
            return True
        if frame is None:
            events.append(read_unknown(data))
            return True
        events += self._dispatch(frame, now, jitter)
        # A frame may end the connection; what follows it belongs to nobody.
        return self.state in _CONNECTED

    def _dispatch(self, frame: SignalFrame, now: float, jitter: float) -> list[Event]:
        events: list[Event] = []
        if frame.HasField("error") and frame.type != SignalFrame.PRIMARY_MEETING_JOIN_ACK:
            status = from_error_status(frame.error.status)
            events += self._take_status(status, now, jitter, frame.error.description)
            if self.state not in _CONNECTED:
                return events
        if frame.type == SignalFrame.DATA_MESSAGE:
            add_data_messages(frame.data_message, events)
            return events
        handler = self._handlers.get(frame.type)
        if handler is None:
            return [*events, SignalFrameReceived(frame)]
        return events + handler(frame, now, jitter)

    def _join_ack(self, frame: SignalFrame, now: float, jitter: float) -> list[Event]:
        if not frame.HasField("joinack"):
            status = MeetingSessionStatusCode.SIGNALING_REQUEST_FAILED
            return [] if frame.HasField("error") else self._take_status(status, now, jitter, "JOIN_ACK without a body")
        return [read_join_ack(frame)]

    def _index(self, frame: SignalFrame, now: float, jitter: float) -> list[Event]:
        del now, jitter
        events: list[Event] = []
        if self.state is State.JOINING:
            self._move(Signal.INDEX)
            if self._settles_by_index:
                self.settle()
            events.append(MeetingSessionStarted(self.attendee_id, reconnected=self._was_joined))
            self._was_joined = True
        return [*events, read_index(frame)]

    def _audio_stream_id_info(self, frame: SignalFrame, now: float, jitter: float) -> list[Event]:
        del now, jitter
        return self._roster.apply(frame.audio_stream_id_info)

    def _ping_pong(self, frame: SignalFrame, now: float, jitter: float) -> list[Event]:
        del jitter
        body = frame.ping_pong
        if not frame.HasField("ping_pong"):
            return []
        if body.type == pb.PingPongFrame.PING:
            self.write(frames.pong(body.ping_id), now)
            return []
        round_trip = self._pings.pong(body.ping_id, now)
        if round_trip is None:
            return []
        middle = self._pings.sent + round_trip / 2 + self._wall_clock
        return [PongReceived(body.ping_id, round_trip, frame.timestamp_ms / 1000 - middle)]

    def _audio_status(self, frame: SignalFrame, now: float, jitter: float) -> list[Event]:
        if not frame.HasField("audio_status"):
            status = MeetingSessionStatusCode.SIGNALING_REQUEST_FAILED
            return self._take_status(status, now, jitter, "AUDIO_STATUS without a body")
        number = frame.audio_status.audio_status
        status = from_audio_status(number)
        events: list[Event] = [AudioStatusReceived(number, status)]
        if status.is_terminal or status.is_failure:
            events += self._take_status(status, now, jitter, f"audio status {number}")
        return events

    def _left_by_service(self, frame: SignalFrame, now: float, jitter: float) -> list[Event]:
        del frame
        return self._take_status(MeetingSessionStatusCode.AUDIO_DISCONNECTED, now, jitter, "LEAVE from the service")

    def _leave_ack(self, frame: SignalFrame, now: float, jitter: float) -> list[Event]:
        del frame, now, jitter
        return self._end(MeetingSessionStatusCode.LEFT, None) if self.state is State.LEAVING else []

    def _notification(self, frame: SignalFrame, now: float, jitter: float) -> list[Event]:
        del now, jitter
        return [read_notification(frame)]

    def _primary_meeting_join_ack(self, frame: SignalFrame, now: float, jitter: float) -> list[Event]:
        del now, jitter
        error = frame.error
        status = from_error_status(error.status) if frame.HasField("error") else MeetingSessionStatusCode.OK
        return self._promotion.answer(status, error.description)

    def _primary_meeting_leave(self, frame: SignalFrame, now: float, jitter: float) -> list[Event]:
        del frame, now, jitter
        return self._promotion.removed()

    # --- what follows --------------------------------------------------------------------------------------------

    def _ping(self, now: float, jitter: float) -> list[Event]:
        ping_id = self._pings.ping(now)
        events: list[Event] = [PongMissed(self._pings.missed)] if self._pings.missed else []
        if self._pings.missed >= self._max_missed_pongs and self.state is not State.LEAVING:
            status = MeetingSessionStatusCode.CONNECTION_HEALTH_RECONNECT
            silence = ConnectionClosed(ABNORMAL, f"{self._pings.missed} pings unanswered", "us")
            return events + self._retry(status, now, jitter, silence.reason, silence)
        self.write(frames.ping(ping_id), now)
        return events
