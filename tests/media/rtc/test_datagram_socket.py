"""A UDP socket that is listened to, or looked into."""

import asyncio
import socket
from typing import Any

import pytest

from chime_media.rtc.datagram_socket import DatagramSocket

pytestmark = pytest.mark.anyio


class Protocol(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.transport: DatagramSocket
        self.received: list[tuple[bytes, float]] = []
        self.arrived = asyncio.Event()
        self.lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, DatagramSocket)
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        self.received.append((data, self.transport.arrival))
        self.arrived.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()


@pytest.fixture
def sender() -> Any:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        yield sock


def address_of(transport: DatagramSocket) -> tuple[str, int]:
    name = transport.get_extra_info("sockname")
    return name[0], name[1]


async def test_what_comes_is_handed_over_at_once_while_it_is_listened_to(sender: socket.socket) -> None:
    protocol = Protocol()
    transport = DatagramSocket.bound("127.0.0.1", protocol)
    sender.sendto(b"hello", address_of(transport))
    await asyncio.wait_for(protocol.arrived.wait(), 5)
    assert [data for data, _ in protocol.received] == [b"hello"]
    transport.close()


async def test_what_came_while_nobody_listened_has_the_times_at_which_it_came(sender: socket.socket) -> None:
    protocol = Protocol()
    transport = DatagramSocket.bound("127.0.0.1", protocol)
    loop = asyncio.get_running_loop()
    transport.listen(False)
    before = loop.time()
    sender.sendto(b"one", address_of(transport))
    between = loop.time()
    sender.sendto(b"two", address_of(transport))
    after = loop.time()
    await asyncio.sleep(0)
    assert protocol.received == []
    transport.look()
    (one, first), (two, second) = protocol.received
    assert (one, two) == (b"one", b"two")
    slack = 0.002  # two clocks are compared
    assert before - slack <= first <= between + slack
    assert between - slack <= second <= after + slack
    transport.close()


async def test_listening_again_hands_over_what_waits(sender: socket.socket) -> None:
    protocol = Protocol()
    transport = DatagramSocket.bound("127.0.0.1", protocol)
    transport.listen(False)
    sender.sendto(b"waits", address_of(transport))
    transport.listen(True)
    await asyncio.wait_for(protocol.arrived.wait(), 5)
    transport.look()
    assert [data for data, _ in protocol.received] == [b"waits"]
    transport.close()


async def test_a_closed_socket_says_so_and_takes_and_sends_nothing(sender: socket.socket) -> None:
    protocol = Protocol()
    transport = await DatagramSocket.connected("127.0.0.1", 9, protocol)
    transport.close()
    transport.abort()
    transport.listen(False)
    transport.look()
    assert not transport.send_now(b"late", None)
    await asyncio.wait_for(protocol.lost.wait(), 5)
    assert transport.is_closing()


async def test_an_address_of_another_machine_cannot_be_used() -> None:
    with pytest.raises(OSError, match="assign"):
        DatagramSocket.bound("192.0.2.1", Protocol())
