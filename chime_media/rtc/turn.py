"""A path through a TURN relay (RFC 8656) over UDP, TCP or TLS, on which sending waits for nothing."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import struct
import time
from dataclasses import dataclass
from typing import Any, Literal, Self

from aioice import turn
from aioice.candidate import Candidate, candidate_foundation, candidate_priority
from aioice.stun import TransactionError

from chime_media.rtc.datagram_socket import DatagramSocket
from chime_messaging.errors import ConfigurationError, ConnectError, ConnectTimeoutError

log = logging.getLogger(__name__)

Address = tuple[str, int]

_MAX_UNSENT = 256 * 1024
_DELETE_TIMEOUT = 1.0
_RENEWAL_RETRY = 20.0
CHANNEL_RENEWAL = 240.0
"""Seconds after which a channel is bound anew: before the five minutes are over that the permission to send lasts."""
_CHANNEL_HEADER = struct.Struct("!HH")


@dataclass(frozen=True, slots=True)
class TurnUri:
    """Where a relay is, and how it is spoken to (RFC 7065)."""

    host: str
    port: int
    transport: Literal["udp", "tcp"]
    secure: bool

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``turn:host:port?transport=udp`` or ``turns:...``.

        Raises:
            ConfigurationError: It is none, or of a kind that is not supported: TURN over DTLS.
        """
        scheme, _, rest = text.strip().partition(":")
        place, _, query = rest.partition("?")
        secure = scheme.lower() == "turns"
        if scheme.lower() not in {"turn", "turns"} or not place:
            raise ConfigurationError("turn uri", f"{text!r} is not turn:host:port")
        transport = query.partition("transport=")[2].partition("&")[0].lower() or ("tcp" if secure else "udp")
        if transport not in {"udp", "tcp"} or (secure and transport == "udp"):
            raise ConfigurationError("turn uri", f"{text!r} asks for a transport that is not supported")
        host, port = _host_and_port(place, 5349 if secure else 3478, text)
        return cls(host, port, "udp" if transport == "udp" else "tcp", secure)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'turns' if self.secure else 'turn'}:{host}:{self.port}?transport={self.transport}"


class _Client(turn.TurnClientMixin):
    """What the clients of both kinds of relay add: sending at once, and deafness to broken packets."""

    transport: Any
    renewal: asyncio.Task[None] | None = None

    def datagram_received(self, data: bytes | str, addr: Address) -> None:
        """Take what the relay sent."""
        try:
            super().datagram_received(data, addr)
        except (struct.error, IndexError, KeyError, ValueError):
            log.debug("the relay sent something that cannot be read")

    def send_now(self, datagram: bytes, peer: Address) -> bool:
        """Send through a channel that is bound; False if there is none, or too much waits to be sent."""
        channel = self.peer_to_channel.get(peer)
        transport = self.transport
        if channel is None or transport.is_closing() or transport.get_write_buffer_size() > _MAX_UNSENT:
            return False
        now = time.time()  # The library keeps its channels by wall-clock time.
        if now > self.channel_refresh_at[channel]:
            # The old binding goes on for minutes; what is sent meanwhile need not wait for the new one.
            self.channel_refresh_at[channel] = now + _RENEWAL_RETRY
            self.renewal = asyncio.get_running_loop().create_task(self._renew(channel, peer))
        self._send(_CHANNEL_HEADER.pack(channel, len(datagram)) + datagram)
        return True

    async def _renew(self, channel: int, peer: Address) -> None:
        with contextlib.suppress(TransactionError, ConnectionError):
            await self.channel_bind(channel, peer)
            self.channel_refresh_at[channel] = time.time() + self.channel_refresh_time


class _UdpClient(_Client, turn.TurnClientUdpProtocol):
    pass


class _TcpClient(_Client, turn.TurnClientTcpProtocol):
    pass


class RelayTransport:
    """A relayed address, used like a datagram transport of asyncio. Made by `allocate`."""

    def __init__(self, client: _UdpClient | _TcpClient, uri: TurnUri, address: Address) -> None:
        self.uri = uri
        self.address = address
        self._client = client
        self._loop = asyncio.get_running_loop()
        self._sending: set[asyncio.Task[None]] = set()
        self._closing: asyncio.Task[None] | None = None

    def use(self, protocol: asyncio.DatagramProtocol) -> None:
        """Hand what comes through the relay to `protocol` from now on."""
        self._client.receiver = protocol
        protocol.connection_made(self)  # type: ignore[arg-type]

    def candidate(self) -> Candidate:
        """The candidate of this path. It does not tell our own address, which a relay is there to hide."""
        any_address = "::" if ":" in self.address[0] else "0.0.0.0"
        return Candidate(
            foundation=candidate_foundation("relay", "udp", self.address[0]),
            component=1,
            transport="udp",
            priority=candidate_priority(1, "relay"),
            host=self.address[0],
            port=self.address[1],
            type="relay",
            related_address=any_address,
            related_port=9,
        )

    def sendto(self, datagram: bytes, peer: Address) -> None:
        """Send, and bind a channel for the peer first if there is none."""
        if self._client.send_now(datagram, peer) or self.is_closing():
            return
        task = asyncio.get_running_loop().create_task(self._bind_and_send(datagram, peer))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    def send_now(self, datagram: bytes, peer: Address) -> bool:
        """Send if that needs no waiting; False if it does."""
        return self._client.send_now(datagram, peer)

    @property
    def arrival(self) -> float:
        """When the datagram that is being handed over came, in the loop's time."""
        transport = self._client.transport
        return transport.arrival if isinstance(transport, DatagramSocket) else self._loop.time()

    def listen(self, listening: bool) -> None:
        """Take what comes at once, or only when `look` is called, if the relay is spoken to over UDP."""
        if isinstance(self._client.transport, DatagramSocket):
            self._client.transport.listen(listening)

    def look(self) -> None:
        """Take what came while nobody listened."""
        if isinstance(self._client.transport, DatagramSocket):
            self._client.transport.look()

    def is_closing(self) -> bool:
        """Whether it was closed or lost."""
        return self._closing is not None or self._client.transport.is_closing()

    def get_extra_info(self, name: str, default: object = None) -> object:
        """``sockname``: the relayed address."""
        return self.address if name == "sockname" else default

    def close(self) -> None:
        """Give the relayed address back, then call the protocol's `connection_lost`."""
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._delete())

    async def _delete(self) -> None:
        for task in (*self._sending, self._client.renewal):
            if task is not None:
                task.cancel()
        try:
            # The relay frees the address by itself some minutes later.
            async with asyncio.timeout(_DELETE_TIMEOUT):
                await self._client.delete()
        except TimeoutError:
            log.debug("%s did not confirm that it freed %s", self.uri, self.address)
        finally:
            self._client.transport.abort()

    async def _bind_and_send(self, datagram: bytes, peer: Address) -> None:
        # A peer that cannot be reached by this relay is found out by its unanswered checks.
        with contextlib.suppress(TransactionError, ConnectionError):
            await self._client.send_data(datagram, peer)


async def allocate(
    uri: TurnUri,
    username: str,
    password: str,
    *,
    timeout: float,
    tls: ssl.SSLContext | None = None,
    channel_renewal: float = CHANNEL_RENEWAL,
) -> RelayTransport:
    """Get an address on a relay.

    Raises:
        ConnectError: There is no relay, or it refuses.
        ConnectTimeoutError: It does not answer in time.
    """
    loop = asyncio.get_running_loop()
    place = f"{uri.host}:{uri.port}"
    parameters: dict[str, Any] = {
        "server": (uri.host, uri.port),
        "username": username,
        "password": password,
        "lifetime": turn.DEFAULT_ALLOCATION_LIFETIME,
        "channel_refresh_time": channel_renewal,
    }
    client: _UdpClient | _TcpClient
    transport: asyncio.DatagramTransport | asyncio.Transport | None = None
    try:
        async with asyncio.timeout(timeout):
            if uri.transport == "udp":
                client = _UdpClient(**parameters)
                transport = await DatagramSocket.connected(uri.host, uri.port, client)
            else:
                context = (tls or ssl.create_default_context()) if uri.secure else None
                transport, client = await loop.create_connection(
                    lambda: _TcpClient(**parameters), uri.host, uri.port, ssl=context
                )
            return RelayTransport(client, uri, await client.connect())
    except BaseException as error:
        if transport is not None:
            transport.abort()
        if isinstance(error, TimeoutError):
            raise ConnectTimeoutError(place, timeout) from error
        if isinstance(error, (OSError, TransactionError)):
            raise ConnectError(place, f"{uri} gives no relayed address: {error}") from error
        raise


def _host_and_port(place: str, default: int, text: str) -> tuple[str, int]:
    if place.startswith("[") and "]" in place:
        host, _, rest = place[1:].partition("]")
        port = rest.removeprefix(":")
    else:
        host, _, port = place.partition(":")
    if not host or "[" in host or (port and not (port.isdecimal() and 0 < int(port) < 65536)):
        raise ConfigurationError("turn uri", f"{text!r} names no host and port")
    return host, int(port) if port else default
