"""Bad networks to try media on: loss, delay, jitter, reordering, duplication and a bottleneck, the same for a seed.

`UdpProxy` stands between real sockets; `PipeTransport.pair` connects two transports in memory.
"""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Self

from chime_media.rtc.certificate import Certificate, Fingerprint
from chime_media.rtc.secure_transport import SecureTransport
from chime_media.rtc.transport import MediaReceiver

Address = tuple[str, int]

_BUFFER_BYTES = 4 * 1024 * 1024
_MAX_DATAGRAM = 2048


@dataclass(frozen=True, slots=True)
class Impairment:
    """What a network does to the datagrams of one direction. Shares are 0 to 1, times are seconds."""

    loss: float = 0.0
    """Share that is lost."""
    delay: float = 0.0
    """How long every datagram takes."""
    jitter: float = 0.0
    """How much longer one takes at most; the order is kept unless `reorder` says otherwise."""
    reorder: float = 0.0
    """Share that is overtaken by those after it."""
    duplication: float = 0.0
    """Share that comes twice."""
    bitrate: float | None = None
    """Bits per second that get through; what does not fit into a queue of `queue` seconds is lost."""
    queue: float = 0.3


class ImpairedPath:
    """One direction of a bad network, without IO: says of each datagram when it arrives, and how often.

    Args:
        impairment: What the network does; may be replaced at any time.
        seed: What happens is the same for the same seed and datagrams.
    """

    def __init__(self, impairment: Impairment, seed: int = 0) -> None:
        self.impairment = impairment
        self.lost = 0
        """Datagrams that did not arrive."""
        self.passed = 0
        self._random = random.Random(seed)
        self._last_arrival = 0.0
        self._busy_until = 0.0

    def arrivals(self, size: int, now: float) -> list[float]:
        """When a datagram of `size` bytes sent at `now` arrives: nothing if it is lost, two times if it is doubled."""
        impairment, draw = self.impairment, self._random.random
        lost, overtaken, doubled = (
            draw() < share for share in (impairment.loss, impairment.reorder, impairment.duplication)
        )
        spread = draw() * impairment.jitter
        queued = self._queued(size, now)
        if lost or queued is None:
            self.lost += 1
            return []
        self.passed += 1
        arrival = now + queued + impairment.delay + spread
        if overtaken:
            # Late enough for some of those behind it, whatever their jitter.
            arrival += max(impairment.jitter, impairment.delay / 2, 0.01)
        else:
            arrival = self._last_arrival = max(arrival, self._last_arrival)
        return [arrival, arrival] if doubled else [arrival]

    def _queued(self, size: int, now: float) -> float | None:
        bitrate = self.impairment.bitrate
        if bitrate is None:
            return 0.0
        start = max(now, self._busy_until)
        if start - now > self.impairment.queue:
            return None
        self._busy_until = start + size * 8 / bitrate
        return self._busy_until - now


class UdpProxy:
    """A UDP port in front of another, with a bad network between. Open it with `await UdpProxy.open(...)`.

    Attributes:
        address: Where clients send to.
        toward: The direction to the target.
        back: The direction to the clients.
        blocked: While true, nothing passes.
    """

    def __init__(self, target: Address, toward: Impairment, back: Impairment, seed: int) -> None:
        self.target = target
        self.toward = ImpairedPath(toward, seed)
        self.back = ImpairedPath(back, seed + 1)
        self.blocked = False
        self._loop = asyncio.get_running_loop()
        self._front = _socket(target)
        self.address: Address = self._front.getsockname()[:2]
        self._outlets: dict[Address, socket.socket] = {}
        self._timers: set[asyncio.TimerHandle] = set()
        self._loop.add_reader(self._front.fileno(), self._from_clients)

    @classmethod
    async def open(
        cls, target: Address, toward: Impairment | None = None, back: Impairment | None = None, *, seed: int = 0
    ) -> Self:
        """Stand in front of `target`, which is on the same machine.

        Args:
            target: Host and port.
            toward: What happens on the way there; by default nothing.
            back: What happens on the way back.
            seed: What happens is the same for the same seed and datagrams.
        """
        return cls(target, toward or Impairment(), back or Impairment(), seed)

    def candidate(self) -> str:
        """Value of SDP's candidate attribute, to put in the place of those of the target."""
        return f"candidate:P1 1 udp 1694498815 {self.address[0]} {self.address[1]} typ host"

    def change_addresses(self) -> None:
        """Let each client come from a new address, as after a change of its network."""
        for outlet in self._outlets.values():
            self._loop.remove_reader(outlet.fileno())
            outlet.close()
        self._outlets.clear()

    def close(self) -> None:
        """Close it; harmless when closed. What is under way is lost."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self.change_addresses()
        if self._front.fileno() >= 0:
            self._loop.remove_reader(self._front.fileno())
            self._front.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _from_clients(self) -> None:
        while True:
            try:
                datagram, client = self._front.recvfrom(_MAX_DATAGRAM)
            except OSError:
                return
            for arrival in self._arrivals(self.toward, datagram):
                self._later(arrival, partial(self._forward, datagram, client))

    def _forward(self, datagram: bytes, client: Address) -> None:
        outlet = self._outlets.get(client)
        if outlet is None:
            outlet = self._outlets[client] = _socket(self.target)
            self._loop.add_reader(outlet.fileno(), self._from_target, outlet, client)
        _send(outlet, datagram, self.target)

    def _from_target(self, outlet: socket.socket, client: Address) -> None:
        while True:
            try:
                datagram = outlet.recvfrom(_MAX_DATAGRAM)[0]
            except OSError:
                return
            for arrival in self._arrivals(self.back, datagram):
                self._later(arrival, partial(_send, self._front, datagram, client))

    def _arrivals(self, path: ImpairedPath, datagram: bytes) -> list[float]:
        return [] if self.blocked else path.arrivals(len(datagram), self._loop.time())

    def _later(self, arrival: float, action: Callable[[], None]) -> None:
        if arrival <= self._loop.time():
            action()
            return

        def run() -> None:
            self._timers.discard(timer)
            action()

        timer = self._loop.call_at(arrival, run)
        self._timers.add(timer)


class PipeTransport(SecureTransport):
    """One end of an encrypted connection in memory. Make both with `PipeTransport.pair`.

    Attributes:
        path: The direction from this end to the other.
    """

    def __init__(self, path: ImpairedPath) -> None:
        super().__init__(asyncio.get_running_loop())
        self.path = path
        self.certificate = Certificate.generate()
        self._other: PipeTransport | None = None

    @classmethod
    def pair(
        cls,
        receivers: tuple[MediaReceiver, MediaReceiver],
        toward: Impairment | None = None,
        back: Impairment | None = None,
        *,
        seed: int = 0,
    ) -> tuple[Self, Self]:
        """Connect two ends; their receivers hear when the handshake is done.

        Args:
            receivers: Who gets what comes to the first and to the second end.
            toward: What happens on the way from the first to the second.
            back: What happens on the way back.
            seed: What happens is the same for the same seed and packets.
        """
        first = cls(ImpairedPath(toward or Impairment(), seed))
        second = cls(ImpairedPath(back or Impairment(), seed + 1))
        first._other, second._other = second, first
        first._receiver, second._receiver = receivers
        second._start_dtls(second.certificate, Fingerprint(first.certificate.fingerprint), "passive")
        first._start_dtls(first.certificate, Fingerprint(second.certificate.fingerprint), "active")
        return first, second

    def _transmit(self, datagram: bytes) -> bool:
        other = self._other
        if other is not None:
            for arrival in self.path.arrivals(len(datagram), self._loop.time()):
                self._loop.call_at(arrival, other.take, datagram)
        return True

    def take(self, datagram: bytes) -> None:
        """Take a datagram of the other end."""
        if not self._closed:
            self.datagram_received(datagram, self._loop.time())

    def _release(self) -> None:
        self._other = None


def _socket(target: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in target[0] else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.setblocking(False)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        sock.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)
    sock.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
    return sock


def _send(sock: socket.socket, datagram: bytes, address: Address) -> None:
    try:
        sock.sendto(datagram, address)
    except OSError:
        # A full queue or a port that is gone: lost, as on any network.
        return
