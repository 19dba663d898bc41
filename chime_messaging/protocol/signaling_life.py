"""How a signalling session goes from state to state: its tries, what its statuses lead to, and its one end."""

from __future__ import annotations

from chime_messaging.errors import (
    ConnectionClosed,
    ReconnectDeadlineError,
    SessionNotEstablishedError,
    UsageError,
)
from chime_messaging.events import Event
from chime_messaging.meeting_events import (
    MeetingReconnectScheduled,
    MeetingSessionConnecting,
    MeetingSessionStatusCode,
    MeetingSessionStopped,
    MeetingStatusReceived,
)
from chime_messaging.protocol.promotion import Promotion
from chime_messaging.protocol.reconnect import Backoff, Deadline
from chime_messaging.protocol.session_status import (
    error_of,
)
from chime_messaging.protocol.signaling_states import TRANSITIONS, Signal, State


class SignalingLife:
    """The life of one session, over all its connections; what is said on them is `SignalingClientProtocol`'s.

    Args:
        backoff: How long to wait between tries.
        reconnect_timeout: Seconds that the tries may go on before the session ends; None for ever.
    """

    def __init__(self, backoff: Backoff, reconnect_timeout: float | None) -> None:
        self.state = State.IDLE
        self.stopped: MeetingSessionStopped | None = None
        """The terminal event, once there is one."""
        self._backoff = backoff
        self._tries = Deadline(reconnect_timeout)
        self._waits = 0
        self._limit: float | None = None
        self._promotion = Promotion()
        self._was_joined = False

    def start(self, now: float) -> list[Event]:
        """Begin. A session starts once.

        Raises:
            UsageError: if it was started before.
        """
        self._move(Signal.START)
        self._tries.begin(now)
        return [MeetingSessionConnecting(reconnecting=False, attempt=1)]

    def fail(
        self, error: Exception, status: MeetingSessionStatusCode = MeetingSessionStatusCode.TASK_FAILED
    ) -> list[Event]:
        """End the session because of an error that no rule provides for."""
        if self.state is State.IDLE or self.state is State.STOPPED:
            return []
        return self._end(status, error)

    def settle(self) -> None:
        """Say that the session is established: waits and the deadline of the tries start over with the next loss."""
        self._tries.reset()
        self._waits = 0

    def break_off(self, status: MeetingSessionStatusCode, now: float, jitter: float, reason: str) -> list[Event]:
        """Say that the session cannot go on as it is, though its connection may be fine: media failed, for example.

        Harmless while it is not connected. What follows is what the status says, as if the service had told it.
        """
        if self.state not in (State.JOINING, State.JOINED):
            return []
        return self._take_status(status, now, jitter, reason)

    def require_joined(self) -> None:
        """Check that the session is JOINED.

        Raises:
            SessionNotEstablishedError: if it is not.
        """
        if self.state is not State.JOINED:
            raise SessionNotEstablishedError(f"the meeting session is {self.state.value}")

    def _take_status(
        self,
        status: MeetingSessionStatusCode,
        now: float,
        jitter: float,
        reason: str,
        cause: ConnectionClosed | None = None,
    ) -> list[Event]:
        if self.state is State.LEAVING:
            return self._end(MeetingSessionStatusCode.LEFT, None) if status.is_terminal else []
        if status.is_terminal:
            error = error_of(status, cause.code if cause else None, reason)
            if error is not None:
                error.__cause__ = cause
            return self._end(status, error)
        if status.is_failure:
            return self._retry(status, now, jitter, reason, cause)
        return [] if status is MeetingSessionStatusCode.OK else [MeetingStatusReceived(status, reason)]

    def _retry(
        self, status: MeetingSessionStatusCode, now: float, jitter: float, reason: str, cause: Exception | None
    ) -> list[Event]:
        remaining = self._tries.remaining(now)
        if remaining == 0:
            last = cause or error_of(status, None, reason)
            return self._end(status, ReconnectDeadlineError(self._tries.attempts, self._tries.elapsed(now), last))
        delay = self._backoff.delay(self._waits, jitter)
        if remaining is not None:
            delay = min(delay, remaining)
        events = self._promotion.lost()
        self._move(Signal.LOST)
        self._waits += 1
        self._limit = now + delay
        return [*events, MeetingReconnectScheduled(delay, self._tries.attempts + 1, status, reason)]

    def _end(self, status: MeetingSessionStatusCode, error: Exception | None) -> list[Event]:
        self._move(Signal.END)
        reason = str(getattr(error, "reason", "") or error or "")
        self.stopped = MeetingSessionStopped(status, reason, error)
        return [self.stopped]

    def _move(self, signal: Signal) -> None:
        target = TRANSITIONS[self.state].get(signal)
        if target is None:
            raise UsageError(f"a session that is {self.state.value} cannot take the signal {signal.value!r}")
        self.state = target
        self._limit = None
