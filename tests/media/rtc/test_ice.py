"""The attendee's transport against the node's port: connecting, media both ways, and every way it can end."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest
import uvloop
from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport
from aiortc.rtcicetransport import RTCIceGatherer, RTCIceParameters, RTCIceTransport
from aiortc.sdp import candidate_from_sdp

from chime_media.rtc.ice import ClientTransport
from chime_media.rtc.stun import IceCredentials
from chime_media.server.media_port import MediaPort, NodeTransport
from chime_media.testing.impairments import Impairment, UdpProxy
from chime_media.wire import rtcp
from chime_media.wire.sdp import TransportDescription
from chime_messaging.errors import ConfigurationError, ConnectError, ConnectTimeoutError
from tests.media.listener import Listener, packet, talking

pytestmark = pytest.mark.anyio

LOOPBACK = ["127.0.0.1"]


def answer_of(node: NodeTransport, candidates: list[str] | None = None) -> TransportDescription:
    return node.description if candidates is None else replace(node.description, candidates=tuple(candidates))


@pytest.fixture
async def port() -> AsyncIterator[MediaPort]:
    async with await MediaPort.open(silence_timeout=1.5) as port:
        yield port


@dataclass
class Call:
    client: ClientTransport
    node: NodeTransport
    heard: Listener
    received: Listener


async def call(port: MediaPort, candidates: list[str] | None = None, setup: str = "passive", **options: float) -> Call:
    client = await ClientTransport.gather(addresses=LOOPBACK, **options)  # type: ignore[arg-type]
    heard, received = Listener(), Listener()
    node = port.add(client.fingerprint, "active" if setup == "active" else "passive", received)
    await client.connect(answer_of(node, candidates), heard)
    await received.until(lambda: received.connected)
    return Call(client, node, heard, received)


@pytest.mark.parametrize("setup", ["passive", "active"])
async def test_media_goes_both_ways_whoever_begins_the_handshake(port: MediaPort, setup: str) -> None:
    made = await call(port, setup=setup)
    assert made.client.connected
    assert made.node.connected
    for number in range(20):
        made.client.send_rtp(packet(number, b"up"))
        made.node.send_rtp(packet(number, b"down"))
    made.client.send_rtcp(rtcp.PictureLossIndication(1, 2).pack())
    made.node.send_rtcp(rtcp.ReceiverReport(9).pack())
    await made.heard.until(lambda: len(made.heard.rtp) == 20 and len(made.heard.rtcp) == 1)
    await made.received.until(lambda: len(made.received.rtp) == 20 and len(made.received.rtcp) == 1)
    assert made.heard.payloads == [b"down"] * 20
    assert made.received.rtp[7] == packet(7, b"up")
    assert rtcp.parse(made.received.rtcp[0]) == [rtcp.PictureLossIndication(1, 2)]
    assert made.client.counters.packets_sent == made.node.counters.packets_received == 21
    assert made.client.counters.bytes_sent == made.node.counters.bytes_received
    await made.client.aclose()


async def test_both_sides_hear_once_that_the_client_closed(port: MediaPort) -> None:
    made = await call(port)
    await made.client.aclose()
    await made.received.until(lambda: made.received.closed is not None)
    assert (made.heard.closed, made.received.closed) == ("closed", "closed by the peer")
    assert port.transports == []
    made.client.close()
    made.client.send_rtp(packet(1))
    assert made.client.counters.dropped == 1


async def test_both_sides_hear_once_that_the_node_closed(port: MediaPort) -> None:
    made = await call(port)
    made.node.close()
    await made.heard.until(lambda: made.heard.closed is not None)
    assert (made.heard.closed, made.received.closed) == ("closed by the peer", "closed")
    await made.client.aclose()


async def test_many_clients_share_the_port_and_get_their_own_packets_only(port: MediaPort) -> None:
    calls = await asyncio.gather(*(call(port) for _ in range(8)))
    for index, made in enumerate(calls):
        made.node.send_rtp(packet(1, b"for %d" % index))
        made.client.send_rtp(packet(1, b"from %d" % index))
    for index, made in enumerate(calls):
        await made.heard.until(lambda made=made: bool(made.heard.rtp))  # type: ignore[misc]
        await made.received.until(lambda made=made: bool(made.received.rtp))  # type: ignore[misc]
        assert made.heard.payloads == [b"for %d" % index]
        assert made.received.payloads == [b"from %d" % index]
    await asyncio.gather(*(made.client.aclose() for made in calls))


async def test_a_certificate_that_is_not_the_one_of_the_answer_is_refused(port: MediaPort) -> None:
    client = await ClientTransport.gather(addresses=LOOPBACK)
    received = Listener()
    node = port.add(client.fingerprint, "passive", received)
    answer = replace(answer_of(node), fingerprint="sha-256 " + ":".join(["00"] * 32))
    with pytest.raises(ConnectError, match="fingerprint"):
        await client.connect(answer, Listener())
    assert client.closed


async def test_a_certificate_that_is_not_the_one_of_the_offer_is_refused(port: MediaPort) -> None:
    client = await ClientTransport.gather(addresses=LOOPBACK)
    received = Listener()
    node = port.add("sha-256 " + ":".join(["00"] * 32), "passive", received)
    heard = Listener()
    connecting = asyncio.ensure_future(client.connect(answer_of(node), heard, timeout=3))
    await received.until(lambda: received.closed is not None)
    assert received.closed == "the peer's certificate is not the one of its fingerprint"
    # From the client's side the handshake may have been done by then; it ends either way.
    await asyncio.wait([connecting])
    await client.aclose()
    assert connecting.exception() is not None or heard.closed is not None


async def test_an_unknown_hash_is_refused_at_once(port: MediaPort) -> None:
    with pytest.raises(ConfigurationError, match="md5"):
        port.add("md5 00:11", "passive", Listener())


async def test_an_answer_that_nobody_stands_behind_ends_in_an_error(port: MediaPort) -> None:
    client = await ClientTransport.gather(addresses=LOOPBACK)
    node = port.add(client.fingerprint, "passive", Listener())
    answer = replace(answer_of(node), pwd=IceCredentials.random().pwd)
    with pytest.raises(ConnectTimeoutError):
        await client.connect(answer, Listener(), timeout=0.3)
    assert port.counters.unauthentic > 0
    assert client.closed


async def test_an_answer_without_candidates_ends_in_an_error(port: MediaPort) -> None:
    client = await ClientTransport.gather(addresses=LOOPBACK)
    node = port.add(client.fingerprint, "passive", Listener())
    with pytest.raises(ConnectError):
        await client.connect(answer_of(node, ["nonsense", "candidate:1 2 udp 1 127.0.0.1 9 typ host"]), Listener())


async def test_cancelling_to_connect_closes_the_sockets(port: MediaPort) -> None:
    client = await ClientTransport.gather(addresses=LOOPBACK)
    node = port.add(client.fingerprint, "passive", Listener())
    connecting = asyncio.ensure_future(client.connect(answer_of(node, ["c 1 udp 1 127.0.0.1 9 typ host"]), Listener()))
    await asyncio.sleep(0)
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting
    assert client.closed


async def test_no_own_address_that_works_is_an_error() -> None:
    with pytest.raises(ConnectError, match="no address"):
        await ClientTransport.gather(addresses=["203.0.113.1"])


async def test_the_handshake_gets_through_a_network_that_loses_15_percent(port: MediaPort) -> None:
    bad = Impairment(loss=0.15, delay=0.01, jitter=0.01, reorder=0.05, duplication=0.05)
    for seed in range(4):
        async with await UdpProxy.open(("127.0.0.1", port.port), bad, bad, seed=seed * 7) as proxy:
            made = await call(port, [proxy.candidate()], setup="passive" if seed % 2 else "active")
            await made.client.aclose()


async def test_the_node_follows_a_client_whose_address_changes(port: MediaPort) -> None:
    async with await UdpProxy.open(("127.0.0.1", port.port)) as proxy:
        made = await call(port, [proxy.candidate()], consent_interval=0.1)
        before = made.node.address
        proxy.change_addresses()
        with talking(made.node), talking(made.client):
            await made.heard.until(lambda: bool(made.heard.rtp))
            await made.received.until(lambda: bool(made.received.rtp))
        assert made.node.address != before
        await made.client.aclose()


async def test_a_client_that_falls_silent_is_given_up(port: MediaPort) -> None:
    async with await UdpProxy.open(("127.0.0.1", port.port)) as proxy:
        made = await call(port, [proxy.candidate()], consent_interval=0.1)
        proxy.blocked = True
        await made.received.until(lambda: made.received.closed is not None)
        assert made.received.closed == "the peer fell silent"
        await made.client.aclose()


async def test_checks_alone_keep_a_connection(port: MediaPort) -> None:
    quiet = await call(port, consent_interval=0.2)
    silent = await call(port, consent_interval=60)
    await silent.received.until(lambda: silent.received.closed is not None)
    assert quiet.node.counters.stun_received > 5
    assert quiet.received.closed is None
    quiet.node.send_rtp(packet(1))
    await quiet.heard.until(lambda: bool(quiet.heard.rtp))
    await asyncio.gather(quiet.client.aclose(), silent.client.aclose())


async def test_a_node_that_no_longer_answers_checks_has_withdrawn_its_consent(port: MediaPort) -> None:
    async with await UdpProxy.open(("127.0.0.1", port.port)) as proxy:
        made = await call(port, [proxy.candidate()], consent_interval=0.05, consent_timeout=0.5)
        proxy.blocked = True
        await made.heard.until(lambda: made.heard.closed is not None)
        assert made.heard.closed == "the peer no longer answers"
        await made.client.aclose()


async def test_one_who_never_connects_is_forgotten() -> None:
    async with await MediaPort.open(connect_timeout=0.1) as port:
        received = Listener()
        port.add("sha-256 00", "passive", received)
        await received.until(lambda: received.closed is not None)
        assert received.closed == "the peer never connected"
        assert port.transports == []


async def test_garbage_sent_to_the_client_is_discarded(port: MediaPort) -> None:
    made = await call(port)
    place = made.node.address
    assert place is not None
    chance = random.Random(4)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for number in range(600):
            noise = chance.randbytes(chance.randrange(120))
            if number % 3 == 0:
                noise = b"\x00\x01" + len(noise).to_bytes(2, "big") + b"\x21\x12\xa4\x42" + bytes(12) + noise
            stranger.sendto(noise, place)
            if number % 100 == 0:
                await asyncio.sleep(0)
        # The socket's buffer may have been full.
        with talking(made.node):
            await made.heard.until(lambda: bool(made.heard.rtp))
    assert set(made.heard.payloads) == {b"voice"}
    await made.client.aclose()


async def test_aiortc_connects_with_the_port_through_its_own_ice(port: MediaPort) -> None:
    gatherer = RTCIceGatherer()
    await gatherer.gather()
    ice = RTCIceTransport(gatherer)
    certificate = RTCCertificate.generateCertificate()
    dtls = RTCDtlsTransport(ice, [certificate])
    theirs = dtls.getLocalParameters().fingerprints[0]
    received = Listener()
    node = port.add(f"{theirs.algorithm} {theirs.value}", "passive", received)
    ice._connection.ice_controlling = True
    for text in node.candidates:
        await ice.addRemoteCandidate(candidate_from_sdp(text.removeprefix("candidate:")))
    await ice.addRemoteCandidate(None)
    await ice.start(RTCIceParameters(node.ufrag, node.pwd))
    dtls._set_role("client")
    await dtls.start(RTCDtlsParameters([RTCDtlsFingerprint(*node.fingerprint.split())]))
    await received.until(lambda: received.connected)
    await dtls._send_rtp(packet(5))
    await received.until(lambda: len(received.rtp) == 1)
    assert received.rtp == [packet(5)]
    await dtls.stop()
    await ice.stop()
    await received.until(lambda: received.closed is not None)


def test_both_sides_run_on_uvloop() -> None:
    async def scenario() -> tuple[list[bytes], list[bytes]]:
        async with await MediaPort.open() as port:
            made = await call(port)
            made.client.send_rtp(packet(1, b"up"))
            made.node.send_rtp(packet(1, b"down"))
            await made.heard.until(lambda: len(made.heard.rtp) == 1)
            await made.received.until(lambda: len(made.received.rtp) == 1)
            await made.client.aclose()
            return made.received.payloads, made.heard.payloads

    assert uvloop.run(scenario()) == ([b"up"], [b"down"])


@pytest.mark.parametrize("host", ["::1", "::"])
async def test_the_port_may_be_one_of_ipv6_or_of_both_families(host: str) -> None:
    address = "::1" if host == "::1" else "127.0.0.1"
    async with await MediaPort.open(host, advertised=[address]) as port:
        client = await ClientTransport.gather(addresses=[address])
        received = Listener()
        node = port.add(client.fingerprint, "passive", received)
        await client.connect(node.description, Listener())
        client.send_rtp(packet(1))
        await received.until(lambda: len(received.rtp) == 1)
        await client.aclose()
