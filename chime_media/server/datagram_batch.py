"""Datagrams that are sent together: those of one wake-up to one receiver go to the system in one call if they can.

A receiver that sleeps is woken by each datagram that is sent to it by itself, and that costs more than to encrypt it.
Linux divides one large datagram into those that it is made of (generic segmentation offload for UDP), in the network
card or right before it. All of them must be of one size, but for the last, which may be shorter; that is how encoders
divide a picture.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from struct import Struct

Address = tuple[str, int]

_UDP_SEGMENT = 103
_SIZE = Struct("=H")
_MOST_SEGMENTS = 48
_LARGEST_SEGMENT = 1400
_MOST_BYTES = 60_000
_HELD = 64


class DatagramBatch:
    """Sends datagrams of one socket, at once or when `flush` is called.

    Args:
        sock: The socket, which does not block.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.holding = False
        """Whether datagrams wait for `flush`, but no more than 64 of them."""
        self.unsent = 0
        """Datagrams that waited and that the system did not take in the end."""
        self.segments = _can_segment(sock)
        """Whether the system divides datagrams."""
        self._sendto = sock.sendto
        self._sendmsg = sock.sendmsg
        self._held: dict[Address, list[bytes]] = {}
        self._count = 0

    def send(self, datagram: bytes, address: Address) -> bool:
        """Send a datagram or hold it; False if the system did not take it."""
        if self.holding:
            held = self._held.get(address)
            if held is None:
                self._held[address] = [datagram]
            else:
                held.append(datagram)
            self._count += 1
            if self._count >= _HELD:
                self.flush()
            return True
        try:
            self._sendto(datagram, address)
        except OSError:
            # The system's buffer is full, as a rule.
            return False
        return True

    def flush(self) -> None:
        """Send what was held, in order for each receiver."""
        if self._count:
            held, self._held, self._count = self._held, {}, 0
            for address, datagrams in held.items():
                if self.segments and len(datagrams) > 1:
                    for run in runs(datagrams):
                        self._send_run(run, address)
                else:
                    self._send_each(datagrams, address)

    def _send_run(self, run: list[bytes], address: Address) -> None:
        if len(run) > 1 and self.segments:
            size = [(socket.SOL_UDP, _UDP_SEGMENT, _SIZE.pack(len(run[0])))]
            try:
                self._sendmsg(run, size, 0, address)
            except BlockingIOError:
                self.unsent += len(run)
            except OSError:
                # If they go out one by one, it is the path that cannot do it, or whose datagrams are smaller than ours.
                self.segments = not self._send_each(run, address)
        else:
            self._send_each(run, address)

    def _send_each(self, datagrams: list[bytes], address: Address) -> bool:
        unsent = self.unsent
        for datagram in datagrams:
            try:
                self._sendto(datagram, address)
            except OSError:
                self.unsent += 1
        return self.unsent == unsent


def runs(datagrams: list[bytes]) -> Iterator[list[bytes]]:
    """Divide datagrams, in order, into those that can be sent as one: of one size, but for a shorter last."""
    run = [datagrams[0]]
    size = len(datagrams[0])
    for datagram in datagrams[1:]:
        ends_short = len(run[-1]) < size
        if (
            len(datagram) > size
            or ends_short
            or len(run) >= _MOST_SEGMENTS
            or size > _LARGEST_SEGMENT
            or (len(run) + 1) * size > _MOST_BYTES
        ):
            yield run
            run, size = [datagram], len(datagram)
        else:
            run.append(datagram)
    yield run


def _can_segment(sock: socket.socket) -> bool:
    try:
        sock.setsockopt(socket.SOL_UDP, _UDP_SEGMENT, 0)
    except (OSError, AttributeError):
        return False
    return True
