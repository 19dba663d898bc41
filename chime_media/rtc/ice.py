"""The attendee's side of a media connection: full ICE, directly or through a relay."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import ssl
import struct
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Self

from aioice import ice
from aioice.candidate import Candidate, candidate_foundation, candidate_priority
from aioice.stun import Message, TransactionError

from chime_media.rtc.certificate import Certificate, Fingerprint
from chime_media.rtc.datagram_socket import DatagramSocket
from chime_media.rtc.secure_transport import SecureTransport
from chime_media.rtc.stun import IceCredentials
from chime_media.rtc.transport import MediaReceiver, TransportCounters
from chime_media.rtc.turn import Address, RelayTransport, TurnUri, allocate
from chime_media.wire.sdp import TransportDescription
from chime_messaging.errors import ChimeError, ConfigurationError, ConnectError, ConnectTimeoutError
from chime_messaging.meeting_events import TurnCredentials

log = logging.getLogger(__name__)

GATHER_TIMEOUT = 5.0
CONNECT_TIMEOUT = 15.0
CONSENT_INTERVAL = 2.5
CONSENT_TIMEOUT = 30.0


class ClientTransport(SecureTransport):
    """A `MediaTransport` to the media node. Make it with `await ClientTransport.gather(...)`, then `connect` it.

    Attributes:
        certificate: Ours.
        ufrag: ICE user fragment for the offer.
        pwd: ICE password for the offer.
        candidates: Values of SDP's candidate attributes for the offer.
    """

    def __init__(self, connection: _Connection, certificate: Certificate) -> None:
        super().__init__(asyncio.get_running_loop())
        self.certificate = certificate
        self.ufrag = connection.local_username
        self.pwd = connection.local_password
        self.candidates = [f"candidate:{candidate.to_sdp()}" for candidate in connection.local_candidates]
        self._ice = connection
        connection.counters = self._counters
        self._path: _Path | None = None
        self._peer: Address = ("", 0)
        self._early: bytes | None = None
        self._established: asyncio.Future[None] = self._loop.create_future()
        self._released: asyncio.Task[None] | None = None

    @classmethod
    async def gather(
        cls,
        turn: TurnCredentials | None = None,
        relay_only: bool = True,
        timeout: float = GATHER_TIMEOUT,
        *,
        certificate: Certificate | None = None,
        tls: ssl.SSLContext | None = None,
        addresses: Sequence[str] | None = None,
        consent_interval: float = CONSENT_INTERVAL,
        consent_timeout: float = CONSENT_TIMEOUT,
    ) -> Self:
        """Find out where we can be reached.

        Args:
            turn: Relays of the service and how to be let in. Without, or if it names none, only own addresses are used.
            relay_only: Whether, if there are relays, only relayed addresses are used, as the service wants it.
            timeout: Seconds for all of it. Relays are tried one after another until one gives an address.
            certificate: Ours; by default a new one.
            tls: How relays are spoken to over TLS; by default as is usual for the system.
            addresses: Own addresses; by default those of the machine, loopback included.
            consent_interval: Seconds, on average, between checks that the peer still agrees.
            consent_timeout: Seconds without agreement after which the connection is over.

        Raises:
            ConnectError: No relay gave an address, or no own address could be used.
            ConfigurationError: None of the relays is one that can be used.
        """
        connection = _Connection(consent_interval, consent_timeout)
        uris = _usable(turn.uris) if turn is not None and turn.uris else []
        try:
            if not (uris and relay_only):
                connection.add_own_addresses(_own_addresses() if addresses is None else addresses)
            if turn is not None and uris:
                await connection.add_relay(uris, turn, timeout, tls)
            await connection.gather_candidates()
        except BaseException:
            await connection.close()
            raise
        if not connection.local_candidates:
            raise ConnectError("media", "no address of this machine could be used")
        return cls(connection, certificate or Certificate.generate())

    @property
    def fingerprint(self) -> str:
        """Of our certificate, ``sha-256 AB:CD:...``."""
        return self.certificate.fingerprint

    @property
    def description(self) -> TransportDescription:
        """What the offer says about our side."""
        return TransportDescription(self.ufrag, self.pwd, self.fingerprint, "actpass", tuple(self.candidates))

    @property
    def relay(self) -> TurnUri | None:
        """The relay in use, once connected; None: a direct connection."""
        transport = self._path.transport if self._path is not None else None
        return transport.uri if isinstance(transport, RelayTransport) else None

    async def connect(
        self, remote: TransportDescription, receiver: MediaReceiver, timeout: float = CONNECT_TIMEOUT
    ) -> None:
        """Connect with the node: ICE, then DTLS. If it fails, the transport is over and `receiver` hears nothing.

        Args:
            remote: What the answer says.
            receiver: Who gets what comes.
            timeout: Seconds for all of it.

        Raises:
            ConnectError: No path leads there, or the handshake failed.
            ConnectTimeoutError: It took too long.
            ConfigurationError: The answer's fingerprint is of a hash that is not supported.
        """
        if self._closed:
            raise ConnectError("media", "the transport was closed")
        fingerprint = Fingerprint(remote.fingerprint)
        self._ice.on_media = self._keep_early
        self._ice.on_end = self._end
        try:
            async with asyncio.timeout(timeout):
                await self._connect_ice(remote)
                self._receiver = receiver
                self._ice.on_media = self.datagram_received
                self._start_dtls(self.certificate, fingerprint, "active" if remote.setup != "active" else "passive")
                if self._early is not None:
                    self.datagram_received(self._early, self._loop.time())
                await self._established
        except BaseException as error:
            self._receiver = None
            self._end("connecting failed")
            if not self._established.cancelled():
                # It may have failed at the very moment at which the wait for it ended.
                self._established.exception()
            await self.aclose()
            if isinstance(error, ConnectionError):
                raise ConnectError("media", "no candidate of the answer can be reached") from error
            if isinstance(error, TimeoutError):
                raise ConnectTimeoutError("media", timeout) from error
            raise

    def listen(self, listening: bool) -> None:
        """Take what comes at once, or only when `look` is called, with the times at which it came.

        The latter costs less, and is enough for whom nothing is of use between two calls. Without effect before there
        is a connection, and where the system or the path cannot do it.
        """
        if self._path is not None:
            self._path.end.listen(listening)

    def look(self) -> None:
        """Take what came since the last time, if it was not taken at once."""
        if self._path is not None:
            self._path.end.look()

    async def aclose(self) -> None:
        """End the connection and wait until its sockets are closed and a relayed address is given back."""
        self.close()
        if self._released is not None:
            await asyncio.shield(self._released)

    async def _connect_ice(self, remote: TransportDescription) -> None:
        connection = self._ice
        connection.remote_username = remote.ufrag
        connection.remote_password = remote.pwd
        connection.remote_is_lite = remote.ice_lite
        for candidate in _remote_candidates(remote.candidates):
            await connection.add_remote_candidate(candidate)
        await connection.add_remote_candidate(None)
        await connection.connect()
        pair = connection.selected
        if pair is None:
            raise ConnectionError("no pair was nominated")
        path = pair.protocol
        if not isinstance(path, _Path):
            raise ConnectionError("a pair of a foreign path")
        self._path, self._peer = path, pair.remote_addr

    def _keep_early(self, datagram: bytes, _: float) -> None:
        # The node may begin the handshake as soon as one check has come, before our side has chosen the pair.
        self._early = datagram

    def _become_connected(self, dtls: Any) -> None:
        super()._become_connected(dtls)
        if not self._established.done():
            self._established.set_result(None)

    def _transmit(self, datagram: bytes) -> bool:
        path = self._path
        return path is not None and path.send_now(datagram, self._peer)

    def _end(self, reason: str) -> None:
        if not self._established.done():
            if self._receiver is None:
                self._established.cancel()
            else:
                self._receiver = None
                self._established.set_exception(ConnectError("media", reason))
        super()._end(reason)

    def _release(self) -> None:
        # At once, so that little is left to do for a loop that is about to stop.
        self._ice.close_paths()
        self._released = self._loop.create_task(self._ice.close())


class _Path(ice.StunProtocol):
    """Our end of a path: a socket, or a relayed address. Media is told from checks by its first byte."""

    def __init__(self, connection: _Connection) -> None:
        super().__init__(connection)
        self._connection = connection
        self.end: DatagramSocket | RelayTransport
        self.send_now: Callable[[bytes, Address], bool]
        """Sends a datagram; False if that cannot be now."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert isinstance(transport, DatagramSocket | RelayTransport)
        self.end = transport
        self.send_now = transport.send_now

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        if data and isinstance(data, bytes) and data[0] > 3:
            self._connection.media_received(data, self.end.arrival)
            return
        # Whatever a stranger sends here must not end the path.
        with contextlib.suppress(struct.error, IndexError, KeyError, ValueError):
            super().datagram_received(data, addr)


class _Connection(ice.Connection):
    """The library's connection with our paths, synchronous media, and an end that is always told.

    Attributes:
        selected: The pair in use.
        on_media: Gets each datagram that is no check, and when it came.
        on_end: Is told once why the connection is over, unless it was closed.
        counters: Counts the checks that are sent and answered once there is a connection.
    """

    def __init__(self, consent_interval: float, consent_timeout: float) -> None:
        credentials = IceCredentials.random()
        super().__init__(ice_controlling=True, local_username=credentials.ufrag, local_password=credentials.pwd)
        self.selected: ice.CandidatePair | None = None
        self.on_media: Callable[[bytes, float], None] | None = None
        self.on_end: Callable[[str], None] | None = None
        self.counters = TransportCounters()
        self._loop = asyncio.get_running_loop()
        self._consent_interval = consent_interval
        self._consent_timeout = consent_timeout
        self._found: list[Candidate] = []

    def add_own_addresses(self, addresses: Sequence[str]) -> None:
        for address in addresses:
            try:
                path = _Path(self)
                DatagramSocket.bound(address, path)
            except OSError as error:
                log.debug("cannot use %s: %s", address, error)
                continue
            host, port = path.transport.get_extra_info("sockname")[:2]
            foundation = candidate_foundation("host", "udp", host)
            priority = candidate_priority(1, "host")
            self._add_path(path, Candidate(foundation, 1, "udp", priority, host, port, "host"))

    async def add_relay(
        self, uris: Sequence[TurnUri], credentials: TurnCredentials, timeout: float, tls: ssl.SSLContext | None
    ) -> None:
        problems: list[ChimeError] = []
        for uri in uris:
            try:
                relay = await allocate(
                    uri, credentials.username, credentials.password, timeout=timeout / len(uris), tls=tls
                )
            except (ConnectError, ConnectTimeoutError) as error:
                log.debug("%s", error)
                problems.append(error)
                continue
            path = _Path(self)
            relay.use(path)
            self._add_path(path, relay.candidate())
            return
        raise ConnectError("the relays", "; ".join(str(problem) for problem in problems))

    def close_paths(self) -> None:
        """Close sockets and give relayed addresses back, without waiting for that."""
        for path in self._protocols:
            path.transport.close()

    async def get_component_candidates(self, component: int, addresses: list[str], timeout: int = 5) -> list[Candidate]:
        return self._found

    def media_received(self, datagram: bytes, arrival: float) -> None:
        if self.on_media is not None:
            try:
                self.on_media(datagram, arrival)
            except Exception:
                # A fault of who takes the packet would end a connection over TCP.
                log.exception("a packet could not be handled")

    def check_complete(self, pair: ice.CandidatePair) -> None:
        super().check_complete(pair)
        if pair.nominated and pair.state is ice.CandidatePair.State.SUCCEEDED:
            self.selected = pair

    def protocol_lost(self, protocol: ice.StunProtocol) -> None:
        super().protocol_lost(protocol)
        if self.selected is not None and self.selected.protocol is protocol:
            self._over("the path to the peer was lost")

    async def query_consent(self) -> None:
        """Ask the peer every few seconds whether it still wants our packets (RFC 7675)."""
        agreed = self._loop.time()
        while True:
            await asyncio.sleep(self._consent_interval * (0.8 + 0.4 * random.random()))
            pair = self.selected
            if pair is None:
                return
            try:
                # Nominated anew each time: whoever sees us at another address by now knows that we mean it.
                self.counters.stun_sent += 1
                await self._request(pair, self.build_request(pair, nominate=True))
            except TransactionError:
                if self._loop.time() - agreed >= self._consent_timeout:
                    self._over("the peer no longer answers")
                    return
            else:
                agreed = self._loop.time()
                self.counters.stun_received += 1

    def _request(self, pair: ice.CandidatePair, request: Message) -> Awaitable[object]:
        key = (self.remote_password or "").encode()
        return pair.protocol.request(request, pair.remote_addr, integrity_key=key, retransmissions=1)

    def _add_path(self, path: _Path, candidate: Candidate) -> None:
        path.local_candidate = candidate
        self._protocols.append(path)
        self._found.append(candidate)

    def _over(self, reason: str) -> None:
        on_end, self.on_end = self.on_end, None
        if on_end is not None:
            on_end(reason)


def _own_addresses() -> list[str]:
    return [*ice.get_host_addresses(use_ipv4=True, use_ipv6=True), "127.0.0.1"]


def _usable(texts: Sequence[str]) -> list[TurnUri]:
    usable = []
    problem: ConfigurationError | None = None
    for text in texts:
        try:
            usable.append(TurnUri.parse(text))
        except ConfigurationError as error:
            problem = error
    if not usable and problem is not None:
        raise problem
    return usable


def _remote_candidates(candidates: Sequence[object]) -> list[Candidate]:
    found = []
    for text in candidates:
        try:
            candidate = Candidate.from_sdp(str(text).removeprefix("a=").removeprefix("candidate:"))
        except ValueError:
            continue
        # Everything goes over one component; the service still announces two.
        if candidate.component == 1 and candidate.transport.lower() == "udp":
            found.append(candidate)
    return found
