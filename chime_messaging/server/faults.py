"""Errors as AWS answers them. A handler raises one; the REST layer finds status and shape in botocore's model."""

from __future__ import annotations


class Fault(Exception):
    """An error answer: the exception shape's name and the message the client sees."""

    def __init__(self, name: str, message: str, **members: str) -> None:
        super().__init__(name, message)
        self.name = name
        """Shape name, for example ``ForbiddenException``; sent as ``x-amzn-ErrorType``."""
        self.message = message
        self.members = members
        """What the body has beside Code and Message, for example ``ResourceName``."""


def bad_request(message: str) -> Fault:
    """400: the request is not valid."""
    return Fault("BadRequestException", message)


def unauthorized(message: str) -> Fault:
    """401: the bearer is not a known user."""
    return Fault("UnauthorizedClientException", message)


def forbidden(message: str = "The bearer is not allowed to do this, or the resource does not exist.") -> Fault:
    """403: not allowed, or the resource does not exist (no existence leak)."""
    return Fault("ForbiddenException", message)


def not_found(message: str) -> Fault:
    """404: only for operations that declare it."""
    return Fault("NotFoundException", message)


def conflict(message: str) -> Fault:
    """409: exists already, or is in the wrong state."""
    return Fault("ConflictException", message)


def resource_limit(message: str) -> Fault:
    """400: a count quota is used up."""
    return Fault("ResourceLimitExceededException", message)


def throttled(message: str = "Rate exceeded") -> Fault:
    """429: too many requests."""
    return Fault("ThrottledClientException", message)
