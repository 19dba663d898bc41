"""The other end of a websocket: the `websockets` threading server, so that asyncio and trio tests meet the same one."""

from __future__ import annotations

import queue
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import anyio.to_thread
from websockets.exceptions import ConnectionClosed as PeerClosed
from websockets.sync.server import Server, ServerConnection, serve

from chime_messaging.errors import ConnectionClosed
from chime_messaging.transport.websocket import WebSocketConnector, WebSocketTransport


class Peer:
    """A connection of the server, with the interface of a transport."""

    def __init__(self, connection: ServerConnection, over: threading.Event) -> None:
        self.connection = connection
        self._over = over

    async def receive(self) -> list[str | bytes]:
        try:
            return [await anyio.to_thread.run_sync(self.connection.recv, abandon_on_cancel=True)]
        except PeerClosed as exc:
            raise _translated(exc) from exc

    async def send(self, data: str | bytes) -> None:
        try:
            await anyio.to_thread.run_sync(self.connection.send, data, abandon_on_cancel=True)
        except PeerClosed as exc:
            raise _translated(exc) from exc

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        if code == 1005:
            code, reason = None, ""  # type: ignore[assignment]  # how the library is told to send none
        await anyio.to_thread.run_sync(self.connection.close, code, reason, abandon_on_cancel=True)
        self._over.set()


class PeerServer:
    """Accepts websockets and hands them to the test."""

    def __init__(self, ssl_context: ssl.SSLContext | None = None) -> None:
        self._accepted: queue.SimpleQueue[Peer] = queue.SimpleQueue()
        self._peers: list[Peer] = []
        self._server: Server = serve(
            self._handle,
            "127.0.0.1",
            0,
            ssl=ssl_context,
            compression=None,
            max_size=None,
            ping_interval=None,
            close_timeout=1,
        )
        self._thread = threading.Thread(target=self._server.serve_forever, name="peer server")
        self._thread.start()

    @property
    def port(self) -> int:
        port: int = self._server.socket.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/connect?X-Amz-Signature=secret"

    async def accept(self) -> Peer:
        return await anyio.to_thread.run_sync(self._accepted.get, True, 5)

    def stop(self) -> None:
        for peer in self._peers:
            peer._over.set()
        self._server.shutdown()
        self._thread.join()

    def _handle(self, connection: ServerConnection) -> None:
        peer = Peer(connection, threading.Event())
        self._peers.append(peer)
        self._accepted.put(peer)
        peer._over.wait()


@contextmanager
def peer_server(ssl_context: ssl.SSLContext | None = None) -> Iterator[PeerServer]:
    server = PeerServer(ssl_context)
    try:
        yield server
    finally:
        server.stop()


@asynccontextmanager
async def connected(
    server: PeerServer, connector: WebSocketConnector | None = None
) -> AsyncIterator[tuple[WebSocketTransport, Peer]]:
    ours = await (connector or WebSocketConnector()).connect(server.url, timeout=5)
    theirs = await server.accept()
    try:
        yield ours, theirs
    finally:
        with anyio.CancelScope(shield=True):
            await ours.aclose()
            theirs._over.set()


def _translated(exc: PeerClosed) -> ConnectionClosed:
    close = exc.rcvd or exc.sent
    if close is None:
        return ConnectionClosed(1006, "", "network")
    return ConnectionClosed(close.code, close.reason, "us" if exc.rcvd_then_sent is False else "peer")
