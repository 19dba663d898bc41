"""What can go wrong anywhere: settings, use, the network, the wire, queues."""

from __future__ import annotations

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
