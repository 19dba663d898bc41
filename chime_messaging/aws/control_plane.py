"""Calls to the HTTP control plane: off the event loop, with a deadline, with a back-off, with our errors.

boto3's default retry mode asks again after 500 and 503 but not after the messaging service's 429, so the back-off for
throttling is ours. The two do not multiply: the tries that boto3 has made for an answer count as ours.
"""

from __future__ import annotations

import random
import ssl
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import anyio
from botocore import xform_name
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoRegionError,
    ParamValidationError,
    ReadTimeoutError,
    UnknownEndpointError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError
from botocore.exceptions import ConnectTimeoutError as BotoConnectTimeoutError

from chime_messaging.aws.credentials import translate_credentials_error
from chime_messaging.aws.signing import Scheme
from chime_messaging.aws.threads import limiter_of, run_in_thread
from chime_messaging.errors import (
    ChimeError,
    ConfigurationError,
    ConnectError,
    ConnectTimeoutError,
    CredentialsError,
    ProtocolError,
    RequestTimeoutError,
    ServiceError,
)
from chime_messaging.ids import new_uuid

ATTEMPTS = 5
TIMEOUT = 30.0
BACKOFF_BASE = 0.2
BACKOFF_CAP = 5.0

MAX_POOL_CONNECTIONS = 10
"""What botocore takes when a client's configuration does not say."""

_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_UNUSABLE = {"UnrecognizedClientException", "InvalidClientTokenId", "MissingAuthenticationToken", "IncompleteSignature"}


class ControlPlane:
    """A boto3 client, seen from an event loop.

    Args:
        client: A boto3 client of any Chime SDK service.
        bearer: ARN of the app instance user (or bot) that acts. Sent as ``x-amz-chime-bearer`` by every operation that
            takes one, unless the call names another.
        attempts: HTTP requests per call at most, boto3's own retries included; at least 1.
        timeout: Seconds per call, retries and waits included.
        rng: Gives numbers in [0, 1) for the jitter.
    """

    def __init__(
        self,
        client: Any,
        bearer: str | None = None,
        *,
        attempts: int = ATTEMPTS,
        timeout: float = TIMEOUT,
        rng: Callable[[], float] = random.random,
    ) -> None:
        if attempts < 1:
            raise ConfigurationError("attempts", "must be at least 1")
        self.client = client
        self.bearer = bearer
        self._attempts = attempts
        self._timeout = timeout
        self._rng = rng

    @property
    def region(self) -> str:
        """AWS region of the client."""
        return str(self.client.meta.region_name)

    @property
    def host(self) -> str:
        """Host (and port) of the HTTP endpoint."""
        return urlsplit(str(self.client.meta.endpoint_url)).netloc

    @property
    def session_scheme(self) -> Scheme:
        """How to open a websocket of the same installation: ``ws`` beside plain ``http``, else ``wss``."""
        return "ws" if self.client.meta.endpoint_url.startswith("http:") else "wss"

    async def call(self, operation: str, *, timeout: float | None = None, **params: Any) -> dict[str, Any]:
        """Call one operation; names and members as in the API reference.

        A call is tried again, after a full-jitter wait, when the error says that this can help (429, 500, 503, the
        network). An idempotency token is made once per call, so that a repeated request is not a second message.

        Args:
            operation: For example ``SendChannelMessage``.
            timeout: Seconds for this call instead of the usual.
            **params: Members of the request. Those that are None are left out.

        Returns:
            The response without ``ResponseMetadata``; timestamps are aware datetimes in UTC.

        Raises:
            ServiceError: the error answer, by kind.
            CredentialsError: if the request cannot be signed, or the service does not take the keys.
            ConfigurationError: if a parameter has the wrong type or is missing.
            TransportError: if the network failed, or no answer came in time.
        """
        seconds = self._timeout if timeout is None else timeout
        request = self._complete(operation, params)
        method: Callable[..., dict[str, Any]] = getattr(self.client, xform_name(operation))
        last: ChimeError | None = None
        try:
            with anyio.fail_after(seconds):
                made = 0
                while True:
                    error, tries = await self._try(operation, method, request)
                    if isinstance(error, dict):
                        return error
                    made += tries
                    last = error
                    if made >= self._attempts or not _worth_another_try(error):
                        raise error
                    await anyio.sleep(self._backoff(made))
        except TimeoutError as exc:
            if isinstance(exc, ChimeError):
                raise
            raise RequestTimeoutError(operation, seconds) from last

    async def _try(
        self, operation: str, method: Callable[..., dict[str, Any]], request: dict[str, Any]
    ) -> tuple[dict[str, Any] | ChimeError, int]:
        """One boto3 call: its response, or the translated error, and the HTTP requests it took."""
        # More calls at a time than the client keeps connections for would each open one and throw it away.
        turns = limiter_of(self.client, self.client.meta.config.max_pool_connections or MAX_POOL_CONNECTIONS)
        try:
            async with turns:
                response = await run_in_thread(partial(method, **request))
        except (ClientError, BotoCoreError) as exc:
            error = translate(exc, operation, self.host)
            error.__cause__ = exc
            return error, self._requests_made(exc)
        response.pop("ResponseMetadata", None)
        result: dict[str, Any] = _in_utc(response)
        return result, 1

    def _requests_made(self, error: ClientError | BotoCoreError) -> int:
        if isinstance(error, ClientError):
            return 1 + int(error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0))
        if isinstance(error, HTTPClientError | BotoConnectionError):
            # boto3 says nothing of its tries here; it has used them all.
            retries = self.client.meta.config.retries or {}
            return int(retries.get("total_max_attempts", 3))
        return 1

    def _backoff(self, made: int) -> float:
        return self._rng() * min(BACKOFF_CAP, BACKOFF_BASE * 2.0 ** (made - 1))

    def _complete(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Leave out what is None; add the bearer and the idempotency tokens where the operation takes them."""
        request = {name: value for name, value in params.items() if value is not None}
        shape = self.client.meta.service_model.operation_model(operation).input_shape
        if shape is None:
            return request
        if self.bearer is not None and "ChimeBearer" in shape.members:
            request.setdefault("ChimeBearer", self.bearer)
        for name, member in shape.members.items():
            # CallbackId carries the flag in the model too, but an invented one can only be refused.
            if member.metadata.get("idempotencyToken") and name != "CallbackId":
                request.setdefault(name, new_uuid())
        return request


def translate(error: ClientError | BotoCoreError, operation: str, host: str) -> ChimeError:
    """Say a botocore error in our terms.

    Args:
        error: What boto3 raised.
        operation: Name of the operation.
        host: Host and port that was asked.
    """
    if isinstance(error, ClientError):
        return _translate_answer(error, operation)
    credentials = translate_credentials_error(error)
    if credentials is not None:
        return credentials
    if isinstance(error, ParamValidationError):
        return ConfigurationError(operation, str(error.kwargs.get("report", error)).replace("\n", "; "))
    if isinstance(error, NoRegionError | UnknownEndpointError):
        return ConfigurationError("region", str(error))
    if isinstance(error, BotoConnectTimeoutError):
        return ConnectTimeoutError(host, _seconds(error))
    if isinstance(error, ReadTimeoutError):
        return ConnectError(host, "connected, but no answer came in time")
    if isinstance(error, HTTPClientError | BotoConnectionError):
        return ConnectError(host, _reason(error))
    return ProtocolError(f"{operation}: {error}")


def _translate_answer(error: ClientError, operation: str) -> ChimeError:
    details = error.response.get("Error", {})
    metadata = error.response.get("ResponseMetadata", {})
    code = str(details.get("Code", ""))
    message = str(details.get("Message", ""))
    if code in _EXPIRED or code in _UNUSABLE:
        return CredentialsError(f"{operation}: {code}: {message}", retryable=code in _EXPIRED)
    status = int(metadata.get("HTTPStatusCode", 0))
    return ServiceError.from_response(operation, status, code, message, str(metadata.get("RequestId", "")))


def _worth_another_try(error: ChimeError) -> bool:
    if isinstance(error, ConnectError) and _is_certificate_problem(error):
        return False
    return error.retryable


def _reason(error: BotoCoreError) -> str:
    """What the operating system said, if it said something: shorter and clearer than the layers above it."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror
        seen = seen.__cause__ or seen.__context__ or _wrapped(seen)
    return str(error.kwargs.get("error", error))


def _wrapped(error: BaseException) -> BaseException | None:
    """Botocore and urllib3 keep what they wrap under names of their own."""
    inner = error.kwargs.get("error") if isinstance(error, BotoCoreError) else getattr(error, "reason", None)
    return inner if isinstance(inner, BaseException) else None


def _is_certificate_problem(error: BaseException) -> bool:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(seen):
            return True
        seen = seen.__cause__
    return False


def _seconds(error: BotoConnectTimeoutError) -> float:
    reason = error.kwargs.get("error")
    pool = getattr(reason, "pool", None)
    seconds = getattr(getattr(pool, "timeout", None), "connect_timeout", None)
    return float(seconds) if isinstance(seconds, int | float) else 0.0


def _in_utc(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if isinstance(value, dict):
        return {key: _in_utc(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_in_utc(item) for item in value]
    return value
