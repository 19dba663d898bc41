"""Two transports joined in memory: sessions without a network, in tests and in one process."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import anyio
from anyio.lowlevel import checkpoint

from chime_messaging.errors import ConnectError, ConnectionClosed, ConnectTimeoutError
from chime_messaging.transport.base import ABNORMAL, MAX_FRAMES

DEFAULT_SIZE = 256
"""Frames under way in each direction before `send` waits."""


class _Pipe:
    """One direction: frames under way, and the signals between its two ends."""

    def __init__(self, size: int) -> None:
        self.frames: deque[str | bytes] = deque()
        self.size = size
        self._changed = anyio.Event()

    def notify(self) -> None:
        """Wake both ends."""
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    async def change(self) -> None:
        """Wait for the next `notify`."""
        await self._changed.wait()


class MemoryTransport:
    """One end of a `memory_pair`."""

    def __init__(self, incoming: _Pipe, outgoing: _Pipe) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self.subprotocols: tuple[str, ...] = ()
        """What the client offered; of connections that `MemoryConnector` makes."""
        self._peer: MemoryTransport | None = None
        self._closed: ConnectionClosed | None = None

    @property
    def closed(self) -> bool:
        """Whether the connection is closed, by whichever side."""
        return self._closed is not None

    async def receive(self) -> list[str | bytes]:
        """Return the frames that have arrived; see `Transport.receive`."""
        await checkpoint()
        frames = self._incoming.frames
        while not frames:
            if self._closed is not None:
                raise _again(self._closed)
            await self._incoming.change()
        batch = [frames.popleft() for _ in range(min(len(frames), MAX_FRAMES))]
        self._incoming.notify()
        return batch

    async def send(self, data: str | bytes) -> None:
        """Send one frame; see `Transport.send`."""
        await checkpoint()
        frames = self._outgoing.frames
        while self._closed is None and len(frames) >= self._outgoing.size:
            await self._outgoing.change()
        if self._closed is not None:
            raise _again(self._closed)
        frames.append(data)
        self._outgoing.notify()

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        """Close; see `Transport.aclose`. What the peer has not received yet stays there for it."""
        if self._closed is None:
            self._incoming.frames.clear()
            self._end(ConnectionClosed(code, reason, "us"))
            if self._peer is not None:
                self._peer._end(ConnectionClosed(code, reason, "peer"))
        await checkpoint()

    def abort(self) -> None:
        """Break the connection as a lost network does: both ends see 1006."""
        for end in (self, self._peer):
            if end is not None:
                end._end(ConnectionClosed(ABNORMAL, "connection lost", "network"))

    def _end(self, how: ConnectionClosed) -> None:
        if self._closed is None:
            self._closed = how
            self._incoming.notify()
            self._outgoing.notify()


def memory_pair(size: int = DEFAULT_SIZE) -> tuple[MemoryTransport, MemoryTransport]:
    """Return two transports, each the other's peer.

    Args:
        size: frames under way in each direction before `send` waits.
    """
    there, back = _Pipe(size), _Pipe(size)
    left, right = MemoryTransport(back, there), MemoryTransport(there, back)
    left._peer, right._peer = right, left
    return left, right


class MemoryConnector:
    """A `Connector` whose server end is in the same program: `accept` returns the other end of each connection."""

    def __init__(self, size: int = DEFAULT_SIZE) -> None:
        self._size = size
        self._waiting: deque[tuple[str, MemoryTransport, anyio.Event]] = deque()
        self._arrived = anyio.Event()
        self._refusal: ConnectError | None = None

    async def connect(self, url: str, *, timeout: float, subprotocols: Sequence[str] = ()) -> MemoryTransport:
        """Wait until the connection is accepted; see `Connector.connect`."""
        if self._refusal is not None:
            raise ConnectError(self._refusal.host, self._refusal.problem, status=self._refusal.status)
        near, far = memory_pair(self._size)
        near.subprotocols = far.subprotocols = tuple(subprotocols)
        accepted = anyio.Event()
        entry = (url, far, accepted)
        self._waiting.append(entry)
        self._arrived.set()
        with anyio.move_on_after(timeout):
            try:
                await accepted.wait()
                return near
            finally:
                if not accepted.is_set():
                    self._waiting.remove(entry)
        raise ConnectTimeoutError("memory", timeout)

    async def accept(self) -> tuple[str, MemoryTransport]:
        """Wait for a connection; return the URL that was asked for and the server's end."""
        while not self._waiting:
            self._arrived = anyio.Event()
            await self._arrived.wait()
        url, transport, accepted = self._waiting.popleft()
        accepted.set()
        return url, transport

    def refuse(self, status: int | None = None) -> None:
        """Refuse every connection from now on, as a server that answers the upgrade with an HTTP status."""
        self._refusal = ConnectError("memory", "refused", status=status)

    def allow(self) -> None:
        """Accept connections again."""
        self._refusal = None


def _again(closed: ConnectionClosed) -> ConnectionClosed:
    # A fresh one for each caller: a raised exception object collects tracebacks and context.
    return ConnectionClosed(closed.code, closed.reason, closed.initiated_by)
