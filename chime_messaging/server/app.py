"""The ASGI application: HTTP in, HTTP out, and nothing in between but the dispatcher.

There is no framework on this path: the routes come from the service models, and the four pages beside them need no
routing. Websockets do not come here; the listener takes them off uvicorn's hands.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import msgspec

from chime_messaging.server import faults
from chime_messaging.server.configuration import LOCAL_REGION
from chime_messaging.server.faults import Fault
from chime_messaging.server.meetings.ingestion import ClientEvents
from chime_messaging.server.meetings.placement import INGESTION_PATH, NEAREST_MEDIA_REGION_PATH
from chime_messaging.server.metrics import CONTENT_TYPE, Metrics
from chime_messaging.server.pages import Page
from chime_messaging.server.rest import errors
from chime_messaging.server.rest.dispatch import Answer, Dispatcher, Request, new_request_id
from chime_messaging.server.rest.requests import MAX_BODY_BYTES, too_large

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

BODY_TIMEOUT = 30.0
"""Seconds a client has to send a body that does not come at once."""
_MAX_DISCARDED = 16 * MAX_BODY_BYTES
_JSON = (b"content-type", b"application/json")

_log = logging.getLogger("chime_messaging.server.requests")

# A browser shows neither answer nor error type to a page without these, so every answer has them.
_CORS: Headers = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"x-amzn-errortype, x-amzn-requestid, retry-after"),
]
_PREFLIGHT: Headers = [
    *_CORS,
    (b"access-control-allow-methods", b"GET, POST, PUT, DELETE, OPTIONS"),
    (
        b"access-control-allow-headers",
        b", ".join(
            (
                b"authorization, content-type, x-amz-date, x-amz-security-token, x-amz-content-sha256",
                b"x-amz-user-agent, amz-sdk-invocation-id, amz-sdk-request, x-amz-chime-bearer",
            )
        ),
    ),
    (b"access-control-max-age", b"86400"),
]


class App:
    """Serves the REST operations of all three services and the pages beside them.

    These are ``/metrics`` and ``/healthz``; what clients of meetings use without credentials: the nearest media region
    and the place for their events.

    Args:
        dispatcher: answers the operations.
        metrics: counts them.
        client_events: takes what clients report.
        region: the one media region there is.
        pages: for browsers, by path.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        metrics: Metrics,
        client_events: ClientEvents | None = None,
        region: str = LOCAL_REGION,
        pages: Mapping[str, Page] | None = None,
    ) -> None:
        self._dispatcher = dispatcher
        self._metrics = metrics
        self._client_events = client_events or ClientEvents()
        self._region = msgspec.json.encode({"region": region})
        self._pages = pages or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        if scope["type"] != "http":
            raise ValueError(f"this application answers http, not {scope['type']}")
        method: str = scope["method"]
        if method == "OPTIONS":
            await _send(send, 204, _PREFLIGHT, b"")
        elif method == "GET" and scope["path"] == "/metrics":
            await _send(send, 200, [*_CORS, (b"content-type", CONTENT_TYPE.encode())], self._metrics.render())
        elif method == "GET" and scope["path"] == "/healthz":
            await _send(send, 200, [*_CORS, (b"content-type", b"text/plain")], b"ok")
        elif method == "GET" and scope["path"] == NEAREST_MEDIA_REGION_PATH:
            await _send(send, 200, [*_CORS, _JSON], self._region)
        elif method == "POST" and scope["path"].rstrip("/") == INGESTION_PATH:
            await self._ingest(receive, send)
        elif method == "GET" and (page := self._pages.get(scope["path"])) is not None:
            await _send(send, 200, [*_CORS, (b"content-type", page.content_type.encode())], page.body)
        else:
            await self._operate(scope, receive, send)

    async def _ingest(self, receive: Receive, send: Send) -> None:
        """Take a report of client events: by fetch, or by a beacon that has its token in the body."""
        unread = True
        try:
            body = await _read(receive)
            if body is None:
                return
            unread = False
            self._client_events.take(body)
        except Fault as fault:
            answer = _refuse(fault)
            await _send(send, answer.status, _headers(answer, closing=unread), answer.body)
        else:
            await _send(send, 200, [*_CORS, _JSON], b"{}")

    async def _operate(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        unread = False
        try:
            body = await _read(receive)
            if body is None:
                return
            started = time.perf_counter()
            answer = await self._dispatcher.answer(_request(scope, body))
        except Fault as fault:
            answer, unread = _refuse(fault), True
        await _send(send, answer.status, _headers(answer, closing=unread), answer.body)
        seconds = time.perf_counter() - started
        self._metrics.observe(answer.service or "none", answer.operation or "unknown", answer.status, seconds)
        if _log.isEnabledFor(logging.INFO):
            _log.info("request", extra=_record(scope, answer, seconds))


def _request(scope: Scope, body: bytes) -> Request:
    return Request(
        scope["method"].upper(),
        scope["raw_path"].decode("latin-1"),
        scope["query_string"].decode("latin-1"),
        scope["headers"],
        body,
    )


async def _read(receive: Receive) -> bytes | None:
    """Read the whole body; None if the client went away.

    Raises:
        Fault: BadRequestException, if it does not come in time or is over the limit. What comes after the limit is
            thrown away, up to `_MAX_DISCARDED` bytes, so that most clients see the answer and not a reset.
    """
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message.get("body", b"")
        return body
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            while message["type"] == "http.request":
                chunk: bytes = message.get("body", b"")
                size += len(chunk)
                if size <= MAX_BODY_BYTES:
                    parts.append(chunk)
                if not message.get("more_body") or size > _MAX_DISCARDED:
                    break
                message = await receive()
    except TimeoutError:
        raise faults.bad_request(f"The request body did not arrive within {BODY_TIMEOUT:g} s.") from None
    if message["type"] != "http.request":
        return None
    if size > MAX_BODY_BYTES:
        raise too_large()
    return b"".join(parts)


def _refuse(fault: Fault) -> Answer:
    request_id = new_request_id()
    refused = errors.answer(None, fault, request_id)
    return Answer(refused.status, refused.body, request_id, "", "", refused.name)


def _headers(answer: Answer, *, closing: bool) -> Headers:
    headers = [*_CORS, (b"x-amzn-requestid", answer.request_id.encode())]
    if answer.status != 204:
        headers.append(_JSON)
    if answer.error is not None:
        headers.append((b"x-amzn-errortype", answer.error.encode()))
    if answer.retry_after is not None:
        headers.append((b"retry-after", answer.retry_after.encode()))
    if closing:
        headers.append((b"connection", b"close"))  # the rest of the body is not read
    return headers


async def _send(send: Send, status: int, headers: Headers, body: bytes) -> None:
    if status != 204:
        headers = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _record(scope: Scope, answer: Answer, seconds: float) -> dict[str, Any]:
    """What the log says of a request: no headers and no query, they may hold signatures and tokens."""
    client = scope.get("client")
    return {
        "method": scope["method"],
        "path": scope["path"],
        "operation": answer.operation or "unknown",
        "status": answer.status,
        "error": answer.error,
        "milliseconds": round(seconds * 1000, 3),
        "request_id": answer.request_id,
        "client": f"{client[0]}:{client[1]}" if client else None,
    }
