"""Websockets for asyncio and trio: `ClientFraming` on an anyio byte stream.

No task of its own: whoever waits in `receive` also answers pings and notices silence, so a transport costs nothing
while it is idle and ends with the task that reads it.
"""

from __future__ import annotations

import functools
import math
import ssl
from collections.abc import Sequence

import anyio
from anyio.abc import ByteStream
from anyio.lowlevel import checkpoint
from anyio.streams.tls import TLSStream
from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI, ProtocolError
from websockets.uri import WebSocketURI, parse_uri

from chime_messaging.errors import (
    ConfigurationError,
    ConnectError,
    ConnectionClosed,
    ConnectTimeoutError,
    UsageError,
)
from chime_messaging.transport.framing import ClientFraming

MAX_FRAME_BYTES = 16 << 20
"""Default size of the largest message; a larger one closes the connection with 1009."""

PING_INTERVAL = 20.0
"""Default seconds of silence before the transport asks for a sign of life."""

PING_TIMEOUT = 20.0
"""Default seconds to wait for it."""

CLOSE_TIMEOUT = 2.0
"""Default seconds for the peer to answer a close frame and to end the TCP connection."""

WRITE_TIMEOUT = 10.0
"""Default seconds for a frame to leave; a peer that reads nothing for so long is taken for lost."""

_READ_BYTES = 1 << 18

_GONE = (OSError, anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError)


class WebSocketTransport:
    """An open websocket; see `Transport`. Made by `WebSocketConnector`."""

    __slots__ = (
        "_close_timeout",
        "_closed",
        "_done",
        "_framing",
        "_heard",
        "_ping_interval",
        "_ping_timeout",
        "_pinged",
        "_reading",
        "_ready",
        "_stream",
        "_write_timeout",
        "_writing",
    )

    def __init__(
        self,
        stream: ByteStream,
        framing: ClientFraming,
        *,
        ping_interval: float | None,
        ping_timeout: float,
        close_timeout: float,
        write_timeout: float,
    ) -> None:
        self._stream = stream
        self._framing = framing
        self._ping_interval = ping_interval
        self._ping_timeout = ping_timeout
        self._close_timeout = close_timeout
        self._write_timeout = write_timeout
        self._heard = anyio.current_time()
        self._pinged = False
        self._reading = False
        self._ready: list[str | bytes] = []
        self._closed: ConnectionClosed | None = None
        self._done: anyio.Event | None = None
        self._writing = anyio.Lock()

    async def receive(self) -> list[str | bytes]:
        """Return the frames that have arrived; see `Transport.receive`."""
        if self._reading:
            raise UsageError("two tasks receive from the same transport")
        self._reading = True
        try:
            if self._framing.buffered or self._closed is not None:
                await checkpoint()
            while True:
                # What was taken is kept here until it is returned: answering a ping below can be cancelled.
                if not self._ready:
                    self._ready = self._framing.take()
                if self._framing.sending and self._closed is None:
                    await self._flush()
                if self._ready:
                    frames, self._ready = self._ready, []
                    return frames
                if self._closed is not None:
                    raise _again(self._closed)
                await self._advance()
        finally:
            self._reading = False

    async def send(self, data: str | bytes) -> None:
        """Send one frame; see `Transport.send`."""
        await checkpoint()
        async with self._writing:
            if self._closed is None and self._framing.open:
                self._framing.send(data)
                if await self._write():
                    return
        await self._drain()
        raise _again(self._closed or self._framing.outcome("connection lost"))

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        """Close; see `Transport.aclose`.

        Raises:
            ConfigurationError: if the code must not be sent.
        """
        if self._closed is not None:
            return
        try:
            self._framing.close(code, reason)
        except ProtocolError as exc:
            raise ConfigurationError("code", f"{code} must not be sent") from exc
        self._ready.clear()
        await self._drain()

    # Reading

    async def _advance(self) -> None:
        """Read once, or end the connection when there is nothing more to read."""
        if not self._framing.finished:
            await self._read()
            return
        with anyio.move_on_after(self._close_timeout):
            await self._flush()
            # The server ends the TCP connection; to be first would make a reset of it that overtakes our close frame.
            while True:
                try:
                    await self._stream.receive(_READ_BYTES)
                except _GONE:
                    break
        await self._end("")

    async def _read(self) -> None:
        """Take bytes in. After a silence ask for a sign of life, and end the connection when none comes."""
        data, failure = b"", None
        with anyio.CancelScope(deadline=self._silence_ends()):
            try:
                data = await self._stream.receive(_READ_BYTES)
            except _GONE as exc:
                failure = exc
        if data:
            self._heard = anyio.current_time()
            self._pinged = False
            self._framing.receive(data)
        elif failure is not None:
            self._framing.receive_eof()
            await self._end(_why(failure))
        elif self._pinged:
            await self._end(f"no sign of life for {self._ping_timeout:g} s after a ping")
        else:
            self._pinged = True
            self._heard = anyio.current_time()
            if self._framing.open:
                self._framing.ping()

    def _silence_ends(self) -> float:
        if self._ping_interval is None:
            return math.inf
        return self._heard + (self._ping_timeout if self._pinged else self._ping_interval)

    # Writing

    async def _flush(self) -> None:
        async with self._writing:
            await self._write()

    async def _write(self) -> bool:
        """Send what is framed; False if it cannot be sent. The lock is held."""
        data = self._framing.to_send()
        if not data:
            return True
        # Shielded: half a frame on the wire would break every one that follows it.
        with anyio.move_on_after(self._write_timeout, shield=True):
            try:
                await self._stream.send(data)
            except _GONE:
                # How it ended is for the reading side to find out: a close frame may be waiting there.
                return False
            return True
        await self._end("the peer does not read")
        return False

    # Ending

    async def _drain(self) -> None:
        """See the connection to its end, within the deadline: send what is framed, let the reading side finish."""
        try:
            with anyio.move_on_after(self._close_timeout):
                await self._flush()
                if self._reading:
                    await self._wait_done()
                    return
                self._reading = True
                try:
                    while self._closed is None:
                        self._framing.take()
                        await self._advance()
                finally:
                    self._reading = False
        finally:
            await self._end("connection lost")

    async def _wait_done(self) -> None:
        """Wait until the task that reads has seen the end."""
        if self._closed is None:
            # Made when somebody waits: an idle connection does without.
            self._done = self._done or anyio.Event()
            await self._done.wait()

    async def _end(self, reason: str) -> None:
        if self._closed is None:
            self._closed = self._framing.outcome(reason)
            if self._done is not None:
                self._done.set()
        await anyio.aclose_forcefully(self._stream)


class WebSocketConnector:
    """Opens websockets; see `Connector`.

    Args:
        ssl_context: how to verify a ``wss://`` server; the system's certificates without it.
        max_size: bytes of the largest message; a larger one closes the connection with 1009.
        ping_interval: seconds of silence before the peer is asked for a sign of life; None never asks, and then a
            connection that died silently stays open for ever.
        ping_timeout: seconds to wait for that sign before the connection counts as lost.
        close_timeout: seconds for the peer to answer a close frame and to end the TCP connection.
        write_timeout: seconds for a frame to leave; a peer that reads nothing for so long is taken for lost.
        user_agent: header of the upgrade request.
    """

    def __init__(
        self,
        *,
        ssl_context: ssl.SSLContext | None = None,
        max_size: int = MAX_FRAME_BYTES,
        ping_interval: float | None = PING_INTERVAL,
        ping_timeout: float = PING_TIMEOUT,
        close_timeout: float = CLOSE_TIMEOUT,
        write_timeout: float = WRITE_TIMEOUT,
        user_agent: str = "chime-messaging",
    ) -> None:
        if not 0 < max_size <= MAX_FRAME_BYTES:
            raise ConfigurationError("max_size", f"must be from 1 to {MAX_FRAME_BYTES}, is {max_size}")
        self._ssl_context = ssl_context
        self._max_size = max_size
        self._ping_interval = ping_interval
        self._ping_timeout = ping_timeout
        self._close_timeout = close_timeout
        self._write_timeout = write_timeout
        self._user_agent = user_agent

    async def connect(self, url: str, *, timeout: float, subprotocols: Sequence[str] = ()) -> WebSocketTransport:
        """Open a websocket; see `Connector.connect`. The time covers name lookup, TCP, TLS and the upgrade."""
        uri = _parse(url)
        host = _host(uri)
        framing = ClientFraming(uri, max_size=self._max_size, user_agent=self._user_agent, subprotocols=subprotocols)
        with anyio.move_on_after(timeout):
            stream = await self._open(uri, host)
            try:
                await _upgrade(stream, framing, host)
            except BaseException:
                await anyio.aclose_forcefully(stream)
                raise
            return WebSocketTransport(
                stream,
                framing,
                ping_interval=self._ping_interval,
                ping_timeout=self._ping_timeout,
                close_timeout=self._close_timeout,
                write_timeout=self._write_timeout,
            )
        raise ConnectTimeoutError(host, timeout)

    async def _open(self, uri: WebSocketURI, host: str) -> ByteStream:
        try:
            stream = await anyio.connect_tcp(uri.host, uri.port)
        except (*_GONE, UnicodeError) as exc:  # the latter for a host name that DNS cannot express
            raise ConnectError(host, _why(exc)) from exc
        if not uri.secure:
            return stream
        context = self._ssl_context or _system_context()
        try:
            return await TLSStream.wrap(stream, hostname=uri.host, ssl_context=context, standard_compatible=False)
        except BaseException as exc:
            await anyio.aclose_forcefully(stream)
            if isinstance(exc, _GONE):
                raise ConnectError(host, f"TLS: {_why(exc)}") from exc
            raise


@functools.cache
def _system_context() -> ssl.SSLContext:
    # One for all: it holds some hundred certificates, more than half a megabyte, and takes some ten milliseconds.
    return ssl.create_default_context()


async def _upgrade(stream: ByteStream, framing: ClientFraming, host: str) -> None:
    try:
        await stream.send(framing.to_send())
        while not framing.receive_handshake(await stream.receive()):
            pass
    except InvalidStatus as exc:
        status = exc.response.status_code
        raise ConnectError(host, f"HTTP {status} {exc.response.reason_phrase}".rstrip(), status=status) from exc
    except InvalidHandshake as exc:
        raise ConnectError(host, str(exc)) from exc
    except anyio.EndOfStream:
        exc_ = framing.receive_handshake_eof()
        raise ConnectError(host, str(exc_)) from exc_
    except _GONE as exc:
        raise ConnectError(host, _why(exc)) from exc


def _parse(url: str) -> WebSocketURI:
    try:
        return parse_uri(url)
    except (InvalidURI, ValueError):
        # Without the cause: it quotes the URL, which holds a signature.
        raise ConfigurationError("url", "is not a ws:// or wss:// URL") from None


def _host(uri: WebSocketURI) -> str:
    return f"{uri.host}:{uri.port}"


def _why(exc: BaseException) -> str:
    """What went wrong, in words: the cause where the error itself says little."""
    if isinstance(exc, anyio.EndOfStream):
        return "ended without a close frame"
    cause = exc.__cause__
    if isinstance(cause, BaseExceptionGroup):
        cause = cause.exceptions[0]
    return str(cause or exc) or type(exc).__name__


def _again(closed: ConnectionClosed) -> ConnectionClosed:
    # A fresh one for each caller: a raised exception object collects tracebacks and context.
    return ConnectionClosed(closed.code, closed.reason, closed.initiated_by)
