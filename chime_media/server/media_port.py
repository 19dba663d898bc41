"""One UDP port for the media of all attendees: answers connectivity checks (ICE-lite) and tells peers apart by address.

Who an attendee is comes from the user fragment in its checks, which only it and the signaling know; from then on the
source address of a datagram says whose it is.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from chime_media.rtc.certificate import Certificate, Fingerprint
from chime_media.rtc.dtls import Setup
from chime_media.rtc.secure_transport import SecureTransport
from chime_media.rtc.stun import ConnectivityCheck, IceCredentials, is_stun
from chime_media.rtc.transport import MediaReceiver
from chime_media.server.datagram_batch import DatagramBatch
from chime_media.wire.sdp import TransportDescription
from chime_messaging.errors import ConfigurationError

log = logging.getLogger(__name__)

Address = tuple[str, int]

CONNECT_TIMEOUT = 30.0
SILENCE_TIMEOUT = 15.0
_BUFFER_BYTES = 4 * 1024 * 1024
_MAX_DATAGRAM = 2048
_DATAGRAMS_PER_WAKE_UP = 32
_MAX_ADDRESSES = 8
_SWEEP_INTERVAL = 1.0
_HOST_PRIORITY = 1694498815
_QUIET_ADDRESS = 8.0


@dataclass(slots=True)
class PortCounters:
    """What came to a port that was nobody's."""

    unknown_address: int = 0
    """Datagrams that are no checks, from addresses that no peer has shown to be its own."""
    unknown_ufrag: int = 0
    """Checks for a user fragment that nobody has."""
    unauthentic: int = 0
    """Checks that were not made with the password."""
    malformed: int = 0


class NodeTransport(SecureTransport):
    """The node's side of one attendee's media connection. Made by `MediaPort.add`."""

    def __init__(
        self, port: MediaPort, remote: Fingerprint, setup: Setup, receiver: MediaReceiver, credentials: IceCredentials
    ) -> None:
        super().__init__(port.loop)
        self.ufrag = credentials.ufrag
        self.pwd = credentials.pwd
        self.setup = setup
        self.created = port.loop.time()
        self.addresses: dict[Address, float] = {}
        """Where the peer has shown to be, and when it last did."""
        self.address: Address | None = None
        """Where it is sent to."""
        self._port = port
        self._remote = remote
        self._receiver = receiver
        self._rtp_received = receiver.rtp_received
        self._rtcp_received = receiver.rtcp_received
        self._send = port.outgoing.send

    @property
    def candidates(self) -> list[str]:
        """Values of SDP's candidate attributes."""
        return self._port.candidates

    @property
    def fingerprint(self) -> str:
        """Of our certificate, ``sha-256 AB:CD:...``."""
        return self._port.certificate.fingerprint

    @property
    def description(self) -> TransportDescription:
        """What the answer says about our side. The service does not say there that it only answers checks."""
        return TransportDescription(self.ufrag, self.pwd, self.fingerprint, self.setup, tuple(self.candidates))

    def check_received(self, check: ConnectivityCheck, address: Address, now: float) -> None:
        """Answer a check that is authentic, and learn from it where the peer is."""
        self._counters.stun_received += 1
        self._counters.last_received = now
        self._port.sendto(check.answer(address, self.pwd), address)
        self._counters.stun_sent += 1
        if check.has_role_conflict:
            return
        self.addresses[address] = now
        if self.address is None:
            self.address = address
            self._start_dtls(self._port.certificate, self._remote, self.setup)
        elif address != self.address and self._should_move(check, now):
            log.debug("peer moved from %s to %s", self.address, address)
            self.address = address

    def expire(self, now: float) -> None:
        """End the connection if nothing valid has come for too long."""
        if self.address is None:
            if now - self.created > self._port.connect_timeout:
                self._end("the peer never connected")
        elif not self._connected and now - self.created > self._port.connect_timeout:
            self._end("the DTLS handshake did not finish")
        elif now - self._counters.last_received > self._port.silence_timeout:
            self._end("the peer fell silent")

    def _should_move(self, check: ConnectivityCheck, now: float) -> bool:
        # Nominated, or the old address is not even kept alive any more: a peer whose network changed. Browsers check
        # the path in use every 2.5 s and now and then others, too, that they do not mean to use.
        return check.nominates or now - self.addresses.get(self.address or ("", 0), 0.0) > _QUIET_ADDRESS

    def _transmit(self, datagram: bytes) -> bool:
        address = self.address
        return address is not None and self._send(datagram, address)

    def _release(self) -> None:
        self._port.remove(self)


class MediaPort:
    """A UDP port that any number of attendees connect to. Open it with `await MediaPort.open(...)`.

    Attributes:
        outgoing: What is sent goes through it.
        certificate: By which all attendees know the node.
        counters: What came that was nobody's.
        candidates: Values of SDP's candidate attributes.
    """

    def __init__(
        self,
        sock: socket.socket,
        loop: asyncio.AbstractEventLoop,
        certificate: Certificate,
        advertised: Sequence[str],
        connect_timeout: float,
        silence_timeout: float,
    ) -> None:
        self.loop = loop
        self.certificate = certificate
        self.counters = PortCounters()
        self.connect_timeout = connect_timeout
        self.silence_timeout = silence_timeout
        self.port: int = sock.getsockname()[1]
        self.candidates = _candidates(advertised, self.port)
        self._socket = sock
        self.outgoing = DatagramBatch(sock)
        self._by_ufrag: dict[str, NodeTransport] = {}
        self._by_address: dict[Address, NodeTransport] = {}
        self._closed = False
        loop.add_reader(sock.fileno(), self._readable)
        self._sweep_timer = loop.call_later(_SWEEP_INTERVAL, self._sweep)

    @classmethod
    async def open(
        cls,
        host: str = "127.0.0.1",
        port: int = 0,
        advertised: Sequence[str] = (),
        *,
        certificate: Certificate | None = None,
        connect_timeout: float = CONNECT_TIMEOUT,
        silence_timeout: float = SILENCE_TIMEOUT,
    ) -> Self:
        """Bind the port and begin to serve it on the running loop.

        Args:
            host: Address to bind, IPv4 or IPv6.
            port: Port to bind; 0 takes a free one.
            advertised: Addresses to tell peers, as IP addresses; those where `host` can be reached from outside.
                By default `host` itself.
            certificate: Ours; by default a new one.
            connect_timeout: Seconds within which a peer has to connect.
            silence_timeout: Seconds without any valid packet after which a peer is gone.

        Raises:
            ConfigurationError: `host` is every address of the machine and `advertised` says none.
            OSError: The port cannot be bound.
        """
        addresses = list(advertised) or [host]
        if not advertised and host in {"0.0.0.0", "::", ""}:
            raise ConfigurationError("advertised", f"say where peers reach a port bound to {host!r}")
        family, kind, _, _, target = (
            await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE)
        )[0]
        sock = socket.socket(family, kind)
        try:
            sock.setblocking(False)
            for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                # The system may grant less.
                sock.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)
            sock.bind(target)
        except BaseException:
            sock.close()
            raise
        certificate = certificate or Certificate.generate()
        return cls(sock, asyncio.get_running_loop(), certificate, addresses, connect_timeout, silence_timeout)

    def add(self, remote_fingerprint: str, setup: Setup, receiver: MediaReceiver) -> NodeTransport:
        """Expect a peer.

        Args:
            remote_fingerprint: The fingerprint in its offer, ``sha-256 AB:CD:...``.
            setup: Our part in the DTLS handshake.
            receiver: Who gets what it sends.

        Raises:
            ConfigurationError: The fingerprint is of a hash that is not supported.
        """
        transport = NodeTransport(self, Fingerprint(remote_fingerprint), setup, receiver, IceCredentials.random())
        self._by_ufrag[transport.ufrag] = transport
        return transport

    def remove(self, transport: NodeTransport) -> None:
        """Forget a peer that is gone."""
        self._by_ufrag.pop(transport.ufrag, None)
        for address in transport.addresses:
            if self._by_address.get(address) is transport:
                del self._by_address[address]
        transport.addresses.clear()

    @property
    def transports(self) -> list[NodeTransport]:
        """Those that are not over."""
        return list(self._by_ufrag.values())

    def sendto(self, datagram: bytes, address: Address) -> bool:
        """Send a datagram; False if the system did not take it. During a wake-up it waits for the end of it."""
        return self.outgoing.send(datagram, address)

    def close(self) -> None:
        """Close the connections of all peers and the port; harmless when closed."""
        if self._closed:
            return
        for transport in self.transports:
            transport.close()
        self._closed = True
        self._sweep_timer.cancel()
        self.loop.remove_reader(self._socket.fileno())
        self._socket.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _readable(self) -> None:
        receive = self._socket.recvfrom
        peers = self._by_address
        now = self.loop.time()
        # What one wake-up sends goes out together: see DatagramBatch.
        self.outgoing.holding = True
        try:
            self._receive(receive, peers, now)
        finally:
            self.outgoing.holding = False
            self.outgoing.flush()

    def _receive(
        self, receive: Callable[[int], tuple[bytes, Address]], peers: dict[Address, NodeTransport], now: float
    ) -> None:
        for _ in range(_DATAGRAMS_PER_WAKE_UP):
            try:
                datagram, address = receive(_MAX_DATAGRAM)
            except OSError:
                # Nothing more to read, or an error of an earlier datagram that was sent.
                return
            transport = peers.get(address)
            try:
                if transport is not None and datagram and datagram[0] > 3:
                    transport.datagram_received(datagram, now)
                else:
                    self._unassigned(datagram, address, now)
            except Exception:
                # One peer's packet must not end the service of the others.
                log.exception("a packet of %s could not be handled", address)
            if self._closed:
                return

    def _unassigned(self, datagram: bytes, address: Address, now: float) -> None:
        if not is_stun(datagram):
            self.counters.unknown_address += 1
            return
        check = ConnectivityCheck.parse(datagram)
        if check is None:
            self.counters.malformed += 1
            return
        transport = self._by_ufrag.get(check.ufrag)
        if transport is None:
            self.counters.unknown_ufrag += 1
            return
        if not check.is_authentic(transport.pwd):
            self.counters.unauthentic += 1
            return
        if not check.has_role_conflict:
            self._learn(transport, address)
        transport.check_received(check, address, now)

    def _learn(self, transport: NodeTransport, address: Address) -> None:
        before = self._by_address.get(address)
        if before is transport:
            return
        if before is not None:
            # A peer that reconnects may do so from the same address.
            before.addresses.pop(address, None)
        self._by_address[address] = transport
        if len(transport.addresses) >= _MAX_ADDRESSES:
            oldest = min(
                (a for a in transport.addresses if a != transport.address), key=transport.addresses.__getitem__
            )
            del transport.addresses[oldest]
            if self._by_address.get(oldest) is transport:
                del self._by_address[oldest]

    def _sweep(self) -> None:
        now = self.loop.time()
        for transport in self.transports:
            transport.expire(now)
        self._sweep_timer = self.loop.call_later(_SWEEP_INTERVAL, self._sweep)


def _candidates(addresses: Sequence[str], port: int) -> list[str]:
    return [
        f"candidate:H{index} 1 udp {_HOST_PRIORITY - index} {address} {port} typ host"
        for index, address in enumerate(addresses)
    ]
