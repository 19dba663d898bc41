from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from typing import cast

import pytest
from aioice import stun

from chime_media.rtc.certificate import Certificate
from chime_media.rtc.dtls import DtlsState
from chime_media.rtc.ice import ClientTransport
from chime_media.server.media_port import MediaPort, NodeTransport
from chime_messaging.errors import ConfigurationError
from tests.media.listener import Listener, packet

pytestmark = pytest.mark.anyio

FINGERPRINT = Certificate.generate().fingerprint


@pytest.fixture
async def port() -> AsyncIterator[MediaPort]:
    async with await MediaPort.open() as port:
        yield port


class Stranger(asyncio.DatagramProtocol):
    """A socket from which anything can be sent."""

    def __init__(self, port: MediaPort) -> None:
        self.port = port
        self.answers: asyncio.Queue[bytes] = asyncio.Queue()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.answers.put_nowait(data)

    async def ask(self, datagram: bytes) -> stun.Message:
        self.transport.sendto(datagram)
        async with asyncio.timeout(5):
            return stun.parse_message(await self.answers.get())


@pytest.fixture
async def stranger(port: MediaPort) -> AsyncIterator[Stranger]:
    _, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Stranger(port), remote_addr=("127.0.0.1", port.port)
    )
    yield protocol
    protocol.transport.close()


def check(ufrag: str, pwd: str, **attributes: object) -> bytes:
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    message.attributes |= {"USERNAME": f"{ufrag}:them", "PRIORITY": 1, **attributes}
    message.add_message_integrity(pwd.encode())
    return bytes(message)


def controlling(node: NodeTransport, pwd: str | None = None) -> bytes:
    return check(node.ufrag, pwd or node.pwd, **{"ICE-CONTROLLING": 1, "USE-CANDIDATE": None})


async def test_a_check_is_answered_with_where_it_came_from(port: MediaPort, stranger: Stranger) -> None:
    node = port.add(FINGERPRINT, "passive", Listener())
    answer = await stranger.ask(controlling(node))
    assert answer.message_class is stun.Class.RESPONSE
    assert answer.attributes["XOR-MAPPED-ADDRESS"] == stranger.transport.get_extra_info("sockname")
    assert answer.check_message_integrity(node.pwd.encode())
    assert node.address == stranger.transport.get_extra_info("sockname")


async def test_a_peer_that_thinks_it_is_controlled_is_told_of_the_conflict(port: MediaPort, stranger: Stranger) -> None:
    node = port.add(FINGERPRINT, "passive", Listener())
    answer = await stranger.ask(check(node.ufrag, node.pwd, **{"ICE-CONTROLLED": 1}))
    assert answer.error_code == 487
    assert node.address is None


async def test_what_is_not_authentic_is_counted_and_not_answered(port: MediaPort, stranger: Stranger) -> None:
    node = port.add(FINGERPRINT, "passive", Listener())
    for datagram in (
        controlling(node, "guessed"),
        check("nobody", node.pwd),
        b"\x00\x01" + bytes(30),
        bytes(stun.Message(stun.Method.BINDING, stun.Class.REQUEST)),
        packet(1),
        b"\x16\xfe\xfd" + bytes(40),
        b"",
    ):
        stranger.transport.sendto(datagram)
    # Loopback keeps the order: when this is answered, the others have been seen.
    await stranger.ask(controlling(node))
    assert stranger.answers.empty()
    counters = port.counters
    assert (counters.unauthentic, counters.unknown_ufrag, counters.malformed) == (1, 1, 2)
    assert counters.unknown_address >= 2


async def test_hostile_datagrams_do_not_disturb_those_who_are_connected(port: MediaPort, stranger: Stranger) -> None:
    client = await ClientTransport.gather(addresses=["127.0.0.1"])
    heard, received = Listener(), Listener()
    node = port.add(client.fingerprint, "passive", received)
    await client.connect(node.description, heard)
    chance = random.Random(1)
    victim = port.add(FINGERPRINT, "passive", Listener())
    valid = controlling(victim)
    for number in range(1500):
        kind = number % 5
        noise = chance.randbytes(chance.randrange(0, 200))
        if kind == 0:
            noise = bytes((chance.randrange(256),)) + noise
        elif kind == 1:
            position = chance.randrange(len(valid))
            noise = valid[:position] + bytes((chance.randrange(256),)) + valid[position + 1 :]
        elif kind == 2:
            noise = valid[: chance.randrange(len(valid))]
        elif kind == 3:
            noise = b"\x00\x01" + len(noise).to_bytes(2, "big") + b"\x21\x12\xa4\x42" + noise
        stranger.transport.sendto(noise)
        if number % 50 == 0:
            await asyncio.sleep(0)
    client.send_rtp(packet(1))
    node.send_rtp(packet(1))
    await received.until(lambda: len(received.rtp) == 1)
    await heard.until(lambda: len(heard.rtp) == 1)
    await client.aclose()


async def test_garbage_from_a_peer_s_own_address_is_discarded(port: MediaPort, stranger: Stranger) -> None:
    received = Listener()
    node = port.add(FINGERPRINT, "passive", received)
    await stranger.ask(controlling(node))
    chance = random.Random(2)
    for number in range(500):
        stranger.transport.sendto(bytes((chance.randrange(4, 256),)) + chance.randbytes(number % 100))
    answer = await stranger.ask(controlling(node))
    assert answer.message_class is stun.Class.RESPONSE
    assert received.rtp == received.rtcp == []
    assert node.counters.discarded > 100
    assert node._dtls is not None
    assert node._dtls.state is not DtlsState.CONNECTED


async def test_replayed_and_forged_packets_are_discarded(port: MediaPort) -> None:
    client = await ClientTransport.gather(addresses=["127.0.0.1"])
    received = Listener()
    node = port.add(client.fingerprint, "passive", received)
    await client.connect(node.description, Listener())
    assert client._dtls is not None
    protected = client._dtls.outbound.process_rtp(packet(1))
    for datagram in (protected, protected, protected[:-1] + bytes((protected[-1] ^ 1,)), packet(2)):
        client._transmit(datagram)
    client.send_rtp(packet(3))
    await received.until(lambda: len(received.rtp) == 2)
    assert received.rtp == [packet(1), packet(3)]
    assert node.counters.discarded == 3
    await client.aclose()


async def test_a_packet_too_long_to_encrypt_is_dropped_and_counted(port: MediaPort) -> None:
    client = await ClientTransport.gather(addresses=["127.0.0.1"])
    received = Listener()
    node = port.add(client.fingerprint, "passive", received)
    await client.connect(node.description, Listener())
    client.send_rtp(packet(1, bytes(5000)))
    client.send_rtp(b"")
    client.send_rtp(packet(2, bytes(1200)))
    await received.until(lambda: len(received.rtp) == 1)
    assert client.counters.dropped == 2
    await client.aclose()


async def test_a_peer_that_comes_back_from_the_same_address_takes_it_over(port: MediaPort, stranger: Stranger) -> None:
    first, second = port.add(FINGERPRINT, "passive", Listener()), port.add(FINGERPRINT, "passive", Listener())
    await stranger.ask(controlling(first))
    await stranger.ask(controlling(second))
    first.close()
    assert second.address == stranger.transport.get_extra_info("sockname")
    stranger.transport.sendto(b"\x80 not authentic")
    await stranger.ask(controlling(second))
    assert second.counters.discarded == 1


async def test_a_receiver_that_fails_does_not_end_the_service_of_others(
    port: MediaPort, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Listener):
        def rtp_received(self, packet: bytes, arrival: float) -> None:
            raise RuntimeError("broken receiver")

    async def joined(received: Listener) -> ClientTransport:
        client = await ClientTransport.gather(addresses=["127.0.0.1"])
        await client.connect(port.add(client.fingerprint, "passive", received).description, Listener())
        return client

    broken, whole = Broken(), Listener()
    first, second = await joined(broken), await joined(whole)
    first.send_rtp(packet(1))
    second.send_rtp(packet(1))
    await whole.until(lambda: len(whole.rtp) == 1)
    assert "broken receiver" in caplog.text
    await asyncio.gather(first.aclose(), second.aclose())


async def test_the_port_says_what_it_was_told_to_advertise() -> None:
    async with await MediaPort.open("0.0.0.0", advertised=["192.0.2.1", "198.51.100.7"]) as port:
        assert [candidate.split()[4:6] for candidate in port.candidates] == [
            ["192.0.2.1", str(port.port)],
            ["198.51.100.7", str(port.port)],
        ]
    with pytest.raises(ConfigurationError, match="advertised"):
        await MediaPort.open("0.0.0.0")


async def test_a_port_in_use_is_an_error(port: MediaPort) -> None:
    with pytest.raises(OSError, match="in use"):
        await MediaPort.open(port=port.port)


async def test_closing_the_port_closes_everyone(port: MediaPort) -> None:
    received = Listener()
    port.add(FINGERPRINT, "passive", received)
    port.close()
    port.close()
    assert received.closed == "closed"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", port.port))
