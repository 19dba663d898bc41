from __future__ import annotations

import asyncio
from itertools import pairwise

import async_solipsism
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chime_media.testing.impairments import ImpairedPath, Impairment, PipeTransport, UdpProxy
from tests.media.listener import Listener, packet

SHARE = st.floats(0, 1)


def arrivals(impairment: Impairment, seed: int = 0, count: int = 2000) -> list[list[float]]:
    path = ImpairedPath(impairment, seed)
    return [path.arrivals(1000, number * 0.01) for number in range(count)]


@given(SHARE, SHARE, SHARE, st.integers(0, 1000))
def test_the_same_seed_gives_the_same_network(loss: float, reorder: float, duplication: float, seed: int) -> None:
    impairment = Impairment(loss=loss, reorder=reorder, duplication=duplication, delay=0.1, jitter=0.05)
    found = arrivals(impairment, seed, 30)
    assert found == arrivals(impairment, seed, 30)
    for number, times in enumerate(found):
        assert len(times) <= 2
        assert all(arrival >= number * 0.01 + 0.1 for arrival in times)


def test_shares_are_what_was_asked_for() -> None:
    found = arrivals(Impairment(loss=0.1, duplication=0.2))
    assert 0.07 < sum(not times for times in found) / 2000 < 0.13
    assert 0.14 < sum(len(times) == 2 for times in found) / 2000 < 0.22
    path = ImpairedPath(Impairment(loss=1.0))
    assert path.arrivals(1, 0) == []
    assert (path.lost, path.passed) == (1, 0)


def test_jitter_alone_keeps_the_order_and_reordering_does_not() -> None:
    steady = [times[0] for times in arrivals(Impairment(delay=0.05, jitter=0.1))]
    assert steady == sorted(steady)
    assert max(arrival - number * 0.01 for number, arrival in enumerate(steady)) <= 0.15 + 1e-9
    mixed = [times[0] for times in arrivals(Impairment(delay=0.05, reorder=0.1))]
    overtaken = sum(later < earlier for earlier, later in pairwise(mixed))
    assert 100 < overtaken < 300


def test_a_bottleneck_delays_and_then_loses() -> None:
    path = ImpairedPath(Impairment(bitrate=80_000, queue=0.5))
    found = [path.arrivals(1000, 0.0) for _ in range(10)]
    assert found[:3] == [[0.1], [0.2], pytest.approx([0.3])]
    assert found[-1] == []
    assert path.arrivals(1000, 10.0) == [pytest.approx(10.1)]


def test_a_pipe_carries_media_in_virtual_time_over_a_bad_network() -> None:
    async def scenario() -> tuple[list[bytes], float]:
        first, second = Listener(), Listener()
        one, other = PipeTransport.pair((first, second), Impairment(delay=0.2), Impairment(delay=0.1))
        await first.until(lambda: first.connected)
        await second.until(lambda: second.connected)
        loop = asyncio.get_running_loop()
        before = loop.time()
        one.send_rtp(packet(1))
        await second.until(lambda: len(second.rtp) == 1)
        took = loop.time() - before
        other.close()
        await first.until(lambda: first.closed is not None)
        return second.payloads, took

    with asyncio.Runner(loop_factory=async_solipsism.EventLoop) as runner:
        payloads, took = runner.run(scenario())
    assert payloads == [b"voice"]
    assert took == pytest.approx(0.2)


@pytest.mark.anyio
async def test_a_proxy_stands_between_sockets_and_can_be_cut() -> None:
    loop = asyncio.get_running_loop()

    class Echo(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport
            self.heard: asyncio.Queue[tuple[bytes, object]] = asyncio.Queue()

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            self.heard.put_nowait((data, addr))
            self.transport.sendto(data.upper(), addr)  # type: ignore[attr-defined]

    class Client(asyncio.DatagramProtocol):
        def __init__(self) -> None:
            self.heard: asyncio.Queue[bytes] = asyncio.Queue()

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            self.heard.put_nowait(data)

    target, echo = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
    async with await UdpProxy.open(target.get_extra_info("sockname"), back=Impairment(duplication=1.0)) as proxy:
        transport, client = await loop.create_datagram_endpoint(Client, remote_addr=proxy.address)
        async with asyncio.timeout(5):
            transport.sendto(b"one")
            assert [await client.heard.get(), await client.heard.get()] == [b"ONE", b"ONE"]
            _, before = await echo.heard.get()
            proxy.change_addresses()
            transport.sendto(b"two")
            assert [await client.heard.get(), await client.heard.get()] == [b"TWO", b"TWO"]
            _, after = await echo.heard.get()
            assert before != after
            assert proxy.toward.passed == 2
            proxy.blocked = True
            transport.sendto(b"three")
            # Blocked or not is decided when a datagram is read, and on loopback it is there at once.
            proxy._from_clients()
            proxy.blocked = False
            transport.sendto(b"four")
            assert (await echo.heard.get())[0] == b"four"
        transport.close()
    target.close()
