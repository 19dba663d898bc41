"""Media through a real relay, over each of its transports."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chime_media.rtc.ice import ClientTransport
from chime_media.rtc.turn import TurnUri, allocate
from chime_media.server.media_port import MediaPort
from chime_media.testing.impairments import Impairment, UdpProxy
from chime_media.wire import rtcp
from chime_messaging.errors import ConfigurationError, ConnectError
from tests.media.listener import Listener, packet, talking
from tests.media.relay import TURNSERVER, Relay, free_port, running_relay
from tests.media.rtc.test_ice import answer_of

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(TURNSERVER is None, reason="needs coturn")]


@pytest.fixture
async def relay(tmp_path: Path) -> AsyncIterator[Relay]:
    async with running_relay(tmp_path) as relay:
        yield relay


async def converse(relay: Relay, *uris: str) -> ClientTransport:
    async with await MediaPort.open() as port:
        client = await ClientTransport.gather(relay.credentials(*uris), tls=relay.tls)
        assert [" typ relay " in candidate for candidate in client.candidates] == [True]
        assert "raddr 0.0.0.0" in client.candidates[0]
        heard, received = Listener(), Listener()
        node = port.add(client.fingerprint, "passive", received)
        await client.connect(answer_of(node), heard)
        await received.until(lambda: received.connected)
        for number in range(100):
            client.send_rtp(packet(number, bytes(number)))
            node.send_rtp(packet(number, bytes(number + 100)))
        await heard.until(lambda: len(heard.rtp) == 100)
        await received.until(lambda: len(received.rtp) == 100)
        assert [len(payload) for payload in received.payloads] == list(range(100))
        assert [len(payload) for payload in heard.payloads] == list(range(100, 200))
        assert client.counters.dropped == 0
        assert node.address is not None
        assert f" {node.address[1]} typ relay" in client.candidates[0], "the node sees the relay, not the client"
        await client.aclose()
        await received.until(lambda: received.closed is not None)
    return client


@pytest.mark.parametrize("kind", ["udp", "tcp", "secure"])
async def test_media_goes_through_a_relay_over_each_transport(relay: Relay, kind: str) -> None:
    uri: str = getattr(relay, kind)
    client = await converse(relay, uri)
    assert client.relay == TurnUri.parse(uri)


async def test_a_relay_that_does_not_answer_is_passed_over(relay: Relay) -> None:
    dead = f"turn:127.0.0.1:{free_port()}?transport=udp"
    client = await ClientTransport.gather(relay.credentials(dead, relay.secure), tls=relay.tls, timeout=1)
    assert " typ relay " in client.candidates[0]
    await client.aclose()


async def test_a_relay_uri_that_cannot_be_used_is_passed_over(relay: Relay) -> None:
    unusable = "turns:127.0.0.1:443?transport=udp"
    await converse(relay, unusable, relay.tcp)
    with pytest.raises(ConfigurationError, match="not supported"):
        await ClientTransport.gather(relay.credentials(unusable))


async def test_wrong_credentials_are_told_in_the_error_without_the_password(relay: Relay) -> None:
    with pytest.raises(ConnectError, match="401") as caught:
        await ClientTransport.gather(relay.credentials(relay.udp, relay.tcp, password="guessed"))
    assert "guessed" not in str(caught.value)


async def test_own_addresses_are_used_beside_the_relay_if_wanted(relay: Relay) -> None:
    client = await ClientTransport.gather(relay.credentials(relay.udp), relay_only=False)
    kinds = {candidate.split(" typ ")[1].split()[0] for candidate in client.candidates}
    assert kinds == {"host", "relay"}
    await client.aclose()


async def test_losing_the_relay_is_told_at_once_over_tcp(relay: Relay) -> None:
    async with await MediaPort.open() as port:
        client = await ClientTransport.gather(relay.credentials(relay.tcp))
        heard, received = Listener(), Listener()
        node = port.add(client.fingerprint, "passive", received)
        await client.connect(answer_of(node), heard)
        relay.process.kill()
        await heard.until(lambda: heard.closed is not None, timeout=3)
        assert heard.closed == "the path to the peer was lost"
        await client.aclose()


async def test_losing_the_relay_is_noticed_by_consent_over_udp(relay: Relay) -> None:
    async with await MediaPort.open() as port:
        options = {"consent_interval": 0.05, "consent_timeout": 0.5}
        client = await ClientTransport.gather(relay.credentials(relay.udp), **options)  # type: ignore[arg-type]
        heard, received = Listener(), Listener()
        node = port.add(client.fingerprint, "passive", received)
        await client.connect(answer_of(node), heard)
        relay.process.kill()
        await heard.until(lambda: heard.closed is not None, timeout=5)
        assert heard.closed == "the peer no longer answers"
        async with asyncio.timeout(3):
            await client.aclose()


async def test_media_goes_on_over_a_relay_that_loses_packets(relay: Relay) -> None:
    bad = Impairment(loss=0.1, delay=0.01, jitter=0.005)
    async with (
        await MediaPort.open() as port,
        await UdpProxy.open(("127.0.0.1", relay.port), bad, bad, seed=3) as proxy,
    ):
        uri = f"turn:127.0.0.1:{proxy.address[1]}?transport=udp"
        client = await ClientTransport.gather(relay.credentials(uri), timeout=10)
        heard, received = Listener(), Listener()
        node = port.add(client.fingerprint, "passive", received)
        await client.connect(answer_of(node), heard)
        with talking(client), talking(node):
            await heard.until(lambda: len(heard.rtp) > 50)
            await received.until(lambda: len(received.rtp) > 50)
        await client.aclose()


async def test_a_relay_that_takes_nothing_any_more_costs_packets_and_not_memory(relay: Relay) -> None:
    async with await MediaPort.open() as port:
        client = await ClientTransport.gather(relay.credentials(relay.tcp))
        received = Listener()
        node = port.add(client.fingerprint, "passive", received)
        await client.connect(node.description, Listener())
        relay.process.send_signal(signal.SIGSTOP)
        for number in range(20_000):
            client.send_rtp(packet(number, bytes(1000)))
        assert client.counters.dropped > 5000
        relay.process.send_signal(signal.SIGCONT)
        await received.until(lambda: len(received.rtp) > 100)
        await client.aclose()


async def test_a_receiver_that_fails_does_not_end_the_connection(
    relay: Relay, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Listener):
        def rtp_received(self, packet: bytes, arrival: float) -> None:
            raise ValueError("broken receiver")

    async with await MediaPort.open() as port:
        client = await ClientTransport.gather(relay.credentials(relay.tcp))
        heard = Broken()
        received = Listener()
        node = port.add(client.fingerprint, "passive", received)
        await client.connect(node.description, heard)
        await received.until(lambda: received.connected)
        node.send_rtp(packet(1))
        node.send_rtp(packet(2))
        node.send_rtcp(rtcp.ReceiverReport(1).pack())
        await heard.until(lambda: len(heard.rtcp) == 1)
        assert caplog.text.count("broken receiver") >= 2
        assert client.connected
        await client.aclose()


async def test_media_goes_on_while_a_channel_is_bound_anew(relay: Relay) -> None:
    uri = TurnUri.parse(relay.udp)
    given = relay.credentials(relay.udp)
    path = await allocate(uri, given.username, given.password, timeout=5, channel_renewal=0.0)
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    class Echo(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            heard.put_nowait(data)

    peer, _ = await asyncio.get_running_loop().create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
    place: tuple[str, int] = peer.get_extra_info("sockname")
    path.use(asyncio.DatagramProtocol())
    assert not path.send_now(b"no channel yet", place)
    path.sendto(b"first", place)
    async with asyncio.timeout(5):
        assert await heard.get() == b"first"
        for number in range(50):
            assert path.send_now(b"%d" % number, place)
            assert await heard.get() == b"%d" % number
    path.close()
    peer.close()
    assert not path.send_now(b"closed", place) or path.is_closing()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("turn:relay.example", TurnUri("relay.example", 3478, "udp", False)),
        ("turn:relay.example:80?transport=tcp", TurnUri("relay.example", 80, "tcp", False)),
        ("turns:relay.example", TurnUri("relay.example", 5349, "tcp", True)),
        ("turns:[2001:db8::1]:443?transport=tcp", TurnUri("2001:db8::1", 443, "tcp", True)),
    ],
)
def test_the_uri_of_a_relay_says_where_and_how(text: str, expected: TurnUri) -> None:
    assert TurnUri.parse(text) == expected
    assert TurnUri.parse(str(expected)) == expected


@pytest.mark.parametrize(
    "text",
    ["", "turn:", "stun:relay.example", "turn:host:99999", "turn:host:x", "turns:host?transport=udp", "turn:[::1"],
)
def test_a_uri_that_names_no_usable_relay_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="turn uri"):
        TurnUri.parse(text)
