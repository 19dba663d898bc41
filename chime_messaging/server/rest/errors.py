"""Faults into answers: status, ``x-amzn-ErrorType``, and a body with Code and Message.

The type header decides which exception class the official clients raise.
"""

from __future__ import annotations

from functools import cache

import msgspec

from chime_messaging.server.faults import Fault
from chime_messaging.server.rest.model import service_model

# The meetings service has other names for three of the faults that the services share.
_MEETINGS_NAMES = {
    "UnauthorizedClientException": "UnauthorizedException",
    "ThrottledClientException": "ThrottlingException",
    "ResourceLimitExceededException": "LimitExceededException",
}
_CODES = {
    "UnauthorizedClientException": "Unauthorized",
    "UnauthorizedException": "Unauthorized",
    "ThrottledClientException": "Throttled",
    "ThrottlingException": "Throttling",
    "UnprocessableEntityException": "Unprocessable",
}
# What stands before the service at AWS, and so in no service model.
_GATEWAY_STATUS = {
    "InvalidSignatureException": 403,
    "ExpiredTokenException": 403,
    "UnrecognizedClientException": 403,
    "MissingAuthenticationTokenException": 403,
    "AccessDeniedException": 403,
    "ThrottlingException": 429,
    "UnknownOperationException": 404,
    "InternalFailure": 500,
}


class ErrorAnswer(msgspec.Struct, frozen=True):
    """An error as it goes over the wire."""

    status: int
    name: str
    """Shape name, for the ``x-amzn-ErrorType`` header."""
    body: bytes
    retry_after: str | None = None
    """Value of the ``Retry-After`` header."""


def unknown_operation(method: str) -> Fault:
    """404: no operation has this method, path and query."""
    return Fault("UnknownOperationException", f"No operation has this path and query with {method}.")


def not_implemented(operation: str) -> Fault:
    """400: the model knows the operation, the local server does not. A 5xx would make the SDKs try again."""
    return Fault("BadRequestException", f"{operation} is not implemented locally.")


def internal_failure() -> Fault:
    """500: a defect of the server; the log holds the traceback."""
    return Fault("ServiceFailureException", "An internal error occurred.")


def unavailable() -> Fault:
    """503: the server is stopping."""
    return Fault("ServiceUnavailableException", "The server is stopping.")


def answer(service: str | None, fault: Fault, request_id: str) -> ErrorAnswer:
    """Write a fault in the form of a service; None where no service was found."""
    name = _MEETINGS_NAMES.get(fault.name, fault.name) if service == "meetings" else fault.name
    content = {"Code": code_of(name), "Message": fault.message, **fault.members}
    if service == "meetings":
        content["RequestId"] = request_id
    retry_after = "1" if status_of(service, name) == 503 else None
    return ErrorAnswer(status_of(service, name), name, msgspec.json.encode(content), retry_after)


def code_of(name: str) -> str:
    """Give the value of Code for an exception shape, for example ``Forbidden``."""
    return _CODES.get(name) or name.removesuffix("Exception")


@cache
def status_of(service: str | None, name: str) -> int:
    """Give the HTTP status of an exception shape; 400 for a name that neither model nor gateway know."""
    for candidate in (service, "messaging", "meetings"):
        if candidate is not None:
            model = service_model(candidate)
            if name in model.shape_names:
                error = model.shape_for(name).metadata.get("error", {})
                if "httpStatusCode" in error:
                    return int(error["httpStatusCode"])
    return _GATEWAY_STATUS.get(name, 400)
