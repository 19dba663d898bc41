"""What can go wrong.

Every error that this project raises on purpose is a `ChimeError`; facts are attributes, the message is built from them.

    ChimeError
    ├─ ConfigurationError (ValueError)      a setting, ARN or argument that cannot work; names the field
    │   ├─ InvalidArnError
    │   └─ LimitError                       a value over (or under) a documented limit
    ├─ UsageError (RuntimeError)            the caller broke the rules of an object
    │   ├─ SessionNotEstablishedError
    │   └─ SessionClosedError
    ├─ TransportError                       the network; worth another try
    │   ├─ ConnectError
    │   ├─ ConnectTimeoutError (TimeoutError)
    │   ├─ RequestTimeoutError (TimeoutError)
    │   └─ ConnectionClosed
    ├─ ProtocolError                        the peer broke the rules of the wire
    │   ├─ DecodeError
    │   └─ FrameTooLargeError
    ├─ CredentialsError                     no, unusable or expired AWS credentials
    ├─ SessionError                         the session is over
    │   ├─ SessionRejectedError             4401: signature, user or credentials refused
    │   ├─ SessionKickedError               4003: the service put the user out
    │   ├─ SessionTimeoutError (TimeoutError)   accepted, then silence: SESSION_ESTABLISHED never came
    │   ├─ SessionStoppedError              closed for good with any other code
    │   ├─ ReconnectDeadlineError           tried until the deadline
    │   └─ MeetingSessionError              a meeting's session is over, with a status code
    │       ├─ JoinedFromAnotherDeviceError     the same attendee joined elsewhere
    │       ├─ AttendeeRejectedError            the attendee or its token was refused
    │       ├─ AttendeeRemovedError             the attendee was deleted
    │       ├─ MeetingEndedError                the meeting is over
    │       └─ MeetingAtCapacityError           the meeting is full
    ├─ ServiceError                         an answer of the HTTP control plane that is not a success
    │   ├─ BadRequestError
    │   ├─ UnauthorizedError
    │   ├─ ForbiddenError
    │   ├─ NotFoundError
    │   ├─ ConflictError
    │   ├─ ResourceLimitExceededError
    │   ├─ ThrottledError
    │   ├─ ServiceFailureError
    │   └─ ServiceUnavailableError
    ├─ QueueFullError                       too much waits already; try again later
    ├─ SubscriptionOverflowError            a reader that did not keep up and asked to be told
    └─ WaitTimeoutError (TimeoutError)      `wait_for` ran out of time
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal


class ChimeError(Exception):
    """Base of every error raised on purpose."""

    retryable: ClassVar[bool] = False
    """Whether the same attempt may succeed later without the caller changing anything."""


class ConfigurationError(ChimeError, ValueError):
    """A setting or an argument that cannot work."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(field, problem)
        self.field = field
        """Name of the setting or argument."""
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.field}: {self.problem}"


class InvalidArnError(ConfigurationError):
    """A text that should be an ARN of a certain kind and is not."""

    def __init__(self, field: str, value: str, expected: str) -> None:
        super().__init__(field, f"{_excerpt(value)!r} is not {expected}")
        self.value = value
        self.expected = expected


class LimitError(ConfigurationError):
    """A value outside a documented limit, caught before it reaches the wire."""

    def __init__(self, field: str, value: float, limit: float, unit: str) -> None:
        super().__init__(field, f"is {value:g} {unit}, the limit is {limit:g} {unit}")
        self.value = value
        self.limit = limit
        self.unit = unit


class UsageError(ChimeError, RuntimeError):
    """The caller broke the rules of an object, for example by using a session before it was entered."""


class SessionNotEstablishedError(UsageError):
    """The session is not established (yet)."""


class SessionClosedError(UsageError):
    """The session is over."""


class TransportError(ChimeError):
    """The network failed; another try may succeed."""

    retryable = True


class ConnectError(TransportError):
    """No websocket could be opened."""

    def __init__(self, host: str, problem: str, *, status: int | None = None) -> None:
        super().__init__(host, problem, status)
        self.host = host
        """Host and port; never the URL, which holds a signature."""
        self.problem = problem
        self.status = status
        """HTTP status of a refused upgrade, when there was one."""

    def __str__(self) -> str:
        return f"cannot connect to {self.host}: {self.problem}"


class ConnectTimeoutError(TransportError, TimeoutError):
    """The websocket did not open in time."""

    def __init__(self, host: str, timeout: float) -> None:
        super().__init__(host, timeout)
        self.host = host
        self.timeout = timeout
        """Seconds waited."""

    def __str__(self) -> str:
        return f"no connection to {self.host} within {self.timeout:g} s"


class RequestTimeoutError(TransportError, TimeoutError):
    """A request to the control plane was not answered in time; it may or may not have been carried out."""

    def __init__(self, operation: str, timeout: float) -> None:
        super().__init__(operation, timeout)
        self.operation = operation
        """Name of the operation, for example ``SendChannelMessage``."""
        self.timeout = timeout
        """Seconds waited, retries included."""

    def __str__(self) -> str:
        return f"{self.operation}: no answer within {self.timeout:g} s"


class ConnectionClosed(TransportError):
    """The websocket is closed."""

    def __init__(self, code: int, reason: str = "", initiated_by: Literal["us", "peer", "network"] = "peer") -> None:
        super().__init__(code, reason, initiated_by)
        self.code = code
        """RFC 6455 close code; 1005 without a status, 1006 when no close frame came."""
        self.reason = reason
        self.initiated_by = initiated_by

    def __str__(self) -> str:
        reason = f" ({self.reason})" if self.reason else ""
        return f"connection closed by {self.initiated_by} with code {self.code}{reason}"


class ProtocolError(ChimeError):
    """The peer broke the rules of the wire."""


class DecodeError(ProtocolError):
    """Bytes that are not what the protocol allows there."""

    def __init__(self, problem: str, data: bytes | str = b"") -> None:
        super().__init__(problem, data[:80])
        self.problem = problem
        """What is wrong and where, for example ``expected str, got int at $.Payload``."""
        self.excerpt = data[:80]
        """The first 80 characters or bytes of what was received."""

    def __str__(self) -> str:
        return f"{self.problem} in {self.excerpt!r}"


class FrameTooLargeError(ProtocolError):
    """A frame over the size that the receiver is willing to hold."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(size, limit)
        self.size = size
        """Bytes announced or received."""
        self.limit = limit

    def __str__(self) -> str:
        return f"frame of {self.size} bytes, the limit is {self.limit} bytes"


class CredentialsError(ChimeError):
    """AWS credentials are missing, unusable or expired."""

    def __init__(self, problem: str, *, retryable: bool = False) -> None:
        super().__init__(problem)
        self.problem = problem
        self.may_recover = retryable
        """True when a refresh was tried and failed, so a later one may succeed."""


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


class ServiceError(ChimeError):
    """The HTTP control plane answered with an error."""

    def __init__(self, operation: str, status: int, code: str, message: str, request_id: str = "") -> None:
        super().__init__(operation, status, code, message, request_id)
        self.operation = operation
        """Name of the operation, for example ``SendChannelMessage``."""
        self.status = status
        """HTTP status."""
        self.code = code
        """Error name that AWS sent, for example ``ForbiddenException``."""
        self.message = message
        self.request_id = request_id

    def __str__(self) -> str:
        return f"{self.operation}: {self.status} {self.code}: {self.message}"

    @classmethod
    def from_response(cls, operation: str, status: int, code: str, message: str, request_id: str = "") -> ServiceError:
        """Build the class that fits an answer: by its error name, else by its status."""
        kind = _BY_CODE.get(code.removesuffix("Exception").removesuffix("Client")) or _BY_STATUS.get(status, cls)
        return kind(operation, status, code, message, request_id)


class BadRequestError(ServiceError):
    """400: the request is not valid."""


class UnauthorizedError(ServiceError):
    """401: the bearer is not a known user."""


class ForbiddenError(ServiceError):
    """403: the bearer may not do this, or the resource does not exist."""


class NotFoundError(ServiceError):
    """404: there is no such resource."""


class ConflictError(ServiceError):
    """409: the resource exists already or is in the wrong state."""


class ResourceLimitExceededError(ServiceError):
    """400: a count quota is used up."""


class ThrottledError(ServiceError):
    """429: too many requests."""

    retryable = True


class ServiceFailureError(ServiceError):
    """500: the service failed."""

    retryable = True


class ServiceUnavailableError(ServiceError):
    """503: the service is not available."""

    retryable = True


_BY_CODE: Mapping[str, type[ServiceError]] = {
    "BadRequest": BadRequestError,
    "Unauthorized": UnauthorizedError,
    "Forbidden": ForbiddenError,
    "AccessDenied": ForbiddenError,
    "NotFound": NotFoundError,
    "ResourceNotFound": NotFoundError,
    "Conflict": ConflictError,
    "ResourceLimitExceeded": ResourceLimitExceededError,
    "LimitExceeded": ResourceLimitExceededError,
    "Throttled": ThrottledError,
    "Throttling": ThrottledError,
    "TooManyRequests": ThrottledError,
    "ServiceFailure": ServiceFailureError,
    "ServiceUnavailable": ServiceUnavailableError,
}

_BY_STATUS: Mapping[int, type[ServiceError]] = {
    400: BadRequestError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    429: ThrottledError,
    500: ServiceFailureError,
    503: ServiceUnavailableError,
}


class QueueFullError(ChimeError):
    """Too much waits already; what was handed in was not taken."""

    retryable = True

    def __init__(self, what: str, limit: int) -> None:
        super().__init__(what, limit)
        self.what = what
        self.limit = limit
        """How many may wait."""

    def __str__(self) -> str:
        return f"there are {self.limit} {self.what} already"


class SubscriptionOverflowError(ChimeError):
    """A reader did not keep up, and its policy was to be told."""

    def __init__(self, dropped: int) -> None:
        super().__init__(dropped)
        self.dropped = dropped
        """Events that were not delivered."""

    def __str__(self) -> str:
        return f"subscription overflow: {self.dropped} events dropped"


class WaitTimeoutError(ChimeError, TimeoutError):
    """`wait_for` ran out of time."""

    def __init__(self, what: str, timeout: float) -> None:
        super().__init__(what, timeout)
        self.what = what
        self.timeout = timeout
        """Seconds waited."""

    def __str__(self) -> str:
        return f"no {self.what} within {self.timeout:g} s"


def _excerpt(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."
