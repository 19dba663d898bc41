"""The state machine of a messaging session, for the client and for the service.

Theory of operation. The client role is a function of what happened and when: the shell tells it (`located`, `opened`,
`receive`, `lost`, `expire`, `stop`), always with the present time, and hands on the events that come back. What the
shell has to do next is told by `state` alone: PREPARING - get an endpoint, credentials and a signature; CONNECTING -
open the socket; AUTHORISING and ESTABLISHED - receive; WAITING - nothing until `deadline`; STOPPED - leave. Whatever
the state, when `deadline` passes the shell calls `expire`.

A socket that opens is no success: the service takes the upgrade first and authorises afterwards. Success is the frame
SESSION_ESTABLISHED, and only that resets the back-off and the deadline, so a service that accepts and closes for ever
is left alone in the end. Frames that come earlier wait, and are delivered after `SessionEstablished` and before that
frame; they die with their socket, because the next one may bring them again. Every start ends in exactly one
`SessionStopped`: it is made where the table leads to STOPPED, and no way leads out of there.

The service role says what may be sent when, over one socket: nothing before authorisation, SESSION_ESTABLISHED first,
CHANNEL_DETAILS only while prefetching, everything else any time after SESSION_ESTABLISHED.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum

from chime_messaging.errors import ConnectionClosed, ReconnectDeadlineError, SessionTimeoutError, UsageError
from chime_messaging.events import (
    Event,
    ReconnectScheduled,
    SessionConnecting,
    SessionEstablished,
    SessionEstablishedReceived,
    SessionStopped,
)
from chime_messaging.protocol.decode import decode
from chime_messaging.protocol.reconnect import (
    ABNORMAL,
    LOOKUP_FAILED,
    NO_STATUS,
    Backoff,
    Deadline,
    close_code,
    is_retryable,
    terminal_error,
)
from chime_messaging.wire import envelope

MAX_EARLY_EVENTS = 256
"""Events that wait for SESSION_ESTABLISHED; beyond that the oldest go, and are counted."""


class State(Enum):
    """Where a session stands, seen from the client."""

    IDLE = "idle"
    PREPARING = "preparing"
    """Endpoint, credentials and signature are being fetched."""
    CONNECTING = "connecting"
    """The socket is being opened."""
    AUTHORISING = "authorising"
    """The socket is open; SESSION_ESTABLISHED has not come."""
    ESTABLISHED = "established"
    WAITING = "waiting"
    """Between two tries."""
    STOPPED = "stopped"


class Signal(Enum):
    """What moves a session from one state to another."""

    START = "start"
    LOCATED = "located"
    OPENED = "opened"
    ESTABLISHED = "established"
    LOST = "lost"
    """The try failed, or the connection dropped, and another try is worth it."""
    DUE = "due"
    """The wait is over."""
    END = "end"
    """Stopped by the application, or lost for good."""


TRANSITIONS: Mapping[State, Mapping[Signal, State]] = {
    State.IDLE: {Signal.START: State.PREPARING},
    State.PREPARING: {Signal.LOCATED: State.CONNECTING, Signal.LOST: State.WAITING, Signal.END: State.STOPPED},
    State.CONNECTING: {Signal.OPENED: State.AUTHORISING, Signal.LOST: State.WAITING, Signal.END: State.STOPPED},
    State.AUTHORISING: {
        Signal.ESTABLISHED: State.ESTABLISHED,
        Signal.LOST: State.WAITING,
        Signal.END: State.STOPPED,
    },
    State.ESTABLISHED: {Signal.LOST: State.WAITING, Signal.END: State.STOPPED},
    State.WAITING: {Signal.DUE: State.PREPARING, Signal.END: State.STOPPED},
    State.STOPPED: {},
}

_AT_REST = frozenset({State.IDLE, State.WAITING, State.STOPPED})


class MessagingClientProtocol:
    """The client role. One object is one session, over all its connections.

    Args:
        session_id: Id that stays the same over reconnects.
        backoff: How long to wait between tries.
        reconnect_timeout: Seconds that the tries may go on before the session ends; None for ever.
        establish_timeout: Seconds from the open socket to SESSION_ESTABLISHED.
        idle_timeout: Seconds without any frame after which the connection counts as lost; None to rely on the
            transport's pings, as a quiet session is an ordinary thing.
    """

    def __init__(
        self,
        session_id: str,
        *,
        backoff: Backoff | None = None,
        reconnect_timeout: float | None = None,
        establish_timeout: float = 10.0,
        idle_timeout: float | None = None,
    ) -> None:
        self.session_id = session_id
        self.state = State.IDLE
        self.deadline: float | None = None
        """When `expire` is due; None for never."""
        self.stopped: SessionStopped | None = None
        """The terminal event, once there is one."""
        self.early_dropped = 0
        """Events that came before SESSION_ESTABLISHED and found `MAX_EARLY_EVENTS` waiting."""
        self._backoff = backoff or Backoff()
        self._tries = Deadline(reconnect_timeout)
        self._waits = 0
        self._establish_timeout = establish_timeout
        self._idle_timeout = idle_timeout
        self._early: deque[Event] = deque()
        self._is_again = False
        self._was_established = False

    def start(self, now: float) -> list[Event]:
        """Begin. A session starts once.

        Raises:
            UsageError: if it was started before.
        """
        self._move(Signal.START)
        self._tries.begin(now)
        return []

    def located(self, now: float) -> list[Event]:
        """Say that there is a signed URL; the socket will be opened next."""
        del now
        self._move(Signal.LOCATED)
        return [SessionConnecting(reconnecting=self._is_again, attempt=self._tries.attempts)]

    def opened(self, now: float) -> list[Event]:
        """Say that the socket is open."""
        self._move(Signal.OPENED)
        self._early.clear()
        self.deadline = now + self._establish_timeout
        return []

    def receive(self, frames: Sequence[str | bytes], now: float) -> list[Event]:
        """Take the frames that arrived, in their order."""
        if self.state is State.ESTABLISHED:
            if self._idle_timeout is not None:
                self.deadline = now + self._idle_timeout
            return [decode(frame) for frame in frames]
        if self.state is State.AUTHORISING:
            return self._receive_early(frames, now)
        return []

    def lost(self, error: Exception, now: float, jitter: float) -> list[Event]:
        """Say that the connection closed, or could not be made.

        Args:
            error: Why: `ConnectionClosed` with its code, or what the lookup or the connector raised.
            now: The present time, in seconds.
            jitter: Random number, at least 0 and below 1.
        """
        if self.state in _AT_REST:
            return []
        code = LOOKUP_FAILED if self.state is State.PREPARING else close_code(error)
        if not self._is_worth_a_try(error):
            return self._end(code, terminal_error(error))
        remaining = self._tries.remaining(now)
        if remaining == 0:
            return self._end(code, ReconnectDeadlineError(self._tries.attempts, self._tries.elapsed(now), error))
        delay = self._backoff.delay(self._waits, jitter)
        if remaining is not None:
            delay = min(delay, remaining)
        self._move(Signal.LOST)
        self._waits += 1
        self._is_again = True
        self._early.clear()
        self.deadline = now + delay
        reason = error.reason if isinstance(error, ConnectionClosed) else str(error)
        return [ReconnectScheduled(delay, self._tries.attempts + 1, code, reason)]

    def expire(self, now: float, jitter: float) -> list[Event]:
        """Say that `deadline` has passed. Harmless when it has not."""
        if self.deadline is None or now < self.deadline:
            return []
        if self.state is State.WAITING:
            self._move(Signal.DUE)
            self._tries.begin(now)
            return []
        if self.state is State.AUTHORISING:
            return self.lost(SessionTimeoutError(self._establish_timeout), now, jitter)
        return self.lost(ConnectionClosed(ABNORMAL, f"silent for {self._idle_timeout:g} s", "us"), now, jitter)

    def stop(self, now: float) -> list[Event]:
        """End the session because the application wants it. Harmless before the start and after the end."""
        del now
        if self.state is State.IDLE or self.state is State.STOPPED:
            return []
        return self._end(NO_STATUS, None)

    def fail(self, error: Exception) -> list[Event]:
        """End the session because of an error that no rule provides for."""
        if self.state is State.IDLE or self.state is State.STOPPED:
            return []
        return self._end(close_code(error), error)

    def _receive_early(self, frames: Sequence[str | bytes], now: float) -> list[Event]:
        for position, frame in enumerate(frames):
            event = decode(frame)
            if type(event) is SessionEstablishedReceived:
                events = self._establish(now)
                events.append(event)
                events += self.receive(frames[position + 1 :], now)
                return events
            if len(self._early) >= MAX_EARLY_EVENTS:
                self._early.popleft()
                self.early_dropped += 1
            self._early.append(event)
        return []

    def _establish(self, now: float) -> list[Event]:
        self._move(Signal.ESTABLISHED)
        self._tries.reset()
        self._waits = 0
        self.deadline = None if self._idle_timeout is None else now + self._idle_timeout
        events: list[Event] = [SessionEstablished(self.session_id, reconnected=self._was_established)]
        self._was_established = True
        events += self._early
        self._early.clear()
        return events

    def _is_worth_a_try(self, error: Exception) -> bool:
        # Silence after the upgrade is a wrong server when it is the first thing we see, and a bad moment of a good one
        # when the session has stood before.
        return is_retryable(error) or (self._was_established and isinstance(error, SessionTimeoutError))

    def _end(self, code: int, error: Exception | None) -> list[Event]:
        self._move(Signal.END)
        self._early.clear()
        reason = str(getattr(error, "reason", "") or error or "")
        self.stopped = SessionStopped(code, reason, error)
        return [self.stopped]

    def _move(self, signal: Signal) -> None:
        target = TRANSITIONS[self.state].get(signal)
        if target is None:
            raise UsageError(f"a session that is {self.state.value} cannot take the signal {signal.value!r}")
        self.state = target
        self.deadline = None


class ServerState(Enum):
    """Where one connection stands, seen from the service."""

    ACCEPTED = "accepted"
    """The upgrade is done; nothing may be sent."""
    AUTHORISED = "authorised"
    """Who it is is known and allowed; SESSION_ESTABLISHED comes next."""
    ESTABLISHED = "established"
    PREFETCHING = "prefetching"
    """CHANNEL_DETAILS may be sent, and live events between them."""
    LIVE = "live"
    CLOSED = "closed"


class ServerSignal(Enum):
    """What moves a connection from one state to another."""

    AUTHORISE = "authorise"
    ESTABLISH = "establish"
    PREFETCH = "prefetch"
    PREFETCHED = "prefetched"
    CLOSE = "close"


SERVER_TRANSITIONS: Mapping[ServerState, Mapping[ServerSignal, ServerState]] = {
    ServerState.ACCEPTED: {ServerSignal.AUTHORISE: ServerState.AUTHORISED, ServerSignal.CLOSE: ServerState.CLOSED},
    ServerState.AUTHORISED: {ServerSignal.ESTABLISH: ServerState.ESTABLISHED, ServerSignal.CLOSE: ServerState.CLOSED},
    ServerState.ESTABLISHED: {
        ServerSignal.PREFETCH: ServerState.PREFETCHING,
        ServerSignal.PREFETCHED: ServerState.LIVE,
        ServerSignal.CLOSE: ServerState.CLOSED,
    },
    ServerState.PREFETCHING: {ServerSignal.PREFETCHED: ServerState.LIVE, ServerSignal.CLOSE: ServerState.CLOSED},
    ServerState.LIVE: {ServerSignal.CLOSE: ServerState.CLOSED},
    ServerState.CLOSED: {ServerSignal.CLOSE: ServerState.CLOSED},
}

_DELIVERING = frozenset({ServerState.ESTABLISHED, ServerState.PREFETCHING, ServerState.LIVE})


class MessagingServerProtocol:
    """The service role, for one connection. Methods return the frames to write, in order."""

    def __init__(self, *, max_held: int = MAX_EARLY_EVENTS) -> None:
        self.state = ServerState.ACCEPTED
        self.closed: ConnectionClosed | None = None
        """Code and reason, once the connection is closed."""
        self._held: list[bytes] = []
        self._max_held = max_held

    def authorise(self) -> None:
        """Say that the signature, the user and the permission are in order. From here on events are held for it."""
        self._move(ServerSignal.AUTHORISE)

    def establish(self) -> list[bytes]:
        """Return SESSION_ESTABLISHED and the events held since authorisation."""
        self._move(ServerSignal.ESTABLISH)
        held, self._held = self._held, []
        return [SESSION_ESTABLISHED_FRAME, *held]

    def prefetch(self, details: Iterable[bytes]) -> list[bytes]:
        """Return CHANNEL_DETAILS frames; may be called again until `prefetched`."""
        if self.state is not ServerState.PREFETCHING:
            self._move(ServerSignal.PREFETCH)
        return list(details)

    def prefetched(self) -> None:
        """Say that prefetch is over, or was not asked for."""
        self._move(ServerSignal.PREFETCHED)

    def deliver(self, frame: bytes) -> list[bytes]:
        """Return an event's frame if it may be sent now; hold it until `establish`, or drop it where nobody listens.

        Raises:
            UsageError: if more frames are held than may be; the connection is to be closed.
        """
        if self.state in _DELIVERING:
            return [frame]
        if self.state is ServerState.AUTHORISED:
            if len(self._held) >= self._max_held:
                raise UsageError(f"{self._max_held} events wait for a connection that is not established")
            self._held.append(frame)
        return []

    def close(self, code: int, reason: str = "") -> ConnectionClosed:
        """Say that the connection closes; the first call says why."""
        self._move(ServerSignal.CLOSE)
        self._held.clear()
        self.closed = self.closed or ConnectionClosed(code, reason, "us")
        return self.closed

    def _move(self, signal: ServerSignal) -> None:
        target = SERVER_TRANSITIONS[self.state].get(signal)
        if target is None:
            raise UsageError(f"a connection that is {self.state.value} cannot take the signal {signal.value!r}")
        self.state = target


SESSION_ESTABLISHED_FRAME = envelope.encode("SESSION_ESTABLISHED", None)
