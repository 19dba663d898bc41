"""uvicorn's HTTP protocol with two limits it leaves to a proxy: how long a head may take, and how large it may be.

A local server has no proxy in front, and the head of every websocket comes this way too. Head and body of an answer
leave in one piece, where uvicorn makes two: sending a piece is a sixth of what the event loop does for a request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_TIMEOUT = 10.0
"""Seconds from the connection, or from the first byte of a further request, to the end of its head."""
MAX_HEAD_BYTES = 64 << 10
"""Request line and headers together. Signed URLs with session tokens take a few KB."""


class _JoinedWrites:
    """A transport that writes at the end of a turn of the loop what was given to it in that turn."""

    __slots__ = ("_loop", "_parts", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Keep bytes for the end of this turn."""
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)

    def close(self) -> None:
        """Close once all is written."""
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _flush(self) -> None:
        data = b"".join(self._parts)
        self._parts.clear()
        if data and not self._transport.is_closing():
            self._transport.write(data)


class WebSocketRoutes:
    """Which protocol takes an upgrade. Goes into uvicorn's ``ws=``, with `HttpConnection` as ``http=``.

    Args:
        factories: makers of protocols, by the beginning of the paths they serve.
        fallback: for every other path.
    """

    def __init__(
        self, factories: Mapping[str, Callable[..., asyncio.Protocol]], fallback: Callable[..., asyncio.Protocol]
    ) -> None:
        self._factories = factories
        self._fallback = fallback

    def find(self, target: str) -> Callable[..., asyncio.Protocol]:
        """Return the maker of the protocol for a request target."""
        for beginning, factory in self._factories.items():
            if target.startswith(beginning):
                return factory
        return self._fallback

    def __call__(self, **options: Any) -> asyncio.Protocol:
        """Make a protocol where uvicorn does not ask for a path."""
        return self._fallback(**options)


class HttpConnection(HttpToolsProtocol):
    """One HTTP connection. A head that is too large is answered with 400; one that takes too long gets no answer."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._head_size = 0
        self._in_head = True
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock of the first request."""
        self._wire = transport
        super().connection_made(_JoinedWrites(transport, self.loop))  # type: ignore[arg-type]  # has all that is called
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Read, and watch a head that is not complete yet."""
        super().data_received(data)
        if not self._in_head:
            self._unwatch()
            return
        self._head_size += len(data)
        if self.transport.is_closing():
            self._unwatch()
        elif self._head_size > MAX_HEAD_BYTES:
            self._unwatch()
            self.send_400_response("The head of the request is too large.")
        elif self._head_timer is None:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._unwatch()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over; the websocket has clocks of its own."""
        self._unwatch()
        self.transport = self._wire
        routes: Any = self.config.ws_protocol_class
        if isinstance(routes, WebSocketRoutes):
            factory: Any = routes.find(self.url.decode("latin-1"))
            self.ws_protocol_class = factory
        super().handle_websocket_upgrade()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_head = True
        self._head_size = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._in_head = False
        super().on_headers_complete()

    def _watch(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT, self.transport.abort)

    def _unwatch(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
