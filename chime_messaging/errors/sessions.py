"""Why a session is over."""

from __future__ import annotations

from typing import ClassVar

from chime_messaging.errors.base import ChimeError


class SessionError(ChimeError):
    """The session is over. Exactly one of these, or none, ends a session."""

    def __init__(self, code: int | None, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        """Close code that ended the session; None when no socket was involved."""
        self.reason = reason

    def __str__(self) -> str:
        return f"{self._summary} (code {self.code}{': ' + self.reason if self.reason else ''})"

    _summary: ClassVar[str] = "session over"


class SessionRejectedError(SessionError):
    """4401: the signature, the user ARN or the credentials were refused."""

    _summary = "session refused: check the signature, the user ARN, the credentials and chime:Connect"


class SessionKickedError(SessionError):
    """4003: the service put the user out."""

    _summary = "session ended by the service"


class SessionStoppedError(SessionError):
    """Closed for good with a code that has no meaning of its own here."""

    _summary = "session closed"


class SessionTimeoutError(SessionError, TimeoutError):
    """The server accepted the connection and then never said SESSION_ESTABLISHED."""

    def __init__(self, timeout: float) -> None:
        super().__init__(None, f"no SESSION_ESTABLISHED within {timeout:g} s")
        self.timeout = timeout
        """Seconds waited."""

    def __str__(self) -> str:
        return self.reason


class ReconnectDeadlineError(SessionError, TimeoutError):
    """Every try to connect failed until the deadline."""

    def __init__(self, attempts: int, elapsed: float, last: Exception | None) -> None:
        super().__init__(getattr(last, "code", None), str(last) if last else "")
        self.attempts = attempts
        self.elapsed = elapsed
        """Seconds from the first try to the last."""
        self.last = last

    def __str__(self) -> str:
        return f"not connected after {self.attempts} attempts in {self.elapsed:.1f} s; last: {self.last}"


class MeetingSessionError(SessionError):
    """A meeting's session is over."""

    _summary = "meeting session over"

    def __init__(self, status: int, code: int | None = None, reason: str = "") -> None:
        super().__init__(code, reason)
        self.args = (status, code, reason)
        self.status = status
        """The `MeetingSessionStatusCode`."""

    def __str__(self) -> str:
        name = getattr(self.status, "name", "")
        return f"{self._summary} (status {int(self.status)} {name}{': ' + self.reason if self.reason else ''})"


class JoinedFromAnotherDeviceError(MeetingSessionError):
    """The same attendee joined from elsewhere."""

    _summary = "joined from another device"


class AttendeeRejectedError(MeetingSessionError):
    """The service refused the attendee or its join token."""

    _summary = "attendee refused: check the meeting, the attendee and its join token"


class AttendeeRemovedError(MeetingSessionError):
    """The attendee was deleted."""

    _summary = "attendee removed"


class MeetingEndedError(MeetingSessionError):
    """The meeting is over."""

    _summary = "meeting ended"


class MeetingAtCapacityError(MeetingSessionError):
    """The meeting takes no more attendees."""

    _summary = "meeting full"
