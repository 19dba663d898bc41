"""A `MediaReceiver` that remembers what it got, and waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

from chime_media.rtc.transport import MediaTransport
from chime_media.wire import rtp


class Listener:
    def __init__(self) -> None:
        self.rtp: list[bytes] = []
        self.rtcp: list[bytes] = []
        self.connected = False
        self.closed: str | None = None
        self._waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    def transport_connected(self) -> None:
        self.connected = True
        self._notify()

    def rtp_received(self, packet: bytes, arrival: float) -> None:
        self.rtp.append(packet)
        self._notify()

    def rtcp_received(self, packet: bytes, arrival: float) -> None:
        self.rtcp.append(packet)
        self._notify()

    def transport_closed(self, reason: str) -> None:
        assert self.closed is None, "told twice"
        self.closed = reason
        self._notify()

    @property
    def payloads(self) -> list[bytes]:
        return [rtp.parse(packet).payload for packet in self.rtp]

    async def until(self, condition: Callable[[], bool], timeout: float = 10) -> None:
        if not condition():
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((condition, future))
            async with asyncio.timeout(timeout):
                await future

    def _notify(self) -> None:
        for condition, future in self._waiting:
            if not future.done() and condition():
                future.set_result(None)


@contextmanager
def talking(transport: MediaTransport, interval: float = 0.01) -> Iterator[None]:
    """Send a packet every `interval` seconds, as one who speaks does."""
    loop = asyncio.get_running_loop()
    numbers = count(1000)

    timers: list[asyncio.TimerHandle] = []

    def send() -> None:
        transport.send_rtp(packet(next(numbers)))
        timers[:] = [loop.call_later(interval, send)]

    send()
    try:
        yield
    finally:
        timers[0].cancel()


def packet(number: int, payload: bytes = b"voice", ssrc: int = 1) -> bytes:
    return rtp.build(payload_type=111, sequence_number=number, timestamp=960 * number, ssrc=ssrc, payload=payload)
