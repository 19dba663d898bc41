"""From a request to its answer: route, verify, decode, authorise, act in a transaction, encode."""

from __future__ import annotations

import logging
import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Protocol

import msgspec

from chime_messaging.ids import Arn, parse_arn
from chime_messaging.server.configuration import Authorization, ServerConfiguration
from chime_messaging.server.control import PlannedFailures
from chime_messaging.server.faults import Fault
from chime_messaging.server.operations import HANDLERS, RENEWALS, Call, Handler
from chime_messaging.server.rest import errors
from chime_messaging.server.rest.bearers import BearerRule
from chime_messaging.server.rest.idempotency import once
from chime_messaging.server.rest.requests import Decoder, decode_body, token_member
from chime_messaging.server.rest.routes import Route, Router, parse_query, split_path
from chime_messaging.server.rest.shapes import Convert, compile_shape, to_seconds
from chime_messaging.server.rest.signatures import verify_headers
from chime_messaging.server.store.database import Database, DatabaseClosedError, Transaction

_log = logging.getLogger(__name__)

_encode = msgspec.json.Encoder().encode
_SESSION_ENDPOINT = ("messaging", "GetMessagingSessionEndpoint")


class Limiter(Protocol):
    """The service's rate limits."""

    def admit(self, service: str, operation: str, params: Mapping[str, Any], bearer: str | None) -> None:
        """Count a call.

        Raises:
            Fault: ThrottledClientException, if it is one too many.
        """


class Request(msgspec.Struct, frozen=True, gc=False):
    """One HTTP request, as received."""

    method: str
    raw_path: str
    """Percent-encoded, without the query."""
    raw_query: str
    headers: list[tuple[bytes, bytes]]
    """Names in lower case."""
    body: bytes = b""


class Answer(msgspec.Struct, frozen=True, gc=False):
    """One HTTP answer, without what every answer carries."""

    status: int
    body: bytes
    request_id: str
    service: str
    """Empty where no operation was found."""
    operation: str
    error: str | None = None
    """Shape name of the error, for ``x-amzn-ErrorType``."""
    retry_after: str | None = None


@dataclass(frozen=True, slots=True)
class _Plan:
    """Everything about one operation that can be known beforehand."""

    service: str
    operation: str
    status: int
    decode: Decoder
    bearer: BearerRule
    token: str | None
    convert: Convert | None


class Dispatcher:
    """Answers requests of all three services.

    Args:
        configuration: of the server.
        database: open.
        limiter: rate limits; None for none.
        failures: errors to answer on demand.
        clock: the time, for signatures.
    """

    def __init__(
        self,
        configuration: ServerConfiguration,
        database: Database,
        *,
        limiter: Limiter | None = None,
        failures: PlannedFailures | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._configuration = configuration
        self._database = database
        self._limiter = limiter
        self._failures = failures or PlannedFailures()
        self._clock = clock
        self._keys = dict(configuration.keys)
        self._router, self._plans = _router(), _plans()

    async def answer(self, request: Request) -> Answer:
        """Answer one request; never raises but when cancelled."""
        request_id = new_request_id()
        plan: _Plan | None = None
        try:
            if self._configuration.authorization is Authorization.STRICT:
                self._verify(request)
            segments, query = split_path(request.raw_path), parse_query(request.raw_query)
            routes = self._router.find(request.method, segments, query)
            if not routes:
                raise errors.unknown_operation(request.method)
            body = decode_body(request.body)
            route = routes[0] if len(routes) == 1 else _choose(routes, query, body)
            plan = self._plans[route.service, route.operation.name]
            failure = self._failures.take(plan.operation)
            if failure is not None:
                raise failure
            params = plan.decode.decode(segments, query, body)
            response = await self._act(plan, params, dict(request.headers))
            return self._success(plan, response, request_id)
        except Fault as fault:
            return _failure(plan, fault, request_id)
        except DatabaseClosedError:
            return _failure(plan, errors.unavailable(), request_id)
        except Exception:
            operation = plan.operation if plan else "unknown"
            _log.exception("internal failure", extra={"operation": operation, "request_id": request_id})
            return _failure(plan, errors.internal_failure(), request_id)

    def _verify(self, request: Request) -> None:
        verify_headers(
            request.method,
            request.raw_path,
            request.raw_query,
            request.headers,
            request.body,
            keys=self._keys,
            now=self._clock(),
        )

    async def _act(self, plan: _Plan, params: dict[str, Any], headers: Mapping[bytes, bytes]) -> dict[str, Any]:
        key = (plan.service, plan.operation)
        if key == _SESSION_ENDPOINT:
            return self._session_endpoint(params, headers)
        handler = HANDLERS.get(key)
        if handler is None:
            raise errors.not_implemented(plan.operation)
        bearer = plan.bearer.read(headers)
        if self._limiter is not None:
            self._limiter.admit(plan.service, plan.operation, params, bearer.text if bearer else None)
        host = self._host(headers)
        return await self._database.run(lambda tx: self._perform(plan, handler, params, bearer, tx, host))

    def _perform(
        self, plan: _Plan, handler: Handler, params: dict[str, Any], bearer: Arn | None, tx: Transaction, host: str
    ) -> dict[str, Any]:
        """On the store's thread, in the call's transaction."""
        if bearer is not None and self._configuration.authorization is not Authorization.TRUST:
            plan.bearer.admit(tx, bearer, params)
        call = Call(plan.service, plan.operation, params, bearer, tx, self._configuration, host)
        if plan.token is None:
            return handler(call) or {}
        scope = bearer.text if bearer is not None else self._configuration.account
        renewal = RENEWALS.get((plan.service, plan.operation), _as_it_was)
        return once(
            tx,
            scope,
            f"{plan.service}.{plan.operation}",
            plan.token,
            params,
            lambda: handler(call) or {},
            lambda known: renewal(call, known),
        )

    def _session_endpoint(self, params: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> dict[str, Any]:
        """GetMessagingSessionEndpoint: a bare host and port, as clients sign it into their URL."""
        endpoint: dict[str, Any] = {"Url": self._host(headers)}
        return {"Endpoint": endpoint}

    def _host(self, headers: Mapping[bytes, bytes]) -> str:
        """Under what name clients are to call: the one configured, or the one this client has called."""
        host = self._configuration.public_host or headers.get(b"host", b"").decode("latin-1")
        return host or f"{self._configuration.host}:{self._configuration.port}"

    def _success(self, plan: _Plan, response: dict[str, Any], request_id: str) -> Answer:
        if plan.convert is not None:
            response = plan.convert(response)
        return Answer(
            plan.status, b"" if plan.status == 204 else _encode(response), request_id, plan.service, plan.operation
        )


def _as_it_was(call: Call, known: dict[str, Any]) -> dict[str, Any]:
    return known


def new_request_id() -> str:
    """Make a UUID. It is no secret, and asking the system for randomness would cost more than the rest of the call."""
    return str(uuid.UUID(int=random.getrandbits(128), version=4))


@cache
def _router() -> Router:
    return Router()


@cache
def _plans() -> dict[tuple[str, str], _Plan]:
    return {(route.service, route.operation.name): _plan(route) for route in _router().routes}


def _plan(route: Route) -> _Plan:
    operation = route.operation
    return _Plan(
        route.service,
        operation.name,
        int(operation.http.get("responseCode", 200)),
        Decoder(route),
        BearerRule(operation),
        token_member(operation),
        compile_shape(operation.output_shape, to_seconds) if operation.output_shape is not None else None,
    )


def _failure(plan: _Plan | None, fault: Fault, request_id: str) -> Answer:
    service, operation = (plan.service, plan.operation) if plan else ("", "")
    answer = errors.answer(service or None, fault, request_id)
    return Answer(answer.status, answer.body, request_id, service, operation, answer.name, answer.retry_after)


def _choose(routes: list[Route], query: Mapping[str, list[str]], body: Mapping[str, Any]) -> Route:
    """Tell the services' tag operations apart, by what the ARN names."""
    given = body.get("ResourceARN") or next(iter(query.get("arn", ())), "")
    text = given if isinstance(given, str) else ""
    wanted = "meetings" if ":meeting/" in text else _owner_of(text)
    return next((route for route in routes if route.service == wanted), routes[0])


def _owner_of(text: str) -> str:
    try:
        kind = parse_arn(text).kind
    except ValueError:
        return "messaging"
    return "messaging" if kind in ("channel", "channel-flow") else "identity"
