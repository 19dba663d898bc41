"""The server's side of one websocket, below any session: upgrade, control frames, deadlines, slow readers.

It stands in uvicorn's ``ws=`` place, but is no ASGI application: frames that many sockets share are written to the
transport as they are. Clients of messaging sessions send nothing: what they say is read, checked and dropped.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, cast

from uvicorn.server import ServerState
from websockets.datastructures import Headers
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

MAX_INCOMING = 4096
"""Bytes of a message that a client may send; larger ones end the connection with 1009."""
CLOSE_TIMEOUT = 5.0
"""Seconds from the first close frame to the end of the TCP connection."""
HANDSHAKE_TIMEOUT = 10.0
"""Seconds from the upgrade request to an authorised session."""
TRY_AGAIN_LATER = 1013
_INTERNAL_ERROR = 1011
_NO_STATUS = 1005
_NOT_SENDABLE = frozenset({1006, 1015})
_MESSAGES = frozenset({Opcode.TEXT, Opcode.BINARY, Opcode.CONT})
_MAX_REASON = 123

_log = logging.getLogger(__name__)


def frame(payload: bytes, opcode: Opcode = Opcode.TEXT) -> bytes:
    """Frame one message as a server does, unmasked."""
    size = len(payload)
    if size < 126:
        return bytes((0x80 | opcode, size)) + payload
    if size < 1 << 16:
        return bytes((0x80 | opcode, 126, size >> 8, size & 0xFF)) + payload
    return Frame(opcode, payload).serialize(mask=False)


class WebSocket(asyncio.Protocol, ABC):
    """One websocket, from the upgrade request to the end of its TCP connection.

    Subclasses say what it is for: `accepts`, `opened`, `received`, `detached` and `lost`.

    Args:
        server_state: uvicorn's; its shutdown closes every socket in ``connections``.
        ping_interval: seconds between pings; None if the subclass looks after silent peers itself.
        ping_timeout: seconds a pong may take.
        write_buffer: bytes the peer may be behind.
        max_incoming: bytes of the largest message the peer may send.
    """

    __slots__ = (
        "_allowance",
        "_connections",
        "_detached",
        "_fragments",
        "_loop",
        "_ping_interval",
        "_ping_timeout",
        "_protocol",
        "_timer",
        "_transport",
        "_waiting_for_pong",
        "_write_buffer",
        "write",
    )

    SLOW_CODE: ClassVar[int] = TRY_AGAIN_LATER
    """Close code of a reader that is too slow."""

    write: Callable[[bytes], None]
    """Queue framed bytes; never blocks, and never after `close`."""

    def __init__(
        self,
        server_state: ServerState,
        *,
        ping_interval: float | None,
        ping_timeout: float,
        write_buffer: int,
        max_incoming: int = MAX_INCOMING,
    ) -> None:
        self._connections = cast("set[Any]", server_state.connections)
        self._ping_interval = ping_interval
        self._ping_timeout = ping_timeout
        self._write_buffer = write_buffer
        self._allowance = 0
        self._waiting_for_pong = False
        self._detached = False
        self._fragments: list[bytes] = []
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None
        self._protocol = ServerProtocol(
            max_size=max_incoming, logger=_log, select_subprotocol=lambda _, offered: self.select_subprotocol(offered)
        )
        self._protocol.debug = False  # it would log the request line, and that holds a signature

    # What a subclass decides

    @abstractmethod
    def accepts(self, path: str) -> bool:
        """Whether a websocket is offered at this path."""

    def select_subprotocol(self, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        """Choose among the subprotocols that the client offers; None goes on without one."""
        return None

    @abstractmethod
    def opened(self, target: str, headers: Headers) -> None:
        """The upgrade is done. `target` is the raw request target: path and query."""

    def received(self, message: bytes) -> None:
        """A whole message has come, text or binary. Not called once `closed`."""

    def detached(self) -> None:
        """Nothing may be written any more: the closing handshake begins, or the connection is gone."""

    def lost(self) -> None:
        """The TCP connection is gone."""

    def slow(self) -> None:
        """The peer reads too slowly and will be closed."""

    def silent(self) -> None:
        """The peer did not answer a ping and will be closed."""

    # What the owner does

    @property
    def closed(self) -> bool:
        """Whether nothing may be written any more."""
        return self._detached

    def close(self, code: int, reason: str = "") -> None:
        """Start the closing handshake. The socket is gone after `CLOSE_TIMEOUT` at the latest.

        Raises:
            ProtocolError: if a close frame cannot carry `code`.
        """
        if self._protocol.state is not State.OPEN or code in _NOT_SENDABLE:
            self.abort()
            return
        if code == _NO_STATUS:
            self._protocol.send_close()
        else:
            self._protocol.send_close(code, reason.encode()[:_MAX_REASON].decode(errors="ignore"))
        self._detach()
        self._send()

    def abort(self) -> None:
        """Drop the TCP connection at once."""
        self._detach()
        if self._transport is not None:
            self._transport.abort()

    def allow(self, size: int) -> None:
        """Do not count `size` bytes about to be written as the peer's delay, until it answers a ping."""
        self._allowance += size
        self._limit_buffer()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over the connection from the HTTP protocol."""
        self._transport = cast("asyncio.Transport", transport)
        self._limit_buffer()
        self.write = self._transport.write
        self._connections.add(self)
        self._set_timer(HANDSHAKE_TIMEOUT, self.abort)

    def data_received(self, data: bytes) -> None:
        """Read the upgrade request, then frames."""
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._handshake(event)
            elif not isinstance(event, Frame):
                continue
            elif event.opcode is Opcode.PONG:
                self._answered()
            elif event.opcode in _MESSAGES:
                self._collect(event)
        self._send()

    def eof_received(self) -> None:
        """The peer has no more to say: RFC 6455 wants a close frame first, so this is the end."""
        self._protocol.receive_eof()
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        """Clean up."""
        self._set_timer(0.0, None)
        self._connections.discard(self)
        self._detach()
        self.lost()

    def pause_writing(self) -> None:
        """The peer is `write_buffer` behind: waiting would only make the queue longer."""
        # Called from inside a write, so the close frame has to wait for the end of it.
        self._loop.call_soon(self._too_slow)

    def resume_writing(self) -> None:
        """The queue is short again; the decision to close stands."""

    def shutdown(self) -> None:
        """Close, as uvicorn is stopping."""
        self.close(1012, "the server stops")

    # Inside

    def _handshake(self, request: Request) -> None:
        path = request.path.partition("?")[0]
        if not self.accepts(path):
            self._protocol.send_response(self._protocol.reject(404, "No websocket here.\n"))
            return
        response = self._protocol.accept(request)
        self._protocol.send_response(response)
        self._send()
        if response.status_code == 101:
            if self._ping_interval is None:
                self._set_timer(0.0, None)
            else:
                self._set_timer(self._ping_interval, self._ping)
            self.opened(request.path, request.headers)

    def _collect(self, event: Frame) -> None:
        """Make messages of frames. `ServerProtocol` bounds the sum of the fragments."""
        if self._detached:
            return
        if event.fin and not self._fragments:
            self.received(bytes(event.data))
            return
        self._fragments.append(bytes(event.data))
        if event.fin:
            message, self._fragments = b"".join(self._fragments), []
            self.received(message)

    def _send(self) -> None:
        """Write what the protocol has to say: handshake, control frames, the end."""
        transport = self._transport
        if transport is None:
            return
        for data in self._protocol.data_to_send():
            if data:
                transport.write(data)
            elif self._protocol.close_rcvd is None and transport.can_write_eof():
                # The peer may be sending still: closing with unread input would reset the connection, and take the
                # close frame with it.
                transport.write_eof()
            else:
                transport.close()
        if self._protocol.state is not State.OPEN and not self._detached:
            self._detach()

    def _detach(self) -> None:
        if self._detached:
            return
        self._detached = True
        if self._transport is not None and not self._transport.is_closing():
            self._set_timer(CLOSE_TIMEOUT, self._expire)
        self.detached()

    def _expire(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _ping(self) -> None:
        if self._waiting_for_pong:
            self.silent()
            self.close(_INTERNAL_ERROR, "no answer to a ping")
            return
        self._waiting_for_pong = True
        self._protocol.send_ping(b"")
        self._set_timer(self._ping_timeout, self._ping)
        self._send()

    def _answered(self) -> None:
        if self._detached or not self._waiting_for_pong:
            return
        self._waiting_for_pong = False
        if self._ping_interval is not None:
            self._set_timer(self._ping_interval, self._ping)
        if self._allowance:
            self._allowance = 0
            self._limit_buffer()

    def _too_slow(self) -> None:
        if not self._detached:
            self.slow()
            self.close(self.SLOW_CODE, "the reader is too slow")

    def _limit_buffer(self) -> None:
        if self._transport is not None:
            self._transport.set_write_buffer_limits(high=self._write_buffer + self._allowance)

    def _set_timer(self, delay: float, callback: Callable[[], None] | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if callback is None else self._loop.call_later(delay, callback)
