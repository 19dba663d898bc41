"""Answers of the HTTP control plane that are no success."""

from __future__ import annotations

from collections.abc import Mapping

from chime_messaging.errors.base import ChimeError


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
