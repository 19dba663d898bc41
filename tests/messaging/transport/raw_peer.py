"""A websocket server that sends exactly the bytes it is told, on the event loop of the test."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import anyio
from anyio.abc import SocketAttribute, SocketStream
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

QUIET = logging.Logger("peer", logging.CRITICAL)
"""Keeps the peer's own log out of what a test looks at."""

Handler = Callable[[SocketStream], Awaitable[None]]


async def upgrade(stream: SocketStream, *subprotocols: str) -> Request:
    """Accept the websocket; nothing but raw bytes from here on."""
    protocol = ServerProtocol(logger=QUIET, subprotocols=[Subprotocol(name) for name in subprotocols] or None)
    while True:
        protocol.receive_data(await stream.receive())
        for event in protocol.events_received():
            if isinstance(event, Request):
                protocol.send_response(protocol.accept(event))
                await stream.send(b"".join(protocol.data_to_send()))
                return event


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """Serve connections with a handler; the value is the URL."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")

    async def handle(stream: SocketStream) -> None:
        async with stream:
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                await handler(stream)

    async with listener, anyio.create_task_group() as tasks:
        port = listener.extra(SocketAttribute.local_port)
        tasks.start_soon(listener.serve, handle)
        yield f"ws://127.0.0.1:{port}/connect?X-Amz-Signature=secret"
        tasks.cancel_scope.cancel()
