"""When a lost connection is worth another try, and how long to wait before it.

`is_retryable` is the one place that decides. The close codes are those of the official client and the developer guide
(handling disconnects). Waiting is full jitter: a random part of a bound that doubles from try to try.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from chime_messaging.errors import (
    ChimeError,
    ConnectError,
    ConnectionClosed,
    CredentialsError,
    SessionError,
    SessionKickedError,
    SessionRejectedError,
    SessionStoppedError,
    SessionTimeoutError,
    TransportError,
)

NORMAL = 1000
NO_STATUS = 1005
"""What both sides see after an ordinary stop: the official client closes without a code."""
ABNORMAL = 1006
CLIENT_INITIATED = 4002
KICKED = 4003
NOT_AUTHORIZED = 4401
LOOKUP_FAILED = 4999
"""Made by the client itself: no endpoint, credentials or signature to connect with."""


class CloseCode(NamedTuple):
    """One row of the close-code table."""

    retry: bool
    meaning: str


CLOSE_CODES: Mapping[int, CloseCode] = {
    1000: CloseCode(False, "normal closure"),
    1001: CloseCode(True, "going away"),
    1002: CloseCode(False, "protocol error"),
    1003: CloseCode(False, "unsupported data"),
    1005: CloseCode(False, "no status: an ordinary stop"),
    1006: CloseCode(True, "abnormal: network loss, or no websocket at all"),
    1007: CloseCode(False, "invalid data"),
    1008: CloseCode(False, "policy violation"),
    1009: CloseCode(False, "message too big"),
    1010: CloseCode(False, "extension missing"),
    1011: CloseCode(True, "server error"),
    1012: CloseCode(True, "service restart"),
    1013: CloseCode(True, "try again later"),
    1014: CloseCode(True, "bad gateway"),
    1015: CloseCode(False, "TLS failure"),
    4002: CloseCode(False, "client initiated"),
    4003: CloseCode(False, "put out by the service"),
    4401: CloseCode(False, "not authorized: signature, user ARN or credentials"),
    4999: CloseCode(True, "no endpoint, credentials or signature to connect with"),
}
"""Codes with a meaning of their own. Any other code above 4000 is worth another try, everything else is not."""

_REFUSALS = (401, 403)
_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"


def is_retryable(cause: int | Exception) -> bool:
    """Whether another try may succeed after a close code or an error."""
    if isinstance(cause, int):
        row = CLOSE_CODES.get(cause)
        return row.retry if row is not None else cause > 4000
    if isinstance(cause, ConnectionClosed):
        return is_retryable(cause.code)
    if isinstance(cause, ConnectError):
        # The service refuses after the upgrade, with a close code. An HTTP refusal comes from what stands before it.
        return cause.status not in _REFUSALS and _UNTRUSTED not in cause.problem
    if isinstance(cause, CredentialsError):
        return cause.may_recover
    return isinstance(cause, ChimeError) and cause.retryable


def close_code(cause: Exception) -> int:
    """Close code that stands for an error in events; 1006 for a network that failed."""
    if isinstance(cause, ConnectionClosed | SessionError) and cause.code is not None:
        return cause.code
    if isinstance(cause, TransportError | SessionTimeoutError):
        return ABNORMAL
    return LOOKUP_FAILED


def terminal_error(cause: Exception) -> Exception:
    """Say an error that is not worth another try as the one that ends a session."""
    if isinstance(cause, ConnectionClosed):
        kinds: dict[int, type[SessionError]] = {NOT_AUTHORIZED: SessionRejectedError, KICKED: SessionKickedError}
        error: Exception = kinds.get(cause.code, SessionStoppedError)(cause.code, cause.reason)
    elif isinstance(cause, ConnectError) and cause.status in _REFUSALS:
        error = SessionRejectedError(cause.status, cause.problem)
    else:
        return cause
    error.__cause__ = cause
    return error


class Backoff(msgspec.Struct, frozen=True):
    """Full jitter, as the official client: ``fixed + random * min(long, short * 2**n)`` seconds."""

    short: float = 1.0
    """Bound of the first wait, in seconds."""
    long: float = 5.0
    """Bound that no later wait exceeds, in seconds."""
    fixed: float = 0.0
    """Added to every wait, in seconds."""

    def delay(self, retries: int, jitter: float) -> float:
        """Return the seconds to wait.

        Args:
            retries: Waits since the session was last established, from 0.
            jitter: Random number, at least 0 and below 1.
        """
        return self.fixed + jitter * min(self.long, self.short * 2.0 ** min(retries, 64))


class Deadline:
    """How long the tries may go on: from the first one after the session was last established.

    The clock starts with a try, not with the loss, so the first retry after a loss is always allowed.
    """

    def __init__(self, timeout: float | None) -> None:
        self._timeout = timeout
        self._first: float | None = None
        self.attempts = 0
        """Tries since the session was last established."""

    def begin(self, now: float) -> None:
        """Count a try that starts now."""
        self.attempts += 1
        if self._first is None:
            self._first = now

    def reset(self) -> None:
        """Start over: the session is established."""
        self.attempts = 0
        self._first = None

    def elapsed(self, now: float) -> float:
        """Seconds since the first try."""
        return 0.0 if self._first is None else now - self._first

    def remaining(self, now: float) -> float | None:
        """Seconds in which a further try may start; None without a limit, 0 when it is too late."""
        if self._timeout is None or self._first is None:
            return None
        return max(0.0, self._timeout - self.elapsed(now))
