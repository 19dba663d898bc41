"""A UDP socket that is either listened to or looked into: with the beat of 20 ms, if nothing in it is of use before.

Sound is played every 20 ms. Whoever only hears need not be woken by each packet, which costs more than to decrypt and
decode it. The system notes when each came, so that nothing is lost by looking late.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from struct import Struct
from typing import Any, Final

log = logging.getLogger(__name__)

Address = tuple[str, int]

_BUFFER_BYTES: Final = 1024 * 1024
_LARGEST: Final = 2048
_DATAGRAMS_PER_LOOK: Final = 64
_TIMESTAMPS: Final = getattr(socket, "SO_TIMESTAMPNS", 35)
"""Linux' number; Python names it only from 3.14 on."""
_TIMESPEC: Final = Struct("@ll")
_ANCILLARY_BYTES: Final = socket.CMSG_SPACE(_TIMESPEC.size) if hasattr(socket, "CMSG_SPACE") else 0
_LATEST: Final = 0.1


class DatagramSocket(asyncio.DatagramTransport):
    """A datagram transport for a protocol of asyncio. Sending never waits: what the system does not take is lost.

    Args:
        sock: Bound or connected. It belongs to the transport from now on.
        protocol: Gets what comes.
        loop: Listens to the socket.

    Attributes:
        arrival: When the datagram that is being handed over came, in the loop's time.
    """

    def __init__(
        self, sock: socket.socket, protocol: asyncio.DatagramProtocol, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__({"socket": sock, "sockname": sock.getsockname()})
        self.arrival = 0.0
        self._socket = sock
        self._protocol = protocol
        self._loop = loop
        self._closing = False
        self._listening = True
        self._notes_times = False
        self._send = sock.send
        self._sendto = sock.sendto
        sock.setblocking(False)
        # A key frame comes as a burst. The system may grant less.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        loop.add_reader(sock.fileno(), self._readable)
        protocol.connection_made(self)

    @classmethod
    def bound(cls, address: str, protocol: asyncio.DatagramProtocol) -> DatagramSocket:
        """A socket at one of this machine's addresses.

        Raises:
            OSError: It cannot be used.
        """
        return cls._open(socket.AF_INET6 if ":" in address else socket.AF_INET, protocol, bind=(address, 0))

    @classmethod
    async def connected(cls, host: str, port: int, protocol: asyncio.DatagramProtocol) -> DatagramSocket:
        """A socket that speaks with one peer.

        Raises:
            OSError: There is no such name, or no way there.
        """
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        family, _, _, _, address = found[0]
        return cls._open(family, protocol, connect=address)

    @classmethod
    def _open(
        cls, family: int, protocol: asyncio.DatagramProtocol, *, bind: Any = None, connect: Any = None
    ) -> DatagramSocket:
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            if bind is not None:
                sock.bind(bind)
            if connect is not None:
                sock.connect(connect)
            return cls(sock, protocol, asyncio.get_running_loop())
        except BaseException:
            sock.close()
            raise

    def listen(self, listening: bool) -> None:
        """Take each datagram when it comes, or all of them when `look` is called, where the system notes their times.

        Elsewhere it is listened to in any case.
        """
        if listening == self._listening or self._closing or not (listening or self._note_times()):
            return
        self._listening = listening
        if listening:
            self._loop.add_reader(self._socket.fileno(), self._readable)
        else:
            self._loop.remove_reader(self._socket.fileno())

    def look(self) -> None:
        """Take what has come while nobody listened."""
        if not self._listening and not self._closing:
            self._take_timed()

    def sendto(self, data: Any, addr: Any = None) -> None:
        """Send to a peer, or to the one that the socket is connected with."""
        self.send_now(data, addr)

    def send_now(self, datagram: bytes, address: Address | None) -> bool:
        """Send; False if the system did not take it."""
        if self._closing:
            return False
        try:
            if address is None:
                self._send(datagram)
            else:
                self._sendto(datagram, address)
        except OSError:
            # Its buffer is full, or an earlier datagram did not get there; what matters is noticed by its silence.
            return False
        return True

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self._closing

    def get_write_buffer_size(self) -> int:
        """Nothing waits to be sent."""
        return 0

    def close(self) -> None:
        """Close the socket, then call the protocol's `connection_lost`."""
        if not self._closing:
            self._closing = True
            if self._listening:
                self._loop.remove_reader(self._socket.fileno())
            self._socket.close()
            self._loop.call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        """Close the socket."""
        self.close()

    def _readable(self) -> None:
        self.arrival = self._loop.time()
        try:
            datagram, address = self._socket.recvfrom(_LARGEST)
        except OSError:
            return
        self._hand_over(datagram, address)

    def _take_timed(self) -> None:
        """Take what is there; arrivals come from the system's clock."""
        receive = self._socket.recvmsg
        offset = now = 0.0
        for _ in range(_DATAGRAMS_PER_LOOK):
            try:
                datagram, ancillary, _, address = receive(_LARGEST, _ANCILLARY_BYTES)
            except BlockingIOError:
                return
            except OSError:
                continue
            if not now:
                now = self._loop.time()
                offset = now - time.time()
            arrival = now
            if ancillary:
                seconds, nanoseconds = _TIMESPEC.unpack_from(ancillary[0][2])
                noted = seconds + nanoseconds * 1e-9 + offset
                # A wall clock that was set in between would move everything.
                if now - _LATEST < noted < now:
                    arrival = noted
            self.arrival = arrival
            self._hand_over(datagram, address)
            if self._closing:
                return

    def _hand_over(self, datagram: bytes, address: Address) -> None:
        try:
            self._protocol.datagram_received(datagram, address)
        except Exception:
            log.exception("a datagram could not be handled")

    def _note_times(self) -> bool:
        if not self._notes_times and _ANCILLARY_BYTES:
            try:
                self._socket.setsockopt(socket.SOL_SOCKET, _TIMESTAMPS, 1)
            except OSError:
                return False
            self._notes_times = True
        return self._notes_times
