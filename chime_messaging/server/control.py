"""Faults on demand, so that applications can test how they take them.

`PlannedFailures` is what the REST layer looks at; `Control` is the handle a test holds, usable from any thread.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from chime_messaging.server.faults import Fault

MAX_PLANNED = 1000
"""Failures of one operation that are remembered."""


class PlannedFailures:
    """Error answers that are to come next. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._planned: dict[str, deque[Fault]] = {}

    def add(self, operation: str, fault: Fault, times: int) -> None:
        """Answer the next calls of an operation with a fault."""
        with self._lock:
            self._planned.setdefault(operation, deque(maxlen=MAX_PLANNED)).extend([fault] * times)

    def take(self, operation: str) -> Fault | None:
        """Take the fault planned for this call, if there is one."""
        if not self._planned:
            return None
        with self._lock:
            planned = self._planned.get(operation)
            if not planned:
                return None
            fault = planned.popleft()
            if not planned:
                del self._planned[operation]
            return fault

    def clear(self) -> None:
        """Forget what was planned."""
        with self._lock:
            self._planned.clear()


class Sockets(Protocol):
    """What the broker offers for faults, on the server's event loop. None stands for every user."""

    def close(self, user_arn: str | None, code: int, reason: str = "") -> object:
        """Close sockets with a code."""

    def abort(self, user_arn: str | None = None) -> object:
        """Reset the TCP connections."""

    def send_raw(self, user_arn: str | None, data: str | bytes) -> object:
        """Send one message as it is."""

    def hold_established(self, hold: bool) -> object:
        """Accept new sockets and tell them nothing."""

    def refuse(self, code: int, times: int = 1, reason: str = "") -> object:
        """Accept the next new sockets, then close them."""


class Meetings(Protocol):
    """What the live meetings offer for faults, on the server's event loop. None stands for every attendee."""

    def close(self, attendee_id: str | None, code: int, reason: str = "") -> object:
        """Close sockets with a code."""

    def abort(self, attendee_id: str | None = None) -> object:
        """Reset the TCP connections."""

    def send_raw(self, attendee_id: str | None, data: bytes) -> object:
        """Send one binary message as it is."""

    def hold_joins(self, hold: bool) -> object:
        """Take JOINs and do not answer them."""

    def refuse(self, code: int, times: int = 1, reason: str = "") -> object:
        """Close the sockets of the next JOINs."""

    def throttle(self, times: int) -> object:
        """Return the next data messages to their senders."""


class MeetingControl:
    """Faults of meetings, as ``server.control.meetings``. Every method waits for one turn of the server's loop.

    Args:
        meetings: the live meetings.
        call: runs a function on the server's loop and blocks until it is done.
        call_async: the same without blocking the caller's loop.
    """

    def __init__(self, meetings: Meetings, call: Callable[..., Any], call_async: Callable[..., Awaitable[Any]]) -> None:
        self._meetings = meetings
        self._call = call
        self._call_async = call_async

    async def close(self, attendee_id: str | None = None, code: int = 4500, reason: str = "") -> None:
        """Close the sockets of an attendee, or all, with a close code. Official clients come back after 45xx."""
        await self._call_async(self._meetings.close, attendee_id, code, reason)

    def abort(self, attendee_id: str | None = None) -> None:
        """Reset the TCP connections of an attendee, or of all: no close frame, which clients see as 1006."""
        self._call(self._meetings.abort, attendee_id)

    def send_raw(self, attendee_id: str | None, data: bytes) -> None:
        """Send a binary message of one's own to an attendee that has joined (None: to all)."""
        self._call(self._meetings.send_raw, attendee_id, data)

    def hold_joins(self, hold: bool = True) -> None:
        """Take JOINs and do not answer them: JOIN_ACK does not come until this is switched off."""
        self._call(self._meetings.hold_joins, hold)

    def refuse(self, code: int, times: int = 1, reason: str = "") -> None:
        """Close the sockets of the next JOINs with a code, whatever their tokens are."""
        self._call(self._meetings.refuse, code, times, reason)

    def throttle(self, times: int = 1) -> None:
        """Return the next data messages to their senders as throttled; 0 ends it."""
        self._call(self._meetings.throttle, times)


class Control:
    """The handle on a running server's faults.

    Methods that are not `async` wait for one turn of the server's own loop, which runs in another thread.

    Args:
        failures: shared with the REST layer.
        sockets: the broker.
        meetings: the live meetings.
        call: runs a function on the server's loop and blocks until it is done.
        call_async: the same without blocking the caller's loop.
    """

    def __init__(
        self,
        failures: PlannedFailures,
        sockets: Sockets,
        meetings: Meetings,
        call: Callable[..., Any],
        call_async: Callable[..., Awaitable[Any]],
    ) -> None:
        self._failures = failures
        self._sockets = sockets
        self.meetings = MeetingControl(meetings, call, call_async)
        """Faults of the signalling of meetings."""
        self._call = call
        self._call_async = call_async

    async def close(self, user_arn: str | None = None, code: int = 1011, reason: str = "") -> None:
        """Close the sockets of a user, or all, with a close code."""
        await self._call_async(self._sockets.close, user_arn, code, reason)

    def abort(self, user_arn: str | None = None) -> None:
        """Reset the TCP connections of a user's sockets, or of all: no close frame, as when a machine dies."""
        self._call(self._sockets.abort, user_arn)

    def send_raw(self, user_arn: str | None, data: str | bytes) -> None:
        """Send a message of one's own to a user's sockets (None: to all): text for str, binary for bytes."""
        self._call(self._sockets.send_raw, user_arn, data)

    def fail(self, operation: str, name: str, times: int = 1, message: str = "Injected fault") -> None:
        """Answer the next calls of an operation with an error.

        Args:
            operation: for example ``SendChannelMessage``.
            name: shape name of the error, for example ``ThrottledClientException``.
            times: how many calls, at most `MAX_PLANNED`.
            message: text the client sees.
        """
        self._failures.add(operation, Fault(name, message), times)

    def clear(self) -> None:
        """Forget the error answers that are still to come."""
        self._failures.clear()

    def refuse(self, code: int, times: int = 1, reason: str = "") -> None:
        """Accept the next new sockets, then close them with a code."""
        self._call(self._sockets.refuse, code, times, reason)

    def hold_established(self, hold: bool = True) -> None:
        """Accept new sockets and say nothing: SESSION_ESTABLISHED does not come until this is switched off."""
        self._call(self._sockets.hold_established, hold)
